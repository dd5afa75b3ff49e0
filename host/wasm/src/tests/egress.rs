//! The door, with real servers on loopback as canaries.

mod canary;
mod dns;
mod guard;
mod limits;
mod names;
mod redirects;
mod rules;
mod secure;
mod sent;
mod signing_in;
mod ssrf;
mod stopped;

use super::{scene, text};
use crate::egress::{Credential, Egress, EgressError, EgressSettings, Outgoing, Target};
use hydroid_core::capability::{Grant, Profile};
use hydroid_core::config;
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::Place;
use hydroid_core::ports::SecretValue;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Answers every request with its own head, and some paths in other ways.
pub(super) fn echo_server() -> SocketAddr {
    counting_server().0
}

fn counting_server() -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let hits = Arc::new(AtomicU32::new(0));
    let count = hits.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            count.fetch_add(1, Ordering::Relaxed);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = String::new();
                while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
                let path = head.split_whitespace().nth(1).unwrap_or("/").to_owned();
                let answer = match path.as_str() {
                    "/redirect" => "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n".to_owned(),
                    "/cookie" => "HTTP/1.1 200 OK\r\nConnection: close\r\nSet-Cookie: a=b\r\nWWW-Authenticate: Basic\r\nX-Other: yes\r\nContent-Length: 2\r\n\r\nok".to_owned(),
                    "/html" => "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 59\r\n\r\n<html><title>T</title><body><h1>Hi</h1><p>there</p></body>\n".to_owned(),
                    "/packed" => "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok".to_owned(),
                    "/endless" => {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
                        while stream.write_all(&[b'x'; 8192]).is_ok() {}
                        return;
                    }
                    "/silent" => {
                        let _ = reader.read(&mut [0]);
                        return;
                    }
                    _ => format!("HTTP/1.1 200 OK\r\nConnection: close\r\nX-Echo: {}\r\nContent-Length: {}\r\n\r\n{head}", path.len(), head.len()),
                };
                let _ = stream.write_all(answer.as_bytes());
            });
        }
    });
    (address, hits)
}

fn egress(allow: &[SocketAddr], limits: config::Egress) -> Egress {
    Egress::new(EgressSettings { limits, ..settings(allow) })
}

fn settings(allow: &[SocketAddr]) -> EgressSettings {
    EgressSettings {
        allow_private: allow.to_vec(),
        authorities: None,
        dns: None,
        counter: None,
        limits: config::Egress::default(),
    }
}

fn grant(host: &str) -> Grant {
    granted(&format!("GET {host}"))
}

fn granted(rule: &str) -> Grant {
    let web = vec![rule.parse().unwrap()];
    Grant { profiles: [Profile::Web].into(), web, ..Grant::default() }
}

fn get(url: &str) -> Outgoing {
    Outgoing {
        target: Target::parse(url).unwrap(),
        method: http::Method::GET,
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::new(),
        timeout: None,
    }
}

async fn body(
    egress: &Egress,
    grant: &Grant,
    outgoing: Outgoing,
    credential: Option<Credential>,
) -> Result<String, EgressError> {
    let mut answer = egress.send(&ComponentId::new("test"), grant, outgoing, credential).await?;
    let mut all = Vec::new();
    while let Some(bytes) = answer.next().await? {
        all.extend_from_slice(&bytes);
    }
    Ok(String::from_utf8_lossy(&all).into_owned())
}

#[tokio::test]
async fn an_address_that_is_not_public_is_never_dialled() {
    let (server, hits) = counting_server();
    let egress = egress(&[], config::Egress::default());
    let port = server.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
    ] {
        let url = format!("http://{host}:{port}/");
        let target = Target::parse(&url).unwrap();
        let error = body(&egress, &grant(&target.grantable()), get(&url), None).await.unwrap_err();
        assert!(matches!(&error, EgressError::SpecialAddress { .. }), "{url}: {error}");
        assert!(
            error.to_string().contains(&format!("egress.allow_private = [\"127.0.0.1:{port}\"]"))
                || error.to_string().contains("[::1]"),
            "{error}"
        );
    }
    assert_eq!(hits.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn one_opened_address_opens_no_other() {
    let (server, _) = counting_server();
    let (other, hits) = counting_server();
    let egress = egress(&[server], config::Egress::default());
    let any = |address: SocketAddr| grant(&format!("http://{address}"));
    assert!(body(&egress, &any(server), get(&format!("http://{server}/")), None).await.is_ok());
    assert!(body(&egress, &any(other), get(&format!("http://{other}/")), None).await.is_err());
    assert_eq!(hits.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_no_rule_covers_is_refused_with_the_command_that_would() {
    let egress = egress(&[], config::Egress::default());
    let error =
        body(&egress, &grant("example.com"), get("https://example.org/"), None).await.unwrap_err();
    assert!(
        error.to_string().contains("hydroid component grant test web --host example.org"),
        "{error}"
    );
    let post = Outgoing { method: http::Method::POST, ..get("https://example.com/") };
    assert!(matches!(
        body(&egress, &grant("example.com"), post, None).await,
        Err(EgressError::NotGranted(_))
    ));
}

#[tokio::test]
async fn a_credential_goes_to_its_audience_only() {
    let (server, _) = counting_server();
    let egress = egress(&[server], config::Egress::default());
    let rule = grant(&format!("http://{server}"));
    let credential = |audience: &str, place| {
        let value = SecretValue::new("sk-0123456789".into());
        Credential::placed("key", vec![audience.parse().unwrap()], place, value)
    };
    let here = format!("http://{server}");
    let url = format!("http://{server}/{{token}}/x");
    for (place, expect) in [
        (Place::Bearer, "authorization: Bearer *************"),
        (
            Place::Header { name: "x-key".into(), prefix: "Token ".into() },
            "x-key: Token *************",
        ),
        (Place::Query("key".into()), "?key=*************"),
        (Place::Path("{token}".into()), "/*************/x"),
    ] {
        let seen = body(&egress, &rule, get(&url), Some(credential(&here, place))).await.unwrap();
        assert!(
            seen.to_lowercase().contains(&expect.to_lowercase()),
            "expected `{expect}` in: {seen}"
        );
        assert!(!seen.contains("sk-0123456789"), "{seen}");
    }
    let error = body(&egress, &rule, get(&url), Some(credential("api.example.com", Place::Bearer)))
        .await
        .unwrap_err();
    assert!(error.to_string().contains(&format!("secrets.key.hosts = [\"{here}\"]")), "{error}");
}

/// A service that echoes what it was sent, in any form it was sent in, gives the guest nothing.
#[tokio::test]
async fn a_credential_does_not_come_back_in_another_form() {
    let (server, _) = counting_server();
    let egress = egress(&[server], config::Egress::default());
    let rule = grant(&format!("http://{server}"));
    let value = "sk-0123456789abcdef";
    let credential = |place| {
        let audience = vec![format!("http://{server}").parse().unwrap()];
        Credential::placed("key", audience, place, SecretValue::new(value.into()))
    };
    let basic = body(
        &egress,
        &rule,
        get(&format!("http://{server}/")),
        Some(credential(Place::Basic("me".into()))),
    )
    .await
    .unwrap();
    let line = basic.lines().find(|line| line.to_lowercase().starts_with("authorization")).unwrap();
    // `me:sk-…` in base64 is 32 characters; what is not masked tells less than three bytes.
    assert!(line.matches('*').count() >= 28, "{line}");
    let mut outgoing = get(&format!("http://{server}/"));
    for (name, text) in [("range", "bytes=0-5"), ("accept-encoding", "gzip"), ("if-range", "x")] {
        outgoing
            .headers
            .insert(http::HeaderName::from_static(name), http::HeaderValue::from_static(text));
    }
    let seen = body(&egress, &rule, outgoing, Some(credential(Place::Bearer)))
        .await
        .unwrap()
        .to_lowercase();
    assert!(seen.contains("accept-encoding: identity") && !seen.contains("range:"), "{seen}");
    let packed = body(
        &egress,
        &rule,
        get(&format!("http://{server}/packed")),
        Some(credential(Place::Bearer)),
    )
    .await
    .unwrap_err();
    assert!(packed.to_string().contains("cannot be masked"), "{packed}");
}

#[tokio::test]
async fn headers_of_the_host_are_the_hosts() {
    let (server, _) = counting_server();
    let egress = egress(&[server], config::Egress::default());
    for name in ["authorization", "cookie", "host", "connection", "transfer-encoding"] {
        let mut outgoing = get(&format!("http://{server}/"));
        outgoing
            .headers
            .insert(http::HeaderName::from_static(name), http::HeaderValue::from_static("x"));
        let error =
            body(&egress, &grant(&format!("http://{server}")), outgoing, None).await.unwrap_err();
        assert!(matches!(error, EgressError::Header { .. }), "{name}: {error}");
    }
    let answer = egress
        .send(
            &ComponentId::new("test"),
            &grant(&format!("http://{server}")),
            get(&format!("http://{server}/cookie")),
            None,
        )
        .await
        .unwrap();
    let names: Vec<&str> = answer.headers.keys().map(http::HeaderName::as_str).collect();
    assert!(
        names.contains(&"x-other")
            && !names.contains(&"set-cookie")
            && !names.contains(&"www-authenticate"),
        "{names:?}"
    );
    assert_eq!(answer.challenges(), ["Basic"], "the host itself reads what is wanted");
}

#[tokio::test]
async fn sizes_and_times_are_limited() {
    let (server, _) = counting_server();
    let limits = config::Egress {
        max_response: config::Size(100_000),
        max_request: config::Size(10),
        first_byte: config::Seconds(1),
        ..config::Egress::default()
    };
    let egress = egress(&[server], limits);
    let rule = grant(&format!("http://{server}"));
    let endless =
        body(&egress, &rule, get(&format!("http://{server}/endless")), None).await.unwrap_err();
    assert!(matches!(endless, EgressError::TooLarge(_)), "{endless}");
    let silent =
        body(&egress, &rule, get(&format!("http://{server}/silent")), None).await.unwrap_err();
    assert!(matches!(silent, EgressError::Timeout(_)), "{silent}");
    let large = Outgoing {
        body: bytes::Bytes::from_static(b"more than ten bytes"),
        ..get(&format!("http://{server}/"))
    };
    assert!(matches!(body(&egress, &rule, large, None).await, Err(EgressError::TooLarge(_))));
}

/// `web_fetch` speaks the standard's own interface; the same guard stands in its way.
#[tokio::test]
async fn the_standard_interface_goes_through_the_same_door() {
    let (server, _) = counting_server();
    let open = scene(&["tool-web"], &format!("[egress]\nallow_private = [\"{server}\"]"));
    let entry = crate::grants::Entry {
        hosts: [format!("http://{server}"), "http://169.254.169.254".to_owned()].into(),
        ..crate::grants::Entry::default()
    };
    open.grants.lock().unwrap().components.insert("tool-web".into(), entry);
    open.catalog.refresh().unwrap();
    let output = open.call("web_fetch", &format!(r#"{{"url":"http://{server}/html"}}"#)).await;
    assert!(text(&output).contains("# Hi") && text(&output).contains("there"), "{output:?}");
    let output = open.call("web_fetch", &format!(r#"{{"url":"http://{server}/redirect"}}"#)).await;
    assert!(output.is_error && text(&output).contains("another place"), "{output:?}");
    let output = open.call("web_fetch", r#"{"url":"http://169.254.169.254/"}"#).await;
    assert!(output.is_error && text(&output).contains("egress.allow_private"), "{output:?}");
    let closed = scene(&["tool-web"], "");
    let output = closed.call("web_fetch", &format!(r#"{{"url":"http://{server}/html"}}"#)).await;
    assert!(output.is_error && text(&output).contains("--host"), "{output:?}");
}
