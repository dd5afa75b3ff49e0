//! What the host tells a client: replies to its requests, what happens in the sessions it follows,
//! and what concerns the person.

use super::{Activity, NumberedEntry, SessionInfo, SessionMessage, SessionSettings, Stopped};
use crate::id::{CallId, SessionId, TurnId, UserId};
use crate::message::Usage;
use crate::money::Money;
use crate::policy::Mode;
use crate::tool::Impact;
use serde::{Deserialize, Serialize};

/// What the host tells a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The answer to a request.
    Reply {
        /// The request.
        id: u64,
        /// The answer.
        #[serde(flatten)]
        reply: Reply,
    },
    /// A request that was refused, or, without an identifier, a message that has none to read.
    Error {
        /// The request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// Why.
        #[serde(flatten)]
        error: RequestError,
    },
    /// A session that is followed is shown no more.
    Stopped {
        /// The session.
        session: SessionId,
        /// Why.
        reason: Stopped,
        /// The last number that was sent; 0 for none.
        last_seq: u64,
    },
    /// A session of the person is new or is another than it was: its title, its place, what it has
    /// of its own, what it does. Sent also for sessions that are not followed, the first change at
    /// once and then, for each session, how it is by then, at most twice a second.
    SessionChanged {
        /// The session as it is now.
        session: SessionInfo,
    },
    /// A session of the person was deleted.
    SessionDeleted {
        /// The session.
        session: SessionId,
    },
    /// A piece of the answer to an `aside`.
    Aside {
        /// The request.
        id: u64,
        /// The text.
        text: String,
    },
    /// Something the person is to be told; it is sent again on each connection until it was
    /// `seen`.
    Notification {
        /// What.
        notification: Notification,
    },
    /// The host is there, and this is what runs for the person; sent at intervals while something
    /// does.
    Heartbeat {
        /// Milliseconds since 1970-01-01 UTC.
        at_ms: u64,
        /// What runs.
        running: Vec<RunningTurn>,
    },
    /// The last message: the connection is closed after it.
    Goodbye {
        /// Why.
        #[serde(flatten)]
        error: RequestError,
    },
    /// What happens in a session that is followed.
    #[serde(untagged)]
    Session(SessionMessage),
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// It was done, and there is nothing more to say.
    Done,
    /// To `hello`.
    Welcome(Welcome),
    /// To `ping`.
    Pong {
        /// Milliseconds since 1970-01-01 UTC.
        at_ms: u64,
    },
    /// To `status`.
    Status(Status),
    /// To `create`, `open`, `rename`, `archive`, `fork` and `settings`.
    Session {
        /// The session as it is now.
        session: SessionInfo,
    },
    /// To `sessions`.
    Sessions {
        /// The sessions.
        sessions: Vec<SessionInfo>,
    },
    /// To `entries`.
    Entries {
        /// The session.
        session: SessionId,
        /// The entries, oldest first.
        entries: Vec<NumberedEntry>,
        /// The number after which to go on; absent at the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_after: Option<u64>,
    },
    /// To `export`.
    Export {
        /// IANA media type.
        media_type: String,
        /// The text.
        text: String,
    },
    /// To `search`.
    Found {
        /// What was found, the best first.
        found: Vec<Found>,
    },
    /// To `say`: the message is kept until its turn begins, also when the host is killed before.
    Accepted {
        /// The session.
        session: SessionId,
        /// Messages that wait before this one's turn begins; 0 when it begins at once.
        queued: u32,
        /// Its key was used before, and nothing is said a second time.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        repeated: bool,
    },
    /// To `compact`.
    Compacted {
        /// The session.
        session: SessionId,
        /// Turns that the summary stands for; 0 when there was nothing to sum up.
        turns: u32,
    },
    /// To `load_skill`.
    SkillLoaded {
        /// The session.
        session: SessionId,
        /// What hooks have to say of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notices: Vec<String>,
    },
    /// To `aside`.
    AsideEnded {
        /// The whole answer.
        text: String,
        /// Tokens.
        usage: Usage,
    },
    /// To `upload_begin` and `upload_part`.
    Upload {
        /// The file.
        upload: String,
        /// Bytes that are there.
        received: u64,
        /// All of them are.
        complete: bool,
    },
    /// To `models`.
    Models {
        /// Models, by provider and name.
        models: Vec<ModelOffer>,
    },
    /// To `tools`.
    Tools {
        /// Tools, by name.
        tools: Vec<ToolOffer>,
    },
    /// To `components`.
    Components {
        /// Components, by name.
        components: Vec<InstalledComponent>,
    },
    /// To `cost`.
    Cost {
        /// All of it.
        total: CostRow,
        /// By day, oldest first.
        days: Vec<CostRow>,
        /// By model.
        models: Vec<CostRow>,
    },
    /// To `notes`.
    Notes {
        /// The notes.
        notes: Vec<KeptNote>,
    },
    /// To `skills`.
    Skills {
        /// Skills, by name.
        skills: Vec<SkillOffer>,
    },
    /// To `policy`.
    Policy {
        /// How much may happen without asking.
        mode: Mode,
        /// The rules, in the order in which they are looked at.
        rules: Vec<PolicyLine>,
    },
}

/// What a client is told first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// [`super::PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The host's version.
    pub server: String,
    /// Identifies this run of the host; another one means that it was restarted.
    pub run: String,
    /// Whose sessions these are.
    pub user: UserId,
    /// What the token may do: `chat`, `read`, `admin`.
    pub scopes: Vec<String>,
    /// What is sent or said at most.
    pub limits: Limits,
    /// What sessions have that have nothing of their own.
    pub settings: SessionSettings,
    /// Requests that are understood, by their `type`.
    pub features: Vec<String>,
    /// Sessions that could not be resumed: they are gone, or never were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<SessionId>,
}

/// What is sent or said at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of one message of a client.
    pub message_bytes: u64,
    /// Attachments of one message.
    pub attachments: u32,
    /// Bytes of one attachment.
    pub attachment_bytes: u64,
    /// Messages that may wait in one session.
    pub queued: u32,
    /// Turns of the person that run at once; further ones wait.
    pub turns: u32,
    /// Sessions of the person that are in memory at once.
    pub sessions: u32,
    /// Seconds between heartbeats.
    pub heartbeat_seconds: u32,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// What kind of refusal.
    pub code: ErrorCode,
    /// A sentence with what to do next.
    pub message: String,
    /// When to try again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// What kind of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// It is no JSON of this protocol.
    BadMessage,
    /// The protocol has another number.
    UnsupportedProtocol,
    /// `hello` did not come first, or came twice.
    OutOfOrder,
    /// Nobody showed who they are.
    Unauthenticated,
    /// The token may not do this.
    Forbidden,
    /// There is no such thing, or it belongs to somebody else.
    NotFound,
    /// Several sessions begin so.
    Ambiguous,
    /// A value does not fit.
    Invalid,
    /// Too large.
    TooLarge,
    /// Too many wait already.
    Busy,
    /// A turn has to run for this, and none does.
    NothingRuns,
    /// A turn runs, and this has to wait for its end.
    TurnRuns,
    /// The call is not waiting for an answer.
    NotAsked,
    /// It was cancelled before it was done.
    Cancelled,
    /// Another process has the session open.
    Occupied,
    /// Everything is stopped by the emergency stop.
    Stopped,
    /// Too often; `retry_after_ms` says when again.
    RateLimited,
    /// The person has as many of these as they may have.
    LimitReached,
    /// The host ends.
    ShuttingDown,
    /// The host failed; its log says more.
    Internal,
    /// A code of a later version.
    #[serde(other)]
    Other,
}

/// How the host is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The host's version.
    pub server: String,
    /// When it started, in milliseconds since 1970-01-01 UTC.
    pub started_ms: u64,
    /// Now, likewise.
    pub now_ms: u64,
    /// Whose status it is.
    pub user: UserId,
    /// What sessions have that have nothing of their own.
    pub settings: SessionSettings,
    /// Everything is stopped by the emergency stop.
    pub stopped: bool,
    /// Sessions of the person in memory.
    pub sessions: u32,
    /// What runs for the person.
    pub running: Vec<RunningTurn>,
    /// Connections of the person.
    pub connections: u32,
    /// What does not work as it could, and why.
    pub degraded: Vec<Degraded>,
}

/// Something that does not work as it could.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degraded {
    /// Which part.
    pub part: String,
    /// Why, and what to do.
    pub reason: String,
}

/// A turn that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningTurn {
    /// The session.
    pub session: SessionId,
    /// The turn; absent while it waits to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// What the session does.
    pub activity: Activity,
    /// Milliseconds since it began.
    pub ms: u64,
    /// Calls that run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<RunningCall>,
}

/// A call that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningCall {
    /// The call.
    pub call_id: CallId,
    /// The tool.
    pub tool: String,
    /// Milliseconds since it began.
    pub ms: u64,
}

/// Something found in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The session.
    pub session: SessionId,
    /// Its title.
    pub title: String,
    /// The turn in which it was said; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// When it was said, in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// The text around it.
    pub excerpt: String,
}

/// A model that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOffer {
    /// The provider component.
    pub provider: String,
    /// The model, as the provider knows it.
    pub model: String,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Tokens it takes at most, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
    /// It is the one of the configuration.
    pub default: bool,
}

/// A tool on offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolOffer {
    /// Name.
    pub name: String,
    /// Title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does.
    pub description: String,
    /// The component that offers it.
    pub component: String,
    /// What it can do.
    pub impact: Impact,
    /// JSON Schema of the arguments.
    pub input_schema: serde_json::Value,
}

/// An installed component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledComponent {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// It is loaded.
    pub loaded: bool,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What requests to models cost together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostRow {
    /// The day, the model, or empty for all of it.
    pub group: String,
    /// Requests.
    pub requests: u64,
    /// Tokens.
    pub usage: Usage,
    /// Money of those whose cost is known, in US dollars.
    pub dollars: Money,
    /// Requests whose cost is not.
    pub unknown: u64,
}

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptNote {
    /// Identifier.
    pub note: String,
    /// Text.
    pub text: String,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// When it was last written, in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
}

/// A skill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillOffer {
    /// Name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The session that was asked about has taken it up.
    pub loaded: bool,
    /// Sessions load it at their first turn, by `skills.always`, unless it is unloaded before.
    pub always: bool,
    /// No model loads it.
    pub by_person_only: bool,
    /// Why it cannot be loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLine {
    /// What is to happen, and with which calls.
    pub rule: String,
    /// Where it comes from.
    pub from: String,
    /// What takes it back with `revoke`, if it can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}

/// Something a person is to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Identifier.
    pub notification: String,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// What kind, like `turn_ended`, `question` or `webhook`.
    pub kind: String,
    /// The session it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The text.
    pub text: String,
}

impl RequestError {
    /// A refusal with its sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }
}

impl From<SessionMessage> for ServerMessage {
    fn from(message: SessionMessage) -> Self {
        Self::Session(message)
    }
}
