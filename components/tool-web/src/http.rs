//! GET over `wasi:http/outgoing-handler`. Not a client with a mind of its own: no redirects,
//! no retries, no cookies.

use hydroid_component::control;
use hydroid_component::types::Error;
use url::Url;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingRequest, RequestOptions,
    Scheme, http_error_code,
};
use wasip2::io::streams::StreamError;

/// Bytes asked for at once.
const CHUNK: u64 = 64 * 1024;

/// Time kept back for making an answer of what came, or of the timeout.
const RESERVE_MS: u32 = 1000;

/// Sending a GET.
pub(crate) trait Http {
    /// Sends it and waits for the response's head. Redirects are returned.
    fn get(&self, url: &Url) -> Result<Reply, Failure>;
}

/// The head of a response, and its body to come.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// Reads at most so many bytes of the body.
    pub(crate) read: Box<dyn FnOnce(usize) -> Result<Body, Failure>>,
}

impl Reply {
    /// The first header of this name, as text.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

/// Bytes of a body.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    /// There was more.
    pub(crate) is_cut: bool,
}

/// Why there is no response.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The host's rules do not allow the request.
    Denied,
    /// The address is private or special.
    PrivateAddress,
    /// The name has no address.
    UnknownHost,
    /// Nobody listens there.
    Unreachable,
    /// It took too long.
    Timeout,
    /// The connection cannot be trusted.
    Tls,
    /// Anything else, in the words of the interface.
    Other(String),
    /// The call is to end.
    Cancelled(Error),
}

/// The host's network, under its rules.
pub(crate) struct WasiHttp;

impl Http for WasiHttp {
    fn get(&self, url: &Url) -> Result<Reply, Failure> {
        let refused = |what: &str| Failure::Other(format!("the host did not take the {what}"));
        let headers = Fields::from_list(&[
            ("accept".to_owned(), b"text/html, application/json, text/*, */*;q=0.5".to_vec()),
            // The body is read as it comes, so a packed one would be of no use.
            ("accept-encoding".to_owned(), b"identity".to_vec()),
            (
                "user-agent".to_owned(),
                concat!("hydroid-tool-web/", env!("CARGO_PKG_VERSION")).into(),
            ),
        ])
        .map_err(|_| refused("headers"))?;
        let scheme = if url.scheme() == "http" { Scheme::Http } else { Scheme::Https };
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let request = OutgoingRequest::new(headers);
        request.set_method(&Method::Get).map_err(|()| refused("method"))?;
        request.set_scheme(Some(&scheme)).map_err(|()| refused("scheme"))?;
        request.set_authority(Some(url.authority())).map_err(|()| refused("host name"))?;
        request.set_path_with_query(Some(path)).map_err(|()| refused("path"))?;

        let milliseconds = control::remaining_ms().saturating_sub(RESERVE_MS).max(1);
        let timeout = u64::from(milliseconds) * 1_000_000;
        let options = RequestOptions::new();
        options.set_connect_timeout(Some(timeout)).map_err(|()| refused("timeout"))?;
        options.set_first_byte_timeout(Some(timeout)).map_err(|()| refused("timeout"))?;
        options.set_between_bytes_timeout(Some(timeout)).map_err(|()| refused("timeout"))?;

        let answer = outgoing_handler::handle(request, Some(options))?;
        let waiting = answer.subscribe();
        waiting.block();
        drop(waiting);
        let response = match answer.get() {
            Some(Ok(response)) => response?,
            Some(Err(())) | None => return Err(Failure::Other("no response came".to_owned())),
        };
        Ok(Reply {
            status: response.status(),
            headers: response.headers().entries(),
            read: Box::new(move |limit| read(&response, limit)),
        })
    }
}

fn read(response: &IncomingResponse, limit: usize) -> Result<Body, Failure> {
    let broken = || Failure::Other("the body could not be opened".to_owned());
    let body: IncomingBody = response.consume().map_err(|()| broken())?;
    let stream = body.stream().map_err(|()| broken())?;
    let mut bytes = Vec::new();
    loop {
        control::check_cancelled().map_err(Failure::Cancelled)?;
        match stream.blocking_read(CHUNK) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(Body { bytes, is_cut: false }),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(match http_error_code(&error) {
                    Some(code) => code.into(),
                    None => Failure::Other(error.to_debug_string()),
                });
            }
        }
        if bytes.len() > limit {
            bytes.truncate(limit);
            return Ok(Body { bytes, is_cut: true });
        }
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::HttpRequestDenied => Failure::Denied,
            ErrorCode::DestinationIpProhibited => Failure::PrivateAddress,
            ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => Failure::UnknownHost,
            ErrorCode::ConnectionRefused
            | ErrorCode::DestinationUnavailable
            | ErrorCode::DestinationIpUnroutable => Failure::Unreachable,
            ErrorCode::DnsTimeout
            | ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::ConnectionWriteTimeout
            | ErrorCode::HttpResponseTimeout => Failure::Timeout,
            ErrorCode::TlsProtocolError
            | ErrorCode::TlsCertificateError
            | ErrorCode::TlsAlertReceived(_) => Failure::Tls,
            ErrorCode::InternalError(Some(reason)) => Failure::Other(reason),
            // Forty more that a reader can do nothing about but read.
            other => Failure::Other(format!("{other:?}")),
        }
    }
}
