//! Going through a directory in the order people read, leaving out what `.gitignore` names.
//! Not a matcher of content, and never out of the directory it was given.

use std::ops::ControlFlow;

use globset::{GlobBuilder, GlobMatcher};
use hydroid_component::fs::{Entry, Kind};
use hydroid_component::tool::ToolError;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::disk::Disk;
use crate::path;

/// Entries looked at in one call, so that a huge tree ends in a note and not at the deadline.
const ENTRIES: usize = 100_000;

/// Entries of one directory looked at.
const DIRECTORY: usize = 20_000;

/// Levels gone down; deeper trees are made by mistake.
const LEVELS: usize = 64;

/// Bytes of one `.gitignore` that are read.
const GITIGNORE: usize = 256 * 1024;

/// Time kept back for writing the answer.
const RESERVE_MS: u32 = 500;

/// What to leave out.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct Scope {
    /// Include hidden files: names that start with a dot.
    #[serde(default)]
    pub(crate) hidden: bool,
    /// Include what .gitignore names, and `.git`.
    #[serde(default)]
    pub(crate) ignored: bool,
}

/// Why a walk did not see everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// Too many entries.
    TooMany,
    /// The deadline is near.
    Time,
    /// The visitor had enough.
    Enough,
}

impl Unfinished {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Unfinished::TooMany => "there are too many files",
            Unfinished::Time => "the time was nearly over",
            Unfinished::Enough => "the limit was reached",
        }
    }
}

/// Is shown an absolute path and its entry, and says whether to go on.
pub(crate) type Visit<'a> = dyn FnMut(&str, &Entry) -> Result<ControlFlow<()>, ToolError> + 'a;

/// Shows `visit` every entry below `directory` down to `depth` levels: absolute path and entry,
/// parents before children.
pub(crate) fn walk<'a, D: Disk>(
    disk: &'a D,
    directory: &str,
    depth: usize,
    scope: Scope,
    visit: &'a mut Visit<'a>,
) -> Result<Option<Unfinished>, ToolError> {
    let mut walk = Walk { disk, scope, seen: 0, rules: Vec::new(), visit };
    if !scope.ignored {
        walk.rules_above(directory);
    }
    match walk.directory(directory, depth.min(LEVELS))? {
        ControlFlow::Continue(()) => Ok(None),
        ControlFlow::Break(reason) => Ok(Some(reason)),
    }
}

/// A pattern for paths: one without a slash is for names at any depth, as in `.gitignore`.
pub(crate) fn glob(pattern: &str) -> Result<GlobMatcher, ToolError> {
    let anchored = pattern.trim_start_matches("./").trim_start_matches('/');
    let whole = if anchored.contains('/') { anchored.to_owned() } else { format!("**/{anchored}") };
    let glob = GlobBuilder::new(&whole).literal_separator(true).build().map_err(|error| {
        ToolError::failed(format!(
            "`{pattern}` is not a glob pattern: {}; write one such as `*.md` or `src/**/*.rs`",
            error.kind()
        ))
    })?;
    Ok(glob.compile_matcher())
}

struct Walk<'a, D> {
    disk: &'a D,
    scope: Scope,
    seen: usize,
    /// Rules in force, those of the deepest directory last.
    rules: Vec<Gitignore>,
    visit: &'a mut Visit<'a>,
}

impl<D: Disk> Walk<'_, D> {
    fn directory(
        &mut self,
        directory: &str,
        depth: usize,
    ) -> Result<ControlFlow<Unfinished>, ToolError> {
        if depth == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        if self.disk.time_left_ms()? < RESERVE_MS {
            return Ok(ControlFlow::Break(Unfinished::Time));
        }
        let entries = self.disk.list(directory, DIRECTORY)?;
        let has_rules =
            !self.scope.ignored && entries.iter().any(|entry| entry.name == ".gitignore");
        if has_rules {
            let rules = self.rules_of(directory);
            self.rules.push(rules);
        }
        let result = self.entries(directory, &entries, depth);
        if has_rules {
            self.rules.pop();
        }
        result
    }

    fn entries(
        &mut self,
        directory: &str,
        entries: &[Entry],
        depth: usize,
    ) -> Result<ControlFlow<Unfinished>, ToolError> {
        for entry in entries {
            let path = path::join(directory, &entry.name);
            if self.leaves_out(&path, entry) {
                continue;
            }
            self.seen += 1;
            if self.seen > ENTRIES {
                return Ok(ControlFlow::Break(Unfinished::TooMany));
            }
            if (self.visit)(&path, entry)?.is_break() {
                return Ok(ControlFlow::Break(Unfinished::Enough));
            }
            if entry.metadata.kind == Kind::Directory
                && let stop @ ControlFlow::Break(_) = self.directory(&path, depth - 1)?
            {
                return Ok(stop);
            }
        }
        if entries.len() == DIRECTORY {
            return Ok(ControlFlow::Break(Unfinished::TooMany));
        }
        Ok(ControlFlow::Continue(()))
    }

    fn leaves_out(&self, path: &str, entry: &Entry) -> bool {
        if entry.name.starts_with('.') && !self.scope.hidden {
            return true;
        }
        if self.scope.ignored {
            return false;
        }
        let is_directory = entry.metadata.kind == Kind::Directory;
        let decision =
            self.rules.iter().rev().find_map(|rules| match rules.matched(path, is_directory) {
                Match::None => None,
                Match::Ignore(_) => Some(true),
                Match::Whitelist(_) => Some(false),
            });
        entry.name == ".git" || decision == Some(true)
    }

    /// Rules of the directories above; what cannot be read there is not ours to look at.
    fn rules_above(&mut self, directory: &str) {
        let mut above = Vec::new();
        let mut directory = directory;
        while let Some(parent) = path::parent(directory) {
            above.push(parent);
            directory = parent;
        }
        for directory in above.into_iter().rev() {
            let rules = self.rules_of(directory);
            self.rules.push(rules);
        }
    }

    fn rules_of(&self, directory: &str) -> Gitignore {
        let file = path::join(directory, ".gitignore");
        let mut bytes = Vec::new();
        while bytes.len() < GITIGNORE {
            let offset = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            match self.disk.read_at(&file, offset, 64 * 1024) {
                Ok(chunk) if !chunk.is_empty() => bytes.extend_from_slice(&chunk),
                Ok(_) | Err(_) => break,
            }
        }
        let mut builder = GitignoreBuilder::new(directory);
        let text = String::from_utf8_lossy(&bytes);
        for line in text.trim_start_matches('\u{feff}').lines() {
            // Git passes over a line that is no pattern, and so does this.
            let _ = builder.add_line(None, line);
        }
        builder.build().unwrap_or_else(|_| Gitignore::empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryDisk;

    fn names(disk: &MemoryDisk, directory: &str, depth: usize, scope: Scope) -> Vec<String> {
        let mut names = Vec::new();
        let unfinished = walk(disk, directory, depth, scope, &mut |path, entry| {
            let mark = if entry.metadata.kind == Kind::Directory { "/" } else { "" };
            names.push(format!("{}{mark}", path::relative(path, directory)));
            Ok(ControlFlow::Continue(()))
        });
        assert_eq!(unfinished.unwrap(), None);
        names
    }

    fn project() -> MemoryDisk {
        MemoryDisk::new(&[
            ("/shared/.gitignore", b"*.log\r\n/build/\n!keep.log\n[\n"),
            ("/shared/.git/config", b""),
            ("/shared/.env", b""),
            ("/shared/a.log", b""),
            ("/shared/keep.log", b""),
            ("/shared/build/x.txt", b""),
            ("/shared/src/build/y.txt", b""),
            ("/shared/src/.gitignore", b"\xef\xbb\xbfsecret*\n!important.log\nkeep.log"),
            ("/shared/src/important.log", b""),
            ("/shared/src/keep.log", b""),
            ("/shared/src/secret.txt", b""),
            ("/shared/src/z.log", b""),
        ])
    }

    #[test]
    fn nested_gitignore_files_rule_their_directories() {
        let seen = names(&project(), "/shared", 9, Scope::default());
        assert_eq!(
            seen,
            ["keep.log", "src/", "src/build/", "src/build/y.txt", "src/important.log"]
        );
    }

    #[test]
    fn rules_above_hold_in_the_directory_asked_for() {
        let seen = names(&project(), "/shared/src", 9, Scope::default());
        assert_eq!(seen, ["build/", "build/y.txt", "important.log"]);
        assert_eq!(names(&project(), "/shared/build", 9, Scope::default()), ["x.txt"]);
    }

    #[test]
    fn hidden_and_ignored_files_are_shown_when_asked_for() {
        let hidden = names(&project(), "/shared", 1, Scope { hidden: true, ignored: false });
        assert_eq!(hidden, [".env", ".gitignore", "keep.log", "src/"]);
        let all = Scope { hidden: true, ignored: true };
        assert_eq!(names(&project(), "/shared", 9, all).len(), 16);
    }

    #[test]
    fn a_walk_ends_before_the_deadline_does() {
        let disk = project();
        disk.time_left_ms.set(100);
        let scope = Scope::default();
        let end = walk(&disk, "/shared", 9, scope, &mut |_, _| Ok(ControlFlow::Continue(())));
        assert_eq!(end.unwrap(), Some(Unfinished::Time));
    }

    #[test]
    fn a_glob_without_a_slash_is_for_names_at_any_depth() {
        for (pattern, path, expected) in [
            ("*.rs", "a.rs", true),
            ("*.rs", "src/a.rs", true),
            ("src/*.rs", "src/a.rs", true),
            ("src/*.rs", "src/b/a.rs", false),
            ("src/**/*.rs", "src/b/a.rs", true),
            ("/a.{md,rs}", "a.rs", true),
            ("*.rs", "a.rs.txt", false),
        ] {
            assert_eq!(glob(pattern).unwrap().is_match(path), expected, "{pattern} {path}");
        }
        assert!(glob("a[").is_err());
    }
}
