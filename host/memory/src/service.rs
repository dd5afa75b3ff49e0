//! Sessions and memory at a service: its schema, and running work there. What is said to it is in
//! `stream`; that it exists is the configuration's affair.
//!
//! Its schema is one of its own, because such a service allows less than a file: no mark of the
//! application, no `ORDER BY` inside of an aggregate, no writing over of what is deleted.

use crate::failure::{Cause, Failure};
use crate::sql::Connection;
use crate::stream::Stream;
use hydroid_core::ports::StoreService;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The steps in order; the number of each is its position from 1. One that was released is never
/// changed.
const SCHEMA: &[&str] = &[
    include_str!("../migrations/service/0001_memory.sql"),
    include_str!("../migrations/service/0002_waiting.sql"),
];

/// A database that is a service.
pub(crate) struct Service {
    door: Arc<dyn StoreService>,
    /// Its schema is as this version knows it. Looked at with the first work.
    ready: OnceCell<()>,
}

impl Service {
    pub(crate) fn new(door: Arc<dyn StoreService>) -> Self {
        Self { door, ready: OnceCell::new() }
    }

    pub(crate) fn address(&self) -> &str {
        self.door.address()
    }

    /// True once it was asked and answered.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.initialized()
    }

    /// Runs work that only reads.
    pub(crate) async fn read<T>(
        &self,
        users: &[String],
        work: impl AsyncFnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.prepare(users).await?;
        work(&Connection::Service(Stream::reading(self.door.clone()))).await
    }

    /// Runs work in one transaction.
    pub(crate) async fn write<T>(
        &self,
        users: &[String],
        work: impl AsyncFnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.prepare(users).await?;
        self.transaction(work).await
    }

    async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let stream = Stream::transaction(self.door.clone());
        match work(&Connection::Service(stream.clone())).await {
            Ok(done) => {
                stream.commit().await?;
                Ok(done)
            }
            Err(failure) => {
                stream.give_up().await;
                Err(failure)
            }
        }
    }

    async fn prepare(&self, users: &[String]) -> Result<(), Failure> {
        self.ready
            .get_or_try_init(async || {
                self.migrate().await?;
                let reading = Connection::Service(Stream::reading(self.door.clone()));
                for user in users {
                    if !is_known(&reading, user).await? {
                        self.transaction(async |connection| add_user(connection, user).await)
                            .await?;
                    }
                }
                Ok(())
            })
            .await
            .copied()
    }

    async fn migrate(&self) -> Result<(), Failure> {
        let reading = Connection::Service(Stream::reading(self.door.clone()));
        while self.missing(&reading).await?.is_some() {
            self.transaction(async |connection| {
                // Looked at again inside, because another process may be doing the same.
                let Some((number, step)) = self.missing(connection).await? else { return Ok(()) };
                connection.execute_batch(step).await?;
                connection.execute(&format!("PRAGMA user_version = {number}"), ()).await?;
                tracing::debug!(version = number, "migrated the memory at a service");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// The next step and its number; none if all were done.
    async fn missing(
        &self,
        connection: &Connection,
    ) -> Result<Option<(usize, &'static str)>, Failure> {
        let found = usize::try_from(number(connection, "PRAGMA user_version").await?)?;
        // What begins so is the service's own.
        let others = "SELECT count(*) FROM sqlite_schema
            WHERE substr(name, 1, 7) NOT IN ('sqlite_', 'libsql_') AND substr(name, 1, 11) <> '_litestream'";
        let ours = "SELECT count(*) FROM sqlite_schema WHERE name IN ('entries', 'user_numbers', 'vectors')";
        let fits = match found {
            0 => number(connection, others).await? == 0,
            _ => number(connection, ours).await? == 3,
        };
        if !fits {
            return Err(Cause::ForeignService { address: self.address().to_owned() }.into());
        }
        if found > SCHEMA.len() {
            let (address, known) = (self.address().to_owned(), SCHEMA.len());
            return Err(Cause::NewerService { address, found, known }.into());
        }
        Ok(SCHEMA.get(found).map(|step| (found + 1, *step)))
    }
}

async fn number(connection: &Connection, sql: &str) -> Result<i64, Failure> {
    let mut rows = connection.query(sql, ()).await?;
    let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
    Ok(row.get(0)?)
}

async fn is_known(connection: &Connection, user: &str) -> Result<bool, Failure> {
    let sql = "SELECT 1 FROM users WHERE id = ?1";
    Ok(connection.query(sql, [user]).await?.next().await?.is_some())
}

pub(crate) async fn add_user(connection: &Connection, user: &str) -> Result<(), Failure> {
    let sql = "INSERT INTO users (id) VALUES (?1) ON CONFLICT DO NOTHING";
    connection.execute(sql, [user]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Database;
    use crate::sql::Prepared;
    use std::collections::BTreeMap;

    /// Tables that stay in the file.
    const NOT_THERE: [&str; 11] = [
        "approvals",
        "audit",
        "home",
        "kept_answers",
        "kv",
        "kv_usage",
        "model_requests",
        "rate_limits",
        "request_counts",
        "secret_keys",
        "secrets",
    ];

    /// Names of what is in a schema with the columns of tables and indexes.
    async fn shape(connection: &Connection) -> BTreeMap<String, Vec<String>> {
        let sql = "SELECT type || ' ' || name || ' of ' || tbl_name, name FROM sqlite_schema
                   WHERE name NOT LIKE 'sqlite_%'
                       AND tbl_name NOT IN (SELECT value FROM json_each(?1))";
        let without = serde_json::to_string(&NOT_THERE).unwrap();
        let mut rows = connection.query(sql, [without]).await.unwrap();
        let mut shape = BTreeMap::new();
        while let Some(row) = rows.next().await.unwrap() {
            let (what, name): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
            let sql = "SELECT name || ' ' || type || ' ' || \"notnull\" || ' ' || pk || ' '
                           || coalesce(dflt_value, '') FROM pragma_table_xinfo(?1)
                       UNION ALL SELECT coalesce(name, '') || desc FROM pragma_index_xinfo(?1)";
            let mut columns = connection.query(sql, [name]).await.unwrap();
            let entry: &mut Vec<String> = shape.entry(what).or_default();
            while let Some(column) = columns.next().await.unwrap() {
                entry.push(column.get(0).unwrap());
            }
            entry.sort();
        }
        shape
    }

    #[tokio::test]
    async fn the_schema_at_a_service_is_that_of_a_file() {
        let there = libsql::Builder::new_local(":memory:").build().await.unwrap();
        let there = Connection::File(Prepared::new(there.connect().unwrap()));
        for step in SCHEMA {
            there.execute_batch(step).await.unwrap();
        }
        let here = Database::open_in_memory().await.unwrap();
        let here = here.exclusively("look", async |here| Ok(shape(here).await)).await.unwrap();
        assert_eq!(here, shape(&there).await);
    }

    /// Work on a table of sessions or memory that went to the file would be lost beside a service.
    #[test]
    fn each_module_keeps_what_it_has_in_one_place() {
        let there = [
            ("conversations", include_str!("conversations.rs")),
            ("embedding", include_str!("embedding.rs")),
            ("files", include_str!("files.rs")),
            ("journal", include_str!("journal.rs")),
            ("notes", include_str!("notes.rs")),
            ("scratchpad", include_str!("scratchpad.rs")),
            ("search", include_str!("search.rs")),
            ("search/newest", include_str!("search/newest.rs")),
            ("secret_places", include_str!("secret_places.rs")),
            ("unfinished", include_str!("unfinished.rs")),
            ("waiting", include_str!("waiting.rs")),
        ];
        let here = [
            ("approvals", include_str!("approvals.rs")),
            ("audit", include_str!("audit.rs")),
            ("audit/query", include_str!("audit/query.rs")),
            ("audit/verify", include_str!("audit/verify.rs")),
            ("home", include_str!("home.rs")),
            ("kept_answers", include_str!("kept_answers.rs")),
            ("kv", include_str!("kv.rs")),
            ("ledger", include_str!("ledger.rs")),
            ("rate_limits", include_str!("rate_limits.rs")),
            ("request_budget", include_str!("request_budget.rs")),
            ("secrets", include_str!("secrets.rs")),
        ];
        let has = |text: &str, calls: [&str; 2]| {
            let product = text.split("#[cfg(test)]").next().unwrap();
            calls.iter().any(|call| product.contains(call))
        };
        for (module, text) in there {
            assert!(has(text, [".read_memory(", ".write_memory("]), "{module}");
            assert!(!has(text, [".read(", ".write("]), "{module} keeps something in the file");
        }
        for (module, text) in here {
            assert!(!has(text, [".read_memory(", ".write_memory("]), "{module} goes to a service");
        }
    }
}
