//! The port for where something secret has gone: files, notes and sessions that hold what came
//! out of the vault or stands beside a secret. A session that reads from one has read something
//! secret, whichever session put it there.

use super::StoreError;
use crate::id::{ComponentId, SessionId, UserId};
use futures_core::future::BoxFuture;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Places that hold something secret. No user sees another's.
pub trait SecretPlaces: Send + Sync {
    /// Remembers places. They survive `kill -9` once this returns.
    fn mark<'a>(
        &'a self,
        user: &'a UserId,
        places: BTreeSet<SecretPlace>,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
    /// All places of a user.
    fn marked<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<BTreeSet<SecretPlace>, StoreError>>;
    /// Forgets one; false if it was not marked.
    fn clear<'a>(
        &'a self,
        user: &'a UserId,
        place: SecretPlace,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;
}

/// One place. It is written `file:/shared/x`, `session:ID`, `note:note-7` or `state:COMPONENT`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretPlace {
    /// A file, or everything in a directory, as components see it.
    File(String),
    /// A session: what was said in it.
    Session(SessionId),
    /// A note, by its identifier.
    Note(String),
    /// What a component keeps for itself.
    State(ComponentId),
}

/// A text that names no place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place; it is `file:/shared/…`, `session:ID`, `note:ID` or `state:COMPONENT`, as `hydroid label list` shows it"
)]
pub struct BadPlace(String);

impl SecretPlace {
    /// `file`, `session`, `note` or `state`, and which.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::File(path) => ("file", path),
            Self::Session(session) => ("session", session.as_str()),
            Self::Note(id) => ("note", id),
            Self::State(component) => ("state", component.as_str()),
        }
    }

    /// True if reading this path may read the place: it is there, above it or below it.
    pub fn is_read_by(&self, path: &str) -> bool {
        let Self::File(place) = self else { return false };
        let below = |inner: &str, outer: &str| {
            inner
                .strip_prefix(outer.trim_end_matches('/'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        below(path, place) || below(place, path)
    }
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, which) = self.parts();
        write!(f, "{kind}:{which}")
    }
}

impl FromStr for SecretPlace {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        match text.split_once(':') {
            Some(("file", path)) if path.starts_with('/') => Ok(Self::File(path.to_owned())),
            Some(("session", id)) if !id.is_empty() => Ok(Self::Session(SessionId::new(id))),
            Some(("state", name)) if !name.is_empty() => Ok(Self::State(ComponentId::new(name))),
            Some(("note", id)) if !id.is_empty() => Ok(Self::Note(id.to_owned())),
            _ => Err(BadPlace(text.to_owned())),
        }
    }
}

/// Set by whoever hands something secret to a call. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SawSecret(Arc<AtomicBool>);

impl SawSecret {
    /// Says that the call was handed something secret.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// True once somebody said so.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_from_there_above_and_below() {
        let place = SecretPlace::File("/shared/a".into());
        for path in ["/shared/a", "/shared/a/b", "/shared", "/shared/", "/"] {
            assert!(place.is_read_by(path), "{path}");
        }
        for path in ["/shared/ab", "/tmp", "/shared/b/a"] {
            assert!(!place.is_read_by(path), "{path}");
        }
        assert!(!SecretPlace::Note("note-1".into()).is_read_by("/shared"));
    }

    #[test]
    fn places_print_as_they_are_read() {
        for text in ["file:/shared/a:b", "session:s-1", "note:note-7", "state:tool-a"] {
            assert_eq!(text.parse::<SecretPlace>().unwrap().to_string(), text);
        }
        for bad in ["", "file:a", "/shared/a", "note:", "session:", "state:", "user:x"] {
            assert!(bad.parse::<SecretPlace>().is_err(), "{bad}");
        }
    }
}
