//! Any number of texts as batches that a component takes and whose result fits the limits. Not
//! a splitter of documents: a text that is too long is cut, as each model does anyway.

use super::{Description, error};
use crate::limits::Limits;
use hydroid_core::config::Size;
use hydroid_core::ports::EmbedError;

/// Longest text that is handed in, in bytes. No model looks at more than some ten thousand
/// tokens, and this is four times that in the longest words.
const LONGEST_TEXT: usize = 256 << 10;

/// Most bytes of text in one call, so that a batch of long texts fits a component's memory.
const MOST_BYTES: usize = 1 << 20;

/// How texts are handed to one component.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batches {
    most_texts: usize,
}

impl Batches {
    /// As many texts as the component takes and whose vectors are no larger than a result may be.
    pub(super) fn new(description: &Description, limits: &Limits) -> Result<Self, EmbedError> {
        let vector = size_of::<f32>() * description.dimensions as usize;
        let room = limits.output.min(limits.host_call_bytes);
        let most_texts = (room / vector).min(description.max_batch as usize);
        if most_texts == 0 {
            return Err(error(
                "too-large",
                format!(
                    "one vector of `{}` has {} and a result may have {}; a person can raise `limits.output` and `limits.host_call_bytes`",
                    description.model,
                    Size(vector as u64),
                    Size(room as u64)
                ),
            ));
        }
        Ok(Self { most_texts })
    }

    /// The texts in order, in batches that are never empty.
    pub(super) fn of(self, texts: Vec<String>) -> impl Iterator<Item = Vec<String>> + Send {
        let mut texts = texts.into_iter().map(cut).peekable();
        std::iter::from_fn(move || {
            let mut batch = vec![texts.next()?];
            let mut bytes = batch[0].len();
            while batch.len() < self.most_texts {
                let Some(text) = texts.next_if(|text| bytes + text.len() <= MOST_BYTES) else {
                    break;
                };
                bytes += text.len();
                batch.push(text);
            }
            Some(batch)
        })
    }
}

/// The beginning of a text, not cut inside a character.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST_TEXT));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(most_texts: usize, texts: &[usize]) -> Vec<usize> {
        let texts = texts.iter().map(|length| "x".repeat(*length)).collect();
        Batches { most_texts }.of(texts).map(|batch| batch.len()).collect()
    }

    #[test]
    fn batches_are_bounded_by_number_and_by_bytes() {
        assert_eq!(sizes(2, &[]), Vec::<usize>::new());
        assert_eq!(sizes(2, &[1, 1, 1]), [2, 1]);
        let quarter = MOST_BYTES / 4;
        assert_eq!(sizes(9, &[quarter, quarter, quarter, quarter, 1]), [4, 1]);
        assert_eq!(sizes(9, &[0, 0, 0]), [3]);
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let texts = vec!["é".repeat(LONGEST_TEXT), "next".into()];
        let batch: Vec<String> = Batches { most_texts: 9 }.of(texts).flatten().collect();
        assert_eq!(batch[0].len(), LONGEST_TEXT);
        assert!(batch[0].chars().all(|c| c == 'é'));
        assert_eq!(batch[1], "next");
        let odd = format!("x{}", "é".repeat(LONGEST_TEXT));
        assert_eq!(cut(odd).len(), LONGEST_TEXT - 1);
    }
}
