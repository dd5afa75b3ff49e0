//! Commands that change what may happen write it to the audit log before they do it: who cannot
//! record it does not do it.

use crate::wire::{Ground, SystemClock};
use anyhow::{Context, Result};
use hydroid_core::audit::{AuditAction, AuditEvent, AuditOutcome};
use hydroid_core::id::ComponentId;
use hydroid_core::ports::Audit;
use hydroid_memory::{AuditLog, Database};
use std::sync::Arc;

/// What a command is about to do.
pub(crate) struct Deed<'a> {
    /// What kind.
    pub(crate) action: AuditAction,
    /// To what; no secret value.
    pub(crate) resource: String,
    /// To which component.
    pub(crate) component: Option<&'a str>,
    /// `sha256:…` of its bytes.
    pub(crate) digest: Option<String>,
    /// The command.
    pub(crate) command: &'a str,
}

/// The audit log of the user's database.
pub(crate) fn log_of(database: &Database) -> AuditLog {
    AuditLog::new(database.clone(), Arc::new(SystemClock))
}

/// Records it in the user's audit log.
pub(crate) async fn audit(ground: &Ground, deed: Deed<'_>) -> Result<()> {
    let event = AuditEvent {
        component: deed.component.map(ComponentId::new),
        digest: deed.digest,
        rule: format!("`hydroid {}`", deed.command),
        ..AuditEvent::new(
            ground.user(),
            deed.action,
            ground.scrubber.current().scrub(&deed.resource),
            AuditOutcome::Allowed,
        )
    };
    let database = ground.database().await?;
    log_of(&database)
        .record(event)
        .await
        .context("nothing was done, for it could not be written to the audit log")
}
