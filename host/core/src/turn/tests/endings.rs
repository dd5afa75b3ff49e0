//! Endings from outside: cancel and deadline, and what comes too late.

use super::approvals::check_asked;
use super::calls::TWO_RECEIVED;
use super::*;

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
        vec![vec![Event::CancelRequested], answered("a", ApprovalAnswer::Session { calls: None })],
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
