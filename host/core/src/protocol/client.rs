//! What a client tells the host. Every message is a request with an identifier, and is answered
//! by exactly one reply or error that repeats it.

use super::{ApprovalAnswer, SessionSettings};
use crate::id::{CallId, ClientKey, SessionId, TurnId};
use crate::message::Bytes;
use serde::{Deserialize, Serialize};

/// One request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientMessage {
    /// The client's own number for it, repeated in the reply.
    pub id: u64,
    /// What is wanted.
    #[serde(flatten)]
    pub request: Request,
}

/// What a client wants. A `session` may be shortened to any beginning that only one session has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    // ---- the connection ----
    /// Who speaks; the first message, and the only one of its kind. Answered by `welcome`, after
    /// which each session to be resumed is followed from its entry on.
    Hello {
        /// [`super::PROTOCOL_VERSION`].
        protocol: u32,
        /// A token, unless the connection itself has shown who it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// The program that speaks.
        client: ClientProgram,
        /// Sessions the client followed before, and the last number it has of each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        resume: Vec<Resume>,
    },
    /// Whether anybody is there. Answered by `pong`.
    Ping,
    /// How the host is. Answered by `status`.
    Status,
    /// Notifications that were shown to a person; they are not sent again. Answered by `done`.
    Seen {
        /// Their identifiers.
        notifications: Vec<String>,
    },

    // ---- sessions ----
    /// Begins a session, and follows it. It is in the journal from then on. With a key that a
    /// session was begun with before, that session is the answer. Answered by `session`.
    Create {
        /// Title; the first words that are said when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// What it has of its own.
        #[serde(default)]
        settings: SessionSettings,
        /// The client's own key for it, so that asking again makes nothing twice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<ClientKey>,
    },
    /// Lists sessions, newest first. Answered by `sessions`.
    Sessions {
        /// Those that were put away instead of the others.
        #[serde(default)]
        archived: bool,
        /// How many; 50 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// Follows a session. Answered by `session`; then come its entries after `after`, then what
    /// happens. One that is followed already is begun anew from there.
    Open {
        /// The session.
        session: SessionId,
        /// The last number the client has; all entries are sent when it is 0. Absent, only what
        /// happens from now on is sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// Follows a session no more; what runs in it goes on. Answered by `done`.
    Close {
        /// The session.
        session: SessionId,
    },
    /// Reads a part of a session without following it. Answered by `entries`.
    Entries {
        /// The session.
        session: SessionId,
        /// After this number.
        #[serde(default)]
        after: u64,
        /// How many at most; 200 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// Gives a session another title. Answered by `session`.
    Rename {
        /// The session.
        session: SessionId,
        /// The title.
        title: String,
    },
    /// Puts a session away, or takes it out again. Answered by `session`.
    Archive {
        /// The session.
        session: SessionId,
        /// Whether it is to be away.
        archived: bool,
    },
    /// Copies a session into a new one, up to the end of its last turn that has ended. With a key
    /// that a session was begun with before, that session is the answer. Answered by `session`, the
    /// new one, which is not followed.
    Fork {
        /// The session.
        session: SessionId,
        /// The copy ends before this turn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<TurnId>,
        /// Title; that of the session when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// The client's own key for the copy, so that asking again makes nothing twice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<ClientKey>,
    },
    /// Lets the conversation forget a turn and all that follows it. Nothing is removed from the
    /// journal, and nothing that was done is undone. Refused while a turn runs. Answered by `done`.
    Rewind {
        /// The session.
        session: SessionId,
        /// The first turn to be forgotten; the whole conversation when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<TurnId>,
    },
    /// Sums the older part of the conversation up now, so that the newer has room; the journal keeps
    /// every word. It is an entry of kind `compacted`, and the last turn is always kept. Refused with
    /// `turn_runs` while a turn runs or a message waits; asked again meanwhile, the one summary
    /// answers both. `cancel` stops it. Answered by `compacted`.
    Compact {
        /// The session.
        session: SessionId,
    },
    /// Has a session take a skill up: from its next turn on the model reads what it says. One that
    /// is loaded is read anew. Refused while a turn runs, and by hooks. Answered by `skill_loaded`.
    LoadSkill {
        /// The session.
        session: SessionId,
        /// The skill's name.
        skill: String,
    },
    /// Has a session lay a skill down. Refused while a turn runs. Answered by `done`.
    UnloadSkill {
        /// The session.
        session: SessionId,
        /// The skill's name.
        skill: String,
    },
    /// Removes a session for good. Refused while a turn runs. Answered by `done`.
    Delete {
        /// The session.
        session: SessionId,
    },
    /// Writes a session as one text. Answered by `export`.
    Export {
        /// The session.
        session: SessionId,
        /// How.
        format: ExportFormat,
    },
    /// Finds words in sessions. Answered by `found`.
    Search {
        /// The words.
        text: String,
        /// In this session only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
        /// How many; 20 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// Replaces what a session has of its own, from its next turn on. Answered by `session`.
    Settings {
        /// The session.
        session: SessionId,
        /// All of it; what is absent is the configuration's again.
        settings: SessionSettings,
    },

    // ---- turns ----
    /// Says something, which starts a turn, or queues one while another runs. With a key that was
    /// used in this session, nothing is said a second time. Answered by `accepted`.
    Say {
        /// The session.
        session: SessionId,
        /// The text.
        text: String,
        /// Files that were handed up before, by their identifiers.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<String>,
        /// The client's own key for the message, so that sending it again says nothing twice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<ClientKey>,
        /// What the turn belongs to in traces of the client's, as W3C's Trace Context writes it;
        /// left alone if it is malformed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
    },
    /// Says something into the running turn: the model reads it before its next step. With a key
    /// that was used in this session, nothing is said a second time. Refused with `nothing_runs` if
    /// none runs. Answered by `done` once it is kept.
    Steer {
        /// The session.
        session: SessionId,
        /// The text.
        text: String,
        /// The client's own key for it, so that sending it again says nothing twice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<ClientKey>,
    },
    /// Asks something beside the conversation, which leaves no trace in it and calls no tool. The
    /// answer comes in pieces as `aside`, then as the reply `aside_ended`.
    Aside {
        /// The session.
        session: SessionId,
        /// The question.
        text: String,
        /// What it belongs to in traces of the client's, as with `say`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
    },
    /// Answers an approval that is asked for. Answered by `done`.
    Answer {
        /// The session.
        session: SessionId,
        /// The call that was asked about.
        call_id: CallId,
        /// The answer.
        answer: ApprovalAnswer,
    },
    /// Stops the turn of a session, the running one or the one that waits for a place among the
    /// user's turns; messages behind it stay. Answered by `done`, also where there is none.
    Cancel {
        /// The session.
        session: SessionId,
    },
    /// Stops every running turn of the person and drops messages that wait. Answered by `done`.
    CancelAll,

    // ---- files ----
    /// Announces a file. Answered by `upload` with its identifier.
    UploadBegin {
        /// Its name, without a directory.
        name: String,
        /// IANA media type.
        media_type: String,
        /// Its size.
        bytes: u64,
    },
    /// Hands up the next piece of it; it may be attached once all its bytes are there. It is
    /// forgotten once it was said, or after a quarter of an hour. Answered by `upload`.
    UploadPart {
        /// The file.
        upload: String,
        /// The piece, in base64.
        data: Bytes,
    },

    // ---- the household ----
    /// Models that can be chosen. Answered by `models`.
    Models,
    /// Tools on offer. Answered by `tools`.
    Tools,
    /// What is installed. Answered by `components`.
    Components,
    /// What models have cost. Answered by `cost`.
    Cost {
        /// In this session only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
    },
    /// Notes that are kept: those that fit the words best, or the newest. Answered by `notes`.
    Notes {
        /// The words.
        #[serde(default)]
        text: String,
    },
    /// Forgets a note. Answered by `done`.
    ForgetNote {
        /// Its identifier.
        note: String,
    },
    /// The rules in force for a session. Answered by `policy`.
    Policy {
        /// The session.
        session: SessionId,
    },
    /// Skills that can be loaded. Answered by `skills`.
    Skills {
        /// The session whose loaded skills are marked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
    },
    /// Takes back what was allowed for good. Answered by `done`.
    Revoke {
        /// Its identifier, as a line of `policy` has it.
        approval: String,
    },
}

/// The program that speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientProgram {
    /// Its name, like `hydroid-tui`.
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
}

/// A session to go on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The session.
    pub session: SessionId,
    /// The last number the client has.
    pub after: u64,
}

/// How a session is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// One entry of the journal a line.
    Jsonl,
    /// To read.
    Markdown,
    /// For the component `provider-replay`.
    Replay,
}
