//! The port of a listener: everything it asks of the host. It knows users, sessions and the
//! protocol; what an agent, a component or a database is stays behind it.

use crate::id::{ClientKey, SessionId, UserId};
use crate::message::Part;
use crate::ports::SpanCounts;
use crate::protocol::{
    InstalledComponent, ModelOffer, Reply, Request, RequestError, RunningTurn, ServerMessage,
    SessionInfo, SessionMessage, SessionSettings, Stopped,
};
use crate::telemetry::Parent;
use futures_core::future::BoxFuture;
use std::sync::Arc;

/// The users of the host.
pub trait Household: Send + Sync {
    /// What belongs to a user; it is the same for all their connections. Users are those that
    /// somebody was given a token for, so the caller has shown who it is.
    fn of<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Arc<dyn Conversations>, RequestError>>;
    /// Those who have anything in memory, for figures.
    fn present(&self) -> Vec<Arc<dyn Conversations>>;
    /// What became of the spans that are told of turns; none where they go nowhere.
    fn spans(&self) -> Option<SpanCounts> {
        None
    }
    /// Ends what runs, records it, and lets go of everything.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// The conversations of one user, and what else is theirs.
pub trait Conversations: Send + Sync {
    /// Whose they are.
    fn user(&self) -> &UserId;
    /// Does what a request says. Requests about the connection itself (`hello`, `ping`, `open`,
    /// `close`, uploads) and those with a method of their own here are refused.
    fn request(&self, request: Request) -> BoxFuture<'_, Result<Reply, RequestError>>;
    /// Says something in a session, once for each key.
    fn say_once<'a>(
        &'a self,
        session: &'a SessionId,
        saying: Saying,
    ) -> BoxFuture<'a, Result<Reply, RequestError>>;
    /// Says something in a session.
    fn say<'a>(
        &'a self,
        session: &'a SessionId,
        parts: Vec<Part>,
    ) -> BoxFuture<'a, Result<Reply, RequestError>> {
        self.say_once(session, Saying { parts, ..Saying::default() })
    }
    /// What is answered to a message whose key was used in a session; none if it was not.
    fn said<'a>(
        &'a self,
        session: &'a SessionId,
        key: &'a ClientKey,
    ) -> BoxFuture<'a, Result<Option<Reply>, RequestError>>;
    /// Follows a session from after a number, or from now on.
    fn follow<'a>(
        &'a self,
        session: &'a SessionId,
        after: Option<u64>,
    ) -> BoxFuture<'a, Result<Follow, RequestError>>;
    /// Asks something beside a conversation; `tell` is given the answer piece by piece.
    fn aside<'a>(
        &'a self,
        session: &'a SessionId,
        text: String,
        parent: Option<Parent>,
        tell: Arc<dyn Fn(String) + Send + Sync>,
    ) -> BoxFuture<'a, Result<Reply, RequestError>>;
    /// What concerns the user as a whole, from now on, with what they were not told yet.
    fn news(&self) -> BoxFuture<'_, Result<Box<dyn News>, RequestError>>;
    /// What runs.
    fn running(&self) -> Vec<RunningTurn>;
    /// Sessions in memory.
    fn awake(&self) -> u32;
    /// What sessions have that have nothing of their own.
    fn settings(&self) -> SessionSettings;
}

/// Something that is said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saying {
    /// The message.
    pub parts: Vec<Part>,
    /// The client's own key for it.
    pub key: Option<ClientKey>,
    /// What the turn belongs to in traces of the client's.
    pub parent: Option<Parent>,
    /// Whoever said it waits for its answer, and is gone when the host is.
    pub passing: bool,
    /// Its number among the messages that wait, which the host gives it.
    pub waiting: Option<u64>,
}

/// A session as it is, and what it tells from then on.
pub type Follow = (SessionInfo, Box<dyn Following>);

/// A session that is followed. Dropping it ends that.
pub trait Following: Send {
    /// The next message. Entries come in their order, each once; after an end nothing comes.
    fn next(&mut self) -> BoxFuture<'_, Result<SessionMessage, (Stopped, u64)>>;
}

/// What concerns a user as a whole.
pub trait News: Send {
    /// The next message; none when the host ends.
    fn next(&mut self) -> BoxFuture<'_, Option<ServerMessage>>;
}

/// What is installed for a user.
pub trait Inventory: Send + Sync {
    /// Components, by name.
    fn components(&self) -> Vec<InstalledComponent>;
    /// Models that can be chosen.
    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelOffer>, String>>;
}
