//! `docs/tui.md` has the tables of keys and commands as they are; `UPDATE=1` rewrites them there.

#![expect(clippy::disallowed_methods, reason = "a test compares a document")]

use std::path::Path;

#[test]
fn keys_and_commands_are_documented() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tui.md");
    let text = std::fs::read_to_string(&file).expect("docs/tui.md can be read");
    let mut expect = text.clone();
    for (name, table) in [("commands", crate::slash::table()), ("keys", crate::keymap::table())] {
        let begin = format!("<!-- generated: {name} -->\n");
        let (before, rest) = expect.split_once(&begin).expect("a place for the table");
        let (_, after) = rest.split_once("<!-- end -->").expect("an end of the table");
        expect = format!("{before}{begin}{table}\n<!-- end -->{after}");
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &expect).expect("docs/tui.md can be written");
    } else {
        assert!(text == expect, "docs/tui.md is not as the tables: UPDATE=1 rewrites it");
    }
}
