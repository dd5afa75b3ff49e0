//! Keys in, screens out; and no frame at any size panics or lets others write where we do. Screens
//! are kept in `host/tui/screens`; `UPDATE=1` rewrites them.

#![expect(clippy::disallowed_methods, reason = "a test reads and writes the screens that are kept")]

use super::*;
use crate::app::tests::Rig;
use crate::app::{Begin, Input, Link, Overlay};
use crate::desk::Attachment;
use crate::scripted::{ScriptedHost, write_call};
use crate::slash::COMMANDS;
use crate::theme::Theme;
use crossterm::event::{KeyCode, KeyModifiers};
use hydroid_core::entry::Entry;
use hydroid_core::id::{CallId, SessionId, TurnId};
use hydroid_core::message::{Bytes, Message};
use hydroid_core::tool::{Preview, ToolCall};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use std::path::Path;

fn frame(rig: &mut Rig, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a screen in memory");
    let mut painter = Painter::default();
    // Twice: where things are is known after the first.
    for _ in 0..2 {
        let mut layout = Layout::default();
        terminal.draw(|frame| layout = draw(frame, &rig.app, &mut painter)).expect("it is drawn");
        rig.app.shown(layout);
    }
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let row = |y| {
        let row: String = (0..area.width).map(|x| buffer[(x, y)].symbol()).collect();
        row.trim_end().to_owned()
    };
    (0..area.height).map(row).collect::<Vec<_>>().join("\n")
}

fn screen(rig: &mut Rig, width: u16, height: u16) -> String {
    text(&frame(rig, width, height))
}

/// Compares a screen with the one that is kept under a name.
#[track_caller]
fn check(name: &str, rig: &mut Rig, width: u16, height: u16) {
    let got = format!("{}\n", screen(rig, width, height));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("screens").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        std::fs::write(&file, &got).expect("the screen is written");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        got == kept,
        "screen `{name}` (UPDATE=1 rewrites it)\n--- got\n{got}\n--- kept\n{kept}"
    );
}

const ANSWER: &str = "Here is a **list**:\n\n- one with `code`\n- [a link](https://docs.rs/)\n\n```rust\nfn main() {\n    println!(\"hello\");\n}\n```\n\n| river | km |\n|---|---:|\n| Rhine | 1233 |\n| Elbe | 1094 |\n";

fn talked() -> Rig {
    let mut host = ScriptedHost::new();
    host.with("019a-lakes", "Lakes and ponds of the north", Vec::new());
    host.answer = vec![ANSWER.into()];
    let mut rig = Rig::with(host, Begin::New);
    rig.says("show me everything");
    rig
}

fn asked() -> Rig {
    let mut rig = talked();
    rig.host.answer = vec!["Written.".into()];
    rig.host.call = Some(write_call());
    rig.says("write a file");
    rig.wait(1_000);
    screen(&mut rig, 80, 24);
    rig
}

#[test]
fn a_new_session_greets() {
    check("greeting", &mut Rig::new(), 80, 24);
}

#[test]
fn an_answer_is_drawn() {
    check("answer", &mut talked(), 80, 24);
    check("answer-wide", &mut talked(), 140, 24);
    check("answer-narrow", &mut talked(), 40, 24);
}

#[test]
fn an_answer_looks_the_same_in_pieces() {
    let whole = screen(&mut talked(), 80, 60);
    let mut rig = Rig::new();
    rig.host.answer = Vec::new();
    rig.host.call = Some(write_call());
    rig.says("show me everything");
    rig.key(KeyCode::Esc);
    let session = rig.app.current.clone().expect("a session");
    let turn = TurnId::new("t1");
    let mut painter = Painter::default();
    let mut terminal = Terminal::new(TestBackend::new(80, 60)).expect("a screen in memory");
    for letter in ANSWER.chars() {
        let entry = Entry::Text { turn: turn.clone(), text: letter.into() };
        for told in rig.host.happens(&session, entry) {
            rig.give(Input::Link(Link::Told(Box::new(told))));
        }
        terminal.draw(|frame| drop(draw(frame, &rig.app, &mut painter))).expect("it is drawn");
    }
    let pieces = text(terminal.backend().buffer());
    let of_answer = |screen: &str| {
        let lines: Vec<String> = screen.lines().map(str::to_owned).collect();
        let begin = lines.iter().position(|line| line.contains("Here is a")).expect("it is there");
        lines[begin..begin + 13].join("\n")
    };
    assert_eq!(of_answer(&pieces), of_answer(&whole));
}

#[test]
fn a_question_is_drawn_and_what_came_of_it() {
    let mut rig = asked();
    check("question", &mut rig, 80, 24);
    check("question-narrow", &mut rig, 40, 24);
    rig.types("y");
    check("call-folded", &mut rig, 80, 24);
    rig.control('t');
    check("call-unfolded", &mut rig, 80, 24);
}

#[test]
fn a_question_that_does_not_fit_is_not_answered() {
    let mut rig = asked();
    let tiny = screen(&mut rig, 20, 5);
    assert!(tiny.contains("? a call asks"), "{tiny}");
    rig.types("y");
    assert!(rig.app.question().is_some());
    screen(&mut rig, 40, 16);
    rig.types("y");
    assert!(rig.app.question().is_none());
}

#[test]
fn help_and_lists_lie_above() {
    let mut rig = talked();
    rig.key(KeyCode::F(1));
    check("help", &mut rig, 80, 24);
    check("help-narrow", &mut rig, 40, 24);
    rig.key(KeyCode::Esc);
    rig.control('o');
    check("sessions", &mut rig, 80, 24);
    rig.key(KeyCode::Esc);
    rig.says("/tools");
    check("tools", &mut rig, 80, 24);
    rig.key(KeyCode::Esc);
    rig.says("/cost");
    check("cost", &mut rig, 80, 24);
    rig.key(KeyCode::Esc);
    rig.control('f');
    check("search", &mut rig, 80, 24);
    rig.key(KeyCode::Esc);
    rig.says("/skill trip");
    rig.says("/skills");
    check("skills", &mut rig, 80, 24);
    rig.key(KeyCode::Esc);
    rig.says("/clear");
    check("sure", &mut rig, 80, 24);
}

#[test]
fn what_is_written_is_drawn() {
    let mut rig = talked();
    let result = Ok(Attachment {
        name: "map.png".into(),
        media_type: "image/png".into(),
        data: Bytes(vec![0; 12_345]),
    });
    rig.give(Input::Desk(crate::app::DeskReply::Attached { result, pasted: None }));
    rig.types("two lines");
    rig.press(KeyCode::Enter, KeyModifiers::ALT);
    rig.types("of text");
    check("writing", &mut rig, 80, 24);
    rig.control('c');
    rig.types("/ca");
    check("completion", &mut rig, 80, 24);
}

#[test]
fn a_lost_connection_is_told() {
    let mut rig = talked();
    rig.give(Input::Link(Link::Lost("the host ended the connection".into())));
    rig.says("are you there?");
    check("lost", &mut rig, 80, 24);
}

#[test]
fn nothing_is_coloured_where_nobody_wants_it() {
    let mut rig = asked();
    rig.app.theme = Theme::plain();
    let buffer = frame(&mut rig, 120, 30);
    let colored = buffer.content.iter().find(|cell| {
        cell.fg != ratatui::style::Color::Reset || cell.bg != ratatui::style::Color::Reset
    });
    assert_eq!(colored, None);
}

/// Everything a text of others may try.
const HOSTILE: &str = "a\x1b[2J\x1b]0;t\x07\u{9b}31m\u{202e}b\u{200b}\u{2066}\r\x08\u{e0041}\u{feff}\n? may this run?\n── fake\nallow x?";

/// What a terminal would act on, or a person would not see.
#[track_caller]
fn check_harmless(buffer: &Buffer) {
    for cell in &buffer.content {
        let symbol = cell.symbol();
        let bad = symbol.chars().any(|letter| {
            letter.is_control()
                || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{e0041}')
        });
        assert!(!bad && symbol.chars().count() <= 12, "{symbol:?}\n{}", text(buffer));
    }
}

#[test]
fn hostile_text_is_shown_and_not_obeyed_wherever_it_stands() {
    let mut host = ScriptedHost::new();
    host.answer = vec![HOSTILE.into(), format!("```\n{HOSTILE}\n```\n")];
    host.call = Some((
        ToolCall { id: CallId::new("c"), name: HOSTILE.into(), arguments: HOSTILE.into() },
        Some(Preview::Difference { text: format!("+{HOSTILE}"), digest: String::new() }),
    ));
    host.scope = HOSTILE.into();
    let session = host.with(
        "s",
        HOSTILE,
        vec![Entry::Notice { turn: TurnId::new("t0"), text: HOSTILE.into() }],
    );
    let mut rig = Rig::with(host, Begin::Session(session.to_string()));
    rig.says("go");
    rig.wait(1_000);
    for (width, height) in [(80, 24), (140, 40), (40, 24)] {
        let buffer = frame(&mut rig, width, height);
        check_harmless(&buffer);
        let shown = text(&buffer);
        assert!(rig.app.layout.question.is_some(), "{shown}");
        for line in shown.lines() {
            let side_bar = if width >= WIDE { usize::from(SIDE_BAR) } else { 0 };
            let line: String = line.chars().skip(side_bar).collect();
            assert!(!line.starts_with("allow x?") && !line.starts_with("── fake"), "{shown}");
        }
    }
    rig.types("y");
    rig.control('t');
    for overlay in ["", "/sessions", "/search x", "/tools"] {
        rig.says(overlay);
        check_harmless(&frame(&mut rig, 100, 40));
        rig.key(KeyCode::Esc);
    }
    let attached =
        Attachment { name: HOSTILE.into(), media_type: "image/png".into(), data: Bytes(vec![0]) };
    rig.give(Input::Desk(crate::app::DeskReply::Attached { result: Ok(attached), pasted: None }));
    rig.give(Input::Paste(HOSTILE.into()));
    check_harmless(&frame(&mut rig, 100, 40));
}

#[test]
fn arguments_of_a_call_are_shown_whole_and_what_is_hidden_in_them_too() {
    let mut rig = Rig::new();
    let arguments = serde_json::json!({ "path": "/shared/a\u{202e}b\u{200b}   c" }).to_string();
    let call = ToolCall { id: CallId::new("c"), name: "file_write".into(), arguments };
    rig.host.call = Some((call, None));
    rig.says("go");
    let shown = screen(&mut rig, 80, 24);
    assert!(shown.contains(r#""path": "/shared/a\u202eb\u200b␠×3c""#), "{shown}");
    assert!(shown.contains("allow file_write of tool-files-write, which changes your files"));
}

#[test]
fn lines_of_ten_megabytes_are_drawn_in_time() {
    let mut host = ScriptedHost::new();
    let long = "x".repeat(10 << 20);
    host.answer = vec![long.clone()];
    let arguments = serde_json::json!({ "a": long }).to_string();
    host.call = Some((
        ToolCall { id: CallId::new("c"), name: "f".into(), arguments },
        Some(Preview::Unknown { reason: "y".repeat(1 << 20) }),
    ));
    let mut rig = Rig::with(host, Begin::New);
    rig.says(&"say ".repeat(10));
    rig.wait(1_000);
    let shown = screen(&mut rig, 80, 24);
    assert!(shown.contains("lines 1–"), "{shown}");
    rig.key(KeyCode::PageDown);
    rig.types("n");
    let shown = screen(&mut rig, 80, 24);
    assert!(shown.contains("more bytes; `/export` writes all of it"), "{shown}");
}

#[test]
fn the_mouse_chooses_folds_and_scrolls() {
    use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
    let mut rig = asked();
    rig.types("y");
    let shown = screen(&mut rig, 120, 24);
    assert!(shown.contains("more lines; Ctrl-T"), "{shown}");
    let at = |kind, column, row| {
        Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    };
    let (row, _) = rig.app.layout.calls[0].clone();
    rig.give(at(MouseEventKind::Down(MouseButton::Left), 40, row));
    let shown = screen(&mut rig, 120, 24);
    assert!(shown.contains("line five"), "{shown}");
    rig.give(at(MouseEventKind::ScrollUp, 40, 5));
    rig.give(at(MouseEventKind::ScrollUp, 40, 5));
    assert_ne!(rig.app.scroll, crate::app::Scroll::Follow);
    let shown = screen(&mut rig, 120, 24);
    assert!(shown.contains("more ↓"), "{shown}");
    let lakes = SessionId::new("019a-lakes");
    let row = rig.app.layout.sessions.iter().find(|(_, id)| *id == lakes).expect("it is listed").0;
    rig.give(at(MouseEventKind::Down(MouseButton::Left), 4, row));
    assert_eq!(rig.app.current, Some(lakes));
}

#[test]
fn a_found_place_is_gone_to() {
    let mut host = ScriptedHost::new();
    let mut entries = Vec::new();
    for number in 0..60 {
        let turn = TurnId::new(if number == 20 { "t1".to_owned() } else { format!("x{number}") });
        entries.push(Entry::TurnStarted {
            turn,
            parts: Message::user(format!("said {number}")).parts,
            key: None,
        });
    }
    host.with("s", "Long", entries);
    let mut rig = Rig::with(host, Begin::New);
    rig.says("/search rhine");
    rig.key(KeyCode::Enter);
    let shown = screen(&mut rig, 80, 24);
    assert!(shown.lines().next().is_some_and(|line| line.contains("said 20")), "{shown}");
}

#[test]
fn each_thing_that_is_shown_fits_each_small_screen() {
    let scrolled = || {
        let mut rig = talked();
        screen(&mut rig, 40, 8);
        rig.key(KeyCode::PageUp);
        rig
    };
    let mut shown = vec![Rig::new(), talked(), asked(), scrolled()];
    let of_commands = COMMANDS.iter().map(|slash| {
        let mut rig = talked();
        rig.says(&format!("/{}", slash.name));
        rig
    });
    shown.extend(of_commands.filter(|rig| rig.app.overlay.is_some()));
    assert!(shown.len() > 10, "commands show things");
    let line = |shown: &Option<Overlay>| matches!(shown, Some(Overlay::Line(_)));
    let mut searched = talked();
    searched.control('f');
    assert!(line(&searched.app.overlay));
    shown.push(searched);
    let mut completed = talked();
    completed.types("/ca");
    shown.push(completed);
    for mut rig in shown {
        for width in (0..5).chain([27, 28, 29, 30, 60]) {
            for height in (0..10).chain([14]) {
                frame(&mut rig, width, height);
            }
        }
    }
}

fn any_key() -> impl Strategy<Value = (KeyCode, KeyModifiers)> {
    let code = prop_oneof![
        3 => any::<char>().prop_map(KeyCode::Char),
        6 => "[a-z/ ]".prop_map(|text| KeyCode::Char(text.chars().next().unwrap_or(' '))),
        4 => Just(KeyCode::Enter),
        1 => Just(KeyCode::Esc),
        1 => Just(KeyCode::Tab),
        1 => Just(KeyCode::BackTab),
        1 => Just(KeyCode::Up),
        1 => Just(KeyCode::Down),
        1 => Just(KeyCode::PageUp),
        1 => Just(KeyCode::PageDown),
        1 => Just(KeyCode::Backspace),
        1 => Just(KeyCode::Delete),
        1 => Just(KeyCode::Home),
        1 => Just(KeyCode::F(1)),
        1 => Just(KeyCode::F(2)),
    ];
    let held = prop_oneof![
        6 => Just(KeyModifiers::NONE),
        1 => Just(KeyModifiers::CONTROL),
        1 => Just(KeyModifiers::ALT),
        1 => Just(KeyModifiers::SHIFT),
    ];
    (code, held)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_keys_and_no_size_panic(
        keys in proptest::collection::vec(any_key(), 0..60),
        answer in "(\\PC|[\n*`#>|\\-]){0,120}",
        sizes in proptest::collection::vec((0_u16..320, 0_u16..60), 1..4),
    ) {
        let mut host = ScriptedHost::new();
        host.answer = vec![answer];
        host.call = Some(write_call());
        let mut rig = Rig::with(host, Begin::New);
        rig.says("begin");
        for (index, (code, held)) in keys.into_iter().enumerate() {
            rig.wait(100);
            rig.press(code, held);
            let (width, height) = sizes[index % sizes.len()];
            if index % 7 == 0 {
                check_harmless(&frame(&mut rig, width, height));
            }
        }
        for (width, height) in sizes {
            check_harmless(&frame(&mut rig, width, height));
        }
    }
}
