//! How source files are named and begin.

use crate::root;
use std::fs;
use std::path::{Path, PathBuf};

/// Names that say nothing about what is inside; if only such a name fits, there are two things.
const NAMES_THAT_SAY_NOTHING: [&str; 10] = [
    "common",
    "helper",
    "helpers",
    "manager",
    "misc",
    "shared",
    "types",
    "util",
    "utilities",
    "utils",
];

/// Directories that hold nothing we wrote.
const NOT_OURS: [&str; 2] = ["node_modules", "target"];

/// Every file of ours with this ending, sorted.
pub(super) fn with_ending(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root(), ending, &mut found);
    found.sort();
    found
}

fn collect(directory: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a readable directory") {
        let entry = entry.expect("a readable entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        // A link leads to something that is listed where it really is.
        let kind = entry.file_type().expect("a kind of file");
        if kind.is_dir() && !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
            collect(&entry.path(), ending, found);
        } else if kind.is_file() && entry.path().extension().is_some_and(|have| have == ending) {
            found.push(entry.path());
        }
    }
}

/// A path as seen from the root.
pub(super) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn every_source_file_says_first_what_it_is() {
    let files = with_ending("rs");
    assert!(files.len() > 50, "the walk is broken: {} files", files.len());
    let silent: Vec<String> = files
        .iter()
        .filter(|file| !fs::read_to_string(file).is_ok_and(|text| text.starts_with("//! ")))
        .map(|file| shown(file))
        .collect();
    assert!(silent.is_empty(), "these files do not begin with `//! `:\n{}", silent.join("\n"));
}

#[test]
fn no_source_file_has_a_name_that_says_nothing() {
    let wrong: Vec<String> = with_ending("rs")
        .iter()
        .filter(|file| {
            let own = if file.ends_with("mod.rs") { file.parent() } else { Some(file.as_path()) };
            let stem = own.and_then(Path::file_stem).unwrap_or_default().to_string_lossy();
            NAMES_THAT_SAY_NOTHING.contains(&stem.as_ref())
        })
        .map(|file| shown(file))
        .collect();
    assert!(wrong.is_empty(), "name these after what is inside:\n{}", wrong.join("\n"));
}
