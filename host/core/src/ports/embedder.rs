//! The port for turning text into vectors. Who implements it runs a component; who uses it keeps
//! vectors and compares them. What the numbers mean is the embedder's affair.

use crate::id::UserId;
use crate::telemetry::Trace;
use futures_core::future::BoxFuture;

/// Turns texts into vectors of one length.
pub trait Embedder: Send + Sync {
    /// What it is. Cheap after the first time.
    fn describe(&self) -> BoxFuture<'_, Result<EmbedderDescription, EmbedError>>;
    /// One vector for each text, in order. Any number of texts; who implements it makes batches.
    /// `user` is on whose behalf a hosted one is asked; `within` is the place in a trace that this
    /// is a part of, none if it is a part of nothing.
    fn embed<'a>(
        &'a self,
        user: &'a UserId,
        texts: Vec<String>,
        purpose: EmbedPurpose,
        within: Option<Trace>,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, EmbedError>>;
}

/// What vectors are for; asymmetric models treat the two differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbedPurpose {
    /// A question.
    Query,
    /// A text to be found.
    Document,
}

/// What an embedder is. Vectors of different identities are never compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbedderDescription {
    /// Changes whenever the same text could get another vector: component digest, model and
    /// configuration are in it. Lower-case hexadecimal.
    pub identity: String,
    /// Name of the model, to show.
    pub model: String,
    /// Numbers in a vector.
    pub dimensions: u32,
    /// Vectors have length 1, so a dot product is the cosine; a text without a known token may
    /// still be the zero vector.
    pub normalized: bool,
}

/// Why texts could not be turned into vectors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EmbedError {
    /// What kind of failure, in the contract's words: `rate-limited`, `unauthenticated` …
    pub kind: String,
    /// One sentence with what to do next.
    pub message: String,
    /// When to try again, in milliseconds; none where that does not help.
    pub retry_after_ms: Option<u32>,
}
