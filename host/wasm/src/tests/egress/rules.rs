//! Rules on requests, and that the command of a denial allows what was denied.

use super::canary::Canary;
use super::{body, get, granted, settings};
use crate::egress::{Egress, EgressError, Outgoing};
use http::Method;
use hydroid_core::capability::{Grant, WebRule};

/// Sends, and gives the denial's text and command if it was denied.
async fn denied(grant: &Grant, method: &str, url: &str) -> Option<(String, Option<String>)> {
    let outgoing = Outgoing { method: method.parse().unwrap(), ..get(url) };
    match body(&Egress::new(settings(&[])), grant, outgoing, None).await {
        Err(EgressError::NotGranted(denial)) => Some((denial.to_string(), denial.command())),
        Err(_) | Ok(_) => None,
    }
}

/// What `hydroid component grant` makes of the command, as far as rules go.
fn rule_of(command: &str) -> WebRule {
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(words[..6], ["hydroid", "component", "grant", "test", "web", "--host"], "{command}");
    let mut rule: WebRule = words[6].parse().unwrap();
    match words[7..] {
        [] => {}
        ["--method", method] => rule.methods = [method.to_owned()].into(),
        _ => panic!("{command}"),
    }
    rule
}

#[tokio::test]
async fn a_denial_names_the_request_and_the_command_that_allows_it() {
    // The address is special, so what is allowed here is then refused without leaving.
    for (rule, method, url, text) in [
        (
            "GET a.example",
            "GET",
            "http://127.0.0.1:9/v1",
            "GET to `http://127.0.0.1:9/v1`: no grant covers the host",
        ),
        ("GET http://127.0.0.1:9/v1", "GET", "http://127.0.0.1:9/v2/x", "no grant covers the path"),
        (
            "GET http://127.0.0.1:9/v1",
            "GET",
            "http://127.0.0.1:9/v1/%252e%252e/x",
            "servers differ",
        ),
        (
            "GET http://127.0.0.1:9/v1",
            "GET",
            "http://127.0.0.1:9/v2;x=1",
            "no grant covers the path",
        ),
        ("GET http://127.0.0.1:9", "POST", "http://127.0.0.1:9/v1", "no grant covers the method"),
        ("GET a.example", "GET", "https://[::1]/b%C3%BCcher", "GET to `[::1]/b%C3%BCcher`"),
    ] {
        let mut grant = granted(rule);
        let (said, command) = denied(&grant, method, url).await.expect("denied");
        assert!(said.contains(text), "expected `{text}` in: {said}");
        let command = command.expect("a command");
        assert!(said.contains(&command), "{said}");
        grant.web.push(rule_of(&command));
        assert_eq!(denied(&grant, method, url).await, None, "{command} does not allow {url}");
    }
}

#[tokio::test]
async fn a_command_allows_no_more_than_was_asked() {
    let grant = granted("GET http://127.0.0.1:9/v1");
    let (_, command) = denied(&grant, "GET", "http://127.0.0.1:9/v2/x").await.unwrap();
    let grant = Grant { web: vec![rule_of(&command.unwrap())], ..grant };
    assert!(denied(&grant, "GET", "http://127.0.0.1:9/v2").await.is_some());
    assert!(denied(&grant, "GET", "http://127.0.0.1:9/v2/xy").await.is_some());
    assert!(denied(&grant, "GET", "http://127.0.0.1:9/v2/x/y").await.is_none());
}

#[tokio::test]
async fn what_no_grant_can_allow_says_so() {
    let declared =
        Grant { web_methods: ["GET".to_owned()].into(), ..granted("http://127.0.0.1:9") };
    let (said, command) = denied(&declared, "DELETE", "http://127.0.0.1:9/").await.unwrap();
    assert!(said.contains("its manifest declares only GET") && command.is_none(), "{said}");
    let (said, command) =
        denied(&granted("GET http://127.0.0.1:9"), "get", "http://127.0.0.1:9/").await.unwrap();
    assert!(said.contains("upper case") && command.is_none(), "{said}");
}

#[tokio::test]
async fn a_tunnel_and_a_trace_are_refused_also_when_every_method_is_granted() {
    let canary = Canary::start();
    let egress = Egress::new(settings(&[canary.address]));
    for method in ["CONNECT", "TRACE", "TRACK", "trace"] {
        let outgoing = Outgoing {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            ..get(&canary.origin())
        };
        let error = body(&egress, &granted(&canary.origin()), outgoing, None).await.unwrap_err();
        assert!(matches!(error, EgressError::Method(_)), "{method}: {error}");
    }
    let outgoing = Outgoing { method: Method::DELETE, ..get(&canary.origin()) };
    assert_eq!(body(&egress, &granted(&canary.origin()), outgoing, None).await.unwrap(), "ok");
    assert_eq!(canary.heads().len(), 1);
}
