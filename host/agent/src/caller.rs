//! Sessions in which a program asks for calls and no model does. The program takes the model's
//! place in a turn, so a call of it goes the way of every call; there is no second one.

use crate::Occupy;
use crate::session::{Session, TurnError};
use crate::sessions::{Agent, AgentParts, OpenSession, SessionChoice};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::config::{Config, Routes};
use hydroid_core::entry::{Entry, Outcome};
use hydroid_core::id::{CallId, ComponentId, SessionId, UserId};
use hydroid_core::message::{Content, Label, Part, Role, StopReason};
use hydroid_core::policy::{Mode, PolicyRule};
use hydroid_core::ports::{
    AskedCall, CallContext, CallQuestion, CallWatch, Caller, Callers, Completion, Model,
    ModelError, ModelEvent, ModelRequest, Sink, Tools,
};
use hydroid_core::protocol::{ApprovalAnswer, SessionMessage};
use hydroid_core::tool::{CheckedCall, Preview, ToolCall, ToolDetails, ToolOutput, ToolSpec};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// What stands in place of a provider and its model.
const PROGRAM: &str = "program";

/// Messages of a session that may wait for the one who called; the session waits for the rest.
const WAITING: usize = 64;

/// Characters of the name a program gives itself.
const LONGEST_NAME: usize = 64;

/// What the model's place says when the call has a result.
const DONE: &str = "done";

/// Lets programs in.
pub struct Programs {
    parts: ProgramParts,
    agent: Agent,
    tools: Arc<dyn Tools>,
    asked: Arc<Slots>,
}

/// How programs are let in.
pub struct ProgramParts {
    /// Whose sessions they are.
    pub user: UserId,
    /// How much may happen without asking.
    pub mode: Mode,
    /// Nobody can be asked.
    pub headless: bool,
    /// Where they speak, as rules of the policy name it.
    pub channel: String,
    /// Calls that need not be asked about.
    pub allow: Vec<PolicyRule>,
    /// Whether the tools of a component are offered, asked each time: it may have another grant.
    pub offers: Offers,
    /// Keeps other processes out of a session.
    pub occupy: Occupy,
}

/// Says whether the tools of a component are offered to programs.
pub type Offers = Arc<dyn Fn(&ComponentId) -> bool + Send + Sync>;

impl Programs {
    /// Of these parts, of which neither the model nor its configuration is used.
    pub fn new(agent: AgentParts, parts: ProgramParts) -> Self {
        let asked = Arc::new(Slots::default());
        let tools: Arc<dyn Tools> =
            Arc::new(Chosen { inner: agent.tools, offers: Arc::clone(&parts.offers) });
        let agent = Agent::new(AgentParts {
            model: asked.clone(),
            tools: Arc::clone(&tools),
            config: Arc::new(without_a_model(&agent.config)),
            ..agent
        });
        Self { parts, agent, tools, asked }
    }
}

impl Callers for Programs {
    fn enter(&self, name: &str) -> BoxFuture<'_, Result<Arc<dyn Caller>, String>> {
        let name: String = name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        async move {
            let session = SessionId::new((self.agent.parts().new_turn_id)());
            let occupied = (self.parts.occupy)(&session)?;
            let (messages, shown) = mpsc::channel(WAITING);
            let open = OpenSession {
                user: self.parts.user.clone(),
                session: SessionChoice::New(session.clone()),
                mode: self.parts.mode,
                headless: self.parts.headless,
                channel: self.parts.channel.clone(),
                allow: self.parts.allow.clone(),
            };
            let sink = Arc::new(Told(messages));
            let opened = self.agent.open(open, sink).await.map_err(|error| error.to_string())?;
            Ok(Arc::new(Program {
                name,
                user: self.parts.user.clone(),
                session: opened,
                id: session,
                asked: Arc::clone(&self.asked),
                tools: Arc::clone(&self.tools),
                shown: tokio::sync::Mutex::new(shown),
                _occupied: occupied,
            }) as Arc<dyn Caller>)
        }
        .boxed()
    }

    fn specs(&self) -> Vec<ToolSpec> {
        self.tools.specs()
    }

    fn details(&self, name: &str) -> Option<ToolDetails> {
        self.tools.details(name)
    }
}

/// One program's session.
struct Program {
    name: String,
    user: UserId,
    session: Session,
    id: SessionId,
    asked: Arc<Slots>,
    tools: Arc<dyn Tools>,
    /// What the session tells; who holds it has the session's only turn.
    shown: tokio::sync::Mutex<mpsc::Receiver<SessionMessage>>,
    /// Let go of last.
    _occupied: Box<dyn Send + Sync>,
}

impl Caller for Program {
    fn call(
        &self,
        asked: AskedCall,
        watch: Arc<dyn CallWatch>,
    ) -> BoxFuture<'_, Result<ToolOutput, String>> {
        async move {
            if !self.tools.specs().iter().any(|spec| spec.name == asked.name) {
                let name: String = asked.name.chars().take(LONGEST_NAME).collect();
                return Err(format!(
                    "the tool `{name}` is not among those that are served; a person chooses with `--component`"
                ));
            }
            let mut shown = tokio::select! {
                shown = self.shown.lock() => shown,
                () = asked.cancel.cancelled() => return Err("the call was cancelled".to_owned()),
            };
            // What an abandoned call left behind is not about this one.
            while shown.try_recv().is_ok() {}
            let said = format!("{} asks for a call of {}", self.name, asked.name);
            self.asked.put(&self.id, &asked);
            let text = Part::new(Content::text(said), Label::host());
            let turn = self.session.say(vec![text]).await.map_err(|error| {
                self.asked.take(&self.id);
                error.to_string()
            })?;
            let mut running = Running { program: self, watch, asked: &asked, output: None };
            // Dropped in the middle, when whoever called is gone, it ends what runs.
            let stop = StopOnDrop(Some(self.session.clone()));
            let result = running.follow(turn, &mut shown).await;
            stop.keep();
            self.asked.take(&self.id);
            result
        }
        .boxed()
    }
}

/// A call while it runs.
struct Running<'a> {
    program: &'a Program,
    watch: Arc<dyn CallWatch>,
    asked: &'a AskedCall,
    output: Option<ToolOutput>,
}

impl Running<'_> {
    async fn follow(
        &mut self,
        turn: crate::TurnHandle,
        shown: &mut mpsc::Receiver<SessionMessage>,
    ) -> Result<ToolOutput, String> {
        let ended = turn.ended();
        tokio::pin!(ended);
        let mut cancelled = false;
        let report = loop {
            tokio::select! {
                report = &mut ended => break report,
                Some(message) = shown.recv() => self.take(message).await,
                () = self.asked.cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    self.program.session.cancel().await;
                }
            }
        };
        while let Ok(message) = shown.try_recv() {
            self.take(message).await;
        }
        match (self.output.take(), report) {
            (Some(output), _) => Ok(output),
            (None, Ok(report)) => Err(match report.outcome {
                Outcome::Cancelled => "the call was cancelled".to_owned(),
                Outcome::Stopped => {
                    "everything is stopped; a person can let it go on with `hydroid stop --release`"
                        .to_owned()
                }
                Outcome::BudgetReached { reason }
                | Outcome::Repeating { reason }
                | Outcome::Failed { reason } => reason,
                Outcome::Completed | Outcome::Interrupted => {
                    "the call came to no result".to_owned()
                }
            }),
            (None, Err(error)) => Err(sentence(&error)),
        }
    }

    async fn take(&mut self, message: SessionMessage) {
        match message {
            SessionMessage::Progress { fraction, note, .. } => self.watch.progress(fraction, note),
            SessionMessage::Entry { entry, .. } => match entry {
                Entry::CallFinished { output, .. } => self.output = Some(output),
                Entry::ApprovalAsked { call_id, call, reason, preview, .. } => {
                    self.ask(call_id, call, reason, preview).await;
                }
                _ => {}
            },
            SessionMessage::State { .. } => {}
        }
    }

    /// Puts the question, and answers for nobody if nobody answers.
    async fn ask(&self, id: CallId, call: ToolCall, reason: String, preview: Option<Preview>) {
        let question = CallQuestion {
            tool: call.name,
            arguments: call.arguments,
            reason: reason.clone(),
            preview: preview.map(in_words),
        };
        let answered = tokio::select! {
            answered = self.watch.ask(question) => answered,
            () = self.asked.cancel.cancelled() => return,
        };
        let answer = match answered {
            Some(true) => ApprovalAnswer::Once,
            Some(false) => ApprovalAnswer::Deny { reason: None },
            None => ApprovalAnswer::Deny { reason: Some(format!("{reason}, and nobody answered")) },
        };
        // A turn that ended meanwhile has answered it.
        drop(self.program.session.answer(self.program.user.clone(), id, answer).await);
    }
}

fn in_words(preview: Preview) -> String {
    match preview {
        Preview::Difference { text, .. } => text,
        Preview::Copy { source, destination, bytes, .. } => {
            format!("copies {source} out of the vault to {destination}, {bytes} bytes")
        }
        Preview::Send { host, bytes } => format!("sends up to {bytes} bytes to {host}"),
        Preview::Unknown { reason } => format!("what it would do is not known: {reason}"),
    }
}

fn sentence(error: &TurnError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Cancels the turn of whoever called and went away.
struct StopOnDrop(Option<Session>);

impl StopOnDrop {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            tokio::spawn(async move { session.cancel().await });
        }
    }
}

/// What a session tells, on the thread it tells it on.
struct Told(mpsc::Sender<SessionMessage>);

impl Sink for Told {
    fn emit(&self, message: SessionMessage) {
        // Whoever asked may be gone.
        drop(self.0.blocking_send(message));
    }
}

/// The calls that were asked for and not handed to a turn yet, one for each session.
#[derive(Default)]
struct Slots(Mutex<Vec<(SessionId, AskedCall)>>);

impl Slots {
    fn put(&self, session: &SessionId, call: &AskedCall) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|(of, _)| of != session);
        slots.push((session.clone(), call.clone()));
    }

    fn take(&self, session: &SessionId) -> Option<AskedCall> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = slots.iter().position(|(of, _)| of == session)?;
        Some(slots.swap_remove(place).1)
    }
}

impl Model for Slots {
    fn complete(
        &self,
        request: ModelRequest,
        context: CallContext,
    ) -> BoxFuture<'_, Result<Box<dyn Completion>, ModelError>> {
        async move {
            // Without tools a summary is wanted, which a program does not write.
            if request.tools.is_empty() {
                return Err(nobody());
            }
            let answered = request.messages.last().is_some_and(|last| last.role == Role::Tool);
            let events = match self.take(&context.session).filter(|_| !answered) {
                Some(call) => called(&call),
                None => {
                    vec![
                        ModelEvent::Text(DONE.to_owned()),
                        ModelEvent::Finished(StopReason::EndTurn),
                    ]
                }
            };
            Ok(Box::new(Answer(Some(events))) as Box<dyn Completion>)
        }
        .boxed()
    }
}

fn called(call: &AskedCall) -> Vec<ModelEvent> {
    vec![
        ModelEvent::CallStarted { index: 0, id: "call".to_owned(), name: call.name.clone() },
        ModelEvent::CallArguments { index: 0, fragment: call.arguments.clone() },
        ModelEvent::CallEnded { index: 0 },
        ModelEvent::Finished(StopReason::ToolUse),
    ]
}

fn nobody() -> ModelError {
    ModelError {
        kind: "unsupported".to_owned(),
        message: "no model takes part in this session, and no tool is on offer".to_owned(),
        retry_after_ms: None,
        sent: false,
    }
}

struct Answer(Option<Vec<ModelEvent>>);

impl Completion for Answer {
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<ModelEvent>, ModelError>> {
        let events = self.0.take().unwrap_or_default();
        async move { Ok(events) }.boxed()
    }
}

/// What is configured for models does not concern a program, and nothing is handed to it unasked.
fn without_a_model(config: &Config) -> Config {
    let mut config = config.clone();
    PROGRAM.clone_into(&mut config.model.provider);
    PROGRAM.clone_into(&mut config.model.name);
    config.model.route = Routes::default();
    config.model.options = None;
    config.model.instructions = None;
    config.memory.recall = false;
    config.memory.files = false;
    config.turn.max_dollars = None;
    config.turn.max_steps = config.turn.max_steps.max(2);
    config
}

/// The tools of some components. What one of them calls in turn may be a tool of another: its own
/// grant names it.
struct Chosen {
    inner: Arc<dyn Tools>,
    offers: Offers,
}

impl Tools for Chosen {
    fn specs(&self) -> Vec<ToolSpec> {
        let mut specs = self.inner.specs();
        specs.retain(|spec| (self.offers)(&spec.component));
        specs
    }

    fn details(&self, name: &str) -> Option<ToolDetails> {
        self.inner.details(name)
    }

    fn check(&self, call: &ToolCall) -> Result<CheckedCall, String> {
        self.inner.check(call)
    }

    fn run(&self, call: CheckedCall, context: CallContext) -> BoxFuture<'_, ToolOutput> {
        // A program reads data; what a component calls reads what it reads in a turn.
        let wants_data = call.parent.is_none();
        self.inner.run(call, CallContext { wants_data, ..context })
    }

    fn preview(&self, call: CheckedCall, context: CallContext) -> BoxFuture<'_, Option<Preview>> {
        self.inner.preview(call, context)
    }
}

impl std::fmt::Debug for ProgramParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProgramParts").field("user", &self.user).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Programs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Programs").field("parts", &self.parts).finish_non_exhaustive()
    }
}
