//! The text that is being written, with what is attached to it and what was said before. Keys are
//! those of the text area, but for what the key map says.

use crate::desk::Attachment;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::style::Style;
use ratatui_textarea::{CursorMove, TextArea, WrapMode};

/// Characters of a pasted text that stand in the editor as they are; a longer one is named there
/// and said whole.
const LONGEST_PASTE: usize = 2_000;

/// Lines of one, likewise.
const MOST_LINES: usize = 20;

/// Things said before that are kept in mind.
const MOST_REMEMBERED: usize = 1_000;

/// What is being written.
#[derive(Debug)]
pub(crate) struct Editor {
    area: TextArea<'static>,
    /// Texts that were pasted and only named, in order.
    pastes: Vec<String>,
    /// Files that go with it.
    pub(crate) attached: Vec<Attachment>,
    history: Vec<String>,
    /// Which of the history is shown, and what was being written instead.
    recalled: Option<(usize, String)>,
}

/// What was written, to be said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// The text, pasted ones in their places.
    pub(crate) text: String,
    /// Files.
    pub(crate) attached: Vec<Attachment>,
}

impl Editor {
    pub(crate) fn new(history: Vec<String>) -> Self {
        Self {
            area: area(Vec::new()),
            pastes: Vec::new(),
            attached: Vec::new(),
            history,
            recalled: None,
        }
    }

    /// The text as it stands there.
    pub(crate) fn shown(&self) -> String {
        self.area.lines().join("\n")
    }

    /// The text as it would be said.
    pub(crate) fn text(&self) -> String {
        let mut text = self.shown();
        for (index, paste) in self.pastes.iter().enumerate() {
            text = text.replacen(&name_of(index, paste), paste, 1);
        }
        text
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.area.is_empty() && self.attached.is_empty()
    }

    /// What draws it.
    pub(crate) fn area(&self) -> &TextArea<'static> {
        &self.area
    }

    /// A key that has no meaning of its own.
    pub(crate) fn key(&mut self, key: KeyEvent) {
        if !can_be_seen(&key) {
            return;
        }
        self.recalled = None;
        self.area.input(key);
    }

    pub(crate) fn new_line(&mut self) {
        self.area.insert_newline();
    }

    /// A pasted text. What cannot be seen is left out: what is said is what stands there.
    pub(crate) fn paste(&mut self, text: &str) {
        let text = pasted(text);
        if text.chars().count() <= LONGEST_PASTE && text.lines().count() <= MOST_LINES {
            self.area.insert_str(text);
        } else {
            let name = name_of(self.pastes.len(), &text);
            self.pastes.push(text);
            self.area.insert_str(name);
        }
    }

    /// Puts a text in the place of what is written.
    pub(crate) fn set(&mut self, text: &str) {
        self.pastes.clear();
        self.area = area(text.split('\n').map(str::to_owned).collect());
        self.area.move_cursor(CursorMove::Bottom);
        self.area.move_cursor(CursorMove::End);
    }

    /// What is written, which is then gone from here.
    pub(crate) fn take(&mut self) -> Written {
        let written = Written { text: self.text(), attached: std::mem::take(&mut self.attached) };
        self.set("");
        self.recalled = None;
        written
    }

    /// Puts back what could not be said, in front of what was written since.
    pub(crate) fn put_back(&mut self, written: Written) {
        let since = self.text();
        let text = match since.as_str() {
            "" => written.text,
            since => format!("{}\n{since}", written.text),
        };
        self.set(&text);
        let since = std::mem::replace(&mut self.attached, written.attached);
        self.attached.extend(since);
    }

    /// Keeps in mind what was said; true if it is worth keeping.
    pub(crate) fn remember(&mut self, text: &str) -> bool {
        if text.trim().is_empty() || self.history.last().is_some_and(|last| last == text) {
            return false;
        }
        self.history.push(text.to_owned());
        if self.history.len() > MOST_REMEMBERED {
            self.history.remove(0);
        }
        true
    }

    /// What was said before, the latest first, each once.
    pub(crate) fn remembered(&self) -> Vec<String> {
        let mut seen = std::collections::BTreeSet::new();
        self.history.iter().rev().filter(|text| seen.insert(text.as_str())).cloned().collect()
    }

    /// A line up, or what was said before.
    pub(crate) fn up(&mut self) {
        if self.area.screen_cursor().row > 0 {
            self.area.move_cursor(CursorMove::Up);
            return;
        }
        let (index, draft) = match self.recalled.take() {
            Some((index, draft)) => (index.checked_sub(1), draft),
            None => (self.history.len().checked_sub(1), self.text()),
        };
        match index.and_then(|index| self.history.get(index).cloned().map(|text| (index, text))) {
            Some((index, text)) => {
                self.set(&text);
                self.recalled = Some((index, draft));
            }
            None if !self.history.is_empty() => self.recalled = Some((0, draft)),
            None => {}
        }
    }

    /// A line down, or what was said after.
    pub(crate) fn down(&mut self) {
        let before = self.area.screen_cursor();
        self.area.move_cursor(CursorMove::Down);
        if self.area.screen_cursor() != before {
            return;
        }
        if let Some((index, draft)) = self.recalled.take() {
            match self.history.get(index + 1).cloned() {
                Some(text) => {
                    self.set(&text);
                    self.recalled = Some((index + 1, draft));
                }
                None => self.set(&draft),
            }
        }
    }

    /// Rows it takes at a width.
    pub(crate) fn rows(&self, width: u16) -> usize {
        let width = usize::from(width.max(1));
        // The cursor behind the last letter may stand on a row of its own.
        self.area.lines().iter().map(|line| crate::text::cells(line) / width + 1).sum()
    }
}

/// False for a letter that nobody would see in the text.
pub(crate) fn can_be_seen(key: &KeyEvent) -> bool {
    match key.code {
        KeyCode::Char(letter) => !pasted(letter.encode_utf8(&mut [0; 4])).is_empty(),
        _ => true,
    }
}

fn area(lines: Vec<String>) -> TextArea<'static> {
    let mut area = TextArea::new(lines);
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.set_cursor_line_style(Style::new());
    area
}

/// What stands for a pasted text.
fn name_of(index: usize, text: &str) -> String {
    let characters = text.chars().count();
    format!("[pasted text {}: {} lines, {characters} characters]", index + 1, text.lines().count())
}

/// What is left of a pasted text: line ends of every kind are ours, controls and what reorders or
/// hides letters are gone.
pub(crate) fn pasted(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text: String = text
        .chars()
        .filter(|letter| matches!(letter, '\n' | '\t') || !letter.is_control())
        .collect();
    hydroid_core::harmless::seen(&text).replace('\t', "    ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    fn typed(editor: &mut Editor, text: &str) {
        for letter in text.chars() {
            editor.key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE));
        }
    }

    #[test]
    fn what_was_said_comes_back_and_a_draft_is_kept() {
        let mut editor = Editor::new(vec!["one".into(), "two".into()]);
        typed(&mut editor, "draft");
        editor.up();
        assert_eq!(editor.text(), "two");
        editor.up();
        editor.up();
        assert_eq!(editor.text(), "one");
        editor.down();
        assert_eq!(editor.text(), "two");
        editor.down();
        assert_eq!(editor.text(), "draft");
    }

    #[test]
    fn a_long_paste_is_named_and_said_whole() {
        let mut editor = Editor::new(Vec::new());
        typed(&mut editor, "look: ");
        let long = "line\n".repeat(100);
        editor.paste(&long);
        assert_eq!(editor.shown(), "look: [pasted text 1: 100 lines, 500 characters]");
        assert_eq!(editor.take().text, format!("look: {long}"));
        assert!(editor.is_empty());
    }

    #[test]
    fn what_cannot_be_seen_is_not_pasted() {
        let mut editor = Editor::new(Vec::new());
        editor.paste("a\r\nb\x1b[31m\u{202e}c\u{e0041}\u{200b}");
        assert_eq!(editor.text(), "a\nb[31mc");
        typed(&mut editor, "\u{202e}d\u{1b}");
        assert_eq!(editor.text(), "a\nb[31mcd");
        assert_eq!(pasted("👩‍👩‍👧 é"), "👩‍👩‍👧 é");
    }

    #[test]
    fn what_could_not_be_said_stands_before_what_was_written_since() {
        let mut editor = Editor::new(Vec::new());
        typed(&mut editor, "first");
        let written = editor.take();
        typed(&mut editor, "second");
        editor.put_back(written);
        assert_eq!(editor.text(), "first\nsecond");
    }
}
