//! The database: one file with the sessions of every user and what components keep. It stores
//! and finds; it decides nothing, reads no clock and knows no component.
//!
//! Read in this order: [`Database`] opens the file and runs work on it, `migration` brings an
//! old file up to date, `journal` implements [`hydroid_core::ports::Journal`], [`kv`] is the
//! components' own state, `notes`, `search` and `scratchpad` together implement
//! [`hydroid_core::ports::Recall`], `failure` turns the database's codes into sentences.
//!
//! What is promised: an append that has returned survives `kill -9`; sequence numbers have no
//! gaps; rows of another user do not exist. Not promised: the last moments before a power cut,
//! since commits are not forced to the disk one by one (`synchronous = NORMAL`); the file stays
//! whole in that case too.

mod database;
mod failure;
mod journal;
pub mod kv;
mod migration;
mod notes;
mod scratchpad;
mod search;

pub use database::Database;
pub use journal::Page;
