//! Modes, `--allow` with patterns and `hydroid policy check`, through the built binary. Which rule
//! wins is tested in core; here is that what the check says is what then happens.

use crate::support::hydroid::Home;

#[test]
fn in_plan_mode_nothing_is_changed_whatever_is_allowed() {
    let home = Home::new();
    let write = ["ask", "write a.txt: one", "--mode", "plan"];
    home.run(&write).code(6).tells("in the mode `plan`");
    home.run(&[&write[..], &["--allow", "file_write"]].concat()).code(6);
    assert!(!home.shared("a.txt").exists());
    home.run(&["ask", "list files", "--mode", "plan"]).code(0);
}

#[test]
fn what_plan_mode_would_ask_is_denied_where_nobody_is() {
    let home = Home::with_config("[policy]\nread_only = \"ask\"\n");
    home.run(&["ask", "list files", "--mode", "plan"]).code(6);
}

#[test]
fn accepted_edits_run_without_asking_on_a_terminal_and_nothing_else_does() {
    let home = Home::with_config("[policy]\nmode = \"accept-edits\"\nnetwork = \"ask\"\n");
    let mut asking = home.on_a_terminal(&["ask", "write a.txt: one"]);
    asking.shows("file_write");
    asking.ends_with(0);
    assert!(home.shared("a.txt").exists());
    let mut asking = home.on_a_terminal(&["ask", "fetch http://127.0.0.1:9/"]);
    asking.shows("or why not: ").types("n");
    asking.ends_with(0);
    // The command says more than the configuration.
    let mut asking = home.on_a_terminal(&["ask", "write b.txt: one", "--mode", "headless"]);
    asking.shows("denied");
    asking.ends_with(6);
    assert!(!home.shared("b.txt").exists());
}

#[test]
fn a_command_allows_a_tool_with_a_pattern() {
    let home = Home::new();
    let allow = ["--allow", "file_write(/shared/x/**)"];
    home.run(&[&["ask", "write x/a.txt: one"], &allow[..]].concat()).code(0);
    home.run(&[&["ask", "write a.txt: one"], &allow[..]].concat()).code(6);
    assert!(home.shared("x/a.txt").exists() && !home.shared("a.txt").exists());
    home.run(&["ask", "hi", "--allow", "file_wirte(/shared/**)"])
        .code(2)
        .tells("did you mean `file_write`");
    home.run(&["ask", "hi", "--allow", "file_write(/shared/../**)"]).code(2).tells("`..`");
    home.run(&["ask", "hi", "--allow", "fiel_*"]).code(2).tells("fits no tool");
    home.run(&["ask", "write y.txt: one", "--allow", "file_w*"]).code(0);
}

#[test]
fn a_check_says_what_then_happens_and_why() {
    let home = Home::with_config(
        "[policy]\nallow = [\"file_write(/shared/notes/**)\"]\ndeny = [\"web_fetch(*.evil.example)\"]\n",
    );
    let check =
        |call: &str, options: &[&str]| home.run(&[&["policy", "check", call], options].concat());
    check("file_write /shared/notes/a", &[])
        .code(0)
        .says("allow `file_write(/shared/notes/**)` (`policy.allow`)")
        .says("applies")
        .says("decision  allow");
    check("file_write /shared/x", &[])
        .code(7)
        .says("decision  ask")
        .says("by        policy.changes")
        .says("made up   content")
        .says("does not apply");
    check("file_write /shared/x", &["--mode", "headless"]).code(6).says("--allow file_write");
    check("file_write /shared/notes/a", &["--mode", "plan"]).code(6).says("policy.mode");
    check("file_write /shared/x", &["--mode", "accept-edits"]).code(0);
    check("file_write(/shared/notes/a)", &[]).code(0).says("decision  allow");
    check("file_write /shared/notes/a hello", &[])
        .code(2)
        .tells("write `file_write(/shared/notes/a hello)`");
    check("file_write(/shared/**)", &[]).code(2).tells("many calls");
    check("web_fetch https://a.evil.example/x", &[])
        .code(6)
        .says("policy.deny")
        .says("take `web_fetch(*.evil.example)` out of `policy.deny`");
    let free = ["--set", "policy.network=allow"];
    check("web_fetch https://example.com/x", &free).code(0);
    check("web_fetch https://example.com/x", &[&free[..], &["--tainted"]].concat())
        .code(7)
        .says("which may have given the order");
    check("web_fetch https://example.com/x", &[&free[..], &["--secret"]].concat())
        .code(7)
        .says("read something secret");
    home.run(&["policy", "check", "--help"]).code(0).says("7  it would be asked about");
    let arguments = r#"{"path":"notes/a.md","content":"x","mode":"create"}"#;
    let json = check("file_write", &["--arguments", arguments, "--json"]).code(0).json_lines();
    let named = json[0]["resources"].to_string();
    assert!(named.contains("\"text\":\"/shared/notes/a.md\""), "{named}");
    assert_eq!(json[0]["decision"], "allow");
    check("file_write", &["--arguments", "{}"]).code(2).tells("do not fit its schema");
    check("file_wirte x", &[]).code(2).tells("did you mean `file_write`");
    // What was checked is what happens.
    home.run(&["ask", "write notes/a.md: one"]).code(0);
    home.run(&["ask", "write x: one"]).code(6);
}

#[test]
fn a_check_knows_standing_approvals() {
    let home = Home::new();
    home.run(&["policy", "check", "file_write /shared/x"]).code(7);
    home.run(&["approval", "allow", "file_write(/shared/**)"]).code(0);
    home.run(&["policy", "check", "file_write /shared/x"]).code(0).says("the standing approval");
}
