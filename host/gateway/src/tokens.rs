//! Tokens: who a client speaks for and what it may do. Of a token only a hash is kept, and hashes
//! are compared in constant time. Where the book is kept is its owner's business.

use hydroid_core::id::UserId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use subtle::ConstantTimeEq as _;

/// In front of each token, so that scanners know one when they see it.
const MARK: &str = "hyd_";

/// Random bytes of a token.
const RANDOM: usize = 32;

/// Tokens in one book at most: each is compared with what is presented.
const MOST: usize = 1_000;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See sessions and figures.
    Read,
    /// Also say things, answer approvals, and change sessions.
    Chat,
    /// Also what concerns the whole host.
    Admin,
}

/// Every token there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenBook {
    tokens: Vec<Token>,
}

/// One token, without what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Identifier, short enough to be typed.
    pub id: String,
    /// Whose it is.
    pub user: UserId,
    /// What uses it, for people.
    pub client: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
    /// When it ends, likewise; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// SHA-256 of the token, in hex.
    hash: String,
}

/// Who a token that was presented belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHolder {
    /// Identifier of the token.
    pub token: String,
    /// The user.
    pub user: UserId,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
}

/// A book of tokens that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTokens {
    /// It is not what was written.
    #[error(
        "the tokens cannot be read: {0}; `hydroid token create` makes new ones once the file is away"
    )]
    Damaged(#[from] serde_json::Error),
    /// Too many.
    #[error("there are {MOST} tokens, which are the most; revoke some with `hydroid token revoke`")]
    Full,
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    NoRandom(getrandom::Error),
    /// The file could not be read or written.
    #[error("{0}")]
    Place(String),
}

/// Where the book is kept.
pub trait TokenStore: Send + Sync {
    /// The book as it is now.
    fn book(&self) -> Result<TokenBook, BadTokens>;
    /// Changes the book; nobody else does meanwhile.
    fn change(
        &self,
        change: &mut dyn FnMut(&mut TokenBook) -> Result<(), BadTokens>,
    ) -> Result<(), BadTokens>;
}

impl TokenBook {
    /// Reads a book.
    pub fn parse(text: &str) -> Result<Self, BadTokens> {
        Ok(serde_json::from_str(text)?)
    }

    /// The book as text.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).expect("tokens are plain data")
    }

    /// The tokens, oldest first.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Makes a token and returns it; it cannot be read again.
    pub fn create(
        &mut self,
        user: UserId,
        client: &str,
        scopes: BTreeSet<Scope>,
        now_ms: u64,
        expires_ms: Option<u64>,
    ) -> Result<String, BadTokens> {
        self.tokens.retain(|token| token.expires_ms.is_none_or(|end| now_ms < end));
        if self.tokens.len() >= MOST {
            return Err(BadTokens::Full);
        }
        let secret = new_secret()?;
        let hash = hash_of(&secret);
        let mut length = 6;
        // The beginning of the hash; longer if another token begins so.
        let id = loop {
            let id: String = hash.chars().take(length).collect();
            if self.tokens.iter().all(|token| token.id != id) {
                break id;
            }
            length += 2;
        };
        let client = client.to_owned();
        self.tokens.push(Token { id, user, client, scopes, created_ms: now_ms, expires_ms, hash });
        Ok(secret)
    }

    /// Takes a token back; false if there is none of that identifier.
    pub fn revoke(&mut self, id: &str) -> bool {
        let before = self.tokens.len();
        self.tokens.retain(|token| token.id != id);
        self.tokens.len() < before
    }

    /// Who a token belongs to; none if there is no such token, or no longer.
    pub fn holder(&self, presented: &str, now_ms: u64) -> Option<TokenHolder> {
        let hash = hash_of(presented);
        let mut found = None;
        // All of them are compared, so the time tells nothing.
        for token in &self.tokens {
            if bool::from(token.hash.as_bytes().ct_eq(hash.as_bytes())) {
                found = Some(token);
            }
        }
        found.filter(|token| token.expires_ms.is_none_or(|end| now_ms < end)).map(|token| {
            TokenHolder {
                token: token.id.clone(),
                user: token.user.clone(),
                scopes: token.scopes.clone(),
            }
        })
    }
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Read, Self::Chat, Self::Admin];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Chat => "chat",
            Self::Admin => "admin",
        }
    }
}

impl TokenHolder {
    /// True if the token may do this; who may more may less too.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|own| *own >= scope)
    }
}

/// A text that nobody guesses.
pub(crate) fn new_secret() -> Result<String, BadTokens> {
    use base64::Engine as _;
    let mut random = [0; RANDOM];
    getrandom::fill(&mut random).map_err(BadTokens::NoRandom)?;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random);
    Ok(format!("{MARK}{text}"))
}

pub(crate) fn hash_of(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book_with(expires_ms: Option<u64>) -> (TokenBook, String) {
        let mut book = TokenBook::default();
        let secret =
            book.create(UserId::new("anna"), "phone", [Scope::Chat].into(), 5, expires_ms).unwrap();
        (book, secret)
    }

    #[test]
    fn a_token_is_known_until_it_ends_or_is_taken_back() {
        let (mut book, secret) = book_with(Some(10));
        let holder = book.holder(&secret, 9).unwrap();
        assert_eq!(holder.user, UserId::new("anna"));
        assert!(holder.may(Scope::Read) && holder.may(Scope::Chat) && !holder.may(Scope::Admin));
        assert_eq!(book.holder(&secret, 10), None);
        assert!(book.revoke(&holder.token) && !book.revoke(&holder.token));
        assert_eq!(book.holder(&secret, 6), None);
    }

    #[test]
    fn what_is_no_token_is_nobodys() {
        let (book, secret) = book_with(None);
        for wrong in ["", "hyd_", &secret[1..], &format!("{secret} "), &book.tokens[0].hash] {
            assert_eq!(book.holder(wrong, 6), None, "{wrong}");
        }
    }

    #[test]
    fn the_book_has_no_token_in_it() {
        let (book, secret) = book_with(None);
        let text = book.to_text();
        assert!(!text.contains(&secret) && !text.contains(&secret[4..]));
        assert_eq!(TokenBook::parse(&text).unwrap(), book);
        assert!(TokenBook::parse("{\"tokens\":[{}]}").is_err());
    }
}
