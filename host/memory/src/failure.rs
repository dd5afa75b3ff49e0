//! Why the database refused, as a sentence with what to do next. It wraps libsql's codes and
//! hides no detail: the database's own words follow.

use crate::sql::SqlError;
use crate::stream::Refusal;
use hydroid_core::ports::StoreError;
use std::path::PathBuf;

// Primary result codes of SQLite, https://sqlite.org/rescode.html; the upper bits say more.
const BUSY: i32 = 5;
const READ_ONLY: i32 = 8;
const INPUT_OUTPUT: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const NOT_A_DATABASE: i32 = 26;

/// Why work on the database stopped: a rule of ours, or the database itself.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Already a sentence for the caller.
    Store(StoreError),
    /// To be put into one.
    Cause(Cause),
}

/// The cause inside a [`StoreError::Database`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error("the file system refused `{}`: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{hint}: {source}")]
    Sql { hint: &'static str, source: libsql::Error },
    #[error(transparent)]
    Service(Refusal),
    #[error("the database answered with something else than was asked for; run `hydroid doctor`")]
    Unexpected,
    #[error(
        "the database at `{address}` belongs to another program; set `memory.url` to another one"
    )]
    ForeignService { address: String },
    #[error(
        "the memory at `{address}` was written by a newer Hydroid: it has schema version {found} and this one knows {known}; update Hydroid, or set `memory.url` to another one"
    )]
    NewerService { address: String, found: usize, known: usize },
    #[error("`{}` belongs to another program; choose another file for the database", path.display())]
    Foreign { path: PathBuf },
    #[error(
        "`{}` was written by a newer Hydroid: it has schema version {found} and this one knows {known}; update Hydroid, or choose another file",
        path.display()
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("no user `{0}`; add the user first")]
    NoUser(String),
    #[error("an entry could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the work was stopped: {0}; the process is shutting down or the host has a defect")]
    Stopped(#[from] tokio::task::JoinError),
    #[error(
        "the work ended without a result; the process is shutting down or the host has a defect"
    )]
    Left,
    #[error(
        "it was not stored, since what was written with it failed and took it along; try again"
    )]
    Unstored,
    #[error("a hash of the audit log is damaged; `hydroid audit verify` says more")]
    AuditHash,
    #[error(
        "the audit log has no number left for another record; the file `audit.head` was tampered with"
    )]
    AuditFull,
    #[error("an identifier of a key in the file is damaged; restore a copy of the file")]
    KeyId,
    #[error(
        "an embedder gave {got} vectors for {asked} texts, or vectors of other lengths; choose another embedder"
    )]
    Vectors { asked: usize, got: usize },
    #[error("a number in the file is out of range; run `hydroid doctor`")]
    OutOfRange(#[from] std::num::TryFromIntError),
}

impl Failure {
    /// The error of the port, naming what was being done.
    pub(crate) fn doing(self, doing: &'static str) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Cause(cause) => StoreError::Database { doing, source: Box::new(cause) },
        }
    }
}

impl<E: Into<Cause>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Cause(error.into())
    }
}

impl From<libsql::Error> for Cause {
    fn from(source: libsql::Error) -> Self {
        let hint = match primary_code(&source) {
            BUSY => "another process holds the database; try again when it has finished",
            READ_ONLY => {
                "the database cannot be written; check the permissions of the file and its directory"
            }
            INPUT_OUTPUT => "the disk reported an error; check the disk and its free space",
            CORRUPT => "the file is damaged; run `hydroid doctor` and restore a copy",
            FULL => "there is no space left; free some and try again",
            CANNOT_OPEN => {
                "the file cannot be opened; check the permissions of the file and its directory"
            }
            NOT_A_DATABASE => "the file is no database; choose another file",
            _ => "the database answered",
        };
        Self::Sql { hint, source }
    }
}

impl From<SqlError> for Cause {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::File(error) => error.into(),
            SqlError::Service(refusal) => Self::Service(refusal),
            SqlError::Unexpected => Self::Unexpected,
        }
    }
}

impl From<Refusal> for Cause {
    fn from(refusal: Refusal) -> Self {
        Self::Service(refusal)
    }
}

/// The same error for another who was waiting for the same.
pub(crate) fn again(error: &libsql::Error) -> libsql::Error {
    match error {
        libsql::Error::SqliteFailure(code, text) => {
            libsql::Error::SqliteFailure(*code, text.clone())
        }
        other => libsql::Error::SqliteFailure(0, other.to_string()),
    }
}

/// True if another connection had the file.
pub(crate) fn is_busy(error: &libsql::Error) -> bool {
    primary_code(error) == BUSY
}

fn primary_code(error: &libsql::Error) -> i32 {
    match error {
        libsql::Error::SqliteFailure(code, _) => code & 0xff,
        // Errors of libsql itself have no code.
        _ => 0,
    }
}
