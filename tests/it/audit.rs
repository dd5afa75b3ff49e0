//! The audit log through the built binary: what is in it, how it is found, and that tampering is.

use crate::support::hydroid::{Home, test_component};
use serde_json::Value;
use std::io::{BufRead, BufReader};

fn records(home: &Home, filter: &[&str]) -> Vec<Value> {
    home.run(&[&["audit", "query", "--json"], filter].concat()).code(0).json_lines()
}

#[test]
fn decisions_and_calls_are_recorded_and_found() {
    let home = Home::new();
    home.run(&["ask", "write a.txt: xyzzy"]).code(6);
    home.run(&["ask", "write a.txt: xyzzy", "--allow", "file_write"]).code(0);
    let denied = records(&home, &["--action", "call-decided", "--outcome", "denied"]);
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert!(denied[0]["event"]["rule"].as_str().unwrap().contains("--allow file_write"));
    let ran = records(&home, &["--action", "call-ran"]);
    assert_eq!(ran[0]["event"]["component"], "tool-files-write");
    let session = ran[0]["event"]["session"].as_str().unwrap();
    let call = ran[0]["event"]["call"].as_str().unwrap();
    assert!(records(&home, &["--session", &session[..20], "--call", call]).len() >= 2);
    let of = |component: &str| records(&home, &["--component", component, "--action", "call-ran"]);
    assert_eq!((of("tool-files-write").len(), of("tool-files").len()), (1, 0));
    assert_eq!(records(&home, &["--since", "2100-01-01"]).len(), 0);
    assert!(records(&home, &["--since", "1h"]).len() > 3);
    // Never what was said or written.
    assert!(records(&home, &[]).iter().all(|record| !record.to_string().contains("xyzzy")));
    home.run(&["audit", "tail", "-n", "2"]).code(0).says("allowed");
    home.run(&["audit", "query", "--action", "call-rna"]).code(2).tells("did you mean `call-ran`");
    home.run(&["audit", "query", "--since", "soon"]).code(2).tells("`1h`");
    home.run(&["audit", "verify"]).code(0).says("nothing is missing or changed");
}

#[test]
fn commands_that_change_what_may_happen_are_recorded() {
    let home = Home::new();
    let file = test_component("test-tool-web");
    home.run(&["component", "add", "--allow-unsigned", &file]).code(0);
    home.run(&["component", "grant", "test-tool-web", "web", "--host", "example.com"]).code(0);
    home.run(&["component", "revoke", "test-tool-web", "web"]).code(0);
    home.run(&["component", "remove", "test-tool-web"]).code(0);
    home.run(&["config", "set", "policy.changes", "deny"]).code(0);
    home.run(&["config", "set", "components.tool-later.config.max_chars", "5000"]).code(0);
    // What was refused changed nothing and is not there.
    home.run(&["component", "remove", "test-tool-web"]).code(2);
    home.run(&["config", "set", "turn.max_steps", "0"]).code(1);
    let done: Vec<String> = records(&home, &[])
        .iter()
        .map(|record| {
            let event = &record["event"];
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            let resource = text("resource").replace(&file, "FILE");
            format!("{} {} {resource}", text("action"), text("component"))
        })
        .collect();
    assert_eq!(
        done,
        [
            "component-changed test-tool-web added 0.1.0 from FILE, signed by nobody, allowed nothing",
            "grant-changed test-tool-web web --host example.com",
            "grant-changed test-tool-web web",
            "component-changed test-tool-web removed",
            "config-changed  policy.changes = \"deny\"",
            "config-changed  components.tool-later.config.max_chars",
        ]
    );
}

#[test]
fn what_is_done_to_secrets_is_recorded_without_a_value() {
    let home = Home::with_config("[secrets_store]\nmaster_key = \"file\"\n");
    home.run_with(&["secret", "set", "test"], b"hunter2-hunter2").code(0);
    home.run_with(&["secret", "import"], b"test=hunter2-hunter2-two")
        .code(0)
        .says("test is replaced, version 2");
    home.run(&["secret", "rotate"]).code(0);
    home.run(&["secret", "remove", "--yes", "test"]).code(0);
    let all = records(&home, &["--action", "secret-changed"]);
    let done: Vec<&str> =
        all.iter().map(|record| record["event"]["resource"].as_str().unwrap()).collect();
    assert_eq!(done, ["set test", "import test", "rotate", "remove test"]);
    assert!(all.iter().all(|record| !record.to_string().contains("hunter2")), "{all:?}");
}

#[test]
fn who_cannot_record_a_grant_does_not_give_it() {
    let home = Home::new();
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-web")]).code(0);
    let head = home.path("users/local/audit.head");
    std::fs::remove_file(&head).unwrap();
    std::fs::create_dir(&head).unwrap();
    home.run(&["component", "grant", "test-tool-web", "web", "--host", "example.com"])
        .code(1)
        .tells("nothing was done");
    assert!(!home.path("grants.toml").exists());
}

#[test]
fn what_was_removed_or_changed_is_found() {
    let home = Home::new();
    home.run(&["ask", "say hello"]).code(0);
    home.run(&["audit", "verify"]).code(0);
    // A copy of the database from before, put back: the records since then are gone.
    let database = home.path("users/local/journal.db");
    let before = std::fs::read(&database).unwrap();
    home.run(&["ask", "say hello"]).code(0);
    for end in ["-wal", "-shm"] {
        drop(std::fs::remove_file(home.path(&format!("users/local/journal.db{end}"))));
    }
    std::fs::write(&database, before).unwrap();
    home.run(&["audit", "verify"]).code(1).says("BROKEN record").says("at the end");
    home.run(&["doctor"]).code(1).says("the audit log");
    home.run(&["ask", "say hello"]).code(0);
    home.run(&["audit", "verify"]).code(1).says("BROKEN record");
}

#[test]
fn an_export_has_everything_and_no_secret() {
    let home = Home::with_config("[secrets.test]\nfile = \"key\"\n");
    home.write("key", "hunter2-hunter2");
    home.run(&["approval", "allow", "file_write(/shared/hunter2-hunter2/**)"]).code(0);
    home.run(&["component", "revoke", "tool-web"]).code(0);
    let jsonl = home.run(&["audit", "export", "-"]).code(0);
    assert_eq!(jsonl.json_lines().len(), 2);
    assert!(!jsonl.stdout.contains("hunter2"), "{jsonl:?}");
    let file = home.path("audit.csv");
    home.run(&["audit", "export", file.to_str().unwrap(), "--format", "csv"]).code(0);
    let csv = std::fs::read_to_string(&file).unwrap();
    assert!(csv.starts_with("seq,time,user,") && csv.lines().count() == 3, "{csv}");
    assert!(!csv.contains("hunter2"), "{csv}");
    let again = ["audit", "export", file.to_str().unwrap()];
    let before = std::fs::read(&file).unwrap();
    home.run(&again).code(2).tells("`--force` replaces it");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    home.run(&[&again[..], &["--force"]].concat()).code(0).tells("records written to");
    assert_ne!(std::fs::read(&file).unwrap(), before);
    home.run(&["audit", "export", "/nowhere/audit.csv"]).code(1).tells("cannot be written");
}

#[test]
fn following_shows_what_is_added() {
    let home = Home::new();
    home.run(&["component", "revoke", "tool-web"]).code(0);
    let mut following = home.start(&["audit", "tail", "--follow"]);
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.next().unwrap().contains("component revoke"));
    home.run(&["component", "grant", "tool-web", "web"]).code(0);
    assert!(lines.next().unwrap().contains("component grant"));
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn many_processes_at_once_leave_one_whole_log() {
    let home = Home::new();
    home.run(&["ask", "say hello"]).code(0);
    let running: Vec<_> =
        (0..6).map(|n| home.start(&["ask", &format!("say {n} then list files")])).collect();
    for process in running {
        let ran = process.wait_with_output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    home.run(&["audit", "verify"]).code(0);
    assert_eq!(records(&home, &["--action", "call-ran"]).len(), 6);
}

#[test]
fn a_killed_process_leaves_a_whole_log() {
    let home = Home::new();
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-pure")]).code(0);
    for _ in 0..3 {
        let mut killed = home.start(&["ask", "--json", "call sleep_forever {}"]);
        let mut lines = BufReader::new(killed.stdout.take().unwrap()).lines().map_while(Result::ok);
        lines.find(|line| line.contains("call_started")).expect("the call starts");
        killed.kill().unwrap();
        killed.wait().unwrap();
        home.run(&["audit", "verify"]).code(0);
    }
    assert_eq!(records(&home, &["--action", "call-ran"]).len(), 3);
}
