//! The life of one call: Checking → Previewing → Asking → Ready → Running → Done.

use crate::id::CallId;
use crate::tool::{CheckedCall, Impact, ToolCall};

/// A call of the current step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) call: ToolCall,
    /// The call that asked for it; none if the model did.
    pub(super) parent: Option<CallId>,
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
    Running(Running),
    /// It has a result.
    Done,
}

/// What of a call matters while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) impact: Impact,
    /// It has calls of its own.
    pub(super) calls_tools: bool,
}

impl Running {
    pub(super) fn of(checked: &CheckedCall) -> Self {
        Self { impact: checked.impact, calls_tools: checked.reach.calls_tools }
    }

    /// True if others may run beside it.
    fn keeps_to_itself(self) -> bool {
        self.impact == Impact::ReadOnly && !self.calls_tools
    }
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
            State::Done => true,
            State::Running(running) => running.keeps_to_itself(),
            State::Ready(checked) | State::Asking(checked) | State::Previewing(checked, _) => {
                Running::of(checked).keeps_to_itself()
            }
            State::Checking | State::CheckingEdited(_) => false,
        }
    }
}

/// Calls that run side by side at most. Each has an instance of its own with up to the memory
/// limit, so eight of them stay well inside a small machine.
pub const SIDE_BY_SIDE: usize = 8;

/// The calls that may start now: read-only ones side by side, the others one after another. What a
/// running call asks for starts at once, since that one waits for it.
pub(super) fn startable(calls: &[Call]) -> Vec<CheckedCall> {
    let ready = |call: &Call| match &call.state {
        State::Ready(checked) if call.parent.is_some() => Some(checked.clone()),
        _ => None,
    };
    let mut start: Vec<CheckedCall> = calls.iter().filter_map(ready).collect();
    let of_the_model = || calls.iter().filter(|call| call.parent.is_none());
    let running = of_the_model().filter(|call| matches!(call.state, State::Running(_))).count();
    let mut beside = 0;
    let mut all_done = true;
    for call in of_the_model() {
        if let State::Ready(checked) = &call.state {
            let may_start = if Running::of(checked).keeps_to_itself() {
                running + beside < SIDE_BY_SIDE
            } else {
                all_done
            };
            if may_start {
                beside += 1;
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
