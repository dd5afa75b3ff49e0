//! Fakes at the ports, for the tests of this crate: a scripted model, tools that behave as their
//! arguments say, a journal in memory and a client. Each checks the protocol itself and writes
//! what is wrong to a list that every test ends by looking at.

pub(crate) mod hooks;
pub(crate) mod skills;
pub(crate) mod spans;
mod whole;

pub(crate) use whole::Nothing;

use crate::{Agent, AgentParts, ModelParts, OpenError, OpenSession, Session, SessionChoice};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::audit::AuditEvent;
use hydroid_core::config::Config;
use hydroid_core::entry::Entry;
use hydroid_core::id::{CallId, ClientKey, ComponentId, SessionId, UserId};
use hydroid_core::message::{Content, Label, Message, Origin, Part, Role, StopReason};
use hydroid_core::models::{Models, Services};
use hydroid_core::policy::Mode;
use hydroid_core::ports::{
    AnswerCache, Approvals, Audit, CallContext, ChildTask, Clock, Completion, Hit, Hooks, Journal,
    KeepLimits, KeptAnswer, KnownSecrets, Model, ModelError, ModelEvent, ModelRequest, NewSession,
    Note, PromptFile, PromptFiles, Question, Recall, RecallError, Saying, SecretPlace,
    SecretPlaces, SecretValue, SessionSummary, Sink, Skills, StandingApproval, StoreError,
    StoredEntry, Telemetry, Tools,
};
use hydroid_core::protocol::{Notification, SessionMessage};
use hydroid_core::scrub::{KnownSecret, LiveScrubber};
use hydroid_core::tool::{
    CheckedCall, Impact, Preview, Reach, Resource, ResourceKind, ToolCall, ToolOutput, ToolSpec,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use tokio::sync::{Notify, Semaphore, mpsc, watch};

pub(crate) const SECRET: &str = "sk-live-0123456789abcdef";

/// What is wrong, from all fakes.
#[derive(Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Vec<String>>>);

impl Faults {
    fn add(&self, fault: String) {
        self.0.lock().unwrap().push(fault);
    }
}

/// What is known of models: one provider of the catalog, which `model.catalog` names.
pub(crate) fn models(config: &Config) -> Models {
    let snapshot = r#"{"acme": {"models": {
        "deaf": {"tool_call": false, "temperature": false, "modalities": {"input": ["text"]}},
        "priced": {"cost": {"input": 1, "output": 10}, "limit": {"context": 9000, "output": 4000}},
        "small": {"limit": {"context": 2000, "output": 500}}
    }}}"#;
    Models::new(config, Box::new(|| Ok(snapshot.to_owned())), None, Services::default()).unwrap()
}

// ---- the model ----

/// One thing a scripted answer does.
#[derive(Clone, Debug)]
pub(crate) enum Play {
    Batch(Vec<ModelEvent>),
    Fail(&'static str),
    /// As `Fail`, with this error.
    Error(ModelError),
    /// The answer does not begin.
    Refuse(ModelError),
    Panic,
    Hang,
    Forever,
}

pub(crate) fn text(text: &str) -> ModelEvent {
    ModelEvent::Text(text.to_owned())
}

/// An answer in one batch that says something and ends.
pub(crate) fn says(said: &str) -> Vec<Play> {
    vec![Play::Batch(vec![text(said), ModelEvent::Finished(StopReason::EndTurn)])]
}

/// An answer that asks for calls, given as `id tool arguments`.
pub(crate) fn calls(wanted: &[&str]) -> Vec<Play> {
    let mut events = Vec::new();
    for (index, call) in (0_u32..).zip(wanted) {
        let mut words = call.splitn(3, ' ');
        let mut word = || words.next().unwrap_or("{}").to_owned();
        events.push(ModelEvent::CallStarted { index, id: word(), name: word() });
        events.push(ModelEvent::CallArguments { index, fragment: word() });
        events.push(ModelEvent::CallEnded { index });
    }
    events.push(ModelEvent::Finished(StopReason::ToolUse));
    vec![Play::Batch(events)]
}

pub(crate) struct FakeModel {
    script: Mutex<VecDeque<Vec<Play>>>,
    pub(crate) requests: Mutex<Vec<ModelRequest>>,
    pub(crate) hangs: Notify,
    pub(crate) pulled: Arc<AtomicUsize>,
    /// Answers that are not dropped.
    pub(crate) open: Arc<AtomicUsize>,
    /// Tools that run; no model is asked meanwhile, not even in the next turn.
    running: Arc<AtomicUsize>,
    faults: Faults,
}

struct FakeCompletion {
    plays: VecDeque<Play>,
    pulled: Arc<AtomicUsize>,
    _open: Guard,
}

impl FakeModel {
    /// A model for tests without a session.
    pub(crate) fn alone(script: Vec<Vec<Play>>) -> Self {
        Self::new(script, Arc::default(), Faults::default())
    }

    fn new(script: Vec<Vec<Play>>, running: Arc<AtomicUsize>, faults: Faults) -> Self {
        Self {
            script: Mutex::new(script.into()),
            requests: Mutex::default(),
            hangs: Notify::new(),
            pulled: Arc::default(),
            open: Arc::default(),
            running,
            faults,
        }
    }
}

impl Model for FakeModel {
    fn complete(
        &self,
        request: ModelRequest,
        _: CallContext,
    ) -> BoxFuture<'_, Result<Box<dyn Completion>, ModelError>> {
        for fault in orphans(&request.messages) {
            self.faults.add(fault);
        }
        if self.running.load(Ordering::SeqCst) > 0 {
            self.faults.add("a model was asked while a tool ran".into());
        }
        self.requests.lock().unwrap().push(request);
        let plays = self.script.lock().unwrap().pop_front();
        let Some(plays) = plays else {
            self.faults.add("a request past the end of the script".into());
            return async { Err(failure("the script is over")) }.boxed();
        };
        if plays.iter().any(|play| matches!(play, Play::Hang)) {
            self.hangs.notify_one();
        }
        if let [Play::Refuse(error)] = plays.as_slice() {
            let error = error.clone();
            return async { Err(error) }.boxed();
        }
        self.open.fetch_add(1, Ordering::SeqCst);
        let open = Guard(Arc::clone(&self.open));
        let pulled = Arc::clone(&self.pulled);
        let completion = FakeCompletion { plays: plays.into(), pulled, _open: open };
        async move { Ok(Box::new(completion) as Box<dyn Completion>) }.boxed()
    }
}

impl Completion for FakeCompletion {
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<ModelEvent>, ModelError>> {
        async move {
            self.pulled.fetch_add(1, Ordering::SeqCst);
            match self.plays.front() {
                Some(Play::Forever) => Ok(vec![text("x")]),
                Some(Play::Hang) => std::future::pending().await,
                _ => match self.plays.pop_front() {
                    Some(Play::Batch(events)) => Ok(events),
                    Some(Play::Fail(message)) => Err(failure(message)),
                    Some(Play::Error(error) | Play::Refuse(error)) => Err(error),
                    Some(Play::Panic) => panic!("the scripted model panics"),
                    Some(Play::Hang | Play::Forever) | None => Ok(Vec::new()),
                },
            }
        }
        .boxed()
    }
}

fn failure(message: &str) -> ModelError {
    ModelError {
        kind: "unavailable".into(),
        message: message.into(),
        retry_after_ms: None,
        sent: false,
    }
}

/// Calls without their result right after them, and results without a call.
fn orphans(messages: &[Message]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut open: Vec<CallId> = Vec::new();
    for message in messages {
        if message.role != Role::Tool && !open.is_empty() {
            faults.push(format!("calls without a result: {open:?}"));
            open.clear();
        }
        for part in &message.parts {
            match &part.content {
                Content::ToolCall { call } => open.push(call.id.clone()),
                Content::ToolResult { call_id, .. } => {
                    match open.iter().position(|id| id == call_id) {
                        Some(at) => drop(open.remove(at)),
                        None => faults.push(format!("a result without a call: {call_id}")),
                    }
                }
                _ => {}
            }
        }
    }
    faults.extend((!open.is_empty()).then(|| format!("calls without a result: {open:?}")));
    faults
}

// ---- tools ----

/// `read` and `write`; the argument `do` says what happens: `hang`, `panic`, `leak`, `polite`.
#[derive(Default)]
pub(crate) struct FakeTools {
    pub(crate) started: Notify,
    pub(crate) running: Arc<AtomicUsize>,
}

/// Counts a run for as long as its future lives.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn impact(tool: &str) -> Option<Impact> {
    match tool {
        "read" | "skill" => Some(Impact::ReadOnly),
        "write" => Some(Impact::Changes),
        _ => None,
    }
}

impl Tools for FakeTools {
    fn specs(&self) -> Vec<ToolSpec> {
        let spec = |name: &str| ToolSpec {
            name: name.into(),
            title: None,
            description: "does it".into(),
            input_schema: serde_json::json!({ "type": "object" }),
            component: ComponentId::new("tool-fake"),
            impact: impact(name).unwrap(),
            claims_read_only: false,
            about_skills: name == "skill",
        };
        vec![spec("read"), spec("skill"), spec("write")]
    }

    fn check(&self, call: &ToolCall) -> Result<CheckedCall, String> {
        assert!(call.name != "bad_schema", "the scripted check panics");
        let impact = impact(&call.name)
            .ok_or_else(|| format!("no tool `{}`; there are `read` and `write`", call.name))?;
        let arguments: serde_json::Value = serde_json::from_str(&call.arguments).unwrap();
        let file = arguments["file"].as_str().map(str::to_owned);
        let resource = |text: &String| Resource {
            kind: ResourceKind::Path,
            argument: "file".into(),
            text: text.clone(),
            declared: true,
        };
        Ok(CheckedCall {
            call: call.clone(),
            component: ComponentId::new("tool-fake"),
            impact,
            resources: file.iter().map(resource).collect(),
            // With `web` it is the call of a component that reaches the web as well.
            origin: match (&file, arguments["web"].as_bool()) {
                (Some(_), Some(true)) => Origin::Host { host: None },
                (Some(path), _) => Origin::File { path: Some(path.clone()) },
                (None, _) => Origin::Computed,
            },
            reach: Reach {
                reads_files: file.is_some(),
                writes_files: file.is_some() && impact != Impact::ReadOnly,
                keeps_state: arguments["state"].as_bool() == Some(true),
                calls_tools: arguments["nested"].is_string() || arguments["delegate"].is_string(),
            },
            hooked: None,
            preview: None,
            parent: None,
        })
    }

    fn preview(&self, call: CheckedCall, _: CallContext) -> BoxFuture<'_, Option<Preview>> {
        async move {
            match serde_json::from_str::<serde_json::Value>(&call.call.arguments).unwrap()["preview"]
                .as_str()
            {
                Some("panic") => panic!("the scripted preview panics"),
                Some(text) => {
                    Some(Preview::Difference { text: text.to_owned(), digest: String::new() })
                }
                None => None,
            }
        }
        .boxed()
    }

    fn run(&self, call: CheckedCall, context: CallContext) -> BoxFuture<'_, ToolOutput> {
        self.running.fetch_add(1, Ordering::SeqCst);
        let guard = Guard(Arc::clone(&self.running));
        let arguments: serde_json::Value = serde_json::from_str(&call.call.arguments).unwrap();
        async move {
            let guard = guard;
            self.started.notify_one();
            (context.progress)(Some(f32::NAN), format!("half of {SECRET}"));
            if let (Some(tool), Some(nested)) = (arguments["nested"].as_str(), &context.nested) {
                let with = arguments.get("with").map_or("{}".to_owned(), ToString::to_string);
                let answer = nested.call(tool.to_owned(), with).await;
                let said = texts(&answer.output.content);
                let how = if answer.denied { "denied:" } else { "said" };
                return ToolOutput::text(format!("nested {how} {said}"));
            }
            if let (true, Some(nested)) = (arguments["skill"].is_string(), &context.nested) {
                return skills::changed(&**nested, &arguments["skill"]).await;
            }
            if let (Some(task), Some(nested)) = (arguments["delegate"].as_str(), &context.nested) {
                let tools = arguments["tools"].as_array().into_iter().flatten();
                let foreign = Label::tool(call.component.clone(), "its task", Origin::Unknown);
                let task = ChildTask {
                    prompt: task.to_owned(),
                    tools: tools.filter_map(|tool| Some(tool.as_str()?.to_owned())).collect(),
                    max_steps: arguments["steps"].as_u64().and_then(|most| most.try_into().ok()),
                    author: if arguments["foreign"] == true { foreign } else { Label::host() },
                };
                // Models are asked while it waits.
                drop(guard);
                let answer = nested.delegate(task).await;
                return ToolOutput { is_error: answer.output.is_error, ..answer.output };
            }
            match arguments["do"].as_str() {
                Some("hang") => std::future::pending().await,
                Some("slow") => {
                    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
                    ToolOutput::text("slowly")
                }
                Some("panic") => panic!("the scripted tool panics"),
                Some("see a secret") => {
                    context.secret.set();
                    ToolOutput::text("a note")
                }
                Some("leak") => ToolOutput::text(format!("the key is {SECRET}")),
                Some("polite") => {
                    while !context.cancel.is_cancelled() {
                        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                    }
                    ToolOutput::text("stopped politely")
                }
                _ => ToolOutput::text("ok"),
            }
        }
        .boxed()
    }
}

// ---- the journal ----

pub(crate) struct FakeJournal {
    sessions: Mutex<BTreeMap<SessionId, (NewSession, Vec<StoredEntry>)>>,
    pub(crate) appends: AtomicUsize,
    /// Appends that succeed before one fails.
    pub(crate) until_failure: Mutex<Option<usize>>,
    /// One permit an append; closed tests take them away.
    pub(crate) gate: Semaphore,
    /// What a person is to be told.
    pub(crate) untold: Mutex<Vec<Notification>>,
    /// Messages that wait, with the place in a turn that they were said into.
    pub(crate) waiting: Mutex<Vec<(SessionId, Saying, Option<String>)>>,
    /// How many messages have waited.
    pub(crate) numbers: AtomicU64,
    /// Sessions that were begun under a key.
    pub(crate) begun: Mutex<BTreeMap<ClientKey, SessionId>>,
    faults: Faults,
}

impl FakeJournal {
    pub(crate) fn stored(&self, session: &str) -> Vec<StoredEntry> {
        self.sessions
            .lock()
            .unwrap()
            .get(&SessionId::new(session))
            .map(|(_, entries)| entries.clone())
            .unwrap_or_default()
    }

    fn has(&self, session: &SessionId, seq: u64, entry: &Entry) -> bool {
        let sessions = self.sessions.lock().unwrap();
        sessions.get(session).is_some_and(|(_, entries)| {
            entries.iter().any(|stored| stored.seq == seq && stored.entry == *entry)
        })
    }

    pub(crate) fn title(&self, session: &str) -> String {
        self.sessions.lock().unwrap()[&SessionId::new(session)].0.title.clone()
    }

    /// Puts a session there as an earlier process left it.
    pub(crate) fn left_by_another_process(&self, session: &str, entries: Vec<Entry>) {
        let id = SessionId::new(session);
        let new = NewSession {
            id: id.clone(),
            user: UserId::new("me"),
            title: String::new(),
            created_ms: 0,
        };
        let stored =
            (1..).zip(entries).map(|(seq, entry)| StoredEntry { seq, at_ms: 0, entry }).collect();
        self.sessions.lock().unwrap().insert(id, (new, stored));
    }

    /// Titles of all sessions.
    pub(crate) fn titles(&self) -> Vec<String> {
        self.sessions.lock().unwrap().values().map(|(new, _)| new.title.clone()).collect()
    }

    /// What must hold between the entries of a session.
    fn check(&self, entries: &[StoredEntry]) {
        let mut open = false;
        let mut calls = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for StoredEntry { seq, entry, .. } in entries {
            let fault = match entry {
                Entry::TurnStarted { .. } => {
                    std::mem::replace(&mut open, true).then_some("a turn in a turn")
                }
                Entry::TurnEnded { .. } => {
                    let was_open = std::mem::replace(&mut open, false);
                    if !calls.is_empty() {
                        Some("a turn ended with an open call")
                    } else {
                        (!was_open).then_some("an end without a turn")
                    }
                }
                Entry::CallReceived { call, .. } => {
                    calls.insert(call.id.clone());
                    (!seen.insert(call.id.clone())).then_some("a call identifier used twice")
                }
                Entry::CallFinished { call_id, .. } => {
                    (!calls.remove(call_id)).then_some("a result without a call")
                }
                Entry::Compacted { .. } => None,
                Entry::SettingsChanged { .. } => None,
                Entry::Rewound { .. } => open.then_some("taken back in a turn"),
                Entry::SkillLoaded { turn: None, .. } | Entry::SkillUnloaded { turn: None, .. } => {
                    open.then_some("a skill that is no turn's in a turn")
                }
                _ => (!open).then_some("outside of a turn"),
            };
            if let Some(fault) = fault {
                self.faults.add(format!("journal entry {seq}: {fault}: {entry:?}"));
            }
            if serde_json::to_string(entry).unwrap().contains(SECRET) {
                self.faults.add(format!("journal entry {seq} has the secret: {entry:?}"));
            }
        }
    }
}

fn database(doing: &'static str) -> StoreError {
    StoreError::Database { doing, source: "the disk is full".into() }
}

impl Journal for FakeJournal {
    fn create(&self, session: NewSession) -> BoxFuture<'_, Result<(), StoreError>> {
        let mut sessions = self.sessions.lock().unwrap();
        let result = if sessions.contains_key(&session.id) {
            Err(StoreError::SessionExists(session.id))
        } else {
            sessions.insert(session.id.clone(), (session, Vec::new()));
            Ok(())
        };
        async move { result }.boxed()
    }

    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        entries: &'a [Entry],
        now_ms: u64,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        async move {
            self.gate.acquire().await.unwrap().forget();
            self.gate.add_permits(1);
            self.appends.fetch_add(1, Ordering::SeqCst);
            if let Some(left) = self.until_failure.lock().unwrap().as_mut() {
                if *left == 0 {
                    return Err(database("append entries"));
                }
                *left -= 1;
            }
            let mut sessions = self.sessions.lock().unwrap();
            let (_, stored) =
                sessions.get_mut(session).ok_or_else(|| StoreError::NoSession(session.clone()))?;
            for entry in entries {
                let seq = u64::try_from(stored.len()).unwrap() + 1;
                stored.push(StoredEntry { seq, at_ms: now_ms, entry: entry.clone() });
            }
            self.check(stored);
            Ok(u64::try_from(stored.len()).unwrap())
        }
        .boxed()
    }

    fn append_begun<'a>(
        &'a self,
        session: &'a SessionId,
        entries: &'a [Entry],
        waited: u64,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        async move {
            let last = self.append(session, entries, now_ms).await?;
            self.waiting.lock().unwrap().retain(|(_, said, _)| said.waiting != Some(waited));
            Ok(last)
        }
        .boxed()
    }

    fn entries<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        after: u64,
    ) -> BoxFuture<'a, Result<Vec<StoredEntry>, StoreError>> {
        let found = self
            .sessions
            .lock()
            .unwrap()
            .get(session)
            .filter(|(new, _)| new.user == *user)
            .cloned();
        async move {
            let (_, entries) = found.ok_or_else(|| StoreError::NoSession(session.clone()))?;
            Ok(entries.into_iter().filter(|entry| entry.seq > after).collect())
        }
        .boxed()
    }

    fn sessions<'a>(
        &'a self,
        _: &'a UserId,
        _: u32,
    ) -> BoxFuture<'a, Result<Vec<SessionSummary>, StoreError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn rename<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        title: String,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let mut sessions = self.sessions.lock().unwrap();
        let found = sessions.get_mut(session).filter(|(new, _)| new.user == *user);
        let renamed = match found {
            Some((new, _)) => {
                new.title = title;
                Ok(())
            }
            None => Err(StoreError::NoSession(session.clone())),
        };
        async move { renamed }.boxed()
    }
}

// ---- memory ----

/// Finds what a test put in, whatever is asked, and notes what was.
#[derive(Default)]
pub(crate) struct FakeMemory {
    pub(crate) hits: Mutex<Vec<Hit>>,
    pub(crate) asked: Mutex<Vec<Question>>,
    pub(crate) files: Mutex<Vec<PromptFile>>,
    pub(crate) fails: AtomicBool,
}

impl Recall for FakeMemory {
    fn save<'a>(
        &'a self,
        _: &'a UserId,
        _: Note,
        _: u64,
    ) -> BoxFuture<'a, Result<String, RecallError>> {
        async { Err(RecallError::Full) }.boxed()
    }

    fn update<'a>(
        &'a self,
        _: &'a UserId,
        _: &'a str,
        _: Note,
        _: u64,
    ) -> BoxFuture<'a, Result<(), RecallError>> {
        async { Err(RecallError::Full) }.boxed()
    }

    fn delete<'a>(&'a self, _: &'a UserId, _: &'a str) -> BoxFuture<'a, Result<(), RecallError>> {
        async { Err(RecallError::Full) }.boxed()
    }

    fn search<'a>(
        &'a self,
        _: &'a UserId,
        question: Question,
    ) -> BoxFuture<'a, Result<Vec<Hit>, RecallError>> {
        self.asked.lock().unwrap().push(question);
        let found = match self.fails.load(Ordering::SeqCst) {
            true => Err(RecallError::Store(database("search"))),
            false => Ok(self.hits.lock().unwrap().clone()),
        };
        async move { found }.boxed()
    }

    fn scratchpad<'a>(
        &'a self,
        _: &'a UserId,
        _: &'a SessionId,
    ) -> BoxFuture<'a, Result<String, RecallError>> {
        async { Ok(String::new()) }.boxed()
    }

    fn write_scratchpad<'a>(
        &'a self,
        _: &'a UserId,
        _: &'a SessionId,
        _: String,
    ) -> BoxFuture<'a, Result<(), RecallError>> {
        async { Ok(()) }.boxed()
    }
}

impl PromptFiles for FakeMemory {
    fn read<'a>(&'a self, _: &'a UserId, _: u64) -> BoxFuture<'a, Vec<PromptFile>> {
        let files = self.files.lock().unwrap().clone();
        async move { files }.boxed()
    }
}

// ---- a client ----

pub(crate) struct FakeClient {
    journal: Arc<FakeJournal>,
    shown: mpsc::UnboundedSender<SessionMessage>,
    faults: Faults,
}

impl Sink for FakeClient {
    fn emit(&self, message: SessionMessage) {
        if let SessionMessage::Entry { session, seq, entry, .. } = &message
            && !self.journal.has(session, *seq, entry)
        {
            self.faults.add(format!("shown before it was written: {seq} {entry:?}"));
        }
        if serde_json::to_string(&message).unwrap().contains(SECRET) {
            self.faults.add(format!("the secret was shown: {message:?}"));
        }
        drop(self.shown.send(message));
    }
}

/// A client that shows nothing until it is let go.
#[derive(Default)]
pub(crate) struct HeldClient {
    let_go: Mutex<bool>,
    changed: Condvar,
    /// Positions of the entries it has shown.
    pub(crate) seen: Mutex<Vec<u64>>,
}

impl HeldClient {
    pub(crate) fn let_go(&self) {
        *self.let_go.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

impl Sink for HeldClient {
    fn emit(&self, message: SessionMessage) {
        drop(self.changed.wait_while(self.let_go.lock().unwrap(), |let_go| !*let_go).unwrap());
        if let SessionMessage::Entry { seq, .. } = message {
            self.seen.lock().unwrap().push(seq);
        }
    }
}

pub(crate) struct FakeClock;

impl Clock for FakeClock {
    fn now_ms(&self) -> u64 {
        1_795_305_600_000
    }
}

// ---- what people allowed, and what is kept of it ----

/// Secrets that a test may set while the host runs.
#[derive(Default)]
pub(crate) struct FakeSecrets(Mutex<Vec<KnownSecret>>);

impl FakeSecrets {
    pub(crate) fn set(&self, name: &str, value: &str) {
        let value = SecretValue::new(value.into());
        self.0.lock().unwrap().push(KnownSecret { name: Some(name.into()), value });
    }
}

impl KnownSecrets for FakeSecrets {
    fn generation(&self) -> u64 {
        self.0.lock().unwrap().len() as u64
    }

    fn known(&self) -> Vec<KnownSecret> {
        self.0.lock().unwrap().clone()
    }
}

/// Standing approvals and audit events in memory.
#[derive(Default)]
pub(crate) struct FakeRecords {
    pub(crate) standing: Mutex<Vec<StandingApproval>>,
    pub(crate) events: Mutex<Vec<AuditEvent>>,
    pub(crate) places: Mutex<BTreeSet<SecretPlace>>,
    /// The secret places cannot be read.
    pub(crate) places_are_lost: std::sync::atomic::AtomicBool,
    pub(crate) kept: Mutex<BTreeMap<(UserId, String), KeptAnswer>>,
    /// The audit log cannot be written.
    pub(crate) audit_is_full: std::sync::atomic::AtomicBool,
}

impl Approvals for FakeRecords {
    fn standing<'a>(
        &'a self,
        user: &'a UserId,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<Vec<StandingApproval>, StoreError>> {
        let standing = self.standing.lock().unwrap().clone();
        let in_force = move |approval: &StandingApproval| {
            approval.user == *user && approval.expires_ms.is_none_or(|ends| ends > now_ms)
        };
        async move { Ok(standing.into_iter().filter(in_force).collect()) }.boxed()
    }

    fn give(&self, approval: StandingApproval) -> BoxFuture<'_, Result<(), StoreError>> {
        self.standing.lock().unwrap().push(approval);
        async { Ok(()) }.boxed()
    }

    fn revoke<'a>(&'a self, _: &'a UserId, id: &'a str) -> BoxFuture<'a, Result<bool, StoreError>> {
        let mut standing = self.standing.lock().unwrap();
        let before = standing.len();
        standing.retain(|approval| approval.id != id);
        let gone = standing.len() < before;
        async move { Ok(gone) }.boxed()
    }
}

impl SecretPlaces for FakeRecords {
    fn mark<'a>(
        &'a self,
        _: &'a UserId,
        places: BTreeSet<SecretPlace>,
        _: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.places.lock().unwrap().extend(places);
        async { Ok(()) }.boxed()
    }

    fn marked<'a>(
        &'a self,
        _: &'a UserId,
    ) -> BoxFuture<'a, Result<BTreeSet<SecretPlace>, StoreError>> {
        let places = self.places.lock().unwrap().clone();
        let broken = self.places_are_lost.load(Ordering::SeqCst);
        async move {
            if broken {
                let source = std::io::Error::other("disk gone").into();
                return Err(StoreError::Database { doing: "look up what is secret", source });
            }
            Ok(places)
        }
        .boxed()
    }

    fn clear<'a>(
        &'a self,
        _: &'a UserId,
        place: SecretPlace,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let gone = self.places.lock().unwrap().remove(&place);
        async move { Ok(gone) }.boxed()
    }
}

impl Audit for FakeRecords {
    fn record(&self, event: AuditEvent) -> BoxFuture<'_, Result<(), StoreError>> {
        let full = self.audit_is_full.load(Ordering::SeqCst);
        if !full {
            self.events.lock().unwrap().push(event);
        }
        async move {
            if full {
                let source = std::io::Error::other("disk full").into();
                return Err(StoreError::Database { doing: "write the audit log", source });
            }
            Ok(())
        }
        .boxed()
    }
}

impl AnswerCache for FakeRecords {
    fn kept<'a>(
        &'a self,
        user: &'a UserId,
        name: &'a str,
        not_before_ms: u64,
    ) -> BoxFuture<'a, Result<Option<KeptAnswer>, StoreError>> {
        let found = self.kept.lock().unwrap().get(&(user.clone(), name.to_owned())).cloned();
        let found = found.filter(|kept| kept.kept_ms >= not_before_ms);
        async move { Ok(found) }.boxed()
    }

    fn keep<'a>(
        &'a self,
        user: &'a UserId,
        name: &'a str,
        answer: &'a KeptAnswer,
        _: KeepLimits,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.kept.lock().unwrap().insert((user.clone(), name.to_owned()), answer.clone());
        async { Ok(()) }.boxed()
    }
}

// ---- all together ----

/// An agent with all its fakes.
pub(crate) struct Host {
    pub(crate) agent: Agent,
    pub(crate) model: Arc<FakeModel>,
    pub(crate) tools: Arc<FakeTools>,
    pub(crate) journal: Arc<FakeJournal>,
    pub(crate) memory: Arc<FakeMemory>,
    pub(crate) client: Arc<FakeClient>,
    pub(crate) records: Arc<FakeRecords>,
    pub(crate) hooks: Arc<hooks::FakeHooks>,
    pub(crate) skills: Arc<skills::FakeSkills>,
    pub(crate) spans: Arc<spans::FakeTelemetry>,
    pub(crate) secrets: Arc<FakeSecrets>,
    pub(crate) stop: watch::Sender<bool>,
    shown: mpsc::UnboundedReceiver<SessionMessage>,
    faults: Faults,
}

impl Host {
    pub(crate) fn new(script: Vec<Vec<Play>>) -> Self {
        Self::with("", script)
    }

    /// With a configuration in TOML.
    pub(crate) fn with(config: &str, script: Vec<Vec<Play>>) -> Self {
        Self::around(config, script, |model, _| model)
    }

    /// With the layers around the model that make it reliable.
    pub(crate) fn reliable(config: &str, script: Vec<Vec<Play>>) -> Self {
        Self::around(config, script, |inner, config| {
            let parts = ModelParts {
                inner,
                models: Arc::new(models(config)),
                kept: Arc::new(FakeRecords::default()),
                clock: Arc::new(FakeClock),
                scrubber: LiveScrubber::fixed(Vec::new(), Vec::new()).unwrap(),
                random: Arc::new(|| 500),
                counters: Arc::default(),
            };
            crate::reliable(parts, config).unwrap()
        })
    }

    fn around(
        config: &str,
        script: Vec<Vec<Play>>,
        layers: impl FnOnce(Arc<dyn Model>, &Config) -> Arc<dyn Model>,
    ) -> Self {
        let config = Arc::new(Config::from_table(config.parse().unwrap()).unwrap());
        let faults = Faults::default();
        let tools = Arc::new(FakeTools::default());
        let model = Arc::new(FakeModel::new(script, Arc::clone(&tools.running), faults.clone()));
        let journal = Arc::new(FakeJournal {
            sessions: Mutex::default(),
            appends: AtomicUsize::new(0),
            until_failure: Mutex::default(),
            gate: Semaphore::new(1),
            untold: Mutex::default(),
            waiting: Mutex::default(),
            numbers: AtomicU64::new(0),
            begun: Mutex::default(),
            faults: faults.clone(),
        });
        let (sender, shown) = mpsc::unbounded_channel();
        let client = Arc::new(FakeClient {
            journal: Arc::clone(&journal),
            shown: sender,
            faults: faults.clone(),
        });
        let secrets = Arc::new(FakeSecrets::default());
        secrets.set("key", SECRET);
        let known: Arc<dyn KnownSecrets> = secrets.clone();
        let turns = AtomicUsize::new(0);
        let records = Arc::new(FakeRecords::default());
        let memory = Arc::new(FakeMemory::default());
        let (stop, stopped) = watch::channel(false);
        let hooks = Arc::<hooks::FakeHooks>::default();
        let skills = Arc::<skills::FakeSkills>::default();
        let spans = Arc::<spans::FakeTelemetry>::default();
        let agent = Agent::new(AgentParts {
            model: layers(model.clone(), &config),
            tools: Arc::clone(&tools) as Arc<dyn Tools>,
            hooks: Arc::clone(&hooks) as Arc<dyn Hooks>,
            journal: Arc::clone(&journal) as Arc<dyn Journal>,
            approvals: Arc::clone(&records) as Arc<dyn Approvals>,
            recall: Arc::clone(&memory) as Arc<dyn Recall>,
            files: Arc::clone(&memory) as Arc<dyn PromptFiles>,
            skills: Arc::clone(&skills) as Arc<dyn Skills>,
            secret_places: Arc::clone(&records) as Arc<dyn SecretPlaces>,
            audit: Arc::clone(&records) as Arc<dyn Audit>,
            stop: stopped,
            clock: Arc::new(FakeClock),
            scrubber: LiveScrubber::following(known, Vec::new()).unwrap(),
            models: Arc::new(models(&config)),
            config,
            telemetry: Some(Arc::clone(&spans) as Arc<dyn Telemetry>),
            new_turn_id: Arc::new(move || format!("t{}", turns.fetch_add(1, Ordering::SeqCst) + 1)),
        });
        Self {
            agent,
            model,
            tools,
            journal,
            memory,
            client,
            records,
            hooks,
            skills,
            spans,
            secrets,
            stop,
            shown,
            faults,
        }
    }

    pub(crate) async fn open(&self, choice: SessionChoice) -> Result<Session, OpenError> {
        let open = OpenSession {
            user: UserId::new("me"),
            session: choice,
            mode: Mode::Default,
            headless: false,
            channel: "terminal".into(),
            allow: Vec::new(),
        };
        self.agent.open(open, Arc::clone(&self.client) as Arc<dyn Sink>).await
    }

    /// A new session that was opened with this client.
    pub(crate) async fn opened_with(&self, client: Arc<dyn Sink>) -> Session {
        let open = OpenSession {
            user: UserId::new("me"),
            session: SessionChoice::New(SessionId::new("s")),
            mode: Mode::Default,
            headless: false,
            channel: "terminal".into(),
            allow: Vec::new(),
        };
        self.agent.open(open, client).await.unwrap()
    }

    pub(crate) async fn new_session(&self) -> Session {
        self.open(SessionChoice::New(SessionId::new("s"))).await.unwrap()
    }

    /// Waits until the client was shown an entry of which this is true.
    pub(crate) async fn shown(&mut self, wanted: impl Fn(&Entry) -> bool) {
        while let Some(message) = self.shown.recv().await {
            if matches!(&message, SessionMessage::Entry { entry, .. } if wanted(entry)) {
                return;
            }
        }
    }

    /// The session in the journal, a line for each entry.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.journal.stored("s").into_iter().map(|stored| stored.entry).collect()
    }

    pub(crate) fn transcript(&self) -> Vec<String> {
        self.journal.stored("s").iter().map(|stored| line(&stored.entry)).collect()
    }

    /// Nothing was wrong, and the client was shown exactly what is in the journal.
    pub(crate) async fn check(mut self) {
        let stored = self.journal.stored("s");
        let mut shown = Vec::new();
        while shown.len() < stored.len() {
            match self.shown.recv().await {
                Some(SessionMessage::Entry { seq, entry, .. }) => shown.push((seq, entry)),
                Some(SessionMessage::Progress { .. } | SessionMessage::State { .. }) => {}
                None => break,
            }
        }
        let stored: Vec<_> = stored.into_iter().map(|stored| (stored.seq, stored.entry)).collect();
        assert_eq!(shown, stored);
        self.no_faults();
    }

    pub(crate) fn no_faults(&self) {
        assert_eq!(
            *self.faults.0.lock().unwrap(),
            Vec::<String>::new(),
            "{:#?}",
            self.transcript()
        );
    }
}

pub(crate) fn said(text: &str) -> Vec<Part> {
    Message::user(text).parts
}

/// An entry as `kind detail`.
fn line(entry: &Entry) -> String {
    match entry {
        Entry::TurnStarted { parts, .. } => {
            format!("said {}", texts(parts.iter().map(|part| &part.content)))
        }
        Entry::Steered { parts, .. } => {
            format!("steered {}", texts(parts.iter().map(|part| &part.content)))
        }
        Entry::Rewound { to } => format!("rewound {to:?}"),
        Entry::SettingsChanged { settings } => format!("settings {:?}", settings.model),
        Entry::StepStarted { step, .. } => format!("step {step}"),
        Entry::Text { text, .. } => format!("text {text}"),
        Entry::Thinking { text, .. } => format!("thinking {text}"),
        Entry::Cited { uri, .. } => format!("cited {uri}"),
        Entry::CallReceived { call, .. } => format!("received {} {}", call.id, call.arguments),
        Entry::ApprovalAsked { call_id, .. } => format!("asked {call_id}"),
        Entry::CallEdited { call_id, arguments, .. } => format!("edited {call_id} {arguments}"),
        Entry::CallDecided { call_id, by, .. } => format!("decided {call_id} by {by:?}"),
        Entry::CallStarted { call_id, .. } => format!("started {call_id}"),
        Entry::CallFinished { call_id, output, .. } => {
            format!(
                "{} {call_id}: {}",
                if output.is_error { "error" } else { "result" },
                texts(&output.content)
            )
        }
        Entry::StepEnded { .. } => "step ended".into(),
        Entry::ChildAnswered { step, .. } => format!("child step {step}"),
        Entry::SkillLoaded { skill, .. } => format!("loaded {}: {}", skill.name, skill.text),
        Entry::SkillUnloaded { name, .. } => format!("unloaded {name}"),
        Entry::Notice { text, .. } => format!("notice {text}"),
        Entry::Compacted { summary, .. } => format!("compacted {summary}"),
        Entry::ModelNews { news, .. } => format!("news {news}"),
        Entry::TurnEnded { outcome, .. } => format!("ended {outcome:?}"),
    }
}

fn texts<'a>(contents: impl IntoIterator<Item = &'a Content>) -> String {
    let text = |content: &'a Content| match content {
        Content::Text { text } => text.clone(),
        other => format!("{other:?}"),
    };
    contents.into_iter().map(text).collect::<Vec<_>>().join(" | ")
}
