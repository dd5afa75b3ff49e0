//! Messages that were accepted and whose turn has not begun. A row goes with the entry that begins
//! its turn, which is `journal`'s; when that is, is for others to say.

use crate::database::Database;
use crate::failure::Failure;
use crate::journal::stored;
use futures_util::future::BoxFuture;
use hydroid_core::id::{ClientKey, SessionId, UserId};
use hydroid_core::ports::{Saying, StoreError, WaitingMessages};
use hydroid_core::telemetry::Parent;
use libsql::params;

/// The last of the entries that say whether something was said into a turn and not read.
const LAST: &str = "SELECT kind FROM entries WHERE session_id = sessions.id
    AND kind IN ('steered', 'turn_started', 'step_started', 'turn_ended')
    ORDER BY seq DESC LIMIT 1";

impl WaitingMessages for Database {
    fn keep_waiting<'a>(
        &'a self,
        session: &'a SessionId,
        message: &'a Saying,
        said_into: Option<String>,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        let doing = "keep a message";
        Box::pin(async move {
            let parts = serde_json::to_string(&message.parts);
            let parts = parts.map_err(|error| Failure::from(error).doing(doing))?;
            let home = self.home().await?;
            let session = session.clone();
            let key = message.key.as_ref().map(ToString::to_string);
            let parent = message.parent.as_ref().map(ToString::to_string);
            self.write_memory(doing, async move |connection| {
                let known = "SELECT 1 FROM sessions WHERE id = ?1";
                if connection.query(known, [session.as_str()]).await?.next().await?.is_none() {
                    return Err(Failure::Store(StoreError::NoSession(session)));
                }
                // A conflict changes nothing, and still tells the number.
                let sql = "INSERT INTO waiting
                        (session_id, home, at_ms, client_key, parent, said_into, parts)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                    ON CONFLICT (session_id, said_into) WHERE said_into IS NOT NULL
                    DO UPDATE SET home = excluded.home RETURNING number";
                let at_ms = stored(now_ms);
                let values = params![session.as_str(), home, at_ms, key, parent, said_into, parts];
                let mut rows = connection.query(sql, values).await?;
                let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
                Ok(u64::try_from(row.get::<i64>(0)?)?)
            })
            .await
        })
    }

    fn waiting<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<Vec<Saying>, StoreError>> {
        Box::pin(async move {
            let (user, session) = (user.to_string(), session.to_string());
            let home = self.home().await?;
            self.read_memory("read what waits", async move |connection| {
                let sql = "SELECT number, waiting.client_key, parent, parts
                    FROM waiting JOIN sessions ON sessions.id = session_id
                    WHERE session_id = ?1 AND user_id = ?2 AND home = ?3
                    ORDER BY said_into IS NULL, number";
                let mut rows = connection.query(sql, [session, user, home]).await?;
                let mut waiting = Vec::new();
                while let Some(row) = rows.next().await? {
                    let number = u64::try_from(row.get::<i64>(0)?)?;
                    let parts = match serde_json::from_str(row.get_str(3)?) {
                        Ok(parts) => parts,
                        // Written by a newer version; it waits for one.
                        Err(error) => {
                            tracing::warn!(number, %error, "a message that waits cannot be read");
                            continue;
                        }
                    };
                    let parent = row.get::<Option<String>>(2)?;
                    waiting.push(Saying {
                        parts,
                        key: row.get::<Option<String>>(1)?.map(ClientKey::new),
                        parent: parent.as_deref().and_then(Parent::read),
                        passing: false,
                        waiting: Some(number),
                    });
                }
                Ok(waiting)
            })
            .await
        })
    }

    fn with_waiting<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Vec<SessionId>, StoreError>> {
        Box::pin(async move {
            let (user, home) = (user.to_string(), self.home().await?);
            self.read_memory("look for what waits", async move |connection| {
                let sql = format!(
                    "SELECT id FROM sessions WHERE user_id = ?1 AND (
                         id IN (SELECT session_id FROM waiting WHERE home = ?2)
                         OR (?2 = '' AND 'steered' = ({LAST})))
                     ORDER BY created_ms, id"
                );
                let mut rows = connection.query(&sql, [user, home]).await?;
                let mut sessions = Vec::new();
                while let Some(row) = rows.next().await? {
                    sessions.push(SessionId::new(row.get::<String>(0)?));
                }
                Ok(sessions)
            })
            .await
        })
    }

    fn has_unread<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let values = [session.to_string(), user.to_string()];
        Box::pin(self.read_memory("look for what was not read", async move |connection| {
            let sql = format!(
                "SELECT 1 FROM sessions WHERE id = ?1 AND user_id = ?2 AND 'steered' = ({LAST})"
            );
            Ok(connection.query(&sql, values).await?.next().await?.is_some())
        }))
    }

    fn forget_waiting<'a>(
        &'a self,
        user: &'a UserId,
        number: Option<u64>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let (user, home) = (user.to_string(), self.home().await?);
            self.write_memory("forget what waits", async move |connection| {
                let sql = "DELETE FROM waiting WHERE (?1 IS NULL OR number = ?1) AND home = ?3
                    AND session_id IN (SELECT id FROM sessions WHERE user_id = ?2)";
                connection.execute(sql, params![number.map(stored), user, home]).await?;
                Ok(())
            })
            .await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::entry::{Entry, Outcome};
    use hydroid_core::id::TurnId;
    use hydroid_core::message::{Bytes, Content, Label, Message, Part, Role, Usage};
    use hydroid_core::ports::{Journal, NewSession, StoredSessions};

    fn local() -> UserId {
        UserId::new("local")
    }

    fn id(text: &str) -> SessionId {
        SessionId::new(text)
    }

    fn new(name: &str, user: &UserId) -> NewSession {
        NewSession { id: id(name), user: user.clone(), title: String::new(), created_ms: 1 }
    }

    fn saying(text: &str) -> Saying {
        Saying { parts: Message::user(text).parts, ..Saying::default() }
    }

    async fn database() -> Database {
        let database = Database::open_in_memory().await.unwrap();
        let anna = UserId::new("anna");
        database.add_user(&anna).await.unwrap();
        database.create(new("s", &local())).await.unwrap();
        database.create(new("other", &local())).await.unwrap();
        database.create(new("hers", &anna)).await.unwrap();
        database
    }

    async fn texts(database: &Database, session: &str) -> Vec<String> {
        let waiting = database.waiting(&local(), &id(session)).await.unwrap();
        let text = |said: Saying| Message { role: Role::User, parts: said.parts }.text();
        waiting.into_iter().map(text).collect()
    }

    fn started(turn: &str) -> Entry {
        let (turn, parts) = (TurnId::new(turn), Message::user("x").parts);
        Entry::TurnStarted { turn, parts, key: None }
    }

    #[tokio::test]
    async fn what_waits_comes_back_as_it_was_said_in_its_order() {
        let database = database().await;
        let picture = Content::Media {
            media_type: "image/png".into(),
            name: Some("map.png".into()),
            data: Bytes(vec![0, 1, 255]),
        };
        let label = Label::user();
        let mut first = saying("one \0 'quoted' 🦀");
        first.parts.push(Part::new(picture, label));
        first.key = Some(ClientKey::new("k"));
        first.parent = Parent::read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let second = saying("two");
        for (session, said) in [("s", &first), ("other", &second), ("s", &second)] {
            database.keep_waiting(&id(session), said, None, 5).await.unwrap();
        }
        let waiting = database.waiting(&local(), &id("s")).await.unwrap();
        let expect =
            [Saying { waiting: Some(1), ..first }, Saying { waiting: Some(3), ..second.clone() }];
        assert_eq!(waiting, expect);
        assert_eq!(database.with_waiting(&local()).await.unwrap(), [id("other"), id("s")]);
        assert_eq!(database.described(&local(), &id("s")).await.unwrap().waiting, 2);
        let nowhere = database.keep_waiting(&id("gone"), &second, None, 5).await;
        assert!(matches!(nowhere, Err(StoreError::NoSession(_))));
    }

    #[tokio::test]
    async fn what_begins_waits_no_more_and_what_cannot_begin_waits_on() {
        let database = database().await;
        let one = database.keep_waiting(&id("s"), &saying("one"), None, 5).await.unwrap();
        database.keep_waiting(&id("s"), &saying("two"), None, 5).await.unwrap();
        // In another session there is no such number, and without a session nothing is done.
        database.append_begun(&id("other"), &[started("t")], one, 6).await.unwrap();
        database.append_begun(&id("gone"), &[started("t")], one, 6).await.unwrap_err();
        assert_eq!(texts(&database, "s").await, ["one", "two"]);
        database.append_begun(&id("s"), &[started("t")], one, 6).await.unwrap();
        assert_eq!(texts(&database, "s").await, ["two"]);
        assert_eq!(database.entries(&local(), &id("s"), 0).await.unwrap().len(), 1);
        // A number is given once.
        let two = database.waiting(&local(), &id("s")).await.unwrap()[0].waiting.unwrap();
        database.forget_waiting(&local(), Some(two)).await.unwrap();
        let three = database.keep_waiting(&id("s"), &saying("three"), None, 5).await.unwrap();
        assert!(three > two);
    }

    #[tokio::test]
    async fn a_key_is_known_while_its_message_waits_and_after() {
        let database = database().await;
        let (key, anna) = (ClientKey::new("k"), UserId::new("anna"));
        let said = Saying { key: Some(key.clone()), ..saying("one") };
        assert!(!database.was_said(&local(), &id("s"), &key).await.unwrap());
        let number = database.keep_waiting(&id("s"), &said, None, 5).await.unwrap();
        assert!(database.was_said(&local(), &id("s"), &key).await.unwrap());
        assert!(!database.was_said(&local(), &id("other"), &key).await.unwrap());
        assert!(!database.was_said(&anna, &id("s"), &key).await.unwrap());
        let (turn, parts) = (TurnId::new("t"), said.parts);
        let begun = Entry::TurnStarted { turn, parts, key: Some(key.clone()) };
        database.append_begun(&id("s"), &[begun], number, 6).await.unwrap();
        assert!(database.was_said(&local(), &id("s"), &key).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_sees_or_forgets_what_waits_for_another() {
        let database = database().await;
        let anna = UserId::new("anna");
        let hers = database.keep_waiting(&id("hers"), &saying("hers"), None, 5).await.unwrap();
        database.keep_waiting(&id("s"), &saying("mine"), None, 5).await.unwrap();
        assert_eq!(database.waiting(&local(), &id("hers")).await.unwrap(), []);
        assert_eq!(database.with_waiting(&local()).await.unwrap(), [id("s")]);
        database.forget_waiting(&local(), Some(hers)).await.unwrap();
        database.forget_waiting(&local(), None).await.unwrap();
        assert_eq!(texts(&database, "s").await, [""; 0]);
        assert_eq!(database.waiting(&anna, &id("hers")).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_waits_goes_with_its_session_and_is_not_copied() {
        let database = database().await;
        database.append(&id("s"), &[started("t")], 6).await.unwrap();
        database.keep_waiting(&id("s"), &saying("one"), None, 5).await.unwrap();
        database.fork(&id("s"), new("copy", &local()), None, None).await.unwrap();
        assert_eq!(texts(&database, "copy").await, [""; 0]);
        database.archive(&local(), &id("s"), true).await.unwrap();
        assert_eq!(database.with_waiting(&local()).await.unwrap(), [id("s")]);
        database.remove(&local(), &id("s")).await.unwrap();
        assert_eq!(database.with_waiting(&local()).await.unwrap(), []);
        assert_eq!(database.integrity_check().await.unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn what_was_said_into_a_turn_and_not_read_is_found_and_kept_once() {
        let database = database().await;
        let turn = TurnId::new("t");
        let (user, session) = (local(), id("s"));
        let steered =
            Entry::Steered { turn: turn.clone(), parts: Message::user("x").parts, key: None };
        let step = Entry::StepStarted {
            turn: turn.clone(),
            step: 1,
            provider: hydroid_core::id::ComponentId::new("p"),
            model: "m".into(),
        };
        let (outcome, usage) = (Outcome::Completed, Usage::default());
        let ended = Entry::TurnEnded { turn: turn.clone(), outcome, usage, dollars: None };
        let text = Entry::Text { turn, text: "x".into() };
        for (entry, unread) in [
            (started("t"), false),
            (step.clone(), false),
            (steered.clone(), true),
            (text, true),
            (step, false),
            (steered, true),
        ] {
            database.append(&session, std::slice::from_ref(&entry), 6).await.unwrap();
            assert_eq!(database.has_unread(&user, &session).await.unwrap(), unread, "{entry:?}");
            let with = database.with_waiting(&user).await.unwrap();
            assert_eq!(with.contains(&session), unread, "{entry:?}");
        }
        database.keep_waiting(&session, &saying("later"), None, 7).await.unwrap();
        let place = || Some("t/2".to_owned());
        let first = database.keep_waiting(&session, &saying("into"), place(), 8).await.unwrap();
        let again = database.keep_waiting(&session, &saying("into"), place(), 9).await.unwrap();
        assert_eq!(first, again);
        assert_eq!(texts(&database, "s").await, ["into", "later"]);
        database.append(&session, &[ended], 10).await.unwrap();
        assert!(!database.has_unread(&user, &session).await.unwrap());
    }
}
