//! The `hydroid` command: where the host is put together. It reads the command line, the
//! environment and the configuration, builds the host once and hands it to a command; what an
//! agent, a component or a turn is, it does not know.
//!
//! Read in this order: `args` (what can be typed), `env`, `paths`, `value` and `load` (what it
//! means), `secrets`, `docker` (credentials for registries), `release` (the components inside the binary), `registry` (what is offered), `models` (the
//! catalog of models), `servers` (those of the Model Context Protocol), `skills` (those the person keeps), `wire` (the whole host in one
//! visible order), `daemon`, `conversation` with `render` and `approval`, `desk` (for the full screen), `stopped` and `audited`, then `commands`, a
//! file each.

#![expect(
    clippy::disallowed_methods,
    reason = "this crate owns the environment, the user's files and the wall clock"
)]

mod administration;
mod approval;
mod args;
mod attachment;
mod audited;
mod authoring;
mod commands;
mod conversation;
mod daemon;
mod desk;
mod docker;
mod documents;
mod env;
mod exit;
mod load;
mod log;
mod models;
mod moment;
mod occupied;
mod paths;
mod personal;
mod providers;

#[cfg(test)]
mod reference;
mod registry;
mod release;
mod render;
mod secrets;
mod servers;
mod skills;
mod stopped;
mod telemetry;
mod terminal;
mod transcript;
mod value;
mod wire;

use args::Arguments;
use clap::Parser;
use exit::Exit;
use hydroid_core::harmless;
use std::process::ExitCode;
use std::time::Duration;

/// Time that tasks have to end after the command has.
const SHUTDOWN: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A reader that went away wants no help text.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::say(&format!("error: no threads can be started: {error}"));
            return Exit::Error.into();
        }
    };
    let result = runtime.block_on(async {
        let result = commands::run(arguments).await;
        telemetry::flush().await;
        result
    });
    // A thread that still waits for a line of the terminal must not hold up the end.
    runtime.shutdown_timeout(SHUTDOWN);
    match result {
        Ok(exit) => exit.into(),
        Err(error) if reader_went_away(&error) => Exit::Done.into(),
        Err(error) => {
            terminal::say(&format!("error: {}", harmless::harmless(&chain(&error))));
            Exit::of(&error).into()
        }
    }
}

/// The error with its causes, a cause that repeats what was said left out.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// `hydroid session list | head` has read enough.
fn reader_went_away(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
