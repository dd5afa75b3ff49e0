//! The port for messages that were accepted and whose turn has not begun. What begins with one takes
//! it away, with [`Journal::append_begun`](super::Journal::append_begun).

use super::{Saying, StoreError};
use crate::id::{SessionId, UserId};
use futures_core::future::BoxFuture;

/// Messages that wait for their turn. Those that another home keeps at the same service are that
/// home's affair and not seen here.
pub trait WaitingMessages: Send + Sync {
    /// Keeps a message until its turn begins, and returns its number. It survives `kill -9` once
    /// this returns. What was said into a turn is kept once for each place there.
    fn keep_waiting<'a>(
        &'a self,
        session: &'a SessionId,
        message: &'a Saying,
        said_into: Option<String>,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;
    /// Messages that wait in a session, with their numbers, in the order of their turns: what was
    /// said into a turn comes before the others.
    fn waiting<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<Vec<Saying>, StoreError>>;
    /// Sessions in which something waits, or was said into a turn and read by no step of it.
    fn with_waiting<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Vec<SessionId>, StoreError>>;
    /// True if the last turn of a session has no end and something was said into it after its last
    /// step began.
    fn has_unread<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;
    /// Forgets a message, or all of a user's.
    fn forget_waiting<'a>(
        &'a self,
        user: &'a UserId,
        number: Option<u64>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}
