//! What is configured of traces: where they go and what they have.

use super::ConfigError;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Where spans are sent to below an endpoint, as OTLP has it.
const TRACES: &str = "/v1/traces";

/// Traces.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Telemetry {
    pub content: bool,
    pub headers: BTreeMap<String, String>,
    pub otlp_endpoint: Option<String>,
    pub sampling: f64,
    pub service_name: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            content: false,
            headers: BTreeMap::new(),
            otlp_endpoint: None,
            sampling: 1.0,
            service_name: "hydroid".to_owned(),
        }
    }
}

impl Telemetry {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |text: String| Err(ConfigError::Value(text));
        if self.otlp_endpoint.is_some() && self.traces_url().is_none() {
            return wrong("`telemetry.otlp_endpoint` is an address like `http://127.0.0.1:4318` or `https://otlp.example`, without a user, a query or a fragment; `/v1/traces` is added to it".to_owned());
        }
        if !(0.0..=1.0).contains(&self.sampling) {
            return wrong(format!(
                "`telemetry.sampling` is `{}`; it is the share of turns that are traced, from 0 to 1",
                self.sampling
            ));
        }
        if self.service_name.trim().is_empty() {
            return wrong("`telemetry.service_name` is empty; it is what the service is called in traces, like `hydroid`".to_owned());
        }
        for header in self.headers.keys() {
            let is_name = !header.is_empty()
                && header.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
            if !is_name {
                return wrong(format!(
                    "`telemetry.headers` has `{header}`; a header's name has small letters, digits and `-`, like `authorization`"
                ));
            }
        }
        Ok(())
    }

    /// The whole address that spans are sent to; none if it is not set or cannot be one.
    pub fn traces_url(&self) -> Option<String> {
        let text = self.otlp_endpoint.as_deref()?;
        let url = url::Url::parse(text).ok()?;
        let plain = url.username().is_empty() && url.password().is_none();
        let bare = url.query().is_none() && url.fragment().is_none();
        let web = ["http", "https"].contains(&url.scheme()) && url.has_host();
        if !(plain && bare && web) {
            return None;
        }
        let whole = url.as_str().trim_end_matches('/');
        Some(if whole.ends_with(TRACES) { whole.to_owned() } else { format!("{whole}{TRACES}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_becomes_the_address_of_its_traces() {
        for (endpoint, expect) in [
            ("http://127.0.0.1:4318", Some("http://127.0.0.1:4318/v1/traces")),
            ("http://127.0.0.1:4318/", Some("http://127.0.0.1:4318/v1/traces")),
            ("https://a.example/otel/v1/traces", Some("https://a.example/otel/v1/traces")),
            ("https://a.example/otel", Some("https://a.example/otel/v1/traces")),
            ("https://user:key@a.example", None),
            ("https://a.example/?key=1", None),
            ("grpc://a.example", None),
            ("a.example:4318", None),
            ("", None),
        ] {
            let otlp_endpoint = Some(endpoint.to_owned());
            let telemetry = Telemetry { otlp_endpoint, ..Telemetry::default() };
            assert_eq!(telemetry.traces_url().as_deref(), expect, "{endpoint}");
            assert_eq!(telemetry.check().is_ok(), expect.is_some(), "{endpoint}");
        }
    }
}
