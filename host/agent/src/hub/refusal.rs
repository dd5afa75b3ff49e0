//! Why a request was refused, as the protocol says it. What only the operator can mend is logged,
//! and the client is told no more than that.

use crate::{AnswerError, ChangeError, CompactError, OpenError, SayError};
use hydroid_core::ports::{RecallError, SkillError, StoreError};
use hydroid_core::protocol::{ErrorCode, RequestError};

/// A failure inside the host.
pub(super) fn internal(error: &dyn std::error::Error) -> RequestError {
    let mut cause = error.source();
    let mut text = error.to_string();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    tracing::error!(error = %text, "a request failed");
    RequestError::new(ErrorCode::Internal, "the host failed; `hydroid logs` says more")
}

/// A session that this user does not have; of a long name the beginning is told.
pub(super) fn no_session(named: &str) -> RequestError {
    let shown: String = named.chars().take(64).collect();
    RequestError::new(
        ErrorCode::NotFound,
        format!("no session `{shown}`; `hydroid session list` shows yours"),
    )
}

pub(super) fn stored(error: StoreError) -> RequestError {
    match error {
        StoreError::NoSession(session) => no_session(session.as_str()),
        StoreError::SessionExists(_) | StoreError::Database { .. } => internal(&error),
    }
}

pub(super) fn refused(error: &SayError) -> RequestError {
    let code = match error {
        SayError::Empty => ErrorCode::Invalid,
        SayError::Busy { .. } => ErrorCode::Busy,
        SayError::NothingRuns => ErrorCode::NothingRuns,
        SayError::Stopped => ErrorCode::Stopped,
        SayError::Closed => ErrorCode::ShuttingDown,
    };
    RequestError::new(code, error.to_string())
}

pub(super) fn unanswered(error: &AnswerError) -> RequestError {
    let code = match error {
        AnswerError::NotAsked(_) => ErrorCode::NotAsked,
        AnswerError::NotYours { .. } => ErrorCode::Forbidden,
        AnswerError::Unfit(_) => ErrorCode::Invalid,
        AnswerError::Closed => ErrorCode::ShuttingDown,
    };
    RequestError::new(code, error.to_string())
}

pub(super) fn unchanged(error: &ChangeError) -> RequestError {
    match error {
        ChangeError::TurnRuns => RequestError::new(ErrorCode::TurnRuns, error.to_string()),
        ChangeError::NoTurn(_) => RequestError::new(ErrorCode::NotFound, error.to_string()),
        ChangeError::Skill(problem) => {
            let code = match problem {
                SkillError::NotFound(_) => ErrorCode::NotFound,
                SkillError::Denied(_) | SkillError::Unfit(_) => ErrorCode::Invalid,
                SkillError::Unavailable(_) => ErrorCode::Cancelled,
            };
            RequestError::new(code, error.to_string())
        }
        ChangeError::Stopped => RequestError::new(ErrorCode::Stopped, error.to_string()),
        ChangeError::Closed => RequestError::new(ErrorCode::ShuttingDown, error.to_string()),
        ChangeError::Journal(_) => internal(error),
    }
}

pub(super) fn uncompacted(error: &CompactError) -> RequestError {
    match error {
        CompactError::Busy => RequestError::new(ErrorCode::TurnRuns, error.to_string()),
        CompactError::Closed => RequestError::new(ErrorCode::Cancelled, error.to_string()),
        CompactError::Journal(_) => internal(error),
    }
}

pub(super) fn unopened(error: OpenError) -> RequestError {
    match error {
        OpenError::Journal { source: source @ StoreError::NoSession(_), .. } => stored(source),
        OpenError::Waiting { .. } => RequestError::new(ErrorCode::TurnRuns, error.to_string()),
        OpenError::AlreadyOpen(_) | OpenError::Journal { .. } | OpenError::Client(_) => {
            internal(&error)
        }
    }
}

pub(super) fn not_recalled(error: RecallError) -> RequestError {
    match error {
        RecallError::Store(error) => internal(&error),
        RecallError::NoNote(_) => RequestError::new(ErrorCode::NotFound, error.to_string()),
        error => RequestError::new(ErrorCode::Invalid, error.to_string()),
    }
}
