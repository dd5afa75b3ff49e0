//! What a call that runs asks for: decided on like a call of the model's, under the one that
//! waits for it.

use super::*;

/// A call `a` runs and has tools of others called.
fn calling() -> Turn {
    let mut turn = turn_with(settings(), policy());
    let mut events = calls(&["a read", "r read"]);
    let Event::CallChecked { id, result: Ok(mut call) } = checked("a read").remove(0) else {
        panic!("it can be checked")
    };
    call.reach.calls_tools = true;
    events.push(Event::CallChecked { id, result: Ok(call) });
    events.extend(checked("r read"));
    let got: Vec<String> = events.into_iter().flat_map(|event| happen(&mut turn, event)).collect();
    let tail = &got[got.len() - 4..];
    assert_eq!(tail, ["allowed a by Policy", "started a", "run a", "allowed r by Policy"]);
    turn
}

/// It asks for another one.
fn asks_for(turn: &mut Turn, parent: &str, tool: &str) -> (CallId, Vec<String>) {
    let parent = CallId::new(parent);
    let id = turn.nested_id(&parent);
    let call = ToolCall { id: id.clone(), name: tool.into(), arguments: "{}".into() };
    let got = happen(turn, Event::CallNested { parent, call });
    (id, got)
}

#[track_caller]
fn then(turn: &mut Turn, events: Vec<Event>, expect: &[&str]) {
    let got: Vec<String> = events.into_iter().flat_map(|event| happen(turn, event)).collect();
    assert_eq!(got, expect);
}

#[test]
fn it_is_decided_on_and_runs_while_the_one_that_asked_waits() {
    let mut turn = calling();
    let (id, got) = asks_for(&mut turn, "a", "read");
    assert_eq!(id.as_str(), "a.1");
    assert_eq!(got, ["received a.1 read {}", "check a.1"]);
    then(&mut turn, checked("a.1 read"), &["allowed a.1 by Policy", "started a.1", "run a.1"]);
    then(&mut turn, finished("a.1"), &["result a.1: ok"]);
    // Another one runs beside a call that has others called only when that has ended.
    then(&mut turn, finished("a"), &["result a: ok", "started r", "run r"]);
    then(&mut turn, finished("r"), &["result r: ok", "step 2", "ask model"]);
}

#[test]
fn what_a_rule_denies_is_denied_for_a_component_too() {
    let mut turn = calling();
    asks_for(&mut turn, "a", "delete");
    let got = happen(&mut turn, checked("a.1 delete").remove(0));
    assert_eq!(got[0], "denied a.1 by Policy");
    assert!(got[1].starts_with("error a.1: denied: "), "{got:?}");
    assert!(turn.runs(&CallId::new("a")));
}

#[test]
fn the_person_is_asked_and_told_by_whom_and_the_clock_stands_still() {
    let mut turn = calling();
    asks_for(&mut turn, "a", "write");
    assert!(!turn.waits_for_a_person());
    let Event::CallChecked { id, result } = checked("a.1 write").remove(0) else { panic!() };
    let effects = turn.handle(Event::CallChecked { id: id.clone(), result });
    let Effect::PreviewCall(shown) = &effects[0] else { panic!("{effects:?}") };
    assert_eq!(shown.parent, Some(CallId::new("a")));
    let effects = turn.handle(Event::CallPreviewed { id, preview: None });
    let Effect::Record(Entry::ApprovalAsked { reason, .. }) = &effects[0] else { panic!() };
    assert!(reason.ends_with("; the tool `read` asks for it"), "{reason}");
    assert!(turn.waits_for_a_person() && !turn.can_be_left());
    then(
        &mut turn,
        answered("a.1", ApprovalAnswer::Once),
        &["allowed a.1 by User", "started a.1", "run a.1"],
    );
    assert!(!turn.waits_for_a_person());
}

#[test]
fn it_ends_with_the_call_that_asked_for_it_however_deep() {
    let mut turn = calling();
    asks_for(&mut turn, "a", "read");
    then(&mut turn, checked("a.1 read"), &["allowed a.1 by Policy", "started a.1", "run a.1"]);
    asks_for(&mut turn, "a.1", "write");
    then(&mut turn, checked("a.1.1 write"), &["asked a.1.1"]);
    then(
        &mut turn,
        finished("a"),
        &[
            "error a.1.1: the call that asked for it ended before this call ran",
            "stop a.1",
            "error a.1: the call that asked for it ended while this call ran, so it has no result",
            "result a: ok",
            "started r",
            "run r",
        ],
    );
    // What comes late is dropped.
    then(&mut turn, answered("a.1.1", ApprovalAnswer::Once), &[]);
    let late = ToolCall { id: CallId::new("x"), name: "read".into(), arguments: "{}".into() };
    then(&mut turn, vec![Event::CallNested { parent: CallId::new("a"), call: late }], &[]);
}

#[test]
fn a_cancel_gives_each_of_them_a_result() {
    let mut turn = calling();
    asks_for(&mut turn, "a", "write");
    then(&mut turn, checked("a.1 write"), &["asked a.1"]);
    let got = happen(&mut turn, Event::CancelRequested);
    let results = got.iter().filter(|line| line.starts_with("error ")).count();
    assert_eq!(results, 3, "{got:?}");
    assert_eq!(got.last().map(String::as_str), Some("end"));
}

#[test]
fn what_it_read_counts_as_read_by_the_session() {
    let policy = Policy { network: Rule::Allow, ..policy() };
    let mut turn = turn_with(settings(), policy);
    for event in [calls(&["a read"]), checked("a read")].concat() {
        happen(&mut turn, event);
    }
    asks_for(&mut turn, "a", "read");
    happen(&mut turn, checked("a.1 read").remove(0));
    let label = Label::tool(ComponentId::new("c"), "read", Origin::Host { host: None });
    let output = ToolOutput::text("ok");
    happen(&mut turn, Event::CallFinished { id: CallId::new("a.1"), output, label });
    asks_for(&mut turn, "a", "fetch");
    then(&mut turn, checked("a.2 fetch"), &["asked a.2"]);
}

#[test]
fn the_model_reads_neither_the_call_nor_its_result_and_nobody_waits_for_its_question_later() {
    let received = |id: &str, parent: Option<&str>| Entry::CallReceived {
        turn: TurnId::new("t"),
        call: ToolCall { id: CallId::new(id), name: "read".into(), arguments: "{}".into() },
        parent: parent.map(CallId::new),
    };
    let finished = |id: &str| Entry::CallFinished {
        turn: TurnId::new("t"),
        call_id: CallId::new(id),
        output: ToolOutput::text(id),
        label: Label::host(),
    };
    let asked = Entry::ApprovalAsked {
        turn: TurnId::new("t"),
        call_id: CallId::new("a.1"),
        call: ToolCall { id: CallId::new("a.1"), name: "read".into(), arguments: "{}".into() },
        component: ComponentId::new("c"),
        impact: Impact::Changes,
        reason: String::new(),
        scope: String::new(),
        preview: None,
    };
    let begun =
        Entry::TurnStarted { turn: TurnId::new("t"), parts: Message::user("hi").parts, key: None };
    let entries = [
        begun,
        received("a", None),
        received("a.1", Some("a")),
        asked,
        finished("a.1"),
        finished("a"),
    ];
    assert!(open_questions(&entries[..4]).is_empty());
    let messages = serde_json::to_string(&crate::entry::conversation(&entries)).unwrap();
    assert!(messages.contains("\"a\"") && !messages.contains("a.1"), "{messages}");
}

#[test]
fn what_only_a_person_can_answer_is_asked_each_time_whatever_rules_say() {
    let asked = |headless: bool| {
        let policy = Policy { network: Rule::Allow, headless, ..policy() };
        let mut turn = turn_with(settings(), policy);
        let mut events = calls(&["a fetch"]);
        events.extend(checked("a fetch"));
        events.into_iter().for_each(|event| drop(happen(&mut turn, event)));
        asks_for(&mut turn, "a", "fetch");
        let Event::CallChecked { id, result: Ok(mut call) } = checked("a.1 fetch").remove(0) else {
            panic!("it can be checked")
        };
        call.hooked = Some(Box::new(Hooked::Person("the server `boats`".into())));
        let mut effects = turn.handle(Event::CallChecked { id: id.clone(), result: Ok(call) });
        if matches!(effects[0], Effect::PreviewCall(_)) {
            effects = turn.handle(Event::CallPreviewed { id, preview: None });
        }
        effects
    };
    let effects = asked(false);
    let Effect::Record(Entry::ApprovalAsked { reason, scope, .. }) = &effects[0] else {
        panic!("{effects:?}")
    };
    assert!(reason.contains("the server `boats` asks you"), "{reason}");
    assert_eq!(scope, "", "no answer for longer stands in for a person");
    let effects = asked(true);
    let Effect::Record(Entry::CallDecided { decision: Decision::Deny { reason }, .. }) =
        &effects[0]
    else {
        panic!("{effects:?}")
    };
    assert!(reason.contains("nobody can be asked here"), "{reason}");
}
