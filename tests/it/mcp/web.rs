//! A service over HTTP that a test answers for, request by request. It knows nothing of the
//! protocol.

use crate::support::http;
use crate::support::hydroid::Home;
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    /// With its query.
    pub(super) path: String,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// What a test answers.
#[derive(Debug)]
pub(super) struct Answered {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// A running service. Its threads end with the process.
pub(super) struct Service {
    address: SocketAddr,
    answered: Arc<Mutex<Vec<Asked>>>,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The message in it; null if there is none.
    pub(super) fn message(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// What it asks for: the method of its message, or of HTTP.
    pub(super) fn wants(&self) -> String {
        self.message()["method"].as_str().unwrap_or(&self.method).to_owned()
    }

    /// The answer to its message.
    pub(super) fn result(&self, result: Value) -> Answered {
        Answered::json(
            200,
            json!({ "jsonrpc": "2.0", "id": self.message()["id"], "result": result }),
        )
    }

    /// The refusal of its message.
    pub(super) fn error(&self, status: u16, error: Value) -> Answered {
        let id = self.message()["id"].clone();
        Answered::json(status, json!({ "jsonrpc": "2.0", "id": id, "error": error }))
    }
}

impl Answered {
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { body: body.to_string(), ..Self::empty(status) }
            .with("content-type", "application/json")
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Service {
    /// Answers with what this makes of a request and of the service's own origin.
    pub(super) fn start(answer: impl Fn(&Asked, &str) -> Answered + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback address");
        let address = listener.local_addr().expect("a bound listener has an address");
        let answered = Arc::<Mutex<Vec<Asked>>>::default();
        let (log, answer) = (Arc::clone(&answered), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let Ok(asked) = read(&stream) else { return };
                    let said = answer(&asked, &format!("http://{address}"));
                    log.lock().expect("no holder panics").push(asked);
                    drop(write(&stream, &said));
                });
            }
        });
        Self { address, answered }
    }

    /// Where it speaks the protocol.
    pub(super) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// A home from which it can be reached.
    pub(super) fn home(&self) -> Home {
        // What an earlier session read would have a person asked.
        let address = self.address;
        Home::with_config(&format!(
            "[memory]\nrecall = false\n[egress]\nallow_private = [\"{address}\"]\n"
        ))
    }

    /// All requests so far, in the order in which they were answered.
    pub(super) fn answered(&self) -> Vec<Asked> {
        self.answered.lock().expect("no holder panics").clone()
    }

    /// What they asked for.
    pub(super) fn wants(&self) -> Vec<String> {
        self.answered().iter().map(Asked::wants).collect()
    }
}

fn read(stream: &TcpStream) -> std::io::Result<Asked> {
    let request = http::read(&mut BufReader::new(stream))?;
    let http::Request { line, headers, body } = request.ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Asked { method, path, headers, body })
}

fn write(mut stream: &TcpStream, said: &Answered) -> std::io::Result<()> {
    let Answered { status, headers, body } = said;
    let lines: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nconnection: close\r\n{lines}content-length: {length}\r\n\r\n{body}"
    )
}
