//! `hydroid:cap/fs-read`: reading under `/shared` and `/tmp`.

use super::error;
use crate::bindings::cap::fs_read::{Entry, Host, Kind, Metadata};
use crate::bindings::core::types::{Error, ErrorKind};
use crate::files::{self, FileError, Files, Stat};
use crate::instance::State;
use wasmtime::Result;

/// Most bytes one read returns; a component asks again for more.
const LARGEST_READ: u32 = 1 << 20;

/// Most entries one listing returns.
const LONGEST_LISTING: u32 = 4_096;

impl Host for State {
    async fn stat(&mut self, path: String) -> Result<Result<Metadata, Error>> {
        Ok(files(self).and_then(|mut files| files.stat(&path).map(metadata).map_err(file_error)))
    }

    async fn list_directory(
        &mut self,
        path: String,
        start: u32,
        limit: u32,
    ) -> Result<Result<Vec<Entry>, Error>> {
        let limit = limit.min(LONGEST_LISTING) as usize;
        let entry = |(name, stat)| Entry { name, metadata: metadata(stat) };
        Ok(files(self).and_then(|mut files| {
            let listed = files.list(&path, start as usize, limit).map_err(file_error)?;
            Ok(listed.into_iter().map(entry).collect())
        }))
    }

    async fn read(
        &mut self,
        path: String,
        offset: u32,
        length: u32,
    ) -> Result<Result<Vec<u8>, Error>> {
        let length = length.min(LARGEST_READ) as usize;
        Ok(files(self)
            .and_then(|mut files| files.read(&path, offset.into(), length).map_err(file_error)))
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

/// The files, unless the component is only being asked what it is.
pub(super) fn files(state: &mut State) -> Result<Files<'_>, Error> {
    let problem =
        || error(ErrorKind::Denied, "files cannot be used while a component is asked what it is");
    state.files().ok_or_else(problem)
}

pub(super) fn file_error(problem: FileError) -> Error {
    let kind = match &problem {
        FileError::NoRoot { .. } | FileError::BadPath { .. } | FileError::Kind { .. } => {
            ErrorKind::InvalidInput
        }
        FileError::Vault { .. } | FileError::Escape { .. } | FileError::HardLink { .. } => {
            ErrorKind::Denied
        }
        FileError::NotFound { .. } => ErrorKind::NotFound,
        FileError::Exists { .. } => ErrorKind::Conflict,
        FileError::Untried { .. } | FileError::System { .. } => ErrorKind::Unavailable,
    };
    error(kind, problem.to_string())
}
