//! The configuration of this component; `manifest.toml` documents each key.
//!
//! Not a place for the key: that is a secret, which only the host reads.

use std::collections::BTreeMap;

use hydroid_component::provider::{Features, Model};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub base_url: String,
    pub api_key_secret: String,
    pub organization: Option<String>,
    pub project: Option<String>,
    pub extra_headers: BTreeMap<String, String>,
    pub system_role: SystemRole,
    pub max_tokens_field: MaxTokensField,
    pub stream: bool,
    pub stream_usage: bool,
    pub strict_schema: bool,
    pub response_format: SchemaForm,
    pub send_reasoning: SendReasoning,
    pub text_tool_calls: TextToolCalls,
    pub call_ids: CallIds,
    pub cache_control: bool,
    pub first_byte_timeout_ms: Option<u32>,
    pub options: Map<String, Value>,
    pub models: Vec<ConfiguredModel>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemRole {
    System,
    Developer,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    MaxCompletionTokens,
    MaxTokens,
}

/// How a response schema is asked for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaForm {
    JsonSchema,
    JsonObject,
}

/// Which of the earlier thinking goes back, and as which field.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum SendReasoning {
    Never,
    Details,
    ReasoningContent,
    Reasoning,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum TextToolCalls {
    Auto,
    Off,
}

/// What the service takes as identifier of a call.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallIds {
    AsGiven,
    NineCharacters,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfiguredModel {
    id: String,
    name: Option<String>,
    context: Option<u32>,
    max_output: Option<u32>,
    #[serde(default = "usual_features")]
    features: Vec<Feature>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Feature {
    Tools,
    Images,
    Audio,
    Documents,
    Reasoning,
    JsonSchema,
    Caching,
    Streaming,
}

fn usual_features() -> Vec<Feature> {
    vec![Feature::Tools, Feature::Streaming]
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: "https://api.openai.com/v1".to_owned(),
            api_key_secret: "openai".to_owned(),
            organization: None,
            project: None,
            extra_headers: BTreeMap::new(),
            system_role: SystemRole::System,
            max_tokens_field: MaxTokensField::MaxCompletionTokens,
            stream: true,
            stream_usage: true,
            strict_schema: true,
            response_format: SchemaForm::JsonSchema,
            send_reasoning: SendReasoning::Details,
            text_tool_calls: TextToolCalls::Auto,
            call_ids: CallIds::AsGiven,
            cache_control: false,
            first_byte_timeout_ms: None,
            options: Map::new(),
            models: Vec::new(),
        }
    }
}

impl Config {
    /// The address of `path` at the service; a query of the configured address stays behind it.
    pub fn url(&self, path: &str) -> String {
        match self.base_url.split_once('?') {
            Some((base, query)) => format!("{}/{path}?{query}", base.trim_end_matches('/')),
            None => format!("{}/{path}", self.base_url.trim_end_matches('/')),
        }
    }
}

impl From<ConfiguredModel> for Model {
    fn from(model: ConfiguredModel) -> Self {
        let features = model.features.iter().fold(Features::empty(), |all, feature| {
            all | match feature {
                Feature::Tools => Features::TOOLS,
                Feature::Images => Features::IMAGES,
                Feature::Audio => Features::AUDIO,
                Feature::Documents => Features::DOCUMENTS,
                Feature::Reasoning => Features::REASONING,
                Feature::JsonSchema => Features::JSON_SCHEMA,
                Feature::Caching => Features::CACHING,
                Feature::Streaming => Features::STREAMING,
            }
        });
        Model {
            name: model.name.unwrap_or_else(|| model.id.clone()),
            id: model.id,
            context: model.context,
            max_output: model.max_output,
            features,
            options_json: None,
        }
    }
}
