//! How the turns of a session an actor owns begin: what is said waits, is readied, and becomes a turn
//! once nothing of the last one is left.

use super::running::{Running, WallClock};
use super::{Actor, Stored};
use crate::answer::{AnswerScrubber, mask_known};
use crate::effects::{self, TurnContext};
use crate::history;
use crate::hooks::{self, Opened, Opening};
use crate::nested::Waiting;
use crate::remembering;
use crate::session::{SayError, TurnEnd, TurnError};
use crate::settings;
use crate::spans::TurnSpans;
use hydroid_core::id::TurnId;
use hydroid_core::message::{Content, Part, StopReason};
use hydroid_core::ports::{ModelError, ModelEvent, NewSession, Saying, StoreError};
use hydroid_core::scrub::Scrubber;
use hydroid_core::taint::Taint;
use hydroid_core::telemetry::Trace;
use hydroid_core::turn::{Event, Turn};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Messages that may wait for a running turn. A person rarely has more than one; a script that
/// has more should wait for its turns.
const QUEUED_MESSAGES: usize = 8;

/// A message that waits for its turn.
pub(super) struct Said {
    pub(super) saying: Saying,
    pub(super) ended: oneshot::Sender<TurnEnd>,
}

impl Actor {
    pub(super) fn accept(
        &mut self,
        saying: Saying,
    ) -> Result<oneshot::Receiver<TurnEnd>, SayError> {
        if *self.stop.borrow() {
            return Err(SayError::Stopped);
        }
        if self.queue.len() >= QUEUED_MESSAGES {
            return Err(SayError::Busy { waiting: self.queue.len() });
        }
        let (ended, end) = oneshot::channel();
        self.queue.push_back(Said { saying, ended });
        Ok(end)
    }

    /// What the person said, without the secrets as they are when the turn begins.
    pub(super) async fn scrubbed(&self, parts: Vec<Part>) -> Result<Vec<Part>, TurnError> {
        let scrubber = self.agent.refreshed_scrubber().await.map_err(TurnError::Secrets)?;
        Ok(masked(&scrubber, parts))
    }

    /// Starts the next turn once nothing of the last one is left.
    pub(super) async fn start_next_turn(&mut self) {
        while self.running.is_none() && self.is_free() && self.stopping.is_empty() {
            let Some(Said { saying, ended }) = self.queue.pop_front() else { return };
            let id = TurnId::new((self.agent.new_turn_id)());
            let about = (&self.user, &self.session, &id);
            let telemetry = self.agent.telemetry.as_ref();
            let mut spans = TurnSpans::begin(telemetry, saying.parent, about);
            let (opening, told) = match self.begin(saying.parts, &spans.of_turn()).await {
                Ok(begun) => begun,
                Err(error) => {
                    spans.never_began();
                    let end = TurnEnd { result: Err(error), shown: self.clients.flushed() };
                    drop(ended.send(end));
                    continue;
                }
            };
            self.turns += 1;
            let turn = self.new_turn(id);
            let running = self.running_turn(turn, spans, ended);
            self.running = Some(Running { key: saying.key, waited: saying.waiting, ..running });
            // Where a hook has the word, the turn is over before the model is asked.
            let Opening { parts, notices, word } = opening;
            let mut events = vec![Event::UserSaid(parts)];
            events.extend(notices.iter().map(|word| Event::Noticed(word.to_string())));
            events.extend(told.into_iter().map(Event::Noticed));
            match word {
                Opened::Turn => {}
                Opened::Denied(word) => {
                    let (kind, message) = ("denied".to_owned(), word.to_string());
                    let denied = ModelError { kind, message, retry_after_ms: None, sent: false };
                    events.push(Event::ModelFailed(denied));
                }
                Opened::Replied(word) => events.extend([
                    Event::Model(ModelEvent::Text(word.text)),
                    Event::Model(ModelEvent::Finished(StopReason::EndTurn)),
                    Event::ModelEnded,
                ]),
            }
            self.handle(events).await;
        }
    }

    /// Readies the session for a turn about these parts: scrubs them, lets hooks have their word
    /// before anything of them is kept, and looks for what is known beside. Also returns what a
    /// person has to know of skills.
    pub(super) async fn begin(
        &mut self,
        parts: Vec<Part>,
        trace: &Trace,
    ) -> Result<(Opening, Vec<String>), TurnError> {
        let parts = self.scrubbed(parts).await?;
        let context = hooks::context(&self.user, &self.session, TurnId::new(""), trace.clone());
        let mut opening = hooks::opening(&self.agent, &self.who, context, parts).await;
        self.make_ready(&opening.parts).await.map_err(TurnError::Journal)?;
        let mut told = Vec::new();
        if opening.word == Opened::Turn {
            told = self.load_configured(trace).await.map_err(TurnError::Journal)?;
            let whose = (&self.user, &self.session);
            let recalled = remembering::recalled(&self.agent, whose, &opening.parts, trace).await;
            opening.parts.extend(self.scrubbed(recalled).await?);
        }
        Ok((opening, told))
    }

    /// Sees to it that the session is in the journal, is known and has no open turn.
    pub(super) async fn make_ready(&mut self, parts: &[Part]) -> Result<(), StoreError> {
        self.read_standing().await?;
        match self.stored {
            Stored::Known => Ok(()),
            Stored::Unknown => self.resume().await,
            Stored::No => {
                // Changed before anything was said, and perhaps before a secret was known.
                let changed = std::mem::take(&mut self.entries);
                let changed = self.agent.scrubber.current().known_entries(changed);
                self.create(history::title(parts)).await?;
                self.record(changed).await?;
                if self.agent.config.model.route.title.is_some() {
                    let turn = TurnId::new((self.agent.new_turn_id)());
                    let context = self.turn_context(turn, Trace::default());
                    let job = effects::name(&context, parts.to_vec());
                    self.naming = Some(job);
                }
                Ok(())
            }
        }
    }

    pub(super) async fn create(&mut self, title: String) -> Result<(), StoreError> {
        let new = NewSession {
            id: self.session.clone(),
            user: self.user.clone(),
            title,
            created_ms: self.agent.clock.now_ms(),
        };
        self.agent.journal.create(new).await?;
        self.stored = Stored::Known;
        Ok(())
    }

    pub(super) fn new_turn(&self, id: TurnId) -> Turn {
        Turn::new(
            id,
            settings::turn_settings(&self.agent.config, &self.own),
            self.policy(),
            history::used_ids(&self.entries),
            Taint::of(&self.entries),
        )
    }

    /// What tasks of the turn that is counted last need.
    pub(super) fn turn_context(&self, turn: TurnId, trace: Trace) -> TurnContext {
        TurnContext {
            agent: Arc::clone(&self.agent),
            user: self.user.clone(),
            session: self.session.clone(),
            turn,
            number: self.turns,
            headless: self.is_headless(),
            own: self.own.clone(),
            trace,
            reports: self.report_to.clone(),
        }
    }

    pub(super) fn running_turn(
        &self,
        turn: Turn,
        spans: TurnSpans,
        ended: oneshot::Sender<TurnEnd>,
    ) -> Running {
        Running {
            context: self.turn_context(turn.id().clone(), spans.of_turn()),
            spans,
            turn,
            key: None,
            waited: None,
            steering: None,
            model: None,
            answer: AnswerScrubber::new(self.agent.scrubber.current()),
            tools: BTreeMap::new(),
            nested: Waiting::default(),
            began_ms: BTreeMap::new(),
            clock: WallClock { left: settings::wall_time(&self.agent.config), since: None },
            denied: 0,
            report: None,
            ended,
        }
    }
}

/// What a person said, without secrets.
pub(crate) fn masked(scrubber: &Scrubber, parts: Vec<Part>) -> Vec<Part> {
    let masked = |part: Part| match part.content {
        Content::Text { text } => Part::new(Content::text(mask_known(scrubber, &text)), part.label),
        content => Part::new(scrubber.scrub_content(content), part.label),
    };
    parts.into_iter().map(masked).collect()
}
