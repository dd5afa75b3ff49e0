//! Everything a turn can ask for: its only outputs.

use crate::entry::Entry;
use crate::id::{CallId, ComponentId};
use crate::tool::{CheckedCall, ToolCall};

/// One output of the turn machine, to be carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Append to the journal and, once that is durable, show it to every client. One effect for
    /// both, so that nothing can be shown that was not written.
    Record(Entry),
    /// Ask the model, with the conversation as recorded so far.
    AskModel,
    /// Drop the answer in progress.
    StopModel,
    /// Check a call against the tool's schema.
    CheckCall(ToolCall),
    /// Find out what a call would do, for the person who is to be asked.
    PreviewCall(CheckedCall),
    /// Keep what the person allowed for good.
    Remember {
        /// Which calls.
        calls: String,
        /// Of which component.
        component: ComponentId,
        /// After how many days it ends.
        days: Option<u32>,
    },
    /// Run a call.
    RunTool(CheckedCall),
    /// Stop a running call.
    StopTool(CallId),
    /// The turn is over; no further event has an effect.
    End,
}
