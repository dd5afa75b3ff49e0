//! Summing up the older part of the conversation an actor owns, because a person or a turn wants it.

use super::{Actor, Compacting, Stored};
use crate::effects;
use crate::session::CompactError;
use hydroid_core::compaction::plan_for_a_person;
use hydroid_core::entry::Entry;
use hydroid_core::hook::HookPoint;
use hydroid_core::id::TurnId;
use hydroid_core::protocol::SessionMessage;
use hydroid_core::telemetry::Trace;
use serde_json::json;
use tokio::sync::oneshot;

impl Actor {
    /// Begins to sum the older part of the conversation up, if nothing else runs. Who asks
    /// meanwhile waits for the same summary.
    pub(super) async fn compact(&mut self, reply: oneshot::Sender<Result<u32, CompactError>>) {
        if let Some(wish) = &mut self.compacting {
            wish.replies.push(reply);
            return;
        }
        let busy = self.running.is_some() || self.loading.is_some() || !self.queue.is_empty();
        if busy || *self.stop.borrow() {
            drop(reply.send(Err(CompactError::Busy)));
            return;
        }
        if self.stored == Stored::Unknown
            && let Err(error) = self.resume().await
        {
            drop(reply.send(Err(CompactError::Journal(error))));
            return;
        }
        let Some(plan) = plan_for_a_person(&self.entries) else {
            drop(reply.send(Ok(0)));
            return;
        };
        self.turns += 1;
        let turn = TurnId::new((self.agent.new_turn_id)());
        let (number, covers) = (self.turns, plan.covers);
        self.tell_of_summary(covers);
        let job = effects::compact(&self.turn_context(turn, Trace::default()), plan);
        let replies = vec![reply];
        self.compacting = Some(Compacting { number, covers, recorded: false, _job: job, replies });
    }

    /// A summary takes a while, and until it is there nothing else is to be seen.
    pub(super) fn tell_of_summary(&mut self, covers: u32) {
        let turns = if covers == 1 { "turn is".to_owned() } else { format!("{covers} turns are") };
        self.clients.show(&SessionMessage::Progress {
            session: self.session.clone(),
            call_id: None,
            fraction: None,
            note: format!("the first {turns} being summed up"),
        });
    }

    /// Takes what came of a summary, of a turn or of a person's wish.
    pub(super) async fn compacted(&mut self, number: u64, entry: Entry) {
        let wished = self.compacting.as_ref().is_some_and(|wish| wish.number == number);
        let needed = self.running.as_ref().is_some_and(|turn| turn.context.number == number);
        if !wished && !needed {
            return;
        }
        if let Entry::Compacted { covers, summary, .. } = &entry {
            let subject = json!({ "covers": covers, "summary": summary });
            self.tell(HookPoint::Compaction, None, subject);
        }
        match (self.record(vec![entry]).await, &mut self.compacting) {
            (Ok(()), Some(wish)) => wish.recorded = true,
            (Ok(()), None) => {}
            (Err(error), Some(_)) => {
                self.stored = Stored::Unknown;
                // Those who joined are told that it was not made.
                let first = self.compacting.take().and_then(|mut wish| wish.replies.pop());
                if let Some(reply) = first {
                    drop(reply.send(Err(CompactError::Journal(error))));
                }
            }
            (Err(error), None) => self.stop_unrecorded(error),
        }
    }

    pub(super) fn compacting_ended(&mut self, number: u64) {
        if let Some(wish) = self.compacting.take_if(|wish| wish.number == number) {
            let turns = if wish.recorded { wish.covers } else { 0 };
            for reply in wish.replies {
                drop(reply.send(Ok(turns)));
            }
        }
    }
}
