//! What a component sends is searched for the person's secrets and written to the audit log.

use super::{Scene, scene_adapted, text};
use hydroid_core::audit::{AuditAction, AuditEvent, AuditOutcome};
use hydroid_core::manifest::Manifest;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

const KEY: &str = "sk-live-0123456789abcdef";

/// A server that answers `ok` and tells what it was sent.
pub(super) fn server() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            stream.write_all(answer.as_bytes()).unwrap();
            tell.send(format!("{head}\n{}", String::from_utf8_lossy(&body))).unwrap();
        }
    });
    (address, told)
}

fn scene_of(address: SocketAddr, leaks: &str) -> Scene {
    let config = format!("[egress]\nallow_private = [\"{address}\"]\nleaks = \"{leaks}\"");
    let manifest = format!(
        "name = \"test-tool-web\"\nversion = \"1.0.0\"\n[wants.web]\nreason = \"r\"\nhosts = [\"http://{address}\"]\n"
    );
    scene_adapted(&["test-tool-web"], &config, &[("key", KEY)], |own| {
        *own = Manifest::parse(&manifest).unwrap();
    })
}

fn audited(scene: &Scene) -> Vec<AuditEvent> {
    scene.records.audited.lock().unwrap().clone()
}

async fn dial(scene: &Scene, address: SocketAddr, more: Value) -> String {
    let mut arguments = json!({ "url": format!("http://{address}/x"), "method": "POST" });
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    text(&scene.call("dial", &arguments.to_string()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_secret_in_it_is_not_sent_and_audited_without_the_secret() {
    let (address, told) = server();
    let scene = scene_of(address, "block");
    for more in [
        json!({ "body": format!("the key is {KEY}") }),
        json!({ "body": hex::encode(KEY) }),
        json!({ "headers": [format!("x-note: {KEY}")] }),
        json!({ "url": format!("http://{address}/x?q={KEY}") }),
        json!({ "url": format!("http://{address}/{KEY}") }),
        json!({ "url": format!("http://{address}/x?q={}", KEY.replacen('v', "%76", 1)) }),
        json!({ "url": format!("http://{address}/x?q={}", KEY.replacen('v', "%2576", 1)) }),
        json!({ "body": KEY.replacen('v', "\\u0076", 1) }),
    ] {
        let answer = dial(&scene, address, more.clone()).await;
        assert!(answer.contains("egress.leaks redact"), "{more}: {answer}");
        assert!(!answer.contains(KEY), "{answer}");
    }
    assert!(told.try_recv().is_err(), "something was sent");
    let events = audited(&scene);
    let denied = events
        .iter()
        .filter(|event| {
            event.action == AuditAction::Request && event.outcome == AuditOutcome::Denied
        })
        .count();
    assert_eq!(denied, 8, "{events:?}");
    assert!(events.iter().all(|event| !format!("{event:?}").contains(KEY)), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_sent_without_the_secret_where_a_person_said_so() {
    let (address, told) = server();
    let scene = scene_of(address, "redact");
    let answer = dial(&scene, address, json!({ "body": format!("the key is {KEY}!") })).await;
    assert!(answer.contains("200 from"), "{answer}");
    let sent = told.recv().unwrap();
    assert!(sent.contains("the key is [secret:key]!"), "{sent}");
    assert!(!sent.contains(KEY), "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_and_what_is_refused_is_audited_with_who_and_how_much() {
    let (address, _told) = server();
    let scene = scene_of(address, "block");
    assert!(dial(&scene, address, json!({ "body": "hello" })).await.contains("200 from"));
    dial(&scene, address, json!({ "url": "https://elsewhere.example/y?z=1" })).await;
    let events = audited(&scene);
    let requests: Vec<String> = events
        .iter()
        .filter(|event| event.action == AuditAction::Request)
        .map(|event| {
            let component = event.component.as_ref().unwrap();
            assert!(event.digest.as_ref().unwrap().starts_with("sha256:"));
            assert!(event.call.is_some() || event.session.is_some());
            format!("{component} {} {} {:?}", event.resource, event.outcome.id(), event.bytes)
        })
        .collect();
    assert_eq!(
        requests,
        [
            format!("test-tool-web POST http://{address}/x allowed Some(5)"),
            "test-tool-web POST https://elsewhere.example/y denied Some(0)".to_owned(),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_became_known_later_is_not_sent() {
    let (address, told) = server();
    let scene = scene_of(address, "block");
    let later = "tok-later-0123456789";
    let body = json!({ "body": format!("it is {later}") });
    assert!(dial(&scene, address, body.clone()).await.contains("200 from"));
    assert!(told.recv().unwrap().contains(later));
    scene.scrubber.learn("later", &hydroid_core::ports::SecretValue::new(later.into())).unwrap();
    let answer = dial(&scene, address, body).await;
    assert!(answer.contains("secret:later") && !answer.contains(later), "{answer}");
    assert!(told.try_recv().is_err(), "something was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_audited_is_not_sent() {
    let (address, told) = server();
    let scene = scene_of(address, "block");
    *scene.records.audits_left.lock().unwrap() = 0;
    let answer = dial(&scene, address, json!({ "body": "hello" })).await;
    assert!(answer.contains("the audit log cannot be written"), "{answer}");
    assert!(told.try_recv().is_err(), "something was sent");
}
