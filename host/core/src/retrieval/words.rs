//! Words that say something, and how much two texts have in common by them.

use super::repeats::telling;
use std::collections::BTreeSet;

/// Words that are in every question and say nothing about it.
const EMPTY: &[&str] = &[
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "been", "but", "by", "can", "could", "did", "do", "does", "for", "from", "had", "has", "have",
    "he", "her", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its", "just", "me",
    "my", "no", "not", "now", "of", "on", "or", "our", "please", "she", "should", "so", "some",
    "tell", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this",
    "those", "to", "us", "was", "we", "were", "what", "when", "where", "which", "who", "whom",
    "whose", "why", "will", "with", "would", "you", "your",
];

/// Whether a word says something about what a text is about.
pub fn says_something(word: &str) -> bool {
    !EMPTY.contains(&word.to_lowercase().as_str())
}

/// Whether a text has enough of the words of a question to be about it: two of them, or half.
pub fn is_about(text: &str, question: &str) -> bool {
    let asked: BTreeSet<String> =
        telling(question).filter(|word| says_something(word)).map(stem).collect();
    let has: BTreeSet<String> = telling(text).map(stem).collect();
    let both = asked.intersection(&has).count();
    both > 1 || (both == 1 && asked.len() <= 2)
}

/// The beginning of a word, so that its forms are one.
fn stem(word: String) -> String {
    let least = word.chars().count().saturating_sub(2).clamp(4, 7);
    word.chars().take(least).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_about_a_question_that_it_shares_words_with() {
        assert!(is_about("the harbour inn has a room", "which harbour inn was that?"));
        assert!(is_about("Anna likes green tea", "tea?"));
        assert!(is_about("we booked the ferries", "when did we book a ferry"));
        assert!(!is_about("list of groceries", "list the files and sum them up for me"));
        assert!(!is_about("the what of which", "what is the which"));
        assert!(!is_about("", "") && !is_about("x", ""));
    }
}
