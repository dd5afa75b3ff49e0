//! Connections that are cut off at every place, over the real listener: nothing is lost, nothing
//! is shown or said twice. What a session tells its followers is tested in `agent`.

use super::{create, say, until};
use crate::support::daemon::Daemon;
use crate::support::hydroid::Home;
use crate::support::socket::Socket;
use serde_json::{Value, json};

/// A turn with thinking, a call and several pieces of text.
const TURN: &str = "think of files then list files then say one two three";

/// The numbers and entries of a turn, but for what differs between two of them.
fn kinds(entries: &[Value]) -> Vec<String> {
    entries.iter().map(|entry| entry["entry"]["kind"].as_str().unwrap_or("").to_owned()).collect()
}

fn seqs(entries: &[Value]) -> Vec<u64> {
    entries.iter().filter_map(|entry| entry["seq"].as_u64()).collect()
}

#[test]
fn a_socket_that_is_cut_at_every_entry_of_a_turn_loses_and_repeats_nothing() {
    let home = Home::new();
    let daemon = Daemon::start(&home, &["gateway.requests_per_minute=100000"]);
    let whole = {
        let session = create(&daemon);
        say(&daemon, &session, TURN);
        until(&daemon, &session, 0, "turn_ended")
    };
    assert!(whole.len() > 8, "{:?}", kinds(&whole));
    for cut in 0..=whole.len() {
        let mut socket = Socket::open(&daemon, &json!([]));
        let session = socket.request(json!({ "type": "create" }))["session"]["session"].clone();
        let text = json!({ "type": "say", "session": session, "text": TURN });
        assert_eq!(socket.request(text)["reply"], "accepted");
        let mut entries: Vec<Value> = (0..cut).map(|_| socket.entry()).collect();
        drop(socket);
        let after = entries.last().map_or(json!(0), |entry| entry["seq"].clone());
        let mut socket = Socket::open(&daemon, &json!([{ "session": session, "after": after }]));
        while entries.len() < whole.len() {
            entries.push(socket.entry());
        }
        assert_eq!(seqs(&entries), seqs(&whole), "cut after {cut}");
        assert_eq!(kinds(&entries).last(), kinds(&whole).last(), "cut after {cut}");
        // Nothing comes behind it.
        socket.send(json!({ "type": "ping" }));
        let next = std::iter::repeat_with(|| socket.next())
            .find(|message| message["type"] == "entry" || message["reply"] == "pong");
        assert_eq!(next.expect("an answer")["reply"], "pong", "cut after {cut}");
    }
}

#[test]
fn events_that_are_cut_at_every_entry_of_a_turn_lose_and_repeat_nothing() {
    let home = Home::new();
    let daemon = Daemon::start(&home, &["gateway.requests_per_minute=100000"]);
    let first = create(&daemon);
    say(&daemon, &first, TURN);
    let whole = until(&daemon, &first, 0, "turn_ended");
    for cut in 1..=whole.len() as u64 {
        let session = create(&daemon);
        say(&daemon, &session, TURN);
        let mut entries = daemon.events(&session, 0, |entry| entry["seq"] == cut);
        if cut < whole.len() as u64 {
            entries.extend(until(&daemon, &session, cut, "turn_ended"));
        }
        assert_eq!(seqs(&entries), seqs(&whole), "cut after {cut}");
    }
}

#[test]
fn what_is_sent_again_after_a_cut_is_said_and_begun_once() {
    let home = Home::new();
    let mut daemon = Daemon::start(&home, &[]);
    // Cut off right after sending, so nobody knows whether it arrived.
    let begin = json!({ "type": "create", "title": "once", "key": "begin-1" });
    let mut socket = Socket::open(&daemon, &json!([]));
    socket.send(begin.clone());
    drop(socket);
    let mut socket = Socket::open(&daemon, &json!([]));
    let session = socket.request(begin)["session"]["session"].clone();
    for number in 0..8 {
        let key = format!("say-{number}");
        let words = json!({ "type": "say", "session": session, "text": "say hello", "key": key });
        socket.send(words.clone());
        drop(socket);
        socket = Socket::open(&daemon, &json!([]));
        assert_eq!(socket.request(words)["reply"], "accepted");
        let session = session.as_str().expect("a text");
        let entries = until(&daemon, session, number * 5, "turn_ended");
        assert_eq!(entries.last().expect("entries")["seq"], (number + 1) * 5);
    }
    let id = session.as_str().expect("a text").to_owned();
    daemon.kill();
    let daemon = Daemon::start(&home, &[]);
    let path = format!("/api/v1/sessions/{id}/messages");
    let again = json!({ "text": "say hello" });
    let reply = daemon.call_with("POST", &path, "Idempotency-Key: say-3", &again);
    assert_eq!(reply["repeated"], true);
    let listed = daemon.call("GET", "/api/v1/sessions", &Value::Null);
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["sessions"][0]["turns"], 8);
    let keys: Vec<Value> = until(&daemon, &id, 0, "nothing")
        .into_iter()
        .filter(|entry| entry["entry"]["kind"] == "turn_started")
        .map(|entry| entry["entry"]["key"].clone())
        .collect();
    assert_eq!(keys.len(), 8);
    assert_eq!(keys[3], "say-3");
}
