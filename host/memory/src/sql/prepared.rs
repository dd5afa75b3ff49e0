//! A connection to a file that keeps its statements prepared: to parse and plan one costs about
//! as much as to run it. What is asked is in the other files.

use super::SqlError;
use libsql::params::{IntoParams, Params};
use libsql::{Connection, Statement, Value};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Statements a connection keeps; ours are fewer, and none is made of what a person writes.
const MOST_KEPT: usize = 128;

/// A kept statement holds its last values; one with so many bytes is not kept.
const LARGEST_VALUE: usize = 16 * 1024;

/// A connection with the statements that were run on it. Clones share them.
#[derive(Clone)]
pub(crate) struct Prepared {
    inner: Arc<Inner>,
}

struct Inner {
    /// Before the connection, so that they are dropped before it.
    kept: Mutex<HashMap<String, Statement>>,
    connection: Connection,
}

/// A statement while somebody reads its rows. Dropping it makes it ready for the next.
pub(crate) struct Taken {
    from: Arc<Inner>,
    /// There until it is dropped.
    statement: Option<Statement>,
    sql: String,
    keep: bool,
}

impl Prepared {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { inner: Arc::new(Inner { kept: Mutex::default(), connection }) }
    }

    /// The connection below, for what is not kept.
    pub(crate) fn connection(&self) -> &Connection {
        &self.inner.connection
    }

    pub(crate) async fn query(
        &self,
        sql: &str,
        values: impl IntoParams,
    ) -> Result<(libsql::Rows, Arc<Taken>), SqlError> {
        let values = values.into_params()?;
        let taken = self.take(sql, &values).await?;
        let rows = taken.statement().query(values).await?;
        Ok((rows, Arc::new(taken)))
    }

    pub(crate) async fn execute(
        &self,
        sql: &str,
        values: impl IntoParams,
    ) -> Result<u64, SqlError> {
        let values = values.into_params()?;
        let taken = self.take(sql, &values).await?;
        Ok(u64::try_from(taken.statement().execute(values).await?).unwrap_or(u64::MAX))
    }

    pub(crate) async fn execute_each<const N: usize>(
        &self,
        sql: &str,
        rows: impl IntoIterator<Item = [libsql::Result<Value>; N]>,
    ) -> Result<(), SqlError> {
        let mut taken: Option<Taken> = None;
        for values in rows {
            let values = values.into_params()?;
            let mut statement = match taken.take() {
                Some(statement) => statement,
                None => self.take(sql, &values).await?,
            };
            statement.keep &= is_small(&values);
            statement.statement().reset();
            statement.statement().execute(values).await?;
            taken = Some(statement);
        }
        Ok(())
    }

    async fn take(&self, sql: &str, values: &Params) -> Result<Taken, SqlError> {
        let kept = self.inner.kept().remove(sql);
        let count = match values {
            Params::None => 0,
            Params::Positional(values) => values.len(),
            Params::Named(_) => return Err(SqlError::Unexpected),
        };
        // A value that is not given would be the last one that was.
        let statement = match kept.filter(|statement| statement.parameter_count() == count) {
            Some(statement) => statement,
            None => self.inner.connection.prepare(sql).await?,
        };
        Ok(Taken {
            from: Arc::clone(&self.inner),
            keep: is_small(values) && statement.parameter_count() == count,
            statement: Some(statement),
            sql: sql.to_owned(),
        })
    }
}

impl Inner {
    fn kept(&self) -> MutexGuard<'_, HashMap<String, Statement>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn statement(&self) -> &Statement {
        self.statement.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some(statement) = self.statement.take() else { return };
        statement.reset();
        if self.keep {
            let mut kept = self.from.kept();
            if kept.len() >= MOST_KEPT {
                kept.clear();
            }
            kept.insert(std::mem::take(&mut self.sql), statement);
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").finish_non_exhaustive()
    }
}

fn is_small(values: &Params) -> bool {
    let Params::Positional(values) = values else { return true };
    let bytes = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        Value::Null | Value::Integer(_) | Value::Real(_) => 0,
    };
    values.iter().map(bytes).sum::<usize>() <= LARGEST_VALUE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Connection as Face;

    async fn prepared() -> Prepared {
        let database = libsql::Builder::new_local(":memory:").build().await.unwrap();
        let prepared = Prepared::new(database.connect().unwrap());
        let sql = "CREATE TABLE t (a INTEGER, b TEXT)";
        prepared.connection().execute_batch(sql).await.unwrap();
        prepared
    }

    async fn numbers(prepared: &Prepared, least: i64) -> Vec<i64> {
        let face = Face::File(prepared.clone());
        let mut rows =
            face.query("SELECT a FROM t WHERE a >= ?1 ORDER BY a", [least]).await.unwrap();
        let mut numbers = Vec::new();
        while let Some(row) = rows.next().await.unwrap() {
            numbers.push(row.get(0).unwrap());
        }
        numbers
    }

    #[tokio::test]
    async fn a_kept_statement_answers_as_a_new_one() {
        let prepared = prepared().await;
        let sql = "INSERT INTO t VALUES (?1, ?2)";
        for number in [1, 2, 3] {
            assert_eq!(prepared.execute(sql, libsql::params![number, "b"]).await.unwrap(), 1);
        }
        assert_eq!(numbers(&prepared, 2).await, [2, 3]);
        assert_eq!(numbers(&prepared, 1).await, [1, 2, 3]);
        let more = [libsql::params![4, "b"], libsql::params![5, "b"]];
        prepared.execute_each(sql, more).await.unwrap();
        assert_eq!(numbers(&prepared, 4).await, [4, 5]);
        assert_eq!(prepared.inner.kept().len(), 2);
        prepared.connection().execute_batch("ALTER TABLE t ADD COLUMN c").await.unwrap();
        assert_eq!(numbers(&prepared, 5).await, [5], "a change of the schema is noticed");
        assert!(prepared.execute(sql, libsql::params![1, "b"]).await.is_err());
    }

    #[tokio::test]
    async fn rows_that_are_read_at_once_do_not_disturb_each_other() {
        let prepared = prepared().await;
        for number in [1, 2] {
            prepared.execute("INSERT INTO t VALUES (?1, '')", [number]).await.unwrap();
        }
        let face = Face::File(prepared.clone());
        let sql = "SELECT a FROM t ORDER BY a";
        let mut outer = face.query(sql, ()).await.unwrap();
        let mut seen = Vec::new();
        while let Some(row) = outer.next().await.unwrap() {
            let mut inner = face.query(sql, ()).await.unwrap();
            while let Some(other) = inner.next().await.unwrap() {
                seen.push((row.get::<i64>(0).unwrap(), other.get::<i64>(0).unwrap()));
            }
        }
        assert_eq!(seen, [(1, 1), (1, 2), (2, 1), (2, 2)]);
        let row = face.query(sql, ()).await.unwrap().next().await.unwrap().unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 1, "a row outlives its rows");
    }

    #[tokio::test]
    async fn a_half_read_answer_keeps_nobody_from_writing_and_large_values_are_let_go() {
        let prepared = prepared().await;
        let sql = "INSERT INTO t VALUES (?1, ?2)";
        let large = "x".repeat(LARGEST_VALUE + 1);
        prepared.execute(sql, libsql::params![1, large.clone()]).await.unwrap();
        prepared.execute_each(sql, [libsql::params![2, large]]).await.unwrap();
        assert!(prepared.inner.kept().is_empty());
        let face = Face::File(prepared.clone());
        drop(face.query("SELECT a FROM t", ()).await.unwrap());
        prepared.connection().execute_batch("DROP TABLE t").await.unwrap();
        let mut rows = face.query("SELECT a FROM t", ()).await.unwrap();
        assert!(rows.next().await.is_err());
    }

    #[tokio::test]
    async fn a_value_that_is_missing_is_none_and_not_the_last() {
        let prepared = prepared().await;
        let sql = "INSERT INTO t VALUES (?1, ?2)";
        prepared.execute(sql, libsql::params![1, "mine"]).await.unwrap();
        prepared.execute(sql, libsql::params![2]).await.unwrap();
        let face = Face::File(prepared.clone());
        let sql = "SELECT b FROM t WHERE a = 2";
        let row = face.query(sql, ()).await.unwrap().next().await.unwrap().unwrap();
        assert_eq!(row.get::<Option<String>>(0).unwrap(), None);
    }
}
