//! Servers of other protocols that a person added, over HTTP. What is sent to them goes through
//! the one door, with the credential attached behind it; whoever asks here never has it.

use futures_core::future::BoxFuture;

/// The door to servers that a person added.
pub trait Remotes: Send + Sync {
    /// Sends a request to the server of this name, below the address it was added with.
    fn send(
        &self,
        server: &str,
        request: RemoteRequest,
    ) -> BoxFuture<'_, Result<Box<dyn RemoteAnswer>, RemoteError>>;
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRequest {
    /// Whole URL.
    pub url: String,
    /// Method.
    pub method: String,
    /// Header lines, without those that the host sets.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// An answer whose body is still to be read.
pub trait RemoteAnswer: Send {
    /// Status code.
    fn status(&self) -> u16;
    /// The first line of a header, in lower case.
    fn header(&self, name: &str) -> Option<String>;
    /// What the service wants to be shown: its `WWW-Authenticate` lines.
    fn challenges(&self) -> Vec<String>;
    /// The next bytes; none at the end.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, RemoteError>>;
}

/// Why a request was not sent, or not answered: a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RemoteError(pub String);
