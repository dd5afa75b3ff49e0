//! The turn that runs: what is reported goes to the turn machine, and what that decides is recorded
//! and carried out.

use super::Actor;
use crate::answer::{AnswerScrubber, progress};
use crate::compacting as summing;
use crate::effects::{self, Job, News, Report, TurnContext};
use crate::nested::Waiting;
use crate::session::{TurnEnd, TurnReport};
use crate::spans::TurnSpans;
use hydroid_core::entry::{self, DecidedBy, Entry};
use hydroid_core::hook::HookPoint;
use hydroid_core::id::{CallId, ClientKey};
use hydroid_core::policy::Decision;
use hydroid_core::ports::{ModelError, ModelEvent};
use hydroid_core::protocol::SessionMessage;
use hydroid_core::tool::ToolCall;
use hydroid_core::turn::{Effect, Event, Turn};
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The turn that runs.
pub(super) struct Running {
    pub(super) turn: Turn,
    /// The key of the message it begins with, until that is recorded.
    pub(super) key: Option<ClientKey>,
    /// Its number among those that waited, until then.
    pub(super) waited: Option<u64>,
    /// What is said into it, with its key, until that is recorded.
    pub(super) steering: Option<Option<ClientKey>>,
    pub(super) context: TurnContext,
    pub(super) model: Option<Job>,
    pub(super) answer: AnswerScrubber,
    pub(super) tools: BTreeMap<CallId, Job>,
    /// Calls that wait for what they asked for.
    pub(super) nested: Waiting,
    /// When each call that runs began.
    pub(super) began_ms: BTreeMap<CallId, u64>,
    pub(super) clock: WallClock,
    /// Calls that a rule denied, as recorded.
    pub(super) denied: u32,
    pub(super) report: Option<TurnReport>,
    pub(super) spans: TurnSpans,
    pub(super) ended: oneshot::Sender<TurnEnd>,
}

/// Time left of a turn; it stands still while only a person is awaited.
pub(super) struct WallClock {
    pub(super) left: Duration,
    pub(super) since: Option<Instant>,
}

impl Actor {
    pub(super) async fn report(&mut self, report: Report) {
        let report = match report.news {
            News::Compacted(entry) => return self.compacted(report.turn, entry).await,
            News::CompactingEnded => return self.compacting_ended(report.turn),
            News::SkillReady(ready) => return self.skill_ready(report.turn, ready).await,
            _ => report,
        };
        let Some(running) =
            self.running.as_mut().filter(|running| running.context.number == report.turn)
        else {
            return;
        };
        let events = match report.news {
            News::Answer(events) => {
                for (fraction, note) in progress(&events, &self.agent.scrubber.current()) {
                    let session = self.session.clone();
                    self.clients.show(&SessionMessage::Progress {
                        session,
                        call_id: None,
                        fraction,
                        note,
                    });
                }
                running.scrubbed(events)
            }
            News::AnswerEnded(result) => {
                let mut events: Vec<Event> =
                    running.answer.finish().into_iter().map(Event::Model).collect();
                running.model = None;
                events.push(match result {
                    Ok(()) => Event::ModelEnded,
                    Err(error) => {
                        running.spans.model_failed(&error.kind);
                        let message = self.agent.scrubber.current().scrub(&error.message);
                        running.context.tell_failure(json!({
                            "where": "model",
                            "kind": error.kind,
                            "message": message,
                        }));
                        Event::ModelFailed(ModelError { message, ..error })
                    }
                });
                events
            }
            News::CallChecked { id, result } => {
                running.tools.remove(&id);
                vec![Event::CallChecked { id, result }]
            }
            News::Compacted(_) | News::CompactingEnded | News::SkillReady(_) => return,
            News::CallPreviewed { id, preview } => {
                running.tools.remove(&id);
                vec![Event::CallPreviewed { id, preview }]
            }
            News::CallFinished { id, output, label, redactions } => {
                running.tools.remove(&id);
                running.nested.ended(&id, &output);
                if redactions > 0 {
                    self.audit_redactions(&id, &label, redactions).await;
                }
                vec![Event::CallFinished { id, output, label }]
            }
            News::CallNested(nested) => {
                // Dropped with its reply, if the call that asks has ended meanwhile.
                if !running.turn.runs(&nested.parent) {
                    return;
                }
                let id = running.turn.nested_id(&nested.parent);
                running.nested.begin(id.clone(), nested.reply);
                let (name, arguments) = (nested.tool, nested.arguments);
                let call = ToolCall { id, name, arguments };
                vec![Event::CallNested { parent: nested.parent, call }]
            }
            News::Child(child) => {
                if let Some(author) = child.begins {
                    running.turn.child_began(&author);
                }
                if let Some(step) = child.answered {
                    self.handle(vec![Event::ChildAnswered(step)]).await;
                }
                let Some(running) = &self.running else { return };
                let spent = running.turn.spent_all();
                // The child turn may be gone.
                drop(child.reply.send(spent));
                return;
            }
            News::Skills(wish) => return self.skills(wish).await,
            News::Noticed(text) => vec![Event::Noticed(text)],
            News::Progress { id, fraction, note } => {
                if running.tools.contains_key(&id) {
                    let session = self.session.clone();
                    self.clients.show(&SessionMessage::Progress {
                        session,
                        call_id: Some(id),
                        fraction,
                        note,
                    });
                }
                return;
            }
        };
        self.handle(events).await;
    }

    /// Lets the turn decide on the events, records what happened in one append, then acts.
    pub(super) async fn handle(&mut self, events: Vec<Event>) {
        self.carry_out(Vec::new(), VecDeque::from(events)).await;
    }

    pub(super) async fn carry_out(&mut self, effects: Vec<Effect>, mut events: VecDeque<Event>) {
        let Some(running) = &mut self.running else { return };
        let mut records = Vec::new();
        let mut actions = Vec::new();
        let hooks = &*self.agent.hooks;
        let tools = &*self.agent.tools;
        // A call that hooks are asked about is checked beside; the others at once.
        let check = |calls: Vec<ToolCall>, actions: &mut Vec<Effect>| {
            calls
                .into_iter()
                .filter_map(|call| {
                    if hooks.wants(HookPoint::BeforeTool, Some(&call.name)) {
                        actions.push(Effect::CheckCall(call));
                        return None;
                    }
                    Some(effects::check_call(tools, &call))
                })
                .collect::<Vec<Event>>()
        };
        let calls = collect(effects, &mut records, &mut actions);
        events.extend(check(calls, &mut actions));
        while let Some(event) = events.pop_front() {
            if matches!(event, Event::CancelRequested | Event::TimeElapsed | Event::EmergencyStop) {
                // What was held back was said before the turn is stopped.
                for held_back in running.answer.finish() {
                    collect(
                        running.turn.handle(Event::Model(held_back)),
                        &mut records,
                        &mut actions,
                    );
                }
            }
            let effects = running.turn.handle(event);
            let calls = collect(effects, &mut records, &mut actions);
            events.extend(check(calls, &mut actions));
        }
        let mut waited = None;
        for entry in &mut records {
            match entry {
                Entry::TurnStarted { key, .. } => {
                    *key = running.key.take();
                    waited = running.waited.take();
                }
                Entry::Steered { key, .. } => *key = running.steering.take().flatten(),
                _ => {}
            }
        }
        if actions.iter().any(|action| matches!(action, Effect::End)) {
            // What would be dropped with its turn is not begun.
            actions.retain(|action| !begins_something(action));
        }
        match self.record_begun(records, waited).await {
            Ok(()) => {
                for action in actions {
                    if let Effect::Remember { calls, component, days } = action {
                        self.remember(calls, component, days).await;
                    } else {
                        self.act(action);
                    }
                }
            }
            Err(error) => self.stop_unrecorded(error),
        }
    }

    /// Carries out what was decided, now that it is recorded.
    pub(super) fn act(&mut self, effect: Effect) {
        let Some(running) = &mut self.running else { return };
        match effect {
            Effect::AskModel => {
                running.answer = AnswerScrubber::new(self.agent.scrubber.current());
                let messages = entry::conversation(&self.entries);
                let plan = summing::due(&self.agent, &self.entries, &messages);
                running.spans.asked(&messages);
                let trace = running.spans.of_step();
                if let Some(plan) = &plan {
                    let covers = plan.covers;
                    self.tell_of_summary(covers);
                }
                let loaded = self.loaded_skills();
                let Some(running) = &mut self.running else { return };
                let job = effects::ask_model(&running.context, messages, loaded, plan, trace);
                running.model = Some(job);
            }
            Effect::PreviewCall(checked) => {
                let id = checked.call.id.clone();
                let trace = running.spans.of_turn();
                let job = effects::preview_call(&running.context, checked, trace);
                running.tools.insert(id, job);
            }
            Effect::RunTool(checked) => {
                let id = checked.call.id.clone();
                let trace = running.spans.of_call(&id);
                running.tools.insert(id, effects::run_tool(&running.context, checked, trace));
            }
            Effect::StopModel => self.stopping.extend_with(running.model.take()),
            Effect::StopTool(id) => self.stopping.extend_with(running.tools.remove(&id)),
            Effect::End => self.end(None),
            Effect::CheckCall(call) => {
                let id = call.id.clone();
                running.tools.insert(id, effects::check_hooked_call(&running.context, call));
            }
            Effect::Record(_) | Effect::Remember { .. } => {}
        }
    }
}

impl Running {
    pub(super) fn scrubbed(&mut self, events: Vec<ModelEvent>) -> Vec<Event> {
        events.into_iter().flat_map(|event| self.answer.take(event)).map(Event::Model).collect()
    }

    /// Keeps what the report of the turn will say.
    pub(super) fn recorded(&mut self, entry: &Entry) {
        self.spans.take(entry);
        self.nested.recorded(entry);
        match entry {
            Entry::CallDecided {
                decision: Decision::Deny { .. }, by: DecidedBy::Policy, ..
            } => self.denied = self.denied.saturating_add(1),
            Entry::TurnEnded { turn, outcome, usage, dollars } => {
                self.report = Some(TurnReport {
                    turn: turn.clone(),
                    outcome: outcome.clone(),
                    usage: *usage,
                    dollars: *dollars,
                    denied: self.denied,
                });
            }
            _ => {}
        }
    }

    /// When the turn's time is used up; none while only a person is awaited.
    pub(super) fn deadline(&mut self) -> Option<Instant> {
        let clock = &mut self.clock;
        if self.turn.waits_for_a_person() {
            if let Some(since) = clock.since.take() {
                clock.left = clock.left.saturating_sub(since.elapsed());
            }
            return None;
        }
        Some(*clock.since.get_or_insert_with(Instant::now) + clock.left)
    }
}

/// Sorts effects into what is recorded, what is done afterwards, and the calls to be checked,
/// which are returned.
fn collect(
    effects: Vec<Effect>,
    records: &mut Vec<Entry>,
    actions: &mut Vec<Effect>,
) -> Vec<ToolCall> {
    let mut checks = Vec::new();
    for effect in effects {
        match effect {
            Effect::Record(entry) => append_or_join(records, entry),
            Effect::CheckCall(call) => checks.push(call),
            Effect::AskModel
            | Effect::StopModel
            | Effect::PreviewCall(_)
            | Effect::Remember { .. }
            | Effect::RunTool(_)
            | Effect::StopTool(_)
            | Effect::End => actions.push(effect),
        }
    }
    checks
}

fn begins_something(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::AskModel | Effect::CheckCall(_) | Effect::PreviewCall(_) | Effect::RunTool(_)
    )
}

/// Pieces of text that arrived together are one entry, and so are pieces of thinking.
fn append_or_join(records: &mut Vec<Entry>, entry: Entry) {
    match (records.last_mut(), entry) {
        (Some(Entry::Text { text: said, .. }), Entry::Text { text, .. }) => said.push_str(&text),
        (
            Some(Entry::Thinking { text: thought, opaque: open @ None, .. }),
            Entry::Thinking { text, opaque, .. },
        ) => {
            thought.push_str(&text);
            *open = opaque;
        }
        (_, entry) => records.push(entry),
    }
}

/// Jobs that are being stopped, kept until they are gone.
pub(super) trait Stopping {
    fn extend_with(&mut self, jobs: impl IntoIterator<Item = Job>);
}

impl Stopping for JoinSet<()> {
    fn extend_with(&mut self, jobs: impl IntoIterator<Item = Job>) {
        for job in jobs {
            self.spawn(job.stop());
        }
    }
}
