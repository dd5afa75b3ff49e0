//! The last row: who answers, what it has taken and cost, and how the host is. What matters least
//! gives way first.

use crate::app::overlay::{of_mode, tokens};
use crate::app::{App, Connected};
use crate::conversation::Conversation;
use crate::text::{cells, excerpt, fit};
use crate::theme::Tone;
use hydroid_core::policy::Mode;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Characters of a model's name.
const NAME: usize = 32;

/// One thing that is said; those with the greatest number give way first.
struct Said {
    text: String,
    tone: Tone,
    weight: u8,
}

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) {
    if area.height == 0 {
        return;
    }
    let width = usize::from(area.width);
    let mut said = said(app);
    let needed = |said: &[Said]| {
        said.iter().map(|one| cells(&one.text) + 3).sum::<usize>().saturating_sub(3)
    };
    while said.len() > 1 && needed(&said) > width {
        let least = said.iter().map(|one| one.weight).max().unwrap_or(0);
        said.retain(|one| one.weight != least);
    }
    let mut spans = Vec::new();
    for (index, one) in said.iter().enumerate() {
        if index > 0 {
            spans.push(Span::styled(" · ", app.theme.style(Tone::Dim)));
        }
        spans.push(Span::styled(fit(&one.text, width), app.theme.style(one.tone)));
    }
    frame.buffer_mut().set_line(area.x, area.y, &Line::from(spans), area.width);
}

fn said(app: &App) -> Vec<Said> {
    let mut said = Vec::new();
    let mut say = |weight, tone, text: String| {
        if !text.is_empty() {
            said.push(Said { text, tone, weight });
        }
    };
    match &app.connected {
        Connected::No => say(0, Tone::Dim, "connecting".to_owned()),
        Connected::Yes => {}
        Connected::Lost(_) => say(0, Tone::Bad, "no connection".to_owned()),
        Connected::Refused(_) => say(0, Tone::Bad, "refused".to_owned()),
    }
    let elsewhere = app.asked_elsewhere().len();
    if elsewhere > 0 {
        say(1, Tone::Ask, format!("{elsewhere} asked elsewhere (Alt-A)"));
    }
    let settings = app.settings();
    let conversation = app.conversation();
    let model = conversation
        .and_then(|conversation| conversation.model.clone())
        .filter(|_| conversation.is_some_and(Conversation::is_busy))
        .or_else(|| settings.model.clone());
    say(2, Tone::Accent, model.map_or(String::new(), |model| excerpt(&model, NAME)));
    say(5, Tone::Plain, settings.effort.map_or(String::new(), |effort| excerpt(&effort, NAME)));
    let mode = settings.mode.unwrap_or_default();
    let tone = if mode == Mode::AcceptEdits { Tone::Ask } else { Tone::Plain };
    let mode_weight = if mode == Mode::Default { 8 } else { 1 };
    say(mode_weight, tone, of_mode(mode).to_owned());
    if let Some(conversation) = conversation {
        let usage = conversation.usage;
        if usage.total() > 0 {
            let text = format!("{} in {} out", tokens(usage.input), tokens(usage.output));
            say(4, Tone::Plain, text);
            say(3, Tone::Plain, conversation.dollars.to_string());
        }
        let window = app
            .models
            .iter()
            .find(|offer| Some(&offer.model) == settings.model.as_ref())
            .and_then(|offer| offer.context_tokens)
            .filter(|window| *window > 0);
        if let Some(window) = window.filter(|_| conversation.context > 0) {
            let percent = conversation.context.saturating_mul(100) / window;
            let tone = if percent >= 80 { Tone::Ask } else { Tone::Plain };
            say(3, tone, format!("context {percent} %"));
        }
    }
    if app.unsaid() > 0 {
        say(1, Tone::Ask, format!("{} not said yet", app.unsaid()));
    }
    if let Some(status) = &app.status {
        if status.stopped {
            say(1, Tone::Bad, "stopped".to_owned());
        }
        if !status.degraded.is_empty() {
            say(6, Tone::Ask, format!("{} degraded (/status)", status.degraded.len()));
        }
    }
    if let (Some(welcome), Connected::Yes) = (&app.welcome, &app.connected) {
        say(7, Tone::Dim, format!("host {}", excerpt(&welcome.server, NAME)));
        say(9, Tone::Dim, excerpt(welcome.user.as_str(), NAME));
    }
    say(10, Tone::Dim, "F1 help".to_owned());
    said
}
