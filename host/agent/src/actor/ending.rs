//! How turns and the session an actor owns end.

use super::running::Stopping;
use super::{Actor, Stored};
use crate::clients::Shown;
use crate::hooks;
use crate::session::{ChangeError, TurnEnd, TurnError};
use hydroid_core::hook::HookPoint;
use hydroid_core::ports::StoreError;
use hydroid_core::turn::Event;

impl Actor {
    /// Cuts everything at once: no grace, and nothing new until it is released.
    pub(super) async fn stop_everything(&mut self) {
        (self.compacting, self.naming) = (None, None);
        self.stop_loading(ChangeError::Stopped);
        for said in self.queue.drain(..) {
            let end = TurnEnd { result: Err(TurnError::Closed), shown: Shown::default() };
            drop(said.ended.send(end));
        }
        self.handle(vec![Event::EmergencyStop]).await;
        self.looking_on.shutdown().await;
        self.stopping.shutdown().await;
    }

    /// Closes once nothing runs but a question. The turn is not recorded as ended, so the question
    /// is asked again; what runs beside it comes to its end first.
    pub(super) async fn leave_when_settled(&mut self) {
        match &self.running {
            Some(running) if !running.turn.waits_for_a_person() => return,
            Some(running) if !running.turn.can_be_left() => {}
            Some(_) | None => self.running = None,
        }
        self.leaving = false;
        self.close().await;
    }

    pub(super) async fn close(&mut self) {
        self.closed = true;
        self.compacting = None;
        self.stop_loading(ChangeError::Closed);
        for said in self.queue.drain(..) {
            drop(
                said.ended
                    .send(TurnEnd { result: Err(TurnError::Closed), shown: Shown::default() }),
            );
        }
        self.handle(vec![Event::CancelRequested]).await;
    }

    /// Ends the turn because what happened could not be recorded. Nothing of it is shown and
    /// nothing more is done; the journal is read again before the next turn, which closes this one.
    pub(super) fn stop_unrecorded(&mut self, error: StoreError) {
        tracing::error!(session = %self.session, %error, "the journal could not be written");
        self.stored = Stored::Unknown;
        self.end(Some(error));
    }

    pub(super) fn end(&mut self, error: Option<StoreError>) {
        let Some(running) = self.running.take() else { return };
        if let Some(subject) = hooks::turn_ended(&self.entries) {
            let of = (running.context.turn.clone(), running.context.trace.clone());
            self.tell(HookPoint::TurnEnd, Some(of), subject);
        }
        self.allowed = running.turn.session_approvals().cloned().collect();
        self.stopping.extend_with(running.model.into_iter().chain(running.tools.into_values()));
        let result = match (error, running.report) {
            (Some(error), _) => Err(TurnError::Journal(error)),
            (None, Some(report)) => Ok(report),
            // A turn ends with its last entry; without one it never began.
            (None, None) => Err(TurnError::Closed),
        };
        drop(running.ended.send(TurnEnd { result, shown: self.clients.flushed() }));
    }
}
