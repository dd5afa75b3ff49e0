//! Cutting what was written into chunks, inside the transaction that wrote it, so that the index
//! never lags behind. Where to cut is decided in [`hydroid_core::chunk`].

use crate::failure::{Cause, Failure};
use crate::sql::Connection;
use hydroid_core::chunk::chunks;
use hydroid_core::id::UserId;
use libsql::params;

/// Bits of a chunk's identifier below those of its user's number.
pub(crate) const CHUNK_BITS: u32 = 40;

/// Chunks that stand together: those of a note, of a message or of a file.
pub(crate) struct Owner<'a> {
    pub(crate) user: &'a str,
    pub(crate) source: &'static str,
    pub(crate) row: i64,
    /// What they stand in, one after another; see [`thread`].
    pub(crate) thread: i64,
    pub(crate) at_ms: i64,
    pub(crate) scope: &'a str,
}

/// The thread of a note, of a session by its first message, or of a file.
pub(crate) fn thread(source: &str, row: i64) -> i64 {
    let kind = match source {
        "note" => 0,
        "message" => 1,
        _ => 2,
    };
    row.saturating_mul(4).saturating_add(kind)
}

/// The identifiers that chunks of a user can have, both ends included; none for nobody.
pub(crate) async fn range(connection: &Connection, user: &UserId) -> Result<(i64, i64), Failure> {
    let number = number(connection, user.as_str()).await?;
    Ok((number << CHUNK_BITS, ((number + 1) << CHUNK_BITS) - 1))
}

async fn number(connection: &Connection, user: &str) -> Result<i64, Failure> {
    let sql = "SELECT number FROM user_numbers WHERE user_id = ?1";
    let mut rows = connection.query(sql, [user]).await?;
    match rows.next().await? {
        Some(row) => Ok(row.get(0)?),
        None => Err(Cause::NoUser(user.to_owned()).into()),
    }
}

/// Cuts everything that was written and is not cut yet.
pub(crate) async fn cut_what_is_new(connection: &Connection) -> Result<u64, Failure> {
    let mut cut = 0;
    loop {
        let mut waiting: Vec<(String, i64)> = Vec::new();
        let mut rows =
            connection.query("SELECT source, owner FROM unchunked LIMIT 500", ()).await?;
        while let Some(row) = rows.next().await? {
            waiting.push((row.get(0)?, row.get(1)?));
        }
        drop(rows);
        if waiting.is_empty() {
            return Ok(cut);
        }
        for (source, owner) in waiting {
            cut += match source.as_str() {
                "note" => cut_note(connection, owner).await?,
                _ => cut_message(connection, owner).await?,
            };
            let sql = "DELETE FROM unchunked WHERE source = ?1 AND owner = ?2";
            connection.execute(sql, params![source, owner]).await?;
        }
    }
}

async fn cut_note(connection: &Connection, row: i64) -> Result<u64, Failure> {
    let sql = "SELECT user_id, text, created_ms, scope FROM notes WHERE id = ?1";
    let mut rows = connection.query(sql, [row]).await?;
    let Some(found) = rows.next().await? else { return Ok(0) };
    let (user, text, scope): (String, String, String) =
        (found.get(0)?, found.get(1)?, found.get(3)?);
    let at_ms = found.get(2)?;
    drop((found, rows));
    let thread = thread("note", row);
    let owner = Owner { user: &user, source: "note", row, thread, at_ms, scope: &scope };
    replace(connection, &owner, &text).await
}

async fn cut_message(connection: &Connection, row: i64) -> Result<u64, Failure> {
    let sql = "SELECT user_id, text, at_ms,
                      (SELECT min(id) FROM messages AS first WHERE first.session_id = messages.session_id)
               FROM messages JOIN sessions ON sessions.id = session_id WHERE messages.id = ?1";
    let mut rows = connection.query(sql, [row]).await?;
    let Some(found) = rows.next().await? else { return Ok(0) };
    let (user, text): (String, String) = (found.get(0)?, found.get(1)?);
    let (at_ms, first) = (found.get(2)?, found.get::<i64>(3)?);
    drop((found, rows));
    let thread = thread("message", first);
    let owner = Owner { user: &user, source: "message", row, thread, at_ms, scope: "" };
    replace(connection, &owner, &text).await
}

/// Puts the chunks of a text in the place of those its owner had.
pub(crate) async fn replace(
    connection: &Connection,
    owner: &Owner<'_>,
    text: &str,
) -> Result<u64, Failure> {
    let sql = "DELETE FROM chunks WHERE source = ?1 AND owner = ?2";
    connection.execute(sql, params![owner.source, owner.row]).await?;
    let ranges = chunks(text);
    let count = u64::try_from(ranges.len())?;
    if ranges.is_empty() {
        return Ok(0);
    }
    let sql = "UPDATE user_numbers SET next_chunk = next_chunk + ?2 WHERE user_id = ?1
               RETURNING number, next_chunk - ?2";
    let mut rows = connection.query(sql, params![owner.user, i64::try_from(count)?]).await?;
    let Some(row) = rows.next().await? else {
        return Err(Cause::NoUser(owner.user.to_owned()).into());
    };
    let first = (row.get::<i64>(0)? << CHUNK_BITS) + row.get::<i64>(1)?;
    drop((row, rows));
    let mut rows = connection
        .query(
            "SELECT coalesce(max(position) + 1, 0) FROM chunks WHERE thread = ?1",
            [owner.thread],
        )
        .await?;
    let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
    let begin: i64 = row.get(0)?;
    drop((row, rows));
    let sql = "INSERT INTO chunks (id, source, owner, thread, position, at_ms, scope, text)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let rows = (0_i64..).zip(ranges).map(|(at, range)| {
        // The database's texts end at a NUL; here it is only about finding them.
        let text = text.get(range).unwrap_or_default().replace('\0', " ");
        let Owner { source, row, thread, at_ms, scope, .. } = *owner;
        params![first + at, source, row, thread, begin + at, at_ms, scope, text]
    });
    connection.execute_each(sql, rows).await?;
    Ok(count)
}
