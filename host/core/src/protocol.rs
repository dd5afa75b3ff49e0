//! The protocol between a session and its clients: command line, terminal, page and channels
//! speak the same. What has a `seq` is in the journal; the rest is transient.

use crate::entry::Entry;
use crate::id::{CallId, SessionId};
use serde::{Deserialize, Serialize};

/// What the host tells a client.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every message is an entry; a box would only allocate for each"
)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// Something happened; it is in the journal under this number.
    Entry {
        /// The session.
        session: SessionId,
        /// Position in the session.
        seq: u64,
        /// What happened.
        entry: Entry,
    },
    /// How far a running call has come.
    Progress {
        /// The session.
        session: SessionId,
        /// The call.
        call_id: CallId,
        /// 0 to 1, when known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fraction: Option<f32>,
        /// A short text.
        note: String,
    },
    /// How far something has come that an answer waits for, such as a model that is fetched first.
    ModelProgress {
        /// The session.
        session: SessionId,
        /// 0 to 1, when known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fraction: Option<f32>,
        /// A short text.
        note: String,
    },
}

/// What a client tells the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// The person says something; it starts a turn.
    Say {
        /// The text.
        text: String,
    },
    /// The person answers an approval.
    Answer {
        /// The call that was asked about.
        call_id: CallId,
        /// The answer.
        answer: ApprovalAnswer,
    },
    /// The person wants the running turn to stop.
    Cancel,
}

/// The person's answer to an approval. No timer ever gives one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ApprovalAnswer {
    /// Run it, this time.
    Once,
    /// Run it, and calls like it for the rest of the session.
    Session {
        /// Which calls, as a pattern such as `web_fetch(example.com)`; the scope that was
        /// offered when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calls: Option<String>,
    },
    /// Run it, and calls like it from now on, until it is revoked or ends.
    Always {
        /// Which calls, as a pattern; the scope that was offered when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calls: Option<String>,
        /// After how many days it ends; never when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        days: Option<u32>,
    },
    /// Run it with other arguments.
    Edit {
        /// The arguments as JSON text.
        arguments: String,
    },
    /// Do not run it.
    Deny {
        /// What the model reads as the reason.
        #[serde(default)]
        reason: Option<String>,
    },
}
