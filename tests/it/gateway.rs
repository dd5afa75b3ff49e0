//! The daemon as people and programs use it: the built binary, over HTTP, killed and started
//! again. What the listener refuses is tested in its own crate.

mod cut;
mod sessions;
mod waiting;

use crate::support::daemon::Daemon;
use crate::support::hydroid::{Home, test_component};
use crate::support::socket::Socket;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

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
fn an_image_of_a_tool_reaches_whoever_follows_and_whoever_comes_later() {
    let home = Home::new();
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-mcp")]).code(0);
    let daemon = Daemon::start(&home, &[]);
    let session = create(&daemon);
    let mut socket = Socket::open(&daemon, &json!([]));
    socket.request(json!({ "type": "open", "session": session, "after": 0 }));
    say(&daemon, &session, "call test_image_content {}");
    let shown = |socket: &mut Socket| loop {
        let entry = socket.entry()["entry"].clone();
        assert_ne!(entry["kind"], "turn_ended", "no call came to its end");
        if entry["kind"] == "call_finished" {
            let image = entry["output"]["content"][0].clone();
            assert_eq!(
                (&image["type"], &image["media_type"]),
                (&json!("media"), &json!("image/png"))
            );
            let bytes = STANDARD.decode(image["data"].as_str().expect("base64")).expect("base64");
            assert!(bytes.starts_with(b"\x89PNG\r\n"), "{image}");
            return bytes;
        }
    };
    let first = shown(&mut socket);
    drop(socket);
    let mut later = Socket::open(&daemon, &json!([{ "session": session, "after": 0 }]));
    assert_eq!(shown(&mut later), first);
}

#[test]
fn a_session_that_the_daemon_has_open_is_refused_to_a_command() {
    let home = Home::new();
    let daemon = Daemon::start(&home, &[]);
    let session = create(&daemon);
    say(&daemon, &session, "say hello");
    until(&daemon, &session, 0, "turn_ended");
    home.run(&["ask", "--session", &session, "say hi"])
        .code(1)
        .tells("in use by process")
        .tells(&format!("the daemon: go on with `hydroid tui --session {session}`"));
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
    let environment = std::fs::read(format!("/proc/{}/environ", status[0]["pid"]));
    let environment = environment.expect("the daemon's environment");
    assert!(has(&environment, b"MALLOC_ARENA_MAX=2"), "a daemon has few arenas");
    home.run(&["serve", "--bind", "127.0.0.1:0"]).code(1).tells("a daemon runs here already");
    home.run(&["web"]).code(0).says("/login?code=hyd_");
    home.run(&["stop"]).code(0).says("has ended");
    home.run(&["status"]).code(1);
}

#[test]
fn a_daemon_that_starts_is_seen_and_ended() {
    let home = Home::with_config(
        "[gateway.webhooks.slow]\nsecret = \"slow\"\nsession = \"slow\"\n[secrets.slow]\nexec = [\"sleep\", \"50\"]\n",
    );
    let mut child = home.start(&["serve", "--bind", "127.0.0.1:0"]);
    let began = std::time::Instant::now();
    loop {
        let status = home.run(&["status", "--json"]).code(1).json_lines();
        if status[0]["starting"] == true {
            assert_eq!(status[0]["pid"].as_u64(), Some(child.id().into()));
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "it was never seen: {status:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    home.run(&["status"]).code(1).tells("a daemon is starting");
    home.run(&["stop"]).code(0).says("has ended");
    drop(child.wait());
    home.run(&["status"]).code(1).tells("no daemon runs here");
}

#[test]
fn who_is_connected_is_counted_once_as_long_as_they_are() {
    let home = Home::new();
    let daemon = Daemon::start(&home, &[]);
    let counted = |wanted: u64| {
        for _ in 0..200 {
            let status = home.run(&["status", "--json"]).code(0).json_lines();
            if status[0]["connections"] == wanted {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("there were never {wanted} connections");
    };
    counted(0);
    let (one, two) = (Socket::open(&daemon, &json!([])), Socket::open(&daemon, &json!([])));
    counted(2);
    drop(one);
    counted(1);
    drop(two);
    counted(0);
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

/// What comes back for these bytes, to the end of the connection.
fn raw(daemon: &Daemon, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(daemon.address()).expect("the daemon listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
    stream.write_all(request).expect("it is sent");
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    answer
}

/// True if one of the bytes' parts is this.
fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn what_is_refused_has_a_code_and_is_in_the_log() {
    let home = Home::new();
    // A first command makes the place where the log is kept.
    home.run(&["ask", "say hello"]).code(0);
    let daemon = Daemon::start(&home, &["gateway.max_message=16KiB"]);
    let session = create(&daemon);
    let own = daemon.address();
    let token = home.run(&["token", "create", "--user", "ben", "--client", "phone"]).code(0);
    let ben = token.stdout.trim().to_owned();
    let theirs = format!("/api/v1/sessions/{session}/entries");
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let all = bearer(daemon.token());
    for (status, code, path, host, more) in [
        ("401", "unauthenticated", "/api/v1/status", own, String::new()),
        ("401", "unauthenticated", "/api/v1/status", own, bearer("hyd_wrong")),
        ("403", "forbidden", "/api/v1/status", "rebound.example", all.clone()),
        (
            "403",
            "forbidden",
            "/api/v1/status",
            own,
            format!("{all}Origin: http://evil.example\r\n"),
        ),
        ("404", "not_found", theirs.as_str(), own, bearer(&ben)),
    ] {
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n");
        let answer = String::from_utf8_lossy(&raw(&daemon, head.as_bytes())).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {host}: {answer}");
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
    }
    // The head of a frame of 1 GiB, which nothing follows.
    let upgrade = format!(
        "GET /api/v1/socket HTTP/1.1\r\nHost: {own}\r\n{all}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    let frame = [0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4];
    let answer = raw(&daemon, &[upgrade.as_bytes(), &frame].concat());
    assert!(has(&answer, b"too_large"), "{}", String::from_utf8_lossy(&answer));
    assert!(has(&answer, &1009_u16.to_be_bytes()));
    let log = std::fs::read_to_string(home.path("users/local/hydroid.log")).expect("a log");
    for said in [
        "a token is needed",
        "this token is unknown",
        "rebound.example",
        "http://evil.example",
        theirs.as_str(),
        "larger than `gateway.max_message`",
    ] {
        assert!(log.contains(said), "`{said}` is not in the log:\n{log}");
    }
    assert!(!log.contains("hyd_wrong") && !log.contains(&ben), "{log}");
}
