//! The control socket: the person who started the daemon asks it how it is, for a link, or to end.
//! Who asks is what the system says of the other end, not what it says of itself.

use super::socket;
use crate::paths::Paths;
use anyhow::{Context, Result, bail};
use futures_util::future::BoxFuture;
use hydroid_core::id::UserId;
use hydroid_core::protocol::Request;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

/// How long an order and its answer may take.
const LONGEST: Duration = Duration::from_secs(5);

/// How long a request of the protocol may take: a summary asks a model.
const LONGEST_REQUEST: Duration = Duration::from_secs(180);

/// Requests that are worked on at once.
const AT_ONCE: usize = 16;

/// Bytes of an order or an answer.
const LARGEST: u64 = 64 << 10;

/// What the daemon is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// How it is.
    Status,
    /// A link that lets a browser in.
    Link,
    /// What a client of this user would ask; whoever may start the daemon is all of its users.
    Ask {
        /// Whose sessions.
        user: UserId,
        /// What.
        request: Box<Request>,
    },
    /// To end.
    Stop,
}

/// The listening end.
#[derive(Debug)]
pub(crate) struct Control {
    listener: UnixListener,
}

impl Control {
    /// Listens. A socket that a killed daemon left is replaced: its place was taken before.
    pub(crate) fn listen(paths: &Paths) -> Result<Self> {
        let path = socket(paths);
        drop(std::fs::remove_file(&path));
        let cannot = || format!("the control socket `{}` cannot be made", path.display());
        let listener = UnixListener::bind(&path).with_context(cannot)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
            .with_context(cannot)?;
        Ok(Self { listener })
    }
}

/// Answers orders until one of them is to end; `request` does what a client asks.
pub(crate) async fn answer_orders(
    control: &Control,
    answer: impl Fn(&Order) -> Value,
    request: impl Fn(UserId, Request) -> BoxFuture<'static, Value>,
) {
    let mut asking = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = control.listener.accept() => accepted,
            Some(_) = asking.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the control socket");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let own = rustix::process::geteuid().as_raw();
        if stream.peer_cred().map(|peer| peer.uid()).ok() != Some(own) {
            tracing::warn!("refused an order of another user of this machine");
            continue;
        }
        match tokio::time::timeout(LONGEST, take(stream, &answer)).await {
            Ok(Ok(Taken::Answered)) => {}
            Ok(Ok(Taken::Stop)) => return,
            Ok(Ok(Taken::Asked { user, request: asked, write })) if asking.len() < AT_ONCE => {
                let answering = request(user, asked);
                asking.spawn(async move {
                    let whole = async { put(write, &answering.await).await };
                    if !matches!(tokio::time::timeout(LONGEST_REQUEST, whole).await, Ok(Ok(()))) {
                        tracing::debug!("a request could not be answered");
                    }
                });
            }
            // The other end sees that nothing comes.
            Ok(Ok(Taken::Asked { .. })) => tracing::warn!("too many requests of commands at once"),
            Ok(Err(error)) => tracing::debug!(%error, "an order could not be answered"),
            Err(_) => tracing::debug!("an order took too long"),
        }
    }
}

/// What became of an order.
enum Taken {
    Answered,
    Stop,
    Asked { user: UserId, request: Request, write: OwnedWriteHalf },
}

async fn take(stream: UnixStream, answer: &impl Fn(&Order) -> Value) -> Result<Taken> {
    let (read, write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(LARGEST)).read_line(&mut line).await?;
    match serde_json::from_str(&line)? {
        Order::Ask { user, request } => Ok(Taken::Asked { user, request: *request, write }),
        order @ (Order::Status | Order::Link | Order::Stop) => {
            put(write, &answer(&order)).await?;
            Ok(if order == Order::Stop { Taken::Stop } else { Taken::Answered })
        }
    }
}

async fn put(mut write: OwnedWriteHalf, answer: &Value) -> Result<()> {
    Ok(write.write_all(format!("{answer}\n").as_bytes()).await?)
}

/// Asks the daemon of this home.
pub(crate) async fn ask(paths: &Paths, order: Order) -> Result<Value> {
    let asking = async {
        let stream = UnixStream::connect(socket(paths)).await?;
        if stream.peer_cred()?.uid() != rustix::process::geteuid().as_raw() {
            bail!("the control socket belongs to another user of this machine");
        }
        let (read, mut write) = stream.into_split();
        let text = serde_json::to_string(&order).context("an order is a word")?;
        write.write_all(format!("{text}\n").as_bytes()).await?;
        let mut line = String::new();
        BufReader::new(read.take(LARGEST)).read_line(&mut line).await?;
        Ok(serde_json::from_str(&line)?)
    };
    let patience = if matches!(order, Order::Ask { .. }) { LONGEST_REQUEST } else { LONGEST };
    tokio::time::timeout(patience, asking).await.context("the daemon does not answer")?
}
