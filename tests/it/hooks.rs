//! Hooks through the built binary: a component that is asked at every point there is.

use crate::support::hydroid::{Home, test_component};
use hydroid_core::hook::HookPoint;
use std::collections::BTreeSet;

#[test]
fn a_component_is_asked_at_every_point() {
    let points: Vec<&str> = HookPoint::ALL.iter().map(|point| point.name()).collect();
    let home = Home::with_config(&format!(
        "[hooks]\nuse = [\"test-hook\"]\n[components.test-hook.config]\npoints = {points:?}\ndoes = \"notice\"\n"
    ));
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-hook")]).code(0);
    home.write("users/local/workspace/shared/a.md", "one two");
    home.write("skills/trip/SKILL.md", "---\nname: trip\ndescription: Plans trips.\n---\nGo.\n");
    let lines = home.run(&["ask", "read nothing.md", "--json"]).json_lines();
    let session = lines[0]["session"].as_str().unwrap().to_owned();
    for said in [
        "call delegate {\"task\": \"read a.md\"}",
        "call skill_load {\"name\": \"trip\"}",
        "call skill_unload {\"name\": \"trip\"}",
    ] {
        home.run(&["ask", said, "--session", &session]).code(0);
    }
    home.run(&["session", "compact", &session]).code(0);
    let answered = home.run(&["audit", "query", "--action", "hook-answered", "--json"]).code(0);
    let asked: BTreeSet<String> = answered
        .json_lines()
        .iter()
        .map(|line| {
            let resource =
                line["event"]["resource"].as_str().or(line["resource"].as_str()).unwrap();
            resource.split(' ').next().unwrap_or_default().to_owned()
        })
        .collect();
    let missing: Vec<&&str> = points.iter().filter(|point| !asked.contains(**point)).collect();
    assert!(missing.is_empty(), "nobody was asked at {missing:?}; asked: {asked:?}");
}
