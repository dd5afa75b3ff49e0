//! The port for hooks: who is asked at the points of the loop. What the points are is in
//! [`crate::hook`].

use super::CallContext;
use crate::hook::{HookOutcome, HookPoint};
use futures_core::future::BoxFuture;
use serde_json::Value;

/// Those who are asked.
pub trait Hooks: Send + Sync {
    /// True if somebody wants to be asked here; `tool` is the one it is about.
    fn wants(&self, point: HookPoint, tool: Option<&str>) -> bool;
    /// Asks all who want it, one after another, each about what the one before left. It always
    /// answers: at a gate a failure is a denial, elsewhere it is noted. `subject` is scrubbed.
    fn ask<'a>(
        &'a self,
        point: HookPoint,
        tool: Option<&'a str>,
        subject: Value,
        context: CallContext,
    ) -> BoxFuture<'a, HookOutcome>;
}
