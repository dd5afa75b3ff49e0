//! The recording format as serde types. `README.md` documents it for people.
//!
//! Not the contract: `convert` turns one into the other.

use serde::Deserialize;

/// The only version there is.
pub const VERSION: u32 = 1;

/// The first line. Other fields, such as a date, are for people.
#[derive(Debug, Deserialize)]
pub struct Header {
    pub hydroid_recording: u32,
    #[serde(default = "default_model")]
    pub model: String,
}

fn default_model() -> String {
    "replay".to_owned()
}

/// Every other line: one request and its answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    #[serde(default)]
    pub request: Expected,
    #[serde(default)]
    pub events: Vec<RecordedEvent>,
    /// The answer failed, after the events if there are any.
    pub error: Option<RecordedError>,
}

/// What strict mode compares. Other fields, such as a digest, are for people.
#[derive(Debug, Default, Deserialize)]
pub struct Expected {
    pub last_user: Option<String>,
    pub tool_results: Option<Vec<ExpectedResult>>,
}

/// A result of a tool call that the request ended with.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ExpectedResult {
    pub id: String,
    pub text: String,
    #[serde(default)]
    pub is_error: bool,
}

/// One event of an answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedEvent {
    Text(String),
    Reasoning(RecordedReasoning),
    ToolCall(RecordedCall),
    Citation(RecordedCitation),
    Usage(RecordedUsage),
    Finish(RecordedStop),
    Other(RecordedOther),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedReasoning {
    pub text: String,
    /// Base64.
    pub opaque: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedCall {
    pub index: u32,
    pub id: String,
    pub name: String,
    pub arguments: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedCitation {
    pub uri: String,
    pub title: Option<String>,
    pub text: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedUsage {
    pub input: u32,
    pub output: u32,
    pub cache_read: Option<u32>,
    pub cache_write: Option<u32>,
    pub reasoning: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordedStop {
    EndTurn,
    MaxTokens,
    ToolUse,
    StopSequence,
    Refusal,
    Error,
    Other,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedOther {
    pub kind: String,
    pub json: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedError {
    pub kind: RecordedKind,
    pub message: String,
    pub code: Option<String>,
    pub retry_after_ms: Option<u32>,
    #[serde(default)]
    pub sent: bool,
    pub details_json: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordedKind {
    InvalidInput,
    Unauthenticated,
    Denied,
    NotFound,
    Conflict,
    RateLimited,
    Timeout,
    Cancelled,
    TooLarge,
    Unavailable,
    Unsupported,
    Internal,
    Other,
}
