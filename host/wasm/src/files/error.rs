//! Why a file could not be used, said without host paths.

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
    /// It cannot be tried out without doing it.
    #[error("`{path}` {problem}, which cannot be tried out beforehand")]
    Untried {
        /// The path.
        path: String,
        /// What would happen to it.
        problem: String,
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

impl FileError {
    /// What the system said about a path.
    pub(super) fn of(shown: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let path = shown.to_owned();
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
