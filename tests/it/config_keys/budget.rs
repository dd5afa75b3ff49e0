//! `budget.*`: money that sessions may cost together, with a model that costs a dollar for a
//! million tokens of input and ten for one of output.

use super::recordings::{record, says, using};
use super::{Tested, check, run};
use crate::support::hydroid::{Home, Ran};
use serde_json::json;

pub(super) const TESTED: &[Tested<Home>] = &[
    ("budget.day_dollars", day),
    ("budget.month_dollars", month),
    ("budget.session_dollars", session),
];

#[test]
fn budgets_of_money_have_an_effect() {
    check(&Home::new(), TESTED);
}

/// Asks once more, which would cost $0.0210.
#[track_caller]
fn ask(home: &Home, settings: &[&str], more: &[&str]) -> Ran {
    let answer = using(says("done"), &json!({ "input": 1000, "output": 2000 }));
    let file = record(home, "budget.recording", &[answer]);
    let prices = ["model.prices.input=1", "model.prices.output=10"];
    let command = ["ask", "--replay", &file, "begin"];
    run(home, &[&prices[..], settings].concat(), &[&command[..], more].concat())
}

/// Requests that are in the ledger.
fn requests(home: &Home) -> u64 {
    let ran = home.run(&["cost", "--json"]).code(0);
    ran.json_lines()[0]["requests"].as_u64().expect("a number")
}

/// The first request of a person goes out, the next one does not, and says what would let it.
#[track_caller]
fn stops(home: &Home, key: &str, told: &str) {
    let before = requests(home);
    ask(home, &[&format!("{key}=1000")], &[]).code(0).says("done");
    assert_eq!(requests(home), before + 1);
    ask(home, &[&format!("{key}=0.01")], &[]).code(4).tells(told).tells(&format!("`{key}`"));
    assert_eq!(requests(home), before + 1, "what was refused was sent");
}

fn day(home: &Home) {
    stops(home, "budget.day_dollars", "today has cost $0.");
}

fn month(home: &Home) {
    stops(home, "budget.month_dollars", "this month has cost $0.");
}

/// Another session has its own.
fn session(home: &Home) {
    let setting = ["budget.session_dollars=0.02"];
    ask(home, &setting, &[]).code(0);
    let listed = home.run(&["session", "list", "--json"]).code(0).json_lines();
    let session = listed[0][0]["id"].as_str().expect("a session");
    ask(home, &setting, &["--session", session])
        .code(4)
        .tells("this session has cost $0.0210 of $0.0200")
        .tells("raise `budget.session_dollars`, or begin a new session");
    ask(home, &setting, &[]).code(0).says("done");
}
