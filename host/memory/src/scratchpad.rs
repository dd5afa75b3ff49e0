//! The scratchpad of a session in the database. When it is shown to a model is not decided here.

use crate::database::Database;
use crate::failure::Failure;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::ports::{RecallError, StoreError, check_scratchpad};

impl Database {
    pub(crate) async fn read_scratchpad(
        &self,
        user: &UserId,
        session: &SessionId,
    ) -> Result<String, RecallError> {
        let (user, session) = (user.to_string(), session.to_string());
        let sql = "SELECT text FROM scratchpads WHERE user_id = ?1 AND session_id = ?2";
        let read = self.read_memory("read a scratchpad", async move |connection| {
            let mut rows = connection.query(sql, [user, session]).await?;
            Ok(rows.next().await?.map(|row| row.get(0)).transpose()?.unwrap_or_default())
        });
        Ok(read.await?)
    }

    pub(crate) async fn replace_scratchpad(
        &self,
        user: &UserId,
        session: &SessionId,
        text: String,
    ) -> Result<(), RecallError> {
        check_scratchpad(&text)?;
        let (user, session) = (user.to_string(), session.clone());
        let write = self.write_memory("write a scratchpad", async move |connection| {
            // A session of another user does not exist, so no row is inserted for it.
            let written = connection
                .execute(
                    "INSERT INTO scratchpads (user_id, session_id, text)
                     SELECT user_id, id, ?3 FROM sessions WHERE id = ?2 AND user_id = ?1
                     ON CONFLICT (user_id, session_id) DO UPDATE SET text = excluded.text",
                    [user.as_str(), session.as_str(), &text],
                )
                .await?;
            if written == 0 {
                return Err(Failure::Store(StoreError::NoSession(session)));
            }
            Ok(())
        });
        Ok(write.await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::ports::{Journal, LONGEST_SCRATCHPAD, NewSession, Recall};

    async fn database() -> (Database, UserId, SessionId) {
        let database = Database::open_in_memory().await.unwrap();
        let (user, id) = (UserId::new("local"), SessionId::new("s"));
        let session =
            NewSession { id: id.clone(), user: user.clone(), title: "t".into(), created_ms: 1 };
        database.create(session).await.unwrap();
        (database, user, id)
    }

    #[tokio::test]
    async fn a_scratchpad_is_empty_then_what_was_written_last() {
        let (database, user, session) = database().await;
        assert_eq!(database.scratchpad(&user, &session).await.unwrap(), "");
        for text in ["first", "second\n🦀", ""] {
            database.write_scratchpad(&user, &session, text.into()).await.unwrap();
            assert_eq!(database.scratchpad(&user, &session).await.unwrap(), text);
        }
        let refused = database.write_scratchpad(&user, &session, "a\0b".into()).await;
        assert!(matches!(refused, Err(RecallError::Nul)), "{refused:?}");
        let long = "x".repeat(LONGEST_SCRATCHPAD + 1);
        let error = database.write_scratchpad(&user, &session, long).await.unwrap_err();
        assert!(error.to_string().contains("at most 16384 bytes"), "{error}");
    }

    #[tokio::test]
    async fn a_scratchpad_of_another_user_or_session_is_not_seen() {
        let (database, user, session) = database().await;
        let anna = UserId::new("anna");
        database.add_user(&anna).await.unwrap();
        database.write_scratchpad(&user, &session, "mine".into()).await.unwrap();
        assert_eq!(database.scratchpad(&anna, &session).await.unwrap(), "");
        let other = SessionId::new("other");
        assert_eq!(database.scratchpad(&user, &other).await.unwrap(), "");
        for (user, session) in [(&anna, &session), (&user, &other)] {
            let refused = database.write_scratchpad(user, session, "hers".into()).await;
            assert!(
                matches!(refused, Err(RecallError::Store(StoreError::NoSession(_)))),
                "{refused:?}"
            );
        }
        assert_eq!(database.scratchpad(&user, &session).await.unwrap(), "mine");
    }
}
