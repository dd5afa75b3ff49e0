//! A session as its entries tell it: what was said, which calls ran, what is asked. It is made of
//! entries alone, in their order, each once; nothing here is drawn or sent.

mod call;

pub(crate) use call::{Call, CallState, Question};

use hydroid_core::entry::{Entry, Outcome};
use hydroid_core::id::{CallId, SessionId, TurnId};
use hydroid_core::message::{Content, Part, Source, StopReason, Usage};
use hydroid_core::money::Money;
use hydroid_core::protocol::{Activity, SessionInfo, SessionMessage, SessionSettings};
use hydroid_core::reliability::ModelNews;

/// Bytes of one text that are kept to be shown; the journal has the rest. Some 4,000 lines.
pub(crate) const MOST_TEXT: usize = 256 << 10;

/// One thing that is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    /// The turn it belongs to.
    pub(crate) turn: TurnId,
    /// What it is.
    pub(crate) kind: Kind,
    /// Grows with each change, so that what was drawn of it can be kept.
    pub(crate) version: u64,
}

/// What is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// The person said something.
    Person {
        /// The text.
        text: Clipped,
        /// Names of what was said together with it.
        attached: Vec<String>,
        /// It was said into a running turn.
        steered: bool,
    },
    /// The model said something.
    Said(Clipped),
    /// The model thought something.
    Thought(Clipped),
    /// The model cited something.
    Cited {
        /// Where it is.
        uri: String,
        /// Its title.
        title: Option<String>,
    },
    /// A tool call.
    Call(Box<Call>),
    /// The host says something.
    Notice {
        /// The text.
        text: String,
        /// Something went wrong.
        bad: bool,
    },
}

/// A text of which only so much is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clipped {
    /// What is kept.
    pub(crate) text: String,
    /// Bytes that are not.
    pub(crate) left_out: usize,
}

/// A session that is followed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conversation {
    /// What the host says of it.
    pub(crate) info: SessionInfo,
    /// What is shown, oldest first.
    pub(crate) items: Vec<Item>,
    /// The last number that was taken.
    pub(crate) last_seq: u64,
    /// Questions that are open, oldest first.
    pub(crate) questions: Vec<Question>,
    /// The turn that runs.
    pub(crate) turn: Option<TurnId>,
    /// When it began, by our clock; none if it began before we looked.
    pub(crate) working_since: Option<u64>,
    /// How far something has come that an answer waits for.
    pub(crate) awaited: Option<(Option<f32>, String)>,
    /// Turns that the conversation has, with what the person said.
    pub(crate) turns: Vec<(TurnId, String)>,
    /// Tokens of all turns.
    pub(crate) usage: Usage,
    /// Money of all turns.
    pub(crate) dollars: Money,
    /// Tokens that the last request took in.
    pub(crate) context: u64,
    /// The model that answered last.
    pub(crate) model: Option<String>,
    /// Something happened since the person looked.
    pub(crate) unseen: bool,
    versions: u64,
    /// A piece of text goes on with what came before only in the same step.
    new_step: bool,
}

impl Clipped {
    pub(crate) fn new(text: &str) -> Self {
        let mut clipped = Self::default();
        clipped.push(text);
        clipped
    }

    /// More of it.
    pub(crate) fn push(&mut self, more: &str) {
        let room = MOST_TEXT.saturating_sub(self.text.len());
        if self.left_out > 0 || more.len() > room {
            let end = if self.left_out > 0 { 0 } else { more.floor_char_boundary(room) };
            self.text.push_str(&more[..end]);
            self.left_out += more.len() - end;
        } else {
            self.text.push_str(more);
        }
    }
}

impl Conversation {
    /// A session of which nothing was read yet.
    pub(crate) fn new(info: SessionInfo) -> Self {
        Self {
            info,
            items: Vec::new(),
            last_seq: 0,
            questions: Vec::new(),
            turn: None,
            working_since: None,
            awaited: None,
            turns: Vec::new(),
            usage: Usage::default(),
            dollars: Money::ZERO,
            context: 0,
            model: None,
            unseen: false,
            versions: 0,
            new_step: true,
        }
    }

    /// Its identifier.
    pub(crate) fn id(&self) -> &SessionId {
        &self.info.session
    }

    /// True while a turn runs, waits to begin, or waits for an answer.
    pub(crate) fn is_busy(&self) -> bool {
        match self.info.activity {
            Activity::Working | Activity::Asking | Activity::Waiting => true,
            Activity::Asleep | Activity::Idle => self.turn.is_some(),
        }
    }

    /// What it has of its own.
    pub(crate) fn settings(&self) -> &SessionSettings {
        &self.info.settings
    }

    /// What the session tells. An entry that was taken before is left alone.
    pub(crate) fn take(&mut self, message: SessionMessage, now: u64) {
        match message {
            SessionMessage::Entry { seq, at_ms, entry, .. } => {
                if seq > self.last_seq {
                    self.last_seq = seq;
                    self.unseen = true;
                    self.entry(entry, at_ms, now);
                }
            }
            SessionMessage::Progress { call_id, fraction, note, .. } => match call_id {
                Some(id) => self.change(&id, |call| call.progress = Some((fraction, note))),
                None => self.awaited = Some((fraction, note)),
            },
            SessionMessage::State { activity, turn, queued, .. } => {
                self.info.activity = activity;
                self.info.queued = queued;
                match activity {
                    Activity::Idle | Activity::Asleep => {
                        self.turn = None;
                        self.working_since = None;
                    }
                    Activity::Working | Activity::Asking | Activity::Waiting => {
                        self.turn = turn.or(self.turn.take());
                        self.working_since = self.working_since.or(Some(now));
                    }
                }
            }
        }
    }

    fn entry(&mut self, entry: Entry, at_ms: u64, now: u64) {
        self.awaited = None;
        match entry {
            Entry::TurnStarted { turn, parts, .. } => {
                self.turn = Some(turn.clone());
                self.working_since = Some(now);
                self.new_step = true;
                let text = said(&parts);
                self.turns.push((turn.clone(), text.text.clone()));
                self.push(turn, Kind::Person { text, attached: attached(&parts), steered: false });
            }
            Entry::Steered { turn, parts, .. } => {
                let kind =
                    Kind::Person { text: said(&parts), attached: attached(&parts), steered: true };
                self.push(turn, kind);
            }
            Entry::Rewound { to } => self.rewind(to),
            Entry::SettingsChanged { settings } => self.info.settings = settings,
            Entry::StepStarted { model, .. } => {
                self.model = Some(model);
                self.new_step = true;
            }
            Entry::Text { turn, text } => self.append(turn, &text, true),
            Entry::Thinking { turn, text, .. } => self.append(turn, &text, false),
            Entry::Cited { turn, uri, title } => self.push(turn, Kind::Cited { uri, title }),
            Entry::CallReceived { turn, call, .. } => {
                if self.call(&call.id).is_none() {
                    self.push(turn, Kind::Call(Box::new(Call::new(call))));
                }
            }
            Entry::ApprovalAsked {
                turn,
                call_id,
                call,
                component,
                impact,
                reason,
                scope,
                preview,
            } => {
                if self.call(&call_id).is_none() {
                    self.push(turn, Kind::Call(Box::new(Call::new(call.clone()))));
                }
                self.change(&call_id, |call| call.state = CallState::Asked);
                self.questions.retain(|question| question.call_id != call_id);
                self.questions.push(Question {
                    call_id,
                    call,
                    component,
                    impact,
                    reason,
                    scope,
                    preview,
                });
            }
            Entry::CallEdited { call_id, arguments, .. } => {
                self.change(&call_id, |call| {
                    call.arguments = arguments;
                    call.edited = true;
                });
            }
            Entry::CallDecided { call_id, decision, by, .. } => {
                self.answered(&call_id);
                self.change(&call_id, |call| call.decided(&decision, by));
            }
            Entry::CallStarted { call_id, call: runs, .. } => {
                self.answered(&call_id);
                self.change(&call_id, |call| {
                    call.arguments = runs.arguments;
                    call.state = CallState::Running { since: now, started_ms: at_ms };
                });
            }
            Entry::CallFinished { call_id, output, .. } => {
                self.answered(&call_id);
                self.change(&call_id, |call| call.finished(&output, at_ms));
            }
            Entry::StepEnded { turn, stop, usage, dollars } => {
                self.context = usage.input.saturating_add(usage.output);
                self.usage += usage;
                self.dollars = self.dollars.plus(dollars.unwrap_or_default());
                self.new_step = true;
                match stop {
                    StopReason::MaxTokens => {
                        self.notice(turn, "the answer was cut: it reached the limit of its length");
                    }
                    StopReason::Refusal => self.notice(turn, "the model declined to answer"),
                    StopReason::EndTurn
                    | StopReason::ToolUse
                    | StopReason::StopSequence
                    | StopReason::Error
                    | StopReason::Other => {}
                }
            }
            Entry::ChildAnswered { usage, dollars, .. } => {
                self.usage += usage;
                self.dollars = self.dollars.plus(dollars.unwrap_or_default());
            }
            Entry::SkillLoaded { turn, skill, .. } => {
                self.notice_of(turn, &format!("the skill {} is loaded", skill.name));
            }
            Entry::SkillUnloaded { turn, name, .. } => {
                self.notice_of(turn, &format!("the skill {name} is unloaded"));
            }
            Entry::Notice { turn, text } => self.notice(turn, &text),
            Entry::Compacted { covers, .. } => {
                self.notice_of(None, &format!("the first {covers} turns were summed up"));
            }
            Entry::ModelNews { turn, news } => {
                if let Some(by) = news.answers() {
                    self.model = Some(by.model.clone());
                }
                self.notice(turn, &told(&news));
            }
            Entry::TurnEnded { turn, outcome, .. } => self.turn_ended(turn, outcome),
        }
    }

    fn turn_ended(&mut self, turn: TurnId, outcome: Outcome) {
        self.turn = None;
        self.working_since = None;
        self.new_step = true;
        self.questions.clear();
        self.info.turns = u32::try_from(self.turns.len()).unwrap_or(u32::MAX);
        if self.info.activity == Activity::Working || self.info.activity == Activity::Asking {
            self.info.activity = Activity::Idle;
        }
        self.versions += 1;
        let version = self.versions;
        for item in &mut self.items {
            if let Kind::Call(call) = &mut item.kind
                && call.never_ended()
            {
                item.version = version;
            }
        }
        let (text, bad) = match outcome {
            Outcome::Completed => return,
            Outcome::Cancelled => ("cancelled".to_owned(), false),
            Outcome::Stopped => ("everything was stopped by `hydroid stop --all`".to_owned(), true),
            Outcome::BudgetReached { reason } | Outcome::Failed { reason } => (reason, true),
            Outcome::Repeating { reason } => (format!("it repeats itself: {reason}"), true),
            Outcome::Interrupted => ("the host ended in the middle of this".to_owned(), true),
        };
        self.push(turn, Kind::Notice { text, bad });
    }

    fn rewind(&mut self, to: Option<TurnId>) {
        let from = match &to {
            None => Some(0),
            Some(turn) => self.turns.iter().position(|(known, _)| known == turn),
        };
        let Some(from) = from else { return };
        let first = self.turns.get(from).map(|(turn, _)| turn.clone());
        let keep = first
            .and_then(|first| self.items.iter().position(|item| item.turn == first))
            .unwrap_or(if from == 0 { 0 } else { self.items.len() });
        self.items.truncate(keep);
        self.turns.truncate(from);
        self.context = 0;
        // What was drawn of later items is not what stands there next.
        self.versions += 1;
    }

    fn push(&mut self, turn: TurnId, kind: Kind) {
        self.versions += 1;
        self.items.push(Item { turn, kind, version: self.versions });
    }

    /// The same of what belongs to no turn, or to this one.
    fn notice_of(&mut self, turn: Option<TurnId>, text: &str) {
        let turn = turn.or_else(|| self.turn.clone()).unwrap_or_else(|| TurnId::new(""));
        self.notice(turn, text);
    }

    fn notice(&mut self, turn: TurnId, text: &str) {
        self.push(turn, Kind::Notice { text: text.to_owned(), bad: false });
    }

    fn append(&mut self, turn: TurnId, more: &str, said: bool) {
        self.versions += 1;
        let version = self.versions;
        let fresh = std::mem::take(&mut self.new_step);
        if let Some(item) = self.items.last_mut().filter(|item| !fresh && item.turn == turn) {
            match &mut item.kind {
                Kind::Said(text) if said => {
                    text.push(more);
                    item.version = version;
                    return;
                }
                Kind::Thought(text) if !said => {
                    text.push(more);
                    item.version = version;
                    return;
                }
                Kind::Said(_)
                | Kind::Thought(_)
                | Kind::Person { .. }
                | Kind::Cited { .. }
                | Kind::Call(_)
                | Kind::Notice { .. } => {}
            }
        }
        if !more.is_empty() {
            let text = Clipped::new(more);
            self.push(turn, if said { Kind::Said(text) } else { Kind::Thought(text) });
        }
    }

    fn answered(&mut self, call: &CallId) {
        self.questions.retain(|question| question.call_id != *call);
    }

    fn call(&self, id: &CallId) -> Option<&Call> {
        self.items.iter().rev().find_map(|item| match &item.kind {
            Kind::Call(call) if call.id == *id => Some(call.as_ref()),
            Kind::Call(_)
            | Kind::Person { .. }
            | Kind::Said(_)
            | Kind::Thought(_)
            | Kind::Cited { .. }
            | Kind::Notice { .. } => None,
        })
    }

    fn change(&mut self, id: &CallId, change: impl FnOnce(&mut Call)) {
        self.versions += 1;
        let version = self.versions;
        for item in self.items.iter_mut().rev() {
            if let Kind::Call(call) = &mut item.kind
                && call.id == *id
            {
                item.version = version;
                change(call);
                return;
            }
        }
    }
}

/// The words of a message.
fn said(parts: &[Part]) -> Clipped {
    let mut text = Clipped::default();
    for part in parts.iter().filter(|part| !is_recalled(part)) {
        if let Content::Text { text: words } = &part.content {
            if !text.text.is_empty() {
                text.push("\n");
            }
            text.push(words);
        }
    }
    text
}

/// True if the host put it beside what the person said: what memory found that fits to it.
fn is_recalled(part: &Part) -> bool {
    matches!(part.label.source, Source::Tool { .. })
}

/// Names of what was said together with a message.
fn attached(parts: &[Part]) -> Vec<String> {
    parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::Media { media_type, name, .. } => {
                Some(name.clone().unwrap_or_else(|| media_type.clone()))
            }
            Content::Text { .. } => is_recalled(part).then(|| "what memory found".to_owned()),
            Content::Thinking { .. }
            | Content::ToolCall { .. }
            | Content::ToolResult { .. }
            | Content::Json { .. }
            | Content::Link { .. }
            | Content::Other { .. } => None,
        })
        .collect()
}

fn told(news: &ModelNews) -> String {
    match news {
        ModelNews::Retrying { of, kind, why, wait_ms, attempt, attempts, .. } => format!(
            "{} failed ({kind}): {why}; request {attempt} of {attempts} in {:.1} s",
            of.model,
            seconds(*wait_ms)
        ),
        ModelNews::FellBack { from, to, kind, why } => {
            format!("{} failed ({kind}): {why}; {} answers", from.model, to.model)
        }
        ModelNews::Routed { to, task } => format!("{} answers, because of {task}", to.model),
        ModelNews::Kept { by, .. } => {
            format!("{} gave this answer before, to the same request", by.model)
        }
        ModelNews::LeftAlone { of, failures, for_ms } => format!(
            "{} failed {failures} times in a row and is left alone for {:.0} s",
            of.model,
            seconds(*for_ms)
        ),
    }
}

/// Milliseconds as seconds to be shown.
#[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
pub(crate) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

#[cfg(test)]
mod tests;
