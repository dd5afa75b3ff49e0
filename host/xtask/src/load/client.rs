//! As much of a WebSocket as a client of the protocol needs: text frames both ways, and pings. A
//! thread each is enough for some hundred, and a socket that does nothing has none.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take.
const LONGEST: Duration = Duration::from_secs(120);

/// The largest frame that is taken.
const LARGEST: u64 = 64 << 20;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A connection that has said hello.
pub(super) struct Socket {
    reader: BufReader<TcpStream>,
    ids: u64,
}

impl Socket {
    pub(super) fn open(address: &str, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).context("the daemon takes no connection")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LONGEST))?;
        // Small, since most of them are for nothing.
        let mut socket = Self { reader: BufReader::with_capacity(1024, stream), ids: 0 };
        let head = format!(
            "GET /api/v1/socket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bG9hZCBvZiBoeWRyb2lkIQ==\r\n\r\n"
        );
        socket.reader.get_mut().write_all(head.as_bytes())?;
        let mut line = String::new();
        socket.reader.read_line(&mut line)?;
        ensure!(line.contains(" 101 "), "the daemon opens no socket: {}", line.trim());
        while line != "\r\n" {
            line.clear();
            ensure!(socket.reader.read_line(&mut line)? > 0, "the daemon ended the connection");
        }
        let client = json!({ "name": "load" });
        let hello = json!({ "type": "hello", "protocol": 1, "token": token, "client": client });
        let welcome = socket.request(hello)?;
        ensure!(welcome["reply"] == "welcome", "not welcome: {welcome}");
        Ok(socket)
    }

    /// Sends a request and waits for nothing.
    pub(super) fn send(&mut self, mut request: Value) -> Result<u64> {
        self.ids += 1;
        request["id"] = self.ids.into();
        self.write(TEXT, request.to_string().as_bytes())?;
        Ok(self.ids)
    }

    /// Sends a request and waits for what is answered; what comes between is left out.
    pub(super) fn request(&mut self, request: Value) -> Result<Value> {
        let id = self.send(request)?;
        loop {
            let message = self.next()?;
            if message["id"] == id {
                ensure!(message["type"] == "reply", "refused: {message}");
                return Ok(message);
            }
        }
    }

    /// The next message.
    pub(super) fn next(&mut self) -> Result<Value> {
        loop {
            let mut head = [0; 2];
            self.reader.read_exact(&mut head).context("the daemon ended the connection")?;
            let length = match head[1] & 0x7f {
                126 => u64::from(u16::from_be_bytes(self.taken()?)),
                127 => u64::from_be_bytes(self.taken()?),
                short => u64::from(short),
            };
            ensure!(length <= LARGEST, "a frame of {length} bytes");
            let mut payload = vec![0; usize::try_from(length)?];
            self.reader.read_exact(&mut payload)?;
            match head[0] & 0x0f {
                TEXT => return serde_json::from_slice(&payload).context("a message is JSON"),
                PING => self.write(PONG, &payload)?,
                PONG => {}
                CLOSE => bail!("the daemon closed the connection"),
                other => bail!("a frame of kind {other}"),
            }
        }
    }

    fn taken<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH]> {
        let mut bytes = [0; LENGTH];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// One whole frame. Its mask is nothing but zeros, which hides nothing and is allowed.
    fn write(&mut self, kind: u8, payload: &[u8]) -> Result<()> {
        let mut frame = vec![0x80 | kind];
        match payload.len() {
            length @ 0..=125 => frame.push(0x80 | u8::try_from(length)?),
            length @ 126..=65_535 => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(length)?.to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend(u64::try_from(length)?.to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        Ok(self.reader.get_mut().write_all(&frame)?)
    }
}
