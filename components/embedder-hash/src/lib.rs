//! Vectors from hashes of words: the same text has the same vector on every machine, and texts
//! that share words are near each other. Not a model: it knows no meaning, so it is for tests and
//! for hosts that want no model at all.

use hydroid_component::embedder::{Descriptor, Embedder, Error, Purpose, normalize};
use hydroid_component::{config, export_embedder};
use serde::Deserialize;

struct Hash;

export_embedder!(Hash);

/// Inputs in one call: what keeps the result below a megabyte at the usual dimensions.
const MAX_BATCH: u32 = 512;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default = "usual_dimensions")]
    dimensions: u32,
}

fn usual_dimensions() -> u32 {
    256
}

impl Embedder for Hash {
    fn describe() -> Result<Descriptor, Error> {
        let config: Config = config::read()?;
        Ok(Descriptor {
            model: "blake3-words".to_owned(),
            dimensions: config.dimensions,
            max_input_tokens: None,
            max_batch: MAX_BATCH,
            normalized: true,
            options_json: None,
        })
    }

    fn embed(inputs: Vec<String>, _purpose: Purpose) -> Result<Vec<f32>, Error> {
        let config: Config = config::read()?;
        Ok(inputs.iter().flat_map(|input| vector(input, config.dimensions as usize)).collect())
    }
}

/// The sum of a vector of plus and minus one for each word, scaled to length 1.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0; dimensions];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        add_word(&mut vector, &word.to_lowercase());
    }
    normalize(&mut vector);
    vector
}

fn add_word(vector: &mut [f32], word: &str) {
    let mut hasher = blake3::Hasher::new();
    let mut bits = vec![0; vector.len().div_ceil(8)];
    hasher.update(word.as_bytes()).finalize_xof().fill(&mut bits);
    for (numbers, byte) in vector.chunks_mut(8).zip(bits) {
        for (position, number) in numbers.iter_mut().enumerate() {
            *number += if byte >> position & 1 == 1 { 1.0 } else { -1.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: &str, b: &str) -> f32 {
        vector(a, 256).iter().zip(vector(b, 256)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn texts_that_share_words_are_near_each_other() {
        assert!(near("the red fox", "Fox, the RED!") > 0.999);
        assert!(near("the red fox", "the red dog") > 0.5);
        assert!(near("the red fox", "quantum chromodynamics").abs() < 0.3);
    }

    #[test]
    fn a_text_without_words_is_zero() {
        assert!(vector("… --- !", 8).iter().all(|number| *number == 0.0));
    }

    /// Kept on disk by every host that uses it, so it never changes.
    #[test]
    fn the_vector_of_a_word_is_what_it_always_was() {
        let signs: String =
            vector("word", 16).iter().map(|n| if *n > 0.0 { '+' } else { '-' }).collect();
        assert_eq!(signs, SIGNS_OF_WORD);
    }

    const SIGNS_OF_WORD: &str = "+--++--++-+--+-+";
}
