//! Sessions whose last turn has no end: what a person may be asked about in them is found without
//! reading every session.

use crate::database::Database;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::ports::StoreError;

impl Database {
    /// Sessions of a user whose last turn has not ended, oldest first.
    pub async fn sessions_with_an_open_turn(
        &self,
        user: &UserId,
    ) -> Result<Vec<SessionId>, StoreError> {
        let user = user.to_string();
        self.read_memory("look for open turns", async move |connection| {
            // Most sessions end with the end of a turn, so from there back it is one row each.
            let sql = "SELECT id FROM sessions WHERE user_id = ?1 AND 'turn_started' = (
                    SELECT kind FROM entries
                    WHERE session_id = sessions.id AND kind IN ('turn_started', 'turn_ended')
                    ORDER BY seq DESC LIMIT 1
                ) ORDER BY created_ms, id";
            let mut rows = connection.query(sql, [user]).await?;
            let mut sessions = Vec::new();
            while let Some(row) = rows.next().await? {
                sessions.push(SessionId::new(row.get::<String>(0)?));
            }
            Ok(sessions)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::entry::{Entry, Outcome};
    use hydroid_core::id::TurnId;
    use hydroid_core::message::{Message, Usage};
    use hydroid_core::ports::{Journal, NewSession};

    fn started() -> Entry {
        Entry::TurnStarted { turn: TurnId::new("t"), parts: Message::user("hi").parts, key: None }
    }

    fn ended() -> Entry {
        let usage = Usage::default();
        Entry::TurnEnded {
            turn: TurnId::new("t"),
            outcome: Outcome::Completed,
            usage,
            dollars: None,
        }
    }

    #[tokio::test]
    async fn only_sessions_whose_last_turn_is_open_are_found() {
        let database = Database::open_in_memory().await.unwrap();
        let (anna, ben) = (UserId::new("anna"), UserId::new("ben"));
        let text = Entry::Text { turn: TurnId::new("t"), text: "x".into() };
        for (id, user, entries) in [
            ("empty", &anna, vec![]),
            ("ended", &anna, vec![started(), text.clone(), ended()]),
            ("open", &anna, vec![started(), ended(), started(), text]),
            ("of-another", &ben, vec![started()]),
        ] {
            database.add_user(user).await.unwrap();
            let id = SessionId::new(id);
            let new =
                NewSession { id: id.clone(), user: user.clone(), title: "t".into(), created_ms: 1 };
            database.create(new).await.unwrap();
            database.append(&id, &entries, 2).await.unwrap();
        }
        let found = database.sessions_with_an_open_turn(&anna).await.unwrap();
        assert_eq!(found, [SessionId::new("open")]);
    }
}
