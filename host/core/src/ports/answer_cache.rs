//! Answers that are kept to be given again to the very same request. What is the same request is
//! decided by [`crate::reliability::fingerprint`]; here they are stored and found.

use super::{ModelEvent, StoreError};
use crate::id::UserId;
use futures_core::future::BoxFuture;

/// Keeps answers of models.
pub trait AnswerCache: Send + Sync {
    /// The answer of this name that was kept for the user not before `not_before_ms`.
    fn kept<'a>(
        &'a self,
        user: &'a UserId,
        name: &'a str,
        not_before_ms: u64,
    ) -> BoxFuture<'a, Result<Option<KeptAnswer>, StoreError>>;

    /// Keeps an answer in place of an older one of that name. Those kept before `not_before_ms`
    /// go, and then the oldest until all of the user's fit into `max_bytes`.
    fn keep<'a>(
        &'a self,
        user: &'a UserId,
        name: &'a str,
        answer: &'a KeptAnswer,
        limits: KeepLimits,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// An answer as it was given, scrubbed.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptAnswer {
    /// Its pieces, without what was used for them.
    pub events: Vec<ModelEvent>,
    /// When it was kept, in milliseconds since 1970-01-01 UTC.
    pub kept_ms: u64,
}

/// What may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepLimits {
    /// Answers kept before go, in milliseconds since 1970-01-01 UTC.
    pub not_before_ms: u64,
    /// Bytes of all answers of a user.
    pub max_bytes: u64,
}
