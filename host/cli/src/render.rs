//! A session as it is shown while it runs: the answer streams to standard output, everything
//! else goes to standard error. It decides nothing; approvals are handed on to whoever asks.

use crate::terminal::{self, Style, Terminal};
use hydroid_core::entry::DecidedBy;
use hydroid_core::entry::{Entry, Outcome};
use hydroid_core::harmless::{exact, excerpt, harmless};
use hydroid_core::id::{CallId, ComponentId};
use hydroid_core::message::{Content, StopReason, Usage};
use hydroid_core::money::Money;
use hydroid_core::policy::Decision;
use hydroid_core::ports::{Sink, Spent};
use hydroid_core::protocol::SessionMessage;
use hydroid_core::tool::{Impact, Preview, ToolCall, ToolOutput};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc;

/// Characters of a result that are shown while a turn runs.
const RESULT: usize = 160;

/// Characters of an error that are shown: what to do next stands at its end.
const ERROR: usize = 1_000;

/// Characters of arguments that are shown where nothing is to be decided.
const ARGUMENTS: usize = 200;

/// Approvals that may wait; the next one waits for room.
pub(crate) const WAITING_APPROVALS: usize = 64;

/// How a session is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For people.
    Text,
    /// For people who want the answer only.
    Quiet,
    /// One message a line, for programs.
    Json,
}

/// A call somebody has to decide on.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Which call.
    pub(crate) call_id: CallId,
    /// What will run, exactly.
    pub(crate) call: ToolCall,
    /// Who would run it.
    pub(crate) component: ComponentId,
    /// What it can do.
    pub(crate) impact: Impact,
    /// Why it is asked.
    pub(crate) reason: String,
    /// The pattern that an answer for longer is about.
    pub(crate) scope: String,
    /// What it would do, as far as the host found out.
    pub(crate) preview: Option<Preview>,
}

impl Asked {
    /// What an entry asks; none if it asks nothing.
    pub(crate) fn of(entry: &Entry) -> Option<Self> {
        let Entry::ApprovalAsked {
            call_id, call, component, impact, reason, scope, preview, ..
        } = entry
        else {
            return None;
        };
        Some(Self {
            call_id: call_id.clone(),
            call: call.clone(),
            component: component.clone(),
            impact: *impact,
            reason: reason.clone(),
            scope: scope.clone(),
            preview: preview.clone(),
        })
    }
}

/// Shows one session.
pub(crate) struct Renderer {
    mode: Mode,
    terminal: Terminal,
    asked: mpsc::Sender<Asked>,
    state: Mutex<State>,
}

/// What was shown so far.
#[derive(Default)]
struct State {
    /// Standard output is in the middle of a line.
    open_line: bool,
    /// Calls that run: when they began and what they are.
    running: BTreeMap<CallId, (Instant, String)>,
    names: BTreeMap<CallId, String>,
    /// Calls whose denial was shown, so that their result is not shown again.
    refused: Vec<CallId>,
    steps: u32,
    /// Requests of the turn of which nobody can tell what they cost.
    unpriced: u64,
    output_gone: bool,
    /// It could not be written, and not because nobody reads it any more.
    output_lost: bool,
}

impl Renderer {
    /// A renderer and the approvals it comes across.
    pub(crate) fn new(mode: Mode, terminal: Terminal) -> (Self, mpsc::Receiver<Asked>) {
        let (asked, approvals) = mpsc::channel(WAITING_APPROVALS);
        (Self { mode, terminal, asked, state: Mutex::default() }, approvals)
    }

    /// True if a part of the answer could not be written, as on a full disk.
    pub(crate) fn lost_output(&self) -> bool {
        self.state().output_lost
    }

    /// True while a call runs, as far as it was shown.
    pub(crate) fn shows_a_running_call(&self) -> bool {
        !self.state().running.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, entry: Entry) {
        let mut state = self.state();
        match entry {
            Entry::Text { text, .. } => state.stream(&harmless(&text)),
            Entry::Cited { uri, title, .. } => {
                let title = title.map(|title| format!("{} ", harmless(&title))).unwrap_or_default();
                self.line(&mut state, Style::Dim, &format!("  source: {title}{}", exact(&uri)));
            }
            Entry::CallReceived { call, .. } => {
                state.names.insert(call.id.clone(), call.name);
            }
            asked @ Entry::ApprovalAsked { .. } => {
                // In a session that was taken up again the call itself was shown by another process.
                if let Entry::ApprovalAsked { call_id, call, .. } = &asked {
                    state.names.insert(call_id.clone(), call.name.clone());
                }
                state.end_line();
                drop(state);
                self.hand_on(&asked);
            }
            Entry::CallEdited { call_id, arguments, .. } => {
                let name = state.name(&call_id);
                let arguments = excerpt(&exact(&arguments), ARGUMENTS);
                self.line(
                    &mut state,
                    Style::Dim,
                    &format!("✎ {} gets other arguments: {arguments}", exact(&name)),
                );
            }
            Entry::CallDecided { call_id, decision: Decision::Deny { reason }, by, .. } => {
                let name = state.name(&call_id);
                state.refused.push(call_id);
                match by {
                    DecidedBy::Policy => {
                        state.end_line();
                        terminal::say(&self.terminal.styled(
                            Style::Bad,
                            &format!("✗ {} denied: {}", exact(&name), harmless(&reason)),
                        ));
                    }
                    DecidedBy::User | DecidedBy::Session | DecidedBy::Standing => {
                        self.line(&mut state, Style::Bad, &format!("✗ {} denied", exact(&name)))
                    }
                }
            }
            Entry::CallStarted { call_id, component, call, .. } => {
                let line = format!(
                    "→ {} {}",
                    exact(&call.name),
                    excerpt(&exact(&call.arguments), ARGUMENTS)
                );
                self.line(&mut state, Style::Dim, &format!("{line}  ({component})"));
                state.names.insert(call_id.clone(), call.name.clone());
                state.running.insert(call_id, (Instant::now(), call.name));
            }
            Entry::CallFinished { call_id, output, .. } => {
                self.finished(&mut state, &call_id, &output)
            }
            Entry::StepStarted { .. } => state.steps += 1,
            Entry::StepEnded { stop, usage, dollars, .. } => {
                state.end_line();
                // One that was refused as a whole costs nothing, so only an answer counts.
                let answered =
                    usage.total() > 0 || !matches!(stop, StopReason::Error | StopReason::Other);
                state.unpriced += u64::from(dollars.is_none() && answered);
            }
            Entry::ChildAnswered { usage, dollars, .. } => {
                state.unpriced += u64::from(dollars.is_none() && usage.total() > 0);
            }
            Entry::SkillLoaded { skill, .. } => {
                let text = format!("note: the skill `{}` is loaded", exact(&skill.name));
                self.line(&mut state, Style::Dim, &text)
            }
            Entry::SkillUnloaded { name, .. } => {
                let text = format!("note: the skill `{}` is unloaded", exact(&name));
                self.line(&mut state, Style::Dim, &text)
            }
            Entry::Compacted { covers, by, .. } => {
                let by = by.map_or("the host".to_owned(), |by| by.to_string());
                let text = format!("note: the first {covers} turns were summed up by {by}");
                self.line(&mut state, Style::Dim, &harmless(&text))
            }
            Entry::Notice { text, .. } => {
                self.line(&mut state, Style::Dim, &format!("note: {}", harmless(&text)))
            }
            Entry::ModelNews { news, .. } => {
                self.line(&mut state, Style::Dim, &format!("note: {}", harmless(&news.to_string())))
            }
            Entry::TurnEnded { outcome, usage, dollars, .. } => {
                self.ended(&mut state, &outcome, usage, dollars)
            }
            Entry::TurnStarted { .. } => (state.steps, state.unpriced) = (0, 0),
            Entry::Thinking { .. }
            | Entry::CallDecided { .. }
            | Entry::Steered { .. }
            | Entry::Rewound { .. }
            | Entry::SettingsChanged { .. } => {}
        }
    }

    /// Hands a question on to whoever answers.
    fn hand_on(&self, entry: &Entry) {
        if let Some(asked) = Asked::of(entry) {
            // Without a reader the session is closing and nobody has to decide.
            drop(self.asked.blocking_send(asked));
        }
    }

    fn finished(&self, state: &mut State, call_id: &CallId, output: &ToolOutput) {
        let running = state.running.remove(call_id);
        if state.refused.contains(call_id) {
            return;
        }
        let (took, name) = match running {
            Some((began, name)) => (format!(" {}", took(began)), name),
            None => (String::new(), state.name(call_id)),
        };
        let text = text_of(&output.content);
        let (sign, style, length) =
            if output.is_error { ("✗", Style::Bad, ERROR) } else { ("✓", Style::Good, RESULT) };
        let line = format!("{} {}{took}", self.terminal.styled(style, sign), exact(&name));
        let result = self.terminal.styled(Style::Dim, &excerpt(&text, length));
        state.end_line();
        if self.mode == Mode::Text {
            terminal::say(&format!("{line}: {result}"));
        }
    }

    fn ended(&self, state: &mut State, outcome: &Outcome, usage: Usage, dollars: Option<Money>) {
        state.end_line();
        if let Some((style, text)) = ending(outcome) {
            terminal::say(&self.terminal.styled(style, &harmless(&text)));
        }
        let steps = match state.steps {
            1 => "1 step".to_owned(),
            steps => format!("{steps} steps"),
        };
        let money = match (dollars, state.unpriced) {
            (None, 0) => String::new(),
            (None, _) => ", cost unknown".to_owned(),
            (Some(known), unknown) => {
                let requests = u64::from(state.steps);
                let spent = Spent { requests, usage, known, unknown };
                format!(", {}", spent.money())
            }
        };
        self.line(
            state,
            Style::Dim,
            &format!("{steps}, {} tokens in, {} out{money}", usage.input, usage.output),
        );
    }

    /// Something besides the answer, unless only the answer is wanted.
    fn line(&self, state: &mut State, style: Style, text: &str) {
        if self.mode == Mode::Text {
            state.end_line();
            terminal::say(&self.terminal.styled(style, text));
        }
    }
}

impl Sink for Renderer {
    fn emit(&self, message: SessionMessage) {
        if self.mode == Mode::Json {
            self.emit_json(message);
            return;
        }
        match message {
            SessionMessage::Entry { entry, .. } => self.show(entry),
            SessionMessage::Progress { call_id, fraction, note, .. } => {
                let mut state = self.state();
                let name = call_id.map(|call| format!("{} ", exact(&state.name(&call))));
                let percent = fraction
                    .map(|fraction| format!("{:.0} % ", fraction.clamp(0.0, 1.0) * 100.0))
                    .unwrap_or_default();
                let note = excerpt(&harmless(&note), RESULT);
                let line = format!("  {}{percent}{note}", name.unwrap_or_default());
                self.line(&mut state, Style::Dim, &line);
            }
            SessionMessage::State { .. } => {}
        }
    }
}

impl Renderer {
    fn emit_json(&self, message: SessionMessage) {
        let mut state = self.state();
        match serde_json::to_value(&message) {
            Ok(value) if !state.output_gone => {
                let written = terminal::print_json(&value);
                state.wrote(written);
            }
            Ok(_) => {}
            Err(error) => terminal::say(&format!("a message cannot be written as JSON: {error}")),
        }
        match message {
            SessionMessage::Entry { entry: entry @ Entry::ApprovalAsked { .. }, .. } => {
                drop(state);
                self.hand_on(&entry);
            }
            SessionMessage::Entry { .. }
            | SessionMessage::Progress { .. }
            | SessionMessage::State { .. } => {}
        }
    }
}

impl State {
    /// The tool of a call, or which call it is if it was received before anything was shown.
    fn name(&self, call: &CallId) -> String {
        self.names.get(call).cloned().unwrap_or_else(|| format!("call {call}"))
    }

    fn wrote(&mut self, written: std::io::Result<()>) {
        if let Err(error) = written {
            self.output_gone = true;
            self.output_lost = error.kind() != std::io::ErrorKind::BrokenPipe;
        }
    }

    fn stream(&mut self, text: &str) {
        if let (Some(last), false) = (text.chars().last(), self.output_gone) {
            let written = terminal::print(text);
            self.wrote(written);
            self.open_line = last != '\n';
        }
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.open_line) && !self.output_gone {
            let written = terminal::print("\n");
            self.wrote(written);
        }
    }
}

/// What is said about a turn that did not complete.
pub(crate) fn ending(outcome: &Outcome) -> Option<(Style, String)> {
    match outcome {
        Outcome::Completed => None,
        Outcome::Cancelled => Some((Style::Ask, "the turn was cancelled".into())),
        Outcome::Stopped => Some((
            Style::Bad,
            "everything was stopped by `hydroid stop --all`; `hydroid stop --release` lets it go on"
                .into(),
        )),
        Outcome::BudgetReached { reason } => {
            Some((Style::Ask, format!("the turn was ended: {reason}")))
        }
        Outcome::Repeating { reason } => {
            Some((Style::Ask, format!("the turn was ended, the model repeats itself: {reason}")))
        }
        Outcome::Failed { reason } => Some((Style::Bad, format!("the turn failed: {reason}"))),
        Outcome::Interrupted => {
            Some((Style::Ask, "the turn was interrupted: the process ended in the middle".into()))
        }
    }
}

/// What of a result can be read, parts on lines of their own.
pub(crate) fn text_of(content: &[Content]) -> String {
    let shown: Vec<String> = content.iter().filter_map(part).collect();
    shown.join("\n")
}

fn part(content: &Content) -> Option<String> {
    match content {
        Content::Text { text } => Some(text.clone()),
        Content::Json { json } => Some(json.to_string()),
        Content::Media { media_type, data, .. } => {
            Some(format!("[{media_type}, {} bytes]", data.0.len()))
        }
        Content::Link { uri, .. } => Some(uri.clone()),
        Content::Other { kind, .. } => Some(format!("[{kind}]")),
        Content::Thinking { .. } | Content::ToolCall { .. } | Content::ToolResult { .. } => None,
    }
}

fn took(began: Instant) -> String {
    let milliseconds = began.elapsed().as_millis();
    if milliseconds < 1_000 {
        format!("{milliseconds} ms")
    } else {
        format!("{:.1} s", began.elapsed().as_secs_f64())
    }
}
