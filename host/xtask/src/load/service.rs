//! A model service that answers as it is told and notes how long it took, so that what the host
//! adds can be told from it. It knows one request of OpenAI's chat completions and checks nothing.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long each request took it, by the words it was about.
type Took = Arc<Mutex<BTreeMap<String, Duration>>>;

/// A running service; its threads end with the process.
pub(super) struct Service {
    address: SocketAddr,
    took: Took,
    pieces: usize,
}

impl Service {
    /// Answers with so many pieces, and waits before each of them.
    pub(super) fn start(pieces: usize, pause: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port of this machine")?;
        let address = listener.local_addr()?;
        let took = Took::default();
        let noted = Arc::clone(&took);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let noted = Arc::clone(&noted);
                std::thread::spawn(move || {
                    // A client that goes away has nothing to be told.
                    drop(serve(&stream, pieces, pause, &noted));
                });
            }
        });
        Ok(Self { address, took, pieces })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What every answer says.
    pub(super) fn answer(&self) -> String {
        (0..self.pieces).map(piece).collect()
    }

    /// How long each request took so far; they are forgotten here.
    pub(super) fn took(&self) -> BTreeMap<String, Duration> {
        std::mem::take(&mut *self.took.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn piece(number: usize) -> String {
    format!("piece {number} ")
}

fn serve(stream: &TcpStream, pieces: usize, pause: Duration, took: &Took) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut stream) = (BufReader::new(stream), stream);
    loop {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let began = Instant::now();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for number in 0..pieces {
            std::thread::sleep(pause);
            let text = piece(number);
            chunk(
                &mut stream,
                &format!(
                    r#"{{"id":"a","object":"chat.completion.chunk","model":"scripted","choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#
                ),
            )?;
        }
        chunk(
            &mut stream,
            r#"{"id":"a","object":"chat.completion.chunk","model":"scripted","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}"#,
        )?;
        chunk(&mut stream, "[DONE]")?;
        stream.write_all(b"0\r\n\r\n")?;
        if let Some(name) = said(&body) {
            let mut took = took.lock().unwrap_or_else(PoisonError::into_inner);
            took.insert(name, began.elapsed());
        }
    }
}

/// What the person said last. What memory found stands beside it and names other turns, but never
/// alone on a line.
fn said(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let said = body["messages"].as_array()?.iter().rfind(|message| message["role"] == "user")?;
    let whole = |text: &Value| {
        let lines = text.as_str()?.lines();
        lines
            .map(str::trim)
            .find(|line| line.starts_with("load-") && line.ends_with('.'))
            .map(str::to_owned)
    };
    match &said["content"] {
        Value::Array(parts) => parts.iter().find_map(|part| whole(&part["text"])),
        text => whole(text),
    }
}

fn chunk(stream: &mut &TcpStream, data: &str) -> std::io::Result<()> {
    let event = format!("data: {data}\n\n");
    stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_person_said_last_is_told_from_what_memory_found() {
        let found = "<found>\n- you said: load-0-9-9.\n</found>";
        for content in [
            serde_json::json!("load-0-1-2."),
            serde_json::json!(format!("load-0-1-2.\n\n{found}")),
            serde_json::json!([{"type": "text", "text": found}, {"type": "text", "text": "load-0-1-2."}]),
        ] {
            let body = serde_json::json!({"messages": [
                {"role": "user", "content": "load-0-1-1."}, {"role": "assistant", "content": "piece 0"},
                {"role": "user", "content": content},
            ]});
            assert_eq!(said(body.to_string().as_bytes()).as_deref(), Some("load-0-1-2."));
        }
        assert_eq!(said(b"{}"), None);
    }
}
