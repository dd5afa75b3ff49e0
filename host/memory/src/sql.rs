//! One face for a database in a file and one at a service, so that what is asked of them is
//! written once. It translates and decides nothing.

mod prepared;

use crate::stream::Stream;
use libsql::Value;
use libsql::params::{IntoParams, Params};
pub(crate) use prepared::Prepared;
use prepared::Taken;
use std::collections::VecDeque;
use std::sync::Arc;

/// Why a statement was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqlError {
    #[error(transparent)]
    File(#[from] libsql::Error),
    #[error(transparent)]
    Service(#[from] crate::stream::Refusal),
    #[error("the database answered with something else than was asked for")]
    Unexpected,
}

/// Where statements go.
#[derive(Clone)]
pub(crate) enum Connection {
    File(Prepared),
    Service(Arc<Stream>),
}

/// Rows of an answer.
pub(crate) enum Rows {
    File(libsql::Rows, Arc<Taken>),
    Service(VecDeque<Vec<Value>>),
}

/// One of them.
pub(crate) enum Row {
    File(
        libsql::Row,
        #[expect(dead_code, reason = "a row is read as long as its statement is taken")] Arc<Taken>,
    ),
    Service(Vec<Value>),
}

impl Connection {
    pub(crate) async fn query(&self, sql: &str, values: impl IntoParams) -> Result<Rows, SqlError> {
        match self {
            Self::File(connection) => {
                let (rows, taken) = connection.query(sql, values).await?;
                Ok(Rows::File(rows, taken))
            }
            Self::Service(stream) => {
                Ok(Rows::Service(stream.run(sql, positional(values)?).await?.rows.into()))
            }
        }
    }

    /// Returns how many rows were changed.
    pub(crate) async fn execute(
        &self,
        sql: &str,
        values: impl IntoParams,
    ) -> Result<u64, SqlError> {
        match self {
            Self::File(connection) => connection.execute(sql, values).await,
            Self::Service(stream) => Ok(stream.run(sql, positional(values)?).await?.changed),
        }
    }

    /// Executes a statement once for each row of values, with few ways to a service.
    pub(crate) async fn execute_each<const N: usize>(
        &self,
        sql: &str,
        rows: impl IntoIterator<Item = [libsql::Result<Value>; N]>,
    ) -> Result<(), SqlError> {
        match self {
            Self::File(connection) => connection.execute_each(sql, rows).await?,
            Self::Service(stream) => {
                let rows = rows.into_iter().map(|row| row.into_iter().collect());
                let rows = rows.collect::<Result<Vec<Vec<Value>>, libsql::Error>>()?;
                stream.run_each(sql, rows).await?;
            }
        }
        Ok(())
    }

    /// Executes statements that stand one after another in a text.
    pub(crate) async fn execute_batch(&self, sql: &str) -> Result<(), SqlError> {
        match self {
            Self::File(connection) => {
                connection.connection().execute_batch(sql).await?;
            }
            Self::Service(stream) => stream.run_all(sql).await?,
        }
        Ok(())
    }

    /// The row that was inserted last, in a file; statements for a service return it themselves.
    pub(crate) fn last_insert_rowid(&self) -> i64 {
        match self {
            Self::File(connection) => connection.connection().last_insert_rowid(),
            Self::Service(_) => 0,
        }
    }
}

/// We name no parameters.
fn positional(values: impl IntoParams) -> Result<Vec<Value>, SqlError> {
    match values.into_params()? {
        Params::None => Ok(Vec::new()),
        Params::Positional(values) => Ok(values),
        Params::Named(_) => Err(SqlError::Unexpected),
    }
}

impl Rows {
    pub(crate) async fn next(&mut self) -> Result<Option<Row>, SqlError> {
        match self {
            Self::File(rows, taken) => {
                Ok(rows.next().await?.map(|row| Row::File(row, Arc::clone(taken))))
            }
            Self::Service(rows) => Ok(rows.pop_front().map(Row::Service)),
        }
    }
}

impl Row {
    pub(crate) fn get<T: Column>(&self, at: i32) -> Result<T, SqlError> {
        T::of(self.get_value(at)?).ok_or(SqlError::Unexpected)
    }

    pub(crate) fn get_value(&self, at: i32) -> Result<Value, SqlError> {
        match self {
            Self::File(row, _) => Ok(row.get_value(at)?),
            Self::Service(row) => value(row, at).cloned(),
        }
    }

    pub(crate) fn get_str(&self, at: i32) -> Result<&str, SqlError> {
        match self {
            Self::File(row, _) => Ok(row.get_str(at)?),
            Self::Service(row) => match value(row, at)? {
                Value::Text(text) => Ok(text),
                _ => Err(SqlError::Unexpected),
            },
        }
    }
}

fn value(row: &[Value], at: i32) -> Result<&Value, SqlError> {
    usize::try_from(at).ok().and_then(|at| row.get(at)).ok_or(SqlError::Unexpected)
}

/// What a column can be read as.
pub(crate) trait Column: Sized {
    /// None if it is something else.
    fn of(value: Value) -> Option<Self>;
}

impl Column for i64 {
    fn of(value: Value) -> Option<Self> {
        if let Value::Integer(number) = value { Some(number) } else { None }
    }
}

impl Column for bool {
    fn of(value: Value) -> Option<Self> {
        i64::of(value).map(|number| number != 0)
    }
}

impl Column for f64 {
    fn of(value: Value) -> Option<Self> {
        if let Value::Real(number) = value { Some(number) } else { None }
    }
}

impl Column for String {
    fn of(value: Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
}

impl Column for Vec<u8> {
    fn of(value: Value) -> Option<Self> {
        if let Value::Blob(bytes) = value { Some(bytes) } else { None }
    }
}

impl<T: Column> Column for Option<T> {
    fn of(value: Value) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::of(value).map(Some) }
    }
}
