//! What the host tells, and what its replies mean: each belongs to a request that is waited for.

use super::overlay::{Block, Panel, Picker, Row};
use super::{App, Begin, Command, Connected, Link, Overlay};
use crate::conversation::Conversation;
use hydroid_core::id::{CallId, SessionId};
use hydroid_core::protocol::{
    ClientProgram, ErrorCode, PROTOCOL_VERSION, Reply, Request, RequestError, Resume,
    ServerMessage, SessionInfo, SessionMessage, Stopped, Welcome,
};

/// Sessions that are listed.
pub(super) const MOST_SESSIONS: u32 = 200;

/// What a request was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Hello,
    /// Nothing but that it is done.
    Done(&'static str),
    /// The clock, asked at this time of ours.
    Clock(u64),
    /// The list in the side bar.
    Listed,
    /// A list to choose from.
    Choose {
        archived: bool,
    },
    /// A session to look at.
    Looked,
    /// A session that was followed before.
    Followed,
    /// A session for what is to be said.
    Created(u64),
    /// A new session to look at that nothing is said in yet.
    Begun,
    /// The same, and this skill is loaded then.
    BegunToLoad(String),
    /// A summary of what was said.
    Compacted,
    /// A copy.
    Copied,
    /// The session as it is now.
    Changed,
    Deleted(SessionId),
    Rewound {
        again: String,
    },
    /// What is said.
    Said(u64),
    Steered(String),
    /// A piece of a file.
    Uploaded(u64),
    Aside(String),
    Answered(CallId),
    Exported(String),
    Found(String),
    /// Models, to choose from or only to know.
    Models {
        choose: bool,
    },
    Skills,
    SkillLoaded,
    Tools,
    Components,
    Cost,
    Notes,
    Policy,
    /// How the host is, to be shown or only to know.
    Status {
        show: bool,
    },
}

impl Waiting {
    /// True if the request has a key, so that it may be asked again after the connection was lost.
    /// What is to be said has one too, and a way of its own.
    pub(super) fn is_asked_again(&self) -> bool {
        matches!(self, Self::Begun | Self::BegunToLoad(_) | Self::Copied | Self::Steered(_))
    }
}

impl App {
    pub(super) fn link(&mut self, link: Link) {
        match link {
            Link::Opened { token } => {
                self.waiting.clear();
                self.token = token;
                let resume = self
                    .open
                    .values()
                    .map(|one| Resume { session: one.id().clone(), after: one.last_seq })
                    .collect();
                let client = ClientProgram {
                    name: "hydroid-tui".to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                };
                let token = self.token.take();
                let hello = Request::Hello { protocol: PROTOCOL_VERSION, token, client, resume };
                self.ask(hello, Waiting::Hello);
            }
            Link::Told(message) => self.told_by_host(*message),
            Link::Lost(why) => {
                if !matches!(self.connected, Connected::Refused(_)) {
                    self.connected = Connected::Lost(why);
                }
                for (id, request) in std::mem::take(&mut self.keyed) {
                    self.again.extend(self.waiting.remove(&id).map(|waiting| (request, waiting)));
                }
                self.waiting.clear();
                self.asking.answered = None;
                self.say_again();
                if let Some(Overlay::Panel(panel)) = &mut self.overlay
                    && panel.aside.take().is_some()
                {
                    panel.add("\n\n(the connection was lost before the answer had ended)");
                }
            }
        }
    }

    fn told_by_host(&mut self, message: ServerMessage) {
        match message {
            ServerMessage::Reply { id, reply } => {
                self.keyed.remove(&id);
                if let Some(waiting) = self.waiting.remove(&id) {
                    self.reply(waiting, reply);
                }
            }
            ServerMessage::Error { id, error } => {
                if let Some(id) = id {
                    self.keyed.remove(&id);
                }
                match id.and_then(|id| self.waiting.remove(&id)) {
                    Some(waiting) => self.refused(waiting, &error),
                    None => self.complain(error.message),
                }
            }
            ServerMessage::Session(message) => {
                let session = match &message {
                    SessionMessage::Entry { session, .. }
                    | SessionMessage::Progress { session, .. }
                    | SessionMessage::State { session, .. } => session.clone(),
                };
                if let SessionMessage::Entry { entry, .. } = &message {
                    self.heard(entry);
                }
                let now = self.now;
                let looked_at = self.current.as_ref() == Some(&session);
                if let Some(conversation) = self.open.get_mut(&session) {
                    conversation.take(message, now);
                    conversation.unseen &= !looked_at;
                }
            }
            ServerMessage::Stopped { session, reason, .. } => self.stopped(session, reason),
            ServerMessage::SessionChanged { session } => {
                if let Some(conversation) = self.open.get_mut(&session.session) {
                    conversation.info = session.clone();
                }
                self.list(session);
            }
            ServerMessage::SessionDeleted { session } => self.forget(&session),
            ServerMessage::Aside { id, text } => {
                if let Some(Overlay::Panel(panel)) = &mut self.overlay
                    && panel.aside == Some(id)
                {
                    panel.add(&text);
                }
            }
            ServerMessage::Notification { notification } => {
                let here = notification.session.is_some() && notification.session == self.current;
                if !here {
                    self.tell(notification.text);
                }
                let seen = Request::Seen { notifications: vec![notification.notification] };
                self.ask(seen, Waiting::Done(""));
            }
            ServerMessage::Heartbeat { at_ms, .. } => {
                self.host_clock = at_ms.checked_sub(self.now);
            }
            ServerMessage::Goodbye { error } => self.complain(error.message),
        }
    }

    fn stopped(&mut self, session: SessionId, reason: Stopped) {
        let after = self.open.get(&session).map(|conversation| conversation.last_seq);
        match reason {
            Stopped::FellBehind | Stopped::Failed => {
                if after.is_some() {
                    if reason == Stopped::Failed {
                        self.complain("the session failed inside the host; going on with it");
                    }
                    self.ask(Request::Open { session, after }, Waiting::Followed);
                }
            }
            Stopped::Deleted => self.forget(&session),
            // The connection ends with it, and the next one resumes.
            Stopped::ShuttingDown => {}
        }
    }

    fn welcomed(&mut self, welcome: Welcome) {
        self.connected = Connected::Yes;
        for gone in &welcome.gone {
            self.forget(gone);
        }
        self.welcome = Some(welcome);
        self.ask(Request::Ping, Waiting::Clock(self.now));
        self.ask(Request::Models, Waiting::Models { choose: false });
        self.ask(Request::Status, Waiting::Status { show: false });
        let list = Request::Sessions { archived: false, limit: Some(MOST_SESSIONS) };
        self.ask(list, Waiting::Listed);
        for (request, waiting) in std::mem::take(&mut self.again) {
            self.ask(request, waiting);
        }
    }

    fn reply(&mut self, waiting: Waiting, reply: Reply) {
        match (waiting, reply) {
            (Waiting::Hello, Reply::Welcome(welcome)) => self.welcomed(welcome),
            (Waiting::Clock(asked), Reply::Pong { at_ms }) => {
                let now = asked + self.now.saturating_sub(asked) / 2;
                self.host_clock = at_ms.checked_sub(now);
            }
            (Waiting::Listed, Reply::Sessions { sessions }) => {
                self.sessions = sessions;
                self.sort_sessions();
                if let Some(begin) = self.begin.take() {
                    self.begin_with(begin);
                }
            }
            (Waiting::Choose { archived }, Reply::Sessions { sessions }) => {
                let now = self.host_now();
                self.overlay = Some(Overlay::Picker(Picker::sessions(&sessions, archived, now)));
            }
            (Waiting::Looked | Waiting::Begun | Waiting::Copied, Reply::Session { session }) => {
                self.looked(session);
            }
            (Waiting::BegunToLoad(skill), Reply::Session { session }) => {
                self.looked(session);
                self.change_skill(skill, true);
            }
            (Waiting::Created(key), Reply::Session { session }) => self.created(key, session),
            (Waiting::Followed | Waiting::Changed, Reply::Session { session }) => {
                if let Some(conversation) = self.open.get_mut(&session.session) {
                    conversation.info = session.clone();
                }
                self.list(session);
            }
            (Waiting::Compacted, Reply::Compacted { turns, .. }) => self.tell(match turns {
                0 => "there is nothing to sum up: the last turn is always kept".to_owned(),
                1 => "the first turn is summed up".to_owned(),
                turns => format!("the first {turns} turns are summed up"),
            }),
            (Waiting::Deleted(session), Reply::Done) => self.forget(&session),
            (Waiting::Rewound { again }, Reply::Done) => {
                if self.editor.is_empty() && !again.is_empty() {
                    self.editor.set(&again);
                }
                self.tell("rewound; what was done is not undone");
            }
            (Waiting::Said(key), Reply::Accepted { queued, .. }) => {
                self.outgoing.retain(|outgoing| outgoing.key != key);
                if queued > 0 {
                    self.tell(format!("it waits for its turn; {queued} are before it"));
                }
            }
            (Waiting::Uploaded(key), Reply::Upload { upload, received, complete }) => {
                self.uploaded(key, upload, received, complete);
            }
            (Waiting::Aside(_), Reply::AsideEnded { text, usage }) => {
                if let Some(Overlay::Panel(panel)) = &mut self.overlay
                    && panel.aside.take().is_some()
                {
                    panel.replace(&text);
                    panel.blocks.push(Block::Remark(format!(
                        "{} tokens; nothing of this is in the conversation",
                        usage.total()
                    )));
                }
            }
            (Waiting::Exported(path), Reply::Export { text, .. }) => {
                self.ask_machine(super::DeskRequest::Save { path, text });
            }
            (Waiting::Found(words), Reply::Found { found }) => {
                if found.is_empty() {
                    self.tell(format!("nothing was found for `{words}`"));
                } else {
                    let now = self.host_now();
                    self.overlay = Some(Overlay::Picker(Picker::found(&words, &found, now)));
                }
            }
            (Waiting::Models { choose }, Reply::Models { models }) => {
                self.models = models;
                if choose {
                    let settings = self.settings();
                    self.overlay = Some(Overlay::Picker(Picker::models(&self.models, &settings)));
                }
            }
            (Waiting::Skills, Reply::Skills { skills }) => {
                if skills.is_empty() {
                    self.tell("there are no skills; `hydroid skill new` makes one, `hydroid skill add` keeps one you have");
                } else {
                    self.overlay = Some(Overlay::Picker(Picker::skills(&skills)));
                }
            }
            (Waiting::SkillLoaded, Reply::SkillLoaded { notices, .. }) => {
                notices.into_iter().for_each(|notice| self.tell(notice));
            }
            (Waiting::Tools, Reply::Tools { tools }) => {
                self.overlay = Some(Overlay::Panel(Panel::tools(&tools)));
            }
            (Waiting::Components, Reply::Components { components }) => {
                self.overlay = Some(Overlay::Panel(Panel::components(&components)));
            }
            (Waiting::Cost, Reply::Cost { total, days, models }) => {
                self.overlay = Some(Overlay::Panel(Panel::cost(&total, &days, &models)));
            }
            (Waiting::Notes, Reply::Notes { notes }) => {
                let now = self.host_now();
                self.overlay = Some(Overlay::Panel(Panel::notes(&notes, now)));
            }
            (Waiting::Policy, Reply::Policy { mode, rules }) => {
                self.overlay = Some(Overlay::Panel(Panel::policy(mode, &rules)));
            }
            (Waiting::Status { show }, Reply::Status(status)) => {
                if show {
                    self.overlay = Some(Overlay::Panel(Panel::status(&status)));
                }
                self.status = Some(status);
            }
            (Waiting::Done(text), Reply::Done) => {
                if !text.is_empty() {
                    self.tell(text);
                }
            }
            (Waiting::Answered(call), Reply::Done) => {
                if self.asking.answered.as_ref() == Some(&call) {
                    self.asking.answered = None;
                }
            }
            (Waiting::Steered(_), Reply::Done) => {
                self.tell("the model reads it before its next step")
            }
            (waiting, reply) => {
                tracing::warn!(?waiting, "the host replied with something else: {reply:?}");
                self.complain(
                    "the host replied with something that was not asked; is it of another version?",
                );
            }
        }
    }

    fn refused(&mut self, waiting: Waiting, error: &RequestError) {
        match waiting {
            Waiting::Hello => {
                let message = match error.code {
                    ErrorCode::ShuttingDown | ErrorCode::RateLimited | ErrorCode::LimitReached => {
                        self.complain(error.message.clone());
                        return;
                    }
                    _ => error.message.clone(),
                };
                self.connected = Connected::Refused(message);
                self.commands.push(Command::GiveUp);
            }
            Waiting::Said(key) if error.code == ErrorCode::NotFound && self.hands_up_again(key) => {
            }
            Waiting::Created(key) | Waiting::Said(key) | Waiting::Uploaded(key) => {
                self.complain(error.message.clone());
                self.take_back(key);
            }
            Waiting::Steered(text) => {
                self.complain(error.message.clone());
                let written = crate::editor::Written { text, attached: Vec::new() };
                self.editor.put_back(written);
            }
            Waiting::Answered(call) => {
                if self.asking.answered.as_ref() == Some(&call) {
                    self.asking.answered = None;
                }
                self.complain(error.message.clone());
            }
            Waiting::Aside(question) => {
                if matches!(&self.overlay, Some(Overlay::Panel(panel)) if panel.aside.is_some()) {
                    self.overlay = None;
                }
                self.complain(error.message.clone());
                if self.editor.is_empty() {
                    self.editor.set(&format!("/btw {question}"));
                }
            }
            // Nobody asked for these.
            Waiting::Clock(_)
            | Waiting::Models { choose: false }
            | Waiting::Status { show: false } => {}
            Waiting::Followed
            | Waiting::Looked
            | Waiting::Begun
            | Waiting::BegunToLoad(_)
            | Waiting::Copied
            | Waiting::Compacted
            | Waiting::Changed
            | Waiting::Deleted(_)
            | Waiting::Rewound { .. }
            | Waiting::Done(_)
            | Waiting::Listed
            | Waiting::Choose { .. }
            | Waiting::Exported(_)
            | Waiting::Found(_)
            | Waiting::Models { choose: true }
            | Waiting::Skills
            | Waiting::SkillLoaded
            | Waiting::Tools
            | Waiting::Components
            | Waiting::Cost
            | Waiting::Notes
            | Waiting::Policy
            | Waiting::Status { show: true } => self.complain(error.message.clone()),
        }
    }

    /// Looks at a session the host told of.
    fn looked(&mut self, session: SessionInfo) {
        let id = session.session.clone();
        self.list(session.clone());
        self.open
            .entry(id.clone())
            .and_modify(|known| known.info = session.clone())
            .or_insert_with(|| Conversation::new(session));
        self.look_at(Some(id));
    }

    fn begin_with(&mut self, begin: Begin) {
        let session = match begin {
            Begin::New => return,
            Begin::Last => match self.sessions.first() {
                Some(info) => info.session.clone(),
                None => return,
            },
            Begin::Session(beginning) => SessionId::new(beginning),
        };
        self.open_session(session);
    }
}

impl Row {
    /// When something was, as a person says it.
    pub(super) fn ago(at_ms: u64, now: Option<u64>) -> String {
        let Some(now) = now else { return String::new() };
        let minutes = now.saturating_sub(at_ms) / 60_000;
        match minutes {
            0 => "now".to_owned(),
            1..=59 => format!("{minutes} min ago"),
            60..=1_439 => format!("{} h ago", minutes / 60),
            _ => format!("{} d ago", minutes / 1_440),
        }
    }
}
