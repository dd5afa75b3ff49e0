//! The port for what a person keeps and has said: notes, search over notes and conversations,
//! and the scratchpad of a session. Not for what components keep; that is [`super::KeyValues`].

use super::StoreError;
use crate::id::{SessionId, TurnId, UserId};
use crate::retrieval::fusion::{Legs, Tuning};
use crate::telemetry::Trace;
use futures_core::future::BoxFuture;
use std::collections::BTreeSet;

/// Most bytes of a note. Longer texts are files.
pub const LONGEST_NOTE: usize = 64 << 10;

/// Most tags of a note.
pub const MOST_TAGS: usize = 16;

/// Most characters of a tag.
pub const LONGEST_TAG: usize = 64;

/// Most notes of one user: far more than a person writes, few enough to search at once.
pub const MOST_NOTES: u32 = 10_000;

/// Most bytes of a scratchpad: all of it is read with each request.
pub const LONGEST_SCRATCHPAD: usize = 16 << 10;

/// Most hits in one answer.
pub const MOST_HITS: u32 = 50;

/// Notes, search and scratchpads. No user sees another's.
pub trait Recall: Send + Sync {
    /// Keeps a note and returns its identifier.
    fn save<'a>(
        &'a self,
        user: &'a UserId,
        note: Note,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<String, RecallError>>;
    /// Replaces a note as a whole.
    fn update<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
        note: Note,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<(), RecallError>>;
    /// Forgets a note.
    fn delete<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<(), RecallError>>;
    /// What fits a question best, the best first. The question is words, not a query language:
    /// nothing in it is an error. Without a word it lists the newest notes.
    fn search<'a>(
        &'a self,
        user: &'a UserId,
        question: Question,
    ) -> BoxFuture<'a, Result<Vec<Hit>, RecallError>>;
    /// The scratchpad of a session; empty if nothing was written.
    fn scratchpad<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<String, RecallError>>;
    /// Replaces the scratchpad of a session.
    fn write_scratchpad<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        text: String,
    ) -> BoxFuture<'a, Result<(), RecallError>>;
}

/// A note that may be kept: it says something, and it and its tags fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    tags: BTreeSet<String>,
    session: Option<SessionId>,
    scope: Option<Scope>,
    important: Option<bool>,
}

/// Who finds something: everything of the person's own, or only what works in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The person, wherever they are.
    #[default]
    User,
    /// One agent.
    Agent(String),
    /// One session.
    Session(SessionId),
    /// One project, by the name it was given.
    Project(String),
}

/// What is looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// What the person finds anywhere, and what is of these places.
    Of(BTreeSet<Scope>),
    /// Everything of the person, for the person.
    All,
}

/// In which order hits come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// What fits best is first.
    #[default]
    Best,
    /// What is newest is first; the words do not matter.
    Newest,
}

/// Why a hit is where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Why {
    /// What each way of searching says, from 0 to 1.
    pub legs: Legs,
    /// What the weighted mean was multiplied by for age.
    pub recency: f64,
    /// What it was multiplied by for importance.
    pub importance: f64,
    /// What was taken away because a hit above says the same.
    pub repeated: f64,
    /// Likeness of meaning as the embedder's vectors have it, before any scale: the cosine.
    pub cosine: Option<f64>,
}

impl Note {
    /// Checks a note. Tags lose the space around them and become lower case.
    pub fn new(text: String, tags: &[String]) -> Result<Self, RecallError> {
        if text.trim().is_empty() {
            return Err(RecallError::EmptyNote);
        }
        if text.len() > LONGEST_NOTE {
            return Err(RecallError::LongNote(text.len()));
        }
        check_nul(&text)?;
        if tags.len() > MOST_TAGS {
            return Err(RecallError::ManyTags(tags.len()));
        }
        let tags = tags.iter().map(|tag| normal_tag(tag)).collect::<Result<_, _>>()?;
        Ok(Self { text, tags, session: None, scope: None, important: None })
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same note, written in a session. One of a session that has read something secret is
    /// a secret place from then on.
    #[must_use]
    pub fn written_in(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// The session it was written in, if that is known.
    pub fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// The same note, to be found in one place only.
    #[must_use]
    pub fn in_scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Where it is found. None leaves a note that is there as it is, and makes a new one the
    /// person's.
    pub fn scope(&self) -> Option<&Scope> {
        self.scope.as_ref()
    }

    /// The same note, to be found before others, or no longer.
    #[must_use]
    pub fn marked_important(mut self, important: bool) -> Self {
        self.important = Some(important);
        self
    }

    /// Whether it is found before others; none leaves a note that is there as it is.
    pub fn important(&self) -> Option<bool> {
        self.important
    }

    /// Its tags.
    pub fn tags(&self) -> &BTreeSet<String> {
        &self.tags
    }
}

/// Refuses a scratchpad that cannot be kept.
pub fn check_scratchpad(text: &str) -> Result<(), RecallError> {
    if text.len() > LONGEST_SCRATCHPAD {
        return Err(RecallError::LongScratchpad(text.len()));
    }
    check_nul(text)
}

/// The database reads a text up to the first NUL, so what stands behind it would be lost.
fn check_nul(text: &str) -> Result<(), RecallError> {
    if text.contains('\0') { Err(RecallError::Nul) } else { Ok(()) }
}

/// A tag as it is stored and looked for.
pub fn normal_tag(tag: &str) -> Result<String, RecallError> {
    let tag = tag.trim();
    let length = tag.chars().take(LONGEST_TAG + 1).count();
    if length == 0 || length > LONGEST_TAG || tag.chars().any(char::is_control) {
        let shown = tag.chars().take(LONGEST_TAG).filter(|letter| !letter.is_control()).collect();
        return Err(RecallError::Tag(shown));
    }
    Ok(tag.to_lowercase())
}

impl Scope {
    /// As it is stored: empty for the person, else the kind and the name.
    pub fn stored(&self) -> String {
        match self {
            Self::User => String::new(),
            Self::Agent(name) => format!("agent:{name}"),
            Self::Session(id) => format!("session:{id}"),
            Self::Project(name) => format!("project:{name}"),
        }
    }

    /// Reads what was stored, or what a person typed.
    pub fn read(text: &str) -> Result<Self, RecallError> {
        let wrong =
            || RecallError::Scope(text.chars().filter(|c| !c.is_control()).take(64).collect());
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        let fits = crate::config::is_name(name);
        match kind {
            "" | "user" if name.is_empty() => Ok(Self::User),
            "agent" if fits => Ok(Self::Agent(name.to_owned())),
            "session" if fits => Ok(Self::Session(SessionId::new(name))),
            "project" if fits => Ok(Self::Project(name.to_owned())),
            _ => Err(wrong()),
        }
    }
}

impl Default for Scopes {
    fn default() -> Self {
        Self::Of(BTreeSet::new())
    }
}

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// Words; any of them may fit.
    pub words: String,
    /// Most hits; never more than [`MOST_HITS`].
    pub limit: u32,
    /// Tags that all must be on a note. Conversations have none, so they are not found by tags.
    pub tags: BTreeSet<String>,
    /// Where to look; everywhere if empty.
    pub sources: BTreeSet<Source>,
    /// Only what is not older, in milliseconds since 1970-01-01 UTC.
    pub after_ms: Option<u64>,
    /// Only what is older, in milliseconds since 1970-01-01 UTC.
    pub before_ms: Option<u64>,
    /// The turn that asks. What was said in it is left out, or the question itself would be the
    /// best answer.
    pub asked_in: Option<TurnId>,
    /// The session that asks, when what was said in it is of no interest, because it is in view.
    pub not_of: Option<SessionId>,
    /// Places whose own things are looked into, too.
    pub scopes: Scopes,
    /// Find out for each hit whether it is vouched for.
    pub vouch: bool,
    /// In which order hits come.
    pub order: Order,
    /// Now, in milliseconds since 1970-01-01 UTC. With it, words like `last week` are
    /// understood and age can count.
    pub now_ms: Option<u64>,
    /// How hits are weighed; as configured if none.
    pub tuning: Option<Tuning>,
    /// The place in a trace that the search is a part of; none if it is a part of nothing.
    pub trace: Option<Trace>,
}

/// Where something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A note.
    Note,
    /// What was said in a conversation.
    Message,
    /// A file that was taken in.
    File,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 3] = [Self::Note, Self::Message, Self::File];

    /// The word for it in the contract.
    pub fn id(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Message => "message",
            Self::File => "file",
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Identifier; that of a note is one to update or delete by.
    pub id: String,
    /// The note as a whole, or the part of a message around what was found.
    pub text: String,
    /// Higher is better; comparable within one answer only.
    pub score: f64,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
    /// What it is.
    pub from: Origin,
    /// It is from a secret place.
    pub secret: bool,
    /// Nothing that nobody vouches for can be in it: the person wrote it, or it was written in a
    /// session that had read nothing from outside. Always false unless the question asks.
    pub vouched: bool,
    /// Why it is where it is.
    pub why: Why,
}

/// What a hit is, with what only that has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A note.
    Note {
        /// Its tags.
        tags: BTreeSet<String>,
        /// When it was last changed, in milliseconds since 1970-01-01 UTC.
        updated_ms: u64,
        /// It was written by the person, outside of any session.
        own: bool,
    },
    /// What was said in a conversation.
    Message {
        /// The session.
        session: SessionId,
        /// `user` or `assistant`.
        role: String,
    },
    /// A part of a file.
    File {
        /// Where it was taken from.
        path: String,
        /// Which part, from 1.
        part: u32,
    },
}

impl Origin {
    /// Where that is.
    pub fn source(&self) -> Source {
        match self {
            Self::Note { .. } => Source::Note,
            Self::Message { .. } => Source::Message,
            Self::File { .. } => Source::File,
        }
    }
}

/// Why notes and scratchpads could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    /// A note that says nothing.
    #[error("a note needs text and this one has none; say what is to be remembered")]
    EmptyNote,
    /// A note that is too long.
    #[error(
        "a note has at most {LONGEST_NOTE} bytes and this one has {0}; write a shorter one, or keep the text in a file"
    )]
    LongNote(usize),
    /// Too many tags.
    #[error("a note has at most {MOST_TAGS} tags and this one has {0}; leave some out")]
    ManyTags(usize),
    /// A tag that cannot be used.
    #[error(
        "a tag has 1 to {LONGEST_TAG} characters and no control characters; `{0}` does not fit"
    )]
    Tag(String),
    /// A place that is none.
    #[error(
        "`{0}` is no scope; write `user`, or `agent:NAME`, `session:ID` or `project:NAME` with letters, digits, `-`, `_` and `.`"
    )]
    Scope(String),
    /// Text that would be lost.
    #[error("the text has a NUL character, which cannot be kept; leave it out")]
    Nul,
    /// The user has used up the notes.
    #[error("there are {MOST_NOTES} notes, which are the most; delete some first")]
    Full,
    /// No such note of this user.
    #[error("there is no note `{0}`; search for it to learn its id")]
    NoNote(String),
    /// An identifier that is not one of a note.
    #[error("`{0}` is not the id of a note, and only notes can be changed; ids look like `note-7`")]
    NotANote(String),
    /// Nothing to look for where words are needed.
    #[error("conversations can only be searched by words, and there are none; give at least one")]
    NoWords,
    /// A scratchpad that is too long.
    #[error(
        "a scratchpad has at most {LONGEST_SCRATCHPAD} bytes and this one has {0}; keep what matters now and save the rest as notes"
    )]
    LongScratchpad(usize),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_was_written() {
        for text in ["", "agent:main", "session:01-ab", "project:my.site"] {
            assert_eq!(Scope::read(text).unwrap().stored(), text);
        }
        assert_eq!(Scope::read("user").unwrap(), Scope::User);
        for text in ["agent:", "team:x", "project:a b", "user:x", "session:../x"] {
            assert!(Scope::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tags_are_made_alike() {
        let tags = [" Travel ".to_owned(), "TRAVEL".to_owned(), "Été".to_owned()];
        let note = Note::new("text".into(), &tags).unwrap();
        assert_eq!(note.tags().iter().collect::<Vec<_>>(), ["travel", "été"]);
    }

    #[test]
    fn a_note_that_does_not_fit_is_refused_with_the_limit() {
        let refused = |text: &str, tags: &[&str]| {
            let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            Note::new(text.into(), &tags).unwrap_err().to_string()
        };
        assert!(refused(" \n\t", &[]).contains("has none"));
        assert!(refused(&"é".repeat(LONGEST_NOTE), &[]).contains("at most 65536 bytes"));
        assert!(refused("x", &["a"; MOST_TAGS + 1]).contains("at most 16 tags"));
        for tag in ["", "  ", "a\0b", &"x".repeat(LONGEST_TAG + 1)] {
            assert!(refused("x", &[tag]).contains("1 to 64 characters"), "{tag:?}");
        }
        assert!(refused("a\0b", &[]).contains("NUL"));
        assert!(Note::new("x".repeat(LONGEST_NOTE), &["é".repeat(LONGEST_TAG)]).is_ok());
    }
}
