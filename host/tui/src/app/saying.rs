//! Saying something, step by step: a session for it, its files handed up, then the words. What was
//! under way when a connection was lost is asked for again under the same key, so that nothing is
//! lost and nothing said twice.

use super::App;
use super::messages::Waiting;
use super::{Connected, DeskRequest};
use crate::conversation::Conversation;
use crate::editor::Written;
use hydroid_core::entry::Entry;
use hydroid_core::id::{ClientKey, SessionId};
use hydroid_core::message::Bytes;
use hydroid_core::protocol::{Request, SessionInfo};

/// Bytes of a file that are handed up at once, if a message may have as many.
const PIECE: usize = 256 << 10;

/// Something to be said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outgoing {
    pub(super) key: u64,
    /// The same for the host: of what begins a session, too.
    name: ClientKey,
    session: Option<SessionId>,
    written: Written,
    stage: Stage,
    /// Its files were handed up a second time on this connection.
    handed_up_again: bool,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing of it was sent.
    Ready,
    /// Its session is being created.
    Creating,
    /// Its files are being handed up.
    Uploading { done: Vec<String>, sent: usize },
    /// It was sent with these files.
    Saying { attachments: Vec<String> },
    /// The connection was lost after it was sent, so it is sent again.
    Again { attachments: Vec<String> },
}

impl App {
    /// Says what is written, in the session that is looked at or in a new one.
    pub(super) fn say(&mut self, written: Written) {
        if written.text.trim().is_empty() && written.attached.is_empty() {
            return;
        }
        if let Some(limits) = self.welcome.as_ref().map(|welcome| welcome.limits) {
            // What stands around the words takes less than this, and escapes may double them.
            let most = limits.message_bytes.saturating_sub(1_024) / 2;
            if written.text.len() as u64 > most {
                self.complain(format!(
                    "that is longer than the {most} bytes the host takes; put it in a file of the workspace, where a tool reads it"
                ));
                self.editor.put_back(written);
                return;
            }
        }
        if self.editor.remember(&written.text) {
            self.ask_machine(DeskRequest::Remember(written.text.clone()));
        }
        if self.connected != Connected::Yes {
            self.tell("there is no connection; it is said as soon as there is one");
        }
        self.scroll = super::Scroll::Follow;
        let key = self.next_id;
        self.next_id += 1;
        let name = self.new_key();
        let session = self.current.clone();
        let stage = Stage::Ready;
        let outgoing = Outgoing { key, name, session, written, stage, handed_up_again: false };
        self.outgoing.push_back(outgoing);
    }

    /// What is not said yet, for the screen.
    pub(crate) fn outgoing(&self) -> impl Iterator<Item = (&str, bool)> {
        let here = |outgoing: &&Outgoing| outgoing.session == self.current;
        self.outgoing.iter().filter(here).map(|outgoing| {
            (outgoing.written.text.as_str(), matches!(outgoing.stage, Stage::Again { .. }))
        })
    }

    /// Goes on with the first thing that is not said yet.
    pub(super) fn say_next(&mut self) {
        if self.connected != Connected::Yes {
            return;
        }
        let Some(outgoing) = self.outgoing.front().cloned() else { return };
        let key = outgoing.key;
        match (outgoing.stage, outgoing.session) {
            (Stage::Ready, None) => {
                self.stage(key, Stage::Creating);
                let (title, settings) = (None, self.fresh.clone());
                let name = Some(outgoing.name);
                self.ask(Request::Create { title, settings, key: name }, Waiting::Created(key));
            }
            (Stage::Ready, Some(session)) => {
                if let Some(file) = outgoing.written.attached.first() {
                    self.stage(key, Stage::Uploading { done: Vec::new(), sent: 0 });
                    let request = Request::UploadBegin {
                        name: file.name.clone(),
                        media_type: file.media_type.clone(),
                        bytes: file.data.0.len() as u64,
                    };
                    self.ask(request, Waiting::Uploaded(key));
                } else {
                    self.send_words(key, session, Vec::new());
                }
            }
            (Stage::Again { attachments }, Some(session)) => {
                self.send_words(key, session, attachments);
            }
            // Nothing is sent without a session.
            (Stage::Again { .. }, None) => {}
            (Stage::Creating | Stage::Uploading { .. } | Stage::Saying { .. }, _) => {}
        }
    }

    fn send_words(&mut self, key: u64, session: SessionId, attachments: Vec<String>) {
        let Some(outgoing) = self.outgoing.iter_mut().find(|outgoing| outgoing.key == key) else {
            return;
        };
        outgoing.stage = Stage::Saying { attachments: attachments.clone() };
        let (text, name) = (outgoing.written.text.clone(), Some(outgoing.name.clone()));
        let request = Request::Say { session, text, attachments, key: name, traceparent: None };
        self.ask(request, Waiting::Said(key));
    }

    fn stage(&mut self, key: u64, stage: Stage) {
        if let Some(outgoing) = self.outgoing.iter_mut().find(|outgoing| outgoing.key == key) {
            outgoing.stage = stage;
        }
    }

    pub(super) fn created(&mut self, key: u64, info: SessionInfo) {
        let id = info.session.clone();
        self.list(info.clone());
        self.open.entry(id.clone()).or_insert_with(|| Conversation::new(info));
        let mut looked_at = false;
        for outgoing in self.outgoing.iter_mut().filter(|one| one.session.is_none()) {
            looked_at |= outgoing.key == key;
            outgoing.session = Some(id.clone());
            outgoing.stage = Stage::Ready;
        }
        if looked_at && self.current.is_none() {
            self.look_at(Some(id));
        }
    }

    pub(super) fn uploaded(&mut self, key: u64, upload: String, received: u64, complete: bool) {
        let Some(outgoing) = self.outgoing.iter().find(|outgoing| outgoing.key == key).cloned()
        else {
            return;
        };
        let (Stage::Uploading { mut done, sent }, Some(session)) =
            (outgoing.stage, outgoing.session)
        else {
            return;
        };
        let files = &outgoing.written.attached;
        let Some(file) = files.get(done.len()) else { return };
        if !complete {
            let received = usize::try_from(received).unwrap_or(usize::MAX);
            let from = received.min(file.data.0.len());
            // A host that has no more than before would be asked for ever.
            if sent > 0 && from < sent {
                self.complain(format!("`{}` could not be handed up", file.name));
                self.take_back(key);
                return;
            }
            let to = from.saturating_add(self.piece()).min(file.data.0.len());
            let data = Bytes(file.data.0[from..to].to_vec());
            self.stage(key, Stage::Uploading { done, sent: to });
            self.ask(Request::UploadPart { upload, data }, Waiting::Uploaded(key));
            return;
        }
        done.push(upload);
        match files.get(done.len()) {
            Some(next) => {
                let request = Request::UploadBegin {
                    name: next.name.clone(),
                    media_type: next.media_type.clone(),
                    bytes: next.data.0.len() as u64,
                };
                self.stage(key, Stage::Uploading { done, sent: 0 });
                self.ask(request, Waiting::Uploaded(key));
            }
            None => self.send_words(key, session, done),
        }
    }

    /// Bytes of a file that are handed up at once: in base64 they are a third more.
    fn piece(&self) -> usize {
        let most = self.welcome.as_ref().map_or(u64::MAX, |welcome| welcome.limits.message_bytes);
        let fits = usize::try_from(most.saturating_sub(1_024) / 4 * 3).unwrap_or(PIECE);
        fits.clamp(1, PIECE)
    }

    /// It was refused: the person has it back.
    pub(super) fn take_back(&mut self, key: u64) {
        if let Some(at) = self.outgoing.iter().position(|outgoing| outgoing.key == key)
            && let Some(outgoing) = self.outgoing.remove(at)
        {
            self.editor.put_back(outgoing.written);
        }
    }

    /// The connection was lost: files are handed up again, and words may have arrived or not.
    pub(super) fn say_again(&mut self) {
        for outgoing in &mut self.outgoing {
            outgoing.handed_up_again = false;
            outgoing.stage = match std::mem::replace(&mut outgoing.stage, Stage::Ready) {
                Stage::Ready | Stage::Creating | Stage::Uploading { .. } => Stage::Ready,
                Stage::Saying { attachments } | Stage::Again { attachments } => {
                    Stage::Again { attachments }
                }
            };
        }
    }

    /// A host that was started anew has neither heard it nor its files any more: they are handed up
    /// again, if it has any that were handed up to the one before.
    pub(super) fn hands_up_again(&mut self, key: u64) -> bool {
        let outgoing = self.outgoing.iter_mut().find(|outgoing| outgoing.key == key);
        let Some(outgoing) = outgoing else { return false };
        let again = matches!(&outgoing.stage, Stage::Saying { attachments } if !attachments.is_empty())
            && !std::mem::replace(&mut outgoing.handed_up_again, true);
        if again {
            outgoing.stage = Stage::Ready;
        }
        again
    }

    /// What began a turn is said, whether the host's answer came or not.
    pub(super) fn heard(&mut self, entry: &Entry) {
        if let Entry::TurnStarted { key: Some(name), .. } = entry {
            self.outgoing.retain(|outgoing| outgoing.name != *name);
        }
    }
}
