//! Static embedding models in Model2Vec's file format, laid out so that nothing is parsed when
//! they are used: `bake` turns the three files into one table, [`Model`] reads vectors out of it.
//! Not a trainer, and not every tokenizer there is: WordPiece with BERT's rules, which is what
//! the models have that are distilled from BERT-like ones.

mod bake;
mod baked;
mod files;
mod safetensors;
mod words;

pub use bake::bake;
pub use baked::Model;
pub use files::Files;

/// Why files are not a model that can be used; a sentence that begins with what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError(pub String);

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FileError {}

pub(crate) fn wrong<T>(problem: impl Into<String>) -> Result<T, FileError> {
    Err(FileError(problem.into()))
}

/// Tokens of a text that are looked at, as in Model2Vec.
pub const MOST_TOKENS: usize = 512;
