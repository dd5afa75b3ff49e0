//! A small client of the protocol's socket, which may be cut off wherever a test wants.

use super::daemon::Daemon;
use serde_json::{Value, json};
use std::net::TcpStream;
use std::time::Duration;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

/// How long an answer may take.
const LONGEST: Duration = Duration::from_secs(60);

/// A connection. Dropping it cuts it off without a word.
pub(crate) struct Socket {
    stream: WebSocket<TcpStream>,
    ids: u64,
    /// What came while a reply was waited for.
    kept: std::collections::VecDeque<Value>,
}

impl Socket {
    /// Connects and says hello, with the sessions to go on with.
    pub(crate) fn open(daemon: &Daemon, resume: &Value) -> Self {
        let stream = TcpStream::connect(daemon.address()).expect("the daemon listens");
        stream.set_read_timeout(Some(LONGEST)).expect("a time limit");
        let url = format!("ws://{}/api/v1/socket", daemon.address());
        let request = url.into_client_request().expect("an address");
        let (stream, _) = client(request, stream).expect("a socket");
        let mut socket = Self { stream, ids: 0, kept: std::collections::VecDeque::new() };
        let client = json!({ "name": "test" });
        let hello = json!({ "type": "hello", "protocol": 1, "token": daemon.token(), "client": client, "resume": resume });
        let welcome = socket.request(hello);
        assert_eq!(welcome["reply"], "welcome", "{welcome}");
        socket
    }

    /// Sends a request and waits for nothing.
    pub(crate) fn send(&mut self, mut request: Value) -> u64 {
        self.ids += 1;
        request["id"] = self.ids.into();
        self.stream.send(Message::text(request.to_string())).expect("it is sent");
        self.ids
    }

    /// Sends a request and waits for what is answered.
    pub(crate) fn request(&mut self, request: Value) -> Value {
        let id = self.send(request);
        loop {
            let message = self.received();
            if message["id"] == id {
                return message;
            }
            self.kept.push_back(message);
        }
    }

    /// The next message.
    pub(crate) fn next(&mut self) -> Value {
        match self.kept.pop_front() {
            Some(message) => message,
            None => self.received(),
        }
    }

    /// The next entry of the session that is followed.
    pub(crate) fn entry(&mut self) -> Value {
        loop {
            let message = self.next();
            if message["type"] == "entry" {
                return message;
            }
        }
    }

    fn received(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.stream.read().expect("a message") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }
}
