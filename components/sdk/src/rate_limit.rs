//! What the headers of an answer say about rate limits, as an event of kind `hydroid/rate-limit`.
//!
//! Not a limiter: nothing waits here. The JSON of the event is
//!
//! ```json
//! {"requests": {"limit": 60, "remaining": 59, "reset_ms": 1000},
//!  "tokens": {"limit": 90000, "remaining": 89000, "reset_ms": 400}}
//! ```
//!
//! with `requests`, `tokens`, `input_tokens` and `output_tokens` where the service names them,
//! and each field only where it is known. `reset_ms` counts from the answer.

use serde_json::{Map, Value};

use crate::provider::{Event, Ext};
use crate::web::Headers;

/// The kind of the event.
pub const KIND: &str = "hydroid/rate-limit";

/// Where a limit is named: the field of the event, and the headers that hold its parts, in the
/// ways services write them. `{}` is `limit`, `remaining` or `reset`.
const SOURCES: &[(&str, &[&str])] = &[
    (
        "requests",
        &[
            "x-ratelimit-{}-requests",
            "anthropic-ratelimit-requests-{}",
            "x-ratelimit-{}-requests-minute",
            "x-ratelimit-{}",
            "ratelimit-{}",
        ],
    ),
    (
        "tokens",
        &[
            "x-ratelimit-{}-tokens",
            "anthropic-ratelimit-tokens-{}",
            "x-ratelimit-{}-tokens-minute",
            "x-ratelimitbysize-{}-minute",
        ],
    ),
    ("input_tokens", &["anthropic-ratelimit-input-tokens-{}"]),
    ("output_tokens", &["anthropic-ratelimit-output-tokens-{}"]),
];

/// The event, if the headers say anything.
pub fn event(headers: &Headers) -> Option<Event> {
    let mut limits = Map::new();
    for (field, patterns) in SOURCES {
        let value = |part: &str| {
            patterns.iter().find_map(|pattern| headers.get(&pattern.replace("{}", part)))
        };
        let mut limit = Map::new();
        for part in ["limit", "remaining"] {
            if let Some(count) = value(part).and_then(count) {
                limit.insert(part.to_owned(), count.into());
            }
        }
        if let Some(reset) = value("reset").and_then(|reset| reset_ms(reset, headers)) {
            limit.insert("reset_ms".to_owned(), reset.into());
        }
        if limit.contains_key("limit") || limit.contains_key("remaining") {
            limits.insert((*field).to_owned(), Value::Object(limit));
        }
    }
    let json = Value::Object(limits).to_string();
    (json != "{}").then(|| Event::Other(Ext { kind: KIND.to_owned(), json }))
}

/// `60`, `60.0`, or `60, 60;w=60` as one standard draft writes it.
fn count(text: &str) -> Option<u64> {
    let number: f64 = text.split([',', ';']).next()?.trim().parse().ok()?;
    // A cast from float saturates, which is what is wanted of absurd numbers.
    (number.is_finite() && number >= 0.0).then_some(number as u64)
}

/// Milliseconds from the answer: a duration such as `6m0.5s` or `20ms`, seconds, a moment in Unix
/// time in seconds or milliseconds, or a date. A moment is compared with the service's own `date`.
fn reset_ms(text: &str, headers: &Headers) -> Option<u64> {
    let text = text.trim();
    let now = || {
        let date = httpdate::parse_http_date(headers.get("date")?).ok()?;
        let since = date.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok()
    };
    if let Ok(number) = text.parse::<f64>() {
        // Nobody waits eleven days for a limit, so a number this large is a moment.
        const LONGEST: f64 = 1e6;
        return match number {
            n if !n.is_finite() || n < 0.0 => None,
            n if n < LONGEST => Some((n * 1000.0).ceil() as u64),
            n if n < 1e11 => Some(((n * 1000.0) as u64).saturating_sub(now()?)),
            n => Some((n as u64).saturating_sub(now()?)),
        };
    }
    if let Some(moment) = timestamp_ms(text) {
        return Some(moment.saturating_sub(now()?));
    }
    duration_ms(text)
}

fn duration_ms(text: &str) -> Option<u64> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let factor = match unit.trim() {
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 6e4,
            "h" => 3.6e6,
            "d" => 8.64e7,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    (total.is_finite() && !text.is_empty()).then_some(total.ceil() as u64)
}

/// `2025-01-02T03:04:05Z`, with or without a fraction, in Unix milliseconds.
fn timestamp_ms(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.splitn(3, ':');
    let (hour, minute) = (time.next()?.parse::<u64>().ok()?, time.next()?.parse::<u64>().ok()?);
    let second: f64 = time.next()?.parse().ok()?;
    if !(1970..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || !(0.0..61.0).contains(&second)
    {
        return None;
    }
    // Days since the epoch, counting years from March so that a leap day is the last of its year.
    let (shifted_year, shifted_month) =
        if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let days = shifted_year * 365 + shifted_year / 4 - shifted_year / 100
        + shifted_year / 400
        + day_of_year;
    let days = days.checked_sub(719_468)?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60;
    Some(seconds * 1000 + (second * 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(headers: &[(&str, &str)], expected: Option<&str>) {
        let headers: Headers = headers.iter().copied().collect();
        let json = event(&headers).map(|event| match event {
            Event::Other(ext) => ext.json,
            other => format!("{other:?}"),
        });
        assert_eq!(json.as_deref(), expected);
    }

    #[test]
    fn limits_of_services_are_read() {
        check(
            &[
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "59"),
                ("x-ratelimit-reset-requests", "1m0.5s"),
                ("x-ratelimit-remaining-tokens", "149984"),
                ("x-ratelimit-reset-tokens", "6ms"),
            ],
            Some(
                r#"{"requests":{"limit":60,"remaining":59,"reset_ms":60500},"tokens":{"remaining":149984,"reset_ms":6}}"#,
            ),
        );
        check(
            &[
                ("date", "Thu, 02 Jan 2025 03:04:05 GMT"),
                ("anthropic-ratelimit-input-tokens-limit", "1000"),
                ("anthropic-ratelimit-input-tokens-reset", "2025-01-02T03:04:07.25Z"),
            ],
            Some(r#"{"input_tokens":{"limit":1000,"reset_ms":2250}}"#),
        );
        check(
            &[
                ("date", "Thu, 02 Jan 2025 03:04:05 GMT"),
                ("x-ratelimit-limit", "20"),
                ("x-ratelimit-reset", "1735787046000"),
            ],
            Some(r#"{"requests":{"limit":20,"reset_ms":1000}}"#),
        );
        check(
            &[("ratelimit-limit", "100, 100;w=60"), ("ratelimit-reset", "30")],
            Some(r#"{"requests":{"limit":100,"reset_ms":30000}}"#),
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        check(&[], None);
        check(&[("x-ratelimit-reset-requests", "1s")], None);
        check(&[("x-ratelimit-limit", "many")], None);
        check(
            &[("x-ratelimit-limit", "5"), ("x-ratelimit-reset", "soon")],
            Some(r#"{"requests":{"limit":5}}"#),
        );
        // A moment without a date to compare with.
        check(
            &[("x-ratelimit-limit", "5"), ("x-ratelimit-reset", "1735787046")],
            Some(r#"{"requests":{"limit":5}}"#),
        );
    }
}
