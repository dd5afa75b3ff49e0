//! The control socket: the person who started the daemon asks it how it is, for a link, or to end.
//! Who asks is what the system says of the other end, not what it says of itself.

use super::socket;
use crate::paths::Paths;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// How long an order and its answer may take.
const LONGEST: Duration = Duration::from_secs(5);

/// Bytes of an order or an answer.
const LARGEST: u64 = 64 << 10;

/// What the daemon is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// How it is.
    Status,
    /// A link that lets a browser in.
    Link,
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

/// Answers orders until one of them is to end.
pub(crate) async fn answer_orders(control: &Control, answer: impl Fn(Order) -> Value) {
    loop {
        let stream = match control.listener.accept().await {
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
            Ok(Ok(Order::Stop)) => return,
            Ok(Ok(Order::Status | Order::Link)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "an order could not be answered"),
            Err(_) => tracing::debug!("an order took too long"),
        }
    }
}

async fn take(stream: UnixStream, answer: &impl Fn(Order) -> Value) -> Result<Order> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(LARGEST)).read_line(&mut line).await?;
    let order: Order = serde_json::from_str(&line)?;
    write.write_all(format!("{}\n", answer(order)).as_bytes()).await?;
    Ok(order)
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
    tokio::time::timeout(LONGEST, asking).await.context("the daemon does not answer")?
}
