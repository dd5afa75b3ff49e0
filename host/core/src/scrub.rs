//! What may leave a tool result or a model's text: known secrets are masked exactly, host paths
//! become virtual ones, and what looks like a credential is masked by its surroundings. It does
//! not decide what is shown to whom, and a mask is no reason to be careless with a secret.

mod keywords;
mod known;
mod stream;

pub use stream::Stream;

use crate::message::{Bytes, Content};
use crate::ports::SecretValue;
use known::Known;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Masks texts. Built once for a session; clones share it.
///
/// The patterns hold copies of the secrets for as long as it lives, and nothing prints them.
#[derive(Clone)]
pub struct Scrubber {
    known: Arc<Known>,
}

/// A secret to mask.
#[derive(Clone, Debug)]
pub struct KnownSecret {
    /// Its name, shown in place of the value; none shows only that it was a secret.
    pub name: Option<String>,
    /// The value. Shorter than six characters it is not masked: it would be found in any text.
    pub value: SecretValue,
}

/// A directory of the host and what the model knows it as. Core does no IO: pass the canonical
/// form of a path as a second mapping if it differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathMapping {
    /// Absolute path on the host.
    pub host: String,
    /// What stands in its place, such as `/shared`.
    pub virtual_path: String,
}

impl From<SecretValue> for KnownSecret {
    fn from(value: SecretValue) -> Self {
        Self { name: None, value }
    }
}

impl Scrubber {
    /// A scrubber for these secrets and paths. The error, without any value in it, says that the
    /// secrets together are too large to search for.
    pub fn new(secrets: &[KnownSecret], paths: &[PathMapping]) -> Result<Self, String> {
        Ok(Self { known: Arc::new(Known::new(secrets, paths)?) })
    }

    /// The text without known secrets, host paths and what looks like a credential.
    pub fn scrub(&self, text: &str) -> String {
        self.scrubbed(text).into_owned()
    }

    /// A scrubber for a text that comes in pieces.
    pub fn stream(&self) -> Stream {
        Stream::new(Arc::clone(&self.known))
    }

    /// The content with every text in it scrubbed. Bytes stay as they are unless they are text,
    /// and so does what a provider wants back verbatim.
    pub fn scrub_content(&self, content: Content) -> Content {
        match content {
            Content::Text { text } => Content::Text { text: self.scrub(&text) },
            Content::Thinking { text, opaque } => {
                Content::Thinking { text: self.scrub(&text), opaque }
            }
            Content::ToolCall { mut call } => {
                call.arguments = self.scrub(&call.arguments);
                Content::ToolCall { call }
            }
            Content::ToolResult { call_id, content, is_error } => Content::ToolResult {
                call_id,
                content: content.into_iter().map(|content| self.scrub_content(content)).collect(),
                is_error,
            },
            Content::Media { media_type, data, name } => Content::Media {
                data: self.scrub_bytes(&media_type, data),
                media_type,
                name: name.map(|name| self.scrub(&name)),
            },
            Content::Json { json } => Content::Json { json: self.scrub_json(json) },
            Content::Link { uri, title, media_type } => Content::Link {
                uri: self.scrub(&uri),
                title: title.map(|title| self.scrub(&title)),
                media_type,
            },
            Content::Other { kind, json } => Content::Other { kind, json: self.scrub(&json) },
        }
    }

    fn scrubbed<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.known.mask(text) {
            Cow::Borrowed(text) => keywords::mask(text),
            Cow::Owned(text) => Cow::Owned(keywords::mask(&text).into_owned()),
        }
    }

    fn scrub_bytes(&self, media_type: &str, data: Bytes) -> Bytes {
        let is_text = media_type.starts_with("text/") || media_type.contains("json");
        match std::str::from_utf8(&data.0) {
            Ok(text) if is_text => Bytes(self.scrub(text).into_bytes()),
            Ok(_) | Err(_) => data,
        }
    }

    fn scrub_json(&self, json: Value) -> Value {
        match json {
            Value::Null | Value::Bool(_) => json,
            // A secret can be a number, a PIN for example.
            Value::Number(number) => {
                let text = number.to_string();
                match self.known.mask(&text) {
                    Cow::Borrowed(_) => Value::Number(number),
                    Cow::Owned(masked) => Value::String(masked),
                }
            }
            Value::String(text) => Value::String(self.scrub(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.scrub_json(item)).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(key, value)| {
                    let value = match value {
                        Value::String(text) => Value::String(self.scrub_field(&key, &text)),
                        other => self.scrub_json(other),
                    };
                    (self.scrub(&key), value)
                })
                .collect(),
        }
    }

    /// The key says what a value is, as it would in text.
    fn scrub_field(&self, key: &str, text: &str) -> String {
        let masked = self.scrub(text);
        keywords::field(key, &masked).unwrap_or(masked)
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrubber(…)")
    }
}

#[cfg(test)]
mod tests;
