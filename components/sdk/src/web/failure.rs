//! What a service said when it refused, and which error of the contract that is.
//!
//! Not a retry policy: the host decides by kind, `retry-after-ms` and `sent`.

use serde_json::Value;

use super::Headers;
use crate::types::{Error, ErrorKind};

/// A refusal as services write it: in an HTTP body, or as an event in the middle of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceError {
    /// The sentence for the reader, bounded; empty if there is none.
    pub message: String,
    /// The service's code, or failing that its name for the type of error.
    pub code: Option<String>,
    /// When to try again, where the body says so and not a header.
    retry_ms: Option<u32>,
}

/// Characters of a service's message that are passed on; the rest seldom says more.
const MAX_MESSAGE: usize = 600;
/// When a failure is temporary and the service names no time.
const RETRY_MS: u32 = 1000;
/// Codes after which trying again fails again, though the status looks temporary.
const PERMANENT: &[&str] =
    &["insufficient_quota", "billing_hard_limit_reached", "billing_not_active"];

impl ServiceError {
    /// Reads a body; one that is not JSON is its own message.
    pub fn parse(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::from_json(&value),
            Err(_) => Self {
                message: bounded(&String::from_utf8_lossy(body)),
                code: None,
                retry_ms: None,
            },
        }
    }

    /// Reads `{"error":{"message","code","type"}}` and the shapes near it.
    pub fn from_json(value: &Value) -> Self {
        let value = value.as_array().and_then(|errors| errors.first()).unwrap_or(value);
        let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
        let error = error.pointer("/errors/0").unwrap_or(error);
        let message = ["message", "detail", "error", "error_description"]
            .into_iter()
            .find_map(|key| error.get(key).filter(|value| !value.is_null()))
            .map_or_else(|| error.as_str().map(str::to_owned), |value| Some(text(value)));
        let code = ["code", "type", "status"]
            .into_iter()
            .filter_map(|key| error.get(key))
            .find(|value| value.is_string() || value.is_number())
            .map(text);
        Self {
            message: bounded(&message.unwrap_or_default()),
            code: code.map(|code| bounded(&code)),
            retry_ms: error.get("details").and_then(retry_info),
        }
    }

    /// The error for an HTTP answer with this status.
    pub fn into_status_error(self, status: u16, headers: &Headers) -> Error {
        let kind = self.kind_for(status);
        let temporary = match status {
            408 | 425 | 429 | 500 | 502..=599 => true,
            // A conflict may be a lock that is released soon; only the service knows.
            409 => headers.get("retry-after").or(headers.get("retry-after-ms")).is_some(),
            _ => false,
        };
        let permanent = self.is_permanent() || headers.get("x-should-retry") == Some("false");
        let retry = (temporary && !permanent)
            .then(|| retry_after_ms(headers).or(self.retry_ms).unwrap_or(RETRY_MS));
        // Refused before any work, except where the work may have begun before it failed.
        let sent = matches!(status, 408 | 500 | 502 | 504);
        let message = self.sentence(
            &format!("the service answered with status `{status}`"),
            advice(status, headers),
        );
        Error {
            kind,
            message,
            code: self.code.or(Some(status.to_string())),
            retry_after_ms: retry,
            sent,
            details_json: None,
        }
    }

    /// The error for a failure in the middle of an answer that had begun.
    pub fn into_stream_error(self) -> Error {
        let code = self.code.as_deref().unwrap_or_default();
        let kind = match code.parse::<u16>() {
            Ok(status) => self.kind_for(status),
            Err(_) => self.kind_of_code(code),
        };
        let temporary =
            matches!(kind, ErrorKind::Unavailable | ErrorKind::RateLimited | ErrorKind::Timeout);
        let retry_after_ms =
            (temporary && !self.is_permanent()).then_some(self.retry_ms.unwrap_or(RETRY_MS));
        let message =
            self.sentence("the service failed in the middle of its answer", String::new());
        Error { kind, message, code: self.code, retry_after_ms, sent: true, details_json: None }
    }

    fn kind_for(&self, status: u16) -> ErrorKind {
        match status {
            400 | 413 | 422 if self.is_about_context() => ErrorKind::TooLarge,
            401 => ErrorKind::Unauthenticated,
            // One service says so of a key that it does not know.
            400 if self.message.starts_with("API key not valid") => ErrorKind::Unauthenticated,
            402 | 403 | 451 => ErrorKind::Denied,
            404 | 410 => ErrorKind::NotFound,
            405 | 415 | 501 => ErrorKind::Unsupported,
            408 => ErrorKind::Timeout,
            409 => ErrorKind::Conflict,
            413 => ErrorKind::TooLarge,
            429 => ErrorKind::RateLimited,
            400..=499 => ErrorKind::InvalidInput,
            500..=599 => ErrorKind::Unavailable,
            _ => ErrorKind::Other,
        }
    }

    fn kind_of_code(&self, code: &str) -> ErrorKind {
        match code {
            _ if self.is_about_context() => ErrorKind::TooLarge,
            "rate_limit_exceeded"
            | "rate_limit_error"
            | "insufficient_quota"
            | "RESOURCE_EXHAUSTED" => ErrorKind::RateLimited,
            "invalid_request_error" | "INVALID_ARGUMENT" => ErrorKind::InvalidInput,
            "authentication_error" | "invalid_api_key" | "UNAUTHENTICATED" => {
                ErrorKind::Unauthenticated
            }
            "permission_error"
            | "content_filter"
            | "content_policy_violation"
            | "PERMISSION_DENIED" => ErrorKind::Denied,
            "timeout" | "DEADLINE_EXCEEDED" => ErrorKind::Timeout,
            // Services fail in the middle because of themselves far more often than not.
            _ => ErrorKind::Unavailable,
        }
    }

    fn is_permanent(&self) -> bool {
        self.code.as_deref().is_some_and(|code| PERMANENT.contains(&code))
    }

    /// There is no agreed code, so the words of the known services decide.
    fn is_about_context(&self) -> bool {
        const WORDS: &[&str] = &[
            "context length",
            "context window",
            "context size",
            "maximum context",
            "prompt is too long",
            "input is too long",
            "too many tokens",
            "token count exceeds",
            "exceeds the maximum number of tokens",
        ];
        let message = self.message.to_lowercase();
        self.code.as_deref() == Some("context_length_exceeded")
            || WORDS.iter().any(|words| message.contains(words))
    }

    fn sentence(&self, what: &str, advice: String) -> String {
        let said = self.message.trim_end_matches('.');
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let advice = if advice.is_empty() { advice } else { format!("; {advice}") };
        format!("{what}{said}{advice}")
    }
}

fn advice(status: u16, headers: &Headers) -> String {
    match status {
        300..=399 => match headers.get("location") {
            Some(location) => {
                format!("it has moved to `{}`: configure that address", bounded(location))
            }
            None => "it has moved: check the configured address".to_owned(),
        },
        401 => "check the stored credential".to_owned(),
        404 => "check the model's name and the configured address".to_owned(),
        _ => String::new(),
    }
}

/// When to try again: `retry-after-ms`, or `retry-after` as seconds or as a date. A date is
/// compared with the service's own `date`, so that no clock is needed and none can be wrong.
fn retry_after_ms(headers: &Headers) -> Option<u32> {
    let seconds =
        |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    if let Some(milliseconds) = headers.get("retry-after-ms").and_then(seconds) {
        // A cast from float saturates, which is what is wanted of absurd numbers.
        return Some(milliseconds.ceil() as u32);
    }
    let value = headers.get("retry-after")?;
    if let Some(seconds) = seconds(value) {
        return Some((seconds * 1000.0).ceil() as u32);
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now = httpdate::parse_http_date(headers.get("date")?).ok()?;
    let wait = until.duration_since(now).unwrap_or_default();
    Some(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX))
}

/// The `retryDelay` of a `google.rpc.RetryInfo`, such as `34.4s`.
fn retry_info(details: &Value) -> Option<u32> {
    let delay = details.as_array()?.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?;
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds * 1000.0).ceil() as u32)
}

/// A JSON value as text: strings without their quotes.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// One line of bounded length.
fn bounded(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let clean = |character: &char| !character.is_control();
    if line.chars().count() <= MAX_MESSAGE {
        return line.chars().filter(clean).collect();
    }
    line.chars().filter(clean).take(MAX_MESSAGE).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
