//! One client over its input and output, a message a line. A line that is no message is answered,
//! and the end of the input is told to whoever works for the client; it is the end once all it
//! asked for is answered. What a message asks for is not known here.

use hydroid_core::ports::CancelFlag;
use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ErrorData, JsonRpcMessage, RequestId,
    ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use serde_json::Value;
use std::collections::HashSet;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader, Empty, empty};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Some programs begin what they write with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Lines of a client.
pub(super) struct Lines<R, W: AsyncWrite> {
    read: BufReader<R>,
    /// What has come of a line.
    begun: Vec<u8>,
    /// The line is too long, and the rest of it is passed over.
    is_too_long: bool,
    largest: usize,
    /// The client has asked for something.
    has_asked: bool,
    /// What it asked for that is not answered.
    open: watch::Sender<HashSet<RequestId>>,
    is_over: bool,
    /// Answers a line that is no message. Nothing more is read before that is written, so who
    /// sends such lines and reads no answers holds up nobody else.
    answering: Option<JoinHandle<()>>,
    write: AsyncRwTransport<RoleServer, Empty, W>,
    gone: CancelFlag,
}

/// What a line is.
#[derive(Debug)]
enum Line {
    Message(Box<ClientJsonRpcMessage>),
    /// Nothing that is answered.
    Nothing,
    Wrong(ErrorData, Option<RequestId>),
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    /// Lines up to this many bytes. The flag is set once the input is over.
    pub(super) fn of(read: R, write: W, largest: usize, gone: CancelFlag) -> Self {
        Self {
            read: BufReader::new(read),
            begun: Vec::new(),
            is_too_long: false,
            largest,
            has_asked: false,
            open: watch::Sender::new(HashSet::new()),
            is_over: false,
            answering: None,
            write: AsyncRwTransport::new_server(empty(), write),
            gone,
        }
    }

    /// The next line, or none once the input is over. Dropped in the middle it loses nothing.
    async fn next(&mut self) -> Option<Line> {
        loop {
            let piece = match self.read.fill_buf().await {
                Ok(piece) => piece,
                Err(error) => {
                    tracing::warn!(%error, "the client cannot be read any more");
                    return None;
                }
            };
            let is_over = piece.is_empty();
            let end = piece.iter().position(|byte| *byte == b'\n');
            let part = &piece[..end.unwrap_or(piece.len())];
            self.is_too_long |= self.begun.len() + part.len() > self.largest;
            if self.is_too_long {
                self.begun.clear();
            } else {
                self.begun.extend_from_slice(part);
            }
            let read = part.len() + usize::from(end.is_some());
            self.read.consume(read);
            // The last line may lack its end.
            let is_line =
                end.is_some() || (is_over && (self.is_too_long || !self.begun.is_empty()));
            if is_line {
                let line = std::mem::take(&mut self.begun);
                let is_too_long = std::mem::take(&mut self.is_too_long);
                return Some(if is_too_long { too_long(self.largest) } else { understood(&line) });
            }
            if is_over {
                return None;
            }
        }
    }

    /// Nothing but a request may come first; what else does has no meaning yet.
    fn is_early(&mut self, message: &ClientJsonRpcMessage) -> bool {
        self.has_asked |= matches!(message, JsonRpcMessage::Request(_));
        !self.has_asked
    }

    /// Keeps in mind what waits for an answer.
    fn note(&self, message: &ClientJsonRpcMessage) {
        match message {
            JsonRpcMessage::Request(request) => {
                self.open.send_modify(|open| {
                    open.insert(request.id.clone());
                });
            }
            JsonRpcMessage::Notification(told) => {
                if let ClientNotification::CancelledNotification(cancelled) = &told.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.open.send_modify(|open| {
                        open.remove(id);
                    });
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
    }
}

fn answered(message: &ServerJsonRpcMessage) -> Option<RequestId> {
    match message {
        JsonRpcMessage::Response(response) => Some(response.id.clone()),
        JsonRpcMessage::Error(error) => error.id.clone(),
        JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = std::io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let (answered, open) = (answered(&message), self.open.clone());
        let sending = self.write.send(message);
        async move {
            let sent = sending.await;
            if let Some(id) = answered {
                open.send_modify(|open| {
                    open.remove(&id);
                });
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if let Some(answering) = &mut self.answering {
                drop(answering.await);
                self.answering = None;
            }
            let line = if self.is_over { None } else { self.next().await };
            match line {
                Some(Line::Message(message)) if self.is_early(&message) => {}
                Some(Line::Message(message)) => {
                    self.note(&message);
                    return Some(*message);
                }
                Some(Line::Nothing) => {}
                Some(Line::Wrong(error, id)) => {
                    let sending = self.write.send(JsonRpcMessage::error(error, id));
                    // A client that cannot be written to is one whose input ends.
                    self.answering = Some(tokio::spawn(async move { drop(sending.await) }));
                }
                None => {
                    self.is_over = true;
                    self.gone.cancel();
                    // What is under way may have something to tell, which is told only while
                    // there is more to come. Its sender is here, so this waits for nothing else.
                    drop(self.open.subscribe().wait_for(HashSet::is_empty).await);
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.write.close().await
    }
}

impl<R, W: AsyncWrite> Drop for Lines<R, W> {
    fn drop(&mut self) {
        if let Some(answering) = &self.answering {
            answering.abort();
        }
    }
}

fn too_long(largest: usize) -> Line {
    let text = format!("a message has up to {largest} bytes here (`gateway.max_message`)");
    Line::Wrong(ErrorData::invalid_request(text, None), None)
}

fn understood(line: &[u8]) -> Line {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Line::Nothing;
    }
    let problem = match serde_json::from_slice(line) {
        Ok(message) => return Line::Message(Box::new(message)),
        Err(problem) => problem,
    };
    let value: Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(problem) => {
            let text = format!("the line is no JSON: {problem}");
            return Line::Wrong(ErrorData::parse_error(text, None), None);
        }
    };
    let has = |key: &str| value.get(key).is_some();
    let id = value.get("id").and_then(|id| serde_json::from_value::<RequestId>(id.clone()).ok());
    let is_notification = has("method") && !has("id");
    let is_response = !has("method") && (has("result") || has("error"));
    if is_notification || is_response {
        tracing::debug!(%problem, "a message that nobody waits to have answered is not understood");
        return Line::Nothing;
    }
    Line::Wrong(ErrorData::invalid_request("this is no request", None), id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::ServerResult;
    use serde_json::json;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

    fn lines(
        input: &[u8],
        largest: usize,
    ) -> (Lines<std::io::Cursor<Vec<u8>>, DuplexStream>, DuplexStream) {
        let (write, read) = duplex(1 << 16);
        let input = std::io::Cursor::new(input.to_vec());
        (Lines::of(input, write, largest, CancelFlag::default()), read)
    }

    /// The numbers of the requests that come through, and the codes of the answers with their ids.
    async fn check(input: &[u8], requests: &[i64], answers: &[(i64, Value)]) {
        let (mut lines, mut read) = lines(input, 1_000);
        let mut came = Vec::new();
        while let Some(message) = lines.receive().await {
            if let JsonRpcMessage::Request(request) = message {
                let result = ServerResult::empty(());
                lines.send(JsonRpcMessage::response(result, request.id.clone())).await.unwrap();
                came.push(request.id);
            }
        }
        assert!(lines.gone.is_cancelled());
        lines.close().await.unwrap();
        drop(lines);
        let mut said = String::new();
        read.read_to_string(&mut said).await.unwrap();
        let said = said.lines().filter_map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            Some((value["error"]["code"].as_i64()?, value["id"].clone()))
        });
        let shown = String::from_utf8_lossy(input);
        assert_eq!(said.collect::<Vec<_>>(), answers, "{shown}");
        let requests: Vec<_> = requests.iter().map(|id| RequestId::Number(*id)).collect();
        assert_eq!(came, requests, "{shown}");
    }

    #[tokio::test]
    async fn what_is_no_json_is_answered_and_what_follows_is_read() {
        for wrong in ["nonsense", "{", "{\"id\":1", "\"", "\u{0}", "[1,]", "{}{}"] {
            check(format!("{wrong}\n{PING}\n").as_bytes(), &[1], &[(-32700, Value::Null)]).await;
        }
        let deep = format!("{}1{}\n{PING}\n", "[".repeat(400), "]".repeat(400));
        check(deep.as_bytes(), &[1], &[(-32700, Value::Null)]).await;
        check(b"\xff\xfe\n", &[], &[(-32700, Value::Null)]).await;
    }

    #[tokio::test]
    async fn what_is_json_and_no_message_is_answered_under_its_number() {
        for (wrong, id) in [
            ("[]", Value::Null),
            ("7", Value::Null),
            (r#"{"jsonrpc":"2.0"}"#, Value::Null),
            (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, Value::Null),
            (r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":[]}"#, json!(9)),
            (r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#, json!("a")),
        ] {
            check(format!("{wrong}\n{PING}\n").as_bytes(), &[1], &[(-32600, id)]).await;
        }
        let long = format!("{{\"x\":\"{}\"}}\n{PING}\n", "x".repeat(2_000));
        check(long.as_bytes(), &[1], &[(-32600, Value::Null)]).await;
    }

    #[tokio::test]
    async fn what_asks_for_nothing_is_not_answered() {
        for quiet in [
            "",
            "\r",
            "  ",
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":7}"#,
            r#"{"jsonrpc":"2.0","id":9,"result":7}"#,
            r#"{"jsonrpc":"2.0","id":9,"result":{}}"#,
            r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"m"}}"#,
        ] {
            check(format!("{quiet}\n{PING}\n").as_bytes(), &[1], &[]).await;
        }
    }

    #[tokio::test]
    async fn a_line_may_begin_with_a_mark_and_the_last_may_lack_its_end() {
        let marked = [BYTE_ORDER_MARK, PING.as_bytes(), b"\r\n"].concat();
        check(&marked, &[1], &[]).await;
        check(PING.as_bytes(), &[1], &[]).await;
        check(format!("{PING}\n{{\"id\":").as_bytes(), &[1], &[(-32700, Value::Null)]).await;
    }

    #[tokio::test]
    async fn the_input_is_over_once_what_was_asked_for_is_answered_or_taken_back() {
        let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
        let back =
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#;
        let (mut lines, _read) = lines(format!("{PING}\n{call}\n{back}\n").as_bytes(), 1_000);
        for _ in 0..3 {
            assert!(lines.receive().await.is_some());
        }
        // Turned away from at any time, it comes back to the same.
        for _ in 0..3 {
            tokio::select! {
                biased;
                message = lines.receive() => panic!("it is over before an answer: {message:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
        assert!(lines.gone.is_cancelled(), "nobody was told");
        let answer = JsonRpcMessage::response(ServerResult::empty(()), RequestId::Number(1));
        lines.send(answer).await.unwrap();
        assert!(lines.receive().await.is_none());
    }

    #[tokio::test]
    async fn a_line_that_comes_in_pieces_is_one() {
        let (mut client, server) = duplex(4);
        let (write, _read) = duplex(1 << 16);
        let mut lines = Lines::of(server, write, 1_000, CancelFlag::default());
        let sending = tokio::spawn(async move {
            for byte in format!("{PING}\n").bytes() {
                client.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            client
        });
        // Whoever waits may turn to something else at any time.
        let message = loop {
            tokio::select! {
                biased;
                message = lines.receive() => break message,
                () = tokio::task::yield_now() => {}
            }
        };
        assert!(matches!(message, Some(JsonRpcMessage::Request(_))), "{message:?}");
        drop(sending.await.unwrap());
    }
}
