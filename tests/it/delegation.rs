//! Tasks that are handed on, through the built binary: the tool of the release, its grant, the
//! rules for what a child turn calls, and what is recorded of it.

use crate::support::hydroid::Home;
use serde_json::Value;

fn delegate(task: &str) -> String {
    format!("call delegate {}", serde_json::json!({ "task": task }))
}

#[test]
fn a_task_is_done_with_tools_and_its_answer_is_the_calls() {
    let home = Home::new();
    home.write("users/local/workspace/shared/a.md", "the harbour inn");
    let lines = home.run(&["ask", &delegate("read a.md"), "--json"]).code(0).json_lines();
    let entries: Vec<&Value> = lines.iter().map(|line| &line["entry"]).collect();
    let kind = |kind: &'static str| entries.iter().filter(move |entry| entry["kind"] == kind);
    let read = kind("call_received").find(|entry| entry["call"]["name"] == "file_read").unwrap();
    let call = kind("call_received").find(|entry| entry["call"]["name"] == "delegate").unwrap();
    assert_eq!(read["parent"], call["call"]["id"]);
    let steps: Vec<u64> =
        kind("child_answered").map(|entry| entry["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 2]);
    let finished = kind("call_finished").find(|entry| entry["call_id"] == call["call"]["id"]);
    assert!(finished.unwrap()["output"].to_string().contains("the harbour inn"));
    // What it used is in the account of the turn and in the ledger.
    let used = |entry: &&&Value| entry["usage"]["input"].as_u64().unwrap();
    let all: u64 = kind("step_ended").chain(kind("child_answered")).map(|entry| used(&entry)).sum();
    assert_eq!(kind("turn_ended").next().unwrap()["usage"]["input"].as_u64(), Some(all));
    let session = lines[0]["session"].as_str().unwrap();
    home.run(&["session", "show", session]).code(0).says("the harbour inn");
    home.run(&["audit", "query", "--action", "call-ran", "--json"]).code(0).says("\"parent\"");
}

#[test]
fn what_a_child_turn_calls_is_bound_to_the_rules() {
    let home = Home::new();
    let task = delegate("write b.md: hi");
    home.run(&["ask", &task]).code(6).tells("hydroid config set policy.tools.file_write allow");
    assert!(!home.shared("b.md").exists());
    home.run(&["ask", &task, "--allow", "file_write"]).code(0);
    assert!(home.shared("b.md").exists());
    let mut asking = home.on_a_terminal(&["ask", &delegate("write c.md: hi")]);
    asking.shows("the tool `delegate` asks for it");
    asking.shows("or why not: ").types("y");
    asking.ends_with(0);
    assert!(home.shared("c.md").exists());
}

#[test]
fn without_its_grant_nothing_is_handed_on() {
    let home = Home::new();
    home.run(&["component", "inspect", "tool-delegate"]).code(0).says("start bounded child turns");
    home.run(&["component", "grant", "tool-delegate", "delegate", "--tool", "file_read"]).code(0);
    home.run(&["component", "grant", "tool-delegate", "delegate", "--tool", "file_reed"])
        .code(2)
        .tells("there is no tool `file_reed` (did you mean `file_read`?)");
    let named = serde_json::json!({ "task": "list files", "tools": ["file_list"] });
    home.run(&["ask", &format!("call delegate {named}")])
        .tells("`hydroid component grant tool-delegate delegate --tool file_list`");
    home.run(&["component", "revoke", "tool-delegate", "delegate"]).code(0);
    home.run(&["component", "inspect", "tool-delegate"])
        .says("hydroid component grant tool-delegate delegate");
    home.run(&["component", "grant", "tool-web", "web", "--tool", "x"])
        .code(2)
        .tells("`--tool` belongs to `invoke` and `delegate`");
}
