//! The journal of sessions in the database. It stores entries as they are and gives them back in
//! order; what they mean is for core to say.

use crate::chunking::cut_what_is_new;
use crate::database::Database;
use crate::failure::{Cause, Failure};
use crate::sql::Connection;
use futures_util::future::BoxFuture;
use hydroid_core::entry::Entry;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::ports::{Journal, NewSession, SessionSummary, StoreError, StoredEntry};
use hydroid_core::taint::Taint;
use libsql::params;

/// Rows read at once, so that a long session holds no reader for long.
const PAGE_ROWS: u32 = 512;

/// A page ends after the entry that passes this many bytes: one entry can be large, 512 must
/// not add up.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Most sessions in one list; a person reads far fewer.
const MOST_SESSIONS: u32 = 1_000;

/// A part of a session's journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The entries, oldest first.
    pub entries: Vec<StoredEntry>,
    /// Where to go on; none at the end.
    pub next_after: Option<u64>,
}

impl Database {
    /// Entries of a session after a sequence number, as many as fit in bounded memory.
    pub async fn page(
        &self,
        user: &UserId,
        session: &SessionId,
        after: u64,
    ) -> Result<Page, StoreError> {
        let (user, session) = (user.clone(), session.clone());
        self.read_memory("read a session", async move |connection| {
            page(connection, &user, session, after).await
        })
        .await
    }
}

impl Journal for Database {
    fn create(&self, session: NewSession) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write_memory("create a session", async move |connection| {
            insert_session(connection, session).await
        }))
    }

    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        entries: &'a [Entry],
        now_ms: u64,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(self.append_all(session, entries, None, now_ms))
    }

    fn append_begun<'a>(
        &'a self,
        session: &'a SessionId,
        entries: &'a [Entry],
        waited: u64,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(self.append_all(session, entries, Some(waited), now_ms))
    }

    fn entries<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        after: u64,
    ) -> BoxFuture<'a, Result<Vec<StoredEntry>, StoreError>> {
        Box::pin(async move {
            let mut all = Vec::new();
            let mut next = Some(after);
            while let Some(after) = next {
                let mut page = self.page(user, session, after).await?;
                all.append(&mut page.entries);
                next = page.next_after;
            }
            Ok(all)
        })
    }

    fn sessions<'a>(
        &'a self,
        user: &'a UserId,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<SessionSummary>, StoreError>> {
        let (user, limit) = (user.clone(), limit.min(MOST_SESSIONS));
        Box::pin(self.read_memory("list sessions", async move |connection| {
            summaries(connection, &user, limit).await
        }))
    }

    fn rename<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        title: String,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (user, session) = (user.clone(), session.clone());
        Box::pin(self.write_memory("rename a session", async move |connection| {
            let sql = "UPDATE sessions SET title = ?3 WHERE id = ?2 AND user_id = ?1";
            let values = params![user.as_str(), session.as_str(), title];
            match connection.execute(sql, values).await? {
                0 => Err(Failure::Store(StoreError::NoSession(session))),
                _ => Ok(()),
            }
        }))
    }
}

impl Database {
    async fn append_all(
        &self,
        session: &SessionId,
        entries: &[Entry],
        waited: Option<u64>,
        now_ms: u64,
    ) -> Result<u64, StoreError> {
        let doing = "append to a session";
        let rows = entries.iter().map(Row::of).collect::<Result<Vec<_>, _>>();
        let rows = rows.map_err(|error| Failure::from(error).doing(doing))?;
        let new = New { rows, untrusted: Taint::of(entries).is_untrusted(), now_ms };
        let session = session.clone();
        let (last, cut) = self
            .write_memory(doing, async move |connection| {
                if let Some(number) = waited {
                    let sql = "DELETE FROM waiting WHERE number = ?1 AND session_id = ?2";
                    connection.execute(sql, params![stored(number), session.as_str()]).await?;
                }
                append(connection, session, new).await
            })
            .await?;
        if cut > 0 {
            self.written().notify_waiters();
        }
        Ok(last)
    }
}

/// Entries on their way into the table.
struct New {
    rows: Vec<Row>,
    /// Something that nobody vouches for is taken in with them.
    untrusted: bool,
    now_ms: u64,
}

/// One of them.
struct Row {
    kind: String,
    json: String,
}

impl Row {
    fn of(entry: &Entry) -> Result<Self, serde_json::Error> {
        let value = serde_json::to_value(entry)?;
        let kind = value["kind"].as_str().unwrap_or_default().to_owned();
        Ok(Self { kind, json: value.to_string() })
    }
}

/// Puts a new session there.
pub(crate) async fn insert_session(
    connection: &Connection,
    session: NewSession,
) -> Result<(), Failure> {
    let NewSession { id, user, title, created_ms } = session;
    if !exists(connection, "SELECT 1 FROM users WHERE id = ?1", user.as_str()).await? {
        return Err(Cause::NoUser(user.to_string()).into());
    }
    if exists(connection, "SELECT 1 FROM sessions WHERE id = ?1", id.as_str()).await? {
        return Err(Failure::Store(StoreError::SessionExists(id)));
    }
    connection
        .execute(
            "INSERT INTO sessions (id, user_id, title, created_ms, updated_ms) VALUES (?1, ?2, ?3, ?4, ?4)",
            params![id.as_str(), user.as_str(), title, stored(created_ms)],
        )
        .await?;
    Ok(())
}

/// Returns the number of the last entry, and how many chunks there are more.
async fn append(
    connection: &Connection,
    session: SessionId,
    New { rows, untrusted, now_ms }: New,
) -> Result<(u64, u64), Failure> {
    if !exists(connection, "SELECT 1 FROM sessions WHERE id = ?1", session.as_str()).await? {
        return Err(Failure::Store(StoreError::NoSession(session)));
    }
    let mut found = connection
        .query(
            "SELECT coalesce(max(seq), 0) FROM entries WHERE session_id = ?1",
            [session.as_str()],
        )
        .await?;
    let row = found.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
    let mut seq: i64 = row.get(0)?;
    drop((row, found));
    let mut cut = 0;
    if !rows.is_empty() {
        let sql =
            "INSERT INTO entries (session_id, seq, at_ms, kind, json) VALUES (?1, ?2, ?3, ?4, ?5)";
        // The pieces of an answer come by the hundred; the turn's own entries around them say when
        // the session was used.
        let is_used =
            untrusted || rows.iter().any(|row| row.kind != "text" && row.kind != "thinking");
        let values = rows.into_iter().map(|Row { kind, json }| {
            seq += 1;
            params![session.as_str(), seq, stored(now_ms), kind, json]
        });
        connection.execute_each(sql, values).await?;
        if is_used {
            connection
                .execute(
                    "UPDATE sessions SET updated_ms = max(updated_ms, ?2), untrusted = max(untrusted, ?3)
                     WHERE id = ?1",
                    params![session.as_str(), stored(now_ms), untrusted],
                )
                .await?;
        }
        cut = cut_what_is_new(connection).await?;
    }
    Ok((u64::try_from(seq)?, cut))
}

async fn page(
    connection: &Connection,
    user: &UserId,
    session: SessionId,
    after: u64,
) -> Result<Page, Failure> {
    let mut owner = connection
        .query(
            "SELECT 1 FROM sessions WHERE id = ?1 AND user_id = ?2",
            [session.as_str(), user.as_str()],
        )
        .await?;
    if owner.next().await?.is_none() {
        return Err(Failure::Store(StoreError::NoSession(session)));
    }
    drop(owner);
    let mut rows = connection
        .query(
            // Not more than a page's bytes and the entry that is over them: a service sends all
            // rows at once, and only so many bytes.
            "SELECT seq, at_ms, kind, json FROM (
                 SELECT seq, at_ms, kind, json,
                        sum(octet_length(json)) OVER (ORDER BY seq) - octet_length(json) AS before
                 FROM (SELECT * FROM entries WHERE session_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3))
             WHERE before < ?4 ORDER BY seq",
            params![session.as_str(), stored(after), PAGE_ROWS, i64::try_from(PAGE_BYTES)?],
        )
        .await?;
    let mut entries = Vec::new();
    let (mut read, mut bytes) = (0, 0);
    while let Some(row) = rows.next().await? {
        let seq = u64::try_from(row.get::<i64>(0)?)?;
        let json = row.get_str(3)?;
        read += 1;
        bytes += json.len();
        match serde_json::from_str(json) {
            Ok(entry) => {
                entries.push(StoredEntry { seq, at_ms: u64::try_from(row.get::<i64>(1)?)?, entry });
            }
            // Written by a newer version, most likely; the rest of the session is still good.
            Err(error) => {
                tracing::warn!(%session, seq, kind = row.get_str(2)?, %error, "skipped an entry this version does not know");
            }
        }
        if read == PAGE_ROWS || bytes >= PAGE_BYTES {
            return Ok(Page { entries, next_after: Some(seq) });
        }
    }
    Ok(Page { entries, next_after: None })
}

async fn summaries(
    connection: &Connection,
    user: &UserId,
    limit: u32,
) -> Result<Vec<SessionSummary>, Failure> {
    let mut rows = connection
        .query(
            "SELECT id, title, created_ms, updated_ms,
                    (SELECT count(*) FROM entries WHERE session_id = sessions.id AND kind = 'turn_started')
             FROM sessions WHERE user_id = ?1 ORDER BY updated_ms DESC, id DESC LIMIT ?2",
            params![user.as_str(), limit],
        )
        .await?;
    let mut summaries = Vec::new();
    while let Some(row) = rows.next().await? {
        summaries.push(SessionSummary {
            id: SessionId::new(row.get::<String>(0)?),
            title: row.get(1)?,
            created_ms: u64::try_from(row.get::<i64>(2)?)?,
            updated_ms: u64::try_from(row.get::<i64>(3)?)?,
            turns: u32::try_from(row.get::<i64>(4)?)?,
        });
    }
    Ok(summaries)
}

async fn exists(connection: &Connection, sql: &str, id: &str) -> Result<bool, Failure> {
    Ok(connection.query(sql, [id]).await?.next().await?.is_some())
}

/// SQLite's integers are signed. No clock or counter of ours comes near the limit.
pub(crate) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::id::TurnId;
    use hydroid_core::message::{Message, StopReason, Usage};
    use hydroid_core::money::Money;

    fn local() -> UserId {
        UserId::new("local")
    }

    fn text(text: &str) -> Entry {
        Entry::Text { turn: TurnId::new("t"), text: text.into() }
    }

    fn new(id: &str, user: &str, created_ms: u64) -> NewSession {
        let title = format!("title of {id}");
        NewSession { id: SessionId::new(id), user: UserId::new(user), title, created_ms }
    }

    async fn database() -> (Database, SessionId) {
        let database = Database::open_in_memory().await.unwrap();
        database.create(new("s", "local", 1)).await.unwrap();
        (database, SessionId::new("s"))
    }

    #[tokio::test]
    async fn entries_come_back_as_they_were_appended() {
        let (database, session) = database().await;
        let turn = TurnId::new("t");
        let entries = vec![
            Entry::TurnStarted {
                turn: turn.clone(),
                parts: Message::user("hi \0 'quoted' 🦀").parts,
                key: None,
            },
            text("one"),
            Entry::StepEnded {
                turn,
                stop: StopReason::EndTurn,
                usage: Usage { input: u64::MAX, ..Usage::default() },
                dollars: Money::of_dollars(0.001),
            },
        ];
        assert_eq!(database.append(&session, &entries[..2], 10).await.unwrap(), 2);
        assert_eq!(database.append(&session, &entries[2..], 20).await.unwrap(), 3);
        let expect: Vec<_> = entries
            .into_iter()
            .zip([(1, 10), (2, 10), (3, 20)])
            .map(|(entry, (seq, at_ms))| StoredEntry { seq, at_ms, entry })
            .collect();
        assert_eq!(database.entries(&local(), &session, 0).await.unwrap(), expect);
        assert_eq!(database.entries(&local(), &session, 2).await.unwrap(), expect[2..]);
        assert_eq!(database.entries(&local(), &session, u64::MAX).await.unwrap(), []);
    }

    #[tokio::test]
    async fn appending_nothing_tells_the_last_number() {
        let (database, session) = database().await;
        assert_eq!(database.append(&session, &[], 5).await.unwrap(), 0);
        database.append(&session, &[text("a"), text("b")], 5).await.unwrap();
        assert_eq!(database.append(&session, &[], 5).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn sessions_are_listed_newest_first_with_their_turns() {
        let (database, session) = database().await;
        database.create(new("s2", "local", 5)).await.unwrap();
        let started = Entry::TurnStarted { turn: TurnId::new("t"), parts: vec![], key: None };
        database.append(&session, &[started.clone(), text("a"), started], 9).await.unwrap();
        database.append(&session, &[text("the clock went back")], 3).await.unwrap();
        let summary = |id: &str, created_ms, updated_ms, turns| SessionSummary {
            id: SessionId::new(id),
            title: format!("title of {id}"),
            created_ms,
            updated_ms,
            turns,
        };
        let expect = [summary("s", 1, 9, 2), summary("s2", 5, 5, 0)];
        assert_eq!(database.sessions(&local(), 10).await.unwrap(), expect);
        assert_eq!(database.sessions(&local(), 1).await.unwrap(), expect[..1]);
    }

    #[tokio::test]
    async fn a_session_of_another_user_does_not_exist() {
        let (database, session) = database().await;
        let anna = UserId::new("anna");
        database.add_user(&anna).await.unwrap();
        database.add_user(&anna).await.unwrap();
        database.append(&session, &[text("mine")], 2).await.unwrap();
        assert_eq!(database.sessions(&anna, 10).await.unwrap(), []);
        let refused = database.entries(&anna, &session, 0).await;
        assert!(matches!(refused, Err(StoreError::NoSession(id)) if id == session));
        database.create(new("hers", "anna", 2)).await.unwrap();
        assert_eq!(database.sessions(&anna, 10).await.unwrap().len(), 1);
        assert_eq!(database.sessions(&local(), 10).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_does_not_fit_together_is_refused() {
        let (database, _) = database().await;
        let exists = database.create(new("s", "local", 1)).await;
        assert!(matches!(exists, Err(StoreError::SessionExists(_))));
        let nobody = database.create(new("x", "nobody", 1)).await.unwrap_err();
        let cause = std::error::Error::source(&nobody).unwrap().to_string();
        assert_eq!(cause, "no user `nobody`; add the user first");
        let missing = SessionId::new("missing");
        let appended = database.append(&missing, &[text("a")], 1).await;
        assert!(matches!(appended, Err(StoreError::NoSession(_))));
        assert!(matches!(
            database.entries(&local(), &missing, 0).await,
            Err(StoreError::NoSession(_))
        ));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sixteen_appenders_leave_no_gap() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path().join("hydroid.db")).await.unwrap();
        database.create(new("s", "local", 1)).await.unwrap();
        let session = SessionId::new("s");
        let appending: Vec<_> = (0..16)
            .map(|appender| {
                let (database, session) = (database.clone(), session.clone());
                tokio::spawn(async move {
                    let mut ends = Vec::new();
                    for n in 0..20_usize {
                        let slice = vec![text(&format!("{appender}")); n % 3 + 1];
                        ends.push((
                            database.append(&session, &slice, 2).await.unwrap(),
                            slice.len(),
                        ));
                    }
                    ends
                })
            })
            .collect();
        let entries = |stored: &[StoredEntry], end: u64, count: usize| -> Vec<Entry> {
            let end = usize::try_from(end).unwrap();
            stored[end - count..end].iter().map(|stored| stored.entry.clone()).collect()
        };
        let mut ends = Vec::new();
        for (appender, appended) in appending.into_iter().enumerate() {
            ends.extend(appended.await.unwrap().into_iter().map(|end| (appender, end)));
        }
        let stored = database.entries(&local(), &session, 0).await.unwrap();
        let expect: usize = ends.iter().map(|(_, (_, count))| count).sum();
        assert!(stored.iter().map(|stored| stored.seq).eq(1..=expect as u64));
        for (appender, (end, count)) in ends {
            assert_eq!(entries(&stored, end, count), vec![text(&appender.to_string()); count]);
        }
    }

    #[tokio::test]
    async fn a_long_session_is_read_in_pages() {
        let (database, session) = database().await;
        let many = vec![text("small"); PAGE_ROWS as usize + 10];
        let last = database.append(&session, &many, 2).await.unwrap();
        let page = database.page(&local(), &session, 0).await.unwrap();
        assert_eq!(
            (page.entries.len(), page.next_after),
            (PAGE_ROWS as usize, Some(PAGE_ROWS.into()))
        );
        let large = vec![text(&"x".repeat(PAGE_BYTES / 2)); 4];
        database.append(&session, &large, 2).await.unwrap();
        let page = database.page(&local(), &session, last).await.unwrap();
        assert_eq!((page.entries.len(), page.next_after), (2, Some(last + 2)));
        assert_eq!(database.entries(&local(), &session, 0).await.unwrap().len() as u64, last + 4);
    }

    #[tokio::test]
    async fn an_entry_of_a_newer_version_is_skipped() {
        let (database, session) = database().await;
        database.append(&session, &[text("before")], 2).await.unwrap();
        database
            .write("write as a newer version would", async |connection| {
                let json = r#"{"kind":"dreamt","turn":"t"}"#;
                let sql = "INSERT INTO entries (session_id, seq, at_ms, kind, json) VALUES ('s', 2, 2, 'dreamt', ?1)";
                connection.execute(sql, [json]).await?;
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(database.append(&session, &[text("after")], 3).await.unwrap(), 3);
        let entries = database.entries(&local(), &session, 0).await.unwrap();
        let seqs: Vec<_> = entries.iter().map(|stored| stored.seq).collect();
        assert_eq!(seqs, [1, 3]);
    }
}
