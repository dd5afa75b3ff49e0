//! A turn on behalf of a client that waits for its answer: the session is found or begun, and the
//! message said. What comes of it is followed in `followed`; what that looks like to the client is
//! not known here.

use super::answer::{Answer, Piece, vanished};
use super::followed::Followed;
use super::models;
use super::said::Said;
use super::wire::{Failure, SESSION, new_id};
use crate::server::Listener;
use crate::tokens::TokenHolder;
use axum::response::Response;
use http::HeaderValue;
use hydroid_core::id::{ClientKey, SessionId};
use hydroid_core::policy::Mode;
use hydroid_core::ports::{Conversations, Saying};
use hydroid_core::protocol::{Activity, Reply, Request, SessionInfo, SessionSettings};
use hydroid_core::telemetry::Parent;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Pieces that wait for a client that reads slowly; the session itself waits for nobody.
pub(super) const PIECES: usize = 64;

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
    /// What the turn belongs to in traces of the client's.
    pub(crate) parent: Option<Parent>,
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
                Some(Piece::Began(_) | Piece::Text(_) | Piece::Thinking(_) | Piece::Call(_)) => {}
                None => return Err(vanished()),
            }
        }
    }
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
                followed.follow().await;
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
        None => (create(&conversations, &ask.said, &wanted, ask.waits).await?, true),
    };
    let (info, following) = conversations.follow(&named, None).await?;
    let session = info.session.clone();
    if info.activity == Activity::Asking && !ask.waits {
        let text = "a question waits for a person's answer in this session, and what is said waits behind it";
        return Err(Failure::ended(409, "session_asks", text));
    }
    if !is_own {
        speak_with(&conversations, &info, wanted).await?;
    }
    let parts = if info.turns == 0 { ask.said.with_earlier() } else { ask.said.alone() };
    // Two clients may say the same, so the turn is known by a key and not by what was said.
    let ours = ClientKey::new(new_id("openai-")?);
    let key = Some(ours.clone());
    // In a session of its own the turn is for the client alone.
    let saying = Saying { parts, key, parent: ask.parent, passing: is_own, ..Saying::default() };
    let accepted = conversations.say_once(&session, saying).await;
    if let Err(error) = accepted {
        if is_own {
            tidy(&conversations, &session, After::Removed).await;
        }
        return Err(error.into());
    }
    Ok(Followed {
        conversations,
        following,
        tell,
        is_next: is_own,
        after: is_own.then_some(ask.after),
        waits: ask.waits,
        ours: Some(ours),
        was_busy: false,
        is_gone: false,
        steps: 0,
        answer: Answer::begun(session),
    })
}

async fn create(
    conversations: &Arc<dyn Conversations>,
    said: &Said,
    wanted: &SessionSettings,
    waits: bool,
) -> Result<SessionId, Failure> {
    // Who may change nothing may not do so here either.
    let plans = conversations.settings().mode == Some(Mode::Plan);
    let mode = (!waits && !plans).then_some(Mode::Headless);
    let settings = SessionSettings { mode, ..wanted.clone() };
    match conversations
        .request(Request::Create { title: said.title(), settings, key: None })
        .await?
    {
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

/// Does with a session that was begun for one answer what is to become of it.
pub(super) async fn tidy(
    conversations: &Arc<dyn Conversations>,
    session: &SessionId,
    after: After,
) {
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
