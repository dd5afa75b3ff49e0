//! Verifying the log: every hash is computed again, every record must follow the one before it,
//! and the last one must be the one the head file names.

use super::chain::{self, Hash};
use super::{AuditHead, AuditLog, as_hash};
use crate::failure::Failure;
use crate::sql::Connection;
use hydroid_core::ports::StoreError;
use std::fmt;

/// Places that are named; a log that is broken in more was replaced.
const MOST_BREAKS: usize = 100;

/// What verifying found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// Records that are there.
    pub records: u64,
    /// The last one.
    pub last: Option<AuditHead>,
    /// What is wrong, in order; at most a hundred places.
    pub breaks: Vec<AuditBreak>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditBreak {
    /// Records between two others are not there.
    Missing {
        /// The first one.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// Records at the end are not there: the head file knows them.
    MissingAtEnd {
        /// The first one.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// What a record says is not what was recorded.
    Changed(u64),
    /// A record that fits its own hash does not follow the one before it: one of the two was
    /// replaced, put in or moved.
    Unchained(u64),
    /// The last record the head file names is another one.
    Replaced(u64),
    /// The head file was removed, or is none.
    NoHead,
    /// The table itself was removed, with every record in it.
    NoTable,
}

impl AuditLog {
    /// Reads the whole log and says what is wrong with it.
    pub async fn verify(&self) -> Result<AuditReport, StoreError> {
        let head = self.head.clone();
        self.database
            .read("verify the audit log", async move |connection| {
                // Before the table, so that a record of another process is not taken for removed.
                let head = match &head {
                    None => Kept::Nowhere,
                    Some(file) => file.read()?.map_or(Kept::Lost, Kept::Head),
                };
                verify(connection, head).await
            })
            .await
    }
}

/// The head outside the table.
#[derive(Clone, Copy)]
enum Kept {
    /// A database in memory has none.
    Nowhere,
    /// It is not where it should be.
    Lost,
    Head(AuditHead),
}

async fn verify(connection: &Connection, kept: Kept) -> Result<AuditReport, Failure> {
    let mut report = AuditReport { records: 0, last: None, breaks: Vec::new() };
    let head = match kept {
        Kept::Head(head) => Some(head),
        Kept::Nowhere | Kept::Lost => None,
    };
    let mut at_head = head.filter(|head| head.seq == 0).map(|head| head.hash);
    let mut before = AuditHead::BEGIN;
    if !has_table(connection).await? {
        report.found(AuditBreak::NoTable);
        return Ok(report);
    }
    let sql = "SELECT seq, at_ms, json, prev, hash FROM audit ORDER BY seq";
    let mut rows = connection.query(sql, ()).await?;
    while let Some(row) = rows.next().await? {
        let (seq, at_ms) = (u64::try_from(row.get::<i64>(0)?)?, row.get::<i64>(1)?);
        let (json, prev): (String, Hash) = (row.get(2)?, as_hash(row.get(3)?)?);
        let hash = as_hash(row.get(4)?)?;
        if seq > before.seq + 1 {
            report.found(AuditBreak::Missing { from: before.seq + 1, to: seq - 1 });
        } else if prev != before.hash {
            report.found(AuditBreak::Unchained(seq));
        }
        // A time before 1970 is no time that was recorded.
        let computed = u64::try_from(at_ms).map(|at_ms| chain::hash(seq, at_ms, &prev, &json));
        if computed != Ok(hash) {
            report.found(AuditBreak::Changed(seq));
        }
        if head.is_some_and(|head| head.seq == seq) {
            at_head = Some(hash);
        }
        before = AuditHead { seq, hash };
        report.records += 1;
    }
    report.last = (report.records > 0).then_some(before);
    match head {
        Some(head) if head.seq > before.seq => {
            report.found(AuditBreak::MissingAtEnd { from: before.seq + 1, to: head.seq });
        }
        Some(head) if at_head.is_some_and(|hash| hash != head.hash) => {
            report.found(AuditBreak::Replaced(head.seq));
        }
        // A record that is missing in the middle was found above.
        Some(_) => {}
        None if report.records > 0 && matches!(kept, Kept::Lost) => {
            report.found(AuditBreak::NoHead);
        }
        None => {}
    }
    Ok(report)
}

async fn has_table(connection: &Connection) -> Result<bool, Failure> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'audit'";
    Ok(connection.query(sql, ()).await?.next().await?.is_some())
}

impl AuditReport {
    fn found(&mut self, found: AuditBreak) {
        if self.breaks.len() < MOST_BREAKS {
            self.breaks.push(found);
        }
    }
}

impl fmt::Display for AuditBreak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { from, to } if from == to => write!(f, "record {from} was removed"),
            Self::Missing { from, to } => write!(f, "records {from} to {to} were removed"),
            Self::MissingAtEnd { from, to } => write!(
                f,
                "records {from} to {to} at the end were removed, or were lost in a power cut"
            ),
            Self::Changed(seq) => write!(f, "record {seq} was changed"),
            Self::Unchained(seq) => write!(
                f,
                "record {seq} does not follow the one before it: one of them was replaced, put in or moved"
            ),
            Self::Replaced(seq) => {
                write!(f, "record {seq} is not the one that was recorded under this number")
            }
            Self::NoTable => f.write_str("the whole log was removed: its table is not there"),
            Self::NoHead => {
                f.write_str("the file `audit.head` beside the database was removed or overwritten")
            }
        }
    }
}
