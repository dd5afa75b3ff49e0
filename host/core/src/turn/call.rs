//! The life of one call: Checking → Previewing → Asking → Ready → Running → Done.

use crate::id::CallId;
use crate::tool::{CheckedCall, Impact, ToolCall};

/// A call of the current step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) call: ToolCall,
    pub(super) state: State,
}

/// Where a call is. What exists only in one phase lives in that phase.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// Its arguments are being checked.
    Checking,
    /// The arguments a person wrote in place of the model's are being checked; this is the call
    /// they were asked about.
    CheckingEdited(CheckedCall),
    /// It is being found out what it would do; then the person is asked for this reason.
    Previewing(CheckedCall, String),
    /// The person is asked.
    Asking(CheckedCall),
    /// It may run when its turn comes.
    Ready(CheckedCall),
    /// It runs.
    Running(Impact),
    /// It has a result.
    Done,
}

impl Call {
    pub(super) fn id(&self) -> &CallId {
        &self.call.id
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// True if later calls may run beside this one.
    fn lets_others_pass(&self) -> bool {
        match &self.state {
            State::Done | State::Running(Impact::ReadOnly) => true,
            State::Ready(checked) | State::Asking(checked) | State::Previewing(checked, _) => {
                checked.impact == Impact::ReadOnly
            }
            State::Checking
            | State::CheckingEdited(_)
            | State::Running(Impact::Network | Impact::Edits | Impact::Changes | Impact::Vault) => {
                false
            }
        }
    }
}

/// Calls that run side by side at most. Each has an instance of its own with up to the memory
/// limit, so eight of them stay well inside a small machine.
const SIDE_BY_SIDE: usize = 8;

/// The calls that may start now: read-only ones side by side, the others one after another.
pub(super) fn startable(calls: &[Call]) -> Vec<CheckedCall> {
    let running = calls.iter().filter(|call| matches!(call.state, State::Running(_))).count();
    let mut start = Vec::new();
    let mut all_done = true;
    for call in calls {
        if let State::Ready(checked) = &call.state {
            let may_start = match checked.impact {
                Impact::ReadOnly => running + start.len() < SIDE_BY_SIDE,
                Impact::Network | Impact::Edits | Impact::Changes | Impact::Vault => all_done,
            };
            if may_start {
                start.push(checked.clone());
            }
        }
        if !call.lets_others_pass() {
            break;
        }
        all_done &= call.is_done();
    }
    start
}
