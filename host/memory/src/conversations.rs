//! Sessions as a whole in the database: found by the beginning of their identifier, named, put
//! away, copied, removed; and what a person is to be told. Their entries are `journal`'s.

use crate::chunking::cut_what_is_new;
use crate::database::Database;
use crate::failure::Failure;
use crate::journal::{insert_session, stored};
use crate::sql::{Connection, Row};
use crate::untrusted::mark_if_untrusted;
use futures_util::future::BoxFuture;
use hydroid_core::id::{ClientKey, SessionId, TurnId, UserId};
use hydroid_core::ports::{
    NewSession, SessionSummary, StoreError, StoredEntry, StoredSession, StoredSessions,
};
use hydroid_core::protocol::Notification;
use libsql::params;

/// The columns in the order [`described`] reads them.
const COLUMNS: &str = "id, title, created_ms, updated_ms,
    (SELECT count(*) FROM entries WHERE session_id = sessions.id AND kind = 'turn_started'),
    (SELECT coalesce(max(seq), 0) FROM entries WHERE session_id = sessions.id),
    archived, forked_from,
    (SELECT json ->> '$.settings' FROM entries
        WHERE session_id = sessions.id AND kind = 'settings_changed' ORDER BY seq DESC LIMIT 1),
    (SELECT count(*) FROM waiting WHERE session_id = sessions.id)";

/// Notifications a user has at most; the oldest make room.
const MOST_NOTIFICATIONS: u32 = 200;

impl StoredSessions for Database {
    fn beginning_with<'a>(
        &'a self,
        user: &'a UserId,
        prefix: &'a str,
    ) -> BoxFuture<'a, Result<Vec<SessionId>, StoreError>> {
        let (user, prefix) = (user.to_string(), prefix.to_owned());
        Box::pin(self.read_memory("look for a session", async move |connection| {
            // Compared as bytes: nothing that is typed is a pattern.
            let sql = "SELECT id FROM sessions
                WHERE user_id = ?1 AND substr(id, 1, length(?2)) = ?2
                ORDER BY id <> ?2, id LIMIT 2";
            let mut rows = connection.query(sql, [user, prefix.clone()]).await?;
            let mut found = Vec::new();
            while let Some(row) = rows.next().await? {
                found.push(SessionId::new(row.get::<String>(0)?));
            }
            if found.first().is_some_and(|first| first.as_str() == prefix) {
                found.truncate(1);
            }
            Ok(found)
        }))
    }

    fn described<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<StoredSession, StoreError>> {
        let (user, session) = (user.to_string(), session.clone());
        Box::pin(self.read_memory("read a session", async move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM sessions WHERE user_id = ?1 AND id = ?2");
            let mut rows = connection.query(&sql, [user.as_str(), session.as_str()]).await?;
            match rows.next().await? {
                Some(row) => described(&row),
                None => Err(Failure::Store(StoreError::NoSession(session))),
            }
        }))
    }

    fn list<'a>(
        &'a self,
        user: &'a UserId,
        archived: bool,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<StoredSession>, StoreError>> {
        let user = user.to_string();
        Box::pin(self.read_memory("list sessions", async move |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM sessions WHERE user_id = ?1 AND archived = ?2
                 ORDER BY updated_ms DESC, id DESC LIMIT ?3"
            );
            let mut rows = connection.query(&sql, params![user, archived, limit]).await?;
            let mut sessions = Vec::new();
            while let Some(row) = rows.next().await? {
                sessions.push(described(&row)?);
            }
            Ok(sessions)
        }))
    }

    fn some_entries<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        after: u64,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<StoredEntry>, StoreError>> {
        Box::pin(async move {
            let mut entries = self.page(user, session, after).await?.entries;
            entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(entries)
        })
    }

    fn begin(
        &self,
        new: NewSession,
        key: ClientKey,
    ) -> BoxFuture<'_, Result<SessionId, StoreError>> {
        Box::pin(self.write_memory("create a session", async move |connection| {
            if let Some(begun) = begun_with(connection, &new.user, &key).await? {
                return Ok(begun);
            }
            let id = new.id.clone();
            insert_session(connection, new).await?;
            note_key(connection, &id, &key).await?;
            Ok(id)
        }))
    }

    fn was_said<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        key: &'a ClientKey,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        // Both in one look: with its turn it goes from the one place to the other.
        let sql = "SELECT 1 FROM sessions WHERE id = ?1 AND user_id = ?2 AND (
            EXISTS (SELECT 1 FROM waiting WHERE session_id = ?1 AND client_key = ?3)
            OR EXISTS (SELECT 1 FROM entries
                WHERE session_id = ?1 AND kind = 'turn_started' AND json ->> '$.key' = ?3))";
        Box::pin(has_key(self, sql, [session.to_string(), user.to_string(), key.to_string()]))
    }

    fn was_steered<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        key: &'a ClientKey,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        // Without an index: it is rare, and the entries of one session are read in no time.
        let sql = "SELECT 1 FROM entries JOIN sessions ON sessions.id = entries.session_id
            WHERE session_id = ?1 AND user_id = ?2
                AND kind = 'steered' AND json ->> '$.key' = ?3";
        Box::pin(has_key(self, sql, [session.to_string(), user.to_string(), key.to_string()]))
    }

    fn with_an_open_turn<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Vec<SessionId>, StoreError>> {
        Box::pin(self.sessions_with_an_open_turn(user))
    }

    fn archive<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        archived: bool,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (user, session) = (user.to_string(), session.clone());
        Box::pin(self.write_memory("put a session away", async move |connection| {
            let sql = "UPDATE sessions SET archived = ?3 WHERE user_id = ?1 AND id = ?2";
            let changed =
                connection.execute(sql, params![user, session.as_str(), archived]).await?;
            found(changed, session)
        }))
    }

    fn fork<'a>(
        &'a self,
        session: &'a SessionId,
        new: NewSession,
        before: Option<&'a TurnId>,
        key: Option<ClientKey>,
    ) -> BoxFuture<'a, Result<SessionId, StoreError>> {
        let (session, before) = (session.clone(), before.map(ToString::to_string));
        Box::pin(self.write_memory("copy a session", async move |connection| {
            if let Some(key) = &key
                && let Some(begun) = begun_with(connection, &new.user, key).await?
            {
                return Ok(begun);
            }
            let id = new.id.clone();
            copy(connection, session, new, before).await?;
            if let Some(key) = &key {
                note_key(connection, &id, key).await?;
            }
            Ok(id)
        }))
    }

    fn remove<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (user, session) = (user.to_string(), session.clone());
        Box::pin(self.write_memory("remove a session", async move |connection| {
            let sql = "SELECT 1 FROM sessions WHERE user_id = ?1 AND id = ?2";
            let mut owned = connection.query(sql, [user.as_str(), session.as_str()]).await?;
            let is_owned = owned.next().await?.is_some();
            drop(owned);
            if !is_owned {
                return Err(Failure::Store(StoreError::NoSession(session)));
            }
            for sql in [
                "DELETE FROM scratchpads WHERE session_id = ?1",
                "DELETE FROM waiting WHERE session_id = ?1",
                "DELETE FROM messages WHERE session_id = ?1",
                "DELETE FROM entries WHERE session_id = ?1",
                "DELETE FROM secret_places WHERE kind = 'session' AND place = ?1",
                "DELETE FROM notifications WHERE session_id = ?1",
                "DELETE FROM sessions WHERE id = ?1",
            ] {
                connection.execute(sql, [session.as_str()]).await?;
            }
            Ok(())
        }))
    }

    fn notify<'a>(
        &'a self,
        user: &'a UserId,
        notification: Notification,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let user = user.to_string();
        Box::pin(self.write_memory("keep a notification", async move |connection| {
            let Notification { notification: id, at_ms, kind, session, text } = notification;
            connection
                .execute(
                    "INSERT INTO notifications (user_id, id, at_ms, kind, session_id, text)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        user.as_str(),
                        id,
                        stored(at_ms),
                        kind,
                        session.map(|session| session.to_string()),
                        text
                    ],
                )
                .await?;
            connection
                .execute(
                    "DELETE FROM notifications WHERE user_id = ?1 AND id NOT IN (
                        SELECT id FROM notifications WHERE user_id = ?1
                        ORDER BY at_ms DESC, id DESC LIMIT ?2)",
                    params![user.as_str(), MOST_NOTIFICATIONS],
                )
                .await?;
            Ok(())
        }))
    }

    fn untold<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Vec<Notification>, StoreError>> {
        let user = user.to_string();
        Box::pin(self.read_memory("read notifications", async move |connection| {
            let sql = "SELECT id, at_ms, kind, session_id, text FROM notifications
                WHERE user_id = ?1 ORDER BY at_ms, id";
            let mut rows = connection.query(sql, [user]).await?;
            let mut untold = Vec::new();
            while let Some(row) = rows.next().await? {
                untold.push(Notification {
                    notification: row.get(0)?,
                    at_ms: u64::try_from(row.get::<i64>(1)?)?,
                    kind: row.get(2)?,
                    session: row.get::<Option<String>>(3)?.map(SessionId::new),
                    text: row.get(4)?,
                });
            }
            Ok(untold)
        }))
    }

    fn told<'a>(
        &'a self,
        user: &'a UserId,
        notifications: Vec<String>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let user = user.to_string();
        Box::pin(self.write_memory("forget notifications", async move |connection| {
            for id in notifications {
                connection
                    .execute(
                        "DELETE FROM notifications WHERE user_id = ?1 AND id = ?2",
                        [user.as_str(), id.as_str()],
                    )
                    .await?;
            }
            Ok(())
        }))
    }
}

/// The session of a user's that was begun under a key.
async fn begun_with(
    connection: &Connection,
    user: &UserId,
    key: &ClientKey,
) -> Result<Option<SessionId>, Failure> {
    let sql = "SELECT id FROM sessions WHERE user_id = ?1 AND client_key = ?2";
    let mut rows = connection.query(sql, [user.as_str(), key.as_str()]).await?;
    let begun = rows.next().await?.map(|row| row.get::<String>(0)).transpose()?;
    Ok(begun.map(SessionId::new))
}

/// Whether a session of a user has an entry with a client's key. The kind stands in the statement,
/// since an index holds entries of one kind.
async fn has_key(
    database: &Database,
    sql: &'static str,
    values: [String; 3],
) -> Result<bool, StoreError> {
    database
        .read_memory("look for a message", async move |connection| {
            Ok(connection.query(sql, values).await?.next().await?.is_some())
        })
        .await
}

async fn note_key(
    connection: &Connection,
    session: &SessionId,
    key: &ClientKey,
) -> Result<(), Failure> {
    let sql = "UPDATE sessions SET client_key = ?2 WHERE id = ?1";
    connection.execute(sql, [session.as_str(), key.as_str()]).await?;
    Ok(())
}

fn found(changed: u64, session: SessionId) -> Result<(), Failure> {
    if changed == 0 { Err(Failure::Store(StoreError::NoSession(session))) } else { Ok(()) }
}

fn described(row: &Row) -> Result<StoredSession, Failure> {
    let settings = match row.get::<Option<String>>(8)? {
        // What a later version wrote may have more; then the configuration's holds.
        Some(json) => serde_json::from_str(&json).unwrap_or_default(),
        None => hydroid_core::protocol::SessionSettings::default(),
    };
    Ok(StoredSession {
        summary: SessionSummary {
            id: SessionId::new(row.get::<String>(0)?),
            title: row.get(1)?,
            created_ms: u64::try_from(row.get::<i64>(2)?)?,
            updated_ms: u64::try_from(row.get::<i64>(3)?)?,
            turns: u32::try_from(row.get::<i64>(4)?)?,
        },
        last_seq: u64::try_from(row.get::<i64>(5)?)?,
        archived: row.get::<i64>(6)? != 0,
        forked_from: row.get::<Option<String>>(7)?.map(SessionId::new),
        settings,
        waiting: u32::try_from(row.get::<i64>(9)?)?,
    })
}

/// Copies entries one by one in their order, so that what is kept of them follows as it did.
async fn copy(
    connection: &Connection,
    session: SessionId,
    new: NewSession,
    before: Option<String>,
) -> Result<(), Failure> {
    let NewSession { id, user, title, created_ms } = new;
    let made = connection
        .execute(
            "INSERT INTO sessions (id, user_id, title, created_ms, updated_ms, forked_from)
             SELECT ?1, user_id, ?2, ?3, ?3, id FROM sessions WHERE id = ?4 AND user_id = ?5",
            params![id.as_str(), title, stored(created_ms), session.as_str(), user.as_str()],
        )
        .await?;
    found(made, session.clone())?;
    let end = match before {
        Some(turn) => (
            "SELECT min(seq) - 1 FROM entries
             WHERE session_id = ?1 AND kind = 'turn_started' AND json ->> '$.turn' = ?2",
            turn,
        ),
        None => (
            "SELECT max(seq) FROM entries WHERE session_id = ?1 AND ?2 = '' AND seq < coalesce((
                 SELECT min(open.seq) FROM entries AS open
                 WHERE open.session_id = ?1 AND open.kind = 'turn_started' AND NOT EXISTS (
                     SELECT 1 FROM entries AS ended
                     WHERE ended.session_id = ?1 AND ended.kind = 'turn_ended' AND ended.seq > open.seq)
             ), 9223372036854775807)",
            String::new(),
        ),
    };
    let mut rows = connection.query(end.0, [session.as_str(), end.1.as_str()]).await?;
    let end = rows.next().await?.and_then(|row| row.get::<Option<i64>>(0).ok().flatten());
    drop(rows);
    connection
        .execute(
            "INSERT INTO entries (session_id, seq, at_ms, kind, json)
             SELECT ?1, seq, at_ms, kind, json FROM entries
             WHERE session_id = ?2 AND seq <= ?3 ORDER BY seq",
            params![id.as_str(), session.as_str(), end.unwrap_or(0)],
        )
        .await?;
    mark_if_untrusted(connection, &id).await?;
    // What was secret in the one is secret in the other.
    connection
        .execute(
            "INSERT INTO secret_places (user_id, kind, place, marked_ms)
             SELECT user_id, kind, ?1, marked_ms FROM secret_places
             WHERE kind = 'session' AND place = ?2",
            [id.as_str(), session.as_str()],
        )
        .await?;
    cut_what_is_new(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::entry::{Entry, Outcome};
    use hydroid_core::message::{Message, Usage};
    use hydroid_core::ports::{Journal, Question, Recall, SecretPlace, SecretPlaces};
    use hydroid_core::protocol::SessionSettings;

    fn local() -> UserId {
        UserId::new("local")
    }

    fn id(text: &str) -> SessionId {
        SessionId::new(text)
    }

    fn turn(name: &str, said: &str, ended: bool) -> Vec<Entry> {
        let turn = TurnId::new(name);
        let mut entries = vec![Entry::TurnStarted {
            turn: turn.clone(),
            parts: Message::user(said).parts,
            key: None,
        }];
        if ended {
            let (outcome, usage) = (Outcome::Completed, Usage::default());
            entries.push(Entry::TurnEnded { turn, outcome, usage, dollars: None });
        }
        entries
    }

    fn new(name: &str) -> NewSession {
        NewSession { id: id(name), user: local(), title: format!("of {name}"), created_ms: 7 }
    }

    async fn database() -> Database {
        let database = Database::open_in_memory().await.unwrap();
        for name in ["aa", "ab", "aab"] {
            database.create(new(name)).await.unwrap();
        }
        let entries = [turn("1", "first", true), turn("2", "second", true)].concat();
        database.append(&id("aa"), &entries, 9).await.unwrap();
        database
    }

    async fn seqs(database: &Database, session: &str) -> Vec<u64> {
        let entries = database.entries(&local(), &id(session), 0).await.unwrap();
        entries.into_iter().map(|stored| stored.seq).collect()
    }

    #[tokio::test]
    async fn a_session_is_found_by_its_beginning() {
        let database = database().await;
        let found = async |prefix: &str| {
            let found = database.beginning_with(&local(), prefix).await.unwrap();
            found.into_iter().map(|id| id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found("ab").await, ["ab"]);
        assert_eq!(found("aa").await, ["aa"]);
        assert_eq!(found("a").await.len(), 2);
        for nothing in ["%", "_", "A", "ab\0", "b"] {
            assert_eq!(found(nothing).await, [""; 0], "{nothing}");
        }
        let anna = UserId::new("anna");
        assert_eq!(database.beginning_with(&anna, "ab").await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_session_is_named_put_away_and_described() {
        let database = database().await;
        database.rename(&local(), &id("aa"), "Rivers".into()).await.unwrap();
        database.archive(&local(), &id("aa"), true).await.unwrap();
        let settings = SessionSettings { model: Some("m".into()), ..Default::default() };
        let changed = Entry::SettingsChanged { settings: settings.clone() };
        database.append(&id("aa"), &[changed], 10).await.unwrap();
        let described = database.described(&local(), &id("aa")).await.unwrap();
        assert_eq!((described.summary.title.as_str(), described.summary.turns), ("Rivers", 2));
        assert_eq!((described.last_seq, described.archived), (5, true));
        assert_eq!(described.settings, settings);
        assert_eq!(database.list(&local(), true, 9).await.unwrap(), [described]);
        assert_eq!(database.list(&local(), false, 9).await.unwrap().len(), 2);
        let anna = UserId::new("anna");
        for refused in [
            database.rename(&anna, &id("aa"), "hers".into()).await,
            database.archive(&anna, &id("aa"), false).await,
            database.remove(&anna, &id("aa")).await,
            database.described(&anna, &id("aa")).await.map(drop),
            database
                .fork(&id("aa"), NewSession { user: anna.clone(), ..new("x") }, None, None)
                .await
                .map(drop),
        ] {
            assert!(matches!(refused, Err(StoreError::NoSession(_))), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn a_copy_ends_with_a_turn_that_has_ended() {
        let database = database().await;
        database.append(&id("aa"), &turn("3", "third", false), 11).await.unwrap();
        database.mark(&local(), [SecretPlace::Session(id("aa"))].into(), 1).await.unwrap();
        database.fork(&id("aa"), new("copy"), None, None).await.unwrap();
        assert_eq!(seqs(&database, "copy").await, [1, 2, 3, 4]);
        database.fork(&id("aa"), new("less"), Some(&TurnId::new("2")), None).await.unwrap();
        assert_eq!(seqs(&database, "less").await, [1, 2]);
        database.fork(&id("aa"), new("none"), Some(&TurnId::new("9")), None).await.unwrap();
        assert_eq!(seqs(&database, "none").await, [0; 0]);
        let copy = database.described(&local(), &id("copy")).await.unwrap();
        assert_eq!(copy.forked_from, Some(id("aa")));
        let marked = database.marked(&local()).await.unwrap();
        assert!(marked.contains(&SecretPlace::Session(id("copy"))));
        database.check_index().await;
    }

    #[tokio::test]
    async fn what_was_removed_is_found_no_more() {
        let database = database().await;
        let words = |words: &str| Question { words: words.into(), limit: 9, ..Default::default() };
        let hits = database.search(&local(), words("second")).await.unwrap();
        assert!(hits.iter().any(|hit| hit.text.contains("second")), "{hits:?}");
        database.remove(&local(), &id("aa")).await.unwrap();
        assert_eq!(database.search(&local(), words("second")).await.unwrap(), []);
        let gone = database.entries(&local(), &id("aa"), 0).await;
        assert!(matches!(gone, Err(StoreError::NoSession(_))));
        assert_eq!(database.integrity_check().await.unwrap(), Vec::<String>::new());
        database.check_index().await;
    }

    #[tokio::test]
    async fn notifications_stay_until_they_were_told_and_are_not_without_end() {
        let database = database().await;
        let note = |number: u64| Notification {
            notification: format!("n{number:04}"),
            at_ms: number,
            kind: "question".into(),
            session: Some(id("aa")),
            text: "t".into(),
        };
        for number in 0..u64::from(MOST_NOTIFICATIONS) + 3 {
            database.notify(&local(), note(number)).await.unwrap();
        }
        let untold = database.untold(&local()).await.unwrap();
        assert_eq!(untold.len(), MOST_NOTIFICATIONS as usize);
        assert_eq!(untold[0], note(3));
        let ids = untold[1..].iter().map(|note| note.notification.clone()).collect();
        database.told(&UserId::new("anna"), vec!["n0003".into()]).await.unwrap();
        database.told(&local(), ids).await.unwrap();
        assert_eq!(database.untold(&local()).await.unwrap(), [note(3)]);
    }
}
