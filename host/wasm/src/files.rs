//! The workspace as components see it: `/shared` and `/tmp`, each an open directory that nothing
//! leads out of. `/vault` is not among them. Host paths never appear in an error.

use cap_std::fs::{Dir, File, Metadata, MetadataExt, OpenOptions, OpenOptionsExt};
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

/// Why a file could not be used. The text goes to the component and the model.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A path that names no place a component knows.
    #[error("`{path}` is not a path here; files are under `/shared` and `/tmp`")]
    NoRoot {
        /// The path.
        path: String,
    },
    /// The vault.
    #[error(
        "`{path}` is in the vault, which no tool can read or write; a person can copy a file from it"
    )]
    Vault {
        /// The path.
        path: String,
    },
    /// A path that cannot be one.
    #[error("`{path}` is not a path: {problem}")]
    BadPath {
        /// The path.
        path: String,
        /// Why.
        problem: &'static str,
    },
    /// A link or `..` that leads out.
    #[error(
        "`{path}` leads out of the workspace, through a link or `..`; use the place itself, under `/shared` or `/tmp`"
    )]
    Escape {
        /// The path.
        path: String,
    },
    /// Several names for one file.
    #[error(
        "`{path}` has {links} hard links, so it may be a file outside the workspace; copy it to a new file first, or a person can set `workspace.allow_hard_links = true`"
    )]
    HardLink {
        /// The path.
        path: String,
        /// How many.
        links: u64,
    },
    /// Nothing there.
    #[error("`{path}` does not exist")]
    NotFound {
        /// The path.
        path: String,
    },
    /// Something there already.
    #[error("`{path}` exists already")]
    Exists {
        /// The path.
        path: String,
    },
    /// Another kind of thing is there.
    #[error("`{path}` {problem}")]
    Kind {
        /// The path.
        path: String,
        /// What it is instead.
        problem: &'static str,
    },
    /// Anything else the system says.
    #[error("`{path}`: {problem}")]
    System {
        /// The path.
        path: String,
        /// Why, without host paths.
        problem: String,
    },
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
                let found = directory
                    .metadata(&name)
                    .map_or(Stat { kind: Kind::Other, size: 0, modified_s: None }, |metadata| {
                        stat(&metadata)
                    });
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
        let written = match mode {
            WriteMode::Create => {
                let mut file =
                    self.open_regular(&place, OpenOptions::new().write(true).create_new(true))?;
                file.write_all(data)
            }
            WriteMode::Append => {
                let mut file =
                    self.open_regular(&place, OpenOptions::new().append(true).create(true))?;
                file.write_all(data)
            }
            WriteMode::Replace => return self.replace(&place, data),
        };
        written.map_err(|error| place.error(&error))
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
        let parent = |place: &Place<'_>| {
            let directory = match place.inner.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => place.root.open_dir(parent),
                Some(_) | None => place.root.try_clone(),
            };
            directory.map_err(|error| place.error(&error))
        };
        let (from_parent, to_parent) = (parent(&from)?, parent(&to)?);
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
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let existing = place.root.symlink_metadata(&place.inner).ok();
        if existing.as_ref().is_some_and(Metadata::is_dir) {
            return Err(FileError::Kind { path: place.shown.clone(), problem: "is a directory" });
        }
        if let Some(metadata) = existing.as_ref().filter(|metadata| metadata.is_file()) {
            self.check_links(place, metadata)?;
        }
        let parent = place.inner.parent().unwrap_or(Path::new(""));
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let partial = parent.join(format!(".hydroid-{}-{number}.partial", std::process::id()));
        let attempt = || {
            let mut file =
                place.root.open_with(&partial, OpenOptions::new().write(true).create_new(true))?;
            file.write_all(data)?;
            if let Some(metadata) = existing.as_ref().filter(|metadata| metadata.is_file()) {
                file.set_permissions(metadata.permissions())?;
            }
            drop(file);
            place.root.rename(&partial, place.root, &place.inner)
        };
        attempt().map_err(|error| {
            let _ = place.root.remove_file(&partial);
            place.error(&error)
        })
    }

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
        let place =
            Place { root: &self.vault, inner: PathBuf::from(rest.trim_start_matches('/')), shown };
        let file = self.open_regular(&place, OpenOptions::new().read(true))?;
        let size = file.metadata().map_err(|error| place.error(&error))?.len();
        Ok((file, size))
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
        let root = match names.next() {
            Some("shared") => &self.shared,
            Some("tmp") => &self.tmp,
            Some("vault") => return Err(FileError::Vault { path: shown }),
            Some(_) | None => return Err(FileError::NoRoot { path: shown }),
        };
        let mut inner = PathBuf::new();
        for name in names {
            if name == ".." {
                return Err(FileError::Escape { path: shown });
            }
            inner.push(name);
        }
        Ok(Place { root, inner, shown })
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
        use std::io::ErrorKind;
        let path = self.shown.clone();
        match error.kind() {
            ErrorKind::NotFound => FileError::NotFound { path },
            ErrorKind::AlreadyExists => FileError::Exists { path },
            ErrorKind::IsADirectory => FileError::Kind { path, problem: "is a directory" },
            ErrorKind::NotADirectory => {
                FileError::Kind { path, problem: "is not a directory, or goes through a file" }
            }
            ErrorKind::DirectoryNotEmpty => FileError::Kind { path, problem: "is not empty" },
            // cap-std says so without an error number when a path leads out of its root.
            ErrorKind::PermissionDenied if error.raw_os_error().is_none() => {
                FileError::Escape { path }
            }
            ErrorKind::CrossesDevices => FileError::Escape { path },
            _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                FileError::Escape { path }
            }
            _ if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                FileError::Kind { path, problem: "is not a regular file" }
            }
            kind => FileError::System { path, problem: kind.to_string() },
        }
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
mod tests;
