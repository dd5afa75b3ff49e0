//! Approvals: asked, answered, carried through a session.

use super::*;

fn asked_write() -> Vec<Vec<Event>> {
    vec![calls(&["a write"]), checked("a write")]
}

/// What is recorded until a `write` is asked about.
const ASKED: [&str; 4] = ["received a write {}", "step ended ToolUse", "check a", "asked a"];

#[track_caller]
pub(super) fn check_asked(more: Vec<Vec<Event>>, expect: &[&str]) {
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
