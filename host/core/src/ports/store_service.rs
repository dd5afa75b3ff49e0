//! The port for the way to a database that is a service: a message there and its answer back.
//! What the messages say is the database's affair; where they go, and with which token, is the
//! network's.

use futures_core::future::BoxFuture;

/// The way to a database elsewhere.
pub trait StoreService: Send + Sync {
    /// Where it is, for sentences.
    fn address(&self) -> &str;
    /// Posts JSON to a path below the address, or below the address that the service itself named
    /// in an answer.
    fn post<'a>(
        &'a self,
        named: Option<&'a str>,
        path: &'a str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<ServiceAnswer, ServiceError>>;
}

/// What a service answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAnswer {
    /// Status code of HTTP.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

/// Why a service did not answer, as one sentence with what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ServiceError {
    /// The sentence.
    pub message: String,
    /// The message may have arrived.
    pub sent: bool,
}
