//! The audit log in the database: each row is chained to the one before it by its hash, and the
//! last one's hash is kept in a file beside the database, so that rows missing at the end are
//! found too. Who can write both can write another history; keep a copy of the head elsewhere.

mod chain;
mod head;
mod query;
#[cfg(test)]
mod tests;
mod verify;

pub use head::AuditHead;
pub use query::{AuditQuery, AuditRecord};
pub use verify::{AuditBreak, AuditReport};

use crate::database::Database;
use crate::failure::{Cause, Failure};
use crate::journal::stored;
use crate::sql::Connection;
use chain::{BEGIN, Hash};
use futures_util::future::BoxFuture;
use head::HeadFile;
use hydroid_core::audit::AuditEvent;
use hydroid_core::ports::{Audit, Clock, StoreError};
use libsql::params;
use std::sync::Arc;

/// What is being done, for errors.
const DOING: &str = "append to the audit log";

/// The audit log of a database. Clones share it.
#[derive(Clone)]
pub struct AuditLog {
    database: Database,
    clock: Arc<dyn Clock>,
    /// None in memory.
    head: Option<HeadFile>,
}

impl AuditLog {
    /// The log of this database, with the time its records get.
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        let head = database.path().map(HeadFile::beside);
        Self { database, clock, head }
    }

    async fn append(self, json: String) -> Result<(), StoreError> {
        let at_ms = self.clock.now_ms();
        let head = self.head.clone();
        self.database
            .write(DOING, async move |connection| {
                append(connection, head.as_ref(), at_ms, &json).await
            })
            .await?;
        let Some(head) = self.head else { return Ok(()) };
        // A transaction again, for its lock: whoever is here last writes the last row's hash. One of
        // its own, so that the row is stored. A crash before leaves the file behind the table, which
        // is no alarm.
        self.database
            .write_alone("keep the head of the audit log", async move |connection| {
                if let Some(last) = last(connection).await? {
                    head.write(&last)?;
                }
                Ok(())
            })
            .await
    }
}

impl Audit for AuditLog {
    fn record(&self, event: AuditEvent) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let json =
                serde_json::to_string(&event).map_err(|error| Failure::from(error).doing(DOING))?;
            // A task of its own: a caller that goes away must not leave the head behind.
            tokio::spawn(self.clone().append(json))
                .await
                .map_err(|error| Failure::from(error).doing(DOING))?
        })
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog").field("database", &self.database).finish_non_exhaustive()
    }
}

async fn append(
    connection: &Connection,
    head: Option<&HeadFile>,
    at_ms: u64,
    json: &str,
) -> Result<(), Failure> {
    let last = last(connection).await?;
    let before = match head {
        None => last.unwrap_or(AuditHead::BEGIN),
        Some(file) => anchor(connection, file, last).await?,
    };
    let seq = before.seq.checked_add(1).ok_or(Cause::AuditFull)?;
    let hash = chain::hash(seq, at_ms, &before.hash, json);
    connection
        .execute(
            "INSERT INTO audit (seq, at_ms, json, prev, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![i64::try_from(seq)?, stored(at_ms), json, before.hash.to_vec(), hash.to_vec()],
        )
        .await?;
    Ok(())
}

/// What the next row is chained to. When table and head file do not fit together, it is chained
/// to what the file says, so that the place stays visible after the file has gone on.
async fn anchor(
    connection: &Connection,
    file: &HeadFile,
    last: Option<AuditHead>,
) -> Result<AuditHead, Failure> {
    let tail = last.unwrap_or(AuditHead::BEGIN);
    let head = match file.read()? {
        Some(head) => head,
        None if last.is_none() => {
            // From now on a file that is missing was removed.
            file.write(&AuditHead::BEGIN)?;
            return Ok(tail);
        }
        // Missing or nonsense beside a log: chained to nothing that ever was.
        None => return Ok(AuditHead { hash: BEGIN, ..tail }),
    };
    if head.seq >= tail.seq {
        return Ok(head);
    }
    let fits = match head.seq {
        0 => head.hash == BEGIN,
        seq => hash_of(connection, seq).await? == Some(head.hash),
    };
    Ok(if fits { tail } else { AuditHead { hash: head.hash, ..tail } })
}

async fn last(connection: &Connection) -> Result<Option<AuditHead>, Failure> {
    let sql = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    let mut rows = connection.query(sql, ()).await?;
    let Some(row) = rows.next().await? else { return Ok(None) };
    Ok(Some(AuditHead { seq: u64::try_from(row.get::<i64>(0)?)?, hash: as_hash(row.get(1)?)? }))
}

async fn hash_of(connection: &Connection, seq: u64) -> Result<Option<Hash>, Failure> {
    let mut rows =
        connection.query("SELECT hash FROM audit WHERE seq = ?1", [i64::try_from(seq)?]).await?;
    match rows.next().await? {
        None => Ok(None),
        Some(row) => Ok(Some(as_hash(row.get(0)?)?)),
    }
}

/// The table has a rule about the length.
fn as_hash(bytes: Vec<u8>) -> Result<Hash, Failure> {
    Ok(Hash::try_from(bytes).map_err(|_| Cause::AuditHash)?)
}
