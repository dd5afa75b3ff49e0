//! The configuration of this component; `manifest.toml` documents each key.
//!
//! Not a place for keys: those are secrets, which only the host reads.

use std::collections::BTreeMap;

use hydroid_component::provider::{Features, Model};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::family::Family;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub region: String,
    pub base_url: Option<String>,
    pub control_url: Option<String>,
    pub auth: Auth,
    pub family: ConfiguredFamily,
    pub extra_headers: BTreeMap<String, String>,
    pub stream: bool,
    pub prompt_cache: PromptCache,
    pub thinking: Thinking,
    pub structured_output: StructuredOutput,
    pub citations: bool,
    pub system_tools: Vec<String>,
    pub first_byte_timeout_ms: Option<u32>,
    pub options: Map<String, Value>,
    pub models: Vec<ConfiguredModel>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    Aws,
    ApiKey,
    None,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfiguredFamily {
    Auto,
    Claude,
    Nova,
    Openai,
    Mistral,
    Other,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub enum PromptCache {
    #[serde(rename = "auto")]
    Auto,
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
    vec![Feature::Tools, Feature::Streaming]
}

impl Default for Config {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            base_url: None,
            control_url: None,
            auth: Auth::Aws,
            family: ConfiguredFamily::Auto,
            extra_headers: BTreeMap::new(),
            stream: true,
            prompt_cache: PromptCache::Auto,
            thinking: Thinking::Adaptive,
            structured_output: StructuredOutput::Native,
            citations: false,
            system_tools: Vec::new(),
            first_byte_timeout_ms: None,
            options: Map::new(),
            models: Vec::new(),
        }
    }
}

impl Config {
    /// The address of an operation on a model.
    pub fn model_url(&self, model: &str, operation: &str) -> String {
        let base = match &self.base_url {
            Some(base) => base.trim_end_matches('/').to_owned(),
            None => format!("https://bedrock-runtime.{}.amazonaws.com", self.region),
        };
        format!("{base}/model/{}/{operation}", path_segment(model))
    }

    /// The address of `path` where the service tells what it has.
    pub fn control_url(&self, path: &str) -> String {
        let base = match self.control_url.as_ref().or(self.base_url.as_ref()) {
            Some(base) => base.trim_end_matches('/').to_owned(),
            None => format!("https://bedrock.{}.amazonaws.com", self.region),
        };
        format!("{base}/{path}")
    }

    /// Whose model it is.
    pub fn family(&self, model: &str) -> Family {
        match self.family {
            ConfiguredFamily::Auto => Family::of(model),
            ConfiguredFamily::Claude => Family::Claude,
            ConfiguredFamily::Nova => Family::Nova,
            ConfiguredFamily::Openai => Family::OpenAi,
            ConfiguredFamily::Mistral => Family::Mistral,
            ConfiguredFamily::Other => Family::Other,
        }
    }

    /// The output limit configured for a model.
    pub fn max_output(&self, model: &str) -> Option<u32> {
        self.models.iter().find(|configured| configured.id == model)?.max_output
    }
}

/// `text` as one segment of a path: identifiers have colons, and addresses of resources slashes.
pub fn path_segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
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
