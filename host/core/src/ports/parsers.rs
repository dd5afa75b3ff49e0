//! The port for finding the text in a document. Who implements it runs a component; who uses it
//! has the bytes and wants words. It reads no file itself.

use futures_core::future::BoxFuture;

/// Finds the text in documents.
pub trait Parsers: Send + Sync {
    /// Endings of file names that can be read, in lower case and without the dot, sorted.
    fn extensions(&self) -> Vec<String>;
    /// The text of a document; `name` is the file's name, whose ending says what it is.
    fn parse<'a>(
        &'a self,
        name: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<ParsedDocument, ParseError>>;
}

/// A document as text. None of it is to be trusted: whoever wrote the document wrote this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedDocument {
    /// Title, if the document has one.
    pub title: Option<String>,
    /// Parts in reading order.
    pub sections: Vec<ParsedSection>,
    /// What could not be read, one sentence each.
    pub notes: Vec<String>,
}

/// A part of a document that a reader would name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedSection {
    /// What it is called, `page 3`.
    pub label: Option<String>,
    /// Its text, with an empty line between paragraphs.
    pub text: String,
}

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// What kind of failure, in the contract's words: `unsupported`, `invalid-input`, `too-large` …
    pub kind: String,
    /// One sentence with what to do next.
    pub message: String,
}

impl ParsedDocument {
    /// All text, with an empty line between sections.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.sections.iter().map(|section| section.text.as_str()).collect();
        texts.join("\n\n")
    }
}
