//! Guesses of all layers on one segment of a text, brought together: what overlaps is masked as
//! one, and what is a mask already stays.

use super::Tally;
use super::entropy;
use super::keywords;
use super::rules::{Hits, RULES};

/// The longest mask that is recognised as one.
const LONGEST_MASK: usize = 80;

/// Of what is left beside a mask inside a guess, fewer letters and digits are no credential.
const LEAST_BESIDE_A_MASK: usize = 8;

/// A part of a text that looks like a credential.
#[derive(Clone, Debug)]
pub(super) struct Guess {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: &'static str,
    pub(super) rank: Rank,
}

/// Who guesses; the first knows best what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Provider,
    Shape,
    Context,
    Generic,
    Entropy,
}

/// A block of lines between `-----BEGIN` and `-----END` that goes on behind a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Block {
    #[default]
    None,
    /// A certificate or a public key: random, but not secret.
    Public,
    Private,
}

impl Block {
    /// What is open behind this text.
    pub(super) fn after(self, text: &str) -> Self {
        let (begin, end) = match text.contains("-----") {
            true => (text.rfind("-----BEGIN"), text.rfind("-----END")),
            false => (None, None),
        };
        match (begin, end) {
            (None, None) if self == Self::Private && !text.lines().all(is_key_line) => Self::None,
            (None, None) => self,
            (Some(begin), end) if end.is_none_or(|end| end < begin) => {
                let line = text[begin..].lines().next().unwrap_or_default();
                match () {
                    () if !line.trim_end().ends_with("-----") => Self::None,
                    () if line.contains("PRIVATE KEY") => Self::Private,
                    () => Self::Public,
                }
            }
            (_, _) => Self::None,
        }
    }
}

/// Puts out the segment from `shown` on, with what looks like a credential masked. No mask begins
/// before `hold`: what is there may have been shown already.
pub(super) fn mask(
    text: &str,
    shown: usize,
    hold: impl FnOnce() -> usize,
    hits: &Hits,
    block: Block,
    out: &mut String,
    tally: &mut Tally,
) {
    let mut guesses = find(text, hits, block);
    if guesses.is_empty() {
        out.push_str(&text[shown..]);
        return;
    }
    let hold = hold();
    for guess in &mut guesses {
        guess.start = guess.start.max(hold);
    }
    let masks = masks(text);
    guesses.retain(|guess| guess.start < guess.end && is_more_than_masks(text, guess, &masks));
    let mut at = shown;
    for Guess { start, end, kind, .. } in merged(guesses) {
        out.push_str(&text[at..start]);
        out.push_str("[redacted:");
        out.push_str(kind);
        out.push(']');
        tally.add(kind);
        at = end;
    }
    out.push_str(&text[at..]);
}

fn find(text: &str, hits: &Hits, block: Block) -> Vec<Guess> {
    let mut guesses = Vec::new();
    if block == Block::Private {
        let line = text.trim();
        if is_key_line(line) {
            let start = text.len() - text.trim_start().len();
            let end = start + line.len();
            guesses.push(Guess { start, end, kind: "private-key", rank: Rank::Shape });
            return guesses;
        }
    }
    RULES.find(text, hits, &mut guesses);
    if hits.is_context || text.contains("://") {
        keywords::find(text, &mut guesses);
    }
    if block != Block::Public && !text.starts_with("-----BEGIN") {
        entropy::find(text, |start, end| {
            guesses.push(Guess { start, end, kind: "high-entropy", rank: Rank::Entropy });
        });
    }
    guesses
}

/// A line of base64, as inside a key.
pub(super) fn is_key_line(line: &str) -> bool {
    let line = line.trim();
    let is_key = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    !line.is_empty() && line.bytes().all(is_key)
}

/// In order and apart from each other, each of the kind that knows best.
fn merged(mut guesses: Vec<Guess>) -> Vec<Guess> {
    guesses.sort_by_key(|guess| (guess.start, guess.rank));
    let mut merged: Vec<Guess> = Vec::new();
    for guess in guesses {
        match merged.last_mut() {
            Some(last) if guess.start < last.end => {
                last.end = last.end.max(guess.end);
                if guess.rank < last.rank {
                    (last.rank, last.kind) = (guess.rank, guess.kind);
                }
            }
            _ => merged.push(guess),
        }
    }
    merged
}

/// Where masks are in a text.
fn masks(text: &str) -> Vec<(usize, usize)> {
    let mut masks = Vec::new();
    for (start, _) in text.match_indices('[') {
        let rest = &text[start..];
        if !rest.starts_with("[secret") && !rest.starts_with("[redacted:") {
            continue;
        }
        if let Some(length) = rest.find(']').filter(|length| *length < LONGEST_MASK)
            && !rest[..length].contains(char::is_whitespace)
        {
            masks.push((start, start + length + 1));
        }
    }
    masks
}

/// True if something is left of a guess beside the masks in it.
fn is_more_than_masks(text: &str, guess: &Guess, masks: &[(usize, usize)]) -> bool {
    let overlap = |(start, end): &&(usize, usize)| *start < guess.end && guess.start < *end;
    let mut touched = masks.iter().filter(overlap).peekable();
    if touched.peek().is_none() {
        return true;
    }
    let in_mask = |place: usize| masks.iter().any(|(start, end)| (*start..*end).contains(&place));
    // A guess that cuts a mask in two would leave half of it.
    let cuts = touched.any(|(start, end)| guess.start > *start || guess.end < *end);
    let beside = text[guess.start..guess.end]
        .char_indices()
        .filter(|(at, character)| character.is_alphanumeric() && !in_mask(guess.start + at))
        .count();
    !cuts && beside >= LEAST_BESIDE_A_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_found_where_they_stand() {
        assert_eq!(masks("a [secret:x] b [redacted:y]"), [(2, 12), (15, 27)]);
        assert!(masks("[secret with words] [secret [other]").is_empty());
    }

    #[test]
    fn a_guess_is_more_than_a_mask_if_much_stands_beside_it() {
        let text = "key=[secret:x]abcdefgh [secret:y]";
        let found = masks(text);
        let check = |start, end, expect| {
            let guess = Guess { start, end, kind: "k", rank: Rank::Entropy };
            assert_eq!(is_more_than_masks(text, &guess, &found), expect, "{start} to {end}");
        };
        check(0, 3, true);
        check(0, 4, true);
        check(14, 22, true);
        check(14, 33, true);
        check(4, 14, false);
        check(4, 22, true);
        check(4, 21, false);
        // One that would leave a part of a mask, on either side.
        check(6, 22, false);
        check(14, 30, false);
    }

    #[test]
    fn masks_are_short_and_one_word() {
        let text = |inside: usize| format!("[redacted:{}]", "x".repeat(inside));
        assert_eq!(masks(&text(69)), [(0, 80)]);
        assert!(masks(&text(70)).is_empty());
        assert_eq!(masks("[x] [redacted [secret]"), [(14, 22)]);
        assert!(masks("[secret").is_empty());
    }

    #[test]
    fn a_block_is_open_behind_its_first_line_until_its_last() {
        use Block::{None, Private, Public};
        const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\n";
        const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n";
        for (before, text, after) in [
            (None, "some text\n", None),
            (None, "-----\n", None),
            (None, KEY, Private),
            (None, CERTIFICATE, Public),
            (Private, CERTIFICATE, Public),
            (None, "x -----BEGIN PRIVATE KEY----- \r\nMIIE\n", Private),
            (None, "-----BEGIN PRIVATE KEY----- is how it starts\n", None),
            (Public, "-----BEGIN CERTIFICATE----- is how it starts\n", None),
            (None, "-----BEGIN PRIVATE KEY\n", None),
            (Private, "MIIE\nab+/12==\n", Private),
            (Private, "MIIE\nand then\n", None),
            (Private, "\n", None),
            (Public, "MIIE\n", Public),
            (Public, "and then\n", Public),
            (None, "MIIE\n", None),
            (Private, "-----END RSA PRIVATE KEY-----\n", None),
            (Public, "MIIE\n-----END CERTIFICATE-----\n", None),
            (None, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", None),
            (None, "-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n", Public),
        ] {
            assert_eq!(before.after(text), after, "{before:?} and {text:?}");
        }
    }

    #[test]
    fn a_line_of_a_key_is_base64() {
        for line in ["MIIE", " abYZ09+/==\r\n", "a"] {
            assert!(is_key_line(line), "{line:?}");
        }
        for line in ["", " \n", "MI IE", "MIIE-", "naïve", "."] {
            assert!(!is_key_line(line), "{line:?}");
        }
    }

    fn guess(start: usize, end: usize, kind: &'static str, rank: Rank) -> Guess {
        Guess { start, end, kind, rank }
    }

    #[test]
    fn overlapping_guesses_become_one_of_the_kind_that_knows_best() {
        use Rank::{Context, Entropy, Provider};
        let check = |guesses: &[Guess], expect: &[(usize, usize, &str)]| {
            let merged = merged(guesses.to_vec());
            let is: Vec<_> = merged.iter().map(|one| (one.start, one.end, one.kind)).collect();
            assert_eq!(is, expect);
        };
        let (first, second) = (guess(0, 4, "a", Context), guess(4, 8, "b", Context));
        check(&[second.clone(), first.clone()], &[(0, 4, "a"), (4, 8, "b")]);
        check(&[first.clone(), guess(3, 8, "b", Context)], &[(0, 8, "a")]);
        check(&[first.clone(), guess(3, 8, "b", Provider)], &[(0, 8, "b")]);
        check(&[first.clone(), guess(3, 8, "b", Entropy)], &[(0, 8, "a")]);
        check(&[guess(0, 8, "a", Entropy), guess(2, 4, "b", Context)], &[(0, 8, "b")]);
        check(&[first.clone(), guess(0, 2, "b", Provider)], &[(0, 4, "b")]);
        check(&[guess(0, 5, "a", Provider), first, second], &[(0, 8, "a")]);
        check(&[], &[]);
    }

    /// The text is shown up to `shown`, and no mask may begin before `hold`.
    #[track_caller]
    fn masked(text: &str, shown: usize, hold: usize, block: Block) -> String {
        let (mut hits, mut out, mut tally) = (Hits::default(), String::new(), Tally::default());
        RULES.add_hits(text, &mut hits);
        mask(text, shown, || hold, &hits, block, &mut out, &mut tally);
        assert_eq!(tally.redactions as usize, out.matches("[redacted:").count());
        out
    }

    #[test]
    fn what_was_shown_already_is_not_masked() {
        const TEXT: &str = "password=hunter22 x";
        let whole = "password=[redacted:password] x";
        assert_eq!(masked(TEXT, 0, 0, Block::None), whole);
        assert_eq!(masked(TEXT, 9, 9, Block::None), whole[9..]);
        assert_eq!(masked(TEXT, 0, 12, Block::None), "password=hun[redacted:password] x");
        assert_eq!(masked(TEXT, 12, 12, Block::None), "[redacted:password] x");
        assert_eq!(masked(TEXT, 0, 16, Block::None), "password=hunter2[redacted:password] x");
        assert_eq!(masked(TEXT, 0, 17, Block::None), TEXT);
        assert_eq!(masked(TEXT, 18, 18, Block::None), "x");
        assert_eq!(masked("plain words", 6, 6, Block::None), "words");
    }

    #[test]
    fn a_block_says_whether_its_lines_are_secret() {
        const LINE: &str = "  kT9vQ2xWn7LbR4sYd8ZpH3mF \n";
        const RANDOM: &str = "  [redacted:high-entropy] \n";
        assert_eq!(masked(LINE, 0, 0, Block::None), RANDOM);
        assert_eq!(masked(LINE, 0, 0, Block::Public), LINE);
        assert_eq!(masked(LINE, 0, 0, Block::Private), "  [redacted:private-key] \n");
        assert_eq!(masked("short\n", 0, 0, Block::Private), "[redacted:private-key]\n");
        assert_eq!(masked("two words\n", 0, 0, Block::Private), "two words\n");
        let (public, private) = ("x password=hunter22 y\n", "x password=[redacted:password] y\n");
        assert_eq!(masked(public, 0, 0, Block::Public), private);
        assert_eq!(masked(public, 0, 0, Block::Private), private);
        // One on a single line, with its line ends written as escapes.
        let line = format!("-----BEGIN CERTIFICATE-----\\n,{}", LINE.trim());
        assert_eq!(masked(&line, 0, 0, Block::None), line);
    }
}
