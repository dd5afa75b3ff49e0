//! The agent: what it needs from the host, and how a session is opened. What happens in a session
//! is in `actor`.

use crate::actor::Actor;
use crate::clients::Client;
use crate::session::Session;
use crate::skills;
use hydroid_core::config::Config;
use hydroid_core::entry::Entry;
use hydroid_core::id::{CallId, SessionId, UserId};
use hydroid_core::models::Models;
use hydroid_core::policy::{Mode, PolicyRule};
use hydroid_core::ports::{
    Approvals, Audit, Clock, Hooks, Journal, Model, PromptFiles, Recall, SecretPlaces, Sink,
    Skills, StoreError, Telemetry, Tools,
};
use hydroid_core::protocol::SkillOffer;
use hydroid_core::scrub::{LiveScrubber, Scrubber};
use hydroid_core::skill;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{mpsc, watch};

/// Commands that may wait in a session's mailbox; the next sender waits.
const MAILBOX: usize = 32;

/// Everything an agent needs from the host.
pub struct AgentParts {
    /// Models, through a meter.
    pub model: Arc<dyn Model>,
    /// Tools.
    pub tools: Arc<dyn Tools>,
    /// Who is asked at the points of the loop.
    pub hooks: Arc<dyn Hooks>,
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// What people allowed for good.
    pub approvals: Arc<dyn Approvals>,
    /// What the person keeps and has said.
    pub recall: Arc<dyn Recall>,
    /// The person's own files.
    pub files: Arc<dyn PromptFiles>,
    /// The person's skills.
    pub skills: Arc<dyn Skills>,
    /// Where something secret has gone.
    pub secret_places: Arc<dyn SecretPlaces>,
    /// The audit log.
    pub audit: Arc<dyn Audit>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// True while everything is stopped.
    pub stop: watch::Receiver<bool>,
    /// What may leave a model's answer and a tool's result.
    pub scrubber: LiveScrubber,
    /// The configuration.
    pub config: Arc<Config>,
    /// What is known of models.
    pub models: Arc<Models>,
    /// Where spans go; none where nobody wants any.
    pub telemetry: Option<Arc<dyn Telemetry>>,
    /// Mints a text for each turn that no other turn of the host has.
    pub new_turn_id: Arc<dyn Fn() -> String + Send + Sync>,
}

/// Opens sessions. Clones share the list of those that are open.
#[derive(Clone)]
pub struct Agent {
    parts: Arc<AgentParts>,
    open: Arc<Mutex<BTreeMap<SessionId, Weak<()>>>>,
}

/// What to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// The person.
    pub user: UserId,
    /// The session.
    pub session: SessionChoice,
    /// How much may happen without asking.
    pub mode: Mode,
    /// Nobody can be asked here.
    pub headless: bool,
    /// Where the person speaks: `terminal`, or the name of a channel.
    pub channel: String,
    /// Calls the person allowed for this session beforehand.
    pub allow: Vec<PolicyRule>,
}

/// Which session to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionChoice {
    /// A new one under this identifier. It is in the journal once something was said.
    New(SessionId),
    /// One that is in the journal.
    Existing(SessionId),
}

/// Why a session could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// This process has it open.
    #[error("session `{0}` is open already; use that one, or close it first")]
    AlreadyOpen(SessionId),
    /// A person has to answer first, and here is none.
    #[error(
        "session `{session}` waits for an answer about the call `{call}`; a person can give it with `hydroid approval answer {call} once` (or `deny`), or in a terminal with `hydroid chat --session {session}`"
    )]
    Waiting {
        /// The session.
        session: SessionId,
        /// The call that is asked about.
        call: CallId,
    },
    /// The journal could not be read or written.
    #[error("session `{session}` could not be opened")]
    Journal {
        /// The session.
        session: SessionId,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The client's thread could not be started.
    #[error("a thread for the client could not be started; the machine has too many already")]
    Client(#[source] io::Error),
}

impl Agent {
    /// An agent of these parts.
    pub fn new(parts: AgentParts) -> Self {
        Self { parts: Arc::new(parts), open: Arc::default() }
    }

    /// What it was made of.
    pub(crate) fn parts(&self) -> &AgentParts {
        &self.parts
    }

    /// Opens a session, within a tokio runtime. `sink` is shown everything from now on and may
    /// block: it misses nothing, and a turn waits for it when it falls far behind. A turn that an earlier process left open is closed first, as interrupted.
    pub async fn open(&self, open: OpenSession, sink: Arc<dyn Sink>) -> Result<Session, OpenError> {
        let (commands, mailbox) = mpsc::channel(MAILBOX);
        let entered = self.enter(open.session.id())?;
        let id = open.session.id().clone();
        let exists = matches!(open.session, SessionChoice::Existing(_));
        let (client, _) = Client::start(sink).map_err(OpenError::Client)?;
        let mut actor = Actor::new(Arc::clone(&self.parts), open, client, entered, mailbox);
        if exists {
            actor
                .resume()
                .await
                .map_err(|source| OpenError::Journal { session: id.clone(), source })?;
            if let Some(call) = actor.waits_for_nobody() {
                return Err(OpenError::Waiting { session: id, call });
            }
        }
        tokio::spawn(actor.run());
        Ok(Session::new(id, commands))
    }

    /// A person's skills, and which of them a session has taken up; one that is not in the journal
    /// yet has none.
    pub async fn skills(
        &self,
        user: &UserId,
        session: Option<&SessionId>,
    ) -> Result<Vec<SkillOffer>, StoreError> {
        let entries = match session {
            Some(session) => match self.parts.entries(user, session).await {
                Err(StoreError::NoSession(_)) => Vec::new(),
                entries => entries?,
            },
            None => Vec::new(),
        };
        Ok(skills::offers(&self.parts, &skill::loaded(&entries)).await)
    }

    /// Two tasks for one session would write over each other.
    fn enter(&self, id: &SessionId) -> Result<Entered, OpenError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, entered| entered.strong_count() > 0);
        if open.contains_key(id) {
            return Err(OpenError::AlreadyOpen(id.clone()));
        }
        let entered = Arc::new(());
        open.insert(id.clone(), Arc::downgrade(&entered));
        Ok(Entered { _open: entered })
    }
}

/// A session is on the list of open ones for as long as its task holds this.
#[derive(Debug)]
pub(crate) struct Entered {
    _open: Arc<()>,
}

impl SessionChoice {
    /// The session's identifier.
    pub fn id(&self) -> &SessionId {
        match self {
            Self::New(id) | Self::Existing(id) => id,
        }
    }
}

impl AgentParts {
    /// The scrubber of the secrets as they are now; an error says why there is none.
    pub(crate) async fn refreshed_scrubber(&self) -> Result<Scrubber, String> {
        let shared = self.scrubber.clone();
        // It may ask a database.
        tokio::task::spawn_blocking(move || shared.refreshed())
            .await
            .unwrap_or_else(|_| Err("a defect in the host stopped looking for them".to_owned()))
    }

    /// Entries of a session as the journal has them.
    pub(crate) async fn entries(
        &self,
        user: &UserId,
        session: &SessionId,
    ) -> Result<Vec<Entry>, StoreError> {
        let stored = self.journal.entries(user, session, 0).await?;
        Ok(stored.into_iter().map(|stored| stored.entry).collect())
    }
}

impl std::fmt::Debug for AgentParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentParts").field("config", &self.config).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").finish_non_exhaustive()
    }
}
