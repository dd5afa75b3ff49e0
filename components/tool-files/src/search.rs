//! `file_search`: lines that match a regular expression. Not across lines, and no index: every
//! file is read anew.

use std::collections::VecDeque;
use std::fmt::Write;
use std::ops::ControlFlow;

use hydroid_component::fs::Kind;
use hydroid_component::tool::ToolError;
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::disk::Disk;
use crate::lines::{Lines, binary_kind};
use crate::path;
use crate::walk::{Scope, Unfinished, glob, walk};

/// Matching lines returned when the call does not say.
const MATCHES: usize = 100;

/// Matching lines returned at most.
const MOST_MATCHES: usize = 1000;

/// Bytes of answer, about a tenth of what a usual model can hold.
const OUTPUT: usize = 48 * 1024;

/// Characters shown of one line.
const LINE: usize = 300;

/// Context lines on either side at most.
const CONTEXT: usize = 20;

/// Bytes a compiled expression may take: a tenth of the smallest memory a host gives.
const EXPRESSION: usize = 2 * 1024 * 1024;

/// Files larger than this are data, and would use the time of all others.
const FILE: u32 = 16 * 1024 * 1024;

/// Lines read between two looks at the clock.
const LINES_PER_LOOK: usize = 4096;

/// Time kept back for writing the answer.
const RESERVE_MS: u32 = 500;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileSearch {
    /// Regular expression in Rust syntax: no look-around, no back references. Matched line by
    /// line.
    pub(crate) pattern: String,
    /// Directory or file; `/shared` when absent.
    #[schemars(extend("format" = "path"))]
    pub(crate) path: Option<String>,
    /// Only in files whose path matches, such as `*.md` or `src/**/*.rs`.
    pub(crate) glob: Option<String>,
    /// Take `pattern` as plain text.
    #[serde(default)]
    pub(crate) literal: bool,
    /// Upper and lower case are the same.
    #[serde(default)]
    pub(crate) ignore_case: bool,
    /// Lines to show before each match, at most 20.
    #[serde(default)]
    pub(crate) before: usize,
    /// Lines to show after each match, at most 20.
    #[serde(default)]
    pub(crate) after: usize,
    /// Most matching lines; 100 when absent, at most 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) limit: Option<usize>,
    /// Include hidden files.
    #[serde(default)]
    pub(crate) hidden: bool,
    /// Include what .gitignore names.
    #[serde(default)]
    pub(crate) ignored: bool,
}

pub(crate) fn file_search<D: Disk>(disk: &D, arguments: FileSearch) -> Result<String, ToolError> {
    let base = path::absolute(arguments.path.as_deref().unwrap_or("/shared"))?;
    let pattern = arguments.glob.as_deref().map(glob).transpose()?;
    let mut search = Search {
        disk,
        expression: expression(&arguments)?,
        before: arguments.before.min(CONTEXT),
        after: arguments.after.min(CONTEXT),
        limit: arguments.limit.unwrap_or(MATCHES).clamp(1, MOST_MATCHES),
        text: String::new(),
        matches: 0,
        files: 0,
        skipped: Vec::new(),
        unfinished: None,
    };
    let metadata = disk.stat(&base)?;
    if metadata.kind == Kind::Directory {
        let scope = Scope { hidden: arguments.hidden, ignored: arguments.ignored };
        let unfinished = walk(disk, &base, usize::MAX, scope, &mut |path, entry| {
            let shown = path::relative(path, &base);
            let wanted = pattern.as_ref().is_none_or(|pattern| pattern.is_match(shown));
            if entry.metadata.kind != Kind::File || !wanted {
                return Ok(ControlFlow::Continue(()));
            }
            if entry.metadata.size > FILE {
                search.skipped.push(format!("`{shown}` ({})", path::size(entry.metadata.size)));
                return Ok(ControlFlow::Continue(()));
            }
            match search.file(path, shown) {
                Err(ToolError::Failed(reason)) => {
                    search.skipped.push(format!("`{shown}` ({reason})"))
                }
                Err(stop @ ToolError::CouldNotRun(_)) => return Err(stop),
                Ok(()) => {}
            }
            Ok(match search.unfinished {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            })
        })?;
        search.unfinished = search.unfinished.or(unfinished);
    } else {
        search.file(&base, &base)?;
    }
    Ok(search.finish(&base))
}

fn expression(arguments: &FileSearch) -> Result<Regex, ToolError> {
    if arguments.pattern.is_empty() {
        return Err(ToolError::failed("`pattern` is empty; use `file_list` to list files"));
    }
    let pattern = match arguments.literal {
        true => regex::escape(&arguments.pattern),
        false => arguments.pattern.clone(),
    };
    RegexBuilder::new(&pattern)
        .case_insensitive(arguments.ignore_case)
        .size_limit(EXPRESSION)
        .dfa_size_limit(EXPRESSION)
        .build()
        .map_err(|error| {
            ToolError::failed(format!(
                "`pattern` is not a usable regular expression: {error}; \
                 set `literal` to search for it as plain text"
            ))
        })
}

struct Search<'a, D> {
    disk: &'a D,
    expression: Regex,
    before: usize,
    after: usize,
    limit: usize,
    text: String,
    matches: usize,
    files: usize,
    skipped: Vec<String>,
    unfinished: Option<Unfinished>,
}

impl<D: Disk> Search<'_, D> {
    fn file(&mut self, path: &str, shown: &str) -> Result<(), ToolError> {
        let mut lines = Lines::new(self.disk, path);
        if binary_kind(lines.peek()?).is_some() {
            return Ok(());
        }
        let mut before: VecDeque<(usize, String)> = VecDeque::with_capacity(self.before);
        let mut after = 0;
        let mut last_shown = 0;
        while let Some(line) = lines.next()? {
            let (text, _) = line.text();
            if let Some(found) = self.expression.find(&text) {
                if self.matches == self.limit || self.text.len() > OUTPUT {
                    self.unfinished = Some(Unfinished::Enough);
                    return Ok(());
                }
                if last_shown == 0 {
                    self.files += 1;
                    let _ = writeln!(self.text, "{shown}:");
                }
                self.matches += 1;
                let first = line.number - before.len();
                if last_shown > 0 && first > last_shown + 1 {
                    self.text.push_str("  --\n");
                }
                for (number, text) in before.drain(..) {
                    self.push(number, '-', text_around(&text, 0));
                }
                self.push(line.number, ':', text_around(&text, found.start()));
                last_shown = line.number;
                after = self.after;
            } else if after > 0 {
                after -= 1;
                self.push(line.number, '-', text_around(&text, 0));
                last_shown = line.number;
            } else if self.before > 0 {
                if before.len() == self.before {
                    before.pop_front();
                }
                before.push_back((line.number, text));
            }
            if line.number % LINES_PER_LOOK == 0 && self.disk.time_left_ms()? < RESERVE_MS {
                self.unfinished = Some(Unfinished::Time);
                return Ok(());
            }
        }
        Ok(())
    }

    fn push(&mut self, number: usize, mark: char, text: String) {
        let _ = writeln!(self.text, "{number:>6}{mark} {text}");
    }

    fn finish(self, base: &str) -> String {
        let mut note = match (self.matches, self.files) {
            (0, _) => format!("nothing found in `{base}`"),
            (1, _) => "1 matching line".to_owned(),
            (matches, 1) => format!("{matches} matching lines in 1 file"),
            (matches, files) => format!("{matches} matching lines in {files} files"),
        };
        if let Some(unfinished) = self.unfinished {
            let reason = unfinished.reason();
            let _ =
                write!(note, "; stopped early: {reason}; narrow with `path`, `glob` or `pattern`");
        }
        match self.skipped.as_slice() {
            [] => {}
            [first] => {
                let _ = write!(note, "; not searched: {first}");
            }
            [first, more @ ..] => {
                let _ = write!(note, "; not searched: {first} and {} more", more.len());
            }
        }
        format!("{}({note})", self.text)
    }
}

/// At most [`LINE`] characters of a line that include the byte `position`.
fn text_around(text: &str, position: usize) -> String {
    if text.chars().count() <= LINE {
        return text.to_owned();
    }
    let lead = text[..text.floor_char_boundary(position)].chars().count();
    let skipped = lead.saturating_sub(LINE / 3);
    let shown: String = text.chars().skip(skipped).take(LINE).collect();
    let start = if skipped > 0 { "…" } else { "" };
    format!("{start}{shown}… (cut)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryDisk;

    fn project() -> MemoryDisk {
        MemoryDisk::new(&[
            ("/shared/.gitignore", b"target/\n"),
            ("/shared/a.txt", b"one\ntwo\nthree\nfour\nfive\nsix\nTwo\n"),
            ("/shared/b.bin", b"two\0"),
            ("/shared/src/c.rs", b"// two\r\nfn two() {}\r\n"),
            ("/shared/target/d.rs", b"two\n"),
        ])
    }

    fn search(arguments: FileSearch) -> String {
        file_search(&project(), arguments).expect("searches")
    }

    fn pattern(pattern: &str) -> FileSearch {
        FileSearch { pattern: pattern.into(), ..FileSearch::default() }
    }

    #[test]
    fn matches_are_grouped_by_file_without_binary_and_ignored_ones() {
        assert_eq!(
            search(pattern("two")),
            "a.txt:\n     2: two\nsrc/c.rs:\n     1: // two\n     2: fn two() {}\n\
             (3 matching lines in 2 files)"
        );
        let ignored = FileSearch { ignored: true, glob: Some("*.rs".into()), ..pattern("^two$") };
        assert_eq!(search(ignored), "target/d.rs:\n     1: two\n(1 matching line)");
        assert_eq!(search(pattern("none")), "(nothing found in `/shared`)");
    }

    #[test]
    fn context_is_shown_once_and_gaps_are_marked() {
        let context = FileSearch {
            before: 1,
            after: 1,
            ignore_case: true,
            path: Some("a.txt".into()),
            ..pattern("t[wh]")
        };
        assert_eq!(
            search(context),
            "/shared/a.txt:\n     1- one\n     2: two\n     3: three\n     4- four\n  --\n     \
             6- six\n     7: Two\n(3 matching lines in 1 file)"
        );
    }

    #[test]
    fn plain_text_is_not_an_expression() {
        let literal = FileSearch { literal: true, ..pattern("two() {") };
        assert!(search(literal).contains("fn two() {}"));
        let Err(ToolError::Failed(message)) = file_search(&project(), pattern("two(")) else {
            panic!("not refused");
        };
        assert!(message.contains("set `literal`"), "{message}");
    }

    #[test]
    fn costly_expressions_are_refused_and_awkward_ones_end() {
        assert!(file_search(&project(), pattern(r"(\w{1000}){1000}")).is_err());
        assert!(file_search(&project(), pattern("")).is_err());
        let line = "a".repeat(60_000) + "!\n";
        let disk = MemoryDisk::new(&[("/shared/f", line.as_bytes())]);
        let text = file_search(&disk, pattern("(a*)*b")).unwrap();
        assert!(text.starts_with("(nothing found"));
    }

    #[test]
    fn the_count_is_bounded_with_a_note_and_long_lines_are_cut_around_the_match() {
        let few = FileSearch { limit: Some(1), ..pattern("two") };
        assert!(search(few).contains("(1 matching line; stopped early: the limit was reached"));
        let line = format!("{}needle{}", "ä".repeat(1000), "ö".repeat(1000));
        let disk = MemoryDisk::new(&[("/shared/f", line.as_bytes())]);
        let text = file_search(&disk, pattern("needle")).unwrap();
        assert!(text.contains("ääneedleöö") && text.chars().count() < 400, "{text}");
    }

    #[test]
    fn what_was_too_large_to_search_is_said() {
        let large = vec![b'x'; FILE as usize + 1];
        let disk = MemoryDisk::new(&[("/shared/large", &large), ("/shared/small", b"x")]);
        let text = file_search(&disk, pattern("x")).unwrap();
        assert_eq!(text, "small:\n     1: x\n(1 matching line; not searched: `large` (16.0 MiB))");
    }
}
