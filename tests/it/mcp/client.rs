//! A client of the protocol that knows nothing but lines of JSON, so that what we serve is looked
//! at by something that is not ours.

use crate::support::hydroid::Home;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The longest a line is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Client {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    next: u64,
    /// What came beside answers.
    pub(super) told: Vec<Value>,
    /// What is answered to a question.
    pub(super) allow: bool,
}

impl Client {
    /// A client of `hydroid mcp serve` that shook hands.
    pub(super) fn of(home: &Home, arguments: &[&str]) -> Self {
        let mut client = Self::unshaken(home, arguments);
        let hello = client.request(
            "initialize",
            json!({
                "protocolVersion": "2025-11-25",
                "capabilities": { "elicitation": {} },
                "clientInfo": { "name": "a test", "version": "1" },
            }),
        );
        assert_eq!(hello["result"]["serverInfo"]["name"], "hydroid", "{hello}");
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    pub(super) fn unshaken(home: &Home, arguments: &[&str]) -> Self {
        let mut command = Command::new(home.hydroid());
        command.args(["mcp", "serve"]).args(arguments).env_clear();
        command.env("HYDROID_HOME", home.path("")).env("HOME", home.path(""));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("hydroid is built");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it was asked for"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line);
                let value = value
                    .unwrap_or_else(|error| json!({ "broken": line, "why": error.to_string() }));
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        Self { child, input, lines, next: 0, told: Vec::new(), allow: false }
    }

    pub(super) fn send(&mut self, message: &Value) {
        self.write(format!("{message}\n").as_bytes());
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("it is open");
        input.write_all(bytes).and_then(|()| input.flush()).expect("the server reads");
    }

    /// Sends a request and waits for its answer.
    pub(super) fn request(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        self.answer(id)
    }

    pub(super) fn answer(&mut self, id: u64) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("an answer in time");
            assert_eq!(line["broken"], Value::Null, "not a line of the protocol: {line}");
            if line["id"] == id && line["method"].is_null() {
                return line;
            }
            if line["method"] == "elicitation/create" {
                let content = json!({ "allow": self.allow });
                let result = json!({ "action": "accept", "content": content });
                self.send(&json!({ "jsonrpc": "2.0", "id": line["id"], "result": result }));
            }
            self.told.push(line);
        }
    }

    /// Waits until it is told or asked this, which it does not answer.
    pub(super) fn is_told(&mut self, method: &str) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("a word in time");
            if line["method"] == method {
                return;
            }
            assert_eq!(line["error"], Value::Null, "{line}");
        }
    }

    /// Calls a tool; its text, and whether it failed.
    pub(super) fn call(&mut self, tool: &str, arguments: Value) -> (String, bool) {
        let answer = self.request("tools/call", json!({ "name": tool, "arguments": arguments }));
        let result = &answer["result"];
        assert!(result.is_object(), "{answer}");
        let texts = result["content"].as_array().expect("content").iter();
        let texts: Vec<&str> = texts.filter_map(|part| part["text"].as_str()).collect();
        (texts.join("\n"), result["isError"] == true)
    }

    /// Goes, and sees that the server goes too.
    pub(super) fn leaves(self) {
        self.leaves_within(PATIENCE);
    }

    /// The same in so much time.
    pub(super) fn leaves_within(mut self, time: Duration) {
        self.input = None;
        let left = Instant::now();
        while left.elapsed() < time {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                assert!(status.success(), "{status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not end with its client within {} s", time.as_secs());
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
