//! What a person does with their memory as a whole: looking through it, taking it elsewhere and
//! back, and forgetting. Single notes are in `notes`.

use crate::chunking::cut_what_is_new;
use crate::database::Database;
use crate::failure::Failure;
use crate::files::forget_in_memory;
use crate::journal::stored;
use crate::notes::{note_id, row_of};
use crate::sql::{Connection, Row};
use hydroid_core::id::UserId;
use hydroid_core::ports::{
    EmbedderDescription, MOST_NOTES, Note, RecallError, Scope, Source, StoreError,
};
use libsql::params;
use std::collections::BTreeSet;

/// A note with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptNote {
    /// Identifier.
    pub id: String,
    /// Its text.
    pub text: String,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// Who finds it, as stored; empty for the person everywhere.
    pub scope: String,
    /// It is found before others.
    pub important: bool,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub updated_ms: u64,
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStatus {
    /// Notes.
    pub notes: u64,
    /// Messages that can be found.
    pub messages: u64,
    /// Files.
    pub files: u64,
    /// Chunks of all of them.
    pub chunks: u64,
    /// Chunks with a vector by the embedder asked about.
    pub embedded: u64,
    /// Chunks with a vector by another one.
    pub of_other_embedders: u64,
    /// Bytes of the whole file.
    pub bytes: u64,
}

/// What to prune.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// What is older, in milliseconds since 1970-01-01 UTC.
    pub before_ms: u64,
    /// Which; all if empty.
    pub sources: BTreeSet<Source>,
    /// Important notes, too.
    pub important: bool,
    /// Count only.
    pub only_count: bool,
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Notes.
    pub notes: u64,
    /// Messages, which are no longer found.
    pub messages: u64,
    /// Files.
    pub files: u64,
    /// Sessions with all that was said in them.
    pub sessions: u64,
}

const NOTE: &str = "SELECT id, text, created_ms, updated_ms, scope, important,
        (SELECT json_group_array(tag) FROM note_tags WHERE note_id = notes.id) FROM notes";

impl Database {
    /// Notes of a user, those changed last first, after so many others.
    pub async fn notes(
        &self,
        user: &UserId,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<KeptNote>, StoreError> {
        let user = user.clone();
        self.read_memory("list notes", async move |connection| {
            let sql = format!(
                "{NOTE} WHERE user_id = ?1 ORDER BY updated_ms DESC, id DESC LIMIT ?2 OFFSET ?3"
            );
            let mut rows = connection.query(&sql, params![user.as_str(), limit, skip]).await?;
            let mut notes = Vec::new();
            while let Some(row) = rows.next().await? {
                notes.push(kept(&row)?);
            }
            Ok(notes)
        })
        .await
    }

    /// One note.
    pub async fn note(&self, user: &UserId, id: &str) -> Result<KeptNote, RecallError> {
        let (user, row) = (user.clone(), row_of(id)?);
        let found = self.read_memory("read a note", async move |connection| {
            let sql = format!("{NOTE} WHERE user_id = ?1 AND id = ?2");
            let mut rows = connection.query(&sql, params![user.as_str(), row]).await?;
            rows.next().await?.map(|row| kept(&row)).transpose()
        });
        found.await?.ok_or_else(|| RecallError::NoNote(id.chars().take(64).collect()))
    }

    /// Brings a note back as it was, with its times. One that is there already, with the same
    /// text and scope, is left as it is; then this is false.
    pub async fn bring_back(
        &self,
        user: &UserId,
        note: Note,
        created_ms: u64,
        updated_ms: u64,
    ) -> Result<bool, RecallError> {
        let user = user.clone();
        self.write_memory("bring a note back", async move |connection| {
            bring_back(connection, &user, &note, created_ms, updated_ms).await
        })
        .await?
    }

    /// What a user has.
    pub async fn memory_status(
        &self,
        user: &UserId,
        embedder: Option<&EmbedderDescription>,
    ) -> Result<MemoryStatus, StoreError> {
        let user = user.clone();
        let identity = embedder.map(|embedder| embedder.identity.clone()).unwrap_or_default();
        self.read_memory("count what is kept", async move |connection| {
            let range = crate::chunking::range(connection, &user).await?;
            let sql = "SELECT (SELECT count(*) FROM notes WHERE user_id = ?1),
                (SELECT count(*) FROM messages JOIN sessions ON sessions.id = session_id WHERE user_id = ?1),
                (SELECT count(*) FROM files WHERE user_id = ?1),
                (SELECT count(*) FROM chunks WHERE id BETWEEN ?2 AND ?3),
                (SELECT count(*) FROM vectors JOIN embedders ON embedders.id = embedder_id
                     WHERE chunk_id BETWEEN ?2 AND ?3 AND identity = ?4),
                (SELECT count(*) FROM vectors JOIN embedders ON embedders.id = embedder_id
                     WHERE chunk_id BETWEEN ?2 AND ?3 AND identity <> ?4),
                (SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size())";
            let mut rows =
                connection.query(sql, params![user.as_str(), range.0, range.1, identity]).await?;
            let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
            let number = |at: i32| -> Result<u64, Failure> { Ok(u64::try_from(row.get::<i64>(at)?)?) };
            Ok(MemoryStatus {
                notes: number(0)?,
                messages: number(1)?,
                files: number(2)?,
                chunks: number(3)?,
                embedded: number(4)?,
                of_other_embedders: number(5)?,
                bytes: number(6)?,
            })
        })
        .await
    }

    /// Forgets what is old. What was said stays in its session and is only no longer found.
    pub async fn prune(&self, user: &UserId, what: Pruned) -> Result<Forgotten, StoreError> {
        let user = user.clone();
        self.write_memory("forget what is old", async move |connection| {
            prune(connection, &user, &what).await
        })
        .await
    }

    /// Forgets a person: notes, files, scratchpads, kept answers and, unless they are to stay,
    /// sessions with all that was said. Their secrets, approvals and the audit log are not memory.
    /// At a service it is deleted; only in the file it is also written over.
    pub async fn purge(&self, user: &UserId, sessions: bool) -> Result<Forgotten, StoreError> {
        let doing = "forget a person";
        let who = user.clone();
        let mut forgotten = self
            .write(doing, async move |connection| {
                // What is deleted is written over, not only let go of.
                connection.execute_batch("PRAGMA secure_delete = ON").await?;
                let sql = "DELETE FROM kept_answers WHERE user_id = ?1";
                connection.execute(sql, [who.as_str()]).await?;
                purge(connection, &who, sessions).await
            })
            .await?;
        self.vacuum().await?;
        if self.service().is_some() {
            let who = user.clone();
            let there = self
                .write_memory(doing, async move |connection| {
                    purge(connection, &who, sessions).await
                })
                .await?;
            forgotten.notes += there.notes;
            forgotten.messages += there.messages;
            forgotten.files += there.files;
            forgotten.sessions += there.sessions;
        }
        Ok(forgotten)
    }
}

fn kept(row: &Row) -> Result<KeptNote, Failure> {
    Ok(KeptNote {
        id: note_id(row.get(0)?),
        text: row.get(1)?,
        created_ms: u64::try_from(row.get::<i64>(2)?)?,
        updated_ms: u64::try_from(row.get::<i64>(3)?)?,
        scope: row.get(4)?,
        important: row.get(5)?,
        tags: serde_json::from_str(row.get_str(6)?)?,
    })
}

async fn bring_back(
    connection: &Connection,
    user: &UserId,
    note: &Note,
    created_ms: u64,
    updated_ms: u64,
) -> Result<Result<bool, RecallError>, Failure> {
    let scope = note.scope().map(Scope::stored).unwrap_or_default();
    let sql = "SELECT EXISTS (SELECT 1 FROM notes WHERE user_id = ?1 AND text = ?2 AND scope = ?3),
                      (SELECT count(*) FROM notes WHERE user_id = ?1)";
    let values = params![user.as_str(), note.text(), scope.as_str()];
    let mut rows = connection.query(sql, values).await?;
    let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
    let (known, count): (bool, i64) = (row.get(0)?, row.get(1)?);
    drop((row, rows));
    if known {
        return Ok(Ok(false));
    }
    if count >= MOST_NOTES.into() {
        return Ok(Err(RecallError::Full));
    }
    // Who wrote it is not known any more, so nobody vouches for it.
    let sql = "INSERT INTO notes (user_id, text, created_ms, updated_ms, scope, important, own)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0) RETURNING id";
    let values = params![
        user.as_str(),
        note.text(),
        stored(created_ms),
        stored(updated_ms.max(created_ms)),
        scope,
        note.important().unwrap_or(false)
    ];
    let mut rows = connection.query(sql, values).await?;
    let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
    let id: i64 = row.get(0)?;
    drop((row, rows));
    for tag in note.tags() {
        let sql = "INSERT INTO note_tags (note_id, tag) VALUES (?1, ?2)";
        connection.execute(sql, params![id, tag.as_str()]).await?;
    }
    cut_what_is_new(connection).await?;
    Ok(Ok(true))
}

const OLD_NOTES: &str =
    "FROM notes WHERE user_id = ?1 AND updated_ms < ?2 AND (?3 OR NOT important)";
const OLD_MESSAGES: &str = "FROM messages WHERE at_ms < ?2 AND ?3 IS NOT NULL
    AND session_id IN (SELECT id FROM sessions WHERE user_id = ?1)";
const OLD_FILES: &str = "FROM files WHERE user_id = ?1 AND taken_ms < ?2 AND ?3 IS NOT NULL";

async fn prune(
    connection: &Connection,
    user: &UserId,
    what: &Pruned,
) -> Result<Forgotten, Failure> {
    let mut forgotten = Forgotten::default();
    let places = [
        (Source::Note, OLD_NOTES, &mut forgotten.notes),
        (Source::Message, OLD_MESSAGES, &mut forgotten.messages),
        (Source::File, OLD_FILES, &mut forgotten.files),
    ];
    for (source, old, count) in places {
        if !what.sources.is_empty() && !what.sources.contains(&source) {
            continue;
        }
        let values = params![user.as_str(), stored(what.before_ms), what.important];
        *count = if what.only_count {
            let mut rows = connection.query(&format!("SELECT count(*) {old}"), values).await?;
            let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
            u64::try_from(row.get::<i64>(0)?)?
        } else {
            connection.execute(&format!("DELETE {old}"), values).await?
        };
    }
    if !what.only_count {
        forget_in_memory(connection, user).await?;
    }
    Ok(forgotten)
}

async fn purge(
    connection: &Connection,
    user: &UserId,
    sessions: bool,
) -> Result<Forgotten, Failure> {
    let user = user.as_str();
    let mut forgotten = Forgotten {
        notes: connection.execute("DELETE FROM notes WHERE user_id = ?1", [user]).await?,
        files: connection.execute("DELETE FROM files WHERE user_id = ?1", [user]).await?,
        ..Forgotten::default()
    };
    let sql =
        "DELETE FROM messages WHERE session_id IN (SELECT id FROM sessions WHERE user_id = ?1)";
    forgotten.messages = connection.execute(sql, [user]).await?;
    connection.execute("DELETE FROM scratchpads WHERE user_id = ?1", [user]).await?;
    if sessions {
        let sql =
            "DELETE FROM entries WHERE session_id IN (SELECT id FROM sessions WHERE user_id = ?1)";
        connection.execute(sql, [user]).await?;
        forgotten.sessions =
            connection.execute("DELETE FROM sessions WHERE user_id = ?1", [user]).await?;
    }
    let sql = "INSERT INTO chunk_index (chunk_index) VALUES ('optimize')";
    connection.execute(sql, ()).await?;
    forget_in_memory(connection, &UserId::new(user)).await?;
    Ok(forgotten)
}

#[cfg(test)]
mod tests;
