//! The question whether a call may run: who, what, with exactly which arguments, and what it would
//! do. Everything others wrote stands behind a margin with nothing hidden; who asks for what and
//! which keys answer stands below it and is never scrolled away.

use super::{Painter, behind, paint, take_bottom};
use crate::app::{App, Layout};
use crate::conversation::Question;
use crate::text::{Break, Lines, clean, fit, wrap_text};
use crate::theme::{Theme, Tone};
use hydroid_core::harmless::{argument_lines, exact, visible};
use hydroid_core::tool::{Impact, Preview};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Columns and rows below which a question cannot be judged, so it is not answered.
const SMALLEST: (u16, u16) = (24, 6);

pub(super) fn draw(
    frame: &mut Frame<'_>,
    app: &App,
    painter: &mut Painter,
    area: &mut Rect,
    most: u16,
    layout: &mut Layout,
) {
    let Some(question) = app.question() else { return };
    if area.width < SMALLEST.0 || most < SMALLEST.1 {
        let row = take_bottom(area, 1);
        let text = fit("? a call asks; enlarge the screen", usize::from(row.width));
        paint(frame, row, &[Line::styled(text, app.theme.style(Tone::Ask))]);
        return;
    }
    let width = area.width;
    let kept = painter.question.take().filter(|(call, kept_width, theme, _)| {
        *call == question.call_id && *kept_width == width && *theme == app.theme
    });
    let (call, _, _, lines) = kept.unwrap_or_else(|| {
        let lines = text(question, app.theme, usize::from(width));
        (question.call_id.clone(), width, app.theme, lines)
    });
    let below = below(app, question, usize::from(width));
    let fixed = u16::try_from(below.len()).unwrap_or(u16::MAX).saturating_add(1);
    let wanted = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(fixed);
    let mut panel = take_bottom(area, wanted.min(most));
    layout.question = Some(panel);
    let foot = take_bottom(&mut panel, fixed.saturating_sub(1));
    let seen = usize::from(panel.height).saturating_sub(1);
    layout.question_lines = (lines.len(), seen);
    let scroll = app.asking.scroll.min(lines.len().saturating_sub(seen));
    let head = head(app, (scroll, seen, lines.len()), usize::from(width));
    paint(frame, panel, &[head]);
    let text = Rect { y: panel.y + 1, height: panel.height.saturating_sub(1), ..panel };
    paint(frame, text, &lines[scroll..]);
    paint(frame, foot, &below);
    painter.question = Some((call, width, app.theme, lines));
}

/// The line above: that something is asked, and how much of it is seen.
fn head(app: &App, (scroll, seen, all): (usize, usize, usize), width: usize) -> Line<'static> {
    let count = app.conversation().map_or(0, |conversation| conversation.questions.len());
    let which = match count {
        0 | 1 => String::new(),
        some => format!(" {} of {some} (Tab)", app.asking.index.min(some - 1) + 1),
    };
    let part = if all > seen {
        format!(" · lines {}–{} of {all} (↑ ↓)", scroll + 1, (scroll + seen).min(all))
    } else {
        String::new()
    };
    let text = fit(&format!("── may this run?{which}{part} "), width);
    let rest = width.saturating_sub(crate::text::cells(&text));
    Line::styled(format!("{text}{}", "─".repeat(rest)), app.theme.style(Tone::Ask))
}

/// What is always seen: who would do what, for what longer answers would hold, and the keys.
fn below(app: &App, question: &Question, width: usize) -> Lines {
    let ask = app.theme.style(Tone::Ask);
    let dim = app.theme.style(Tone::Dim);
    let (name, component, can) = who_and_what(question);
    let whole = format!("allow {name} of {component}, which {can}?");
    let mut lines = wrap_text(&whole, ask, width, Break::Words);
    // Names are short; one that is not is cut, and says so.
    if lines.len() > 3 {
        lines.truncate(2);
        lines.push(Line::styled("… (the name is longer than can be shown)", ask));
    }
    let longer = question.can_be_answered_for_longer();
    if longer {
        lines.push(Line::styled(fit(&format!("s, a: for {}", exact(&question.scope)), width), dim));
    }
    let keys = match (app.asking.focused, app.asking.answered.as_ref() == Some(&question.call_id)) {
        (_, true) => "answered …",
        (false, false) => "Alt-A, then a key, answers",
        (true, false) if longer => {
            "[y]es once  [s]ession  [a]lways  [e]dit  [n]o  [r]eason  Esc later"
        }
        (true, false) => "[y]es once  [e]dit  [n]o  [r]eason  Esc later",
    };
    let style = if app.asking.focused { ask } else { dim };
    lines.extend(wrap_text(keys, style, width, Break::Words));
    lines
}

/// The whole question, nothing left out.
fn text(question: &Question, theme: Theme, width: usize) -> Lines {
    let dim = theme.style(Tone::Dim);
    let plain = theme.style(Tone::Plain);
    let margin = Span::styled("  │ ", dim);
    let inner = width.saturating_sub(4).max(1);
    let mut lines = Lines::new();
    for line in argument_lines(&question.call.arguments) {
        lines.extend(behind(&margin, wrap_text(&line, plain, inner, Break::Anywhere)));
    }
    let because = format!("because {}", clean(&question.reason));
    lines.extend(behind(&Span::raw("  "), wrap_text(&because, dim, inner, Break::Words)));
    if question.can_be_answered_for_longer() {
        let scope = format!("s and a are about calls of {}", exact(&question.scope));
        lines.extend(behind(&Span::raw("  "), wrap_text(&scope, dim, inner, Break::Anywhere)));
    }
    match &question.preview {
        None => {}
        Some(Preview::Difference { text, .. }) => {
            for line in text.lines() {
                let tone = match line.chars().next() {
                    Some('+') => Tone::Good,
                    Some('-') => Tone::Bad,
                    Some('@') => Tone::Dim,
                    Some(_) | None => Tone::Plain,
                };
                let style = theme.style(tone);
                lines.extend(behind(
                    &margin,
                    wrap_text(&visible(line), style, inner, Break::Anywhere),
                ));
            }
        }
        Some(Preview::Copy { source, destination, bytes, digest }) => {
            for line in [
                format!("copies {}", exact(source)),
                format!("to     {}", exact(destination)),
                format!("       {bytes} bytes, {}", exact(digest)),
            ] {
                lines.extend(behind(&margin, wrap_text(&line, plain, inner, Break::Anywhere)));
            }
        }
        Some(Preview::Send { host, bytes }) => {
            let line = format!("sends to {}, made of {bytes} bytes of arguments", visible(host));
            lines.extend(behind(&margin, wrap_text(&line, plain, inner, Break::Anywhere)));
        }
        Some(Preview::Unknown { reason }) => {
            let line = format!("what it would do could not be found out: {}", visible(reason));
            lines.extend(behind(&margin, wrap_text(&line, plain, inner, Break::Anywhere)));
        }
    }
    lines
}

fn who_and_what(question: &Question) -> (String, String, &'static str) {
    let can = match question.impact {
        Impact::ReadOnly => "only computes or reads your files",
        Impact::Network => "sends read requests to other machines",
        Impact::Edits => "changes your files or notes",
        Impact::Changes => "can change things",
        Impact::Vault => "takes something out of your vault (each copy is asked)",
    };
    (exact(&question.call.name), exact(question.component.as_str()), can)
}
