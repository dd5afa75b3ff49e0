//! `memory`: what is recalled, how what is found is weighed, and which files are read into every
//! conversation.

use super::{ConfigError, is_name};
use crate::capability::WebRule;
use crate::retrieval::fusion::{Tuning, Weights};
use serde::Deserialize;
use std::net::IpAddr;

/// Memory as it is configured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Memory {
    pub embedder: String,
    pub recall: bool,
    pub recall_tokens: u32,
    pub files: bool,
    pub files_chars: usize,
    pub recency: f64,
    pub importance: f64,
    pub diversity: f64,
    pub token: Option<String>,
    pub url: Option<String>,
    pub weights: MemoryWeights,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct MemoryWeights {
    pub keyword: f64,
    pub keyword_window: f64,
    pub vector: f64,
    pub vector_window: f64,
}

impl Memory {
    /// The component that makes vectors; none if it is switched off.
    pub fn embedder(&self) -> Option<&str> {
        (self.embedder != "none").then_some(self.embedder.as_str())
    }

    /// As searching takes it.
    pub fn tuning(&self) -> Tuning {
        let MemoryWeights { keyword, keyword_window, vector, vector_window } = self.weights;
        Tuning {
            weights: Weights { keyword, keyword_window, vector, vector_window },
            recency: self.recency,
            importance: self.importance,
            diversity: self.diversity,
        }
    }

    /// Where sessions and memory are kept, if not in a file, as an address of HTTP.
    pub fn service(&self) -> Option<String> {
        let url = self.url.as_deref()?.trim_end_matches('/');
        let rest = url.strip_prefix("libsql://").map(|rest| format!("https://{rest}"));
        Some(rest.unwrap_or_else(|| url.to_owned()))
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_service().map_err(ConfigError::Value)?;
        let wrong = |text: String| Err(ConfigError::Value(text));
        let shares = [
            ("recency", self.recency),
            ("importance", self.importance),
            ("diversity", self.diversity),
            ("weights.keyword", self.weights.keyword),
            ("weights.keyword_window", self.weights.keyword_window),
            ("weights.vector", self.weights.vector),
            ("weights.vector_window", self.weights.vector_window),
        ];
        for (key, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return wrong(format!("`memory.{key}` is `{share}`; it is from 0 to 1"));
            }
        }
        if self.weights.keyword + self.weights.keyword_window <= 0.0 {
            return wrong(
                "`memory.weights.keyword` and `memory.weights.keyword_window` are not both 0: without an embedder nothing would be found".into(),
            );
        }
        Ok(())
    }

    fn check_service(&self) -> Result<(), String> {
        if let Some(token) = &self.token
            && (!is_name(token) || token.contains('.'))
        {
            return Err("`memory.token` is the name of a secret and not its value; choose a name like `memory-token` and set it with `hydroid secret set memory-token`".into());
        }
        let Some(address) = self.service() else { return Ok(()) };
        // What was written may hold a password, so it is not repeated.
        let wrong = |problem: &str| {
            Err(format!(
                "`memory.url` {problem}; write it like `libsql://NAME.example.com` or `https://db.example.com:8443`"
            ))
        };
        let Some((scheme, rest)) = address.split_once("://") else {
            return wrong("has no scheme");
        };
        if !matches!(scheme, "http" | "https") {
            return wrong("begins with something else than `libsql://`, `https://` or `http://`");
        }
        if rest.contains(['?', '#', '@', '*']) || rest.contains(char::is_whitespace) {
            return wrong(
                "has more than a host, a port and a path; a token is a secret that `memory.token` names",
            );
        }
        let authority = rest.split('/').next().unwrap_or_default();
        if let Err(error) = address.parse::<WebRule>() {
            return wrong(&format!("cannot be an address: {error}"));
        }
        let near = is_near(authority);
        if scheme == "http" && !near {
            return wrong("has no encryption and is not on this machine or a private network");
        }
        if self.token.is_none() && !near {
            return Err("`memory.url` is a service that asks who is there, and `memory.token` names no secret; `hydroid config set memory.token memory-token`, and then `hydroid secret set memory-token`".into());
        }
        Ok(())
    }
}

/// True for this machine and addresses of private networks, where no one else listens.
fn is_near(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
    host.eq_ignore_ascii_case("localhost")
        || match address {
            Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
            Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
            Err(_) => false,
        }
}

impl Default for Memory {
    fn default() -> Self {
        let tuning = Tuning::default();
        Self {
            embedder: "embedder-model2vec".into(),
            recall: true,
            recall_tokens: 600,
            files: true,
            files_chars: 16_000,
            recency: tuning.recency,
            importance: tuning.importance,
            diversity: tuning.diversity,
            token: None,
            url: None,
            weights: MemoryWeights::default(),
        }
    }
}

impl Default for MemoryWeights {
    fn default() -> Self {
        let Weights { keyword, keyword_window, vector, vector_window } = Weights::default();
        Self { keyword, keyword_window, vector, vector_window }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn shares_are_from_nought_to_one() {
        let refused =
            |text: &str| Config::from_table(text.parse().unwrap()).unwrap_err().to_string();
        assert!(refused("[memory]\nrecency = 2.0").contains("`memory.recency` is `2`"));
        assert!(refused("[memory]\ndiversity = nan").contains("from 0 to 1"));
        let neither = "[memory.weights]\nkeyword = 0.0\nkeyword_window = 0.0";
        assert!(refused(neither).contains("not both 0"));
    }

    #[test]
    fn a_service_has_an_address_that_is_safe_to_send_a_token_to() {
        let with = |url: &str, token: bool| {
            let token = if token { "token = \"t\"\n" } else { "" };
            Config::from_table(format!("[memory]\n{token}url = {url:?}").parse().unwrap())
                .map(|config| config.memory.service().unwrap())
                .map_err(|error| error.to_string())
        };
        let turso = "https://db-me.example.com";
        assert_eq!(with("libsql://db-me.example.com", true).as_deref(), Ok(turso));
        assert_eq!(with("https://db-me.example.com/", true).as_deref(), Ok(turso));
        for near in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080/db"] {
            assert_eq!(with(near, false).as_deref(), Ok(near));
        }
        assert!(with("http://10.1.2.3:8080", false).is_ok());
        for (url, problem) in [
            ("db.example.com", "has no scheme"),
            ("file:///tmp/a.db", "something else than"),
            ("wss://db.example.com", "something else than"),
            ("https://", "has no scheme"),
            ("https://db.example.com:99999", "cannot be an address"),
            ("https://me:hunter2@db.example.com", "more than a host"),
            ("libsql://db.example.com?authToken=hunter2", "more than a host"),
            ("https://*.example.com", "more than a host"),
            ("http://db.example.com", "no encryption"),
            ("http://169.254.169.254", "no encryption"),
            ("http://127.0.0.1.example.com", "no encryption"),
            ("http://93.184.216.34", "no encryption"),
        ] {
            let error = with(url, true).unwrap_err();
            assert!(error.contains(problem) && !error.contains("hunter2"), "{url}: {error}");
        }
        let error = with(turso, false).unwrap_err();
        assert!(error.contains("hydroid config set memory.token"), "{error}");
        let value = "[memory]\ntoken = \"eyJhbGciOiJFZERTQSJ9.e30.c2ln\"";
        let error = Config::from_table(value.parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("not its value") && !error.contains("eyJ"), "{error}");
    }
}
