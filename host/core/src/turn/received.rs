//! Calls that an answer asks for, put together out of its events, and as they are kept: with an
//! identifier of their own and arguments that are a JSON object. A turn and its child turns read
//! answers alike.

use crate::arguments;
use crate::id::CallId;
use crate::message::StopReason;
use crate::ports::ModelEvent;
use crate::tool::ToolCall;
use std::collections::{BTreeMap, BTreeSet};

/// What the model reads when its call broke off at the output limit.
pub(crate) const CUT_OFF_AT_LIMIT: &str = "your answer reached the output limit before the arguments were complete, so nothing was run; call again with shorter arguments";
/// What the model reads when its call broke off for another reason.
pub(crate) const CUT_OFF: &str =
    "your answer broke off before the arguments were complete, so nothing was run; call again";
/// The key under which arguments that are no JSON object are kept as they came.
pub(crate) const UNREADABLE: &str = "unreadable_arguments";

/// The calls of an answer as far as they have come, by their position.
#[derive(Debug, Default)]
pub struct ReceivedCalls(BTreeMap<u32, PartialCall>);

#[derive(Debug)]
struct PartialCall {
    id: String,
    name: String,
    arguments: String,
    complete: bool,
}

impl ReceivedCalls {
    /// Takes what an event says of a call; nothing of any other event.
    pub fn take(&mut self, event: &ModelEvent) {
        match event {
            ModelEvent::CallStarted { index, id, name } => {
                self.0.entry(*index).or_insert_with(|| PartialCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                    complete: false,
                });
            }
            ModelEvent::CallArguments { index, fragment } => {
                if let Some(call) = self.0.get_mut(index) {
                    call.arguments.push_str(fragment);
                }
            }
            ModelEvent::CallEnded { index } => {
                if let Some(call) = self.0.get_mut(index) {
                    call.complete = true;
                }
            }
            _ => {}
        }
    }

    /// Each with why it may not run, if so, once the answer has ended. Calls of an answer that was
    /// taken back or broke off are not what the model meant.
    pub fn whole(
        self,
        stop: StopReason,
        used_ids: &mut BTreeSet<CallId>,
    ) -> Vec<(ToolCall, Option<String>)> {
        if matches!(stop, StopReason::Refusal | StopReason::Error) {
            return Vec::new();
        }
        self.0.into_values().map(|partial| whole(partial, stop, used_ids)).collect()
    }
}

/// Gives a call a fresh identifier if it needs one and arguments that are a JSON object.
fn whole(
    partial: PartialCall,
    stop: StopReason,
    used_ids: &mut BTreeSet<CallId>,
) -> (ToolCall, Option<String>) {
    let (arguments, problem) = match arguments::normalise(&partial.arguments) {
        _ if is_cut_off(&partial, stop) => {
            let text = if stop == StopReason::MaxTokens { CUT_OFF_AT_LIMIT } else { CUT_OFF };
            ("{}".to_owned(), Some(text.to_owned()))
        }
        Ok(arguments) => (arguments, None),
        // What is kept must be sendable to every service, and they want an object.
        Err(problem) => {
            (serde_json::json!({ UNREADABLE: partial.arguments }).to_string(), Some(problem))
        }
    };
    let wanted =
        if partial.id.is_empty() { format!("call_{}", used_ids.len() + 1) } else { partial.id };
    let mut id = CallId::new(wanted.clone());
    let mut number = 2;
    while !used_ids.insert(id.clone()) {
        id = CallId::new(format!("{wanted}_{number}"));
        number += 1;
    }
    (ToolCall { id, name: sendable_name(&partial.name), arguments }, problem)
}

/// True if an answer ended in the middle of a call. At the output limit that is so whatever the
/// service says of the call: what is half written is not repaired, and not run.
fn is_cut_off(call: &PartialCall, stop: StopReason) -> bool {
    let half = || serde_json::from_str::<serde::de::IgnoredAny>(&call.arguments).is_err();
    match stop {
        StopReason::MaxTokens => !call.complete || half(),
        StopReason::ToolUse | StopReason::EndTurn => false,
        StopReason::StopSequence | StopReason::Refusal | StopReason::Error | StopReason::Other => {
            !call.complete
        }
    }
}

/// A tool's name as every service takes it back: a stored name that one of them refuses would
/// make the session unusable, while an unknown name is only a result the model reads.
fn sendable_name(name: &str) -> String {
    let sendable: String = name
        .chars()
        .take(64)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' })
        .collect();
    if sendable.is_empty() { "unnamed".to_owned() } else { sendable }
}
