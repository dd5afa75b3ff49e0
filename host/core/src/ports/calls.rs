//! Calls that a program asks for and no model does. They take the way of a turn all the same:
//! checked, decided, run, scrubbed and recorded. What the program speaks is not known here.

use super::CancelFlag;
use crate::tool::{ToolDetails, ToolOutput, ToolSpec};
use futures_core::future::BoxFuture;
use std::sync::Arc;

/// What lets programs in.
pub trait Callers: Send + Sync {
    /// Begins a session for a program, as it calls itself. What it reads in it narrows what it may
    /// do in it, so a program has one and not one for each call.
    fn enter(&self, name: &str) -> BoxFuture<'_, Result<Arc<dyn Caller>, String>>;
    /// The tools on offer.
    fn specs(&self) -> Vec<ToolSpec>;
    /// What else is known of a tool.
    fn details(&self, name: &str) -> Option<ToolDetails>;
}

/// The session of one program. Calls run one after another; dropping it closes the session.
pub trait Caller: Send + Sync {
    /// Runs a call and waits for what came of it. The error is a sentence: the call was never
    /// decided on.
    fn call(
        &self,
        asked: AskedCall,
        watch: Arc<dyn CallWatch>,
    ) -> BoxFuture<'_, Result<ToolOutput, String>>;
}

/// A call a program asks for.
#[derive(Clone, Debug)]
pub struct AskedCall {
    /// Name of the tool.
    pub name: String,
    /// Arguments as JSON text.
    pub arguments: String,
    /// Set when the program does not want it any more.
    pub cancel: CancelFlag,
}

/// Who is told how a call goes on, and asked where a person is to decide.
pub trait CallWatch: Send + Sync {
    /// How far it has come.
    fn progress(&self, fraction: Option<f32>, note: String);
    /// A person is to say whether it may run; false if they say no, none if nobody can be asked.
    fn ask(&self, question: CallQuestion) -> BoxFuture<'_, Option<bool>>;
}

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallQuestion {
    /// Name of the tool.
    pub tool: String,
    /// Arguments as they would run, as one line of JSON.
    pub arguments: String,
    /// Why it is asked.
    pub reason: String,
    /// What it would do, in words; none where the arguments say it all.
    pub preview: Option<String>,
}
