//! Known values with something between their characters: what a terminal, a mail or an editor puts
//! there is a gap and is masked with the value, and anything else makes it another text.

use super::*;
use std::sync::LazyLock;

const SECRET: &str = "Zk3vR8qLmN2x";

static SCRUBBER: LazyLock<Scrubber> = LazyLock::new(|| {
    let secrets = [
        secret("KEY", SECRET),
        secret("EIGHT", "bcdefghi"),
        secret("SEVEN", "1234567"),
        secret("PADDED", "c2VjcmV0LXdvcmQ="),
        secret("ESCAPES", "p\\nq\\tr =s\\=t"),
    ];
    Scrubber::new(&secrets, &[mapping("/home/x/work", "/work")]).unwrap()
});

/// Masked as a whole, and in pieces of one character, which must be the same.
#[track_caller]
fn masked(text: &str) -> String {
    let whole = SCRUBBER.mask_known(text);
    let mut stream = SCRUBBER.stream_known();
    let pieces: String = text.chars().map(|one| stream.push(&one.to_string())).collect();
    assert_eq!(pieces + &stream.finish(), whole, "{text:?} in pieces");
    whole
}

#[test]
fn a_gap_anywhere_in_a_value_is_masked_with_it() {
    let longest = " ".repeat(64);
    let longest_colour = format!("\u{1b}[{}m", "1".repeat(31));
    for gap in [
        " ",
        "\t",
        "\n    ",
        "\r\n\t",
        "=\n",
        "=\r\n",
        "\\\n",
        "\\\r\n",
        "\\n",
        "\\r\\n",
        "\\t",
        "\0",
        "\u{7f}",
        "\u{a0}",
        "\u{ad}",
        "\u{200b}",
        "\u{feff}",
        "\u{202e}",
        "\u{3164}",
        "\u{e0041}\u{e007f}",
        "\u{1b}[m",
        "\u{1b}[01;31m\u{1b}[K",
        "\u{9b}1m",
        "\u{1b}]8;;\u{1b}\\",
        "\u{1b}]8;;http://x.example/\u{7}",
        "\u{9d}8;;x\u{9c}",
        &longest,
        &longest_colour,
    ] {
        for at in 1..SECRET.len() {
            let (first, last) = SECRET.split_at(at);
            let text = format!("<{first}{gap}{last}{gap}>");
            assert_eq!(masked(&text), format!("<[secret:KEY]{gap}>"), "{gap:?} at {at}");
        }
        let everywhere = SECRET.chars().map(String::from).collect::<Vec<_>>().join(gap);
        assert_eq!(masked(&format!("{gap}{everywhere}")), format!("{gap}[secret:KEY]"), "{gap:?}");
    }
}

#[test]
fn anything_else_between_makes_it_another_text() {
    let too_long = " ".repeat(65);
    let colour = format!("\u{1b}[{}m", "1".repeat(32));
    for other in ["-", ".", "é", "日", "=", "\\x", "\u{1b}", "\u{1b}M", &too_long, &colour] {
        for at in 1..SECRET.len() {
            let (first, last) = SECRET.split_at(at);
            let text = format!("<{first}{other}{last}>");
            assert_eq!(masked(&text), text, "{other:?} at {at}");
        }
    }
}

#[test]
fn only_one_gap_is_limited_not_all_together() {
    let forty = " ".repeat(40);
    let text = format!("Zk3{forty}vR8{forty}qLmN2x");
    assert_eq!(masked(&text), "[secret:KEY]");
    // A gap that is too long ends what was open; behind it a value may begin.
    let too_long = " ".repeat(65);
    let text = format!("Zk3{too_long}Zk3 vR8qLmN2x");
    assert_eq!(masked(&text), format!("Zk3{too_long}[secret:KEY]"));
    let text = format!("Z k3{too_long}vR8qLmN2x");
    assert_eq!(masked(&text), text);
}

#[test]
fn a_value_begins_at_its_own_first_character() {
    for (text, expect) in [
        ("Zk3 Zk3 vR8qLmN2x!", "Zk3 [secret:KEY]!"),
        ("Z Z k3vR8qLm N2x", "Z [secret:KEY]"),
        ("bcd bcd efghi", "bcd [secret:EIGHT]"),
        ("Zk3vR8qLmN2 Zk3vR8qLmN2\n x", "Zk3vR8qLmN2 [secret:KEY]"),
        ("ü Zk3vR8q LmN2x ü", "ü [secret:KEY] ü"),
        ("bcdefg hi bcdefghi", "[secret:EIGHT] [secret:EIGHT]"),
        ("Zk3vR8qLmN2", "Zk3vR8qLmN2"),
        ("Zk3 vR8qLmN2", "Zk3 vR8qLmN2"),
    ] {
        assert_eq!(masked(text), expect, "{text:?}");
    }
}

#[test]
fn a_short_value_and_a_path_have_no_gaps() {
    assert_eq!(masked("b cdefghi"), "[secret:EIGHT]");
    assert_eq!(masked("1234567 123 4567"), "[secret:SEVEN] 123 4567");
    assert_eq!(masked("/home/x/work /home/x /work"), "/work /home/x /work");
}

#[test]
fn what_a_value_has_itself_is_no_gap() {
    for (text, expect) in [
        ("c2VjcmV0LXdvcmQ=", "[secret:PADDED]"),
        ("c2VjcmV0\nLXdvcmQ=", "[secret:PADDED]"),
        ("c2Vjcm V0LXdvcmQ", "[secret:PADDED]"),
        ("c2VjcmV0LXdvcmQ=\n", "[secret:PADDED]\n"),
        ("c2VjcmV0LXdv=\ncmQ=\n.", "[secret:PADDED]=\n."),
        ("p\\nq\\tr =s\\=t", "[secret:ESCAPES]"),
        ("p\\nq\\t r =s\\=t", "[secret:ESCAPES]"),
        ("p\\nq\\t\u{1b}[1mr =s\\=t", "[secret:ESCAPES]"),
        ("p\\n\nq\\tr=s\\=t", "[secret:ESCAPES]"),
    ] {
        assert_eq!(masked(text), expect, "{text:?}");
    }
}

/// A piece ends inside a gap, and what follows shows that it was none.
#[test]
fn a_gap_that_is_not_yet_whole_is_waited_for() {
    let check = |pieces: &[&str], expect: &[&str]| {
        let mut stream = SCRUBBER.stream_known();
        let mut out: Vec<String> = pieces.iter().map(|piece| stream.push(piece)).collect();
        out.push(stream.finish());
        assert_eq!(out, expect, "{pieces:?}");
    };
    check(&["a Zk3v=", "\nR8qLmN2x #"], &["a ", "[secret:KEY] #", ""]);
    check(&["a Zk3v=", "R8qLmN2x #"], &["a ", "Zk3v=R8qLmN2x #", ""]);
    check(&["a Zk3v=\r", "\nR8qLmN2x #"], &["a ", "[secret:KEY] #", ""]);
    check(&["a Zk3v\\", "nR8qLmN2x #"], &["a ", "[secret:KEY] #", ""]);
    check(&["a Zk3v\\", "xR8qLmN2x #"], &["a ", "Zk3v\\xR8qLmN2x #", ""]);
    check(&["a Zk3v\u{1b}", "[31", "mR8qLmN2x #"], &["a ", "", "[secret:KEY] #", ""]);
    check(&["a Zk3v\u{1b}", "MR8qLmN2x #"], &["a ", "Zk3v\u{1b}MR8qLmN2x #", ""]);
    check(&["a Zk3v\u{1b}]8;;", "\u{7}R8qLmN2x #"], &["a ", "[secret:KEY] #", ""]);
    check(&["a Zk3v \t", "R8qLmN2x #"], &["a ", "[secret:KEY] #", ""]);
    check(&["a Zk3v=", ""], &["a ", "", "Zk3v="]);
    check(&["a \u{1b}[", "x Zk3v ", "R8qLmN2x#"], &["", "a \u{1b}[x ", "[secret:KEY]#", ""]);
    let spaces = " ".repeat(65);
    check(&["a Zk3v", &spaces, "#"], &["a ", &format!("Zk3v{spaces}"), "#", ""]);
    check(&["a Zk3v", &spaces[1..], "#"], &["a ", "", &format!("Zk3v{}#", &spaces[1..]), ""]);
}
