//! Every key in one table: where it works, what it does, and what the help says of it. Letters
//! that are typed into a text are no keys.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where a key is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Wherever no other meaning is nearer.
    Everywhere,
    /// In the text that is being written.
    Editor,
    /// At a question whether a call may run.
    Question,
    /// In a list to choose from.
    List,
    /// In a text to read.
    Panel,
    /// In one line that is asked for.
    Line,
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Interrupt,
    Leave,
    Help,
    Redraw,
    SideBar,
    New,
    Sessions,
    Search,
    Earlier,
    Later,
    Fold,
    Thinking,
    Question,
    Mouse,
    PageUp,
    PageDown,
    LineUp,
    LineDown,
    Top,
    Bottom,
    Send,
    NewLine,
    Steer,
    External,
    Recall,
    Complete,
    Mode,
    Detach,
    Up,
    Down,
    Choose,
    Archive,
    Close,
    Yes,
    ForSession,
    Always,
    Edit,
    No,
    Reason,
    Next,
}

/// A key with what is held while it is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chord {
    code: KeyCode,
    held: KeyModifiers,
}

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) chords: &'static [Chord],
    pub(crate) action: Action,
    /// What it does, for a person.
    pub(crate) does: &'static str,
}

const fn plain(code: KeyCode) -> Chord {
    Chord { code, held: KeyModifiers::NONE }
}

const fn letter(letter: char) -> Chord {
    plain(KeyCode::Char(letter))
}

const fn control(letter: char) -> Chord {
    Chord { code: KeyCode::Char(letter), held: KeyModifiers::CONTROL }
}

const fn alt(letter: char) -> Chord {
    Chord { code: KeyCode::Char(letter), held: KeyModifiers::ALT }
}

const fn with(held: KeyModifiers, code: KeyCode) -> Chord {
    Chord { code, held }
}

const fn key(place: Place, chords: &'static [Chord], action: Action, does: &'static str) -> Key {
    Key { place, chords, action, does }
}

/// The table.
pub(crate) const KEYS: [Key; 53] = [
    key(
        Place::Editor,
        &[plain(KeyCode::Enter)],
        Action::Send,
        "say it; while a turn runs it waits for its own",
    ),
    key(
        Place::Editor,
        &[
            with(KeyModifiers::ALT, KeyCode::Enter),
            with(KeyModifiers::SHIFT, KeyCode::Enter),
            control('j'),
        ],
        Action::NewLine,
        "begin another line",
    ),
    key(Place::Editor, &[alt('s')], Action::Steer, "say it into the running turn"),
    key(
        Place::Editor,
        &[plain(KeyCode::Up)],
        Action::Up,
        "one line up; in the first line what was said before",
    ),
    key(
        Place::Editor,
        &[plain(KeyCode::Down)],
        Action::Down,
        "one line down; in the last line what was said after",
    ),
    key(Place::Editor, &[control('r')], Action::Recall, "look for something you said before"),
    key(Place::Editor, &[plain(KeyCode::Tab)], Action::Complete, "complete a command"),
    key(
        Place::Editor,
        &[with(KeyModifiers::SHIFT, KeyCode::BackTab), plain(KeyCode::BackTab)],
        Action::Mode,
        "how much may happen without asking: default, accept-edits, plan",
    ),
    key(
        Place::Editor,
        &[control('g')],
        Action::External,
        "write in your own editor (`VISUAL`, `EDITOR`)",
    ),
    key(Place::Editor, &[alt('x')], Action::Detach, "drop the last attachment"),
    key(
        Place::Editor,
        &[control('d')],
        Action::Leave,
        "leave, if nothing is written; what runs goes on",
    ),
    key(
        Place::Everywhere,
        &[control('c')],
        Action::Interrupt,
        "cancel the running turn; otherwise drop what is written; otherwise, twice, leave",
    ),
    key(
        Place::Everywhere,
        &[alt('a')],
        Action::Question,
        "go to the question that waits, and back",
    ),
    key(
        Place::Everywhere,
        &[control('o'), plain(KeyCode::F(3))],
        Action::Sessions,
        "choose a session",
    ),
    key(Place::Everywhere, &[control('n')], Action::New, "begin a session"),
    key(
        Place::Everywhere,
        &[with(KeyModifiers::ALT, KeyCode::Up)],
        Action::Earlier,
        "the session above in the side bar",
    ),
    key(
        Place::Everywhere,
        &[with(KeyModifiers::ALT, KeyCode::Down)],
        Action::Later,
        "the session below in the side bar",
    ),
    key(Place::Everywhere, &[control('b')], Action::SideBar, "show or hide the side bar"),
    key(Place::Everywhere, &[control('f')], Action::Search, "search all sessions"),
    key(Place::Everywhere, &[control('t')], Action::Fold, "fold or unfold what calls gave back"),
    key(Place::Everywhere, &[alt('t')], Action::Thinking, "show or hide what the model thinks"),
    key(Place::Everywhere, &[plain(KeyCode::PageUp)], Action::PageUp, "a page up"),
    key(Place::Everywhere, &[plain(KeyCode::PageDown)], Action::PageDown, "a page down"),
    key(Place::Everywhere, &[with(KeyModifiers::SHIFT, KeyCode::Up)], Action::LineUp, "a line up"),
    key(
        Place::Everywhere,
        &[with(KeyModifiers::SHIFT, KeyCode::Down)],
        Action::LineDown,
        "a line down",
    ),
    key(
        Place::Everywhere,
        &[with(KeyModifiers::CONTROL, KeyCode::Home)],
        Action::Top,
        "to the beginning",
    ),
    key(
        Place::Everywhere,
        &[with(KeyModifiers::CONTROL, KeyCode::End)],
        Action::Bottom,
        "to the end",
    ),
    key(Place::Everywhere, &[plain(KeyCode::F(1))], Action::Help, "this help"),
    key(
        Place::Everywhere,
        &[plain(KeyCode::F(2))],
        Action::Mouse,
        "leave the mouse to the terminal, to select text, and take it back",
    ),
    key(Place::Everywhere, &[control('l')], Action::Redraw, "draw the screen anew"),
    key(Place::Question, &[letter('y')], Action::Yes, "it runs, this time"),
    key(
        Place::Question,
        &[letter('s')],
        Action::ForSession,
        "it runs, and so do calls like it in this session",
    ),
    key(
        Place::Question,
        &[letter('a')],
        Action::Always,
        "it runs, and so do calls of a pattern from now on, which is asked",
    ),
    key(
        Place::Question,
        &[letter('e')],
        Action::Edit,
        "it runs with other arguments, which are asked",
    ),
    key(Place::Question, &[letter('n')], Action::No, "it does not run"),
    key(
        Place::Question,
        &[letter('r')],
        Action::Reason,
        "it does not run, and the model reads why",
    ),
    key(Place::Question, &[plain(KeyCode::Tab)], Action::Next, "the next question"),
    key(Place::Question, &[plain(KeyCode::Up), plain(KeyCode::Char('k'))], Action::Up, "a line up"),
    key(
        Place::Question,
        &[plain(KeyCode::Down), plain(KeyCode::Char('j'))],
        Action::Down,
        "a line down",
    ),
    key(
        Place::Question,
        &[plain(KeyCode::Esc)],
        Action::Close,
        "leave it open and go back to writing",
    ),
    key(Place::List, &[plain(KeyCode::Up)], Action::Up, "the row above"),
    key(Place::List, &[plain(KeyCode::Down)], Action::Down, "the row below"),
    key(Place::List, &[plain(KeyCode::Enter)], Action::Choose, "choose it; letters look for a row"),
    key(
        Place::List,
        &[with(KeyModifiers::ALT, KeyCode::Char('d'))],
        Action::Archive,
        "put a session away, or take it out again",
    ),
    key(Place::List, &[plain(KeyCode::Esc)], Action::Close, "choose nothing"),
    key(Place::Panel, &[plain(KeyCode::Up), letter('k')], Action::Up, "a line up"),
    key(Place::Panel, &[plain(KeyCode::Down), letter('j')], Action::Down, "a line down"),
    key(Place::Panel, &[letter(' ')], Action::PageDown, "a page down"),
    key(Place::Panel, &[plain(KeyCode::Home)], Action::Top, "to the beginning"),
    key(Place::Panel, &[plain(KeyCode::End)], Action::Bottom, "to the end"),
    key(
        Place::Panel,
        &[plain(KeyCode::Esc), letter('q'), plain(KeyCode::Enter)],
        Action::Close,
        "close it",
    ),
    key(Place::Line, &[plain(KeyCode::Enter)], Action::Choose, "take it"),
    key(Place::Line, &[plain(KeyCode::Esc)], Action::Close, "go back"),
];

/// What a key means there.
pub(crate) fn action(place: Place, pressed: &KeyEvent) -> Option<Action> {
    let in_place = |place: Place| {
        KEYS.iter()
            .find(|key| key.place == place && key.chords.iter().any(|chord| chord.is(pressed)))
            .map(|key| key.action)
    };
    in_place(place).or_else(|| in_place(Place::Everywhere))
}

impl Chord {
    fn is(self, pressed: &KeyEvent) -> bool {
        let mut held =
            pressed.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let mut code = pressed.code;
        if let KeyCode::Char(letter) = code {
            // Shift is in the letter already; a letter that is held with Ctrl may be either.
            held.remove(KeyModifiers::SHIFT);
            if held.contains(KeyModifiers::CONTROL) {
                code = KeyCode::Char(letter.to_ascii_lowercase());
            }
        }
        code == self.code && held == self.held
    }

    /// The key as it is written for a person.
    fn name(self) -> String {
        let mut name = String::new();
        for (held, word) in [
            (KeyModifiers::CONTROL, "Ctrl-"),
            (KeyModifiers::ALT, "Alt-"),
            (KeyModifiers::SHIFT, "Shift-"),
        ] {
            if self.held.contains(held) {
                name.push_str(word);
            }
        }
        match self.code {
            KeyCode::Char(' ') => name.push_str("Space"),
            KeyCode::Char(letter) if self.held.is_empty() => name.push(letter),
            KeyCode::Char(letter) => name.push(letter.to_ascii_uppercase()),
            KeyCode::BackTab => return "Shift-Tab".to_owned(),
            KeyCode::F(number) => name.push_str(&format!("F{number}")),
            KeyCode::PageUp => name.push_str("PageUp"),
            KeyCode::PageDown => name.push_str("PageDown"),
            other => name.push_str(&format!("{other:?}")),
        }
        name
    }
}

impl Key {
    /// Its chords as they are written for a person.
    pub(crate) fn names(&self) -> String {
        let mut names: Vec<String> = self.chords.iter().map(|chord| chord.name()).collect();
        names.dedup();
        names.join(", ")
    }
}

impl Place {
    /// Every place, in the order in which the help has them.
    pub(crate) const ALL: [Self; 6] =
        [Self::Editor, Self::Everywhere, Self::Question, Self::List, Self::Panel, Self::Line];

    /// As a heading.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Editor => "While writing",
            Self::Everywhere => "Everywhere",
            Self::Question => "At a question whether a call may run",
            Self::List => "In a list",
            Self::Panel => "In a text to read",
            Self::Line => "In a line that is asked for",
        }
    }
}

/// The table as Markdown, for the documentation.
pub fn table() -> String {
    let mut text = String::new();
    for place in Place::ALL {
        text.push_str(&format!("### {}\n| key | what it does |\n|---|---|\n", place.heading()));
        for key in KEYS.iter().filter(|key| key.place == place) {
            let names: Vec<String> =
                key.names().split(", ").map(|name| format!("`{name}`")).collect();
            text.push_str(&format!("| {} | {} |\n", names.join(", "), key.does));
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for (index, key) in KEYS.iter().enumerate() {
            for other in &KEYS[index + 1..] {
                let same = key.chords.iter().any(|chord| other.chords.contains(chord));
                assert!(
                    key.place != other.place || !same,
                    "{:?} and {:?} are both {}",
                    key.action,
                    other.action,
                    key.names()
                );
            }
        }
    }

    #[test]
    fn the_nearer_meaning_counts() {
        let up = KeyEvent::new(KeyCode::Up, KeyModifiers::NONE);
        assert_eq!(action(Place::List, &up), Some(Action::Up));
        assert_eq!(action(Place::Everywhere, &up), None);
        let cancel = KeyEvent::new(KeyCode::Char('C'), KeyModifiers::CONTROL);
        assert_eq!(action(Place::Question, &cancel), Some(Action::Interrupt));
        let letter = KeyEvent::new(KeyCode::Char('y'), KeyModifiers::NONE);
        assert_eq!(action(Place::Editor, &letter), None);
        assert_eq!(action(Place::Question, &letter), Some(Action::Yes));
        // A capital is another letter.
        let capital = KeyEvent::new(KeyCode::Char('Y'), KeyModifiers::SHIFT);
        assert_eq!(action(Place::Question, &capital), None);
    }
}
