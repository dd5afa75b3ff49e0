//! What services said last of their limits, in the database: a row for each model. What is left
//! now is not decided here.

use crate::database::Database;
use futures_util::future::BoxFuture;
use hydroid_core::id::{ComponentId, UserId};
use hydroid_core::ports::{RateLimit, RateLimits, StoreError};
use libsql::params;

/// Rows of one user that are kept; more models than a person asks in a day.
const MOST: u32 = 64;

impl RateLimits for Database {
    fn keep_limits<'a>(
        &'a self,
        user: &'a UserId,
        said: RateLimit,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let user = user.to_string();
        Box::pin(self.write("keep what a service said of its limits", async move |connection| {
            let windows = serde_json::to_string(&said.windows)?;
            connection
                .execute(
                    "INSERT INTO rate_limits (user_id, provider, model, at_ms, windows)
                     VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (user_id, provider, model)
                     DO UPDATE SET at_ms = excluded.at_ms, windows = excluded.windows",
                    params![
                        user.clone(),
                        said.provider.as_str(),
                        said.model,
                        i64::try_from(said.at_ms)?,
                        windows
                    ],
                )
                .await?;
            connection
                .execute(
                    "DELETE FROM rate_limits WHERE user_id = ?1 AND (provider, model) NOT IN (
                        SELECT provider, model FROM rate_limits WHERE user_id = ?1
                        ORDER BY at_ms DESC LIMIT ?2
                    )",
                    params![user, MOST],
                )
                .await?;
            Ok(())
        }))
    }

    fn limits<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Vec<RateLimit>, StoreError>> {
        let user = user.to_string();
        Box::pin(self.read("look at what services said of their limits", async move |connection| {
            let sql = "SELECT provider, model, at_ms, windows FROM rate_limits
                       WHERE user_id = ?1 ORDER BY at_ms DESC, provider, model";
            let mut rows = connection.query(sql, params![user]).await?;
            let mut limits = Vec::new();
            while let Some(row) = rows.next().await? {
                let windows: String = row.get(3)?;
                // What another version wrote and this one cannot read was never said.
                let Ok(windows) = serde_json::from_str(&windows) else { continue };
                limits.push(RateLimit {
                    provider: ComponentId::new(row.get::<String>(0)?),
                    model: row.get(1)?,
                    at_ms: u64::try_from(row.get::<i64>(2)?)?,
                    windows,
                });
            }
            Ok(limits)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::ports::RateWindows;
    use std::time::Duration;

    fn said(model: &str, at_ms: u64, left: u32) -> RateLimit {
        let json = format!(r#"{{"requests":{{"limit":60,"remaining":{left}}}}}"#);
        let windows = RateWindows::of_event(&json).unwrap();
        RateLimit { provider: ComponentId::new("p"), model: model.into(), at_ms, windows }
    }

    async fn shown(database: &Database, user: &UserId) -> Vec<String> {
        let limits = database.limits(user).await.unwrap();
        limits
            .iter()
            .map(|said| format!("{} {}", said.model, said.windows.left(Duration::ZERO)))
            .collect()
    }

    #[tokio::test]
    async fn the_last_word_of_each_model_stands_and_each_user_has_their_own() {
        let database = Database::open_in_memory().await.unwrap();
        let (me, you) = (UserId::new("me"), UserId::new("you"));
        database.add_user(&me).await.unwrap();
        database.add_user(&you).await.unwrap();
        for limit in [said("a", 1, 59), said("b", 2, 5), said("a", 3, 58)] {
            database.keep_limits(&me, limit).await.unwrap();
        }
        assert_eq!(shown(&database, &me).await, ["a 58 of 60 requests", "b 5 of 60 requests"]);
        assert_eq!(shown(&database, &you).await, [""; 0]);
    }

    #[tokio::test]
    async fn the_oldest_go_when_there_are_too_many() {
        let database = Database::open_in_memory().await.unwrap();
        let me = UserId::new("me");
        database.add_user(&me).await.unwrap();
        for number in 0..=u64::from(MOST) {
            database.keep_limits(&me, said(&format!("m{number}"), number, 1)).await.unwrap();
        }
        let limits = database.limits(&me).await.unwrap();
        assert_eq!(limits.len(), MOST as usize);
        assert!(limits.iter().all(|limit| limit.model != "m0"));
    }
}
