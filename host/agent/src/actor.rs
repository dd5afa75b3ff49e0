//! The session actor: the one task that owns a session. It takes commands and reports, lets the
//! turn machine decide, writes what happened to the journal and only then shows it and acts on it.
//! It decides nothing itself.
//!
//! Two mailboxes, both bounded: commands of clients, and reports of models and tools. Commands are
//! taken first, so a cancel never waits behind an answer that streams. Reports are left where they
//! are while the client the session was opened with is far behind, so that nothing outruns it.

mod compacting;
mod skills;

use crate::answer::{AnswerScrubber, mask_known, progress};
use crate::audit;
use crate::clients::{Client, Clients, Shown};
use crate::compacting as summing;
use crate::effects::{self, Job, News, Report, TurnContext};
use crate::history;
use crate::hooks::{self, Opened, Opening};
use crate::nested::Waiting;
use crate::remembering;
use crate::session::{
    AnswerError, ChangeError, Command, CompactError, SayError, TurnEnd, TurnError, TurnReport,
};
use crate::sessions::{AgentParts, Entered, OpenSession};
use crate::settings;
use crate::spans::{self, TurnSpans};
use hydroid_core::entry::{self, DecidedBy, Entry};
use hydroid_core::hook::HookPoint;
use hydroid_core::id::{CallId, ClientKey, ComponentId, SessionId, TurnId, UserId};
use hydroid_core::message::{Content, Label, Part, StopReason};
use hydroid_core::policy::{Decision, Mode, Policy, PolicyRule, Who};
use hydroid_core::ports::{
    ModelError, ModelEvent, NewSession, Saying, StandingApproval, StoreError,
};
use hydroid_core::protocol::{ApprovalAnswer, SessionMessage, SessionSettings};
use hydroid_core::scrub::Scrubber;
use hydroid_core::taint::Taint;
use hydroid_core::telemetry::{OpenSpan, Trace};
use hydroid_core::tool::ToolCall;
use hydroid_core::turn::{Effect, Event, Turn, open_questions};
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Messages that may wait for a running turn. A person rarely has more than one; a script that
/// has more should wait for its turns.
const QUEUED_MESSAGES: usize = 8;

/// Reports that may wait; a model that is faster than the journal waits for it.
const REPORTS: usize = 16;

/// How long a session that closes waits for its title.
const TITLE_PATIENCE: Duration = Duration::from_secs(5);

/// One session. Dropping it drops everything that runs for it: first its place among the open
/// sessions and its tasks, last the mailbox, whose end `Session::close` waits for.
pub(crate) struct Actor {
    running: Option<Running>,
    /// The older part of the conversation is being summed up because a person asked for it.
    compacting: Option<Compacting>,
    /// The session is being named.
    naming: Option<Job>,
    /// Tasks of an ended turn that are in their grace period; the next turn waits for them.
    stopping: JoinSet<()>,
    /// Hooks that are told and not waited for.
    looking_on: JoinSet<()>,
    _entered: Entered,
    agent: Arc<AgentParts>,
    user: UserId,
    session: SessionId,
    mode: Mode,
    headless: bool,
    /// What the session has of its own.
    own: SessionSettings,
    who: Who,
    /// What was allowed for the rest of the session.
    allowed: Vec<PolicyRule>,
    /// What is in force of what the person allowed for good.
    standing: Vec<StandingApproval>,
    /// What a turn that waited for a person has to do first, and who may wait for its end.
    restored: Option<(Vec<Effect>, oneshot::Receiver<TurnEnd>)>,
    stop: watch::Receiver<bool>,
    /// The journal's entries; empty and `Unknown` when they have to be read (again).
    entries: Vec<Entry>,
    stored: Stored,
    clients: Clients,
    queue: VecDeque<Said>,
    closed: bool,
    /// What the configuration wants loaded is yet to be loaded.
    loads_configured: bool,
    /// Close as soon as nothing but a question is open.
    leaving: bool,
    /// Who waits for the session to have closed.
    closers: Vec<oneshot::Sender<Shown>>,
    turns: u64,
    reports: mpsc::Receiver<Report>,
    report_to: mpsc::Sender<Report>,
    mailbox: mpsc::Receiver<Command>,
}

/// What is known of the session in the journal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
    /// It is not there yet.
    No,
    /// It is there and `entries` has all of it.
    Known,
    /// It is there; what of it was written last is not sure.
    Unknown,
}

/// A summary on its way.
struct Compacting {
    /// Number that its reports carry.
    number: u64,
    covers: u32,
    recorded: bool,
    _job: Job,
    /// Who waits for it; not empty.
    replies: Vec<oneshot::Sender<Result<u32, CompactError>>>,
}

/// A message that waits for its turn.
struct Said {
    saying: Saying,
    ended: oneshot::Sender<TurnEnd>,
}

/// The turn that runs.
struct Running {
    turn: Turn,
    /// The key of the message it begins with, until that is recorded.
    key: Option<ClientKey>,
    /// Its number among those that waited, until then.
    waited: Option<u64>,
    /// What is said into it, with its key, until that is recorded.
    steering: Option<Option<ClientKey>>,
    context: TurnContext,
    model: Option<Job>,
    answer: AnswerScrubber,
    tools: BTreeMap<CallId, Job>,
    /// Calls that wait for what they asked for.
    nested: Waiting,
    /// When each call that runs began.
    began_ms: BTreeMap<CallId, u64>,
    clock: WallClock,
    /// Calls that a rule denied, as recorded.
    denied: u32,
    report: Option<TurnReport>,
    spans: TurnSpans,
    ended: oneshot::Sender<TurnEnd>,
}

/// Time left of a turn; it stands still while only a person is awaited.
struct WallClock {
    left: Duration,
    since: Option<Instant>,
}

impl Actor {
    pub(crate) fn new(
        agent: Arc<AgentParts>,
        open: OpenSession,
        client: Client,
        entered: Entered,
        mailbox: mpsc::Receiver<Command>,
    ) -> Self {
        let (report_to, reports) = mpsc::channel(REPORTS);
        let who = Who {
            user: open.user.clone(),
            agent: settings::MAIN_AGENT.to_owned(),
            channel: open.channel,
        };
        Self {
            running: None,
            compacting: None,
            naming: None,
            stopping: JoinSet::new(),
            looking_on: JoinSet::new(),
            _entered: entered,
            stop: agent.stop.clone(),
            agent,
            user: open.user,
            session: open.session.id().clone(),
            mode: open.mode,
            headless: open.headless,
            own: SessionSettings::default(),
            who,
            allowed: open.allow,
            standing: Vec::new(),
            restored: None,
            entries: Vec::new(),
            stored: Stored::No,
            clients: Clients::of(client),
            queue: VecDeque::new(),
            closed: false,
            loads_configured: true,
            leaving: false,
            closers: Vec::new(),
            turns: 0,
            reports,
            report_to,
            mailbox,
        }
    }

    /// Reads what the journal has. A turn that waited for a person goes on where it stood; one
    /// that was left open otherwise is closed.
    pub(crate) async fn resume(&mut self) -> Result<(), StoreError> {
        self.stored = Stored::Unknown;
        self.entries = self.agent.entries(&self.user, &self.session).await?;
        self.own = history::settings(&self.entries);
        if open_questions(&self.entries).is_empty() {
            self.record(history::closing_entries(&self.entries)).await?;
        } else if !self.is_headless() {
            self.read_standing().await?;
            self.restore();
        }
        self.stored = Stored::Known;
        Ok(())
    }

    /// The call a person has to answer first, when there is none here.
    pub(crate) fn waits_for_nobody(&self) -> Option<CallId> {
        let question = open_questions(&self.entries).into_iter().next()?;
        self.running.is_none().then_some(question.call_id)
    }

    fn restore(&mut self) {
        let settings = settings::turn_settings(&self.agent.config, &self.own);
        let policy = self.policy();
        let used_ids = history::used_ids(&self.entries);
        let Some((turn, effects)) = Turn::restore(&self.entries, settings, policy, used_ids) else {
            return;
        };
        let (ended, end) = oneshot::channel();
        self.turns += 1;
        let about = (&self.user, &self.session, turn.id());
        let spans = TurnSpans::begin(self.agent.telemetry.as_ref(), None, about);
        self.running = Some(self.running_turn(turn, spans, ended));
        self.restored = Some((effects, end));
    }

    fn mode(&self) -> Mode {
        self.own.mode.unwrap_or(self.mode)
    }

    fn is_headless(&self) -> bool {
        self.headless || self.mode() == Mode::Headless
    }

    fn policy(&self) -> Policy {
        let config = &self.agent.config;
        let policy =
            settings::session_policy(config, &self.who, self.mode(), &self.standing, &self.allowed);
        Policy { headless: self.is_headless(), ..policy }
    }

    async fn read_standing(&mut self) -> Result<(), StoreError> {
        let now_ms = self.agent.clock.now_ms();
        self.standing = self.agent.approvals.standing(&self.user, now_ms).await?;
        Ok(())
    }

    /// Runs until every handle is gone or somebody closes the session.
    pub(crate) async fn run(mut self) {
        if let Some((effects, end)) = self.restored.take() {
            self.restored = Some((Vec::new(), end));
            self.carry_out(effects, VecDeque::new()).await;
        }
        self.tell(HookPoint::SessionStart, None, self.portrait());
        loop {
            if *self.stop.borrow_and_update() {
                self.stop_everything().await;
            }
            if self.leaving {
                self.leave_when_settled().await;
            }
            self.start_next_turn().await;
            if self.closed && self.running.is_none() && self.stopping.is_empty() {
                if let Some(naming) = self.naming.take() {
                    naming.ended_within(TITLE_PATIENCE).await;
                }
                self.tell(HookPoint::SessionEnd, None, self.portrait());
                while self.looking_on.join_next().await.is_some() {}
                for closer in std::mem::take(&mut self.closers) {
                    drop(closer.send(self.clients.flushed()));
                }
                return;
            }
            let deadline = self.running.as_mut().and_then(Running::deadline);
            tokio::select! {
                biased;
                command = self.mailbox.recv(), if !self.closed => match command {
                    Some(command) => self.command(command).await,
                    None => self.close().await,
                },
                Ok(()) = self.stop.changed() => {}
                Some(_) = self.stopping.join_next() => {}
                Some(_) = self.looking_on.join_next() => {}
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.handle(vec![Event::TimeElapsed]).await;
                }
                Some(report) = next_report(&mut self.clients, &mut self.reports) => self.report(report).await,
            }
        }
    }

    /// The subject of its beginning and its end.
    fn portrait(&self) -> serde_json::Value {
        json!({ "channel": self.who.channel, "mode": self.mode.id(), "headless": self.headless })
    }

    /// Tells those who only look on; nobody waits for them but the end of the session.
    fn tell(
        &mut self,
        point: HookPoint,
        turn: Option<(TurnId, Trace)>,
        subject: serde_json::Value,
    ) {
        let hooks = Arc::clone(&self.agent.hooks);
        if !hooks.wants(point, None) {
            return;
        }
        let subject = hooks::scrubbed(&self.agent.scrubber.current(), subject);
        // What belongs to no turn is a trace of its own.
        let span = match turn {
            Some(_) => OpenSpan::default(),
            None => spans::of_point(self.agent.telemetry.as_ref(), &self.session, point),
        };
        let (turn, trace) = turn.unwrap_or_else(|| (TurnId::new(""), span.trace()));
        let context = hooks::context(&self.user, &self.session, turn, trace);
        self.looking_on.spawn(async move {
            let told = hooks.ask(point, None, subject, context);
            if tokio::time::timeout(hooks::LOOKING_ON, told).await.is_ok() {
                span.end();
            }
        });
    }

    // ---- commands ----

    async fn command(&mut self, command: Command) {
        match command {
            Command::Say { saying, reply } => drop(reply.send(self.accept(saying))),
            Command::Restored { reply } => {
                drop(reply.send(self.restored.take().map(|(_, end)| end)));
            }
            Command::Answer { by, call_id, answer, reply } => {
                let answered = self.answer(by, call_id, answer).await;
                drop(reply.send(answered));
            }
            Command::Compact { reply } => self.compact(reply).await,
            Command::Cancel => {
                self.compacting = None;
                self.handle(vec![Event::CancelRequested]).await;
            }
            Command::Steer { parts, key, reply } => {
                let _ = reply.send(self.steer(parts, key).await);
            }
            Command::Rewind { to, reply } => drop(reply.send(self.rewind(to).await)),
            Command::LoadSkill { name, reply } => drop(reply.send(self.load_skill(&name).await)),
            Command::UnloadSkill { name, reply } => drop(reply.send(self.unload_skill(name).await)),
            Command::Set { settings, reply } => drop(reply.send(self.set(settings).await)),
            Command::Subscribe(client) => self.clients.add(client),
            Command::Close { closed } => {
                self.closers.push(closed);
                self.close().await;
            }
            Command::Leave { closed } => {
                self.closers.push(closed);
                self.leaving = true;
            }
        }
    }

    async fn answer(
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

    async fn steer(&mut self, parts: Vec<Part>, key: Option<ClientKey>) -> Result<(), SayError> {
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

    async fn rewind(&mut self, to: Option<TurnId>) -> Result<(), ChangeError> {
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
        self.tell_of_forgotten(&before).await;
        Ok(())
    }

    /// Sees to it that no turn runs or waits, and that the session is known.
    async fn quiet(&mut self) -> Result<(), ChangeError> {
        // A summary on its way would stand for turns that are forgotten.
        if self.running.is_some() || self.compacting.is_some() || !self.queue.is_empty() {
            return Err(ChangeError::TurnRuns);
        }
        self.read_again().await
    }

    async fn set(&mut self, settings: SessionSettings) -> Result<(), ChangeError> {
        self.read_again().await?;
        self.own = settings.clone();
        self.change(Entry::SettingsChanged { settings }).await
    }

    async fn read_again(&mut self) -> Result<(), ChangeError> {
        match self.stored {
            Stored::Unknown if self.running.is_none() => {
                self.resume().await.map_err(ChangeError::Journal)
            }
            Stored::Unknown | Stored::Known | Stored::No => Ok(()),
        }
    }

    /// Records something that is not about a turn. A session that is not in the journal yet has
    /// nothing to record it in, and nothing to forget.
    async fn change(&mut self, entry: Entry) -> Result<(), ChangeError> {
        if self.stored == Stored::No {
            return Ok(());
        }
        self.record(vec![entry]).await.map_err(ChangeError::Journal)
    }

    /// Cuts everything at once: no grace, and nothing new until it is released.
    async fn stop_everything(&mut self) {
        (self.compacting, self.naming) = (None, None);
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
    async fn leave_when_settled(&mut self) {
        match &self.running {
            Some(running) if !running.turn.waits_for_a_person() => return,
            Some(running) if !running.turn.can_be_left() => {}
            Some(_) | None => self.running = None,
        }
        self.leaving = false;
        self.close().await;
    }

    async fn close(&mut self) {
        self.closed = true;
        self.compacting = None;
        for said in self.queue.drain(..) {
            drop(
                said.ended
                    .send(TurnEnd { result: Err(TurnError::Closed), shown: Shown::default() }),
            );
        }
        self.handle(vec![Event::CancelRequested]).await;
    }

    fn accept(&mut self, saying: Saying) -> Result<oneshot::Receiver<TurnEnd>, SayError> {
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
    async fn scrubbed(&self, parts: Vec<Part>) -> Result<Vec<Part>, TurnError> {
        let scrubber = self.agent.refreshed_scrubber().await.map_err(TurnError::Secrets)?;
        Ok(masked(&scrubber, parts))
    }

    fn scrubbed_answer(&self, answer: ApprovalAnswer) -> ApprovalAnswer {
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

    // ---- turns ----

    /// Starts the next turn once nothing of the last one is left.
    async fn start_next_turn(&mut self) {
        while self.running.is_none() && self.compacting.is_none() && self.stopping.is_empty() {
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
    async fn begin(
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
    async fn make_ready(&mut self, parts: &[Part]) -> Result<(), StoreError> {
        self.read_standing().await?;
        match self.stored {
            Stored::Known => Ok(()),
            Stored::Unknown => self.resume().await,
            Stored::No => {
                self.create(history::title(parts)).await?;
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

    async fn create(&mut self, title: String) -> Result<(), StoreError> {
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

    fn new_turn(&self, id: TurnId) -> Turn {
        Turn::new(
            id,
            settings::turn_settings(&self.agent.config, &self.own),
            self.policy(),
            history::used_ids(&self.entries),
            Taint::of(&self.entries),
        )
    }

    /// What tasks of the turn that is counted last need.
    fn turn_context(&self, turn: TurnId, trace: Trace) -> TurnContext {
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

    fn running_turn(
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

    async fn report(&mut self, report: Report) {
        let report = match report.news {
            News::Compacted(entry) => return self.compacted(report.turn, entry).await,
            News::CompactingEnded => return self.compacting_ended(report.turn),
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
            News::Compacted(_) | News::CompactingEnded => return,
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
    async fn handle(&mut self, events: Vec<Event>) {
        self.carry_out(Vec::new(), VecDeque::from(events)).await;
    }

    async fn carry_out(&mut self, effects: Vec<Effect>, mut events: VecDeque<Event>) {
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

    /// How long the call of an entry has run, when it ends here.
    fn ran_ms(&mut self, entry: &Entry, now_ms: u64) -> Option<u64> {
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
    async fn audit_redactions(&self, id: &CallId, label: &Label, redactions: u32) {
        let event = audit::redacted(&self.user, &self.session, id, label, redactions);
        if let Err(error) = self.agent.audit.record(event).await {
            tracing::error!(session = %self.session, %error, "a redaction could not be audited");
        }
    }

    /// Keeps what the person allowed for good. Should that fail, it still holds for the session.
    async fn remember(&mut self, calls: String, component: ComponentId, days: Option<u32>) {
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

    /// Appends the entries at once and, when they are safe, shows them.
    async fn record(&mut self, entries: Vec<Entry>) -> Result<(), StoreError> {
        self.record_begun(entries, None).await
    }

    /// The same for entries with which the turn of a message that waited begins.
    async fn record_begun(
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

    /// Carries out what was decided, now that it is recorded.
    fn act(&mut self, effect: Effect) {
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

    /// Ends the turn because what happened could not be recorded. Nothing of it is shown and
    /// nothing more is done; the journal is read again before the next turn, which closes this one.
    fn stop_unrecorded(&mut self, error: StoreError) {
        tracing::error!(session = %self.session, %error, "the journal could not be written");
        self.stored = Stored::Unknown;
        self.end(Some(error));
    }

    fn end(&mut self, error: Option<StoreError>) {
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

impl Running {
    fn scrubbed(&mut self, events: Vec<ModelEvent>) -> Vec<Event> {
        events.into_iter().flat_map(|event| self.answer.take(event)).map(Event::Model).collect()
    }

    /// Keeps what the report of the turn will say.
    fn recorded(&mut self, entry: &Entry) {
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
    fn deadline(&mut self) -> Option<Instant> {
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

/// What a person said, without secrets.
pub(crate) fn masked(scrubber: &Scrubber, parts: Vec<Part>) -> Vec<Part> {
    let masked = |part: Part| match part.content {
        Content::Text { text } => Part::new(Content::text(mask_known(scrubber, &text)), part.label),
        content => Part::new(scrubber.scrub_content(content), part.label),
    };
    parts.into_iter().map(masked).collect()
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
fn parent_of<'a>(call_id: &CallId, mut entries: impl Iterator<Item = &'a Entry>) -> Option<CallId> {
    entries.find_map(|entry| match entry {
        Entry::CallReceived { call, parent, .. } if call.id == *call_id => Some(parent.clone()),
        Entry::TurnStarted { .. } => Some(None),
        _ => None,
    })?
}

/// The next report, once the client the session was opened with has room for what it brings.
/// Meanwhile models and tools wait at the full mailbox. The turn's time goes on, so a client that
/// never returns does not keep a turn alive.
async fn next_report(
    clients: &mut Clients,
    reports: &mut mpsc::Receiver<Report>,
) -> Option<Report> {
    clients.room().await;
    reports.recv().await
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
trait Stopping {
    fn extend_with(&mut self, jobs: impl IntoIterator<Item = Job>);
}

impl Stopping for JoinSet<()> {
    fn extend_with(&mut self, jobs: impl IntoIterator<Item = Job>) {
        for job in jobs {
            self.spawn(job.stop());
        }
    }
}
