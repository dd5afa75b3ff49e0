//! The notes of each user in the database: kept, changed and forgotten. Finding them again is
//! in `search`.

use crate::chunking::cut_what_is_new;
use crate::database::Database;
use crate::failure::{Cause, Failure};
use crate::journal::stored;
use crate::search::Search;
use crate::sql::Connection;
use futures_util::future::BoxFuture;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::ports::{Hit, MOST_NOTES, Note, Question, Recall, RecallError, Scope};
use hydroid_core::retrieval::fusion::Tuning;
use libsql::params;

/// What identifiers of notes begin with, so that a model tells them from others.
const NOTE_PREFIX: &str = "note-";

impl Recall for Database {
    fn save<'a>(
        &'a self,
        user: &'a UserId,
        note: Note,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<String, RecallError>> {
        let user = user.clone();
        Box::pin(async move {
            // The outer result is the database's, the inner one the limit on notes.
            self.write_memory("save a note", async move |connection| {
                save(connection, &user, &note, now_ms).await
            })
            .await?
        })
    }

    fn update<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
        note: Note,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<(), RecallError>> {
        Box::pin(async move {
            let (user, row) = (user.clone(), row_of(id)?);
            let updated = self.write_memory("change a note", async move |connection| {
                update(connection, &user, row, &note, now_ms).await
            });
            found(updated.await?, id)
        })
    }

    fn delete<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<(), RecallError>> {
        Box::pin(async move {
            let (user, row) = (user.clone(), row_of(id)?);
            let deleted = self.write_memory("forget a note", async move |connection| {
                let sql = "DELETE FROM notes WHERE id = ?1 AND user_id = ?2";
                Ok(connection.execute(sql, params![row, user.as_str()]).await?)
            });
            found(deleted.await?, id)
        })
    }

    fn search<'a>(
        &'a self,
        user: &'a UserId,
        question: Question,
    ) -> BoxFuture<'a, Result<Vec<Hit>, RecallError>> {
        Box::pin(self.find(user, Search::of(question, Tuning::default())))
    }

    fn scratchpad<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<String, RecallError>> {
        Box::pin(self.read_scratchpad(user, session))
    }

    fn write_scratchpad<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        text: String,
    ) -> BoxFuture<'a, Result<(), RecallError>> {
        Box::pin(self.replace_scratchpad(user, session, text))
    }
}

/// The identifier of a note by its row.
pub(crate) fn note_id(row: i64) -> String {
    format!("{NOTE_PREFIX}{row}")
}

pub(crate) fn row_of(id: &str) -> Result<i64, RecallError> {
    let row = id.strip_prefix(NOTE_PREFIX).and_then(|row| row.parse().ok());
    row.ok_or_else(|| RecallError::NotANote(shown(id)))
}

fn found(rows: u64, id: &str) -> Result<(), RecallError> {
    if rows == 0 { Err(RecallError::NoNote(shown(id))) } else { Ok(()) }
}

fn shown(id: &str) -> String {
    id.chars().filter(|letter| !letter.is_control()).take(64).collect()
}

async fn save(
    connection: &Connection,
    user: &UserId,
    note: &Note,
    now_ms: u64,
) -> Result<Result<String, RecallError>, Failure> {
    let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1),
                      (SELECT count(*) FROM notes WHERE user_id = ?1)";
    let mut rows = connection.query(sql, [user.as_str()]).await?;
    let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
    if !row.get::<bool>(0)? {
        return Err(Cause::NoUser(user.to_string()).into());
    }
    if row.get::<i64>(1)? >= MOST_NOTES.into() {
        return Ok(Err(RecallError::Full));
    }
    drop((row, rows));
    // Not `last_insert_rowid`: the triggers of the index insert rows too.
    let sql = "INSERT INTO notes (user_id, text, created_ms, updated_ms, scope, important, own, session_id)
               VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7) RETURNING id";
    let values = params![
        user.as_str(),
        note.text(),
        stored(now_ms),
        note.scope().map(Scope::stored).unwrap_or_default(),
        note.important().unwrap_or(false),
        note.session().is_none(),
        note.session().map(SessionId::as_str)
    ];
    let mut rows = connection.query(sql, values).await?;
    let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
    let id: i64 = row.get(0)?;
    drop((row, rows));
    tag(connection, id, note).await?;
    mark(connection, user, id, note, now_ms).await?;
    cut_what_is_new(connection).await?;
    Ok(Ok(note_id(id)))
}

/// Rows changed: one, or none if it is not a note of this user.
async fn update(
    connection: &Connection,
    user: &UserId,
    id: i64,
    note: &Note,
    now_ms: u64,
) -> Result<u64, Failure> {
    let sql = "UPDATE notes SET text = ?3, updated_ms = max(updated_ms, ?4),
                   scope = coalesce(?5, scope), important = coalesce(?6, important), own = ?7, session_id = ?8
               WHERE id = ?1 AND user_id = ?2";
    let values = params![
        id,
        user.as_str(),
        note.text(),
        stored(now_ms),
        note.scope().map(Scope::stored),
        note.important(),
        note.session().is_none(),
        note.session().map(SessionId::as_str)
    ];
    let changed = connection.execute(sql, values).await?;
    if changed > 0 {
        connection.execute("DELETE FROM note_tags WHERE note_id = ?1", [id]).await?;
        tag(connection, id, note).await?;
        mark(connection, user, id, note, now_ms).await?;
        cut_what_is_new(connection).await?;
    }
    Ok(changed)
}

/// What is written in a session that has read something secret may hold it.
async fn mark(
    connection: &Connection,
    user: &UserId,
    id: i64,
    note: &Note,
    now_ms: u64,
) -> Result<(), Failure> {
    let Some(session) = note.session() else { return Ok(()) };
    let sql = "INSERT OR IGNORE INTO secret_places (user_id, kind, place, marked_ms)
               SELECT user_id, 'note', ?3, ?4 FROM secret_places
               WHERE user_id = ?1 AND kind = 'session' AND place = ?2";
    let values = params![user.as_str(), session.as_str(), note_id(id), stored(now_ms)];
    connection.execute(sql, values).await?;
    Ok(())
}

async fn tag(connection: &Connection, id: i64, note: &Note) -> Result<(), Failure> {
    for tag in note.tags() {
        let sql = "INSERT INTO note_tags (note_id, tag) VALUES (?1, ?2)";
        connection.execute(sql, params![id, tag.as_str()]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::ports::Origin;

    fn local() -> UserId {
        UserId::new("local")
    }

    fn note(text: &str, tags: &[&str]) -> Note {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Note::new(text.into(), &tags).unwrap()
    }

    async fn found(database: &Database, user: &UserId, words: &str) -> Vec<(String, String)> {
        let question = Question { words: words.into(), limit: 10, ..Question::default() };
        let hits = database.search(user, question).await.unwrap();
        hits.into_iter().map(|hit| (hit.id, hit.text)).collect()
    }

    fn pair(id: &str, text: &str) -> (String, String) {
        (id.into(), text.into())
    }

    #[tokio::test]
    async fn a_note_is_saved_changed_and_forgotten() {
        let database = Database::open_in_memory().await.unwrap();
        let id = database.save(&local(), note("Anna likes tea", &["food"]), 5).await.unwrap();
        assert_eq!(found(&database, &local(), "tea").await, [pair(&id, "Anna likes tea")]);
        database.update(&local(), &id, note("Anna likes coffee", &["drink"]), 9).await.unwrap();
        assert_eq!(found(&database, &local(), "tea").await, []);
        let hits = database
            .search(&local(), Question { words: "coffee".into(), limit: 1, ..Question::default() })
            .await
            .unwrap();
        assert_eq!(hits[0].created_ms, 5);
        assert_eq!(
            hits[0].from,
            Origin::Note { tags: ["drink".to_owned()].into(), updated_ms: 9, own: true }
        );
        database.delete(&local(), &id).await.unwrap();
        assert_eq!(found(&database, &local(), "coffee anna").await, []);
        assert_eq!(found(&database, &local(), "").await, []);
        let again = database.delete(&local(), &id).await.unwrap_err().to_string();
        assert_eq!(again, format!("there is no note `{id}`; search for it to learn its id"));
        let next = database.save(&local(), note("another", &[]), 5).await.unwrap();
        assert_ne!(next, id, "an identifier is given once");
        database.check_index().await;
        assert_eq!(database.integrity_check().await.unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn notes_of_another_user_do_not_exist() {
        let database = Database::open_in_memory().await.unwrap();
        let anna = UserId::new("anna");
        database.add_user(&anna).await.unwrap();
        let mine = database.save(&local(), note("the safe is behind the map", &["x"]), 1).await;
        let mine = mine.unwrap();
        let hers = database.save(&anna, note("the safe is empty", &["x"]), 1).await.unwrap();
        assert_eq!(found(&database, &anna, "safe").await, [pair(&hers, "the safe is empty")]);
        assert_eq!(found(&database, &anna, "").await, [pair(&hers, "the safe is empty")]);
        assert_eq!(found(&database, &anna, "map").await, []);
        assert!(matches!(database.delete(&anna, &mine).await, Err(RecallError::NoNote(_))));
        let stolen = database.update(&anna, &mine, note("stolen", &[]), 2).await;
        assert!(matches!(stolen, Err(RecallError::NoNote(_))));
        assert_eq!(
            found(&database, &local(), "safe").await,
            [pair(&mine, "the safe is behind the map")]
        );
        let nobody = database.save(&UserId::new("nobody"), note("x", &[]), 1).await.unwrap_err();
        assert!(matches!(nobody, RecallError::Store(_)));
    }

    #[tokio::test]
    async fn what_is_no_note_cannot_be_changed() {
        let database = Database::open_in_memory().await.unwrap();
        for id in ["", "7", "message-1", "note-", "note-x", "note-99999999999999999999"] {
            let refused = database.delete(&local(), id).await;
            assert!(matches!(refused, Err(RecallError::NotANote(_))), "{id}: {refused:?}");
        }
        for id in ["note-0", "note--1", "note-9223372036854775807"] {
            let refused = database.delete(&local(), id).await;
            assert!(matches!(refused, Err(RecallError::NoNote(_))), "{id}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn a_user_keeps_no_more_notes_than_allowed() {
        let database = Database::open_in_memory().await.unwrap();
        let fill = database.write("fill", async |connection| {
            let sql =
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                       INSERT INTO notes (user_id, text, created_ms, updated_ms)
                       SELECT 'local', 'filler', 1, 1 FROM n";
            connection.execute(sql, [MOST_NOTES]).await?;
            Ok(())
        });
        fill.await.unwrap();
        let full = database.save(&local(), note("one more", &[]), 1).await.unwrap_err();
        assert_eq!(
            full.to_string(),
            "there are 10000 notes, which are the most; delete some first"
        );
        database.delete(&local(), "note-1").await.unwrap();
        database.save(&local(), note("one more", &[]), 1).await.unwrap();
    }

    /// What a crash leaves is what is on the disk while the database is open.
    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the test copies the file as a crash leaves it")]
    async fn what_was_saved_is_found_after_a_crash() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path().join("a.db")).await.unwrap();
        let kept = database.save(&local(), note("the tide is out", &["sea"]), 1).await.unwrap();
        let gone = database.save(&local(), note("the tide is in", &[]), 1).await.unwrap();
        database.delete(&local(), &gone).await.unwrap();
        for end in ["", "-wal"] {
            let from = directory.path().join(format!("a.db{end}"));
            std::fs::copy(from, directory.path().join(format!("b.db{end}"))).unwrap();
        }
        let after = Database::open(directory.path().join("b.db")).await.unwrap();
        assert_eq!(found(&after, &local(), "tide").await, [pair(&kept, "the tide is out")]);
        assert_eq!(after.integrity_check().await.unwrap(), Vec::<String>::new());
    }
}
