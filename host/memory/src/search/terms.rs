//! The words of a question that are looked for: those that say something, and of a large file not
//! those that nearly everything has.

use crate::failure::Failure;
use crate::sql::Connection;
use hydroid_core::retrieval::relevance::Frequencies;
use hydroid_core::retrieval::words::says_something;
use libsql::Value;
use std::collections::BTreeSet;

/// Words of a question that are looked for; more make it slow. How well what is found fits is
/// judged by all of them.
pub(super) const MOST_WORDS: usize = 32;

/// Words of a question that are looked at.
const MOST_LOOKED_AT: usize = 1_000;

/// Characters of a word that are looked at; the index has no longer ones that matter.
const LONGEST_WORD: usize = 64;

/// A question of more words is no beginning of one.
const MOST_BEGUN: usize = 4;

/// A word that is in more chunks than this tells too little to be worth reading them all, if there
/// are others. Below this many chunks nothing is too common.
const COMMON: i64 = 3_000;

/// The words of a text, each once.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(LONGEST_WORD).collect::<String>())
        .filter(|word| seen.insert(word.to_lowercase()))
        .take(MOST_LOOKED_AT)
        .collect()
}

/// The last word of a short question: whoever writes so few may be in the middle of it.
pub(super) fn begun(words: &[String]) -> Option<&str> {
    words.last().filter(|_| words.len() <= MOST_BEGUN).map(String::as_str)
}

/// An expression for the index that finds any of the words, the last also as a beginning of
/// one; none if there are no words. Words have letters and digits only, so quotes hold them.
pub(super) async fn expression(
    connection: &Connection,
    range: (i64, i64),
    text: &str,
    frequencies: &Frequencies,
) -> Result<Option<String>, Failure> {
    let all = words(text);
    let last = begun(&all).map(str::to_owned);
    let says = all.iter().filter(|word| says_something(word));
    let mut terms: Vec<String> = says.cloned().collect();
    if terms.is_empty() {
        terms = all;
    }
    let mut terms: Vec<String> = frequencies
        .most_telling(terms, text, MOST_WORDS)
        .into_iter()
        .map(|word| {
            if Some(&word) == last.as_ref() {
                format!("\"{word}\"*")
            } else {
                format!("\"{word}\"")
            }
        })
        .collect();
    let chunks = chunks(connection, range).await?;
    if terms.len() > 1 && chunks > COMMON {
        let mut rare = Vec::new();
        for term in &terms {
            if !is_common(connection, range, term, frequencies, chunks).await? {
                rare.push(term.clone());
            }
        }
        if rare.is_empty() {
            terms.truncate(2);
        } else {
            terms = rare;
        }
    }
    Ok((!terms.is_empty()).then(|| terms.join(" OR ")))
}

async fn chunks(connection: &Connection, range: (i64, i64)) -> Result<i64, Failure> {
    let sql = "SELECT chunks FROM user_numbers WHERE number = ?1";
    let number = range.0 >> crate::chunking::CHUNK_BITS;
    let mut rows = connection.query(sql, [number]).await?;
    Ok(rows.next().await?.map(|row| row.get(0)).transpose()?.unwrap_or(0))
}

/// By the sample, which knows whole words, and else by the index.
async fn is_common(
    connection: &Connection,
    range: (i64, i64),
    term: &str,
    frequencies: &Frequencies,
    chunks: i64,
) -> Result<bool, Failure> {
    if let Some(word) = term.strip_prefix('"').and_then(|word| word.strip_suffix('"'))
        && let Some(share) = frequencies.share(word)
    {
        #[expect(clippy::cast_precision_loss, reason = "chunks are far fewer than 2^52")]
        return Ok(share * chunks as f64 >= COMMON as f64);
    }
    let sql = "SELECT count(*) FROM (SELECT 1 FROM chunk_index
               WHERE chunk_index MATCH ?1 AND rowid BETWEEN ?2 AND ?3 LIMIT ?4)";
    let values: Vec<Value> = vec![term.into(), range.0.into(), range.1.into(), COMMON.into()];
    let mut rows = connection.query(sql, values).await?;
    let count: i64 = rows.next().await?.map(|row| row.get(0)).transpose()?.unwrap_or(0);
    Ok(count >= COMMON)
}
