//! `model.retry`, `model.timeouts`, `model.breaker`, `model.fallback`, `model.route` and
//! `model.cache`: what a server that misbehaves is asked, and what a person is told.

use super::server::{Reply, Server};
use super::{Tested, check, run};
use crate::support::hydroid::{Home, Ran};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

pub(super) const TESTED: &[Tested<()>] = &[
    ("model.breaker.failures", breaker_failures),
    ("model.breaker.open", breaker_open),
    ("model.cache.enabled", cache_enabled),
    ("model.cache.max_age", cache_max_age),
    ("model.cache.max_size", cache_max_size),
    ("model.fallback", fallback),
    ("model.fallback_on", fallback_on),
    ("model.retry.attempts", attempts),
    ("model.retry.first_wait", first_wait),
    ("model.retry.longest_wait", longest_wait),
    ("model.retry.total", total),
    ("model.route.delegate.name", delegate_name),
    ("model.route.delegate.options", delegate_options),
    ("model.route.delegate.prices", delegate_prices),
    ("model.route.delegate.provider", delegate_provider),
    ("model.route.vision.name", vision_name),
    ("model.route.vision.options", vision_options),
    ("model.route.vision.prices", vision_prices),
    ("model.route.vision.provider", vision_provider),
    ("model.timeouts.first_event", first_event),
    ("model.timeouts.idle", idle),
];

#[test]
fn settings_of_a_reliable_model_have_an_effect() {
    check(&(), TESTED);
}

/// What the server answers when it answers.
const ANSWER: &str = "an answer at last";

/// A wait before a repetition would only make the tests slower.
const AT_ONCE: &str = "model.retry.first_wait=0";

fn completion() -> Reply {
    let message = json!({ "role": "assistant", "content": ANSWER });
    let usage =
        json!({ "prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000 });
    let whole = json!({
        "id": "a", "object": "chat.completion", "model": "m", "usage": usage,
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
    });
    Reply::Whole(whole.to_string())
}

/// A refusal with this status, and header lines that each end in a line end.
fn refusal(status: u16, lines: &str) -> Reply {
    Reply::Raw(format!(
        "HTTP/1.1 {status} No\r\n{lines}Content-Length: 0\r\nConnection: close\r\n\r\n"
    ))
}

fn limited(milliseconds: u32) -> Reply {
    refusal(429, &format!("retry-after-ms: {milliseconds}\r\n"))
}

/// A server that misbehaves, and a home whose model it is.
struct Scene {
    home: Home,
    server: Server,
}

impl Scene {
    fn new(replies: Vec<Reply>) -> Self {
        let server = Server::start(Reply::InTurn(replies));
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

    fn ask(&self, settings: &[&str]) -> Ran {
        // What is recalled of an earlier conversation would make another request of the next.
        let settings = [&["memory.recall=false"], settings].concat();
        run(&self.home, &settings, &["ask", "say rehearsed"])
    }

    /// How many requests came.
    fn count(&self) -> usize {
        self.server.received().len()
    }

    fn last(&self) -> Value {
        serde_json::from_str(&self.server.last().body).expect("the body is JSON")
    }
}

/// Limited, then cut off without an answer, then broken, then answered.
fn attempts((): &()) {
    let replies = || vec![limited(0), Reply::Raw(String::new()), refusal(503, ""), completion()];
    let scene = Scene::new(replies());
    let ran = scene.ask(&[AT_ONCE]).code(0).says(ANSWER);
    ran.tells("rate limited, trying again in 0.0 s (2 of 4)")
        .tells("not available, trying again in 0.0 s (3 of 4)")
        .tells("not available, trying again in 1 s (4 of 4)");
    assert_eq!(scene.count(), 4);
    let query = ["audit", "query", "--action", "model-retried"];
    scene.home.run(&query).code(0).says("(4 of 4)");
    let scene = Scene::new(replies());
    scene.ask(&[AT_ONCE, "model.retry.attempts=2"]).code(3).tells("tried 2 times");
    assert_eq!(scene.count(), 2);
    let scene = Scene::new(replies());
    scene.ask(&["model.retry.attempts=1"]).code(3);
    assert_eq!(scene.count(), 1);
}

/// A random wait out of four hundred years is longer than all may take.
fn first_wait((): &()) {
    let scene = Scene::new(vec![limited(0), completion()]);
    scene.ask(&[AT_ONCE]).code(0).says(ANSWER);
    let scene = Scene::new(vec![limited(0), completion()]);
    let long = ["model.retry.first_wait=3500000h", "model.retry.longest_wait=3500000h"];
    scene.ask(&long).code(3).tells("`model.retry.total`");
    assert_eq!(scene.count(), 1);
}

fn longest_wait((): &()) {
    let named = || vec![refusal(429, "Retry-After: 1\r\n"), completion()];
    let scene = Scene::new(named());
    scene.ask(&[AT_ONCE]).code(0).says(ANSWER).tells("trying again in 1 s");
    let scene = Scene::new(named());
    scene
        .ask(&[AT_ONCE, "model.retry.longest_wait=0"])
        .code(3)
        .tells("the service asks to wait 1 s, longer than `model.retry.longest_wait`");
    assert_eq!(scene.count(), 1);
}

fn total((): &()) {
    let scene = Scene::new(vec![limited(1_500), completion()]);
    scene.ask(&[AT_ONCE, "model.retry.total=1s"]).code(3).tells("`model.retry.total` is 1 s");
    assert_eq!(scene.count(), 1);
    let scene = Scene::new(vec![limited(1_500), completion()]);
    scene.ask(&[AT_ONCE]).code(0).says(ANSWER);
}

fn first_event((): &()) {
    let scene = Scene::new(vec![Reply::HeadOnly, completion()]);
    let settings = ["model.timeouts.first_event=1s", "model.retry.attempts=1"];
    scene.ask(&settings).code(3).tells("sent nothing of an answer for 1 s");
    scene.server.given_up(1);
    let scene = Scene::new(vec![Reply::HeadOnly, completion()]);
    let settings = ["model.timeouts.first_event=1s", AT_ONCE];
    scene.ask(&settings).code(0).says(ANSWER).tells("too slow, trying again");
}

/// What was begun is not begun again.
fn idle((): &()) {
    let piece = json!({ "choices": [{ "index": 0, "delta": { "content": "begun" } }] });
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    let stalled = Reply::Stalled(format!("{head}data: {piece}\n\n"));
    let scene = Scene::new(vec![stalled, completion()]);
    let settings = ["model.timeouts.idle=1s", "components.provider-openai.config.stream=true"];
    scene.ask(&settings).code(3).says("begun").tells("raise `model.timeouts.idle`");
    scene.server.given_up(1);
    assert_eq!(scene.count(), 1);
}

#[test]
fn an_answer_that_breaks_off_is_shown_as_far_as_it_came_and_not_asked_for_again() {
    let piece = json!({ "choices": [{ "index": 0, "delta": { "content": "begun" } }] });
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    let broken = Reply::Raw(format!("{head}data: {piece}\n\n"));
    let scene = Scene::new(vec![broken, completion()]);
    let ran = scene.ask(&[AT_ONCE, OTHER, "components.provider-openai.config.stream=true"]);
    let ran = ran.code(3).says("begun").tells("in the middle");
    assert!(!ran.stderr.contains("trying again") && !ran.stdout.contains(ANSWER), "{ran:?}");
    assert_eq!(scene.count(), 1);
}

#[test]
fn a_stop_from_another_process_ends_a_wait_at_once() {
    let scene = Scene::new(vec![limited(25_000), completion()]);
    let mut asking = scene.home.start(&["ask", "--json", "hello"]);
    let output = asking.stdout.take().expect("it was asked for");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    lines.find(|line| line.contains("retrying")).expect("the wait is told");
    scene.home.run(&["stop", "--all"]).code(0);
    let stopped = Instant::now();
    assert_eq!(lines.filter(|line| line.contains("\"outcome\":\"stopped\"")).count(), 1);
    assert!(stopped.elapsed() < Duration::from_secs(10), "{:?}", stopped.elapsed());
    assert_eq!(asking.wait().expect("it ends").code(), Some(8));
    assert_eq!(scene.count(), 1);
}

fn breaker_failures((): &()) {
    let broken = "model.breaker.failures=2";
    let scene = Scene::new(vec![refusal(503, "retry-after-ms: 0\r\n")]);
    scene
        .ask(&[AT_ONCE, broken])
        .code(3)
        .tells("name-one (provider-openai) failed 2 times in a row and is left alone for 30 s");
    assert_eq!(scene.count(), 2);
    let query = ["audit", "query", "--action", "model-left-alone"];
    scene.home.run(&query).code(0).says("name-one");
    scene.ask(&[AT_ONCE, "model.breaker.failures=0"]).code(3);
    assert_eq!(scene.count(), 2 + 4);
}

fn breaker_open((): &()) {
    let scene = Scene::new(vec![refusal(503, "retry-after-ms: 0\r\n")]);
    let broken = "model.breaker.failures=1";
    scene.ask(&[AT_ONCE, broken, "model.breaker.open=1h"]).code(3).tells("alone for 60 min");
    assert_eq!(scene.count(), 1);
    scene.ask(&[AT_ONCE, broken, "model.breaker.open=0"]).code(3);
    assert_eq!(scene.count(), 1 + 4);
}

const OTHER: &str = "model.fallback=[{ provider = \"provider-rehearsal\", name = \"rehearsal\" }]";

fn fallback((): &()) {
    let scene = Scene::new(vec![refusal(503, "x-should-retry: false\r\n")]);
    scene.ask(&[]).code(3);
    let ran = scene.ask(&[OTHER]).code(0).says("rehearsed");
    ran.tells("name-one (provider-openai): not available; rehearsal (provider-rehearsal) answers");
    let query = ["audit", "query", "--action", "model-changed"];
    scene.home.run(&query).code(0).says("rehearsal (provider-rehearsal) answers");
    let told = run(&scene.home, &[OTHER], &["ask", "--json", "say rehearsed"]).code(0);
    let news = told.json_lines().into_iter().find(|line| line["entry"]["kind"] == "model_news");
    let news = news.expect("the change is told to programs");
    assert_eq!(news["entry"]["news"]["to"]["model"], "rehearsal");
}

fn fallback_on((): &()) {
    let scene = Scene::new(vec![refusal(400, "")]);
    scene.ask(&[OTHER]).code(3);
    let always = "model.fallback_on=[\"invalid-input\"]";
    scene.ask(&[OTHER, always]).code(0).says("rehearsed");
    scene.ask(&[OTHER, "model.fallback_on=[\"refused\"]"]).code(2).tells("`model.fallback_on`");
}

const KEPT: &str = "model.cache.enabled=true";

fn cache_enabled((): &()) {
    let scene = Scene::new(vec![completion()]);
    scene.ask(&[]).code(0);
    scene.ask(&[]).code(0);
    assert_eq!(scene.count(), 2);
    scene.ask(&[KEPT]).code(0);
    let ran = scene.ask(&[KEPT]).code(0).says(ANSWER);
    ran.tells("an answer name-one (provider-openai) gave before").tells("0 tokens in, 0 out");
    assert_eq!(scene.count(), 3);
    let query = ["audit", "query", "--action", "answer-reused"];
    scene.home.run(&query).code(0).says("name-one");
    run(&scene.home, &[KEPT], &["ask", "say something else"]).code(0);
    scene.ask(&[KEPT, "model.name=name-two"]).code(0);
    assert_eq!(scene.count(), 5);
}

fn cache_max_age((): &()) {
    let scene = Scene::new(vec![completion()]);
    for _ in 0..2 {
        scene.ask(&[KEPT, "model.cache.max_age=0"]).code(0);
    }
    assert_eq!(scene.count(), 2);
}

fn cache_max_size((): &()) {
    let scene = Scene::new(vec![completion()]);
    for _ in 0..2 {
        scene.ask(&[KEPT, "model.cache.max_size=10"]).code(0);
    }
    assert_eq!(scene.count(), 2);
}

impl Scene {
    /// Asks about a picture.
    fn show(&self, settings: &[&str], json: bool) -> Ran {
        self.home.write("picture.png", "");
        std::fs::write(self.home.path("picture.png"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
            .expect("a file");
        let path = self.home.path("picture.png");
        let path = path.to_str().expect("a temporary path is UTF-8");
        let mut command = vec!["ask", "--attach", path, "say rehearsed"];
        if json {
            command.insert(1, "--json");
        }
        run(&self.home, settings, &command)
    }
}

const EYE: [&str; 2] =
    ["model.route.vision.provider=provider-openai", "model.route.vision.name=eye"];

fn vision_name((): &()) {
    let scene = Scene::new(vec![completion()]);
    scene.show(&EYE, false).code(0).says(ANSWER).tells("eye (provider-openai) answers");
    assert_eq!(scene.last()["model"], "eye");
    scene.ask(&EYE).code(0);
    assert_eq!(scene.last()["model"], "name-one");
    scene.show(&[], false).code(0);
    assert_eq!(scene.last()["model"], "name-one");
}

const WORKER: [&str; 2] =
    ["model.route.delegate.provider=provider-openai", "model.route.delegate.name=worker"];

/// A turn of the rehearsal model that has a task done.
fn delegating(scene: &Scene, settings: &[&str], json: bool) -> Ran {
    // The server says that it used as many tokens as a turn may.
    let main =
        ["model.provider=provider-rehearsal", "model.name=rehearsal", "turn.max_tokens=9000000"];
    let task = r#"call delegate {"task":"say hello","tools":[]}"#;
    let mut args = vec![task];
    args.extend(json.then_some("--json"));
    run(&scene.home, &[&main[..], settings].concat(), &[&["ask"], &args[..]].concat())
}

fn delegate_name((): &()) {
    let scene = Scene::new(vec![completion()]);
    delegating(&scene, &WORKER, false).code(0).says(ANSWER);
    assert_eq!(scene.last()["model"], "worker");
    scene.ask(&[]).code(0);
    assert_eq!(scene.last()["model"], "name-one");
}

fn delegate_provider((): &()) {
    let scene = Scene::new(vec![completion()]);
    // Without a route it is the session's own model, which only says what it was told.
    delegating(&scene, &[], false).code(0).says("hello");
    assert_eq!(scene.count(), 0);
    delegating(&scene, &WORKER, false).code(0).says(ANSWER);
    assert_eq!(scene.count(), 1);
    scene.ask(&WORKER[..1]).code(2).tells("missing field `name`");
}

fn delegate_options((): &()) {
    let scene = Scene::new(vec![completion()]);
    let options = "model.route.delegate.options.top_k=5";
    delegating(&scene, &[WORKER[0], WORKER[1], options], false).code(0);
    assert_eq!(scene.last()["top_k"], 5);
}

fn delegate_prices((): &()) {
    let scene = Scene::new(vec![completion()]);
    let main = ["model.prices.input=0", "model.prices.output=0"];
    let own = ["model.route.delegate.prices.input=2", "model.route.delegate.prices.output=1"];
    let dollars = |settings: &[&str]| {
        let lines = delegating(&scene, settings, true).code(0).json_lines();
        lines.last().expect("a turn ends")["entry"]["dollars"].as_f64()
    };
    assert_eq!(dollars(&[&WORKER[..], &main, &own].concat()), Some(2.0));
    assert_eq!(dollars(&[&WORKER[..], &main].concat()), Some(0.0), "its prices are not known");
}

fn vision_provider((): &()) {
    let scene = Scene::new(vec![completion()]);
    let main = ["model.provider=provider-rehearsal", "model.name=rehearsal"];
    scene.show(&[&main[..], &EYE[..]].concat(), false).code(0).says(ANSWER);
    scene.show(&main, false).code(0).says("rehearsed");
    assert_eq!(scene.count(), 1);
}

fn vision_options((): &()) {
    let scene = Scene::new(vec![completion()]);
    let main = "model.options.reasoning_effort=high";
    let options = "model.route.vision.options.top_k=5";
    scene.show(&[EYE[0], EYE[1], main, options], false).code(0);
    assert_eq!(scene.last()["top_k"], 5);
    assert_eq!(scene.last()["reasoning_effort"], Value::Null);
}

fn vision_prices((): &()) {
    let scene = Scene::new(vec![completion()]);
    let main = ["model.prices.input=1", "model.prices.output=1"];
    let own = ["model.route.vision.prices.input=2", "model.route.vision.prices.output=1"];
    let dollars = |settings: &[&str]| {
        let lines = scene.show(settings, true).code(0).json_lines();
        lines.last().expect("a turn ends")["entry"]["dollars"].as_f64()
    };
    assert_eq!(dollars(&[&EYE[..], &main, &own].concat()), Some(2.0));
    assert_eq!(dollars(&[&EYE[..], &main].concat()), None, "its prices are not known");
    assert_eq!(dollars(&main), Some(1.0));
}
