//! What a broken rule sounds like: one fixed, helpful sentence for the model and the person. The
//! log keeps the rest.

use crate::instance::State;
use crate::limits::Exceeded;
use hydroid_core::config::Size;
use std::time::Duration;
use wasmtime::{Store, Trap};

/// Why a call ended without an answer of the component.
#[derive(Debug)]
pub(crate) enum Cause {
    /// wasmtime says so.
    Error(wasmtime::Error),
    /// The deadline passed.
    Deadline(Duration),
}

/// Writes the details to the log and returns the sentence.
pub(crate) fn sentence(store: &Store<State>, cause: Cause) -> String {
    let state = store.data();
    let component = &state.equipment.component;
    let limits = &state.equipment.limits;
    let (output, _) = state.output.text();
    let sentence = match (&cause, state.limiter.exceeded) {
        (Cause::Deadline(limit), _) => format!(
            "`{component}` was stopped: it took longer than {} s; ask for less at once, or a person can raise `components.{component}.limits.call`",
            limit.as_secs_f32()
        ),
        (Cause::Error(_), Some(Exceeded::HostCalls)) => format!(
            "`{component}` was stopped: it called the host more than {} times; ask for less at once, or a person can raise `components.{component}.limits.host_calls`",
            limits.host_calls
        ),
        (Cause::Error(_), Some(Exceeded::Memory)) => format!(
            "`{component}` was stopped: it needed more memory than its {}; ask for less at once, or a person can raise `components.{component}.limits.memory`",
            Size(limits.memory as u64)
        ),
        (Cause::Error(_), Some(Exceeded::Table)) => format!(
            "`{component}` was stopped: it needed more than {} table elements; a person can raise `limits.table_elements`",
            limits.table_elements
        ),
        (Cause::Error(error), None) => format!("`{component}` {}", of_error(error, limits)),
    };
    // The sentence is shown as the result of the call; what happened inside is for the log.
    match &cause {
        Cause::Error(error) => tracing::info!(%component, error = ?error, %output, "{sentence}"),
        Cause::Deadline(_) => tracing::info!(%component, %output, "{sentence}"),
    }
    sentence
}

fn of_error(error: &wasmtime::Error, limits: &crate::limits::Limits) -> String {
    if error.downcast_ref::<wasmtime_wasi::I32Exit>().is_some() {
        return "ended itself instead of answering; this is a defect of the component, its log says more".into();
    }
    let text = format!("{error:#}");
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "was stopped: it called itself too deeply; try a simpler input".into(),
        Some(Trap::OutOfFuel) => format!("was stopped: it used up its fuel ({})", limits.fuel.unwrap_or_default()),
        Some(Trap::UnreachableCodeReached) => {
            "failed (it gave up on an error of its own); this is a defect of the component or an input it does not expect, its log says more".into()
        }
        Some(Trap::MemoryOutOfBounds | Trap::HeapMisaligned | Trap::TableOutOfBounds | Trap::IndirectCallToNull | Trap::BadSignature | Trap::NullReference | Trap::ArrayOutOfBounds) => {
            "failed (it reached outside its memory or tables); this is a defect of the component, its log says more".into()
        }
        Some(Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger) => {
            "failed (a calculation with an impossible number); this is a defect of the component, its log says more".into()
        }
        Some(_) => "failed; this is a defect of the component, its log says more".into(),
        None if text.contains("fuel allocated for hostcalls") => format!(
            "was stopped: it passed more than {} to the host in one call; a person can raise `limits.host_call_bytes`",
            Size(limits.host_call_bytes as u64)
        ),
        None if text.contains("maximum concurrent") => "could not start: too many calls run at once; try again in a moment".into(),
        None if text.contains("resource table has no free keys") => format!(
            "was stopped: it holds more than {} handles open; a person can raise `limits.resources`",
            limits.resources
        ),
        // The numbers of tables and memories that are allowed follow from that of instances.
        None if text.contains("resource limit exceeded") => format!(
            "was stopped: it is made of more than {} core instances; a person can raise `limits.instances`",
            limits.instances
        ),
        None if text.contains("requested len") && text.contains("exceeds limit") => format!(
            "was stopped: it asked for more than {} of random bytes at once; a person can raise `limits.random`",
            Size(limits.random)
        ),
        None => "failed; this is a defect of the component, its log says more".into(),
    }
}
