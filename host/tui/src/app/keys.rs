//! What keys, the mouse and pasted text do, depending on what lies above and who has the keys.

use super::messages::Waiting;
use super::overlay::{Asks, Value};
use super::{App, Command, DeskRequest, Overlay, Scroll};
use crate::app::commands::EFFORTS;
use crate::app::overlay::{Picker, Row};
use crate::keymap::{Action, Place, action};
use crate::slash;
use crate::theme::THEMES;
use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use hydroid_core::policy::Mode;
use hydroid_core::protocol::Request;
use ratatui::layout::{Position, Rect};

/// Milliseconds in which Ctrl-C is pressed again to leave.
const LEAVE_WITHIN_MS: u64 = 2_000;

const LEAVE: &str = "Ctrl-C again leaves; what runs goes on";

/// Lines that the wheel of a mouse moves.
const WHEEL: usize = 3;

/// Bytes of a pasted text that may be the name of a file.
const LONGEST_PATH: usize = 1_024;

impl App {
    pub(super) fn key(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        if action(Place::Everywhere, &key) != Some(Action::Interrupt) {
            self.leave_armed = None;
            self.told.retain(|told| told.text != LEAVE);
        }
        match self.place() {
            Place::Panel => self.key_in_panel(&key),
            Place::List => self.key_in_list(key),
            Place::Line => self.key_in_line(key),
            Place::Question => match action(Place::Question, &key) {
                Some(pressed) if !self.everywhere(pressed) => self.at_question(pressed),
                Some(_) | None => {}
            },
            Place::Editor | Place::Everywhere => self.key_in_editor(key),
        }
    }

    /// Who has the keys.
    fn place(&self) -> Place {
        match &self.overlay {
            Some(Overlay::Panel(_)) => Place::Panel,
            Some(Overlay::Picker(_)) => Place::List,
            Some(Overlay::Line(_) | Overlay::Sure(_)) => Place::Line,
            None if self.asking.focused && self.question().is_some() => Place::Question,
            None => Place::Editor,
        }
    }

    /// What works wherever nothing nearer is meant; false if it was none of that.
    fn everywhere(&mut self, pressed: Action) -> bool {
        match pressed {
            Action::Interrupt => self.interrupt(),
            Action::Question => self.toggle_question(),
            Action::Sessions => self.choose_session(false),
            Action::New => self.begin_session(""),
            Action::Earlier => self.step_sessions(false),
            Action::Later => self.step_sessions(true),
            Action::SideBar => {
                let shown = self.layout.side_bar.is_some();
                // Where there is no room for it, the list stands for it.
                if self.layout.roomy {
                    self.side_bar = Some(!shown);
                } else {
                    self.choose_session(false);
                }
            }
            Action::Search => self.line("words to look for in all sessions", "", Asks::Words),
            Action::Fold => {
                self.unfolded = !self.unfolded;
                self.toggled.clear();
            }
            Action::Thinking => self.thinking = !self.thinking,
            Action::Help => self.command(slash::Command::Help, ""),
            Action::Mouse => {
                self.mouse = !self.mouse;
                self.commands.push(Command::Mouse(self.mouse));
                self.tell(if self.mouse {
                    "the mouse scrolls and chooses; F2 leaves it to the terminal"
                } else {
                    "the mouse selects text; F2 takes it back"
                });
            }
            Action::Redraw => self.commands.push(Command::Redraw),
            _ => return false,
        }
        true
    }

    fn scrolling(&mut self, pressed: Action) -> bool {
        let page = usize::from(self.layout.chat.height).saturating_sub(1).max(1);
        match pressed {
            Action::PageUp => self.scroll_by(page, false),
            Action::PageDown => self.scroll_by(page, true),
            Action::LineUp => self.scroll_by(1, false),
            Action::LineDown => self.scroll_by(1, true),
            Action::Top => self.scroll = Scroll::At(0),
            Action::Bottom => self.scroll = Scroll::Follow,
            _ => return false,
        }
        true
    }

    fn scroll_by(&mut self, lines: usize, down: bool) {
        let last = self.layout.lines.saturating_sub(usize::from(self.layout.chat.height));
        let top = match self.scroll {
            Scroll::Follow => last,
            Scroll::At(top) => top.min(last),
        };
        let top = if down { top + lines } else { top.saturating_sub(lines) };
        self.scroll = if top >= last { Scroll::Follow } else { Scroll::At(top) };
    }

    fn key_in_editor(&mut self, key: KeyEvent) {
        match action(Place::Editor, &key) {
            None => {
                self.editor.key(key);
                self.completion = 0;
            }
            Some(pressed) => {
                if !self.everywhere(pressed) && !self.scrolling(pressed) {
                    self.in_editor(pressed);
                }
            }
        }
    }

    fn in_editor(&mut self, pressed: Action) {
        let completing = self.completions().len();
        match pressed {
            Action::Send => self.send(),
            Action::NewLine => self.editor.new_line(),
            Action::Steer => {
                if self.conversation().is_some_and(super::Conversation::is_busy) {
                    let written = self.editor.take();
                    if !written.attached.is_empty() {
                        self.complain(
                            "what is said into a turn has no attachments; Enter says it after",
                        );
                        self.editor.put_back(written);
                    } else {
                        self.steer(written.text);
                    }
                } else {
                    self.complain("no turn runs here; Enter says it");
                }
            }
            Action::Up if completing > 1 => {
                self.completion = self.completion.checked_sub(1).unwrap_or(completing - 1);
            }
            Action::Down if completing > 1 => self.completion = (self.completion + 1) % completing,
            Action::Up => self.editor.up(),
            Action::Down => self.editor.down(),
            Action::Complete => self.complete(),
            Action::Mode => {
                let next = match self.settings().mode.unwrap_or_default() {
                    Mode::Default => Mode::AcceptEdits,
                    Mode::AcceptEdits => Mode::Plan,
                    Mode::Plan | Mode::Headless => Mode::Default,
                };
                self.set_mode(next);
            }
            Action::External => {
                let text = self.editor.text();
                self.ask_machine(DeskRequest::Edit(text));
            }
            Action::Recall => {
                let rows = self.editor.remembered().into_iter().map(|text| Row {
                    text: text.clone(),
                    more: String::new(),
                    value: Value::Said(text),
                });
                self.overlay =
                    Some(Overlay::Picker(Picker::new("What you said before", rows.collect())));
            }
            Action::Detach => match self.editor.attached.pop() {
                Some(file) => self.tell(format!("`{}` is not attached any more", file.name)),
                None => self.tell("nothing is attached"),
            },
            Action::Leave => {
                if self.editor.is_empty() {
                    self.commands.push(Command::Quit);
                } else {
                    let key = KeyEvent::new(KeyCode::Delete, KeyModifiers::NONE);
                    self.editor.key(key);
                }
            }
            _ => {}
        }
    }

    fn send(&mut self) {
        let text = self.editor.text();
        match slash::read(&text) {
            slash::Line::Said => {
                let written = self.editor.take();
                self.say(written);
            }
            slash::Line::Command(command, rest) => {
                let rest = rest.to_owned();
                let written = self.editor.take();
                // Files wait for words that are said.
                self.editor.attached = written.attached;
                self.command(command, &rest);
            }
            slash::Line::Unknown(name) => {
                let chosen = self.completions().get(self.completion).cloned();
                match chosen {
                    // A name that was begun: Enter takes the one that is chosen.
                    Some(whole) => self.editor.set(&whole),
                    None => self.complain(format!(
                        "there is no command `/{name}`; `/help` lists them, and a space before it says it to the model"
                    )),
                }
            }
        }
    }

    /// What the line that is written could become.
    pub(crate) fn completions(&self) -> Vec<String> {
        let text = self.editor.shown();
        if text.contains('\n') {
            return Vec::new();
        }
        let names = slash::beginning(&text);
        if !names.is_empty() {
            return names
                .iter()
                .map(|slash| {
                    let space = if slash.arguments.is_empty() { "" } else { " " };
                    format!("/{}{space}", slash.name)
                })
                .filter(|whole| whole.trim_end() != text)
                .collect();
        }
        let Some((name, begun)) = text.split_once(' ') else { return Vec::new() };
        let arguments: Vec<String> = match name {
            "/theme" => THEMES.iter().map(|theme| theme.name().to_owned()).collect(),
            "/effort" => EFFORTS.iter().map(|&effort| effort.to_owned()).collect(),
            "/model" => {
                let models = self.models.iter().map(|offer| offer.model.clone());
                models.chain(["default".to_owned()]).collect()
            }
            "/switch" => self.sessions.iter().map(|info| info.session.to_string()).collect(),
            "/export" => ["markdown", "jsonl", "replay"].map(str::to_owned).to_vec(),
            "/approve" => ["once", "session", "always", "deny"].map(str::to_owned).to_vec(),
            "/policy" => {
                ["mode default", "mode accept-edits", "mode plan", "mode headless", "revoke "]
                    .map(str::to_owned)
                    .to_vec()
            }
            "/cost" => vec!["all".to_owned()],
            "/sessions" => vec!["archived".to_owned()],
            _ => Vec::new(),
        };
        arguments
            .into_iter()
            .filter(|argument| argument.starts_with(begun) && argument != begun)
            .map(|argument| format!("{name} {argument}"))
            .collect()
    }

    fn complete(&mut self) {
        let completions = self.completions();
        if let Some(whole) =
            completions.get(self.completion.min(completions.len().saturating_sub(1)))
        {
            self.editor.set(whole);
            self.completion = 0;
        }
    }

    /// Cancel what runs; else drop what is written; else, twice, leave.
    fn interrupt(&mut self) {
        if self.overlay.take().is_some() {
            return;
        }
        if self.conversation().is_some_and(super::Conversation::is_busy) {
            self.cancel();
            return;
        }
        if !self.editor.is_empty() {
            let _dropped = self.editor.take();
            return;
        }
        match self.leave_armed.filter(|until| self.now <= *until) {
            Some(_) => self.commands.push(Command::Quit),
            None => {
                self.leave_armed = Some(self.now + LEAVE_WITHIN_MS);
                self.tell(LEAVE);
            }
        }
    }

    fn key_in_panel(&mut self, key: &KeyEvent) {
        let Some(pressed) = action(Place::Panel, key) else { return };
        let (lines, seen) = self.layout.overlay_lines;
        let last = lines.saturating_sub(seen);
        let Some(Overlay::Panel(panel)) = &mut self.overlay else { return };
        let at = panel.scroll.min(last);
        match pressed {
            Action::Up | Action::LineUp => panel.scroll = at.saturating_sub(1),
            Action::Down | Action::LineDown => panel.scroll = (at + 1).min(last),
            Action::PageUp => panel.scroll = at.saturating_sub(seen.max(1)),
            Action::PageDown => panel.scroll = (at + seen.max(1)).min(last),
            Action::Top => panel.scroll = 0,
            Action::Bottom => panel.scroll = last,
            Action::Close | Action::Interrupt | Action::Help => self.overlay = None,
            Action::Redraw => self.commands.push(Command::Redraw),
            _ => {}
        }
    }

    fn key_in_list(&mut self, key: KeyEvent) {
        let page = isize::try_from(self.layout.overlay_lines.1.max(1)).unwrap_or(1);
        let Some(Overlay::Picker(picker)) = &mut self.overlay else { return };
        match action(Place::List, &key) {
            Some(Action::Up | Action::LineUp) => picker.step(-1),
            Some(Action::Down | Action::LineDown) => picker.step(1),
            Some(Action::PageUp) => picker.step(-page),
            Some(Action::PageDown) => picker.step(page),
            Some(Action::Choose) => self.choose(),
            Some(Action::Archive) => self.archive_chosen(),
            Some(Action::Close | Action::Interrupt) => self.overlay = None,
            Some(Action::Redraw) => self.commands.push(Command::Redraw),
            Some(_) => {}
            None => match key.code {
                KeyCode::Char(letter) => {
                    picker.filter.push(letter);
                    picker.chosen = 0;
                }
                KeyCode::Backspace => {
                    picker.filter.pop();
                    picker.chosen = 0;
                }
                _ => {}
            },
        }
    }

    fn choose(&mut self) {
        let Some(Overlay::Picker(picker)) = self.overlay.take() else { return };
        match picker.value() {
            None => {}
            Some(Value::Session(session, _)) => self.open_session(session),
            Some(Value::Place(session, turn)) => {
                self.jump = turn;
                self.open_session(session);
            }
            Some(Value::Model(provider, model)) => self.choose_model(Some(provider), model),
            Some(Value::Said(text)) => self.editor.set(&text),
            Some(Value::Theme(name)) => self.set_theme(name),
            Some(Value::Skill(name, loaded)) => self.change_skill(name, !loaded),
        }
    }

    fn archive_chosen(&mut self) {
        let Some(Overlay::Picker(picker)) = &mut self.overlay else { return };
        if let Some(Value::Session(session, away)) = picker.value() {
            picker.rows.retain(|row| row.value != Value::Session(session.clone(), away));
            picker.step(0);
            let request = Request::Archive { session, archived: !away };
            self.ask(request, Waiting::Changed);
        }
    }

    fn key_in_line(&mut self, key: KeyEvent) {
        match &mut self.overlay {
            Some(Overlay::Sure(sure)) => match key.code {
                KeyCode::Char('y' | 'Y')
                    if key.modifiers.difference(KeyModifiers::SHIFT).is_empty() =>
                {
                    let then = sure.then.clone();
                    self.overlay = None;
                    self.confirmed(then);
                }
                _ => self.overlay = None,
            },
            Some(Overlay::Line(line)) => match action(Place::Line, &key) {
                Some(Action::Choose) => {
                    let (asks, text) = (line.asks.clone(), line.text());
                    let before = self.overlay.take();
                    if let Err(problem) = self.typed(asks, &text)
                        && let Some(Overlay::Line(mut line)) = before
                    {
                        line.problem = Some(problem);
                        self.overlay = Some(Overlay::Line(line));
                    }
                }
                Some(Action::Close | Action::Interrupt) => self.overlay = None,
                Some(Action::Redraw) => self.commands.push(Command::Redraw),
                Some(_) => {}
                None => {
                    // These would begin another line.
                    let breaks = key.code == KeyCode::Enter
                        || key.modifiers == KeyModifiers::CONTROL
                            && matches!(key.code, KeyCode::Char('m' | 'j'));
                    if !breaks && crate::editor::can_be_seen(&key) {
                        line.area.input(key);
                    }
                }
            },
            Some(Overlay::Panel(_) | Overlay::Picker(_)) | None => {}
        }
    }

    pub(super) fn paste(&mut self, text: String) {
        match &mut self.overlay {
            Some(Overlay::Line(line)) => {
                line.area.insert_str(crate::editor::pasted(&text).replace('\n', " "));
            }
            Some(Overlay::Picker(picker)) => {
                picker.filter.push_str(&crate::editor::pasted(&text).replace('\n', " "));
                picker.chosen = 0;
            }
            // What was pasted is no answer.
            Some(Overlay::Panel(_) | Overlay::Sure(_)) => {}
            None => {
                self.asking.focused = false;
                match path_of_a_file(&text) {
                    // A file that was dropped onto the terminal.
                    Some(path) => {
                        self.ask_machine(DeskRequest::Attach { path, pasted: Some(text) });
                    }
                    None => self.editor.paste(&text),
                }
            }
        }
    }

    pub(super) fn mouse(&mut self, event: MouseEvent) {
        let at = Position::new(event.column, event.row);
        let within = |area: Option<Rect>| area.is_some_and(|area| area.contains(at));
        match event.kind {
            MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
                let down = event.kind == MouseEventKind::ScrollDown;
                self.wheel(within(self.layout.question), down);
            }
            MouseEventKind::Down(MouseButton::Left) => self.click(at),
            _ => {}
        }
    }

    fn wheel(&mut self, at_question: bool, down: bool) {
        let step = |at: usize, (lines, seen): (usize, usize)| {
            let last = lines.saturating_sub(seen);
            if down { (at + WHEEL).min(last) } else { at.min(last).saturating_sub(WHEEL) }
        };
        match &mut self.overlay {
            Some(Overlay::Panel(panel)) => {
                panel.scroll = step(panel.scroll, self.layout.overlay_lines);
            }
            Some(Overlay::Picker(picker)) => picker.step(if down { 1 } else { -1 }),
            Some(Overlay::Line(_) | Overlay::Sure(_)) => {}
            None if at_question => {
                self.asking.scroll = step(self.asking.scroll, self.layout.question_lines);
            }
            None => self.scroll_by(WHEEL, down),
        }
    }

    fn click(&mut self, at: Position) {
        if let Some(overlay) = &mut self.overlay {
            let area = self.layout.overlay.unwrap_or_default();
            match overlay {
                Overlay::Picker(picker) if area.contains(at) => {
                    picker.chosen = self.layout.list_top + usize::from(at.y - area.y);
                    if picker.value().is_some() {
                        self.choose();
                    }
                }
                Overlay::Panel(_) if !area.contains(at) => self.overlay = None,
                Overlay::Picker(_) | Overlay::Panel(_) | Overlay::Line(_) | Overlay::Sure(_) => {}
            }
            return;
        }
        if self.layout.side_bar.is_some_and(|area| area.contains(at)) {
            let row = self.layout.sessions.iter().find(|(row, _)| *row == at.y);
            if let Some((_, session)) = row.cloned() {
                self.open_session(session);
            }
        } else if self.layout.question.is_some_and(|area| area.contains(at)) {
            self.asking.focused = true;
        } else if self.layout.chat.contains(at) {
            let call = self.layout.calls.iter().find(|(row, _)| *row == at.y);
            if let Some((_, call)) = call.cloned()
                && !self.toggled.remove(&call)
            {
                self.toggled.insert(call);
            }
        } else {
            self.asking.focused = false;
        }
    }
}

/// The path that a terminal pastes for a file that is dropped on it: alone, absolute, perhaps
/// quoted or as a URL.
fn path_of_a_file(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > LONGEST_PATH || text.contains('\n') {
        return None;
    }
    let bare = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(text);
    let path = bare.strip_prefix("file://").unwrap_or(bare);
    (path.starts_with('/') && path.len() > 1).then(|| path.replace("\\ ", " "))
}
