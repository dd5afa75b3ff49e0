//! The vault's part of a workspace: opening one item for an operation, and the names of all. No
//! path of a component leads here.

use super::{FileError, Place, Workspace};
use cap_std::fs::{Dir, File, OpenOptions};
use std::path::PathBuf;

/// Names listed at the most; a vault is a person's private files, not an archive.
const MOST_NAMES: usize = 10_000;

/// Directories followed downwards.
pub(crate) const DEEPEST: usize = 16;

impl Workspace {
    /// Opens one item of the vault for the read step of an operation, and tells its size.
    pub(crate) fn vault_item(&self, path: &str) -> Result<(File, u64), FileError> {
        let shown: String = path.chars().take(200).collect();
        let rest = path.strip_prefix("/vault/").ok_or_else(|| FileError::BadPath {
            path: shown.clone(),
            problem: "an item of the vault is under `/vault/`",
        })?;
        if rest.split('/').any(|name| name == "..") {
            return Err(FileError::Escape { path: shown });
        }
        let place = Place {
            root: &self.vault,
            name: "/vault",
            inner: PathBuf::from(rest.trim_start_matches('/')),
            shown,
        };
        let file = self.open_regular(&place, OpenOptions::new().read(true))?;
        let size = file.metadata().map_err(|error| place.error(&error))?.len();
        Ok((file, size))
    }

    /// `/vault/…` paths of the files in the vault, sorted. Links are not followed, and a name that
    /// is not text is left out: no call could say it.
    pub(crate) fn vault_names(&self) -> Result<Vec<String>, FileError> {
        let mut names = Vec::new();
        collect(&self.vault, "/vault", DEEPEST, &mut names)
            .map_err(|error| FileError::of("/vault", &error))?;
        names.sort_unstable();
        Ok(names)
    }
}

fn collect(
    directory: &Dir,
    shown: &str,
    levels: usize,
    names: &mut Vec<String>,
) -> std::io::Result<()> {
    for entry in directory.entries()? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type()?;
        if names.len() >= MOST_NAMES {
            return Ok(());
        }
        let path = format!("{shown}/{name}");
        if kind.is_dir() && levels > 0 {
            collect(&entry.open_dir()?, &path, levels - 1, names)?;
        } else if kind.is_file() {
            names.push(path);
        }
    }
    Ok(())
}
