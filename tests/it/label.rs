//! Something secret keeps its mark from one session to the next, through the built binary.

use crate::support::hydroid::Home;
use serde_json::Value;

const COPY: &str = r#"call vault_copyto {"source":"/vault/tax.txt","target":"/shared/tax.txt"}"#;

/// A home in which a person let one file be copied out of the vault.
fn with_a_copy() -> Home {
    let home = Home::new();
    home.write("users/local/workspace/vault/tax.txt", "the salary is seven");
    let mut asking = home.on_a_terminal(&["ask", COPY]);
    asking.shows("/shared/tax.txt").shows("or why not: ").types("y");
    asking.ends_with(0);
    assert_eq!(std::fs::read_to_string(home.shared("tax.txt")).unwrap(), "the salary is seven");
    home
}

fn marked(home: &Home) -> Vec<String> {
    let listed = home.run(&["label", "list", "--json"]).code(0).json_lines().remove(0);
    let places = listed.as_array().expect("a list").iter();
    places.map(|place| place["place"].as_str().expect("a place").to_owned()).collect()
}

/// Whether any result of a new session is labelled secret.
fn reads_a_secret(home: &Home, say: &str) -> bool {
    let ran = home.run(&["ask", "--json", say, "--allow", "memory_save"]);
    let lines = ran.json_lines();
    let secret = |line: &Value| line["entry"]["label"]["secret"] == true;
    lines.iter().any(secret)
}

#[test]
fn a_copy_out_of_the_vault_is_secret_in_another_session_until_a_person_clears_it() {
    let home = with_a_copy();
    assert_eq!(marked(&home), ["file:/shared/tax.txt"]);
    assert!(reads_a_secret(&home, "read tax.txt"));
    home.write("users/local/workspace/shared/other.txt", "nothing");
    assert!(!reads_a_secret(&home, "read other.txt"));
    // No flag stands in for a person once it was read.
    let sessions = home.run(&["session", "list", "--json"]).code(0).json_lines().remove(0);
    let has_read = |session: &Value| {
        let id = session["id"].as_str().expect("an identifier").to_owned();
        marked(&home).contains(&format!("session:{id}")).then_some(id)
    };
    let session = sessions.as_array().expect("a list").iter().find_map(has_read).expect("one");
    let fetch = ["ask", "--session", &session, "fetch http://127.0.0.1:9/", "--allow", "web_fetch"];
    home.run(&fetch).code(6).says("something secret");

    home.run(&["label", "list"]).code(0).says("file:/shared/tax.txt").says("vault");
    home.run(&["label", "clear", "tax.txt"]).code(2).tells("is no place");
    home.run(&["label", "clear", "file:/shared/no"]).code(1).tells("is not marked");
    home.run(&["label", "clear", "file:/shared/tax.txt"]).code(0).says("nothing secret");
    home.run(&["audit", "query", "--action", "label-cleared"]).code(0).says("/shared/tax.txt");
    assert!(!reads_a_secret(&home, "read tax.txt"));
    assert!(marked(&home).iter().all(|place| place.starts_with("session:")));
}

#[test]
fn what_a_session_writes_after_it_read_something_secret_is_secret_too() {
    let home = with_a_copy();
    let say = "read tax.txt then write copy.txt: seven then remember the salary is seven";
    home.run(&["ask", say, "--allow", "file_write", "--allow", "memory_save"]).code(0);
    let marked = marked(&home);
    assert!(marked.contains(&"file:/shared/copy.txt".to_owned()), "{marked:?}");
    assert!(marked.iter().any(|place| place.starts_with("note:")), "{marked:?}");
    assert!(reads_a_secret(&home, "read copy.txt"));
    assert!(reads_a_secret(&home, "recall salary"));
}

/// However the call is written, it is the place that is read which counts.
#[test]
fn no_spelling_of_a_call_hides_what_it_reads_or_writes() {
    let home = with_a_copy();
    for search in [
        r#"call file_search {"pattern":"salary"}"#,
        r#"call file_search {"pattern":"/*salary"}"#,
        r#"call file_search {"pattern":"salary","glob":"/*tax*"}"#,
        r#"call file_read {"path":"./x/../tax.txt"}"#,
    ] {
        assert!(reads_a_secret(&home, search), "{search}");
    }
    let say = r#"read tax.txt then call file_write {"path":" lead.txt","content":"seven"}"#;
    home.run(&["ask", say, "--allow", "file_write"]).code(0);
    assert!(home.shared(" lead.txt").exists());
    let marked = marked(&home);
    assert!(marked.contains(&"file:/shared/ lead.txt".to_owned()), "{marked:?}");
    assert!(reads_a_secret(&home, r#"call file_read {"path":"./ lead.txt"}"#));
}
