//! Standing approvals: what a person allowed from now on, until they revoke it or it ends.

use super::StoreError;
use crate::id::{ComponentId, UserId};
use futures_core::future::BoxFuture;

/// What people allowed for good.
pub trait Approvals: Send + Sync {
    /// Those of a user that are in force at a time, oldest first.
    fn standing<'a>(
        &'a self,
        user: &'a UserId,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<Vec<StandingApproval>, StoreError>>;
    /// Keeps one. It survives `kill -9` once this returns.
    fn give(&self, approval: StandingApproval) -> BoxFuture<'_, Result<(), StoreError>>;
    /// Takes one back; false if the user has none of that identifier.
    fn revoke<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;
}

/// One standing approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingApproval {
    /// Identifier, short enough to be typed.
    pub id: String,
    /// Who gave it.
    pub user: UserId,
    /// Which calls, as `policy::CallPattern` reads it.
    pub calls: String,
    /// Only calls of this component.
    pub component: Option<ComponentId>,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
    /// When it ends, in milliseconds since 1970-01-01 UTC; never when absent.
    pub expires_ms: Option<u64>,
}
