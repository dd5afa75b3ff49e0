//! The person's own Markdown files at the top of `shared/`: read into every conversation, and
//! taken into memory. They are opened as plain files only, so that no link leads elsewhere.

use crate::documents;
use crate::moment;
use crate::wire::SystemClock;
use futures_util::future::BoxFuture;
use hydroid_core::id::UserId;
use hydroid_core::ports::{Clock, PromptFile, PromptFiles, Scope, SecretPlaces};
use hydroid_core::prompt::{DAILY_NOTES, PERSONAL_FILES};
use hydroid_memory::{Database, NewFile};
use std::path::{Path, PathBuf};

/// Bytes of a file that are looked at; a character has at most four.
const BYTES_PER_CHARACTER: u64 = 4;

/// A day in milliseconds.
const DAY_MS: u64 = 86_400_000;

/// Reads them.
pub(crate) struct PersonalFiles {
    shared: PathBuf,
    most: usize,
    database: Database,
}

impl PersonalFiles {
    /// Those below a workspace, in so many characters together.
    pub(crate) fn new(workspace: &Path, most: usize, database: Database) -> Self {
        Self { shared: workspace.join("shared"), most, database }
    }

    /// Takes them into memory, and forgets daily notes that are gone. What cannot be read is
    /// logged and left out.
    pub(crate) async fn take_in(&self, user: &UserId) {
        let daily = self.shared.join(DAILY_NOTES);
        let mut names: Vec<String> = PERSONAL_FILES.map(str::to_owned).to_vec();
        for file in documents::below(&daily).unwrap_or_default() {
            if let Some(name) = file.strip_prefix(&self.shared).ok().and_then(Path::to_str)
                && name.ends_with(".md")
            {
                names.push(name.to_owned());
            }
        }
        let known = self.database.files(user).await.unwrap_or_default();
        for name in &names {
            let path = self.shared.join(name);
            if !is_plain_file(&path) {
                continue;
            }
            let read = match documents::read(&path, &documents::TextOnly).await {
                Ok(read) => read,
                Err(problem) => {
                    tracing::debug!(%name, %problem, "a file of the person is not taken in");
                    continue;
                }
            };
            let file = NewFile {
                path: format!("/shared/{name}"),
                scope: Scope::User,
                text: read.text,
                digest: read.digest,
                bytes: read.bytes,
                modified_ms: read.modified_ms,
            };
            if let Err(error) = self.database.take_file(user, file, SystemClock.now_ms()).await {
                tracing::warn!(%name, %error, "a file of the person could not be taken in");
            }
        }
        for file in known {
            let ours = hydroid_core::prompt::is_personal_file(&file.path);
            let name = file.path.strip_prefix("/shared/").unwrap_or_default();
            if ours
                && !is_plain_file(&self.shared.join(name))
                && let Err(error) = self.database.forget_files(user, &file.path).await
            {
                tracing::warn!(%name, %error, "a file that is gone could not be forgotten");
            }
        }
    }

    async fn read_all(&self, user: &UserId, now_ms: u64) -> Vec<PromptFile> {
        let secret = match self.database.marked(user).await {
            Ok(secret) => secret,
            Err(error) => {
                tracing::warn!(%error, "it is not known what is secret, so no file is read");
                return Vec::new();
            }
        };
        let mut left = self.most;
        let mut files = Vec::new();
        for name in names(now_ms) {
            let place = format!("file:/shared/{name}");
            if left == 0 || secret.iter().any(|marked| marked.to_string() == place) {
                continue;
            }
            let Some(text) = read(&self.shared.join(&name), left) else { continue };
            let count = text.chars().count();
            let text = if count > left {
                let kept: String = text.chars().take(left).collect();
                format!(
                    "{kept}\n[{} more characters are left out: `memory.files_chars`]",
                    count - left
                )
            } else {
                text
            };
            left = left.saturating_sub(count);
            files.push(PromptFile { name, text });
        }
        files
    }
}

impl PromptFiles for PersonalFiles {
    fn read<'a>(&'a self, user: &'a UserId, now_ms: u64) -> BoxFuture<'a, Vec<PromptFile>> {
        Box::pin(self.read_all(user, now_ms))
    }
}

/// Their names in the order of the prompt: what changes each day comes last.
fn names(now_ms: u64) -> Vec<String> {
    let day = |at_ms: u64| {
        let day: String = moment::minute(at_ms).chars().take(10).collect();
        format!("{DAILY_NOTES}/{day}.md")
    };
    let daily = [day(now_ms.saturating_sub(DAY_MS)), day(now_ms)];
    PERSONAL_FILES.map(str::to_owned).into_iter().chain(daily).collect()
}

/// The text of a plain file, or so much of it that it is seen to be too long.
fn read(path: &Path, most: usize) -> Option<String> {
    use std::io::Read;
    if !is_plain_file(path) {
        return None;
    }
    let limit = u64::try_from(most).ok()?.saturating_add(1).saturating_mul(BYTES_PER_CHARACTER);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(limit).read_to_end(&mut bytes));
    if let Err(error) = read {
        tracing::warn!(path = %path.display(), %error, "a file of the person cannot be read");
        return None;
    }
    let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
    (!text.trim().is_empty()).then_some(text)
}

fn is_plain_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|about| about.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-26.
    const NOW: u64 = 1_795_687_200_000;

    #[tokio::test]
    async fn files_are_read_in_order_and_links_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let shared = directory.path().join("shared");
        std::fs::create_dir_all(shared.join("memory")).unwrap();
        for (name, text) in [
            ("MEMORY.md", "the boat is oak"),
            ("AGENTS.md", "be brief"),
            ("USER.md", " \n"),
            ("memory/2026-11-26.md", "today"),
            ("memory/2026-11-25.md", "yesterday"),
            ("memory/2026-11-20.md", "before"),
            ("notes.md", "not one of them"),
        ] {
            std::fs::write(shared.join(name), text).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", shared.join("SOUL.md")).unwrap();
        let database = Database::open_in_memory().await.unwrap();
        let user = UserId::new("local");
        let files = PersonalFiles::new(directory.path(), 30, database.clone());
        let read = files.read(&user, NOW).await;
        let shown: Vec<(&str, &str)> =
            read.iter().map(|file| (file.name.as_str(), file.text.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("AGENTS.md", "be brief"),
                ("MEMORY.md", "the boat is oak"),
                (
                    "memory/2026-11-25.md",
                    "yesterd\n[2 more characters are left out: `memory.files_chars`]"
                ),
            ]
        );
        files.take_in(&user).await;
        let paths = |files: Vec<hydroid_memory::TakenFile>| {
            files.into_iter().map(|file| file.path).collect::<Vec<_>>()
        };
        let taken = paths(database.files(&user).await.unwrap());
        assert_eq!(taken.len(), 5, "{taken:?}");
        std::fs::remove_file(shared.join("memory/2026-11-20.md")).unwrap();
        files.take_in(&user).await;
        assert_eq!(paths(database.files(&user).await.unwrap()).len(), 4);
    }
}
