//! The port for what components keep for themselves: durable keys, apart for each user and
//! component. Not for what people keep; that is [`super::Recall`].

use super::StoreError;
use crate::id::{ComponentId, UserId};
use futures_core::future::BoxFuture;

/// Most bytes of a key: a path or an address with a prefix.
pub const LONGEST_KEY: usize = 512;

/// Most bytes of a value. Larger things are files.
pub const LARGEST_VALUE: usize = 1 << 20;

/// Most bytes of all keys and values of one component for one user.
pub const LARGEST_COMPONENT_STATE: u64 = 16 << 20;

/// Most keys in one answer.
pub const MOST_KEYS: u32 = 1_000;

/// Durable keys. No user sees another's, and no component another's.
pub trait KeyValues: Send + Sync {
    /// The value of a key.
    fn get<'a>(
        &'a self,
        owner: KeyOwner<'a>,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, KeyError>>;
    /// Sets a key.
    fn set<'a>(
        &'a self,
        owner: KeyOwner<'a>,
        key: &'a str,
        value: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), KeyError>>;
    /// Removes a key; a missing one is fine.
    fn delete<'a>(
        &'a self,
        owner: KeyOwner<'a>,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), KeyError>>;
    /// Keys that start with `prefix`, sorted by their bytes, after `after`, at most `limit` and
    /// never more than [`MOST_KEYS`].
    fn keys<'a>(
        &'a self,
        owner: KeyOwner<'a>,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<String>, KeyError>>;
}

/// Whose keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyOwner<'a> {
    /// The person on whose behalf the component runs.
    pub user: &'a UserId,
    /// The component.
    pub component: &'a ComponentId,
    /// How many bytes its keys and values may have together, at most [`LARGEST_COMPONENT_STATE`].
    pub quota: u64,
}

/// Why a key could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key is empty or too long.
    #[error("a key has 1 to {LONGEST_KEY} bytes and this one has {0}; choose another")]
    Key(usize),
    /// The key would not come back as it was.
    #[error("a key cannot have a NUL character; choose another")]
    Nul,
    /// The value is too long.
    #[error("a value has at most {LARGEST_VALUE} bytes and this one has {0}; store it in parts")]
    Value(usize),
    /// The component has used up its space.
    #[error(
        "the component may keep {quota} bytes and has {used}; delete some keys first, or a person can allow it more with `hydroid component grant NAME state --quota SIZE`, up to what its manifest wants"
    )]
    Full {
        /// Bytes in use.
        used: u64,
        /// Bytes it may use.
        quota: u64,
    },
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Refuses a key that nobody may use.
pub fn check_key(key: &str) -> Result<(), KeyError> {
    if !(1..=LONGEST_KEY).contains(&key.len()) {
        return Err(KeyError::Key(key.len()));
    }
    // The database reads a text up to the first NUL.
    if key.contains('\0') { Err(KeyError::Nul) } else { Ok(()) }
}

/// Refuses a value that nobody may set.
pub fn check_value(value: &[u8]) -> Result<(), KeyError> {
    if value.len() <= LARGEST_VALUE { Ok(()) } else { Err(KeyError::Value(value.len())) }
}
