//! What stands before every request: that it is meant for this host by its name, that it does not
//! come from a page of somebody else, and what headers every answer has. Whose token it is comes
//! afterwards.

use crate::figures::count;
use crate::refusal::Refusal;
use crate::server::{Listener, Peer};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use hydroid_core::protocol::ErrorCode;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Headers of every answer. The page has no script and no style but its own files, and no other
/// page shows it or is told of it.
const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=()"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

/// Refusals that say something of whoever asks.
const LOGGED: [StatusCode; 4] = [
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::TOO_MANY_REQUESTS,
];

/// Lets through what is meant for this host and comes from no page of somebody else.
pub(crate) async fn guard(
    State(listener): State<Arc<Listener>>,
    request: Request,
    next: Next,
) -> Response {
    count(&listener.figures.requests);
    let checked = check(&listener, &request);
    let path = request.uri().path().to_owned();
    let peer = request.extensions().get::<Peer>().cloned();
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if listener.is_tls() {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    let status = response.status();
    if status.is_server_error() {
        tracing::warn!(path, status = status.as_u16(), "a request failed");
    } else if LOGGED.contains(&status) {
        // Why is for whoever asked; here is who tried what. Wrong tokens are told where they are
        // looked at.
        let peer = peer.map(|peer| peer.address.to_string());
        tracing::info!(peer, path = shown(&path), status = status.as_u16(), "refused a request");
    }
    response
}

fn check(listener: &Listener, request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let host = named(request.uri(), headers);
    if !host.is_some_and(|host| is_ours(listener, host)) {
        count(&listener.figures.refused_host);
        tracing::warn!(host = host.map(shown), "refused a request for another host");
        return Err(Refusal::new(
            ErrorCode::Forbidden,
            "this host is not called so; the operator can add the name to `gateway.hosts`",
        ));
    }
    if !headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let origin = one(headers, &header::ORIGIN);
    if !origin.is_some_and(|origin| is_own_origin(listener, origin, host.unwrap_or_default())) {
        count(&listener.figures.refused_origin);
        tracing::warn!(origin = origin.map(shown), "refused a request of another page");
        return Err(Refusal::new(
            ErrorCode::Forbidden,
            "this page may not speak to the host; the operator can add its origin to `gateway.origins`",
        ));
    }
    Ok(())
}

/// The host a request is for. HTTP/2 says it in the target, HTTP/1.1 in a header; who says it in
/// both says the same.
fn named<'a>(target: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let target = target.authority().map(|authority| authority.as_str());
    if !headers.contains_key(header::HOST) {
        return target;
    }
    let host = one(headers, &header::HOST)?;
    target.is_none_or(|target| target.eq_ignore_ascii_case(host)).then_some(host)
}

/// The only value of a header; none if it is absent, there twice, or no text.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn shown(text: &str) -> String {
    text.chars().take(100).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// True for names and addresses that are this host's. A name that merely resolves to it, as a page
/// of somebody else can arrange, is none.
fn is_ours(listener: &Listener, host: &str) -> bool {
    let name = without_port(host);
    let bound = listener.address;
    if let Ok(address) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        // An address cannot be made to mean another one.
        return bound.ip().is_unspecified()
            || address == bound.ip()
            || is_loopback_pair(address, bound);
    }
    let name = name.to_ascii_lowercase();
    (name == "localhost" && (bound.ip().is_loopback() || bound.ip().is_unspecified()))
        || listener.config.hosts.iter().any(|own| own.eq_ignore_ascii_case(&name))
}

fn is_loopback_pair(address: IpAddr, bound: SocketAddr) -> bool {
    address.is_loopback() && bound.ip().is_loopback()
}

fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        return host.split_once(']').map_or(host, |(inside, _)| inside);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// True if a page of this origin is the host's own, or one that was configured.
fn is_own_origin(listener: &Listener, origin: &str, host: &str) -> bool {
    let scheme = if listener.is_tls() { "https" } else { "http" };
    let own = origin.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
    // A host behind something that has TLS is reached as https.
    let behind = listener.config.insecure.then(|| origin.strip_prefix("https://")).flatten();
    own.is_some_and(|own| own.eq_ignore_ascii_case(host))
        || behind.is_some_and(|own| own.eq_ignore_ascii_case(host))
        || listener.config.origins.iter().any(|allowed| allowed == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_header_is_split_from_its_port() {
        for (host, expect) in [
            ("localhost:7717", "localhost"),
            ("localhost", "localhost"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("[::1]:7717", "[::1"),
            ("a:b:c", "a:b"),
            ("", ""),
        ] {
            assert_eq!(without_port(host), expect);
        }
    }

    #[test]
    fn a_host_that_is_named_twice_is_named_alike() {
        let named_by = |target: &'static str, host: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert(header::HOST, HeaderValue::from_static(host));
            }
            named(&Uri::from_static(target), &headers).map(str::to_owned)
        };
        assert_eq!(named_by("/a", Some("own:1")).as_deref(), Some("own:1"));
        assert_eq!(named_by("https://own:1/a", None).as_deref(), Some("own:1"));
        assert_eq!(named_by("https://OWN:1/a", Some("own:1")).as_deref(), Some("own:1"));
        assert_eq!(named_by("https://evil.example/a", Some("own:1")), None);
        assert_eq!(named_by("/a", None), None);
    }

    #[test]
    fn a_header_that_is_there_twice_is_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, HeaderValue::from_static("a"));
        assert_eq!(one(&headers, &header::HOST), Some("a"));
        headers.append(header::HOST, HeaderValue::from_static("b"));
        assert_eq!(one(&headers, &header::HOST), None);
    }
}
