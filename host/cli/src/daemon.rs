//! The daemon as this command sees it: what it leaves in the data directory so that others find
//! it, and the socket over which it is asked. What it serves is the gateway's.

mod control;
mod household;
mod inventory;
mod tokens;

pub(crate) use control::{Control, Order, answer_orders, ask};
pub(crate) use household::{Users, hub};
pub(crate) use tokens::Tokens;

use crate::paths::{Paths, private_directory, replace_private};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

/// How often the place is asked for before it counts as taken, and how far apart.
const LOOKS: u32 = 5;
const MOMENT: Duration = Duration::from_millis(10);

/// What a running daemon says of itself. Only its owner reads it: the token in it may do
/// everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Its process.
    pub(crate) pid: u32,
    /// Where it listens, like `http://127.0.0.1:7717`.
    pub(crate) url: String,
    /// The token of whoever may read this file.
    pub(crate) token: String,
    /// When it started, in milliseconds since 1970-01-01 UTC.
    pub(crate) started_ms: u64,
}

/// The only daemon of this home, for as long as this is held.
#[derive(Debug)]
pub(crate) struct Only {
    paths: Paths,
    _lock: File,
}

impl Only {
    /// Takes the place, or says that it is taken.
    pub(crate) fn take(paths: &Paths) -> Result<Self> {
        private_directory(&paths.run())?;
        let path = lock(paths);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("the lock `{}` cannot be opened", path.display()))?;
        let mut locked = file.try_lock();
        // Whoever asks for the status holds it for a moment.
        for _ in 0..LOOKS {
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(MOMENT);
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "a daemon runs here already; `hydroid status` shows it, `hydroid stop` ends it"
                )
            }
            Err(TryLockError::Error(error)) => {
                return Err(error)
                    .with_context(|| format!("`{}` cannot be locked", path.display()));
            }
        }
        let pid = format!("{}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.write_all_at(pid.as_bytes(), 0))
            .with_context(|| format!("the lock `{}` cannot be written", path.display()))?;
        Ok(Self { paths: paths.clone(), _lock: file })
    }

    /// Lets others find the daemon.
    pub(crate) fn announce(&self, running: &Running) -> Result<()> {
        let text = serde_json::to_string(running).context("it is plain data")?;
        replace_private(&file(&self.paths), format!("{text}\n").as_bytes())
    }
}

impl Drop for Only {
    fn drop(&mut self) {
        // While the place is still taken, so that it is never another daemon's.
        drop(std::fs::remove_file(file(&self.paths)));
        drop(std::fs::remove_file(socket(&self.paths)));
    }
}

/// What the daemon of this home says of itself; none if none runs, whatever a killed one left.
pub(crate) async fn running(paths: &Paths) -> Option<Running> {
    let text = std::fs::read_to_string(file(paths)).ok()?;
    let running: Running = serde_json::from_str(&text).ok()?;
    ask(paths, Order::Status).await.ok()?;
    Some(running)
}

/// The process of the daemon that is starting; none if none is, or it listens.
pub(crate) fn starting(paths: &Paths) -> Option<u32> {
    process(paths).filter(|_| !file(paths).exists())
}

/// The process of the daemon that runs or is starting.
pub(crate) fn process(paths: &Paths) -> Option<u32> {
    let path = lock(paths);
    let held = File::open(&path).ok()?.try_lock();
    if !matches!(held, Err(TryLockError::WouldBlock)) {
        return None;
    }
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn lock(paths: &Paths) -> PathBuf {
    paths.run().join("serve.lock")
}

fn file(paths: &Paths) -> PathBuf {
    paths.run().join("gateway.json")
}

/// The control socket.
pub(crate) fn socket(paths: &Paths) -> PathBuf {
    paths.run().join("control.sock")
}
