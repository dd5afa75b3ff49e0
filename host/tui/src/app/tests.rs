//! Inputs in; what is shown, sent and kept out. The host is scripted and the clock is ours.

use super::overlay::{Picker, Row, Value};
use super::*;
use crate::conversation::Kind;
use crate::scripted::{ScriptedHost, said_in, write_call};
use crate::slash::COMMANDS;
use crossterm::event::{KeyCode, KeyModifiers};
use hydroid_core::entry::Entry;
use hydroid_core::message::Bytes;
use hydroid_core::policy::Mode;
use hydroid_core::protocol::ApprovalAnswer;
use hydroid_core::skill;

/// A terminal and the host it talks to.
pub(crate) struct Rig {
    pub(crate) app: App,
    pub(crate) host: ScriptedHost,
    /// What was to be done beside sending.
    pub(crate) done: Vec<Command>,
    now: u64,
    /// Messages that still get through; the connection is cut after them, and the next one after
    /// as many as `then`.
    left: Option<usize>,
    then: Option<usize>,
    cuts: usize,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(ScriptedHost::new(), Begin::New)
    }

    pub(crate) fn with(host: ScriptedHost, begin: Begin) -> Self {
        let app = App::new(begin, Theme::default(), false, Vec::new(), "t".into());
        let mut rig = Self { app, host, done: Vec::new(), now: 0, left: None, then: None, cuts: 0 };
        rig.connect();
        rig
    }

    pub(crate) fn connect(&mut self) {
        self.host.connect();
        self.give(Input::Link(Link::Opened { token: Some("hyd_x".into()) }));
    }

    /// Hands in an input and carries messages until nobody has more to say.
    pub(crate) fn give(&mut self, input: Input) {
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let told = matches!(&input, Input::Link(Link::Told(_)));
            if told && self.is_cut() {
                inputs.clear();
                self.lose_and_connect(&mut inputs);
                continue;
            }
            for command in self.app.handle(input) {
                let Command::Send(message) = command else {
                    self.done.push(command);
                    continue;
                };
                if self.is_cut() {
                    inputs.clear();
                    self.lose_and_connect(&mut inputs);
                    break;
                }
                let told = self.host.take(message);
                let told = told.into_iter().map(|one| Input::Link(Link::Told(Box::new(one))));
                inputs.extend(told);
            }
        }
    }

    fn is_cut(&mut self) -> bool {
        match &mut self.left {
            Some(0) => {
                self.left = self.then.take();
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    fn lose_and_connect(&mut self, inputs: &mut std::collections::VecDeque<Input>) {
        self.cuts += 1;
        self.host.connect();
        inputs.push_back(Input::Link(Link::Lost("cut".into())));
        inputs.push_back(Input::Link(Link::Opened { token: None }));
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.now += ms;
        self.give(Input::Tick(self.now));
    }

    pub(crate) fn press(&mut self, code: KeyCode, held: KeyModifiers) {
        self.give(Input::Key(KeyEvent::new(code, held)));
    }

    pub(crate) fn key(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::NONE);
    }

    pub(crate) fn control(&mut self, letter: char) {
        self.press(KeyCode::Char(letter), KeyModifiers::CONTROL);
    }

    pub(crate) fn types(&mut self, text: &str) {
        for letter in text.chars() {
            self.key(KeyCode::Char(letter));
        }
    }

    pub(crate) fn says(&mut self, text: &str) {
        self.types(text);
        self.key(KeyCode::Enter);
    }

    /// As if a frame had been drawn that shows all of a question.
    pub(crate) fn sees(&mut self) {
        self.wait(1_000);
        let layout = Layout {
            question: Some(Rect::new(0, 0, 80, 10)),
            question_lines: (5, 5),
            ..Layout::default()
        };
        self.app.shown(layout);
    }

    fn shown(&self) -> Vec<String> {
        let Some(conversation) = self.app.conversation() else { return Vec::new() };
        conversation
            .items
            .iter()
            .map(|item| match &item.kind {
                Kind::Person { text, .. } => format!("> {}", text.text),
                Kind::Said(text) | Kind::Thought(text) => text.text.clone(),
                Kind::Call(call) => format!("{} {:?}", call.name, call.state),
                Kind::Cited { uri, .. } => uri.clone(),
                Kind::Notice { text, .. } => text.clone(),
            })
            .collect()
    }

    fn told(&self) -> String {
        self.app.told.iter().map(|told| told.text.clone()).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn the_first_words_begin_a_session() {
    let mut rig = Rig::new();
    assert!(rig.app.current.is_none());
    rig.says("hello");
    assert_eq!(rig.shown(), ["> hello", "It is **done**."]);
    assert_eq!(rig.app.unsaid(), 0);
    assert_eq!(rig.host.sessions.len(), 1);
    rig.says("again");
    assert_eq!(rig.shown().len(), 4);
    assert_eq!(rig.host.sessions.len(), 1);
    assert!(rig.done.contains(&Command::Desk(DeskRequest::Remember("again".into()))));
}

#[test]
fn a_cut_at_any_message_loses_nothing_and_repeats_nothing() {
    let mut cut = 0;
    for then in [None, Some(0), Some(1), Some(3), Some(5), Some(6), Some(8)].into_iter().cycle() {
        let mut rig = Rig::new();
        rig.says("again");
        rig.host.call = Some(write_call());
        (rig.left, rig.then) = (Some(cut), then);
        rig.says("again");
        // The answer may be lost with the connection; the question then stands.
        for _ in 0..3 {
            if rig.app.question().is_some() {
                rig.sees();
                rig.key(KeyCode::Char('y'));
            }
        }
        let cuts = rig.cuts;
        rig.left = None;
        let kept: Vec<Vec<String>> = rig.host.sessions.values().map(said_in).collect();
        assert_eq!(kept, [["again", "again"]], "cut after {cut} messages, then {then:?}");
        let expect =
            ["> again", "It is **done**.", "> again", "file_write Done", "It is **done**."];
        assert_eq!(rig.shown(), expect, "cut after {cut} messages, then {then:?}");
        assert_eq!((rig.app.unsaid(), rig.app.editor.text().as_str()), (0, ""));
        if cuts == 0 {
            break;
        }
        cut += usize::from(then == Some(8));
    }
    assert!(cut > 15, "only {cut} messages were cut");
}

#[test]
fn what_is_said_without_a_connection_is_said_later() {
    let mut rig = Rig::new();
    rig.give(Input::Link(Link::Lost("gone".into())));
    rig.says("hello");
    assert_eq!(rig.app.unsaid(), 1);
    rig.connect();
    assert_eq!(rig.shown(), ["> hello", "It is **done**."]);
}

#[test]
fn a_question_is_answered_by_a_key_at_the_question_only() {
    let mut rig = Rig::new();
    rig.host.call = Some(write_call());
    rig.types("write");
    rig.key(KeyCode::Enter);
    assert!(rig.app.asking.focused);
    // Too early: nobody can have read it.
    rig.key(KeyCode::Char('y'));
    assert!(rig.app.question().is_some());
    // Not drawn.
    rig.wait(1_000);
    rig.key(KeyCode::Char('y'));
    assert!(rig.app.question().is_some());
    rig.sees();
    rig.key(KeyCode::Char('Y'));
    rig.press(KeyCode::Char('y'), KeyModifiers::ALT);
    rig.give(Input::Paste("y".into()));
    assert!(rig.app.question().is_some());
    assert!(!rig.app.asking.focused, "what is pasted goes to the editor");
    rig.press(KeyCode::Char('a'), KeyModifiers::ALT);
    rig.key(KeyCode::Char('y'));
    assert_eq!(rig.shown(), ["> write", "file_write Done", "It is **done**."]);
}

#[test]
fn a_question_does_not_take_the_keys_from_somebody_who_writes() {
    let mut rig = Rig::new();
    rig.says("hello");
    rig.host.call = Some(write_call());
    let session = rig.app.current.clone().expect("a session");
    rig.types("yes, and no");
    let text = "from elsewhere".into();
    let say = Request::Say { session, text, attachments: Vec::new(), key: None, traceparent: None };
    let told = rig.host.take(ClientMessage { id: 999, request: say });
    for message in told.into_iter().skip(1) {
        rig.give(Input::Link(Link::Told(Box::new(message))));
    }
    assert!(rig.app.question().is_some() && !rig.app.asking.focused);
    rig.sees();
    rig.types(" yes");
    assert_eq!(rig.app.editor.text(), "yes, and no yes");
    assert!(rig.app.question().is_some());
}

#[test]
fn a_question_in_another_session_is_found() {
    let mut host = ScriptedHost::new();
    let lakes = host.with("019a-lakes", "Lakes", Vec::new());
    host.sessions.get_mut(&lakes).expect("it is there").info.activity =
        hydroid_core::protocol::Activity::Asking;
    let mut rig = Rig::with(host, Begin::New);
    assert_eq!(rig.app.asked_elsewhere(), std::slice::from_ref(&lakes));
    rig.press(KeyCode::Char('a'), KeyModifiers::ALT);
    assert_eq!(rig.app.current, Some(lakes));
    assert!(rig.app.asked_elsewhere().is_empty());
    rig.press(KeyCode::Char('a'), KeyModifiers::ALT);
    assert!(rig.told().contains("nothing is asked"));
}

#[track_caller]
fn check_answer(keys: impl FnOnce(&mut Rig), expect: Option<ApprovalAnswer>) {
    let mut rig = Rig::new();
    rig.host.call = Some(write_call());
    rig.says("write");
    rig.sees();
    let mut answers = Vec::new();
    keys(&mut rig);
    let before = rig.host.asked.iter().filter(|kind| *kind == "answer").count();
    assert_eq!(before, usize::from(expect.is_some()));
    if let Some(conversation) = rig.app.conversation() {
        answers.extend(conversation.items.iter().filter_map(|item| match &item.kind {
            Kind::Call(call) => Some((call.arguments.clone(), call.decision.clone())),
            _ => None,
        }));
    }
    match expect {
        Some(ApprovalAnswer::Edit { arguments }) => assert_eq!(answers[0].0, arguments),
        Some(ApprovalAnswer::Deny { reason }) => {
            let reason = reason.unwrap_or_else(|| "no".into());
            assert_eq!(answers[0].1, Some(format!("denied by you: {reason}")));
        }
        Some(_) => assert_eq!(answers[0].1.as_deref(), Some("allowed by you")),
        None => assert_eq!(answers[0].1, None),
    }
}

#[test]
fn every_answer_can_be_given() {
    check_answer(|rig| rig.types("y"), Some(ApprovalAnswer::Once));
    check_answer(|rig| rig.types("s"), Some(ApprovalAnswer::Session { calls: None }));
    check_answer(|rig| rig.types("n"), Some(ApprovalAnswer::Deny { reason: None }));
    let always = ApprovalAnswer::Always { calls: None, days: None };
    check_answer(
        |rig| {
            rig.types("a");
            rig.key(KeyCode::Enter);
            rig.says("x");
            assert!(
                matches!(&rig.app.overlay, Some(Overlay::Line(line)) if line.problem.is_some())
            );
            rig.key(KeyCode::Backspace);
            rig.says("30");
        },
        Some(always),
    );
    check_answer(
        |rig| {
            rig.types("r");
            rig.says("not there");
        },
        Some(ApprovalAnswer::Deny { reason: Some("not there".into()) }),
    );
    let arguments = r#"{"path":"/shared/b"}"#;
    check_answer(
        |rig| {
            rig.types("e");
            rig.key(KeyCode::Enter);
            assert!(
                matches!(&rig.app.overlay, Some(Overlay::Line(line)) if line.problem.is_some())
            );
            for _ in 0..60 {
                rig.key(KeyCode::Backspace);
            }
            rig.says(arguments);
        },
        Some(ApprovalAnswer::Edit { arguments: arguments.into() }),
    );
    check_answer(|rig| rig.says("/approve"), None);
    check_answer(
        |rig| {
            rig.key(KeyCode::Esc);
            rig.says("/approve deny not today");
        },
        Some(ApprovalAnswer::Deny { reason: Some("not today".into()) }),
    );
}

#[test]
fn a_call_without_a_pattern_is_approved_each_time() {
    let mut rig = Rig::new();
    rig.host.call = Some(write_call());
    rig.host.scope = String::new();
    rig.says("write");
    rig.sees();
    rig.types("s");
    rig.types("a");
    assert!(rig.app.overlay.is_none() && rig.app.question().is_some());
    assert!(rig.told().contains("approved each time"), "{}", rig.told());
}

#[test]
fn cancel_works_while_a_turn_runs_and_leaves_what_is_written() {
    let mut rig = Rig::new();
    rig.host.call = Some(write_call());
    rig.says("write");
    rig.key(KeyCode::Esc);
    rig.types("draft");
    rig.control('c');
    assert_eq!(rig.host.asked.last().map(String::as_str), Some("cancel"));
    assert_eq!(rig.app.editor.text(), "draft");
    assert_eq!(rig.shown().last().map(String::as_str), Some("cancelled"));
    rig.control('c');
    assert_eq!(rig.app.editor.text(), "");
    rig.control('c');
    rig.control('c');
    assert!(rig.done.contains(&Command::Quit));
}

/// What each command does first: the request it makes, or what it shows.
fn first_effect(name: &str) -> (&'static str, &'static str) {
    match name {
        "approve" => ("once", "nothing is asked"),
        "archive" => ("", "archive"),
        "attach" => ("a.png", "Attach"),
        "btw" => ("why?", "aside"),
        "cancel" => ("", "cancel"),
        "cancelall" => ("", "cancel_all"),
        "clear" => ("", "Sure"),
        "compact" => ("", "compact"),
        "components" => ("", "components"),
        "cost" => ("all", "cost"),
        "delete" => ("", "Sure"),
        "effort" => ("high", "settings"),
        "export" => ("jsonl x.jsonl", "export"),
        "fork" => ("", "fork"),
        "help" => ("", "Panel"),
        "memory" => ("rivers", "notes"),
        "model" => ("other", "settings"),
        "new" => ("Rivers", "create"),
        "policy" => ("mode plan", "settings"),
        "quit" => ("", "Quit"),
        "rename" => ("Rivers", "rename"),
        "rewind" => ("", "rewind"),
        "search" => ("rhine", "search"),
        "sessions" => ("", "sessions"),
        "status" => ("", "status"),
        "steer" => ("faster", "steer"),
        "skill" => ("trip", "load_skill"),
        "skills" => ("", "skills"),
        "switch" => ("zzz", "open"),
        "theme" => ("light", ""),
        "tools" => ("", "tools"),
        other => panic!("`/{other}` is not tested"),
    }
}

#[test]
fn every_command_does_something() {
    for slash in &COMMANDS {
        let (rest, expect) = first_effect(slash.name);
        let mut rig = Rig::new();
        rig.says("hello");
        rig.host.asked.clear();
        rig.done.clear();
        rig.says(&format!("/{} {rest}", slash.name));
        let asked = rig.host.asked.join(" ");
        let overlay = rig.app.overlay.as_ref().map(|overlay| format!("{overlay:?}"));
        let seen = format!("{asked} {overlay:?} {:?} {}", rig.done, rig.told());
        assert!(seen.contains(expect), "/{} {rest}: {seen}", slash.name);
    }
}

#[test]
fn rows_that_begin_as_was_typed_come_first() {
    let row = |text: &str, more: &str| Row {
        text: text.into(),
        more: more.into(),
        value: Value::Said(text.into()),
    };
    let rows = vec![row("some-skill", "Tidies"), row("other", ""), row("tidy-notes", "")];
    let mut picker = Picker::new("", rows);
    picker.filter = "ti".into();
    let fitting: Vec<&str> = picker.fitting().iter().map(|row| row.text.as_str()).collect();
    assert_eq!(fitting, ["tidy-notes", "some-skill"]);
}

#[test]
fn a_skill_is_loaded_and_unloaded_by_name_and_from_the_list() {
    let mut rig = Rig::new();
    let loaded = |rig: &Rig| {
        let session = rig.app.current.clone().expect("a session");
        let entries = &rig.host.sessions[&session].entries;
        skill::loaded(entries).iter().map(|skill| skill.name.clone()).collect::<Vec<_>>()
    };
    // Before anything was said.
    rig.says("/skill trip");
    assert!(rig.told().contains("a hook looked at it"), "{}", rig.told());
    assert_eq!(loaded(&rig), ["trip"]);
    rig.says("hello");
    assert_eq!(rig.host.sessions.len(), 1);
    rig.says("/skills");
    rig.types("tidy");
    rig.key(KeyCode::Enter);
    assert_eq!(loaded(&rig), ["trip", "tidy-notes"]);
    rig.says("/skills");
    rig.types("tidy");
    rig.key(KeyCode::Enter);
    rig.says("/skill off trip");
    assert!(loaded(&rig).is_empty());
    rig.says("/skill off");
    assert!(rig.told().contains("`/skill off NAME`"), "{}", rig.told());
}

#[test]
fn settings_are_the_sessions_own_and_kept_beside_each_other() {
    let mut rig = Rig::new();
    rig.says("/model other");
    rig.says("/effort high");
    assert_eq!(rig.app.fresh.model.as_deref(), Some("other"));
    rig.says("hello");
    rig.press(KeyCode::BackTab, KeyModifiers::SHIFT);
    let settings = rig.app.settings();
    assert_eq!(settings.model.as_deref(), Some("other"));
    assert_eq!(settings.effort.as_deref(), Some("high"));
    assert_eq!(settings.mode, Some(Mode::AcceptEdits));
    rig.says("/effort default");
    assert_eq!(rig.app.settings().effort, None);
    assert_eq!(rig.app.settings().mode, Some(Mode::AcceptEdits));
}

#[test]
fn rewinding_writes_the_words_again() {
    let mut rig = Rig::new();
    rig.says("one");
    rig.says("two");
    rig.says("/rewind");
    assert_eq!(rig.shown(), ["> one", "It is **done**."]);
    assert_eq!(rig.app.editor.text(), "two");
    rig.control('c');
    rig.says("/clear");
    rig.types("y");
    assert!(rig.shown().is_empty());
    rig.says("/rewind");
    assert!(rig.told().contains("nothing to forget"));
}

#[test]
fn an_aside_leaves_no_trace() {
    let mut rig = Rig::new();
    rig.says("one");
    let before = rig.shown();
    rig.says("/btw what is that?");
    match &rig.app.overlay {
        Some(Overlay::Panel(panel)) => {
            assert!(format!("{panel:?}").contains("It is aside."), "{panel:?}");
        }
        other => panic!("{other:?}"),
    }
    rig.key(KeyCode::Esc);
    assert_eq!(rig.shown(), before);
}

fn file(bytes: usize) -> Attachment {
    let data = Bytes(vec![7; bytes]);
    Attachment { name: "map.png".into(), media_type: "image/png".into(), data }
}

#[test]
fn files_are_handed_up_before_the_words() {
    let mut rig = Rig::new();
    for bytes in [3, 600 << 10] {
        let result = Ok(file(bytes));
        rig.give(Input::Desk(DeskReply::Attached { result, pasted: None }));
    }
    rig.host.asked.clear();
    rig.says("look");
    assert_eq!(
        rig.host.asked,
        [
            "create",
            "upload_begin",
            "upload_part",
            "upload_begin",
            "upload_part",
            "upload_part",
            "upload_part",
            "say"
        ]
    );
    let result = Ok(file(20 << 20));
    rig.give(Input::Desk(DeskReply::Attached { result, pasted: None }));
    assert!(rig.told().contains("larger than the host takes"));
}

#[test]
fn what_is_refused_comes_back_to_the_editor() {
    let mut rig = Rig::new();
    rig.says("hello");
    rig.host.sessions.clear();
    rig.says("lost?");
    assert_eq!(rig.app.editor.text(), "lost?");
    assert!(rig.told().contains("no session"), "{}", rig.told());
}

#[test]
fn whatever_is_cut_a_session_a_copy_a_file_and_a_word_into_a_turn_are_there_once() {
    let mut most = 0;
    for cut in 0.. {
        let mut rig = Rig::new();
        (rig.left, rig.then) = (Some(cut), Some(cut % 7));
        let result = Ok(file(300 << 10));
        rig.give(Input::Desk(DeskReply::Attached { result, pasted: None }));
        rig.says("look");
        rig.host.call = Some(write_call());
        rig.says("write");
        rig.key(KeyCode::Esc);
        rig.says("/steer shorter");
        rig.says("/fork");
        let cuts = rig.cuts;
        rig.left = None;
        let begun = SessionId::new("new-0");
        let names: Vec<&str> = rig.host.sessions.keys().map(SessionId::as_str).collect();
        assert_eq!(names, ["copy-1", "new-0"], "cut after {cut} messages: {:?}", rig.host.asked);
        let kept = &rig.host.sessions[&begun];
        assert_eq!(said_in(kept), ["look", "write"], "cut after {cut} messages");
        let steered = |entry: &&Entry| matches!(entry, Entry::Steered { .. });
        assert_eq!(kept.entries.iter().filter(steered).count(), 1, "cut after {cut} messages");
        assert_eq!((rig.app.unsaid(), rig.app.editor.text().as_str()), (0, ""));
        if cuts == 0 {
            break;
        }
        most = cut;
    }
    assert!(most > 20, "only {most} messages were cut");
}

#[test]
fn a_session_with_a_title_is_begun_once_though_its_answer_was_lost() {
    let mut rig = Rig::new();
    rig.left = Some(1);
    rig.says("/new Rivers");
    assert_eq!(rig.cuts, 1, "{:?}", rig.host.asked);
    assert_eq!(rig.host.asked.iter().filter(|kind| *kind == "create").count(), 2);
    assert_eq!(rig.host.sessions.len(), 1);
    let looked_at = rig.app.conversation().map(|one| one.info.title.clone());
    assert_eq!(looked_at.as_deref(), Some("Rivers"));
}

#[test]
fn a_path_that_is_pasted_is_a_file_or_words() {
    let mut rig = Rig::new();
    rig.give(Input::Paste("'/home/me/a b.png'".into()));
    let path = "/home/me/a b.png".to_owned();
    let pasted = Some("'/home/me/a b.png'".to_owned());
    assert_eq!(rig.done, [Command::Desk(DeskRequest::Attach { path, pasted: pasted.clone() })]);
    rig.give(Input::Desk(DeskReply::Attached { result: Err("no".into()), pasted }));
    assert_eq!(rig.app.editor.text(), "'/home/me/a b.png'");
}

#[test]
fn a_reader_that_fell_behind_goes_on_where_it_was() {
    let mut rig = Rig::new();
    rig.says("hello");
    let session = rig.app.current.clone().expect("a session");
    rig.host.connect();
    let _hello = rig.host.take(ClientMessage {
        id: 1,
        request: Request::Hello {
            protocol: 1,
            token: None,
            client: hydroid_core::protocol::ClientProgram { name: "x".into(), version: "1".into() },
            resume: Vec::new(),
        },
    });
    let turn = TurnId::new("t1");
    rig.host.happens(&session, Entry::Notice { turn, text: "missed".into() });
    let reason = hydroid_core::protocol::Stopped::FellBehind;
    let stopped = ServerMessage::Stopped { session, reason, last_seq: 0 };
    rig.give(Input::Link(Link::Told(Box::new(stopped))));
    assert_eq!(rig.shown(), ["> hello", "It is **done**.", "missed"]);
}

#[test]
fn a_host_that_refuses_is_not_asked_again() {
    let mut rig = Rig::new();
    rig.give(Input::Link(Link::Lost("gone".into())));
    let commands = rig.app.handle(Input::Link(Link::Opened { token: None }));
    let Some(Command::Send(hello)) = commands.first() else { panic!("{commands:?}") };
    let error = hydroid_core::protocol::RequestError::new(
        hydroid_core::protocol::ErrorCode::Unauthenticated,
        "this token is none",
    );
    let refused = ServerMessage::Error { id: Some(hello.id), error };
    let commands = rig.app.handle(Input::Link(Link::Told(Box::new(refused))));
    assert_eq!(commands, [Command::GiveUp]);
    rig.app.handle(Input::Link(Link::Lost("closed".into())));
    assert_eq!(rig.app.connected, Connected::Refused("this token is none".into()));
}

#[test]
fn sessions_are_found_by_title_and_by_beginning() {
    let mut host = ScriptedHost::new();
    let rivers = host.with("019a-rivers", "Rivers", Vec::new());
    let lakes = host.with("019b-lakes", "Lakes", Vec::new());
    let mut rig = Rig::with(host, Begin::Last);
    assert_eq!(rig.app.current, Some(lakes.clone()));
    rig.says("/switch river");
    assert_eq!(rig.app.current, Some(rivers.clone()));
    rig.says("/switch 019");
    assert!(rig.told().contains("2 sessions fit"), "{}", rig.told());
    rig.control('o');
    rig.types("lak");
    rig.key(KeyCode::Enter);
    assert_eq!(rig.app.current, Some(lakes.clone()));
    rig.press(KeyCode::Down, KeyModifiers::ALT);
    assert_eq!(rig.app.current, Some(rivers.clone()));
    rig.says("/search rhine");
    rig.key(KeyCode::Enter);
    assert!(rig.app.current.is_some());
    rig.says("/delete");
    rig.types("y");
    assert_eq!(rig.app.current, None);
    assert_eq!(rig.app.sessions.len(), 1);
}

#[test]
fn commands_are_completed() {
    let mut rig = Rig::new();
    rig.types("/the");
    rig.key(KeyCode::Tab);
    assert_eq!(rig.app.editor.text(), "/theme ");
    rig.types("l");
    rig.key(KeyCode::Tab);
    assert_eq!(rig.app.editor.text(), "/theme light");
    rig.key(KeyCode::Enter);
    assert_eq!(rig.app.theme.name(), "light");
    rig.says("/nothing");
    assert!(rig.told().contains("no command"), "{}", rig.told());
}

#[test]
fn the_external_editor_gets_what_is_written_and_gives_it_back() {
    let mut rig = Rig::new();
    rig.types("draft");
    rig.control('g');
    assert_eq!(rig.done, [Command::Desk(DeskRequest::Edit("draft".into()))]);
    rig.give(Input::Desk(DeskReply::Edited(Ok("better\nlonger\n".into()))));
    assert_eq!(rig.app.editor.text(), "better\nlonger");
    rig.give(Input::Desk(DeskReply::Edited(Err("no editor: set `EDITOR`".into()))));
    assert!(rig.told().contains("EDITOR"));
}
