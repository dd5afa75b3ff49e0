//! The same calls again and again.

use super::*;

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
