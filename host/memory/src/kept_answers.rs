//! Answers of models that are kept: found by the hash of what was asked, gone by age and size.
//! What may be kept, and what is the same request, is decided before this is called.

use crate::database::Database;
use futures_util::future::BoxFuture;
use hydroid_core::id::UserId;
use hydroid_core::ports::{AnswerCache, KeepLimits, KeptAnswer, StoreError};
use libsql::params;

impl AnswerCache for Database {
    fn kept<'a>(
        &'a self,
        user: &'a UserId,
        name: &'a str,
        not_before_ms: u64,
    ) -> BoxFuture<'a, Result<Option<KeptAnswer>, StoreError>> {
        let (user, name) = (user.to_string(), name.to_owned());
        Box::pin(self.read("look for a kept answer", async move |connection| {
            let sql = "SELECT events, kept_ms FROM kept_answers
                       WHERE user_id = ?1 AND name = ?2 AND kept_ms >= ?3";
            let oldest = i64::try_from(not_before_ms)?;
            let mut rows = connection.query(sql, params![user, name, oldest]).await?;
            let Some(row) = rows.next().await? else { return Ok(None) };
            let events: String = row.get(0)?;
            // What another version wrote and this one cannot read was never kept.
            let Ok(events) = serde_json::from_str(&events) else { return Ok(None) };
            Ok(Some(KeptAnswer { events, kept_ms: u64::try_from(row.get::<i64>(1)?)? }))
        }))
    }

    fn keep<'a>(
        &'a self,
        user: &'a UserId,
        name: &'a str,
        answer: &'a KeptAnswer,
        limits: KeepLimits,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (user, name, answer) = (user.to_string(), name.to_owned(), answer.clone());
        Box::pin(self.write("keep an answer", async move |connection| {
            let events = serde_json::to_string(&answer.events)?;
            let kept_ms = i64::try_from(answer.kept_ms)?;
            let oldest = i64::try_from(limits.not_before_ms)?;
            let largest = i64::try_from(limits.max_bytes).unwrap_or(i64::MAX);
            connection
                .execute(
                    "INSERT INTO kept_answers (user_id, name, events, kept_ms)
                     VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (user_id, name)
                     DO UPDATE SET events = excluded.events, kept_ms = excluded.kept_ms",
                    params![user.clone(), name, events, kept_ms],
                )
                .await?;
            connection
                .execute(
                    "DELETE FROM kept_answers WHERE user_id = ?1 AND kept_ms < ?2",
                    params![user.clone(), oldest],
                )
                .await?;
            // The newest stay, as many as fit together.
            connection
                .execute(
                    "DELETE FROM kept_answers WHERE user_id = ?1 AND name IN (
                        SELECT name FROM (
                            SELECT name, sum(length(CAST(events AS BLOB)) + length(name))
                                OVER (ORDER BY kept_ms DESC, name) AS bytes
                            FROM kept_answers WHERE user_id = ?1
                        ) WHERE bytes > ?2
                    )",
                    params![user, largest],
                )
                .await?;
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::message::StopReason;
    use hydroid_core::ports::ModelEvent;

    const ALL: KeepLimits = KeepLimits { not_before_ms: 0, max_bytes: 1 << 20 };

    fn answer(text: &str, kept_ms: u64) -> KeptAnswer {
        let events = vec![ModelEvent::Text(text.into()), ModelEvent::Finished(StopReason::EndTurn)];
        KeptAnswer { events, kept_ms }
    }

    async fn database() -> Database {
        let database = Database::open_in_memory().await.unwrap();
        for user in ["me", "you"] {
            database.add_user(&UserId::new(user)).await.unwrap();
        }
        database
    }

    async fn keep(
        database: &Database,
        user: &str,
        name: &str,
        kept: KeptAnswer,
        limits: KeepLimits,
    ) {
        database.keep(&UserId::new(user), name, &kept, limits).await.unwrap();
    }

    async fn kept(database: &Database, user: &str, name: &str) -> Option<KeptAnswer> {
        database.kept(&UserId::new(user), name, 0).await.unwrap()
    }

    #[tokio::test]
    async fn an_answer_is_found_as_it_was_by_its_user_only() {
        let database = database().await;
        let events = vec![
            ModelEvent::Thinking { text: "hm".into(), opaque: Some(vec![0, 255]) },
            ModelEvent::CallStarted { index: 0, id: "a".into(), name: "read".into() },
            ModelEvent::CallArguments { index: 0, fragment: "{}".into() },
            ModelEvent::CallEnded { index: 0 },
            ModelEvent::Cited { uri: "https://a".into(), title: None },
            ModelEvent::Other { kind: "x/y".into(), json: "{}".into() },
            ModelEvent::Finished(StopReason::ToolUse),
        ];
        let whole = KeptAnswer { events, kept_ms: 5 };
        keep(&database, "me", "n", whole.clone(), ALL).await;
        assert_eq!(kept(&database, "me", "n").await, Some(whole));
        assert_eq!(kept(&database, "you", "n").await, None);
        assert_eq!(kept(&database, "me", "o").await, None);
        keep(&database, "me", "n", answer("newer", 6), ALL).await;
        assert_eq!(kept(&database, "me", "n").await, Some(answer("newer", 6)));
    }

    #[tokio::test]
    async fn what_is_too_old_is_not_found_and_goes() {
        let database = database().await;
        keep(&database, "me", "old", answer("a", 10), ALL).await;
        let me = UserId::new("me");
        assert_eq!(database.kept(&me, "old", 11).await.unwrap(), None);
        assert_eq!(kept(&database, "me", "old").await, Some(answer("a", 10)));
        let limits = KeepLimits { not_before_ms: 11, ..ALL };
        keep(&database, "me", "new", answer("b", 20), limits).await;
        assert_eq!(kept(&database, "me", "old").await, None);
    }

    #[tokio::test]
    async fn the_oldest_go_when_all_do_not_fit_and_another_users_stay() {
        let database = database().await;
        keep(&database, "you", "theirs", answer(&"x".repeat(900), 1), ALL).await;
        let limits = KeepLimits { max_bytes: 1_000, ..ALL };
        for (name, at) in [("a", 2), ("b", 3), ("c", 4)] {
            keep(&database, "me", name, answer(&"x".repeat(400), at), limits).await;
        }
        let mut left = Vec::new();
        for name in ["a", "b", "c"] {
            if kept(&database, "me", name).await.is_some() {
                left.push(name);
            }
        }
        assert_eq!(left, ["b", "c"]);
        assert!(kept(&database, "you", "theirs").await.is_some());
        keep(&database, "me", "large", answer(&"x".repeat(2_000), 5), limits).await;
        assert_eq!(kept(&database, "me", "large").await, None, "larger than all may be together");
    }
}
