//! `limits.*`: each is set low enough to stop a component that is not stopped otherwise.

use super::{Tested, call, check, run};
use crate::support::hydroid::{Home, Ran, test_component};

pub(super) const TESTED: &[Tested<Home>] = &[
    ("limits.call", call_time),
    ("limits.fuel", fuel),
    ("limits.host_call_bytes", host_call_bytes),
    ("limits.host_calls", host_calls),
    ("limits.instances", instances),
    ("limits.log", log),
    ("limits.log_lines", log_lines),
    ("limits.memory", memory),
    ("limits.nested_calls", nested_calls),
    ("limits.nesting", nesting),
    ("limits.output", output),
    ("limits.random", random),
    ("limits.resources", resources),
    ("limits.table_elements", table_elements),
];

#[test]
fn limits_have_an_effect() {
    let home = Home::with_config("[secrets.test]\nfile = \"key\"\n");
    home.write("key", "any-text-at-all");
    for component in ["test-tool-invoke", "test-tool-pure", "test-tool-web"] {
        home.run(&["component", "add", "--allow-unsigned", &test_component(component)]).code(0);
    }
    home.run(&["component", "grant", "test-tool-web", "web", "--secret", "test"]).code(0);
    for profile in ["invoke", "file-read-only"] {
        home.run(&["component", "grant", "test-tool-invoke", profile]).code(0);
    }
    check(&home, TESTED);
}

/// With the setting the call is stopped and says which, without it the same call works.
#[track_caller]
fn stops(home: &Home, setting: &str, tool: &str, arguments: &str, sentence: &str) {
    call(home, &[setting], "test-tool-pure", tool, arguments).code(1).says(sentence);
    call(home, &[], "test-tool-pure", tool, arguments).code(0);
}

fn call_time(home: &Home) {
    call(home, &["limits.call=1s"], "test-tool-pure", "spin", "{}")
        .code(1)
        .says("it took longer than 1 s");
    call(home, &["limits.call=2s"], "test-tool-pure", "spin", "{}")
        .code(1)
        .says("it took longer than 2 s");
}

fn fuel(home: &Home) {
    let setting = "limits.fuel=5000000";
    call(home, &[setting], "test-tool-pure", "spin", "{}")
        .code(1)
        .says("it used up its fuel (5000000)");
    call(home, &[setting], "test-tool-pure", "greet", r#"{"name":"Ann"}"#)
        .code(0)
        .says("hello Ann");
}

fn host_call_bytes(home: &Home) {
    stops(
        home,
        "limits.host_call_bytes=64KiB",
        "log_huge",
        r#"{"megabytes":1}"#,
        "more than 64KiB to the host in one call; a person can raise `limits.host_call_bytes`",
    );
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

fn instances(home: &Home) {
    run(home, &["limits.instances=1"], &["component", "list"])
        .code(0)
        .says("more than 1 core instances; a person can raise `limits.instances`");
    run(home, &[], &["component", "check", &test_component("test-tool-pure")]).code(0);
}

/// How many of its lines of a thousand bytes were logged.
fn lines_logged(home: &Home, settings: &[&str], count: u32) -> usize {
    let settings = [settings, &["log.level=info"]].concat();
    let arguments = format!("{{\"count\":{count}}}");
    let ran = call(home, &settings, "test-tool-pure", "log_flood", &arguments).code(0);
    ran.stderr.lines().filter(|line| line.contains(&"l".repeat(1000))).count()
}

fn log(home: &Home) {
    assert_eq!(lines_logged(home, &["limits.log=3KiB"], 6), 3);
    assert_eq!(lines_logged(home, &[], 6), 6);
}

fn log_lines(home: &Home) {
    assert_eq!(lines_logged(home, &["limits.log_lines=2"], 6), 2);
}

fn memory(home: &Home) {
    stops(
        home,
        "limits.memory=32MiB",
        "grow_memory",
        r#"{"megabytes":40}"#,
        "it needed more memory than its 32MiB",
    );
    run(home, &["limits.memory=31MiB"], &["config", "show"])
        .code(2)
        .tells("`limits.memory` is at least 32MiB");
    run(home, &["limits.memory=257MiB"], &["config", "show"])
        .code(2)
        .tells("`limits.memory` is at most 256MiB");
}

/// Has a tool call `echo` so often, and says what came of it.
fn relayed(home: &Home, settings: &[&str], times: u32) -> Ran {
    let arguments = r#"{\"text\":\"heard\"}"#;
    let call = format!(r#"call relay {{"tool":"echo","arguments":"{arguments}","times":{times}}}"#);
    run(home, settings, &["ask", &call]).code(0)
}

fn nested_calls(home: &Home) {
    relayed(home, &["limits.nested_calls=2"], 3).says("`limits.nested_calls`");
    relayed(home, &["limits.nested_calls=2"], 2).says("ok: heard");
}

fn nesting(home: &Home) {
    relayed(home, &["limits.nesting=0"], 1).says("`limits.nesting` is 0");
    relayed(home, &["limits.nesting=1"], 1).says("ok: heard");
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

fn random(home: &Home) {
    stops(
        home,
        "limits.random=512KiB",
        "random_flood",
        r#"{"megabytes":1}"#,
        "more than 512KiB of random bytes at once; a person can raise `limits.random`",
    );
}

fn resources(home: &Home) {
    let arguments = r#"{"count":40,"secret":"test"}"#;
    call(home, &["limits.resources=20"], "test-tool-web", "handle_flood", arguments)
        .code(1)
        .says("it holds more than 20 handles open; a person can raise `limits.resources`");
    call(home, &[], "test-tool-web", "handle_flood", arguments).code(0).says("secrets: 40");
}

fn table_elements(home: &Home) {
    run(home, &["limits.table_elements=10"], &["component", "list"])
        .code(0)
        .says("it needed more than 10 table elements; a person can raise `limits.table_elements`");
}
