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
        let authority = cap_std::ambient_authority();
        Ok(Self {
            shared: Dir::open_ambient_dir(directory.join("shared"), authority)?,
            tmp: Dir::open_ambient_dir(directory.join("tmp"), authority)?,
            vault: Dir::open_ambient_dir(directory.join("vault"), authority)?,
            directory: directory.canonicalize()?,
            allow_hard_links,
        })
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
        let name = |place: &Place<'_>| place.inner.file_name().map(ToOwned::to_owned).unwrap_or_default();
        // One step: what appears at the target in between is not replaced.
        rustix::fs::renameat_with(&from_parent, name(&from), &to_parent, name(&to), rustix::fs::RenameFlags::NOREPLACE)
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
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Scene {
        directory: tempfile::TempDir,
        workspace: Workspace,
    }

    fn scene() -> Scene {
        let directory = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(&directory.path().join("ws"), false).unwrap();
        std::fs::write(directory.path().join("secret.txt"), "outside").unwrap();
        std::fs::write(directory.path().join("ws/vault/key.txt"), "vault").unwrap();
        std::fs::write(directory.path().join("ws/shared/a.txt"), "inside").unwrap();
        Scene { directory, workspace }
    }

    #[track_caller]
    fn refused<T: std::fmt::Debug>(scene: &Scene, result: Result<T, FileError>, expect: &str) {
        let text = result.expect_err("must be refused").to_string();
        assert!(text.contains(expect), "expected `{expect}` in: {text}");
        assert!(!text.contains(scene.directory.path().to_str().unwrap()), "a host path in: {text}");
    }

    #[test]
    fn files_inside_are_read_in_pieces() {
        let scene = scene();
        assert_eq!(scene.workspace.read("/shared/a.txt", 0, 100).unwrap(), b"inside");
        assert_eq!(scene.workspace.read("/shared/./a.txt", 2, 3).unwrap(), b"sid");
        assert_eq!(scene.workspace.read("/shared//a.txt", 100, 3).unwrap(), b"");
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        let scene = scene();
        for path in [
            "/shared/../vault/key.txt",
            "/shared/../../secret.txt",
            "/tmp/../shared/a.txt",
            "/shared/x/../../vault/key.txt",
        ] {
            refused(&scene, scene.workspace.read(path, 0, 10), "leads out");
        }
        for path in [
            "/etc/passwd",
            "a.txt",
            "",
            "/",
            "shared/a.txt",
            "/SHARED/a.txt",
            "/Vault/key.txt",
            "/sharedx/a",
        ] {
            refused(&scene, scene.workspace.read(path, 0, 10), "files are under");
        }
        refused(&scene, scene.workspace.read("/vault/key.txt", 0, 10), "in the vault");
        refused(&scene, scene.workspace.read("/shared/a\0b", 0, 10), "NUL");
        refused(
            &scene,
            scene.workspace.read(&format!("/shared/{}", "é".repeat(4000)), 0, 10),
            "longer than",
        );
    }

    #[test]
    fn links_that_lead_out_are_refused_and_links_inside_work() {
        let scene = scene();
        let shared = scene.directory.path().join("ws/shared");
        symlink("../../secret.txt", shared.join("relative")).unwrap();
        symlink(scene.directory.path().join("secret.txt"), shared.join("absolute")).unwrap();
        symlink("../vault", shared.join("vault")).unwrap();
        symlink("a.txt", shared.join("inside")).unwrap();
        symlink("loop", shared.join("loop")).unwrap();
        refused(&scene, scene.workspace.read("/shared/relative", 0, 10), "leads out");
        refused(&scene, scene.workspace.read("/shared/absolute", 0, 10), "leads out");
        refused(&scene, scene.workspace.read("/shared/vault/key.txt", 0, 10), "leads out");
        refused(&scene, scene.workspace.stat("/shared/vault"), "leads out");
        refused(&scene, scene.workspace.list("/shared/vault", 0, 10), "leads out");
        refused(
            &scene,
            scene.workspace.write("/shared/vault/new", b"x", WriteMode::Create),
            "leads out",
        );
        refused(
            &scene,
            scene.workspace.write("/shared/relative", b"x", WriteMode::Append),
            "leads out",
        );
        refused(
            &scene,
            scene.workspace.rename("/shared/a.txt", "/shared/vault/a.txt"),
            "leads out",
        );
        assert!(scene.workspace.read("/shared/loop", 0, 10).is_err());
        assert_eq!(scene.workspace.read("/shared/inside", 0, 10).unwrap(), b"inside");
        assert_eq!(
            std::fs::read_to_string(scene.directory.path().join("secret.txt")).unwrap(),
            "outside"
        );
    }

    #[test]
    fn replacing_a_link_replaces_the_link_and_not_what_it_leads_to() {
        let scene = scene();
        symlink("../../secret.txt", scene.directory.path().join("ws/shared/link")).unwrap();
        scene.workspace.write("/shared/link", b"new", WriteMode::Replace).unwrap();
        assert_eq!(
            std::fs::read_to_string(scene.directory.path().join("secret.txt")).unwrap(),
            "outside"
        );
        assert_eq!(scene.workspace.read("/shared/link", 0, 10).unwrap(), b"new");
    }

    #[test]
    fn a_file_with_hard_links_is_refused_unless_configured() {
        let scene = scene();
        let base = scene.directory.path();
        std::fs::hard_link(base.join("secret.txt"), base.join("ws/shared/hard")).unwrap();
        refused(&scene, scene.workspace.read("/shared/hard", 0, 10), "hard links");
        refused(
            &scene,
            scene.workspace.write("/shared/hard", b"x", WriteMode::Append),
            "hard links",
        );
        refused(
            &scene,
            scene.workspace.write("/shared/hard", b"x", WriteMode::Replace),
            "hard links",
        );
        let open = Workspace::open(&base.join("ws"), true).unwrap();
        assert_eq!(open.read("/shared/hard", 0, 10).unwrap(), b"outside");
    }

    #[test]
    fn a_link_swapped_while_reading_never_leads_out() {
        let scene = scene();
        let shared = scene.directory.path().join("ws/shared");
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _ = symlink("a.txt", shared.join("next"));
                    let _ = std::fs::rename(shared.join("next"), shared.join("swap"));
                    let _ = symlink("../../secret.txt", shared.join("next"));
                    let _ = std::fs::rename(shared.join("next"), shared.join("swap"));
                }
            });
            for _ in 0..5_000 {
                if let Ok(bytes) = scene.workspace.read("/shared/swap", 0, 100) {
                    assert_eq!(bytes, b"inside");
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn a_named_pipe_does_not_hold_the_host() {
        let scene = scene();
        let pipe = scene.directory.path().join("ws/shared/pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        refused(&scene, scene.workspace.read("/shared/pipe", 0, 10), "not a regular file");
        refused(
            &scene,
            scene.workspace.write("/shared/pipe", b"x", WriteMode::Append),
            "not a regular file",
        );
    }

    #[test]
    fn writing_keeps_what_is_there_unless_told() {
        let scene = scene();
        refused(
            &scene,
            scene.workspace.write("/shared/a.txt", b"x", WriteMode::Create),
            "exists already",
        );
        scene.workspace.write("/shared/a.txt", b"+", WriteMode::Append).unwrap();
        assert_eq!(scene.workspace.read("/shared/a.txt", 0, 100).unwrap(), b"inside+");
        scene.workspace.write("/shared/a.txt", b"new", WriteMode::Replace).unwrap();
        assert_eq!(scene.workspace.read("/shared/a.txt", 0, 100).unwrap(), b"new");
        refused(
            &scene,
            scene.workspace.write("/shared/no/such", b"x", WriteMode::Create),
            "does not exist",
        );
        scene.workspace.make_directory("/shared/no").unwrap();
        scene.workspace.write("/shared/no/such", b"x", WriteMode::Replace).unwrap();
        refused(&scene, scene.workspace.remove_directory("/shared/no"), "is not empty");
        refused(
            &scene,
            scene.workspace.rename("/shared/a.txt", "/shared/no/such"),
            "exists already",
        );
        refused(&scene, scene.workspace.rename("/shared/a.txt", "/tmp/a.txt"), "another root");
        refused(&scene, scene.workspace.remove_directory("/shared"), "is a root");
        refused(
            &scene,
            scene.workspace.write("/shared", b"x", WriteMode::Replace),
            "is a directory",
        );
        refused(&scene, scene.workspace.read("/shared/no", 0, 1), "is a directory");
        scene.workspace.remove_file("/shared/no/such").unwrap();
        scene.workspace.remove_directory("/shared/no").unwrap();
        let names: Vec<String> = scene
            .workspace
            .list("/shared", 0, 10)
            .unwrap()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["a.txt"]);
    }
}
