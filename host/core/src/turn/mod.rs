//! The turn: from a person's message to the agent's final reply, as a state machine without IO.
//!
//! [`Turn::handle`] takes an [`Event`] and returns the [`Effect`]s to carry out. All state changes
//! happen here, so every race (a cancel during an answer, an approval after a cancel, a result
//! after a deadline) is a unit test. Three times something may be refused, by three types: a
//! policy denial, a typed error of the component, a limit; the model reads each of them as a
//! result and none ends the session.

mod call;
mod effect;
mod event;
mod received;
mod repeated;
mod restore;
#[cfg(test)]
mod tests;

pub use call::SIDE_BY_SIDE;
pub use effect::Effect;
pub use event::{ChildStep, Event};
pub use received::ReceivedCalls;
pub(crate) use received::{CUT_OFF, CUT_OFF_AT_LIMIT, UNREADABLE};
pub use repeated::{Repeated, Repetition};
pub use restore::{OpenQuestion, open_questions};

use crate::arguments;
use crate::entry::{DecidedBy, Entry, Outcome};
use crate::id::{CallId, ComponentId, TurnId};
use crate::injection;
use crate::message::{Bytes, Label, StopReason, Trust, Usage};
use crate::money::Money;
use crate::policy::{self, CallPattern, Decision, Policy, PolicyRule, Rule, RuleOrigin, Ruling};
use crate::ports::{ModelError, ModelEvent};
use crate::protocol::ApprovalAnswer;
use crate::taint::{Narrowing, Taint};
use crate::tool::{CheckedCall, Hooked, Impact, Preview, ToolCall, ToolOutput};
use call::{Call, Running, State};
use std::collections::BTreeSet;

/// Calls of one answer that are looked at. Nobody can follow more at once, and each is checked
/// before anything else happens; a model that has more to do asks in the next step.
const CALLS_AT_ONCE: usize = 128;
/// What the model reads for each call beyond [`CALLS_AT_ONCE`].
const TOO_MANY_CALLS: &str = "at most 128 calls at once; ask for the rest in the next step";
/// What the person reads when an answer ended with [`StopReason::Error`].
const SERVICE_FAILED: &str =
    "the service failed in the middle of the answer; say `go on` to try again";

/// What a turn is bound to.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The provider component that answers.
    pub provider: ComponentId,
    /// The model.
    pub model: String,
    /// Model requests.
    pub max_steps: u32,
    /// Input and output tokens together.
    pub max_tokens: u64,
    /// Money.
    pub max_dollars: Option<Money>,
    /// A budget of money that is in force, by its key: then no request may follow one of which
    /// nobody can tell what it cost.
    pub money_budget: Option<&'static str>,
    /// Wall time in seconds, for the message; the caller keeps the clock.
    pub max_seconds: u64,
    /// How often the same calls in a row are run before the model is told.
    pub max_repeats: u32,
    /// Characters of a tool's text that the model is shown.
    pub max_tool_output_chars: usize,
}

/// One turn.
#[derive(Debug)]
pub struct Turn {
    id: TurnId,
    settings: Settings,
    policy: Policy,
    /// What the session has read so far.
    taint: Taint,
    /// Calls that a person approves one by one, because something secret was read.
    each_time: BTreeSet<CallId>,
    /// Identifiers in use in the session; a provider that repeats one gets a fresh one.
    used_ids: BTreeSet<CallId>,
    phase: Phase,
    step: u32,
    usage: Usage,
    /// What is known of what it cost.
    dollars: Option<Money>,
    /// A request was answered and nobody can tell what it cost.
    uncounted: bool,
    repeated: Repeated,
    /// Something was said that the model has not read yet.
    steered: bool,
}

#[derive(Debug)]
enum Phase {
    New,
    Answering(Answer),
    Calling(Vec<Call>),
    Ended,
}

/// An answer as far as it has come.
#[derive(Debug, Default)]
struct Answer {
    calls: ReceivedCalls,
    usage: Usage,
    /// What it has cost so far, if that was reckoned: none inside when nobody can tell.
    charged: Option<Option<Money>>,
    stop: Option<StopReason>,
    said_something: bool,
}

impl Turn {
    /// A turn that has not begun. `used_ids` are the call identifiers of the session so far,
    /// `taint` is what it has read.
    pub fn new(
        id: TurnId,
        settings: Settings,
        policy: Policy,
        used_ids: BTreeSet<CallId>,
        taint: Taint,
    ) -> Self {
        Self {
            id,
            settings,
            policy,
            taint,
            each_time: BTreeSet::new(),
            used_ids,
            phase: Phase::New,
            step: 0,
            usage: Usage::default(),
            dollars: None,
            uncounted: false,
            repeated: Repeated::default(),
            steered: false,
        }
    }

    /// Its identifier.
    pub fn id(&self) -> &TurnId {
        &self.id
    }

    /// What the person allowed for the session, to be carried into the next turn.
    pub fn session_approvals(&self) -> impl Iterator<Item = &PolicyRule> {
        self.policy
            .rules
            .iter()
            .filter(|rule| matches!(rule.origin, RuleOrigin::Session | RuleOrigin::Command))
    }

    /// Whether the person may answer so; the error is a sentence for them.
    pub fn check_answer(&self, id: &CallId, answer: &ApprovalAnswer) -> Result<(), String> {
        let Some(checked) = self.asked(id) else {
            return Err(format!("nothing is asked about the call `{id}`"));
        };
        match answer {
            ApprovalAnswer::Once | ApprovalAnswer::Deny { .. } => Ok(()),
            ApprovalAnswer::Session { .. } | ApprovalAnswer::Always { .. }
                if self.is_each_time(id, checked) =>
            {
                Err("such a call is approved each time: answer `once` or `deny`".into())
            }
            ApprovalAnswer::Session { calls } | ApprovalAnswer::Always { calls, .. } => {
                allowing(checked, calls.as_deref()).map(drop)
            }
            ApprovalAnswer::Edit { arguments } => arguments::normalise(arguments).map(drop),
        }
    }

    fn asked(&self, id: &CallId) -> Option<&CheckedCall> {
        let Phase::Calling(calls) = &self.phase else { return None };
        calls.iter().find_map(|call| match &call.state {
            State::Asking(checked) if call.id() == id => Some(checked),
            _ => None,
        })
    }

    /// True while the person is being asked about this call.
    pub fn asks_about(&self, id: &CallId) -> bool {
        match &self.phase {
            Phase::Calling(calls) => {
                calls.iter().any(|call| call.id() == id && matches!(call.state, State::Asking(_)))
            }
            Phase::New | Phase::Answering(_) | Phase::Ended => false,
        }
    }

    /// True while the person is being asked and nothing else runs, so that the caller can stop
    /// the wall clock of the turn. A call that waits for what it asked for does not run.
    pub fn waits_for_a_person(&self) -> bool {
        match &self.phase {
            Phase::Calling(calls) => {
                let waits_for_another = |call: &Call| {
                    let of_this = |other: &&Call| other.parent.as_ref() == Some(call.id());
                    calls.iter().filter(of_this).any(|other| !other.is_done())
                };
                calls.iter().any(|call| matches!(call.state, State::Asking(_)))
                    && calls.iter().all(|call| match call.state {
                        State::Asking(_) | State::Ready(_) | State::Done => true,
                        State::Running(_) => waits_for_another(call),
                        State::Checking | State::CheckingEdited(_) | State::Previewing(..) => false,
                    })
            }
            Phase::New | Phase::Answering(_) | Phase::Ended => false,
        }
    }

    /// True if a question is open that outlives the process: one of the model's calls. What a
    /// component asked for goes with the call that asked.
    pub fn can_be_left(&self) -> bool {
        match &self.phase {
            Phase::Calling(calls) => {
                calls.iter().all(|call| call.parent.is_none() || call.is_done())
            }
            Phase::New | Phase::Answering(_) | Phase::Ended => true,
        }
    }

    /// True while this call runs.
    pub fn runs(&self, id: &CallId) -> bool {
        let Phase::Calling(calls) = &self.phase else { return false };
        calls.iter().any(|call| call.id() == id && matches!(call.state, State::Running(_)))
    }

    /// A call that runs starts a child turn whose task this is the author of.
    pub fn child_began(&mut self, author: &Label) {
        self.taint.reads(author);
    }

    /// A fresh identifier for what a call asks for.
    pub fn nested_id(&mut self, parent: &CallId) -> CallId {
        let mut number = 1;
        loop {
            let id = CallId::new(format!("{parent}.{number}"));
            if self.used_ids.insert(id.clone()) {
                return id;
            }
            number += 1;
        }
    }

    /// Takes one event and returns what is to be done, in order.
    pub fn handle(&mut self, event: Event) -> Vec<Effect> {
        let effects = self.happened(event);
        for effect in &effects {
            if let Effect::Record(entry) = effect {
                self.taint.take(entry);
            }
        }
        effects
    }

    fn happened(&mut self, event: Event) -> Vec<Effect> {
        match (&mut self.phase, event) {
            (Phase::Ended, _) => Vec::new(),
            (Phase::New, Event::UserSaid(parts)) => {
                let mut effects = vec![Effect::Record(Entry::TurnStarted {
                    turn: self.id.clone(),
                    parts,
                    key: None,
                })];
                effects.extend(self.next_step());
                effects
            }
            (Phase::Answering(_) | Phase::Calling(_), Event::Steered(parts)) => {
                self.steered = true;
                vec![Effect::Record(Entry::Steered { turn: self.id.clone(), parts, key: None })]
            }
            (Phase::Answering(_) | Phase::Calling(_), Event::Noticed(text)) => {
                vec![Effect::Record(Entry::Notice { turn: self.id.clone(), text })]
            }
            (Phase::Answering(_), Event::Model(event)) => self.model_said(event),
            (Phase::Answering(_), Event::ModelEnded) => self.model_ended(),
            (Phase::Answering(answer), Event::ModelFailed(error)) => {
                let answer = std::mem::take(answer);
                let mut effects = self.step_ended(StopReason::Error, &answer);
                let reason = error.message;
                effects.extend(self.end(match error.kind.as_str() {
                    ModelError::BUDGET => Outcome::BudgetReached { reason },
                    _ => Outcome::Failed { reason },
                }));
                effects
            }
            (Phase::Calling(_), Event::CallChecked { id, result }) => {
                self.call_checked(&id, result)
            }
            (Phase::Calling(_), Event::CallNested { parent, call }) => {
                self.call_nested(parent, call)
            }
            (Phase::Calling(_), Event::ChildAnswered(step)) => self.child_answered(step),
            (Phase::Calling(_), Event::CallPreviewed { id, preview }) => {
                self.call_previewed(&id, preview)
            }
            (Phase::Calling(_), Event::Answered { id, answer }) => self.answered(&id, answer),
            (Phase::Calling(_), Event::CallFinished { id, output, label }) => {
                self.call_finished(&id, output, label)
            }
            (Phase::Answering(_) | Phase::Calling(_), Event::CancelRequested) => {
                self.stop(Outcome::Cancelled, "the person cancelled the turn")
            }
            (Phase::Answering(_) | Phase::Calling(_), Event::TimeElapsed) => {
                let reason = format!(
                    "the turn took {} seconds, its limit; say `go on` to continue, or raise `turn.max_seconds`",
                    self.settings.max_seconds
                );
                self.stop(Outcome::BudgetReached { reason }, "the turn's time was used up")
            }
            (Phase::Answering(_) | Phase::Calling(_), Event::EmergencyStop) => {
                self.stop(Outcome::Stopped, "everything was stopped")
            }
            // Late or early events: what they speak of is no longer, or not yet, there.
            (
                _,
                Event::UserSaid(_)
                | Event::Steered(_)
                | Event::Model(_)
                | Event::ModelEnded
                | Event::ModelFailed(_)
                | Event::CallChecked { .. }
                | Event::CallNested { .. }
                | Event::ChildAnswered(_)
                | Event::CallPreviewed { .. }
                | Event::EmergencyStop
                | Event::Answered { .. }
                | Event::CallFinished { .. }
                | Event::Noticed(_)
                | Event::CancelRequested
                | Event::TimeElapsed,
            ) => Vec::new(),
        }
    }

    fn next_step(&mut self) -> Vec<Effect> {
        if let Some(reason) = self.used_up() {
            return self.end(Outcome::BudgetReached { reason });
        }
        self.step += 1;
        self.steered = false;
        self.phase = Phase::Answering(Answer::default());
        vec![
            Effect::Record(Entry::StepStarted {
                turn: self.id.clone(),
                step: self.step,
                provider: self.settings.provider.clone(),
                model: self.settings.model.clone(),
            }),
            Effect::AskModel,
        ]
    }

    fn used_up(&self) -> Option<String> {
        let settings = &self.settings;
        if self.step >= settings.max_steps {
            return Some(format!(
                "the turn took {} model requests, its limit; say `go on` to continue, or raise `turn.max_steps`",
                self.step
            ));
        }
        self.spent_all()
    }

    /// Why no further request is paid for, of the turn itself or of a child turn; none if it is.
    pub fn spent_all(&self) -> Option<String> {
        let settings = &self.settings;
        if self.usage.total() >= settings.max_tokens {
            return Some(format!(
                "the turn used {} tokens of {}; say `go on` to continue, or raise `turn.max_tokens`",
                self.usage.total(),
                settings.max_tokens
            ));
        }
        if let (Some(key), true) = (settings.money_budget, self.uncounted) {
            return Some(format!(
                "the service did not say what a request used, so `{key}` cannot be kept; say `go on` to continue, or take the budget out"
            ));
        }
        match (settings.max_dollars, self.dollars) {
            (Some(limit), Some(spent)) if spent >= limit => Some(format!(
                "the turn cost {spent} of {limit}; say `go on` to continue, or raise `turn.max_dollars`"
            )),
            _ => None,
        }
    }

    fn model_said(&mut self, event: ModelEvent) -> Vec<Effect> {
        let Phase::Answering(answer) = &mut self.phase else { return Vec::new() };
        let turn = self.id.clone();
        let record = |entry| vec![Effect::Record(entry)];
        match event {
            ModelEvent::Text(text) if text.is_empty() => Vec::new(),
            ModelEvent::Text(text) => {
                answer.said_something = true;
                record(Entry::Text { turn, text })
            }
            ModelEvent::Thinking { text, opaque } => {
                record(Entry::Thinking { turn, text, opaque: opaque.map(Bytes) })
            }
            ModelEvent::Cited { uri, title } => record(Entry::Cited { turn, uri, title }),
            ModelEvent::CallStarted { .. }
            | ModelEvent::CallArguments { .. }
            | ModelEvent::CallEnded { .. } => {
                answer.calls.take(&event);
                Vec::new()
            }
            ModelEvent::Usage(usage) => {
                answer.usage = usage;
                Vec::new()
            }
            ModelEvent::Charged(money) => {
                answer.charged = Some(money);
                Vec::new()
            }
            ModelEvent::Finished(stop) => {
                answer.stop = Some(stop);
                Vec::new()
            }
            ModelEvent::Other { .. } => Vec::new(),
            ModelEvent::News(news) => record(Entry::ModelNews { turn, news }),
        }
    }

    fn model_ended(&mut self) -> Vec<Effect> {
        let Phase::Answering(answer) = &mut self.phase else { return Vec::new() };
        let mut answer = std::mem::take(answer);
        let stop = answer.stop.unwrap_or(StopReason::Other);
        let calls = std::mem::take(&mut answer.calls);
        let received = calls.whole(stop, &mut self.used_ids);
        let mut effects: Vec<Effect> = received
            .iter()
            .map(|(call, _)| {
                Effect::Record(Entry::CallReceived {
                    turn: self.id.clone(),
                    call: call.clone(),
                    parent: None,
                })
            })
            .collect();
        effects.extend(self.step_ended(stop, &answer));
        if received.is_empty() {
            let outcome = if stop == StopReason::Error {
                Outcome::Failed { reason: SERVICE_FAILED.to_owned() }
            } else if self.steered {
                effects.extend(self.next_step());
                return effects;
            } else {
                effects.extend(self.final_notice(stop, answer.said_something));
                Outcome::Completed
            };
            effects.extend(self.end(outcome));
            return effects;
        }
        effects.extend(self.start_calls(received));
        effects
    }

    fn step_ended(&mut self, stop: StopReason, answer: &Answer) -> Vec<Effect> {
        let (usage, dollars) = (answer.usage, answer.charged.flatten());
        self.spend(usage, answer.charged);
        vec![Effect::Record(Entry::StepEnded { turn: self.id.clone(), stop, usage, dollars })]
    }

    fn spend(&mut self, usage: Usage, charged: Option<Option<Money>>) {
        self.usage += usage;
        match charged {
            Some(Some(more)) => self.dollars = Some(self.dollars.unwrap_or_default().plus(more)),
            Some(None) => self.uncounted = true,
            // Nothing was sent, or nothing came of it.
            None => {}
        }
    }

    /// Counts what a child turn used. It is spent, whether or not the call still runs.
    fn child_answered(&mut self, child: ChildStep) -> Vec<Effect> {
        let ChildStep { call_id, step, by, stop, usage, charged } = child;
        self.spend(usage, charged);
        let (turn, dollars) = (self.id.clone(), charged.flatten());
        vec![Effect::Record(Entry::ChildAnswered { turn, call_id, step, by, stop, usage, dollars })]
    }

    fn final_notice(&self, stop: StopReason, said_something: bool) -> Option<Effect> {
        let text = match stop {
            StopReason::MaxTokens => {
                "the answer was cut off at the output limit; raise `model.max_output_tokens`, or say `go on`"
            }
            StopReason::Refusal => "the model declined to answer",
            _ if said_something => return None,
            StopReason::EndTurn
            | StopReason::ToolUse
            | StopReason::StopSequence
            | StopReason::Error
            | StopReason::Other => {
                "the model gave an empty answer; say it in other words, or try another model"
            }
        };
        Some(Effect::Record(Entry::Notice { turn: self.id.clone(), text: text.to_owned() }))
    }

    fn start_calls(&mut self, received: Vec<(ToolCall, Option<String>)>) -> Vec<Effect> {
        let asked = received.iter().map(|(call, _)| call);
        let told = match self.repeated.take(asked, self.settings.max_repeats) {
            Repetition::Few => None,
            Repetition::Told(told) => Some(told),
            Repetition::Over(times) => return self.stop_repeating(received, times),
        };
        let mut effects = Vec::new();
        let mut calls = Vec::new();
        for (position, (call, problem)) in received.into_iter().enumerate() {
            let too_many = (position >= CALLS_AT_ONCE).then(|| TOO_MANY_CALLS.to_owned());
            let problem = too_many.or(problem).or_else(|| told.clone());
            let state = match problem {
                Some(problem) => {
                    effects.push(self.finished(
                        &call.id,
                        ToolOutput::error(problem),
                        Label::host(),
                    ));
                    State::Done
                }
                None => {
                    effects.push(Effect::CheckCall(call.clone()));
                    State::Checking
                }
            };
            calls.push(Call { call, parent: None, state });
        }
        self.phase = Phase::Calling(calls);
        effects.extend(self.advance());
        effects
    }

    fn stop_repeating(
        &mut self,
        received: Vec<(ToolCall, Option<String>)>,
        times: u32,
    ) -> Vec<Effect> {
        let names: BTreeSet<&str> = received.iter().map(|(call, _)| call.name.as_str()).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        let reason = format!(
            "the model asked for the same calls ({names}) {times} times in a row; tell it what to do instead, or raise `turn.max_repeats`"
        );
        let text = "not run: the turn ended because the same calls were repeated";
        let mut effects: Vec<Effect> = received
            .iter()
            .map(|(call, _)| self.finished(&call.id, ToolOutput::error(text), Label::host()))
            .collect();
        effects.extend(self.end(Outcome::Repeating { reason }));
        effects
    }

    /// Takes a call that a running call asks for. It is decided on like one of the model.
    fn call_nested(&mut self, parent: CallId, call: ToolCall) -> Vec<Effect> {
        if !self.runs(&parent) {
            return Vec::new();
        }
        let Phase::Calling(calls) = &mut self.phase else { return Vec::new() };
        let received = Entry::CallReceived {
            turn: self.id.clone(),
            call: call.clone(),
            parent: Some(parent.clone()),
        };
        calls.push(Call { call: call.clone(), parent: Some(parent), state: State::Checking });
        vec![Effect::Record(received), Effect::CheckCall(call)]
    }

    fn call_checked(&mut self, id: &CallId, result: Result<CheckedCall, String>) -> Vec<Effect> {
        let Some(call) =
            self.call_in(id, |state| matches!(state, State::Checking | State::CheckingEdited(_)))
        else {
            return Vec::new();
        };
        let parent = call.parent.clone();
        let result = result.map(|checked| CheckedCall { parent, ..checked });
        let edited = match &call.state {
            State::CheckingEdited(asked) => Some(asked.clone()),
            _ => None,
        };
        let mut effects = Vec::new();
        match (result, edited) {
            (Err(problem), Some(asked)) => {
                let text = format!("the edited arguments cannot be used: {problem}");
                effects.push(Effect::Record(Entry::Notice { turn: self.id.clone(), text }));
                let reason = "the arguments are the model's again".to_owned();
                effects.push(self.ask(id, asked, reason));
            }
            (Err(problem), None) => {
                self.set_state(id, State::Done);
                effects.push(self.finished(id, ToolOutput::error(problem), Label::host()));
            }
            (Ok(checked), Some(_)) => effects.extend(self.edited_call_checked(id, checked)),
            (Ok(checked), None) => {
                let read = self.taint.narrows(&checked);
                let narrowing = match checked.hooked.as_deref() {
                    Some(Hooked::Ask(word)) => Some(Narrowing::by_hook(word, read)),
                    Some(Hooked::Person(who)) => Some(Narrowing::for_a_person(who)),
                    Some(Hooked::Reply(_)) | None => read,
                };
                let ruling = policy::decide(&self.policy, &checked, narrowing.as_ref());
                if ruling.decision == Decision::Allow {
                    self.taint.carry(&checked);
                }
                if narrowing.is_some_and(|narrowing| narrowing.each_time) {
                    self.each_time.insert(id.clone());
                }
                effects.extend(self.ruled(id, checked, ruling));
            }
        }
        effects.extend(self.advance());
        effects
    }

    fn ruled(&mut self, id: &CallId, checked: CheckedCall, ruling: Ruling) -> Vec<Effect> {
        let by = decided_by(ruling.origin.as_ref());
        let component = checked.component.clone();
        match ruling.decision {
            Decision::Allow => {
                self.set_state(id, State::Ready(checked));
                vec![self.decided(id, &component, Decision::Allow, by, ruling.rule)]
            }
            Decision::Ask { reason } => {
                self.set_state(id, State::Previewing(checked.clone(), reason));
                vec![Effect::PreviewCall(checked)]
            }
            Decision::Deny { reason } => {
                self.set_state(id, State::Done);
                let output = ToolOutput::error(format!("denied: {reason}"));
                let decision = Decision::Deny { reason };
                vec![
                    self.decided(id, &component, decision, by, ruling.rule),
                    self.finished(id, output, Label::host()),
                ]
            }
        }
    }

    /// The person wrote these arguments, so they are not asked about them; what is denied stays so.
    fn edited_call_checked(&mut self, id: &CallId, checked: CheckedCall) -> Vec<Effect> {
        let ruling = policy::decide(&self.policy, &checked, None);
        if let Decision::Deny { .. } = ruling.decision {
            return self.ruled(id, checked, ruling);
        }
        let component = checked.component.clone();
        self.set_state(id, State::Ready(checked));
        vec![self.decided(id, &component, Decision::Allow, DecidedBy::User, String::new())]
    }

    fn call_previewed(&mut self, id: &CallId, preview: Option<Preview>) -> Vec<Effect> {
        let Some(call) = self.call_in(id, |state| matches!(state, State::Previewing(..))) else {
            return Vec::new();
        };
        let State::Previewing(mut checked, reason) = call.state.clone() else {
            return Vec::new();
        };
        checked.preview = preview;
        let mut effects = vec![self.ask(id, checked, reason)];
        effects.extend(self.advance());
        effects
    }

    fn ask(&mut self, id: &CallId, checked: CheckedCall, reason: String) -> Effect {
        self.set_state(id, State::Asking(checked.clone()));
        let reason = match &checked.parent {
            Some(parent) => format!("{reason}; {} asks for it", self.named(parent)),
            None => reason,
        };
        let scope = if self.is_each_time(id, &checked) {
            String::new()
        } else {
            policy::scope_of(&checked)
        };
        Effect::Record(Entry::ApprovalAsked {
            turn: self.id.clone(),
            call_id: id.clone(),
            scope,
            call: checked.call,
            component: checked.component,
            impact: checked.impact,
            reason,
            preview: checked.preview,
        })
    }

    /// No answer for longer stands in for a person here.
    fn is_each_time(&self, id: &CallId, checked: &CheckedCall) -> bool {
        checked.impact == Impact::Vault
            || policy::changes_personal_file(checked).is_some()
            || self.each_time.contains(id)
    }

    fn answered(&mut self, id: &CallId, answer: ApprovalAnswer) -> Vec<Effect> {
        if self.check_answer(id, &answer).is_err() {
            return Vec::new();
        }
        let Some(checked) = self.asked(id).cloned() else { return Vec::new() };
        let component = checked.component.clone();
        let by_user = |turn: &Self, decision| {
            turn.decided(id, &component, decision, DecidedBy::User, String::new())
        };
        let mut effects = Vec::new();
        match answer {
            ApprovalAnswer::Once => {
                self.set_state(id, State::Ready(checked));
                effects.push(by_user(self, Decision::Allow));
            }
            ApprovalAnswer::Session { calls } => {
                effects.extend(self.allowed_for_longer(id, checked, calls.as_deref()));
            }
            ApprovalAnswer::Always { calls, days } => {
                let pattern = calls.unwrap_or_else(|| policy::scope_of(&checked));
                let component = checked.component.clone();
                effects.extend(self.allowed_for_longer(id, checked, Some(&pattern)));
                effects.push(Effect::Remember { calls: pattern, component, days });
            }
            ApprovalAnswer::Edit { arguments } => {
                let arguments = arguments::normalise(&arguments).unwrap_or(arguments);
                let call = ToolCall { arguments: arguments.clone(), ..checked.call.clone() };
                self.set_state(id, State::CheckingEdited(checked));
                effects.push(Effect::Record(Entry::CallEdited {
                    turn: self.id.clone(),
                    call_id: id.clone(),
                    arguments,
                }));
                effects.push(Effect::CheckCall(call));
            }
            ApprovalAnswer::Deny { reason } => {
                self.set_state(id, State::Done);
                let reason = match reason {
                    Some(reason) => format!("the person declined this call: {reason}"),
                    None => "the person declined this call; do not repeat it, ask what they would like instead".to_owned(),
                };
                effects.push(by_user(self, Decision::Deny { reason: reason.clone() }));
                effects.push(self.finished(id, ToolOutput::error(reason), Label::host()));
            }
        }
        effects.extend(self.advance());
        effects
    }

    /// The call runs, and with it those that wait for the same answer.
    fn allowed_for_longer(
        &mut self,
        id: &CallId,
        checked: CheckedCall,
        calls: Option<&str>,
    ) -> Vec<Effect> {
        let Ok(rule) = allowing(&checked, calls) else { return Vec::new() };
        let component = checked.component.clone();
        self.set_state(id, State::Ready(checked));
        let text = rule.to_string();
        let mut effects =
            vec![self.decided(id, &component, Decision::Allow, DecidedBy::User, text.clone())];
        self.policy.rules.push(rule.clone());
        let Phase::Calling(waiting) = &mut self.phase else { return effects };
        let mut allowed = Vec::new();
        for call in waiting.iter_mut() {
            if let State::Asking(checked) = &call.state
                && checked.impact != Impact::Vault
                && !self.each_time.contains(call.id())
                && rule.applies(checked)
            {
                let checked = checked.clone();
                allowed.push((call.id().clone(), checked.component.clone()));
                call.state = State::Ready(checked);
            }
        }
        effects.extend(allowed.iter().map(|(id, component)| {
            self.decided(id, component, Decision::Allow, DecidedBy::Session, text.clone())
        }));
        effects
    }

    /// What a call is of, for a sentence.
    fn named(&self, id: &CallId) -> String {
        let Phase::Calling(calls) = &self.phase else { return "another tool".to_owned() };
        match calls.iter().find(|call| call.id() == id) {
            Some(call) => format!("the tool `{}`", call.call.name),
            None => "another tool".to_owned(),
        }
    }

    fn call_finished(&mut self, id: &CallId, output: ToolOutput, label: Label) -> Vec<Effect> {
        let Some(call) = self.call_in(id, |state| matches!(state, State::Running(_))) else {
            return Vec::new();
        };
        call.state = State::Done;
        let mut effects = self.stop_nested_in(id);
        let output = output.truncated(self.settings.max_tool_output_chars);
        let warning = (label.trust == Trust::Untrusted
            && injection::reads_like_orders(&output.content))
        .then(|| self.warning(&label));
        effects.push(self.finished(id, output, label));
        effects.extend(warning);
        effects.extend(self.advance());
        effects
    }

    /// Ends what a call that has ended asked for and did not wait for.
    fn stop_nested_in(&mut self, parent: &CallId) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Phase::Calling(calls) = &mut self.phase else { return effects };
        let mut ended = vec![parent.clone()];
        let mut open = Vec::new();
        // A call stands behind the one that asked for it.
        for call in calls.iter_mut().filter(|call| !call.is_done()) {
            if call.parent.as_ref().is_some_and(|parent| ended.contains(parent)) {
                ended.push(call.id().clone());
                open.push((call.id().clone(), std::mem::replace(&mut call.state, State::Done)));
            }
        }
        for (id, state) in open.into_iter().rev() {
            effects.extend(self.stopped(&id, &state, "the call that asked for it ended"));
        }
        effects
    }

    /// What ends a call in this state.
    fn stopped(&self, id: &CallId, state: &State, why: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        let result = match state {
            State::Done => return effects,
            State::Running(running) => {
                effects.push(Effect::StopTool(id.clone()));
                match running.impact {
                    // What it called may have had one.
                    Impact::ReadOnly if running.calls_tools => format!(
                        "{why} while this call ran; what it called in turn may or may not have had an effect: look before trying again"
                    ),
                    Impact::ReadOnly => {
                        format!("{why} while this call ran, so it has no result")
                    }
                    Impact::Network | Impact::Edits | Impact::Changes | Impact::Vault => format!(
                        "{why} while this call ran; it may or may not have had an effect: look before trying again"
                    ),
                }
            }
            State::Previewing(..) => {
                effects.push(Effect::StopTool(id.clone()));
                format!("{why} before this call ran")
            }
            State::Checking | State::CheckingEdited(_) | State::Asking(_) | State::Ready(_) => {
                format!("{why} before this call ran")
            }
        };
        effects.push(self.finished(id, ToolOutput::error(result), Label::host()));
        effects
    }

    fn warning(&self, label: &Label) -> Effect {
        let text = format!(
            "{} reads like orders to the agent; the model was told that they are none, and what it does next is asked about where it could reach outside",
            crate::taint::in_words(&label.source)
        );
        Effect::Record(Entry::Notice { turn: self.id.clone(), text })
    }

    /// Starts what may start; goes on to the next step when every call has a result.
    fn advance(&mut self) -> Vec<Effect> {
        let Phase::Calling(calls) = &mut self.phase else { return Vec::new() };
        if calls.iter().all(Call::is_done) {
            return self.next_step();
        }
        let mut effects = Vec::new();
        for checked in call::startable(calls) {
            if let Some(call) = calls.iter_mut().find(|call| *call.id() == checked.call.id) {
                call.state = State::Running(Running::of(&checked));
            }
            effects.push(Effect::Record(Entry::CallStarted {
                turn: self.id.clone(),
                call_id: checked.call.id.clone(),
                component: checked.component.clone(),
                call: checked.call.clone(),
            }));
            effects.push(Effect::RunTool(checked));
        }
        effects
    }

    /// Ends the turn from outside: everything that runs is stopped and has a result.
    fn stop(&mut self, outcome: Outcome, why: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::New | Phase::Ended => {}
            Phase::Answering(answer) => {
                effects.push(Effect::StopModel);
                effects.extend(self.step_ended(StopReason::Other, &answer));
            }
            Phase::Calling(calls) => {
                for call in calls {
                    effects.extend(self.stopped(call.id(), &call.state, why));
                }
            }
        }
        effects.extend(self.end(outcome));
        effects
    }

    fn end(&mut self, outcome: Outcome) -> Vec<Effect> {
        self.phase = Phase::Ended;
        let ended = Entry::TurnEnded {
            turn: self.id.clone(),
            outcome,
            usage: self.usage,
            dollars: self.dollars,
        };
        vec![Effect::Record(ended), Effect::End]
    }

    fn call_in(&mut self, id: &CallId, state: impl Fn(&State) -> bool) -> Option<&mut Call> {
        let Phase::Calling(calls) = &mut self.phase else { return None };
        calls.iter_mut().find(|call| call.id() == id && state(&call.state))
    }

    fn set_state(&mut self, id: &CallId, state: State) {
        if let Some(call) = self.call_in(id, |_| true) {
            call.state = state;
        }
    }

    fn decided(
        &self,
        id: &CallId,
        component: &ComponentId,
        decision: Decision,
        by: DecidedBy,
        rule: String,
    ) -> Effect {
        Effect::Record(Entry::CallDecided {
            component: Some(component.clone()),
            turn: self.id.clone(),
            call_id: id.clone(),
            decision,
            by,
            rule,
        })
    }

    fn finished(&self, id: &CallId, output: ToolOutput, label: Label) -> Effect {
        Effect::Record(Entry::CallFinished {
            turn: self.id.clone(),
            call_id: id.clone(),
            output,
            label,
        })
    }
}

/// The rule that an answer for longer makes; the error is a sentence for the person.
fn allowing(checked: &CheckedCall, calls: Option<&str>) -> Result<PolicyRule, String> {
    let calls = match calls {
        Some(calls) => calls.to_owned(),
        // A person who lets files be edited means the tool; who lets something out means a place.
        None if checked.impact <= Impact::Edits && checked.impact != Impact::Network => {
            checked.call.name.clone()
        }
        None => policy::scope_of(checked),
    };
    let calls: CallPattern = calls.parse().map_err(|error| format!("{error}"))?;
    let rule = PolicyRule {
        effect: Rule::Allow,
        calls,
        component: Some(checked.component.clone()),
        host: None,
        origin: RuleOrigin::Session,
    };
    if rule.applies(checked) {
        Ok(rule)
    } else {
        Err(format!(
            "`{}` does not cover the call that is asked about; `{}` would",
            rule.calls,
            policy::scope_of(checked)
        ))
    }
}

fn decided_by(origin: Option<&RuleOrigin>) -> DecidedBy {
    match origin {
        None | Some(RuleOrigin::Config { .. } | RuleOrigin::Command) => DecidedBy::Policy,
        Some(RuleOrigin::Session) => DecidedBy::Session,
        Some(RuleOrigin::Standing { .. }) => DecidedBy::Standing,
    }
}
