//! Calls that a call asks for: put to the session that runs the turn, which decides on each like
//! on one of the model's, and answered when what came of it is recorded.

use crate::delegating;
use crate::effects::{News, TurnContext};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::entry::Entry;
use hydroid_core::id::CallId;
use hydroid_core::message::Label;
use hydroid_core::policy::Decision;
use hydroid_core::ports::{CallContext, ChildTask, NestedAnswer, NestedCalls, SessionSkills};
use hydroid_core::tool::ToolOutput;
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// A call that a call asks for.
#[derive(Debug)]
pub(crate) struct Nested {
    pub(crate) parent: CallId,
    pub(crate) tool: String,
    pub(crate) arguments: String,
    pub(crate) reply: oneshot::Sender<(NestedAnswer, Label)>,
}

/// What a call that runs asks others through.
pub(crate) struct Asking {
    pub(crate) turn: TurnContext,
    pub(crate) parent: CallId,
    /// On whose behalf that call runs.
    pub(crate) context: CallContext,
}

impl Asking {
    /// What came of a call, and where that is from.
    pub(crate) async fn ask(&self, tool: String, arguments: String) -> (NestedAnswer, Label) {
        let (reply, answer) = oneshot::channel();
        let parent = self.parent.clone();
        self.turn.report(News::CallNested(Nested { parent, tool, arguments, reply })).await;
        answer.await.unwrap_or_else(|_| (failed("not run: the turn has ended"), Label::host()))
    }
}

/// The answer of something that came to nothing.
pub(crate) fn failed(problem: impl Into<String>) -> NestedAnswer {
    NestedAnswer { output: ToolOutput::error(problem), denied: false, secret: false }
}

impl NestedCalls for Asking {
    fn call(&self, tool: String, arguments: String) -> BoxFuture<'_, NestedAnswer> {
        async move { self.ask(tool, arguments).await.0 }.boxed()
    }

    fn delegate(&self, task: ChildTask) -> BoxFuture<'_, NestedAnswer> {
        delegating::run(self, task).boxed()
    }

    fn skills(&self) -> Option<&dyn SessionSkills> {
        Some(self)
    }
}

/// Those of a turn that wait for what comes of their calls.
#[derive(Debug, Default)]
pub(crate) struct Waiting(BTreeMap<CallId, Waits>);

#[derive(Debug)]
struct Waits {
    reply: oneshot::Sender<(NestedAnswer, Label)>,
    denied: bool,
    /// All of it: the journal keeps what a model would be shown.
    output: Option<ToolOutput>,
}

impl Waiting {
    /// Somebody waits for this call.
    pub(crate) fn begin(&mut self, id: CallId, reply: oneshot::Sender<(NestedAnswer, Label)>) {
        self.0.insert(id, Waits { reply, denied: false, output: None });
    }

    /// Keeps what came of a call until that is recorded.
    pub(crate) fn ended(&mut self, id: &CallId, output: &ToolOutput) {
        if let Some(waits) = self.0.get_mut(id) {
            waits.output = Some(output.clone());
        }
    }

    /// Answers who waits for what was recorded.
    pub(crate) fn recorded(&mut self, entry: &Entry) {
        match entry {
            Entry::CallDecided { call_id, decision: Decision::Deny { .. }, .. } => {
                if let Some(waits) = self.0.get_mut(call_id) {
                    waits.denied = true;
                }
            }
            Entry::CallFinished { call_id, output, label, .. } => {
                let Some(waits) = self.0.remove(call_id) else { return };
                let output = waits.output.unwrap_or_else(|| output.clone());
                let answer = NestedAnswer { output, denied: waits.denied, secret: label.secret };
                // Who asked may be gone.
                drop(waits.reply.send((answer, label.clone())));
            }
            _ => {}
        }
    }
}
