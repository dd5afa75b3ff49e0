//! What a session tells everybody who follows it, and what there is to know of one. Who may
//! follow it, and over what, is not said here.

use crate::entry::Entry;
use crate::id::{CallId, SessionId, TurnId};
use crate::policy::Mode;
use serde::{Deserialize, Serialize};

/// What a session tells those who follow it.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every message is an entry; a box would only allocate for each"
)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SessionMessage {
    /// Something happened; it is in the journal under this number. Text and thinking come in
    /// pieces, an entry each, as the model says them.
    Entry {
        /// The session.
        session: SessionId,
        /// Position in the session, from 1. It grows; a number that is left out stands for an
        /// entry this version does not know.
        seq: u64,
        /// Milliseconds since 1970-01-01 UTC.
        #[serde(default)]
        at_ms: u64,
        /// What happened.
        entry: Entry,
    },
    /// How far a running call has come.
    Progress {
        /// The session.
        session: SessionId,
        /// The call; none for what an answer waits for, such as a model that is fetched first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call_id: Option<CallId>,
        /// 0 to 1, when known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fraction: Option<f32>,
        /// A short text.
        note: String,
    },
    /// What the session does changed: a turn began or ended, a person is awaited, or another
    /// message waits.
    State {
        /// The session.
        session: SessionId,
        /// What it does.
        activity: Activity,
        /// The turn that runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<TurnId>,
        /// Messages that wait for their turn.
        queued: u32,
    },
}

/// What a session does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// It is not in memory; it comes back when it is opened or something is said in it.
    #[default]
    Asleep,
    /// Nothing runs.
    Idle,
    /// A turn runs.
    Working,
    /// A turn waits for a person's answer.
    Asking,
    /// A turn waits because the person has as many running as they may have at once.
    Waiting,
}

/// Why a session that was followed is shown no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// The client read too slowly. It opens the session again with the last number it has.
    FellBehind,
    /// The session was deleted.
    Deleted,
    /// The session failed inside the host; opening it again goes on.
    Failed,
    /// The host ends.
    ShuttingDown,
}

/// An entry with its number, as a page of the journal has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberedEntry {
    /// Position in the session.
    pub seq: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// What happened.
    pub entry: Entry,
}

/// What a session has of its own instead of the configuration's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionSettings {
    /// The provider component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model, as the provider knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How hard the model thinks, in the service's words, such as `low` or `high`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<String>,
    /// How much may happen without asking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// What there is to know of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Identifier.
    pub session: SessionId,
    /// Title.
    pub title: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
    /// Last entry, in milliseconds since 1970-01-01 UTC.
    pub updated_ms: u64,
    /// Turns started.
    pub turns: u32,
    /// The last number in its journal; 0 when it is empty.
    pub last_seq: u64,
    /// It was put away.
    pub archived: bool,
    /// The session it was copied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<SessionId>,
    /// What it has of its own.
    #[serde(default)]
    pub settings: SessionSettings,
    /// What it does.
    pub activity: Activity,
    /// Messages that wait for their turn.
    #[serde(default)]
    pub queued: u32,
}
