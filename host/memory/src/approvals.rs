//! Standing approvals in the database. One that is taken back or has ended stays as a row, so
//! that what once held can be shown.

use crate::database::Database;
use crate::failure::Failure;
use crate::journal::stored;
use crate::sql::Row;
use futures_util::future::BoxFuture;
use hydroid_core::id::{ComponentId, UserId};
use hydroid_core::ports::{Approvals, Clock, StandingApproval, StoreError};
use libsql::params;
use std::sync::Arc;

/// The columns in the order [`past`] reads them.
const COLUMNS: &str = "id, user_id, calls, component, created_ms, expires_ms, revoked_ms";

/// What people allowed for good, as a database keeps it. Clones share it.
#[derive(Clone)]
pub struct StandingApprovals {
    database: Database,
    /// For when one is taken back.
    clock: Arc<dyn Clock>,
}

/// An approval with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastApproval {
    /// As it was given.
    pub approval: StandingApproval,
    /// When it was taken back, in milliseconds since 1970-01-01 UTC.
    pub revoked_ms: Option<u64>,
}

impl StandingApprovals {
    /// Those of this database.
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }

    /// Every one a user ever gave, oldest first.
    pub async fn history(&self, user: &UserId) -> Result<Vec<PastApproval>, StoreError> {
        let user = user.to_string();
        self.database
            .read("read the approvals", async move |connection| {
                let sql = format!(
                    "SELECT {COLUMNS} FROM approvals WHERE user_id = ?1 ORDER BY created_ms, id"
                );
                let mut rows = connection.query(&sql, [user]).await?;
                let mut all = Vec::new();
                while let Some(row) = rows.next().await? {
                    all.push(past(&row)?);
                }
                Ok(all)
            })
            .await
    }
}

impl PastApproval {
    /// True if it holds at a time.
    pub fn holds_at(&self, now_ms: u64) -> bool {
        self.revoked_ms.is_none() && self.approval.expires_ms.is_none_or(|end| now_ms < end)
    }
}

impl Approvals for StandingApprovals {
    fn standing<'a>(
        &'a self,
        user: &'a UserId,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<Vec<StandingApproval>, StoreError>> {
        Box::pin(async move {
            let all = self.history(user).await?;
            let standing = all.into_iter().filter(|past| past.holds_at(now_ms));
            Ok(standing.map(|past| past.approval).collect())
        })
    }

    fn give(&self, approval: StandingApproval) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.database.write("keep an approval", async move |connection| {
            connection
                .execute(
                    "INSERT INTO approvals (user_id, id, calls, component, created_ms, expires_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        approval.user.as_str(),
                        approval.id,
                        approval.calls,
                        approval.component.map(|component| component.to_string()),
                        stored(approval.created_ms),
                        approval.expires_ms.map(stored),
                    ],
                )
                .await?;
            Ok(())
        }))
    }

    fn revoke<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let (user, id, now) = (user.to_string(), id.to_owned(), self.clock.now_ms());
        Box::pin(self.database.write("take an approval back", async move |connection| {
            let changed = connection
                .execute(
                    "UPDATE approvals SET revoked_ms = ?3
                     WHERE user_id = ?1 AND id = ?2 AND revoked_ms IS NULL",
                    params![user, id, stored(now)],
                )
                .await?;
            Ok(changed > 0)
        }))
    }
}

impl std::fmt::Debug for StandingApprovals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StandingApprovals")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

fn past(row: &Row) -> Result<PastApproval, Failure> {
    let moment = |column: i32| -> Result<Option<u64>, Failure> {
        Ok(row.get::<Option<i64>>(column)?.map(u64::try_from).transpose()?)
    };
    Ok(PastApproval {
        approval: StandingApproval {
            id: row.get(0)?,
            user: UserId::new(row.get::<String>(1)?),
            calls: row.get(2)?,
            component: row.get::<Option<String>>(3)?.map(ComponentId::new),
            created_ms: u64::try_from(row.get::<i64>(4)?)?,
            expires_ms: moment(5)?,
        },
        revoked_ms: moment(6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct At(u64);

    impl Clock for At {
        fn now_ms(&self) -> u64 {
            self.0
        }
    }

    fn approval(user: &str, id: &str, expires_ms: Option<u64>) -> StandingApproval {
        StandingApproval {
            id: id.into(),
            user: UserId::new(user),
            calls: "web_fetch(example.com)".into(),
            component: Some(ComponentId::new("tool-web")),
            created_ms: 10,
            expires_ms,
        }
    }

    async fn kept() -> StandingApprovals {
        let database = Database::open_in_memory().await.unwrap();
        for user in ["anna", "ben"] {
            database.add_user(&UserId::new(user)).await.unwrap();
        }
        StandingApprovals::new(database, Arc::new(At(50)))
    }

    async fn ids(approvals: &StandingApprovals, user: &str, now_ms: u64) -> Vec<String> {
        let standing = approvals.standing(&UserId::new(user), now_ms).await.unwrap();
        standing.into_iter().map(|approval| approval.id).collect()
    }

    #[tokio::test]
    async fn one_that_was_given_is_found_again_as_it_was_by_its_user_only() {
        let approvals = kept().await;
        let given = approval("anna", "a", Some(100));
        approvals.give(given.clone()).await.unwrap();
        assert_eq!(approvals.standing(&UserId::new("anna"), 50).await.unwrap(), [given]);
        assert_eq!(ids(&approvals, "ben", 50).await, [""; 0]);
    }

    #[tokio::test]
    async fn one_ends_when_its_time_has_come() {
        let approvals = kept().await;
        approvals.give(approval("anna", "a", Some(100))).await.unwrap();
        approvals.give(approval("anna", "b", None)).await.unwrap();
        assert_eq!(ids(&approvals, "anna", 99).await, ["a", "b"]);
        assert_eq!(ids(&approvals, "anna", 100).await, ["b"]);
    }

    #[tokio::test]
    async fn one_that_was_taken_back_holds_no_longer_and_is_remembered() {
        let approvals = kept().await;
        let anna = UserId::new("anna");
        approvals.give(approval("anna", "a", None)).await.unwrap();
        assert!(!approvals.revoke(&UserId::new("ben"), "a").await.unwrap(), "by somebody else");
        assert!(!approvals.revoke(&anna, "b").await.unwrap());
        assert!(approvals.revoke(&anna, "a").await.unwrap());
        assert!(!approvals.revoke(&anna, "a").await.unwrap(), "twice");
        assert_eq!(ids(&approvals, "anna", 60).await, [""; 0]);
        let history = approvals.history(&anna).await.unwrap();
        assert_eq!(history[0].revoked_ms, Some(50));
    }

    #[tokio::test]
    async fn an_identifier_is_given_once() {
        let approvals = kept().await;
        approvals.give(approval("anna", "a", None)).await.unwrap();
        approvals.give(approval("anna", "a", None)).await.unwrap_err();
        approvals.give(approval("ben", "a", None)).await.unwrap();
        approvals.give(approval("nobody", "a", None)).await.unwrap_err();
    }
}
