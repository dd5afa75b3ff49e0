//! How common words are in what a user has, counted in a sample that stays in memory.

use crate::chunking::CHUNK_BITS;
use crate::failure::Failure;
use crate::sql::Connection;
use hydroid_core::retrieval::relevance::Frequencies;
use libsql::params;
use std::sync::Arc;

/// Chunks of a sample: words that are rarer than this shows tell enough all the same.
const SAMPLE: i64 = 1_000;

/// A sample of one user's chunks.
#[derive(Debug, Default)]
pub(crate) struct Sampled {
    /// Chunks there were when it was taken.
    chunks: i64,
    counted: Arc<Frequencies>,
}

impl Sampled {
    /// The frequencies, taken anew once there is a tenth more or less than there was.
    pub(crate) async fn refresh(
        &mut self,
        connection: &Connection,
        range: (i64, i64),
    ) -> Result<Arc<Frequencies>, Failure> {
        let sql = "SELECT chunks FROM user_numbers WHERE number = ?1";
        let mut rows = connection.query(sql, [range.0 >> CHUNK_BITS]).await?;
        let chunks: i64 = rows.next().await?.map(|row| row.get(0)).transpose()?.unwrap_or(0);
        drop(rows);
        if (chunks - self.chunks).abs() * 10 >= self.chunks.max(1) {
            let texts = sample(connection, range, chunks).await?;
            self.counted = Arc::new(Frequencies::of(texts.iter().map(String::as_str)));
            self.chunks = chunks;
        }
        Ok(Arc::clone(&self.counted))
    }
}

/// Texts at even distances, or all of a few.
async fn sample(
    connection: &Connection,
    range: (i64, i64),
    chunks: i64,
) -> Result<Vec<String>, Failure> {
    let mut rows = if chunks <= SAMPLE {
        let sql = "SELECT text FROM chunks WHERE id BETWEEN ?1 AND ?2";
        connection.query(sql, [range.0, range.1]).await?
    } else {
        let sql = "WITH RECURSIVE
             ends(first, last) AS (
                 SELECT min(id), max(id) FROM chunks WHERE id BETWEEN ?1 AND ?2),
             place(id, last, step) AS (
                 SELECT first, last, max(1, (last - first) / ?3) FROM ends
                 UNION ALL SELECT id + step, last, step FROM place WHERE id + step <= last)
             SELECT (SELECT text FROM chunks WHERE chunks.id >= place.id AND chunks.id <= ?2
                     ORDER BY chunks.id LIMIT 1)
             FROM place";
        connection.query(sql, params![range.0, range.1, SAMPLE]).await?
    };
    let mut texts = Vec::new();
    while let Some(row) = rows.next().await? {
        if let Some(text) = row.get::<Option<String>>(0)? {
            texts.push(text);
        }
    }
    Ok(texts)
}
