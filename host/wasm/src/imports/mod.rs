//! What a component can ask of the host: one interface of the contract a file, each of one
//! shape. An interface that is linked was granted; what is left to check at run time is checked
//! first, before anything is allocated by a number the guest chose.

mod config;
mod control;
mod delegate;
mod fs_read;
mod fs_write;
mod inbox;
mod invoke;
mod kv;
mod log;
mod memory;
mod scratchpad;
pub(crate) mod secrets;
mod skills;
mod vault_handoff;
mod vault_names;
mod vault_offer;
mod vault_read;
mod vocabulary;
pub(crate) mod wasi_filesystem;
pub(crate) mod wasi_http;
pub(crate) mod web;

use crate::bindings::core::types::{Error, ErrorKind};
use crate::instance::{Equipment, Records};
use hydroid_core::ports::StoreError;

/// What outlives the call, unless the component is only being asked what it is.
fn records(equipment: &Equipment) -> Result<&Records, Error> {
    let problem = || {
        error(
            ErrorKind::Denied,
            "nothing is kept or looked up while a component is asked what it is",
        )
    };
    equipment.records.as_ref().ok_or_else(problem)
}

/// A failure of the database, its cause in the log: that names places of this machine.
fn store_error(problem: &StoreError) -> Error {
    tracing::warn!(error = ?problem, "a component's request to the database failed");
    let kind = match problem {
        StoreError::NoSession(_) => ErrorKind::NotFound,
        StoreError::SessionExists(_) => ErrorKind::Conflict,
        StoreError::Database { .. } => ErrorKind::Unavailable,
    };
    error(kind, format!("{problem}; try again later"))
}

/// An error a component may read.
fn error(kind: ErrorKind, message: impl Into<String>) -> Error {
    Error {
        kind,
        message: message.into(),
        code: None,
        retry_after_ms: None,
        sent: false,
        details_json: None,
    }
}
