//! Text of others as lines of a screen: made harmless, broken to a width, styled. Nothing here
//! knows where on the screen they go.

mod highlight;
mod markdown;
mod wrap;

pub(crate) use highlight::Highlighter;
pub(crate) use markdown::{Markdown, last_block};
pub(crate) use wrap::{Break, cells, fit, wrap, wrap_text};

use ratatui::text::Line;

/// Lines as they are kept: they own their text.
pub(crate) type Lines = Vec<Line<'static>>;
