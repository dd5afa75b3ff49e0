//! What a client was told is accepted is there after `kill -9`, in its order and once, and is
//! worked on without anybody asking. What of it is kept where is tested in `memory`.

use super::{create, say, text_of, until};
use crate::support::daemon::Daemon;
use crate::support::hydroid::Home;
use serde_json::{Value, json};
use std::cell::Cell;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Entries from the beginning, until so many turns have ended.
fn until_turns(daemon: &Daemon, session: &str, turns: usize) -> Vec<Value> {
    let ended = Cell::new(0);
    daemon.events(session, 0, |entry| {
        ended.set(ended.get() + usize::from(entry["entry"]["kind"] == "turn_ended"));
        ended.get() == turns
    })
}

/// The texts that turns began with, each with its client's key.
fn began_with(entries: &[Value]) -> Vec<(String, String)> {
    let began = entries.iter().filter(|entry| entry["entry"]["kind"] == "turn_started");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    began
        .map(|entry| &entry["entry"])
        .map(|entry| (text(&entry["parts"][0]["text"]), text(&entry["key"])))
        .collect()
}

fn say_under(daemon: &Daemon, session: &str, text: &str, key: &str) -> Value {
    let path = format!("/api/v1/sessions/{session}/messages");
    let header = format!("Idempotency-Key: {key}");
    daemon.call_with("POST", &path, &header, &json!({ "text": text }))
}

fn queued(daemon: &Daemon, session: &str) -> Value {
    let listed = daemon.call("GET", "/api/v1/sessions", &Value::Null);
    let sessions = listed["sessions"].as_array().expect("sessions").iter();
    let mut ours = sessions.filter(|info| info["session"] == session);
    ours.next().expect("the session")["queued"].clone()
}

#[test]
fn messages_behind_a_question_wait_through_a_kill_with_their_files() {
    let home = Home::new();
    let mut daemon = Daemon::start(&home, &["gateway.queued_messages=3"]);
    let session = create(&daemon);
    say(&daemon, &session, "write kept.txt: one");
    let asked = until(&daemon, &session, 0, "approval_asked");
    let messages = format!("/api/v1/sessions/{session}/messages");
    let upload =
        daemon.call("POST", "/api/v1/uploads?name=map.json", &json!("these are its bytes"));
    let with_file = json!({ "text": "say two", "attachments": [upload["upload"]] });
    for (number, key) in [(1, "b"), (2, "c"), (3, "d")] {
        let header = format!("Idempotency-Key: {key}");
        let text = json!({ "text": format!("say {key}") });
        let body = if key == "b" { &with_file } else { &text };
        let reply = daemon.call_with("POST", &messages, &header, body);
        assert_eq!(reply["queued"], number, "{reply}");
    }
    daemon.kill();
    let daemon = Daemon::start(&home, &["gateway.queued_messages=3"]);
    assert_eq!(queued(&daemon, &session), 3);
    for key in ["b", "c", "d"] {
        assert_eq!(say_under(&daemon, &session, "say other", key)["repeated"], true, "{key}");
    }
    let path = format!("/api/v1/sessions/{session}/rewind");
    assert_eq!(daemon.status("POST", &path), 409, "something waits");
    let (status, text) = daemon.answer("POST", &messages, &json!({ "text": "one too many" }));
    assert_eq!(status, 429, "{text}");
    let call = asked.last().expect("a question")["entry"]["call_id"].clone();
    let body = json!({ "call_id": call, "answer": { "answer": "once" } });
    daemon.call("POST", &format!("/api/v1/sessions/{session}/answers"), &body);
    let entries = until_turns(&daemon, &session, 4);
    let began = began_with(&entries);
    let keys: Vec<&str> = began.iter().map(|(_, key)| key.as_str()).collect();
    assert_eq!(keys, ["", "b", "c", "d"], "{began:?}");
    let files = entries.iter().map(|entry| &entry["entry"]["parts"][1]["name"]);
    assert_eq!(files.filter(|name| *name == "map.json").count(), 1);
    assert_eq!(std::fs::read_to_string(home.shared("kept.txt")).unwrap(), "one");
    assert_eq!(queued(&daemon, &session), 0);
}

/// Whatever the daemon was doing: each message that was accepted has one turn, in its order.
#[test]
fn a_kill_at_any_moment_loses_and_repeats_no_message() {
    let home = Home::new();
    // However slow the machine is, none is refused.
    let room = ["gateway.queued_messages=64"];
    let mut keys: Vec<String> = Vec::new();
    let mut session = String::new();
    for life in [0, 3, 8, 15, 40, 90, 200, 400] {
        let mut daemon = Daemon::start(&home, &room);
        if session.is_empty() {
            session = create(&daemon);
        }
        // What was accepted before is said to be so again.
        for key in keys.iter().rev().take(2) {
            assert_eq!(say_under(&daemon, &session, "say other", key)["repeated"], true, "{key}");
        }
        for _ in 0..3 {
            let key = format!("k{}", keys.len());
            let reply = say_under(&daemon, &session, &format!("say {key}"), &key);
            assert_eq!(reply["reply"], "accepted", "{reply}");
            keys.push(key);
        }
        std::thread::sleep(Duration::from_millis(life));
        daemon.kill();
    }
    let daemon = Daemon::start(&home, &room);
    let entries = until_turns(&daemon, &session, keys.len());
    let expect: Vec<_> = keys.iter().map(|key| (format!("say {key}"), key.clone())).collect();
    assert_eq!(began_with(&entries), expect);
    let ended = entries.iter().filter(|entry| entry["entry"]["kind"] == "turn_ended").count();
    assert_eq!(ended, keys.len());
    assert_eq!(queued(&daemon, &session), 0);
}

/// A model service that takes what it is sent and never answers, and the settings to ask it.
fn silent(home: &Home) -> (TcpListener, Vec<String>) {
    let service = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = service.local_addr().expect("an address");
    let origin = format!("http://{address}");
    home.run(&["component", "grant", "provider-openai", "web", "--host", &origin]).code(0);
    let settings = vec![
        "model.provider=provider-openai".to_owned(),
        "model.name=silent".to_owned(),
        format!("egress.allow_private=[\"{address}\"]"),
        format!("components.provider-openai.config.base_url=http://{address}/v1"),
        "components.provider-openai.config.api_key_secret=".to_owned(),
    ];
    (service, settings)
}

/// A daemon with a turn whose model was asked and does not answer.
fn hanging(home: &Home) -> (Daemon, String, TcpStream) {
    let (service, settings) = silent(home);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let daemon = Daemon::start(home, &settings);
    let session = create(&daemon);
    say(&daemon, &session, "say never");
    let (asked, _) = service.accept().expect("the model is asked");
    (daemon, session, asked)
}

#[test]
fn what_a_killed_turn_had_not_read_is_a_message_of_its_own() {
    let home = Home::new();
    let (mut daemon, session, _asked) = hanging(&home);
    say_under(&daemon, &session, "say later", "l");
    let steer = format!("/api/v1/sessions/{session}/steer");
    let steered = |daemon: &Daemon| {
        let body = json!({ "text": "say shorter" });
        daemon.call_with("POST", &steer, "Idempotency-Key: s", &body)["reply"].clone()
    };
    assert_eq!(steered(&daemon), "done");
    daemon.kill();
    let mut daemon = Daemon::start(&home, &[]);
    assert_eq!(steered(&daemon), "done", "and is not said again");
    let entries = until_turns(&daemon, &session, 3);
    let began = began_with(&entries);
    let expect = [("say never", ""), ("say shorter", "s"), ("say later", "l")];
    let expect = expect.map(|(text, key)| (text.to_owned(), key.to_owned()));
    assert_eq!(began, expect);
    assert_eq!(text_of(&entries), "shorterlater");
    daemon.kill();
    let daemon = Daemon::start(&home, &[]);
    say(&daemon, &session, "say end");
    assert_eq!(began_with(&until_turns(&daemon, &session, 4)).len(), 4);
}

#[test]
fn what_waits_outlives_a_polite_end_and_not_a_cancel_of_everything() {
    let home = Home::new();
    let (daemon, session, _asked) = hanging(&home);
    say(&daemon, &session, "say later");
    home.run(&["stop"]).code(0);
    drop(daemon);
    let daemon = Daemon::start(&home, &[]);
    let entries = until_turns(&daemon, &session, 2);
    assert_eq!(text_of(&entries), "later");
    drop(daemon);
    let (mut daemon, session, _asked) = hanging(&home);
    say(&daemon, &session, "say dropped");
    daemon.call("POST", "/api/v1/cancel", &Value::Null);
    until_turns(&daemon, &session, 1);
    daemon.kill();
    let daemon = Daemon::start(&home, &[]);
    assert_eq!(queued(&daemon, &session), 0);
    say(&daemon, &session, "say after");
    assert_eq!(text_of(&until_turns(&daemon, &session, 2)), "after");
}

#[test]
fn what_another_user_was_told_waits_is_worked_on_before_they_come() {
    let home = Home::new();
    let mut daemon = Daemon::start(&home, &[]);
    let token = home.run(&["token", "create", "--user", "anna", "--client", "phone"]).code(0);
    let token = token.stdout.trim().to_owned();
    let anna = daemon.with_token(&token);
    let session = create(&anna);
    say(&anna, &session, "write a.txt: hers");
    let asked = until(&anna, &session, 0, "approval_asked");
    assert!(!asked.is_empty());
    say(&anna, &session, "say later");
    daemon.kill();
    let daemon = Daemon::start(&home, &[]);
    let running = || {
        let figures = daemon.answer("GET", "/metrics", &Value::Null).1;
        figures.lines().any(|line| line.starts_with("hydroid_sessions") && line.ends_with(" 1"))
    };
    let began = std::time::Instant::now();
    while !running() && began.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(running(), "{}", daemon.answer("GET", "/metrics", &Value::Null).1);
    assert_eq!(queued(&daemon.with_token(&token), &session), 1);
}
