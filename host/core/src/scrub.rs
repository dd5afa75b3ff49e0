//! What may leave a tool result or a model's text: known secrets are masked exactly, host paths
//! become virtual ones, and what looks like a credential is masked: by its provider's rule, by the
//! words around it, or because it looks random. It does not decide what is shown to whom, and a
//! mask is no reason to be careless with a secret.

mod encodings;
mod entropy;
mod finder;
mod guess;
mod keywords;
mod known;
mod live;
mod rules;
mod segments;
mod stored;
mod stream;

pub use live::LiveScrubber;
pub use stream::Stream;

use crate::message::{Bytes, Content};
use crate::ports::SecretValue;
use known::Known;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Masks texts. It never changes: [`LiveScrubber`] hands out another one when a secret does.
/// Clones share it.
///
/// The patterns hold copies of the secrets for as long as it lives, and nothing prints them.
#[derive(Clone)]
pub struct Scrubber {
    known: Arc<Known>,
}

/// What was masked in one or more texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many masks were put in; host paths are not counted.
    pub redactions: u32,
    /// What the masks say: `secret:NAME` for a known one, `github-pat` for one that was guessed.
    pub kinds: BTreeSet<String>,
}

impl Tally {
    /// Adds what another one counted.
    pub fn join(&mut self, other: &Self) {
        self.redactions = self.redactions.saturating_add(other.redactions);
        self.kinds.extend(other.kinds.iter().cloned());
    }

    fn add(&mut self, kind: &str) {
        self.redactions = self.redactions.saturating_add(1);
        if !self.kinds.contains(kind) {
            self.kinds.insert(kind.to_owned());
        }
    }
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
        self.scrub_counted(text, &mut Tally::default())
    }

    /// The same, and what was masked is added to the tally.
    pub fn scrub_counted(&self, text: &str, tally: &mut Tally) -> String {
        let mut stream = self.stream();
        let mut scrubbed = stream.push(text);
        scrubbed.push_str(&stream.finish());
        tally.join(stream.tally());
        scrubbed
    }

    /// The text without known secrets and host paths; nothing is guessed.
    pub fn mask_known(&self, text: &str) -> String {
        self.known.mask(text, &mut Tally::default())
    }

    /// As [`Self::mask_known`], and adds to the tally what was masked.
    pub fn known_counted(&self, text: &str, tally: &mut Tally) -> String {
        self.known.mask(text, tally)
    }

    /// A scrubber for a text that comes in pieces.
    pub fn stream(&self) -> Stream {
        Stream::new(Arc::clone(&self.known), true)
    }

    /// The same without guesses, for a text that something else than a person will read.
    pub fn stream_known(&self) -> Stream {
        Stream::new(Arc::clone(&self.known), false)
    }

    /// The content with every text in it scrubbed. Bytes stay as they are unless they are text,
    /// and so does what a provider wants back verbatim.
    pub fn scrub_content(&self, content: Content) -> Content {
        self.scrub_content_counted(content, &mut Tally::default())
    }

    /// The same, and what was masked is added to the tally.
    pub fn scrub_content_counted(&self, content: Content, tally: &mut Tally) -> Content {
        match content {
            Content::Text { text } => Content::Text { text: self.scrub_counted(&text, tally) },
            Content::Thinking { text, opaque } => {
                Content::Thinking { text: self.scrub_counted(&text, tally), opaque }
            }
            Content::ToolCall { mut call } => {
                call.arguments = self.scrub_counted(&call.arguments, tally);
                Content::ToolCall { call }
            }
            Content::ToolResult { call_id, content, is_error } => Content::ToolResult {
                call_id,
                content: content
                    .into_iter()
                    .map(|content| self.scrub_content_counted(content, tally))
                    .collect(),
                is_error,
            },
            Content::Media { media_type, data, name } => Content::Media {
                data: self.scrub_bytes(&media_type, data, tally),
                media_type: self.scrub_counted(&media_type, tally),
                name: name.map(|name| self.scrub_counted(&name, tally)),
            },
            Content::Json { json } => Content::Json { json: self.scrub_json(json, tally) },
            Content::Link { uri, title, media_type } => Content::Link {
                uri: self.scrub_counted(&uri, tally),
                title: title.map(|title| self.scrub_counted(&title, tally)),
                media_type: media_type.map(|kind| self.scrub_counted(&kind, tally)),
            },
            Content::Other { kind, json } => {
                Content::Other { kind, json: self.scrub_counted(&json, tally) }
            }
        }
    }

    fn scrub_bytes(&self, media_type: &str, data: Bytes, tally: &mut Tally) -> Bytes {
        let is_text = media_type.starts_with("text/") || media_type.contains("json");
        match std::str::from_utf8(&data.0) {
            Ok(text) if is_text => Bytes(self.scrub_counted(text, tally).into_bytes()),
            Ok(_) | Err(_) => data,
        }
    }

    fn scrub_json(&self, json: Value, tally: &mut Tally) -> Value {
        match json {
            Value::Null | Value::Bool(_) => json,
            // A secret can be a number, a PIN for example.
            Value::Number(number) => {
                let text = number.to_string();
                let masked = self.known.mask(&text, tally);
                if masked == text { Value::Number(number) } else { Value::String(masked) }
            }
            Value::String(text) => Value::String(self.scrub_counted(&text, tally)),
            Value::Array(items) => {
                items.into_iter().map(|item| self.scrub_json(item, tally)).collect()
            }
            Value::Object(fields) => fields
                .into_iter()
                .map(|(key, value)| {
                    let value = match value {
                        Value::String(text) => Value::String(self.scrub_field(&key, &text, tally)),
                        other => self.scrub_json(other, tally),
                    };
                    (self.scrub_counted(&key, tally), value)
                })
                .collect(),
        }
    }

    /// The key says what a value is, as it would in text.
    fn scrub_field(&self, key: &str, text: &str, tally: &mut Tally) -> String {
        let masked = self.scrub_counted(text, tally);
        if masked != text {
            return masked;
        }
        let mut with_key = Tally::default();
        let line = self.scrub_counted(&format!("{key}=\"{text}\""), &mut with_key);
        let value = line
            .strip_prefix(key)
            .and_then(|rest| rest.strip_prefix("=\""))
            .and_then(|rest| rest.strip_suffix('"'));
        match value {
            Some(value) => {
                tally.join(&with_key);
                value.to_owned()
            }
            None => masked,
        }
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrubber(…)")
    }
}

#[cfg(test)]
mod tests;
