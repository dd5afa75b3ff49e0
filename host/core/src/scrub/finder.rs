//! Searching for many values at once in a text that comes in pieces: an Aho-Corasick automaton
//! read byte by byte, so that at each byte it is known how long the open beginning is.

use crate::harmless;
use aho_corasick::Anchored;
use aho_corasick::MatchKind;
use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::noncontiguous::NFA;
use std::collections::{HashMap, VecDeque};

/// A shorter value is not searched for with gaps in it: it would be found across words.
const LEAST_WITH_GAPS: usize = 8;

/// Most bytes of one gap, an indented new line or a colour for example.
const LONGEST_GAP: usize = 64;

/// Most bytes of all forms together, 32 MiB: the automaton takes about thirty times as much memory.
/// Fewer in tests, where it takes seconds to wipe so large a secret.
pub(super) const MOST_BYTES: usize = (if cfg!(test) { 4 } else { 32 }) << 20;

/// What a value stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// The index of its mask.
    Secret(usize),
    Path,
}

/// How a cursor reads a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Every byte.
    Exact,
    /// Without white space, invisible characters, colours and line ends written as escapes.
    Squeezed,
    /// The same with colours and escapes: what looks like a part of one may be one of a value.
    Literal,
}

pub(super) struct Finder {
    automaton: NFA,
    /// How many bytes of a value have been read in each state.
    depths: Vec<u32>,
    values: Vec<(Value, bool)>,
    start: StateID,
    /// Bytes that leave the start.
    first: [bool; 256],
}

/// The error, without any value in it.
pub(super) fn too_large() -> String {
    "the known secrets are too large to be searched for; remove secrets that are files".to_owned()
}

impl Finder {
    /// The error, without any value in it, says that the values together are too large.
    pub(super) fn new(forms: HashMap<String, Value>) -> Result<Self, String> {
        if forms.keys().map(String::len).sum::<usize>() > MOST_BYTES {
            return Err(too_large());
        }
        let mut all = forms.clone();
        for (form, value) in forms.iter().filter(|(_, value)| **value != Value::Path) {
            // A gap may also divide what would be read as an escape.
            let visible: String = form.chars().filter(|next| !is_invisible(*next)).collect();
            let squeezed = String::from_utf8(squeeze(form.as_bytes())).unwrap_or_default();
            // What ends in a soft line break loses it in the text.
            let trimmed = squeezed.trim_end_matches('=').to_owned();
            for form in [visible, squeezed, trimmed] {
                if form.chars().count() >= LEAST_WITH_GAPS {
                    all.entry(form).or_insert(*value);
                }
            }
        }
        let mut all: Vec<(String, Value)> = all.into_iter().collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        if all.iter().map(|(form, _)| form.len()).sum::<usize>() > MOST_BYTES {
            return Err(too_large());
        }
        let automaton = NFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(all.iter().map(|(form, _)| form.as_bytes()))
            .map_err(|_| too_large())?;
        let start = automaton.start_state(Anchored::No).map_err(|_| too_large())?;
        let mut depths = Vec::new();
        let mut first = [false; 256];
        for (form, _) in &all {
            let mut state = start;
            let mut depth = 0;
            for byte in form.bytes() {
                state = automaton.next_state(Anchored::No, state, byte);
                depth += 1;
                if state.as_usize() >= depths.len() {
                    depths.resize(state.as_usize() + 1, 0);
                }
                depths[state.as_usize()] = depth;
            }
            if let Some(byte) = form.bytes().next() {
                first[usize::from(byte)] = true;
            }
        }
        let values = all
            .into_iter()
            .map(|(form, value)| (value, form.chars().count() >= LEAST_WITH_GAPS))
            .collect();
        Ok(Self { automaton, depths, values, start, first })
    }
}

/// A place in a text and the values that may have begun before it.
#[derive(Clone)]
pub(super) struct Cursor {
    reading: Reading,
    state: Option<StateID>,
    /// The next byte to read.
    at: usize,
    /// How many bytes the open beginning is made of.
    depth: usize,
    /// Where those bytes are, if there are gaps between them.
    open: VecDeque<usize>,
    /// Bytes skipped since the last one read.
    gap: usize,
}

impl Cursor {
    pub(super) fn new(finder: Option<&Finder>, reading: Reading) -> Self {
        let state = finder.map(|finder| finder.start);
        Self { reading, state, at: 0, depth: 0, open: VecDeque::new(), gap: 0 }
    }

    /// The same place in a reading of which nothing differs so far; none if the rest, which begins
    /// at `base`, has nothing that differs either.
    pub(super) fn literal(&self, bytes: &[u8], base: usize) -> Option<Self> {
        let rest = &bytes[self.at - base..];
        let differs = rest.contains(&ESCAPE)
            || rest.windows(2).any(|two| {
                matches!(two, [b'=' | b'\\', b'\n' | b'\r'] | [b'\\', b'n' | b'r' | b't'])
                    || two == C1_ESCAPE
            });
        differs.then(|| Self { reading: Reading::Literal, ..self.clone() })
    }

    /// What is before this place belongs to no value that is still to be found.
    pub(super) fn hold(&self) -> usize {
        self.start_of(self.depth)
    }

    /// Where the last `length` bytes that were read begin.
    fn start_of(&self, length: usize) -> usize {
        match self.open.len().checked_sub(length) {
            // Without gaps, which are noted as soon as one is behind an open beginning.
            None => self.at - length,
            Some(_) if length == 0 => self.at,
            Some(first) => self.open[first],
        }
    }

    /// Reads on in `bytes`, which begin at `base`, and notes the start and end of each value.
    pub(super) fn read(
        &mut self,
        finder: &Finder,
        bytes: &[u8],
        base: usize,
        at_end: bool,
        note: &mut impl FnMut(usize, usize, Value),
    ) {
        let mut state = self.state.unwrap_or(finder.start);
        while let Some(byte) = bytes.get(self.at - base).copied() {
            if state == finder.start && !finder.first[usize::from(byte)] {
                self.at += 1;
                continue;
            }
            let is_kept = match self.reading {
                Reading::Exact => true,
                Reading::Squeezed => !may_be_skipped(byte),
                Reading::Literal => {
                    !may_be_skipped(byte)
                        || matches!(byte, ESCAPE | b'=' | b'\\')
                        || bytes[self.at - base..].starts_with(&C1_ESCAPE)
                }
            };
            if !is_kept {
                match skipped(&bytes[self.at - base..], at_end) {
                    Skip::Unknown => break,
                    Skip::Bytes(count) => {
                        self.skip(count);
                        if self.gap > LONGEST_GAP {
                            state = finder.start;
                            self.depth = 0;
                            self.open.clear();
                        }
                        continue;
                    }
                    Skip::Nothing => {}
                }
            }
            self.gap = 0;
            state = finder.automaton.next_state(Anchored::No, state, byte);
            self.depth = finder.depths.get(state.as_usize()).copied().unwrap_or(0) as usize;
            if !self.open.is_empty() {
                self.open.push_back(self.at);
                let closed = self.open.len() - self.depth.min(self.open.len());
                self.open.drain(..closed);
            }
            self.at += 1;
            if finder.automaton.is_match(state) {
                self.note(finder, state, note);
            }
        }
        self.state = Some(state);
    }

    fn skip(&mut self, count: usize) {
        if self.open.is_empty() {
            self.open.extend(self.at - self.depth..self.at);
        }
        self.at += count;
        self.gap += count;
    }

    fn note(&self, finder: &Finder, state: StateID, note: &mut impl FnMut(usize, usize, Value)) {
        for index in 0..finder.automaton.match_len(state) {
            let pattern = finder.automaton.match_pattern(state, index);
            let length = finder.automaton.pattern_len(pattern);
            let (value, with_gaps) = finder.values[pattern.as_usize()];
            let start = self.start_of(length);
            match (self.reading, value) {
                (Reading::Exact, _) => note(start, self.at, value),
                (_, Value::Secret(_)) if with_gaps => note(start, self.at, value),
                (_, Value::Secret(_) | Value::Path) => {}
            }
        }
    }
}

/// What a colour begins with.
const ESCAPE: u8 = 0x1b;

/// The same in one character, U+009B.
const C1_ESCAPE: [u8; 2] = [0xc2, 0x9b];

/// What a link begins with, in one character, U+009D.
const C1_COMMAND: [u8; 2] = [0xc2, 0x9d];

enum Skip {
    Nothing,
    Bytes(usize),
    /// More of the text decides.
    Unknown,
}

fn may_be_skipped(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'=' | b'\\' | 0x7f) || byte >= 0xc2
}

/// What a squeezed reading leaves out at the start of `bytes`, which are not empty.
fn skipped(bytes: &[u8], at_end: bool) -> Skip {
    let unless_at_end = if at_end { Skip::Nothing } else { Skip::Unknown };
    match bytes[0] {
        // White space, and controls that no terminal shows.
        0..=0x1a | 0x1c..=b' ' | 0x7f => Skip::Bytes(1),
        // A soft line break of a mail.
        b'=' => match bytes[1..] {
            [b'\n', ..] => Skip::Bytes(2),
            [b'\r', b'\n', ..] => Skip::Bytes(3),
            [] | [b'\r'] => unless_at_end,
            _ => Skip::Nothing,
        },
        // A line end inside a JSON string, or a line that goes on.
        b'\\' => match bytes[1..] {
            [b'n' | b'r' | b't' | b'\n', ..] => Skip::Bytes(2),
            [b'\r', b'\n', ..] => Skip::Bytes(3),
            [] | [b'\r'] => unless_at_end,
            _ => Skip::Nothing,
        },
        // A colour: `ESC [`, parameters, a letter. A link: `ESC ]`, its text, an end.
        ESCAPE => match bytes.get(1) {
            None => unless_at_end,
            Some(b'[') => colour(bytes, unless_at_end),
            Some(b']') => link(bytes, unless_at_end),
            Some(_) => Skip::Nothing,
        },
        _ if bytes.starts_with(&C1_ESCAPE) => colour(bytes, unless_at_end),
        _ if bytes.starts_with(&C1_COMMAND) => link(bytes, unless_at_end),
        lead if lead < 0xc2 => Skip::Nothing,
        lead => {
            let length = match lead {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                _ => 4,
            };
            // A piece is UTF-8, so a character is there as a whole.
            let character = bytes
                .get(..length)
                .and_then(|bytes| std::str::from_utf8(bytes).ok()?.chars().next());
            match character {
                Some(character) if is_invisible(character) => Skip::Bytes(length),
                Some(_) | None => Skip::Nothing,
            }
        }
    }
}

/// Two bytes, parameters, a letter.
fn colour(bytes: &[u8], unless_at_end: Skip) -> Skip {
    let parameters = &bytes[2..bytes.len().min(2 + LONGEST_GAP / 2)];
    match parameters.iter().position(|byte| (0x40..=0x7e).contains(byte)) {
        Some(last) => Skip::Bytes(last + 3),
        None if parameters.len() < LONGEST_GAP / 2 => unless_at_end,
        None => Skip::Nothing,
    }
}

/// Two bytes, a text, and a bell or one of the two forms of a string's end.
fn link(bytes: &[u8], unless_at_end: Skip) -> Skip {
    let text = &bytes[2..bytes.len().min(2 + LONGEST_GAP / 2)];
    let ends: [&[u8]; 3] = [b"\x07", b"\x1b\\", b"\xc2\x9c"];
    let end = (0..text.len())
        .find_map(|at| Some((at, ends.iter().find(|end| text[at..].starts_with(end))?)));
    match end {
        Some((at, end)) => Skip::Bytes(2 + at + end.len()),
        None if text.len() < LONGEST_GAP / 2 => unless_at_end,
        None => Skip::Nothing,
    }
}

fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '\u{ad}' | '\u{feff}')
        || harmless::reorders(character)
        || harmless::hides(character)
}

fn squeeze(mut bytes: &[u8]) -> Vec<u8> {
    let mut squeezed = Vec::with_capacity(bytes.len());
    while let Some(byte) = bytes.first() {
        match skipped(bytes, true) {
            Skip::Bytes(count) => bytes = &bytes[count..],
            Skip::Nothing | Skip::Unknown => {
                squeezed.push(*byte);
                bytes = &bytes[1..];
            }
        }
    }
    squeezed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_squeezed_text_has_no_gaps() {
        let squeezed = |text: &str| String::from_utf8(squeeze(text.as_bytes())).unwrap();
        assert_eq!(squeezed("a b\u{200b}c\u{a0}d\r\n\te=\nf\\\ng\\nh"), "abcdefgh");
        assert_eq!(squeezed("a\u{1b}[01;31mb\u{1b}[0mc\u{1b}"), "abc\u{1b}");
        let links = "a\u{1b}]8;;http://x/\u{1b}\\b\u{1b}]8;;\u{7}c\u{9d}8;;y\u{9c}d\u{1b}]8;;e";
        assert_eq!(squeezed(links), "abcd\u{1b}]8;;e");
        assert_eq!(squeezed("a\0b\u{8}c\u{7f}d\u{61c}e\u{3164}f\u{e0041}g"), "abcdefg");
        assert_eq!(squeezed("=é\\x= \\"), "=é\\x=\\");
        assert_eq!(squeezed("a=\r\nb\\\r\nc"), "abc");
    }

    /// Under each text: how many bytes are left out, when more may follow and at the end.
    #[test]
    fn what_is_left_out_may_depend_on_what_follows() {
        let what = |text: &str, at_end: bool| match skipped(text.as_bytes(), at_end) {
            Skip::Bytes(count) => count.to_string(),
            Skip::Nothing => "none".to_owned(),
            Skip::Unknown => "unknown".to_owned(),
        };
        let most = "1".repeat(31);
        for (text, expect) in [
            ("", " \t\n\r\0\u{1a}\u{1c}\u{7f}", "1"),
            ("=", "\n", "2"),
            ("=\r", "\n", "3"),
            ("\\", "nrt\n", "2"),
            ("\\\r", "\n", "3"),
            ("\u{1b}[", "@m~", "3"),
            ("\u{1b}[01;31", "mK", "8"),
            ("\u{9b}31", "m", "5"),
            (&format!("\u{1b}[{most}"), "m", "34"),
            ("\u{1b}]8;;", "\u{7}", "6"),
            ("\u{1b}]8;;\u{1b}", "\\", "7"),
            ("\u{1b}]", "\u{9c}", "4"),
            ("\u{9d}x", "\u{7}", "4"),
            (&format!("\u{1b}]{most}"), "\u{7}", "34"),
            ("", "\u{a0}\u{ad}\u{85}", "2"),
            ("", "\u{200b}\u{feff}\u{2003}\u{202e}\u{3164}\u{61c}", "3"),
            ("", "\u{e0041}", "4"),
        ]
        .map(|(start, ends, count)| (start.to_owned(), (ends, count)))
        {
            let (ends, count) = expect;
            for last in ends.chars() {
                let whole = format!("{text}{last}");
                let count = match last {
                    '\u{61c}' => "2",
                    _ => count,
                };
                for (next, at_end) in [("", true), ("", false), ("x", false)] {
                    assert_eq!(what(&format!("{whole}{next}"), at_end), count, "{whole:?}");
                }
            }
            // Without its last character it is none at the end, and may become one otherwise.
            if !text.is_empty() {
                assert_eq!(what(&text, true), "none", "{text:?}");
                assert_eq!(what(&text, false), "unknown", "{text:?}");
            }
        }
        let more = "1".repeat(32);
        for text in [
            "x",
            "é",
            "日",
            "😀",
            "=x",
            "=\rx",
            "=3D",
            "\\x",
            "\\\rx",
            "\\\\",
            "\u{1b}M",
            "\u{1b}\u{1b}",
            &format!("\u{1b}[{more}"),
            &format!("\u{1b}[{more}m"),
            &format!("\u{9b}{more}"),
            &format!("\u{1b}]{more}"),
            &format!("\u{1b}]{more}\u{7}"),
        ] {
            assert_eq!(
                (what(text, true), what(text, false)),
                ("none".into(), "none".into()),
                "{text:?}"
            );
        }
        assert!(matches!(skipped(b"\x80", false), Skip::Nothing), "the middle of a character");
        for text in ["=", "\\", "\u{1b}", "\u{1b}]8;;\u{1b}"] {
            assert_eq!((what(text, true), what(text, false)), ("none".into(), "unknown".into()));
        }
    }

    #[test]
    fn only_what_may_be_left_out_is_looked_at() {
        for byte in [0, 0x1b, b' ', b'=', b'\\', 0x7f, 0xc2, 0xe2, 0xf3] {
            assert!(may_be_skipped(byte), "{byte}");
        }
        for byte in [b'!', b'a', b'~', 0x80, 0xc1] {
            assert!(!may_be_skipped(byte), "{byte}");
        }
    }
}
