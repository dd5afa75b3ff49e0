//! Markdown in, lines out.

use super::*;

fn lines(source: &str, width: usize) -> Vec<String> {
    let how = Markdown { theme: Theme::plain(), width };
    how.lines(source).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check(source: &str, expect: &[&str]) {
    assert_eq!(lines(source, 40), expect);
}

#[test]
fn paragraphs_lists_and_headings_stand_apart() {
    check(
        "# One\ntext that is *soft* and\nbroken\n\n- a\n- b\n  1. c\n  2. d\n\nend",
        &[
            "# One",
            "",
            "text that is soft and broken",
            "",
            "• a",
            "• b",
            "  1. c",
            "  2. d",
            "",
            "end",
        ],
    );
}

#[test]
fn code_stands_behind_a_margin_and_keeps_its_spaces() {
    check("```rust\nfn a() {\n    b();\n}\n```", &["│ fn a() {", "│     b();", "│ }"]);
    check("```\nunfinished", &["│ unfinished"]);
    check("a\n\n    indented\n", &["a", "", "│ indented"]);
}

#[test]
fn a_link_says_where_it_leads() {
    check("[good](https://evil.example/)", &["good (https://evil.example/)"]);
    check("<https://a.example/>", &["https://a.example/"]);
    check("![x](https://a.example/p.png)", &["[image: x] (https://a.example/p.png)"]);
}

#[test]
fn tables_are_drawn_or_written_out() {
    check(
        "| a | number |\n|---|---:|\n| long one | 1 |\n| b | 23 |",
        &["a        │ number", "─────────┼───────", "long one │      1", "b        │     23"],
    );
    assert_eq!(
        lines("| first | second |\n|---|---|\n| something | else |", 12),
        ["first:", "something", "second: else"]
    );
}

#[test]
fn quotes_and_tasks() {
    check("> said\n> so\n\n- [x] done\n- [ ] not", &["▏ said so", "", "• [x] done", "• [ ] not"]);
}

#[test]
fn html_is_shown_and_not_obeyed() {
    check("<b>x</b> <script>y", &["<b>x</b> <script>y"]);
    check("<div>\nhi\n</div>", &["<div>", "hi", "</div>"]);
}

#[test]
fn escape_sequences_and_reordering_are_harmless() {
    check("a\x1b[2Jb \u{202e}c", &["a␛[2Jb c"]);
}

#[test]
fn the_last_block_is_all_that_changes() {
    assert_eq!(last_block("one\n\ntwo\n\nthr"), 10);
    assert_eq!(last_block("one\n\n```rust\nlet a"), 5);
    assert_eq!(last_block("- a\n- b"), 0);
    assert_eq!(last_block("- a\n\n# x"), 5);
    assert_eq!(last_block("a\n\n| a |\n|---|\n| "), 3);
    assert_eq!(last_block("a\n# b"), 0);
    assert_eq!(last_block(""), 0);
}

#[test]
fn a_deep_nest_ends() {
    let deep = format!("{}x", "> ".repeat(5_000));
    assert!(lines(&deep, 40).iter().any(|line| line.contains('x')));
    let deep = format!("{}x", "- ".repeat(5_000));
    assert!(!lines(&deep, 10).is_empty());
}

proptest::proptest! {
    #[test]
    fn any_text_fits_any_width(source in "[ -~\n*_`#>|\\-\\[\\]()!0-9é日\u{202e}\u{1b}]{0,200}", width in 1_usize..60) {
        let how = Markdown { theme: Theme::plain(), width };
        for line in how.lines(&source) {
            proptest::prop_assert!(
                line.width() <= width.max(24),
                "{} cells of {width}: `{line}`", line.width()
            );
        }
    }

    #[test]
    fn a_stream_ends_as_the_whole_does(source in "[a-c \n*`#>\\-|]{0,120}") {
        let start = last_block(&source);
        proptest::prop_assert!(source.is_char_boundary(start) && start <= source.len());
    }
}
