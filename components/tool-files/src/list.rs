//! `file_list`: what is in a directory. Not a search in contents.

use std::fmt::Write;
use std::ops::ControlFlow;

use hydroid_component::fs::{Entry, Kind};
use hydroid_component::tool::ToolError;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::disk::Disk;
use crate::path;
use crate::walk::{Scope, glob, walk};

/// Entries shown; past this a reader needs a narrower question.
const SHOWN: usize = 500;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileList {
    /// Directory; `/shared` when absent. A relative path is below `/shared`.
    #[schemars(extend("format" = "path"))]
    pub(crate) path: Option<String>,
    /// Levels to go down: 1 is the directory alone. 1 when absent, or all levels with `glob`.
    #[schemars(range(min = 1))]
    pub(crate) depth: Option<usize>,
    /// Only paths that match, such as `*.md` (at any level) or `src/**/*.rs`.
    pub(crate) glob: Option<String>,
    /// Include hidden files: names that start with a dot.
    pub(crate) hidden: bool,
    /// Include what .gitignore names.
    pub(crate) ignored: bool,
}

pub(crate) fn file_list<D: Disk>(disk: &D, arguments: FileList) -> Result<String, ToolError> {
    let directory = path::absolute(arguments.path.as_deref().unwrap_or("/shared"))?;
    let metadata = disk.stat(&directory)?;
    if metadata.kind != Kind::Directory {
        return Ok(format!("{directory}\t{}\n(a file)", path::size(metadata.size)));
    }
    let pattern = arguments.glob.as_deref().map(glob).transpose()?;
    let depth = match (arguments.depth, &pattern) {
        (Some(depth), _) => depth.max(1),
        (None, Some(_)) => usize::MAX,
        (None, None) => 1,
    };
    let scope = Scope { hidden: arguments.hidden, ignored: arguments.ignored };
    let (mut text, mut count) = (String::new(), 0_usize);
    let unfinished = walk(disk, &directory, depth, scope, &mut |path, entry| {
        let path = path::relative(path, &directory);
        if pattern.as_ref().is_none_or(|pattern| pattern.is_match(path)) {
            count += 1;
            if count <= SHOWN {
                push(&mut text, path, entry);
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;

    let more = count.saturating_sub(SHOWN);
    let mut note = match (count, more) {
        (0, _) if pattern.is_some() => "nothing matches".to_owned(),
        (0, _) => "nothing to show".to_owned(),
        (1, _) => "1 entry".to_owned(),
        (_, 0) => format!("{count} entries"),
        (_, _) => format!("{SHOWN} entries shown, {more} more; narrow with `glob` or `path`"),
    };
    if let Some(unfinished) = unfinished {
        let _ = write!(note, "; not all was looked at: {}", unfinished.reason());
    }
    Ok(format!("{directory}:\n{text}({note})"))
}

fn push(text: &mut String, path: &str, entry: &Entry) {
    let _ = match entry.metadata.kind {
        Kind::Directory => writeln!(text, "{path}/"),
        Kind::File => writeln!(text, "{path}\t{}", path::size(entry.metadata.size)),
        Kind::Other => writeln!(text, "{path}\t(not a regular file)"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryDisk;

    #[track_caller]
    fn check(disk: &MemoryDisk, arguments: FileList, expected: &str) {
        assert_eq!(file_list(disk, arguments).expect("lists"), expected);
    }

    fn project() -> MemoryDisk {
        MemoryDisk::new(&[
            ("/shared/a.md", b"abc"),
            ("/shared/src/b.rs", b""),
            ("/shared/src/deep/c.rs", b""),
            ("/shared/.hidden", b""),
        ])
    }

    #[test]
    fn one_level_is_the_default_and_all_levels_with_a_glob() {
        check(&project(), FileList::default(), "/shared:\na.md\t3 B\nsrc/\n(2 entries)");
        let deeper = FileList { depth: Some(2), ..FileList::default() };
        check(
            &project(),
            deeper,
            "/shared:\na.md\t3 B\nsrc/\nsrc/b.rs\t0 B\nsrc/deep/\n(4 entries)",
        );
        let glob = FileList { glob: Some("*.rs".into()), ..FileList::default() };
        check(&project(), glob, "/shared:\nsrc/b.rs\t0 B\nsrc/deep/c.rs\t0 B\n(2 entries)");
        let nothing = FileList { glob: Some("*.py".into()), ..FileList::default() };
        check(&project(), nothing, "/shared:\n(nothing matches)");
    }

    #[test]
    fn a_file_is_listed_as_itself_and_a_missing_one_refused() {
        let file = FileList { path: Some("a.md".into()), ..FileList::default() };
        check(&project(), file, "/shared/a.md\t3 B\n(a file)");
        let missing = FileList { path: Some("x".into()), ..FileList::default() };
        assert!(file_list(&project(), missing).is_err());
    }

    #[test]
    fn what_is_not_shown_is_counted() {
        let names: Vec<_> = (0..512).map(|number| format!("/shared/{number:04}")).collect();
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
        let text = file_list(&MemoryDisk::new(&files), FileList::default()).unwrap();
        assert_eq!(text.lines().count(), 502);
        assert!(text.ends_with("(500 entries shown, 12 more; narrow with `glob` or `path`)"));
    }
}
