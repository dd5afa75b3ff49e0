//! Counts of what components sent, kept in the database so that a restart does not empty them.
//! Whether a window is full is decided by [`full_window`]; here the counts are stored and read.

use crate::database::Database;
use futures_util::future::BoxFuture;
use hydroid_core::id::ComponentId;
use hydroid_core::ports::{
    FullWindow, RequestBudget, RequestWindow, Sent, StoreError, full_window,
};
use libsql::params;

impl RequestBudget for Database {
    fn take<'a>(
        &'a self,
        component: &'a ComponentId,
        windows: &'a [RequestWindow],
        second: u64,
    ) -> BoxFuture<'a, Result<Option<FullWindow>, StoreError>> {
        let (component, windows) = (component.to_string(), windows.to_vec());
        Box::pin(self.write("count a request", async move |connection| {
            let longest = windows.iter().map(|window| window.seconds).max().unwrap_or(0);
            let now = i64::try_from(second)?;
            let longest = i64::try_from(longest)?;
            // What is further ahead than any window is long was counted by a wrong clock.
            connection
                .execute(
                    "DELETE FROM request_counts
                     WHERE component = ?1 AND (second <= ?2 - ?3 OR second > ?2 + ?3)",
                    params![component.as_str(), now, longest],
                )
                .await?;
            let mut rows = connection
                .query(
                    "SELECT second, count FROM request_counts WHERE component = ?1 ORDER BY second",
                    [component.as_str()],
                )
                .await?;
            let mut sent = Vec::new();
            while let Some(row) = rows.next().await? {
                sent.push(Sent {
                    second: u64::try_from(row.get::<i64>(0)?)?,
                    count: u32::try_from(row.get::<i64>(1)?)?,
                });
            }
            drop(rows);
            let full = full_window(&sent, &windows, second);
            if full.is_none() {
                connection
                    .execute(
                        "INSERT INTO request_counts (component, second, count) VALUES (?1, ?2, 1)
                         ON CONFLICT (component, second) DO UPDATE SET count = count + 1",
                        params![component, now],
                    )
                    .await?;
            }
            Ok(full)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: RequestWindow = RequestWindow { key: "minute", seconds: 60, most: 2 };
    const HOUR: RequestWindow = RequestWindow { key: "hour", seconds: 3600, most: 3 };

    async fn take(
        database: &Database,
        component: &str,
        second: u64,
    ) -> Option<(&'static str, u64)> {
        let component = ComponentId::new(component);
        let full = database.take(&component, &[MINUTE, HOUR], second).await.unwrap();
        full.map(|full| (full.window.key, full.free_in.unwrap()))
    }

    #[tokio::test]
    async fn requests_are_counted_for_each_component_until_a_window_is_full() {
        let database = Database::open_in_memory().await.unwrap();
        assert_eq!(take(&database, "a", 1000).await, None);
        assert_eq!(take(&database, "a", 1010).await, None);
        assert_eq!(take(&database, "a", 1020).await, Some(("minute", 40)));
        assert_eq!(take(&database, "b", 1020).await, None);
        // A refused one was not counted, so the first to leave makes room.
        assert_eq!(take(&database, "a", 1060).await, None);
        assert_eq!(take(&database, "a", 2000).await, Some(("hour", 2600)));
        assert_eq!(take(&database, "a", 4600).await, None);
    }

    #[tokio::test]
    async fn a_restart_does_not_empty_a_window() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hydroid.db");
        for _ in 0..2 {
            let database = Database::open(&path).await.unwrap();
            assert_eq!(take(&database, "a", 1000).await, None);
        }
        let database = Database::open(&path).await.unwrap();
        assert_eq!(take(&database, "a", 1001).await, Some(("minute", 59)));
    }

    #[tokio::test]
    async fn a_clock_set_back_a_little_makes_no_room_and_a_wrong_one_does_not_block_for_ever() {
        let database = Database::open_in_memory().await.unwrap();
        for _ in 0..2 {
            assert_eq!(take(&database, "a", 1_000_000).await, None);
        }
        assert_eq!(take(&database, "a", 999_900).await, Some(("minute", 60)));
        assert_eq!(take(&database, "a", 900_000).await, None);
    }

    #[tokio::test]
    async fn requests_at_once_do_not_pass_together() {
        let database = Database::open_in_memory().await.unwrap();
        let asking = (0..8).map(|_| take(&database, "a", 5));
        let passed = futures_util::future::join_all(asking).await;
        assert_eq!(passed.iter().filter(|full| full.is_none()).count(), 2);
    }
}
