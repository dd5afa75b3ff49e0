//! Scrubbing a text that comes in pieces. The pieces together become what the whole would,
//! wherever it is divided: known values go first, then guesses segment by segment.

use super::Tally;
use super::known::{Known, KnownStream};
use super::segments::Segments;
use std::fmt;
use std::sync::Arc;

/// Masks pieces of one text. It keeps back what may be the start of a known value, and of a line
/// what follows the first word that may be, or announce, a credential: 8 KiB at most beside the
/// known value.
pub struct Stream {
    known: KnownStream,
    guesses: Option<Segments>,
    tally: Tally,
}

impl Stream {
    pub(super) fn new(known: Arc<Known>, with_guesses: bool) -> Self {
        Self {
            known: KnownStream::new(known),
            guesses: with_guesses.then(Segments::default),
            tally: Tally::default(),
        }
    }

    /// Takes the next piece and returns what can be shown.
    pub fn push(&mut self, piece: &str) -> String {
        let masked = self.known.push(piece, &mut self.tally);
        match &mut self.guesses {
            Some(guesses) => guesses.push(&masked, &mut self.tally),
            None => masked,
        }
    }

    /// Returns the rest. The next piece begins a new text.
    pub fn finish(&mut self) -> String {
        let masked = self.known.finish(&mut self.tally);
        let Some(guesses) = &mut self.guesses else { return masked };
        let mut rest = guesses.push(&masked, &mut self.tally);
        rest.push_str(&guesses.finish(&mut self.tally));
        rest
    }

    /// What was masked so far, over all texts.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(…)")
    }
}
