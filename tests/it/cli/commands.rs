//! The commands besides `ask`: components and grants, configuration, doctor and the debug tools.

use super::check_lines;
use crate::support::hydroid::{Home, test_component};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

#[test]
fn the_components_of_the_release_are_there() {
    let home = Home::new();
    let listed = home.run(&["component", "list", "--json"]).code(0).json_lines();
    let ready: Vec<&str> = listed[0]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["state"] == "ready")
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    for name in [
        "provider-anthropic",
        "provider-bedrock",
        "provider-rehearsal",
        "tool-files-read",
        "tool-files-write",
        "tool-json",
        "tool-time",
        "tool-web",
    ] {
        assert!(ready.contains(&name), "{name} is not ready: {listed:?}");
        home.run(&["component", "inspect", name])
            .code(0)
            .says("role    ")
            .says("cannot  ")
            .says("sha256:");
    }
    home.run(&["component", "list"]).code(0).says("tool-web").says("web_fetch");
    home.run(&["component", "inspect", "tool-files-read"])
        .code(0)
        .says("hydroid:cap/fs-read")
        .says("write files")
        .says("proven");
    let nonsense = "components.tool-time.config.nonsense=1";
    home.run(&["component", "inspect", "tool-time", "--set", nonsense])
        .code(0)
        .says("refused ")
        .says("components.tool-time.config");
    home.run(&["component", "inspect", "tool-wep"]).code(2).tells("did you mean `tool-web`");
}

#[test]
fn a_component_is_checked_added_granted_revoked_and_removed() {
    let home = Home::new();
    let file = test_component("test-tool-web");
    home.run(&["component", "check", &file])
        .code(1)
        .says("would be refused")
        .says("hydroid component grant test-tool-web web");
    home.run(&["component", "add", "--allow-unsigned", &file])
        .code(0)
        .says("hydroid component grant test-tool-web web")
        .tells("not used yet");
    home.run(&["component", "inspect", "test-tool-web"]).code(0).says("NOT GRANTED");
    home.run(&["component", "grant", "test-tool-web", "web", "--host", "example.com"])
        .code(0)
        .says("example.com")
        .says("secret test");
    let mode =
        |name: &str| std::fs::metadata(home.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode("grants.toml"), mode("components/test-tool-web.wasm"), mode("components")),
        (0o600, 0o600, 0o700)
    );
    home.run(&["component", "inspect", "test-tool-web"])
        .code(0)
        .says("state   ready")
        .says("example.com");
    home.run(&["component", "add", "--allow-unsigned", &file]).code(0).says("it is ready");
    home.run(&["component", "revoke", "test-tool-web", "web"]).code(0).says("granted nothing");
    home.run(&["component", "revoke", "test-tool-web", "web"])
        .code(2)
        .tells("is not granted `web`");
    home.run(&["component", "remove", "test-tool-web"]).code(0).says("removed test-tool-web.wasm");
    home.run(&["component", "remove", "test-tool-web"]).code(2).tells("no component is called");
}

#[test]
fn a_new_version_that_asks_for_nothing_more_keeps_its_grants() {
    let home = Home::new();
    let file = test_component("test-tool-web");
    home.run(&["component", "add", "--allow-unsigned", &file]).code(0);
    home.run(&["component", "grant", "test-tool-web", "web", "--host", "example.com"]).code(0);
    let mut newer = std::fs::read(&file).unwrap();
    let version = b"version = \"0.1.0\"";
    let at = newer.windows(version.len()).position(|found| found == version).unwrap();
    newer[at..at + version.len()].copy_from_slice(b"version = \"0.1.1\"");
    std::fs::write(home.path("newer.wasm"), newer).unwrap();
    let newer = home.path("newer.wasm");
    home.run(&["component", "check", newer.to_str().unwrap()]).code(1).says("not granted");
    home.run(&["component", "add", "--allow-unsigned", newer.to_str().unwrap()])
        .code(0)
        .says("its grants stay")
        .says("it is ready");
    let count = std::fs::read_dir(home.path("components")).unwrap().count();
    assert_eq!(count, 1, "the older file is still there");
}

#[test]
fn a_home_that_cannot_be_one_is_named() {
    let home = Home::new();
    home.write("file", "");
    home.run(&["ask", "hi", "--workspace", home.path("file").to_str().unwrap()])
        .code(1)
        .tells("cannot be");
    home.run(&["component", "grant"]).code(2);
    home.run(&["session"]).code(2).tells("Usage");
}

#[test]
fn a_grant_that_makes_no_sense_is_refused() {
    let home = Home::new();
    home.run(&["component", "grant", "tool-web", "shell"])
        .code(2)
        .tells("does not have the profile `shell`");
    home.run(&["component", "grant", "tool-web", "wep"]).code(2).tells("did you mean `web`");
    home.run(&["component", "grant", "tool-web", "file-read-only"])
        .code(2)
        .tells("does not declare `file-read-only`");
    home.run(&["component", "grant", "tool-web", "pure"]).code(2).tells("always granted");
    home.run(&["component", "grant", "tool-web", "web", "--host", "http://a b"])
        .code(2)
        .tells("not a host pattern");
    home.run(&["component", "grant", "tool-web", "web", "--secret", "x"])
        .code(2)
        .tells("declares no secret `x`");
    home.run(&["component", "grant", "tool-files-read", "file-read-only", "--host", "a.com"])
        .code(2)
        .tells("belong to `web`");
    home.run(&["component", "grant", "nothing", "web"]).code(2).tells("no component is called");
    assert!(!home.path("grants.toml").exists());
}

#[test]
fn the_release_can_be_restricted_and_not_replaced() {
    let home = Home::new();
    home.run(&["component", "remove", "tool-web"])
        .code(2)
        .tells("components.tool-web.enabled false");
    home.run(&["component", "revoke", "tool-web"]).code(0).says("granted nothing");
    home.run(&["ask", "--allow", "web_fetch", "hi"]).code(2).tells("names no tool");
    home.run(&["component", "grant", "tool-web", "web"]).code(0).says("tool-web can");
    home.run(&["config", "set", "components.tool-web.enabled", "false"]).code(0);
    home.run(&["component", "inspect", "tool-web"]).code(0).says("turned off");
    let release = crate::root().join("target/components/tool-web.wasm");
    home.run(&["component", "add", "--allow-unsigned", release.to_str().unwrap()])
        .code(1)
        .tells("taken by a component of the release");
}

#[test]
fn what_the_release_brings_can_be_narrowed_to_one_host() {
    let home = Home::new();
    let component = |words: &[&str]| home.run(&[&["component"], words].concat());
    component(&["inspect", "tool-web"]).says("granted what it wants");
    component(&["grant", "tool-web", "web", "--host", "docs.rs"])
        .code(0)
        .says("  * (GET)")
        .tells("changes nothing");
    let only = |ran: crate::support::hydroid::Ran, hosts: &[&str]| {
        let shown: Vec<&str> =
            ran.stdout.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        assert_eq!(shown, hosts, "{ran:?}");
    };
    let wish = ["grant", "tool-web", "web", "--host", "docs.rs", "--only"];
    only(component(&wish).code(0), &["docs.rs (GET)"]);
    only(
        component(&["grant", "tool-web", "web", "--host", "a.example"]).code(0),
        &["a.example (GET)", "docs.rs (GET)"],
    );
    component(&["revoke", "tool-web", "web", "--host", "b.example"]).code(2).tells("none of the");
    only(
        component(&["revoke", "tool-web", "web", "--host", "a.example"]).code(0),
        &["docs.rs (GET)"],
    );
    component(&["revoke", "tool-web", "web", "--host", "docs.rs"]).code(0).says("granted nothing");
    let seen = component(&["inspect", "tool-web"]).code(0);
    assert!(!seen.stdout.contains("granted what it wants"), "{seen:?}");
    only(component(&["grant", "tool-web", "web", "--host", "docs.rs"]).code(0), &["docs.rs (GET)"]);
}

#[test]
fn a_file_that_is_no_component_is_refused_with_the_reason() {
    let home = Home::new();
    home.write("bad.wasm", "not wasm");
    let bad = home.path("bad.wasm");
    let bad = bad.to_str().unwrap();
    home.run(&["component", "check", bad]).code(1).says("would be refused");
    home.run(&["component", "add", "--allow-unsigned", bad]).code(1).tells("cannot be added");
    home.run(&["component", "check", "/nowhere.wasm"]).code(1).tells("cannot be opened");
    assert!(!home.path("components/bad.wasm").exists());
}

#[test]
fn the_configuration_is_shown_explained_and_set() {
    let home = Home::with_config("# mine\n[turn]\nmax_steps = 5 # few\n");
    home.run(&["config", "show"])
        .code(0)
        .says("turn.max_steps = 5")
        .says("turn.max_seconds = 900  # default");
    let shown =
        home.run(&["config", "show", "--json", "--set", "turn.max_steps=6"]).code(0).json_lines();
    assert_eq!(shown[0]["turn.max_steps"]["value"], json!(6));
    home.run(&["config", "set", "turn.max_steps", "7"]).code(0);
    assert_eq!(
        std::fs::read_to_string(home.path("config.toml")).unwrap(),
        "# mine\n[turn]\nmax_steps = 7 # few\n"
    );
    home.run(&["config", "explain", "turn.max_steps"])
        .code(0)
        .says("Model requests in one turn")
        .says("config.toml");
    home.run(&["config", "explain", "turn"]).code(0).says("turn.max_tokens");
    home.run(&["config", "explain"]).code(0).says("HYDROID_HOME");
    home.run(&["config", "path"]).code(0).says("config.toml").says("hydroid.toml  (not there)");
    home.run(&["config", "explain", "trun"]).code(2).tells("unknown configuration key `trun`");
}

#[test]
fn a_setting_that_cannot_be_used_changes_nothing() {
    let home = Home::with_config("[turn]\nmax_steps = 5\n");
    home.run(&["config", "set", "turn.max_steps", "0"]).code(1).tells("nothing was changed");
    home.run(&["config", "set", "turn.max_steps", "many"]).code(2).tells("it is a number");
    home.run(&["config", "set", "turn.max_step", "1"]).code(2).tells("did you mean");
    assert_eq!(
        std::fs::read_to_string(home.path("config.toml")).unwrap(),
        "[turn]\nmax_steps = 5\n"
    );
}

#[test]
fn a_broken_or_greedy_file_is_named() {
    Home::with_config("[turn]\nmax_step = 1\n")
        .run(&["ask", "hi"])
        .code(1)
        .tells("config.toml")
        .tells("did you mean `turn.max_steps`");
    Home::with_config("turn = [").run(&["doctor"]).code(1).says("BROKEN the configuration");
    let home = Home::new();
    home.write("users/local/workspace/hydroid.toml", "[policy]\nchanges = \"allow\"\n");
    home.run(&["ask", "hi"]).code(1).tells("a workspace may only make a rule stricter");
    let other = home.path("other");
    home.run(&["ask", "--workspace", other.to_str().unwrap(), "say hi"]).code(0).says("hi");
    assert!(other.join("shared").is_dir());
}

#[test]
fn the_doctor_finds_what_is_broken() {
    let home = Home::new();
    home.run(&["doctor"])
        .code(0)
        .says("wasmtime 48")
        .says("component tool-web (tool) is ready")
        .says("no damage found");
    home.run(&["doctor", "--set", "model.provider=provider-openai"])
        .says("secret `openai` of provider-openai is not set");
    home.run(&["doctor", "--set", "model.provider=provider-x"])
        .code(1)
        .says("no component is called `provider-x`");
    home.write("grants.toml", "nonsense = 1\n");
    home.run(&["doctor"]).code(1).says("grants.toml");
}

#[test]
fn completions_are_printed_for_a_shell() {
    let home = Home::new();
    home.run(&["completions", "bash"]).code(0).says("_hydroid()");
    home.run(&["completions", "cobol"]).code(2);
}

#[test]
fn scrubbing_answers_each_line_in_its_place() {
    let home = Home::with_config("[secrets.test]\nfile = \"key\"\n");
    home.write("key", "hunter2-hunter2");
    check_lines(
        &home,
        &["debug", "scrub", "--stdin-jsonl"],
        b"\"a\"\nnonsense\n\"x hunter2-hunter2 y\"\n\xff\n",
        |lines| {
            assert_eq!(lines.len(), 4);
            assert_eq!(lines[0], json!("a"));
            assert!(lines[1]["error"].is_string() && lines[3]["error"].is_string(), "{lines:?}");
            assert!(!lines[2].to_string().contains("hunter2"), "{lines:?}");
        },
    );
}

#[test]
fn scrubbing_says_what_it_masked_and_pieces_change_nothing() {
    let home = Home::with_config("[secrets.test]\nfile = \"key\"\n");
    home.write("key", "hunter2-hunter2");
    let input = concat!(
        r#"{"text":"é aHVudGVyMi1odW50ZXIy ü hunter2-\nhunter2 é"}"#,
        "\n",
        r#"{"text":"own-väl-42 and hunter2-hunter2","secrets":{"own":"own-väl-42"}}"#,
        "\n",
        r#"{"text":"run AKIAQ2W3E4R5T6Y7U2I3 now"}"#,
        "\n",
        r#"{"text":"plain é text"}"#,
        "\n",
        r#"{"txt":"a"}"#,
        "\n"
    );
    let expect = |lines: &[Value]| {
        assert_eq!(lines.len(), 5);
        let known = "é [secret:test] ü [secret:test] é";
        assert_eq!(lines[0], json!({"text": known, "redactions": 2, "kinds": ["secret:test"]}));
        let own = "[secret:own] and hunter2-hunter2";
        assert_eq!(lines[1], json!({"text": own, "redactions": 1, "kinds": ["secret:own"]}));
        let guessed = "run [redacted:aws-access-token] now";
        let kinds = ["aws-access-token"];
        assert_eq!(lines[2], json!({"text": guessed, "redactions": 1, "kinds": kinds}));
        assert_eq!(lines[3], json!({"text": "plain é text", "redactions": 0, "kinds": []}));
        assert!(lines[4]["error"].is_string(), "{lines:?}");
    };
    for arguments in [
        &["debug", "scrub", "--stdin-jsonl"][..],
        &["debug", "scrub", "--stdin-jsonl", "--chunk", "1"],
        &["debug", "scrub", "--stdin-jsonl", "--chunk", "7"],
    ] {
        check_lines(&home, arguments, input.as_bytes(), expect);
    }
    home.run(&["debug", "scrub", "--stdin-jsonl", "--chunk", "0"]).code(2);
}

#[test]
fn fetching_refuses_what_is_not_public() {
    let home = Home::new();
    let input = b"http://127.0.0.1/\nnonsense\nhttp://[::ffff:10.0.0.1]/\nhttp://0x7f.1/\n\xff\nfile:///etc/passwd\n";
    check_lines(&home, &["debug", "fetch", "--stdin"], input, |lines| {
        assert_eq!(lines.len(), 6);
        for line in lines {
            assert_eq!(line["allowed"], json!(false), "{line}");
            assert!(line["reason"].is_string() && line["status"].is_null(), "{line}");
        }
        assert_eq!(lines[0]["url"], json!("http://127.0.0.1/"));
    });
}

#[test]
fn one_tool_is_called_without_a_model() {
    let home = Home::new();
    home.run(&[
        "debug",
        "call",
        "tool-json",
        "json_query",
        r#"{"json":"{\"a\":7}","filter":".a"}"#,
    ])
    .code(0)
    .says("7");
    let output =
        home.run(&["debug", "call", "tool-time", "time_now", "{}", "--json"]).code(0).json_lines();
    assert_eq!(output[0]["is_error"], json!(false));
    home.run(&["debug", "call", "tool-files-read", "file_read", r#"{"path":"/shared/none"}"#])
        .code(1);
    home.run(&["debug", "call", "tool-files-read", "file_read", "{}"])
        .code(2)
        .tells("do not fit its schema");
    home.run(&["debug", "call", "tool-time", "file_read", r#"{"path":"a"}"#])
        .code(2)
        .tells("belongs to `tool-files-read`");
    home.run(&["debug", "call", "tool-time", "time_nwo", "{}"])
        .code(2)
        .tells("did you mean `time_now`");
}

#[test]
fn arguments_are_read_as_a_models_are() {
    let home = Home::new();
    let ran = home.run_with(&["debug", "parse-args"], b" {\"a\" : 1} ").code(0);
    assert_eq!(ran.stdout, "{\"a\":1}\n");
    home.run_with(&["debug", "parse-args"], b"{\"a\"").code(1);
    home.run_with(&["debug", "parse-args"], b"\xff").code(1).tells("not UTF-8");
}

#[test]
fn the_log_file_keeps_what_the_screen_does_not_show() {
    let home = Home::new();
    home.run(&["ask", "say hello"]).code(0);
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-pure")]).code(0);
    let ran = home.run(&["debug", "call", "test-tool-pure", "panic", "{}"]);
    assert!(!ran.stdout.contains("backtrace") && !ran.stderr.contains("backtrace"), "{ran:?}");
    let log = std::fs::read_to_string(home.path("users/local/hydroid.log")).unwrap();
    assert!(log.contains("wasm backtrace") && log.contains("test-tool-pure"), "{log}");
    assert!(
        !log.contains(home.path("").to_str().unwrap().trim_end_matches('/')),
        "a host path: {log}"
    );
}

#[test]
fn a_session_has_one_process_at_a_time() {
    let home = Home::new();
    home.run(&["ask", "say hello"]).code(0);
    let listed = home.run(&["session", "list", "--json"]).code(0).json_lines();
    let id = listed[0][0]["id"].as_str().unwrap().to_owned();
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-pure")]).code(0);
    let mut first = home.start(&[
        "ask",
        "--json",
        "--session",
        &id,
        "call sleep_forever {}",
        "--set",
        "limits.call=5s",
    ]);
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(first.stdout.take().unwrap()));
    lines
        .find(|line| line.as_ref().is_ok_and(|line| line.contains("call_started")))
        .expect("the call starts")
        .unwrap();
    home.run(&["ask", "--session", &id, "say me too"]).code(1).tells("is in use by process");
    first.kill().unwrap();
    first.wait().unwrap();
    // The system let go of it, and the turn that was cut off is closed.
    home.run(&["ask", "--session", &id, "say me too"]).code(0).says("me too");
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let home = Home::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = home.run_into(&["ask", "say hello"], full);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("could not be written"), "{ran:?}");
}
