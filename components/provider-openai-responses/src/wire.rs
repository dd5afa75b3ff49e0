//! The service's JSON as serde types: what is sent strictly, what is read leniently.
//!
//! Not the contract: `convert` and `decode` turn one into the other.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Body of `POST /responses`.
#[derive(Debug, Serialize)]
pub struct ResponsesRequest {
    pub model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    pub input: Vec<Item>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Value>,
    pub store: bool,
    pub stream: bool,
    /// Everything else; never one of the names above, see `RESERVED`.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// Fields that options may not set, because the contract or this component has its own place for
/// them.
pub const RESERVED: &[&str] = &[
    "model",
    "instructions",
    "input",
    "tools",
    "tool_choice",
    "max_output_tokens",
    "temperature",
    "store",
    "stream",
    "background",
    "previous_response_id",
    "conversation",
];

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Item {
    Known(KnownItem),
    /// Thinking as the service wrote it.
    Kept(Box<RawValue>),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum KnownItem {
    Message {
        role: &'static str,
        content: Content,
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<String>,
    },
    FunctionCall {
        call_id: String,
        name: String,
        arguments: String,
    },
    FunctionCallOutput {
        call_id: String,
        output: Content,
    },
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub enum ContentPart {
    #[serde(rename = "input_text")]
    Text { text: String },
    #[serde(rename = "input_image")]
    Image { image_url: String, detail: &'static str },
    #[serde(rename = "input_file")]
    File { filename: String, file_data: String },
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Tool {
    Function(Function),
    /// A tool of the service, as it was configured.
    Native(Value),
}

#[derive(Debug, Serialize)]
pub struct Function {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub name: String,
    pub description: String,
    /// Raw, because models read properties in the order they are written.
    pub parameters: Box<RawValue>,
    pub strict: bool,
}

#[derive(Debug, Default, Serialize)]
pub struct Text {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verbosity: Option<Value>,
}

#[derive(Debug, Serialize)]
pub struct Format {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub name: &'static str,
    pub schema: Box<RawValue>,
    pub strict: bool,
}

/// One event of a stream. Which fields there are depends on `kind`.
#[derive(Debug, Deserialize)]
pub struct StreamEvent {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub output_index: Option<u32>,
    #[serde(default)]
    pub summary_index: Option<u32>,
    #[serde(default)]
    pub delta: Option<String>,
    #[serde(default)]
    pub item: Option<Box<RawValue>>,
    #[serde(default)]
    pub annotation: Option<Annotation>,
    #[serde(default)]
    pub response: Option<Answer>,
}

/// A whole answer, or what a stream says of it.
#[derive(Debug, Deserialize)]
pub struct Answer {
    #[serde(default)]
    pub object: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub output: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    pub error: Option<Value>,
    #[serde(default)]
    pub incomplete_details: Option<IncompleteDetails>,
    #[serde(default)]
    pub usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
pub struct IncompleteDetails {
    #[serde(default)]
    pub reason: Option<String>,
}

/// One item of an answer, as far as it is read.
#[derive(Debug, Deserialize)]
pub struct OutputItem {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub call_id: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub arguments: Option<String>,
    #[serde(default)]
    pub content: Option<Vec<OutputPart>>,
    #[serde(default)]
    pub summary: Option<Vec<OutputPart>>,
    #[serde(default)]
    pub encrypted_content: Option<String>,
    #[serde(default)]
    pub phase: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct OutputPart {
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub refusal: Option<String>,
    #[serde(default)]
    pub annotations: Option<Vec<Annotation>>,
}

#[derive(Debug, Deserialize)]
pub struct Annotation {
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub file_id: Option<String>,
    #[serde(default)]
    pub filename: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Usage {
    #[serde(default)]
    pub input_tokens: Option<u32>,
    #[serde(default)]
    pub output_tokens: Option<u32>,
    #[serde(default)]
    pub input_tokens_details: Option<InputDetails>,
    #[serde(default)]
    pub output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Deserialize)]
pub struct InputDetails {
    #[serde(default)]
    pub cached_tokens: Option<u32>,
    #[serde(default)]
    pub cache_write_tokens: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub struct OutputDetails {
    #[serde(default)]
    pub reasoning_tokens: Option<u32>,
}

/// Answer of `GET /models`.
#[derive(Debug, Deserialize)]
pub struct ModelList {
    pub data: Vec<ListedModel>,
}

#[derive(Debug, Deserialize)]
pub struct ListedModel {
    pub id: String,
}

/// Answer of `POST /responses/input_tokens`.
#[derive(Debug, Deserialize)]
pub struct TokenCount {
    #[serde(default)]
    pub input_tokens: Option<u32>,
}

/// What `Reasoning::opaque` of this component holds.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Thinking, as the service wrote it, and the call that stood behind it: hosts keep calls
    /// behind all else, and the service wants the two together.
    Thinking {
        item: Box<RawValue>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<String>,
    },
    /// What the service calls the text that follows.
    Phase(String),
}
