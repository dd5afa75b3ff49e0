//! What an answer has said so far, block by block, to be handed back when the service paused.
//!
//! Not what the host keeps: it holds what the contract has no word for, such as the tools that
//! the service runs itself.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::wire::Delta;

/// Blocks of one answer.
#[derive(Debug, Default)]
pub struct Said(Vec<Block>);

#[derive(Debug)]
struct Block {
    index: Option<u32>,
    fields: Map<String, Value>,
    /// Arguments in pieces; they replace the empty ones a block begins with.
    input: String,
}

impl Said {
    /// A block, whole or as it begins.
    pub fn block(&mut self, index: Option<u32>, block: &RawValue) {
        if let Ok(Value::Object(fields)) = serde_json::from_str(block.get()) {
            self.0.push(Block { index, fields, input: String::new() });
        }
    }

    /// More of a block.
    pub fn delta(&mut self, index: Option<u32>, delta: &Delta) {
        let Some(block) = self.0.iter_mut().rev().find(|block| block.index == index) else {
            return;
        };
        let texts =
            [("text", &delta.text), ("thinking", &delta.thinking), ("signature", &delta.signature)];
        for (name, more) in texts {
            let Some(more) = more else { continue };
            match block.fields.get_mut(name) {
                Some(Value::String(text)) => text.push_str(more),
                _ => drop(block.fields.insert(name.to_owned(), Value::from(more.as_str()))),
            }
        }
        block.input.push_str(delta.partial_json.as_deref().unwrap_or_default());
        if let Some(citation) = &delta.citation {
            match block.fields.get_mut("citations") {
                Some(Value::Array(citations)) => citations.push(citation.clone()),
                _ => {
                    let citations = Value::Array(vec![citation.clone()]);
                    block.fields.insert("citations".to_owned(), citations);
                }
            }
        }
    }

    /// The blocks as the service wants them back.
    pub fn take(&mut self) -> Vec<Box<RawValue>> {
        std::mem::take(&mut self.0)
            .into_iter()
            .map(|mut block| {
                if let Ok(input) = serde_json::from_str(&block.input) {
                    block.fields.insert("input".to_owned(), input);
                }
                block.fields
            })
            // The service refuses a text without text.
            .filter(|fields| fields.get("text").and_then(Value::as_str) != Some(""))
            .filter_map(|fields| serde_json::value::to_raw_value(&fields).ok())
            .collect()
    }
}
