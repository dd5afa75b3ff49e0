//! Where the person writes: the editor, what is attached, what we have to tell, and what a command
//! could become.

use crate::app::App;
use crate::conversation::Conversation;
use crate::slash;
use crate::text::{Break, Lines, clean, excerpt, fit, wrap_text};
use crate::theme::Tone;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

/// Rows of the completion.
const MOST_ROWS: usize = 8;

/// Lines of one message of ours.
const LINES_TOLD: usize = 4;

/// Characters of a file's name.
const NAME: usize = 30;

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, area: Rect, border: bool) {
    if area.height == 0 || area.width == 0 {
        return;
    }
    let theme = app.theme;
    let focused = app.overlay.is_none() && !(app.asking.focused && app.question().is_some());
    let mut inner = area;
    if border {
        let style = theme.style(if focused { Tone::Accent } else { Tone::Dim });
        let files: Vec<String> = app
            .editor
            .attached
            .iter()
            .map(|file| {
                format!("[{} {} kB]", excerpt(&file.name, NAME), file.data.0.len().div_ceil(1_000))
            })
            .collect();
        let title = if files.is_empty() { String::new() } else { format!(" {} ", files.join(" ")) };
        let title = fit(&title, usize::from(area.width).saturating_sub(2));
        let rest = usize::from(area.width).saturating_sub(crate::text::cells(&title) + 2);
        let line = Line::from(vec![
            Span::styled("──", style),
            Span::styled(title, theme.style(Tone::Ask)),
            Span::styled("─".repeat(rest), style),
        ]);
        frame.buffer_mut().set_line(area.x, area.y, &line, area.width);
        inner = Rect { y: area.y + 1, height: area.height - 1, ..area };
    }
    if inner.height == 0 || inner.width < 4 {
        return;
    }
    let mark = Span::styled("› ", theme.style(if focused { Tone::Person } else { Tone::Dim }));
    frame.buffer_mut().set_span(inner.x, inner.y, &mark, 2);
    let text = Rect { x: inner.x + 2, width: inner.width - 2, ..inner };
    let editor = app.editor.area();
    editor.render(text, frame.buffer_mut());
    if focused {
        let cursor = editor.screen_cursor();
        let (top, left) = editor.scroll_offset();
        let place = |at: usize, scrolled: u16, begin: u16, size: u16| {
            let offset = u16::try_from(at).unwrap_or(u16::MAX).saturating_sub(scrolled);
            begin + offset.min(size.saturating_sub(1))
        };
        frame.set_cursor_position(Position::new(
            place(cursor.col, left, text.x, text.width),
            place(cursor.row, top, text.y, text.height),
        ));
    }
    if app.editor.shown().is_empty() && focused {
        let busy = app.conversation().is_some_and(Conversation::is_busy);
        let hint = if busy {
            "Enter says it after this turn, Alt-S says it into it"
        } else {
            "Say something, or /help"
        };
        let hint = fit(hint, usize::from(text.width));
        frame.buffer_mut().set_string(text.x, text.y, hint, theme.style(Tone::Dim));
    }
}

/// What we have to tell.
pub(super) fn told(app: &App, width: u16) -> Lines {
    let width = usize::from(width);
    let mut lines = Lines::new();
    for told in &app.told {
        let style = app.theme.style(if told.bad { Tone::Bad } else { Tone::Dim });
        let text = clean(&told.text).replace('\t', " ");
        let wrapped = wrap_text(&format!("! {text}"), style, width, Break::Words);
        lines.extend(wrapped.into_iter().take(LINES_TOLD));
    }
    lines
}

/// What a command could become, above the editor.
pub(super) fn completion(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let all = app.completions();
    if all.is_empty() || app.overlay.is_some() || app.asking.focused {
        return;
    }
    let chosen = app.completion.min(all.len() - 1);
    let rows = all.len().min(MOST_ROWS).min(usize::from(area.height));
    let Ok(height) = u16::try_from(rows) else { return };
    let top = (chosen + 1).saturating_sub(rows);
    let begin = area.y + area.height - height;
    let place = Rect { y: begin, height, ..area };
    Clear.render(place, frame.buffer_mut());
    for ((index, whole), y) in all.iter().enumerate().skip(top).take(rows).zip(begin..) {
        let tone = if index == chosen { Tone::Chosen } else { Tone::Plain };
        let slash =
            slash::COMMANDS.iter().find(|slash| whole.trim_end() == format!("/{}", slash.name));
        let does = slash.map_or("", |slash| slash.does);
        let width = usize::from(area.width);
        let name = fit(&format!("  {:<14}", excerpt(whole, width)), width);
        let rest = width.saturating_sub(crate::text::cells(&name) + 2);
        let line = Line::from(vec![
            Span::styled(name, app.theme.style(tone)),
            Span::styled(format!("  {}", fit(does, rest)), app.theme.style(Tone::Dim)),
        ]);
        frame.buffer_mut().set_line(area.x, y, &line, area.width);
    }
}
