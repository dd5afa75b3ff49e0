//! What a person changes of the session an actor owns, beside saying something: answers, words into
//! the running turn, settings, and taking the conversation back.

use super::beginning::masked;
use super::{Actor, Stored};
use crate::answer::mask_known;
use crate::session::{AnswerError, ChangeError, SayError};
use hydroid_core::entry::Entry;
use hydroid_core::id::{CallId, ClientKey, TurnId, UserId};
use hydroid_core::message::Part;
use hydroid_core::protocol::{ApprovalAnswer, SessionSettings};
use hydroid_core::turn::Event;

impl Actor {
    pub(super) async fn answer(
        &mut self,
        by: UserId,
        call_id: CallId,
        answer: ApprovalAnswer,
    ) -> Result<(), AnswerError> {
        if by != self.user {
            return Err(AnswerError::NotYours { call: call_id, asked: self.user.clone() });
        }
        let Some(running) =
            self.running.as_ref().filter(|running| running.turn.asks_about(&call_id))
        else {
            return Err(AnswerError::NotAsked(call_id));
        };
        running.turn.check_answer(&call_id, &answer).map_err(AnswerError::Unfit)?;
        let answer = self.scrubbed_answer(answer);
        self.handle(vec![Event::Answered { id: call_id, answer }]).await;
        Ok(())
    }

    pub(super) async fn steer(
        &mut self,
        parts: Vec<Part>,
        key: Option<ClientKey>,
    ) -> Result<(), SayError> {
        let Some(running) = &mut self.running else { return Err(SayError::NothingRuns) };
        running.steering = Some(key);
        let parts = masked(&self.agent.scrubber.current(), parts);
        self.handle(vec![Event::Steered(parts)]).await;
        // A turn that is over takes nothing any more.
        match self.running.as_mut().and_then(|running| running.steering.take()) {
            Some(_) => Err(SayError::NothingRuns),
            None => Ok(()),
        }
    }

    pub(super) async fn rewind(&mut self, to: Option<TurnId>) -> Result<(), ChangeError> {
        self.quiet().await?;
        let is_there = |turn: &TurnId| {
            self.entries.iter().any(
                |entry| matches!(entry, Entry::TurnStarted { turn: known, .. } if known == turn),
            )
        };
        if let Some(turn) = to.as_ref().filter(|turn| !is_there(turn)) {
            return Err(ChangeError::NoTurn(turn.clone()));
        }
        let before = self.loaded_skills();
        self.change(Entry::Rewound { to }).await?;
        self.loads_configured = true;
        self.tell_of_rewound(&before).await;
        Ok(())
    }

    /// Sees to it that no turn runs or waits, and that the session is known.
    pub(super) async fn quiet(&mut self) -> Result<(), ChangeError> {
        // A summary on its way would stand for turns that are forgotten.
        if self.running.is_some() || !self.is_free() || !self.queue.is_empty() {
            return Err(ChangeError::TurnRuns);
        }
        self.read_again().await?;
        // A turn that waits for a person may have come back with it.
        if self.running.is_some() { Err(ChangeError::TurnRuns) } else { Ok(()) }
    }

    /// True unless something is under way that a turn has to wait for.
    pub(super) fn is_free(&self) -> bool {
        self.compacting.is_none() && self.loading.is_none()
    }

    pub(super) async fn set(&mut self, settings: SessionSettings) -> Result<(), ChangeError> {
        self.read_again().await?;
        self.own = settings.clone();
        self.change(Entry::SettingsChanged { settings }).await
    }

    pub(super) async fn read_again(&mut self) -> Result<(), ChangeError> {
        match self.stored {
            Stored::Unknown if self.running.is_none() => {
                self.resume().await.map_err(ChangeError::Journal)
            }
            Stored::Unknown | Stored::Known | Stored::No => Ok(()),
        }
    }

    /// Records something that is not about a turn. A session that is not in the journal yet has
    /// nothing to record it in, and nothing to forget.
    pub(super) async fn change(&mut self, entry: Entry) -> Result<(), ChangeError> {
        if self.stored == Stored::No {
            return Ok(());
        }
        self.record(vec![entry]).await.map_err(ChangeError::Journal)
    }

    pub(super) fn scrubbed_answer(&self, answer: ApprovalAnswer) -> ApprovalAnswer {
        match answer {
            ApprovalAnswer::Deny { reason: Some(reason) } => ApprovalAnswer::Deny {
                reason: Some(mask_known(&self.agent.scrubber.current(), &reason)),
            },
            ApprovalAnswer::Once
            | ApprovalAnswer::Session { .. }
            | ApprovalAnswer::Always { .. }
            | ApprovalAnswer::Edit { .. }
            | ApprovalAnswer::Deny { reason: None } => answer,
        }
    }
}
