//! `file_read`: a part of a text file with line numbers. Not for bytes: a binary file is named,
//! not shown.

use std::fmt::Write;

use hydroid_component::fs::Kind;
use hydroid_component::tool::ToolError;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::disk::Disk;
use crate::lines::{Line, Lines, binary_kind};
use crate::path;

/// Lines shown when the call does not say, enough for nearly every source file.
const LINES: usize = 1000;

/// Bytes of answer, about a tenth of what a usual model can hold.
const OUTPUT: usize = 48 * 1024;

/// Characters shown of one line; longer ones are data or minified code.
const LINE: usize = 2000;

/// Files up to this size are read to their end to count their lines.
const COUNTED: u32 = 32 * 1024 * 1024;

/// Lines read between two looks at the clock.
const LINES_PER_LOOK: usize = 4096;

/// Time kept back for writing the answer.
const RESERVE_MS: u32 = 500;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileRead {
    /// Path such as `notes.md`, `/shared/notes.md` or `/tmp/x`; a relative one is below `/shared`.
    #[schemars(extend("format" = "path"))]
    pub(crate) path: String,
    /// First line to return, from 1.
    #[schemars(range(min = 1))]
    pub(crate) start_line: Option<usize>,
    /// Most lines to return; 1000 when absent.
    #[schemars(range(min = 1))]
    pub(crate) lines: Option<usize>,
}

pub(crate) fn file_read<D: Disk>(disk: &D, arguments: FileRead) -> Result<String, ToolError> {
    let path = path::absolute(&arguments.path)?;
    let metadata = disk.stat(&path)?;
    match metadata.kind {
        Kind::File => {}
        Kind::Directory => {
            return Err(ToolError::failed(format!(
                "`{path}` is a directory; use `file_list` to see what is in it"
            )));
        }
        Kind::Other => {
            return Err(ToolError::failed(format!("`{path}` is not a regular file")));
        }
    }
    let size = path::size(metadata.size);
    let mut lines = Lines::new(disk, &path);
    let start = lines.peek()?;
    if start.is_empty() {
        return Ok(format!("`{path}` is empty"));
    }
    if let Some(kind) = binary_kind(start) {
        return Ok(format!("`{path}` is not UTF-8 text and not shown: {kind}, {size}"));
    }

    let first = arguments.start_line.unwrap_or(1).max(1);
    let wanted = arguments.lines.unwrap_or(LINES).max(1);
    let mut part = Part::default();
    let mut total = None;
    loop {
        let Some(line) = lines.next()? else {
            total = Some(part.seen);
            break;
        };
        part.seen = line.number;
        if line.number >= first && !part.is_full(wanted) {
            part.push(&line);
        } else if part.is_full(wanted) && metadata.size > COUNTED {
            break;
        }
        if line.number % LINES_PER_LOOK == 0 && disk.time_left_ms()? < RESERVE_MS {
            break;
        }
    }
    if part.shown == 0 {
        return Err(ToolError::failed(match total {
            Some(total) => {
                format!("`{path}` has only {total} lines; give a `start_line` up to that")
            }
            None => format!(
                "line {first} of `{path}` was not reached in time: the file has {size}; \
                 use `file_search` to find the place"
            ),
        }));
    }

    let last = first + part.shown - 1;
    let mut notes = Vec::new();
    match total {
        Some(total) if last < total => {
            let next = last + 1;
            notes.push(format!("lines {first}-{last} of {total}; go on with start_line {next}"));
        }
        Some(total) => notes.push(format!("lines {first}-{last} of {total}, the end of the file")),
        None => notes.push(format!(
            "lines {first}-{last} of many in {size}; go on with start_line {}",
            last + 1
        )),
    }
    if part.cut {
        notes.push(format!("lines longer than {LINE} characters are cut"));
    }
    if part.lossy {
        notes.push("bytes that are not UTF-8 are shown as \u{fffd}".to_owned());
    }
    if lines.carriage_returns {
        notes.push("lines end in CR LF".to_owned());
    }
    if lines.byte_order_mark {
        notes.push("the file starts with a byte order mark".to_owned());
    }
    if lines.unfinished && total == Some(last) {
        notes.push("the last line has no line end".to_owned());
    }
    Ok(format!("{}({})", part.text, notes.join("; ")))
}

/// What is shown.
#[derive(Default)]
struct Part {
    text: String,
    seen: usize,
    shown: usize,
    cut: bool,
    lossy: bool,
}

impl Part {
    fn is_full(&self, wanted: usize) -> bool {
        self.shown >= wanted || self.text.len() >= OUTPUT
    }

    fn push(&mut self, line: &Line) {
        let (text, lossy) = line.text();
        self.lossy |= lossy;
        let shown = match text.char_indices().nth(LINE) {
            Some((end, _)) => &text[..end],
            None => &text,
        };
        let _ = write!(self.text, "{:>6}\t{shown}", line.number);
        if shown.len() < text.len() || line.length > line.bytes.len() {
            self.cut = true;
            let _ = write!(self.text, "… (cut, {} bytes in all)", line.length);
        }
        self.text.push('\n');
        self.shown += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryDisk;

    fn read(disk: &MemoryDisk, start_line: Option<usize>, lines: Option<usize>) -> String {
        file_read(disk, FileRead { path: "f".into(), start_line, lines }).expect("reads")
    }

    #[track_caller]
    fn check(content: &[u8], expected: &str) {
        let disk = MemoryDisk::new(&[("/shared/f", content)]);
        assert_eq!(read(&disk, None, None), expected);
    }

    #[test]
    fn lines_are_numbered_and_counted() {
        check(b"a\n\nb\n", "     1\ta\n     2\t\n     3\tb\n(lines 1-3 of 3, the end of the file)");
        check(
            b"a",
            "     1\ta\n(lines 1-1 of 1, the end of the file; the last line has no line end)",
        );
        check(b"", "`/shared/f` is empty");
    }

    #[test]
    fn byte_order_mark_and_carriage_returns_are_noted_and_not_shown() {
        check(
            b"\xef\xbb\xbfa\r\nb\r\r\n",
            "     1\ta\n     2\tb\r\n(lines 1-2 of 2, the end of the file; lines end in CR LF; \
             the file starts with a byte order mark)",
        );
    }

    #[test]
    fn a_part_says_how_to_go_on() {
        let content = (1..=5000).map(|number| format!("line {number}\n")).collect::<String>();
        let disk = MemoryDisk::new(&[("/shared/f", content.as_bytes())]);
        let part = read(&disk, Some(10), Some(2));
        assert_eq!(
            part,
            "    10\tline 10\n    11\tline 11\n(lines 10-11 of 5000; go on with start_line 12)"
        );
        assert!(
            read(&disk, None, None).ends_with("(lines 1-1000 of 5000; go on with start_line 1001)")
        );
        assert!(read(&disk, Some(5000), None).contains("(lines 5000-5000 of 5000, the end"));
        let beyond = FileRead { path: "f".into(), start_line: Some(5001), lines: None };
        let error = file_read(&disk, beyond).unwrap_err();
        assert!(matches!(error, ToolError::Failed(message) if message.contains("only 5000 lines")));
    }

    #[test]
    fn long_lines_and_long_files_are_cut_at_characters() {
        let line = "ä".repeat(100_000);
        let disk = MemoryDisk::new(&[("/shared/f", line.as_bytes())]);
        let text = read(&disk, None, None);
        assert!(text.contains(&format!("\t{}… (cut, 200000 bytes in all)", "ä".repeat(2000))));
        assert!(!text.contains('\u{fffd}'));
        let many = format!("{}\n", "x".repeat(100)).repeat(2000);
        let disk = MemoryDisk::new(&[("/shared/f", many.as_bytes())]);
        let text = read(&disk, None, Some(usize::MAX));
        assert!(text.len() < OUTPUT + 500, "{}", text.len());
        assert!(text.contains(" of 2000; go on with start_line "), "{}", &text[text.len() - 99..]);
    }

    #[test]
    fn characters_split_over_chunks_stay_whole_and_wrong_bytes_are_noted() {
        let disk = MemoryDisk::new(&[("/shared/f", format!("a{}\n", "€".repeat(1500)).as_bytes())]);
        assert!(read(&disk, None, None).contains(&"€".repeat(1500)));
        check(
            b"a\xffb\n",
            "     1\ta\u{fffd}b\n(lines 1-1 of 1, the end of the file; bytes that are not UTF-8 \
             are shown as \u{fffd})",
        );
    }

    #[test]
    fn binary_files_are_named_from_their_first_bytes() {
        let png = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[0; 100_000]].concat();
        let disk = MemoryDisk::new(&[("/shared/f", &png)]);
        assert_eq!(
            read(&disk, None, None),
            "`/shared/f` is not UTF-8 text and not shown: image/png, 97.7 KiB"
        );
        assert!(disk.bytes_read.get() <= 1000);
        check(
            b"a\0b",
            "`/shared/f` is not UTF-8 text and not shown: binary data of unknown kind, 3 B",
        );
        check(b"\xff\xfea\0", "`/shared/f` is not UTF-8 text and not shown: UTF-16 text, 4 B");
    }

    #[test]
    fn directories_and_missing_files_are_refused() {
        let disk = MemoryDisk::new(&[("/shared/d/f", b"")]);
        for (path, expected) in [("d", "use `file_list`"), ("x", "does not exist"), ("", "empty")] {
            let arguments = FileRead { path: path.into(), start_line: None, lines: None };
            let Err(ToolError::Failed(message)) = file_read(&disk, arguments) else {
                panic!("not refused: {path}");
            };
            assert!(message.contains(expected), "{message}");
        }
    }
}
