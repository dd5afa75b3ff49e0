//! Staged changes as a person reads them: a unified difference of text, a line with size and
//! digest for everything else.

use crate::files::{Base, Change, Node, Staging};
use sha2::{Digest, Sha256};
use similar::{Algorithm, TextDiff};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Bytes of the whole text.
const LONGEST: usize = 256 << 10;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// Time for comparing all files of a call; after it the difference is correct and less small.
const TIME: Duration = Duration::from_secs(2);

/// The whole text; it says itself when something was left out.
pub(super) fn text(staged: &Staging) -> String {
    let deadline = Instant::now() + TIME;
    let mut text = String::new();
    let mut left_out = 0_usize;
    let renames = staged.changes().iter().filter_map(|change| match change {
        Change::Rename { source, target } => Some(format!("renamed: {source} -> {target}\n")),
        Change::MakeDirectory(_)
        | Change::Write { .. }
        | Change::RemoveFile(_)
        | Change::RemoveDirectory(_) => None,
    });
    let files = staged.outcome().map(|(path, base, node)| entry(path, base, node, deadline));
    for part in renames.chain(files) {
        if text.len() + part.len() <= LONGEST - NOTE {
            text.push_str(&part);
            continue;
        }
        let mut room = (LONGEST - NOTE).saturating_sub(text.len());
        while !part.is_char_boundary(room) {
            room -= 1;
        }
        // Whole lines only, or a cut one would read as another.
        let room = part[..room].rfind('\n').map_or(0, |end| end + 1);
        text.push_str(&part[..room]);
        left_out += part[room..].lines().count();
    }
    if left_out > 0 {
        writeln!(text, "[{left_out} more lines are not shown; the digest covers them too]")
            .expect("a string takes all");
    }
    if text.is_empty() { "nothing would change\n".to_owned() } else { text }
}

/// Room for the note on what was left out.
const NOTE: usize = 128;

fn entry(path: &str, base: &Base, node: &Node, deadline: Instant) -> String {
    match (base, node) {
        (Base::Absent, Node::Directory) => format!("new directory: {path}\n"),
        (Base::Absent, Node::Gone) => String::new(),
        (Base::Directory, Node::Gone) => format!("removed directory: {path}\n"),
        (base, Node::File(content)) => match (old_text(base), as_text(content)) {
            (Some(old), Some(new)) => {
                let header = if matches!(base, Base::Absent) { "/dev/null" } else { path };
                unified(old, new, (header, path), deadline, path)
            }
            _ => format!("{path}: {} becomes {}\n", before(base), file(content)),
        },
        (base, Node::Gone) => match old_text(base) {
            Some(old) => unified(old, "", (path, "/dev/null"), deadline, path),
            None => format!("removed: {path}, {}\n", before(base)),
        },
        (base, Node::Directory) => format!("{path}: {} becomes a directory\n", before(base)),
    }
}

fn unified(
    old: &str,
    new: &str,
    (from, to): (&str, &str),
    deadline: Instant,
    path: &str,
) -> String {
    if old == new {
        return match from == to {
            true => format!("{path}: written again with the same content\n"),
            false => format!("--- {from}\n+++ {to}\n(empty file)\n"),
        };
    }
    TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .deadline(deadline)
        .diff_lines(old, new)
        .unified_diff()
        .context_radius(CONTEXT)
        .header(from, to)
        .to_string()
}

fn old_text(base: &Base) -> Option<&str> {
    match base {
        Base::Absent => Some(""),
        Base::File { content: Some(content), .. } => as_text(content),
        Base::File { content: None, .. }
        | Base::Large { .. }
        | Base::Link(_)
        | Base::Directory
        | Base::Other => None,
    }
}

/// What can be shown line by line.
fn as_text(content: &[u8]) -> Option<&str> {
    std::str::from_utf8(content).ok().filter(|text| !text.contains('\0'))
}

fn before(base: &Base) -> String {
    match base {
        Base::Absent => "nothing".to_owned(),
        Base::File { bytes, digest, .. } => format!("a file of {bytes} bytes, sha256:{digest},"),
        Base::Large { bytes, .. } => format!("a file of {bytes} bytes"),
        Base::Link(target) => format!("a link to `{}`", target.display()),
        Base::Directory => "a directory".to_owned(),
        Base::Other => "no regular file".to_owned(),
    }
}

fn file(content: &[u8]) -> String {
    format!("a file of {} bytes, sha256:{}", content.len(), hex::encode(Sha256::digest(content)))
}
