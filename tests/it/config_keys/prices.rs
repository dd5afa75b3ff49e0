//! `model.prices.*`: what a turn cost that was sent three hundred thousand tokens, a third of them
//! read from a cache and a third written to one, and answered with a hundred thousand.

use super::recordings::{record, says, using};
use super::{Tested, check, run};
use crate::support::hydroid::Home;
use serde_json::json;

pub(super) const TESTED: &[Tested<Home>] = &[
    ("model.prices.cache_read", cache_read),
    ("model.prices.cache_write", cache_write),
    ("model.prices.input", input),
    ("model.prices.output", output),
];

#[test]
fn prices_have_an_effect() {
    check(&Home::new(), TESTED);
}

/// The dollars of the turn with these prices.
#[track_caller]
fn cost(home: &Home, prices: &[&str]) -> Option<f64> {
    let third = 100_000;
    let usage = json!({
        "input": 3 * third, "cache_read": third, "cache_write": third, "output": third,
    });
    let file = record(home, "prices.recording", &[using(says("done"), &usage)]);
    let prices: Vec<String> = prices.iter().map(|price| format!("model.prices.{price}")).collect();
    let prices: Vec<&str> = prices.iter().map(String::as_str).collect();
    let ran = run(home, &prices, &["ask", "--json", "--replay", &file, "begin"]).code(0);
    let lines = ran.json_lines();
    let ended = lines.last().expect("a turn ends");
    assert_eq!(ended["entry"]["kind"], "turn_ended");
    ended["entry"]["dollars"].as_f64().map(|dollars| (dollars * 1e6).round() / 1e6)
}

fn input(home: &Home) {
    assert_eq!(cost(home, &["input=1", "output=10"]), Some(1.3));
    assert_eq!(cost(home, &["input=2", "output=10"]), Some(1.6));
    assert_eq!(cost(home, &["output=10"]), None);
}

fn output(home: &Home) {
    assert_eq!(cost(home, &["input=1", "output=30"]), Some(3.3));
    assert_eq!(cost(home, &["input=1"]), None);
}

fn cache_read(home: &Home) {
    assert_eq!(cost(home, &["input=1", "output=10", "cache_read=0"]), Some(1.2));
}

fn cache_write(home: &Home) {
    assert_eq!(cost(home, &["input=1", "output=10", "cache_write=5"]), Some(1.7));
}
