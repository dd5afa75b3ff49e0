//! What the commands do that begin with `/`.

use super::messages::{MOST_SESSIONS, Waiting};
use super::overlay::{Asks, Panel, Picker, Row, Sure, Then, Value};
use super::{App, Command as Do, DeskRequest, Overlay};
use crate::slash::Command;
use crate::theme::{THEMES, Theme};
use hydroid_core::id::SessionId;
use hydroid_core::policy::{CallPattern, Mode};
use hydroid_core::protocol::{ApprovalAnswer, ExportFormat, Request, SessionSettings};

/// Levels of effort that services have; others are taken too.
pub(crate) const EFFORTS: [&str; 6] = ["default", "minimal", "low", "medium", "high", "max"];

impl App {
    pub(super) fn command(&mut self, command: Command, rest: &str) {
        match command {
            Command::Approve => self.approve(rest),
            Command::Archive => {
                self.in_session(|session| Request::Archive { session, archived: true }, Waiting::Changed);
            }
            Command::Attach => {
                if rest.is_empty() {
                    self.complain("write `/attach FILE`");
                } else {
                    self.ask_machine(DeskRequest::Attach { path: rest.to_owned(), pasted: None });
                }
            }
            Command::Btw => self.aside(rest),
            Command::Cancel => self.cancel(),
            Command::CancelAll => {
                self.ask(Request::CancelAll, Waiting::Done("everything of yours was cancelled"));
            }
            Command::Clear => self.sure(
                "Forget the whole conversation? The journal keeps it, and nothing that was done is undone.",
                Then::Clear,
            ),
            Command::Compact => {
                self.in_session(|session| Request::Compact { session }, Waiting::Compacted);
            }
            Command::Components => {
                self.ask(Request::Components, Waiting::Components);
            }
            Command::Cost => {
                let session = if rest == "all" { None } else { self.current.clone() };
                self.ask(Request::Cost { session }, Waiting::Cost);
            }
            Command::Delete => self.sure(
                "Remove this session for good? `/archive` only puts it away.",
                Then::Delete,
            ),
            Command::Effort => self.effort(rest),
            Command::Export => self.export(rest),
            Command::Fork => {
                let title = Some(rest.to_owned()).filter(|title| !title.is_empty());
                let key = Some(self.new_key());
                let fork = |session| Request::Fork { session, before: None, title, key };
                self.in_session(fork, Waiting::Copied);
            }
            Command::Help => self.overlay = Some(Overlay::Panel(Panel::help())),
            Command::Memory => match rest.strip_prefix("forget ") {
                Some(note) => {
                    let note = note.trim().to_owned();
                    self.ask(Request::ForgetNote { note }, Waiting::Done("the note is forgotten"));
                }
                None => {
                    self.ask(Request::Notes { text: rest.to_owned() }, Waiting::Notes);
                }
            },
            Command::Model => self.model(rest),
            Command::New => self.begin_session(rest),
            Command::Policy => self.policy(rest),
            Command::Quit => self.commands.push(Do::Quit),
            Command::Rename => {
                if rest.is_empty() {
                    self.complain("write `/rename TITLE`");
                } else {
                    let title = rest.to_owned();
                    self.in_session(|session| Request::Rename { session, title }, Waiting::Changed);
                }
            }
            Command::Rewind => self.rewind(rest),
            Command::Search => {
                if rest.is_empty() {
                    self.line("words to look for in all sessions", "", Asks::Words);
                } else {
                    self.search(rest);
                }
            }
            Command::Sessions => self.choose_session(rest == "archived"),
            Command::Skill => self.skill(rest),
            Command::Skills => {
                let session = self.current.clone();
                self.ask(Request::Skills { session }, Waiting::Skills);
            }
            Command::Status => {
                self.ask(Request::Status, Waiting::Status { show: true });
            }
            Command::Steer => self.steer(rest.to_owned()),
            Command::Switch => {
                if rest.is_empty() {
                    self.choose_session(false);
                } else {
                    self.switch_to(rest);
                }
            }
            Command::Theme => self.choose_theme(rest),
            Command::Tools => {
                self.ask(Request::Tools, Waiting::Tools);
            }
        }
    }

    /// Asks something about the session that is looked at.
    fn in_session(&mut self, request: impl FnOnce(SessionId) -> Request, waiting: Waiting) {
        match self.current.clone() {
            Some(session) => {
                self.ask(request(session), waiting);
            }
            None => self.complain("this session has not begun yet; say something first"),
        }
    }

    fn sure(&mut self, text: &str, then: impl FnOnce(SessionId) -> Then) {
        match self.current.clone() {
            Some(session) => {
                self.overlay =
                    Some(Overlay::Sure(Sure { text: text.to_owned(), then: then(session) }));
            }
            None => self.complain("this session has not begun yet"),
        }
    }

    /// It was really meant.
    pub(super) fn confirmed(&mut self, then: Then) {
        match then {
            Then::Clear(session) => {
                let waiting = Waiting::Rewound { again: String::new() };
                self.ask(Request::Rewind { session, before: None }, waiting);
            }
            Then::Delete(session) => {
                self.ask(Request::Delete { session: session.clone() }, Waiting::Deleted(session));
            }
        }
    }

    pub(super) fn cancel(&mut self) {
        self.in_session(|session| Request::Cancel { session }, Waiting::Done(""));
    }

    pub(super) fn steer(&mut self, text: String) {
        if text.trim().is_empty() {
            self.complain("write what is to be said into the running turn");
            return;
        }
        match self.current.clone() {
            Some(session) => {
                let waiting = Waiting::Steered(text.clone());
                let key = Some(self.new_key());
                let request = Request::Steer { session, text: text.clone(), key };
                if self.ask(request, waiting).is_none() {
                    let written = crate::editor::Written { text, attached: Vec::new() };
                    self.editor.put_back(written);
                }
            }
            None => self.complain("no turn runs here"),
        }
    }

    fn aside(&mut self, question: &str) {
        if question.is_empty() {
            self.complain("write `/btw QUESTION`");
            return;
        }
        let Some(session) = self.current.clone() else {
            self.complain("this session has not begun yet; there is nothing to ask beside");
            return;
        };
        let request = Request::Aside { session, text: question.to_owned(), traceparent: None };
        if let Some(id) = self.ask(request, Waiting::Aside(question.to_owned())) {
            self.overlay = Some(Overlay::Panel(Panel::aside(id, question)));
        }
    }

    pub(super) fn search(&mut self, words: &str) {
        let request = Request::Search { text: words.to_owned(), session: None, limit: None };
        self.ask(request, Waiting::Found(words.to_owned()));
    }

    pub(super) fn choose_session(&mut self, archived: bool) {
        let request = Request::Sessions { archived, limit: Some(MOST_SESSIONS) };
        self.ask(request, Waiting::Choose { archived });
    }

    /// Gives the session other settings of its own, now or when it begins.
    pub(super) fn set(&mut self, settings: SessionSettings) {
        match self.current.clone() {
            Some(session) => {
                self.ask(Request::Settings { session, settings }, Waiting::Changed);
            }
            None => self.fresh = settings,
        }
    }

    fn effort(&mut self, rest: &str) {
        if rest.is_empty() {
            let now = self.settings().effort.unwrap_or_else(|| "default".to_owned());
            self.tell(format!("effort: {now}; `/effort {}`", EFFORTS.join("|")));
            return;
        }
        let effort = (rest != "default").then(|| rest.to_owned());
        let own = self.own_settings();
        self.set(SessionSettings { effort, ..own });
    }

    fn model(&mut self, rest: &str) {
        match rest {
            "" => {
                self.ask(Request::Models, Waiting::Models { choose: true });
            }
            "default" => {
                let own = self.own_settings();
                self.set(SessionSettings { provider: None, model: None, ..own });
            }
            name => {
                let offer = self.models.iter().find(|offer| offer.model == name);
                // One that is not listed may exist all the same; the provider stays.
                let provider = offer
                    .map(|offer| offer.provider.clone())
                    .or_else(|| self.own_settings().provider);
                self.choose_model(provider, name.to_owned());
            }
        }
    }

    pub(super) fn choose_model(&mut self, provider: Option<String>, model: String) {
        let own = self.own_settings();
        self.tell(format!("{model} answers from the next turn on"));
        self.set(SessionSettings { provider, model: Some(model), ..own });
    }

    fn policy(&mut self, rest: &str) {
        if let Some(mode) = rest.strip_prefix("mode ") {
            let mode = match mode.trim() {
                "default" => Mode::Default,
                "accept-edits" => Mode::AcceptEdits,
                "plan" => Mode::Plan,
                "headless" => Mode::Headless,
                other => {
                    self.complain(format!(
                        "`{other}` is no mode: default, accept-edits, plan, headless"
                    ));
                    return;
                }
            };
            self.set_mode(mode);
        } else if let Some(approval) = rest.strip_prefix("revoke ") {
            let approval = approval.trim().to_owned();
            self.ask(Request::Revoke { approval }, Waiting::Done("it is asked again from now on"));
        } else if rest.is_empty() {
            self.in_session(|session| Request::Policy { session }, Waiting::Policy);
        } else {
            self.complain("write `/policy`, `/policy mode MODE` or `/policy revoke APPROVAL`");
        }
    }

    pub(super) fn set_mode(&mut self, mode: Mode) {
        let own = self.own_settings();
        self.set(SessionSettings { mode: Some(mode), ..own });
    }

    fn skill(&mut self, rest: &str) {
        match rest.split_whitespace().collect::<Vec<_>>()[..] {
            ["off", name] => self.change_skill(name.to_owned(), false),
            [name] if name != "off" => self.change_skill(name.to_owned(), true),
            _ => self.complain("write `/skill NAME` or `/skill off NAME`"),
        }
    }

    /// Has the session load a skill, or unload it; the conversation then says so. A session that has
    /// not begun begins with it.
    pub(super) fn change_skill(&mut self, skill: String, load: bool) {
        if load && self.current.is_none() {
            let (settings, key) = (self.fresh.clone(), Some(self.new_key()));
            let begin = Request::Create { title: None, settings, key };
            self.ask(begin, Waiting::BegunToLoad(skill));
        } else if load {
            self.in_session(|session| Request::LoadSkill { session, skill }, Waiting::SkillLoaded);
        } else {
            self.in_session(|session| Request::UnloadSkill { session, skill }, Waiting::Done(""));
        }
    }

    fn rewind(&mut self, rest: &str) {
        let count = match rest.parse::<usize>() {
            _ if rest.is_empty() => 1,
            Ok(count) if count > 0 => count,
            Ok(_) | Err(_) => {
                self.complain("write how many turns are to be forgotten: `/rewind 2`");
                return;
            }
        };
        let turns = self.conversation().map(|conversation| conversation.turns.clone());
        let first =
            turns.as_ref().and_then(|turns| turns.get(turns.len().saturating_sub(count))).cloned();
        match first {
            Some((turn, again)) => self.in_session(
                |session| Request::Rewind { session, before: Some(turn) },
                Waiting::Rewound { again },
            ),
            None => self.complain("there is nothing to forget"),
        }
    }

    fn export(&mut self, rest: &str) {
        let (first, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let (format, path) = match first {
            "markdown" => (ExportFormat::Markdown, more.trim()),
            "jsonl" => (ExportFormat::Jsonl, more.trim()),
            "replay" => (ExportFormat::Replay, more.trim()),
            _ => (ExportFormat::Markdown, rest),
        };
        let ending = match format {
            ExportFormat::Markdown => "md",
            ExportFormat::Jsonl => "jsonl",
            ExportFormat::Replay => "replay.json",
        };
        let path = match (path, &self.current) {
            ("", Some(session)) => format!("hydroid-{session}.{ending}"),
            (path, _) => path.to_owned(),
        };
        self.in_session(|session| Request::Export { session, format }, Waiting::Exported(path));
    }

    fn choose_theme(&mut self, rest: &str) {
        if rest.is_empty() {
            let rows = THEMES.iter().map(|theme| Row {
                text: theme.name().to_owned(),
                more: String::new(),
                value: Value::Theme(theme.name()),
            });
            self.overlay = Some(Overlay::Picker(Picker::new("Themes", rows.collect())));
        } else {
            self.set_theme(rest);
        }
    }

    pub(super) fn set_theme(&mut self, name: &str) {
        match Theme::named(name) {
            Some(_) if self.colorless => self.tell("`NO_COLOR` is set, so nothing is coloured"),
            Some(theme) => self.theme = theme,
            None => {
                let names: Vec<&str> = THEMES.iter().map(|theme| theme.name()).collect();
                self.complain(format!("there is no theme `{name}`: {}", names.join(", ")));
            }
        }
    }

    fn approve(&mut self, rest: &str) {
        if rest.is_empty() {
            if !self.asking.focused {
                self.toggle_question();
            }
            return;
        }
        let Some(question) = self.question().cloned() else {
            self.complain("nothing is asked");
            return;
        };
        let (how, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let more = Some(more.trim().to_owned()).filter(|more| !more.is_empty());
        let answer = match how {
            "once" => ApprovalAnswer::Once,
            "deny" => ApprovalAnswer::Deny { reason: more },
            "session" | "always" if !question.can_be_answered_for_longer() => {
                self.complain("such a call is approved each time: `/approve once`");
                return;
            }
            "session" => ApprovalAnswer::Session { calls: None },
            "always" => {
                if let Some(Err(error)) = more.as_deref().map(str::parse::<CallPattern>) {
                    self.complain(error.to_string());
                    return;
                }
                ApprovalAnswer::Always { calls: more, days: None }
            }
            _ => {
                self.complain("write `/approve once`, `session`, `always` or `deny`");
                return;
            }
        };
        self.answer(&question.call_id, answer);
    }
}
