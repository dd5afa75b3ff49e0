//! A database service on the loopback address: [`Hrana`] behind HTTP, with a token. A request a
//! connection; no test.

use super::hrana::{Hrana, Trouble};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A running service. Its threads end with the process.
pub(crate) struct DatabaseService {
    address: SocketAddr,
    pub(crate) hrana: Arc<Hrana>,
    token: Arc<Mutex<Option<String>>>,
}

impl DatabaseService {
    /// In front of the database in this file, for who shows this token.
    pub(crate) fn start(path: &Path, token: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback address");
        let address = listener.local_addr().expect("a bound listener has an address");
        let hrana = Arc::new(run(Hrana::open(path)));
        let token = Arc::new(Mutex::new(token.map(str::to_owned)));
        let (kept, wanted) = (hrana.clone(), token.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (hrana, wanted) = (kept.clone(), wanted.clone());
                // A client that goes away is no trouble of the service.
                std::thread::spawn(move || drop(answer(stream, &hrana, &wanted)));
            }
        });
        Self { address, hrana, token }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Wants another token from now on.
    pub(crate) fn change_token(&self, token: &str) {
        *self.token.lock().expect("no holder panics") = Some(token.to_owned());
    }

    /// From now on this goes wrong.
    pub(crate) fn trouble(&self, when: impl FnMut(&str) -> Option<Trouble> + Send + 'static) {
        self.hrana.trouble(when);
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(work)
}

fn answer(
    mut stream: TcpStream,
    hrana: &Hrana,
    wanted: &Mutex<Option<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let field = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let length = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body)?;
    let wanted = wanted.lock().expect("no holder panics").clone();
    let shown = field("authorization");
    let answer = if wanted.is_some_and(|token| shown != Some(format!("Bearer {token}"))) {
        Some((401, r#"{"error":"Unauthorized: `the JWT is invalid`"}"#.to_owned()))
    } else if head.starts_with("POST /v3/pipeline ") {
        run(hrana.pipeline(&body))
    } else {
        Some((404, String::new()))
    };
    let Some((status, body)) = answer else { return Ok(()) };
    write!(
        stream,
        "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
