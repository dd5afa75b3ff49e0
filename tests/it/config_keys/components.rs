//! `components.*`: what is set for one component holds for it and for no other.

use super::{Tested, call, check, run};
use crate::support::hydroid::{Home, test_component};

pub(super) const TESTED: &[Tested<Home>] = &[
    ("components.*.component", another_instance),
    ("components.*.config", config),
    ("components.*.enabled", enabled),
    ("components.*.limits.call", call_time),
    ("components.*.limits.fuel", fuel),
    ("components.*.limits.host_calls", host_calls),
    ("components.*.limits.memory", memory),
    ("components.*.limits.output", output),
];

#[test]
fn settings_of_a_component_have_an_effect() {
    let home = Home::new();
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-pure")]).code(0);
    check(&home, TESTED);
}

/// Settings for the component itself, and then for another, which change nothing.
#[track_caller]
fn stops(home: &Home, setting: &str, tool: &str, arguments: &str, sentence: &str) {
    let own = format!("components.test-tool-pure.{setting}");
    let of_another = format!("components.tool-json.{setting}");
    call(home, &[&own], "test-tool-pure", tool, arguments).code(1).says(sentence);
    call(home, &[&of_another], "test-tool-pure", tool, arguments).code(0);
}

fn another_instance(home: &Home) {
    let ask = ["ask", "--provider", "twin", "what time is it"];
    run(home, &[], &ask).code(2).tells("no component is called `twin`");
    let twin = "components.twin.component=provider-rehearsal";
    run(home, &[twin], &ask).code(0);
    run(home, &[twin], &["component", "inspect", "twin"]).code(0).says("role    provider");
    run(home, &["components.twin.component=nothing"], &ask)
        .code(2)
        .tells("no component of the release");
    run(home, &["components.tool-json.component=tool-time"], &ask).code(2).tells("already");
}

fn config(home: &Home) {
    let arguments = r#"{"name":"Ann"}"#;
    call(home, &[], "test-tool-pure", "greet", arguments).code(0).says("hello Ann");
    let setting = "components.test-tool-pure.config.greeting=salut";
    call(home, &[setting], "test-tool-pure", "greet", arguments).code(0).says("salut Ann");
    run(home, &["components.test-tool-pure.config.greting=salut"], &["component", "list"])
        .code(0)
        .says("greting");
}

fn enabled(home: &Home) {
    let setting = "components.test-tool-pure.enabled=false";
    call(home, &[setting], "test-tool-pure", "greet", r#"{"name":"Ann"}"#)
        .code(2)
        .tells("there is no tool `greet`");
    run(home, &[setting], &["component", "list"])
        .code(0)
        .says("test-tool-pure is refused")
        .says("enabled");
}

fn call_time(home: &Home) {
    let settings = ["limits.call=2s", "components.test-tool-pure.limits.call=1s"];
    call(home, &settings, "test-tool-pure", "spin", "{}").code(1).says("it took longer than 1 s");
    let settings = ["limits.call=1s", "components.test-tool-pure.limits.call=2s"];
    call(home, &settings, "test-tool-pure", "spin", "{}").code(1).says("it took longer than 2 s");
}

fn fuel(home: &Home) {
    let setting = "components.test-tool-pure.limits.fuel=5000000";
    call(home, &[setting], "test-tool-pure", "spin", "{}")
        .code(1)
        .says("it used up its fuel (5000000)");
    // The engine counts for both, and the other one has no limit.
    let arguments = r#"{"json":"1","filter":"reduce range(20000) as $n (.; . + 1)"}"#;
    call(home, &[setting], "tool-json", "json_query", arguments).code(0).says("20001");
}

fn host_calls(home: &Home) {
    stops(
        home,
        "limits.host_calls=100",
        "log_flood",
        r#"{"count":500}"#,
        "called the host more than 100 times",
    );
}

fn memory(home: &Home) {
    let arguments = r#"{"megabytes":80}"#;
    call(home, &[], "test-tool-pure", "grow_memory", arguments).code(1).says("than its 64MiB");
    let setting = "components.test-tool-pure.limits.memory=128MiB";
    call(home, &[setting], "test-tool-pure", "grow_memory", arguments).code(0).says("kept 80");
}

fn output(home: &Home) {
    stops(
        home,
        "limits.output=64KiB",
        "huge_string",
        r#"{"megabytes":1}"#,
        "returned 1048640 bytes, more than its 64KiB",
    );
}
