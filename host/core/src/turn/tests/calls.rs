//! Calls: checked, decided, run in their order, each with one result.

use super::*;

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
pub(super) const TWO_RECEIVED: [&str; 5] =
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
