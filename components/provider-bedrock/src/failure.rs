//! What the service says when it refuses: as an HTTP answer, and as a frame in the middle of a
//! stream. AWS has names for both, in a header.
//!
//! Not a retry policy: the host decides by kind, `retry-after-ms` and `sent`.

use hydroid_component::provider::{Error, ErrorKind};
use hydroid_component::web::{Headers, ServiceError};
use serde_json::{Value, json};

/// When a failure is temporary and the service names no time.
const RETRY_MS: u32 = 1000;

/// Names of refusals that a better credential would not get.
const ABOUT_CREDENTIALS: &[&str] = &[
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// The error for an HTTP answer that is not a success.
pub fn of_status(status: u16, headers: &Headers, body: &[u8]) -> Error {
    // `ValidationException:http://…`, and `namespace#Name` in bodies.
    let bare = |name: &str| {
        let name = name.split(':').next().unwrap_or(name);
        name.rsplit('#').next().unwrap_or(name).to_owned()
    };
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let field = |name: &str| value.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let code =
        headers.get("x-amzn-errortype").map(bare).or(field("__type").map(|name| bare(&name)));
    let said = field("message").or_else(|| field("Message"));
    let refusal = match (&value, said) {
        (Some(_), Some(message)) => {
            ServiceError::from_json(&json!({"message": message, "code": code}))
        }
        _ => {
            let mut refusal = ServiceError::parse(body);
            refusal.code = code.clone().or(refusal.code);
            refusal
        }
    };
    let mut error = refusal.into_status_error(status, headers);
    let code = code.as_deref().unwrap_or_default();
    if ABOUT_CREDENTIALS.contains(&code) {
        error.kind = ErrorKind::Unauthenticated;
        error.message.push_str("; check the stored credentials and `region`");
    }
    if status == 424 {
        // The model failed at what it was asked, which it may do better the next time.
        error.kind = ErrorKind::Unavailable;
        error.retry_after_ms = Some(RETRY_MS);
        error.sent = true;
    }
    if error.message.contains("on-demand throughput") {
        error.message.push_str(
            "; use a profile across regions, which has a prefix such as `us.` or `global.` before the model",
        );
    }
    error
}

/// The model answers, but not in a stream, or not with tools in one; nothing was done yet.
pub fn is_about_streaming(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::InvalidInput | ErrorKind::Unsupported)
        && error.message.to_lowercase().contains("streaming")
}

/// The error for an exception in the middle of a stream.
pub fn of_exception(name: &str, body: &[u8]) -> Error {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |name: &str| value.get(name).and_then(Value::as_str);
    let message = field("message").or_else(|| field("originalMessage")).unwrap_or_default();
    let mut error =
        ServiceError::from_json(&json!({"message": message, "code": name})).into_stream_error();
    let (kind, temporary) = match name.to_ascii_lowercase().trim_end_matches("exception") {
        _ if matches!(error.kind, ErrorKind::TooLarge) => (ErrorKind::TooLarge, false),
        "throttling" | "modelnotready" => (ErrorKind::RateLimited, true),
        "validation" => (ErrorKind::InvalidInput, false),
        "accessdenied" => (ErrorKind::Denied, false),
        "resourcenotfound" => (ErrorKind::NotFound, false),
        "servicequotaexceeded" => (ErrorKind::RateLimited, false),
        "modeltimeout" => (ErrorKind::Timeout, true),
        // `internalServer`, `serviceUnavailable`, `modelStreamError`, and what may come later.
        _ => (ErrorKind::Unavailable, true),
    };
    error.kind = kind;
    error.retry_after_ms = temporary.then_some(RETRY_MS);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(error: &Error) -> String {
        let kind = format!("{:?}", error.kind).replace("ErrorKind::", "");
        let retry = error.retry_after_ms.map_or("-".to_owned(), |retry| retry.to_string());
        format!("{kind} {} {retry} {}", error.code.as_deref().unwrap_or("-"), error.sent)
    }

    #[track_caller]
    fn check(status: u16, name: &str, body: &str, expected: &str) {
        let headers = [("x-amzn-ErrorType", name)].into_iter().filter(|(_, name)| !name.is_empty());
        let error = of_status(status, &headers.collect(), body.as_bytes());
        assert_eq!(shown(&error), expected, "{error:?}");
    }

    #[test]
    fn each_refusal_has_its_kind() {
        let body = r#"{"message":"No."}"#;
        check(
            400,
            "ValidationException:http://internal",
            body,
            "InvalidInput ValidationException - false",
        );
        check(403, "AccessDeniedException", body, "Denied AccessDeniedException - false");
        check(403, "ExpiredTokenException", body, "Unauthenticated ExpiredTokenException - false");
        check(
            403,
            "",
            r#"{"__type":"com.amazon#UnrecognizedClientException","message":"No"}"#,
            "Unauthenticated UnrecognizedClientException - false",
        );
        check(404, "ResourceNotFoundException", body, "NotFound ResourceNotFoundException - false");
        check(408, "ModelTimeoutException", body, "Timeout ModelTimeoutException 1000 true");
        check(409, "ConflictException", body, "Conflict ConflictException - false");
        check(413, "", "", "TooLarge 413 - false");
        check(424, "ModelErrorException", body, "Unavailable ModelErrorException 1000 true");
        check(429, "ThrottlingException", body, "RateLimited ThrottlingException 1000 false");
        check(429, "ModelNotReadyException", body, "RateLimited ModelNotReadyException 1000 false");
        check(
            500,
            "InternalServerException",
            body,
            "Unavailable InternalServerException 1000 true",
        );
        check(
            503,
            "ServiceUnavailableException",
            body,
            "Unavailable ServiceUnavailableException 1000 false",
        );
        check(
            400,
            "ValidationException",
            r#"{"message":"Input is too long for requested model."}"#,
            "TooLarge ValidationException - false",
        );
        check(502, "", "<html>Bad Gateway</html>", "Unavailable 502 1000 true");
    }

    #[test]
    fn the_message_is_the_services_and_says_what_to_do() {
        let none = Headers::default();
        let said = |status, body: &str| of_status(status, &none, body.as_bytes()).message;
        assert_eq!(
            said(403, r#"{"Message":"User is not authorized."}"#),
            "the service answered with status `403`: User is not authorized"
        );
        assert!(
            said(400, r#"{"message":"Invocation of model ID x with on-demand throughput isn’t supported."}"#)
                .ends_with("use a profile across regions, which has a prefix such as `us.` or `global.` before the model")
        );
        let unsigned = [("x-amzn-errortype", "InvalidSignatureException")].into_iter().collect();
        let error = of_status(403, &unsigned, b"{}");
        assert!(error.message.ends_with("check the stored credentials and `region`"), "{error:?}");
    }

    #[test]
    fn a_model_that_does_not_stream_is_known_by_what_the_service_says() {
        let about = |status, message: &str| {
            let body = json!({"message": message}).to_string();
            is_about_streaming(&of_status(status, &Headers::default(), body.as_bytes()))
        };
        assert!(about(400, "This model doesn't support tool use in streaming mode."));
        assert!(about(400, "The model is unsupported for Streaming."));
        assert!(!about(400, "The model is unsupported."));
        assert!(!about(429, "Too many streaming requests."));
    }

    #[test]
    fn exceptions_in_a_stream_have_their_kind() {
        let of = |name: &str, body: &str| shown(&of_exception(name, body.as_bytes()));
        let body = r#"{"message":"Oh."}"#;
        assert_eq!(of("throttlingException", body), "RateLimited throttlingException 1000 true");
        assert_eq!(of("validationException", body), "InvalidInput validationException - true");
        assert_eq!(
            of("internalServerException", body),
            "Unavailable internalServerException 1000 true"
        );
        assert_eq!(
            of("serviceUnavailableException", body),
            "Unavailable serviceUnavailableException 1000 true"
        );
        assert_eq!(of("ModelTimeoutException", body), "Timeout ModelTimeoutException 1000 true");
        assert_eq!(
            of("validationException", r#"{"message":"Input is too long."}"#),
            "TooLarge validationException - true"
        );
        assert_eq!(of("newException", "oops"), "Unavailable newException 1000 true");
        let error = of_exception(
            "modelStreamErrorException",
            br#"{"originalStatusCode":500,"originalMessage":"Model broke"}"#,
        );
        assert_eq!(error.message, "the service failed in the middle of its answer: Model broke");
    }
}
