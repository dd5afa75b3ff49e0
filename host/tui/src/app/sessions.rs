//! Which sessions there are and which one is looked at.

use super::messages::Waiting;
use super::{App, Connected, Scroll};
use hydroid_core::id::SessionId;
use hydroid_core::protocol::{Request, SessionInfo};

impl App {
    /// Goes to a session, which is followed from its beginning if it was not before.
    pub(super) fn open_session(&mut self, session: SessionId) {
        if self.open.contains_key(&session) {
            self.look_at(Some(session));
        } else {
            self.ask(Request::Open { session, after: Some(0) }, Waiting::Looked);
        }
    }

    /// Looks at a session, or at one that is not begun yet.
    pub(super) fn look_at(&mut self, session: Option<SessionId>) {
        if self.current != session {
            self.scroll = Scroll::Follow;
            self.asking.leave();
            self.asking.index = 0;
        }
        self.current = session;
        if let Some(conversation) = self.conversation_mut() {
            conversation.unseen = false;
        }
    }

    /// Begins a session; nothing is sent before something is said, unless it has a title.
    pub(super) fn begin_session(&mut self, title: &str) {
        self.fresh = hydroid_core::protocol::SessionSettings::default();
        if title.is_empty() {
            self.look_at(None);
        } else {
            let title = Some(title.to_owned());
            let settings = self.fresh.clone();
            let key = Some(self.new_key());
            self.ask(Request::Create { title, settings, key }, Waiting::Begun);
        }
    }

    /// The one so many rows further down the side bar.
    pub(super) fn step_sessions(&mut self, down: bool) {
        let at = self
            .current
            .as_ref()
            .and_then(|id| self.sessions.iter().position(|info| info.session == *id));
        let next = match (at, down) {
            (None, _) => 0,
            (Some(at), true) => at + 1,
            (Some(at), false) => match at.checked_sub(1) {
                Some(before) => before,
                None => return self.begin_session(""),
            },
        };
        if let Some(info) = self.sessions.get(next) {
            self.open_session(info.session.clone());
        }
    }

    /// The session a person means: a beginning of its identifier, or a part of its title.
    pub(super) fn switch_to(&mut self, text: &str) {
        let wanted = text.to_lowercase();
        let by_id = |info: &&SessionInfo| info.session.as_str().starts_with(&wanted);
        let by_title = |info: &&SessionInfo| info.title.to_lowercase().contains(&wanted);
        let mut found: Vec<&SessionInfo> = self.sessions.iter().filter(by_id).collect();
        if found.is_empty() {
            found = self.sessions.iter().filter(by_title).collect();
        }
        match found.as_slice() {
            [one] => {
                let session = one.session.clone();
                self.open_session(session);
            }
            // It may be one that is not in the list.
            [] => self.open_session(SessionId::new(wanted)),
            several => {
                let count = several.len();
                self.complain(format!("{count} sessions fit `{text}`; write more of one"));
            }
        }
    }

    /// A session is as the host says.
    pub(super) fn list(&mut self, info: SessionInfo) {
        self.sessions.retain(|known| known.session != info.session);
        if !info.archived {
            self.sessions.push(info);
            self.sort_sessions();
        }
    }

    pub(super) fn sort_sessions(&mut self) {
        self.sessions.sort_by(|a, b| {
            b.updated_ms.cmp(&a.updated_ms).then_with(|| b.session.cmp(&a.session))
        });
    }

    /// A session is there no more.
    pub(super) fn forget(&mut self, session: &SessionId) {
        self.sessions.retain(|known| known.session != *session);
        self.open.remove(session);
        if self.current.as_ref() == Some(session) {
            self.look_at(None);
            if self.connected == Connected::Yes {
                self.tell("this session is gone; what you write begins another");
            }
        }
    }
}
