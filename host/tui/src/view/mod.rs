//! Drawing: what is known becomes a screen. Drawing changes nothing of what is known; it says what
//! is where, so that the mouse and the keys for pages can be understood.

mod chat;
mod overlay;
mod question;
mod side_bar;
mod status;
mod writing;

pub(crate) use chat::Painter;

use crate::app::{App, Layout};
use crate::text::Lines;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Columns from which the side bar is shown if nobody said otherwise.
const WIDE: u16 = 110;

/// Columns below which there is no room for one.
const NARROW: u16 = 70;

/// Columns of the side bar.
const SIDE_BAR: u16 = 28;

/// Rows of the editor at most.
const MOST_WRITING: u16 = 8;

/// Rows below which only the most needed is drawn.
const LOW: u16 = 8;

/// Signs that stand for work going on, one after another.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// Milliseconds each of them is shown.
const SPIN_MS: u64 = 100;

/// Draws everything; says what is where.
pub(crate) fn draw(frame: &mut Frame<'_>, app: &App, painter: &mut Painter) -> Layout {
    let mut layout = Layout::default();
    let whole = frame.area();
    if whole.width == 0 || whole.height == 0 {
        return layout;
    }
    let mut area = whole;
    let status = take_bottom(&mut area, u16::from(whole.height > 3));
    status::draw(frame, app, status);
    layout.roomy = whole.width >= NARROW;
    let side_bar = match app.side_bar {
        Some(shown) => shown && layout.roomy,
        None => whole.width >= WIDE,
    };
    if side_bar {
        let bar = Rect { width: SIDE_BAR, ..area };
        area = Rect { x: area.x + SIDE_BAR, width: area.width - SIDE_BAR, ..area };
        side_bar::draw(frame, app, bar, &mut layout);
    }
    let border = u16::from(whole.height >= LOW);
    let wanted = u16::try_from(app.editor.rows(area.width.saturating_sub(2))).unwrap_or(u16::MAX);
    let rows = wanted.clamp(1, MOST_WRITING.min((area.height / 3).max(1)));
    let editor = take_bottom(&mut area, rows + border);
    writing::draw(frame, app, editor, border > 0);
    let told = writing::told(app, area.width);
    let told_rows = u16::try_from(told.len()).unwrap_or(u16::MAX).min(area.height / 3);
    let told_area = take_bottom(&mut area, told_rows);
    paint(frame, told_area, &told);
    if app.question().is_some() {
        // A question is worth more than what was said before.
        let most = if area.height >= LOW { area.height - area.height / 3 } else { area.height };
        question::draw(frame, app, painter, &mut area, most, &mut layout);
    }
    chat::draw(frame, app, painter, area, &mut layout);
    writing::completion(frame, app, area);
    overlay::draw(frame, app, whole, &mut layout);
    layout
}

/// Takes rows from the bottom of an area.
fn take_bottom(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let bottom = Rect { y: area.y + area.height - rows, height: rows, ..*area };
    area.height -= rows;
    bottom
}

/// Lines into an area, those that do not fit left out.
fn paint(frame: &mut Frame<'_>, area: Rect, lines: &[Line<'_>]) {
    let buffer = frame.buffer_mut();
    for (line, y) in lines.iter().zip(area.y..area.y.saturating_add(area.height)) {
        buffer.set_line(area.x, y, line, area.width);
    }
}

/// Lines with something before each.
fn behind(
    margin: &ratatui::text::Span<'static>,
    lines: Lines,
) -> impl Iterator<Item = Line<'static>> {
    let margin = margin.clone();
    lines.into_iter().map(move |mut line| {
        line.spans.insert(0, margin.clone());
        line
    })
}

fn spinner(now: u64) -> &'static str {
    let turn = usize::try_from(now / SPIN_MS).unwrap_or(0);
    SPINNER[turn % SPINNER.len()]
}

#[cfg(test)]
mod tests;
