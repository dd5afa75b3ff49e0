//! The server's JSON as serde types: what is sent strictly, what is read leniently.
//!
//! Not the contract: `convert` and `decode` turn one into the other.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Body of `POST /api/chat`.
#[derive(Debug, Serialize)]
pub struct ChatRequest {
    pub model: String,
    pub messages: Vec<ChatMessage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub think: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_alive: Option<Value>,
    pub stream: bool,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
}

/// Options that may not be set, because the contract has its own place for them.
pub const RESERVED: &[&str] =
    &["model", "messages", "tools", "format", "stream", "temperature", "num_predict", "stop"];

#[derive(Debug, Default, Serialize)]
pub struct ChatMessage {
    pub role: &'static str,
    pub content: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub thinking: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct ToolCall {
    pub id: String,
    pub function: CalledFunction,
}

#[derive(Debug, Serialize)]
pub struct CalledFunction {
    pub name: String,
    pub arguments: Box<RawValue>,
}

#[derive(Debug, Serialize)]
pub struct Tool {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub function: Function,
}

#[derive(Debug, Serialize)]
pub struct Function {
    pub name: String,
    pub description: String,
    /// Raw, because models read properties in the order they are written.
    pub parameters: Box<RawValue>,
}

/// One line of an answer; without streaming it is the only one.
#[derive(Debug, Deserialize)]
pub struct Line {
    #[serde(default)]
    pub message: Option<AnswerMessage>,
    #[serde(default)]
    pub done: Option<bool>,
    #[serde(default)]
    pub done_reason: Option<String>,
    #[serde(default)]
    pub prompt_eval_count: Option<u32>,
    #[serde(default)]
    pub eval_count: Option<u32>,
    #[serde(default)]
    pub error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub struct AnswerMessage {
    #[serde(default)]
    pub content: Option<String>,
    #[serde(default)]
    pub thinking: Option<String>,
    #[serde(default)]
    pub tool_calls: Option<Vec<AnswerCall>>,
}

#[derive(Debug, Deserialize)]
pub struct AnswerCall {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub function: Option<AnswerFunction>,
}

#[derive(Debug, Deserialize)]
pub struct AnswerFunction {
    #[serde(default)]
    pub name: Option<String>,
    /// An object, as it was written.
    #[serde(default)]
    pub arguments: Option<Box<RawValue>>,
}

/// Body of `POST /api/pull`.
#[derive(Debug, Serialize)]
pub struct PullRequest<'a> {
    pub model: &'a str,
    pub stream: bool,
}

/// One line of what a pull says.
#[derive(Debug, Deserialize)]
pub struct PullLine {
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub digest: Option<String>,
    #[serde(default)]
    pub total: Option<u64>,
    #[serde(default)]
    pub completed: Option<u64>,
    #[serde(default)]
    pub error: Option<Value>,
}

/// Answer of `GET /api/tags`.
#[derive(Debug, Deserialize)]
pub struct ModelList {
    #[serde(default)]
    pub models: Vec<ListedModel>,
}

#[derive(Debug, Deserialize)]
pub struct ListedModel {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub model: Option<String>,
}

impl ListedModel {
    /// What the model is asked for by.
    pub fn id(&self) -> &str {
        self.model.as_deref().or(self.name.as_deref()).unwrap_or_default()
    }
}

/// Body of `POST /api/show`.
#[derive(Debug, Serialize)]
pub struct ShowRequest<'a> {
    pub model: &'a str,
}

/// Answer of `POST /api/show`.
#[derive(Debug, Default, Deserialize)]
pub struct Shown {
    /// `general.architecture`, and `ARCHITECTURE.context_length` among much else.
    #[serde(default)]
    pub model_info: Option<Map<String, Value>>,
    #[serde(default)]
    pub capabilities: Option<Vec<String>>,
}
