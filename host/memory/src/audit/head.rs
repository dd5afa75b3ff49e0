//! The head of the log in a file beside the database: number and hash of the last record. It is
//! replaced as a whole, so a crash leaves the old or the new one.

use super::chain::{self, Hash};
use crate::failure::{Cause, Failure};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Its name, beside the database.
const NAME: &str = "audit.head";

/// A file with more is not ours.
const LONGEST: u64 = 1024;

/// The last record of an audit log. Written somewhere else, it shows later that nothing up to it
/// was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

#[derive(Clone, Debug)]
pub(super) struct HeadFile(PathBuf);

impl AuditHead {
    /// Before the first record.
    pub(super) const BEGIN: Self = Self { seq: 0, hash: chain::BEGIN };
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, chain::hex(&self.hash))
    }
}

impl std::str::FromStr for AuditHead {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (seq, hash) = text.trim().split_once([' ', ':']).ok_or(())?;
        Ok(Self {
            seq: seq.parse().map_err(|_| ())?,
            hash: chain::from_hex(hash.trim()).ok_or(())?,
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this crate has the authority over the database and what lies beside it"
)]
impl HeadFile {
    pub(super) fn beside(database: &Path) -> Self {
        Self(database.with_file_name(NAME))
    }

    /// None if there is none, or if it is not a head.
    pub(super) fn read(&self) -> Result<Option<AuditHead>, Failure> {
        use std::io::Read;
        let mut text = String::new();
        let read = std::fs::File::open(&self.0)
            .and_then(|file| file.take(LONGEST).read_to_string(&mut text));
        match read {
            Ok(_) => Ok(text.parse().ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
            Err(source) => Err(self.refused(source)),
        }
    }

    /// Whoever calls this holds the database's write lock, so one name beside it is enough.
    pub(super) fn write(&self, head: &AuditHead) -> Result<(), Failure> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let partial = self.0.with_extension("head.partial");
        let write = || {
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&partial)?;
            writeln!(file, "{head}")?;
            std::fs::rename(&partial, &self.0)
        };
        write().map_err(|source| self.refused(source))
    }

    fn refused(&self, source: io::Error) -> Failure {
        Cause::File { path: self.0.clone(), source }.into()
    }
}
