//! A disk in memory for tests. It keeps the promises of the contract that the tools lean on
//! (sorted lists, short reads, `conflict`, missing directories) and no others.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use hydroid_component::fs::{Entry, Kind, Metadata, WriteMode};
use hydroid_component::types::{Error, ErrorKind};

use crate::disk::{Disk, WritableDisk};

/// `None` is a directory.
pub(crate) struct MemoryDisk {
    entries: RefCell<BTreeMap<String, Option<Vec<u8>>>>,
    /// Bytes handed out, to see that no more is read than needed.
    pub(crate) bytes_read: Cell<usize>,
    pub(crate) time_left_ms: Cell<u32>,
}

impl MemoryDisk {
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Self {
        let disk = MemoryDisk {
            entries: RefCell::default(),
            bytes_read: Cell::new(0),
            time_left_ms: Cell::new(30_000),
        };
        for root in ["/shared", "/tmp"] {
            disk.make_directory(root).unwrap();
        }
        for (path, data) in files {
            disk.make_directory(path.rsplit_once('/').unwrap().0).unwrap();
            disk.write(path, data, WriteMode::Create).unwrap();
        }
        disk
    }

    pub(crate) fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        self.entries.borrow().get(path)?.clone()
    }

    fn entry(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let entry = self.entries.borrow().get(path).cloned();
        entry.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("`{path}` does not exist")))
    }
}

fn metadata(entry: &Option<Vec<u8>>) -> Metadata {
    let (kind, size) = match entry {
        Some(data) => (Kind::File, data.len()),
        None => (Kind::Directory, 0),
    };
    Metadata { kind, size: u32::try_from(size).unwrap(), modified_s: None }
}

impl Disk for MemoryDisk {
    fn stat(&self, path: &str) -> Result<Metadata, Error> {
        self.entry(path).map(|entry| metadata(&entry))
    }

    fn list(&self, path: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        if self.entry(path)?.is_some() {
            return Err(Error::invalid_input(format!("`{path}` is not a directory")));
        }
        let entries = self.entries.borrow();
        let within = entries.iter().filter_map(|(name, entry)| {
            let name = name.strip_prefix(path)?.strip_prefix('/')?;
            (!name.contains('/')).then(|| Entry { name: name.into(), metadata: metadata(entry) })
        });
        Ok(within.take(limit).collect())
    }

    fn read_at(&self, path: &str, offset: u32, length: u32) -> Result<Vec<u8>, Error> {
        let Some(data) = self.entry(path)? else {
            return Err(Error::invalid_input(format!("`{path}` is a directory")));
        };
        let rest = data.get(offset as usize..).unwrap_or_default();
        // Shorter than asked, as a host may answer.
        let length = rest.len().min(length as usize).min(1000);
        self.bytes_read.set(self.bytes_read.get() + length);
        Ok(rest[..length].to_vec())
    }

    fn time_left_ms(&self) -> Result<u32, Error> {
        Ok(self.time_left_ms.get())
    }
}

impl WritableDisk for MemoryDisk {
    fn write(&self, path: &str, data: &[u8], mode: WriteMode) -> Result<(), Error> {
        let parent = path.rsplit_once('/').unwrap().0;
        if self.entry(parent)?.is_some() {
            return Err(Error::invalid_input(format!("`{parent}` is not a directory")));
        }
        let mut entries = self.entries.borrow_mut();
        let before = match (entries.get(path), mode) {
            (Some(None), _) => {
                return Err(Error::invalid_input(format!("`{path}` is a directory")));
            }
            (Some(_), WriteMode::Create) => {
                return Err(Error::new(ErrorKind::Conflict, format!("`{path}` exists")));
            }
            (Some(Some(before)), WriteMode::Append) => before.clone(),
            (_, WriteMode::Create | WriteMode::Replace | WriteMode::Append) => Vec::new(),
        };
        entries.insert(path.to_owned(), Some([&before[..], data].concat()));
        Ok(())
    }

    fn make_directory(&self, path: &str) -> Result<(), Error> {
        for (end, _) in path.match_indices('/').skip(1).chain([(path.len(), "")]) {
            self.entries.borrow_mut().entry(path[..end].to_owned()).or_default();
        }
        Ok(())
    }

    fn remove_file(&self, path: &str) -> Result<(), Error> {
        self.entry(path)?;
        self.entries.borrow_mut().remove(path);
        Ok(())
    }

    fn remove_directory(&self, path: &str) -> Result<(), Error> {
        if !self.list(path, 1)?.is_empty() {
            return Err(Error::new(ErrorKind::Conflict, format!("`{path}` is not empty")));
        }
        self.entries.borrow_mut().remove(path);
        Ok(())
    }
}
