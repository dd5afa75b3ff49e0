//! A server that keeps what reaches it. A path `/to?URL` redirects there, any other is answered.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Its threads end with the process.
pub(super) struct Canary {
    pub(super) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Canary {
    pub(super) fn start() -> Self {
        Self::at(Ipv4Addr::LOCALHOST.into(), 0).unwrap()
    }

    /// None where the port is taken, or the machine has no such address.
    pub(super) fn at(address: IpAddr, port: u16) -> Option<Self> {
        let listener = TcpListener::bind((address, port)).ok()?;
        let heads = Arc::new(Mutex::new(Vec::new()));
        let canary = Self { address: listener.local_addr().unwrap(), heads: heads.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let heads = heads.clone();
                std::thread::spawn(move || drop(answer(stream, &heads)));
            }
        });
        Some(canary)
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of all requests so far; a connection without one counts as well.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, heads: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
    let location = head.split_whitespace().nth(1).and_then(|path| path.strip_prefix("/to?"));
    let lines = match location {
        Some(url) => format!("302 Found\r\nLocation: {url}"),
        None => "200 OK\r\nContent-Type: text/plain".to_owned(),
    };
    heads.lock().unwrap().push(head);
    write!(stream, "HTTP/1.1 {lines}\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
}
