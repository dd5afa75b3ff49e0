//! `policy.*`: which calls run, which are refused, and what the refusal names.

use super::{Tested, check, run};
use crate::support::hydroid::Home;

pub(super) const TESTED: &[Tested<Home>] = &[
    ("policy.changes", changes),
    ("policy.network", network),
    ("policy.read_only", read_only),
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
    run(home, &["policy.network=allow"], &fetch).code(0).tells("the host refused");
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
