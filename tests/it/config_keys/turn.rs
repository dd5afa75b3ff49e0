//! `turn.*`: budgets of a turn that a recording would go past.

use super::recordings::{calls, record, says, using};
use super::{Tested, check, run};
use crate::support::hydroid::{Home, Ran, test_component};
use serde_json::{Value, json};

pub(super) const TESTED: &[Tested<Home>] = &[
    ("turn.max_dollars", dollars),
    ("turn.max_repeats", repeats),
    ("turn.max_seconds", seconds),
    ("turn.max_steps", steps),
    ("turn.max_tokens", tokens),
    ("turn.max_tool_output_chars", tool_output),
];

#[test]
fn budgets_of_a_turn_have_an_effect() {
    let home = Home::new();
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-pure")]).code(0);
    check(&home, TESTED);
}

#[track_caller]
fn play(home: &Home, settings: &[&str], answers: &[Value]) -> Ran {
    let file = record(home, "turn.recording", answers);
    run(home, settings, &["ask", "--replay", &file, "begin"])
}

/// Two steps, the first of which used three thousand tokens.
fn two_steps() -> [Value; 2] {
    let first = calls("a", "echo", &json!({ "text": "again" }));
    [using(first, &json!({ "input": 1000, "output": 2000 })), says("done")]
}

fn dollars(home: &Home) {
    let prices = ["model.prices.input=1", "model.prices.output=10"];
    let with = |limit| [&prices[..], &[limit]].concat();
    play(home, &with("turn.max_dollars=0.02"), &two_steps())
        .code(4)
        .tells("cost $0.0210 of $0.0200")
        .tells("turn.max_dollars");
    play(home, &with("turn.max_dollars=0.03"), &two_steps()).code(0).says("done");
    play(home, &["turn.max_dollars=0.03"], &two_steps()).code(2).tells("model.prices.input");
}

fn repeats(home: &Home) {
    let same = |count: usize| -> Vec<Value> {
        let calls = (0..count)
            .map(|at| calls(&format!("call-{at}"), "echo", &json!({ "text": "the same" })));
        calls.chain([says("done")]).collect()
    };
    play(home, &["turn.max_repeats=2"], &same(4))
        .code(4)
        .tells("exactly this 3 times in a row")
        .tells("4 times in a row")
        .tells("turn.max_repeats");
    play(home, &["turn.max_repeats=4"], &same(4)).code(0).says("done");
}

fn seconds(home: &Home) {
    let answers = [calls("a", "spin", &json!({})), says("done")];
    play(home, &["turn.max_seconds=1"], &answers)
        .code(4)
        .tells("the turn took 1 seconds")
        .tells("turn.max_seconds");
}

fn steps(home: &Home) {
    play(home, &["turn.max_steps=1"], &two_steps())
        .code(4)
        .tells("the turn took 1 model requests")
        .tells("turn.max_steps");
    play(home, &["turn.max_steps=2"], &two_steps()).code(0).says("done");
}

fn tokens(home: &Home) {
    play(home, &["turn.max_tokens=2999"], &two_steps())
        .code(4)
        .tells("the turn used 3000 tokens of 2999")
        .tells("turn.max_tokens");
    play(home, &["turn.max_tokens=3001"], &two_steps()).code(0).says("done");
}

fn tool_output(home: &Home) {
    let text = format!("{}{}", "a".repeat(2000), "z".repeat(2000));
    let answers = [calls("a", "echo", &json!({ "text": text })), says("done")];
    let shown = |settings: &[&str]| -> String {
        let file = record(home, "output.recording", &answers);
        let ran = run(home, settings, &["ask", "--json", "--replay", &file, "begin"]).code(0);
        let lines = ran.json_lines();
        let finished = lines.iter().find(|line| line["entry"]["kind"] == "call_finished");
        let output = &finished.expect("a result")["entry"]["output"];
        output["content"][0]["text"].as_str().expect("a text").to_owned()
    };
    assert_eq!(shown(&[]), text);
    let cut = shown(&["turn.max_tool_output_chars=1000"]);
    assert!(cut.chars().count() < 1200 && cut.starts_with('a'), "{cut}");
}
