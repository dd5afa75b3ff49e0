//! Answers of hosts on a tape: played to a component that is tried out, or recorded for it once.
//! What a grant does not cover is refused before the tape is asked, as it is otherwise.

use super::client::{Outgoing, Recorded};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Header lines that are of one connection, or say when it was, and nothing to a component.
const LEFT_OUT: [&str; 8] = [
    "age",
    "alt-svc",
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "server",
    "transfer-encoding",
];

/// One request and its answer. The credential that the host attached is not in it, and the answer
/// is as the component saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Method.
    pub method: String,
    /// Whole URL.
    pub url: String,
    /// Body of the request, if it had one: text, or base64 after `base64:`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// Status of the answer.
    pub status: u16,
    /// Its header lines.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Its body: text, or base64 after `base64:`.
    #[serde(default)]
    pub text: String,
}

/// What is on the tape, and whether more may be recorded.
#[derive(Debug, Default)]
pub struct Tape {
    exchanges: Mutex<Vec<Exchange>>,
    /// How often each was played: a request made twice is answered by the second of its kind.
    played: Mutex<BTreeMap<(String, String, String), usize>>,
    records: bool,
}

impl Tape {
    /// A tape that is only played.
    pub fn playing(exchanges: Vec<Exchange>) -> Self {
        Self { exchanges: Mutex::new(exchanges), played: Mutex::default(), records: false }
    }

    /// An empty tape to record on.
    pub fn recording() -> Self {
        Self { exchanges: Mutex::default(), played: Mutex::default(), records: true }
    }

    /// What is on it.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins anew, for another case: the first of each kind is played first again.
    pub fn rewind(&self) {
        self.played.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// True if requests are sent and their answers kept.
    pub(super) fn records(&self) -> bool {
        self.records
    }

    /// What was recorded for a request.
    pub(super) fn play(&self, outgoing: &Outgoing) -> Option<Recorded> {
        let key = key(outgoing);
        let exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind: Vec<&Exchange> = exchanges
            .iter()
            .filter(|exchange| {
                exchange.method == key.0 && exchange.url == key.1 && exchange.body == key.2
            })
            .collect();
        let mut played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
        let times = played.entry(key).or_default();
        let exchange = of_kind.get(*times).or(of_kind.last())?;
        *times += 1;
        Some(Recorded {
            status: exchange.status,
            headers: headers(&exchange.headers),
            body: bytes(&exchange.text),
        })
    }

    /// Keeps an answer.
    pub(super) fn keep(&self, outgoing: &Outgoing, recorded: &Recorded) {
        let (method, url, body) = key(outgoing);
        let headers =
            recorded.headers.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
        let exchange = Exchange {
            method,
            url,
            body,
            status: recorded.status,
            headers: headers
                .filter_map(|(name, value)| {
                    Some((name.to_string(), value.to_str().ok()?.to_owned()))
                })
                .collect(),
            text: text(&recorded.body),
        };
        let mut exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        exchanges.push(exchange);
    }
}

fn key(outgoing: &Outgoing) -> (String, String, String) {
    (outgoing.method.to_string(), outgoing.target.url().to_string(), text(&outgoing.body))
}

/// How base64 is told from text, which then does not begin so.
const BASE64: &str = "base64:";

fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with(BASE64) => text.to_owned(),
        Ok(_) | Err(_) => format!("{BASE64}{}", STANDARD.encode(bytes)),
    }
}

fn bytes(text: &str) -> Bytes {
    let decoded = text.strip_prefix(BASE64).and_then(|rest| STANDARD.decode(rest).ok());
    decoded.map_or_else(|| Bytes::copy_from_slice(text.as_bytes()), Bytes::from)
}

fn headers(lines: &[(String, String)]) -> HeaderMap {
    let lines = lines.iter().filter_map(|(name, value)| {
        Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Target;

    fn outgoing(url: &str, body: &[u8]) -> Outgoing {
        Outgoing {
            target: Target::parse(url).unwrap(),
            method: http::Method::POST,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body),
            timeout: None,
        }
    }

    fn recorded(body: &[u8]) -> Recorded {
        Recorded { status: 200, headers: HeaderMap::new(), body: Bytes::copy_from_slice(body) }
    }

    #[test]
    fn what_was_recorded_is_played_in_order_and_the_last_again() {
        let tape = Tape::recording();
        let request = outgoing("https://a.example/", b"x");
        tape.keep(&request, &recorded(b"one"));
        tape.keep(&request, &recorded(b"two"));
        let tape = Tape::playing(tape.exchanges());
        let next = || tape.play(&request).map(|recorded| recorded.body);
        assert_eq!(next().as_deref(), Some(&b"one"[..]));
        assert_eq!(next().as_deref(), Some(&b"two"[..]));
        assert_eq!(next().as_deref(), Some(&b"two"[..]));
        tape.rewind();
        assert_eq!(next().as_deref(), Some(&b"one"[..]));
    }

    #[test]
    fn another_request_is_not_answered() {
        let tape = Tape::recording();
        tape.keep(&outgoing("https://a.example/", b"x"), &recorded(b"one"));
        assert!(tape.play(&outgoing("https://a.example/", b"y")).is_none());
        assert!(tape.play(&outgoing("https://a.example/b", b"x")).is_none());
    }

    #[test]
    fn any_bytes_survive_the_file() {
        for body in [&b"text"[..], b"\xff\x00", b"base64:AAAA", b""] {
            assert_eq!(&bytes(&text(body))[..], body);
        }
    }
}
