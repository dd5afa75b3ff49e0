//! Components that misbehave on purpose, installed, granted and called as a person would: each
//! misbehaviour has a test, and one without a test fails here.

use crate::support::hydroid::{Home, Ran, test_component};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What is to come of a call.
enum Expect {
    /// The call is ended, and this is said.
    Stopped(&'static str),
    /// It ends by itself, with this in what it says.
    Contained(&'static str),
}
use Expect::{Contained, Stopped};

/// `limits.call` in these tests.
const LIMIT: Duration = Duration::from_secs(2);

/// Starting the process and loading its components is not part of the call.
const START: Duration = Duration::from_secs(8);

/// Component, its profile, tool, arguments, outcome.
const CASES: &[(&str, &str, &str, &str, Expect)] = &[
    (
        "test-tool-files",
        "file-read-only",
        "hostcall_flood",
        r#"{"path":"/shared","count":10000000}"#,
        Stopped("called the host more than"),
    ),
    (
        "test-tool-files",
        "file-read-only",
        "path_escape",
        r#"{"path":"/shared/../../../../config.toml"}"#,
        Contained("refused"),
    ),
    ("test-tool-files", "file-read-only", "read_flood", r#"{"path":"/shared"}"#, Contained("")),
    ("test-tool-files", "file-read-only", "seen_at_load", "{}", Contained("see the description")),
    (
        "test-tool-files",
        "file-read-only",
        "write_read_only",
        r#"{"path":"/shared/x"}"#,
        Contained("refused"),
    ),
    ("test-tool-pure", "", "deep_json_out", r#"{"count":100000}"#, Contained("")),
    ("test-tool-pure", "", "echo", r#"{"text":"hello"}"#, Contained("hello")),
    ("test-tool-pure", "", "exit", r#"{"count":0}"#, Stopped("ended itself")),
    ("test-tool-pure", "", "fail", r#"{"text":"on purpose"}"#, Contained("on purpose")),
    ("test-tool-pure", "", "greet", "{}", Contained("")),
    ("test-tool-pure", "", "grow_memory", r#"{"megabytes":4000}"#, Stopped("more memory than its")),
    ("test-tool-pure", "", "huge_list", r#"{"count":300000}"#, Stopped("more than")),
    ("test-tool-pure", "", "huge_string", r#"{"megabytes":16}"#, Stopped("more than")),
    ("test-tool-pure", "", "invalid_json_out", "{}", Contained("not JSON")),
    ("test-tool-pure", "", "log_flood", r#"{"count":5000}"#, Contained("")),
    ("test-tool-pure", "", "log_huge", r#"{"megabytes":2}"#, Contained("")),
    ("test-tool-pure", "", "panic", "{}", Stopped("failed")),
    ("test-tool-pure", "", "peek_memory", r#"{"reversed":"tnesba-si-taht-eldeen"}"#, Contained("")),
    ("test-tool-pure", "", "progress_flood", r#"{"count":5000}"#, Contained("")),
    ("test-tool-pure", "", "random_flood", r#"{"megabytes":64}"#, Stopped("test-tool-pure")),
    ("test-tool-pure", "", "read_env", "{}", Contained("")),
    ("test-tool-pure", "", "recurse", "{}", Stopped("called itself too deeply")),
    ("test-tool-pure", "", "recurse_in_memory", "{}", Stopped("test-tool-pure")),
    ("test-tool-pure", "", "sleep_forever", "{}", Stopped("took longer than 2 s")),
    ("test-tool-pure", "", "socket", r#"{"address":"127.0.0.1:22"}"#, Contained("refused")),
    ("test-tool-pure", "", "spin", "{}", Stopped("took longer than 2 s")),
    ("test-tool-pure", "", "std_read", r#"{"path":"/etc/passwd"}"#, Contained("refused")),
    ("test-tool-pure", "", "std_write", r#"{"path":"/tmp/x"}"#, Contained("refused")),
    ("test-tool-pure", "", "stderr_flood", r#"{"megabytes":8}"#, Contained("")),
    ("test-tool-pure", "", "stdout_flood", r#"{"megabytes":8}"#, Contained("")),
    ("test-tool-pure", "", "undocumented", "{}", Contained("")),
    ("test-tool-pure", "", "wait_cancel", "{}", Stopped("took longer than 2 s")),
    (
        "test-tool-web",
        "web",
        "dial",
        r#"{"url":"http://169.254.169.254/latest/meta-data"}"#,
        Contained("refused"),
    ),
    ("test-tool-web", "web", "handle_flood", r#"{"count":1000000,"secret":"test"}"#, Contained("")),
    (
        "test-tool-write",
        "file-read-write",
        "lying_read_only",
        r#"{"path":"/shared/lie.txt"}"#,
        Contained(""),
    ),
    (
        "test-tool-write",
        "file-read-write",
        "write_escape",
        r#"{"path":"/shared/../../../config.toml"}"#,
        Contained("refused"),
    ),
];

/// A home where a test component is installed and granted.
fn home(component: &str, profile: &str) -> Home {
    // So few calls of the host are made within the time of a call by a machine that is busy, too.
    let home = Home::with_config(
        "[limits]\ncall = \"2s\"\nhost_calls = 20000\nmemory = \"32MiB\"\noutput = \"1MiB\"\n",
    );
    home.run(&["component", "add", "--allow-unsigned", &test_component(component)]).code(0);
    if !profile.is_empty() {
        home.run(&["component", "grant", component, profile]).code(0);
    }
    home
}

fn contained(home: &Home, ran: &Ran) {
    let directory = home.path("");
    let directory = directory.to_str().unwrap().trim_end_matches('/');
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains("panicked"), "the host panicked: {ran:?}");
        assert!(!text.contains("wasm backtrace"), "a backtrace: {ran:?}");
    }
    assert!(!ran.stdout.contains(directory), "a host path: {ran:?}");
    assert!(!ran.stdout.contains("root:") && !ran.stdout.contains("PATH="), "{ran:?}");
}

#[test]
fn every_misbehaviour_is_stopped_or_contained() {
    for component in ["test-tool-files", "test-tool-pure", "test-tool-web", "test-tool-write"] {
        let cases: Vec<_> = CASES.iter().filter(|case| case.0 == component).collect();
        let home = home(component, cases[0].1);
        let config_before = std::fs::read_to_string(home.path("config.toml")).unwrap();
        for (_, _, tool, arguments, expect) in cases {
            let began = Instant::now();
            let ran = home.run(&["debug", "call", component, tool, arguments]);
            let took = began.elapsed();
            contained(&home, &ran);
            assert!(took < 2 * LIMIT + START, "{tool} took {took:?}");
            let said = format!("{}{}", ran.stdout, ran.stderr);
            match expect {
                Stopped(sentence) => {
                    assert_ne!(ran.code, Some(0), "{tool}: {ran:?}");
                    assert!(said.contains(sentence), "{tool}: expected `{sentence}` in {ran:?}");
                }
                Contained(text) => {
                    assert!(said.contains(text), "{tool}: expected `{text}` in {ran:?}")
                }
            }
        }
        // The host and its other components are as they were.
        home.run(&["debug", "call", "tool-json", "json_query", r#"{"json":"1","filter":". + 1"}"#])
            .code(0)
            .says("2");
        assert_eq!(std::fs::read_to_string(home.path("config.toml")).unwrap(), config_before);
    }
}

/// The vault through the whole binary: neither a tool nor an attachment brings its content out.
#[test]
fn neither_a_call_nor_an_attachment_brings_out_what_is_in_the_vault() {
    const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR-canary-of-the-vault";
    let home = Home::new();
    home.write("users/local/workspace/vault/note.txt", "canary-of-the-vault");
    let item = home.path("users/local/workspace/vault/picture.png");
    std::fs::write(&item, PICTURE).unwrap();
    std::fs::create_dir_all(home.shared("")).unwrap();
    std::os::unix::fs::symlink("../vault/note.txt", home.shared("link.txt")).unwrap();
    std::os::unix::fs::symlink(&item, home.path("elsewhere.png")).unwrap();
    for attached in [item, home.path("elsewhere.png")] {
        let ran = home.run(&["ask", "--attach", attached.to_str().unwrap(), "what is this?"]);
        assert_ne!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stderr.contains("is in the vault"), "{ran:?}");
    }
    for (component, tool, arguments) in [
        ("tool-files-read", "file_read", r#"{"path":"/vault/note.txt"}"#),
        ("tool-files-read", "file_read", r#"{"path":"/shared/link.txt"}"#),
        ("tool-files-read", "file_search", r#"{"pattern":"canary","path":"/shared"}"#),
        ("tool-vault-list", "vault_list", "{}"),
        ("tool-web", "web_fetch", r#"{"url":"file:///vault/note.txt"}"#),
    ] {
        let ran = home.run(&["debug", "call", component, tool, arguments]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains("canary-of-the-vault"), "{tool} {arguments}: {said}");
    }
    home.run(&["debug", "call", "tool-vault-list", "vault_list", "{}"])
        .code(0)
        .says("/vault/note.txt");
}

#[test]
fn a_misbehaviour_without_a_test_fails() {
    for component in ["test-tool-files", "test-tool-pure", "test-tool-web", "test-tool-write"] {
        let profile = CASES.iter().find(|case| case.0 == component).unwrap().1;
        let home = home(component, profile);
        let listed = home.run(&["component", "list", "--json"]).code(0).json_lines();
        let found = listed[0]
            .as_array()
            .unwrap()
            .iter()
            .find(|installed| installed["name"] == component)
            .unwrap()
            .clone();
        let tools: BTreeSet<&str> =
            found["tools"].as_array().unwrap().iter().map(|tool| tool.as_str().unwrap()).collect();
        let tested: BTreeSet<&str> =
            CASES.iter().filter(|case| case.0 == component).map(|case| case.2).collect();
        assert_eq!(tools, tested, "{component}");
    }
}
