//! The spans of a turn, made of what the journal accepted: one for the turn, one for each model
//! request, one for each call that ran. What components do below them is told where they run.

mod aside;
mod content;

pub(crate) use aside::AsideSpan;

use crate::settings::MAIN_AGENT;
use hydroid_core::entry::{Entry, Outcome};
use hydroid_core::hook::HookPoint;
use hydroid_core::id::{CallId, SessionId, TurnId, UserId};
use hydroid_core::message::{Content, Message, StopReason, Usage};
use hydroid_core::policy::Decision;
use hydroid_core::ports::Telemetry;
use hydroid_core::reliability::ModelNews;
use hydroid_core::telemetry::{OpenSpan, Parent, SpanKind, Trace, Value, names};
use hydroid_core::tool::ToolCall;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The spans of the turn that runs. Dropping it ends those that are open as cancelled.
pub(crate) struct TurnSpans {
    calls: BTreeMap<CallId, OpenSpan>,
    step: OpenSpan,
    turn: OpenSpan,
    /// What the step said so far; empty where nobody wants content.
    said: Vec<Content>,
}

impl TurnSpans {
    pub(crate) fn begin(
        telemetry: Option<&Arc<dyn Telemetry>>,
        parent: Option<Parent>,
        (user, session, turn): (&UserId, &SessionId, &TurnId),
    ) -> Self {
        let name = format_args!("invoke_agent {MAIN_AGENT}");
        let mut span = OpenSpan::root(telemetry, parent, name, SpanKind::Internal);
        span.set(names::OPERATION, "invoke_agent");
        span.set(names::AGENT, MAIN_AGENT);
        span.set(names::CONVERSATION, session.as_str());
        span.set(names::TURN, turn.as_str());
        span.set(names::USER, user.as_str());
        Self { turn: span, step: OpenSpan::default(), calls: BTreeMap::new(), said: Vec::new() }
    }

    /// It could not be begun.
    pub(crate) fn never_began(&mut self) {
        self.turn.fail("not_begun");
    }

    /// The place of what is done for the turn itself.
    pub(crate) fn of_turn(&self) -> Trace {
        self.turn.trace()
    }

    /// The place of what the model request does.
    pub(crate) fn of_step(&self) -> Trace {
        self.step.trace()
    }

    /// The place of what a call does.
    pub(crate) fn of_call(&self, id: &CallId) -> Trace {
        self.calls.get(id).map(OpenSpan::trace).unwrap_or_default()
    }

    /// What the model is about to be asked.
    pub(crate) fn asked(&mut self, messages: &[Message]) {
        if self.step.wants_content() {
            self.step.set(names::INPUT_MESSAGES, content::messages(messages));
        }
    }

    /// The model request failed with this kind of failure.
    pub(crate) fn model_failed(&mut self, kind: &str) {
        self.step.fail(kind);
    }

    /// Takes what is in the journal now.
    pub(crate) fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::TurnStarted { parts, .. } if self.turn.wants_content() => {
                let said = parts.iter().map(|part| &part.content);
                self.turn.set(names::INPUT_MESSAGES, content::message("user", said));
            }
            Entry::StepStarted { step, provider, model, .. } => {
                self.said.clear();
                let chat = format_args!("chat {model}");
                self.step = self.turn.trace().begin(chat, SpanKind::Client);
                self.step.set(names::OPERATION, "chat");
                self.step.set(names::PROVIDER, service(provider.as_str()));
                self.step.set(names::REQUEST_MODEL, model.as_str());
                self.step.set(names::STEP, *step);
            }
            Entry::Text { text, .. } if self.step.wants_content() => {
                if let Some(Content::Text { text: before }) = self.said.last_mut() {
                    before.push_str(text);
                } else {
                    self.said.push(Content::text(text.clone()));
                }
            }
            Entry::CallReceived { call, .. } if self.step.wants_content() => {
                self.said.push(Content::ToolCall { call: call.clone() });
            }
            Entry::StepEnded { stop, usage, dollars, .. } => {
                let reason = stop_word(*stop);
                if *stop == StopReason::Error {
                    self.step.fail(reason);
                }
                let reasons = Value::Texts(vec![reason.to_owned()]);
                self.step.set(names::FINISH_REASONS, reasons);
                set_usage(&mut self.step, usage);
                if let Some(dollars) = dollars {
                    self.step.set(names::DOLLARS, dollars.dollars());
                }
                if self.step.wants_content() {
                    let said = content::message("assistant", self.said.iter());
                    self.step.set(names::OUTPUT_MESSAGES, said);
                }
                std::mem::take(&mut self.step).end();
            }
            Entry::ModelNews { news, .. } => self.news(news),
            Entry::ApprovalAsked { call, .. } => {
                self.turn.tell("hydroid.approval.asked", about(call));
            }
            Entry::CallDecided { call_id, decision: Decision::Deny { .. }, .. } => {
                let call = vec![(names::CALL_ID, call_id.as_str().into())];
                self.turn.tell("hydroid.call.denied", call);
            }
            Entry::CallStarted { call, component, .. } => {
                let run = format_args!("execute_tool {}", call.name);
                let mut span = self.turn.trace().begin(run, SpanKind::Internal);
                span.set(names::OPERATION, "execute_tool");
                span.set(names::TOOL, call.name.as_str());
                span.set(names::TOOL_TYPE, "function");
                span.set(names::CALL_ID, call.id.as_str());
                span.set(names::COMPONENT, component.as_str());
                if span.wants_content() {
                    span.set(names::CALL_ARGUMENTS, content::shortened(&call.arguments));
                }
                self.calls.insert(call.id.clone(), span);
            }
            Entry::CallFinished { call_id, output, .. } => {
                let Some(mut span) = self.calls.remove(call_id) else { return };
                if span.wants_content() {
                    span.set(names::CALL_RESULT, content::plain(&output.content));
                }
                if output.is_error {
                    span.fail("tool_error");
                }
                span.end();
            }
            Entry::TurnEnded { outcome, usage, dollars, .. } => {
                self.ended(outcome, usage);
                if let Some(dollars) = dollars {
                    self.turn.set(names::DOLLARS, dollars.dollars());
                }
                self.calls.clear();
                drop(std::mem::take(&mut self.step));
                std::mem::take(&mut self.turn).end();
            }
            Entry::TurnStarted { .. }
            | Entry::Text { .. }
            | Entry::CallReceived { .. }
            | Entry::CallDecided { .. }
            | Entry::Steered { .. }
            | Entry::Rewound { .. }
            | Entry::SettingsChanged { .. }
            | Entry::Thinking { .. }
            | Entry::Cited { .. }
            | Entry::CallEdited { .. }
            | Entry::Notice { .. }
            | Entry::ChildAnswered { .. }
            | Entry::SkillLoaded { .. }
            | Entry::SkillUnloaded { .. }
            | Entry::Compacted { .. } => {}
        }
    }

    fn ended(&mut self, outcome: &Outcome, usage: &Usage) {
        let word = match outcome {
            Outcome::Completed => "completed",
            Outcome::Cancelled => "cancelled",
            Outcome::Stopped => "stopped",
            Outcome::BudgetReached { .. } => "budget_reached",
            Outcome::Repeating { .. } => "repeating",
            Outcome::Failed { .. } => "failed",
            Outcome::Interrupted => "interrupted",
        };
        self.turn.set(names::OUTCOME, word);
        set_usage(&mut self.turn, usage);
        if *outcome != Outcome::Completed {
            self.turn.fail(word);
        }
        if self.turn.wants_content() {
            let said = content::message("assistant", self.said.iter());
            self.turn.set(names::OUTPUT_MESSAGES, said);
        }
    }

    /// What became of a request is told without what the service said of it.
    fn news(&mut self, news: &ModelNews) {
        match news {
            ModelNews::Retrying { of, kind, wait_ms, attempt, .. } => {
                let attributes = vec![
                    (names::REQUEST_MODEL, of.model.as_str().into()),
                    (names::ERROR, kind.as_str().into()),
                    ("hydroid.retry.attempt", (*attempt).into()),
                    ("hydroid.retry.wait_ms", (*wait_ms).into()),
                ];
                self.step.tell("hydroid.model.retrying", attributes);
            }
            ModelNews::FellBack { from, to, kind, .. } => {
                let attributes = vec![
                    (names::REQUEST_MODEL, from.model.as_str().into()),
                    (names::RESPONSE_MODEL, to.model.as_str().into()),
                    (names::ERROR, kind.as_str().into()),
                ];
                self.step.tell("hydroid.model.fell_back", attributes);
            }
            ModelNews::Routed { to, .. } => {
                let attributes = vec![(names::RESPONSE_MODEL, to.model.as_str().into())];
                self.step.tell("hydroid.model.routed", attributes);
            }
            ModelNews::Kept { by, .. } => {
                let attributes = vec![(names::RESPONSE_MODEL, by.model.as_str().into())];
                self.step.tell("hydroid.model.kept", attributes);
            }
            ModelNews::LeftAlone { of, for_ms, .. } => {
                let attributes = vec![
                    (names::REQUEST_MODEL, of.model.as_str().into()),
                    ("hydroid.left_alone_ms", (*for_ms).into()),
                ];
                self.step.tell("hydroid.model.left_alone", attributes);
            }
        }
        if let Some(model) = news.answers() {
            self.step.set(names::RESPONSE_MODEL, model.model.as_str());
        }
    }
}

/// What hooks are told of that belongs to no turn.
pub(crate) fn of_point(
    telemetry: Option<&Arc<dyn Telemetry>>,
    session: &SessionId,
    point: HookPoint,
) -> OpenSpan {
    let mut span =
        OpenSpan::root(telemetry, None, format_args!("hooks {point}"), SpanKind::Internal);
    span.set(names::CONVERSATION, session.as_str());
    span.set(names::HOOK_POINT, point.name());
    span
}

/// What a provider component is called after its kind is how services are known.
fn service(provider: &str) -> &str {
    provider.strip_prefix("provider-").unwrap_or(provider)
}

fn about(call: &ToolCall) -> Vec<(&'static str, Value)> {
    vec![(names::TOOL, call.name.as_str().into()), (names::CALL_ID, call.id.as_str().into())]
}

fn set_usage(span: &mut OpenSpan, usage: &Usage) {
    span.set(names::INPUT_TOKENS, usage.input);
    span.set(names::OUTPUT_TOKENS, usage.output);
    let details = [
        (names::CACHE_READ, usage.cache_read),
        (names::CACHE_CREATED, usage.cache_write),
        (names::REASONING_TOKENS, usage.reasoning),
    ];
    for (name, tokens) in details.into_iter().filter(|(_, tokens)| *tokens > 0) {
        span.set(name, tokens);
    }
}

/// Why an answer ended, in the conventions' words.
fn stop_word(stop: StopReason) -> &'static str {
    match stop {
        StopReason::EndTurn | StopReason::StopSequence => "stop",
        StopReason::MaxTokens => "length",
        StopReason::ToolUse => "tool_call",
        StopReason::Refusal => "content_filter",
        StopReason::Error => "error",
        StopReason::Other => "other",
    }
}
