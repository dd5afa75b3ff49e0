//! The same thing is not said twice: what is found is taken one by one, and a text that says what
//! one before it said loses by how much it does (maximal marginal relevance).

use std::collections::BTreeSet;

/// Texts that share less than this of their words are about different things.
const ALIKE: f64 = 0.5;

/// The words of a text, as far as they tell it from another.
pub fn words_of(text: &str) -> BTreeSet<String> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| word.chars().count() > 2)
        .map(str::to_lowercase)
        .collect()
}

/// Which of the scored texts to show, the best first, by their places.
pub fn without_repeats(
    scored: &[(f64, BTreeSet<String>)],
    limit: usize,
    diversity: f64,
) -> Vec<(usize, f64)> {
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
fn shared(one: &BTreeSet<String>, other: &BTreeSet<String>) -> f64 {
    let both = one.intersection(other).count();
    let all = one.len() + other.len() - both;
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
