//! Keys about the listener.

use super::server::{Reply, Server};
use super::{Tested, check, run};
use crate::support::daemon::Daemon;
use crate::support::hydroid::Home;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub(super) const TESTED: &[Tested<Home>] = &[
    ("gateway.bind", bind),
    ("gateway.echo", echo),
    ("gateway.hosts", hosts),
    ("gateway.insecure", insecure),
    ("gateway.max_connections", connections),
    ("gateway.max_message", message),
    ("gateway.origins", origins),
    ("gateway.queued_messages", queued),
    ("gateway.requests_per_minute", requests),
    ("gateway.session_idle", idle),
    ("gateway.sessions_per_user", sessions),
    ("gateway.tls_cert", certificate),
    ("gateway.tls_key", key),
    ("gateway.turns_per_user", turns),
    ("gateway.webhooks.*.secret", hook_secret),
    ("gateway.webhooks.*.session", hook_session),
    ("gateway.webhooks.*.user", hook_user),
];

#[test]
fn settings_of_the_gateway_have_an_effect() {
    check(&Home::new(), TESTED);
}

fn bind(home: &Home) {
    run(home, &["gateway.bind=here"], &["config", "show"]).code(2).tells("an address with a port");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    run(home, &[&format!("gateway.bind={address}")], &["serve"])
        .code(1)
        .tells("cannot be listened on");
}

fn echo(home: &Home) {
    assert_eq!(Daemon::start(home, &[]).status("GET", "/debug/echo"), 404);
    // Without the headers of a socket it is there and refuses.
    assert_eq!(Daemon::start(home, &["gateway.echo=true"]).status("GET", "/debug/echo"), 400);
    run(home, &["gateway.echo=true", "gateway.bind=0.0.0.0:0"], &["serve"])
        .code(1)
        .tells("tests on this machine");
}

/// The status of a request with this head and nothing else.
fn bare(daemon: &Daemon, head: &str) -> u16 {
    let mut stream = TcpStream::connect(daemon.address()).expect("the daemon listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
    write!(stream, "{head}\r\nConnection: close\r\n\r\n").expect("it is sent");
    let mut answer = String::new();
    drop(stream.read_to_string(&mut answer));
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

fn hosts(home: &Home) {
    let head = "GET /healthz HTTP/1.1\r\nHost: hydroid.example";
    assert_eq!(bare(&Daemon::start(home, &[]), head), 403);
    assert_eq!(bare(&Daemon::start(home, &["gateway.hosts=[\"hydroid.example\"]"]), head), 200);
}

fn origins(home: &Home) {
    let head = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example";
    assert_eq!(bare(&Daemon::start(home, &[]), head), 403);
    let allowed = Daemon::start(home, &["gateway.origins=[\"https://app.example\"]"]);
    assert_eq!(bare(&allowed, head), 200);
}

fn insecure(home: &Home) {
    let serve = |insecure: &str| run(home, &[insecure], &["serve", "--bind", "0.0.0.0:0"]);
    serve("gateway.insecure=false").code(2).tells("nothing would be encrypted");
    serve("gateway.insecure=true").code(2).tells("there is no token");
}

fn connections(home: &Home) {
    let daemon = Daemon::start(home, &["gateway.max_connections=1"]);
    let held = TcpStream::connect(daemon.address()).expect("the first is taken");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(bare(&daemon, "GET /healthz HTTP/1.1\r\nHost: localhost"), 0);
    drop(held);
}

fn message(home: &Home) {
    let body = json!({ "title": "x".repeat(20 << 10) });
    let status =
        |setting: &str| Daemon::start(home, &[setting]).answer("POST", "/api/v1/sessions", &body).0;
    assert_eq!(status("gateway.max_message=16KiB"), 413);
    assert_eq!(status("gateway.max_message=64KiB"), 400);
}

fn create(daemon: &Daemon) -> String {
    let reply = daemon.call("POST", "/api/v1/sessions", &json!({}));
    reply["session"]["session"].as_str().expect("a session").to_owned()
}

fn say(daemon: &Daemon, session: &str, text: &str) -> u16 {
    let path = format!("/api/v1/sessions/{session}/messages");
    daemon.answer("POST", &path, &json!({ "text": text })).0
}

/// A session in which a turn waits for an answer.
fn asking(daemon: &Daemon) -> String {
    let session = create(daemon);
    assert_eq!(say(daemon, &session, "write a.txt: one"), 200);
    daemon.events(&session, 0, |entry| entry["entry"]["kind"] == "approval_asked");
    session
}

/// In a home of its own: what waits is gone on with by the next daemon.
fn queued(_: &Home) {
    let home = Home::new();
    let daemon = Daemon::start(&home, &["gateway.queued_messages=1"]);
    let session = asking(&daemon);
    assert_eq!(say(&daemon, &session, "say one"), 200);
    assert_eq!(say(&daemon, &session, "say two"), 429);
}

fn requests(home: &Home) {
    let daemon = Daemon::start(home, &["gateway.requests_per_minute=2"]);
    let got: Vec<u16> = (0..3).map(|_| daemon.status("GET", "/api/v1/status")).collect();
    assert_eq!(got, [200, 200, 429]);
}

fn awake(daemon: &Daemon) -> u64 {
    daemon.call("GET", "/api/v1/status", &Value::Null)["sessions"].as_u64().expect("a number")
}

fn idle(home: &Home) {
    let daemon = Daemon::start(home, &["gateway.session_idle=1s"]);
    let session = create(&daemon);
    say(&daemon, &session, "say hello");
    daemon.events(&session, 0, |entry| entry["entry"]["kind"] == "turn_ended");
    for _ in 0..100 {
        if awake(&daemon) == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the session stays in memory");
}

fn sessions(home: &Home) {
    let daemon = Daemon::start(home, &["gateway.sessions_per_user=1"]);
    asking(&daemon);
    assert_eq!(say(&daemon, &create(&daemon), "say hello"), 429);
}

fn certificate(home: &Home) {
    let tls = ["gateway.tls_cert=no.pem", "gateway.tls_key=key.pem"];
    run(home, &tls, &["serve"]).code(1).tells("`gateway.tls_cert` is").tells("cannot be read");
}

fn key(home: &Home) {
    home.write("cert.pem", "not PEM");
    home.write("key.pem", "not PEM");
    let tls = ["gateway.tls_cert=cert.pem", "gateway.tls_key=no.pem"];
    run(home, &tls, &["serve"]).code(1).tells("`gateway.tls_key` is").tells("cannot be read");
    run(home, &tls[..1], &["config", "show"]).code(2).tells("are set together");
}

/// With one turn at once, a second one waits until the first has ended.
fn turns(_: &Home) {
    let silent = Server::start(Reply::HeadOnly);
    let origin = silent.origin();
    let address = origin.trim_start_matches("http://");
    let config = format!(
        "[model]\nprovider = \"provider-openai\"\nname = \"m\"\n\
         [egress]\nallow_private = [\"{address}\"]\n\
         [components.provider-openai.config]\nbase_url = \"{origin}/v1\"\napi_key_secret = \"\"\n"
    );
    let waits = |setting: &str| {
        let home = Home::with_config(&config);
        home.run(&["component", "grant", "provider-openai", "web", "--host", &origin]).code(0);
        let daemon = Daemon::start(&home, &[setting]);
        let (one, two) = (create(&daemon), create(&daemon));
        say(&daemon, &one, "go");
        say(&daemon, &two, "go");
        std::thread::sleep(Duration::from_secs(1));
        let status = daemon.call("GET", "/api/v1/status", &Value::Null);
        let running = status["running"].as_array().expect("a list").clone();
        running.iter().filter(|turn| turn["activity"] == "waiting").count()
    };
    assert_eq!(waits("gateway.turns_per_user=1"), 1);
    assert_eq!(waits("gateway.turns_per_user=2"), 0);
}

fn hook<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let base = ["gateway.webhooks.ci.session=s", "gateway.webhooks.ci.secret=hook"];
    [&base, more].concat()
}

fn hook_secret(home: &Home) {
    run(home, &hook(&[]), &["serve", "--bind", "127.0.0.1:0"])
        .code(1)
        .tells("hydroid secret set hook");
}

/// What a signed call is answered with.
fn called(home: &Home, settings: &[&str]) -> String {
    home.write("hook.secret", "whsec");
    let settings = [settings, &["secrets.hook.file=hook.secret"]].concat();
    let daemon = Daemon::start(home, &settings);
    let time = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock")
        .as_secs();
    let signature = hmac_sha256(b"whsec", format!("{time}.built").as_bytes());
    let mut stream = TcpStream::connect(daemon.address()).expect("the daemon listens");
    write!(stream, "POST /api/v1/webhooks/ci HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\nHydroid-Signature: t={time},v1={signature}\r\n\r\nbuilt").expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// HMAC as RFC 2104 has it, over the hash that is here already.
fn hmac_sha256(key: &[u8], text: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    hex::encode(Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize())
}

fn hook_session(home: &Home) {
    let answer = called(home, &hook(&[]));
    assert!(answer.contains("no session `s`"), "{answer}");
    let session = create(&Daemon::start(home, &[]));
    let setting = format!("gateway.webhooks.ci.session={session}");
    let answer = called(home, &["gateway.webhooks.ci.secret=hook", &setting]);
    assert!(answer.contains("\"accepted\""), "{answer}");
}

fn hook_user(home: &Home) {
    let session = create(&Daemon::start(home, &[]));
    let setting = format!("gateway.webhooks.ci.session={session}");
    let settings = ["gateway.webhooks.ci.secret=hook", &setting, "gateway.webhooks.ci.user=anna"];
    let answer = called(home, &settings);
    assert!(answer.contains("no session"), "{answer}");
}
