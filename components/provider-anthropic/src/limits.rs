//! The service's rate limits, as its answers tell them in headers.
//!
//! Not a limiter: the host decides what to do with them.

use hydroid_component::provider::{Event, Ext};
use hydroid_component::web::Headers;
use serde_json::{Map, Value};

/// What is limited, as the headers name it.
const LIMITED: &[&str] = &["requests", "tokens", "input-tokens", "output-tokens"];

/// The event for what the headers say; none if they say nothing.
pub fn event(headers: &Headers) -> Option<Event> {
    let mut limits = Map::new();
    for limited in LIMITED {
        let of = |field: &str| headers.get(&format!("anthropic-ratelimit-{limited}-{field}"));
        let number = |field: &str| of(field)?.parse::<u64>().ok().map(Value::from);
        let fields = [
            ("limit", number("limit")),
            ("remaining", number("remaining")),
            ("reset", of("reset").map(Value::from)),
        ];
        let known: Map<String, Value> = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect();
        if !known.is_empty() {
            limits.insert((*limited).to_owned(), Value::Object(known));
        }
    }
    let json = Value::Object(limits);
    let kind = "hydroid/rate-limit".to_owned();
    (json != Value::Object(Map::new()))
        .then(|| Event::Other(Ext { kind, json: json.to_string() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_become_one_event_or_none() {
        let headers: Headers = [
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("Anthropic-RateLimit-Requests-Reset", "2026-01-27T21:00:00Z"),
            ("anthropic-ratelimit-output-tokens-remaining", "7000"),
            ("anthropic-ratelimit-tokens-limit", "many"),
        ]
        .into_iter()
        .collect();
        let Some(Event::Other(ext)) = event(&headers) else { panic!("no event") };
        assert_eq!(ext.kind, "hydroid/rate-limit");
        assert_eq!(
            ext.json,
            r#"{"output-tokens":{"remaining":7000},"requests":{"limit":50,"remaining":49,"reset":"2026-01-27T21:00:00Z"}}"#
        );
        assert!(event(&Headers::default()).is_none());
    }
}
