//! The emergency stop: a file in the data directory that every process of this directory sees
//! within a quarter of a second. What it then cuts is for those who are told.

use crate::paths::{Paths, replace_private};
use anyhow::{Context, Result};
use hydroid_core::harmless::excerpt;
use hydroid_core::id::UserId;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;

/// How often the file is looked for. With the time to cut what runs it stays below 250 ms.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The file's name in the data directory.
const NAME: &str = "stopped";

/// Everything is stopped, so nothing new begins.
#[derive(Debug, thiserror::Error)]
#[error("everything is stopped{since}; `hydroid stop --release` lets it go on")]
pub(crate) struct Stopped {
    since: String,
}

/// Who stopped everything, and when. Only for people to read: that the file is there is enough.
#[derive(Serialize, Deserialize)]
struct Note {
    user: String,
    at_ms: u64,
}

/// Tells from now on whether everything is stopped. A thread looks, so that a busy runtime does
/// not keep it from looking; it ends when nobody listens any more.
pub(crate) fn watch(paths: &Paths) -> Result<watch::Receiver<bool>> {
    let path = file(paths);
    let (tell, told) = watch::channel(is_there(&path));
    std::thread::Builder::new()
        .name("emergency-stop".to_owned())
        .spawn(move || {
            while !tell.is_closed() {
                let stopped = is_there(&path);
                tell.send_if_modified(|was| std::mem::replace(was, stopped) != stopped);
                std::thread::sleep(LOOK_EVERY);
            }
        })
        .context("a thread for the emergency stop could not be started")?;
    Ok(told)
}

/// An error while everything is stopped.
pub(crate) fn refuse_if_stopped(paths: &Paths) -> Result<(), Stopped> {
    match since(paths) {
        None => Ok(()),
        Some(since) => Err(Stopped { since }),
    }
}

/// Since when and by whom everything is stopped, as a part of a sentence; none if it is not.
pub(crate) fn since(paths: &Paths) -> Option<String> {
    let path = file(paths);
    if !is_there(&path) {
        return None;
    }
    // Whatever is in the file, its being there stops everything.
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let note = serde_json::from_str::<Note>(&text).ok();
    Some(note.map_or_else(String::new, |note| {
        let moment = crate::moment::minute(note.at_ms);
        format!(" since {moment} UTC by `{}`", excerpt(&note.user, 80))
    }))
}

/// Stops everything.
pub(crate) fn stop(paths: &Paths, user: &UserId, now_ms: u64) -> Result<()> {
    let note = Note { user: user.to_string(), at_ms: now_ms };
    let text = serde_json::to_string(&note).context("a note has only text and a number")?;
    replace_private(&file(paths), format!("{text}\n").as_bytes())
}

/// Lets everything go on; false if nothing was stopped.
pub(crate) fn release(paths: &Paths) -> Result<bool> {
    let path = file(paths);
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("`{}` cannot be removed", path.display())),
    }
}

fn file(paths: &Paths) -> PathBuf {
    paths.data.join(NAME)
}

/// A place that cannot be looked at counts as a stop: somebody may have put the file there.
fn is_there(path: &Path) -> bool {
    match std::fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => !matches!(
            error.kind(),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Environment;
    use std::time::Instant;

    fn home() -> (tempfile::TempDir, Paths) {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().to_str().unwrap();
        let paths = Paths::find(&Environment::of(&[("HYDROID_HOME", home)])).unwrap();
        (directory, paths)
    }

    #[test]
    fn what_is_stopped_says_by_whom_and_how_it_goes_on() {
        let (_directory, paths) = home();
        refuse_if_stopped(&paths).unwrap();
        stop(&paths, &UserId::new("anna"), 1_795_357_080_000).unwrap();
        assert_eq!(
            refuse_if_stopped(&paths).unwrap_err().to_string(),
            "everything is stopped since 2026-11-22 14:18 UTC by `anna`; `hydroid stop --release` lets it go on"
        );
        assert!(release(&paths).unwrap());
        assert!(!release(&paths).unwrap());
        refuse_if_stopped(&paths).unwrap();
    }

    #[test]
    fn a_file_with_anything_in_it_stops() {
        let (_directory, paths) = home();
        std::fs::write(file(&paths), b"\xff").unwrap();
        assert_eq!(since(&paths).as_deref(), Some(""));
    }

    #[tokio::test]
    async fn a_stop_is_noticed_within_a_quarter_of_a_second() {
        let (_directory, paths) = home();
        let mut told = watch(&paths).unwrap();
        assert!(!*told.borrow());
        for stopped in [true, false] {
            let began = Instant::now();
            if stopped {
                stop(&paths, &UserId::new("anna"), 0).unwrap();
            } else {
                release(&paths).unwrap();
            }
            told.changed().await.unwrap();
            assert_eq!(*told.borrow(), stopped);
            assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
        }
    }
}
