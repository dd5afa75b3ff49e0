//! Calls that a call asks for: decided on like those of the model, by whoever runs the turn.

use crate::tool::ToolOutput;
use futures_core::future::BoxFuture;

/// Runs what a component that is being called asks other components for.
pub trait NestedCalls: Send + Sync {
    /// Decides on a call and runs it. It always answers; dropping the future does not take the
    /// call back, the end of the call that asked does.
    fn call(&self, tool: String, arguments: String) -> BoxFuture<'_, NestedAnswer>;
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
