//! The port for what a person does with sessions as a whole: finding, naming, putting away,
//! copying, removing; and for what they are to be told. What is in a session is the journal's.

use super::{Journal, NewSession, SessionSummary, StoreError, StoredEntry, WaitingMessages};
use crate::id::{ClientKey, SessionId, TurnId, UserId};
use crate::protocol::{Notification, SessionSettings};
use futures_core::future::BoxFuture;

/// Characters of a session's title at most.
pub const LONGEST_TITLE: usize = 200;

/// Sessions as they are stored. No user sees another's: a session of somebody else is
/// [`StoreError::NoSession`].
pub trait StoredSessions: Journal + WaitingMessages {
    /// Sessions whose identifier begins so, at most two; one whose identifier is all of it is the
    /// only one.
    fn beginning_with<'a>(
        &'a self,
        user: &'a UserId,
        prefix: &'a str,
    ) -> BoxFuture<'a, Result<Vec<SessionId>, StoreError>>;
    /// One session.
    fn described<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<StoredSession, StoreError>>;
    /// Sessions that were put away, or the others, newest first.
    fn list<'a>(
        &'a self,
        user: &'a UserId,
        archived: bool,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<StoredSession>, StoreError>>;
    /// Entries after a number, at most so many, and fewer when they are large.
    fn some_entries<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        after: u64,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<StoredEntry>, StoreError>>;
    /// Begins a session under a client's key, or finds the one of the user's that was begun with it.
    fn begin(
        &self,
        new: NewSession,
        key: ClientKey,
    ) -> BoxFuture<'_, Result<SessionId, StoreError>>;
    /// True if a message of this key waits in the session or began a turn of it.
    fn was_said<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        key: &'a ClientKey,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;
    /// True if something of this key was said into a turn of the session.
    fn was_steered<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        key: &'a ClientKey,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;
    /// Sessions whose last turn has no end, oldest first.
    fn with_an_open_turn<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Vec<SessionId>, StoreError>>;
    /// Puts a session away, or takes it out again.
    fn archive<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        archived: bool,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Copies a session up to the end of its last turn that has ended, or to before a turn. With a
    /// client's key it finds the session of the user's that was begun with it, as `begin` does.
    fn fork<'a>(
        &'a self,
        session: &'a SessionId,
        new: NewSession,
        before: Option<&'a TurnId>,
        key: Option<ClientKey>,
    ) -> BoxFuture<'a, Result<SessionId, StoreError>>;
    /// Removes a session with all that was said in it. What it cost stays.
    fn remove<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Keeps something a person is to be told.
    fn notify<'a>(
        &'a self,
        user: &'a UserId,
        notification: Notification,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
    /// What a person was not told yet, oldest first.
    fn untold<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Vec<Notification>, StoreError>>;
    /// Forgets what a person was told.
    fn told<'a>(
        &'a self,
        user: &'a UserId,
        notifications: Vec<String>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// What a list shows.
    pub summary: SessionSummary,
    /// The last number in its journal; 0 when it is empty.
    pub last_seq: u64,
    /// It was put away.
    pub archived: bool,
    /// The session it was copied from.
    pub forked_from: Option<SessionId>,
    /// What it has of its own.
    pub settings: SessionSettings,
    /// Messages that wait in it.
    pub waiting: u32,
}
