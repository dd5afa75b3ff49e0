//! The database: one file with the sessions of every user and what components keep; sessions and
//! memory may be at a service instead. It stores
//! and finds; it decides nothing, reads no clock and knows no component.
//!
//! Read in this order: [`Database`] opens the file and runs work on it, `migration` brings an
//! old file up to date, `journal` implements [`hydroid_core::ports::Journal`] and
//! `unfinished` finds what waits in it, `conversations` implements
//! [`hydroid_core::ports::StoredSessions`], [`kv`] is the
//! components' own state, `notes`, `search` and `scratchpad` together implement
//! [`hydroid_core::ports::Recall`] for words alone and [`Memory`] for words and meaning: `chunking`
//! cuts texts, `files` takes files in, `embedding` gives chunks their vectors, `vectors` compares
//! them, `keeping` lists, moves and forgets. `backup` copies the file; `request_budget` counts what components send
//! ([`hydroid_core::ports::RequestBudget`]), `secrets` keeps sealed what only the holder of a
//! [`MasterKey`] reads, `approvals` is what people allowed for good, `audit` is the chained log of
//! what was done, `kept_answers` implements [`hydroid_core::ports::AnswerCache`], `ledger` keeps what requests to models cost ([`hydroid_core::ports::Ledger`]),
//! `sql` is one face for a file and for a service, `service` keeps sessions and memory there and
//! `stream` speaks to it; secrets, the audit log, approvals, costs and what components keep stay
//! in the file. `failure` turns the database's codes into sentences.
//!
//! What is promised: an append that has returned survives `kill -9`; sequence numbers have no
//! gaps; rows of another user do not exist. Not promised: the last moments before a power cut,
//! since commits are not forced to the disk one by one (`synchronous = NORMAL`); the file stays
//! whole in that case too.

mod approvals;
mod audit;
mod backup;
mod chunking;
mod conversations;
mod database;
mod embedding;
mod failure;
mod files;
mod home;
mod journal;
mod keeping;
mod kept_answers;
pub mod kv;
mod ledger;
mod migration;
mod notes;
mod rate_limits;
mod recall;
mod request_budget;
mod scratchpad;
mod search;
mod secret_places;
mod secrets;
mod service;
mod sql;
mod stream;
mod unfinished;
mod untrusted;
mod vectors;
mod waiting;
mod writing;

pub use approvals::{PastApproval, StandingApprovals};
pub use audit::{AuditBreak, AuditHead, AuditLog, AuditQuery, AuditRecord, AuditReport};
pub use backup::{BackupError, verify_copy};
pub use database::Database;
pub use embedding::Progress;
pub use files::{NewFile, Taken, TakenFile};
pub use journal::Page;
pub use keeping::{Forgotten, KeptNote, MemoryStatus, Pruned};
pub use recall::Memory;
pub use secrets::{
    KeyId, KeyInForce, MasterKey, NoRandom, Opened, Resealed, SealError, StoredSecret,
};
