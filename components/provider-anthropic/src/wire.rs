//! The service's JSON as serde types: what is sent strictly, what is read leniently.
//!
//! Not the contract: `convert` and `decode` turn one into the other.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Body of `POST /messages`.
#[derive(Debug, Serialize)]
pub struct MessagesRequest {
    pub model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub system: Vec<Block>,
    pub messages: Vec<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_config: Option<OutputConfig>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
    /// Everything else; never one of the names above, see `RESERVED`.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// Fields that options may not set, because the contract or the configuration has its own place
/// for them.
pub const RESERVED: &[&str] = &[
    "model",
    "max_tokens",
    "tools",
    "tool_choice",
    "system",
    "messages",
    "temperature",
    "stop_sequences",
    "stream",
];

/// Fields that `POST /messages/count_tokens` takes beside model, system, messages and tools.
const COUNTED: &[&str] = &["cache_control", "mcp_servers", "speed", "thinking"];

impl MessagesRequest {
    /// The same request as a question for its length.
    pub fn into_count(mut self) -> Self {
        self.options.retain(|name, _| COUNTED.contains(&name.as_str()));
        Self {
            max_tokens: None,
            temperature: None,
            stop_sequences: Vec::new(),
            stream: false,
            ..self
        }
    }

    /// Only tools that the service runs itself make it pause.
    pub fn may_pause(&self) -> bool {
        self.tools.iter().any(|tool| matches!(tool, Tool::Server(_)))
            || self.options.contains_key("mcp_servers")
            || self.options.contains_key("container")
    }

    /// Appends what a paused answer said, as the service wants it back.
    pub fn go_on_after(&mut self, content: Vec<Box<RawValue>>) {
        let content = content.into_iter().map(Block::Raw);
        match self.messages.last_mut() {
            Some(message) if message.role == ASSISTANT => message.content.extend(content),
            _ => self.messages.push(Message { role: ASSISTANT, content: content.collect() }),
        }
    }
}

pub const USER: &str = "user";
pub const ASSISTANT: &str = "assistant";

#[derive(Debug, Serialize)]
pub struct Message {
    pub role: &'static str,
    pub content: Vec<Block>,
}

/// One block of content.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Block {
    Known(KnownBlock),
    /// As the service wrote it.
    Raw(Box<RawValue>),
}

#[derive(Debug, Serialize)]
pub struct KnownBlock {
    #[serde(flatten)]
    pub kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<CacheControl>,
}

impl From<Kind> for Block {
    fn from(kind: Kind) -> Self {
        Self::Known(KnownBlock { kind, cache_control: None })
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Kind {
    Text {
        text: String,
    },
    Image {
        source: Source,
    },
    Document {
        source: Source,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        citations: Option<Value>,
    },
    ToolUse {
        id: String,
        name: String,
        /// Raw, so that the model reads its arguments as it wrote them.
        input: Box<RawValue>,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
    Thinking {
        thinking: String,
        signature: String,
    },
    RedactedThinking {
        data: String,
    },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Source {
    Base64 { media_type: String, data: String },
    Text { media_type: &'static str, data: String },
    Url { url: String },
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct CacheControl {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Tool {
    Ours(OurTool),
    /// One that the service runs itself, as it was configured.
    Server(Value),
}

#[derive(Debug, Serialize)]
pub struct OurTool {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Raw, because models read properties in the order they are written.
    pub input_schema: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<CacheControl>,
}

#[derive(Debug, Default, Serialize)]
pub struct OutputConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<OutputFormat>,
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

#[derive(Debug, Serialize)]
pub struct OutputFormat {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub schema: Box<RawValue>,
}

/// One event of a stream. Which fields are there depends on the type.
#[derive(Debug, Deserialize)]
pub struct StreamEvent {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub index: Option<u32>,
    #[serde(default)]
    pub message: Option<AnswerMessage>,
    #[serde(default)]
    pub content_block: Option<Box<RawValue>>,
    #[serde(default)]
    pub delta: Option<Delta>,
    #[serde(default)]
    pub usage: Option<Usage>,
    #[serde(default)]
    pub error: Option<Value>,
}

/// A whole answer, or how a stream announces one.
#[derive(Debug, Deserialize)]
pub struct AnswerMessage {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub content: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    pub stop_reason: Option<String>,
    #[serde(default)]
    pub stop_details: Option<Value>,
    #[serde(default)]
    pub usage: Option<Usage>,
    #[serde(default)]
    pub error: Option<Value>,
}

/// A change of a block, or of the message.
#[derive(Debug, Deserialize)]
pub struct Delta {
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub partial_json: Option<String>,
    #[serde(default)]
    pub thinking: Option<String>,
    #[serde(default)]
    pub signature: Option<String>,
    #[serde(default)]
    pub citation: Option<Value>,
    #[serde(default)]
    pub stop_reason: Option<String>,
    #[serde(default)]
    pub stop_details: Option<Value>,
}

/// A block of an answer, whole or as it begins.
#[derive(Debug, Deserialize)]
pub struct AnswerBlock {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub citations: Option<Vec<Value>>,
    #[serde(default)]
    pub thinking: Option<String>,
    #[serde(default)]
    pub signature: Option<String>,
    #[serde(default)]
    pub data: Option<String>,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub input: Option<Box<RawValue>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Usage {
    #[serde(default)]
    pub input_tokens: Option<u32>,
    #[serde(default)]
    pub output_tokens: Option<u32>,
    #[serde(default)]
    pub cache_read_input_tokens: Option<u32>,
    #[serde(default)]
    pub cache_creation_input_tokens: Option<u32>,
    #[serde(default)]
    pub output_tokens_details: Option<OutputDetails>,
    /// Each sampling of an answer that took several, for instance because the service shortened
    /// the conversation in between; the totals leave those out.
    #[serde(default)]
    pub iterations: Option<Vec<Iteration>>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct OutputDetails {
    #[serde(default)]
    pub thinking_tokens: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Iteration {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub input_tokens: u32,
    #[serde(default)]
    pub output_tokens: u32,
}

/// Answer of `POST /messages/count_tokens`.
#[derive(Debug, Deserialize)]
pub struct TokenCount {
    pub input_tokens: u32,
}

/// Answer of `GET /models`.
#[derive(Debug, Deserialize)]
pub struct ModelPage {
    pub data: Vec<ListedModel>,
    #[serde(default)]
    pub has_more: bool,
    #[serde(default)]
    pub last_id: Option<String>,
}

/// One model; services that speak the protocol may give the identifier only.
#[derive(Debug, Deserialize)]
pub struct ListedModel {
    pub id: String,
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(default)]
    pub max_input_tokens: Option<u32>,
    #[serde(default)]
    pub max_tokens: Option<u32>,
    #[serde(default)]
    pub capabilities: Option<Map<String, Value>>,
}
