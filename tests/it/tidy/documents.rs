//! What documents point at: links lead to files, and each invariant names the test that holds it.

use super::files::{shown, with_ending};
use crate::root;
use std::fs;
use std::path::Path;

/// What stands before the names of the tests that hold an invariant.
const HELD_BY: &str = "Held by:";

/// The text outside code blocks, line by line with its number.
fn prose(markdown: &str) -> Vec<(usize, &str)> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for (index, line) in markdown.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// Targets of the links in a line that lead to files: `[text](target#place)`.
fn file_links(line: &str) -> Vec<&str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .map(|target| target.split('#').next().unwrap_or_default())
        .map(|target| target.split(' ').next().unwrap_or_default())
        .filter(|target| {
            !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:")
        })
        .collect()
}

#[test]
fn links_are_found_and_those_to_other_machines_left_alone() {
    let line = "[a](b.md), [c](../d/e.rs#f \"title\"), [g](https://x.org/y), [h](#here)";
    assert_eq!(file_links(line), ["b.md", "../d/e.rs"]);
}

#[test]
fn links_in_documents_lead_to_files() {
    let mut broken = Vec::new();
    for document in with_ending("md") {
        let text = fs::read_to_string(&document).unwrap();
        let directory = document.parent().unwrap_or(Path::new(""));
        for (number, line) in prose(&text) {
            for link in file_links(line) {
                let target = match link.strip_prefix('/') {
                    Some(from_root) => root().join(from_root),
                    None => directory.join(link),
                };
                if !target.exists() {
                    broken.push(format!("{}:{number}: `{link}`", shown(&document)));
                }
            }
        }
    }
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}

/// Names in backquotes with a `::` in them, after `Held by:`.
fn holders(text: &str) -> Vec<&str> {
    let Some((_, after)) = text.split_once(HELD_BY) else { return Vec::new() };
    after.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect()
}

/// The items of the list under a heading about invariants, each with its further lines.
fn invariants(markdown: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    let mut inside = false;
    for (_, line) in prose(markdown) {
        if line.starts_with('#') {
            inside = line.to_lowercase().contains("invariant");
        } else if inside && is_item(line) {
            items.push(line.to_owned());
        } else if let Some(item) = items.last_mut().filter(|_| inside && line.starts_with(' ')) {
            item.push(' ');
            item.push_str(line.trim());
        }
    }
    items
}

fn is_item(line: &str) -> bool {
    let number = line.trim_start_matches(|character: char| character.is_ascii_digit());
    line.starts_with("- ") || (number.len() < line.len() && number.starts_with(". "))
}

/// Sources as path and text, to look for tests in.
type Sources = Vec<(String, String)>;

/// What is wrong with the claims of a document, if anything.
fn unheld(markdown: &str, sources: &Sources) -> Vec<String> {
    let mut wrong = Vec::new();
    for item in invariants(markdown) {
        if holders(&item).is_empty() {
            wrong.push(format!("no `{HELD_BY}` with a test: {item}"));
        }
    }
    let paragraphs = invariants(markdown).into_iter();
    let lines = prose(markdown).into_iter().map(|(_, line)| line.to_owned());
    for text in paragraphs.chain(lines) {
        for holder in holders(&text) {
            if !sources.iter().any(|source| holds(holder, source)) {
                wrong.push(format!("there is no test `{holder}`"));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// `path/of/file.rs::name`, `path/of/file::name` or `module::name`: the file has a test `name`.
fn holds(holder: &str, (path, text): &(String, String)) -> bool {
    let Some((place, name)) = holder.rsplit_once("::") else { return false };
    let place = place.strip_suffix(".rs").unwrap_or(place);
    let fits =
        !place.contains('/') || path.strip_suffix(".rs").is_some_and(|path| path.ends_with(place));
    fits && text.contains(&format!("fn {name}("))
}

#[test]
fn an_invariant_without_a_test_is_found() {
    let sources = vec![("host/a/src/b.rs".to_owned(), "fn it_holds() {}".to_owned())];
    let check = |markdown: &str, expect: &[&str]| assert_eq!(unheld(markdown, &sources), expect);
    check("## Invariants\n- A rule.\n  Held by: `host/a/src/b.rs::it_holds`\n", &[]);
    check("## Invariants\n1. A rule. Held by: `b::it_holds`.\n", &[]);
    check("## Invariants\n- A rule.\n", &["no `Held by:` with a test: - A rule."]);
    check("Held by: `host/a/src/b.rs::gone`\n", &["there is no test `host/a/src/b.rs::gone`"]);
    check(
        "Held by: `host/c/src/b.rs::it_holds`\n",
        &["there is no test `host/c/src/b.rs::it_holds`"],
    );
    check("- An item elsewhere.\n", &[]);
}

#[test]
fn each_invariant_of_the_architecture_names_a_test_that_exists() {
    let Ok(architecture) = fs::read_to_string(root().join("docs/architecture.md")) else { return };
    let sources: Sources = with_ending("rs")
        .into_iter()
        .map(|file| (shown(&file), fs::read_to_string(&file).unwrap_or_default()))
        .collect();
    let wrong = unheld(&architecture, &sources);
    assert!(wrong.is_empty(), "docs/architecture.md:\n{}", wrong.join("\n"));
}
