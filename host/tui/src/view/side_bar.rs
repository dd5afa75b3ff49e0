//! The side bar: sessions, the newest first, with what they do.

use super::spinner;
use crate::app::{App, Layout};
use crate::text::{excerpt, fit};
use crate::theme::Tone;
use hydroid_core::protocol::Activity;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Characters of a title that are looked at.
const TITLE: usize = 60;

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, area: Rect, layout: &mut Layout) {
    layout.side_bar = Some(area);
    let theme = app.theme;
    let inner = usize::from(area.width).saturating_sub(2);
    let dim = theme.style(Tone::Dim);
    let mut rows: Vec<Line<'static>> = vec![Line::styled("Sessions", theme.style(Tone::Accent))];
    if app.current.is_none() {
        rows.push(Line::styled("+ a new one", theme.style(Tone::Chosen)));
    }
    let first = rows.len();
    let room = usize::from(area.height).saturating_sub(first);
    let at = app
        .current
        .as_ref()
        .and_then(|id| app.sessions.iter().position(|info| info.session == *id))
        .unwrap_or(0);
    // The one that is looked at stays in sight.
    let top = (at + 1).saturating_sub(room);
    for (info, row) in app.sessions.iter().skip(top).take(room).zip(first..) {
        let open = app.open.get(&info.session);
        let activity = open.map_or(info.activity, |conversation| conversation.info.activity);
        let (mark, tone) = match activity {
            Activity::Asking => ("?", Tone::Ask),
            Activity::Working => (spinner(app.now), Tone::Accent),
            Activity::Waiting => ("…", Tone::Dim),
            Activity::Asleep | Activity::Idle if open.is_some_and(|open| open.unseen) => {
                ("•", Tone::Accent)
            }
            Activity::Asleep | Activity::Idle => (" ", Tone::Plain),
        };
        let chosen = app.current.as_ref() == Some(&info.session);
        let title = fit(&excerpt(&info.title, TITLE), inner.saturating_sub(2));
        let style = theme.style(if chosen { Tone::Chosen } else { Tone::Plain });
        rows.push(Line::from(vec![
            Span::styled(format!("{mark} "), theme.style(tone)),
            Span::styled(title, style),
        ]));
        if let Ok(below) = u16::try_from(row) {
            layout.sessions.push((area.y + below, info.session.clone()));
        }
    }
    let buffer = frame.buffer_mut();
    for y in area.y..area.y + area.height {
        buffer.set_string(area.x + area.width - 2, y, "│", dim);
    }
    for (line, y) in rows.iter().zip(area.y..area.y + area.height) {
        buffer.set_line(area.x, y, line, area.width.saturating_sub(2));
    }
}
