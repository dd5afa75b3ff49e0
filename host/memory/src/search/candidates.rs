//! What was found in any way, with what stands beside it, and how it did in each: scores that
//! compare, from 0 to 1.

use super::terms;
use super::{FILTER, MOST_WITH_NEIGHBOURS, Search, values};
use crate::failure::Failure;
use crate::sql::{Connection, Row};
use crate::vectors::{Like, Matrix, Quantised, Scan};
use hydroid_core::ports::Source;
use hydroid_core::retrieval::fusion::{Legs, Weights, fuse, scaled};
use hydroid_core::retrieval::relevance::{Frequencies, Text, relevance, with_neighbours};
use libsql::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The best so many by a first look move the question, by so much.
const ANSWERS: usize = 5;
const TOWARDS_ANSWERS: f64 = 2.0;

/// Chunks that are read and judged by all their words, where meaning and the index tell which:
/// those that do best by what is known of them without reading.
const MOST_JUDGED: usize = 64;

/// How much the score of the index counts beside the second look.
const OF_INDEX: f64 = 0.1;

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
    pub(super) text: String,
    thread: i64,
}

/// What the index found, how well each fits, the best first, and how common words are.
pub(super) struct ByWords {
    pub(super) found: Vec<(i64, f64)>,
    pub(super) frequencies: Arc<Frequencies>,
}

const FIELDS: &str = "c.id, c.source, c.owner, c.thread, c.position, c.at_ms,
    CASE c.source WHEN 'note' THEN (SELECT important FROM notes WHERE id = c.owner) END, c.text";

/// All of them, in no order.
pub(super) async fn of(
    connection: &Connection,
    range: (i64, i64),
    search: &Search,
    words: &ByWords,
    scan: &Scan,
    matrix: &Matrix,
) -> Result<Vec<Candidate>, Failure> {
    let meaning = search.meaning.as_ref();
    let all = all_found(words, scan, meaning.is_some());
    let mut alike = HashMap::new();
    if let Some(meaning) = meaning {
        add_likes(&mut alike, matrix, &meaning.question, &all);
    }
    let wanted = match promising_by(search, &alike) {
        Some(weights) => promising(&all, weights, words, &alike),
        None => all.clone(),
    };
    let mut found: BTreeMap<i64, Candidate> = BTreeMap::new();
    let sql = format!(
        "SELECT {FIELDS} FROM json_each(?1) AS wanted CROSS JOIN chunks AS c ON c.id = wanted.value
         WHERE c.id BETWEEN ?2 AND ?3 AND {FILTER}"
    );
    let first = serde_json::to_string(&wanted)?;
    add(connection, &sql, values(first.into(), range, &search.question)?, &mut found).await?;
    let beside = places_beside(&words.found, &found);
    let sql = format!(
        "SELECT {FIELDS} FROM json_each(?1) AS wanted
         CROSS JOIN chunks AS c ON c.thread = wanted.value ->> 0 AND c.position = wanted.value ->> 1
         WHERE c.id BETWEEN ?2 AND ?3 AND {FILTER}"
    );
    let first = serde_json::to_string(&beside)?;
    add(connection, &sql, values(first.into(), range, &search.question)?, &mut found).await?;
    let words = said(&search.question.words, words, &found);
    let Some(meaning) = meaning else { return Ok(judged(&found, &words, None)) };
    let beside: Vec<i64> = found.keys().copied().filter(|id| !alike.contains_key(id)).collect();
    add_likes(&mut alike, matrix, &meaning.question, &beside);
    let first = judged(&found, &words, Some(&alike));
    // What was found first tells what is meant.
    let mut answers: Vec<(i64, f64)> =
        first.iter().map(|found| (found.id, fuse(search.tuning.weights, found.legs))).collect();
    answers.sort_by(|a, b| b.1.total_cmp(&a.1));
    answers.truncate(ANSWERS);
    let moved = matrix.moved(&meaning.question, &answers, TOWARDS_ANSWERS);
    // What was not read tells, too, what is alike and what is not.
    let mut moved_likes = HashMap::with_capacity(alike.len());
    for ids in [&all, &beside] {
        add_likes(&mut moved_likes, matrix, &moved, ids);
    }
    let second = judged(&found, &words, Some(&moved_likes));
    let cosines = first.into_iter().map(|found| found.cosine);
    Ok(second
        .into_iter()
        .zip(cosines)
        .map(|(found, cosine)| Candidate { cosine, ..found })
        .collect())
}

/// What was found in either way, each once.
fn all_found(words: &ByWords, scan: &Scan, meant: bool) -> Vec<i64> {
    let by_meaning = scan.best.iter().filter(|_| meant).map(|like| like.chunk);
    let all: BTreeSet<i64> = words.found.iter().map(|(id, _)| *id).chain(by_meaning).collect();
    all.into_iter().collect()
}

/// How to tell what is worth reading without reading it. The index alone does not tell: its best
/// are often not the best by all words, and of a long question it was asked a part.
fn promising_by(search: &Search, likes: &HashMap<i64, Like>) -> Option<Weights> {
    let weights = search.tuning.weights;
    let meant = !likes.is_empty() && weights.vector + weights.vector_window > 0.0;
    (meant && terms::words(&search.question.words).len() <= terms::MOST_WORDS).then_some(weights)
}

/// Those of them that are worth reading.
fn promising(
    all: &[i64],
    weights: Weights,
    words: &ByWords,
    likes: &HashMap<i64, Like>,
) -> Vec<i64> {
    let own = Span::of(likes, |like| like.own);
    let window = Span::of(likes, |like| like.window);
    let by_index: HashMap<i64, f64> = words.found.iter().copied().collect();
    let best = most_of(by_index.values().copied());
    let score = |id: &i64| {
        let like = likes.get(id);
        let keyword = scaled(by_index.get(id).copied().unwrap_or(0.0), 0.0, best);
        let legs = Legs {
            keyword: Some(keyword),
            keyword_window: None,
            vector: like.map(|like| scaled(like.own, own.floor, own.best)),
            vector_window: like.map(|like| scaled(like.window, window.floor, window.best)),
        };
        (fuse(weights, legs), *id)
    };
    let mut scored: Vec<(f64, i64)> = all.iter().map(score).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
    scored.truncate(MOST_JUDGED);
    scored.into_iter().map(|(_, id)| id).collect()
}

fn add_likes(likes: &mut HashMap<i64, Like>, matrix: &Matrix, question: &Quantised, ids: &[i64]) {
    likes.extend(matrix.likes(question, ids).into_iter().map(|like| (like.chunk, like)));
}

fn judged(
    found: &BTreeMap<i64, Candidate>,
    said: &HashMap<i64, Said>,
    likes: Option<&HashMap<i64, Like>>,
) -> Vec<Candidate> {
    let none = HashMap::new();
    let likes = likes.unwrap_or(&none);
    let own = Span::of(likes, |like| like.own);
    let window = Span::of(likes, |like| like.window);
    let judge = |candidate: &Candidate| {
        let like = likes.get(&candidate.id);
        let said = said.get(&candidate.id).copied().unwrap_or_default();
        let legs = Legs {
            keyword: Some(said.own),
            keyword_window: Some(said.window),
            vector: like.map(|like| scaled(like.own, own.floor, own.best)),
            vector_window: like.map(|like| scaled(like.window, window.floor, window.best)),
        };
        Candidate { legs, cosine: like.map(|like| like.own), ..candidate.clone() }
    };
    found.values().map(judge).collect()
}

/// How a chunk did by its words, and with its neighbours, from 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    own: f64,
    window: f64,
}

/// Judges what was found by all words of the question. What the index says decides a little: it
/// knows scripts and forms that the second look does not.
fn said(question: &str, words: &ByWords, found: &BTreeMap<i64, Candidate>) -> HashMap<i64, Said> {
    let places: HashMap<(i64, i64), usize> =
        found.values().zip(0..).map(|(at, place)| ((at.thread, at.position), place)).collect();
    let texts: Vec<Text<'_>> = found
        .values()
        .map(|at| {
            let beside = [-1, 1].map(|by| places.get(&(at.thread, at.position + by)).copied());
            Text { text: &at.text, beside }
        })
        .collect();
    let all = terms::words(question);
    let scores = relevance(question, terms::begun(&all), &words.frequencies, &texts);
    let by_index: HashMap<i64, f64> = words.found.iter().copied().collect();
    let best = most_of(scores.iter().copied());
    let best_of_index = most_of(by_index.values().copied());
    let own: Vec<f64> = found
        .keys()
        .zip(scores)
        .map(|(id, score)| {
            let by_index = by_index.get(id).copied().unwrap_or(0.0);
            scaled(score, 0.0, best) + OF_INDEX * scaled(by_index, 0.0, best_of_index)
        })
        .collect();
    let windows = with_neighbours(&own, &texts);
    let (best, best_window) = (most_of(own.iter().copied()), most_of(windows.iter().copied()));
    let said = |(own, window)| Said {
        own: scaled(own, 0.0, best),
        window: scaled(window, 0.0, best_window),
    };
    found.keys().copied().zip(own.into_iter().zip(windows).map(said)).collect()
}

fn most_of(scores: impl Iterator<Item = f64>) -> f64 {
    scores.fold(0.0, f64::max)
}

/// Between which likenesses texts lie that tell something.
struct Span {
    /// Where texts lie that are no better than the rest: the mean, unless there are so few texts
    /// that the best make it up.
    floor: f64,
    best: f64,
}

impl Span {
    fn of(likes: &HashMap<i64, Like>, of: fn(&Like) -> f64) -> Self {
        let best = most_of(likes.values().map(of));
        #[expect(clippy::cast_precision_loss, reason = "there are some hundreds")]
        let mean = likes.values().map(of).sum::<f64>() / likes.len().max(1) as f64;
        Self { floor: mean.min(best / 2.0), best }
    }
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
        text: row.get(7)?,
    })
}
