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
            answered("b", ApprovalAnswer::Session { calls: None }),
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
    let answer = answered("a", ApprovalAnswer::Session { calls: None });
    for event in [asked_write(), vec![answer]].concat().concat() {
        happen(&mut turn, event);
    }
    let allowed: Vec<String> = turn.session_approvals().map(PolicyRule::to_string).collect();
    assert_eq!(allowed, ["allow `write` (the person's answer for this session)"]);
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
            "error a: denied: `delete` is denied here by the rule `delete` in `policy.tools.delete`; a person can change it with `hydroid config set policy.tools.delete ask`",
            "step 2",
            "ask model",
        ],
    );
}

#[test]
fn without_a_person_the_question_is_a_denial_with_a_remedy() {
    let mut turn = turn_with(settings(), Policy { mode: Mode::Headless, ..policy() });
    let got: Vec<String> =
        asked_write().concat().into_iter().flat_map(|event| happen(&mut turn, event)).collect();
    assert_eq!(got[3], "denied a by Policy");
    assert!(got[4].starts_with("error a: denied: ") && got[4].contains("--allow write"), "{got:?}");
    assert_eq!(&got[5..], ["step 2", "ask model"]);
}

#[test]
fn the_wall_clock_stops_only_while_nothing_but_the_person_is_awaited() {
    let mut turn = turn_with(settings(), policy());
    let mut waits = |events: Vec<Event>| {
        for event in events {
            happen(&mut turn, event);
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

#[test]
fn the_person_is_asked_once_it_is_known_what_a_call_would_do() {
    let mut turn = turn_with(settings(), policy());
    let mut effects = Vec::new();
    for event in asked_write().concat() {
        effects.extend(render(&turn.handle(event)));
    }
    assert_eq!(effects[3..], ["preview a"]);
    assert!(!turn.waits_for_a_person());
    let preview = Preview::Send { host: "a.example:443".into(), bytes: 2 };
    let event = Event::CallPreviewed { id: CallId::new("a"), preview: Some(preview.clone()) };
    let [Effect::Record(Entry::ApprovalAsked { preview: shown, scope, .. })] =
        &turn.handle(event)[..]
    else {
        panic!()
    };
    assert_eq!((shown.as_ref(), scope.as_str()), (Some(&preview), "write"));
    let run = turn.handle(answered("a", ApprovalAnswer::Once).remove(0));
    let Some(Effect::RunTool(checked)) = run.last() else { panic!("{run:?}") };
    assert_eq!(checked.preview.as_ref(), Some(&preview), "what runs is what was shown");
}

#[test]
fn a_cancel_while_it_is_found_out_what_a_call_would_do_stops_that_too() {
    let mut turn = turn_with(settings(), policy());
    for event in asked_write().concat() {
        turn.handle(event);
    }
    assert_eq!(
        render(&turn.handle(Event::CancelRequested)),
        [
            "stop a",
            "error a: the person cancelled the turn before this call ran",
            "turn cancelled",
            "end"
        ]
    );
}

#[test]
fn an_answer_for_good_is_remembered_with_its_scope_and_its_end() {
    let always = ApprovalAnswer::Always { calls: None, days: Some(7) };
    check_asked(
        vec![answered("a", always)],
        &["allowed a by User", "remember write of c for Some(7)", "started a", "run a"],
    );
}

#[test]
fn an_answer_for_longer_must_cover_the_call_and_be_readable() {
    let mut turn = turn_with(settings(), policy());
    for event in asked_write().concat() {
        happen(&mut turn, event);
    }
    let id = CallId::new("a");
    let problem = |calls: &str| {
        let answer = ApprovalAnswer::Session { calls: Some(calls.into()) };
        turn.check_answer(&id, &answer).unwrap_err()
    };
    assert!(problem("read").contains("does not cover the call"));
    assert!(problem("write(").contains("is not a rule for calls"));
    let answer = ApprovalAnswer::Session { calls: Some("read".into()) };
    assert_eq!(happen(&mut turn, answered("a", answer).remove(0)), [""; 0]);
}

#[test]
fn a_copy_out_of_the_vault_is_never_allowed_for_longer() {
    let mut turn = turn_with(settings(), policy());
    for event in [calls(&["a copy"]), checked("a copy")].concat() {
        happen(&mut turn, event);
    }
    for answer in [
        ApprovalAnswer::Session { calls: None },
        ApprovalAnswer::Always { calls: None, days: None },
    ] {
        let problem = turn.check_answer(&CallId::new("a"), &answer).unwrap_err();
        assert!(problem.contains("each time"), "{problem}");
        assert_eq!(happen(&mut turn, answered("a", answer).remove(0)), [""; 0]);
    }
}

#[test]
fn edited_arguments_are_checked_again_and_then_run_without_another_question() {
    let edit = ApprovalAnswer::Edit { arguments: "{ \"n\": 1 }".into() };
    let edited =
        ToolCall { id: CallId::new("a"), name: "write".into(), arguments: "{\"n\":1}".into() };
    check_asked(
        vec![answered("a", edit), vec![check_of(&edited)]],
        &["edited a {\"n\":1}", "check a", "allowed a by User", "started a", "run a"],
    );
}

#[test]
fn edited_arguments_that_do_not_fit_are_asked_again_and_denied_ones_do_not_run() {
    let edit = ApprovalAnswer::Edit { arguments: "{}".into() };
    let unfit = Event::CallChecked { id: CallId::new("a"), result: Err("no `n`".into()) };
    check_asked(
        vec![answered("a", edit.clone()), vec![unfit], answered("a", ApprovalAnswer::Once)],
        &[
            "edited a {}",
            "check a",
            "notice the edited arguments cannot be used: no `n`",
            "asked a",
            "allowed a by User",
            "started a",
            "run a",
        ],
    );
    let mut turn = turn_with(settings(), policy());
    for event in asked_write().concat() {
        happen(&mut turn, event);
    }
    turn.policy.rules.push(PolicyRule {
        effect: Rule::Deny,
        calls: "write".parse().unwrap(),
        component: None,
        host: None,
        origin: RuleOrigin::Config { key: "policy.deny".into() },
    });
    happen(&mut turn, answered("a", edit).remove(0));
    let got = happen(&mut turn, checked("a write").remove(0));
    assert_eq!(got[0], "denied a by Policy");
}

#[test]
fn an_emergency_stop_ends_the_turn_where_it_stands() {
    check_asked(
        vec![vec![Event::EmergencyStop]],
        &["error a: everything was stopped before this call ran", "turn stopped", "end"],
    );
}
