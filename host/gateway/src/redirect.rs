//! One address of this machine that a browser is sent back to, once, when somebody signed in
//! elsewhere. It says nothing of itself and takes nothing else.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of a request's head that are read.
const LARGEST_HEAD: usize = 16 << 10;

/// How long one visitor may take.
const SLOWEST: Duration = Duration::from_secs(5);

/// The path a browser is sent back to.
const PATH: &str = "/callback";

/// What a person reads.
const PAGE: &str = "<!doctype html><meta charset=utf-8><title>Hydroid</title><p>You can close this page and go back to the terminal.";

/// Waits for one browser.
#[derive(Debug)]
pub struct Redirect {
    listener: TcpListener,
    address: SocketAddr,
}

impl Redirect {
    /// Listens on a port of this machine that is free.
    pub async fn listen() -> std::io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "this crate is the one that listens")]
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where a browser is to be sent back to.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// The address a browser came back to, with its query.
    pub async fn came_back(self) -> std::io::Result<String> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            let visit = tokio::time::timeout(SLOWEST, visit(stream)).await;
            if let Ok(Ok(Some(target))) = visit {
                return Ok(format!("http://{}{target}", self.address));
            }
        }
    }
}

/// The target of a request that is one; whoever asks for something else is told that it is not
/// there.
async fn visit(mut stream: TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut piece).await?;
        head.extend_from_slice(piece.get(..read).unwrap_or_default());
        if read == 0 || head.len() > LARGEST_HEAD {
            return Ok(None);
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let target = line.strip_prefix("GET ").and_then(|rest| rest.split(' ').next());
    let target = target.filter(|target| target.split('?').next() == Some(PATH));
    let (status, page) = if target.is_some() { ("200 OK", PAGE) } else { ("404 Not Found", "") };
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\ncontent-security-policy: default-src 'none'\r\nreferrer-policy: no-referrer\r\ncache-control: no-store\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(target.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_browser_comes_back_and_others_are_not_taken_for_it() {
        let redirect = Redirect::listen().await.unwrap();
        let address = redirect.address;
        let waiting = tokio::spawn(redirect.came_back());
        for (request, expect) in [
            ("GET /favicon.ico HTTP/1.1\r\n\r\n", "404"),
            ("POST /callback?code=1 HTTP/1.1\r\n\r\n", "404"),
            ("GET /callback?code=2&state=s HTTP/1.1\r\nhost: x\r\n\r\n", "200"),
        ] {
            #[expect(clippy::disallowed_methods, reason = "a test reaches loopback")]
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {expect}")), "{answer}");
        }
        let back = waiting.await.unwrap().unwrap();
        assert_eq!(back, format!("http://{address}/callback?code=2&state=s"));
    }
}
