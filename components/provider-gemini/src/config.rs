//! The configuration of this component; `manifest.toml` documents each key.
//!
//! Not a place for the key: that is a secret, which only the host reads.

use std::collections::BTreeMap;

use hydroid_component::provider::Error;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub base_url: String,
    pub api_key_secret: String,
    pub extra_headers: BTreeMap<String, String>,
    pub stream: bool,
    pub show_thinking: bool,
    pub result_media: ResultMedia,
    pub native_tools: Vec<NativeTool>,
    pub first_byte_timeout_ms: Option<u32>,
    pub options: Map<String, Value>,
}

/// Where images that a tool returned go.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ResultMedia {
    Behind,
    Inside,
}

/// What the service itself can do for the model.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NativeTool {
    GoogleSearch,
    UrlContext,
    CodeExecution,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: "https://generativelanguage.googleapis.com/v1beta".to_owned(),
            api_key_secret: "gemini".to_owned(),
            extra_headers: BTreeMap::new(),
            stream: true,
            show_thinking: true,
            result_media: ResultMedia::Behind,
            native_tools: Vec::new(),
            first_byte_timeout_ms: None,
            options: Map::new(),
        }
    }
}

impl Config {
    /// The address of `path` at the service.
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base_url.trim_end_matches('/'))
    }
}

/// The model as a part of an address: `models/NAME`, or `tunedModels/NAME` and the like as they are.
pub fn path_of(model: &str) -> Result<String, Error> {
    let plain = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '/')
    };
    if model.is_empty() || !model.chars().all(plain) || model.contains("..") {
        return Err(Error::invalid_input(format!(
            "`{model}` is no name of a model: `hydroid config set model.name gemini-2.5-flash` sets one"
        )));
    }
    Ok(if model.contains('/') { model.to_owned() } else { format!("models/{model}") })
}
