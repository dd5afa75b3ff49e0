//! Protocol 1, between the host and its clients: command line, terminal, page, channels and
//! programs speak the same. It says what is sent, not how: a socket carries one message in each
//! text frame, as JSON.
//!
//! A client sends a [`ClientMessage`] with an identifier of its own, the first being
//! [`Request::Hello`], and each is answered by exactly one [`ServerMessage`] with that identifier:
//! a [`Reply`], or an error. Beside them the host tells what happens in the sessions that are open
//! on the connection ([`SessionMessage`]) and in the household. What has a `seq` is in the journal
//! and is never lost or repeated for a client that asks for what follows the last one it has; all
//! else is transient.
//!
//! Fields and kinds may be added under the same number; a receiver leaves alone what it does not
//! know. Nothing is renamed or taken away without another number.

mod answer;
mod client;
mod server;
mod session;

pub use answer::ApprovalAnswer;
pub use client::{ClientMessage, ClientProgram, ExportFormat, Request, Resume};
pub use server::{
    CostRow, Degraded, ErrorCode, Found, InstalledComponent, KeptNote, Limits, ModelOffer,
    Notification, PolicyLine, Reply, RequestError, RunningCall, RunningTurn, ServerMessage,
    SkillOffer, Status, ToolOffer, Welcome,
};
pub use session::{Activity, NumberedEntry, SessionInfo, SessionMessage, SessionSettings, Stopped};

/// The number of the protocol.
pub const PROTOCOL_VERSION: u32 = 1;

/// Characters of a client's key at most: room for an identifier and a word of the client's own.
pub const LONGEST_KEY: usize = 128;

/// Most attachments of one message: what services take.
pub const MOST_ATTACHMENTS: usize = 4;

/// Most bytes of one attachment: what services take.
pub const LARGEST_ATTACHMENT: u64 = 10 << 20;
