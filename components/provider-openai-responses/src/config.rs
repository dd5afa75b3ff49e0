//! The configuration of this component; `manifest.toml` documents each key.
//!
//! Not a place for the key: that is a secret, which only the host reads.

use std::collections::BTreeMap;

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
    pub stream: bool,
    pub strict_schema: bool,
    pub keep_thinking: KeepThinking,
    pub native_tools: Vec<Value>,
    pub first_byte_timeout_ms: Option<u32>,
    pub options: Map<String, Value>,
}

/// Whether the model's thinking is asked for in a form that can come back.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepThinking {
    Auto,
    Always,
    Never,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: "https://api.openai.com/v1".to_owned(),
            api_key_secret: "openai".to_owned(),
            organization: None,
            project: None,
            extra_headers: BTreeMap::new(),
            stream: true,
            strict_schema: true,
            keep_thinking: KeepThinking::Auto,
            native_tools: Vec::new(),
            first_byte_timeout_ms: None,
            options: Map::new(),
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

    /// Whether `model` is asked for its thinking. The service refuses to be asked by models that
    /// do not think, and says nowhere which those are but in their names.
    pub fn keeps_thinking_of(&self, model: &str) -> bool {
        match self.keep_thinking {
            KeepThinking::Always => true,
            KeepThinking::Never => false,
            KeepThinking::Auto => {
                let name = model.rsplit('/').next().unwrap_or(model);
                let starts = |prefixes: &[&str]| prefixes.iter().any(|p| name.starts_with(p));
                let newer = name.strip_prefix("gpt-").is_some_and(|version| {
                    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
                    digits.parse::<u32>().is_ok_and(|number| number >= 5)
                });
                (newer && !name.contains("-chat"))
                    || starts(&["o1", "o3", "o4", "codex", "gpt-oss", "grok-4", "grok-code"])
            }
        }
    }
}
