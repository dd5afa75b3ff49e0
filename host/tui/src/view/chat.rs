//! The conversation: what was said, what the model thinks, calls as they run. All of it stands
//! behind a margin, so that nothing others wrote begins where our own lines begin.

use super::{behind, paint, spinner};
use crate::app::{App, Connected, Layout, Scroll};
use crate::conversation::{Call, CallState, Clipped, Conversation, Item, Kind, seconds};
use crate::text::{Break, Lines, Markdown, clean, excerpt, fit, last_block, wrap, wrap_text};
use crate::theme::{Theme, Tone};
use hydroid_core::harmless::argument_lines;
use hydroid_core::id::{CallId, SessionId};
use hydroid_core::protocol::Activity;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Cells of a line of text; longer ones are hard to read, however wide the screen is.
const MEASURE: usize = 110;

/// Lines of a result that are shown while it is folded.
const FOLDED: usize = 3;

/// Lines of a result, and of arguments, that are shown at most.
const UNFOLDED: usize = 400;

/// Characters of the arguments beside the name of a call.
const ARGUMENTS: usize = 200;

/// Bytes of the arguments of a call that are shown once it is not asked about.
const MOST_OF_ARGUMENTS: usize = 64 << 10;

/// Bytes of a text that is shown as the person wrote it.
const MOST_OF_PERSON: usize = 16 << 10;

/// What was drawn before and need not be drawn anew.
#[derive(Debug, Default)]
pub(crate) struct Painter {
    session: Option<SessionId>,
    items: Vec<Kept>,
    /// Lines of a question, and for what they are.
    pub(super) question: Option<(CallId, u16, Theme, Lines)>,
}

/// What was drawn of an item.
#[derive(Debug, Default)]
struct Kept {
    of: Option<Of>,
    lines: Lines,
    /// Of a text that grows: bytes that are settled, and their lines.
    settled: (usize, Lines),
}

/// What it was drawn of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Of {
    version: u64,
    width: usize,
    theme: Theme,
    open: bool,
}

pub(super) fn draw(
    frame: &mut Frame<'_>,
    app: &App,
    painter: &mut Painter,
    area: Rect,
    layout: &mut Layout,
) {
    layout.chat = area;
    if area.height == 0 || area.width == 0 {
        return;
    }
    let width = usize::from(area.width).saturating_sub(1).clamp(1, MEASURE);
    let Some(conversation) = app.conversation() else {
        let mut lines = greeting(app, width);
        lines.extend(unsaid(app, width));
        let skip = lines.len().saturating_sub(usize::from(area.height));
        layout.lines = lines.len();
        paint(frame, area, &lines[skip..]);
        return;
    };
    painter.keep(app, conversation, width);
    let mut line = 0;
    for (index, kept) in painter.items.iter().enumerate() {
        line += usize::from(index > 0 && gap_before(&conversation.items, index));
        layout.starts.push(line);
        line += kept.lines.len();
    }
    let tail = tail(app, conversation, width);
    let all = line + tail.len();
    layout.lines = all;
    let height = usize::from(area.height);
    let last = all.saturating_sub(height);
    let top = match app.scroll {
        Scroll::Follow => last,
        Scroll::At(top) => top.min(last),
    };
    layout.top = top;
    let buffer = frame.buffer_mut();
    for (index, kept) in painter.items.iter().enumerate() {
        let start = layout.starts[index];
        if start + kept.lines.len() <= top || start >= top + height {
            continue;
        }
        for (offset, drawn) in kept.lines.iter().enumerate() {
            if let Some(row) = row(start + offset, top, area) {
                buffer.set_line(area.x, row, drawn, area.width);
                if offset == 0
                    && let Kind::Call(call) = &conversation.items[index].kind
                {
                    layout.calls.push((row, call.id.clone()));
                }
            }
        }
    }
    for (offset, drawn) in tail.iter().enumerate() {
        if let Some(row) = row(line + offset, top, area) {
            buffer.set_line(area.x, row, drawn, area.width);
        }
    }
    if last > 0 && top < last && area.width > 12 {
        let more = format!(" {} more ↓ ", last - top);
        let cells = u16::try_from(crate::text::cells(&more)).unwrap_or(0).min(area.width);
        let style = app.theme.style(Tone::Chosen);
        let at = (area.x + area.width - cells, area.y + area.height - 1);
        buffer.set_stringn(at.0, at.1, &more, usize::from(cells), style);
    }
}

/// The row a line is on, if it is seen.
fn row(line: usize, top: usize, area: Rect) -> Option<u16> {
    let below = u16::try_from(line.checked_sub(top)?).ok()?;
    (below < area.height).then(|| area.y + below)
}

/// Calls of one step stand close together.
fn gap_before(items: &[Item], index: usize) -> bool {
    let is_call = |item: &Item| matches!(item.kind, Kind::Call(_));
    !(is_call(&items[index]) && is_call(&items[index - 1]))
}

impl Painter {
    /// Draws what changed, and keeps the rest.
    fn keep(&mut self, app: &App, conversation: &Conversation, width: usize) {
        if self.session.as_ref() != Some(conversation.id()) {
            self.session = Some(conversation.id().clone());
            self.items.clear();
        }
        self.items.truncate(conversation.items.len());
        for (index, item) in conversation.items.iter().enumerate() {
            if self.items.len() == index {
                self.items.push(Kept::default());
            }
            let open = match &item.kind {
                Kind::Call(call) => app.is_unfolded(&call.id),
                Kind::Thought(_) => app.thinking,
                Kind::Person { .. } | Kind::Said(_) | Kind::Cited { .. } | Kind::Notice { .. } => {
                    false
                }
            };
            let of = Of { version: item.version, width, theme: app.theme, open };
            let kept = &mut self.items[index];
            let moves = matches!(&item.kind, Kind::Call(call) if matches!(call.state, CallState::Running { .. }));
            if kept.of == Some(of) && !moves {
                continue;
            }
            if kept.of.is_none_or(|before| before.width != width || before.theme != app.theme) {
                kept.settled = (0, Lines::new());
            }
            kept.lines = match &item.kind {
                Kind::Said(text) => kept.said(text, width, app.theme),
                other => lines(other, app, width, open),
            };
            kept.of = Some(of);
        }
    }
}

impl Kept {
    /// Text that may grow: only its last block is drawn anew.
    fn said(&mut self, text: &Clipped, width: usize, theme: Theme) -> Lines {
        let how = Markdown { theme, width: width.saturating_sub(2) };
        let (settled, _) = self.settled;
        if !text.text.is_char_boundary(settled) {
            self.settled = (0, Lines::new());
        }
        let (settled, before) = &mut self.settled;
        let rest = text.text.get(*settled..).unwrap_or_default();
        let cut = last_block(rest);
        if cut > 0 {
            join(before, how.lines(&rest[..cut]));
            *settled += cut;
        }
        let mut lines = before.clone();
        join(&mut lines, how.lines(text.text.get(*settled..).unwrap_or_default()));
        if text.left_out > 0 {
            lines.push(left_out(text, theme));
        }
        behind(&Span::raw("  "), lines).collect()
    }
}

/// Blocks stand apart.
fn join(lines: &mut Lines, more: Lines) {
    if more.is_empty() {
        return;
    }
    if !lines.is_empty() {
        lines.push(Line::default());
    }
    lines.extend(more);
}

fn left_out(text: &Clipped, theme: Theme) -> Line<'static> {
    let says = format!("… {} more bytes; `/export` writes all of it", text.left_out);
    Line::styled(says, theme.style(Tone::Dim))
}

/// Lines of an item.
fn lines(kind: &Kind, app: &App, width: usize, open: bool) -> Lines {
    let theme = app.theme;
    let inner = width.saturating_sub(2);
    match kind {
        Kind::Said(_) => Lines::new(),
        Kind::Person { text, attached, steered } => {
            let bar = Span::styled("▌ ", theme.style(Tone::Person));
            let shown = &text.text[..text.text.floor_char_boundary(MOST_OF_PERSON)];
            let style = theme.style(Tone::Plain);
            let mut lines = wrap_text(&tabless(&clean(shown)), style, inner, Break::Words);
            if shown.len() < text.text.len() || text.left_out > 0 {
                let more = text.text.len() - shown.len() + text.left_out;
                lines.push(Line::styled(format!("… {more} more bytes"), theme.style(Tone::Dim)));
            }
            for name in attached {
                let name = format!("[{}]", excerpt(name, ARGUMENTS));
                lines.extend(wrap_text(&name, theme.style(Tone::Dim), inner, Break::Words));
            }
            if *steered {
                lines.push(Line::styled("said into the turn", theme.style(Tone::Dim)));
            }
            behind(&bar, lines).collect()
        }
        Kind::Thought(text) => {
            let dim = theme.style(Tone::Dim);
            if !open {
                let line = format!("  thought: {}", excerpt(&text.text, ARGUMENTS));
                return vec![Line::styled(fit(&line, width), dim)];
            }
            let mut lines = wrap_text(&tabless(&clean(&text.text)), dim, inner, Break::Words);
            if text.left_out > 0 {
                lines.push(left_out(text, theme));
            }
            behind(&Span::styled("┊ ", dim), lines).collect()
        }
        Kind::Cited { uri, title } => {
            let title = title.as_deref().map(|title| format!("{} ", excerpt(title, ARGUMENTS)));
            let spans = [
                Span::styled("source: ", theme.style(Tone::Dim)),
                Span::raw(title.unwrap_or_default()),
                Span::styled(excerpt(uri, 2 * ARGUMENTS), theme.style(Tone::Link)),
            ];
            behind(&Span::raw("  "), wrap(&spans, inner, Break::Words)).collect()
        }
        Kind::Call(call) => call_lines(call, app, width, open),
        Kind::Notice { text, bad } => {
            let tone = if *bad { Tone::Bad } else { Tone::Dim };
            let lines = wrap_text(&tabless(&clean(text)), theme.style(tone), inner, Break::Words);
            let mut mark = "! ";
            lines
                .into_iter()
                .map(|mut line| {
                    let before = std::mem::replace(&mut mark, "  ");
                    line.spans.insert(0, Span::styled(before, theme.style(tone)));
                    line
                })
                .collect()
        }
    }
}

fn tabless(text: &str) -> String {
    text.replace('\t', "    ")
}

fn call_lines(call: &Call, app: &App, width: usize, open: bool) -> Lines {
    let theme = app.theme;
    let (mark, tone) = match call.state {
        CallState::Received => ("·", Tone::Dim),
        CallState::Asked => ("?", Tone::Ask),
        CallState::Running { .. } => (spinner(app.now), Tone::Accent),
        CallState::Done => ("✓", Tone::Good),
        CallState::Failed => ("✗", Tone::Bad),
        CallState::Denied => ("⊘", Tone::Bad),
        CallState::Unfinished => ("–", Tone::Dim),
    };
    let took = match (call.state, call.took_ms) {
        (CallState::Running { since, .. }, _) => {
            format!(" {:.1} s", seconds(app.now.saturating_sub(since)))
        }
        (_, Some(ms)) if ms >= 1_000 => format!(" {:.1} s", seconds(ms)),
        (_, Some(ms)) => format!(" {ms} ms"),
        (_, None) => String::new(),
    };
    let name = excerpt(&call.name, ARGUMENTS);
    let edited = if call.edited { " (edited)" } else { "" };
    let dim = theme.style(Tone::Dim);
    let room = width.saturating_sub(crate::text::cells(&name) + 4 + took.len() + edited.len());
    let beside = if open { String::new() } else { fit(&excerpt(&call.arguments, ARGUMENTS), room) };
    let mut lines = vec![Line::from(vec![
        Span::styled(format!("{mark} "), theme.style(tone)),
        Span::styled(fit(&name, width.saturating_sub(2)), theme.style(Tone::Accent)),
        Span::styled(format!("{edited} {beside}"), dim),
        Span::styled(took, dim),
    ])];
    let bar = Span::styled("  │ ", dim);
    let inner = width.saturating_sub(4).max(1);
    if open {
        let known = &call.arguments[..call.arguments.floor_char_boundary(MOST_OF_ARGUMENTS)];
        let (arguments, more) = first(argument_lines(known).into_iter(), UNFOLDED);
        let arguments =
            arguments.into_iter().flat_map(|line| wrap_text(&line, dim, inner, Break::Anywhere));
        lines.extend(behind(&bar, first(arguments, UNFOLDED).0));
        lines.extend(more_lines(more, theme));
        let cut = call.arguments.len() - known.len();
        if cut > 0 {
            let text = format!("… {cut} more bytes; `/export` writes all of it");
            lines.extend(behind(&bar, vec![Line::styled(text, dim)]));
        }
    }
    if let Some(decision) = &call.decision {
        let text = excerpt(decision, 4 * ARGUMENTS);
        lines.extend(behind(&bar, wrap_text(&text, dim, inner, Break::Words)));
    }
    if let Some((fraction, note)) = &call.progress {
        let percent = fraction.map(|part| format!("{:.0} % ", part.clamp(0.0, 1.0) * 100.0));
        let text = format!("{}{}", percent.unwrap_or_default(), excerpt(note, ARGUMENTS));
        lines.extend(behind(&bar, vec![Line::styled(fit(&text, inner), dim)]));
    }
    if !call.output.text.is_empty() {
        let most = if open { UNFOLDED } else { FOLDED };
        let (output, more) = first(call.output.text.lines(), most);
        let shown = output.into_iter().flat_map(|line| {
            let line = tabless(&clean(line));
            let style = theme.style(Tone::Plain);
            if open {
                wrap_text(&line, style, inner, Break::Anywhere)
            } else {
                vec![Line::styled(fit(&excerpt(&line, inner), inner), style)]
            }
        });
        let (shown, cut) = first(shown, most);
        lines.extend(behind(&bar, shown));
        lines.extend(more_lines(more + cut, theme));
        if open && call.output.left_out > 0 {
            lines.extend(behind(&bar, vec![left_out(&call.output, theme)]));
        }
    }
    lines
}

/// So many, and how many more there are.
fn first<T>(mut of: impl Iterator<Item = T>, most: usize) -> (Vec<T>, usize) {
    let taken: Vec<T> = of.by_ref().take(most).collect();
    (taken, of.count())
}

fn more_lines(more: usize, theme: Theme) -> Option<Line<'static>> {
    (more > 0)
        .then(|| Line::styled(format!("  … {more} more lines; Ctrl-T"), theme.style(Tone::Dim)))
}

/// What stands after the last item: what is not said yet, and what is going on.
fn tail(app: &App, conversation: &Conversation, width: usize) -> Lines {
    let mut lines = Lines::new();
    lines.extend(unsaid(app, width));
    let theme = app.theme;
    if conversation.is_busy() {
        let since = conversation.working_since.map(|since| app.now.saturating_sub(since));
        let lasted = since.map_or(String::new(), |ms| format!(" {:.0} s", seconds(ms)));
        let (what, tone) = match conversation.info.activity {
            Activity::Asking => ("waits for your answer; Alt-A goes there".to_owned(), Tone::Ask),
            Activity::Waiting => {
                ("waits: as many turns run as you may have at once".to_owned(), Tone::Dim)
            }
            Activity::Working | Activity::Idle | Activity::Asleep => {
                let awaited = conversation.awaited.as_ref().map(|(fraction, note)| {
                    let percent = fraction.map(|part| format!("{:.0} % ", part * 100.0));
                    format!(" · {}{}", percent.unwrap_or_default(), excerpt(note, MEASURE))
                });
                let awaited = awaited.unwrap_or_default();
                (format!("working{lasted}{awaited}; Ctrl-C cancels"), Tone::Dim)
            }
        };
        let queued = match conversation.info.queued {
            0 => String::new(),
            some => format!(" · {some} messages wait"),
        };
        let text = fit(&format!("{} {what}{queued}", spinner(app.now)), width);
        lines.push(Line::default());
        lines.push(Line::styled(text, theme.style(tone)));
    }
    lines
}

fn unsaid(app: &App, width: usize) -> Lines {
    let dim = app.theme.style(Tone::Dim);
    let mut lines = Lines::new();
    for (text, unsure) in app.outgoing() {
        let why = match (&app.connected, unsure) {
            (Connected::Yes, _) => "is being said",
            (_, true) => "the connection was lost; it is said once",
            (_, false) => "is said once there is a connection",
        };
        lines.push(Line::default());
        let text = fit(&excerpt(text, MEASURE), width.saturating_sub(2));
        lines.push(Line::styled(format!("▌ {text}"), dim));
        lines.push(Line::styled(fit(&format!("▌ ({why})"), width), dim));
    }
    lines
}

/// What stands where nothing was said yet.
fn greeting(app: &App, width: usize) -> Lines {
    let theme = app.theme;
    let dim = theme.style(Tone::Dim);
    let mut lines = vec![Line::styled("Hydroid", theme.style(Tone::Accent))];
    let text = match &app.connected {
        Connected::No => "connecting …".to_owned(),
        Connected::Yes => {
            let settings = app.settings();
            let model = settings.model.unwrap_or_else(|| "no model".to_owned());
            format!(
                "A new session; {} answers. Write, and press Enter.\n/help has commands and keys, Ctrl-O has your sessions.",
                excerpt(&model, ARGUMENTS)
            )
        }
        Connected::Lost(why) => {
            format!("There is no connection to the host; it is tried again.\n{}", clean(why))
        }
        Connected::Refused(why) => {
            lines.extend(wrap_text(&clean(why), theme.style(Tone::Bad), width, Break::Words));
            "The host refused; Ctrl-D leaves.".to_owned()
        }
    };
    lines.extend(wrap_text(&text, dim, width, Break::Words));
    lines
}
