//! A turn that is followed for a client: what happens in the session, told in the pieces of an
//! answer. Calls nobody can approve are declined here, and a turn nobody waits for is cancelled.

use super::answer::{Answer, Call, Finish, Piece, vanished};
use super::turn::{After, tidy};
use super::wire::Failure;
use hydroid_core::entry::{Entry, Outcome};
use hydroid_core::id::{CallId, ClientKey, TurnId};
use hydroid_core::message::StopReason;
use hydroid_core::policy::Decision;
use hydroid_core::ports::{Conversations, Following};
use hydroid_core::protocol::{
    Activity, ApprovalAnswer, ErrorCode, Request, RequestError, SessionMessage, Stopped,
};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What the model and the client read of a call that a person would have to approve.
const NOBODY: &str = "nobody can be asked over this API; allow it by a rule in `policy`, or send `x-hydroid-approvals: wait` and answer elsewhere";

/// A turn and whom it is told.
pub(super) struct Followed {
    pub(super) conversations: Arc<dyn Conversations>,
    pub(super) following: Box<dyn Following>,
    pub(super) tell: mpsc::Sender<Piece>,
    /// The next turn that begins is the one.
    pub(super) is_next: bool,
    /// The key of what was said, by which the turn is known among others.
    pub(super) ours: Option<ClientKey>,
    /// What becomes of the session; none if it was named.
    pub(super) after: Option<After>,
    pub(super) waits: bool,
    /// The session did something since.
    pub(super) was_busy: bool,
    /// The client is gone, and the turn is to end.
    pub(super) is_gone: bool,
    pub(super) steps: u32,
    pub(super) answer: Answer,
}

impl Followed {
    /// Follows the turn to its end, which is told last.
    pub(super) async fn follow(mut self) {
        let last = loop {
            let next = tokio::select! {
                next = self.following.next() => next,
                () = self.tell.closed(), if !self.is_gone => {
                    if self.after.is_none() {
                        return;
                    }
                    self.is_gone = true;
                    self.cancel().await;
                    continue;
                }
            };
            match next {
                Ok(message) => {
                    if let Some(last) = self.take(message).await {
                        break last;
                    }
                }
                Err((Stopped::FellBehind, last_seq)) => {
                    let session = &self.answer.session;
                    match self.conversations.follow(session, Some(last_seq)).await {
                        Ok((_, following)) => self.following = following,
                        Err(error) => break Piece::Failed(error.into()),
                    }
                }
                Err((stopped, _)) => break Piece::Failed(stopped_early(stopped)),
            }
        };
        if let Some(after) = self.after {
            tidy(&self.conversations, &self.answer.session, after).await;
        }
        drop(self.tell.send(last).await);
    }

    async fn cancel(&mut self) {
        // Without a turn yet there is nothing to cancel; it is tried again when one begins.
        if self.answer.turn.is_some() {
            let session = self.answer.session.clone();
            if let Err(error) = self.conversations.request(Request::Cancel { session }).await {
                tracing::debug!(%error, "a turn nobody waits for could not be cancelled");
            }
        }
    }

    /// Takes one message; the last piece if it is the end.
    async fn take(&mut self, message: SessionMessage) -> Option<Piece> {
        match message {
            SessionMessage::Entry { entry, .. } => self.entry(entry).await,
            SessionMessage::Progress { .. } => None,
            SessionMessage::State { activity, queued, .. } => {
                let is_busy = !matches!(activity, Activity::Idle | Activity::Asleep);
                let is_over = self.was_busy && !is_busy && queued == 0;
                self.was_busy |= is_busy;
                (is_over && self.answer.turn.is_none()).then(|| {
                    let text = "the message was not taken up; `hydroid logs` says why";
                    Piece::Failed(Failure::ended(500, "not_taken_up", text))
                })
            }
        }
    }

    async fn entry(&mut self, entry: Entry) -> Option<Piece> {
        match entry {
            Entry::TurnStarted { turn, key, .. } => {
                let is_ours = self.is_next || (key.is_some() && key == self.ours);
                if self.answer.turn.is_none() && is_ours {
                    self.answer.turn = Some(turn.clone());
                    drop(self.tell.send(Piece::Began(turn)).await);
                    if self.is_gone {
                        self.cancel().await;
                    }
                }
            }
            Entry::StepStarted { turn, .. } if self.is_ours(&turn) => self.steps += 1,
            Entry::Text { turn, text } if self.is_ours(&turn) => {
                // What a model says in two steps is two paragraphs.
                let parts_steps = self.steps > 1 && !self.answer.text.is_empty();
                self.steps = self.steps.min(1);
                let text = if parts_steps { format!("\n\n{text}") } else { text };
                self.say(text).await;
            }
            Entry::Thinking { turn, text, .. } if self.is_ours(&turn) => {
                self.answer.thinking.push_str(&text);
                if !text.is_empty() {
                    drop(self.tell.send(Piece::Thinking(text)).await);
                }
            }
            Entry::Cited { turn, uri, title } if self.is_ours(&turn) => {
                self.answer.sources.push(json!({ "uri": uri, "title": title }));
            }
            Entry::CallReceived { turn, call, parent: None } if self.is_ours(&turn) => {
                let (id, name, arguments) = (call.id, call.name, call.arguments);
                let call = Call { id, name, arguments, status: "asked", denied: None };
                self.answer.calls.push(call.clone());
                drop(self.tell.send(Piece::Call(call)).await);
            }
            Entry::ApprovalAsked { turn, call_id, .. } if self.is_ours(&turn) => {
                if !self.waits {
                    self.decline(call_id).await;
                } else {
                    self.call_is(&call_id, "waits_for_approval", None).await;
                }
            }
            Entry::CallDecided { turn, call_id, decision, .. } if self.is_ours(&turn) => {
                match decision {
                    Decision::Deny { reason } => {
                        self.call_is(&call_id, "denied", Some(reason)).await;
                    }
                    Decision::Allow | Decision::Ask { .. } => {}
                }
            }
            Entry::CallStarted { turn, call_id, .. } if self.is_ours(&turn) => {
                self.call_is(&call_id, "runs", None).await;
            }
            Entry::CallFinished { turn, call_id, output, .. } if self.is_ours(&turn) => {
                let status = if output.is_error { "failed" } else { "done" };
                self.call_is(&call_id, status, None).await;
            }
            Entry::StepEnded { turn, stop, .. } if self.is_ours(&turn) => {
                self.answer.finish = match stop {
                    StopReason::MaxTokens => Finish::CutOff,
                    StopReason::Refusal => Finish::Declined,
                    StopReason::EndTurn
                    | StopReason::ToolUse
                    | StopReason::StopSequence
                    | StopReason::Error
                    | StopReason::Other => Finish::Whole,
                };
            }
            Entry::TurnEnded { turn, outcome, usage, dollars } if self.is_ours(&turn) => {
                self.answer.usage = usage;
                self.answer.dollars = dollars;
                return Some(self.ended(outcome).await);
            }
            // What other turns do, and what this API has no words for.
            Entry::StepStarted { .. }
            | Entry::Text { .. }
            | Entry::Thinking { .. }
            | Entry::Cited { .. }
            | Entry::CallReceived { .. }
            | Entry::ApprovalAsked { .. }
            | Entry::CallDecided { .. }
            | Entry::CallStarted { .. }
            | Entry::CallFinished { .. }
            | Entry::StepEnded { .. }
            | Entry::ChildAnswered { .. }
            | Entry::SkillLoaded { .. }
            | Entry::SkillUnloaded { .. }
            | Entry::TurnEnded { .. }
            | Entry::Steered { .. }
            | Entry::Rewound { .. }
            | Entry::SettingsChanged { .. }
            | Entry::CallEdited { .. }
            | Entry::Notice { .. }
            | Entry::ModelNews { .. }
            | Entry::Compacted { .. } => {}
        }
        None
    }

    fn is_ours(&self, turn: &TurnId) -> bool {
        self.answer.turn.as_ref() == Some(turn)
    }

    async fn say(&mut self, text: String) {
        self.answer.text.push_str(&text);
        if !text.is_empty() {
            drop(self.tell.send(Piece::Text(text)).await);
        }
    }

    async fn decline(&mut self, call_id: CallId) {
        let answer = ApprovalAnswer::Deny { reason: Some(NOBODY.to_owned()) };
        let session = self.answer.session.clone();
        let request = Request::Answer { session, call_id, answer };
        // Somebody else may have answered meanwhile.
        if let Err(error) = self.conversations.request(request).await {
            tracing::debug!(%error, "a call could not be declined");
        }
    }

    async fn call_is(&mut self, id: &CallId, status: &'static str, denied: Option<String>) {
        let Some(call) = self.answer.calls.iter_mut().find(|call| call.id == *id) else { return };
        // A call that was denied has a result too, which says so.
        if call.denied.is_none() {
            call.status = status;
            call.denied = denied;
            let call = call.clone();
            drop(self.tell.send(Piece::Call(call)).await);
        }
    }

    async fn ended(&mut self, outcome: Outcome) -> Piece {
        let (outcome, finish, note) = match outcome {
            Outcome::Completed => ("completed", self.answer.finish, None),
            Outcome::BudgetReached { reason } => ("budget_reached", Finish::CutOff, Some(reason)),
            Outcome::Repeating { reason } => ("repeating", Finish::CutOff, Some(reason)),
            Outcome::Failed { reason } => {
                return Piece::Failed(Failure::ended(500, "turn_failed", reason));
            }
            Outcome::Cancelled => {
                let text = "the turn was cancelled";
                return Piece::Failed(Failure::ended(409, "turn_cancelled", text));
            }
            Outcome::Stopped => {
                let text = "everything is stopped by the emergency stop";
                return Piece::Failed(Failure::ended(409, "stopped", text));
            }
            Outcome::Interrupted => {
                let text = "the host stopped before the turn was done";
                return Piece::Failed(Failure::ended(500, "turn_interrupted", text));
            }
        };
        self.answer.outcome = outcome;
        self.answer.finish = finish;
        let denied = self.answer.calls.iter().filter_map(|call| {
            call.denied.as_ref().map(|why| format!("`{}` was not run: {why}", call.name))
        });
        let notes: Vec<String> = denied.chain(note).map(|note| format!("[{note}]")).collect();
        if !notes.is_empty() {
            let space = if self.answer.text.is_empty() { "" } else { "\n\n" };
            self.say(format!("{space}{}", notes.join("\n"))).await;
        }
        Piece::Ended(Box::new(self.answer.clone()))
    }
}

fn stopped_early(stopped: Stopped) -> Failure {
    match stopped {
        Stopped::Deleted => Failure::ended(409, "session_deleted", "the session was deleted"),
        Stopped::ShuttingDown => Failure {
            is_final: true,
            ..RequestError::new(ErrorCode::ShuttingDown, "the host ends").into()
        },
        Stopped::Failed | Stopped::FellBehind => vanished(),
    }
}
