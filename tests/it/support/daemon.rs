//! A running `hydroid serve` and a small client of its HTTP interface. Not the protocol's socket,
//! which the gateway's own tests speak.

use super::hydroid::Home;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::time::{Duration, Instant};

/// A daemon takes seconds at most; compiled components are shared.
const LONGEST: Duration = Duration::from_secs(60);

/// A daemon in a home; it is killed when it is dropped.
pub(crate) struct Daemon {
    child: Option<Child>,
    address: String,
    token: String,
}

impl Daemon {
    /// Starts one on a port of its own, with these `KEY=VALUE` settings.
    pub(crate) fn start(home: &Home, settings: &[&str]) -> Self {
        drop(std::fs::remove_file(home.path("run/gateway.json")));
        let mut arguments = vec!["serve", "--bind", "127.0.0.1:0"];
        arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        let child = Some(home.start(&arguments));
        let mut daemon = Self { child, address: String::new(), token: String::new() };
        let began = Instant::now();
        loop {
            if let Ok(text) = std::fs::read_to_string(home.path("run/gateway.json")) {
                let running: Value = serde_json::from_str(&text).expect("JSON");
                let field = |name: &str| running[name].as_str().expect("a text").to_owned();
                daemon.address = field("url").trim_start_matches("http://").to_owned();
                daemon.token = field("token");
                return daemon;
            }
            assert!(began.elapsed() < LONGEST, "the daemon does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The same daemon, spoken to with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { child: None, address: self.address.clone(), token: token.to_owned() }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The token of whoever may do everything.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
    }

    /// A request that is sent and not waited for.
    pub(crate) fn sent(&self, method: &str, path: &str) -> TcpStream {
        self.send(method, path, "", &Value::Null)
    }

    fn send(&self, method: &str, path: &str, header: &str, body: &Value) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("the daemon listens");
        stream.set_read_timeout(Some(LONGEST)).expect("a time limit");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{header}\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("the request is sent");
        stream
    }

    /// Status and body of an answer.
    pub(crate) fn answer(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        self.answer_with(method, path, "", body)
    }

    fn answer_with(&self, method: &str, path: &str, header: &str, body: &Value) -> (u16, String) {
        let mut answer = String::new();
        self.send(method, path, header, body).read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    /// Only the status.
    pub(crate) fn status(&self, method: &str, path: &str) -> u16 {
        self.answer(method, path, &Value::Null).0
    }

    /// The reply to a request that is done.
    #[track_caller]
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.call_with(method, path, "", body)
    }

    /// The same, with another header line.
    #[track_caller]
    pub(crate) fn call_with(&self, method: &str, path: &str, header: &str, body: &Value) -> Value {
        let (status, text) = self.answer_with(method, path, header, body);
        assert_eq!(status, 200, "{method} {path}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// What a session tells after a number, up to the first of which this is true, or as far as
    /// it has come when nothing comes for a while.
    pub(crate) fn events(
        &self,
        session: &str,
        after: u64,
        is_last: impl Fn(&Value) -> bool,
    ) -> Vec<Value> {
        let path = format!("/api/v1/sessions/{session}/events?after={after}");
        let stream = self.send("GET", &path, "", &Value::Null);
        let mut entries = Vec::new();
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            let Some(data) = line.strip_prefix("data: ") else {
                // Nothing but a sign of life.
                if line.starts_with(':') {
                    break;
                }
                continue;
            };
            let message: Value = serde_json::from_str(data).expect("JSON");
            if message["type"] == "entry" {
                let last = is_last(&message);
                entries.push(message);
                if last {
                    break;
                }
            }
        }
        entries
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
