//! What the tools need of a file system, and the host's. Not `std::fs`: a component's own
//! file system is empty.

use hydroid_component::fs;
use hydroid_component::fs::{Entry, Metadata, WriteMode};
use hydroid_component::types::Error;

/// Looking at files.
pub(crate) trait Disk {
    /// Metadata of one path.
    fn stat(&self, path: &str) -> Result<Metadata, Error>;
    /// Entries of a directory, sorted by name, at most `limit`.
    fn list(&self, path: &str, limit: usize) -> Result<Vec<Entry>, Error>;
    /// At most `length` bytes from `offset`; none at the end.
    fn read_at(&self, path: &str, offset: u32, length: u32) -> Result<Vec<u8>, Error>;
    /// `Err` if the call was cancelled, otherwise how much time is left.
    fn time_left_ms(&self) -> Result<u32, Error>;
}

/// Changing files.
pub(crate) trait WritableDisk: Disk {
    /// Writes a file whose directory exists.
    fn write(&self, path: &str, data: &[u8], mode: WriteMode) -> Result<(), Error>;
    /// Creates a directory and its parents; one that exists is fine.
    fn make_directory(&self, path: &str) -> Result<(), Error>;
    /// Removes a file.
    fn remove_file(&self, path: &str) -> Result<(), Error>;
    /// Removes an empty directory.
    fn remove_directory(&self, path: &str) -> Result<(), Error>;
}

/// The files the host granted.
pub(crate) struct HostDisk;

impl Disk for HostDisk {
    fn stat(&self, path: &str) -> Result<Metadata, Error> {
        fs::stat(path)
    }

    fn list(&self, path: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        fs::list(path, limit)
    }

    fn read_at(&self, path: &str, offset: u32, length: u32) -> Result<Vec<u8>, Error> {
        fs::read_at(path, offset, length)
    }

    fn time_left_ms(&self) -> Result<u32, Error> {
        hydroid_component::control::check_cancelled()?;
        Ok(hydroid_component::control::remaining_ms())
    }
}

impl WritableDisk for HostDisk {
    fn write(&self, path: &str, data: &[u8], mode: WriteMode) -> Result<(), Error> {
        fs::write(path, data, mode)
    }

    fn make_directory(&self, path: &str) -> Result<(), Error> {
        fs::make_directory(path)
    }

    fn remove_file(&self, path: &str) -> Result<(), Error> {
        fs::remove_file(path)
    }

    fn remove_directory(&self, path: &str) -> Result<(), Error> {
        fs::remove_directory(path)
    }
}
