//! What lies above all: a box in the middle, or the whole of a small screen.

use super::paint;
use crate::app::overlay::{Block as Part, Line as Asked, Panel, Picker, Row, Sure};
use crate::app::{App, Layout, Overlay};
use crate::text::{Break, Lines, Markdown, cells, clean, excerpt, fit, wrap_text};
use crate::theme::{Theme, Tone};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget};

/// Columns of a box at most.
const WIDEST: u16 = 110;

/// Columns and rows below which a box takes the whole screen.
const SMALL: (u16, u16) = (60, 14);

/// Characters of a cell in a table that are looked at.
const LONGEST_CELL: usize = 400;

/// Cells of the columns of a table but the last, at most.
const WIDEST_COLUMN: usize = 44;

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, whole: Rect, layout: &mut Layout) {
    match &app.overlay {
        None => {}
        Some(Overlay::Panel(panel)) => draw_panel(frame, app, whole, panel, layout),
        Some(Overlay::Picker(picker)) => draw_picker(frame, app, whole, picker, layout),
        Some(Overlay::Line(line)) => draw_line(frame, app, whole, line),
        Some(Overlay::Sure(sure)) => draw_sure(frame, app, whole, sure),
    }
}

/// The columns a box has inside.
fn columns(whole: Rect) -> u16 {
    if whole.width < SMALL.0 { whole.width } else { (whole.width - 4).min(WIDEST) }
        .saturating_sub(2)
}

/// A box with room for so many rows, as far as there is; its inside.
fn open_box(frame: &mut Frame<'_>, whole: Rect, rows: usize, title: &str, theme: Theme) -> Rect {
    let width = columns(whole) + 2;
    let most = if whole.height < SMALL.1 { whole.height } else { whole.height - 2 };
    let height = u16::try_from(rows.saturating_add(2)).unwrap_or(u16::MAX).min(most);
    let area = Rect {
        x: whole.x + (whole.width.saturating_sub(width)) / 2,
        y: whole.y + (whole.height - height) / 2,
        width: width.min(whole.width),
        height,
    };
    Clear.render(area, frame.buffer_mut());
    let title =
        fit(&format!(" {} ", excerpt(title, 80)), usize::from(area.width).saturating_sub(2));
    let block = Block::bordered().title(title).border_style(theme.style(Tone::Accent));
    let inner = block.inner(area);
    block.render(area, frame.buffer_mut());
    inner
}

fn draw_panel(frame: &mut Frame<'_>, app: &App, whole: Rect, panel: &Panel, layout: &mut Layout) {
    let width = usize::from(columns(whole)).max(1);
    let lines = panel_lines(panel, app.theme, width);
    let inner = open_box(frame, whole, lines.len() + 1, &panel.title, app.theme);
    let seen = usize::from(inner.height).saturating_sub(1);
    let last = lines.len().saturating_sub(seen);
    // An answer that still comes is followed to its end.
    let scroll = if panel.aside.is_some() { last } else { panel.scroll.min(last) };
    layout.overlay = Some(inner);
    layout.overlay_lines = (lines.len(), seen);
    let text = Rect { height: inner.height.saturating_sub(1), ..inner };
    paint(frame, text, &lines[scroll..]);
    let foot = if last > 0 {
        format!("↑ ↓ Space scroll · {} of {last} · Esc closes", scroll)
    } else {
        "Esc closes".to_owned()
    };
    let foot = Line::styled(fit(&foot, width), app.theme.style(Tone::Dim));
    let row = Rect { y: inner.y + text.height, height: inner.height - text.height, ..inner };
    paint(frame, row, &[foot]);
}

fn panel_lines(panel: &Panel, theme: Theme, width: usize) -> Lines {
    let mut lines = Lines::new();
    for block in &panel.blocks {
        if !lines.is_empty() && !matches!(block, Part::Table(_)) {
            lines.push(Line::default());
        }
        match block {
            Part::Heading(text) => {
                lines.push(Line::styled(fit(text, width), theme.style(Tone::Heading)))
            }
            Part::Markdown(text) => lines.extend(Markdown { theme, width }.lines(text)),
            Part::Remark(text) => {
                let text = clean(text).replace('\t', " ");
                lines.extend(wrap_text(&text, theme.style(Tone::Dim), width, Break::Words));
            }
            Part::Table(rows) => lines.extend(table(rows, theme, width)),
        }
    }
    lines
}

/// Columns as wide as what is in them; the last one is broken into lines, or stands below the
/// others where the screen is narrow.
fn table(rows: &[Vec<String>], theme: Theme, width: usize) -> Lines {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| excerpt(cell, LONGEST_CELL)).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.saturating_sub(1))
        .map(|column| {
            let cells_of = rows.iter().filter_map(|row| row.get(column)).map(|cell| cells(cell));
            cells_of.max().unwrap_or(0).min(WIDEST_COLUMN.min(width / 3))
        })
        .collect();
    let before = widths.iter().map(|width| width + 2).sum::<usize>();
    let below = before + 16 > width;
    let indent = if below { 4.min(width.saturating_sub(1)) } else { before };
    let mut lines = Lines::new();
    for row in &rows {
        let mut head = Vec::new();
        for (index, (cell, column)) in row.iter().zip(&widths).enumerate() {
            let text = fit(cell, if below { width } else { *column });
            let blank = if below { 2 } else { column.saturating_sub(cells(&text)) + 2 };
            let tone = if index == 0 { Tone::Code } else { Tone::Plain };
            head.push(Span::styled(format!("{text}{}", " ".repeat(blank)), theme.style(tone)));
        }
        let last = row.get(columns.saturating_sub(1)).map_or("", String::as_str);
        let room = width.saturating_sub(indent).max(1);
        let mut wrapped = wrap_text(last, theme.style(Tone::Plain), room, Break::Words).into_iter();
        if !below && let Some(first) = wrapped.next() {
            head.extend(first.spans);
        }
        lines.push(Line::from(head));
        for mut line in wrapped.filter(|line| !line.spans.is_empty()) {
            line.spans.insert(0, Span::raw(" ".repeat(indent)));
            lines.push(line);
        }
    }
    lines
}

fn draw_picker(
    frame: &mut Frame<'_>,
    app: &App,
    whole: Rect,
    picker: &Picker,
    layout: &mut Layout,
) {
    let theme = app.theme;
    let rows = picker.fitting();
    let inner = open_box(frame, whole, rows.len().max(1) + 1, &picker.title, theme);
    let width = usize::from(inner.width);
    let filter = format!("⌕ {}", excerpt(&picker.filter, 200));
    let shown = fit(&filter, width.saturating_sub(1));
    let at = u16::try_from(cells(&shown)).unwrap_or(0).min(inner.width.saturating_sub(1));
    let row = Rect { height: inner.height.min(1), ..inner };
    paint(frame, row, &[Line::styled(shown, theme.style(Tone::Ask))]);
    if !row.is_empty() {
        frame.set_cursor_position(Position::new(row.x + at, row.y));
    }
    let list = Rect { y: inner.y + row.height, height: inner.height - row.height, ..inner };
    let seen = usize::from(list.height);
    let chosen = picker.chosen.min(rows.len().saturating_sub(1));
    let top = (chosen + 1).saturating_sub(seen);
    layout.overlay = Some(list);
    layout.overlay_lines = (rows.len(), seen);
    layout.list_top = top;
    if rows.is_empty() {
        paint(frame, list, &[Line::styled("nothing fits", theme.style(Tone::Dim))]);
        return;
    }
    let lines: Lines = rows
        .iter()
        .enumerate()
        .skip(top)
        .take(seen)
        .map(|(index, row)| row_line(row, index == chosen, theme, width))
        .collect();
    paint(frame, list, &lines);
}

fn row_line(row: &Row, chosen: bool, theme: Theme, width: usize) -> Line<'static> {
    let more = fit(&excerpt(&row.more, 200), width / 2);
    let room = width.saturating_sub(cells(&more) + 4);
    let text = fit(&excerpt(&row.text, 400), room);
    let blank = width.saturating_sub(cells(&text) + cells(&more) + 2);
    let mark = if chosen { "› " } else { "  " };
    let style = theme.style(if chosen { Tone::Chosen } else { Tone::Plain });
    let more_style = theme.style(if chosen { Tone::Chosen } else { Tone::Dim });
    Line::from(vec![
        Span::styled(format!("{mark}{text}{}", " ".repeat(blank)), style),
        Span::styled(more, more_style),
    ])
}

fn draw_line(frame: &mut Frame<'_>, app: &App, whole: Rect, line: &Asked) {
    let theme = app.theme;
    let width = usize::from(columns(whole)).max(1);
    let problem = line
        .problem
        .as_deref()
        .map(|text| wrap_text(&clean(text), theme.style(Tone::Bad), width, Break::Words));
    let problem = problem.unwrap_or_default();
    let inner = open_box(frame, whole, problem.len() + 2, &line.title, theme);
    if inner.height == 0 || inner.width == 0 {
        return;
    }
    let row = Rect { height: 1, ..inner };
    line.area.render(row, frame.buffer_mut());
    let cursor = line.area.screen_cursor();
    let (_, left) = line.area.scroll_offset();
    let column = u16::try_from(cursor.col).unwrap_or(u16::MAX).saturating_sub(left);
    frame.set_cursor_position(Position::new(inner.x + column.min(inner.width - 1), inner.y));
    let rest = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
    let mut lines = problem;
    lines.push(Line::styled("Enter takes it, Esc goes back", theme.style(Tone::Dim)));
    paint(frame, rest, &lines);
}

fn draw_sure(frame: &mut Frame<'_>, app: &App, whole: Rect, sure: &Sure) {
    let theme = app.theme;
    let width = usize::from(columns(whole)).max(1);
    let mut lines = wrap_text(&sure.text, theme.style(Tone::Ask), width, Break::Words);
    lines.push(Line::styled("y does it, any other key does not", theme.style(Tone::Dim)));
    let inner = open_box(frame, whole, lines.len(), "Really?", theme);
    paint(frame, inner, &lines);
}
