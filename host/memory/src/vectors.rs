//! The vectors of a user in memory, one byte a number, and how like a question each is: an exact
//! scan of all of them. Where they come from is in `embedding`, what they are for in `search`.
//!
//! Why no index: see `docs/decisions/0018-retrieval.md`.

mod product;

use crate::failure::Failure;
use crate::sql::{Connection, Row};
use hydroid_core::ports::Source;
use libsql::params;
use product::{as_f32, product, products};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What stands for a row that is not there.
const NOBODY: u32 = u32::MAX;

/// Bytes of vectors that are read at once: a service sends all rows together.
const PAGE_BYTES: usize = 4 << 20;

/// Bytes of a row beside its vector, roughly.
const ROW_BYTES: usize = 64;

/// Largest number of a vector that is stored.
const LARGEST: f32 = 127.0;

/// A vector of length 1 with one byte a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantised {
    pub(crate) scale: f32,
    pub(crate) numbers: Vec<i8>,
}

impl Quantised {
    /// Brings a vector to length 1 and each number to one byte. What is no number counts as 0.
    pub(crate) fn of(vector: &[f32]) -> Self {
        let finite = |number: &f32| if number.is_finite() { *number } else { 0.0 };
        let norm = vector.iter().map(finite).map(|number| number * number).sum::<f32>().sqrt();
        let most = vector.iter().map(finite).map(f32::abs).fold(0.0, f32::max);
        if norm <= f32::EPSILON || !norm.is_finite() {
            return Self { scale: 0.0, numbers: vec![0; vector.len()] };
        }
        #[expect(clippy::cast_possible_truncation, reason = "it is between -127 and 127")]
        let numbers =
            vector.iter().map(|number| (finite(number) / most * LARGEST).round() as i8).collect();
        Self { scale: most / LARGEST / norm, numbers }
    }

    /// Its numbers as the database keeps them.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.numbers.iter().map(|number| number.cast_unsigned()).collect()
    }
}

/// What a scan may return.
#[derive(Debug, Default)]
pub(crate) struct Allowed {
    pub(crate) sources: BTreeSet<Source>,
    pub(crate) after_ms: i64,
    pub(crate) before_ms: Option<i64>,
    /// These only.
    pub(crate) only: Option<HashSet<i64>>,
    /// Not these.
    pub(crate) without: HashSet<i64>,
}

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Likeness of a chunk and of it with its neighbours, for the best of each.
    pub(crate) best: Vec<Like>,
    /// Vectors there are.
    pub(crate) vectors: usize,
}

/// How like a question a chunk is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Like {
    pub(crate) chunk: i64,
    pub(crate) own: f64,
    pub(crate) window: f64,
}

/// All vectors of one user by one embedder.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    embedder: i64,
    epoch: i64,
    last_seq: i64,
    dimensions: usize,
    chunks: Vec<i64>,
    numbers: Vec<i8>,
    scales: Vec<f32>,
    at_ms: Vec<i64>,
    sources: Vec<Source>,
    /// Rows of the neighbours in the thread.
    previous: Vec<u32>,
    next: Vec<u32>,
    /// Length of the sum of a vector and its neighbours'.
    lengths: Vec<f32>,
    places: HashMap<(i64, i64), u32>,
    rows: HashMap<i64, u32>,
    /// Where scans reckon, kept because memory that is new each time costs a tenth of a scan.
    likenesses: Likenesses,
}

/// How like a question each row is, and each with its neighbours.
#[derive(Debug, Default)]
struct Likenesses {
    own: Vec<f32>,
    windows: Vec<f32>,
}

impl Matrix {
    /// Reads what came since the last time; all of it if anything went away meanwhile or another
    /// embedder is asked for.
    pub(crate) async fn refresh(
        &mut self,
        connection: &Connection,
        range: (i64, i64),
        embedder: i64,
        dimensions: usize,
    ) -> Result<(), Failure> {
        let sql = "SELECT epoch FROM user_numbers WHERE number = ?1";
        let number = range.0 >> crate::chunking::CHUNK_BITS;
        let mut rows = connection.query(sql, [number]).await?;
        let epoch = rows.next().await?.map(|row| row.get(0)).transpose()?.unwrap_or(0);
        drop(rows);
        if (self.embedder, self.epoch, self.dimensions) != (embedder, epoch, dimensions) {
            *self = Self { embedder, epoch, dimensions, ..Self::default() };
        }
        let sql =
            "SELECT seq, chunk_id, thread, position, at_ms, source, scale, vector FROM vectors
                   WHERE seq > ?1 AND embedder_id = ?2 AND chunk_id BETWEEN ?3 AND ?4
                   ORDER BY seq LIMIT ?5";
        let most = (PAGE_BYTES / (dimensions + ROW_BYTES)).max(1);
        let first = self.chunks.len();
        loop {
            let most = i64::try_from(most)?;
            let values = params![self.last_seq, embedder, range.0, range.1, most];
            let mut rows = connection.query(sql, values).await?;
            let mut read = 0;
            while let Some(row) = rows.next().await? {
                read += 1;
                self.take(&row, dimensions)?;
            }
            if read < most {
                break;
            }
        }
        self.link(first);
        Ok(())
    }

    fn take(&mut self, row: &Row, dimensions: usize) -> Result<(), Failure> {
        self.last_seq = row.get(0)?;
        let numbers = row.get_value(7)?;
        if let Some(numbers) = numbers.as_blob()
            && numbers.len() == dimensions
            && self.chunks.len() < NOBODY as usize - 1
        {
            #[expect(clippy::cast_possible_truncation, reason = "it was an f32 when it was stored")]
            let scale = row.get::<f64>(6)? as f32;
            let source = match row.get_str(5)? {
                "note" => Source::Note,
                "message" => Source::Message,
                _ => Source::File,
            };
            let place = (row.get(2)?, row.get(3)?);
            self.push(row.get(1)?, place, row.get(4)?, source, scale, numbers);
        }
        Ok(())
    }

    fn push(
        &mut self,
        chunk: i64,
        place: (i64, i64),
        at_ms: i64,
        source: Source,
        scale: f32,
        numbers: &[u8],
    ) {
        let row = u32::try_from(self.chunks.len()).unwrap_or(NOBODY);
        self.chunks.push(chunk);
        self.numbers.extend(numbers.iter().map(|number| number.cast_signed()));
        self.scales.push(scale);
        self.at_ms.push(at_ms);
        self.sources.push(source);
        let beside =
            |offset: i64| *self.places.get(&(place.0, place.1 + offset)).unwrap_or(&NOBODY);
        let (previous, next) = (beside(-1), beside(1));
        self.previous.push(previous);
        self.next.push(next);
        self.lengths.push(1.0);
        if let Some(before) = self.next.get_mut(previous as usize) {
            *before = row;
        }
        if let Some(after) = self.previous.get_mut(next as usize) {
            *after = row;
        }
        self.places.insert(place, row);
        self.rows.insert(chunk, row);
    }

    /// Reckons the lengths of the windows of rows that are new, and of their neighbours'.
    fn link(&mut self, first: usize) {
        let mut touched: BTreeSet<u32> = BTreeSet::new();
        for row in first..self.chunks.len() {
            touched.extend(u32::try_from(row));
            let beside = [self.previous.get(row), self.next.get(row)];
            touched.extend(beside.into_iter().flatten().filter(|row| **row != NOBODY));
        }
        for row in touched {
            let length = self.window_length(row);
            if let Some(place) = self.lengths.get_mut(row as usize) {
                *place = length;
            }
        }
    }

    fn window_length(&self, row: u32) -> f32 {
        let window = self.window(row);
        let mut square = 0.0;
        for (at, one) in window.iter().enumerate() {
            square += self.likeness(*one, *one);
            for other in window.iter().skip(at + 1) {
                square += 2.0 * self.likeness(*one, *other);
            }
        }
        square.max(0.0).sqrt()
    }

    /// A row with its neighbours.
    fn window(&self, row: u32) -> Vec<u32> {
        self.window_of(row).into_iter().filter(|row| *row != NOBODY).collect()
    }

    fn window_of(&self, row: u32) -> [u32; 3] {
        let beside = |rows: &Vec<u32>| rows.get(row as usize).copied().unwrap_or(NOBODY);
        [row, beside(&self.previous), beside(&self.next)]
    }

    fn numbers_of(&self, row: u32) -> &[i8] {
        let begin = row as usize * self.dimensions;
        self.numbers.get(begin..begin + self.dimensions).unwrap_or_default()
    }

    fn likeness(&self, one: u32, other: u32) -> f32 {
        let scale = |row: u32| self.scales.get(row as usize).copied().unwrap_or(0.0);
        let dot = product(self.numbers_of(one), self.numbers_of(other));
        as_f32(dot) * scale(one) * scale(other)
    }

    /// The chunks most like a question, by themselves or with their neighbours.
    pub(crate) fn scan(&mut self, question: &Quantised, allowed: &Allowed, most: usize) -> Scan {
        let count = self.chunks.len();
        if count == 0 || question.numbers.len() != self.dimensions || question.scale <= 0.0 {
            return Scan { vectors: count, ..Scan::default() };
        }
        let Likenesses { mut own, mut windows } = std::mem::take(&mut self.likenesses);
        own.clear();
        products(&question.numbers, self.numbers.chunks_exact(self.dimensions), &mut own);
        for (own, scale) in own.iter_mut().zip(&self.scales) {
            *own *= scale * question.scale;
        }
        let of = |row: u32| own.get(row as usize).copied().unwrap_or(0.0);
        let beside = self.previous.iter().zip(&self.next);
        windows.clear();
        windows.extend(own.iter().zip(beside).zip(&self.lengths).map(
            |((own, (previous, next)), length)| {
                (own + of(*previous) + of(*next)) / length.max(f32::EPSILON)
            },
        ));
        let everything = allowed.is_everything();
        let mut rows: Vec<usize> = Vec::new();
        for scores in [&own, &windows] {
            let may = (0..count).filter(|row| everything || self.may(*row, allowed));
            rows.extend(highest(scores, may, most));
        }
        rows.sort_unstable();
        rows.dedup();
        let like = |row: usize| {
            let (chunk, own, window) = (self.chunks.get(row)?, own.get(row)?, windows.get(row)?);
            Some(Like { chunk: *chunk, own: f64::from(*own), window: f64::from(*window) })
        };
        let best = rows.into_iter().filter_map(like).collect();
        self.likenesses = Likenesses { own, windows };
        Scan { best, vectors: count }
    }

    /// A question moved towards chunks that answer it, each by its weight: what it means is said
    /// better by texts than by the few words it has. Those without a vector move nothing.
    pub(crate) fn moved(
        &self,
        question: &Quantised,
        answers: &[(i64, f64)],
        far: f64,
    ) -> Quantised {
        let mut towards = vec![0.0_f32; self.dimensions];
        for (chunk, weight) in answers {
            let Some(row) = self.rows.get(chunk) else { continue };
            #[expect(clippy::cast_possible_truncation, reason = "a weight is for comparing")]
            let scale = self.scales.get(*row as usize).copied().unwrap_or(0.0) * *weight as f32;
            for (place, number) in towards.iter_mut().zip(self.numbers_of(*row)) {
                *place += f32::from(*number) * scale;
            }
        }
        let length = towards.iter().map(|number| number * number).sum::<f32>().sqrt();
        if length <= f32::EPSILON || question.numbers.len() != self.dimensions {
            return question.clone();
        }
        #[expect(clippy::cast_possible_truncation, reason = "a weight is for comparing")]
        let far = far as f32 / length;
        let own = question.numbers.iter().map(|number| f32::from(*number) * question.scale);
        let moved: Vec<f32> = own.zip(towards).map(|(own, towards)| own + towards * far).collect();
        Quantised::of(&moved)
    }

    /// How like a question these chunks are, whether they are among the best or not.
    pub(crate) fn likes(&self, question: &Quantised, chunks: &[i64]) -> Vec<Like> {
        let rows: Vec<(i64, u32)> =
            chunks.iter().filter_map(|chunk| Some((*chunk, *self.rows.get(chunk)?))).collect();
        let windows: Vec<[u32; 3]> = rows.iter().map(|(_, row)| self.window_of(*row)).collect();
        let all = windows.iter().flatten().map(|row| self.numbers_of(*row));
        let mut found = Vec::with_capacity(3 * rows.len());
        products(&question.numbers, all, &mut found);
        let (found, _) = found.as_chunks::<3>();
        let mut likes = Vec::with_capacity(rows.len());
        for (((chunk, row), window), products) in rows.iter().zip(&windows).zip(found) {
            let scale =
                |row: u32| self.scales.get(row as usize).copied().unwrap_or(0.0) * question.scale;
            let each = window.iter().zip(products);
            let sum: f32 = each.map(|(row, product)| product * scale(*row)).sum();
            let length = self.lengths.get(*row as usize).copied().unwrap_or(1.0);
            likes.push(Like {
                chunk: *chunk,
                own: f64::from(products[0] * scale(*row)),
                window: f64::from(sum / length.max(f32::EPSILON)),
            });
        }
        likes
    }

    fn may(&self, row: usize, allowed: &Allowed) -> bool {
        let (Some(chunk), Some(at), Some(source)) =
            (self.chunks.get(row), self.at_ms.get(row), self.sources.get(row))
        else {
            return false;
        };
        *at >= allowed.after_ms
            && allowed.before_ms.is_none_or(|before| *at < before)
            && (allowed.sources.is_empty() || allowed.sources.contains(source))
            && allowed.only.as_ref().is_none_or(|only| only.contains(chunk))
            && !allowed.without.contains(chunk)
    }
}

impl Allowed {
    fn is_everything(&self) -> bool {
        self.sources.is_empty()
            && self.after_ms <= 0
            && self.before_ms.is_none()
            && self.only.is_none()
            && self.without.is_empty()
    }
}

/// Rows of the highest scores. Most rows are compared with the lowest that counts so far, once.
fn highest(scores: &[f32], rows: impl Iterator<Item = usize>, most: usize) -> Vec<usize> {
    let mut kept: Vec<(f32, usize)> = Vec::with_capacity(2 * most);
    let mut floor = None;
    let cut = |kept: &mut Vec<(f32, usize)>| {
        if kept.len() <= most || most == 0 {
            return None;
        }
        kept.select_nth_unstable_by(most - 1, |a, b| b.0.total_cmp(&a.0));
        kept.truncate(most);
        kept.last().map(|(score, _)| *score)
    };
    for row in rows {
        let Some(score) = scores.get(row) else { continue };
        if floor.is_none_or(|floor| *score > floor) {
            kept.push((*score, row));
            if kept.len() >= 2 * most {
                floor = cut(&mut kept);
            }
        }
    }
    cut(&mut kept);
    kept.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests;
