//! The service's JSON as serde types: what is sent strictly, what is read leniently.
//!
//! Not the contract: `convert` and `decode` turn one into the other.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Body of `POST /model/MODEL/converse` and `…/converse-stream`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConverseRequest {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub system: Vec<Block>,
    pub messages: Vec<Message>,
    #[serde(skip_serializing_if = "InferenceConfig::is_empty")]
    pub inference_config: InferenceConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_config: Option<ToolConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_config: Option<OutputConfig>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub additional_model_request_fields: Map<String, Value>,
    /// Everything else, of `OPTIONS`.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// Fields of the body that options may set as they are.
pub const OPTIONS: &[&str] = &[
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "projectIdentifier",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
];

/// Body of `POST /model/MODEL/count-tokens`.
#[derive(Debug, Serialize)]
pub struct CountRequest {
    input: CountInput,
}

#[derive(Debug, Serialize)]
struct CountInput {
    converse: CountedRequest,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CountedRequest {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block>,
    messages: Vec<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    additional_model_request_fields: Map<String, Value>,
}

impl ConverseRequest {
    /// The same request as a question for its length.
    pub fn into_count(self) -> CountRequest {
        let converse = CountedRequest {
            system: self.system,
            messages: self.messages,
            tool_config: self.tool_config,
            additional_model_request_fields: self.additional_model_request_fields,
        };
        CountRequest { input: CountInput { converse } }
    }
}

pub const USER: &str = "user";
pub const ASSISTANT: &str = "assistant";

#[derive(Debug, Serialize)]
pub struct Message {
    pub role: &'static str,
    pub content: Vec<Block>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Block {
    Text(String),
    Image(Media),
    Audio(Media),
    Video(Media),
    Document(Document),
    ToolUse(ToolUse),
    ToolResult(ToolResult),
    ReasoningContent(ReasoningContent),
    CachePoint(CachePoint),
}

#[derive(Debug, Serialize)]
pub struct Media {
    pub format: &'static str,
    pub source: Source,
}

#[derive(Debug, Serialize)]
pub struct Source {
    /// In base64.
    pub bytes: String,
}

#[derive(Debug, Serialize)]
pub struct Document {
    pub format: &'static str,
    pub name: String,
    pub source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub citations: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolUse {
    pub tool_use_id: String,
    pub name: String,
    /// Raw, so that the model reads its arguments as it wrote them.
    pub input: Box<RawValue>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolResult {
    pub tool_use_id: String,
    pub content: Vec<Block>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ReasoningContent {
    ReasoningText { text: String, signature: String },
    RedactedContent(String),
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct CachePoint {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<&'static str>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InferenceConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<String>,
}

impl InferenceConfig {
    fn is_empty(&self) -> bool {
        self.max_tokens.is_none()
            && self.temperature.is_none()
            && self.top_p.is_none()
            && self.stop_sequences.is_empty()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolConfig {
    pub tools: Vec<Tool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Tool {
    ToolSpec(ToolSpec),
    SystemTool(SystemTool),
    CachePoint(CachePoint),
}

/// A tool that the service runs itself.
#[derive(Debug, Serialize)]
pub struct SystemTool {
    pub name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolSpec {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub input_schema: InputSchema,
}

#[derive(Debug, Serialize)]
pub struct InputSchema {
    /// Raw, because models read properties in the order they are written.
    pub json: Box<RawValue>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputConfig {
    pub text_format: TextFormat,
}

#[derive(Debug, Serialize)]
pub struct TextFormat {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub structure: Structure,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Structure {
    pub json_schema: NamedSchema,
}

#[derive(Debug, Serialize)]
pub struct NamedSchema {
    pub name: &'static str,
    /// JSON as text.
    pub schema: String,
}

/// Content of a frame; which fields are there depends on its kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StreamEvent {
    pub content_block_index: Option<u32>,
    pub start: Option<BlockStart>,
    pub delta: Option<BlockDelta>,
    pub stop_reason: Option<String>,
    pub additional_model_response_fields: Option<Value>,
    pub usage: Option<Usage>,
    pub trace: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BlockStart {
    pub tool_use: Option<AnswerToolUse>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BlockDelta {
    pub text: Option<String>,
    pub tool_use: Option<ToolUseDelta>,
    pub reasoning_content: Option<ReasoningDelta>,
    pub citation: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ToolUseDelta {
    pub input: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ReasoningDelta {
    pub text: Option<String>,
    pub signature: Option<String>,
    pub redacted_content: Option<String>,
}

/// A tool use, whole or as it begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AnswerToolUse {
    pub tool_use_id: Option<String>,
    pub name: Option<String>,
    pub input: Option<Box<RawValue>>,
    /// Whose tool it is: `server_tool_use` where the service runs it.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// A whole answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Answer {
    pub output: Option<Output>,
    pub stop_reason: Option<String>,
    pub additional_model_response_fields: Option<Value>,
    pub usage: Option<Usage>,
    pub trace: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Output {
    pub message: Option<AnswerMessage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AnswerMessage {
    pub content: Vec<AnswerBlock>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AnswerBlock {
    pub text: Option<String>,
    pub tool_use: Option<AnswerToolUse>,
    pub reasoning_content: Option<AnswerReasoning>,
    pub citations_content: Option<CitationsContent>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AnswerReasoning {
    pub reasoning_text: Option<ReasoningDelta>,
    pub redacted_content: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CitationsContent {
    pub content: Vec<CitedText>,
    pub citations: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CitedText {
    pub text: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Usage {
    pub input_tokens: u32,
    pub output_tokens: u32,
    pub cache_read_input_tokens: Option<u32>,
    pub cache_write_input_tokens: Option<u32>,
}

/// Answer of `POST /model/MODEL/count-tokens`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenCount {
    pub input_tokens: u32,
}

/// Answer of `GET /foundation-models`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelList {
    pub model_summaries: Vec<ListedModel>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ListedModel {
    pub model_arn: String,
    pub model_id: String,
    pub model_name: Option<String>,
    pub input_modalities: Vec<String>,
    pub output_modalities: Vec<String>,
    pub response_streaming_supported: bool,
    pub inference_types_supported: Vec<String>,
}

/// Answer of `GET /inference-profiles`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfilePage {
    #[serde(default)]
    pub inference_profile_summaries: Vec<Profile>,
    #[serde(default)]
    pub next_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Profile {
    pub inference_profile_id: String,
    pub inference_profile_arn: String,
    pub inference_profile_name: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub models: Vec<ProfileModel>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProfileModel {
    pub model_arn: String,
}
