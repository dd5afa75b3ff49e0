//! The same thing is not said twice: what is found is taken one by one, and a text that says what
//! one before it said loses by how much it does (maximal marginal relevance).

/// Texts that share less than this of their words are about different things.
const ALIKE: f64 = 0.5;

/// The words of a text, each once, as numbers that are the same for the same word. Two words that
/// share one make two texts a little more alike than they are.
#[derive(Clone, Debug, Default)]
pub struct Words(Vec<u64>);

/// The words of a text, as far as they tell it from another.
pub fn words_of(text: &str) -> Words {
    let keys = ahash::RandomState::with_seeds(1, 2, 3, 4);
    let mut words: Vec<u64> = telling(text).map(|word| keys.hash_one(word)).collect();
    words.sort_unstable();
    words.dedup();
    Words(words)
}

/// Words of three letters or more, in small ones.
pub(super) fn telling(text: &str) -> impl Iterator<Item = String> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| word.chars().nth(2).is_some())
        .map(str::to_lowercase)
}

/// Which of the scored texts to show, the best first, by their places.
pub fn without_repeats(scored: &[(f64, Words)], limit: usize, diversity: f64) -> Vec<(usize, f64)> {
    let diversity = diversity.clamp(0.0, 1.0);
    let mut left: Vec<(usize, f64)> =
        scored.iter().enumerate().map(|(place, (score, _))| (place, *score)).collect();
    let mut chosen: Vec<(usize, f64)> = Vec::new();
    while chosen.len() < limit && !left.is_empty() {
        // The first of equals, so that the order of before is kept.
        let best = left.iter().enumerate().fold(0, |best, (at, candidate)| {
            if left.get(best).is_some_and(|best| candidate.1 > best.1) { at } else { best }
        });
        let (place, score) = left.remove(best);
        chosen.push((place, score));
        let Some((_, said)) = scored.get(place) else { continue };
        for (other, score) in &mut left {
            if let Some((own, words)) = scored.get(*other) {
                let repeated = (shared(said, words) - ALIKE).max(0.0) / (1.0 - ALIKE);
                *score = score.min(own * (1.0 - diversity * repeated));
            }
        }
    }
    chosen
}

/// How much of the words of both are in both.
fn shared(one: &Words, other: &Words) -> f64 {
    let (mut left, mut right, mut both) = (0, 0, 0);
    while let (Some(a), Some(b)) = (one.0.get(left), other.0.get(right)) {
        both += usize::from(a == b);
        left += usize::from(a <= b);
        right += usize::from(a >= b);
    }
    let all = one.0.len() + other.0.len() - both;
    #[expect(clippy::cast_precision_loss, reason = "a text has few words")]
    if all == 0 { 0.0 } else { both as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(texts: &[(f64, &str)], limit: usize, diversity: f64) -> Vec<usize> {
        let scored: Vec<_> = texts.iter().map(|(score, text)| (*score, words_of(text))).collect();
        without_repeats(&scored, limit, diversity).into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn a_repeat_goes_behind_what_is_new() {
        let texts = [
            (1.0, "the inn has a room from friday"),
            (0.9, "the inn has a room from friday!"),
            (0.7, "trains leave at noon"),
        ];
        assert_eq!(places(&texts, 3, 0.5), [0, 2, 1]);
        assert_eq!(places(&texts, 3, 0.0), [0, 1, 2]);
        assert_eq!(places(&texts, 1, 0.5), [0]);
    }

    #[test]
    fn what_is_about_the_same_thing_is_no_repeat() {
        let texts = [(1.0, "anna likes green tea"), (0.9, "anna sold the red car to ben")];
        assert_eq!(places(&texts, 2, 1.0), [0, 1]);
        assert_eq!(places(&[(0.5, ""), (0.5, "")], 9, 1.0), [0, 1]);
    }
}
