//! `model.*` but the prices: what a server that stands in for a model is sent.

use super::recordings::{recording, says};
use super::server::{Reply, Server};
use super::{Tested, check, run};
use crate::support::hydroid::Home;
use serde_json::Value;

pub(super) const TESTED: &[Tested<ModelScene>] = &[
    ("model.context_tokens", context_tokens),
    ("model.instructions", instructions),
    ("model.max_output_tokens", max_output_tokens),
    ("model.name", name),
    ("model.options", options),
    ("model.provider", provider),
    ("model.temperature", temperature),
];

/// What the server answers to everything.
pub(super) const ANSWER: &str = "an answer of the server";

/// A home whose model is a server.
pub(super) struct ModelScene {
    pub(super) home: Home,
    pub(super) server: Server,
}

impl ModelScene {
    pub(super) fn new() -> Self {
        let message = serde_json::json!({ "role": "assistant", "content": ANSWER });
        let completion = serde_json::json!({
            "id": "a", "object": "chat.completion", "model": "m",
            "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
        });
        let server = Server::start(Reply::Whole(completion.to_string()));
        let origin = server.origin();
        let address = origin.trim_start_matches("http://");
        let home = Home::with_config(&format!(
            "[model]\nprovider = \"provider-openai\"\nname = \"name-one\"\n\
             [egress]\nallow_private = [\"{address}\"]\n\
             [components.provider-openai.config]\nbase_url = \"{origin}/v1\"\nstream = false\n\
             api_key_secret = \"\"\n"
        ));
        home.run(&["component", "grant", "provider-openai", "web", "--host", &origin]).code(0);
        Self { home, server }
    }

    /// The body the server gets when something is said with these settings.
    #[track_caller]
    fn sent(&self, settings: &[&str]) -> Value {
        run(&self.home, settings, &["ask", "hello"]).code(0).says(ANSWER);
        serde_json::from_str(&self.server.last().body).expect("the body is JSON")
    }
}

#[test]
fn settings_of_the_model_have_an_effect() {
    check(&ModelScene::new(), TESTED);
}

/// The longer of two turns is left out when both do not fit, and sent when they do.
fn context_tokens(scene: &ModelScene) {
    let home = &scene.home;
    let long = "a long first turn ".repeat(10_000);
    home.run_with(&["ask"], long.as_bytes()).code(0);
    let listed = home.run(&["session", "list", "--json"]).code(0).json_lines();
    let session = listed[0][0]["id"].as_str().expect("a session").to_owned();
    let asked = |settings: &[&str]| {
        run(home, settings, &["ask", "--session", &session, "and now"]).code(0);
        scene.server.last().body
    };
    let cut = asked(&["model.context_tokens=30000", "turn.compact_at=0.0"]);
    assert!(!cut.contains("a long first turn") && cut.contains("and now"), "{cut}");
    assert!(asked(&["model.context_tokens=900000"]).contains("a long first turn"));
    run(home, &["model.context_tokens=100"], &["ask", "hello"])
        .code(3)
        .tells("leaves nothing of the `100` in `model.context_tokens`");
}

fn instructions(scene: &ModelScene) {
    let system = |settings: &[&str]| scene.sent(settings)["messages"][0].to_string();
    let said = system(&["model.instructions=Speak like a sailor."]);
    assert!(said.contains("\"system\"") && said.contains("Speak like a sailor."), "{said}");
    assert!(!system(&[]).contains("sailor"));
}

fn max_output_tokens(scene: &ModelScene) {
    assert_eq!(scene.sent(&["model.max_output_tokens=77"])["max_completion_tokens"], 77);
    assert_eq!(scene.sent(&[])["max_completion_tokens"], Value::Null);
}

fn name(scene: &ModelScene) {
    assert_eq!(scene.sent(&[])["model"], "name-one");
    assert_eq!(scene.sent(&["model.name=name-two"])["model"], "name-two");
}

fn options(scene: &ModelScene) {
    let sent = scene.sent(&["model.options.reasoning_effort=low", "model.options.top_k=5"]);
    assert_eq!(sent["reasoning_effort"], "low");
    assert_eq!(sent["top_k"], 5);
    assert_eq!(scene.sent(&[])["reasoning_effort"], Value::Null);
}

fn provider(scene: &ModelScene) {
    let before = scene.server.received().len();
    run(
        &scene.home,
        &["model.provider=provider-rehearsal", "model.name=rehearsal"],
        &["ask", "say rehearsed"],
    )
    .code(0)
    .says("rehearsed");
    let played = recording(&[says("a played answer")]);
    let recording = format!("components.provider-replay.config.recording={played}");
    run(
        &scene.home,
        &["model.provider=provider-replay", "model.name=played", &recording],
        &["ask", "hello"],
    )
    .code(0)
    .says("a played answer");
    assert_eq!(scene.server.received().len(), before, "the other provider was asked");
    run(&scene.home, &["model.provider=provider-replya"], &["ask", "hello"])
        .code(2)
        .tells("did you mean `provider-replay`");
}

fn temperature(scene: &ModelScene) {
    assert_eq!(scene.sent(&["model.temperature=0.25"])["temperature"], 0.25);
    assert_eq!(scene.sent(&[])["temperature"], Value::Null);
}
