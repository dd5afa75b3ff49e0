//! One score out of several: a weighted mean of scores that were brought to one scale. Not the
//! mean of ranks, which forgets how much better the best was.

/// How much each way of searching counts. Only their proportions matter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Words of the text itself.
    pub keyword: f64,
    /// Words of the text and its neighbours.
    pub keyword_window: f64,
    /// Meaning of the text itself.
    pub vector: f64,
    /// Meaning of the text and its neighbours.
    pub vector_window: f64,
}

/// How one text did in each way of searching, from 0 to 1; none where it could not be tried.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Legs {
    /// See [`Weights::keyword`].
    pub keyword: Option<f64>,
    /// See [`Weights::keyword_window`].
    pub keyword_window: Option<f64>,
    /// See [`Weights::vector`].
    pub vector: Option<f64>,
    /// See [`Weights::vector_window`].
    pub vector_window: Option<f64>,
}

/// What else moves a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// How much each way counts.
    pub weights: Weights,
    /// How much something new gains over something old: 0 is nothing, 1 doubles it.
    pub recency: f64,
    /// How much something important gains over something that is not.
    pub importance: f64,
    /// How much a text loses that says what one above it says.
    pub diversity: f64,
}

/// After so many days something has half of what being new gains.
const HALF_LIFE_DAYS: f64 = 30.0;

const DAY_MS: f64 = 86_400_000.0;

impl Default for Weights {
    fn default() -> Self {
        Self { keyword: 0.5, keyword_window: 0.2, vector: 0.3, vector_window: 0.1 }
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self { weights: Weights::default(), recency: 0.0, importance: 0.25, diversity: 0.3 }
    }
}

/// The weighted mean of what could be tried. A text without a vector is judged by its words
/// alone, neither better nor worse for it.
pub fn fuse(weights: Weights, legs: Legs) -> f64 {
    let pairs = [
        (weights.keyword, legs.keyword),
        (weights.keyword_window, legs.keyword_window),
        (weights.vector, legs.vector),
        (weights.vector_window, legs.vector_window),
    ];
    let tried = pairs.into_iter().filter_map(|(weight, score)| Some((weight.max(0.0), score?)));
    let (sum, total) = tried
        .fold((0.0, 0.0), |(sum, total), (weight, score)| (sum + weight * score, total + weight));
    if total > 0.0 { sum / total } else { 0.0 }
}

/// The weights for a question of so many words. The meaning of a long text is a blur, while its
/// rare words stay sharp: from forty words on vectors count less, from eighty on nothing.
pub fn for_length(weights: Weights, words: usize) -> Weights {
    #[expect(clippy::cast_precision_loss, reason = "a few words more or less change little")]
    let sharp = ((80.0 - words as f64) / 40.0).clamp(0.0, 1.0);
    let Weights { vector, vector_window, .. } = weights;
    Weights { vector: vector * sharp, vector_window: vector_window * sharp, ..weights }
}

/// What a score is multiplied by for its age.
pub fn for_age(recency: f64, at_ms: u64, now_ms: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a day more or less changes nothing")]
    let age = now_ms.saturating_sub(at_ms) as f64 / DAY_MS;
    1.0 + recency.clamp(0.0, 1.0) * (-age / HALF_LIFE_DAYS).exp2()
}

/// What a score is multiplied by for its importance, which is from 0 to 1 and usually a half.
pub fn for_importance(weight: f64, importance: f64) -> f64 {
    1.0 + weight.clamp(0.0, 1.0) * (importance.clamp(0.0, 1.0) - 0.5) * 2.0
}

/// Scores on a scale from 0, what lies at `floor` and below, to 1, the best of them.
pub fn scaled(score: f64, floor: f64, best: f64) -> f64 {
    let span = best - floor;
    if span > f64::EPSILON { ((score - floor) / span).clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_of_what_could_be_tried() {
        let weights =
            Weights { keyword: 3.0, keyword_window: 0.0, vector: 1.0, vector_window: 0.0 };
        let both = Legs { keyword: Some(1.0), vector: Some(0.0), ..Legs::default() };
        assert!((fuse(weights, both) - 0.75).abs() < 1e-9);
        let words = Legs { keyword: Some(0.8), ..Legs::default() };
        assert!((fuse(weights, words) - 0.8).abs() < 1e-9, "no vector is no fault of the text");
        assert!(fuse(weights, Legs::default()).abs() < 1e-9);
    }

    #[test]
    fn vectors_count_less_for_a_long_question() {
        let weights = Weights::default();
        assert_eq!(for_length(weights, 40), weights);
        let long = for_length(weights, 80);
        assert_eq!((long.vector, long.vector_window, long.keyword), (0.0, 0.0, weights.keyword));
        assert!(for_length(weights, 60).vector < weights.vector);
    }

    #[test]
    fn new_and_important_things_gain() {
        let day = 86_400_000;
        assert!((for_age(1.0, 100 * day, 100 * day) - 2.0).abs() < 1e-9);
        assert!((for_age(1.0, 70 * day, 100 * day) - 1.5).abs() < 1e-9);
        assert!((for_age(0.0, 0, 100 * day) - 1.0).abs() < 1e-9);
        assert!((for_importance(0.5, 1.0) - 1.5).abs() < 1e-9);
        assert!((for_importance(0.5, 0.5) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_scale_without_a_span_is_nought() {
        assert!((scaled(3.0, 1.0, 5.0) - 0.5).abs() < 1e-9);
        assert!(scaled(3.0, 3.0, 3.0).abs() < 1e-9);
        assert!(scaled(f64::NAN, 0.0, 0.0).abs() < 1e-9);
    }
}
