//! The connection to the host: one WebSocket at a time, made again when it is lost. It knows
//! nothing of what is said over it. It leaves this machine only by TLS, and only where a URL that
//! the person gave leads.

use crate::desk::Desk;
use futures_util::{SinkExt, StreamExt};
use hydroid_core::protocol::{ClientMessage, ServerMessage};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// Time in which a connection must be made.
const CONNECT: Duration = Duration::from_secs(10);

/// The first wait before another try, which doubles, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How often the other side is asked whether it is there, and how long it may be silent.
const PING: Duration = Duration::from_secs(20);
const SILENT: Duration = Duration::from_secs(70);

/// Bytes of a message that are taken: an entry with a result of ten megabytes, escaped.
const LARGEST: usize = 64 << 20;

/// Messages that wait on their way in or out; the host is held up by the former, and the latter
/// are few, since each waits for its reply.
const WAITING: usize = 256;

/// What happens with the connection.
#[derive(Debug)]
pub(crate) enum Event {
    /// It is there. What is sent over it goes here; over the next one it goes elsewhere.
    Opened { token: Option<String>, outbox: mpsc::Sender<ClientMessage> },
    /// The host says something.
    Told(Box<ServerMessage>),
    /// It is gone or could not be made.
    Lost(String),
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Keeps a connection until it is aborted.
pub(crate) fn keep(desk: Arc<dyn Desk>) -> (mpsc::Receiver<Event>, JoinHandle<()>) {
    let (events, received) = mpsc::channel(WAITING);
    let task = tokio::spawn(async move {
        let mut wait = FIRST_WAIT;
        loop {
            let begun = Instant::now();
            let why = once(&desk, &events).await;
            if events.send(Event::Lost(why)).await.is_err() {
                return;
            }
            if begun.elapsed() > LONGEST_WAIT {
                wait = FIRST_WAIT;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    });
    (received, task)
}

/// One connection from its beginning to its end; why it ended.
async fn once(desk: &Arc<dyn Desk>, events: &mpsc::Sender<Event>) -> String {
    let asked = Arc::clone(desk);
    let endpoint = match tokio::task::spawn_blocking(move || asked.endpoint()).await {
        Ok(Ok(endpoint)) => endpoint,
        Ok(Err(why)) => return why,
        Err(error) => return format!("where the host is could not be found out: {error}"),
    };
    let socket = match timeout(CONNECT, open(&endpoint.url)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(why)) => return why,
        Err(_) => return format!("`{}` does not answer", endpoint.url),
    };
    let (outbox, sent) = mpsc::channel(WAITING);
    let opened = Event::Opened { token: endpoint.token, outbox };
    if events.send(opened).await.is_err() {
        return "nobody listens any more".to_owned();
    }
    carry(socket, events, sent).await
}

async fn open(url: &str) -> Result<Socket, String> {
    check(url)?;
    let request = url
        .into_client_request()
        .map_err(|error| format!("`{url}` is no address of a host: {error}"))?;
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(LARGEST);
    config.max_frame_size = Some(LARGEST);
    match connect_async_with_config(request, Some(config), true).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => {
            Err(format!("`{url}` refuses with {}", response.status()))
        }
        Err(error) => Err(format!("`{url}` cannot be reached: {error}")),
    }
}

/// Without TLS only this machine is reached: a token would go over the wire as it is.
fn check(url: &str) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|error| format!("`{url}` is no URL: {error}"))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("wss") => Ok(()),
        Some("ws") if here => Ok(()),
        Some("ws") => Err(format!(
            "`{url}` is on another machine and not encrypted; use `wss://`, with `gateway.tls_cert` and `gateway.tls_key` set there"
        )),
        _ => Err(format!("`{url}` begins neither with `ws://` nor with `wss://`")),
    }
}

async fn carry(
    mut socket: Socket,
    events: &mpsc::Sender<Event>,
    mut sent: mpsc::Receiver<ClientMessage>,
) -> String {
    let mut pings = tokio::time::interval(PING);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            received = socket.next() => {
                heard = Instant::now();
                match received {
                    None | Some(Ok(Message::Close(_))) => return "the host ended the connection".to_owned(),
                    Some(Err(error)) => return format!("the connection was lost: {error}"),
                    Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                        Ok(message) => {
                            if events.send(Event::Told(Box::new(message))).await.is_err() {
                                return "nobody listens any more".to_owned();
                            }
                        }
                        // A later version may say more than we know.
                        Err(error) => tracing::warn!(%error, "a message of the host was left alone"),
                    },
                    Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                }
            }
            message = sent.recv() => {
                let Some(message) = message else { return "it was given up".to_owned() };
                match serde_json::to_string(&message) {
                    Ok(text) => {
                        if let Err(error) = socket.send(Message::text(text)).await {
                            return format!("the connection was lost: {error}");
                        }
                    }
                    Err(error) => tracing::error!(%error, "a message could not be written"),
                }
            }
            _ = pings.tick() => {
                if heard.elapsed() > SILENT {
                    return "the host is silent".to_owned();
                }
                if let Err(error) = socket.send(Message::Ping(Vec::new().into())).await {
                    return format!("the connection was lost: {error}");
                }
            }
        }
    }
}

/// Whether a person may give this as `--url`.
///
/// # Errors
/// Why not, and what to give instead.
pub fn check_url(url: &str) -> Result<(), String> {
    check(url)
}

#[cfg(test)]
mod tests;
