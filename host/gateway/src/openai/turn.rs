//! A turn on behalf of a client that waits for its answer: the session is found or begun, the
//! message said, and what comes of it told piece by piece. What the pieces look like to the client
//! is not known here.

use super::models;
use super::said::Said;
use super::wire::{Failure, SESSION};
use crate::server::Listener;
use crate::tokens::TokenHolder;
use axum::response::Response;
use http::HeaderValue;
use hydroid_core::entry::{Entry, Outcome};
use hydroid_core::id::{CallId, SessionId, TurnId};
use hydroid_core::message::{Content, Part, StopReason, Usage};
use hydroid_core::policy::{Decision, Mode};
use hydroid_core::ports::{Conversations, Following};
use hydroid_core::protocol::{
    Activity, ApprovalAnswer, ErrorCode, Reply, Request, RequestError, SessionInfo, SessionMessage,
    SessionSettings, Stopped,
};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Pieces that wait for a client that reads slowly; the session itself waits for nobody.
const PIECES: usize = 64;

/// What the model and the client read of a call that a person would have to approve.
const NOBODY: &str = "nobody can be asked over this API; allow it by a rule in `policy`, or send `x-hydroid-approvals: wait` and answer elsewhere";

/// What a client wants.
pub(crate) struct Ask {
    pub(crate) model: String,
    pub(crate) effort: Option<String>,
    /// The session, if it is named.
    pub(crate) session: Option<String>,
    /// What becomes of a session that was begun for this.
    pub(crate) after: After,
    /// Calls that a person has to approve wait for one who answers elsewhere.
    pub(crate) waits: bool,
    pub(crate) said: Said,
}

/// What becomes of a session once it has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It is one like any other.
    Kept,
    /// It is put away, as the client has all of it.
    PutAway,
    /// It is removed.
    Removed,
}

/// What comes of a message, in order; `Ended` or `Failed` is the last.
pub(crate) enum Piece {
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
    id: CallId,
    name: String,
    arguments: String,
    status: &'static str,
    /// Why it was not run.
    denied: Option<String>,
}

/// All that came of a message.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) session: SessionId,
    pub(crate) text: String,
    pub(crate) thinking: String,
    pub(crate) usage: Usage,
    pub(crate) finish: Finish,
    turn: Option<TurnId>,
    calls: Vec<Call>,
    sources: Vec<Value>,
    outcome: &'static str,
    dollars: Option<hydroid_core::money::Money>,
}

/// Why an answer is as long as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Whole,
    CutOff,
    Declined,
}

/// A turn that was begun.
pub(crate) struct Begun {
    pub(crate) session: SessionId,
    pub(crate) pieces: mpsc::Receiver<Piece>,
}

impl Begun {
    /// All that came of it.
    pub(crate) async fn answer(mut self) -> Result<Answer, Failure> {
        loop {
            match self.pieces.recv().await {
                Some(Piece::Ended(answer)) => return Ok(*answer),
                Some(Piece::Failed(failure)) => return Err(failure),
                Some(Piece::Text(_) | Piece::Thinking(_) | Piece::Call(_)) => {}
                None => return Err(vanished()),
            }
        }
    }
}

/// What is told when nothing more comes.
pub(crate) fn vanished() -> Failure {
    Failure::ended(500, "internal_error", "the host failed; `hydroid logs` says more")
}

/// Writes the session into the head of an answer.
pub(crate) fn name_session(response: &mut Response, session: &SessionId) {
    if let Ok(value) = HeaderValue::from_str(session.as_str()) {
        response.headers_mut().insert(SESSION, value);
    }
}

/// Says what a client wants said. The turn is followed by a task of its own, which ends with the
/// turn, and knows by the closed channel that the client has gone: then a turn that has a session
/// of its own is cancelled, and one in a session that was named goes on.
pub(crate) async fn begin(
    listener: &Listener,
    holder: &TokenHolder,
    ask: Ask,
) -> Result<Begun, Failure> {
    let conversations = listener.conversations(holder).await?;
    let (tell, pieces) = mpsc::channel(PIECES);
    let (said, begun) = oneshot::channel();
    drop(tokio::spawn(async move {
        match say(conversations, ask, tell).await {
            Ok(followed) => {
                drop(said.send(Ok(followed.answer.session.clone())));
                followed.to_its_end().await;
            }
            Err(failure) => drop(said.send(Err(failure))),
        }
    }));
    let session = begun.await.map_err(|_| vanished())??;
    Ok(Begun { session, pieces })
}

async fn say(
    conversations: Arc<dyn Conversations>,
    ask: Ask,
    tell: mpsc::Sender<Piece>,
) -> Result<Followed, Failure> {
    let wanted =
        SessionSettings { effort: ask.effort, ..models::chosen(&conversations, &ask.model).await? };
    let (named, is_own) = match ask.session {
        Some(named) => (SessionId::new(named), false),
        None => (create(&conversations, &wanted, ask.waits).await?, true),
    };
    let (info, following) = conversations.follow(&named, None).await?;
    let session = info.session.clone();
    if !is_own {
        speak_with(&conversations, &info, wanted).await?;
    }
    let parts = if info.turns == 0 { ask.said.with_earlier() } else { ask.said.alone() };
    let ours = parts.last().map(|part| part.content.clone());
    let accepted = conversations.say(&session, parts).await;
    let queued = match accepted {
        Ok(Reply::Accepted { queued, .. }) => queued,
        Ok(_) => 0,
        Err(error) => {
            if is_own {
                tidy(&conversations, &session, After::Removed).await;
            }
            return Err(error.into());
        }
    };
    let was_idle = matches!(info.activity, Activity::Idle | Activity::Asleep) && info.queued == 0;
    Ok(Followed {
        conversations,
        following,
        tell,
        is_next: is_own || (was_idle && queued == 0),
        after: is_own.then_some(ask.after),
        waits: ask.waits,
        ours,
        was_busy: false,
        is_gone: false,
        steps: 0,
        answer: Answer {
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
        },
    })
}

async fn create(
    conversations: &Arc<dyn Conversations>,
    wanted: &SessionSettings,
    waits: bool,
) -> Result<SessionId, Failure> {
    // Who may change nothing may not do so here either.
    let plans = conversations.settings().mode == Some(Mode::Plan);
    let mode = (!waits && !plans).then_some(Mode::Headless);
    let settings = SessionSettings { mode, ..wanted.clone() };
    match conversations.request(Request::Create { title: None, settings }).await? {
        Reply::Session { session } => Ok(session.session),
        _ => Err(vanished()),
    }
}

/// Has a session speak with the model that was asked for from its next turn on.
async fn speak_with(
    conversations: &Arc<dyn Conversations>,
    info: &SessionInfo,
    wanted: SessionSettings,
) -> Result<(), Failure> {
    let own = &info.settings;
    let mut settings = own.clone();
    if wanted.model.is_some() {
        (settings.provider, settings.model) = (wanted.provider, wanted.model);
    }
    if wanted.effort.is_some() {
        settings.effort = wanted.effort;
    }
    if settings != *own {
        let session = info.session.clone();
        conversations.request(Request::Settings { session, settings }).await?;
    }
    Ok(())
}

/// A turn and whom it is told.
struct Followed {
    conversations: Arc<dyn Conversations>,
    following: Box<dyn Following>,
    tell: mpsc::Sender<Piece>,
    /// The next turn that begins is the one.
    is_next: bool,
    /// What was said, by which the turn is known among others.
    ours: Option<Content>,
    /// What becomes of the session; none if it was named.
    after: Option<After>,
    waits: bool,
    /// The session did something since.
    was_busy: bool,
    /// The client is gone, and the turn is to end.
    is_gone: bool,
    steps: u32,
    answer: Answer,
}

impl Followed {
    async fn to_its_end(mut self) {
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
            Entry::TurnStarted { turn, parts } => {
                let is_ours = self.is_next || has(&parts, self.ours.as_ref());
                if self.answer.turn.is_none() && is_ours {
                    self.answer.turn = Some(turn);
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
            Entry::CallReceived { turn, call } if self.is_ours(&turn) => {
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

fn has(parts: &[Part], ours: Option<&Content>) -> bool {
    ours.is_some_and(|ours| parts.iter().any(|part| part.content == *ours))
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

async fn tidy(conversations: &Arc<dyn Conversations>, session: &SessionId, after: After) {
    let session = session.clone();
    let request = match after {
        After::Kept => return,
        After::PutAway => Request::Archive { session, archived: true },
        After::Removed => Request::Delete { session },
    };
    if let Err(error) = conversations.request(request).await {
        tracing::warn!(%error, "a session of a client could not be put away");
    }
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
