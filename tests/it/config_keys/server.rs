//! A server on the loopback address that answers as a test wants and keeps what it was sent. No
//! test, and no HTTP beyond what these tests need: a request a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How it answers.
#[derive(Clone)]
pub(super) enum Reply {
    /// With this body.
    Whole(String),
    /// With no body and these header lines.
    Lines(String),
    /// With no body, and only once so many requests have come.
    Together(usize),
    /// With a head, and then nothing more.
    HeadOnly,
    /// With these bytes, and then the connection ends.
    Raw(String),
    /// With these bytes, and then nothing more.
    Stalled(String),
    /// With each in turn, and with the last from then on.
    InTurn(Vec<Reply>),
    /// Not at all.
    Nothing,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(super) struct Received {
    /// Header lines, in lower case as far as the colon.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// A running server. Its thread ends with the process.
pub(super) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    came: Condvar,
    /// Connections that a client ended while it waited for more.
    given_up: AtomicUsize,
}

impl Server {
    pub(super) fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback address");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let kept = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shared, reply) = (kept.clone(), reply.clone());
                // A client that goes away is what some tests are about.
                std::thread::spawn(move || drop(answer(stream, &shared, &reply)));
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:PORT`.
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The setting without which nothing may reach it.
    pub(super) fn open(&self) -> String {
        format!("egress.allow_private=[\"{}\"]", self.address)
    }

    /// All requests so far.
    pub(super) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("no holder panics").clone()
    }

    /// How often a client ended a connection while it waited for more, once that is so often.
    #[track_caller]
    pub(super) fn given_up(&self, times: usize) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.shared.given_up.load(Ordering::SeqCst) < times {
            assert!(Instant::now() < until, "the connection was left open");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The newest request.
    #[track_caller]
    pub(super) fn last(&self) -> Received {
        self.received().pop().expect("a request came")
    }
}

impl Received {
    /// The value of a header line.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn answer(mut stream: TcpStream, shared: &Shared, reply: &Reply) -> std::io::Result<()> {
    let request = read(&stream)?;
    let mut received = shared.received.lock().expect("no holder panics");
    let reply = match reply {
        Reply::InTurn(replies) => {
            let last = replies.last().expect("there is a reply");
            replies.get(received.len()).unwrap_or(last)
        }
        reply => reply,
    };
    received.push(request);
    shared.came.notify_all();
    if let Reply::Together(count) = reply {
        let enough = shared.came.wait_while(received, |received| received.len() < *count);
        received = enough.expect("no holder panics");
    }
    drop(received);
    let body = match reply {
        Reply::Whole(body) => body,
        Reply::Together(_) | Reply::InTurn(_) => "",
        Reply::Raw(bytes) => return stream.write_all(bytes.as_bytes()),
        Reply::Stalled(bytes) => {
            stream.write_all(bytes.as_bytes())?;
            return until_closed(stream, shared);
        }
        Reply::Lines(lines) => {
            return write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n{lines}\r\n");
        }
        Reply::HeadOnly => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")?;
            return until_closed(stream, shared);
        }
        Reply::Nothing => return until_closed(stream, shared),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn until_closed(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let ended = stream.read_to_end(&mut Vec::new());
    shared.given_up.fetch_add(1, Ordering::SeqCst);
    ended.map(drop)
}

fn read(stream: &TcpStream) -> std::io::Result<Received> {
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            headers.push((name.to_lowercase(), value.to_owned()));
        }
    }
    let mut received = Received { headers, body: String::new() };
    let length = received.header("content-length").and_then(|length| length.parse().ok());
    reader.take(length.unwrap_or(0)).read_to_string(&mut received.body)?;
    Ok(received)
}
