//! What services said last of how much may still be asked of them. For people to look at: nothing
//! waits for it.

use super::StoreError;
use crate::id::{ComponentId, UserId};
use crate::reliability::length;
use futures_core::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Keeps the last word of each service on each model.
pub trait RateLimits: Send + Sync {
    /// Keeps what was said in place of what was said before.
    fn keep_limits<'a>(
        &'a self,
        user: &'a UserId,
        said: RateLimit,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
    /// What was said last, of each model, the newest first.
    fn limits<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Vec<RateLimit>, StoreError>>;
}

/// What a service said with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The provider component.
    pub provider: ComponentId,
    /// The model that was asked.
    pub model: String,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// What is left of what.
    pub windows: RateWindows,
}

/// What is counted, in the contract's words, and how much of it is left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateWindows(BTreeMap<String, RateWindow>);

/// How much is left of one thing that is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct RateWindow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remaining: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reset_ms: Option<u64>,
}

/// What is counted, as the event names it and as people do.
const COUNTED: [(&str, &str); 4] = [
    ("requests", "requests"),
    ("tokens", "tokens"),
    ("input_tokens", "tokens of input"),
    ("output_tokens", "tokens of output"),
];

impl RateWindows {
    /// The kind of the event that has them.
    pub const EVENT: &'static str = "hydroid/rate-limit";

    /// Reads the event's JSON; none if there is nothing in it that is known.
    pub fn of_event(json: &str) -> Option<Self> {
        let mut value: serde_json::Value = serde_json::from_str(json).ok()?;
        let known = COUNTED.iter().filter_map(|(name, _)| {
            let window: RateWindow = serde_json::from_value(value.get_mut(name)?.take()).ok()?;
            let says = window.limit.is_some() || window.remaining.is_some();
            says.then(|| ((*name).to_owned(), window))
        });
        let known: BTreeMap<_, _> = known.collect();
        (!known.is_empty()).then_some(Self(known))
    }

    /// What is left, so long after it was said: a window that has begun anew since is full again.
    pub fn left(&self, since: Duration) -> String {
        let of = |(name, in_words): &(&str, &str)| {
            let window = self.0.get(*name)?;
            let reset = window.reset_ms.map(Duration::from_millis);
            let left = match reset.map(|reset| reset.checked_sub(since)) {
                // It has begun anew.
                Some(None) => window.limit.or(window.remaining)?,
                Some(Some(_)) | None => window.remaining.or(window.limit)?,
            };
            let limit = window.limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
            let again = reset.and_then(|reset| reset.checked_sub(since)).filter(|_| left == 0);
            let again =
                again.map(|wait| format!(" (again in {})", length(wait))).unwrap_or_default();
            Some(format!("{left}{limit} {in_words}{again}"))
        };
        let parts: Vec<String> = COUNTED.iter().filter_map(of).collect();
        match parts.split_last() {
            None => String::new(),
            Some((only, [])) => only.clone(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, seconds: u64, expected: Option<&str>) {
        let windows = RateWindows::of_event(json);
        let left = windows.map(|windows| windows.left(Duration::from_secs(seconds)));
        assert_eq!(left.as_deref(), expected, "{json}");
    }

    #[test]
    fn what_is_left_is_told_as_far_as_it_is_known() {
        check(
            r#"{"requests":{"limit":60,"remaining":59},"tokens":{"remaining":8900}}"#,
            0,
            Some("59 of 60 requests and 8900 tokens"),
        );
        check(r#"{"output_tokens":{"limit":9}}"#, 0, Some("9 of 9 tokens of output"));
        let out = r#"{"requests":{"limit":60,"remaining":0,"reset_ms":30000}}"#;
        check(out, 10, Some("0 of 60 requests (again in 20 s)"));
        check(out, 31, Some("60 of 60 requests"));
    }

    #[test]
    fn what_is_no_limit_is_none() {
        for json in [
            "",
            "[]",
            "{}",
            r#"{"requests":3}"#,
            r#"{"requests":{}}"#,
            r#"{"requests":{"limit":-1}}"#,
            r#"{"others":{"limit":1}}"#,
            r#"{"tokens":{"reset_ms":1}}"#,
        ] {
            check(json, 0, None);
        }
    }
}
