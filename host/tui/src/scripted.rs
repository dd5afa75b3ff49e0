//! A host for tests: it keeps sessions as a real one does, answers what is asked and says what it
//! is told to say. It checks that a client follows the protocol.

use hydroid_core::entry::{DecidedBy, Entry, Outcome};
use hydroid_core::id::{CallId, ClientKey, ComponentId, SessionId, TurnId, UserId};
use hydroid_core::message::{Content, Label, Message, StopReason, Usage};
use hydroid_core::money::Money;
use hydroid_core::policy::{Decision, Mode};
use hydroid_core::protocol::{
    Activity, ApprovalAnswer, ClientMessage, CostRow, ErrorCode, Found, Limits, ModelOffer,
    NumberedEntry, PROTOCOL_VERSION, PolicyLine, Reply, Request, RequestError, ServerMessage,
    SessionInfo, SessionMessage, SessionSettings, SkillOffer, Status, ToolOffer, Welcome,
};
use hydroid_core::skill::{self, LoadedSkill, SkillBy};
use hydroid_core::tool::{Impact, Preview, ToolCall, ToolOutput};
use std::collections::{BTreeMap, BTreeSet};

/// When everything happens.
const AT_MS: u64 = 1_795_357_080_000;

/// What the call does that is asked about.
pub(crate) const DIFFERENCE: &str = "--- /shared/a\n+++ /shared/a\n@@ -1 +1 @@\n-old\n+new\n";

#[derive(Debug, Default)]
pub(crate) struct ScriptedHost {
    pub(crate) sessions: BTreeMap<SessionId, Kept>,
    followed: BTreeSet<SessionId>,
    said: bool,
    uploads: BTreeMap<String, (u64, Vec<u8>)>,
    /// Sessions that were begun under a key.
    begun: BTreeMap<ClientKey, SessionId>,
    /// What is told next, beside replies.
    out: Vec<ServerMessage>,
    /// Kinds of requests that came, in order.
    pub(crate) asked: Vec<String>,
    /// What the model says to everything.
    pub(crate) answer: Vec<String>,
    /// A call that is asked about before the model answers.
    pub(crate) call: Option<(ToolCall, Option<Preview>)>,
    pub(crate) scope: String,
}

#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) info: SessionInfo,
    pub(crate) entries: Vec<Entry>,
}

impl ScriptedHost {
    pub(crate) fn new() -> Self {
        Self {
            answer: vec!["It is ".to_owned(), "**done**.".to_owned()],
            scope: "file_write(/shared/**)".to_owned(),
            ..Self::default()
        }
    }

    /// The next connection knows nothing of the one before.
    pub(crate) fn connect(&mut self) {
        self.followed.clear();
        self.uploads.clear();
        self.said = false;
        self.out.clear();
    }

    /// A session with these entries.
    pub(crate) fn with(&mut self, id: &str, title: &str, entries: Vec<Entry>) -> SessionId {
        let session = SessionId::new(id);
        let mut info = info(session.clone(), title);
        info.updated_ms = AT_MS + self.sessions.len() as u64;
        info.last_seq = entries.len() as u64;
        self.sessions.insert(session.clone(), Kept { info, entries });
        session
    }

    fn skills(&self, session: Option<SessionId>) -> Vec<SkillOffer> {
        let kept = session.and_then(|session| self.sessions.get(&session));
        let loaded = kept.map(|kept| skill::loaded(&kept.entries)).unwrap_or_default();
        let offer = |name: &str, description: &str| SkillOffer {
            name: name.into(),
            description: description.into(),
            loaded: loaded.iter().any(|skill| skill.name == name),
            always: false,
            by_person_only: false,
            problem: None,
        };
        vec![offer("tidy-notes", "Tidies notes."), offer("trip", "Plans trips.")]
    }

    /// Something happens in a session.
    pub(crate) fn happens(&mut self, session: &SessionId, entry: Entry) -> Vec<ServerMessage> {
        self.append(session, entry);
        std::mem::take(&mut self.out)
    }

    fn append(&mut self, session: &SessionId, entry: Entry) {
        let kept = self.sessions.get_mut(session).expect("a session that is there");
        kept.entries.push(entry.clone());
        kept.info.last_seq = kept.entries.len() as u64;
        let seq = kept.info.last_seq;
        if self.followed.contains(session) {
            self.out.push(entry_message(session, seq, entry));
        }
    }

    fn state(&mut self, session: &SessionId, activity: Activity) {
        let kept = self.sessions.get_mut(session).expect("a session that is there");
        kept.info.activity = activity;
        let state =
            SessionMessage::State { session: session.clone(), activity, turn: None, queued: 0 };
        if self.followed.contains(session) {
            self.out.push(state.into());
        }
    }

    /// What a client says, and what comes of it.
    pub(crate) fn take(&mut self, message: ClientMessage) -> Vec<ServerMessage> {
        let json = serde_json::to_value(&message).expect("a message is JSON");
        self.asked.push(json["type"].as_str().expect("a type").to_owned());
        let is_hello = matches!(message.request, Request::Hello { .. });
        assert_eq!(is_hello, !self.said, "`hello` comes first and once: {message:?}");
        self.said = true;
        let id = message.id;
        let answer = match self.reply(message) {
            Ok(reply) => ServerMessage::Reply { id, reply },
            Err(error) => ServerMessage::Error { id: Some(id), error },
        };
        let mut all = vec![answer];
        all.append(&mut self.out);
        all
    }

    fn follow(&mut self, session: &SessionId, after: u64) {
        self.followed.insert(session.clone());
        let entries = self.sessions[session].entries.clone();
        for (entry, seq) in entries.into_iter().zip(1..) {
            if seq > after {
                self.out.push(entry_message(session, seq, entry));
            }
        }
    }

    fn info(&self, session: &SessionId) -> Result<SessionInfo, RequestError> {
        match self.sessions.get(session) {
            Some(kept) => Ok(kept.info.clone()),
            None => Err(RequestError::new(ErrorCode::NotFound, format!("no session `{session}`"))),
        }
    }

    fn changed(
        &mut self,
        session: &SessionId,
        change: impl FnOnce(&mut SessionInfo),
    ) -> Result<Reply, RequestError> {
        self.info(session)?;
        let kept = self.sessions.get_mut(session).expect("it was there");
        change(&mut kept.info);
        Ok(Reply::Session { session: kept.info.clone() })
    }

    fn reply(&mut self, message: ClientMessage) -> Result<Reply, RequestError> {
        match message.request {
            Request::Hello { protocol, resume, .. } => {
                assert_eq!(protocol, PROTOCOL_VERSION);
                let mut gone = Vec::new();
                for one in resume {
                    match self.info(&one.session) {
                        Ok(_) => self.follow(&one.session, one.after),
                        Err(_) => gone.push(one.session),
                    }
                }
                Ok(Reply::Welcome(welcome(gone)))
            }
            Request::Ping => Ok(Reply::Pong { at_ms: AT_MS }),
            Request::Status => Ok(Reply::Status(status())),
            Request::Seen { .. }
            | Request::Close { .. }
            | Request::CancelAll
            | Request::ForgetNote { .. }
            | Request::Revoke { .. } => Ok(Reply::Done),
            Request::Create { title, settings, key } => {
                let key = key.expect("a session is begun under a key");
                let session = match self.begun.get(&key) {
                    Some(session) => session.clone(),
                    None => {
                        let id = format!("new-{}", self.sessions.len());
                        self.with(&id, title.as_deref().unwrap_or("(new)"), Vec::new())
                    }
                };
                self.begun.insert(key, session.clone());
                self.follow(&session, 0);
                self.changed(&session, |info| info.settings = settings)
            }
            Request::Sessions { archived, .. } => {
                let all = self.sessions.values().map(|kept| kept.info.clone());
                let mut sessions: Vec<_> = all.filter(|info| info.archived == archived).collect();
                sessions.sort_by_key(|info| std::cmp::Reverse(info.updated_ms));
                Ok(Reply::Sessions { sessions })
            }
            Request::Open { session, after } => {
                let found = self
                    .sessions
                    .keys()
                    .find(|id| id.as_str().starts_with(session.as_str()))
                    .cloned();
                let session = found.unwrap_or(session);
                let info = self.info(&session)?;
                self.follow(&session, after.unwrap_or(info.last_seq));
                Ok(Reply::Session { session: info })
            }
            Request::Entries { session, after, .. } => {
                self.info(&session)?;
                let numbered = self.sessions[&session].entries.iter().cloned().zip(1..);
                let entries = numbered
                    .filter(|(_, seq)| *seq > after)
                    .map(|(entry, seq)| NumberedEntry { seq, at_ms: AT_MS, entry })
                    .collect();
                Ok(Reply::Entries { session, entries, next_after: None })
            }
            Request::Rename { session, title } => self.changed(&session, |info| info.title = title),
            Request::Archive { session, archived } => {
                self.changed(&session, |info| info.archived = archived)
            }
            Request::Fork { session, key, .. } => {
                let key = key.expect("a session is copied under a key");
                let from = self.info(&session)?;
                let copy = match self.begun.get(&key) {
                    Some(copy) => copy.clone(),
                    None => {
                        let entries = self.sessions[&session].entries.clone();
                        let id = format!("copy-{}", self.sessions.len());
                        self.with(&id, &from.title, entries)
                    }
                };
                self.begun.insert(key, copy.clone());
                self.changed(&copy, |info| info.forked_from = Some(session))
            }
            Request::Rewind { session, before } => {
                self.info(&session)?;
                self.append(&session, Entry::Rewound { to: before });
                Ok(Reply::Done)
            }
            Request::Compact { session } => {
                self.info(&session)?;
                let summary = "They greeted each other.".to_owned();
                self.append(&session, Entry::Compacted { covers: 1, summary, by: None });
                Ok(Reply::Compacted { session, turns: 1 })
            }
            Request::LoadSkill { session, skill } => {
                self.info(&session)?;
                let by = SkillBy::Person;
                let skill = LoadedSkill { name: skill, digest: String::new(), text: "x".into() };
                let entry = Entry::SkillLoaded { turn: None, call_id: None, by, skill };
                self.append(&session, entry);
                Ok(Reply::SkillLoaded { session, notices: vec!["a hook looked at it".into()] })
            }
            Request::UnloadSkill { session, skill } => {
                self.info(&session)?;
                let by = SkillBy::Person;
                self.append(&session, Entry::SkillUnloaded { turn: None, by, name: skill });
                Ok(Reply::Done)
            }
            Request::Delete { session } => {
                self.sessions.remove(&session);
                self.out.push(ServerMessage::SessionDeleted { session });
                Ok(Reply::Done)
            }
            Request::Export { .. } => {
                Ok(Reply::Export { media_type: "text/markdown".into(), text: "# All\n".into() })
            }
            Request::Search { .. } => Ok(Reply::Found { found: self.found() }),
            Request::Settings { session, settings } => {
                self.info(&session)?;
                let entry = Entry::SettingsChanged { settings: settings.clone() };
                self.append(&session, entry);
                self.changed(&session, |info| info.settings = settings)
            }
            Request::Say { session, text, attachments, key, .. } => {
                self.said(session, text, &attachments, key)
            }
            Request::Steer { session, text, key } => {
                self.info(&session)?;
                assert!(key.is_some(), "something is said into a turn under a key");
                if !self.has_heard(&session, key.as_ref()) {
                    let (turn, parts) = (TurnId::new("t1"), Message::user(text).parts);
                    self.append(&session, Entry::Steered { turn, parts, key });
                }
                Ok(Reply::Done)
            }
            Request::Aside { .. } => {
                let id = message.id;
                self.out.push(ServerMessage::Aside { id, text: "It ".to_owned() });
                Ok(Reply::AsideEnded { text: "It is aside.".to_owned(), usage: usage() })
            }
            Request::Answer { session, call_id, answer } => self.answered(session, call_id, answer),
            Request::Cancel { session } => {
                self.info(&session)?;
                self.end(&session, Outcome::Cancelled);
                Ok(Reply::Done)
            }
            Request::UploadBegin { bytes, .. } => {
                let upload = format!("u{}", self.uploads.len() + 1);
                self.uploads.insert(upload.clone(), (bytes, Vec::new()));
                Ok(Reply::Upload { upload, received: 0, complete: bytes == 0 })
            }
            Request::UploadPart { upload, data } => {
                let (bytes, have) = self.uploads.get_mut(&upload).expect("an upload that began");
                have.extend(data.0);
                let received = have.len() as u64;
                Ok(Reply::Upload { upload, received, complete: received == *bytes })
            }
            Request::Models => Ok(Reply::Models { models: models() }),
            Request::Skills { session } => Ok(Reply::Skills { skills: self.skills(session) }),
            Request::Tools => Ok(Reply::Tools { tools: tools() }),
            Request::Components => Ok(Reply::Components { components: Vec::new() }),
            Request::Cost { .. } => Ok(Reply::Cost {
                total: cost(""),
                days: vec![cost("2026-11-22")],
                models: vec![cost("rehearsal")],
            }),
            Request::Notes { .. } => Ok(Reply::Notes { notes: Vec::new() }),
            Request::Policy { .. } => Ok(Reply::Policy {
                mode: Mode::Default,
                rules: vec![PolicyLine {
                    rule: "allow web_fetch(docs.rs)".into(),
                    from: "allowed for good".into(),
                    approval: Some("a1b2".into()),
                }],
            }),
        }
    }

    fn found(&self) -> Vec<Found> {
        let one = |kept: &Kept| Found {
            session: kept.info.session.clone(),
            title: kept.info.title.clone(),
            turn: Some(TurnId::new("t1")),
            at_ms: AT_MS,
            excerpt: "how long is the Rhine?".to_owned(),
        };
        self.sessions.values().map(one).collect()
    }

    /// True if something of this key was said in a session.
    fn has_heard(&self, session: &SessionId, wanted: Option<&ClientKey>) -> bool {
        let heard = |entry: &Entry| match entry {
            Entry::TurnStarted { key, .. } | Entry::Steered { key, .. } => {
                key.is_some() && key.as_ref() == wanted
            }
            _ => false,
        };
        self.sessions[session].entries.iter().any(heard)
    }

    fn said(
        &mut self,
        session: SessionId,
        text: String,
        attachments: &[String],
        key: Option<ClientKey>,
    ) -> Result<Reply, RequestError> {
        self.info(&session)?;
        if self.has_heard(&session, key.as_ref()) {
            return Ok(Reply::Accepted { session, queued: 0, repeated: true });
        }
        for attachment in attachments {
            let upload = self.uploads.get(attachment);
            let none = || RequestError::new(ErrorCode::NotFound, "no such file was handed up");
            let (bytes, have) = upload.ok_or_else(none)?;
            assert_eq!(*bytes, have.len() as u64, "it was handed up whole");
        }
        let count = self.sessions[&session].info.turns + 1;
        self.sessions.get_mut(&session).expect("it is there").info.turns = count;
        let turn = TurnId::new(format!("t{count}"));
        self.state(&session, Activity::Working);
        self.append(
            &session,
            Entry::TurnStarted { turn: turn.clone(), parts: Message::user(text).parts, key },
        );
        self.append(&session, step(&turn));
        match self.call.clone() {
            None => self.finish(&session, &turn),
            Some((call, preview)) => {
                let received =
                    Entry::CallReceived { turn: turn.clone(), call: call.clone(), parent: None };
                self.append(&session, received);
                let asked = Entry::ApprovalAsked {
                    turn,
                    call_id: call.id.clone(),
                    call,
                    component: ComponentId::new("tool-files-write"),
                    impact: Impact::Edits,
                    reason: "it changes your files".into(),
                    scope: self.scope.clone(),
                    preview,
                };
                self.append(&session, asked);
                self.state(&session, Activity::Asking);
            }
        }
        Ok(Reply::Accepted { session, queued: 0, repeated: false })
    }

    fn finish(&mut self, session: &SessionId, turn: &TurnId) {
        for text in self.answer.clone() {
            self.append(session, Entry::Text { turn: turn.clone(), text });
        }
        let ended = Entry::StepEnded {
            turn: turn.clone(),
            stop: StopReason::EndTurn,
            usage: usage(),
            dollars: Money::of_dollars(0.0125),
        };
        self.append(session, ended);
        self.end(session, Outcome::Completed);
    }

    fn end(&mut self, session: &SessionId, outcome: Outcome) {
        let turn = TurnId::new(format!("t{}", self.sessions[session].info.turns));
        let ended = Entry::TurnEnded { turn, outcome, usage: usage(), dollars: None };
        self.append(session, ended);
        self.state(session, Activity::Idle);
    }

    fn answered(
        &mut self,
        session: SessionId,
        call_id: CallId,
        answer: ApprovalAnswer,
    ) -> Result<Reply, RequestError> {
        self.info(&session)?;
        let Some((mut call, _)) = self.call.take().filter(|(call, _)| call.id == call_id) else {
            return Err(RequestError::new(ErrorCode::NotAsked, "the call is not asked about"));
        };
        let turn = TurnId::new(format!("t{}", self.sessions[&session].info.turns));
        let component = ComponentId::new("tool-files-write");
        let denied = match answer {
            ApprovalAnswer::Deny { reason } => Some(reason.unwrap_or_else(|| "no".to_owned())),
            ApprovalAnswer::Edit { arguments } => {
                call.arguments = arguments.clone();
                let call_id = call_id.clone();
                self.append(&session, Entry::CallEdited { turn: turn.clone(), call_id, arguments });
                None
            }
            ApprovalAnswer::Once
            | ApprovalAnswer::Session { .. }
            | ApprovalAnswer::Always { .. } => None,
        };
        let decision = match &denied {
            Some(reason) => Decision::Deny { reason: reason.clone() },
            None => Decision::Allow,
        };
        let decided = Entry::CallDecided {
            turn: turn.clone(),
            call_id: call_id.clone(),
            decision,
            by: DecidedBy::User,
            rule: String::new(),
            component: None,
        };
        self.append(&session, decided);
        self.state(&session, Activity::Working);
        let output = match denied {
            Some(reason) => ToolOutput::error(format!("denied: {reason}")),
            None => {
                let started = Entry::CallStarted {
                    turn: turn.clone(),
                    call_id: call_id.clone(),
                    component,
                    call,
                };
                self.append(&session, started);
                ToolOutput::text("written\nline two\nline three\nline four\nline five")
            }
        };
        let finished =
            Entry::CallFinished { turn: turn.clone(), call_id, output, label: Label::host() };
        self.append(&session, finished);
        self.finish(&session, &turn);
        Ok(Reply::Done)
    }
}

/// The words of every message that a session has from its person, as the journal has them.
pub(crate) fn said_in(kept: &Kept) -> Vec<String> {
    kept.entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::TurnStarted { parts, .. } => match &parts.first()?.content {
                Content::Text { text } => Some(text.clone()),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

/// The call that is asked about in tests.
pub(crate) fn write_call() -> (ToolCall, Option<Preview>) {
    let call = ToolCall {
        id: CallId::new("call_1"),
        name: "file_write".into(),
        arguments: r#"{"content":"new","path":"/shared/a"}"#.into(),
    };
    let preview = Preview::Difference { text: DIFFERENCE.into(), digest: "sha256:00".into() };
    (call, Some(preview))
}

fn entry_message(session: &SessionId, seq: u64, entry: Entry) -> ServerMessage {
    SessionMessage::Entry { session: session.clone(), seq, at_ms: AT_MS + seq * 10, entry }.into()
}

pub(crate) fn info(session: SessionId, title: &str) -> SessionInfo {
    SessionInfo {
        session,
        title: title.into(),
        created_ms: AT_MS,
        updated_ms: AT_MS,
        turns: 0,
        last_seq: 0,
        archived: false,
        forked_from: None,
        settings: SessionSettings::default(),
        activity: Activity::Idle,
        queued: 0,
    }
}

fn step(turn: &TurnId) -> Entry {
    Entry::StepStarted {
        turn: turn.clone(),
        step: 1,
        provider: ComponentId::new("provider-rehearsal"),
        model: "rehearsal".into(),
    }
}

fn usage() -> Usage {
    Usage { input: 1_200, output: 34, ..Usage::default() }
}

fn cost(group: &str) -> CostRow {
    CostRow {
        group: group.into(),
        requests: 2,
        usage: usage(),
        dollars: Money::of_dollars(0.0125).expect("an amount"),
        unknown: 0,
    }
}

fn settings() -> SessionSettings {
    SessionSettings {
        provider: Some("provider-rehearsal".into()),
        model: Some("rehearsal".into()),
        effort: None,
        mode: Some(Mode::Default),
    }
}

fn welcome(gone: Vec<SessionId>) -> Welcome {
    Welcome {
        protocol: PROTOCOL_VERSION,
        server: "0.1.0".into(),
        run: "r".into(),
        user: UserId::new("local"),
        scopes: vec!["chat".into()],
        limits: Limits {
            message_bytes: 1 << 20,
            attachments: 4,
            attachment_bytes: 10 << 20,
            queued: 8,
            turns: 10,
            sessions: 50,
            heartbeat_seconds: 15,
        },
        settings: settings(),
        features: Vec::new(),
        gone,
    }
}

fn status() -> Status {
    Status {
        server: "0.1.0".into(),
        started_ms: AT_MS - 600_000,
        now_ms: AT_MS,
        user: UserId::new("local"),
        settings: settings(),
        stopped: false,
        sessions: 1,
        running: Vec::new(),
        connections: 1,
        degraded: Vec::new(),
    }
}

fn models() -> Vec<ModelOffer> {
    let offer = |model: &str, default| ModelOffer {
        provider: "provider-rehearsal".into(),
        model: model.into(),
        title: None,
        context_tokens: Some(8_000),
        default,
    };
    vec![offer("rehearsal", true), offer("other", false)]
}

fn tools() -> Vec<ToolOffer> {
    vec![ToolOffer {
        name: "time_now".into(),
        title: None,
        description: "The time now, in any zone of the world, as a person would write it.\nMore."
            .into(),
        component: "tool-time".into(),
        impact: Impact::ReadOnly,
        input_schema: serde_json::json!({}),
    }]
}
