//! One session at the terminal: it says something, shows what happens, asks the person where a
//! decision is wanted and lets Ctrl-C cancel. What a turn does is not decided here.

use crate::approval::{self, Reply};
use crate::exit::{Exit, usage};
use crate::occupied::Occupied;
use crate::paths::Paths;
use crate::render::{Asked, Mode, Renderer, Spent};
use crate::terminal::{self, Terminal};
use anyhow::{Context, Result, bail};
use futures_util::FutureExt;
use hydroid_agent::{Agent, OpenSession, Session, SessionChoice};
use hydroid_core::entry::Outcome;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::message::Part;
use hydroid_core::ports::{Journal, Sink};
use hydroid_memory::Database;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Sessions that a shortened identifier is looked for in.
const SESSIONS: u32 = 1_000;

/// An open session with its client.
pub(crate) struct Conversation {
    session: Session,
    renderer: Arc<Renderer>,
    approvals: mpsc::Receiver<Asked>,
    terminal: Terminal,
    interrupts: Interrupts,
    /// The person did not want to wait for the last turn to end.
    abandoned: bool,
    /// Let go of last, when nothing of the session runs any more.
    _occupied: Occupied,
}

/// How to open one.
pub(crate) struct Opening {
    /// The person.
    pub(crate) user: UserId,
    /// Which session.
    pub(crate) session: SessionChoice,
    /// Tools that need not be asked about.
    pub(crate) allow: BTreeSet<String>,
    /// How to show it.
    pub(crate) mode: Mode,
}

/// Ctrl-C and a polite kill.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Conversation {
    /// Opens a session and shows it from now on.
    pub(crate) async fn open(
        agent: &Agent,
        paths: &Paths,
        terminal: Terminal,
        opening: Opening,
    ) -> Result<Self> {
        let id = match &opening.session {
            SessionChoice::New(id) | SessionChoice::Existing(id) => id,
        };
        let occupied = Occupied::take(paths, &opening.user, id)?;
        let headless = !terminal.interactive || opening.mode == Mode::Json;
        let (renderer, approvals) = Renderer::new(opening.mode, terminal);
        let renderer = Arc::new(renderer);
        let open = OpenSession {
            user: opening.user,
            session: opening.session,
            headless,
            allow: opening.allow,
        };
        let sink: Arc<dyn Sink> = renderer.clone();
        let session = agent.open(open, sink).await?;
        Ok(Self {
            session,
            renderer,
            approvals,
            terminal,
            interrupts: Interrupts::watch()?,
            abandoned: false,
            _occupied: occupied,
        })
    }

    /// The session's identifier.
    pub(crate) fn id(&self) -> &SessionId {
        self.session.id()
    }

    /// What its turns have cost since it was opened.
    pub(crate) fn spent(&self) -> Spent {
        self.renderer.spent()
    }

    /// Says something and waits for the end of the turn.
    pub(crate) async fn turn(&mut self, parts: Vec<Part>) -> Result<Exit> {
        self.abandoned = false;
        // What came while no turn ran is not about this one.
        while self.interrupts.next().now_or_never().is_some() {}
        let turn = self.session.say(parts).await?;
        let recorded = turn.recorded();
        tokio::pin!(recorded);
        let mut cancelled = false;
        let (report, shown) = loop {
            tokio::select! {
                biased;
                ended = &mut recorded => break ended,
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
                    if !cancelled && self.decide(asked).await? == Decided::TurnCancelled {
                        cancelled = true;
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
        Ok(exit(&report.outcome, report.denied))
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

    async fn decide(&self, asked: Asked) -> Result<Decided> {
        let (terminal, call_id) = (self.terminal, asked.call_id.clone());
        let reply = tokio::task::spawn_blocking(move || approval::ask(terminal, &asked)).await;
        match reply.context("asking failed unexpectedly")? {
            Ok(Reply::Answer(answer)) => {
                // The turn may have ended while the person was thinking.
                if let Err(error) = self.session.answer(call_id, answer).await {
                    terminal::say(&error.to_string());
                }
                Ok(Decided::Answered)
            }
            Ok(Reply::CancelTurn) => {
                self.session.cancel().await;
                Ok(Decided::TurnCancelled)
            }
            Err(error) => {
                self.session.cancel().await;
                Err(error.context(
                    "the terminal cannot be read, so nobody can be asked; the turn was cancelled",
                ))
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Decided {
    Answered,
    TurnCancelled,
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
    }
}

/// A new identifier; later ones sort after earlier ones.
pub(crate) fn new_session() -> SessionId {
    SessionId::new(uuid::Uuid::now_v7().to_string())
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
