//! One process changes a user's stored secrets at a time: two that make a first key or rotate side
//! by side would leave secrets under a key that the other one removes. The same for what is
//! installed.

use crate::paths::private_directory;
use anyhow::{Context, Result, bail};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A change takes milliseconds; a keyring that asks its person takes longer, and then it is better
/// to say so than to wait.
const LONGEST: Duration = Duration::from_secs(5);

/// Held until it is dropped, however the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for whoever has it.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        if let Some(directory) = path.parent() {
            private_directory(directory)?;
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("the lock `{}` cannot be opened", path.display()))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if began.elapsed() < LONGEST => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    bail!(
                        "another process holds `{}`, since it is changing the same; try again when it has ended",
                        path.display()
                    )
                }
                Err(TryLockError::Error(error)) => {
                    return Err(error)
                        .with_context(|| format!("`{}` cannot be locked", path.display()));
                }
            }
        }
    }
}
