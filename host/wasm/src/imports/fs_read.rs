//! `hydroid:cap/fs-read`: reading under `/shared` and `/tmp`.

use super::error;
use crate::bindings::cap::fs_read::{Entry, Host, Kind, Metadata};
use crate::bindings::core::types::{Error, ErrorKind};
use crate::files::{self, FileError, Stat};
use crate::instance::State;
use wasmtime::Result;

/// Most bytes one read returns; a component asks again for more.
const LARGEST_READ: u32 = 1 << 20;

/// Most entries one listing returns.
const LONGEST_LISTING: u32 = 4_096;

impl Host for State {
    async fn stat(&mut self, path: String) -> Result<Result<Metadata, Error>> {
        Ok(self.equipment.workspace.stat(&path).map(metadata).map_err(file_error))
    }

    async fn list_directory(&mut self, path: String, start: u32, limit: u32) -> Result<Result<Vec<Entry>, Error>> {
        let listed = self.equipment.workspace.list(&path, start as usize, limit.min(LONGEST_LISTING) as usize);
        let entry = |(name, stat)| Entry { name, metadata: metadata(stat) };
        Ok(listed.map(|entries| entries.into_iter().map(entry).collect()).map_err(file_error))
    }

    async fn read(&mut self, path: String, offset: u32, length: u32) -> Result<Result<Vec<u8>, Error>> {
        let length = length.min(LARGEST_READ) as usize;
        Ok(self.equipment.workspace.read(&path, offset.into(), length).map_err(file_error))
    }
}

fn metadata(stat: Stat) -> Metadata {
    Metadata {
        kind: match stat.kind {
            files::Kind::File => Kind::File,
            files::Kind::Directory => Kind::Directory,
            files::Kind::Other => Kind::Other,
        },
        size: u32::try_from(stat.size).unwrap_or(u32::MAX),
        modified_s: stat.modified_s.and_then(|seconds| u32::try_from(seconds).ok()),
    }
}

pub(super) fn file_error(problem: FileError) -> Error {
    let kind = match &problem {
        FileError::NoRoot { .. } | FileError::BadPath { .. } | FileError::Kind { .. } => ErrorKind::InvalidInput,
        FileError::Vault { .. } | FileError::Escape { .. } | FileError::HardLink { .. } => ErrorKind::Denied,
        FileError::NotFound { .. } => ErrorKind::NotFound,
        FileError::Exists { .. } => ErrorKind::Conflict,
        FileError::System { .. } => ErrorKind::Unavailable,
    };
    error(kind, problem.to_string())
}
