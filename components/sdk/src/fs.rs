//! Files under `/shared` and `/tmp`, through the host's own interfaces. Not `std::fs`: what
//! is called here shows in the component's imports, and calling nothing from `fs::write_*`
//! keeps `fs-write` out of them.

pub use crate::bindings::imports::hydroid::cap::fs_read::{Entry, Kind, Metadata};
pub use crate::bindings::imports::hydroid::cap::fs_write::WriteMode;

use crate::bindings::imports::hydroid::cap::{fs_read, fs_write};
use crate::types::{Error, ErrorKind};

/// Bytes asked for at once: large enough that calls do not matter, small enough that two of
/// them fit the smallest memory a host gives.
pub const CHUNK: u32 = 256 * 1024;

/// Entries asked for at once.
const PAGE: u32 = 1000;

/// What is known of a path without reading it.
pub fn stat(path: &str) -> Result<Metadata, Error> {
    fs_read::stat(path)
}

/// Metadata of a path, or none when there is nothing.
pub fn stat_if_exists(path: &str) -> Result<Option<Metadata>, Error> {
    match stat(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Entries of a directory, sorted by name, at most `limit` of them.
pub fn list(path: &str, limit: usize) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    while entries.len() < limit {
        let start = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let wanted = u32::try_from(limit - entries.len()).unwrap_or(PAGE).min(PAGE);
        let page = fs_read::list_directory(path, start, wanted)?;
        // A short page is not the end: a host may give fewer than asked.
        if page.is_empty() {
            break;
        }
        entries.extend(page);
    }
    entries.truncate(limit);
    Ok(entries)
}

/// At most `length` bytes from `offset`; fewer near the end, none at the end.
pub fn read_at(path: &str, offset: u32, length: u32) -> Result<Vec<u8>, Error> {
    fs_read::read(path, offset, length)
}

/// A whole file of at most `limit` bytes; a larger one is an error and is not read further.
pub fn read(path: &str, limit: u32) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    loop {
        let offset = u32::try_from(bytes.len()).map_err(|_| too_large(path, limit))?;
        let chunk = read_at(path, offset, CHUNK)?;
        if chunk.is_empty() {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&chunk);
        if bytes.len() > limit as usize {
            return Err(too_large(path, limit));
        }
    }
}

/// A whole UTF-8 file of at most `limit` bytes.
pub fn read_to_string(path: &str, limit: u32) -> Result<String, Error> {
    String::from_utf8(read(path, limit)?).map_err(|error| {
        let position = error.utf8_error().valid_up_to();
        Error::invalid_input(format!("`{path}` is not UTF-8 text: wrong byte at {position}"))
    })
}

/// Makes the content of a file; `mode` says what happens to one that is there. The directory
/// must exist.
pub fn write(path: &str, data: &[u8], mode: WriteMode) -> Result<(), Error> {
    fs_write::write(path, data, mode)
}

/// Creates a directory and its missing parents; one that exists is fine.
pub fn make_directory(path: &str) -> Result<(), Error> {
    fs_write::make_directory(path)
}

/// Removes a file or link.
pub fn remove_file(path: &str) -> Result<(), Error> {
    fs_write::remove_file(path)
}

/// Removes an empty directory.
pub fn remove_directory(path: &str) -> Result<(), Error> {
    fs_write::remove_directory(path)
}

/// Renames within one root; fails with `conflict` if `target` exists.
pub fn rename(source: &str, target: &str) -> Result<(), Error> {
    fs_write::rename(source, target)
}

fn too_large(path: &str, limit: u32) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("`{path}` is larger than the {limit} bytes read as a whole; read it in parts"),
    )
}
