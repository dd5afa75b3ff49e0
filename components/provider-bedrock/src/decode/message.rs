//! One answer of the service as events, block by block.
//!
//! Not the reading of a body: `decode` cuts it into events first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hydroid_component::answer;
use hydroid_component::arguments::{CallAssembler, CallPiece};
use hydroid_component::provider::{Citation, Error, Event, Ext, Reasoning, Stop, Usage};
use hydroid_component::thinking::{self, Signed};
use serde_json::Value;

use super::ANSWER;
use crate::wire::{
    self, AnswerBlock, AnswerToolUse, BlockDelta, BlockStart, ReasoningDelta, StreamEvent,
};

/// Turns an answer into events. The end is kept back, because usage comes behind it.
pub(super) struct Decoder {
    calls: CallAssembler,
    keeper: String,
    schema_tool: Option<&'static str>,
    /// Thinking that has not ended, by block.
    thinking: BTreeMap<u32, Signed>,
    /// Thinking without readable text, which may come in pieces.
    redacted: BTreeMap<u32, String>,
    /// Blocks whose arguments are the answer.
    answers: BTreeSet<u32>,
    /// Blocks of tools that the service runs itself.
    foreign: BTreeSet<u32>,
    stop: Option<String>,
    usage: Option<wire::Usage>,
    /// Anything of the service's kind came at all.
    seen: bool,
    done: bool,
}

impl Decoder {
    pub(super) fn new(
        call_prefix: String,
        keeper: String,
        schema_tool: Option<&'static str>,
    ) -> Self {
        Self {
            calls: CallAssembler::new(call_prefix),
            keeper,
            schema_tool,
            thinking: BTreeMap::new(),
            redacted: BTreeMap::new(),
            answers: BTreeSet::new(),
            foreign: BTreeSet::new(),
            stop: None,
            usage: None,
            seen: false,
            done: false,
        }
    }

    /// Nothing can come any more.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// The model has ended; only numbers are missing.
    pub(super) fn has_stopped(&self) -> bool {
        self.stop.is_some()
    }

    /// One event of a stream, by the name its frame has.
    pub(super) fn event(
        &mut self,
        kind: &str,
        event: StreamEvent,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        let index = event.content_block_index.unwrap_or_default();
        match kind {
            "messageStart" => {}
            "contentBlockStart" => self.start(index, event.start.unwrap_or_default(), events)?,
            "contentBlockDelta" => self.delta(index, event.delta.unwrap_or_default(), events)?,
            "contentBlockStop" => self.end_block(index, events)?,
            "messageStop" => {
                self.stop = event.stop_reason.or(Some(String::new()));
                events.extend(other("stop_fields", event.additional_model_response_fields));
            }
            "metadata" => {
                self.usage = event.usage;
                events.extend(other("trace", event.trace));
            }
            // What may come later.
            _ => return Ok(()),
        }
        self.seen = true;
        // The two come in either order.
        self.done = self.stop.is_some() && self.usage.is_some();
        Ok(())
    }

    /// An answer that came as a whole.
    pub(super) fn whole(
        &mut self,
        answer: wire::Answer,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        let Some(message) = answer.output.and_then(|output| output.message) else {
            return Ok(());
        };
        self.seen = true;
        for (index, block) in (0..).zip(message.content) {
            self.whole_block(index, block, events)?;
        }
        self.stop = answer.stop_reason;
        self.usage = answer.usage;
        events.extend(other("stop_fields", answer.additional_model_response_fields));
        events.extend(other("trace", answer.trace));
        Ok(())
    }

    pub(super) fn end(&mut self, events: &mut VecDeque<Event>) -> Result<(), Error> {
        if !self.seen {
            return Err(answer::nothing(ANSWER));
        }
        // The stream broke off; what came is passed on, and the queue makes it an error.
        let Some(reason) = &self.stop else { return Ok(()) };
        let stop = match stop(reason) {
            // The one call was the answer.
            Stop::ToolUse if self.schema_tool.is_some() && self.calls.is_empty() => Stop::EndTurn,
            Stop::EndTurn if !self.calls.is_empty() => Stop::ToolUse,
            stop => stop,
        };
        self.calls.end_all(events)?;
        events.extend(self.usage.map(|counted| Event::Usage(usage(counted))));
        events.push_back(Event::Finish(stop));
        Ok(())
    }

    fn whole_block(
        &mut self,
        index: u32,
        block: AnswerBlock,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        events.extend(text(block.text));
        if let Some(cited) = block.citations_content {
            events.extend(cited.content.into_iter().filter_map(|content| text(content.text)));
            events.extend(cited.citations.iter().filter_map(citation));
        }
        if let Some(reasoning) = block.reasoning_content {
            let redacted_content = reasoning.redacted_content;
            let delta = reasoning.reasoning_text.unwrap_or_default();
            self.reasoning(index, ReasoningDelta { redacted_content, ..delta }, events);
        }
        if let Some(tool_use) = block.tool_use {
            let input = tool_use.input.as_ref().map(|input| input.get().to_owned());
            self.tool_use(index, tool_use, events)?;
            self.arguments(index, input, events)?;
        }
        self.end_block(index, events)
    }

    fn start(
        &mut self,
        index: u32,
        start: BlockStart,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        start.tool_use.map_or(Ok(()), |tool_use| self.tool_use(index, tool_use, events))
    }

    fn tool_use(
        &mut self,
        index: u32,
        tool_use: AnswerToolUse,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        let name = tool_use.name.as_deref();
        if tool_use.kind.as_deref() == Some("server_tool_use") {
            let name = Value::from(name.unwrap_or_default());
            self.foreign.insert(index);
            events.extend(other("server_tool_use", Some(serde_json::json!({"name": name}))));
            return Ok(());
        }
        if name.is_some() && name == self.schema_tool {
            self.answers.insert(index);
            return Ok(());
        }
        let id = tool_use.tool_use_id.as_deref();
        self.calls.add(CallPiece { index: Some(index), id, name, arguments: None }, events)
    }

    fn delta(
        &mut self,
        index: u32,
        delta: BlockDelta,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        events.extend(text(delta.text));
        if let Some(reasoning) = delta.reasoning_content {
            self.reasoning(index, reasoning, events);
        }
        events.extend(delta.citation.as_ref().and_then(citation));
        match delta.tool_use {
            Some(tool_use) => self.arguments(index, tool_use.input, events),
            None => Ok(()),
        }
    }

    fn arguments(
        &mut self,
        index: u32,
        input: Option<String>,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        if self.foreign.contains(&index) {
            return Ok(());
        }
        if self.answers.contains(&index) {
            events.extend(text(input));
            return Ok(());
        }
        let arguments = input.as_deref();
        self.calls.add(CallPiece { index: Some(index), arguments, ..CallPiece::default() }, events)
    }

    fn reasoning(&mut self, index: u32, delta: ReasoningDelta, events: &mut VecDeque<Event>) {
        if let Some(redacted) = delta.redacted_content {
            self.redacted.entry(index).or_default().push_str(&redacted);
        }
        let signed = self.thinking.entry(index).or_default();
        if let Some(text) = delta.text.filter(|text| !text.is_empty()) {
            signed.text(&text);
            events.push_back(Event::Reasoning(Reasoning { text, opaque: None }));
        }
        signed.signature(delta.signature.as_deref().unwrap_or_default());
    }

    fn end_block(&mut self, index: u32, events: &mut VecDeque<Event>) -> Result<(), Error> {
        events.extend(self.thinking.remove(&index).and_then(|signed| signed.seal(&self.keeper)));
        if let Some(data) = self.redacted.remove(&index) {
            events.push_back(thinking::redacted(&self.keeper, data));
        }
        self.calls.end(index, events)
    }
}

fn stop(reason: &str) -> Stop {
    match reason {
        "end_turn" => Stop::EndTurn,
        "tool_use" => Stop::ToolUse,
        "max_tokens" | "model_context_window_exceeded" => Stop::MaxTokens,
        "stop_sequence" => Stop::StopSequence,
        "guardrail_intervened" | "content_filtered" => Stop::Refusal,
        "malformed_model_output" | "malformed_tool_use" => Stop::Error,
        _ => Stop::Other,
    }
}

/// The contract counts cached tokens as input; the service counts them beside it.
fn usage(counted: wire::Usage) -> Usage {
    let (cache_read, cache_write) =
        (counted.cache_read_input_tokens, counted.cache_write_input_tokens);
    let cached = cache_read.unwrap_or(0).saturating_add(cache_write.unwrap_or(0));
    Usage {
        input: counted.input_tokens.saturating_add(cached),
        output: counted.output_tokens,
        cache_read,
        cache_write,
        reasoning: None,
    }
}

fn text(text: Option<String>) -> Option<Event> {
    text.filter(|text| !text.is_empty()).map(Event::Text)
}

fn other(kind: &str, value: Option<Value>) -> Option<Event> {
    let json = value.filter(|value| !value.is_null())?.to_string();
    Some(Event::Other(Ext { kind: format!("bedrock/{kind}"), json }))
}

/// Pages have an address; documents the model was given have their position.
fn citation(citation: &Value) -> Option<Event> {
    let text = |pointer: &str| citation.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let places = ["documentPage", "documentChar", "documentChunk"];
    let document = || {
        let index = places.iter().find_map(|place| {
            citation.pointer(&format!("/location/{place}/documentIndex"))?.as_u64()
        })?;
        Some(format!("document:{index}"))
    };
    Some(Event::Citation(Citation {
        uri: text("/location/web/url").or_else(|| text("/source")).or_else(document)?,
        title: text("/title"),
        text: text("/sourceContent/0/text"),
    }))
}
