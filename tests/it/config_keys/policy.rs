//! `policy.*`: which calls run, which are refused, and what the refusal names.

use super::{Tested, check, run};
use crate::support::hydroid::Home;

pub(super) const TESTED: &[Tested<Home>] = &[
    ("policy.allow", allow),
    ("policy.ask", ask),
    ("policy.changes", changes),
    ("policy.deny", deny),
    ("policy.mode", mode),
    ("policy.network", network),
    ("policy.read_only", read_only),
    ("policy.rules", rules),
    ("policy.tools.*", tools),
];

#[test]
fn rules_have_an_effect() {
    check(&Home::new(), TESTED);
}

fn changes(home: &Home) {
    let write = ["ask", "write changes.txt: one"];
    run(home, &["policy.changes=deny"], &write).code(6).tells("policy.changes");
    run(home, &["policy.changes=ask"], &write).code(6).tells("--allow file_write");
    assert!(!home.shared("changes.txt").exists());
    run(home, &["policy.changes=allow"], &write).code(0);
    assert!(home.shared("changes.txt").exists());
}

/// The tool may run and is then refused by the host, for its address is not granted.
fn network(home: &Home) {
    let fetch = ["ask", "fetch http://127.0.0.1:9/"];
    run(home, &["policy.network=deny"], &fetch).code(6).tells("policy.network");
    run(home, &["policy.network=ask"], &fetch).code(6).tells("--allow web_fetch");
    run(home, &["policy.network=allow"], &fetch).code(0).tells("no grant covers the host");
}

fn read_only(home: &Home) {
    let list = ["ask", "list files"];
    run(home, &["policy.read_only=deny"], &list).code(6).tells("policy.read_only");
    run(home, &["policy.read_only=ask"], &list).code(6).tells("--allow file_list");
    run(home, &["policy.read_only=allow"], &list).code(0).says("/shared");
}

fn tools(home: &Home) {
    let rules = ["policy.tools.file_list=deny", "policy.tools.file_write=allow"];
    run(home, &rules, &["ask", "list files"]).code(6).tells("policy.tools.file_list");
    run(home, &rules, &["ask", "write tools.txt: one"]).code(0);
    assert!(home.shared("tools.txt").exists());
    run(home, &rules, &["ask", "append tools.txt: two then delete tools.txt"]).code(6);
    assert!(home.shared("tools.txt").exists(), "a rule for one tool let another run");
}

fn allow(home: &Home) {
    let keys = ["policy.allow=file_write(/shared/allowed/**)"];
    run(home, &keys, &["ask", "write allowed/a.txt: one"]).code(0);
    run(home, &keys, &["ask", "write other.txt: one"]).code(6);
    assert!(home.shared("allowed/a.txt").exists() && !home.shared("other.txt").exists());
}

fn ask(home: &Home) {
    let keys = ["policy.ask=[\"file_list\"]"];
    run(home, &keys, &["ask", "list files"]).code(6).tells("policy.ask");
    run(home, &keys, &["ask", "list files", "--allow", "file_list"]).code(0);
}

fn deny(home: &Home) {
    let keys = ["policy.deny=file_write(/shared/denied/**)", "policy.changes=allow"];
    let write = ["ask", "write denied/a.txt: one", "--allow", "file_write"];
    run(home, &keys, &write).code(6).tells("policy.deny");
    run(home, &keys, &["ask", "write not-denied.txt: one"]).code(0);
    assert!(!home.shared("denied/a.txt").exists() && home.shared("not-denied.txt").exists());
}

fn mode(home: &Home) {
    let keys = ["policy.mode=plan", "policy.changes=allow"];
    run(home, &keys, &["ask", "write planned.txt: one"]).code(6).tells("policy.mode default");
    run(home, &keys, &["ask", "write planned.txt: one", "--mode", "default"]).code(0);
    assert!(home.shared("planned.txt").exists());
    run(home, &["policy.mode=paln"], &["ask", "list files"]).code(2).tells("accept-edits");
}

fn rules(home: &Home) {
    let on = |channel: &str| {
        format!(
            "policy.rules=[{{ effect = \"deny\", calls = \"file_*\", component = \"tool-files-read\", channel = \"{channel}\" }}]"
        )
    };
    run(home, &[&on("terminal")], &["ask", "list files"]).code(6).tells("policy.rules[0]");
    run(home, &[&on("elsewhere")], &["ask", "list files"]).code(0);
    run(home, &["policy.rules=nonsense"], &["ask", "list files"]).code(2).tells("effect");
}
