//! How well texts answer the words of a question: BM25 in which a word counts as often as it was
//! asked, and in which the best texts of a first look say what else belongs to the question.
//! An index finds the texts; it knows neither.
//!
//! BM25 is by Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009); the second
//! look is the relevance model of Lavrenko and Croft (2001), mixed with the question (RM3).

use super::words::says_something;
use rust_stemmers::{Algorithm, Stemmer};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// How soon another mention of a word counts less, and how much a long text loses: little, because
/// chunks are of one size and only the last of a text is short.
const SATURATION: f64 = 1.2;
const LENGTH: f64 = 0.4;

/// The best so many of a first look say what belongs to the question: so many words, which count
/// for so much beside those that were asked.
const ANSWERS: usize = 3;
const MOST_ADDED: usize = 30;
const ADDED: f64 = 0.5;

/// Characters of a word that are looked at.
const LONGEST_WORD: usize = 64;

/// Texts of a sample whose silence about a word says that the word is rare.
const LEAST_TEXTS: f64 = 500.0;

/// Words whose stems stay in memory; a language and its names have fewer.
const MOST_MET: usize = 200_000;

/// How common words are, by their stems, in a sample of what is searched.
#[derive(Debug, Default)]
pub struct Frequencies {
    texts: f64,
    words: f64,
    texts_with: HashMap<String, f64>,
    /// Words that were met, so that each is brought to its stem once and not in each search.
    met: Mutex<Stems>,
}

impl Frequencies {
    /// Counts a sample.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut counted = Self::default();
        let mut stems = Stems::default();
        for text in texts {
            let mut seen = stems.of(text);
            counted.texts += 1.0;
            counted.words += as_f64(seen.len());
            seen.sort_unstable();
            seen.dedup();
            for stem in seen {
                *counted.texts_with.entry(stems.name(stem).to_owned()).or_default() += 1.0;
            }
        }
        counted
    }

    fn met(&self) -> MutexGuard<'_, Stems> {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if met.by_word.len() > MOST_MET {
            *met = Stems::default();
        }
        met
    }

    /// How much it tells that a text has a word: more than 0, the rarer the more.
    fn tells(&self, stem: &str) -> f64 {
        let with = self.texts_with.get(stem).copied().unwrap_or(0.0);
        (1.0 + (self.texts - with + 0.5) / (with + 0.5)).ln()
    }

    /// The share of the texts that have a word; `None` where the word is in none of the sample and
    /// the sample is too small to tell anything by that.
    pub fn share(&self, word: &str) -> Option<f64> {
        let mut stems = self.met();
        let stem = stems.of(word).first().copied()?;
        let with = self.texts_with.get(stems.name(stem)).copied().unwrap_or(0.0);
        (self.texts >= LEAST_TEXTS || with > 0.0).then(|| with / self.texts)
    }

    fn usual_length(&self) -> f64 {
        if self.words > 0.0 { self.words / self.texts } else { 1.0 }
    }

    /// The words of a question, each once and as it was written, but no more than so many: those
    /// that were asked most and tell most, in the order of the question.
    pub fn most_telling(&self, words: Vec<String>, question: &str, most: usize) -> Vec<String> {
        if words.len() <= most {
            return words;
        }
        let mut stems = self.met();
        let mut asked: BTreeMap<u32, f64> = BTreeMap::new();
        for stem in stems.of(question) {
            *asked.entry(stem).or_default() += 1.0;
        }
        let mut ranked: Vec<(f64, usize)> = Vec::new();
        for (place, word) in words.iter().enumerate() {
            let stem = stems.of(word).first().copied();
            let told = stem.map_or(0.0, |stem| {
                asked.get(&stem).copied().unwrap_or(0.0) * self.tells(stems.name(stem))
            });
            ranked.push((told, place));
        }
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        ranked.truncate(most);
        let mut places: Vec<usize> = ranked.into_iter().map(|(_, place)| place).collect();
        places.sort_unstable();
        places.into_iter().filter_map(|place| words.get(place).cloned()).collect()
    }
}

/// A text that may answer.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// What it says.
    pub text: &'a str,
    /// The places of what stands before and behind it among these texts.
    pub beside: [Option<usize>; 2],
}

/// How well each text answers by its words, from 0; only their proportions mean anything. A word
/// that is begun stands for each that begins so.
pub fn relevance(
    question: &str,
    begun: Option<&str>,
    frequencies: &Frequencies,
    texts: &[Text<'_>],
) -> Vec<f64> {
    let mut stems = frequencies.met();
    let mut asked: BTreeMap<u32, f64> = BTreeMap::new();
    let mut all: BTreeMap<u32, f64> = BTreeMap::new();
    stems.each(question, |word, stem| {
        *all.entry(stem).or_default() += 1.0;
        if says_something(word) {
            *asked.entry(stem).or_default() += 1.0;
        }
    });
    if asked.is_empty() {
        asked = all;
    }
    let begun = begun.map(plain);
    let begun = begun.as_deref().and_then(|word| Some((word, *stems.of(word).first()?)));
    let counted: Vec<Counted> =
        texts.iter().map(|text| Counted::of(stems.of_begun(text.text, begun))).collect();
    let usual = frequencies.usual_length();
    let look = |asked: &BTreeMap<u32, f64>, stems: &mut Stems| -> Vec<f64> {
        let mut weights = vec![0.0; stems.names.len()];
        for (stem, weight) in asked {
            if let Some(place) = weights.get_mut(*stem as usize) {
                *place = weight * stems.told(*stem, frequencies);
            }
        }
        counted.iter().map(|text| text.fits(&weights, usual)).collect()
    };
    let first = look(&asked, &mut stems);
    // What only stands beside an answer is none.
    let mut answers = with_neighbours(&first, texts);
    for (answer, own) in answers.iter_mut().zip(&first) {
        *answer = if *own > 0.0 { *answer } else { 0.0 };
    }
    let added = added(&answers, &counted, &mut stems, frequencies);
    let total: f64 = asked.values().sum();
    if added.is_empty() || total <= 0.0 {
        return first;
    }
    for weight in asked.values_mut() {
        *weight *= (1.0 - ADDED) / total;
    }
    for (stem, share) in added {
        *asked.entry(stem).or_default() += ADDED * share;
    }
    look(&asked, &mut stems)
}

/// Scores of texts with what stands beside them. A word that is in a text and its neighbour counts
/// little more than once, as it would in one text: a sum of cubes is near the largest of them.
pub fn with_neighbours(scores: &[f64], texts: &[Text<'_>]) -> Vec<f64> {
    let cube = |place: usize| scores.get(place).copied().unwrap_or(0.0).max(0.0).powi(3);
    let sum = |(place, text): (usize, &Text<'_>)| {
        let beside: f64 = text.beside.into_iter().flatten().map(cube).sum();
        (cube(place) + beside).cbrt()
    };
    texts.iter().enumerate().map(sum).collect()
}

/// What the best texts say belongs to the question, with its share of 1.
fn added(
    scores: &[f64],
    texts: &[Counted],
    stems: &mut Stems,
    frequencies: &Frequencies,
) -> Vec<(u32, f64)> {
    let mut best: Vec<(f64, usize)> = scores.iter().copied().zip(0..).collect();
    best.retain(|(score, _)| *score > 0.0);
    best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    best.truncate(ANSWERS);
    let all: f64 = best.iter().map(|(score, _)| score).sum();
    let mut said: BTreeMap<u32, f64> = BTreeMap::new();
    for (score, place) in best {
        let Some(text) = texts.get(place) else { continue };
        for (stem, times) in &text.times {
            let name = stems.name(*stem);
            if name.chars().count() < 3 || !says_something(name) {
                continue;
            }
            let told = stems.told(*stem, frequencies);
            *said.entry(*stem).or_default() += score / all * times / text.length * told;
        }
    }
    let mut said: Vec<(u32, f64)> = said.into_iter().collect();
    said.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| stems.name(a.0).cmp(stems.name(b.0))));
    said.truncate(MOST_ADDED);
    let all: f64 = said.iter().map(|(_, weight)| weight).sum();
    said.into_iter().map(|(stem, weight)| (stem, weight / all)).collect()
}

/// The words of a text, counted.
struct Counted {
    times: Vec<(u32, f64)>,
    length: f64,
}

impl Counted {
    fn of(mut stems: Vec<u32>) -> Self {
        let length = as_f64(stems.len().max(1));
        stems.sort_unstable();
        let runs = stems.chunk_by(|a, b| a == b);
        let times = runs.filter_map(|run| Some((*run.first()?, as_f64(run.len())))).collect();
        Self { times, length }
    }

    fn fits(&self, weights: &[f64], usual: f64) -> f64 {
        let long = SATURATION * (1.0 - LENGTH + LENGTH * self.length / usual);
        let fits = |(stem, times): &(u32, f64)| {
            let weight = *weights.get(*stem as usize)?;
            (weight > 0.0).then(|| weight * times * (SATURATION + 1.0) / (times + long))
        };
        self.times.iter().filter_map(fits).sum()
    }
}

/// Stems by number, each word looked up once. Words are told apart by a keyed hash of 64 bits: to
/// compare the words themselves, spread over memory as they are, would be most of a search, and
/// two of them that share one would only be ranked as one.
#[derive(Debug, Default)]
struct Stems {
    keys: ahash::RandomState,
    by_word: HashMap<u64, u32, BuildHasherDefault<Same>>,
    by_name: HashMap<String, u32>,
    names: Vec<String>,
    /// How much each stem tells, as far as it was asked.
    told: Vec<Option<f64>>,
}

impl Stems {
    /// The stems of a text, in its order.
    fn of(&mut self, text: &str) -> Vec<u32> {
        self.of_begun(text, None)
    }

    /// The same, where a word that begins as one that is begun has its stem.
    fn of_begun(&mut self, text: &str, begun: Option<(&str, u32)>) -> Vec<u32> {
        let mut stems = Vec::new();
        match begun {
            Some((begun, of_it)) => self.each(text, |word, stem| {
                stems.push(if begins(word, begun) { of_it } else { stem });
            }),
            None => {
                for written in written(text) {
                    let key = self.keys.hash_one(written);
                    stems.push(match self.by_word.get(&key) {
                        Some(known) => *known,
                        None => self.meet(written, key),
                    });
                }
            }
        }
        stems
    }

    /// Each word of a text in small letters, with its stem.
    fn each(&mut self, text: &str, mut take: impl FnMut(&str, u32)) {
        let mut word = String::new();
        for written in written(text) {
            word.clear();
            word.extend(written.chars().take(LONGEST_WORD).flat_map(char::to_lowercase));
            let key = self.keys.hash_one(written);
            let stem = match self.by_word.get(&key) {
                Some(known) => *known,
                None => self.meet(written, key),
            };
            take(&word, stem);
        }
    }

    /// A word that was not met before, in the letters it was written in.
    fn meet(&mut self, written: &str, key: u64) -> u32 {
        let word: String = written.chars().take(LONGEST_WORD).collect();
        let stem = Stemmer::create(Algorithm::English).stem(&plain(&word)).into_owned();
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let number = *self.by_name.entry(stem.clone()).or_insert(next);
        if number == next {
            self.names.push(stem);
        }
        self.by_word.insert(key, number);
        number
    }

    /// How much a stem tells, reckoned once.
    fn told(&mut self, number: u32, frequencies: &Frequencies) -> f64 {
        let at = number as usize;
        let Some(name) = self.names.get(at) else { return 0.0 };
        if self.told.len() <= at {
            self.told.resize(self.names.len(), None);
        }
        let told =
            self.told.get_mut(at).map(|told| *told.get_or_insert_with(|| frequencies.tells(name)));
        told.unwrap_or(0.0)
    }

    fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", String::as_str)
    }
}

/// The words of a text as they are written.
fn written(text: &str) -> impl Iterator<Item = &str> {
    let within = |character: char| {
        if character.is_ascii() {
            character.is_ascii_alphanumeric()
        } else {
            character.is_alphanumeric() || is_combining_mark(character)
        }
    };
    text.split(move |character: char| !within(character)).filter(|word| !word.is_empty())
}

/// A hash of what is one.
#[derive(Debug, Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

fn begins(word: &str, begun: &str) -> bool {
    if word.is_ascii() { word.starts_with(begun) } else { plain(word).starts_with(begun) }
}

/// A word without accents, as the index has it.
fn plain(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    let small = word.chars().flat_map(char::to_lowercase);
    small.nfd().filter(|character| !is_combining_mark(*character)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "words of a text are few")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(texts: &[&'static str]) -> Vec<Text<'static>> {
        texts.iter().map(|text| Text { text, beside: [None; 2] }).collect()
    }

    fn best(question: &str, begun: Option<&str>, texts: &[&'static str]) -> Option<usize> {
        let frequencies = Frequencies::of(texts.iter().copied());
        let scores = relevance(question, begun, &frequencies, &alone(texts));
        let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
        (*best.1 > 0.0).then_some(best.0)
    }

    #[test]
    fn a_word_counts_as_often_as_it_was_asked() {
        let texts = ["a card was lost", "a transfer was lost"];
        assert_eq!(best("card, transfer, my card", None, &texts), Some(0));
        assert_eq!(best("card, transfer, my transfers", None, &texts), Some(1));
    }

    #[test]
    fn rare_words_tell_more_and_forms_are_one() {
        let texts = ["the ship sails", "the ship rests", "the ship sinks", "ferries"];
        assert_eq!(best("a ship or a ferry", None, &texts), Some(3));
        assert_eq!(best("nothing of it", None, &texts), None);
        assert_eq!(best("", None, &texts), None);
    }

    #[test]
    fn what_the_best_texts_say_belongs_to_the_question() {
        let texts = [
            "heat conduction in slabs of copper: the slabs conduct heat",
            "copper conducts",
            "a list of groceries",
        ];
        let frequencies = Frequencies::of(texts);
        let scores = relevance("heat in slabs", None, &frequencies, &alone(&texts));
        assert!(scores[0] > scores[1] && scores[1] > 0.0 && scores[2] <= 0.0, "{scores:?}");
    }

    #[test]
    fn accents_and_beginnings_are_found() {
        let texts = ["Ein Café in Zürich", "tea in Basel"];
        assert_eq!(best("cafe", None, &texts), Some(0));
        assert_eq!(best("zurich", None, &texts), Some(0));
        assert_eq!(best("Bas", Some("Bas"), &texts), Some(1));
        assert_eq!(best("Bas", None, &texts), None);
        assert_eq!(best("Zür", Some("Zür"), &texts), Some(0));
    }

    #[test]
    fn what_stands_beside_an_answer_is_behind_it() {
        let texts = [
            Text { text: "hi ü", beside: [None, Some(1)] },
            Text { text: "hello", beside: [Some(0), None] },
        ];
        let frequencies = Frequencies::of(["hi ü", "hello"]);
        let scores = relevance("HI u", Some("u"), &frequencies, &texts);
        assert!(scores[0] > scores[1], "{scores:?}");
    }

    #[test]
    fn neighbours_count_little_more_than_once() {
        let texts = [
            Text { text: "", beside: [None, Some(1)] },
            Text { text: "", beside: [Some(0), None] },
            Text { text: "", beside: [None, Some(7)] },
        ];
        let scores = with_neighbours(&[1.0, 1.0, 1.0], &texts);
        assert!(scores[0] > 1.2 && scores[0] < 1.3 && (scores[2] - 1.0).abs() < 1e-9);
    }

    #[test]
    fn of_a_long_question_what_tells_most_is_looked_for_in_its_order() {
        let frequencies = Frequencies::of(["common rare", "common", "common"]);
        let words = ["common", "rare", "asked"].map(str::to_owned).to_vec();
        let question = "common rare asked asked";
        assert_eq!(frequencies.most_telling(words.clone(), question, 2), ["rare", "asked"]);
        assert_eq!(frequencies.most_telling(words.clone(), question, 3), words);
    }

    #[test]
    fn anything_is_a_text() {
        for text in ["", "\0", "\u{301}\u{301}", "ß", "İ", "ﬁ", "漢字 かな", &"x".repeat(100_000)]
        {
            let frequencies = Frequencies::of([text, "other"]);
            let texts = [Text { text, beside: [Some(0), Some(9)] }];
            let scores = relevance(text, Some(text), &frequencies, &texts);
            assert!(scores.iter().all(|score| score.is_finite()), "{text}: {scores:?}");
        }
    }
}
