//! Sessions as a whole through the built binary: summed up, named, put away, copied, taken back,
//! removed; by the daemon, by commands with a daemon, and by commands alone.

use super::{create, say, text_of, until};
use crate::support::daemon::Daemon;
use crate::support::hydroid::Home;
use serde_json::{Value, json};
use std::io::Read;
use std::net::TcpListener;

/// A message that is worth summing up.
fn long(text: &str) -> String {
    format!("say \"{}\"", format!("{text} ").repeat(250))
}

/// A session of three turns, of which the first two are long.
fn conversation(daemon: &Daemon) -> String {
    let session = create(daemon);
    for (number, text) in [long("oak"), long("elm"), "say short".to_owned()].iter().enumerate() {
        let listed = daemon.call("GET", "/api/v1/sessions", &Value::Null);
        let last = listed["sessions"][0]["last_seq"].as_u64().expect("a number");
        say(daemon, &session, text);
        let ended = until(daemon, &session, last, "turn_ended");
        assert_eq!(ended.last().expect("entries")["entry"]["kind"], "turn_ended", "{number}");
    }
    session
}

fn compact(daemon: &Daemon, session: &str) -> Value {
    daemon.call("POST", &format!("/api/v1/sessions/{session}/compact"), &Value::Null)
}

#[test]
fn a_session_is_summed_up_now_by_the_daemon_and_by_a_command_through_it() {
    let home = Home::new();
    let daemon = Daemon::start(&home, &[]);
    let session = conversation(&daemon);
    let reply = compact(&daemon, &session);
    assert_eq!((&reply["reply"], &reply["turns"]), (&json!("compacted"), &json!(2)), "{reply}");
    assert_eq!(compact(&daemon, &session)["turns"], 0, "there is nothing left to gain");
    let entries = until(&daemon, &session, 0, "compacted");
    let summed_up = &entries.last().expect("entries")["entry"];
    assert_eq!(summed_up["covers"], 2);
    assert!(summed_up["summary"].as_str().is_some_and(|text| text.contains("oak")), "{summed_up}");
    // Every word is still there, and the conversation goes on.
    assert!(text_of(&entries).contains("oak"));
    let last = entries.last().expect("entries")["seq"].as_u64().expect("a number");
    say(&daemon, &session, &long("ash"));
    until(&daemon, &session, last, "turn_ended");
    home.run(&["session", "compact", &session]).code(0).says("the first 3 turns are summed up");
    home.run(&["session", "compact", &session]).code(0).says("there is nothing to sum up");
}

#[test]
fn a_summary_that_was_killed_leaves_the_conversation_whole() {
    let home = Home::new();
    let service = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = service.local_addr().expect("an address");
    // It takes what it is sent and never answers.
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = service.accept().expect("a request");
        let mut begin = [0; 16];
        stream.read_exact(&mut begin).expect("its beginning");
        stream
    });
    let settings = [
        "model.route.compaction.provider=provider-openai".to_owned(),
        "model.route.compaction.name=silent".to_owned(),
        format!("egress.allow_private=[\"{address}\"]"),
        format!("components.provider-openai.config.base_url=http://{address}/v1"),
        "components.provider-openai.config.api_key_secret=".to_owned(),
    ];
    let origin = format!("http://{address}");
    home.run(&["component", "grant", "provider-openai", "web", "--host", &origin]).code(0);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut daemon = Daemon::start(&home, &settings);
    let session = conversation(&daemon);
    let before = until(&daemon, &session, 0, "nothing");
    let path = format!("/api/v1/sessions/{session}/compact");
    let mut waiting = daemon.sent("POST", &path);
    let held = asked.join().expect("the model is asked");
    let info = daemon.call("GET", "/api/v1/status", &Value::Null);
    assert_eq!(info["running"][0]["activity"], "working", "{info}");
    daemon.kill();
    drop(held);
    assert_eq!(waiting.read_to_string(&mut String::new()).unwrap_or(0), 0, "nobody answered");
    let daemon = Daemon::start(&home, &[]);
    assert_eq!(until(&daemon, &session, 0, "nothing"), before, "nothing was lost or added");
    assert_eq!(compact(&daemon, &session)["turns"], 2);
}

/// What the command makes of a session, with a daemon or without.
fn changes(home: &Home, daemon: Option<&Daemon>) {
    home.run(&["ask", "--quiet", "say one"]).code(0);
    let listed = || home.run(&["session", "list", "--json"]).code(0).json_lines()[0].clone();
    let id = listed()[0]["id"].as_str().expect("an identifier").to_owned();
    home.run(&["ask", "--quiet", "--session", &id, "say two"]).code(0);
    let prefix: String = id.chars().take(30).collect();
    home.run(&["session", "rename", &prefix, "Two", "rivers"]).code(0).tells("`Two rivers`");
    assert_eq!(listed()[0]["title"], "Two rivers");
    home.run(&["session", "rename", &id, " "]).code(1).tells("1 to 200 characters");
    home.run(&["session", "search", "two", "--session", &id]).code(0).says(&id);
    home.run(&["session", "archive", &id]).code(0).tells("--archived");
    assert_eq!(listed(), json!([]));
    home.run(&["session", "list", "--archived"]).code(0).says("Two rivers");
    home.run(&["session", "archive", &id, "--undo"]).code(0);
    let copy = home.run(&["session", "fork", &id, "--without", "1", "--title", "Copy"]).code(0);
    let copy = copy.stdout.trim().to_owned();
    let shown = home.run(&["session", "show", &copy]).code(0).says("one");
    assert!(!shown.stdout.contains("two"), "{}", shown.stdout);
    home.run(&["session", "rewind", &id, "--turns", "3"]).code(2).tells("has 2 turns");
    home.run(&["session", "rewind", &id]).code(0);
    home.run(&["session", "rewind", &id, "--turns", "2"]).code(2).tells("has 1 turns");
    home.run(&["session", "delete", &copy]).code(2).tells("--yes");
    home.run(&["session", "delete", &copy, "--yes"]).code(0);
    assert_eq!(listed().as_array().map(Vec::len), Some(1));
    home.run(&["session", "rename", "ffffffff", "x"]).code(1).tells("no session `ffffffff`");
    if let Some(daemon) = daemon {
        let seen = daemon.call("GET", "/api/v1/sessions", &Value::Null);
        assert_eq!(seen["sessions"][0]["title"], "Two rivers");
    }
}

#[test]
fn sessions_are_changed_by_commands_alone() {
    changes(&Home::new(), None);
}

#[test]
fn sessions_are_changed_by_commands_through_the_daemon() {
    let home = Home::new();
    let daemon = Daemon::start(&home, &[]);
    changes(&home, Some(&daemon));
}
