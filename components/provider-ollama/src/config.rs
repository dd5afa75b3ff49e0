//! The configuration of this component; `manifest.toml` documents each key.
//!
//! Not a place for a key: that is a secret, which only the host reads.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub base_url: String,
    pub api_key_secret: String,
    pub extra_headers: BTreeMap<String, String>,
    pub stream: bool,
    pub context: Option<u32>,
    pub keep_alive: Option<String>,
    pub pull: bool,
    pub send_thinking: bool,
    pub text_tool_calls: TextToolCalls,
    pub first_byte_timeout_ms: Option<u32>,
    pub options: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum TextToolCalls {
    Auto,
    Off,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: "http://127.0.0.1:11434".to_owned(),
            api_key_secret: String::new(),
            extra_headers: BTreeMap::new(),
            stream: true,
            context: None,
            keep_alive: None,
            pull: false,
            send_thinking: true,
            text_tool_calls: TextToolCalls::Auto,
            first_byte_timeout_ms: None,
            options: Map::new(),
        }
    }
}

impl Config {
    /// The address of `path` at the server.
    pub fn url(&self, path: &str) -> String {
        format!("{}/api/{path}", self.base_url.trim_end_matches('/'))
    }
}
