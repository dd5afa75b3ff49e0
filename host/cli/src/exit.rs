//! How the process ends: exit codes and the error that means a wrong command line.

use crate::stopped::Stopped;
use hydroid_agent::{OpenError, SayError};
use hydroid_core::protocol::{ErrorCode, RequestError};
use std::process::ExitCode;

/// Every exit code. A script can tell them apart; `hydroid --help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It worked; a turn completed.
    Done = 0,
    /// Something went wrong outside a turn.
    Error = 1,
    /// The command line was wrong.
    Usage = 2,
    /// The model could not answer.
    Failed = 3,
    /// A budget was used up, or the model repeated itself.
    Budget = 4,
    /// The turn was cancelled or interrupted.
    Cancelled = 5,
    /// The turn completed, but a rule denied at least one of its calls.
    Denied = 6,
    /// A question waits for a person's answer.
    Waiting = 7,
    /// Everything is stopped, by `hydroid stop --all`.
    Stopped = 8,
}

/// What `--help` says about exit codes.
pub(crate) const HELP: &str = "Exit codes:
  0  done; the turn completed
  1  something went wrong outside a turn
  2  the command line was wrong
  3  the model could not answer
  4  a budget was used up, or the model repeated itself
  5  the turn was cancelled
  6  the turn completed, but a rule denied at least one of its calls
  7  a question waits for an answer: `hydroid approval list`
  8  everything is stopped: `hydroid stop --release`";

/// An error in what was typed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

impl Exit {
    /// The code of an error that ended the command.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if error.downcast_ref::<Usage>().is_some() {
            Self::Usage
        } else if error.downcast_ref::<Stopped>().is_some()
            || matches!(error.downcast_ref(), Some(SayError::Stopped))
            || error
                .downcast_ref::<RequestError>()
                .is_some_and(|error| error.code == ErrorCode::Stopped)
        {
            Self::Stopped
        } else if matches!(error.downcast_ref(), Some(OpenError::Waiting { .. })) {
            Self::Waiting
        } else {
            Self::Error
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error in what was typed, for `?`.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Usage(message.into()))
}
