//! What the terminal knows and does: every input becomes what is shown and what is to be done.
//! It is pure: no socket, no clock, no file, no screen; a test hands in inputs and looks at both.

mod answering;
pub(crate) mod commands;
mod keys;
mod messages;
pub(crate) mod overlay;
mod saying;
mod sessions;

pub(crate) use overlay::Overlay;

use crate::conversation::{Conversation, Question};
use crate::desk::Attachment;
use crate::editor::Editor;
use crate::theme::Theme;
use answering::Asking;
use crossterm::event::{KeyEvent, MouseEvent};
use hydroid_core::id::{CallId, ClientKey, SessionId, TurnId};
use hydroid_core::protocol::{
    ClientMessage, ModelOffer, Request, ServerMessage, SessionInfo, SessionSettings, Status,
    Welcome,
};
use messages::Waiting;
use ratatui::layout::Rect;
use saying::Outgoing;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Milliseconds for which a message of ours stands above the editor.
const TOLD_FOR_MS: u64 = 8_000;

/// Messages of ours that stand there at once.
const MOST_TOLD: usize = 4;

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Input {
    /// A key.
    Key(KeyEvent),
    /// The mouse.
    Mouse(MouseEvent),
    /// A text was pasted.
    Paste(String),
    /// Time went on; milliseconds since we began.
    Tick(u64),
    /// Something of the connection.
    Link(Link),
    /// The machine answers.
    Desk(DeskReply),
}

/// What happens with the connection.
#[derive(Debug)]
pub(crate) enum Link {
    /// It is there; a token, if one is to be shown.
    Opened { token: Option<String> },
    /// The host says something.
    Told(Box<ServerMessage>),
    /// It is gone, or could not be made; it is tried again.
    Lost(String),
}

/// What the machine answers.
#[derive(Debug)]
pub(crate) enum DeskReply {
    /// A file, or why there is none. What was pasted is the text if it was no file.
    Attached { result: Result<Attachment, String>, pasted: Option<String> },
    /// Where a file was written.
    Saved(Result<String, String>),
    /// What the person wrote in their editor.
    Edited(Result<String, String>),
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// Send it to the host.
    Send(ClientMessage),
    /// Ask the machine.
    Desk(DeskRequest),
    /// Whether the mouse is ours.
    Mouse(bool),
    /// Draw everything anew.
    Redraw,
    /// End the connection: there is no use in trying again.
    GiveUp,
    /// Leave.
    Quit,
}

/// What is asked of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeskRequest {
    Attach { path: String, pasted: Option<String> },
    Save { path: String, text: String },
    Edit(String),
    Remember(String),
}

/// Where to begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// With a new session.
    #[default]
    New,
    /// With the one that something happened in last.
    Last,
    /// With this one, by the beginning of its identifier.
    Session(String),
}

/// How the connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Connected {
    /// Not yet.
    No,
    /// The host has said welcome.
    Yes,
    /// Not any more, or still not; it is tried again.
    Lost(String),
    /// The host does not want us.
    Refused(String),
}

/// A message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) text: String,
    pub(crate) bad: bool,
    until: u64,
}

/// What of the conversation is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scroll {
    /// Its end, as it grows.
    Follow,
    /// From this line on.
    At(usize),
}

/// What was drawn where, as the last frame had it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    /// The conversation.
    pub(crate) chat: Rect,
    /// Its lines, seen or not.
    pub(crate) lines: usize,
    /// The first line that is seen.
    pub(crate) top: usize,
    /// The line each item begins at.
    pub(crate) starts: Vec<usize>,
    /// Rows on which a call begins.
    pub(crate) calls: Vec<(u16, CallId)>,
    /// There is room for a side bar.
    pub(crate) roomy: bool,
    /// The side bar and its rows.
    pub(crate) side_bar: Option<Rect>,
    pub(crate) sessions: Vec<(u16, SessionId)>,
    /// The question, if all that it needs was drawn.
    pub(crate) question: Option<Rect>,
    /// Lines of the question's text, and how many are seen at once.
    pub(crate) question_lines: (usize, usize),
    /// The list or panel that lies above all, its lines and how many are seen at once.
    pub(crate) overlay: Option<Rect>,
    pub(crate) overlay_lines: (usize, usize),
    /// The first row of a list that is seen.
    pub(crate) list_top: usize,
}

/// Everything that is known.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) now: u64,
    pub(crate) theme: Theme,
    /// The person wants no colour, whatever the theme.
    pub(crate) colorless: bool,
    pub(crate) connected: Connected,
    pub(crate) welcome: Option<Welcome>,
    /// The host's clock when ours was at zero.
    pub(crate) host_clock: Option<u64>,
    pub(crate) sessions: Vec<SessionInfo>,
    pub(crate) open: BTreeMap<SessionId, Conversation>,
    pub(crate) current: Option<SessionId>,
    /// What a session has that is not begun yet.
    pub(crate) fresh: SessionSettings,
    pub(crate) editor: Editor,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) asking: Asking,
    pub(crate) scroll: Scroll,
    jump: Option<TurnId>,
    /// Results are shown whole, but for those that were toggled.
    pub(crate) unfolded: bool,
    pub(crate) toggled: BTreeSet<CallId>,
    pub(crate) thinking: bool,
    pub(crate) side_bar: Option<bool>,
    mouse: bool,
    pub(crate) told: VecDeque<Told>,
    pub(crate) models: Vec<ModelOffer>,
    pub(crate) status: Option<Status>,
    /// Which row of the completion is chosen.
    pub(crate) completion: usize,
    pub(crate) layout: Layout,
    begin: Option<Begin>,
    token: Option<String>,
    outgoing: VecDeque<Outgoing>,
    waiting: BTreeMap<u64, Waiting>,
    /// Requests with a key whose answer is waited for: they may be asked again.
    keyed: BTreeMap<u64, Request>,
    /// Those whose answer was lost with the connection.
    again: Vec<(Request, Waiting)>,
    next_id: u64,
    /// What keys of this terminal begin with, which no other terminal has.
    run: String,
    leave_armed: Option<u64>,
    commands: Vec<Command>,
}

impl App {
    pub(crate) fn new(
        begin: Begin,
        theme: Theme,
        colorless: bool,
        history: Vec<String>,
        run: String,
    ) -> Self {
        Self {
            now: 0,
            theme: if colorless { Theme::plain() } else { theme },
            colorless,
            connected: Connected::No,
            welcome: None,
            host_clock: None,
            sessions: Vec::new(),
            open: BTreeMap::new(),
            current: None,
            fresh: SessionSettings::default(),
            editor: Editor::new(history),
            overlay: None,
            asking: Asking::default(),
            scroll: Scroll::Follow,
            jump: None,
            unfolded: false,
            toggled: BTreeSet::new(),
            thinking: false,
            side_bar: None,
            mouse: true,
            told: VecDeque::new(),
            models: Vec::new(),
            status: None,
            completion: 0,
            layout: Layout::default(),
            begin: Some(begin),
            token: None,
            outgoing: VecDeque::new(),
            waiting: BTreeMap::new(),
            keyed: BTreeMap::new(),
            again: Vec::new(),
            next_id: 1,
            run,
            leave_armed: None,
            commands: Vec::new(),
        }
    }

    /// Takes what happened, and says what is to be done.
    pub(crate) fn handle(&mut self, input: Input) -> Vec<Command> {
        match input {
            Input::Key(key) => self.key(key),
            Input::Mouse(event) => self.mouse(event),
            Input::Paste(text) => self.paste(text),
            Input::Tick(now) => self.tick(now),
            Input::Link(link) => self.link(link),
            Input::Desk(reply) => self.desk(reply),
        }
        self.say_next();
        self.look_at_questions();
        std::mem::take(&mut self.commands)
    }

    /// Takes what the last frame looked like.
    pub(crate) fn shown(&mut self, layout: Layout) {
        self.layout = layout;
        if let (Some(turn), Some(conversation)) = (&self.jump, self.conversation()) {
            let item = conversation.items.iter().position(|item| item.turn == *turn);
            if let Some(start) = item.and_then(|item| self.layout.starts.get(item)) {
                self.scroll = Scroll::At(*start);
                self.jump = None;
            }
        }
        if let Scroll::At(top) = self.scroll
            && top + usize::from(self.layout.chat.height) >= self.layout.lines
        {
            self.scroll = Scroll::Follow;
        }
    }

    /// True while something on the screen changes by itself.
    pub(crate) fn is_moving(&self) -> bool {
        !self.told.is_empty() || self.open.values().any(Conversation::is_busy)
    }

    /// The session that is looked at, if one was begun.
    pub(crate) fn conversation(&self) -> Option<&Conversation> {
        self.current.as_ref().and_then(|id| self.open.get(id))
    }

    fn conversation_mut(&mut self) -> Option<&mut Conversation> {
        self.current.as_ref().and_then(|id| self.open.get_mut(id))
    }

    /// The question that is shown.
    pub(crate) fn question(&self) -> Option<&Question> {
        let questions = &self.conversation()?.questions;
        questions.get(self.asking.index.min(questions.len().checked_sub(1)?))
    }

    /// What is in force in the session that is looked at: its own, else the host's.
    pub(crate) fn settings(&self) -> SessionSettings {
        let own = self.own_settings();
        let hosts = self.welcome.as_ref().map(|welcome| welcome.settings.clone());
        let hosts = hosts.unwrap_or_default();
        SessionSettings {
            provider: own.provider.or(hosts.provider),
            model: own.model.or(hosts.model),
            effort: own.effort.or(hosts.effort),
            mode: own.mode.or(hosts.mode),
        }
    }

    fn own_settings(&self) -> SessionSettings {
        match self.conversation() {
            Some(conversation) => conversation.settings().clone(),
            None => self.fresh.clone(),
        }
    }

    /// Milliseconds since 1970 by the host's clock, if it has told.
    pub(crate) fn host_now(&self) -> Option<u64> {
        self.host_clock.map(|zero| zero.saturating_add(self.now))
    }

    /// True if results of a call are shown whole.
    pub(crate) fn is_unfolded(&self, call: &CallId) -> bool {
        self.unfolded != self.toggled.contains(call)
    }

    /// How many things are not said yet.
    pub(crate) fn unsaid(&self) -> usize {
        self.outgoing.len()
    }

    fn tell(&mut self, text: impl Into<String>) {
        self.tell_so(text.into(), false);
    }

    fn complain(&mut self, text: impl Into<String>) {
        self.tell_so(text.into(), true);
    }

    fn tell_so(&mut self, text: String, bad: bool) {
        self.told.retain(|told| told.text != text);
        while self.told.len() >= MOST_TOLD {
            self.told.pop_front();
        }
        self.told.push_back(Told { text, bad, until: self.now + TOLD_FOR_MS });
    }

    fn tick(&mut self, now: u64) {
        self.now = now;
        self.told.retain(|told| told.until > now);
    }

    /// Asks the host; nothing is sent while there is no connection, and the person is told.
    fn ask(&mut self, request: Request, waiting: Waiting) -> Option<u64> {
        if self.connected != Connected::Yes && !matches!(request, Request::Hello { .. }) {
            self.complain("there is no connection to the host; try again once there is");
            return None;
        }
        let id = self.next_id;
        self.next_id += 1;
        if waiting.is_asked_again() {
            self.keyed.insert(id, request.clone());
        }
        self.waiting.insert(id, waiting);
        self.commands.push(Command::Send(ClientMessage { id, request }));
        Some(id)
    }

    /// A key for something that is to be done once, however often it is asked.
    fn new_key(&mut self) -> ClientKey {
        let number = self.next_id;
        self.next_id += 1;
        ClientKey::new(format!("tui-{}-{number}", self.run))
    }

    fn ask_machine(&mut self, request: DeskRequest) {
        self.commands.push(Command::Desk(request));
    }

    fn desk(&mut self, reply: DeskReply) {
        match reply {
            DeskReply::Attached { result: Ok(file), .. } => {
                let limits = self.welcome.as_ref().map(|welcome| welcome.limits);
                let most = limits.map_or(4, |limits| limits.attachments as usize);
                if self.editor.attached.len() >= most {
                    self.complain(format!("a message has at most {most} attachments"));
                } else if limits
                    .is_some_and(|limits| file.data.0.len() as u64 > limits.attachment_bytes)
                {
                    self.complain(format!("`{}` is larger than the host takes", file.name));
                } else {
                    self.editor.attached.push(file);
                }
            }
            DeskReply::Attached { result: Err(_), pasted: Some(text) } => self.editor.paste(&text),
            DeskReply::Attached { result: Err(why), pasted: None }
            | DeskReply::Saved(Err(why))
            | DeskReply::Edited(Err(why)) => self.complain(why),
            DeskReply::Saved(Ok(path)) => self.tell(format!("written to {path}")),
            DeskReply::Edited(Ok(text)) => {
                self.editor.set(&crate::editor::pasted(text.trim_end_matches('\n')));
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
