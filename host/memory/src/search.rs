//! Finding notes, what was said and files again: by words, by meaning where there are vectors,
//! and by what stands beside them. A question becomes quoted words joined by `OR`, so nothing a
//! person or a model writes is syntax. How scores become one is in
//! [`hydroid_core::retrieval`]; vectors are in `vectors`.
//!
//! A search goes through at most four steps: `terms` (which words), the two ways of searching
//! side by side, `candidates` (what was found, with its neighbours), and the hits in words.

mod candidates;
mod details;
mod newest;
mod sampled;
mod terms;

use crate::chunking::range;
use crate::database::Database;
use crate::failure::Failure;
use crate::journal::stored;
use crate::sql::{Connection, Rows};
use crate::vectors::{Allowed, Quantised, Scan};
use candidates::{ByWords, Candidate};
use hydroid_core::id::UserId;
use hydroid_core::ports::{Hit, MOST_HITS, Order, Question, RecallError, Scopes, Source, Why};
use hydroid_core::retrieval::fusion::{Tuning, Weights, for_age, for_importance, for_length, fuse};
use hydroid_core::retrieval::relevance::Frequencies;
use hydroid_core::retrieval::repeats::{without_repeats, words_of};
use hydroid_core::retrieval::when;
use libsql::Value;
pub(crate) use sampled::Sampled;
use std::collections::{BTreeSet, HashSet};

/// Chunks that searching by words may bring. Far more than are shown, because what is best by
/// one may be in the middle of the other.
const MOST_CANDIDATES: usize = 150;

/// The same by meaning, for a chunk alone and for one with its neighbours.
const MOST_ALIKE: usize = 100;

/// What stands beside the best so many by words is looked at, too.
const MOST_WITH_NEIGHBOURS: usize = 20;

/// Vectors count only if at least this share of the chunks has one: while an embedder is changed,
/// words alone are right and a mixture is not.
const LEAST_SHARE: (u64, u64) = (9, 10);

/// What a question means, by one embedder.
#[derive(Clone, Debug)]
pub(crate) struct Meaning {
    /// Row of the embedder in the database.
    pub(crate) embedder: i64,
    pub(crate) question: Quantised,
}

/// A question with all that a search needs to know beside it.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) question: Question,
    pub(crate) meaning: Option<Meaning>,
    pub(crate) tuning: Tuning,
    /// Most hits.
    pub(crate) limit: usize,
    /// Files are one hit each, not one for each of their parts.
    pub(crate) one_per_file: bool,
}

impl Search {
    /// A search as a tool or a person asks for it.
    pub(crate) fn of(question: Question, tuning: Tuning) -> Self {
        let limit = question.limit.min(MOST_HITS) as usize;
        let mut tuning = question.tuning.unwrap_or(tuning);
        let words = question.words.split_whitespace().count();
        tuning.weights = for_length(tuning.weights, words);
        Self { question, meaning: None, tuning, limit, one_per_file: false }
    }
}

impl Database {
    /// What fits best. Words like `last week` narrow the time, unless nothing is from then.
    pub(crate) async fn find(
        &self,
        user: &UserId,
        search: Search,
    ) -> Result<Vec<Hit>, RecallError> {
        let question = &search.question;
        let unbound = question.after_ms.is_none() && question.before_ms.is_none();
        let named = question
            .now_ms
            .filter(|_| unbound)
            .and_then(|now_ms| when::named(&question.words, now_ms));
        if let Some(named) = named {
            let mut narrowed = search.clone();
            narrowed.question.words = named.rest;
            narrowed.question.after_ms = Some(named.after_ms);
            narrowed.question.before_ms = Some(named.before_ms);
            if terms::words(&narrowed.question.words).is_empty() {
                narrowed.question.order = Order::Newest;
            }
            let hits = self.find_in_time(user, narrowed).await?;
            if !hits.is_empty() {
                return Ok(hits);
            }
        }
        self.find_in_time(user, search).await
    }

    async fn find_in_time(&self, user: &UserId, search: Search) -> Result<Vec<Hit>, RecallError> {
        if search.limit == 0 {
            return Ok(Vec::new());
        }
        let question = &search.question;
        let wanted = |source| question.sources.is_empty() || question.sources.contains(&source);
        if question.order == Order::Newest {
            return Ok(self.newest(user, search).await?);
        }
        if terms::words(&question.words).is_empty() {
            if !wanted(Source::Note) {
                return Err(RecallError::NoWords);
            }
            let mut search = search;
            search.question.sources = [Source::Note].into();
            return Ok(self.newest(user, search).await?);
        }
        Ok(self.ranked(user, search).await?)
    }

    async fn ranked(
        &self,
        user: &UserId,
        search: Search,
    ) -> Result<Vec<Hit>, hydroid_core::ports::StoreError> {
        // The two ways side by side: each waits for its own part of the file.
        let words = {
            let (user, search, sampled) = (user.clone(), search.clone(), self.sampled(user));
            self.read_memory("search by words", async move |connection| {
                let range = range(connection, &user).await?;
                let mut sampled = sampled.lock_owned().await;
                let frequencies = sampled.refresh(connection, range).await?;
                drop(sampled);
                let found = by_words(connection, range, &search, &frequencies).await?;
                Ok(ByWords { found, frequencies })
            })
        };
        let meanings = {
            let (user, search, database) = (user.clone(), search.clone(), self.clone());
            async move {
                let Some(meaning) = search.meaning.clone() else { return Ok(Scan::default()) };
                let matrix = database.matrix(&user);
                let scan = database.read_memory("search by meaning", async move |connection| {
                    let range = range(connection, &user).await?;
                    let allowed = allowed(connection, range, &search).await?;
                    let mut matrix = matrix.lock_owned().await;
                    let dimensions = meaning.question.numbers.len();
                    matrix.refresh(connection, range, meaning.embedder, dimensions).await?;
                    Ok(matrix.scan(&meaning.question, &allowed, MOST_ALIKE))
                });
                scan.await
            }
        };
        let (words, scan) = futures_util::future::try_join(words, meanings).await?;
        let (user, matrix) = (user.clone(), self.matrix(user));
        self.read_memory("search", async move |connection| {
            let range = range(connection, &user).await?;
            let mut search = search;
            if !is_complete(connection, range, &scan).await? {
                search.meaning = None;
            }
            let matrix = matrix.lock_owned().await;
            let found = candidates::of(connection, range, &search, &words, &scan, &matrix).await?;
            drop(matrix);
            let chosen = chosen(&search, found);
            let mut hits = Vec::new();
            for (candidate, score, why) in chosen {
                let hit = details::hit(
                    connection,
                    &user,
                    &candidate,
                    (score, why),
                    search.question.vouch,
                )
                .await?;
                hits.extend(hit);
            }
            Ok(hits)
        })
        .await
    }
}

/// Chunks with any of the words and how well they fit, the best first.
async fn by_words(
    connection: &Connection,
    range: (i64, i64),
    search: &Search,
    frequencies: &Frequencies,
) -> Result<Vec<(i64, f64)>, Failure> {
    let words = &search.question.words;
    let Some(words) = terms::expression(connection, range, words, frequencies).await? else {
        return Ok(Vec::new());
    };
    if !is_narrow(connection, range, &search.question).await? {
        let most = MOST_CANDIDATES * if search.question.not_of.is_some() { 2 } else { 1 };
        let mut found = in_index(connection, range, &words, most).await?;
        if search.question.not_of.is_none() {
            return Ok(found);
        }
        let full = found.len() >= most;
        let wanted: Vec<i64> = found.iter().map(|(id, _)| *id).collect();
        let sql = format!(
            "SELECT c.id FROM json_each(?1) AS wanted CROSS JOIN chunks AS c ON c.id = wanted.value
             WHERE c.id BETWEEN ?2 AND ?3 AND {FILTER}"
        );
        let first = serde_json::to_string(&wanted)?;
        let others = ids(connection, &sql, values(first.into(), range, &search.question)?).await?;
        found.retain(|(id, _)| others.contains(id));
        if !full || found.len() >= MOST_CANDIDATES / 2 {
            found.truncate(MOST_CANDIDATES);
            return Ok(found);
        }
        // Nearly all that fits was said in that session.
    }
    let sql = format!(
        "SELECT chunk_index.rowid, -bm25(chunk_index) AS score
         FROM chunk_index CROSS JOIN chunks AS c ON c.id = chunk_index.rowid
         WHERE chunk_index MATCH ?1 AND chunk_index.rowid BETWEEN ?2 AND ?3 AND {FILTER}
         ORDER BY score DESC, c.at_ms DESC, c.id DESC LIMIT ?12"
    );
    let mut values = values(words.into(), range, &search.question)?;
    values.push(i64::try_from(MOST_CANDIDATES)?.into());
    scored(connection.query(&sql, values).await?).await
}

/// The same without anything to narrow: no row but those of the index is read.
async fn in_index(
    connection: &Connection,
    range: (i64, i64),
    words: &str,
    most: usize,
) -> Result<Vec<(i64, f64)>, Failure> {
    let sql = "SELECT rowid, -bm25(chunk_index) AS score FROM chunk_index
               WHERE chunk_index MATCH ?1 AND rowid BETWEEN ?2 AND ?3
               ORDER BY score DESC, rowid DESC LIMIT ?4";
    let most = i64::try_from(most)?;
    scored(connection.query(sql, libsql::params![words, range.0, range.1, most]).await?).await
}

async fn scored(mut rows: Rows) -> Result<Vec<(i64, f64)>, Failure> {
    let mut found = Vec::new();
    while let Some(row) = rows.next().await? {
        found.push((row.get(0)?, row.get(1)?));
    }
    Ok(found)
}

/// What narrows a search, about chunks called `c`. Its values are those of [`values`].
const FILTER: &str = "c.at_ms >= ?4 AND c.at_ms < ?5
    AND (?6 = '[]' OR c.source IN (SELECT value FROM json_each(?6)))
    AND (?7 = '[]' OR (c.source = 'note' AND (SELECT count(*) FROM note_tags WHERE note_id = c.owner
             AND tag IN (SELECT value FROM json_each(?7))) = json_array_length(?7)))
    AND (?9 OR c.scope = '' OR c.scope IN (SELECT value FROM json_each(?8)))
    AND (?10 IS NULL OR c.source <> 'message'
         OR (SELECT turn FROM messages WHERE id = c.owner) <> ?10)
    AND (?11 IS NULL OR c.source <> 'message'
         OR (SELECT session_id FROM messages WHERE id = c.owner) <> ?11)";

/// The values of [`FILTER`], behind one of the caller's and the range of the user's chunks.
fn values(first: Value, range: (i64, i64), question: &Question) -> Result<Vec<Value>, Failure> {
    let sources: Vec<&str> = question.sources.iter().map(|source| source.id()).collect();
    let (scopes, all) = match &question.scopes {
        Scopes::All => (Vec::new(), true),
        Scopes::Of(scopes) => {
            (scopes.iter().map(hydroid_core::ports::Scope::stored).collect(), false)
        }
    };
    let optional = |text: Option<&str>| text.map_or(Value::Null, |text| text.into());
    Ok(vec![
        first,
        range.0.into(),
        range.1.into(),
        stored(question.after_ms.unwrap_or(0)).into(),
        stored(question.before_ms.unwrap_or(u64::MAX)).into(),
        serde_json::to_string(&sources)?.into(),
        serde_json::to_string(&question.tags)?.into(),
        serde_json::to_string(&scopes)?.into(),
        i64::from(all).into(),
        optional(question.asked_in.as_ref().map(hydroid_core::id::TurnId::as_str)),
        optional(question.not_of.as_ref().map(hydroid_core::id::SessionId::as_str)),
    ])
}

/// Whether a question leaves out so much that what is left has to be looked for among its own.
/// What was said in the turn or the session that asks is little, and is left out afterwards.
async fn is_narrow(
    connection: &Connection,
    range: (i64, i64),
    question: &Question,
) -> Result<bool, Failure> {
    let narrowed = !question.tags.is_empty()
        || !question.sources.is_empty()
        || question.after_ms.is_some()
        || question.before_ms.is_some();
    if narrowed || question.scopes == Scopes::All {
        return Ok(narrowed);
    }
    let sql = "SELECT 1 FROM chunks WHERE scope <> '' AND id BETWEEN ?1 AND ?2 LIMIT 1";
    Ok(connection.query(sql, [range.0, range.1]).await?.next().await?.is_some())
}

/// The same for vectors, which know their time and what they are of.
async fn allowed(
    connection: &Connection,
    range: (i64, i64),
    search: &Search,
) -> Result<Allowed, Failure> {
    let question = &search.question;
    let mut allowed = Allowed {
        sources: question.sources.clone(),
        after_ms: stored(question.after_ms.unwrap_or(0)),
        before_ms: question.before_ms.map(stored),
        ..Allowed::default()
    };
    if !question.tags.is_empty() {
        let sql = format!(
            "SELECT c.id FROM chunks AS c WHERE ?1 AND c.source = 'note'
                 AND c.owner IN (SELECT note_id FROM note_tags WHERE tag IN (SELECT value FROM json_each(?7)))
                 AND c.id BETWEEN ?2 AND ?3 AND {FILTER}"
        );
        allowed.only = Some(ids(connection, &sql, values(1_i64.into(), range, question)?).await?);
    }
    if question.scopes != Scopes::All {
        let sql = "SELECT id FROM chunks WHERE ?1 AND scope <> '' AND id BETWEEN ?2 AND ?3
                   AND scope NOT IN (SELECT value FROM json_each(?8))";
        allowed.without = ids(connection, sql, values(1_i64.into(), range, question)?).await?;
    }
    if let Some(session) = &question.not_of {
        let sql = "SELECT id FROM chunks WHERE id BETWEEN ?1 AND ?2 AND thread = (
                       SELECT min(id) * 4 + 1 FROM messages WHERE session_id = ?3)";
        let values: Vec<Value> = vec![range.0.into(), range.1.into(), session.as_str().into()];
        allowed.without.extend(ids(connection, sql, values).await?);
    }
    Ok(allowed)
}

async fn ids(
    connection: &Connection,
    sql: &str,
    values: Vec<Value>,
) -> Result<HashSet<i64>, Failure> {
    let mut rows = connection.query(sql, values).await?;
    let mut ids = HashSet::new();
    while let Some(row) = rows.next().await? {
        ids.insert(row.get(0)?);
    }
    Ok(ids)
}

/// Whether there are vectors of nearly all chunks.
async fn is_complete(
    connection: &Connection,
    range: (i64, i64),
    scan: &Scan,
) -> Result<bool, Failure> {
    let sql = "SELECT chunks FROM user_numbers WHERE number = ?1";
    let number = range.0 >> crate::chunking::CHUNK_BITS;
    let mut rows = connection.query(sql, [number]).await?;
    let chunks: i64 = rows.next().await?.map(|row| row.get(0)).transpose()?.unwrap_or(0);
    let (chunks, vectors) = (u64::try_from(chunks)?, u64::try_from(scan.vectors)?);
    Ok(vectors > 0 && vectors * LEAST_SHARE.1 >= chunks * LEAST_SHARE.0)
}

/// The candidates to show, the best first.
fn chosen(search: &Search, found: Vec<Candidate>) -> Vec<(Candidate, f64, Why)> {
    let Search { question, tuning, limit, .. } = search;
    let mut weights = tuning.weights;
    if search.meaning.is_none() {
        weights = Weights { vector: 0.0, vector_window: 0.0, ..weights };
    }
    let mut scored: Vec<(Candidate, f64, Why)> = Vec::new();
    for candidate in found {
        let fused = fuse(weights, candidate.legs);
        if fused <= 0.0 {
            continue;
        }
        let recency =
            question.now_ms.map_or(1.0, |now_ms| for_age(tuning.recency, candidate.at_ms, now_ms));
        let importance = for_importance(tuning.importance, candidate.importance);
        let cosine = candidate.cosine;
        let why = Why { legs: candidate.legs, recency, importance, repeated: 0.0, cosine };
        scored.push((candidate, fused * recency * importance, why));
    }
    scored.sort_by(|a, b| {
        let newer = (b.0.at_ms, b.0.id).cmp(&(a.0.at_ms, a.0.id));
        b.1.total_cmp(&a.1).then(newer)
    });
    let mut owners = BTreeSet::new();
    scored.retain(|(candidate, _, _)| {
        let part =
            if candidate.source == Source::File && !search.one_per_file { candidate.id } else { 0 };
        owners.insert((candidate.source, candidate.owner, part))
    });
    if tuning.diversity <= 0.0 {
        scored.truncate(*limit);
        return scored;
    }
    scored.truncate(limit.saturating_mul(2).max(limit + 10));
    let texts: Vec<_> =
        scored.iter().map(|(candidate, score, _)| (*score, words_of(&candidate.text))).collect();
    let shown = without_repeats(&texts, *limit, tuning.diversity);
    shown
        .into_iter()
        .filter_map(|(place, score)| {
            let (candidate, before, why) = scored.get(place)?;
            let why = Why { repeated: before - score, ..*why };
            Some((candidate.clone(), score, why))
        })
        .collect()
}

#[cfg(test)]
impl Database {
    /// Fails unless the index holds exactly the words of the chunks there are, and the chunks
    /// those of the notes and messages.
    pub(crate) async fn check_index(&self) {
        let check = self.write("compare the index", async |connection| {
            let sql = "INSERT INTO chunk_index (chunk_index, rank) VALUES ('integrity-check', 1)";
            connection.execute(sql, ()).await?;
            let sql = "SELECT text, replace(substr((SELECT group_concat(text, char(10)) FROM (
                           SELECT text FROM chunks WHERE source = owners.source AND owner = owners.id
                           ORDER BY position)), 1, 40), char(10), ' ')
                       FROM (SELECT 'note' AS source, id, text FROM notes
                             UNION ALL SELECT 'message', id, text FROM messages) AS owners";
            let mut rows = connection.query(sql, ()).await?;
            while let Some(row) = rows.next().await? {
                let (whole, cut): (String, Option<String>) = (row.get(0)?, row.get(1)?);
                let flat = |text: &str| {
                    let text = text.replace(['\0', '\n'], " ");
                    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(20).collect::<String>()
                };
                assert_eq!(flat(&cut.unwrap_or_default()), flat(&whole), "the index agrees with the texts");
            }
            Ok(())
        });
        check.await.expect("the index agrees with the texts");
    }
}

#[cfg(test)]
mod tests;
