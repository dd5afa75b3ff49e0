//! The built `hydroid` as a person or a script uses it: what goes to which stream, which exit code
//! comes back, and what is said when something is wrong.

use crate::support::hydroid::{Home, test_component};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Command;

mod commands;
mod settings;

/// The identifier of the newest session.
fn newest(home: &Home) -> String {
    let listed = home.run(&["session", "list", "--json"]).code(0).json_lines();
    listed[0][0]["id"].as_str().expect("a session").to_owned()
}

#[test]
fn the_answer_goes_to_standard_output_and_the_rest_to_standard_error() {
    let ran = Home::new().run(&["ask", "say hello there"]).code(0);
    assert_eq!(ran.stdout, "hello there\n");
    let ran = ran.tells("1 step").tells("session ");
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
}

#[test]
fn quiet_leaves_the_answer_only() {
    let ran = Home::new().run(&["ask", "--quiet", "list files"]).code(0).says("/shared");
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_change_is_denied_where_nobody_can_be_asked() {
    let home = Home::new();
    home.run(&["ask", "write a.txt: one"]).code(6).tells("--allow file_write");
    assert!(!home.shared("a.txt").exists());
    home.run(&["ask", "--allow", "file_write", "write a.txt: one"]).code(0);
    assert_eq!(std::fs::read_to_string(home.shared("a.txt")).unwrap(), "one");
    home.run(&["ask", "--set", "policy.changes=deny", "--allow", "file_write", "write b.txt: two"])
        .code(6)
        .tells("policy.changes");
    assert!(!home.shared("b.txt").exists());
}

#[test]
fn what_is_typed_wrong_is_a_usage_error_with_a_remedy() {
    let home = Home::new();
    home.run(&["ask", "--allow", "file_wrte", "hi"]).code(2).tells("did you mean `file_write`");
    home.run(&["ask"]).code(2).tells("nothing was said");
    home.run(&["ask", "   "]).code(2).tells("nothing was said");
    home.run(&["aks", "hi"]).code(2).tells("unrecognized subcommand 'aks'");
    home.run(&["ask", "--set", "turn.max_step=1", "hi"])
        .code(2)
        .tells("did you mean `turn.max_steps`");
    home.run(&["ask", "--json", "--quiet", "hi"]).code(2);
    home.run(&["chat"]).code(2).tells("needs a terminal");
    home.run(&[]).code(2);
    home.run(&["--help"]).code(0).says("Exit codes:");
    home.run(&["--version"]).code(0).says("hydroid ");
}

#[test]
fn what_is_piped_in_alone_is_said_and_beside_a_text_it_is_data() {
    let home = Home::new();
    home.run_with(&["ask"], b"say from a pipe").code(0).says("from a pipe");
    let ran = home.run_with(&["ask", "--json", "say this"], b"then say that").code(0);
    let parts = &ran.json_lines()[0]["entry"]["parts"];
    assert_eq!(parts[0]["text"], "say this", "{parts}");
    assert_eq!(parts[1]["text"], "then say that", "{parts}");
    assert_eq!(parts[1]["label"]["trust"], "untrusted", "{parts}");
    assert_eq!(parts[0]["label"]["trust"], "trusted", "{parts}");
    home.run_with(&["ask", "say this"], b"file_write x.txt: hello").code(0).says("this");
}

#[test]
fn standard_input_that_cannot_be_used_is_refused() {
    let home = Home::new();
    home.run_with(&["ask", "hi"], b"ab\xff").code(1).tells("not UTF-8 at byte 2");
    home.run_with(&["ask", "hi"], &vec![b'a'; (1 << 20) + 1])
        .code(1)
        .tells("more than 1048576 bytes");
}

#[test]
fn json_is_one_message_a_line_from_the_first_to_the_last() {
    let ran = Home::new().run(&["ask", "--json", "say \"a\u{9b}b\""]).code(0);
    assert_eq!(ran.stderr, "");
    assert!(!ran.stdout.contains('\u{9b}'));
    let lines = ran.json_lines();
    assert_eq!(lines[0]["entry"]["kind"], "turn_started");
    let last = lines.last().expect("a line");
    assert_eq!(
        (&last["entry"]["kind"], &last["entry"]["outcome"]["outcome"]),
        (&json!("turn_ended"), &json!("completed"))
    );
    let numbers: Vec<u64> = lines.iter().filter_map(|line| line["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_turn_that_does_not_complete_has_a_code_of_its_own() {
    let home = Home::new();
    home.run(&["ask", "--provider", "provider-rehersal", "hi"])
        .code(2)
        .tells("did you mean `provider-rehearsal`");
    home.run(&["ask", "--set", "turn.max_steps=1", "list files"]).code(4).tells("turn.max_steps");
}

#[test]
fn a_recording_answers_as_the_model_did() {
    let home = Home::new();
    let file = home.path("a.recording");
    let file = file.to_str().unwrap();
    let first = home.run(&["ask", "--record", file, "list files then say done"]).code(0);
    let again = home.run(&["ask", "--replay", file, "list files then say done"]).code(0);
    assert_eq!(first.stdout, again.stdout);
    home.run(&["ask", "--replay", "/nowhere", "hi"]).code(1).tells("cannot be opened");
    home.write("not.recording", "{}\n");
    home.run(&["ask", "--replay", home.path("not.recording").to_str().unwrap(), "hi"])
        .code(1)
        .tells("is not a recording");
}

#[test]
fn a_session_is_listed_shown_exported_and_gone_on_with() {
    let home = Home::new();
    home.run(&["session", "list"]).code(0).tells("no sessions yet");
    home.run(&["ask", "say the key is under the mat"]).code(0);
    let id = newest(&home);
    home.run(&["session", "list"]).code(0).says(&id).says("say the key is under");
    home.run(&["ask", "--session", &id, "summarise the conversation"])
        .code(0)
        .says("under the mat");
    assert_eq!(newest(&home), id, "it went on with another session");
    home.run(&["session", "show", &id])
        .code(0)
        .says("you: say the key")
        .says("you: summarise the conversation");
    let entries = home.run(&["session", "export", &id]).code(0).json_lines();
    assert_eq!(entries[0]["entry"]["kind"], "turn_started");
    home.run(&["session", "export", &id, "--format", "markdown"]).code(0).says("## say the key");
    home.run(&["session", "export", &id, "--format", "replay"])
        .code(0)
        .says("\"hydroid_recording\":1");
}

#[test]
fn a_secret_that_became_known_later_is_in_nothing_that_is_shown_of_an_older_session() {
    let home = Home::new();
    let later = "under-the-mat-4711";
    home.run(&["ask", &format!("say {later}")]).code(0).says(later);
    let id = newest(&home);
    let commands = [
        "session list".to_owned(),
        "session list --json".to_owned(),
        format!("session show {id}"),
        format!("session export {id}"),
        format!("session export {id} --format markdown"),
        format!("session export {id} --format replay"),
    ];
    let run = |command: &str| home.run(&command.split(' ').collect::<Vec<_>>()).code(0);
    for command in &commands {
        run(command).says(later);
    }
    home.run_with(&["secret", "set", "mat"], later.as_bytes()).code(0);
    for command in &commands {
        let ran = run(command).says("[secret:mat]");
        assert!(!ran.stdout.contains("4711"), "{command}\n{ran:?}");
    }
    // The model is not told either, or the request would be held back with it.
    let again = home.run(&["ask", "--session", &id, "summarise the conversation"]).code(0);
    assert!(!again.stdout.contains("4711"), "{again:?}");
}

#[test]
fn a_session_that_is_not_there_or_not_clear_is_refused() {
    let home = Home::new();
    home.run(&["session", "show", "nothing"]).code(1).tells("no session `nothing`");
    home.run(&["ask", "--session", "", "hi"]).code(2);
    home.run(&["ask", "say one"]).code(0);
    home.run(&["ask", "say two"]).code(0);
    home.run(&["session", "show", "0"]).code(2).tells("2 sessions begin with `0`");
    home.run(&["session", "resume", &newest(&home)]).code(2).tells("needs a terminal");
}

/// Starts a turn that computes without end and waits until it does.
fn busy(home: &Home) -> std::process::Child {
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-pure")])
        .code(0)
        .says("it is ready");
    let mut child = home.start(&["ask", "say before then call spin {}"]);
    let errors = BufReader::new(child.stderr.take().expect("standard error was asked for"));
    let mut lines = errors.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("→ spin")), "the call did not begin");
    child
}

#[test]
fn a_killed_turn_is_shown_and_gone_on_with() {
    let home = Home::new();
    let mut child = busy(&home);
    child.kill().unwrap();
    child.wait().unwrap();
    let id = newest(&home);
    home.run(&["session", "show", &id]).code(0).says("→ spin");
    home.run(&["ask", "--session", &id, "say after"]).code(0).says("after");
    home.run(&["session", "show", &id])
        .code(0)
        .says("the host stopped before this call had a result")
        .says("interrupted")
        .says("after");
    home.run(&["doctor"]).code(0).says("no damage found");
}

#[test]
fn an_interrupt_cancels_the_turn_and_it_is_recorded() {
    let home = Home::new();
    let mut child = busy(&home);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(5));
    home.run(&["session", "show", &newest(&home)]).code(0).says("the turn was cancelled");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = Home::new();
    let mut child = home.start(&["config", "explain"]);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
        (Some(0), "")
    );
}

#[test]
fn no_secret_is_shown_anywhere() {
    let home = Home::with_config("[secrets.test]\nfile = \"key\"\n[log]\nlevel = \"debug\"\n");
    home.write("key", "hunter2-hunter2\n");
    home.write("users/local/workspace/shared/leak.txt", "the key is hunter2-hunter2");
    for arguments in [
        ["ask", "--json", "read leak.txt"].as_slice(),
        &["ask", "say hunter2-hunter2"],
        &["doctor"],
        &["config", "show"],
    ] {
        let ran = home.run(arguments).code(0);
        assert!(
            !format!("{}{}", ran.stdout, ran.stderr).contains("hunter2-hunter2"),
            "{arguments:?}\n{ran:?}"
        );
    }
    let exported = home.run(&["session", "export", &newest(&home)]).code(0);
    assert!(!exported.stdout.contains("hunter2-hunter2"), "{exported:?}");
}

/// Everything is in a line of its own and in order, also what makes no sense.
#[track_caller]
fn check_lines(home: &Home, arguments: &[&str], input: &[u8], expect: impl Fn(&[Value])) {
    let ran = home.run_with(arguments, input).code(0);
    expect(&ran.json_lines());
}
