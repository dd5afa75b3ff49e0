//! The file of tokens. A daemon that runs sees a change at the next request.

use crate::load::read_text;
use crate::paths::{Paths, replace_private};
use hydroid_gateway::{BadTokens, TokenBook, TokenStore};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The tokens of a home.
pub(crate) struct Tokens {
    path: PathBuf,
    lock: PathBuf,
    /// As it was read last, and what the file looked like then.
    read: Mutex<Option<(Look, TokenBook)>>,
}

/// Enough to notice that a file was replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Tokens {
    pub(crate) fn of(paths: &Paths) -> Self {
        let (path, lock) = (paths.tokens(), paths.run().join("tokens.lock"));
        Self { path, lock, read: Mutex::new(None) }
    }

    fn look(&self) -> Option<Look> {
        let found = std::fs::metadata(&self.path).ok()?;
        Some(Look {
            inode: found.ino(),
            size: found.size(),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }

    fn read(&self) -> Result<TokenBook, BadTokens> {
        let text = read_text(&self.path).map_err(|error| BadTokens::Place(format!("{error:#}")))?;
        text.map_or_else(|| Ok(TokenBook::default()), |text| TokenBook::parse(&text))
    }

    fn locked(&self) -> Result<File, BadTokens> {
        let problem = |error: std::io::Error| {
            BadTokens::Place(format!("the lock `{}` cannot be taken: {error}", self.lock.display()))
        };
        if let Some(directory) = self.lock.parent() {
            crate::paths::private_directory(directory)
                .map_err(|error| BadTokens::Place(format!("{error:#}")))?;
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.lock)
            .map_err(problem)?;
        // A change takes a moment, so whoever has it is waited for.
        file.lock().map_err(problem)?;
        Ok(file)
    }
}

impl TokenStore for Tokens {
    fn book(&self) -> Result<TokenBook, BadTokens> {
        let Some(look) = self.look() else { return Ok(TokenBook::default()) };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((seen, book)) = &*read
            && *seen == look
        {
            return Ok(book.clone());
        }
        let book = self.read()?;
        *read = Some((look, book.clone()));
        Ok(book)
    }

    fn change(
        &self,
        change: &mut dyn FnMut(&mut TokenBook) -> Result<(), BadTokens>,
    ) -> Result<(), BadTokens> {
        let _lock = self.locked()?;
        let mut book = self.read()?;
        change(&mut book)?;
        replace_private(&self.path, format!("{}\n", book.to_text()).as_bytes())
            .map_err(|error| BadTokens::Place(format!("{error:#}")))
    }
}
