//! The configuration of this component; `manifest.toml` documents each key.
//!
//! Not a place for the key: that is a secret, which only the host reads.

use std::collections::BTreeMap;

use hydroid_component::embedder::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub base_url: String,
    pub api_key_secret: String,
    pub model: String,
    pub dimensions: Option<u32>,
    pub shorten: bool,
    pub batch: u32,
    pub query_prefix: String,
    pub document_prefix: String,
    pub query_options: Map<String, Value>,
    pub document_options: Map<String, Value>,
    pub options: Map<String, Value>,
    pub extra_headers: BTreeMap<String, String>,
    pub first_byte_timeout_ms: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: "https://api.openai.com/v1".to_owned(),
            api_key_secret: "openai".to_owned(),
            model: "text-embedding-3-small".to_owned(),
            dimensions: None,
            shorten: false,
            batch: 128,
            query_prefix: String::new(),
            document_prefix: String::new(),
            query_options: Map::new(),
            document_options: Map::new(),
            options: Map::new(),
            extra_headers: BTreeMap::new(),
            first_byte_timeout_ms: None,
        }
    }
}

impl Config {
    /// The address of the embeddings; a query of the configured address stays behind it.
    pub fn url(&self) -> String {
        match self.base_url.split_once('?') {
            Some((base, query)) => format!("{}/embeddings?{query}", base.trim_end_matches('/')),
            None => format!("{}/embeddings", self.base_url.trim_end_matches('/')),
        }
    }

    /// Numbers in a vector, which nobody may ask the service before it is granted.
    pub fn dimensions(&self) -> Result<u32, Error> {
        let known = match self.model.as_str() {
            "text-embedding-3-small" | "text-embedding-ada-002" => Some(1536),
            "text-embedding-3-large" => Some(3072),
            _ => None,
        };
        self.dimensions.or(known).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "how many numbers a vector of `{}` has is not known; set `dimensions` in this component's configuration, as in `hydroid config set components.embedder-openai.config.dimensions 1024`",
                    self.model
                ),
            )
        })
    }
}
