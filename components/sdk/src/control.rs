//! The polite half of cancellation, and progress. Not a limit: the host ends a call that
//! never asks.

use crate::bindings::imports::hydroid::core::control;
use crate::types::Error;

/// True once the caller wants this call to end.
pub fn cancelled() -> bool {
    control::cancelled()
}

/// `Err` once the caller wants this call to end, so that a loop can end itself with `?`.
pub fn check_cancelled() -> Result<(), Error> {
    if cancelled() { Err(Error::cancelled()) } else { Ok(()) }
}

/// Milliseconds until the deadline of this call.
pub fn remaining_ms() -> u32 {
    control::remaining_ms()
}

/// Tells the client how far the call has come, from 0 to 1, or that it is not known.
pub fn progress(fraction: Option<f32>, note: &str) {
    control::progress(fraction, note);
}
