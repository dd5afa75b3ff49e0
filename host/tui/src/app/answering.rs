//! Answering whether a call may run. Only a key that was pressed at the question counts, after it
//! has been there long enough to be seen, and only if all of the question that must be was drawn.

use super::messages::Waiting;
use super::overlay::{Asks, Line};
use super::{App, Overlay};
use crate::conversation::Question;
use crate::keymap::Action;
use hydroid_core::harmless::exact;
use hydroid_core::id::{CallId, SessionId};
use hydroid_core::policy::CallPattern;
use hydroid_core::protocol::{Activity, ApprovalAnswer, Request, SessionInfo};

/// Milliseconds for which a question is shown before a key answers it: a letter that was on its
/// way to something else is no answer.
const SEEN_AFTER_MS: u64 = 400;

/// Letters of a reason for a denial, at least: one alone is a key that was missed.
const SHORTEST_REASON: usize = 2;

/// How a question is being answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asking {
    /// Keys go to the question.
    pub(crate) focused: bool,
    /// Which of the questions is shown.
    pub(crate) index: usize,
    /// The first line of its text that is seen.
    pub(crate) scroll: usize,
    /// The question that is shown, and since when.
    shown: Option<(CallId, u64)>,
    /// The call whose answer is on its way.
    pub(crate) answered: Option<CallId>,
}

impl Asking {
    pub(super) fn leave(&mut self) {
        self.focused = false;
        self.scroll = 0;
    }
}

impl App {
    /// Notices that another question is shown. It has the keys at once if nothing else has them.
    pub(super) fn look_at_questions(&mut self) {
        let call = self.question().map(|question| question.call_id.clone());
        let known = self.asking.shown.as_ref().map(|(known, _)| known);
        if call.as_ref() == known {
            return;
        }
        self.asking.scroll = 0;
        match call {
            Some(call) => {
                self.asking.shown = Some((call, self.now));
                self.asking.focused |= self.editor.is_empty() && self.overlay.is_none();
            }
            None => {
                self.asking.shown = None;
                self.asking.leave();
                self.asking.index = 0;
            }
        }
        // What was being typed was about a question that is over.
        if matches!(&self.overlay, Some(Overlay::Line(line)) if !matches!(line.asks, Asks::Words)) {
            let over = match &self.overlay {
                Some(Overlay::Line(line)) => self.is_over(&line.asks),
                _ => false,
            };
            if over {
                self.overlay = None;
                self.tell("the question is over, so nothing was answered");
            }
        }
    }

    fn is_over(&self, asks: &Asks) -> bool {
        match asks {
            Asks::Words => false,
            Asks::Reason(call)
            | Asks::Pattern(call)
            | Asks::Days(call, _)
            | Asks::Arguments(call, _) => self.asked_about(call).is_none(),
        }
    }

    fn asked_about(&self, call: &CallId) -> Option<&Question> {
        self.conversation()?.questions.iter().find(|question| question.call_id == *call)
    }

    /// Goes to the question that waits, here or in another session, or back to the editor.
    pub(super) fn toggle_question(&mut self) {
        if self.question().is_some() {
            self.asking.focused = !self.asking.focused;
            return;
        }
        match self.asked_elsewhere().into_iter().next() {
            Some(session) => {
                self.open_session(session);
                self.asking.focused = true;
            }
            None => self.tell("nothing is asked"),
        }
    }

    /// Other sessions in which a question waits.
    pub(crate) fn asked_elsewhere(&self) -> Vec<SessionId> {
        let asks = |info: &&SessionInfo| match self.open.get(&info.session) {
            Some(conversation) => !conversation.questions.is_empty(),
            None => info.activity == Activity::Asking,
        };
        let others =
            self.sessions.iter().filter(|info| Some(&info.session) != self.current.as_ref());
        others.filter(asks).map(|info| info.session.clone()).collect()
    }

    pub(super) fn at_question(&mut self, action: Action) {
        let (lines, seen) = self.layout.question_lines;
        let last = lines.saturating_sub(seen);
        match action {
            Action::Close => self.asking.leave(),
            Action::Up | Action::LineUp => {
                self.asking.scroll = self.asking.scroll.min(last).saturating_sub(1);
            }
            Action::Down | Action::LineDown => {
                self.asking.scroll = (self.asking.scroll + 1).min(last);
            }
            Action::PageUp => {
                self.asking.scroll = self.asking.scroll.min(last).saturating_sub(seen.max(1));
            }
            Action::PageDown => {
                self.asking.scroll = (self.asking.scroll + seen.max(1)).min(last);
            }
            Action::Top => self.asking.scroll = 0,
            Action::Bottom => self.asking.scroll = last,
            Action::Next => {
                let count = self.conversation().map_or(0, |one| one.questions.len());
                self.asking.index = (self.asking.index + 1).checked_rem(count).unwrap_or(0);
            }
            Action::Yes
            | Action::ForSession
            | Action::Always
            | Action::Edit
            | Action::No
            | Action::Reason => self.decide(action),
            _ => {}
        }
    }

    fn decide(&mut self, action: Action) {
        let seen = self
            .asking
            .shown
            .as_ref()
            .is_some_and(|(_, since)| self.now.saturating_sub(*since) >= SEEN_AFTER_MS);
        let Some(question) = self.question().cloned() else { return };
        if self.layout.question.is_none() {
            self.complain("the question does not fit on the screen; make it larger to answer");
            return;
        }
        if !seen {
            return;
        }
        let call = question.call_id.clone();
        match action {
            Action::Yes => self.answer(&call, ApprovalAnswer::Once),
            Action::No => self.answer(&call, ApprovalAnswer::Deny { reason: None }),
            Action::ForSession | Action::Always if !question.can_be_answered_for_longer() => {
                self.complain("such a call is approved each time: `y` once, `n` not");
            }
            Action::ForSession => self.answer(&call, ApprovalAnswer::Session { calls: None }),
            Action::Always => {
                let scope = exact(&question.scope);
                self.line("which calls, from now on", &scope, Asks::Pattern(call));
            }
            Action::Edit => {
                // Escapes of JSON stand for what cannot be seen, so this is the same value.
                let before = exact(&question.call.arguments);
                let asks = Asks::Arguments(call, before.clone());
                self.line("arguments", &before, asks);
            }
            Action::Reason => self.line("why not", "", Asks::Reason(call)),
            _ => {}
        }
    }

    pub(super) fn line(&mut self, title: &str, prefilled: &str, asks: Asks) {
        self.overlay = Some(Overlay::Line(Box::new(Line::new(title, prefilled, asks))));
    }

    /// A line was typed; what is wrong with it, if anything.
    pub(super) fn typed(&mut self, asks: Asks, text: &str) -> Result<(), String> {
        match asks {
            Asks::Words => {
                if text.is_empty() {
                    return Err("write a word to look for".to_owned());
                }
                self.search(text);
            }
            Asks::Reason(call) => {
                if text.chars().count() < SHORTEST_REASON {
                    return Err("write the reason in a few words".to_owned());
                }
                let reason = Some(text.to_owned());
                self.answer(&call, ApprovalAnswer::Deny { reason });
            }
            Asks::Pattern(call) => {
                text.parse::<CallPattern>().map_err(|error| error.to_string())?;
                let asks = Asks::Days(call, text.to_owned());
                self.line("for how many days (empty: until it is revoked)", "", asks);
                return Ok(());
            }
            Asks::Days(call, pattern) => {
                let days = match text.parse::<u32>() {
                    _ if text.is_empty() => None,
                    Ok(days) if days > 0 => Some(days),
                    Ok(_) | Err(_) => {
                        return Err("that is no number of days, such as `30`".to_owned());
                    }
                };
                self.answer(&call, ApprovalAnswer::Always { calls: Some(pattern), days });
            }
            Asks::Arguments(call, before) => {
                if text.is_empty() || text == before {
                    return Err("nothing was changed".to_owned());
                }
                serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)
                    .map_err(|error| format!("that is no JSON object: {error}"))?;
                let arguments = text.to_owned();
                self.answer(&call, ApprovalAnswer::Edit { arguments });
            }
        }
        Ok(())
    }

    /// Sends an answer to the question that stands in the session that is looked at.
    pub(super) fn answer(&mut self, call: &CallId, answer: ApprovalAnswer) {
        let Some(session) = self.current.clone() else { return };
        if self.asked_about(call).is_none() {
            self.complain("the question is over, so nothing was answered");
            return;
        }
        if self.asking.answered.as_ref() == Some(call) {
            return;
        }
        let request = Request::Answer { session, call_id: call.clone(), answer };
        if self.ask(request, Waiting::Answered(call.clone())).is_some() {
            self.asking.answered = Some(call.clone());
        }
    }
}
