//! The port for the person's own Markdown files that are read into every conversation, such as
//! `MEMORY.md`. Which files they are, and that no model writes them unasked, is said in
//! [`crate::prompt`] and [`crate::policy`].

use crate::id::UserId;
use futures_core::future::BoxFuture;

/// Reads those files.
pub trait PromptFiles: Send + Sync {
    /// Those that are there and not empty, in the order of the prompt. One that cannot be read is
    /// left out and logged: a conversation does not stop for it.
    fn read<'a>(&'a self, user: &'a UserId, now_ms: u64) -> BoxFuture<'a, Vec<PromptFile>>;
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptFile {
    /// Its name below `/shared`.
    pub name: String,
    /// Its text, as long as it may be.
    pub text: String,
}
