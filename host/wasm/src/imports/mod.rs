//! What a component can ask of the host: one interface of the contract a file, each of one
//! shape. An interface that is linked was granted; what is left to check at run time is checked
//! first, before anything is allocated by a number the guest chose.

mod config;
mod control;
mod fs_read;
mod fs_write;
mod log;
pub(crate) mod secrets;
mod vault_handoff;
mod vault_offer;
mod vault_read;
mod vocabulary;
pub(crate) mod wasi_filesystem;
pub(crate) mod wasi_http;
pub(crate) mod web;

use crate::bindings::core::types::{Error, ErrorKind};

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
