//! The port for reading documents that are not text, such as PDF. Who implements it runs a
//! component that can do nothing else; who uses it takes the text in. Text, Markdown, code and
//! HTML do not come here.

use crate::id::UserId;
use futures_core::future::BoxFuture;

/// Turns documents into text.
pub trait Parsers: Send + Sync {
    /// The text of a document, in reading order. `user` is on whose behalf it is read.
    fn text_of<'a>(
        &'a self,
        user: &'a UserId,
        document: Document,
    ) -> BoxFuture<'a, Result<String, ParseError>>;
}

/// A document as it lies in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Name of the file, without a directory.
    pub name: String,
    /// IANA media type.
    pub media_type: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);
