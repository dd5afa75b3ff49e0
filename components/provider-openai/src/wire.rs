//! The service's JSON as serde types: what is sent strictly, what is read leniently.
//!
//! Not the contract: `convert` and `decode` turn one into the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Body of `POST /chat/completions`.
#[derive(Debug, Serialize)]
pub struct ChatRequest {
    pub model: String,
    pub messages: Vec<ChatMessage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    pub stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<Value>,
    /// Everything else; never one of the names above, see `RESERVED`.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// Fields that options may not set, because the contract has its own place for them.
pub const RESERVED: &[&str] = &[
    "model",
    "messages",
    "tools",
    "tool_choice",
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "stop",
    "response_format",
    "stream",
    "stream_options",
    "n",
];

#[derive(Debug, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum ChatMessage {
    System {
        content: Content,
    },
    Developer {
        content: Content,
    },
    User {
        content: Content,
    },
    Assistant {
        content: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning: Option<String>,
        /// As the service wrote them.
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_details: Option<Box<RawValue>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall>,
    },
    Tool {
        tool_call_id: String,
        content: Content,
    },
}

/// A plain string where possible: some services take nothing else.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentPart {
    Text {
        text: String,
        /// `{"type":"ephemeral"}` where a prompt cache may end.
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Value>,
    },
    ImageUrl {
        image_url: ImageUrl,
    },
    InputAudio {
        input_audio: InputAudio,
    },
    File {
        file: File,
    },
}

#[derive(Debug, Serialize)]
pub struct ImageUrl {
    pub url: String,
}

#[derive(Debug, Serialize)]
pub struct InputAudio {
    pub data: String,
    pub format: &'static str,
}

#[derive(Debug, Serialize)]
pub struct File {
    pub filename: String,
    pub file_data: String,
}

#[derive(Debug, Serialize)]
pub struct ToolCall {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub function: CalledFunction,
    /// What a service signed the call with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_content: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
pub struct CalledFunction {
    pub name: String,
    pub arguments: String,
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

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ResponseFormat {
    JsonSchema { json_schema: NamedSchema },
    JsonObject,
}

#[derive(Debug, Serialize)]
pub struct NamedSchema {
    pub name: &'static str,
    pub schema: Box<RawValue>,
    pub strict: bool,
}

/// One event of a stream, or a whole answer: they differ in `delta` and `message` only.
#[derive(Debug, Deserialize)]
pub struct Chunk {
    #[serde(default)]
    pub choices: Option<Vec<Choice>>,
    #[serde(default)]
    pub usage: Option<Usage>,
    #[serde(default)]
    pub error: Option<Value>,
    /// Addresses that one service cites, in each chunk anew.
    #[serde(default)]
    pub citations: Option<Vec<Value>>,
    /// The same with titles.
    #[serde(default)]
    pub search_results: Option<Vec<SearchResult>>,
    #[serde(default)]
    pub x_groq: Option<Groq>,
}

#[derive(Debug, Deserialize)]
pub struct SearchResult {
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default)]
    pub title: Option<String>,
}

/// Where one service puts usage and failures of a stream.
#[derive(Debug, Deserialize)]
pub struct Groq {
    #[serde(default)]
    pub usage: Option<Usage>,
    #[serde(default)]
    pub error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub struct Choice {
    #[serde(default)]
    pub index: Option<u32>,
    #[serde(default, alias = "message")]
    pub delta: Option<Delta>,
    #[serde(default)]
    pub finish_reason: Option<String>,
    /// Some services say here which stop text appeared.
    #[serde(default)]
    pub stop_reason: Option<Value>,
    #[serde(default)]
    pub error: Option<Value>,
    #[serde(default)]
    pub usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
pub struct Delta {
    /// Text, or parts with text.
    #[serde(default)]
    pub content: Option<Value>,
    #[serde(default)]
    pub refusal: Option<String>,
    #[serde(default)]
    pub reasoning_content: Option<String>,
    /// Another service's name for the same; a third has an object there.
    #[serde(default)]
    pub reasoning: Option<Value>,
    /// Thinking with signatures.
    #[serde(default)]
    pub reasoning_details: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    pub tool_calls: Option<Vec<CallDelta>>,
    #[serde(default)]
    pub annotations: Option<Vec<Annotation>>,
}

#[derive(Debug, Deserialize)]
pub struct CallDelta {
    #[serde(default)]
    pub index: Option<u32>,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub function: Option<FunctionDelta>,
    #[serde(default)]
    pub extra_content: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
pub struct FunctionDelta {
    #[serde(default)]
    pub name: Option<String>,
    /// A string with JSON in it; some services write the object itself.
    #[serde(default)]
    pub arguments: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
pub struct Annotation {
    #[serde(default)]
    pub url_citation: Option<UrlCitation>,
}

/// One piece of signed thinking, as far as it is read.
#[derive(Debug, Default, Deserialize)]
pub struct ReasoningDetail {
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub summary: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct UrlCitation {
    pub url: String,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub content: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Usage {
    #[serde(default)]
    pub prompt_tokens: Option<u32>,
    #[serde(default)]
    pub completion_tokens: Option<u32>,
    #[serde(default)]
    pub total_tokens: Option<u32>,
    #[serde(default)]
    pub cached_tokens: Option<u32>,
    #[serde(default)]
    pub prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    pub completion_tokens_details: Option<CompletionDetails>,
    /// Where one service puts cached tokens.
    #[serde(default)]
    pub prompt_cache_hit_tokens: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub struct PromptDetails {
    #[serde(default)]
    pub cached_tokens: Option<u32>,
    #[serde(default, alias = "cache_creation_input_tokens")]
    pub cache_write_tokens: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub struct CompletionDetails {
    #[serde(default)]
    pub reasoning_tokens: Option<u32>,
}

/// Answer of `GET /models`.
#[derive(Debug, Deserialize)]
pub struct ModelList {
    pub data: Vec<ListedModel>,
}

/// One model; all but `id` is given by some services only.
#[derive(Debug, Deserialize)]
pub struct ListedModel {
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(
        default,
        alias = "context_window",
        alias = "max_model_len",
        alias = "max_context_length"
    )]
    pub context_length: Option<u32>,
    #[serde(default)]
    pub max_completion_tokens: Option<u32>,
    #[serde(default)]
    pub architecture: Option<Architecture>,
    #[serde(default)]
    pub supported_parameters: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub struct Architecture {
    #[serde(default)]
    pub input_modalities: Vec<String>,
}

/// What `Reasoning::opaque` of this component holds.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Kept {
    /// Signatures are of use only to the model that made them.
    pub model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_details: Option<Box<RawValue>>,
    /// `extra_content` of calls, by the identifier of the call.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra_content: BTreeMap<String, Box<RawValue>>,
}
