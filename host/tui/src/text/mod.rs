//! Text of others as lines of a screen: made harmless, broken to a width, styled. Nothing here
//! knows where on the screen they go.

mod highlight;
mod markdown;
mod wrap;

pub(crate) use highlight::Highlighter;
pub(crate) use markdown::{Markdown, last_block};
pub(crate) use wrap::{Break, cells, fit, wrap, wrap_text};

use hydroid_core::harmless;
use ratatui::text::Line;

/// Lines as they are kept: they own their text.
pub(crate) type Lines = Vec<Line<'static>>;

/// Bytes of a text that are looked at for each character of an excerpt: the longest letters have
/// four, and spaces at the beginning are left out.
const BYTES_OF_A_CHARACTER: usize = 16;

/// Text to read: control characters become visible, what cannot be seen or reorders letters is
/// removed.
pub(crate) fn clean(text: &str) -> String {
    harmless::seen(&harmless::harmless(text))
}

/// The same on one line, cut to so many characters. Of a very long text only the beginning is
/// looked at.
pub(crate) fn excerpt(text: &str, most: usize) -> String {
    let looked_at = most.saturating_mul(BYTES_OF_A_CHARACTER);
    let beginning = &text[..text.floor_char_boundary(looked_at)];
    let mut excerpt = harmless::excerpt(&harmless::seen(beginning), most);
    if beginning.len() < text.len() && !excerpt.ends_with('…') {
        excerpt.push('…');
    }
    excerpt
}
