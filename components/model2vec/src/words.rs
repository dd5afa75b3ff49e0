//! A text as words, by BERT's rules: cleaned, ideographs apart, accents and case away, punctuation
//! apart. Which words there are is the vocabulary's affair.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::files::Rules;

/// Hands each word of the text to `each`, in order, until it says that it has enough.
pub(crate) fn words(text: &str, rules: Rules, each: &mut impl FnMut(&str) -> Enough) {
    let cleaned = text.chars().filter(|c| !rules.clean || !is_dirt(*c));
    let spaced = cleaned.flat_map(|c| {
        let space = (rules.space_ideographs && is_ideograph(c)).then_some(' ');
        space.into_iter().chain([c]).chain(space)
    });
    let mut word = String::new();
    let mut end = |word: &mut String| {
        let enough = !word.is_empty() && each(word) == Enough::Yes;
        word.clear();
        enough
    };
    let mut take = |c: char| -> bool {
        if c.is_whitespace() {
            return end(&mut word);
        }
        if is_punctuation(c) {
            if end(&mut word) {
                return true;
            }
            word.push(c);
            return end(&mut word);
        }
        word.push(c);
        false
    };
    let mut lower = |c: char| -> bool {
        if !rules.lowercase {
            return take(c);
        }
        if c.is_ascii() {
            return take(c.to_ascii_lowercase());
        }
        c.to_lowercase().any(&mut take)
    };
    let stopped = if !rules.strip_accents {
        spaced.into_iter().any(&mut lower)
    } else if text.is_ascii() {
        // Nothing in ASCII decomposes, and most text is ASCII.
        spaced.into_iter().any(&mut lower)
    } else {
        spaced
            .nfd()
            .filter(|c| c.is_ascii() || c.general_category() != GeneralCategory::NonspacingMark)
            .any(&mut lower)
    };
    if !stopped {
        end(&mut word);
    }
}

/// Whether further words are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enough {
    Yes,
    No,
}

fn is_dirt(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        '\u{fffd}' => true,
        _ if c.is_ascii() => c.is_ascii_control(),
        _ => matches!(
            c.general_category(),
            GeneralCategory::Control | GeneralCategory::Format | GeneralCategory::PrivateUse
        ),
    }
}

fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation();
    }
    c.general_category_group() == GeneralCategoryGroup::Punctuation
}

/// The blocks of BERT's own tokenizer, which are not all ideographs there are.
fn is_ideograph(c: char) -> bool {
    matches!(
        u32::from(c),
        0x4E00..=0x9FFF
            | 0x3400..=0x4DBF
            | 0x20000..=0x2A6DF
            | 0x2A700..=0x2B73F
            | 0x2B740..=0x2B81F
            | 0x2B920..=0x2CEAF
            | 0xF900..=0xFAFF
            | 0x2F800..=0x2FA1F
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNCASED: Rules = Rules {
        clean: true,
        space_ideographs: true,
        strip_accents: true,
        lowercase: true,
        longest_word: 100,
    };

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        let mut found = Vec::new();
        words(text, UNCASED, &mut |word| {
            found.push(word.to_owned());
            Enough::No
        });
        assert_eq!(found, expect, "{text:?}");
    }

    #[test]
    fn words_are_split_as_bert_does() {
        check("", &[]);
        check(
            "  Hey friend!  How are you?!? ",
            &["hey", "friend", "!", "how", "are", "you", "?", "!", "?"],
        );
        check("Café İstanbul ÅNGSTRÖM", &["cafe", "istanbul", "angstrom"]);
        check("a\u{0}b\u{200d}c\u{fffd}d\te\u{7f}f", &["abcd", "ef"]);
        check("価格は100円", &["価", "格", "は100", "円"]);
        check("don’t—stop…", &["don", "’", "t", "—", "stop", "…"]);
        check("e\u{301}t\u{e9}", &["ete"]);
    }

    #[test]
    fn no_more_words_are_made_than_are_wanted() {
        let mut count = 0;
        words(&"a b ".repeat(1000), UNCASED, &mut |_| {
            count += 1;
            if count == 3 { Enough::Yes } else { Enough::No }
        });
        assert_eq!(count, 3);
    }
}
