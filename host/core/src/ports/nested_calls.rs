//! Calls that a call asks for, and child turns it starts: decided on like those of the model, by
//! whoever runs the turn.

use super::SessionSkills;
use crate::message::Label;
use crate::tool::ToolOutput;
use futures_core::future::BoxFuture;
use std::collections::BTreeSet;

/// Runs what a component that is being called asks other components for.
pub trait NestedCalls: Send + Sync {
    /// Decides on a call and runs it. It always answers; dropping the future does not take the
    /// call back, the end of the call that asked does.
    fn call(&self, tool: String, arguments: String) -> BoxFuture<'_, NestedAnswer>;
    /// Runs a child turn to its end: a model works on a task with some tools, whose calls are
    /// those of the call that asked. The answer is its last message, or why there is none.
    /// Dropping the future ends it.
    fn delegate(&self, task: ChildTask) -> BoxFuture<'_, NestedAnswer>;
    /// The skills of the session; none where there is no conversation to take them up.
    fn skills(&self) -> Option<&dyn SessionSkills> {
        None
    }
}

/// What a child turn is to do, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildTask {
    /// The message that starts it.
    pub prompt: String,
    /// Names of the tools it has.
    pub tools: BTreeSet<String>,
    /// Model requests, where that is less than a turn may have.
    pub max_steps: Option<u32>,
    /// Who wrote the prompt: trusted if it is the model's own words, handed on by a component that
    /// came with the release.
    pub author: Label,
}

/// What came of such a call.
#[derive(Clone, Debug, PartialEq)]
pub struct NestedAnswer {
    /// What the caller reads, scrubbed.
    pub output: ToolOutput,
    /// A rule or a person decided against it, so it did not run.
    pub denied: bool,
    /// Something secret was in it, or beside it.
    pub secret: bool,
}
