//! One process a session: a lock beside the journal, held as long as a session is open. Without
//! it a second process would take a turn that runs for one that was cut off.

use crate::daemon;
use crate::paths::{Paths, private_directory};
use anyhow::{Context, Result, bail};
use hydroid_core::id::{SessionId, UserId};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A session that no other process can open. The system lets go of it however this one ends.
#[derive(Debug)]
pub(crate) struct Occupied {
    path: PathBuf,
    _lock: File,
}

impl Occupied {
    /// Takes the session, or says which process has it.
    pub(crate) fn take(paths: &Paths, user: &UserId, session: &SessionId) -> Result<Self> {
        let directory = paths.locks(user);
        private_directory(&directory)?;
        let path = directory.join(format!("{session}.lock"));
        // Whoever had the lock removes the file when it ends; then what was opened is not the file
        // that others find, and it is opened again.
        loop {
            let file = Self::lock(paths, &path, session)?;
            let found = std::fs::metadata(&path).ok();
            if found.is_some_and(|found| file.metadata().is_ok_and(|own| own.ino() == found.ino()))
            {
                return Ok(Self { path, _lock: file });
            }
        }
    }

    fn lock(paths: &Paths, path: &Path, session: &SessionId) -> Result<File> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("the lock `{}` cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                let holder = holder.trim();
                if daemon::process(paths).is_some_and(|process| process.to_string() == holder) {
                    bail!(
                        "session `{session}` is in use by process {holder}, the daemon: go on with `hydroid tui --session {session}` or on its page, or end it with `hydroid stop`"
                    );
                }
                bail!(
                    "session `{session}` is in use by process {holder}: go on there, or wait until it ends"
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error)
                    .with_context(|| format!("`{}` cannot be locked", path.display()));
            }
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(file)
    }
}

/// A session of a user that some process has open; none if none is.
pub(crate) fn any(paths: &Paths, user: &UserId) -> Result<Option<SessionId>> {
    let Ok(entries) = std::fs::read_dir(paths.locks(user)) else { return Ok(None) };
    for entry in entries {
        let path = entry?.path();
        let Ok(file) = File::open(&path) else { continue };
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(Some(SessionId::new(name)));
        }
    }
    Ok(None)
}

impl Drop for Occupied {
    fn drop(&mut self) {
        // While it is still locked, so that it is never another process's file.
        drop(std::fs::remove_file(&self.path));
    }
}
