//! Ports: the only traits between crates. `wasm` and `memory` implement them, `agent` uses them,
//! `cli` brings them together. What is kept for components and for people has a file each.

mod administration;
mod answer_cache;
mod approvals;
mod audit;
mod calls;
mod cancel;
mod conversations;
mod embedder;
mod hooks;
mod household;
mod key_values;
mod known_secrets;
mod ledger;
mod nested_calls;
mod parsers;
mod prompt_files;
mod rate_limits;
mod recall;
mod remotes;
mod request_budget;
mod secret_places;
mod skills;
mod store_service;
mod telemetry;
mod waiting;

pub use administration::{AdminError, AdminRequest, Administration, ConfigChange, Hidden};
pub use answer_cache::{AnswerCache, KeepLimits, KeptAnswer};
pub use approvals::{Approvals, StandingApproval};
pub use audit::Audit;
pub use calls::{AskedCall, CallQuestion, CallWatch, Caller, Callers};
pub use cancel::{CancelFlag, Cancelled};
pub use conversations::{LONGEST_TITLE, StoredSession, StoredSessions};
pub use embedder::{EmbedError, EmbedPurpose, Embedder, EmbedderDescription};
pub use hooks::Hooks;
pub use household::{Conversations, Follow, Following, Household, Inventory, News, Saying};
pub use key_values::{
    KeyError, KeyOwner, KeyValues, LARGEST_COMPONENT_STATE, LARGEST_VALUE, LONGEST_KEY, MOST_KEYS,
    check_key, check_value,
};
pub use known_secrets::KnownSecrets;
pub use ledger::{Charge, Grouping, Ledger, RequestNumber, Since, Spent, SpentBy};
pub use nested_calls::{ChildTask, NestedAnswer, NestedCalls};
pub use parsers::{ParseError, ParsedDocument, ParsedSection, Parsers};
pub use prompt_files::{PromptFile, PromptFiles};
pub use rate_limits::{RateLimit, RateLimits, RateWindows};
pub use recall::{
    Hit, LONGEST_NOTE, LONGEST_SCRATCHPAD, LONGEST_TAG, MOST_HITS, MOST_NOTES, MOST_TAGS, Note,
    Order, Origin, Question, Recall, RecallError, Scope, Scopes, Source, Why, check_scratchpad,
    normal_tag,
};
pub use remotes::{RemoteAnswer, RemoteError, RemoteRequest, Remotes};
pub use request_budget::{FullWindow, RequestBudget, RequestWindow, Sent, full_window};
pub use secret_places::{BadPlace, SawSecret, SecretPlace, SecretPlaces};
pub use skills::{FoundSkill, SessionSkills, SkillError, Skills};
pub use store_service::{ServiceAnswer, ServiceError, StoreService};
pub use telemetry::{SpanCounts, Telemetry};
pub use waiting::WaitingMessages;

use crate::entry::Entry;
use crate::id::{CallId, ComponentId, SessionId, TurnId, UserId};
use crate::message::{Message, StopReason, Usage};
use crate::money::Money;
use crate::protocol::SessionMessage;
use crate::reliability::ModelNews;
use crate::telemetry::Trace;
use crate::tool::{CheckedCall, Preview, ToolCall, ToolDetails, ToolOutput, ToolSpec};
use futures_core::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Models offered by provider components.
pub trait Model: Send + Sync {
    /// Starts an answer. Dropping the completion ends the exchange with the service.
    fn complete(
        &self,
        request: ModelRequest,
        context: CallContext,
    ) -> BoxFuture<'_, Result<Box<dyn Completion>, ModelError>>;
}

/// An answer in progress.
pub trait Completion: Send {
    /// Waits for at least one event; an empty list is the end.
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<ModelEvent>, ModelError>>;
}

/// One request to a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelRequest {
    /// The provider component.
    pub provider: ComponentId,
    /// The model, as the provider knows it.
    pub model: String,
    /// Instructions of the operator.
    pub system: String,
    /// The conversation, oldest first, every tool call with its result.
    pub messages: Vec<Message>,
    /// Tools offered.
    pub tools: Vec<ToolSpec>,
    /// Most output tokens.
    pub max_tokens: Option<u32>,
    /// Sampling temperature.
    pub temperature: Option<f32>,
    /// Further settings as a JSON object.
    pub options: Option<serde_json::Value>,
}

/// One piece of an answer. The JSON shape is that of answers that are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelEvent {
    /// Text to append.
    Text(String),
    /// Thinking to append.
    Thinking {
        /// Readable text.
        text: String,
        /// What the provider wants back verbatim.
        opaque: Option<Vec<u8>>,
    },
    /// A call begins.
    CallStarted {
        /// Position among the calls of this answer.
        index: u32,
        /// Identifier, as the provider gave it.
        id: String,
        /// Name of the tool.
        name: String,
    },
    /// More of its arguments.
    CallArguments {
        /// Position among the calls of this answer.
        index: u32,
        /// Fragment of the JSON text.
        fragment: String,
    },
    /// A call is complete.
    CallEnded {
        /// Position among the calls of this answer.
        index: u32,
    },
    /// A source the model cites.
    Cited {
        /// Where it is.
        uri: String,
        /// Its title.
        title: Option<String>,
    },
    /// Usage so far; later ones replace earlier ones.
    Usage(Usage),
    /// What it has cost so far, as the host reckons; none when nobody can tell. Later ones replace
    /// earlier ones; an answer without one, such as one that was kept, costs nothing. No component
    /// sends this.
    Charged(Option<Money>),
    /// The answer ended.
    Finished(StopReason),
    /// A value of a kind this version does not name.
    Other {
        /// Namespaced kind.
        kind: String,
        /// JSON text.
        json: String,
    },
    /// The host tells something of the request; the model did not say it.
    News(ModelNews),
}

/// Why a model could not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ModelError {
    /// What kind of failure, in the contract's words: `rate-limited`, `unauthenticated` …
    pub kind: String,
    /// One sentence with what to do next.
    pub message: String,
    /// When to try again, in milliseconds; none where that does not help.
    pub retry_after_ms: Option<u32>,
    /// The request may have reached the service, so sending it again may cost again.
    pub sent: bool,
}

impl ModelError {
    /// The kind of a request that was not sent because a budget of money is used up.
    pub const BUDGET: &'static str = "budget";
}

/// Tools offered by components.
pub trait Tools: Send + Sync {
    /// The tools on offer, sorted by name.
    fn specs(&self) -> Vec<ToolSpec>;
    /// What else its component says of a tool, for who offers it to others; none if it says
    /// nothing.
    fn details(&self, _name: &str) -> Option<ToolDetails> {
        None
    }
    /// Checks that the tool exists and that the arguments fit its schema. The error is a sentence
    /// the model can act on.
    fn check(&self, call: &ToolCall) -> Result<CheckedCall, String>;
    /// Runs a call. It always answers: a failure is an output the model reads. Dropping the
    /// future ends the call.
    ///
    /// A call that carries a preview does exactly what the preview showed, or nothing: what
    /// changed in between is an output that says so.
    fn run(&self, call: CheckedCall, context: CallContext) -> BoxFuture<'_, ToolOutput>;
    /// What a call would do, found out without doing it, for the person who is asked. None when
    /// the arguments say it all.
    fn preview(&self, call: CheckedCall, context: CallContext) -> BoxFuture<'_, Option<Preview>>;
}

/// On whose behalf something runs, and how it is told to stop.
#[derive(Clone)]
pub struct CallContext {
    /// The person.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// The turn.
    pub turn: TurnId,
    /// The call; none when a model is asked.
    pub call: Option<CallId>,
    /// Set when the caller wants the call to end.
    pub cancel: CancelFlag,
    /// Told how far a call has come; not journalled.
    pub progress: Arc<dyn Fn(Option<f32>, String) + Send + Sync>,
    /// Set when the call was handed something secret.
    pub secret: SawSecret,
    /// What spans of it are parts of.
    pub trace: Trace,
    /// Who runs what the call itself asks for; none where no session decides on it.
    pub nested: Option<Arc<dyn NestedCalls>>,
    /// Whoever reads the result wants data of it beside the text, where a tool gives both.
    pub wants_data: bool,
}

impl std::fmt::Debug for CallContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallContext")
            .field("user", &self.user)
            .field("session", &self.session)
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

/// The journal of sessions.
pub trait Journal: Send + Sync {
    /// Creates a session of a user.
    fn create(&self, session: NewSession) -> BoxFuture<'_, Result<(), StoreError>>;
    /// Appends entries in one transaction and returns the sequence number of the last. They
    /// survive `kill -9` once this returns.
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        entries: &'a [Entry],
        now_ms: u64,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;
    /// As `append`, for entries that begin the turn of a message that waited: it waits no more, in
    /// the same transaction.
    fn append_begun<'a>(
        &'a self,
        session: &'a SessionId,
        entries: &'a [Entry],
        waited: u64,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;
    /// Entries of a session after a sequence number, oldest first. A session of another user
    /// does not exist.
    fn entries<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        after: u64,
    ) -> BoxFuture<'a, Result<Vec<StoredEntry>, StoreError>>;
    /// Sessions of a user, newest first.
    fn sessions<'a>(
        &'a self,
        user: &'a UserId,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<SessionSummary>, StoreError>>;
    /// Gives a session of a user another title.
    fn rename<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        title: String,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// A session to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Identifier, minted by the caller.
    pub id: SessionId,
    /// Owner.
    pub user: UserId,
    /// Title to show; the first words of the first message.
    pub title: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEntry {
    /// Position in the session, from 1, without gaps.
    pub seq: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// The entry.
    pub entry: Entry,
}

/// What a list of sessions shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSummary {
    /// Identifier.
    pub id: SessionId,
    /// Title.
    pub title: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
    /// Last entry, in milliseconds since 1970-01-01 UTC.
    pub updated_ms: u64,
    /// Turns started.
    pub turns: u32,
}

/// Why the database could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No session of that identifier belongs to the user.
    #[error("no session `{0}`; `hydroid session list` shows yours")]
    NoSession(SessionId),
    /// A session of that identifier exists.
    #[error("session `{0}` exists already")]
    SessionExists(SessionId),
    /// The database refused.
    #[error("the database could not {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Named credentials. Values never leave the host.
pub trait Secrets: Send + Sync {
    /// The value of a secret of a user; none if it is not set.
    fn value(&self, user: &UserId, name: &str) -> Result<Option<SecretValue>, SecretError>;
    /// Values to be masked wherever they appear.
    fn known_values(&self, user: &UserId) -> Vec<SecretValue>;
    /// Keeps a value that a service gave instead of the one it had, such as a new refresh token.
    /// A source that the host only reads from refuses.
    fn store(&self, _: &UserId, name: &str, _: &SecretValue) -> Result<(), SecretError> {
        let problem = "where it comes from is only read by the host".to_owned();
        Err(SecretError { name: name.to_owned(), problem })
    }
}

/// A secret that exists but cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("secret `{name}` cannot be read: {problem}")]
pub struct SecretError {
    /// Its name.
    pub name: String,
    /// Why, without the value.
    pub problem: String,
}

/// The value of a secret. It is not printed and is wiped when dropped.
#[derive(Clone)]
pub struct SecretValue(zeroize::Zeroizing<String>);

impl SecretValue {
    /// Wraps a value.
    pub fn new(value: String) -> Self {
        Self(zeroize::Zeroizing::new(value))
    }

    /// The value, for the one place that sends or masks it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// Time, so that tests can hold it.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> u64;
}

/// A client of a session.
pub trait Sink: Send + Sync {
    /// Shows something that is in the journal already, or is transient by nature.
    fn emit(&self, message: SessionMessage);
}
