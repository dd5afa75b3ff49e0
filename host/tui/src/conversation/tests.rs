//! Entries in, items out.

use super::*;
use hydroid_core::entry::DecidedBy;
use hydroid_core::id::ComponentId;
use hydroid_core::message::{Label, Message};
use hydroid_core::policy::Decision;
use hydroid_core::tool::{Impact, ToolCall, ToolOutput};

fn info() -> SessionInfo {
    SessionInfo {
        session: SessionId::new("s"),
        title: "S".into(),
        created_ms: 0,
        updated_ms: 0,
        turns: 0,
        last_seq: 0,
        archived: false,
        forked_from: None,
        settings: SessionSettings::default(),
        activity: Activity::Idle,
        queued: 0,
    }
}

fn turn(name: &str) -> TurnId {
    TurnId::new(name)
}

fn started(name: &str, text: &str) -> Entry {
    Entry::TurnStarted { turn: turn(name), parts: Message::user(text).parts, key: None }
}

fn text(text: &str) -> Entry {
    Entry::Text { turn: turn("t"), text: text.into() }
}

fn step() -> Entry {
    Entry::StepStarted {
        turn: turn("t"),
        step: 1,
        provider: ComponentId::new("p"),
        model: "m".into(),
    }
}

fn call() -> ToolCall {
    ToolCall { id: CallId::new("c"), name: "file_write".into(), arguments: "{}".into() }
}

fn asked() -> Entry {
    Entry::ApprovalAsked {
        turn: turn("t"),
        call_id: CallId::new("c"),
        call: call(),
        component: ComponentId::new("tool-files-write"),
        impact: Impact::Edits,
        reason: "it changes your files".into(),
        scope: "file_write(/shared/**)".into(),
        preview: None,
    }
}

fn ended(outcome: Outcome) -> Entry {
    Entry::TurnEnded { turn: turn("t"), outcome, usage: Usage::default(), dollars: None }
}

fn take(conversation: &mut Conversation, seq: u64, entry: Entry) {
    let session = conversation.id().clone();
    let message = SessionMessage::Entry { session, seq, at_ms: seq * 100, entry };
    conversation.take(message, seq);
}

fn of(entries: Vec<Entry>) -> Conversation {
    let mut conversation = Conversation::new(info());
    for (index, entry) in entries.into_iter().enumerate() {
        take(&mut conversation, index as u64 + 1, entry);
    }
    conversation
}

fn shown(conversation: &Conversation) -> Vec<String> {
    let lines = conversation.items.iter().map(|item| match &item.kind {
        Kind::Person { text, .. } => format!("> {}", text.text),
        Kind::Said(text) => text.text.clone(),
        Kind::Thought(text) => format!("({})", text.text),
        Kind::Cited { uri, .. } => format!("[{uri}]"),
        Kind::Call(call) => format!("{} {:?} {}", call.name, call.state, call.output.text),
        Kind::Notice { text, bad } => format!("{}{text}", if *bad { "!! " } else { "! " }),
    });
    lines.collect()
}

#[test]
fn what_memory_found_is_not_what_the_person_said() {
    let mut parts = Message::user("hi").parts;
    parts.push(Part::new(Content::text("Found in the user's notes"), Label::recalled(true)));
    let all = of(vec![Entry::TurnStarted { turn: turn("t"), parts, key: None }]);
    assert_eq!(shown(&all), ["> hi"]);
    let Kind::Person { attached, .. } = &all.items[0].kind else { panic!("{:?}", all.items) };
    assert_eq!(*attached, ["what memory found"]);
}

#[test]
fn pieces_of_a_step_are_one_text_and_those_of_the_next_another() {
    let all = of(vec![started("t", "hi"), step(), text("Hel"), text("lo"), step(), text("you")]);
    assert_eq!(shown(&all), ["> hi", "Hello", "you"]);
}

#[test]
fn an_entry_that_came_before_is_left_alone() {
    let mut all = of(vec![started("t", "hi"), step(), text("once")]);
    take(&mut all, 3, text("once"));
    take(&mut all, 2, text("once"));
    assert_eq!(shown(&all), ["> hi", "once"]);
    take(&mut all, 9, text(" more"));
    assert_eq!((shown(&all).pop(), all.last_seq), (Some("once more".into()), 9));
}

#[test]
fn a_call_is_one_item_from_request_to_result() {
    let mut all = of(vec![
        started("t", "hi"),
        Entry::CallReceived { turn: turn("t"), call: call(), parent: None },
        asked(),
    ]);
    assert_eq!(all.questions.len(), 1);
    assert_eq!(shown(&all)[1], "file_write Asked ");
    let decided = Entry::CallDecided {
        turn: turn("t"),
        call_id: CallId::new("c"),
        decision: Decision::Allow,
        by: DecidedBy::User,
        rule: String::new(),
        component: None,
    };
    take(&mut all, 4, decided);
    assert!(all.questions.is_empty());
    let component = ComponentId::new("tool-files-write");
    take(
        &mut all,
        5,
        Entry::CallStarted {
            turn: turn("t"),
            call_id: CallId::new("c"),
            component: component.clone(),
            call: call(),
        },
    );
    let label = Label::host();
    let output = ToolOutput::text("written");
    take(
        &mut all,
        7,
        Entry::CallFinished { turn: turn("t"), call_id: CallId::new("c"), output, label },
    );
    assert_eq!(shown(&all)[1], "file_write Done written");
    match &all.items[1].kind {
        Kind::Call(call) => assert_eq!(call.took_ms, Some(200)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_end_of_a_turn_closes_questions_and_calls() {
    let all = of(vec![started("t", "hi"), asked(), ended(Outcome::Cancelled)]);
    assert!(all.questions.is_empty() && !all.is_busy());
    assert_eq!(shown(&all), ["> hi", "file_write Unfinished ", "! cancelled"]);
    let all = of(vec![started("t", "hi"), ended(Outcome::Failed { reason: "no key".into() })]);
    assert_eq!(shown(&all), ["> hi", "!! no key"]);
}

#[test]
fn what_is_rewound_is_shown_no_more() {
    let mut all = of(vec![started("t", "one"), text("a"), started("u", "two"), text("b")]);
    take(&mut all, 5, Entry::Rewound { to: Some(turn("u")) });
    assert_eq!(shown(&all), ["> one", "a"]);
    take(&mut all, 6, Entry::Rewound { to: Some(turn("unknown")) });
    assert_eq!(shown(&all).len(), 2);
    take(&mut all, 7, Entry::Rewound { to: None });
    assert!(all.items.is_empty() && all.turns.is_empty());
}

#[test]
fn only_so_much_of_a_text_is_kept() {
    let mut all = of(vec![started("t", "hi"), step(), text(&"é".repeat(MOST_TEXT))]);
    take(&mut all, 4, text("more"));
    match &all.items[1].kind {
        Kind::Said(text) => {
            assert_eq!(text.text.len(), MOST_TEXT);
            assert_eq!(text.left_out, MOST_TEXT + 4);
        }
        other => panic!("{other:?}"),
    }
}
