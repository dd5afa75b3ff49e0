//! A text divided where its content says so, not where its pieces end: guesses are made on one
//! segment, so they are the same however the text comes.

use super::Tally;
use super::guess::{Block, is_key_line, mask};
use super::rules::{Hits, RULES, Reach};

/// A segment is at most this long; a longer line is divided behind a separator.
pub(super) const LONGEST: usize = 8 * 1024;

/// Where the separator is looked for, before the end.
const SEPARATOR_WITHIN: usize = 1024;

/// Lines that are read together if each announces a value on the next.
const MOST_LINES: usize = 24;

/// A value in front of its kind, as in a Kubernetes secret, is this far away at most.
const LONGEST_DATA: usize = 512;

/// A keyword with no operator within so many bytes announces nothing.
const OPERATOR_WITHIN: usize = 48;

/// What is held back has to grow by this part of it before it is looked at again.
const HELD_PER_LOOK: usize = 16;

/// A word may be a credential from this length on, or from the first with a digit in it.
const REMARKABLE: usize = 20;
const REMARKABLE_WITH_DIGIT: usize = 12;

/// Masks guesses in pieces of one text. It keeps back a segment from the first word on that may
/// be, or announce, a credential.
#[derive(Default)]
pub(super) struct Segments {
    kept: String,
    /// Bytes of `kept` that were put out, and are kept as context.
    shown: usize,
    /// How long `kept` was when it was last looked how much of it can be shown.
    looked: usize,
    /// Where the line begins that is not yet read, and how many were read in this segment.
    line: usize,
    lines: usize,
    /// What the lines of this segment call for.
    hits: Hits,
    block: Block,
}

impl Segments {
    pub(super) fn push(&mut self, piece: &str, tally: &mut Tally) -> String {
        self.kept.push_str(piece);
        let mut out = String::new();
        // The start of the segment; what is before it is dropped at the end, all at once.
        let mut start = 0;
        let mut searched = self.line;
        loop {
            let line_end = self.kept[searched..].find('\n').map(|length| searched + length + 1);
            let too_long = |end: usize| end - start > LONGEST;
            match line_end {
                Some(end) if !too_long(end) => {
                    self.read_line(end);
                    if !self.goes_on(start, end) {
                        self.end_segment(start, end, &mut out, tally);
                        start = end;
                    }
                    (self.line, searched) = (end, end);
                }
                None if !too_long(self.kept.len()) => break,
                // The lines before are a segment of their own, then the line is divided.
                Some(_) | None if self.line > start => {
                    let end = self.line;
                    self.end_segment(start, end, &mut out, tally);
                    (start, searched) = (end, end);
                }
                Some(_) | None => {
                    let end = start + self.division(start);
                    self.read_line(end);
                    self.end_segment(start, end, &mut out, tally);
                    (start, self.line, searched) = (end, end, end);
                }
            }
        }
        self.kept.drain(..start);
        self.line -= start;
        if start > 0 {
            self.looked = 0;
        }
        // The more is held back the less often it is looked at again: pieces of one character
        // must not cost the whole of it each time.
        let held = self.kept.len() - self.shown;
        if self.kept.len() - self.looked < held / HELD_PER_LOOK {
            return out;
        }
        self.looked = self.kept.len();
        let hold = hold(&self.kept, false);
        if let Some(more) = self.kept.get(self.shown..hold) {
            out.push_str(more);
            self.shown = hold;
        }
        out
    }

    /// Returns the rest. The next piece begins a new text.
    pub(super) fn finish(&mut self, tally: &mut Tally) -> String {
        let mut out = String::new();
        let end = self.kept.len();
        self.read_line(end);
        self.end_segment(0, end, &mut out, tally);
        *self = Self::default();
        out
    }

    fn read_line(&mut self, end: usize) {
        self.lines += 1;
        RULES.add_hits(&self.kept[self.line..end], &mut self.hits);
    }

    fn end_segment(&mut self, start: usize, end: usize, out: &mut String, tally: &mut Tally) {
        let text = &self.kept[start..end];
        mask(text, self.shown, || hold(text, true), &self.hits, self.block, out, tally);
        self.hits.clear();
        self.block = self.block.after(text);
        self.shown = 0;
        self.lines = 0;
    }

    /// True if the line that ends here announces a value on the next.
    fn goes_on(&self, start: usize, end: usize) -> bool {
        let (segment, line) = (&self.kept[start..end], self.kept[self.line..end].trim_end());
        if Block::None.after(segment) == Block::Private {
            return is_key_line(line) || line.contains("-----BEGIN") || is_header(line);
        }
        if self.lines >= MOST_LINES {
            return false;
        }
        let is_data = |line: &str| line.trim() == "data:";
        if is_data(line) {
            return true;
        }
        if self.hits.is_context
            && (line.ends_with(['\\', '=', ':', '(', '>', '|'])
                || kind_is_secret(segment) && !line.is_empty() && line != "---")
        {
            return true;
        }
        segment.len() < LONGEST_DATA && segment.lines().any(is_data) && !line.is_empty()
    }

    /// Where a line that is too long is divided.
    fn division(&self, start: usize) -> usize {
        let text = &self.kept[start..];
        let longest = text.floor_char_boundary(LONGEST);
        let from = text.floor_char_boundary(LONGEST - SEPARATOR_WITHIN);
        let separator = |character: char| character.is_whitespace() || ",;}".contains(character);
        match text[from..longest].char_indices().rfind(|(_, character)| separator(*character)) {
            Some((at, character)) => from + at + character.len_utf8(),
            None => longest,
        }
    }
}

/// A line such as `Version: 1` between the first line of a key and its data, or an empty one.
fn is_header(line: &str) -> bool {
    line.is_empty() || line.split_once(": ").is_some_and(|(name, _)| !name.contains(' '))
}

fn kind_is_secret(segment: &str) -> bool {
    segment.lines().any(|line| {
        line.trim().strip_prefix("kind:").is_some_and(|kind| {
            kind.trim().trim_matches(['"', '\'']).eq_ignore_ascii_case("secret")
        })
    })
}

/// Up to where a segment can be shown before its end has come: no credential is found before this
/// place, whatever follows. With more text the place does not move back.
fn hold(text: &str, at_end: bool) -> usize {
    let bytes = text.as_bytes();
    let mut hold = remarkable(bytes, at_end);
    RULES.announcements(text, |start, end, reach| {
        let needs_operator = match reach {
            Reach::Word => return,
            Reach::Operator => true,
            Reach::Line => false,
        };
        let word = bytes[..start]
            .iter()
            .rposition(|byte| !byte.is_ascii_graphic())
            .map_or(0, |before| before + 1);
        if word >= hold {
            return;
        }
        let is_flag = bytes[word] == b'-';
        let after = &bytes[end..bytes.len().min(end + OPERATOR_WITHIN)];
        let announces = !needs_operator
            || is_flag
            || (!at_end && after.len() < OPERATOR_WITHIN)
            || after.iter().any(|byte| b"=:>\"|".contains(byte));
        if announces {
            hold = word;
        }
    });
    text.floor_char_boundary(hold)
}

/// The start of the first word that may be a credential, or of the last word that may become one.
fn remarkable(bytes: &[u8], at_end: bool) -> usize {
    let mut start = 0;
    for word in bytes.split(|byte| !byte.is_ascii_graphic()) {
        let end = start + word.len();
        let is_open = !at_end && end == bytes.len();
        let has_digit = || word.iter().any(u8::is_ascii_digit);
        if is_open
            || word.len() >= REMARKABLE
            || (word.len() >= REMARKABLE_WITH_DIGIT && has_digit())
            || word.windows(3).any(|window| window == b"://")
        {
            return start;
        }
        start = end + 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests;
