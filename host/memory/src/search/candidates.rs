//! What was found in any way, with what stands beside it, and how it did in each: scores that
//! compare, from 0 to 1.

use super::{FILTER, MOST_WITH_NEIGHBOURS, Search, values};
use crate::failure::Failure;
use crate::sql::{Connection, Row};
use crate::vectors::{Like, Matrix, Quantised, Scan};
use hydroid_core::ports::Source;
use hydroid_core::retrieval::fusion::{Legs, fuse, scaled};
use libsql::Value;
use std::collections::{BTreeMap, HashMap};

/// The best so many by a first look move the question, by so much.
const ANSWERS: usize = 5;
const TOWARDS_ANSWERS: f64 = 2.0;

/// What an important note, another one, and anything else is worth.
const IMPORTANT: f64 = 1.0;
const NOTE: f64 = 0.7;
const ELSE: f64 = 0.5;

/// A chunk that may be shown.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) id: i64,
    pub(super) source: Source,
    pub(super) owner: i64,
    pub(super) position: i64,
    pub(super) at_ms: u64,
    pub(super) importance: f64,
    pub(super) legs: Legs,
    pub(super) cosine: Option<f64>,
    thread: i64,
}

const FIELDS: &str = "c.id, c.source, c.owner, c.thread, c.position, c.at_ms,
    CASE c.source WHEN 'note' THEN (SELECT important FROM notes WHERE id = c.owner) END";

/// All of them, in no order.
pub(super) async fn of(
    connection: &Connection,
    range: (i64, i64),
    search: &Search,
    words: &[(i64, f64)],
    scan: &Scan,
    matrix: &Matrix,
) -> Result<Vec<Candidate>, Failure> {
    let meaning = search.meaning.as_ref();
    let scan_ids = scan.best.iter().filter(|_| meaning.is_some()).map(|like| like.chunk);
    let mut wanted: Vec<i64> = words.iter().map(|(id, _)| *id).chain(scan_ids).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found: BTreeMap<i64, Candidate> = BTreeMap::new();
    let sql = format!(
        "SELECT {FIELDS} FROM json_each(?1) AS wanted CROSS JOIN chunks AS c ON c.id = wanted.value
         WHERE c.id BETWEEN ?2 AND ?3 AND {FILTER}"
    );
    let first = serde_json::to_string(&wanted)?;
    add(connection, &sql, values(first.into(), range, &search.question)?, &mut found).await?;
    let beside = places_beside(words, &found);
    let sql = format!(
        "SELECT {FIELDS} FROM json_each(?1) AS wanted
         CROSS JOIN chunks AS c ON c.thread = wanted.value ->> 0 AND c.position = wanted.value ->> 1
         WHERE c.id BETWEEN ?2 AND ?3 AND {FILTER}"
    );
    let first = serde_json::to_string(&beside)?;
    add(connection, &sql, values(first.into(), range, &search.question)?, &mut found).await?;
    let Some(meaning) = meaning else { return Ok(judged(&found, words, None)) };
    let ids: Vec<i64> = found.keys().copied().collect();
    let first = judged(&found, words, Some(&likes(matrix, &meaning.question, &ids)));
    // What was found first tells what is meant.
    let mut answers: Vec<(i64, f64)> =
        first.iter().map(|found| (found.id, fuse(search.tuning.weights, found.legs))).collect();
    answers.sort_by(|a, b| b.1.total_cmp(&a.1));
    answers.truncate(ANSWERS);
    let moved = matrix.moved(&meaning.question, &answers, TOWARDS_ANSWERS);
    let second = judged(&found, words, Some(&likes(matrix, &moved, &ids)));
    let cosines = first.into_iter().map(|found| found.cosine);
    Ok(second
        .into_iter()
        .zip(cosines)
        .map(|(found, cosine)| Candidate { cosine, ..found })
        .collect())
}

fn likes(matrix: &Matrix, question: &Quantised, ids: &[i64]) -> HashMap<i64, Like> {
    matrix.likes(question, ids).into_iter().map(|like| (like.chunk, like)).collect()
}

fn judged(
    found: &BTreeMap<i64, Candidate>,
    words: &[(i64, f64)],
    likes: Option<&HashMap<i64, Like>>,
) -> Vec<Candidate> {
    let none = HashMap::new();
    let likes = likes.unwrap_or(&none);
    let own: HashMap<i64, f64> = words.iter().copied().collect();
    let places: HashMap<(i64, i64), f64> = found
        .values()
        .filter_map(|at| Some(((at.thread, at.position), *own.get(&at.id)?)))
        .collect();
    let beside = |at: &Candidate, offset: i64| {
        places.get(&(at.thread, at.position + offset)).copied().unwrap_or(0.0)
    };
    // A word that is in a chunk and its neighbour counts little more than once, as it would in one
    // text: a sum of cubes is near the largest of them.
    let window = |at: &Candidate| {
        let scores = [own.get(&at.id).copied().unwrap_or(0.0), beside(at, -1), beside(at, 1)];
        scores.into_iter().map(|score| score.max(0.0).powi(3)).sum::<f64>().cbrt()
    };
    let most = |scores: &mut dyn Iterator<Item = f64>| scores.fold(0.0, f64::max);
    let best_own = most(&mut own.values().copied());
    let best_window = most(&mut found.values().map(window));
    let best_like = most(&mut likes.values().map(|like| like.own));
    let best_like_window = most(&mut likes.values().map(|like| like.window));
    let judge = |candidate: &Candidate| {
        let like = likes.get(&candidate.id);
        let own = own.get(&candidate.id).copied().unwrap_or(0.0);
        let legs = Legs {
            keyword: Some(scaled(own, 0.0, best_own)),
            keyword_window: Some(scaled(window(candidate), 0.0, best_window)),
            vector: like
                .map(|like| scaled(like.own, floor(likes, |like| like.own, best_like), best_like)),
            vector_window: like.map(|like| {
                scaled(
                    like.window,
                    floor(likes, |like| like.window, best_like_window),
                    best_like_window,
                )
            }),
        };
        Candidate { legs, cosine: like.map(|like| like.own), ..candidate.clone() }
    };
    found.values().map(judge).collect()
}

/// Where texts lie that are no better than the rest: the mean, unless there are so few texts that
/// the best make it up.
fn floor(likes: &HashMap<i64, Like>, of: fn(&Like) -> f64, best: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "there are some hundreds")]
    let mean = likes.values().map(of).sum::<f64>() / likes.len().max(1) as f64;
    mean.min(best / 2.0)
}

/// Where the neighbours of the best by words stand, as far as they were not found themselves.
fn places_beside(words: &[(i64, f64)], found: &BTreeMap<i64, Candidate>) -> Vec<(i64, i64)> {
    let taken: Vec<(i64, i64)> = found.values().map(|at| (at.thread, at.position)).collect();
    words
        .iter()
        .filter_map(|(id, _)| found.get(id))
        .filter(|candidate| candidate.source != Source::Note)
        .take(MOST_WITH_NEIGHBOURS)
        .flat_map(|at| [(at.thread, at.position - 1), (at.thread, at.position + 1)])
        .filter(|place| !taken.contains(place))
        .collect()
}

async fn add(
    connection: &Connection,
    sql: &str,
    values: Vec<Value>,
    found: &mut BTreeMap<i64, Candidate>,
) -> Result<(), Failure> {
    let mut rows = connection.query(sql, values).await?;
    while let Some(row) = rows.next().await? {
        let candidate = candidate(&row)?;
        found.insert(candidate.id, candidate);
    }
    Ok(())
}

fn candidate(row: &Row) -> Result<Candidate, Failure> {
    let source = match row.get_str(1)? {
        "note" => Source::Note,
        "message" => Source::Message,
        _ => Source::File,
    };
    let important: Option<i64> = row.get(6)?;
    let importance = match (source, important) {
        (Source::Note, Some(1)) => IMPORTANT,
        (Source::Note, _) => NOTE,
        (Source::Message | Source::File, _) => ELSE,
    };
    Ok(Candidate {
        id: row.get(0)?,
        source,
        owner: row.get(2)?,
        thread: row.get(3)?,
        position: row.get(4)?,
        at_ms: u64::try_from(row.get::<i64>(5)?)?,
        importance,
        legs: Legs::default(),
        cosine: None,
    })
}
