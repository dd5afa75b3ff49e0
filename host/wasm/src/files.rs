//! The workspace as components see it: `/shared` and `/tmp`, each an open directory that nothing
//! leads out of. `/vault` is not among them. Host paths never appear in an error.

mod commit;
mod error;
mod staged;
mod staging;
pub(crate) mod vault;

pub(crate) use commit::Unfinished;
pub use error::FileError;
pub(crate) use staged::Files;
pub(crate) use staging::{Base, Change, Node, Staging};

use cap_std::fs::{Dir, File, Metadata, MetadataExt, OpenOptions, OpenOptionsExt, Permissions};
use std::ffi::OsStr;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Longest path taken, as on Linux.
const MAX_PATH: usize = 4096;

/// The open roots of a user's workspace.
#[derive(Debug)]
pub struct Workspace {
    shared: Dir,
    tmp: Dir,
    /// Not among the places a path can name; only a vault operation opens something in it.
    vault: Dir,
    directory: PathBuf,
    allow_hard_links: bool,
}

/// What is known of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// File, directory or other.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Last change in seconds since 1970-01-01 UTC.
    pub modified_s: Option<u64>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

/// What to do with a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Fail.
    Create,
    /// Replace it as a whole.
    Replace,
    /// Add at the end.
    Append,
}

/// A path in a root, made of plain names.
#[derive(Debug)]
struct Place<'a> {
    root: &'a Dir,
    /// The root as components know it.
    name: &'static str,
    /// Empty for the root itself.
    inner: PathBuf,
    /// As the component wrote it, shortened.
    shown: String,
}

impl Workspace {
    /// Opens `shared/` and `tmp/` of a directory, creating them and `vault/`, private to the user.
    pub fn open(directory: &Path, allow_hard_links: bool) -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for name in ["shared", "tmp", "vault"] {
            builder.create(directory.join(name))?;
        }
        let [shared, tmp, vault] = open_roots(directory)?;
        Ok(Self { shared, tmp, vault, directory: directory.canonicalize()?, allow_hard_links })
    }

    /// Host paths of the roots with the names components know them by, for preopens and for
    /// masking.
    pub fn roots(&self) -> [(PathBuf, &'static str); 3] {
        ["shared", "tmp", "vault"].map(|name| {
            let known_as = match name {
                "shared" => "/shared",
                "tmp" => "/tmp",
                _ => "/vault",
            };
            (self.directory.join(name), known_as)
        })
    }

    /// True if the operator lets files with several hard links be opened.
    pub(crate) fn allows_hard_links(&self) -> bool {
        self.allow_hard_links
    }

    /// The path without links, as components see it, for as much of it as exists. None when it is
    /// in no root or leads out of its root: then no call reaches it either.
    pub fn real_path(&self, path: &str) -> Option<String> {
        let place = self.place(path).ok()?;
        let name = place.name;
        let mut existing = place.inner.as_path();
        let mut missing: Vec<&std::ffi::OsStr> = Vec::new();
        let real = loop {
            if existing.as_os_str().is_empty() {
                break PathBuf::new();
            }
            match place.root.canonicalize(existing) {
                Ok(real) => break real,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    missing.push(existing.file_name()?);
                    existing = existing.parent()?;
                }
                Err(_) => return None,
            }
        };
        let whole = missing.iter().rev().fold(real, |path, name| path.join(name));
        let text = whole.to_str()?;
        Some(if text.is_empty() || text == "." {
            name.to_owned()
        } else {
            format!("{name}/{text}")
        })
    }

    /// Where something written to a path goes: its directory without links, and the name as it is.
    pub(crate) fn destination(&self, path: &str) -> Result<String, FileError> {
        let place = self.place(path)?;
        let Some(name) = place.inner.file_name().and_then(OsStr::to_str) else {
            return Err(FileError::Kind { path: place.shown, problem: "is a directory" });
        };
        let parent = place.inner.parent().and_then(Path::to_str).unwrap_or_default();
        let parent = format!("{}/{parent}", place.name);
        let real = self.real_path(&parent).ok_or(FileError::Escape { path: place.shown })?;
        Ok(format!("{real}/{name}"))
    }

    /// Metadata of a path; links count as what they lead to.
    pub fn stat(&self, path: &str) -> Result<Stat, FileError> {
        let place = self.place(path)?;
        place.metadata().map(|metadata| stat(&metadata)).map_err(|error| place.error(&error))
    }

    /// Entries of a directory, sorted by name.
    pub fn list(
        &self,
        path: &str,
        start: usize,
        limit: usize,
    ) -> Result<Vec<(String, Stat)>, FileError> {
        let place = self.place(path)?;
        let directory = place.open_dir().map_err(|error| place.error(&error))?;
        let mut names: Vec<String> = directory
            .entries()
            .map_err(|error| place.error(&error))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        Ok(names
            .into_iter()
            .skip(start)
            .take(limit)
            .map(|name| {
                // A broken link, or one that leads out, is shown and not followed.
                let found =
                    place.root.metadata(place.inner.join(&name)).map_or(
                        Stat { kind: Kind::Other, size: 0, modified_s: None },
                        |metadata| stat(&metadata),
                    );
                (name, found)
            })
            .collect())
    }

    /// At most `length` bytes from `offset`.
    pub fn read(&self, path: &str, offset: u64, length: usize) -> Result<Vec<u8>, FileError> {
        let place = self.place(path)?;
        let mut file = self.open_regular(&place, OpenOptions::new().read(true))?;
        let size = file.metadata().map_err(|error| place.error(&error))?.len();
        if offset >= size {
            return Ok(Vec::new());
        }
        file.seek(SeekFrom::Start(offset)).map_err(|error| place.error(&error))?;
        let wanted = (length as u64).min(size - offset);
        let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
        file.take(wanted).read_to_end(&mut bytes).map_err(|error| place.error(&error))?;
        Ok(bytes)
    }

    /// Writes a file; see [`WriteMode`].
    pub fn write(&self, path: &str, data: &[u8], mode: WriteMode) -> Result<(), FileError> {
        let place = self.place(path)?;
        if place.inner.as_os_str().is_empty() {
            return Err(FileError::Kind { path: place.shown, problem: "is a directory" });
        }
        match mode {
            WriteMode::Create => self.create(&place, data),
            WriteMode::Append => {
                let mut file =
                    self.open_regular(&place, OpenOptions::new().append(true).create(true))?;
                file.write_all(data).map_err(|error| place.error(&error))
            }
            WriteMode::Replace => self.replace(&place, data),
        }
    }

    /// Creates a directory and its parents.
    pub fn make_directory(&self, path: &str) -> Result<(), FileError> {
        let place = self.place(path)?;
        if place.inner.as_os_str().is_empty() {
            return Ok(());
        }
        place.root.create_dir_all(&place.inner).map_err(|error| place.error(&error))
    }

    /// Removes a file or a link, not what it leads to.
    pub fn remove_file(&self, path: &str) -> Result<(), FileError> {
        let place = self.place(path)?;
        place.root.remove_file(&place.inner).map_err(|error| place.error(&error))
    }

    /// Removes an empty directory.
    pub fn remove_directory(&self, path: &str) -> Result<(), FileError> {
        let place = self.place(path)?;
        if place.inner.as_os_str().is_empty() {
            return Err(FileError::Kind { path: place.shown, problem: "is a root and stays" });
        }
        place.root.remove_dir(&place.inner).map_err(|error| place.error(&error))
    }

    /// Renames within one root; what is at the target stays.
    pub fn rename(&self, source: &str, target: &str) -> Result<(), FileError> {
        let from = self.place(source)?;
        let to = self.place(target)?;
        if !std::ptr::eq(from.root, to.root) {
            return Err(FileError::Kind {
                path: to.shown,
                problem: "is in another root; copy the file and delete the old one",
            });
        }
        if from.inner.as_os_str().is_empty() {
            return Err(FileError::Kind { path: from.shown, problem: "is a root and stays" });
        }
        let (from_parent, to_parent) = (from.parent()?, to.parent()?);
        let name =
            |place: &Place<'_>| place.inner.file_name().map(ToOwned::to_owned).unwrap_or_default();
        // One step: what appears at the target in between is not replaced.
        rustix::fs::renameat_with(
            &from_parent,
            name(&from),
            &to_parent,
            name(&to),
            rustix::fs::RenameFlags::NOREPLACE,
        )
        .map_err(|error| match error {
            rustix::io::Errno::EXIST => FileError::Exists { path: to.shown.clone() },
            other => from.error(&other.into()),
        })
    }

    /// Writes beside the file and renames over it, so that a reader sees the old or the new one.
    fn replace(&self, place: &Place<'_>, data: &[u8]) -> Result<(), FileError> {
        let existing = place.root.symlink_metadata(&place.inner).ok();
        if existing.as_ref().is_some_and(Metadata::is_dir) {
            return Err(FileError::Kind { path: place.shown.clone(), problem: "is a directory" });
        }
        let file = existing.filter(Metadata::is_file);
        if let Some(metadata) = &file {
            self.check_links(place, metadata)?;
        }
        let permissions = file.map(|metadata| metadata.permissions());
        place.write_beside(data, permissions, |directory, partial, name| {
            directory.rename(partial, directory, name)
        })
    }

    /// Writes beside the place and moves there, unless something is there by then.
    fn create(&self, place: &Place<'_>, data: &[u8]) -> Result<(), FileError> {
        if place.root.symlink_metadata(&place.inner).is_ok() {
            return Err(FileError::Exists { path: place.shown.clone() });
        }
        place.write_beside(data, None, |directory, partial, name| {
            let flags = rustix::fs::RenameFlags::NOREPLACE;
            Ok(rustix::fs::renameat_with(directory, partial, directory, name, flags)?)
        })
    }

    fn open_regular(
        &self,
        place: &Place<'_>,
        options: &mut OpenOptions,
    ) -> Result<File, FileError> {
        if place.inner.as_os_str().is_empty() {
            return Err(FileError::Kind { path: place.shown.clone(), problem: "is a directory" });
        }
        // Without O_NONBLOCK a named pipe would hold the host until somebody opens the other end.
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        let file =
            place.root.open_with(&place.inner, options).map_err(|error| place.error(&error))?;
        let metadata = file.metadata().map_err(|error| place.error(&error))?;
        if metadata.is_dir() {
            return Err(FileError::Kind { path: place.shown.clone(), problem: "is a directory" });
        }
        if !metadata.is_file() {
            return Err(FileError::Kind {
                path: place.shown.clone(),
                problem: "is not a regular file",
            });
        }
        self.check_links(place, &metadata)?;
        Ok(file)
    }

    fn check_links(&self, place: &Place<'_>, metadata: &Metadata) -> Result<(), FileError> {
        if self.allow_hard_links || metadata.nlink() <= 1 {
            return Ok(());
        }
        Err(FileError::HardLink { path: place.shown.clone(), links: metadata.nlink() })
    }

    fn place(&self, path: &str) -> Result<Place<'_>, FileError> {
        let shown: String = path.chars().take(200).collect();
        let bad = |problem| FileError::BadPath { path: shown.clone(), problem };
        if path.len() > MAX_PATH {
            return Err(bad("it is longer than 4096 bytes"));
        }
        if path.contains('\0') {
            return Err(bad("it has a NUL character"));
        }
        let Some(rest) = path.strip_prefix('/') else {
            return Err(FileError::NoRoot { path: shown });
        };
        let mut names = rest.split('/').filter(|name| !name.is_empty() && *name != ".");
        let (root, name) = match names.next() {
            Some("shared") => (&self.shared, "/shared"),
            Some("tmp") => (&self.tmp, "/tmp"),
            Some("vault") => return Err(FileError::Vault { path: shown }),
            Some(_) | None => return Err(FileError::NoRoot { path: shown }),
        };
        let mut inner = PathBuf::new();
        for part in names {
            if part == ".." {
                return Err(FileError::Escape { path: shown });
            }
            inner.push(part);
        }
        Ok(Place { root, name, inner, shown })
    }
}

/// Opens the three roots. Each is a directory of its own and none is a link: a workspace that
/// somebody else made must not lead elsewhere, nor to its vault under another name.
fn open_roots(directory: &Path) -> std::io::Result<[Dir; 3]> {
    let workspace = Dir::open_ambient_dir(directory, cap_std::ambient_authority())?;
    let mut seen = Vec::new();
    let mut open = |name: &str| {
        let metadata = workspace.symlink_metadata(name)?;
        let refused = |problem: &str| {
            Err(std::io::Error::other(format!(
                "`{name}` in it {problem}; make it a directory of its own"
            )))
        };
        if !metadata.is_dir() {
            return refused("is a link or a file");
        }
        let root = workspace.open_dir(name)?;
        let opened = root.dir_metadata()?;
        let place = (opened.dev(), opened.ino());
        if place != (metadata.dev(), metadata.ino()) || seen.contains(&place) {
            return refused("is the same directory as another, or was replaced");
        }
        seen.push(place);
        Ok(root)
    };
    Ok([open("shared")?, open("tmp")?, open("vault")?])
}

impl Place<'_> {
    /// Writes a file of its own in the same directory, which then takes the name. Whoever is
    /// stopped in between leaves a `.partial` file, never half of this one.
    fn write_beside(
        &self,
        data: &[u8],
        permissions: Option<Permissions>,
        take_name: impl FnOnce(&Dir, &str, &OsStr) -> std::io::Result<()>,
    ) -> Result<(), FileError> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let directory = self.parent()?;
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let partial = format!(".hydroid-{}-{number}.partial", std::process::id());
        let name = self.inner.file_name().unwrap_or_default();
        let attempt = || {
            let mut file =
                directory.open_with(&partial, OpenOptions::new().write(true).create_new(true))?;
            file.write_all(data)?;
            if let Some(permissions) = permissions {
                file.set_permissions(permissions)?;
            }
            drop(file);
            take_name(&directory, &partial, name)
        };
        attempt().map_err(|error| {
            let _ = directory.remove_file(&partial);
            self.error(&error)
        })
    }

    /// The directory it is in, opened, so that what happens in it stays in it.
    fn parent(&self) -> Result<Dir, FileError> {
        let directory = match self.inner.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => self.root.open_dir(parent),
            Some(_) | None => self.root.try_clone(),
        };
        directory.map_err(|error| self.error(&error))
    }

    fn metadata(&self) -> std::io::Result<Metadata> {
        if self.inner.as_os_str().is_empty() {
            self.root.dir_metadata()
        } else {
            self.root.metadata(&self.inner)
        }
    }

    fn open_dir(&self) -> std::io::Result<Dir> {
        if self.inner.as_os_str().is_empty() {
            self.root.try_clone()
        } else {
            self.root.open_dir(&self.inner)
        }
    }

    fn error(&self, error: &std::io::Error) -> FileError {
        FileError::of(&self.shown, error)
    }
}

fn stat(metadata: &Metadata) -> Stat {
    let kind = if metadata.is_file() {
        Kind::File
    } else if metadata.is_dir() {
        Kind::Directory
    } else {
        Kind::Other
    };
    Stat { kind, size: metadata.len(), modified_s: u64::try_from(metadata.mtime()).ok() }
}

#[cfg(test)]
mod staging_tests;
#[cfg(test)]
mod tests;
