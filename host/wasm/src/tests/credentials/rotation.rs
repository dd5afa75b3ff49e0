//! Several keys for one place: which is sent after a service refused one, what the audit log says,
//! and that the component sees one secret all the while.

use super::{Echo, Scene, dial, json, scene_adapted, text};
use hydroid_core::audit::{AuditAction, AuditOutcome};
use hydroid_core::manifest::Manifest;

const FIRST: &str = "sk-first-0123456789abcdef";
const SECOND: &str = "sk-second-0123456789abcdef";
const THIRD: &str = "sk-third-0123456789abcdef";

const ALL: [(&str, &str); 3] = [("key", FIRST), ("key-2", SECOND), ("key-3", THIRD)];

fn scene(component: &str, server: &Echo, secret: &str, values: &[(&str, &str)]) -> Scene {
    let manifest = format!(
        "name = \"{component}\"\nversion = \"1.0.0\"\n[wants.web]\nreason = \"r\"\nhosts = [\"http://{0}\"]\n[secrets.key]\nhosts = [\"http://{0}\"]\n{secret}\n",
        server.address,
    );
    let config = format!(
        "[egress]\nallow_private = [\"{}\"]\n[secrets.key]\nrotate = [\"key-2\", \"key-3\"]",
        server.address
    );
    scene_adapted(&[component], &config, values, |own| {
        *own = Manifest::parse(&manifest).unwrap();
    })
}

async fn asked(scene: &Scene, server: &Echo) -> String {
    dial(scene, server, "/x", json!({"secret": "key"})).await
}

/// The keys the server was sent, in order.
fn sent(server: &Echo) -> Vec<&'static str> {
    let key = |request: &String| {
        let found = ALL.into_iter().find(|(_, value)| request.contains(&format!("Bearer {value}")));
        found.map_or("none", |(name, _)| name)
    };
    server.requests().iter().map(key).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_refused_gives_way_to_the_next_and_rests() {
    for status in [401, 403, 429] {
        let server = Echo::start();
        let scene = scene("test-tool-web", &server, "attach = \"bearer\"", &ALL);
        server.refuse(&[(FIRST, status)]);
        let told = asked(&scene, &server).await;
        assert!(told.contains("200 from") && !told.contains("key-2"), "{told}");
        assert_eq!(sent(&server), ["key", "key-2"], "{status}");
        // The first still rests, although it would be taken again.
        server.refuse(&[]);
        assert!(asked(&scene, &server).await.contains("200 from"));
        assert_eq!(sent(&server), ["key", "key-2", "key-2"]);
        let audited = scene.records.audited.lock().unwrap().clone();
        let names = |action| -> Vec<String> {
            let of = audited.iter().filter(|event| event.action == action);
            of.map(|event| event.resource.clone()).collect()
        };
        assert_eq!(names(AuditAction::SecretUsed), ["key", "key-2", "key-2"]);
        assert_eq!(names(AuditAction::SecretRotated), ["key"]);
        let rotated = audited.iter().find(|event| event.action == AuditAction::SecretRotated);
        assert_eq!(rotated.unwrap().outcome, AuditOutcome::Failed);
        assert!(ALL.iter().all(|(_, value)| !format!("{audited:?}").contains(value)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_are_refused_the_component_reads_the_last_refusal() {
    let server = Echo::start();
    let scene = scene("test-tool-web", &server, "attach = \"bearer\"", &ALL);
    server.refuse(&[(FIRST, 429), (SECOND, 401), (THIRD, 429)]);
    assert!(asked(&scene, &server).await.contains("429 from"));
    assert_eq!(sent(&server), ["key", "key-2", "key-3"]);
    // All rest: the one that comes back first is tried, once.
    assert!(asked(&scene, &server).await.contains("429 from"));
    assert_eq!(sent(&server)[3..], ["key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_about_the_key_is_handed_on() {
    let server = Echo::start();
    let scene = scene("test-tool-web", &server, "attach = \"bearer\"", &ALL);
    for status in [400, 404, 500, 503] {
        server.refuse(&[(FIRST, status)]);
        assert!(asked(&scene, &server).await.contains(&format!("{status} from")));
    }
    assert_eq!(sent(&server), ["key"; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_a_value_is_passed_over() {
    let server = Echo::start();
    let scene = scene("test-tool-web", &server, "attach = \"bearer\"", &[("key-3", THIRD)]);
    assert!(asked(&scene, &server).await.contains("200 from"));
    assert_eq!(sent(&server), ["key-3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_together_is_not_rotated() {
    let server = Echo::start();
    let sign = "[secrets.key.sign]\nkind = \"aws-sigv4\"\nregion = \"r\"\nservice = \"s3\"\naccess_key = \"id\"\n[secrets.id]\nattach = \"part\"";
    let scene = scene("test-tool-web", &server, sign, &ALL);
    let told = dial(&scene, &server, "/", json!({"secret": "key", "as_declared": true})).await;
    assert!(told.contains("take `secrets.key.rotate` out"), "{told}");
    assert_eq!(server.requests().len(), 0);
}

/// The other way out, where the program names no secret.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_uses_the_standard_interface_has_the_same() {
    let server = Echo::start();
    let scene = scene("tool-web", &server, "attach = \"bearer\"", &ALL);
    server.refuse(&[(FIRST, 403)]);
    let url = format!("http://{}/", server.address);
    let output = scene.call("web_fetch", &json!({"url": url}).to_string()).await;
    assert!(!output.is_error, "{}", text(&output));
    assert_eq!(sent(&server), ["key", "key-2"]);
}
