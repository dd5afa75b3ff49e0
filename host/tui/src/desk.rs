//! What the terminal asks of the machine it is on: where the host is, files, the person's editor.
//! Whoever composes the program answers.

use hydroid_core::message::Bytes;

/// Where a running host listens, and who we are there.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `ws://` on this machine, or `wss://`.
    pub url: String,
    /// A token; none where the connection itself shows who speaks.
    pub token: Option<String>,
}

/// A file to be said together with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name, without a directory.
    pub name: String,
    /// IANA media type.
    pub media_type: String,
    /// Its content.
    pub data: Bytes,
}

/// The machine. Every call may block; a refusal is a sentence for the person.
pub trait Desk: Send + Sync + 'static {
    /// Where the host is now: it may have been started again elsewhere since.
    ///
    /// # Errors
    /// That there is none, with the command that starts it.
    fn endpoint(&self) -> Result<Endpoint, String>;

    /// Reads a file that is to be said.
    ///
    /// # Errors
    /// Why it cannot be.
    fn attach(&self, path: &str) -> Result<Attachment, String>;

    /// Writes a new file; says where it is. One that is there is not replaced.
    ///
    /// # Errors
    /// Why it cannot be written.
    fn save(&self, path: &str, text: &str) -> Result<String, String>;

    /// Lets the person change a text in their own editor, which has the terminal meanwhile.
    ///
    /// # Errors
    /// That there is no editor, or that it failed.
    fn edit(&self, text: &str) -> Result<String, String>;

    /// What was said before, oldest first.
    fn history(&self) -> Vec<String>;

    /// Keeps what was said.
    fn remember(&self, text: &str);
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url).finish_non_exhaustive()
    }
}
