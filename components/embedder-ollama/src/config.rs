//! The configuration of this component; `manifest.toml` documents each key.
//!
//! Not a place for a key: that is a secret, which only the host reads.

use std::collections::BTreeMap;

use hydroid_component::embedder::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::known::known;

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub base_url: String,
    pub api_key_secret: String,
    pub model: String,
    pub dimensions: Option<u32>,
    pub shorten: bool,
    pub batch: u32,
    pub query_prefix: Option<String>,
    pub document_prefix: Option<String>,
    pub keep_alive: Option<String>,
    pub options: Map<String, Value>,
    pub extra_headers: BTreeMap<String, String>,
    pub first_byte_timeout_ms: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: "http://127.0.0.1:11434".to_owned(),
            api_key_secret: String::new(),
            model: "nomic-embed-text".to_owned(),
            dimensions: None,
            shorten: false,
            batch: 32,
            query_prefix: None,
            document_prefix: None,
            keep_alive: None,
            options: Map::new(),
            extra_headers: BTreeMap::new(),
            first_byte_timeout_ms: None,
        }
    }
}

impl Config {
    /// The address of the embeddings.
    pub fn url(&self) -> String {
        format!("{}/api/embed", self.base_url.trim_end_matches('/'))
    }

    /// Numbers in a vector, which nobody may ask the server before it is granted.
    pub fn dimensions(&self) -> Result<u32, Error> {
        let known = known(&self.model).map(|model| model.dimensions);
        self.dimensions.or(known).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "how many numbers a vector of `{}` has is not known; `ollama show {}` says it as embedding length: set `dimensions` in this component's configuration, as in `hydroid config set components.embedder-ollama.config.dimensions 1024`",
                    self.model, self.model
                ),
            )
        })
    }
}
