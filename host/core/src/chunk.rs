//! Cutting a text into chunks that can be found and read on their own: about as long as a
//! paragraph, cut between paragraphs, sentences or lines of code, each with the end of the one
//! before. It does not look at what a text says.

use std::ops::Range;

/// Characters of a chunk: a paragraph, or twenty lines of code.
pub const CHUNK_CHARACTERS: usize = 640;

/// A chunk is not cut shorter than this while there is more text.
const LEAST_CHARACTERS: usize = 360;

/// At most so many characters are in two chunks.
const OVERLAP_CHARACTERS: usize = 120;

/// What a cut after a character is worth, the best last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Border {
    Character,
    Word,
    Line,
    Sentence,
    Paragraph,
}

/// The chunks of a text as ranges of its bytes, in order. Together they cover everything but the
/// space between them; none begins or ends inside a character, or with space.
pub fn chunks(text: &str) -> Vec<Range<usize>> {
    let characters: Vec<(usize, char)> = text.char_indices().collect();
    let byte = |at: usize| characters.get(at).map_or(text.len(), |(byte, _)| *byte);
    let mut found = Vec::new();
    let mut begin = skip_space(&characters, 0);
    while begin < characters.len() {
        let end = end_of(&characters, begin);
        let last = trimmed(&characters, begin, end);
        found.push(byte(begin)..byte(last));
        if end >= characters.len() {
            break;
        }
        // Always forward, whatever the text is made of.
        begin = skip_space(&characters, overlapped(&characters, begin, end)).max(begin + 1);
    }
    found
}

/// Where a chunk that begins here ends.
fn end_of(characters: &[(usize, char)], begin: usize) -> usize {
    let longest = begin + CHUNK_CHARACTERS;
    if characters.len() <= longest {
        return characters.len();
    }
    let mut best = (Border::Character, longest);
    for end in begin + LEAST_CHARACTERS..=longest {
        let border = border_before(characters, end);
        if border != Border::Character && border >= best.0 {
            best = (border, end);
        }
    }
    if best.0 == Border::Character { whole_character(characters, begin, longest) } else { best.1 }
}

/// Where the next chunk begins: at a sentence or line of the last one, else at a word.
fn overlapped(characters: &[(usize, char)], begin: usize, end: usize) -> usize {
    let first = end.saturating_sub(OVERLAP_CHARACTERS).max(begin + 1);
    if border_before(characters, end) == Border::Paragraph {
        return end;
    }
    for wanted in [Border::Line, Border::Word] {
        let at = (first..end).find(|at| border_before(characters, *at) >= wanted);
        if let Some(at) = at {
            return at;
        }
    }
    end
}

/// What the place before a character is worth as a border.
fn border_before(characters: &[(usize, char)], at: usize) -> Border {
    let here = characters.get(at).map(|(_, character)| *character);
    let before = |back: usize| {
        at.checked_sub(back).and_then(|at| characters.get(at)).map(|(_, character)| *character)
    };
    match (before(1), here) {
        (Some('\n'), Some('\n')) => Border::Paragraph,
        (Some('\n'), _) => match before(2) {
            Some('\n') => Border::Paragraph,
            // A heading begins something, and a closing brace at the margin ends something.
            _ if here == Some('#') => Border::Paragraph,
            Some('}') if before(3) == Some('\n') => Border::Paragraph,
            Some(ended) if ends_sentence(ended) => Border::Sentence,
            _ => Border::Line,
        },
        (Some(space), _) if space.is_whitespace() => {
            let mark = before(2).filter(|mark| matches!(mark, '"' | '\'' | ')' | '”' | '’'));
            let ended = if mark.is_some() { before(3) } else { before(2) };
            if ended.is_some_and(ends_sentence) { Border::Sentence } else { Border::Word }
        }
        (Some('。' | '！' | '？'), _) => Border::Sentence,
        _ => Border::Character,
    }
}

fn ends_sentence(character: char) -> bool {
    matches!(character, '.' | '!' | '?' | '…' | '。' | '！' | '？')
}

/// The place, moved back so that no accent or joiner is parted from what it belongs to.
fn whole_character(characters: &[(usize, char)], begin: usize, at: usize) -> usize {
    let joins = |at: usize| {
        let is = |at: usize, test: fn(char) -> bool| {
            characters.get(at).is_some_and(|(_, character)| test(*character))
        };
        is(at, is_joined) || is(at.wrapping_sub(1), |character| character == '\u{200d}')
    };
    let least = begin + LEAST_CHARACTERS;
    (least..=at).rev().find(|at| !joins(*at)).unwrap_or(at)
}

/// A character that is drawn together with the one before it.
fn is_joined(character: char) -> bool {
    matches!(
        character,
        '\u{300}'..='\u{36f}'
            | '\u{200d}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{1f3fb}'..='\u{1f3ff}'
    )
}

fn skip_space(characters: &[(usize, char)], from: usize) -> usize {
    let rest = characters.iter().skip(from);
    from + rest.take_while(|(_, character)| character.is_whitespace()).count()
}

fn trimmed(characters: &[(usize, char)], begin: usize, end: usize) -> usize {
    let inside = characters.get(begin..end).unwrap_or_default();
    end - inside.iter().rev().take_while(|(_, character)| character.is_whitespace()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        chunks(text).into_iter().map(|range| text.get(range).expect("whole characters")).collect()
    }

    #[test]
    fn what_is_short_is_one_chunk_and_nothing_is_none() {
        assert_eq!(texts("  one sentence. \n"), ["one sentence."]);
        assert_eq!(texts(""), [""; 0]);
        assert_eq!(texts(" \n\t "), [""; 0]);
    }

    #[test]
    fn prose_is_cut_between_sentences_and_overlaps() {
        let text: String = (0..60).map(|n| format!("Sentence number {n} is here. ")).collect();
        let found = texts(&text);
        assert!(found.len() > 2, "{}", found.len());
        for chunk in &found {
            assert!(chunk.starts_with("Sentence") && chunk.ends_with("here."), "{chunk}");
            assert!(chunk.chars().count() <= CHUNK_CHARACTERS, "{chunk}");
        }
        let last = found[0].rsplit("Sentence").next().unwrap();
        assert!(found[1].contains(last), "the end of one is the beginning of the next");
    }

    #[test]
    fn paragraphs_and_functions_stay_whole() {
        let paragraph = "word ".repeat(90);
        let text = format!("{paragraph}\n\n{paragraph}\n\n{paragraph}");
        assert_eq!(texts(&text), [paragraph.trim(); 3]);
        let function = format!("fn f() {{\n{}}}\n", "    let x = 1;\n".repeat(28));
        let found = function.repeat(3);
        assert!(texts(&found).iter().all(|chunk| chunk.starts_with("fn f()")), "{found}");
    }

    #[test]
    fn nothing_is_lost_and_no_character_is_parted() {
        let pieces =
            ["a", " ", "\n", ". ", "é", "你", "。", "🦀", "e\u{301}", "👩\u{200d}🚀", "}\n"];
        let mut seed = 7_u64;
        for _ in 0..300 {
            let mut next = |end: usize| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                usize::try_from(seed >> 33).unwrap() % end
            };
            let length = next(4_000);
            let text: String = (0..length).map(|_| pieces[next(pieces.len())]).collect();
            let found = chunks(&text);
            let mut covered = 0;
            for range in &found {
                let between = text.get(covered.min(range.start)..range.start).unwrap();
                assert!(between.trim().is_empty(), "lost {between:?}");
                let chunk = text.get(range.clone()).unwrap();
                assert!(chunk.chars().count() <= CHUNK_CHARACTERS);
                assert_eq!(chunk, chunk.trim());
                assert!(!chunk.starts_with(is_joined), "{chunk:?}");
                covered = covered.max(range.end);
            }
            assert!(text.get(covered..).unwrap().trim().is_empty());
        }
    }

    #[test]
    fn one_endless_word_is_cut_all_the_same() {
        assert_eq!(texts(&"x".repeat(6_400)).len(), 10);
        assert_eq!(texts(&"\u{301}".repeat(2_000)).concat().chars().count(), 2_000);
    }
}
