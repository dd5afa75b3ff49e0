//! The daemon as people and programs use it: the built binary, over HTTP, killed and started
//! again. What the listener refuses is tested in its own crate.

mod cut;
mod sessions;

use crate::support::daemon::Daemon;
use crate::support::hydroid::Home;
use serde_json::{Value, json};

fn create(daemon: &Daemon) -> String {
    let reply = daemon.call("POST", "/api/v1/sessions", &json!({}));
    reply["session"]["session"].as_str().expect("a session").to_owned()
}

fn say(daemon: &Daemon, session: &str, text: &str) -> Value {
    let path = format!("/api/v1/sessions/{session}/messages");
    daemon.call("POST", &path, &json!({ "text": text }))
}

/// Entries after a number, until one of this kind.
fn until(daemon: &Daemon, session: &str, after: u64, kind: &str) -> Vec<Value> {
    daemon.events(session, after, |entry| entry["entry"]["kind"] == kind)
}

fn text_of(entries: &[Value]) -> String {
    let texts = entries.iter().filter(|entry| entry["entry"]["kind"] == "text");
    texts.filter_map(|entry| entry["entry"]["text"].as_str()).collect()
}

fn numbers(entries: &[Value]) -> Vec<u64> {
    entries.iter().filter_map(|entry| entry["seq"].as_u64()).collect()
}

#[test]
fn a_conversation_goes_on_after_the_daemon_was_killed_in_a_turn() {
    let home = Home::new();
    let mut daemon = Daemon::start(&home, &[]);
    let session = create(&daemon);
    say(&daemon, &session, "say hello there");
    let first = until(&daemon, &session, 0, "turn_ended");
    assert_eq!(text_of(&first), "hello there");
    // A question keeps the turn open; a call that was answered runs when the kill comes.
    say(&daemon, &session, "write kept.txt: one");
    let asked = until(&daemon, &session, 0, "approval_asked");
    let last = *numbers(&asked).last().expect("entries");
    daemon.kill();
    let daemon = Daemon::start(&home, &[]);
    let call = asked.last().expect("a question")["entry"]["call_id"].clone();
    let path = format!("/api/v1/sessions/{session}/answers");
    let body = json!({ "call_id": call, "answer": { "answer": "once" } });
    assert_eq!(daemon.call("POST", &path, &body)["reply"], "done");
    let rest = until(&daemon, &session, last, "turn_ended");
    let all = until(&daemon, &session, 0, "nothing");
    assert_eq!(numbers(&all), (1..=all.len() as u64).collect::<Vec<_>>());
    assert_eq!(numbers(&rest).first(), Some(&(last + 1)));
    assert_eq!(std::fs::read_to_string(home.shared("kept.txt")).unwrap(), "one");
    say(&daemon, &session, "say still here");
    let more = until(&daemon, &session, all.len() as u64, "turn_ended");
    assert_eq!(text_of(&more), "still here");
}

#[test]
fn a_session_that_the_daemon_has_open_is_refused_to_a_command() {
    let home = Home::new();
    let daemon = Daemon::start(&home, &[]);
    let session = create(&daemon);
    say(&daemon, &session, "say hello");
    until(&daemon, &session, 0, "turn_ended");
    home.run(&["ask", "--session", &session, "say hi"]).code(1).tells("in use by process");
    home.run(&["session", "show", &session]).code(0).says("hello");
}

#[test]
fn users_see_nothing_of_each_other() {
    let home = Home::new();
    let daemon = Daemon::start(&home, &[]);
    let session = create(&daemon);
    let token = home.run(&["token", "create", "--user", "anna", "--client", "phone"]).code(0);
    let anna = daemon.with_token(token.stdout.trim());
    assert_eq!(anna.call("GET", "/api/v1/sessions", &Value::Null)["sessions"], json!([]));
    let path = format!("/api/v1/sessions/{session}/entries");
    assert_eq!(anna.status("GET", &path), 404);
    let hers = create(&anna);
    say(&anna, &hers, "write mine.txt: hers");
    until(&anna, &hers, 0, "approval_asked");
    assert_eq!(daemon.status("GET", &format!("/api/v1/sessions/{hers}/entries")), 404);
    let listed = home.run(&["token", "list"]).code(0).says("anna").says("phone");
    let id = listed.stdout.lines().nth(1).and_then(|line| line.split(' ').next()).expect("an id");
    home.run(&["token", "revoke", id]).code(0);
    assert_eq!(anna.status("GET", "/api/v1/status"), 401);
}

#[test]
fn a_daemon_is_started_seen_and_ended() {
    let home = Home::new();
    home.run(&["status"]).code(1).tells("no daemon runs here");
    home.run(&["stop"]).code(1).tells("no daemon runs here");
    home.run(&["start", "--bind", "127.0.0.1:0"]).code(0).says("listening on http://127.0.0.1:");
    let status = home.run(&["status", "--json"]).code(0).json_lines();
    assert_eq!(status[0]["running"], true);
    home.run(&["serve", "--bind", "127.0.0.1:0"]).code(1).tells("a daemon runs here already");
    home.run(&["web"]).code(0).says("/login?code=hyd_");
    home.run(&["stop"]).code(0).says("has ended");
    home.run(&["status"]).code(1);
}

#[test]
fn other_machines_are_not_served_by_mistake() {
    let home = Home::new();
    home.run(&["serve", "--bind", "0.0.0.0:0"]).code(2).tells("gateway.tls_cert");
    home.run(&["serve", "--bind", "here"]).code(2).tells("is no address with a port");
}

#[test]
fn clients_of_openai_drive_the_agent() {
    let home = Home::new();
    let daemon = Daemon::start(&home, &[]);
    let said = json!([{ "role": "user", "content": "say hello there" }]);
    let chat = json!({ "model": "hydroid", "messages": said });
    let answer = daemon.call("POST", "/v1/chat/completions", &chat);
    assert_eq!(answer["choices"][0]["message"]["content"], "hello there");
    let input = json!({ "model": "hydroid", "input": "say hello there", "store": false });
    let answer = daemon.call("POST", "/v1/responses", &input);
    assert_eq!(answer["output"][0]["content"][0]["text"], "hello there");
}
