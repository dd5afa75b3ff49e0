//! Every key of the configuration has a test that shows its effect through the built binary, and a
//! key without one fails here. Not the tests of where values come from and which one wins; those
//! stand in the command line's crate.

use crate::support::hydroid::{Home, Ran};
use hydroid_core::config::KEYS;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

mod budget;
mod components;
mod egress;
mod gateway;
mod hooks;
mod limits;
mod memory;
mod model;
mod models;
mod name_server;
mod policy;
mod prices;
mod recordings;
mod reliability;
mod secrets;
mod server;
mod skills;
mod surroundings;
mod telemetry;
mod turn;

/// A key as [`KEYS`] has it, and what shows its effect in a home that its section shares.
type Tested<Scene> = (&'static str, fn(&Scene));

#[test]
fn a_key_without_a_test_fails() {
    let tested: Vec<&str> = [
        keys(budget::TESTED),
        keys(components::TESTED),
        keys(egress::TESTED),
        keys(gateway::TESTED),
        keys(hooks::TESTED),
        keys(limits::TESTED),
        keys(memory::TESTED),
        keys(model::TESTED),
        keys(models::TESTED),
        keys(policy::TESTED),
        keys(prices::TESTED),
        keys(reliability::TESTED),
        keys(secrets::TESTED),
        keys(skills::TESTED),
        keys(surroundings::TESTED),
        keys(telemetry::TESTED),
        keys(turn::TESTED),
    ]
    .concat();
    let set: BTreeSet<&str> = tested.iter().copied().collect();
    assert_eq!(set.len(), tested.len(), "a key is tested in two places: {tested:?}");
    assert_eq!(set, KEYS.iter().map(|key| key.path).collect());
}

fn keys<Scene>(table: &[Tested<Scene>]) -> Vec<&'static str> {
    table.iter().map(|(key, _)| *key).collect()
}

/// Runs every test of a section; the failure names the keys that have no effect.
#[track_caller]
fn check<Scene>(scene: &Scene, table: &[Tested<Scene>]) {
    let failed: Vec<String> = table
        .iter()
        .filter_map(|(key, test)| {
            let panic = catch_unwind(AssertUnwindSafe(|| test(scene))).err()?;
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Some(format!("`{key}`: {}", text.unwrap_or_default()))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Runs a command with these `KEY=VALUE` settings.
#[track_caller]
fn run(home: &Home, settings: &[&str], command: &[&str]) -> Ran {
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    home.run(&settings.chain(command.iter().copied()).collect::<Vec<_>>())
}

/// Calls a tool with these settings.
#[track_caller]
fn call(home: &Home, settings: &[&str], component: &str, tool: &str, arguments: &str) -> Ran {
    run(home, settings, &["debug", "call", component, tool, arguments])
}
