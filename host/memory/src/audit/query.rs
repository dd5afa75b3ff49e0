//! Finding records again: the newest that fit a question, or all after a number.

use super::AuditLog;
use crate::failure::Failure;
use crate::sql::Connection;
use hydroid_core::audit::{AuditAction, AuditEvent, AuditOutcome};
use hydroid_core::ports::StoreError;
use libsql::Value;

/// What is looked for; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Records after this number.
    pub after: u64,
    /// Records up to this number.
    pub up_to: Option<u64>,
    /// Not before this time, in milliseconds since 1970-01-01 UTC.
    pub since_ms: Option<u64>,
    /// What was done.
    pub action: Option<AuditAction>,
    /// What came of it.
    pub outcome: Option<AuditOutcome>,
    /// By which component.
    pub component: Option<String>,
    /// In which session; the beginning of its identifier is enough.
    pub session: Option<String>,
    /// For which call.
    pub call: Option<String>,
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    /// Its number, from 1.
    pub seq: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// The text that was hashed.
    pub json: String,
    /// Its hash, in hexadecimal digits.
    pub hash: String,
}

impl AuditRecord {
    /// What happened; none if another version wrote what this one cannot read.
    pub fn event(&self) -> Option<AuditEvent> {
        serde_json::from_str(&self.json).ok()
    }
}

impl AuditLog {
    /// The newest records that fit, oldest first.
    pub async fn newest(
        &self,
        query: AuditQuery,
        most: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        self.database
            .read("read the audit log", async move |connection| {
                let mut records = select(connection, &query, "DESC", most).await?;
                records.reverse();
                Ok(records)
            })
            .await
    }

    /// The oldest records that fit. To go on, ask again after the last one's number.
    pub async fn oldest(
        &self,
        query: AuditQuery,
        most: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        self.database
            .read("read the audit log", async move |connection| {
                select(connection, &query, "ASC", most).await
            })
            .await
    }
}

async fn select(
    connection: &Connection,
    query: &AuditQuery,
    order: &'static str,
    most: u32,
) -> Result<Vec<AuditRecord>, Failure> {
    let mut conditions = vec!["seq > ?".to_owned()];
    let mut values: Vec<Value> = vec![i64::try_from(query.after).unwrap_or(i64::MAX).into()];
    let mut add = |condition: &str, value: Value| {
        conditions.push(condition.to_owned());
        values.push(value);
    };
    if let Some(up_to) = query.up_to {
        add("seq <= ?", i64::try_from(up_to).unwrap_or(i64::MAX).into());
    }
    if let Some(since) = query.since_ms {
        add("at_ms >= ?", i64::try_from(since).unwrap_or(i64::MAX).into());
    }
    let texts = [
        ("json ->> '$.action' = ?", query.action.map(|action| action.id().to_owned())),
        ("json ->> '$.outcome' = ?", query.outcome.map(|outcome| outcome.id().to_owned())),
        ("json ->> '$.component' = ?", query.component.clone()),
        ("json ->> '$.call' = ?", query.call.clone()),
    ];
    for (condition, text) in texts {
        if let Some(text) = text {
            add(condition, text.into());
        }
    }
    if let Some(session) = &query.session {
        let length = session.chars().count();
        let condition = format!("substr(json ->> '$.session', 1, {length}) = ?");
        add(&condition, session.clone().into());
    }
    values.push(i64::from(most).into());
    let sql = format!(
        "SELECT seq, at_ms, json, lower(hex(hash)) FROM audit WHERE {} ORDER BY seq {order} LIMIT ?",
        conditions.join(" AND ")
    );
    let mut rows = connection.query(&sql, values).await?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().await? {
        records.push(AuditRecord {
            seq: u64::try_from(row.get::<i64>(0)?)?,
            at_ms: u64::try_from(row.get::<i64>(1)?)?,
            json: row.get(2)?,
            hash: row.get(3)?,
        });
    }
    Ok(records)
}
