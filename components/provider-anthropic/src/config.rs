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
    pub api_version: String,
    pub beta: Vec<String>,
    pub extra_headers: BTreeMap<String, String>,
    pub stream: bool,
    pub prompt_cache: PromptCache,
    pub thinking: Thinking,
    pub structured_output: StructuredOutput,
    pub parallel_tools: bool,
    pub citations: bool,
    pub server_tools: Vec<Value>,
    pub max_pauses: u32,
    pub first_byte_timeout_ms: Option<u32>,
    pub options: Map<String, Value>,
    pub models: Vec<ConfiguredModel>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum PromptCache {
    #[serde(rename = "off")]
    Off,
    #[serde(rename = "5m")]
    FiveMinutes,
    #[serde(rename = "1h")]
    OneHour,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thinking {
    Adaptive,
    Budget,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum StructuredOutput {
    Native,
    Tool,
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
    use Feature::{Caching, Documents, Images, Streaming, Tools};
    vec![Tools, Images, Documents, Caching, Streaming]
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: "https://api.anthropic.com/v1".to_owned(),
            api_key_secret: "anthropic".to_owned(),
            api_version: "2023-06-01".to_owned(),
            beta: Vec::new(),
            extra_headers: BTreeMap::new(),
            stream: true,
            prompt_cache: PromptCache::FiveMinutes,
            thinking: Thinking::Adaptive,
            structured_output: StructuredOutput::Native,
            parallel_tools: true,
            citations: false,
            server_tools: Vec::new(),
            max_pauses: 10,
            first_byte_timeout_ms: None,
            options: Map::new(),
            models: Vec::new(),
        }
    }
}

impl Config {
    /// The address of `path` at the service.
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base_url.trim_end_matches('/'))
    }

    /// The output limit configured for a model.
    pub fn max_output(&self, model: &str) -> Option<u32> {
        self.models.iter().find(|configured| configured.id == model)?.max_output
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
