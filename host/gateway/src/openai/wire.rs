//! The words that chat completions and responses share: errors, parameters, identifiers and
//! figures as OpenAI's clients expect them. Nothing is done here.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use hydroid_core::message::Usage;
use hydroid_core::protocol::{ErrorCode, RequestError};
use serde_json::{Map, Value, json};

/// The header that names a session, in requests and answers.
pub(crate) const SESSION: &str = "x-hydroid-session";

/// The header that says what happens with calls a person has to approve.
pub(crate) const APPROVALS: &str = "x-hydroid-approvals";

/// Characters of what a client sent that an error repeats.
const REPEATED: usize = 60;

/// A refusal in OpenAI's shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) code: &'static str,
    pub(crate) param: Option<String>,
    pub(crate) message: String,
    /// When it may be tried again.
    pub(crate) retry_after_ms: Option<u64>,
    /// Clients try again by themselves what failed; a turn has effects and is not said twice.
    pub(crate) is_final: bool,
}

impl Failure {
    /// A request that cannot be what is meant.
    pub(crate) fn invalid(
        param: Option<&str>,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status: 400,
            kind: "invalid_request_error",
            code,
            param: param.map(str::to_owned),
            message: message.into(),
            retry_after_ms: None,
            is_final: false,
        }
    }

    /// A turn that began and gave no answer.
    pub(crate) fn ended(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let kind = if status < 500 { "invalid_request_error" } else { "server_error" };
        Self { status, kind, is_final: true, ..Self::invalid(None, code, message) }
    }

    /// The object under `error`.
    pub(crate) fn object(&self) -> Value {
        json!({ "message": self.message, "type": self.kind, "param": self.param, "code": self.code })
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        let status = crate::refusal::status(error.code).as_u16();
        let invalid = "invalid_request_error";
        let (kind, code, is_final) = match error.code {
            ErrorCode::Unauthenticated => (invalid, "invalid_api_key", false),
            ErrorCode::Forbidden => (invalid, "insufficient_permissions", false),
            ErrorCode::NotFound => (invalid, "session_not_found", false),
            ErrorCode::TooLarge => (invalid, "request_too_large", false),
            ErrorCode::Busy | ErrorCode::RateLimited | ErrorCode::LimitReached => {
                ("rate_limit_error", "rate_limit_exceeded", false)
            }
            ErrorCode::Ambiguous => (invalid, "session_ambiguous", false),
            ErrorCode::BadMessage
            | ErrorCode::UnsupportedProtocol
            | ErrorCode::OutOfOrder
            | ErrorCode::Invalid => (invalid, "invalid_value", false),
            ErrorCode::NothingRuns
            | ErrorCode::TurnRuns
            | ErrorCode::NotAsked
            | ErrorCode::Cancelled => (invalid, "conflict", true),
            ErrorCode::Occupied => (invalid, "session_occupied", true),
            ErrorCode::Stopped => (invalid, "stopped", true),
            ErrorCode::ShuttingDown => ("server_error", "shutting_down", false),
            ErrorCode::Internal | ErrorCode::Other => ("server_error", "internal_error", true),
        };
        // Without a time they would come back at once.
        let retry_after_ms = error.retry_after_ms.or((status == 429).then_some(1_000));
        let message = error.message;
        Self { status, kind, code, param: None, message, retry_after_ms, is_final }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, Json(json!({ "error": self.object() }))).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(ms) = self.retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
        }
        if self.is_final {
            let name = HeaderName::from_static("x-should-retry");
            headers.insert(name, HeaderValue::from_static("false"));
        }
        response
    }
}

/// What is done with a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parameter {
    /// It is read.
    Read,
    /// It asks for nothing that an answer could lack; it is left alone.
    Ignored,
    /// It is refused unless it asks for what happens anyway.
    Unless(fn(&Value) -> bool, &'static str),
}

/// Refuses parameters that are unknown, or that ask for what is not done. One that is null is as
/// one that is absent.
pub(crate) fn check_parameters(
    fields: &Map<String, Value>,
    table: &[(&str, Parameter)],
) -> Result<(), Failure> {
    for (name, value) in fields {
        let known = table.iter().find(|(known, _)| known == name).map(|(_, parameter)| parameter);
        match known {
            None => {
                let name = shown(name);
                let text = format!("Unrecognized request argument supplied: {name}");
                return Err(Failure::invalid(Some(&name), "unknown_parameter", text));
            }
            Some(Parameter::Unless(is_so, why)) if !value.is_null() && !is_so(value) => {
                let text = format!("`{name}` cannot be honoured: {why}");
                return Err(Failure::invalid(Some(name), "unsupported_parameter", text));
            }
            Some(Parameter::Read | Parameter::Ignored | Parameter::Unless(..)) => {}
        }
    }
    Ok(())
}

/// A field that is there and not null.
pub(crate) fn given<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

/// A text; none if it is absent.
pub(crate) fn text<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
    param: &str,
) -> Result<Option<&'a str>, Failure> {
    match given(fields, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong_type(param, "a string")),
    }
}

/// `true` or `false`; none if it is absent.
pub(crate) fn flag(fields: &Map<String, Value>, name: &str) -> Result<Option<bool>, Failure> {
    match given(fields, name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(wrong_type(name, "a boolean")),
    }
}

pub(crate) fn wrong_type(param: &str, wanted: &str) -> Failure {
    let text = format!("Invalid type for '{param}': expected {wanted}");
    Failure::invalid(Some(param), "invalid_type", text)
}

pub(crate) fn missing(param: &str) -> Failure {
    let text = format!("Missing required parameter: '{param}'");
    Failure::invalid(Some(param), "missing_required_parameter", text)
}

/// True for what asks for nothing.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// A piece of what a client sent, as an error may repeat it.
pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(REPEATED).collect()
}

/// An identifier that no other answer has.
pub(crate) fn new_id(mark: &str) -> Result<String, Failure> {
    let mut random = [0; 12];
    getrandom::fill(&mut random).map_err(|error| {
        let text = format!("the system gives no random numbers: {error}");
        Failure::from(RequestError::new(ErrorCode::Internal, text))
    })?;
    Ok(format!("{mark}{}", hex::encode(random)))
}

/// Tokens as chat completions count them.
pub(crate) fn chat_usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total(),
        "prompt_tokens_details": { "cached_tokens": usage.cache_read },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning },
    })
}

/// Tokens as responses count them.
pub(crate) fn response_usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": { "cached_tokens": usage.cache_read },
        "output_tokens": usage.output,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning },
        "total_tokens": usage.total(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const PUBLISHED: &str = include_str!("../../../../tests/fixtures/openai/requests.schema.json");

    /// Names of the properties of a published schema, with those of the schemas it is made of.
    fn properties(definitions: &Value, schema: &Value, names: &mut BTreeSet<String>) {
        names.extend(schema["properties"].as_object().into_iter().flat_map(Map::keys).cloned());
        for part in schema["allOf"].as_array().into_iter().flatten() {
            properties(definitions, part, names);
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            properties(definitions, &definitions[name], names);
        }
    }

    /// A table says something of each published parameter, and of nothing else, in order.
    #[track_caller]
    pub(in crate::openai) fn check_complete(schema: &str, table: &[(&str, Parameter)]) {
        let published: Value = serde_json::from_str(PUBLISHED).unwrap();
        let mut names = BTreeSet::new();
        properties(&published["$defs"], &published["$defs"][schema], &mut names);
        let known: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
        assert_eq!(known, names.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn what_asks_for_nothing_is_known() {
        for (value, expect) in [
            (json!(null), true),
            (json!(false), true),
            (json!(0), true),
            (json!(0.0), true),
            (json!(""), true),
            (json!([]), true),
            (json!({}), true),
            (json!(true), false),
            (json!(-1), false),
            (json!([null]), false),
        ] {
            assert_eq!(is_empty(&value), expect, "{value}");
        }
    }

    #[test]
    fn what_clients_sent_is_repeated_without_what_moves_a_cursor() {
        assert_eq!(shown("a\u{1b}[2J\nb"), "a[2Jb");
        assert_eq!(shown(&"é".repeat(100)).chars().count(), REPEATED);
    }
}
