//! What an edit keeps, and each way it refuses without touching the file.

use super::*;
use crate::memory::MemoryDisk;

fn edit(old_text: &str, new_text: &str) -> Edit {
    Edit { old_text: old_text.into(), new_text: new_text.into(), replace_all: false }
}

fn run(content: &str, edits: Vec<Edit>) -> (Result<String, ToolError>, String) {
    let disk = MemoryDisk::new(&[("/shared/f", content.as_bytes())]);
    let result = file_edit(&disk, FileEdit { path: "f".into(), edits });
    (result, String::from_utf8(disk.bytes("/shared/f").unwrap()).unwrap())
}

#[track_caller]
fn check(content: &str, edits: Vec<Edit>, expected: &str) {
    let (result, after) = run(content, edits);
    result.expect("edits");
    assert_eq!(after, expected);
}

#[track_caller]
fn check_refused(content: &str, edits: Vec<Edit>, expected: &str) {
    let (result, after) = run(content, edits);
    let Err(ToolError::Failed(message)) = result else { panic!("not refused: {result:?}") };
    assert!(message.contains(expected), "{message}");
    assert_eq!(after, content, "the file was touched");
}

#[test]
fn one_exact_piece_is_replaced_and_shown() {
    let (result, after) = run("a\nb\nc\nd\ne\nf\n", vec![edit("d", "D\nDD")]);
    assert_eq!(after, "a\nb\nc\nD\nDD\ne\nf\n");
    assert_eq!(
        result.unwrap(),
        "edited `/shared/f`: 1 replacement\n@@ -2,5 +2,6 @@\n b\n c\n-d\n+D\n+DD\n e\n f"
    );
}

#[test]
fn a_piece_found_twice_is_refused_with_its_lines() {
    check_refused("x\ny\nx\n", vec![edit("x", "z")], "found 2 times, at lines 1, 3; quote more");
    let all = Edit { replace_all: true, ..edit("x", "z") };
    check("x\ny\nx\n", vec![all], "z\ny\nz\n");
    check_refused(&"x\n".repeat(40), vec![edit("x", "z")], "9, 10, …");
}

#[test]
fn a_missing_piece_names_the_nearest_line() {
    check_refused(
        "fn main() {\n    println!(\"hello\");\n}\n",
        vec![edit("    println!(\"helo\");", "")],
        "nearest is line 2: `    println!(\"hello\");`",
    );
    check_refused("a\tb\nnext\n", vec![edit("a  b\nnext", "")], "but for spaces, line 1");
    check_refused("one\ntwo\nthree\n", vec![edit("one\ntwo\nfour", "")], "differs in line 3");
    check_refused("", vec![edit("x", "y")], "is not found");
    check_refused("🦀\n", vec![edit("é", "y")], "is not found");
}

#[test]
fn edits_build_on_each_other_and_are_all_made_or_none() {
    check("a b\n", vec![edit("a", "c"), edit("c b", "d")], "d\n");
    check_refused("a b\n", vec![edit("a", "c"), edit("zzz", "d")], "edit 2 of 2: ");
}

#[test]
fn line_ends_and_byte_order_mark_are_kept() {
    check("\u{feff}a\r\nb\r\n", vec![edit("a\nb", "c\nd\ne")], "\u{feff}c\r\nd\r\ne\r\n");
    check("a\r\nb\r\n", vec![edit("a\r\nb", "c")], "c\r\n");
    check("a\r\nb\nc\n", vec![edit("b\nc", "d")], "a\r\nd\n");
    check_refused("a\r\nb\nc\n", vec![edit("a\nb", "d")], "CR LF");
    check("a\nb\n", vec![edit("b\n", "c")], "a\nc\n");
    check("a\nb", vec![edit("b", "c")], "a\nc");
    check("a\n", vec![edit("a\n", "")], "");
}

#[test]
fn edits_that_say_nothing_are_refused() {
    check_refused("a", vec![], "is empty");
    check_refused("a", vec![edit("", "b")], "`old_text` is empty");
    check_refused("a", vec![edit("a", "a")], "as it is");
}

#[test]
fn what_is_no_text_or_too_large_is_refused() {
    let large = vec![b'x'; FILE + 1];
    let disk = MemoryDisk::new(&[("/shared/b", b"a\xff"), ("/shared/l", &large)]);
    for (path, expected) in [("b", "byte 1"), ("l", "4.0 MiB"), ("n", "not exist"), ("/tmp", "dir")]
    {
        let arguments = FileEdit { path: path.into(), edits: vec![edit("a", "b")] };
        let Err(ToolError::Failed(message)) = file_edit(&disk, arguments) else {
            panic!("not refused: {path}");
        };
        assert!(message.contains(expected), "{message}");
    }
}
