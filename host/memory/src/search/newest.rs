//! What is newest: notes by their last change, messages and files by when they came.

use super::{Search, details};
use crate::database::Database;
use crate::failure::Failure;
use crate::journal::stored;
use crate::sql::Connection;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::ports::{Hit, Origin, Question, Scope, Scopes, Source, StoreError, Why};
use libsql::Value;

/// Characters of a message in a list.
const SHOWN: i64 = 1_000;

const NOTES: &str = "
    SELECT id, updated_ms FROM notes
    WHERE user_id = ?1 AND created_ms >= ?2 AND created_ms < ?3
        AND (SELECT count(*) FROM note_tags WHERE note_id = notes.id
                 AND tag IN (SELECT value FROM json_each(?4))) = json_array_length(?4)
        AND (?6 OR scope = '' OR scope IN (SELECT value FROM json_each(?5)))
    ORDER BY updated_ms DESC, id DESC LIMIT ?7";

const MESSAGES: &str = "
    SELECT m.id, substr(m.text, 1, ?6), m.at_ms, m.session_id, m.role,
           EXISTS (SELECT 1 FROM secret_places WHERE user_id = ?1
                       AND kind = 'session' AND place = m.session_id)
    FROM messages AS m JOIN sessions AS s ON s.id = m.session_id
    WHERE s.user_id = ?1 AND m.at_ms >= ?2 AND m.at_ms < ?3 AND trim(m.text) <> ''
        AND (?4 IS NULL OR m.turn <> ?4) AND (?5 IS NULL OR m.session_id <> ?5)
    ORDER BY m.id DESC LIMIT ?7";

const FILES: &str = "
    SELECT f.id, f.path, f.modified_ms, f.taken_ms, c.text,
           EXISTS (SELECT 1 FROM secret_places WHERE user_id = ?1
                       AND kind = 'file' AND place = f.path)
    FROM files AS f JOIN chunks AS c ON c.source = 'file' AND c.owner = f.id AND c.position = 0
    WHERE f.user_id = ?1 AND f.modified_ms >= ?2 AND f.modified_ms < ?3
        AND (?5 OR f.scope = '' OR f.scope IN (SELECT value FROM json_each(?4)))
    ORDER BY f.taken_ms DESC, f.id DESC LIMIT ?6";

impl Database {
    pub(super) async fn newest(
        &self,
        user: &UserId,
        search: Search,
    ) -> Result<Vec<Hit>, StoreError> {
        let user = user.clone();
        self.read_memory("list what is newest", async move |connection| {
            newest(connection, &user, &search.question, search.limit).await
        })
        .await
    }
}

async fn newest(
    connection: &Connection,
    user: &UserId,
    question: &Question,
    limit: usize,
) -> Result<Vec<Hit>, Failure> {
    let wanted = |source| question.sources.is_empty() || question.sources.contains(&source);
    let untagged = question.tags.is_empty();
    let mut found: Vec<(u64, Hit)> = Vec::new();
    if wanted(Source::Note) {
        found.extend(notes(connection, user, question, limit).await?);
    }
    if wanted(Source::Message) && untagged {
        found.extend(messages(connection, user, question, limit).await?);
    }
    if wanted(Source::File) && untagged {
        found.extend(files(connection, user, question, limit).await?);
    }
    // Stable, so that what is of one kind keeps its order.
    found.sort_by_key(|(at_ms, _)| std::cmp::Reverse(*at_ms));
    found.truncate(limit);
    Ok(found.into_iter().map(|(_, hit)| hit).collect())
}

fn time(user: &UserId, question: &Question) -> Vec<Value> {
    vec![
        user.as_str().into(),
        stored(question.after_ms.unwrap_or(0)).into(),
        stored(question.before_ms.unwrap_or(u64::MAX)).into(),
    ]
}

fn scopes(question: &Question) -> Result<[Value; 2], Failure> {
    let (scopes, all) = match &question.scopes {
        Scopes::All => (Vec::new(), true),
        Scopes::Of(scopes) => (scopes.iter().map(Scope::stored).collect(), false),
    };
    Ok([serde_json::to_string(&scopes)?.into(), i64::from(all).into()])
}

async fn notes(
    connection: &Connection,
    user: &UserId,
    question: &Question,
    limit: usize,
) -> Result<Vec<(u64, Hit)>, Failure> {
    let mut values = time(user, question);
    values.push(serde_json::to_string(&question.tags)?.into());
    values.extend(scopes(question)?);
    values.push(i64::try_from(limit)?.into());
    let mut rows = connection.query(NOTES, values).await?;
    let mut ids: Vec<(i64, i64)> = Vec::new();
    while let Some(row) = rows.next().await? {
        ids.push((row.get(0)?, row.get(1)?));
    }
    drop(rows);
    let mut found = Vec::new();
    for (id, at_ms) in ids {
        let hit = details::note(connection, user, id, (0.0, Why::default()), false).await?;
        let at_ms = u64::try_from(at_ms)?;
        found.extend(hit.map(|hit| (at_ms, hit)));
    }
    Ok(found)
}

async fn messages(
    connection: &Connection,
    user: &UserId,
    question: &Question,
    limit: usize,
) -> Result<Vec<(u64, Hit)>, Failure> {
    let optional = |text: Option<&str>| text.map_or(Value::Null, |text| text.into());
    let mut values = time(user, question);
    values.push(optional(question.asked_in.as_ref().map(hydroid_core::id::TurnId::as_str)));
    values.push(optional(question.not_of.as_ref().map(SessionId::as_str)));
    values.push(SHOWN.into());
    values.push(i64::try_from(limit)?.into());
    let mut rows = connection.query(MESSAGES, values).await?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().await? {
        let at_ms = u64::try_from(row.get::<i64>(2)?)?;
        let session = SessionId::new(row.get::<String>(3)?);
        let hit = Hit {
            id: format!("message-{}", row.get::<i64>(0)?),
            text: row.get(1)?,
            score: 0.0,
            created_ms: at_ms,
            from: Origin::Message { session, role: row.get(4)? },
            secret: row.get(5)?,
            vouched: false,
            why: Why::default(),
        };
        found.push((at_ms, hit));
    }
    Ok(found)
}

async fn files(
    connection: &Connection,
    user: &UserId,
    question: &Question,
    limit: usize,
) -> Result<Vec<(u64, Hit)>, Failure> {
    let mut values = time(user, question);
    values.extend(scopes(question)?);
    values.push(i64::try_from(limit)?.into());
    let mut rows = connection.query(FILES, values).await?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().await? {
        let hit = Hit {
            id: format!("file-{}.1", row.get::<i64>(0)?),
            text: row.get(4)?,
            score: 0.0,
            created_ms: u64::try_from(row.get::<i64>(2)?)?,
            from: Origin::File { path: row.get(1)?, part: 1 },
            secret: row.get(5)?,
            vouched: false,
            why: Why::default(),
        };
        found.push((u64::try_from(row.get::<i64>(3)?)?, hit));
    }
    Ok(found)
}
