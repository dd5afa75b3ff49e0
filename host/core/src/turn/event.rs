//! Everything that can happen to a turn: its only inputs.

use crate::id::CallId;
use crate::message::{Label, Part, StopReason, Usage};
use crate::money::Money;
use crate::ports::{ModelError, ModelEvent};
use crate::protocol::ApprovalAnswer;
use crate::reliability::ModelRef;
use crate::tool::{CheckedCall, Preview, ToolCall, ToolOutput};

/// What the model of a child turn has used with one answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildStep {
    /// The call that started the child turn.
    pub call_id: CallId,
    /// Number of the step in the child turn, from 1.
    pub step: u32,
    /// Who answered.
    pub by: ModelRef,
    /// Why the answer ended.
    pub stop: StopReason,
    /// Tokens.
    pub usage: Usage,
    /// What it cost, if that was reckoned: none inside when nobody can tell.
    pub charged: Option<Option<Money>>,
}

/// One input of the turn machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The person said something; the first event of a turn.
    UserSaid(Vec<Part>),
    /// The person said something more while the turn runs.
    Steered(Vec<Part>),

    // ---- the model ----
    /// A piece of the answer.
    Model(ModelEvent),
    /// The answer is complete.
    ModelEnded,
    /// There is no answer, or no more of it.
    ModelFailed(ModelError),

    // ---- calls ----
    /// A call was checked against the tool's schema.
    CallChecked {
        /// The call.
        id: CallId,
        /// The call as it would run, or a sentence for the model.
        result: Result<CheckedCall, String>,
    },
    /// It was found out what a call would do.
    CallPreviewed {
        /// The call.
        id: CallId,
        /// What the person is shown beside the arguments.
        preview: Option<Preview>,
    },
    /// A call that runs asks for another one.
    CallNested {
        /// The call that asks.
        parent: CallId,
        /// What it asks for, with an identifier of [`super::Turn::nested_id`].
        call: ToolCall,
    },
    /// The model of a child turn that a call started answered.
    ChildAnswered(ChildStep),
    /// The person answered an approval.
    Answered {
        /// The call that was asked about.
        id: CallId,
        /// The answer.
        answer: ApprovalAnswer,
    },
    /// A call has a result.
    CallFinished {
        /// The call.
        id: CallId,
        /// What came back, scrubbed.
        output: ToolOutput,
        /// Where it came from.
        label: Label,
    },

    /// Somebody has a word for the person beside what happens.
    Noticed(String),

    // ---- endings ----
    /// The person wants the turn to stop.
    CancelRequested,
    /// The wall time of the turn is used up.
    TimeElapsed,
    /// Everything is stopped.
    EmergencyStop,
}
