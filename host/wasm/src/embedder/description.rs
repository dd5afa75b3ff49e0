//! What an embedder says it is, checked, and the vectors it made held against that. It judges no
//! vector by what it means.

use super::wit;
use crate::instance::Equipment;
use serde_json::Value;

/// Most numbers in a vector; the largest models known have 4,096, and the store takes no more.
const MOST_DIMENSIONS: u32 = 16_384;

/// Longest name of a model, in characters.
const LONGEST_MODEL: usize = 200;

/// How far the length of a vector may be from 1. A hundredth is far above what rounding to half
/// precision does, and far below what would change an order of results.
const LENGTH_TOLERANCE: f32 = 0.01;

/// What an embedder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Changes whenever the same text could get another vector: made of the component's digest,
    /// its configuration and all it says. Lower-case hexadecimal.
    pub identity: String,
    /// Name of the model.
    pub model: String,
    /// Numbers in a vector.
    pub dimensions: u32,
    /// Tokens of a text that are looked at.
    pub max_input_tokens: Option<u32>,
    /// Texts in one call.
    pub max_batch: u32,
    /// Vectors have length 1 or are zero.
    pub normalized: bool,
}

impl Description {
    /// What the component said, if it can be so.
    pub(super) fn checked(said: wit::Descriptor, equipment: &Equipment) -> Result<Self, String> {
        let model = said.model;
        if model.trim().is_empty()
            || model.chars().count() > LONGEST_MODEL
            || model.chars().any(char::is_control)
        {
            return Err(format!(
                "the name of its model is not one: 1 to {LONGEST_MODEL} characters, none of them a control character"
            ));
        }
        if !(1..=MOST_DIMENSIONS).contains(&said.dimensions) {
            return Err(format!(
                "it says that its vectors have {} numbers; they have 1 to {MOST_DIMENSIONS}",
                said.dimensions
            ));
        }
        if said.max_batch == 0 {
            return Err("it says that it takes no text in a call; `max-batch` is at least 1".into());
        }
        if said.max_input_tokens == Some(0) {
            return Err(
                "it says that it looks at no token; `max-input-tokens` is at least 1".into()
            );
        }
        let options = said.options_json.unwrap_or_default();
        let is_object = |text: &str| {
            serde_json::from_str::<Value>(text).is_ok_and(|options| options.is_object())
        };
        if !options.is_empty() && !is_object(&options) {
            return Err("its `options-json` is not a JSON object".into());
        }
        let mut hasher = blake3::Hasher::new();
        let numbers = format!("{} {}", said.dimensions, said.normalized);
        for part in [&equipment.digest, &equipment.config, &model, &numbers, &options] {
            // With its length, so that no two lists of parts look alike.
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        Ok(Self {
            identity: hasher.finalize().to_hex().to_string(),
            model,
            dimensions: said.dimensions,
            max_input_tokens: said.max_input_tokens,
            max_batch: said.max_batch,
            normalized: said.normalized,
        })
    }

    /// The matrix as one vector for each text; an error ends the sentence "the component …".
    pub(super) fn vectors(&self, numbers: &[f32], texts: usize) -> Result<Vec<Vec<f32>>, String> {
        let dimensions = self.dimensions as usize;
        if dimensions.checked_mul(texts) != Some(numbers.len()) {
            return Err(format!(
                "gave {} numbers for {texts} texts of {dimensions} each; this is a defect of the component",
                numbers.len()
            ));
        }
        if !numbers.iter().all(|number| number.is_finite()) {
            return Err(
                "gave a number that is not finite; this is a defect of the component".into()
            );
        }
        let vectors: Vec<Vec<f32>> =
            numbers.chunks_exact(dimensions).map(<[f32]>::to_vec).collect();
        if self.normalized {
            check_lengths(&vectors)?;
        }
        Ok(vectors)
    }
}

fn check_lengths(vectors: &[Vec<f32>]) -> Result<(), String> {
    for vector in vectors {
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        if length != 0.0 && (length - 1.0).abs() > LENGTH_TOLERANCE {
            return Err(format!(
                "says that its vectors have length 1 and gave one of length {length}; this is a defect of the component"
            ));
        }
    }
    Ok(())
}
