//! What lies above the conversation: a text to read, a list to choose from, a line that is asked
//! for, a question of ours. What is in them is told by the host and drawn elsewhere.

mod panel;
mod picker;

pub(crate) use panel::{Block, Panel, of_mode, tokens};
pub(crate) use picker::{Picker, Row, Value};

use hydroid_core::id::{CallId, SessionId};
use ratatui::style::Style;
use ratatui_textarea::{CursorMove, TextArea};

/// What lies above.
#[derive(Debug)]
pub(crate) enum Overlay {
    /// A text to read.
    Panel(Panel),
    /// A list to choose from.
    Picker(Picker),
    /// One line that is asked for.
    Line(Box<Line>),
    /// Whether something is really meant.
    Sure(Sure),
}

/// One line that is asked for.
#[derive(Debug)]
pub(crate) struct Line {
    /// What is asked.
    pub(crate) title: String,
    /// What was wrong with what was typed.
    pub(crate) problem: Option<String>,
    pub(crate) area: TextArea<'static>,
    pub(crate) asks: Asks,
}

/// What a line is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Words to look for in sessions.
    Words,
    /// Why a call may not run.
    Reason(CallId),
    /// Which calls may run from now on.
    Pattern(CallId),
    /// For how many days calls of this pattern may.
    Days(CallId, String),
    /// Other arguments.
    Arguments(CallId, String),
}

/// Whether something is really meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sure {
    /// What would happen.
    pub(crate) text: String,
    pub(crate) then: Then,
}

/// What is done if it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Clear(SessionId),
    Delete(SessionId),
}

impl Line {
    pub(crate) fn new(title: impl Into<String>, prefilled: &str, asks: Asks) -> Self {
        let mut area = TextArea::new(vec![prefilled.replace('\n', " ")]);
        area.set_cursor_line_style(Style::new());
        area.move_cursor(CursorMove::End);
        Self { title: title.into(), problem: None, area, asks }
    }

    pub(crate) fn text(&self) -> String {
        self.area.lines().concat().trim().to_owned()
    }
}
