//! Approvals through the built binary: the prompt on a terminal, questions that outlive the
//! process, and what is allowed for good. What an answer means for a turn is tested in core.

use crate::support::hydroid::{Home, Ran};
use serde_json::Value;

/// What the prompt ends with.
const PROMPT: &str = "or why not: ";

const TWO_WRITES: &str = "write a.txt: one then write b.txt: two";

/// What waits and what is allowed for good.
fn listed(home: &Home) -> Value {
    home.run(&["approval", "list", "--json"]).code(0).json_lines().remove(0)
}

/// A home with one question open, about writing `a.txt`, and its call.
fn with_an_open_question(say: &str) -> (Home, String) {
    let home = Home::new();
    let mut asking = home.on_a_terminal(&["ask", say]);
    asking.shows(PROMPT).control('d');
    asking.ends_with(7);
    let call = listed(&home)["questions"][0]["call"].as_str().expect("a question").to_owned();
    (home, call)
}

fn answer(home: &Home, arguments: &[&str]) -> Ran {
    home.run(&[&["approval", "answer"], arguments].concat())
}

// ---- the prompt ----

#[test]
fn once_is_for_this_call_only() {
    let home = Home::new();
    let mut asking = home.on_a_terminal(&["ask", TWO_WRITES]);
    asking.shows("\"path\": \"a.txt\"").shows("because").shows(PROMPT).types("y");
    asking.shows("\"path\": \"b.txt\"").shows(PROMPT).types("n");
    asking.ends_with(0);
    assert_eq!(std::fs::read_to_string(home.shared("a.txt")).unwrap(), "one");
    assert!(!home.shared("b.txt").exists());
}

#[test]
fn session_is_for_calls_of_the_scope_that_was_named() {
    let home = Home::new();
    let mut asking = home.on_a_terminal(&["ask", TWO_WRITES]);
    asking.shows("[s]ession for `file_write(/shared/**)`").shows(PROMPT).types("s");
    asking.ends_with(0);
    assert!(home.shared("b.txt").exists());
    // And for no other session.
    home.run(&["ask", "write c.txt: three"]).code(6);
}

#[test]
fn always_holds_in_other_sessions_until_it_is_revoked() {
    let home = Home::new();
    let mut asking = home.on_a_terminal(&["ask", "write a.txt: one"]);
    asking.shows(PROMPT).types("a");
    asking.shows("which calls, from now on: ").types("(");
    asking.shows("is not a rule").shows("which calls, from now on: ").types("");
    asking.shows("for how many days").types("soon");
    asking.shows("no number of days").shows("for how many days").types("7");
    asking.ends_with(0);
    let listed = listed(&home);
    let standing = &listed["standing"][0];
    assert_eq!(standing["calls"], "file_write(/shared/**)");
    let lasts = standing["expires_ms"].as_u64().unwrap() - standing["created_ms"].as_u64().unwrap();
    assert_eq!(lasts, 7 * 24 * 3_600 * 1_000);
    home.run(&["ask", "write b.txt: two"]).code(0);
    let id = standing["id"].as_str().unwrap();
    home.run(&["approval", "revoke", id]).code(0);
    home.run(&["ask", "write c.txt: three"]).code(6);
    home.run(&["approval", "revoke", id]).code(2).tells("taken back already");
    home.run(&["approval", "list", "--all"]).code(0).says("revoked");
    home.run(&["audit", "query", "--action", "approval-given"])
        .code(0)
        .says("file_write(/shared/**)");
    home.run(&["audit", "query", "--action", "approval-revoked"]).code(0).says("file_write");
}

#[test]
fn edited_arguments_are_what_runs() {
    let home = Home::new();
    let mut asking = home.on_a_terminal(&["ask", "write a.txt: one"]);
    asking.shows(PROMPT).types("e");
    asking.shows("arguments: ").control('u').types("[1]");
    asking.shows("no JSON object").shows("arguments: ").control('u');
    asking.types(r#"{"path":"other.txt","content":"mine","mode":"overwrite"}"#);
    asking.ends_with(0);
    assert!(!home.shared("a.txt").exists());
    assert_eq!(std::fs::read_to_string(home.shared("other.txt")).unwrap(), "mine");
}

#[test]
fn a_reason_for_a_denial_is_what_the_model_reads() {
    let home = Home::new();
    let mut asking = home.on_a_terminal(&["ask", "--json", "say hello"]);
    asking.shows("turn_ended");
    asking.ends_with(0);
    let mut asking = home.on_a_terminal(&["ask", "write a.txt: one"]);
    asking.shows(PROMPT).types("use notes instead");
    let shown = asking.ends_with(0);
    assert!(!home.shared("a.txt").exists());
    let id = shown.rsplit("session ").next().unwrap().trim().to_owned();
    home.run(&["session", "export", &id])
        .code(0)
        .says("the person declined this call: use notes instead");
}

#[test]
fn a_key_that_was_missed_is_no_reason() {
    let home = Home::new();
    let mut asking = home.on_a_terminal(&["ask", "write a.txt: one"]);
    asking.shows(PROMPT).types("?").shows("it runs with other arguments");
    asking.shows(PROMPT).types("x").shows("`x` is no answer here").shows(PROMPT).types("y");
    asking.ends_with(0);
    assert!(home.shared("a.txt").exists());
}

#[test]
fn control_c_cancels_the_turn_and_runs_nothing() {
    let home = Home::new();
    let mut asking = home.on_a_terminal(&["ask", "write a.txt: one"]);
    asking.shows(PROMPT).control('c');
    asking.ends_with(5);
    assert!(!home.shared("a.txt").exists());
    assert_eq!(listed(&home)["questions"], serde_json::json!([]));
}

#[test]
fn an_end_of_the_input_answers_nothing() {
    let (home, call) = with_an_open_question("write a.txt: one");
    assert!(!home.shared("a.txt").exists());
    home.run(&["approval", "list"])
        .code(0)
        .says(&call)
        .says("? file_write of tool-files-write changes your files or notes")
        .says("\"path\": \"a.txt\"")
        .says("because")
        .says("│ +one")
        .says("`file_write(/shared/**)`");
    // Neither does thinking better of a longer answer.
    let mut asking = home.on_a_terminal(&["ask", "write b.txt: one"]);
    asking.shows(PROMPT).types("a").shows("from now on: ").control('c');
    asking.shows(PROMPT).types("e").shows("arguments: ").control('c');
    asking.shows(PROMPT).types("").shows("or why not").shows(PROMPT).types("n");
    asking.ends_with(0);
    assert!(!home.shared("b.txt").exists());
    assert_eq!(listed(&home)["standing"], serde_json::json!([]));
}

// ---- questions that outlive the process ----

#[test]
fn a_question_survives_the_kill_of_its_process_and_is_asked_again() {
    let home = Home::new();
    let mut asking = home.on_a_terminal(&["ask", "write a.txt: one"]);
    asking.shows(PROMPT);
    asking.killed();
    let question = listed(&home)["questions"][0].clone();
    let (call, session) =
        (question["call"].as_str().unwrap(), question["session"].as_str().unwrap());
    assert_eq!(question["tool"], "file_write");
    // Where nobody is, nothing goes past it.
    home.run(&["ask", "--session", session, "say hello"])
        .code(7)
        .tells(&format!("hydroid approval answer {call} once"));
    assert!(!home.shared("a.txt").exists());
    let mut asking = home.on_a_terminal(&["ask", "--session", session, "say hello"]);
    asking.shows("\"path\": \"a.txt\"").shows(PROMPT).types("y").shows("hello");
    asking.ends_with(0);
    assert!(home.shared("a.txt").exists());
    let mut chatting = home.on_a_terminal(&["chat", "--session", session]);
    chatting.shows(&format!("mode default, session {session}")).shows("/help").control('d');
    chatting.ends_with(0);
}

#[test]
fn chat_asks_first_what_was_asked_before() {
    let (home, _) = with_an_open_question("write a.txt: one");
    let session = listed(&home)["questions"][0]["session"].as_str().unwrap().to_owned();
    let mut chatting = home.on_a_terminal(&["chat", "--session", &session]);
    chatting.shows("\"path\": \"a.txt\"").shows(PROMPT).types("y");
    chatting.shows("/help").types("/quit");
    chatting.ends_with(0);
    assert!(home.shared("a.txt").exists());
}

#[test]
fn an_answer_by_command_runs_the_turn_to_its_end() {
    let (home, call) = with_an_open_question("write a.txt: one then say done");
    answer(&home, &["nonsense", "once"]).code(2).tells("hydroid approval list");
    answer(&home, &[&call, "once", "--days", "3"]).code(2).tells("belongs to `always`");
    answer(&home, &[&call, "edit"]).code(2).tells("--arguments");
    assert!(!home.shared("a.txt").exists());
    answer(&home, &[&call, "once"]).code(0).says("done");
    assert_eq!(std::fs::read_to_string(home.shared("a.txt")).unwrap(), "one");
    answer(&home, &[&call, "once"]).code(2).tells("no question");
}

#[test]
fn a_denial_by_command_runs_nothing_and_gives_the_reason() {
    let (home, call) = with_an_open_question("write a.txt: one");
    let session = listed(&home)["questions"][0]["session"].as_str().unwrap().to_owned();
    answer(&home, &[&call, "deny", "--reason", "not today"]).code(0);
    assert!(!home.shared("a.txt").exists());
    home.run(&["session", "export", &session]).code(0).says("not today");
}

#[test]
fn edited_arguments_by_command_are_what_runs() {
    let (home, call) = with_an_open_question("write a.txt: one");
    answer(&home, &[&call, "edit", "--arguments", "nonsense"]).code(2);
    let arguments = r#"{"path":"c.txt","content":"mine","mode":"overwrite"}"#;
    answer(&home, &[&call, "edit", "--arguments", arguments]).code(0);
    assert!(home.shared("c.txt").exists() && !home.shared("a.txt").exists());
}

#[test]
fn always_by_command_is_given_for_the_pattern_and_the_days() {
    let (home, call) = with_an_open_question("write a.txt: one");
    answer(&home, &[&call, "always", "--calls", "file_write(/elsewhere/**)"]).code(2);
    answer(&home, &[&call, "always", "--calls", "file_write(/shared/a.txt)", "--days", "1"])
        .code(0);
    assert_eq!(listed(&home)["standing"][0]["calls"], "file_write(/shared/a.txt)");
    home.run(&["ask", "write a.txt: two"]).code(0);
    home.run(&["ask", "write b.txt: two"]).code(6);
}

#[test]
fn a_further_question_stays_open_and_is_named() {
    let (home, call) = with_an_open_question(TWO_WRITES);
    let ran = answer(&home, &[&call, "once"]).code(7).tells("waits for an answer");
    assert!(home.shared("a.txt").exists() && !home.shared("b.txt").exists());
    let second = listed(&home)["questions"][0]["call"].as_str().unwrap().to_owned();
    assert_ne!(second, call);
    assert!(ran.stderr.contains(&format!("hydroid approval answer {second} once")), "{ran:?}");
    answer(&home, &[&second, "once"]).code(0);
    assert!(home.shared("b.txt").exists());
}

// ---- allowed for good ----

#[test]
fn what_is_allowed_for_good_is_no_more_than_what_was_named() {
    let home = Home::new();
    home.run(&["approval", "allow", "file_write(/shared/notes/**)"]).code(0).says("from now on");
    home.run(&["ask", "write notes/a.txt: one"]).code(0);
    home.run(&["ask", "write a.txt: one"]).code(6);
    home.run(&["ask", "write notes/../b.txt: one"]).code(6);
    assert!(home.shared("notes/a.txt").exists());
    assert!(!home.shared("a.txt").exists() && !home.shared("b.txt").exists());
}

#[test]
fn what_makes_no_sense_is_not_allowed() {
    let home = Home::new();
    let refused = |arguments: &[&str], expect: &str| {
        home.run(&[&["approval", "allow"], arguments].concat()).code(2).tells(expect);
    };
    refused(&["file_wirte"], "did you mean `file_write`");
    refused(&["file_write("], "is not a rule for calls");
    refused(&["file_write", "--component", "tool-web2"], "did you mean `tool-web`");
    refused(&["file_write", "--days", "0"], "0");
    home.run(&["approval", "revoke", "nothing"]).code(2).tells("no approval `nothing`");
    assert_eq!(listed(&home)["standing"], serde_json::json!([]));
    home.run(&["approval", "list"])
        .code(0)
        .tells("no question")
        .tells("nothing is allowed for good");
}

#[test]
fn a_standing_approval_of_another_component_does_not_count() {
    let home = Home::new();
    home.run(&["approval", "allow", "file_write", "--component", "tool-web"]).code(0);
    home.run(&["ask", "write a.txt: one"]).code(6);
    assert!(!home.shared("a.txt").exists());
}
