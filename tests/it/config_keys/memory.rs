//! `memory.*`, `turn.compact_at`, `model.route.compaction` and `model.route.title`: what is found,
//! what a model is sent of it, and which model sums up and names.

use super::server::{Received, Reply, Server};
use super::{Tested, check, run};
use crate::support::database_service::DatabaseService;
use crate::support::hydroid::{Home, Ran};
use serde_json::{Value, json};

pub(super) const TESTED: &[Tested<()>] = &[
    ("memory.diversity", diversity),
    ("memory.embedder", embedder),
    ("memory.files", files),
    ("memory.files_chars", files_chars),
    ("memory.importance", importance),
    ("memory.recall", recall),
    ("memory.recall_tokens", recall_tokens),
    ("memory.recency", recency),
    ("memory.token", token),
    ("memory.url", url),
    ("memory.weights.keyword", keyword),
    ("memory.weights.keyword_window", keyword_window),
    ("memory.weights.vector", vector),
    ("memory.weights.vector_window", vector_window),
    ("model.route.compaction.name", compaction),
    ("model.route.compaction.options", compaction_options),
    ("model.route.compaction.prices", compaction_prices),
    ("model.route.compaction.provider", compaction_provider),
    ("model.route.title.name", title),
    ("model.route.title.options", title_options),
    ("model.route.title.prices", title_prices),
    ("model.route.title.provider", title_provider),
    ("turn.compact_at", compact_at),
];

#[test]
fn settings_of_memory_have_an_effect() {
    check(&(), TESTED);
}

const ANSWER: &str = "boats of oak";

/// A home in which a service answers that keeps what it was sent.
struct Scene {
    home: Home,
    server: Server,
}

impl Scene {
    fn new() -> Self {
        let usage = json!({ "prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000 });
        let message = json!({ "role": "assistant", "content": ANSWER });
        let choices = json!([{ "index": 0, "message": message, "finish_reason": "stop" }]);
        let whole = json!({
            "id": "a", "object": "chat.completion", "model": "m", "usage": usage, "choices": choices,
        });
        let server = Server::start(Reply::Whole(whole.to_string()));
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

    fn ask(&self, settings: &[&str], text: &str) -> Ran {
        run(&self.home, settings, &["ask", text])
    }

    /// What the service was sent last.
    fn last(&self) -> Value {
        json_of(&self.server.last())
    }

    fn all(&self) -> Vec<Value> {
        self.server.received().iter().map(json_of).collect()
    }
}

fn json_of(received: &Received) -> Value {
    serde_json::from_str(&received.body).expect("the body is JSON")
}

fn notes(texts: &[&str]) -> Home {
    let home = Home::new();
    for text in texts {
        home.run(&["memory", "save", text]).code(0);
    }
    home
}

/// Scores of the first results, with these settings.
fn found(home: &Home, settings: &[&str], words: &str) -> Vec<Value> {
    let ran = run(home, settings, &["memory", "search", "--json", words]).code(0);
    let found: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    found.as_array().expect("a list").clone()
}

fn diversity((): &()) {
    let home =
        notes(&["the inn has a room from friday", "the inn has a room from friday!", "an inn"]);
    let least = |settings: &[&str]| {
        let found = found(&home, settings, "inn room friday");
        found.iter().filter_map(|hit| hit["why"]["repeated"].as_f64()).fold(0.0, f64::max)
    };
    assert!(least(&["memory.diversity=0.0"]).abs() < 1e-9);
    assert!(least(&["memory.diversity=1.0"]) > 0.3);
}

/// A service and a home that keeps its notes there.
fn at_a_service(token: Option<&str>) -> (tempfile::TempDir, DatabaseService, Home) {
    let directory = tempfile::tempdir().expect("a directory");
    let service = DatabaseService::start(&directory.path().join("service.db"), token);
    (directory, service, Home::new())
}

fn url((): &()) {
    let (_directory, service, home) = at_a_service(None);
    let there = format!("memory.url={}", service.url());
    run(&home, &[&there], &["memory", "save", "a room with a view"]).code(0);
    run(&home, &[&there], &["memory", "list"]).code(0).says("a room with a view");
    home.run(&["memory", "list"]).code(0).tells("there are no notes yet");
    run(&home, &["memory.url=ftp://a.example"], &["memory", "list"]).code(2).tells("libsql://");
}

fn token((): &()) {
    let (_directory, service, home) = at_a_service(Some("token-seven"));
    let there = format!("memory.url={}", service.url());
    run(&home, &[&there], &["memory", "list"]).code(1).tells("wants a token");
    home.run_with(&["secret", "set", "seven"], b"token-seven").code(0);
    run(&home, &[&there, "memory.token=seven"], &["memory", "list"]).code(0);
}

fn importance((): &()) {
    let home = notes(&["a room with a view"]);
    home.run(&["memory", "save", "--important", "a room with a sea"]).code(0);
    let best = |settings: &[&str]| found(&home, settings, "room")[0]["why"]["importance"].as_f64();
    assert_eq!(best(&["memory.importance=0.0"]), Some(1.0));
    assert_eq!(best(&["memory.importance=1.0"]), Some(2.0));
}

fn recency((): &()) {
    let home = notes(&["a room with a view"]);
    let factor = |settings: &[&str]| {
        found(&home, settings, "room")[0]["why"]["recency"].as_f64().expect("a number")
    };
    assert!((factor(&[]) - 1.0).abs() < 1e-9);
    assert!(factor(&["memory.recency=1.0"]) > 1.9);
}

fn keyword((): &()) {
    let home = notes(&["a room with a view", "rooms and rooms and more rooms here"]);
    let other = ["memory.weights.keyword=0.0", "memory.weights.keyword_window=1.0"];
    assert_eq!(found(&home, &other, "room view").len(), 2);
    let neither = ["memory.weights.keyword=0.0", "memory.weights.keyword_window=0.0"];
    run(&home, &neither, &["memory", "search", "room"]).code(1).tells("not both 0");
}

/// What stands beside a hit is found by its window only.
fn keyword_window((): &()) {
    let home = Home::new();
    home.run(&["ask", "say the spare key is blue"]).code(0);
    let count = |settings: &[&str]| found(&home, settings, "spare").len();
    assert_eq!(count(&["memory.diversity=0.0"]), 2);
    home.run(&["ask", "say something else"]).code(0);
    let beside = |settings: &[&str]| {
        found(&home, settings, "spare").iter().filter(|hit| hit["why"]["keyword"] == 0.0).count()
    };
    assert_eq!(beside(&["memory.weights.keyword_window=0.0"]), 0);
}

/// Without an embedder there are no vectors to weigh, and scores do not change.
fn vector((): &()) {
    without_vectors("memory.weights.vector");
}

fn vector_window((): &()) {
    without_vectors("memory.weights.vector_window");
}

fn without_vectors(key: &str) {
    let home = notes(&["a room with a view"]);
    let score =
        |value: &str| found(&home, &[&format!("{key}={value}")], "room")[0]["score"].clone();
    assert_eq!(score("0.0"), score("1.0"));
    run(&home, &[&format!("{key}=2.0")], &["memory", "search", "x"]).code(2).tells(key);
}

fn recall((): &()) {
    let scene = Scene::new();
    scene.home.run(&["memory", "save", "anna drinks tea at four"]).code(0);
    scene.ask(&[], "when does anna drink tea?").code(0);
    assert!(scene.last()["messages"].to_string().contains("tea at four"));
    scene.ask(&["memory.recall=false"], "when does anna drink tea?").code(0);
    assert!(!scene.last()["messages"].to_string().contains("tea at four"));
}

fn recall_tokens((): &()) {
    let scene = Scene::new();
    scene.home.run(&["memory", "save", "anna drinks tea at four"]).code(0);
    scene.ask(&["memory.recall_tokens=5"], "when does anna drink tea?").code(0);
    assert!(!scene.last()["messages"].to_string().contains("tea at four"));
}

fn files((): &()) {
    let scene = Scene::new();
    scene.home.write("users/local/workspace/shared/USER.md", "The person is Anna.");
    scene.ask(&[], "hello").code(0);
    assert!(scene.last()["messages"].to_string().contains("The person is Anna."));
    scene.ask(&["memory.files=false"], "hello").code(0);
    assert!(!scene.last()["messages"].to_string().contains("The person is Anna."));
}

fn files_chars((): &()) {
    let scene = Scene::new();
    scene.home.write("users/local/workspace/shared/USER.md", "The person is Anna.");
    scene.ask(&["memory.files_chars=10"], "hello").code(0);
    let sent = scene.last()["messages"].to_string();
    assert!(sent.contains("The person") && !sent.contains("is Anna."), "{sent}");
    assert!(sent.contains("9 more characters are left out"), "{sent}");
}

const SHORT: [&str; 2] =
    ["model.route.compaction.provider=provider-openai", "model.route.compaction.name=short"];

/// A session of two turns, and its identifier.
fn session(scene: &Scene) -> String {
    scene.ask(&["memory.recall=false"], "build a boat of oak").code(0);
    let ran = scene.home.run(&["session", "list", "--json"]).code(0);
    let listed: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let id = listed[0]["id"].as_str().expect("an identifier").to_owned();
    let long = "word ".repeat(2_000);
    let again = ["ask", "--session", &id, &long];
    run(&scene.home, &["memory.recall=false"], &again).code(0);
    run(&scene.home, &["memory.recall=false"], &["ask", "--session", &id, "and now?"]).code(0);
    id
}

fn compact(scene: &Scene, settings: &[&str]) -> Ran {
    let id = session(scene);
    run(&scene.home, settings, &["session", "compact", &id])
}

fn compaction((): &()) {
    let scene = Scene::new();
    compact(&scene, &SHORT).code(0).says("the first 2 turns are summed up");
    assert_eq!(scene.last()["model"], "short");
    assert!(scene.last()["messages"].to_string().contains("build a boat of oak"));
    let other = Scene::new();
    compact(&other, &[]).code(0);
    assert_eq!(other.last()["model"], "name-one", "the main model");
}

fn compaction_provider((): &()) {
    let scene = Scene::new();
    let other = [
        "model.route.compaction.provider=provider-rehearsal",
        "model.route.compaction.name=rehearsal",
    ];
    compact(&scene, &other).code(0);
    assert_eq!(scene.server.received().len(), 3, "another provider summed it up");
}

fn compaction_options((): &()) {
    let scene = Scene::new();
    compact(&scene, &[SHORT[0], SHORT[1], "model.route.compaction.options.top_k=5"]).code(0);
    assert_eq!(scene.last()["top_k"], 5);
}

fn compaction_prices((): &()) {
    let scene = Scene::new();
    let prices =
        ["model.route.compaction.prices.input=2", "model.route.compaction.prices.output=1"];
    compact(&scene, &[&SHORT[..], &prices].concat()).code(0);
    scene.home.run(&["cost"]).code(0).says("$2.0");
}

const NAMING: [&str; 2] =
    ["model.route.title.provider=provider-openai", "model.route.title.name=short"];

fn titled(scene: &Scene, settings: &[&str]) -> String {
    scene.ask(settings, "hello there").code(0);
    let ran = scene.home.run(&["session", "list", "--json"]).code(0);
    let listed: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    listed[0]["title"].as_str().expect("a title").to_owned()
}

fn title((): &()) {
    let scene = Scene::new();
    assert_eq!(titled(&scene, &[]), "hello there");
    let scene = Scene::new();
    assert_eq!(titled(&scene, &NAMING), ANSWER);
    assert!(scene.all().iter().any(|sent| sent["model"] == "short"));
}

fn title_provider((): &()) {
    let scene = Scene::new();
    let other =
        ["model.route.title.provider=provider-rehearsal", "model.route.title.name=rehearsal"];
    titled(&scene, &other);
    assert_eq!(scene.server.received().len(), 1, "another provider named it");
}

fn title_options((): &()) {
    let scene = Scene::new();
    titled(&scene, &[NAMING[0], NAMING[1], "model.route.title.options.top_k=5"]);
    assert!(scene.all().iter().any(|sent| sent["top_k"] == 5));
}

fn title_prices((): &()) {
    let scene = Scene::new();
    let prices = ["model.route.title.prices.input=2", "model.route.title.prices.output=1"];
    titled(&scene, &[&NAMING[..], &prices].concat());
    scene.home.run(&["cost"]).code(0).says("$2.0");
}

fn compact_at((): &()) {
    let summed_up = |settings: &[&str]| {
        let scene = Scene::new();
        let id = session(&scene);
        let command = ["ask", "--session", &id, "go on"];
        run(&scene.home, &[&["memory.recall=false"], settings].concat(), &command).code(0);
        let shown = scene.home.run(&["session", "show", &id]).code(0).stdout;
        shown.contains("summed up")
    };
    assert!(summed_up(&["model.context_tokens=20000", "turn.compact_at=0.1"]));
    assert!(!summed_up(&["model.context_tokens=20000", "turn.compact_at=0.0"]));
}

fn embedder((): &()) {
    let home = &Home::new();
    let doctor = |setting: &str| run(home, &[setting], &["doctor"]);
    run(home, &[], &["doctor"])
        .code(0)
        .says("by embedder-model2vec with the model all-MiniLM-L6-v2");
    doctor("memory.embedder=embedder-hash")
        .code(0)
        .says("vectors of 256 numbers are made by embedder-hash with the model blake3-words");
    doctor("memory.embedder=none").code(0).says("by keywords alone");
    doctor("memory.embedder=embedder-hsah").code(1).says("did you mean `embedder-hash`");
    doctor("memory.embedder=tool-time").code(1).says("makes no vectors");
}
