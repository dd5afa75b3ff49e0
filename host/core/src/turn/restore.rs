//! A turn that waited for a person when the process ended goes on where it stood: the same calls,
//! each checked anew, the same question. A turn that ended in any other place is closed instead.

use super::{Call, Phase, Settings, State, Turn};
use crate::entry::{Entry, INTERRUPTED, NEVER_RAN};
use crate::id::{CallId, TurnId};
use crate::message::{Label, Usage};
use crate::money::Money;
use crate::policy::Policy;
use crate::taint::Taint;
use crate::tool::{ToolCall, ToolOutput};
use crate::turn::Effect;
use std::collections::BTreeSet;

/// A question that a session was left with.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenQuestion {
    /// The turn.
    pub turn: TurnId,
    /// The entry that asked.
    pub asked: Entry,
    /// The call.
    pub call_id: CallId,
}

/// The questions of a session's last turn that nobody has answered, oldest first.
pub fn open_questions(entries: &[Entry]) -> Vec<OpenQuestion> {
    let mut open: Vec<OpenQuestion> = Vec::new();
    let mut nested = BTreeSet::new();
    for entry in entries {
        match entry {
            Entry::TurnStarted { .. } | Entry::TurnEnded { .. } => open.clear(),
            // What a component asked for is not waited for by anybody any more.
            Entry::ApprovalAsked { call_id, .. } if nested.contains(call_id) => {}
            Entry::CallReceived { call, parent: Some(_), .. } => {
                nested.insert(call.id.clone());
            }
            Entry::ApprovalAsked { turn, call_id, .. } => {
                open.retain(|question| question.call_id != *call_id);
                open.push(OpenQuestion {
                    turn: turn.clone(),
                    asked: entry.clone(),
                    call_id: call_id.clone(),
                });
            }
            Entry::CallDecided { call_id, .. } | Entry::CallFinished { call_id, .. } => {
                open.retain(|question| question.call_id != *call_id);
            }
            _ => {}
        }
    }
    open
}

impl Turn {
    /// The turn that these entries end in, if it waited for a person, with what is to be done
    /// first. `entries` are the whole session.
    pub fn restore(
        entries: &[Entry],
        settings: Settings,
        policy: Policy,
        used_ids: BTreeSet<CallId>,
    ) -> Option<(Self, Vec<Effect>)> {
        let question = open_questions(entries).pop()?;
        let begin = entries.iter().rposition(|entry| matches!(entry, Entry::TurnStarted { .. }))?;
        let past = Past::of(&entries[begin..]);
        let mut turn = Self::new(question.turn, settings, policy, used_ids, Taint::of(entries));
        turn.step = past.step;
        turn.usage = past.usage;
        turn.dollars = past.dollars;
        let mut effects = Vec::new();
        let mut calls = Vec::new();
        for id in past.nested.iter().filter(|id| !past.finished.contains(id)) {
            let why = if past.started.contains(id) { INTERRUPTED } else { NEVER_RAN };
            effects.push(turn.finished(id, ToolOutput::error(why), Label::host()));
        }
        for call in past.calls {
            let state = if past.finished.contains(&call.id) {
                State::Done
            } else if past.started.contains(&call.id) {
                let output = ToolOutput::error(INTERRUPTED);
                effects.push(turn.finished(&call.id, output, Label::host()));
                State::Done
            } else {
                effects.push(Effect::CheckCall(call.clone()));
                State::Checking
            };
            calls.push(Call { call, parent: None, state });
        }
        turn.phase = Phase::Calling(calls);
        Some((turn, effects))
    }
}

/// A turn as far as it was recorded.
#[derive(Default)]
struct Past {
    step: u32,
    usage: Usage,
    dollars: Option<Money>,
    /// Calls of the last step.
    calls: Vec<ToolCall>,
    /// Calls that one of them asked for.
    nested: Vec<CallId>,
    started: BTreeSet<CallId>,
    finished: BTreeSet<CallId>,
}

impl Past {
    fn of(entries: &[Entry]) -> Self {
        let mut past = Self::default();
        for entry in entries {
            match entry {
                Entry::StepStarted { step, .. } => {
                    past.step = *step;
                    past.calls.clear();
                    past.nested.clear();
                }
                Entry::CallReceived { call, parent: Some(_), .. } => {
                    past.nested.push(call.id.clone());
                }
                Entry::CallReceived { call, parent: None, .. } => past.calls.push(call.clone()),
                Entry::CallEdited { call_id, arguments, .. } => {
                    for call in past.calls.iter_mut().filter(|call| call.id == *call_id) {
                        call.arguments.clone_from(arguments);
                    }
                }
                Entry::CallStarted { call_id, .. } => {
                    past.started.insert(call_id.clone());
                }
                Entry::CallFinished { call_id, .. } => {
                    past.finished.insert(call_id.clone());
                }
                Entry::StepEnded { usage, dollars, .. }
                | Entry::ChildAnswered { usage, dollars, .. } => {
                    past.usage += *usage;
                    if let Some(dollars) = dollars {
                        past.dollars = Some(past.dollars.unwrap_or_default().plus(*dollars));
                    }
                }
                _ => {}
            }
        }
        past
    }
}
