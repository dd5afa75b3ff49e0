//! Finding notes and what was said, by words. A question becomes quoted words joined by `OR`, so
//! nothing a person or a model writes is syntax; what the words mean is not looked at.

use crate::database::Database;
use crate::failure::Failure;
use crate::journal::stored;
use crate::notes::note_id;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::ports::{Hit, MOST_HITS, Origin, Question, RecallError, Source};
use libsql::{Connection, Row, params};
use std::collections::BTreeSet;

/// Words of a question that are looked for; more make it slow, not better.
const MOST_WORDS: usize = 32;

/// Characters of a word that are looked at; the index has no longer ones that matter.
const LONGEST_WORD: usize = 64;

/// Notes with any of the words. What was kept on purpose counts half as much again as what was
/// said in passing.
const NOTES_BY_WORDS: &str = "
    SELECT notes.id, notes.text, -bm25(recall_index) * 1.5 AS score, notes.created_ms,
           notes.updated_ms, (SELECT json_group_array(tag) FROM note_tags WHERE note_id = notes.id),
           EXISTS (SELECT 1 FROM secret_places WHERE user_id = ?2
                       AND kind = 'note' AND place = 'note-' || notes.id)
    FROM recall_index CROSS JOIN notes ON notes.id = recall_index.rowid / 2
    WHERE recall_index MATCH ?1 AND recall_index.rowid % 2 = 0 AND notes.user_id = ?2
        AND notes.created_ms >= ?3 AND notes.created_ms < ?4
        AND (SELECT count(*) FROM note_tags WHERE note_id = notes.id
                 AND tag IN (SELECT value FROM json_each(?5))) = json_array_length(?5)
    ORDER BY score DESC, notes.updated_ms DESC, notes.id DESC LIMIT ?6";

/// The newest notes.
const NEWEST_NOTES: &str = "
    SELECT id, text, 0.0, created_ms, updated_ms,
           (SELECT json_group_array(tag) FROM note_tags WHERE note_id = notes.id),
           EXISTS (SELECT 1 FROM secret_places WHERE user_id = ?1
                       AND kind = 'note' AND place = 'note-' || notes.id)
    FROM notes
    WHERE user_id = ?1 AND created_ms >= ?2 AND created_ms < ?3
        AND (SELECT count(*) FROM note_tags WHERE note_id = notes.id
                 AND tag IN (SELECT value FROM json_each(?4))) = json_array_length(?4)
    ORDER BY updated_ms DESC, id DESC LIMIT ?5";

/// Messages with any of the words, cut down to the part around them.
const MESSAGES_BY_WORDS: &str = "
    SELECT messages.id, snippet(recall_index, 0, '', '', '…', 64), -bm25(recall_index) AS score,
           messages.at_ms, messages.session_id, messages.role,
           EXISTS (SELECT 1 FROM secret_places WHERE user_id = ?2
                       AND kind = 'session' AND place = messages.session_id)
    FROM recall_index
        CROSS JOIN messages ON messages.id = recall_index.rowid / 2
        CROSS JOIN sessions ON sessions.id = messages.session_id
    WHERE recall_index MATCH ?1 AND recall_index.rowid % 2 = 1 AND sessions.user_id = ?2
        AND messages.at_ms >= ?3 AND messages.at_ms < ?4
        AND NOT (messages.turn = ?5 AND ?5 IS NOT NULL)
    ORDER BY score DESC, messages.at_ms DESC, messages.id DESC LIMIT ?6";

impl Database {
    pub(crate) async fn find(
        &self,
        user: &UserId,
        question: Question,
    ) -> Result<Vec<Hit>, RecallError> {
        let words = match_any(&question.words);
        let wanted = |source| question.sources.is_empty() || question.sources.contains(&source);
        let notes = wanted(Source::Note);
        let messages = wanted(Source::Message) && question.tags.is_empty();
        if words.is_none() && !notes {
            return Err(RecallError::NoWords);
        }
        let user = user.clone();
        let found = self.read("search", async move |connection| {
            let mut hits = Vec::new();
            match &words {
                None => hits.append(&mut newest_notes(connection, &user, &question).await?),
                Some(words) => {
                    if notes {
                        hits.append(&mut find_notes(connection, &user, words, &question).await?);
                    }
                    if messages {
                        hits.append(&mut find_messages(connection, &user, words, &question).await?);
                    }
                }
            }
            // Stable, so that equal scores keep the order of the queries: notes first, new first.
            hits.sort_by(|a, b| b.score.total_cmp(&a.score));
            hits.truncate(limit(&question) as usize);
            Ok(hits)
        });
        Ok(found.await?)
    }
}

/// An expression for the index that finds any of the words, the last also as a beginning of
/// one; none if there are no words. Words have letters and digits only, so quotes hold them.
fn match_any(text: &str) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut words: Vec<String> = text
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(LONGEST_WORD).collect::<String>())
        .filter(|word| seen.insert(word.clone()))
        .take(MOST_WORDS)
        .map(|word| format!("\"{word}\""))
        .collect();
    words.last_mut()?.push('*');
    Some(words.join(" OR "))
}

fn limit(question: &Question) -> u32 {
    question.limit.min(MOST_HITS)
}

/// When it may be from: from the first number, before the second.
fn time(question: &Question) -> (i64, i64) {
    (stored(question.after_ms.unwrap_or(0)), stored(question.before_ms.unwrap_or(u64::MAX)))
}

fn tags(question: &Question) -> Result<String, Failure> {
    Ok(serde_json::to_string(&question.tags)?)
}

async fn find_notes(
    connection: &Connection,
    user: &UserId,
    words: &str,
    question: &Question,
) -> Result<Vec<Hit>, Failure> {
    let (after, before) = time(question);
    let values = params![words, user.as_str(), after, before, tags(question)?, limit(question)];
    hits(connection.query(NOTES_BY_WORDS, values).await?, note_hit).await
}

async fn newest_notes(
    connection: &Connection,
    user: &UserId,
    question: &Question,
) -> Result<Vec<Hit>, Failure> {
    let (after, before) = time(question);
    let values = params![user.as_str(), after, before, tags(question)?, limit(question)];
    hits(connection.query(NEWEST_NOTES, values).await?, note_hit).await
}

async fn find_messages(
    connection: &Connection,
    user: &UserId,
    words: &str,
    question: &Question,
) -> Result<Vec<Hit>, Failure> {
    let (after, before) = time(question);
    let turn = question.asked_in.as_ref().map(ToString::to_string);
    let values = params![words, user.as_str(), after, before, turn, limit(question)];
    hits(connection.query(MESSAGES_BY_WORDS, values).await?, message_hit).await
}

async fn hits(
    mut rows: libsql::Rows,
    hit: fn(&Row) -> Result<Hit, Failure>,
) -> Result<Vec<Hit>, Failure> {
    let mut hits = Vec::new();
    while let Some(row) = rows.next().await? {
        hits.push(hit(&row)?);
    }
    Ok(hits)
}

fn note_hit(row: &Row) -> Result<Hit, Failure> {
    let tags = serde_json::from_str(row.get_str(5)?)?;
    Ok(Hit {
        id: note_id(row.get(0)?),
        text: row.get(1)?,
        score: row.get(2)?,
        created_ms: u64::try_from(row.get::<i64>(3)?)?,
        secret: row.get(6)?,
        from: Origin::Note { tags, updated_ms: u64::try_from(row.get::<i64>(4)?)? },
    })
}

fn message_hit(row: &Row) -> Result<Hit, Failure> {
    let session = SessionId::new(row.get::<String>(4)?);
    Ok(Hit {
        id: format!("message-{}", row.get::<i64>(0)?),
        text: row.get(1)?,
        score: row.get(2)?,
        created_ms: u64::try_from(row.get::<i64>(3)?)?,
        secret: row.get(6)?,
        from: Origin::Message { session, role: row.get(5)? },
    })
}

#[cfg(test)]
impl Database {
    /// Fails unless the index holds exactly the words of the notes and messages there are.
    pub(crate) async fn check_index(&self) {
        let check = self.write("compare the index", async |connection| {
            let sql = "INSERT INTO recall_index (recall_index, rank) VALUES ('integrity-check', 1)";
            connection.execute(sql, ()).await?;
            Ok(())
        });
        check.await.expect("the index agrees with the texts");
    }
}

#[cfg(test)]
mod tests;
