//! The task of a session in memory: it takes one waiting message after another, gets it a place
//! among the turns of the user, and waits for its end. A session that is not used for a while
//! leaves memory here.

use super::Inner;
use super::room::Room;
use crate::session::{Session, TurnError, TurnHandle};
use hydroid_core::entry::Outcome;
use hydroid_core::ports::Saying;
use hydroid_core::protocol::Activity;
use std::sync::Arc;
use std::time::Duration;

/// How often a turn that waits for a person is looked at.
const LOOK: Duration = Duration::from_secs(15);

/// Runs until the session leaves memory or fails.
pub(super) async fn drive(room: Arc<Room>, session: Session) {
    if let Some(turn) = session.restored().await
        && !follow(&room, turn, None).await
    {
        return;
    }
    loop {
        let Ok(hub) = room.hub() else { return };
        while room.waits_for_its_place() {
            let permit = Arc::clone(&hub.permits).acquire_owned().await;
            // It may have been cancelled meanwhile.
            let Some(said) = room.next_said() else { break };
            room.hold(permit.ok());
            if !turn(&room, &session, said).await {
                return;
            }
        }
        let idle = hub.parts.limits.idle;
        drop(hub);
        tokio::select! {
            () = room.work.notified() => {}
            () = tokio::time::sleep(idle) => {
                if room.last_used().elapsed() >= idle {
                    // Another task, since leaving memory ends this one.
                    let room = Arc::clone(&room);
                    tokio::spawn(async move { room.fall_asleep().await });
                }
            }
        }
    }
}

/// Runs one turn; false if the session is over.
async fn turn(room: &Arc<Room>, session: &Session, said: Saying) -> bool {
    let Ok(hub) = room.hub() else { return false };
    hub.title(&room.session, &said.parts).await;
    let waiting = said.waiting;
    match session.hear(said).await {
        Ok(turn) => follow(room, turn, waiting).await,
        Err(crate::SayError::Closed) => {
            gone(room, &hub, waiting).await;
            false
        }
        Err(error) => {
            hub.forget(waiting).await;
            room.is_done();
            hub.notify("turn_failed", &room.session, error.to_string()).await;
            true
        }
    }
}

/// The session is over, on purpose or by a defect: its message is not tried again, those behind it
/// are.
async fn gone(room: &Arc<Room>, hub: &Arc<Inner>, waiting: Option<u64>) {
    hub.forget(waiting).await;
    room.failed();
    if hub.takes_up() {
        hub.take_up_after_a_failure();
    }
}

/// Waits for the end of a turn that begins with a message that waited, if it does.
async fn follow(room: &Arc<Room>, turn: TurnHandle, waiting: Option<u64>) -> bool {
    let Ok(hub) = room.hub() else { return false };
    hub.announce(&room.session).await;
    let ended = turn.ended();
    tokio::pin!(ended);
    let ended = loop {
        tokio::select! {
            ended = &mut ended => break ended,
            () = tokio::time::sleep(LOOK) => {
                let asks = room.activity().0 == Activity::Asking;
                if asks && room.last_used().elapsed() >= hub.parts.limits.idle {
                    let room = Arc::clone(room);
                    tokio::spawn(async move { room.fall_asleep().await });
                }
            }
        }
    };
    match ended {
        Ok(report) => {
            room.is_done();
            if !room.is_followed() {
                let how = match report.outcome {
                    Outcome::Completed => "the turn is done",
                    Outcome::Cancelled | Outcome::Stopped => "the turn was stopped",
                    Outcome::BudgetReached { .. }
                    | Outcome::Repeating { .. }
                    | Outcome::Failed { .. }
                    | Outcome::Interrupted => "the turn did not come to its end",
                };
                hub.notify("turn_ended", &room.session, how.to_owned()).await;
            }
        }
        Err(TurnError::Closed) => {
            // Closed by somebody on purpose, or by a defect; in both cases nothing runs any more.
            gone(room, &hub, waiting).await;
            return false;
        }
        Err(error @ (TurnError::Journal(_) | TurnError::Secrets(_))) => {
            hub.forget(waiting).await;
            room.is_done();
            hub.notify("turn_failed", &room.session, error.to_string()).await;
        }
    }
    hub.announce(&room.session).await;
    true
}
