//! Giving chunks their vectors: those that have none, and all of them again after a change of the
//! embedder. Searching goes on meanwhile; what it does without vectors is in `search`.

use crate::chunking::range;
use crate::database::Database;
use crate::failure::{Cause, Failure};
use crate::sql::Connection;
use crate::vectors::Quantised;
use hydroid_core::id::UserId;
use hydroid_core::ports::{EmbedError, EmbedPurpose, Embedder, EmbedderDescription, StoreError};
use libsql::params;

/// Chunks that are embedded and stored at once: a transaction of milliseconds, and little work
/// lost when it ends in the middle.
const BATCH: i64 = 64;

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Chunks that have a vector by the embedder in force.
    pub done: u64,
    /// Chunks there are.
    pub total: u64,
}

/// Why chunks could not be given vectors.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmbeddingError {
    #[error("the embedder could not do it: {0}")]
    Embedder(#[from] EmbedError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Database {
    /// The row of an embedder, made if it is new.
    pub(crate) async fn embedder_row(
        &self,
        described: &EmbedderDescription,
    ) -> Result<i64, StoreError> {
        let identity = described.identity.clone();
        let known = self
            .read_memory("look up an embedder", async move |connection| {
                let sql = "SELECT id FROM embedders WHERE identity = ?1";
                let mut rows = connection.query(sql, [identity]).await?;
                Ok(rows.next().await?.map(|row| row.get::<i64>(0)).transpose()?)
            })
            .await?;
        if let Some(row) = known {
            return Ok(row);
        }
        let described = described.clone();
        self.write_memory("note an embedder", async move |connection| {
            // Another process may have been faster.
            let sql = "INSERT INTO embedders (identity, model, dimensions) VALUES (?1, ?2, ?3)
                       ON CONFLICT (identity) DO UPDATE SET model = excluded.model RETURNING id";
            let values = params![described.identity, described.model, described.dimensions];
            let mut rows = connection.query(sql, values).await?;
            let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
            Ok(row.get(0)?)
        })
        .await
    }

    /// Gives vectors to the next chunks after one that have none, and returns the last of them;
    /// none when all have.
    pub(crate) async fn embed_next(
        &self,
        user: &UserId,
        embedder: &dyn Embedder,
        row: i64,
        after: i64,
    ) -> Result<Option<i64>, EmbeddingError> {
        let waiting = {
            let user = user.clone();
            self.read_memory("look for what has no vector", async move |connection| {
                without_vector(connection, &user, row, after).await
            })
            .await?
        };
        let Some(last) = waiting.last().map(|(chunk, _)| *chunk) else { return Ok(None) };
        let (chunks, texts): (Vec<i64>, Vec<String>) = waiting.into_iter().unzip();
        let vectors = embedder.embed(user, texts, EmbedPurpose::Document, None).await?;
        let doing = "store vectors";
        let lengths = vectors.first().map_or(0, Vec::len);
        if vectors.len() != chunks.len() || vectors.iter().any(|vector| vector.len() != lengths) {
            let cause = Cause::Vectors { asked: chunks.len(), got: vectors.len() };
            return Err(Failure::from(cause).doing(doing).into());
        }
        let rows: Vec<(i64, Quantised)> = chunks
            .into_iter()
            .zip(vectors)
            .map(|(chunk, vector)| (chunk, Quantised::of(&vector)))
            .collect();
        self.write_memory(doing, async move |connection| store(connection, row, &rows).await)
            .await?;
        Ok(Some(last))
    }

    /// The last chunk of a user; 0 if there is none.
    pub(crate) async fn newest_chunk(&self, user: &UserId) -> Result<i64, StoreError> {
        let user = user.clone();
        self.read_memory("look for the last chunk", async move |connection| {
            let range = range(connection, &user).await?;
            let sql = "SELECT coalesce(max(id), 0) FROM chunks WHERE id BETWEEN ?1 AND ?2";
            let mut rows = connection.query(sql, [range.0, range.1]).await?;
            let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
            Ok(row.get(0)?)
        })
        .await
    }

    /// Forgets vectors of embedders that nothing is compared with any more.
    pub(crate) async fn forget_other_embedders(&self, keep: i64) -> Result<(), StoreError> {
        self.write_memory("forget other embedders", async move |connection| {
            let sql = "DELETE FROM embedders WHERE id <> ?1
                       AND NOT EXISTS (SELECT 1 FROM vectors WHERE embedder_id = embedders.id)";
            connection.execute(sql, [keep]).await?;
            Ok(())
        })
        .await
    }

    /// How many chunks a user has, and how many with a vector by an embedder.
    pub(crate) async fn progress(
        &self,
        user: &UserId,
        embedder: i64,
    ) -> Result<Progress, StoreError> {
        let user = user.clone();
        self.read_memory("count vectors", async move |connection| {
            let range = range(connection, &user).await?;
            let sql = "SELECT (SELECT count(*) FROM vectors WHERE embedder_id = ?1
                                   AND chunk_id BETWEEN ?2 AND ?3),
                              (SELECT count(*) FROM chunks WHERE id BETWEEN ?2 AND ?3)";
            let mut rows = connection.query(sql, [embedder, range.0, range.1]).await?;
            let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
            let (done, total) = (row.get::<i64>(0)?, row.get::<i64>(1)?);
            Ok(Progress { done: u64::try_from(done)?, total: u64::try_from(total)? })
        })
        .await
    }
}

async fn without_vector(
    connection: &Connection,
    user: &UserId,
    embedder: i64,
    after: i64,
) -> Result<Vec<(i64, String)>, Failure> {
    let range = range(connection, user).await?;
    let sql = "SELECT id, text FROM chunks WHERE id > ?1 AND id BETWEEN ?2 AND ?3 AND NOT EXISTS (
                   SELECT 1 FROM vectors WHERE chunk_id = chunks.id AND embedder_id = ?4)
               ORDER BY id LIMIT ?5";
    let mut rows = connection.query(sql, [after, range.0, range.1, embedder, BATCH]).await?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().await? {
        found.push((row.get(0)?, row.get(1)?));
    }
    Ok(found)
}

/// A chunk that went away meanwhile gets none.
async fn store(
    connection: &Connection,
    embedder: i64,
    rows: &[(i64, Quantised)],
) -> Result<(), Failure> {
    let sql = "INSERT OR REPLACE INTO vectors
                   (chunk_id, embedder_id, thread, position, at_ms, source, scale, vector)
               SELECT id, ?2, thread, position, at_ms, source, ?3, ?4 FROM chunks WHERE id = ?1";
    let rows = rows
        .iter()
        .map(|(chunk, vector)| params![*chunk, embedder, f64::from(vector.scale), vector.bytes()]);
    connection.execute_each(sql, rows).await?;
    Ok(())
}
