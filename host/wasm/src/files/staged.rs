//! The files of one call: the workspace itself, or the workspace with staged changes on top.
//! Both answer alike, which a test holds.

use super::staging::{Found, Node};
use super::{Change, FileError, Kind, Staging, Stat, Workspace, WriteMode, stat};
use cap_std::fs::MetadataExt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The workspace, and the staging if the call is only tried out.
pub(crate) struct Files<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) staged: Option<&'a mut Staging>,
}

impl Files<'_> {
    pub(crate) fn stat(&mut self, path: &str) -> Result<Stat, FileError> {
        let Some(staged) = &mut self.staged else { return self.workspace.stat(path) };
        staged.stat(self.workspace, path)
    }

    pub(crate) fn list(
        &mut self,
        path: &str,
        start: usize,
        limit: usize,
    ) -> Result<Vec<(String, Stat)>, FileError> {
        let Some(staged) = &mut self.staged else {
            return self.workspace.list(path, start, limit);
        };
        let names = staged.names(self.workspace, path)?;
        let unknown = Stat { kind: Kind::Other, size: 0, modified_s: None };
        Ok(names
            .into_iter()
            .skip(start)
            .take(limit)
            .map(|name| {
                let found = staged.stat(self.workspace, &format!("{path}/{name}"));
                (name, found.unwrap_or(unknown))
            })
            .collect())
    }

    pub(crate) fn read(
        &mut self,
        path: &str,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, FileError> {
        let Some(staged) = &mut self.staged else {
            return self.workspace.read(path, offset, length);
        };
        let spot = staged.locate(self.workspace, path, true)?;
        match spot.found {
            Found::StagedFile(content) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
                let end = start.saturating_add(length).min(content.len());
                Ok(content[start..end].to_vec())
            }
            Found::OnDisk(_) => self.workspace.read(&spot.path, offset, length),
            Found::StagedDirectory => Err(is_directory(path)),
            Found::Nothing => Err(FileError::NotFound { path: path.to_owned() }),
        }
    }

    pub(crate) fn write(
        &mut self,
        path: &str,
        data: &[u8],
        mode: WriteMode,
    ) -> Result<(), FileError> {
        let Some(staged) = &mut self.staged else {
            return self.workspace.write(path, data, mode);
        };
        staged.write(self.workspace, path, data, mode)
    }

    pub(crate) fn make_directory(&mut self, path: &str) -> Result<(), FileError> {
        let Some(staged) = &mut self.staged else { return self.workspace.make_directory(path) };
        staged.make_directory(self.workspace, path)
    }

    pub(crate) fn remove_file(&mut self, path: &str) -> Result<(), FileError> {
        let Some(staged) = &mut self.staged else { return self.workspace.remove_file(path) };
        let spot = staged.locate(self.workspace, path, false)?;
        if spot.is_directory() {
            return Err(is_directory(path));
        }
        if matches!(spot.found, Found::Nothing) {
            return Err(FileError::NotFound { path: path.to_owned() });
        }
        let change = Change::RemoveFile(spot.path.clone());
        staged.change(self.workspace, &spot.path, Node::Gone, Some(change))
    }

    pub(crate) fn remove_directory(&mut self, path: &str) -> Result<(), FileError> {
        let Some(staged) = &mut self.staged else { return self.workspace.remove_directory(path) };
        if self.workspace.place(path)?.inner.as_os_str().is_empty() {
            return Err(kind(path, "is a root and stays"));
        }
        let spot = staged.locate(self.workspace, path, false)?;
        if matches!(spot.found, Found::Nothing) {
            return Err(FileError::NotFound { path: path.to_owned() });
        }
        if !spot.is_directory() {
            return Err(kind(path, "is not a directory, or goes through a file"));
        }
        if !staged.names(self.workspace, path)?.is_empty() {
            return Err(kind(path, "is not empty"));
        }
        let change = Change::RemoveDirectory(spot.path.clone());
        staged.change(self.workspace, &spot.path, Node::Gone, Some(change))
    }

    pub(crate) fn rename(&mut self, source: &str, target: &str) -> Result<(), FileError> {
        let Some(staged) = &mut self.staged else {
            return self.workspace.rename(source, target);
        };
        let (from, to) = (self.workspace.place(source)?, self.workspace.place(target)?);
        if from.name != to.name {
            return Err(kind(target, "is in another root; copy the file and delete the old one"));
        }
        if from.inner.as_os_str().is_empty() {
            return Err(kind(source, "is a root and stays"));
        }
        let from = staged.locate(self.workspace, source, false)?;
        let to = staged.locate(self.workspace, target, false)?;
        let content = match &from.found {
            Found::Nothing => return Err(FileError::NotFound { path: source.to_owned() }),
            _ if !matches!(to.found, Found::Nothing) => {
                return Err(FileError::Exists { path: target.to_owned() });
            }
            Found::StagedFile(content) => content.clone(),
            // The real thing moves one with several names without opening it; this would read it.
            Found::OnDisk(metadata) if metadata.is_file() && metadata.nlink() > 1 => {
                return Err(staged.give_up(source, "is moved and has several hard links"));
            }
            Found::OnDisk(metadata) if metadata.is_file() => {
                staged.load(self.workspace, &from.path, metadata.len())?
            }
            Found::StagedDirectory | Found::OnDisk(_) => {
                return Err(staged.give_up(source, "is moved and is not a file"));
            }
        };
        let change = Change::Rename { source: from.path.clone(), target: to.path.clone() };
        staged.change(self.workspace, &from.path, Node::Gone, None)?;
        staged.change(self.workspace, &to.path, Node::File(content), Some(change))
    }
}

impl Staging {
    fn stat(&self, workspace: &Workspace, path: &str) -> Result<Stat, FileError> {
        match self.locate(workspace, path, true)?.found {
            Found::Nothing => Err(FileError::NotFound { path: path.to_owned() }),
            Found::StagedFile(content) => {
                Ok(Stat { kind: Kind::File, size: content.len() as u64, modified_s: None })
            }
            Found::StagedDirectory => Ok(Stat { kind: Kind::Directory, size: 0, modified_s: None }),
            Found::OnDisk(metadata) => Ok(stat(&metadata)),
        }
    }

    /// The names in a directory, sorted.
    fn names(&self, workspace: &Workspace, path: &str) -> Result<Vec<String>, FileError> {
        let spot = self.locate(workspace, path, true)?;
        let mut names: BTreeMap<String, ()> = match &spot.found {
            Found::Nothing => return Err(FileError::NotFound { path: path.to_owned() }),
            Found::StagedDirectory => BTreeMap::new(),
            Found::OnDisk(metadata) if metadata.is_dir() => workspace
                .list(&spot.path, 0, usize::MAX)?
                .into_iter()
                .map(|(name, _)| (name, ()))
                .collect(),
            Found::StagedFile(_) | Found::OnDisk(_) => {
                return Err(kind(path, "is not a directory, or goes through a file"));
            }
        };
        for (name, node) in self.children(&spot.path) {
            match node {
                Node::Gone => names.remove(name),
                Node::File(_) | Node::Directory => names.insert(name.to_owned(), ()),
            };
        }
        Ok(names.into_keys().collect())
    }

    fn write(
        &mut self,
        workspace: &Workspace,
        path: &str,
        data: &[u8],
        mode: WriteMode,
    ) -> Result<(), FileError> {
        if workspace.place(path)?.inner.as_os_str().is_empty() {
            return Err(is_directory(path));
        }
        let spot = self.locate(workspace, path, mode == WriteMode::Append)?;
        if mode == WriteMode::Create && !matches!(spot.found, Found::Nothing) {
            return Err(FileError::Exists { path: path.to_owned() });
        }
        if spot.is_directory() {
            return Err(is_directory(path));
        }
        self.reserve(path, data.len() as u64)?;
        let is_new = matches!(spot.found, Found::Nothing);
        let before = match (mode, spot.found) {
            (WriteMode::Create | WriteMode::Replace, Found::OnDisk(metadata))
                if metadata.is_file() =>
            {
                workspace.check_links(&workspace.place(&spot.path)?, &metadata)?;
                None
            }
            (WriteMode::Create | WriteMode::Replace, _) | (WriteMode::Append, Found::Nothing) => {
                None
            }
            (WriteMode::Append, Found::OnDisk(metadata)) => {
                Some(self.load(workspace, &spot.path, metadata.len())?)
            }
            (WriteMode::Append, Found::StagedFile(before)) => {
                // Held here it could not be added to in place.
                drop(before);
                if self.append(&spot.path, data) {
                    return Ok(());
                }
                match self.locate(workspace, &spot.path, false)?.found {
                    Found::StagedFile(before) => Some(before),
                    Found::Nothing | Found::StagedDirectory | Found::OnDisk(_) => None,
                }
            }
            (WriteMode::Append, Found::StagedDirectory) => return Err(is_directory(path)),
        };
        let content = match before {
            None => data.to_vec(),
            Some(before) => {
                self.reserve(path, before.len() as u64)?;
                [before.as_slice(), data].concat()
            }
        };
        let content = Arc::new(content);
        let change = Change::Write { path: spot.path.clone(), content: content.clone(), is_new };
        self.change(workspace, &spot.path, Node::File(content), Some(change))
    }

    /// The whole of a file on disk, within the room there is.
    fn load(
        &mut self,
        workspace: &Workspace,
        path: &str,
        size: u64,
    ) -> Result<Arc<Vec<u8>>, FileError> {
        self.reserve(path, size)?;
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        workspace.read(path, 0, length).map(Arc::new)
    }

    fn make_directory(&mut self, workspace: &Workspace, path: &str) -> Result<(), FileError> {
        let place = workspace.place(path)?;
        let mut prefix = place.name.to_owned();
        let parts: Vec<_> = place.inner.iter().filter_map(std::ffi::OsStr::to_str).collect();
        for (index, part) in parts.iter().enumerate() {
            prefix = format!("{prefix}/{part}");
            let spot = self.locate(workspace, &prefix, false)?;
            if matches!(spot.found, Found::Nothing) {
                let change = Change::MakeDirectory(spot.path.clone());
                self.change(workspace, &spot.path, Node::Directory, Some(change))?;
                continue;
            }
            let through_links = self.locate(workspace, &prefix, true)?;
            if !through_links.is_directory() {
                return Err(
                    if index + 1 == parts.len() || matches!(through_links.found, Found::Nothing) {
                        FileError::Exists { path: path.to_owned() }
                    } else {
                        kind(path, "is not a directory, or goes through a file")
                    },
                );
            }
        }
        Ok(())
    }
}

fn is_directory(path: &str) -> FileError {
    kind(path, "is a directory")
}

fn kind(path: &str, problem: &'static str) -> FileError {
    FileError::Kind { path: path.chars().take(200).collect(), problem }
}
