//! The handle of a session and what it can be asked. The session itself is the task in `actor`.

use crate::clients::{Client, Shown, Subscription};
use hydroid_core::entry::Outcome;
use hydroid_core::id::{CallId, ClientKey, SessionId, TurnId, UserId};
use hydroid_core::message::{Content, Part, Usage};
use hydroid_core::money::Money;
use hydroid_core::ports::{Saying, Sink, SkillError, StoreError};
use hydroid_core::protocol::{ApprovalAnswer, SessionSettings};
use std::io;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// A session that is open. Clones are handles of the same session. When the last handle is
/// dropped, a running turn is cancelled, recorded as such, and the session closes.
#[derive(Clone, Debug)]
pub struct Session {
    id: SessionId,
    commands: mpsc::Sender<Command>,
}

/// A turn that was accepted. Dropping it does not stop the turn.
#[derive(Debug)]
pub struct TurnHandle {
    ended: oneshot::Receiver<TurnEnd>,
    /// Keeps the session open until the turn has ended.
    _session: mpsc::Sender<Command>,
}

/// How a turn ended, as its last entry says.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnReport {
    /// The turn.
    pub turn: TurnId,
    /// How it ended.
    pub outcome: Outcome,
    /// Tokens.
    pub usage: Usage,
    /// Money of those requests whose cost is known.
    pub dollars: Option<Money>,
    /// Calls that a rule denied; those a person declined are not among them.
    pub denied: u32,
}

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SayError {
    /// Nothing was said.
    #[error("the message is empty; write what is to be done")]
    Empty,
    /// Too many messages wait.
    #[error(
        "a turn is running and {waiting} messages wait already; wait for it, or cancel it first"
    )]
    Busy {
        /// Messages that wait.
        waiting: usize,
    },
    /// A turn has to run for this.
    #[error("no turn runs in this session; say it instead")]
    NothingRuns,
    /// Everything is stopped.
    #[error(
        "everything is stopped since `hydroid stop --all`; `hydroid stop --release` lets it go on"
    )]
    Stopped,
    /// The session is closed.
    #[error("the session is closed; open it again to go on")]
    Closed,
}

/// Why a session could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// A turn runs or waits.
    #[error("a turn runs in this session; wait for its end, or cancel it first")]
    TurnRuns,
    /// No such turn is in the conversation.
    #[error("no turn `{0}` is in this conversation")]
    NoTurn(TurnId),
    /// Everything is stopped.
    #[error(
        "everything is stopped since `hydroid stop --all`; `hydroid stop --release` lets it go on"
    )]
    Stopped,
    /// A skill cannot be taken up or laid down.
    #[error(transparent)]
    Skill(SkillError),
    /// The journal did not accept it.
    #[error("the session could not be changed")]
    Journal(#[source] StoreError),
    /// The session is closed.
    #[error("the session is closed; open it again to go on")]
    Closed,
}

/// Why an answer had no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Nobody asked, or no longer.
    #[error(
        "call `{0}` is not waiting for an answer; it was answered already or its turn has ended"
    )]
    NotAsked(CallId),
    /// Somebody else was asked.
    #[error("call `{call}` was put to `{asked}`; only they answer it")]
    NotYours {
        /// The call.
        call: CallId,
        /// Who was asked.
        asked: UserId,
    },
    /// The answer cannot be given to this call.
    #[error("{0}")]
    Unfit(String),
    /// The session is closed.
    #[error("the session is closed; open it again to go on")]
    Closed,
}

/// Why a conversation was not summed up. Nothing of it was lost.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// A turn runs.
    #[error("a turn is running; wait for it, or cancel it first")]
    Busy,
    /// The journal could not be written.
    #[error("the summary could not be recorded, so the conversation is as it was")]
    Journal(#[source] StoreError),
    /// It was cancelled, or the session closed.
    #[error("the summary was not made, so the conversation is as it was; ask for it again")]
    Closed,
}

/// Why a turn has no recorded end.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The journal did not accept what happened, so nothing more was done or shown.
    #[error(
        "the turn was stopped because its journal could not be written; what was shown until then is kept, and saying something tries again"
    )]
    Journal(#[source] StoreError),
    /// The secrets to mask could not be looked for, so nothing was recorded.
    #[error("the turn did not begin, because no text can be searched for secrets now: {0}")]
    Secrets(String),
    /// The session closed before the turn began.
    #[error("the session closed before this message was looked at; open it again and say it again")]
    Closed,
}

/// What a session is asked.
#[derive(Debug)]
pub(crate) enum Command {
    Say {
        saying: Saying,
        reply: oneshot::Sender<Result<oneshot::Receiver<TurnEnd>, SayError>>,
    },
    /// The turn that waited for a person when the session was opened, asked for once.
    Restored {
        reply: oneshot::Sender<Option<oneshot::Receiver<TurnEnd>>>,
    },
    Answer {
        by: UserId,
        call_id: CallId,
        answer: ApprovalAnswer,
        reply: oneshot::Sender<Result<(), AnswerError>>,
    },
    Cancel,
    Steer {
        parts: Vec<Part>,
        key: Option<ClientKey>,
        reply: oneshot::Sender<Result<(), SayError>>,
    },
    Rewind {
        to: Option<TurnId>,
        reply: oneshot::Sender<Result<(), ChangeError>>,
    },
    Set {
        settings: SessionSettings,
        reply: oneshot::Sender<Result<(), ChangeError>>,
    },
    /// Takes a skill up. Tells what hooks have to say of it.
    LoadSkill {
        name: String,
        reply: oneshot::Sender<Result<Vec<String>, ChangeError>>,
    },
    UnloadSkill {
        name: String,
        reply: oneshot::Sender<Result<(), ChangeError>>,
    },
    /// Tells the names of the skills that are taken up.
    LoadedSkills {
        reply: oneshot::Sender<Vec<String>>,
    },
    /// Sums the older part of the conversation up. Tells how many turns the summary stands for;
    /// 0 if there was nothing to gain.
    Compact {
        reply: oneshot::Sender<Result<u32, CompactError>>,
    },
    Subscribe(Client),
    /// `closed` is told, once nothing runs any more, what the clients still have to be shown.
    Close {
        closed: oneshot::Sender<Shown>,
    },
    /// As `Close`, but a question that waits for a person stays open.
    Leave {
        closed: oneshot::Sender<Shown>,
    },
}

/// How a turn ended, and when every client has been shown it.
#[derive(Debug)]
pub(crate) struct TurnEnd {
    pub(crate) result: Result<TurnReport, TurnError>,
    pub(crate) shown: Shown,
}

impl Session {
    pub(crate) fn new(id: SessionId, commands: mpsc::Sender<Command>) -> Self {
        Self { id, commands }
    }

    /// The session.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Says something, which starts a turn, or queues one when a turn is running. Waits while
    /// the mailbox is full; refuses when too many messages are queued.
    pub async fn say(&self, parts: Vec<Part>) -> Result<TurnHandle, SayError> {
        self.hear(Saying { parts, ..Saying::default() }).await
    }

    /// As `say`, with what else the client gave: a key, which the journal keeps with the turn, and
    /// what the turn belongs to in traces of the client's.
    pub(crate) async fn hear(&self, saying: Saying) -> Result<TurnHandle, SayError> {
        if !saying.parts.iter().any(says_something) {
            return Err(SayError::Empty);
        }
        let (reply, accepted) = oneshot::channel();
        let command = Command::Say { saying, reply };
        self.commands.send(command).await.map_err(|_| SayError::Closed)?;
        let ended = accepted.await.map_err(|_| SayError::Closed)??;
        Ok(TurnHandle { ended, _session: self.commands.clone() })
    }

    /// The turn that waited for a person when the session was opened and goes on now; none if
    /// there was none, or if somebody asked for it before.
    pub async fn restored(&self) -> Option<TurnHandle> {
        let (reply, restored) = oneshot::channel();
        self.commands.send(Command::Restored { reply }).await.ok()?;
        let ended = restored.await.ok()??;
        Some(TurnHandle { ended, _session: self.commands.clone() })
    }

    /// Answers an approval that is asked for. Only the person it was put to may.
    pub async fn answer(
        &self,
        by: UserId,
        call_id: CallId,
        answer: ApprovalAnswer,
    ) -> Result<(), AnswerError> {
        let (reply, answered) = oneshot::channel();
        let command = Command::Answer { by, call_id, answer, reply };
        self.commands.send(command).await.map_err(|_| AnswerError::Closed)?;
        answered.await.map_err(|_| AnswerError::Closed)?
    }

    /// Says something into the running turn, which the model reads before its next step.
    pub async fn steer(&self, parts: Vec<Part>) -> Result<(), SayError> {
        self.steer_under(None, parts).await
    }

    /// As `steer`, under a key of the client's that the journal keeps with it.
    pub(crate) async fn steer_under(
        &self,
        key: Option<ClientKey>,
        parts: Vec<Part>,
    ) -> Result<(), SayError> {
        if !parts.iter().any(says_something) {
            return Err(SayError::Empty);
        }
        let (reply, steered) = oneshot::channel();
        let command = Command::Steer { parts, key, reply };
        self.commands.send(command).await.map_err(|_| SayError::Closed)?;
        steered.await.map_err(|_| SayError::Closed)?
    }

    /// Lets the conversation forget a turn and all that follows it, or everything.
    pub async fn rewind(&self, to: Option<TurnId>) -> Result<(), ChangeError> {
        let (reply, rewound) = oneshot::channel();
        self.commands.send(Command::Rewind { to, reply }).await.map_err(|_| ChangeError::Closed)?;
        rewound.await.map_err(|_| ChangeError::Closed)?
    }

    /// Replaces what the session has of its own, from its next turn on.
    pub async fn set(&self, settings: SessionSettings) -> Result<(), ChangeError> {
        let (reply, set) = oneshot::channel();
        let command = Command::Set { settings, reply };
        self.commands.send(command).await.map_err(|_| ChangeError::Closed)?;
        set.await.map_err(|_| ChangeError::Closed)?
    }

    /// Takes a skill up for a person: from the next turn on the model reads what it says. Returns
    /// what there is to say of it. `cancel` stops it.
    pub async fn load_skill(&self, name: String) -> Result<Vec<String>, ChangeError> {
        let (reply, loaded) = oneshot::channel();
        let command = Command::LoadSkill { name, reply };
        self.commands.send(command).await.map_err(|_| ChangeError::Closed)?;
        loaded.await.map_err(|_| ChangeError::Closed)?
    }

    /// Lays a skill down for a person.
    pub async fn unload_skill(&self, name: String) -> Result<(), ChangeError> {
        let (reply, unloaded) = oneshot::channel();
        let command = Command::UnloadSkill { name, reply };
        self.commands.send(command).await.map_err(|_| ChangeError::Closed)?;
        unloaded.await.map_err(|_| ChangeError::Closed)?
    }

    /// Names of the skills that are taken up, also where nothing was said yet.
    pub async fn loaded_skills(&self) -> Vec<String> {
        let (reply, loaded) = oneshot::channel();
        // A session that is closed has none.
        drop(self.commands.send(Command::LoadedSkills { reply }).await);
        loaded.await.unwrap_or_default()
    }

    /// Stops the running turn, if there is one. Messages that are queued stay so.
    pub async fn cancel(&self) {
        // A session that is closed has nothing to cancel.
        drop(self.commands.send(Command::Cancel).await);
    }

    /// Has the older part of the conversation summed up, and waits for it; who asks while it is
    /// being done waits for the same. Returns how many turns
    /// the summary stands for; 0 if there was nothing to gain.
    pub async fn compact(&self) -> Result<u32, CompactError> {
        let (reply, compacted) = oneshot::channel();
        let command = Command::Compact { reply };
        self.commands.send(command).await.map_err(|_| CompactError::Closed)?;
        compacted.await.map_err(|_| CompactError::Closed)?
    }

    /// Adds a client, which is shown everything from now on; the journal has what was before.
    /// `Sink::emit` is called on a thread of its own and may block; a client that is too slow is
    /// dropped, and the subscription then says where it has to read on in the journal.
    pub async fn subscribe(&self, sink: Arc<dyn Sink>) -> io::Result<Subscription> {
        let (client, subscription) = Client::start(sink)?;
        // A session that is closed shows nothing any more.
        drop(self.commands.send(Command::Subscribe(client)).await);
        Ok(subscription)
    }

    /// Cancels the running turn, forgets queued messages and waits until all is recorded, every
    /// task has ended and, shortly, the clients have been shown it.
    pub async fn close(self) {
        let (closed, when_closed) = oneshot::channel();
        drop(self.commands.send(Command::Close { closed }).await);
        self.gone(when_closed).await;
    }

    /// Closes the session, but leaves a question that waits for a person open: it is asked again
    /// when the session is opened the next time. What runs comes to its end, or to a question,
    /// first.
    pub async fn leave(self) {
        let (closed, when_closed) = oneshot::channel();
        drop(self.commands.send(Command::Leave { closed }).await);
        self.gone(when_closed).await;
    }

    async fn gone(self, when_closed: oneshot::Receiver<Shown>) {
        let shown = when_closed.await.unwrap_or_default();
        self.commands.closed().await;
        shown.wait_shortly().await;
    }
}

impl TurnHandle {
    /// Waits for the end of the turn and until the clients were shown it, as [`Shown::wait`] does.
    pub async fn ended(self) -> Result<TurnReport, TurnError> {
        let (result, shown) = self.recorded().await;
        shown.wait().await;
        result
    }

    /// Waits for the end of the turn only; clients may still be behind, as `Shown` can tell.
    pub async fn recorded(self) -> (Result<TurnReport, TurnError>, Shown) {
        match self.ended.await {
            Ok(end) => (end.result, end.shown),
            Err(_) => (Err(TurnError::Closed), Shown::default()),
        }
    }
}

fn says_something(part: &Part) -> bool {
    match &part.content {
        Content::Text { text } => !text.trim().is_empty(),
        Content::Media { .. }
        | Content::Json { .. }
        | Content::Link { .. }
        | Content::Other { .. } => true,
        Content::Thinking { .. } | Content::ToolCall { .. } | Content::ToolResult { .. } => false,
    }
}
