//! Statuses, bodies and headers of services, and the errors they are.

use super::*;

/// Shows an error as `kind code retry sent`.
fn shown(error: &Error) -> String {
    let kind = format!("{:?}", error.kind).replace("ErrorKind::", "");
    let retry = error.retry_after_ms.map_or("-".to_owned(), |retry| retry.to_string());
    format!("{kind} {} {retry} {}", error.code.as_deref().unwrap_or("-"), error.sent)
}

#[track_caller]
fn check(status: u16, headers: &[(&str, &str)], body: &str, expected: &str) {
    let headers = headers.iter().copied().collect();
    let error = ServiceError::parse(body.as_bytes()).into_status_error(status, &headers);
    assert_eq!(shown(&error), expected, "{error:?}");
}

#[test]
fn each_status_has_its_kind() {
    check(400, &[], "", "InvalidInput 400 - false");
    check(401, &[], "", "Unauthenticated 401 - false");
    check(402, &[], "", "Denied 402 - false");
    check(403, &[], "", "Denied 403 - false");
    check(404, &[], "", "NotFound 404 - false");
    check(408, &[], "", "Timeout 408 1000 true");
    check(409, &[], "", "Conflict 409 - false");
    check(409, &[("retry-after", "2")], "", "Conflict 409 2000 false");
    check(413, &[], "", "TooLarge 413 - false");
    check(422, &[], "", "InvalidInput 422 - false");
    check(429, &[], "", "RateLimited 429 1000 false");
    check(500, &[], "", "Unavailable 500 1000 true");
    check(501, &[], "", "Unsupported 501 - false");
    check(503, &[], "", "Unavailable 503 1000 false");
    check(504, &[], "", "Unavailable 504 1000 true");
    check(529, &[], "", "Unavailable 529 1000 false");
    check(302, &[("location", "https://new.example")], "", "Other 302 - false");
}

#[test]
fn times_to_wait() {
    check(429, &[("Retry-After", "7")], "", "RateLimited 429 7000 false");
    check(429, &[("retry-after", "0.25")], "", "RateLimited 429 250 false");
    check(429, &[("retry-after", "7"), ("retry-after-ms", "12.5")], "", "RateLimited 429 13 false");
    let date = ("date", "Wed, 21 Oct 2026 07:28:00 GMT");
    check(
        429,
        &[("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT"), date],
        "",
        "RateLimited 429 30000 false",
    );
    check(
        429,
        &[("retry-after", "Wed, 21 Oct 2026 07:27:30 GMT"), date],
        "",
        "RateLimited 429 0 false",
    );
    check(
        429,
        &[("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT")],
        "",
        "RateLimited 429 1000 false",
    );
    check(429, &[("retry-after", "-3")], "", "RateLimited 429 1000 false");
    check(429, &[("retry-after", "1e300")], "", "RateLimited 429 4294967295 false");
    check(429, &[("retry-after", "soon")], "", "RateLimited 429 1000 false");
    check(503, &[("x-should-retry", "false")], "", "Unavailable 503 - false");
    check(
        429,
        &[],
        r#"{"error":{"code":"insufficient_quota"}}"#,
        "RateLimited insufficient_quota - false",
    );
}

#[test]
fn bodies_give_message_and_code() {
    let parse = |body: &str| {
        let error = ServiceError::parse(body.as_bytes());
        format!("{}|{}", error.message, error.code.unwrap_or_default())
    };
    assert_eq!(parse(r#"{"error":{"message":"No.","type":"t","code":"c"}}"#), "No.|c");
    assert_eq!(parse(r#"{"error":{"message":"No","type":"t","code":null}}"#), "No|t");
    assert_eq!(parse(r#"[{"error":{"code":400,"message":"No","status":"X"}}]"#), "No|400");
    assert_eq!(parse(r#"{"error":"No"}"#), "No|");
    assert_eq!(parse(r#"{"message":"No","code":7}"#), "No|7");
    assert_eq!(parse(r#"{"detail":[{"msg":"x"}]}"#), "[{\"msg\":\"x\"}]|");
    assert_eq!(parse("<h1>\n  Bad\tGateway\u{7}</h1>"), "<h1> Bad Gateway</h1>|");
    assert_eq!(parse(""), "|");
    assert_eq!(parse(&"é".repeat(1000)), format!("{}…|", "é".repeat(600)));
}

#[test]
fn a_full_context_is_too_large() {
    check(
        400,
        &[],
        r#"{"error":{"code":"context_length_exceeded"}}"#,
        "TooLarge context_length_exceeded - false",
    );
    check(
        400,
        &[],
        r#"{"error":{"message":"This model's maximum context length is 8192 tokens."}}"#,
        "TooLarge 400 - false",
    );
    check(400, &[], "prompt is too long: 200001 tokens > 200000 maximum", "TooLarge 400 - false");
    check(429, &[], "too many tokens per minute", "RateLimited 429 1000 false");
}

#[test]
fn the_sentence_says_what_to_do() {
    let headers = Headers::default();
    let error = ServiceError::parse(b"{\"error\":{\"message\":\"Bad key.\"}}")
        .into_status_error(401, &headers);
    assert_eq!(
        error.message,
        "the service answered with status `401`: Bad key; check the stored credential"
    );
    let error = ServiceError::default().into_status_error(500, &headers);
    assert_eq!(error.message, "the service answered with status `500`");
}

#[test]
fn failures_in_the_middle_were_sent() {
    let stream = |body: &str| shown(&ServiceError::parse(body.as_bytes()).into_stream_error());
    assert_eq!(
        stream(r#"{"error":{"type":"server_error","message":"x"}}"#),
        "Unavailable server_error 1000 true"
    );
    assert_eq!(stream(r#"{"error":{"code":429}}"#), "RateLimited 429 1000 true");
    assert_eq!(
        stream(r#"{"error":{"code":"rate_limit_exceeded"}}"#),
        "RateLimited rate_limit_exceeded 1000 true"
    );
    assert_eq!(
        stream(r#"{"error":{"code":"context_length_exceeded"}}"#),
        "TooLarge context_length_exceeded - true"
    );
    assert_eq!(stream("{}"), "Unavailable - 1000 true");
}

#[test]
fn a_delay_in_the_body_is_read_where_no_header_has_one() {
    let body = r#"{"error":{"code":429,"message":"Quota.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}]}}"#;
    check(429, &[], body, "RateLimited 429 34400 false");
    check(429, &[("retry-after", "2")], body, "RateLimited 429 2000 false");
    check(429, &[], &body.replace("34.4s", "soon"), "RateLimited 429 1000 false");
    let body =
        r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key."}}"#;
    check(400, &[], body, "Unauthenticated 400 - false");
}
