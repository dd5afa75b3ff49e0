//! The audit log, as those see it who have something to put there.

use super::StoreError;
use crate::audit::AuditEvent;
use futures_core::future::BoxFuture;

/// The append-only audit log.
pub trait Audit: Send + Sync {
    /// Appends one event. It survives `kill -9` once this returns; who cannot record what they are
    /// about to do does not do it.
    fn record(&self, event: AuditEvent) -> BoxFuture<'_, Result<(), StoreError>>;
}
