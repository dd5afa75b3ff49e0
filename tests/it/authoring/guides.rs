//! The pages for authors, typed word by word in an empty folder: each block of commands, and each
//! file that stands below its name. Not about what a page explains.

use super::Author;
use crate::root;

/// What a page has a reader do, as a script of the shell.
fn script(page: &str) -> String {
    let path = root().join("docs").join(page);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {}", path.display()));
    let mut script = "set -e\n".to_owned();
    let mut file = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            // The name of a file stands in the line before its block, but for an empty one.
            if !line.is_empty() {
                file = line.strip_prefix('`').and_then(|line| line.strip_suffix("`:"));
            }
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let block = block.join("\n");
        match (file.take(), language) {
            (Some(file), _) => {
                script.push_str(&format!("cat > '{file}' <<'END OF FILE'\n{block}\nEND OF FILE\n"));
            }
            (None, "sh") => script.push_str(&format!("set -x\n{block}\n{{ set +x; }} 2>&-\n")),
            (None, _) => {}
        }
    }
    script
}

/// Types a page, and finds what it leads to.
#[track_caller]
fn typed(page: &str, leads_to: &str) {
    let script = script(page);
    assert!(script.contains("hydroid component new"), "{page} has nothing to type: {script}");
    Author::types(&script).code(0).says(leads_to);
}

#[test]
fn a_tool_is_added_as_its_page_says() {
    typed("adding-a-tool.md", "ONE FISH");
}

#[test]
fn a_provider_is_added_as_its_page_says() {
    typed("adding-a-provider.md", "you sent");
}

#[test]
fn a_channel_is_added_as_its_page_says() {
    typed("adding-a-channel.md", ", 0 failed");
}

#[test]
fn a_page_is_typed_from_its_blocks_and_files() {
    let script = script("adding-a-tool.md");
    let file = "cat > 'src/lib.rs' <<'END OF FILE'\n//! Shouts";
    let place = |what: &str| script.find(what).unwrap_or_else(|| panic!("no {what}: {script}"));
    assert!(place("cd tool-shout") < place(file));
    assert!(place(file) < place("hydroid component build"));
    assert!(!script.contains("[package]"), "a block that is only shown was typed: {script}");
}
