//! Frames of a WebSocket: how large they may be, how one is read and written, and how a connection
//! ends. What is in them is known elsewhere. The protocol's socket and the echo, by which suites of
//! the WebSocket protocol judge all of this, are made of the same parts.

use crate::figures::During;
use crate::server::{Listener, Peer};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use hydroid_core::protocol::ErrorCode;
use std::sync::Arc;
use std::time::Duration;

/// How long a client may take to read what is sent.
const SLOWEST_READER: Duration = Duration::from_secs(30);

/// Bytes that are read at once. All of it is resident for each connection, also one that does
/// nothing, and what a client says is rarely longer.
const READ_AT_ONCE: usize = 4 << 10;

/// How long it may take for the last frame.
const SLOWEST_END: Duration = Duration::from_secs(1);

/// What a client sent.
pub(crate) enum Frame {
    Text(Utf8Bytes),
    Binary(Bytes),
    /// More than `gateway.max_message`.
    TooLarge,
    /// It broke the rules of WebSocket; the connection ends with this code.
    Broken(u16),
    /// Nothing more comes.
    Over,
}

/// What became of a message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Sent,
    Gone,
    /// The client reads nothing.
    TooSlow,
}

/// An upgrade whose messages are no larger than is configured.
pub(crate) fn limited(listener: &Listener, upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    let most = usize::try_from(listener.config.max_message.0).unwrap_or(usize::MAX);
    upgrade.read_buffer_size(READ_AT_ONCE).max_message_size(most).max_frame_size(most)
}

/// The next message.
pub(crate) async fn next(peer: &Peer, reading: &mut SplitStream<WebSocket>) -> Frame {
    loop {
        let error = match reading.next().await {
            Some(Ok(Message::Text(text))) => return Frame::Text(text),
            Some(Ok(Message::Binary(bytes))) => return Frame::Binary(bytes),
            // Whatever came, the client is there.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(_))) | None => return Frame::Over,
            Some(Err(error)) => error.to_string(),
        };
        if error.contains("too long") || error.contains("Space limit") {
            tracing::warn!(
                peer = %peer.address,
                "refused a message that is larger than `gateway.max_message`"
            );
            return Frame::TooLarge;
        }
        tracing::debug!(peer = %peer.address, %error, "a socket ended early");
        return broken(&error).map_or(Frame::Over, Frame::Broken);
    }
}

/// The code for a client that broke a rule, by what the library says of it; none where the
/// connection is gone.
fn broken(error: &str) -> Option<u16> {
    if error.to_ascii_lowercase().contains("utf-8") {
        Some(close_code::INVALID)
    } else if error.contains("protocol error") {
        Some(close_code::PROTOCOL)
    } else {
        None
    }
}

/// Sends messages, for as long as somebody reads.
pub(crate) async fn put(
    writing: &mut SplitSink<WebSocket, Message>,
    messages: impl IntoIterator<Item = Message>,
) -> Put {
    let sending = async {
        for message in messages {
            writing.feed(message).await?;
        }
        writing.flush().await
    };
    match tokio::time::timeout(SLOWEST_READER, sending).await {
        Ok(Ok(())) => Put::Sent,
        Ok(Err(_)) => Put::Gone,
        Err(_) => Put::TooSlow,
    }
}

/// Ends the connection with this code. A client that ended it first has its own code back.
pub(crate) async fn close(mut writing: SplitSink<WebSocket, Message>, code: u16) {
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static("") };
    let closing = async {
        drop(writing.send(Message::Close(Some(frame))).await);
        drop(writing.close().await);
    };
    drop(tokio::time::timeout(SLOWEST_END, closing).await);
}

/// The code with which a connection ends for this reason.
pub(crate) fn close_code_of(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::TooLarge => close_code::SIZE,
        ErrorCode::ShuttingDown => close_code::AWAY,
        ErrorCode::UnsupportedProtocol => close_code::PROTOCOL,
        ErrorCode::Unauthenticated | ErrorCode::Forbidden | ErrorCode::RateLimited => {
            close_code::POLICY
        }
        ErrorCode::Internal => close_code::ERROR,
        ErrorCode::BadMessage
        | ErrorCode::OutOfOrder
        | ErrorCode::Invalid
        | ErrorCode::Ambiguous
        | ErrorCode::NotFound
        | ErrorCode::NothingRuns
        | ErrorCode::TurnRuns
        | ErrorCode::NotAsked
        | ErrorCode::Cancelled
        | ErrorCode::Occupied
        | ErrorCode::Stopped
        | ErrorCode::Busy
        | ErrorCode::LimitReached
        | ErrorCode::Other => close_code::NORMAL,
    }
}

/// Says what it is told, for suites that judge how frames are read and written.
pub(crate) async fn echo(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    upgrade: WebSocketUpgrade,
) -> Response {
    limited(&listener, upgrade).on_upgrade(async move |socket| {
        let _counted = During::new(&listener.figures.sockets);
        let (mut writing, mut reading) = socket.split();
        let code = loop {
            let message = match next(&peer, &mut reading).await {
                Frame::Text(text) => Message::Text(text),
                Frame::Binary(bytes) => Message::Binary(bytes),
                Frame::TooLarge => break close_code::SIZE,
                Frame::Broken(code) => break code,
                Frame::Over => break close_code::NORMAL,
            };
            if put(&mut writing, [message]).await != Put::Sent {
                return;
            }
        };
        close(writing, code).await;
        // Until the client has ended it too, or takes too long.
        let ended = async { while reading.next().await.is_some_and(|read| read.is_ok()) {} };
        drop(tokio::time::timeout(SLOWEST_END, ended).await);
    })
}
