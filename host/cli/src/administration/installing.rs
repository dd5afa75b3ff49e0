//! A component's bytes that were handed over, as the file a command takes. It is gone afterwards.

use super::Household;
use crate::exit::usage;
use crate::paths::{private_directory, replace_private};
use anyhow::Result;
use std::path::PathBuf;

/// A file in a directory of its own.
pub(super) struct Handed {
    directory: PathBuf,
    name: String,
}

impl Handed {
    /// Writes the bytes where nobody else reads them.
    pub(super) fn new(household: &Household, name: &str, bytes: &[u8]) -> Result<Self> {
        let plain =
            |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        let stem = name.strip_suffix(".wasm").unwrap_or_default();
        if stem.is_empty() || stem.starts_with('.') || !stem.chars().all(plain) {
            return Err(usage(
                "a component's file is called like `tool-shout.wasm`: letters, digits, `-`, `_` and `.`",
            ));
        }
        let paths = household.ground()?.paths;
        let directory = paths.data.join(format!(".handed-{}", uuid::Uuid::now_v7()));
        private_directory(&directory)?;
        let handed = Self { directory, name: name.to_owned() };
        replace_private(&handed.path(), bytes)?;
        Ok(handed)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            tracing::warn!("`{}` cannot be removed: {error}", self.directory.display());
        }
    }
}
