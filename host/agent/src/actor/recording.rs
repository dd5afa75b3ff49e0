//! Keeping what happened: first in the audit log and the journal, and only then shown.

use super::Actor;
use crate::audit;
use hydroid_core::entry::Entry;
use hydroid_core::id::{CallId, ComponentId};
use hydroid_core::message::Label;
use hydroid_core::ports::{StandingApproval, StoreError};
use hydroid_core::protocol::SessionMessage;

impl Actor {
    /// Appends the entries at once and, when they are safe, shows them.
    pub(super) async fn record(&mut self, entries: Vec<Entry>) -> Result<(), StoreError> {
        self.record_begun(entries, None).await
    }

    /// The same for entries with which the turn of a message that waited begins.
    pub(super) async fn record_begun(
        &mut self,
        entries: Vec<Entry>,
        waited: Option<u64>,
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let now_ms = self.agent.clock.now_ms();
        for entry in &entries {
            let ran_ms = self.ran_ms(entry, now_ms);
            let tool = tool_of(entry, entries.iter().chain(self.entries.iter().rev()));
            let event = audit::of_entry(&self.user, &self.session, entry, ran_ms, tool);
            if let Some(mut event) = event {
                event.parent = event.call.as_ref().and_then(|call| {
                    parent_of(call, entries.iter().chain(self.entries.iter().rev()))
                });
                self.agent.audit.record(event).await?;
            }
        }
        let (journal, session) = (&self.agent.journal, &self.session);
        let last = match waited {
            Some(waited) => journal.append_begun(session, &entries, waited, now_ms).await?,
            None => journal.append(session, &entries, now_ms).await?,
        };
        let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let first = last.saturating_sub(count).saturating_add(1);
        for (seq, entry) in (first..).zip(entries) {
            if let Some(running) = &mut self.running {
                running.recorded(&entry);
            }
            self.clients.show(&SessionMessage::Entry {
                session: self.session.clone(),
                seq,
                at_ms: now_ms,
                entry: entry.clone(),
            });
            self.entries.push(entry);
        }
        Ok(())
    }

    /// How long the call of an entry has run, when it ends here.
    pub(super) fn ran_ms(&mut self, entry: &Entry, now_ms: u64) -> Option<u64> {
        let began = &mut self.running.as_mut()?.began_ms;
        match entry {
            Entry::CallStarted { call_id, .. } => {
                began.insert(call_id.clone(), now_ms);
                None
            }
            Entry::CallFinished { call_id, .. } => {
                began.remove(call_id).map(|began| now_ms.saturating_sub(began))
            }
            _ => None,
        }
    }

    /// What was masked is no decision, so a log that cannot be written holds nothing up here.
    pub(super) async fn audit_redactions(&self, id: &CallId, label: &Label, redactions: u32) {
        let event = audit::redacted(&self.user, &self.session, id, label, redactions);
        if let Err(error) = self.agent.audit.record(event).await {
            tracing::error!(session = %self.session, %error, "a redaction could not be audited");
        }
    }

    /// Keeps what the person allowed for good. Should that fail, it still holds for the session.
    pub(super) async fn remember(
        &mut self,
        calls: String,
        component: ComponentId,
        days: Option<u32>,
    ) {
        const DAY_MS: u64 = 24 * 3600 * 1000;
        let now_ms = self.agent.clock.now_ms();
        let approval = StandingApproval {
            id: (self.agent.new_turn_id)().chars().rev().take(8).collect(),
            user: self.user.clone(),
            calls,
            component: Some(component),
            created_ms: now_ms,
            expires_ms: days.map(|days| now_ms.saturating_add(u64::from(days) * DAY_MS)),
        };
        let event = audit::approval_given(&approval);
        let kept = match self.agent.audit.record(event).await {
            Ok(()) => self.agent.approvals.give(approval).await,
            Err(error) => Err(error),
        };
        if let Err(error) = kept {
            tracing::error!(session = %self.session, %error, "a standing approval could not be kept");
        }
    }
}

/// The tool that a decision is about, by the call among these entries.
fn tool_of<'a>(decided: &Entry, entries: impl Iterator<Item = &'a Entry>) -> Option<&'a str> {
    let Entry::CallDecided { call_id, .. } = decided else { return None };
    entries
        .filter_map(|entry| match entry {
            Entry::CallReceived { call, .. } if call.id == *call_id => Some(call.name.as_str()),
            _ => None,
        })
        .next()
}

/// The call that asked for this one, if none of the model's own.
pub(super) fn parent_of<'a>(
    call_id: &CallId,
    mut entries: impl Iterator<Item = &'a Entry>,
) -> Option<CallId> {
    entries.find_map(|entry| match entry {
        Entry::CallReceived { call, parent, .. } if call.id == *call_id => Some(parent.clone()),
        Entry::TurnStarted { .. } => Some(None),
        _ => None,
    })?
}
