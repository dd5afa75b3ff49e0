//! The session actor: the one task that owns a session. It takes commands and reports, lets the
//! turn machine decide, writes what happened to the journal and only then shows it and acts on it.
//! It decides nothing itself.
//!
//! Two mailboxes, both bounded: commands of clients, and reports of models and tools. Commands are
//! taken first, so a cancel never waits behind an answer that streams. Reports are left where they
//! are while the client the session was opened with is far behind, so that nothing outruns it.

mod beginning;
mod changing;
mod compacting;
mod ending;
mod recording;
mod running;
mod skills;

pub(crate) use beginning::masked;

use crate::clients::{Client, Clients, Shown};
use crate::effects::{Job, Report};
use crate::history;
use crate::hooks;
use crate::session::{ChangeError, Command, CompactError, TurnEnd};
use crate::sessions::{AgentParts, Entered, OpenSession};
use crate::settings;
use crate::spans::{self, TurnSpans};
use beginning::Said;
use hydroid_core::entry::Entry;
use hydroid_core::hook::HookPoint;
use hydroid_core::id::{CallId, SessionId, TurnId, UserId};
use hydroid_core::policy::{Mode, Policy, PolicyRule, Who};
use hydroid_core::ports::{SkillError, StandingApproval, StoreError};
use hydroid_core::protocol::SessionSettings;
use hydroid_core::telemetry::{OpenSpan, Trace};
use hydroid_core::turn::{Effect, Event, Turn, open_questions};
use running::Running;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

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
    /// A skill is being readied because a person wants it.
    loading: Option<Loading>,
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

/// A skill on its way.
struct Loading {
    /// Number that its report carries.
    number: u64,
    _job: Job,
    reply: oneshot::Sender<Result<Vec<String>, ChangeError>>,
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
            loading: None,
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
                let why = SkillError::Unavailable("it was cancelled".to_owned());
                self.stop_loading(ChangeError::Skill(why));
                self.handle(vec![Event::CancelRequested]).await;
            }
            Command::Steer { parts, key, reply } => {
                let _ = reply.send(self.steer(parts, key).await);
            }
            Command::Rewind { to, reply } => drop(reply.send(self.rewind(to).await)),
            Command::LoadSkill { name, reply } => self.load_skill(name, reply).await,
            Command::UnloadSkill { name, reply } => drop(reply.send(self.unload_skill(name).await)),
            Command::LoadedSkills { reply } => {
                let loaded = self.loaded_skills().into_iter().map(|skill| skill.name).collect();
                drop(reply.send(loaded));
            }
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
