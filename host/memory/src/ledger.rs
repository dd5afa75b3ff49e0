//! What requests to models cost, in the database: a row for each, exact amounts, sums on demand.
//! Whether a budget is used up is not decided here.

use crate::database::Database;
use crate::failure::Failure;
use crate::journal::stored;
use crate::sql::{Row, SqlError};
use futures_util::future::BoxFuture;
use hydroid_core::id::UserId;
use hydroid_core::message::Usage;
use hydroid_core::money::Money;
use hydroid_core::ports::{
    Charge, Grouping, Ledger, RequestNumber, Since, Spent, SpentBy, StoreError,
};
use libsql::params;

/// Sums in the order [`spent`] reads them. Amounts are added in two halves, because SQLite ends
/// with an error where a sum of whole numbers does not fit.
const SUMS: &str = "count(*), total(input), total(output), total(cache_read), total(cache_write),
    total(reasoning), coalesce(sum(pico_dollars / 1000000000), 0),
    coalesce(sum(pico_dollars % 1000000000), 0), count(*) - count(pico_dollars)";

/// The rows of a user, and those of one session of theirs. Two texts, because each has an index
/// of its own.
const OF_USER: &str = "user_id = ?1 AND at_ms >= ?2 AND ?3 IS NULL";
const OF_SESSION: &str = "session_id = ?3 AND user_id = ?1 AND at_ms >= ?2";

/// What the higher half of an amount counts.
const HALF: i128 = 1_000_000_000;

/// Groups in one answer; more than a person reads, and few enough to hold.
const MOST_GROUPS: u32 = 1_000;

impl Ledger for Database {
    fn begin(&self, charge: Charge) -> BoxFuture<'_, Result<RequestNumber, StoreError>> {
        Box::pin(self.write("keep that a model is asked", async move |connection| {
            connection
                .execute(
                    "INSERT INTO model_requests
                         (user_id, agent, session_id, turn, provider, model, at_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        charge.user.as_str(),
                        charge.agent,
                        charge.session.as_str(),
                        charge.turn.as_str(),
                        charge.provider.as_str(),
                        charge.model,
                        stored(charge.at_ms),
                    ],
                )
                .await?;
            Ok(RequestNumber(connection.last_insert_rowid()))
        }))
    }

    fn settle(
        &self,
        request: RequestNumber,
        usage: Usage,
        cost: Option<Money>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write("keep what a request cost", async move |connection| {
            connection
                .execute(
                    "UPDATE model_requests
                     SET input = ?2, output = ?3, cache_read = ?4, cache_write = ?5,
                         reasoning = ?6, pico_dollars = ?7
                     WHERE id = ?1",
                    params![
                        request.0,
                        stored(usage.input),
                        stored(usage.output),
                        stored(usage.cache_read),
                        stored(usage.cache_write),
                        stored(usage.reasoning),
                        cost.map(|cost| stored(cost.pico())),
                    ],
                )
                .await?;
            Ok(())
        }))
    }

    fn spent<'a>(
        &'a self,
        user: &'a UserId,
        since: Since<'a>,
    ) -> BoxFuture<'a, Result<Spent, StoreError>> {
        let (user, session) = (user.to_string(), since.session.map(ToString::to_string));
        let (from, meant) = (stored(since.from_ms), meant(since));
        Box::pin(self.read("add up what was spent", async move |connection| {
            let sql = format!("SELECT {SUMS} FROM model_requests WHERE {meant}");
            let mut rows = connection.query(&sql, params![user, from, session]).await?;
            let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
            spent(&row, 0)
        }))
    }

    fn spent_by<'a>(
        &'a self,
        user: &'a UserId,
        since: Since<'a>,
        by: Grouping,
    ) -> BoxFuture<'a, Result<Vec<SpentBy>, StoreError>> {
        let (user, session) = (user.to_string(), since.session.map(ToString::to_string));
        let (from, meant) = (stored(since.from_ms), meant(since));
        Box::pin(self.read("add up what was spent", async move |connection| {
            let group = column(by);
            let sql = format!(
                "SELECT {group}, {SUMS} FROM model_requests WHERE {meant}
                 GROUP BY 1 ORDER BY max(at_ms) DESC, 1 LIMIT {MOST_GROUPS}"
            );
            let mut rows = connection.query(&sql, params![user, from, session]).await?;
            let mut groups = Vec::new();
            while let Some(row) = rows.next().await? {
                groups.push(SpentBy { group: row.get(0)?, spent: spent(&row, 1)? });
            }
            Ok(groups)
        }))
    }
}

fn meant(since: Since<'_>) -> &'static str {
    if since.session.is_some() { OF_SESSION } else { OF_USER }
}

/// What a group is called, as SQL.
fn column(by: Grouping) -> &'static str {
    match by {
        Grouping::Session => "session_id",
        Grouping::Turn => "turn",
        Grouping::Day => "date(at_ms / 1000, 'unixepoch')",
        Grouping::Model => "provider || '/' || model",
        Grouping::Agent => "agent",
        Grouping::User => "user_id",
    }
}

/// The sums of a row from a column on.
fn spent(row: &Row, from: i32) -> Result<Spent, Failure> {
    let whole = |column: i32| -> Result<i64, SqlError> { row.get(from + column) };
    let tokens = |column: i32| -> Result<u64, SqlError> {
        let total: f64 = row.get(from + column)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts of tokens are not negative and far below 2^53"
        )]
        Ok(total as u64)
    };
    let pico = i128::from(whole(6)?) * HALF + i128::from(whole(7)?);
    Ok(Spent {
        requests: u64::try_from(whole(0)?)?,
        usage: Usage {
            input: tokens(1)?,
            output: tokens(2)?,
            cache_read: tokens(3)?,
            cache_write: tokens(4)?,
            reasoning: tokens(5)?,
        },
        known: Money::of_pico(u64::try_from(pico).unwrap_or(u64::MAX)),
        unknown: u64::try_from(whole(8)?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::id::{ComponentId, SessionId, TurnId};

    const DAY_MS: u64 = 86_400_000;

    fn charge(user: &str, session: &str, model: &str, at_ms: u64) -> Charge {
        Charge {
            user: UserId::new(user),
            agent: "main".into(),
            session: SessionId::new(session),
            turn: TurnId::new(format!("turn-of-{session}")),
            provider: ComponentId::new("p"),
            model: model.into(),
            at_ms,
        }
    }

    async fn pay(database: &Database, charge: Charge, pico: Option<u64>) {
        let request = database.begin(charge).await.unwrap();
        let usage = Usage { input: 10, output: 2, cache_read: 1, ..Usage::default() };
        database.settle(request, usage, pico.map(Money::of_pico)).await.unwrap();
    }

    /// Two days, two sessions, two models, one of them without a price, and another user.
    async fn filled(database: &Database) {
        database.add_user(&UserId::new("anna")).await.unwrap();
        pay(database, charge("local", "a", "m", 5), Some(1)).await;
        pay(database, charge("local", "a", "m", DAY_MS - 1), Some(2_000_000_000_001)).await;
        pay(database, charge("local", "b", "m", DAY_MS), Some(40)).await;
        pay(database, charge("local", "b", "free", DAY_MS + 7), None).await;
        pay(database, charge("anna", "c", "m", DAY_MS), Some(500)).await;
    }

    async fn sum(database: &Database, user: &str, since: Since<'_>) -> (u64, u64, u64) {
        let spent = database.spent(&UserId::new(user), since).await.unwrap();
        (spent.requests, spent.known.pico(), spent.unknown)
    }

    async fn groups(database: &Database, by: Grouping) -> Vec<(String, u64, u64)> {
        let user = UserId::new("local");
        let groups = database.spent_by(&user, Since::default(), by).await.unwrap();
        groups.into_iter().map(|by| (by.group, by.spent.known.pico(), by.spent.unknown)).collect()
    }

    #[tokio::test]
    async fn sums_are_exact_and_of_one_user() {
        let database = Database::open_in_memory().await.unwrap();
        filled(&database).await;
        assert_eq!(sum(&database, "local", Since::default()).await, (4, 2_000_000_000_042, 1));
        assert_eq!(sum(&database, "anna", Since::default()).await, (1, 500, 0));
        assert_eq!(sum(&database, "nobody", Since::default()).await, (0, 0, 0));
        let today = Since { from_ms: DAY_MS, session: None };
        assert_eq!(sum(&database, "local", today).await, (2, 40, 1));
        let session = SessionId::new("a");
        let of_session = Since { from_ms: 0, session: Some(&session) };
        assert_eq!(sum(&database, "local", of_session).await, (2, 2_000_000_000_002, 0));
        assert_eq!(sum(&database, "anna", of_session).await, (0, 0, 0));
        let spent = database.spent(&UserId::new("local"), Since::default()).await.unwrap();
        assert_eq!(spent.usage, Usage { input: 40, output: 8, cache_read: 4, ..Usage::default() });
    }

    #[tokio::test]
    async fn groups_are_newest_first() {
        let database = Database::open_in_memory().await.unwrap();
        filled(&database).await;
        let named = |name: &str, pico, unknown| (name.to_owned(), pico, unknown);
        assert_eq!(
            groups(&database, Grouping::Day).await,
            [named("1970-01-02", 40, 1), named("1970-01-01", 2_000_000_000_002, 0)]
        );
        assert_eq!(
            groups(&database, Grouping::Model).await,
            [named("p/free", 0, 1), named("p/m", 2_000_000_000_042, 0)]
        );
        assert_eq!(
            groups(&database, Grouping::Session).await,
            [named("b", 40, 1), named("a", 2_000_000_000_002, 0)]
        );
        assert_eq!(groups(&database, Grouping::Turn).await[0].0, "turn-of-b");
        assert_eq!(groups(&database, Grouping::Agent).await, [named("main", 2_000_000_000_042, 1)]);
        assert_eq!(groups(&database, Grouping::User).await, [named("local", 2_000_000_000_042, 1)]);
    }

    #[tokio::test]
    async fn a_request_is_of_unknown_cost_until_it_is_settled_and_the_last_word_stands() {
        let database = Database::open_in_memory().await.unwrap();
        let request = database.begin(charge("local", "a", "m", 1)).await.unwrap();
        assert_eq!(sum(&database, "local", Since::default()).await, (1, 0, 1));
        for pico in [3, 9] {
            let cost = Some(Money::of_pico(pico));
            database.settle(request, Usage::default(), cost).await.unwrap();
        }
        assert_eq!(sum(&database, "local", Since::default()).await, (1, 9, 0));
    }

    #[tokio::test]
    async fn what_was_spent_survives_reopening_and_a_crash() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hydroid.db");
        let database = Database::open(&path).await.unwrap();
        filled(&database).await;
        drop(database);
        let database = Database::open(&path).await.unwrap();
        assert_eq!(sum(&database, "local", Since::default()).await, (4, 2_000_000_000_042, 1));
        // Asked, and killed before the answer came: it is there, and its cost is not known.
        database.begin(charge("local", "d", "m", 1)).await.unwrap();
        drop(database);
        let database = Database::open(&path).await.unwrap();
        assert_eq!(sum(&database, "local", Since::default()).await, (5, 2_000_000_000_042, 2));
    }

    #[tokio::test]
    async fn sums_beyond_what_fits_stay_at_the_most() {
        let database = Database::open_in_memory().await.unwrap();
        for _ in 0..3 {
            pay(&database, charge("local", "a", "m", 1), Some(u64::MAX)).await;
        }
        assert_eq!(sum(&database, "local", Since::default()).await, (3, u64::MAX, 0));
    }

    #[tokio::test]
    async fn a_user_nobody_knows_is_not_charged() {
        let database = Database::open_in_memory().await.unwrap();
        assert!(database.begin(charge("nobody", "a", "m", 1)).await.is_err());
    }
}
