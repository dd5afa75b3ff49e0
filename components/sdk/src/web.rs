//! HTTP for components: a request builder with a credential by name, and bodies read in pieces.
//!
//! Not a general client: no redirects, cookies or pools, and no way to read a credential. The
//! host decides what is allowed and attaches the secret outside the component.

mod failure;

use serde::Serialize;

use crate::bindings::imports::hydroid::cap::{secrets, web};
use crate::types::{Error, ErrorKind};

pub use crate::bindings::imports::hydroid::cap::web::Attach;
pub use failure::ServiceError;

/// One piece of a body; large enough that a fast stream costs few calls, small enough to be
/// handed on at once.
pub const PIECE: u32 = 64 << 10;
/// Of an answer that refuses, only the first bytes are read: the message is at its start.
const MAX_REFUSAL: usize = 64 << 10;

/// What is said instead of a place to mean the one of the manifest.
const AS_DECLARED: &str = "manifest";

/// A request that is being put together.
#[derive(Clone, Debug)]
pub struct Fetch {
    request: web::Request,
    credential: Option<(String, Attach)>,
}

impl Fetch {
    /// `GET` without a body.
    pub fn get(url: impl Into<String>) -> Self {
        let request = web::Request {
            method: "GET".to_owned(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: None,
        };
        Self { request, credential: None }
    }

    /// `POST` with a JSON body.
    pub fn post_json(url: impl Into<String>, body: &impl Serialize) -> Result<Self, Error> {
        let mut fetch = Self::get(url);
        fetch.request.method = "POST".to_owned();
        fetch.request.body = serde_json::to_vec(body).map_err(|error| {
            Error::internal(format!("the request does not become JSON: {error}"))
        })?;
        Ok(fetch.header("content-type", "application/json"))
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.request.headers.push(web::Header { name: name.into(), value: value.into() });
        self
    }

    /// Time to the first byte of the answer.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Self {
        self.request.timeout_ms = Some(timeout_ms);
        self
    }

    /// Lets the host use the secret of this name as the manifest declares it: at any place there
    /// is, through a signer, or exchanged for a token.
    #[must_use]
    pub fn declared_credential(self, name: impl Into<String>) -> Self {
        self.credential(name, Attach::Other(AS_DECLARED.to_owned()))
    }

    /// Lets the host sign with the secret of this name as the manifest declares it, for this
    /// region. The manifest leaves the region to the request with `region = "{region}"`.
    #[must_use]
    pub fn signed_credential(self, name: impl Into<String>, region: &str) -> Self {
        self.credential(name, Attach::Other(format!("{AS_DECLARED} region={region}")))
    }

    /// Lets the host attach the secret of this name at this place, which is the manifest's too.
    #[must_use]
    pub fn credential(mut self, name: impl Into<String>, attach: Attach) -> Self {
        self.credential = Some((name.into(), attach));
        self
    }

    /// Sends the request and waits for the head of the answer, whatever its status is.
    pub fn send(&self) -> Result<Response, Error> {
        let secret = self.credential.as_ref().map(|(name, _)| secrets::open(name)).transpose()?;
        let credential = secret.as_ref().zip(self.credential.as_ref().map(|(_, attach)| attach));
        let response = web::fetch(&self.request, credential)?;
        let headers = response.headers().into_iter().map(|header| (header.name, header.value));
        Ok(Response {
            status: response.status(),
            headers: Headers(headers.collect()),
            body: response,
        })
    }

    /// Sends the request; an answer that is not a success becomes the error it stands for.
    pub fn send_for_success(&self) -> Result<Response, Error> {
        let mut response = self.send()?;
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        // The status is what counts: a body that breaks off still refuses.
        let (body, _whole) = read_at_most(&mut response, MAX_REFUSAL).unwrap_or_default();
        Err(ServiceError::parse(&body).into_status_error(response.status, &response.headers))
    }
}

/// An answer whose body has not been read yet. Dropping it closes the exchange.
#[derive(Debug)]
pub struct Response {
    /// HTTP status code.
    pub status: u16,
    /// Header lines.
    pub headers: Headers,
    body: web::Response,
}

/// A body that is read in pieces.
pub trait Body {
    /// Blocks for at least one byte; none at the end.
    fn read(&mut self) -> Result<Option<Vec<u8>>, Error>;
}

impl Body for Response {
    fn read(&mut self) -> Result<Option<Vec<u8>>, Error> {
        // The request is out, whatever happens to its answer.
        self.body.read(PIECE).map_err(|error| Error { sent: true, ..error })
    }
}

/// The first bytes of a body, at most `limit`, and whether that was the whole of it.
pub fn read_at_most(body: &mut impl Body, limit: usize) -> Result<(Vec<u8>, bool), Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.read()? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > limit {
            bytes.truncate(limit);
            return Ok((bytes, false));
        }
    }
    Ok((bytes, true))
}

/// Asks for a stream, if that is wanted, and for a whole answer where the service or a gateway
/// before it refuses to stream. Nothing was done then, so nothing is asked twice.
pub fn stream_or_whole<T>(
    stream: bool,
    mut ask: impl FnMut(bool) -> Result<T, Error>,
) -> Result<T, Error> {
    match ask(stream) {
        Err(error) if stream && refuses_to_stream(&error) => ask(false),
        asked => asked,
    }
}

/// True if what is refused is the stream. There is no code for that anywhere; all who refuse it name
/// it.
fn refuses_to_stream(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::InvalidInput | ErrorKind::Unsupported)
        && !error.sent
        && error.message.to_lowercase().contains("stream")
}

/// The whole body; more than `limit` bytes are an error.
pub fn read_all(body: &mut impl Body, limit: usize) -> Result<Vec<u8>, Error> {
    match read_at_most(body, limit)? {
        (bytes, true) => Ok(bytes),
        (_, false) => Err(Error {
            sent: true,
            ..Error::new(ErrorKind::TooLarge, format!("the service sent more than {limit} bytes"))
        }),
    }
}

/// Header lines of an answer.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// The first line of this name, without case, if its value is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok().map(str::trim)
    }

    /// The media type of the body, lower case and without parameters.
    pub fn media_type(&self) -> Option<String> {
        let value = self.get("content-type")?;
        Some(value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase())
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(lines: I) -> Self {
        Self(lines.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pieces(Vec<&'static str>);

    impl Body for Pieces {
        fn read(&mut self) -> Result<Option<Vec<u8>>, Error> {
            Ok((!self.0.is_empty()).then(|| self.0.remove(0).into()))
        }
    }

    #[test]
    fn bodies_are_bounded() {
        assert_eq!(read_all(&mut Pieces(vec!["ab", "c"]), 3).expect("fits"), b"abc");
        let error = read_all(&mut Pieces(vec!["ab", "cd"]), 3).expect_err("too large");
        assert!(matches!(error.kind, ErrorKind::TooLarge) && error.sent, "{error:?}");
        assert_eq!(
            read_at_most(&mut Pieces(vec!["ab", "cd"]), 3).expect("cut"),
            (b"abc".to_vec(), false)
        );
    }

    #[test]
    fn headers_are_found_without_case() {
        let headers: Headers =
            [("Content-Type", "Text/Event-Stream; charset=utf-8")].into_iter().collect();
        assert_eq!(headers.get("content-type"), Some("Text/Event-Stream; charset=utf-8"));
        assert_eq!(headers.media_type().as_deref(), Some("text/event-stream"));
        assert_eq!(headers.get("date"), None);
    }
}

#[cfg(test)]
mod stream_tests {
    use super::*;

    fn asked(error: &Error) -> (Result<&'static str, Error>, Vec<bool>) {
        let mut asked = Vec::new();
        let result = stream_or_whole(true, |stream| {
            asked.push(stream);
            if stream { Err(error.clone()) } else { Ok("whole") }
        });
        (result, asked)
    }

    #[test]
    fn what_refuses_to_stream_is_asked_once_for_a_whole_answer() {
        let refusal = Error::new(ErrorKind::InvalidInput, "Unsupported value: 'stream'");
        let (result, times) = asked(&refusal);
        assert_eq!((result.unwrap(), times), ("whole", vec![true, false]));
    }

    #[test]
    fn any_other_refusal_stands() {
        let sent = Error { sent: true, ..Error::new(ErrorKind::InvalidInput, "the stream broke") };
        for error in [
            Error::new(ErrorKind::InvalidInput, "no such model"),
            Error::new(ErrorKind::RateLimited, "too many streams"),
            sent,
        ] {
            let (result, times) = asked(&error);
            assert!(result.is_err() && times == [true], "{error:?}");
        }
        let mut times = 0;
        let result: Result<(), Error> = stream_or_whole(false, |_| {
            times += 1;
            Err(Error::new(ErrorKind::InvalidInput, "stream"))
        });
        assert!(result.is_err() && times == 1);
    }
}
