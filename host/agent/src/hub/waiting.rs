//! What waits in sessions: kept before it is accepted, and gone on with after the host ended in
//! whatever way. When its turn begins, the journal lets go of it.

use super::Inner;
use super::refusal::{internal, stored};
use crate::actor::masked;
use crate::{TurnError, history};
use futures_util::future::BoxFuture;
use hydroid_core::id::SessionId;
use hydroid_core::ports::Saying;
use hydroid_core::protocol::RequestError;
use hydroid_core::turn::open_questions;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long until a session is tried again that could not be brought into memory: another process
/// has it, or there is no room.
const AGAIN: Duration = Duration::from_secs(15);

/// How long until what waits is gone on with in a session that failed.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// Brings the sessions in which something waits into memory, where they go on by themselves.
pub(super) async fn take_up(hub: Weak<Inner>, after: Duration) {
    tokio::time::sleep(after).await;
    loop {
        let Some(hub) = hub.upgrade() else { return };
        let mut stop = hub.parts.agent.parts().stop.clone();
        if hub.closing.load(Ordering::Acquire) {
            return;
        }
        if *stop.borrow_and_update() {
            drop(hub);
            // Nothing is begun until it is released.
            if stop.changed().await.is_err() {
                return;
            }
            continue;
        }
        if hub.is_taken_up().await {
            return;
        }
        drop(hub);
        tokio::time::sleep(AGAIN).await;
    }
}

impl Inner {
    pub(super) fn take_up_after_a_failure(self: &Arc<Self>) {
        // Boxed, since what runs there can fail and come back here.
        let task: BoxFuture<'static, ()> = Box::pin(take_up(Arc::downgrade(self), AFTER_A_FAILURE));
        drop(tokio::spawn(task));
    }

    /// True once every session in which something waited is in memory.
    async fn is_taken_up(self: &Arc<Self>) -> bool {
        let sessions = match self.parts.sessions.with_waiting(&self.parts.user).await {
            Ok(sessions) => sessions,
            Err(error) => {
                tracing::warn!(%error, "it cannot be read what waits");
                return false;
            }
        };
        let mut all = true;
        for session in sessions {
            let room = self.room(&session);
            if room.is_awake() {
                continue;
            }
            match room.wake().await {
                Ok(_) => self.announce(&session).await,
                Err(error) => {
                    tracing::info!(%session, %error, "what waits in a session waits on");
                    all = false;
                }
            }
        }
        all
    }

    /// Keeps a message, without the secrets as they are now; one that is gone with its client is
    /// not kept.
    pub(super) async fn keep(
        &self,
        session: &SessionId,
        said: Saying,
    ) -> Result<Saying, RequestError> {
        if said.passing {
            return Ok(said);
        }
        let agent = self.parts.agent.parts();
        let scrubber = agent.refreshed_scrubber().await;
        let scrubber = scrubber.map_err(|problem| internal(&TurnError::Secrets(problem)))?;
        let said = Saying { parts: masked(&scrubber, said.parts), ..said };
        let now_ms = agent.clock.now_ms();
        let number = self.parts.sessions.keep_waiting(session, &said, None, now_ms).await;
        Ok(Saying { waiting: Some(number.map_err(stored)?), ..said })
    }

    /// What waits in a session since an earlier run. What was said into a turn that nobody runs any
    /// more, and that no step of it has read, is said again before the others; a turn that waits
    /// for a person goes on and reads it itself.
    pub(super) async fn left_waiting(
        &self,
        session: &SessionId,
    ) -> Result<VecDeque<Saying>, RequestError> {
        let (sessions, user) = (&self.parts.sessions, &self.parts.user);
        if sessions.has_unread(user, session).await.map_err(stored)? {
            let agent = self.parts.agent.parts();
            let entries = agent.entries(user, session).await.map_err(stored)?;
            let now_ms = agent.clock.now_ms();
            if open_questions(&entries).is_empty() {
                for (place, saying) in history::unread(&entries) {
                    let kept = sessions.keep_waiting(session, &saying, Some(place), now_ms).await;
                    kept.map_err(stored)?;
                }
            }
        }
        Ok(sessions.waiting(user, session).await.map_err(stored)?.into())
    }

    /// Forgets a message whose turn could not begin, as its client was told.
    pub(super) async fn forget(&self, waiting: Option<u64>) {
        let Some(number) = waiting else { return };
        let (sessions, user) = (&self.parts.sessions, &self.parts.user);
        if let Err(error) = sessions.forget_waiting(user, Some(number)).await {
            tracing::warn!(number, %error, "a message that failed is said again after a restart");
        }
    }
}
