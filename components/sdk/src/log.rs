//! Diagnostic lines for the host's log. Not a way to talk to the model, which never sees them.

pub use crate::bindings::imports::hydroid::core::log::Level;

use crate::bindings::imports::hydroid::core::log;

/// Writes one line with a JSON object of fields; fields that do not become JSON are left out.
pub fn emit(level: Level, message: &str, fields: &impl serde::Serialize) {
    let fields = serde_json::to_string(fields).ok();
    log::emit(level, message, fields.as_deref());
}

/// Finest detail.
pub fn trace(message: &str) {
    log::emit(Level::Trace, message, None);
}

/// For debugging.
pub fn debug(message: &str) {
    log::emit(Level::Debug, message, None);
}

/// Normal operation.
pub fn info(message: &str) {
    log::emit(Level::Info, message, None);
}

/// Something a person may want to look at.
pub fn warn(message: &str) {
    log::emit(Level::Warn, message, None);
}

/// Something failed.
pub fn error(message: &str) {
    log::emit(Level::Error, message, None);
}
