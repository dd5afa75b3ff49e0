//! What requests to models cost, kept for good. Budgets are kept with it, so an entry is there
//! before its request is sent.

use super::StoreError;
use crate::id::{ComponentId, SessionId, TurnId, UserId};
use crate::message::Usage;
use crate::money::Money;
use futures_core::future::BoxFuture;

/// The ledger of requests to models.
pub trait Ledger: Send + Sync {
    /// Keeps that a request is about to be sent. Until it is settled, what it cost is not known.
    fn begin(&self, charge: Charge) -> BoxFuture<'_, Result<RequestNumber, StoreError>>;
    /// Keeps what a request used and cost so far; the last word stands. A cost of none is one that
    /// nobody can tell.
    fn settle(
        &self,
        request: RequestNumber,
        usage: Usage,
        cost: Option<Money>,
    ) -> BoxFuture<'_, Result<(), StoreError>>;
    /// What a user's requests cost together.
    fn spent<'a>(
        &'a self,
        user: &'a UserId,
        since: Since<'a>,
    ) -> BoxFuture<'a, Result<Spent, StoreError>>;
    /// The same, in groups.
    fn spent_by<'a>(
        &'a self,
        user: &'a UserId,
        since: Since<'a>,
        by: Grouping,
    ) -> BoxFuture<'a, Result<Vec<SpentBy>, StoreError>>;
}

/// A request that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// For whom.
    pub user: UserId,
    /// By which agent.
    pub agent: String,
    /// In which session.
    pub session: SessionId,
    /// In which turn.
    pub turn: TurnId,
    /// The provider component.
    pub provider: ComponentId,
    /// The model.
    pub model: String,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
}

/// A request in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestNumber(pub i64);

/// Which requests are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Since<'a> {
    /// Those from this moment on, in milliseconds since 1970-01-01 UTC.
    pub from_ms: u64,
    /// Those of this session only.
    pub session: Option<&'a SessionId>,
}

/// How requests are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// By the session.
    Session,
    /// By the turn.
    Turn,
    /// By the day, in UTC.
    Day,
    /// By the model and who answers for it.
    Model,
    /// By the agent.
    Agent,
    /// By the user.
    User,
}

/// What requests used and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// How many.
    pub requests: u64,
    /// Tokens.
    pub usage: Usage,
    /// Money of those whose cost is known.
    pub known: Money,
    /// How many there are whose cost is not.
    pub unknown: u64,
}

/// What the requests of one group used and cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentBy {
    /// The group: an identifier, a name, or a day like `2026-11-22`.
    pub group: String,
    /// What they cost.
    pub spent: Spent,
}

impl Spent {
    /// Money as a person reads it; what is not known is said and never shown as nothing.
    pub fn money(&self) -> String {
        match (self.known, self.unknown) {
            (known, 0) => known.to_string(),
            (Money::ZERO, unknown) if unknown == self.requests => "cost unknown".to_owned(),
            (known, 1) => format!("{known} and 1 request of unknown cost"),
            (known, unknown) => format!("{known} and {unknown} requests of unknown cost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_said() {
        let money = |requests, pico, unknown| {
            let known = Money::of_pico(pico);
            Spent { requests, known, unknown, ..Spent::default() }.money()
        };
        assert_eq!(money(0, 0, 0), "$0.0000");
        assert_eq!(money(2, 21_000_000_000, 0), "$0.0210");
        assert_eq!(money(2, 0, 2), "cost unknown");
        assert_eq!(money(2, 0, 1), "$0.0000 and 1 request of unknown cost");
        assert_eq!(money(5, 21_000_000_000, 2), "$0.0210 and 2 requests of unknown cost");
    }
}
