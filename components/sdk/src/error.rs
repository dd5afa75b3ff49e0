//! Short ways to make the contract's one error record. Not a second error type: what
//! these functions return is the record itself.

use crate::types::{Error, ErrorKind};

impl Error {
    /// An error of this kind with one sentence for the reader and nothing else known.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error {
            kind,
            message: message.into(),
            code: None,
            retry_after_ms: None,
            sent: false,
            details_json: None,
        }
    }

    /// The arguments are wrong.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// The caller asked to stop.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "the call was cancelled")
    }

    /// A defect in the component.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// The same error with the remote service's code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }
}
