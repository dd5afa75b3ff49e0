//! Scrubbing a text that comes in pieces. Known secrets and host paths are masked wherever the
//! pieces divide them; the guesses by keyword need a whole text and are not made here.

use super::known::Known;
use std::fmt;
use std::sync::Arc;

/// Masks known values in pieces of one text. It keeps back the end that may be the start of a
/// known value, so at most one byte less than the longest of them.
pub struct Stream {
    known: Arc<Known>,
    kept: String,
    /// Bytes at the start of `kept` whose mask was put out already: they only matter as the start
    /// of a value that overlaps the last one.
    masked: usize,
    before: Option<char>,
}

impl Stream {
    pub(super) fn new(known: Arc<Known>) -> Self {
        Self { known, kept: String::new(), masked: 0, before: None }
    }

    /// Takes the next piece and returns what can be shown.
    pub fn push(&mut self, piece: &str) -> String {
        self.kept.push_str(piece);
        let cut = self.known.open_tail(&self.kept);
        self.put_out(cut)
    }

    /// Returns the rest. The next piece begins a new text.
    pub fn finish(&mut self) -> String {
        let rest = self.put_out(self.kept.len());
        self.before = None;
        rest
    }

    /// Puts out what is before `cut`. A value that begins before it is masked as a whole now, and
    /// what of it lies behind is remembered.
    fn put_out(&mut self, cut: usize) -> String {
        let spans = self.known.spans(&self.kept, self.before);
        let mut out = String::new();
        let mut end = self.masked;
        for span in spans.iter().take_while(|span| span.range.start < cut) {
            if span.range.start >= self.masked {
                out.push_str(&self.kept[end..span.range.start]);
                out.push_str(&span.mask);
            } else if span.is_path {
                // It overlaps a secret that was masked; what is left of it is no path.
                continue;
            }
            // Otherwise a secret that begins in what was masked continues that mask.
            end = end.max(span.range.end);
        }
        if end < cut {
            out.push_str(&self.kept[end..cut]);
            end = cut;
        }
        if let Some(last) = self.kept[..cut].chars().next_back() {
            self.before = Some(last);
        }
        self.kept.drain(..cut);
        self.masked = end - cut;
        out
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(…)")
    }
}
