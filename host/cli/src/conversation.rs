//! One session at the terminal: it says something, shows what happens, asks the person where a
//! decision is wanted and lets Ctrl-C cancel. What a turn does is not decided here.

use crate::approval::{self, Reply, Standing};
use crate::exit::{Exit, usage};
use crate::occupied::Occupied;
use crate::paths::Paths;
use crate::render::{self, Asked, Renderer};
use crate::terminal::{self, Terminal};
use anyhow::{Context, Result, bail};
use futures_util::FutureExt;
use futures_util::future::maybe_done;
use hydroid_agent::{
    Agent, AnswerError, ChangeError, OpenSession, Session, SessionChoice, TurnHandle,
};
use hydroid_core::entry::Outcome;
use hydroid_core::harmless::harmless;
use hydroid_core::id::{CallId, SessionId, UserId};
use hydroid_core::message::Part;
use hydroid_core::policy::{Mode, PolicyRule};
use hydroid_core::ports::{Journal, Sink};
use hydroid_core::protocol::ApprovalAnswer;
use hydroid_memory::Database;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Sessions that a shortened identifier is looked for in.
const SESSIONS: u32 = 1_000;

/// Where people speak who use this command.
const CHANNEL: &str = "terminal";

/// Time in which nothing more is asked and nothing runs, after which a turn waits for a person.
const SETTLED: Duration = Duration::from_millis(300);

/// Time that a question has to be asked again, for which it is found out anew what the call does.
const ASKED_AGAIN: Duration = Duration::from_secs(30);

/// How often a question that is over is taken off the terminal, and how long it may take to go.
const MOST_TRIES: u32 = 20;
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// An open session with its client.
pub(crate) struct Conversation {
    session: Session,
    user: UserId,
    person: Person,
    renderer: Arc<Renderer>,
    approvals: mpsc::Receiver<Asked>,
    terminal: Terminal,
    interrupts: Interrupts,
    /// The person did not want to wait for the last turn to end.
    abandoned: bool,
    /// Questions that were denied because nobody was there.
    unasked: u32,
    /// Let go of last, when nothing of the session runs any more.
    _occupied: Occupied,
}

/// How to open one.
pub(crate) struct Opening {
    /// The person.
    pub(crate) user: UserId,
    /// Which session.
    pub(crate) session: SessionChoice,
    /// How much may happen without asking.
    pub(crate) mode: Mode,
    /// Who answers what is asked.
    pub(crate) person: Person,
    /// Calls that need not be asked about.
    pub(crate) allow: Vec<PolicyRule>,
    /// How to show it.
    pub(crate) show: render::Mode,
}

/// Who answers what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Person {
    /// Somebody at the terminal.
    Here,
    /// Nobody.
    Nowhere,
    /// Somebody, later: what is asked stays open.
    Later,
}

/// An answer that was given before the question is asked again.
pub(crate) struct Prepared {
    /// Which call.
    pub(crate) call: CallId,
    /// The answer.
    pub(crate) answer: ApprovalAnswer,
}

/// Ctrl-C and a polite kill.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Person {
    /// Who there is, as far as the process can tell.
    pub(crate) fn at(terminal: Terminal, show: render::Mode) -> Self {
        if terminal.interactive && show != render::Mode::Json { Self::Here } else { Self::Nowhere }
    }
}

impl Conversation {
    /// Opens a session and shows it from now on.
    pub(crate) async fn open(
        agent: &Agent,
        paths: &Paths,
        terminal: Terminal,
        opening: Opening,
    ) -> Result<Self> {
        let occupied = Occupied::take(paths, &opening.user, opening.session.id())?;
        let (renderer, approvals) = Renderer::new(opening.show, terminal);
        let renderer = Arc::new(renderer);
        let open = OpenSession {
            user: opening.user.clone(),
            session: opening.session,
            mode: opening.mode,
            headless: opening.person == Person::Nowhere,
            channel: CHANNEL.to_owned(),
            allow: opening.allow,
        };
        let sink: Arc<dyn Sink> = renderer.clone();
        let session = agent.open(open, sink).await?;
        Ok(Self {
            session,
            user: opening.user,
            person: opening.person,
            renderer,
            approvals,
            terminal,
            interrupts: Interrupts::watch()?,
            abandoned: false,
            unasked: 0,
            _occupied: occupied,
        })
    }

    /// The session's identifier.
    pub(crate) fn id(&self) -> &SessionId {
        self.session.id()
    }

    /// Says something and waits for the end of the turn.
    pub(crate) async fn turn(&mut self, parts: Vec<Part>) -> Result<Exit> {
        // What came while no turn ran is not about this one.
        while self.interrupts.next().now_or_never().is_some() {}
        let turn = self.session.say(parts).await?;
        self.follow(turn, None).await
    }

    /// Has the older part of the session summed up, and says what came of it. Ctrl-C leaves it.
    pub(crate) async fn compact(&mut self) -> Result<String> {
        while self.interrupts.next().now_or_never().is_some() {}
        let compacting = self.session.compact();
        tokio::select! {
            turns = compacting => Ok(compacted(turns?)),
            () = self.interrupts.next() => {
                self.session.cancel().await;
                Ok("the conversation is as it was".to_owned())
            }
        }
    }

    /// Loads a skill in the session, and says what hooks have to say of it.
    /// Ctrl-C gives it up.
    pub(crate) async fn load_skill(&mut self, name: String) -> Result<Vec<String>, ChangeError> {
        while self.interrupts.next().now_or_never().is_some() {}
        let loading = self.session.load_skill(name);
        tokio::pin!(loading);
        tokio::select! {
            loaded = &mut loading => return loaded,
            () = self.interrupts.next() => self.session.cancel().await,
        }
        loading.await
    }

    /// Names of the skills that are loaded.
    pub(crate) async fn loaded_skills(&self) -> Vec<String> {
        self.session.loaded_skills().await
    }

    /// Unloads one.
    pub(crate) async fn unload_skill(&self, name: String) -> Result<(), ChangeError> {
        self.session.unload_skill(name).await
    }

    /// Goes on with the turn that waited for a person when the session was opened; none if there
    /// was none.
    pub(crate) async fn restored(&mut self, prepared: Option<Prepared>) -> Result<Option<Exit>> {
        let Some(turn) = self.session.restored().await else { return Ok(None) };
        if self.person == Person::Nowhere {
            // It was put to a person, so it is not denied for want of one.
            self.person = Person::Later;
        }
        self.follow(turn, prepared).await.map(Some)
    }

    async fn follow(&mut self, turn: TurnHandle, mut prepared: Option<Prepared>) -> Result<Exit> {
        (self.abandoned, self.unasked) = (false, 0);
        let recorded = maybe_done(turn.recorded());
        tokio::pin!(recorded);
        let mut cancelled = false;
        let mut left_open: Vec<CallId> = Vec::new();
        let (report, shown) = loop {
            let settled = if prepared.is_some() { ASKED_AGAIN } else { SETTLED };
            tokio::select! {
                biased;
                () = &mut recorded => {
                    let ended = recorded.as_mut().take_output();
                    break ended.expect("it is done and taken once");
                }
                () = self.interrupts.next() => {
                    if cancelled {
                        self.abandoned = true;
                        terminal::say("not waiting for the turn to end; it is recorded as interrupted when the session is used again");
                        return Ok(Exit::Cancelled);
                    }
                    cancelled = true;
                    terminal::say("cancelling; once more ends at once");
                    self.session.cancel().await;
                }
                Some(asked) = self.approvals.recv() => {
                    // What is asked after a cancel is answered by the cancel.
                    if cancelled {
                        continue;
                    }
                    match self.decide(asked, &mut prepared, recorded.as_mut()).await? {
                        Decided::Answered | Decided::TurnEnded => {}
                        Decided::TurnCancelled => cancelled = true,
                        Decided::LeftOpen(call) => left_open.push(call),
                        Decided::Leave(call) => return self.leave(&[call]).await,
                    }
                }
                () = tokio::time::sleep(settled), if !left_open.is_empty() => {
                    if !self.renderer.shows_a_running_call() {
                        return self.leave(&left_open).await;
                    }
                }
            }
        };
        let shown = shown.wait();
        tokio::pin!(shown);
        loop {
            tokio::select! {
                biased;
                () = &mut shown => break,
                () = self.interrupts.next() => {
                    self.abandoned = true;
                    terminal::say(&format!(
                        "not waiting for the rest to be shown; the session has it: `hydroid session show {}`",
                        self.id()
                    ));
                    return Ok(Exit::Cancelled);
                }
                // The end of the turn has answered what was still asked.
                Some(_) = self.approvals.recv() => {}
            }
        }
        let report = report?;
        if self.renderer.lost_output() {
            bail!(
                "the answer could not be written to standard output; the session has it: `hydroid session show {}`",
                self.id()
            );
        }
        if let Some(prepared) = prepared {
            terminal::say(&format!(
                "the call `{}` was not asked about any more: a rule decided on it",
                prepared.call
            ));
        }
        Ok(exit(&report.outcome, report.denied.saturating_add(self.unasked)))
    }

    /// Waits until the process is politely told to end.
    pub(crate) async fn terminated(&mut self) {
        self.interrupts.terminate.recv().await;
    }

    /// Closes the session once everything is recorded, unless nobody wanted to wait for that.
    pub(crate) async fn close(self) {
        // A client's thread that waits to hand on an approval would keep the session open.
        drop(self.approvals);
        if !self.abandoned {
            self.session.close().await;
        }
    }

    /// Closes the session with its questions open, and says how they are answered.
    async fn leave(&mut self, calls: &[CallId]) -> Result<Exit> {
        self.approvals.close();
        self.session.clone().leave().await;
        for call in calls {
            terminal::say(&format!(
                "the call `{call}` waits for an answer: `hydroid approval answer {call} once` (or `deny`), or in a terminal `hydroid chat --session {}`",
                self.id()
            ));
        }
        Ok(Exit::Waiting)
    }

    async fn decide(
        &mut self,
        asked: Asked,
        prepared: &mut Option<Prepared>,
        ended: impl Future<Output = ()> + Unpin,
    ) -> Result<Decided> {
        let call = asked.call_id.clone();
        if let Some(prepared) = prepared.take_if(|prepared| prepared.call == call) {
            if let Err(error) = self.answer(call.clone(), prepared.answer).await {
                self.leave(&[call]).await?;
                return Err(usage(error.to_string()));
            }
            return Ok(Decided::Answered);
        }
        match self.person {
            Person::Here => self.ask(asked, ended).await,
            Person::Later => Ok(Decided::LeftOpen(call)),
            Person::Nowhere => {
                self.unasked = self.unasked.saturating_add(1);
                let reason = format!("{}, and nobody can be asked here", asked.reason);
                self.answer(call, ApprovalAnswer::Deny { reason: Some(reason) }).await?;
                Ok(Decided::Answered)
            }
        }
    }

    async fn ask(
        &mut self,
        asked: Asked,
        mut ended: impl Future<Output = ()> + Unpin,
    ) -> Result<Decided> {
        let (terminal, call) = (self.terminal, asked.call_id.clone());
        loop {
            let (asked, standing) = (asked.clone(), Standing::default());
            let stands = standing.clone();
            let mut asking =
                tokio::task::spawn_blocking(move || approval::ask(terminal, &asked, &stands));
            let reply = tokio::select! {
                biased;
                reply = &mut asking => reply,
                () = &mut ended => {
                    self.end_question(&standing, asking).await;
                    return Ok(Decided::TurnEnded);
                }
            };
            match reply.context("asking failed unexpectedly")? {
                Ok(Reply::Answer(answer)) => match self.answer(call.clone(), answer).await {
                    Ok(()) => return Ok(Decided::Answered),
                    Err(error @ AnswerError::Unfit(_)) => {
                        terminal::say(&harmless(&error.to_string()))
                    }
                    // The turn may have ended while the person was thinking.
                    Err(error) => {
                        terminal::say(&error.to_string());
                        return Ok(Decided::Answered);
                    }
                },
                Ok(Reply::CancelTurn) => {
                    self.session.cancel().await;
                    return Ok(Decided::TurnCancelled);
                }
                Ok(Reply::Leave) => return Ok(Decided::Leave(call)),
                Ok(Reply::Over) => return Ok(Decided::TurnEnded),
                Err(error) => {
                    self.session.cancel().await;
                    return Err(error.context(
                        "the terminal cannot be read, so nobody can be asked; the turn was cancelled",
                    ));
                }
            }
        }
    }

    /// The turn ended while the person was asked, as by `hydroid stop --all`: the terminal is theirs
    /// again, and no line of theirs is taken for an answer.
    async fn end_question(&mut self, standing: &Standing, mut asking: JoinHandle<Result<Reply>>) {
        terminal::say("\nthe turn ended, so there is nothing to answer any more");
        let mut tries = 0;
        let reply = loop {
            // The editor may be between two lines, so once may not be enough.
            if tries < MOST_TRIES {
                standing.end();
            }
            tries += 1;
            tokio::select! {
                reply = &mut asking => break reply,
                () = tokio::time::sleep(TRY_AGAIN) => {}
            }
            if tries == MOST_TRIES {
                terminal::say("press Enter; what is typed before it is dropped");
            }
        };
        if matches!(reply, Ok(Ok(Reply::Answer(_)))) || tries > MOST_TRIES {
            terminal::say("what was typed at the question was dropped");
        }
        // The signal that ended it was ours.
        while self.interrupts.next().now_or_never().is_some() {}
    }

    async fn answer(&self, call: CallId, answer: ApprovalAnswer) -> Result<(), AnswerError> {
        self.session.answer(self.user.clone(), call, answer).await
    }
}

enum Decided {
    Answered,
    TurnCancelled,
    /// The turn ended meanwhile.
    TurnEnded,
    /// The person answers it another time; others may be asked meanwhile.
    LeftOpen(CallId),
    /// The person wants to leave now.
    Leave(CallId),
}

impl Interrupts {
    fn watch() -> Result<Self> {
        let watch = |kind| signal(kind).context("signals cannot be watched");
        Ok(Self {
            interrupt: watch(SignalKind::interrupt())?,
            terminate: watch(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn exit(outcome: &Outcome, denied: u32) -> Exit {
    match outcome {
        Outcome::Completed if denied > 0 => Exit::Denied,
        Outcome::Completed => Exit::Done,
        Outcome::Cancelled | Outcome::Interrupted => Exit::Cancelled,
        Outcome::BudgetReached { .. } | Outcome::Repeating { .. } => Exit::Budget,
        Outcome::Failed { .. } => Exit::Failed,
        Outcome::Stopped => Exit::Stopped,
    }
}

/// A new identifier; later ones sort after earlier ones.
pub(crate) fn new_session() -> SessionId {
    SessionId::new(uuid::Uuid::now_v7().to_string())
}

/// What came of a summary, for how many turns it stands.
pub(crate) fn compacted(turns: u32) -> String {
    match turns {
        0 => "there is nothing to sum up: the last turn is always kept".to_owned(),
        1 => "the first turn is summed up".to_owned(),
        turns => format!("the first {turns} turns are summed up"),
    }
}

/// The session a person means: a whole identifier or a beginning that only one has.
pub(crate) async fn find_session(
    database: &Database,
    user: &UserId,
    text: &str,
) -> Result<SessionId> {
    let wanted = text.trim().to_lowercase();
    if wanted.is_empty() {
        return Err(usage("no session was named; `hydroid session list` shows yours"));
    }
    let sessions = database.sessions(user, SESSIONS).await?;
    let found: Vec<&SessionId> = sessions
        .iter()
        .map(|session| &session.id)
        .filter(|id| id.as_str().starts_with(&wanted))
        .collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        // It may be older than those that were looked through.
        [] => Ok(SessionId::new(wanted)),
        several if several.iter().any(|id| id.as_str() == wanted) => Ok(SessionId::new(wanted)),
        several => {
            let shown: Vec<String> = several.iter().take(5).map(|id| format!("`{id}`")).collect();
            Err(usage(format!(
                "{} sessions begin with `{wanted}`, among them {}; write more of it",
                several.len(),
                shown.join(", ")
            )))
        }
    }
}
