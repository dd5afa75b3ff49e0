//! What comes of a message: piece by piece, and all of it. How it is written for a client is not
//! known here.

use super::wire::Failure;
use hydroid_core::id::{CallId, SessionId, TurnId};
use hydroid_core::message::Usage;
use hydroid_core::money::Money;
use serde_json::{Value, json};

/// What comes of a message, in order; `Ended` or `Failed` is the last.
pub(crate) enum Piece {
    /// The turn began.
    Began(TurnId),
    Text(String),
    Thinking(String),
    /// A call, each time there is more to know of it.
    Call(Call),
    Ended(Box<Answer>),
    Failed(Failure),
}

/// A call that the host ran for the model, or did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(super) id: CallId,
    pub(super) name: String,
    pub(super) arguments: String,
    pub(super) status: &'static str,
    /// Why it was not run.
    pub(super) denied: Option<String>,
}

/// All that came of a message.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) session: SessionId,
    pub(crate) text: String,
    pub(crate) thinking: String,
    pub(crate) usage: Usage,
    pub(crate) finish: Finish,
    pub(super) turn: Option<TurnId>,
    pub(super) calls: Vec<Call>,
    pub(super) sources: Vec<Value>,
    pub(super) outcome: &'static str,
    pub(super) dollars: Option<Money>,
}

/// Why an answer is as long as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Whole,
    CutOff,
    Declined,
}

/// What is told when nothing more comes.
pub(crate) fn vanished() -> Failure {
    Failure::ended(500, "internal_error", "the host failed; `hydroid logs` says more")
}

impl Call {
    pub(crate) fn object(&self) -> Value {
        let mut object = json!({
            "id": self.id,
            "name": self.name,
            "arguments": self.arguments,
            "status": self.status,
        });
        if let Some(why) = &self.denied {
            object["reason"] = why.clone().into();
        }
        object
    }
}

impl Answer {
    /// What has come of a message that was just said.
    pub(super) fn begun(session: SessionId) -> Self {
        Self {
            session,
            text: String::new(),
            thinking: String::new(),
            usage: Usage::default(),
            finish: Finish::Whole,
            turn: None,
            calls: Vec::new(),
            sources: Vec::new(),
            outcome: "completed",
            dollars: None,
        }
    }

    /// What OpenAI's API has no word for.
    pub(crate) fn hydroid(&self) -> Value {
        json!({
            "session": self.session,
            "turn": self.turn,
            "outcome": self.outcome,
            "calls": self.calls.iter().map(Call::object).collect::<Vec<Value>>(),
            "sources": self.sources,
            "dollars": self.dollars,
        })
    }
}
