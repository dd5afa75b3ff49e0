//! Every transition and race of a turn, as events in and rendered effects out. Nothing here
//! waits, sleeps or asks a real model.

mod any_order;

use super::*;
use crate::message::{Content, Message};
use crate::policy::Rule;
use crate::ports::ModelError;

fn settings() -> Settings {
    Settings {
        provider: ComponentId::new("p"),
        model: "m".into(),
        prices: Prices {
            input: Some(1.0),
            output: Some(10.0),
            cache_read: None,
            cache_write: None,
        },
        max_steps: 25,
        max_tokens: 1_000,
        max_dollars: None,
        max_seconds: 60,
        max_repeats: 2,
        max_tool_output_chars: 20,
    }
}

/// Reading is allowed, everything else is asked; `delete` is denied.
fn policy() -> Policy {
    Policy {
        read_only: Rule::Allow,
        network: Rule::Ask,
        changes: Rule::Ask,
        tools: BTreeMap::from([("delete".to_owned(), Rule::Deny)]),
        session: BTreeSet::new(),
        headless: false,
    }
}

fn turn_with(settings: Settings, policy: Policy) -> Turn {
    let mut turn =
        Turn::new(TurnId::new("t"), settings, policy, BTreeSet::from([CallId::new("old")]));
    let begun = render(&turn.handle(Event::UserSaid(Message::user("hi").parts)));
    assert_eq!(begun, ["turn started", "step 1", "ask model"]);
    turn
}

/// Effects of the events, after a turn has begun and asked the model.
#[track_caller]
fn check(events: Vec<Vec<Event>>, expect: &[&str]) {
    check_turn(turn_with(settings(), policy()), events, expect);
}

#[track_caller]
fn check_turn(mut turn: Turn, events: Vec<Vec<Event>>, expect: &[&str]) {
    let mut got = Vec::new();
    for event in events.into_iter().flatten() {
        got.extend(render(&turn.handle(event)));
    }
    assert_eq!(got, expect, "\ngot:\n{}\n\nexpected:\n{}\n", got.join("\n"), expect.join("\n"));
}

fn render(effects: &[Effect]) -> Vec<String> {
    effects.iter().map(render_one).collect()
}

fn render_one(effect: &Effect) -> String {
    match effect {
        Effect::AskModel => "ask model".into(),
        Effect::StopModel => "stop model".into(),
        Effect::CheckCall(call) => format!("check {}", call.id),
        Effect::RunTool(checked) => format!("run {}", checked.call.id),
        Effect::StopTool(id) => format!("stop {id}"),
        Effect::End => "end".into(),
        Effect::Record(entry) => render_entry(entry),
    }
}

fn render_entry(entry: &Entry) -> String {
    match entry {
        Entry::TurnStarted { .. } => "turn started".into(),
        Entry::StepStarted { step, .. } => format!("step {step}"),
        Entry::Text { text, .. } => format!("text {text}"),
        Entry::Thinking { text, .. } => format!("thinking {text}"),
        Entry::Cited { uri, .. } => format!("cited {uri}"),
        Entry::CallReceived { call, .. } => {
            format!("received {} {} {}", call.id, call.name, call.arguments)
        }
        Entry::ApprovalAsked { call_id, .. } => format!("asked {call_id}"),
        Entry::CallDecided { call_id, decision: Decision::Deny { .. }, by, .. } => {
            format!("denied {call_id} by {by:?}")
        }
        Entry::CallDecided { call_id, by, .. } => format!("allowed {call_id} by {by:?}"),
        Entry::CallStarted { call_id, .. } => format!("started {call_id}"),
        Entry::CallFinished { call_id, output, .. } => {
            let texts: Vec<_> = output
                .content
                .iter()
                .map(|content| match content {
                    Content::Text { text } => text.clone(),
                    other => format!("{other:?}"),
                })
                .collect();
            format!(
                "{} {call_id}: {}",
                if output.is_error { "error" } else { "result" },
                texts.join(" | ")
            )
        }
        Entry::StepEnded { stop, .. } => format!("step ended {stop:?}"),
        Entry::Notice { text, .. } => format!("notice {text}"),
        Entry::TurnEnded { outcome, .. } => match outcome {
            Outcome::Completed => "turn completed".into(),
            Outcome::Cancelled => "turn cancelled".into(),
            Outcome::Interrupted => "turn interrupted".into(),
            Outcome::BudgetReached { reason } => format!("turn out of budget: {reason}"),
            Outcome::Repeating { reason } => format!("turn repeating: {reason}"),
            Outcome::Failed { reason } => format!("turn failed: {reason}"),
        },
    }
}

fn says(text: &str) -> Vec<Event> {
    vec![Event::Model(ModelEvent::Text(text.into()))]
}

/// The model asks for these calls, given as `id tool`.
fn calls(wanted: &[&str]) -> Vec<Event> {
    let mut events = Vec::new();
    for (index, call) in wanted.iter().enumerate() {
        let (id, name) = call.split_once(' ').unwrap();
        events.extend(one_call(u32::try_from(index).unwrap(), id, name, &["{}"], true));
    }
    events.extend(ends(StopReason::ToolUse));
    events
}

fn one_call(index: u32, id: &str, name: &str, fragments: &[&str], complete: bool) -> Vec<Event> {
    let mut events = vec![ModelEvent::CallStarted { index, id: id.into(), name: name.into() }];
    events.extend(
        fragments
            .iter()
            .map(|fragment| ModelEvent::CallArguments { index, fragment: (*fragment).into() }),
    );
    if complete {
        events.push(ModelEvent::CallEnded { index });
    }
    events.into_iter().map(Event::Model).collect()
}

fn ends(stop: StopReason) -> Vec<Event> {
    vec![Event::Model(ModelEvent::Finished(stop)), Event::ModelEnded]
}

fn used(input: u64, output: u64) -> Vec<Event> {
    vec![Event::Model(ModelEvent::Usage(Usage { input, output, ..Usage::default() }))]
}

fn done() -> Vec<Event> {
    [says("done"), ends(StopReason::EndTurn)].concat()
}

/// The tools of these tests and what they can do.
fn impact(tool: &str) -> Option<Impact> {
    match tool {
        "read" => Some(Impact::ReadOnly),
        "fetch" => Some(Impact::Network),
        "write" | "delete" => Some(Impact::Changes),
        _ => None,
    }
}

fn check_of(call: &ToolCall) -> Event {
    let result = match impact(&call.name) {
        Some(impact) => {
            Ok(CheckedCall { call: call.clone(), component: ComponentId::new("c"), impact })
        }
        None => Err(format!("no tool `{}`", call.name)),
    };
    Event::CallChecked { id: call.id.clone(), result }
}

/// The call, given as `id tool`, was checked.
fn checked(call: &str) -> Vec<Event> {
    let (id, name) = call.split_once(' ').unwrap();
    vec![check_of(&ToolCall { id: CallId::new(id), name: name.into(), arguments: "{}".into() })]
}

fn finished(id: &str) -> Vec<Event> {
    vec![Event::CallFinished {
        id: CallId::new(id),
        output: ToolOutput::text("ok"),
        label: Label::tool(ComponentId::new("c"), "read"),
    }]
}

fn answered(id: &str, answer: ApprovalAnswer) -> Vec<Event> {
    vec![Event::Answered { id: CallId::new(id), answer }]
}

fn deny(reason: Option<&str>) -> ApprovalAnswer {
    ApprovalAnswer::Deny { reason: reason.map(str::to_owned) }
}

// ---- answers without calls ----

#[test]
fn a_text_answer_completes_the_turn() {
    check(
        vec![says("Hel"), says("lo"), ends(StopReason::EndTurn)],
        &["text Hel", "text lo", "step ended EndTurn", "turn completed", "end"],
    );
}

#[test]
fn thinking_and_sources_are_recorded() {
    let more = vec![
        Event::Model(ModelEvent::Thinking { text: "hm".into(), opaque: Some(vec![1]) }),
        Event::Model(ModelEvent::Cited { uri: "https://a".into(), title: None }),
        Event::Model(ModelEvent::Other { kind: "x/y".into(), json: "{}".into() }),
    ];
    check(
        vec![more, done()],
        &[
            "thinking hm",
            "cited https://a",
            "text done",
            "step ended EndTurn",
            "turn completed",
            "end",
        ],
    );
}

#[test]
fn an_empty_answer_is_told_to_the_person() {
    check(
        vec![says(""), ends(StopReason::EndTurn)],
        &[
            "step ended EndTurn",
            "notice the model gave an empty answer; say it in other words, or try another model",
            "turn completed",
            "end",
        ],
    );
}

#[test]
fn a_refusal_is_told_and_its_calls_are_not_run() {
    check(
        vec![one_call(0, "a", "write", &["{}"], true), ends(StopReason::Refusal)],
        &["step ended Refusal", "notice the model declined to answer", "turn completed", "end"],
    );
}

#[test]
fn an_answer_cut_off_at_the_limit_says_which_key_raises_it() {
    check(
        vec![says("a long"), ends(StopReason::MaxTokens)],
        &[
            "text a long",
            "step ended MaxTokens",
            "notice the answer was cut off at the output limit; raise `model.max_output_tokens`, or say `go on`",
            "turn completed",
            "end",
        ],
    );
}

#[test]
fn an_answer_that_broke_off_fails_the_turn_and_runs_nothing() {
    check(
        vec![says("I"), one_call(0, "a", "write", &["{}"], true), ends(StopReason::Error)],
        &[
            "text I",
            "step ended Error",
            "turn failed: the service failed in the middle of the answer; say `go on` to try again",
            "end",
        ],
    );
}

#[test]
fn a_model_failure_ends_the_turn_with_its_reason() {
    let error = ModelError {
        kind: "unauthenticated".into(),
        message: "set the key".into(),
        retry_after_ms: None,
    };
    check(
        vec![says("I"), one_call(0, "a", "write", &["{"], false), vec![Event::ModelFailed(error)]],
        &["text I", "step ended Error", "turn failed: set the key", "end"],
    );
}

#[test]
fn late_model_events_have_no_effect() {
    let error = ModelError { kind: "x".into(), message: "late".into(), retry_after_ms: None };
    check(
        vec![done(), says("more"), calls(&["a read"]), vec![Event::ModelFailed(error)], used(1, 1)],
        &["text done", "step ended EndTurn", "turn completed", "end"],
    );
}

#[test]
fn a_second_message_or_an_early_cancel_does_not_disturb_a_turn() {
    check(
        vec![vec![Event::UserSaid(Message::user("again").parts)], done()],
        &["text done", "step ended EndTurn", "turn completed", "end"],
    );
    let mut new = Turn::new(TurnId::new("t"), settings(), policy(), BTreeSet::new());
    assert_eq!(new.handle(Event::CancelRequested), []);
    assert_eq!(new.handle(Event::TimeElapsed), []);
}

// ---- calls ----

#[test]
fn a_call_is_checked_decided_run_and_its_result_goes_back() {
    check(
        vec![says("Let me look"), calls(&["a read"]), checked("a read"), finished("a"), done()],
        &[
            "text Let me look",
            "received a read {}",
            "step ended ToolUse",
            "check a",
            "allowed a by Policy",
            "started a",
            "run a",
            "result a: ok",
            "step 2",
            "ask model",
            "text done",
            "step ended EndTurn",
            "turn completed",
            "end",
        ],
    );
}

/// What the two calls of the next tests have in common.
const TWO_RECEIVED: [&str; 5] =
    ["received a read {}", "received b read {}", "step ended ToolUse", "check a", "check b"];

#[test]
fn read_only_calls_run_side_by_side_and_may_end_in_any_order() {
    let expect = [
        &TWO_RECEIVED[..],
        &[
            "allowed a by Policy",
            "started a",
            "run a",
            "allowed b by Policy",
            "started b",
            "run b",
            "result b: ok",
            "result a: ok",
            "step 2",
            "ask model",
        ],
    ]
    .concat();
    check(
        vec![
            calls(&["a read", "b read"]),
            checked("a read"),
            checked("b read"),
            finished("b"),
            finished("a"),
        ],
        &expect,
    );
}

#[test]
fn a_call_whose_check_is_late_holds_back_the_ones_after_it() {
    let expect = [
        &TWO_RECEIVED[..],
        &["allowed b by Policy", "allowed a by Policy", "started a", "run a", "started b", "run b"],
    ]
    .concat();
    check(vec![calls(&["a read", "b read"]), checked("b read"), checked("a read")], &expect);
}

#[test]
fn calls_that_change_things_run_one_after_another() {
    let policy = Policy { changes: Rule::Allow, ..policy() };
    check_turn(
        turn_with(settings(), policy),
        vec![
            calls(&["a read", "b write", "c write", "d read"]),
            checked("a read"),
            checked("b write"),
            checked("c write"),
            checked("d read"),
            finished("a"),
            finished("b"),
            finished("c"),
            finished("d"),
        ],
        &[
            "received a read {}",
            "received b write {}",
            "received c write {}",
            "received d read {}",
            "step ended ToolUse",
            "check a",
            "check b",
            "check c",
            "check d",
            "allowed a by Policy",
            "started a",
            "run a",
            "allowed b by Policy",
            "allowed c by Policy",
            "allowed d by Policy",
            "result a: ok",
            "started b",
            "run b",
            "result b: ok",
            "started c",
            "run c",
            "result c: ok",
            "started d",
            "run d",
            "result d: ok",
            "step 2",
            "ask model",
        ],
    );
}

#[test]
fn at_most_eight_calls_run_side_by_side() {
    let wanted: Vec<String> = (0..10).map(|number| format!("c{number} read")).collect();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let mut turn = turn_with(settings(), policy());
    let mut running = 0;
    let mut most = 0;
    let mut events: Vec<Event> = calls(&wanted);
    events.extend(wanted.iter().flat_map(|call| checked(call)));
    events.extend((0..10).flat_map(|number| finished(&format!("c{number}"))));
    for event in events {
        running -= i32::from(matches!(event, Event::CallFinished { .. }));
        for effect in turn.handle(event) {
            running += i32::from(matches!(effect, Effect::RunTool(_)));
            most = most.max(running);
        }
    }
    assert_eq!((running, most), (0, 8));
}

#[test]
fn calls_beyond_the_most_of_one_answer_are_answered_with_an_error_and_never_checked() {
    let wanted: Vec<String> = (0..300).map(|number| format!("c{number} read")).collect();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let mut turn = turn_with(settings(), policy());
    let mut effects: Vec<String> = Vec::new();
    let mut events = calls(&wanted);
    events.extend(wanted.iter().flat_map(|call| checked(call)));
    events.extend((0..300).flat_map(|number| finished(&format!("c{number}"))));
    for event in events {
        effects.extend(render(&turn.handle(event)));
    }
    for number in 0..300 {
        let of = |what: &str| {
            let line = format!("{what} c{number}");
            effects.iter().filter(|effect| **effect == line).count()
        };
        let looked_at = usize::from(number < 128);
        assert_eq!((of("check"), of("run")), (looked_at, looked_at), "c{number}");
        let expect = if number < 128 {
            format!("result c{number}: ok")
        } else {
            format!("error c{number}: at most 128 calls at once; ask for the rest in the next step")
        };
        let id = format!(" c{number}: ");
        let results: Vec<&String> = effects.iter().filter(|effect| effect.contains(&id)).collect();
        assert_eq!(results, [&expect]);
    }
    assert_eq!(effects.iter().filter(|effect| effect.starts_with("received ")).count(), 300);
    assert_eq!(effects[effects.len() - 2..], ["step 2", "ask model"]);
}

#[test]
fn an_unknown_tool_reaches_the_model_as_text() {
    check(
        vec![
            calls(&["a fly away"]),
            vec![Event::CallChecked {
                id: CallId::new("a"),
                result: Err("no tool `fly_away`".into()),
            }],
        ],
        &[
            "received a fly_away {}",
            "step ended ToolUse",
            "check a",
            "error a: no tool `fly_away`",
            "step 2",
            "ask model",
        ],
    );
}

#[test]
fn unreadable_arguments_reach_the_model_and_stay_sendable() {
    let mut turn = turn_with(settings(), policy());
    let mut got = Vec::new();
    for event in
        [one_call(0, "a", "read", &["{\"path\": ", "oops"], true), ends(StopReason::ToolUse)]
            .concat()
    {
        got.extend(render(&turn.handle(event)));
    }
    assert_eq!(got[0], r#"received a read {"unreadable_arguments":"{\"path\": oops"}"#);
    assert!(got[2].starts_with("error a: "), "{got:?}");
    assert_eq!(&got[3..], ["step 2", "ask model"]);
}

#[test]
fn a_call_cut_off_at_the_output_limit_is_not_run() {
    check(
        vec![one_call(0, "a", "write", &["{\"text\": \"lo"], false), ends(StopReason::MaxTokens)],
        &[
            "received a write {}",
            "step ended MaxTokens",
            "error a: your answer reached the output limit before the arguments were complete, so nothing was run; call again with shorter arguments",
            "step 2",
            "ask model",
        ],
    );
}

#[test]
fn a_call_of_an_answer_without_an_end_is_not_run() {
    check(
        vec![one_call(0, "a", "write", &[], false), vec![Event::ModelEnded]],
        &[
            "received a write {}",
            "step ended Other",
            "error a: your answer broke off before the arguments were complete, so nothing was run; call again",
            "step 2",
            "ask model",
        ],
    );
}

#[test]
fn reused_and_missing_call_ids_become_unique() {
    check(
        vec![calls(&["old read", "a read", "a read", " read"])],
        &[
            "received old_2 read {}",
            "received a read {}",
            "received a_2 read {}",
            "received call_5 read {}",
            "step ended ToolUse",
            "check old_2",
            "check a",
            "check a_2",
            "check call_5",
        ],
    );
}

#[test]
fn a_long_result_is_cut_and_says_so() {
    let long = Event::CallFinished {
        id: CallId::new("a"),
        output: ToolOutput::text("x".repeat(21)),
        label: Label::host(),
    };
    check(
        vec![calls(&["a read"]), checked("a read"), vec![long]],
        &[
            "received a read {}",
            "step ended ToolUse",
            "check a",
            "allowed a by Policy",
            "started a",
            "run a",
            "result a: xxxxxxxxxxxxxxxxxxxx | [1 more characters were left out; call again for a smaller part, for example with a line range, an offset or a narrower pattern]",
            "step 2",
            "ask model",
        ],
    );
}

// ---- approvals ----

fn asked_write() -> Vec<Vec<Event>> {
    vec![calls(&["a write"]), checked("a write")]
}

/// What is recorded until a `write` is asked about.
const ASKED: [&str; 4] = ["received a write {}", "step ended ToolUse", "check a", "asked a"];

#[track_caller]
fn check_asked(more: Vec<Vec<Event>>, expect: &[&str]) {
    check([asked_write(), more].concat(), &[&ASKED, expect].concat());
}

#[test]
fn an_approved_call_runs_once() {
    check_asked(
        vec![
            answered("a", ApprovalAnswer::Once),
            answered("a", ApprovalAnswer::Once),
            finished("a"),
        ],
        &["allowed a by User", "started a", "run a", "result a: ok", "step 2", "ask model"],
    );
}

#[test]
fn denied_call_reaches_the_model_as_text() {
    check_asked(
        vec![answered("a", deny(None))],
        &[
            "denied a by User",
            "error a: the person declined this call; do not repeat it, ask what they would like instead",
            "step 2",
            "ask model",
        ],
    );
    check_asked(
        vec![answered("a", deny(Some("wrong file")))],
        &[
            "denied a by User",
            "error a: the person declined this call: wrong file",
            "step 2",
            "ask model",
        ],
    );
}

#[test]
fn an_answer_to_another_call_changes_nothing() {
    check_asked(vec![answered("b", ApprovalAnswer::Once), finished("a")], &[]);
}

#[test]
fn approval_once_is_asked_again_the_second_time() {
    check_asked(
        vec![
            answered("a", ApprovalAnswer::Once),
            finished("a"),
            calls(&["b write"]),
            checked("b write"),
        ],
        &[
            "allowed a by User",
            "started a",
            "run a",
            "result a: ok",
            "step 2",
            "ask model",
            "received b write {}",
            "step ended ToolUse",
            "check b",
            "asked b",
        ],
    );
}

#[test]
fn approval_for_the_session_carries_to_waiting_and_later_calls_of_that_tool_only() {
    check(
        vec![
            calls(&["a write", "b write", "c fetch"]),
            checked("a write"),
            checked("b write"),
            checked("c fetch"),
            answered("b", ApprovalAnswer::Session),
            finished("a"),
            finished("b"),
            answered("c", deny(Some("no"))),
            calls(&["d write"]),
            checked("d write"),
        ],
        &[
            "received a write {}",
            "received b write {}",
            "received c fetch {}",
            "step ended ToolUse",
            "check a",
            "check b",
            "check c",
            "asked a",
            "asked b",
            "asked c",
            "allowed b by User",
            "allowed a by Session",
            "started a",
            "run a",
            "result a: ok",
            "started b",
            "run b",
            "result b: ok",
            "denied c by User",
            "error c: the person declined this call: no",
            "step 2",
            "ask model",
            "received d write {}",
            "step ended ToolUse",
            "check d",
            "allowed d by Session",
            "started d",
            "run d",
        ],
    );
}

#[test]
fn session_approvals_can_be_carried_into_the_next_turn() {
    let mut turn = turn_with(settings(), policy());
    for event in [asked_write(), vec![answered("a", ApprovalAnswer::Session)]].concat().concat() {
        turn.handle(event);
    }
    assert_eq!(turn.session_approvals(), &BTreeSet::from(["write".to_owned()]));
}

#[test]
fn a_rule_that_denies_is_told_to_the_model_and_nobody_is_asked() {
    check(
        vec![calls(&["a delete"]), checked("a delete")],
        &[
            "received a delete {}",
            "step ended ToolUse",
            "check a",
            "denied a by Policy",
            "error a: denied: `delete` is denied by the rule `policy.tools.delete = \"deny\"`; a person can change it with `hydroid config set policy.tools.delete ask`",
            "step 2",
            "ask model",
        ],
    );
}

#[test]
fn without_a_person_the_question_is_a_denial_with_a_remedy() {
    let mut turn = turn_with(settings(), Policy { headless: true, ..policy() });
    let got: Vec<String> =
        asked_write().concat().into_iter().flat_map(|event| render(&turn.handle(event))).collect();
    assert_eq!(got[3], "denied a by Policy");
    assert!(got[4].starts_with("error a: denied: ") && got[4].contains("--allow write"), "{got:?}");
    assert_eq!(&got[5..], ["step 2", "ask model"]);
}

#[test]
fn the_wall_clock_stops_only_while_nothing_but_the_person_is_awaited() {
    let mut turn = turn_with(settings(), policy());
    let mut waits = |events: Vec<Event>| {
        for event in events {
            turn.handle(event);
        }
        turn.waits_for_a_person()
    };
    assert!(!waits(calls(&["a read", "b write"])), "checking");
    assert!(!waits(checked("a read")), "a runs");
    assert!(!waits(checked("b write")), "a still runs");
    assert!(waits(finished("a")), "only b is asked");
    assert!(!waits(answered("b", ApprovalAnswer::Once)), "b runs");
    assert!(!waits(finished("b")), "the model answers");
}

// ---- endings from outside ----

#[test]
fn cancel_while_answering_keeps_what_was_said() {
    check(
        vec![
            says("I will"),
            one_call(0, "a", "write", &["{}"], true),
            vec![Event::CancelRequested],
            ends(StopReason::ToolUse),
        ],
        &["text I will", "stop model", "step ended Other", "turn cancelled", "end"],
    );
}

#[test]
fn cancel_while_asking_gives_the_call_a_result_and_a_late_approval_runs_nothing() {
    check_asked(
        vec![vec![Event::CancelRequested], answered("a", ApprovalAnswer::Session)],
        &["error a: the person cancelled the turn before this call ran", "turn cancelled", "end"],
    );
}

#[test]
fn cancel_while_running_stops_the_tools_and_late_results_are_dropped() {
    let policy = Policy { changes: Rule::Allow, ..policy() };
    check_turn(
        turn_with(settings(), policy),
        vec![
            calls(&["a write", "b read"]),
            checked("a write"),
            vec![Event::CancelRequested],
            finished("a"),
            checked("b read"),
            vec![Event::CancelRequested],
        ],
        &[
            "received a write {}",
            "received b read {}",
            "step ended ToolUse",
            "check a",
            "check b",
            "allowed a by Policy",
            "started a",
            "run a",
            "stop a",
            "error a: the person cancelled the turn while this call ran; it may or may not have had an effect: look before trying again",
            "error b: the person cancelled the turn before this call ran",
            "turn cancelled",
            "end",
        ],
    );
}

#[test]
fn a_result_after_the_deadline_is_dropped() {
    check(
        vec![
            calls(&["a read", "b read"]),
            checked("a read"),
            checked("b read"),
            finished("b"),
            vec![Event::TimeElapsed],
            finished("a"),
        ],
        &[
            &TWO_RECEIVED[..],
            &[
                "allowed a by Policy",
                "started a",
                "run a",
                "allowed b by Policy",
                "started b",
                "run b",
                "result b: ok",
                "stop a",
                "error a: the turn's time was used up while this call ran, so it has no result",
                "turn out of budget: the turn took 60 seconds, its limit; say `go on` to continue, or raise `turn.max_seconds`",
                "end",
            ],
        ]
        .concat(),
    );
}

#[test]
fn the_deadline_ends_an_answer_too() {
    check(
        vec![used(10, 1), vec![Event::TimeElapsed], used(20, 2), vec![Event::ModelEnded]],
        &[
            "stop model",
            "step ended Other",
            "turn out of budget: the turn took 60 seconds, its limit; say `go on` to continue, or raise `turn.max_seconds`",
            "end",
        ],
    );
}

// ---- budgets ----

fn one_step(usage: Vec<Event>) -> Vec<Vec<Event>> {
    vec![usage, calls(&["a read"]), checked("a read"), finished("a")]
}

#[track_caller]
fn check_budget(settings: Settings, usage: Vec<Event>, expect: &str) {
    let mut turn = turn_with(settings, policy());
    let got: Vec<String> = one_step(usage)
        .concat()
        .into_iter()
        .flat_map(|event| render(&turn.handle(event)))
        .collect();
    assert_eq!(got[got.len() - 3..], ["result a: ok", expect, "end"]);
}

#[test]
fn the_step_budget_names_its_key() {
    check_budget(
        Settings { max_steps: 1, ..settings() },
        used(1, 1),
        "turn out of budget: the turn took 1 model requests, its limit; say `go on` to continue, or raise `turn.max_steps`",
    );
}

#[test]
fn the_token_budget_names_its_key() {
    check_budget(
        settings(),
        used(900, 100),
        "turn out of budget: the turn used 1000 tokens of 1000; say `go on` to continue, or raise `turn.max_tokens`",
    );
}

#[test]
fn the_money_budget_names_its_key() {
    check_budget(
        Settings { max_dollars: Some(0.001), ..settings() },
        used(100, 90),
        "turn out of budget: the turn cost $0.0010 of $0.0010; say `go on` to continue, or raise `turn.max_dollars`",
    );
}

#[test]
fn usage_of_a_step_is_its_last_report_and_the_turn_sums_its_steps() {
    let mut turn = turn_with(settings(), policy());
    let mut ended = None;
    for event in [vec![used(50, 1)], one_step(used(100, 10)), vec![used(7, 3)], vec![done()]]
        .concat()
        .concat()
    {
        for effect in turn.handle(event) {
            if let Effect::Record(Entry::TurnEnded { usage, dollars, .. }) = effect {
                ended = Some((
                    usage.input,
                    usage.output,
                    dollars.map(|dollars| format!("{dollars:.6}")),
                ));
            }
        }
    }
    assert_eq!(ended, Some((107, 13, Some("0.000237".into()))));
}

#[test]
fn cached_input_costs_its_own_price() {
    let usage = Usage {
        input: 1_000_000,
        output: 0,
        cache_read: 500_000,
        cache_write: 100_000,
        reasoning: 0,
    };
    let prices = Prices {
        input: Some(10.0),
        output: Some(1.0),
        cache_read: Some(1.0),
        cache_write: Some(20.0),
    };
    assert_eq!(
        dollars(&usage, &prices).map(|dollars| format!("{dollars:.2}")),
        Some("6.50".into())
    );
    assert_eq!(dollars(&usage, &Prices::default()), None);
}

// ---- repetition ----

#[test]
fn repeated_calls_are_told_and_then_end_the_turn() {
    let mut turn = turn_with(settings(), policy());
    let mut got = Vec::new();
    for number in 1..=4 {
        let call = format!("c{number} read");
        let id = format!("c{number}");
        for event in [calls(&[&call]), checked(&call), finished(&id)].concat() {
            got.extend(render(&turn.handle(event)).into_iter().filter(|line| {
                ["result", "error", "turn", "run"].iter().any(|start| line.starts_with(start))
            }));
        }
    }
    assert_eq!(
        got,
        [
            "run c1",
            "result c1: ok",
            "run c2",
            "result c2: ok",
            "error c3: you asked for exactly this 3 times in a row and the result does not change; do something else, or say what you found",
            "error c4: not run: the turn ended because the same calls were repeated",
            "turn repeating: the model asked for the same calls (read) 4 times in a row; tell it what to do instead, or raise `turn.max_repeats`",
        ]
    );
}

#[test]
fn another_call_in_between_starts_the_count_again() {
    let mut turn = turn_with(settings(), policy());
    let mut runs = 0;
    for number in 0..8 {
        let arguments = if number % 2 == 0 { "{\"n\":1}" } else { "{\"n\":2}" };
        let id = format!("c{number}");
        let asked =
            [one_call(0, &id, "read", &[arguments], true), ends(StopReason::ToolUse)].concat();
        for event in [asked, checked(&format!("{id} read")), finished(&id)].concat() {
            runs += turn
                .handle(event)
                .iter()
                .filter(|effect| matches!(effect, Effect::RunTool(_)))
                .count();
        }
    }
    assert_eq!(runs, 8);
}
