//! `model.catalog` and `model.skip_validation`: which models may be configured, told with a
//! provider that lists one model of its own.

use super::recordings::{record, says, using};
use super::{Tested, check, run};
use crate::support::hydroid::{Home, Ran};
use serde_json::json;

pub(super) const TESTED: &[Tested<Home>] =
    &[("model.catalog", catalog), ("model.skip_validation", skip_validation)];

#[test]
fn keys_of_the_catalog_have_an_effect() {
    check(&Home::new(), TESTED);
}

#[track_caller]
fn ask(home: &Home, settings: &[&str]) -> Ran {
    run(home, settings, &["ask", "say hello"])
}

fn catalog(home: &Home) {
    // Rehearsal speaks to no service of the catalog, so the catalog has no say.
    ask(home, &["model.name=gpt-55"]).code(3).tells("there is no model `gpt-55` here");
    ask(home, &["model.catalog=openai", "model.name=gpt-55"])
        .code(2)
        .tells("the model catalog has no `gpt-55` of `openai` (did you mean `gpt-5.5`")
        .tells("`hydroid config set model.skip_validation true`");
    // The component lists it, whatever the catalog says.
    ask(home, &["model.catalog=openai"]).code(0).says("hello");
    ask(home, &["model.catalog=opnai"]).code(1).tells("(did you mean `openai`?)");
    priced(home);
}

/// A price of the catalog counts, and with it a budget.
fn priced(home: &Home) {
    let overlay = r#"{"acme": {"models": {"played": {"cost": {"input": 1, "output": 10}}}}}"#;
    home.write("models.json", overlay);
    let answer = using(says("done"), &json!({ "input": 1000, "output": 2000 }));
    let file = record(home, "priced.recording", &[answer]);
    let ask = |settings: &[&str]| run(home, settings, &["ask", "--replay", &file, "begin"]);
    ask(&["model.catalog=acme", "turn.max_dollars=1"]).code(0).tells(", $0.0210");
    ask(&["model.catalog=acme", "model.prices.output=1"]).code(0).tells(", $0.0030");
    ask(&[]).code(0).tells(", cost unknown");
    ask(&["turn.max_dollars=1"]).code(2).tells("`turn.max_dollars` needs the price of `played`");
}

fn skip_validation(home: &Home) {
    let unknown = ["model.catalog=openai", "model.name=gpt-55"];
    ask(home, &unknown).code(2);
    // It is asked, and knows better.
    ask(home, &[&unknown[..], &["model.skip_validation=true"]].concat())
        .code(3)
        .tells("there is no model `gpt-55` here");
}
