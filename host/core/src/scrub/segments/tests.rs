//! Where a text is divided and what of it is held back, at each limit and one beside it.

use super::*;

const RANDOM: &str = "kT9vQ2xWn7LbR4sYd8ZpH3mF";

/// What each piece puts out, and last what the end does.
fn pushed(pieces: &[&str]) -> Vec<String> {
    let (mut segments, mut tally) = (Segments::default(), Tally::default());
    let mut out: Vec<String> =
        pieces.iter().map(|piece| segments.push(piece, &mut tally)).collect();
    out.push(segments.finish(&mut tally));
    out
}

fn whole(text: &str) -> String {
    pushed(&[text]).concat()
}

/// How much each piece puts out.
fn lengths(pieces: &[&str]) -> Vec<usize> {
    pushed(pieces).iter().map(String::len).collect()
}

#[test]
fn a_line_is_kept_whole_up_to_the_longest() {
    let longest = "a".repeat(8 * 1024);
    assert_eq!(lengths(&[&longest]), [0, 8192]);
    assert_eq!(lengths(&[&longest, "a", "a"]), [0, 8192, 0, 2]);
    assert_eq!(lengths(&[&longest, "\n"]), [0, 8192 + 1, 0]);
    assert_eq!(lengths(&[&longest.repeat(3), "a"]), [2 * 8192, 8192, 1]);
    assert_eq!(lengths(&["b\n", &longest, "a"]), [2, 0, 8192, 1]);
}

#[test]
fn a_longer_line_is_divided_behind_the_last_separator_near_the_end() {
    for separator in [" ", "\t", ",", ";", "}", "\u{2003}"] {
        for (before, expect) in [
            (8192 - separator.len(), 8192),
            (8000, 8000 + separator.len()),
            (7168, 7168 + separator.len()),
            (7167 - separator.len(), 8192),
        ] {
            let text = format!("{}{separator}{}", "a".repeat(before), "a".repeat(2_000));
            assert_eq!(lengths(&[&text])[0], expect, "{separator:?} at {before}");
        }
    }
    let two = format!("{}, {} {}", "a".repeat(7_500), "b".repeat(300), "c".repeat(2_000));
    assert_eq!(lengths(&[&two])[0], 7_500 + 2 + 300 + 1);
    let wide = format!("{}ü{}", "a".repeat(8191), "a".repeat(100));
    assert_eq!(whole(&wide), wide, "not inside a character");
}

/// A line without a separator near its end is divided inside a value, which is not found then.
#[test]
fn a_value_at_the_division_is_found_if_the_line_is_short_enough() {
    for (opening, end) in [(8192 - 24, "[redacted:high-entropy]"), (8192 - 23, RANDOM)] {
        let text = "(".repeat(opening);
        assert_eq!(whole(&format!("{text}{RANDOM}")), format!("{text}{end}"));
    }
    let text = "(".repeat(8192 - 12);
    let line = format!("{text}{RANDOM}\nx\n");
    assert_eq!(whole(&line), line);
}

#[test]
fn lines_that_announce_are_ended_before_a_line_that_is_too_long() {
    let long = "a".repeat(8192);
    assert_eq!(lengths(&["token:\n", &long, "a"]), [0, 7, 8192, 1]);
    assert_eq!(lengths(&["token:\n", &long[..8192 - 7], "a"]), [0, 0, 7, 8186]);
}

#[test]
fn a_value_is_announced_on_the_line_before() {
    for (text, expect) in [
        ("<password>\n  hunter22\n", "<password>\n  [redacted:password]\n"),
        ("<password>\r\nhunter22\r\n", "<password>\r\n[redacted:password]\r\n"),
        ("<password>\nx:\nhunter22\n", "<password>\nx:\nhunter22\n"),
        ("api_key:\n  aB3dE5fG7hI9\n", "api_key:\n  [redacted:generic-api-key]\n"),
        ("api_key =\naB3dE5fG7hI9\n", "api_key =\n[redacted:generic-api-key]\n"),
        ("api_key\n= aB3dE5fG7hI9\n", "api_key\n= aB3dE5fG7hI9\n"),
        ("x\nnoun:\n  aB3dE5fG7hI9\n", "x\nnoun:\n  aB3dE5fG7hI9\n"),
    ] {
        assert_eq!(whole(text), expect);
    }
}

#[test]
fn so_many_lines_are_read_together() {
    for (before, is_masked) in [(0, true), (22, true), (23, false), (24, true)] {
        let text = format!("{}<password>\nhunter22\n", "token:\n".repeat(before));
        assert_eq!(whole(&text) != text, is_masked, "{before} lines before");
    }
    // What the line before called for does not make others go on.
    let apart = format!("password\n{}<password>\nhunter22\n", "x:\n".repeat(23));
    assert!(whole(&apart).ends_with("<password>\n[redacted:password]\n"));
}

#[test]
fn the_data_of_a_kubernetes_secret_is_masked_on_either_side_of_its_kind() {
    const DATA: &str = "  x: c29tZSB0ZXh0IG9m\n";
    let check = |before: &str, after: &str, is_masked: bool| {
        let text = format!("{before}{DATA}{after}");
        // What stood before the kind was shown when the kind came.
        let expect = match is_masked {
            true if after.is_empty() => "  [redacted:kubernetes-secret-yaml]\n",
            true => "  x: [redacted:kubernetes-secret-yaml]\n",
            false => DATA,
        };
        assert_eq!(whole(&text), format!("{before}{expect}{after}"));
    };
    check("kind: Secret\ndata:\n", "", true);
    check("kind: \"secret\"\nmetadata:\n  name: y\ndata:\n", "", true);
    check("kind: 'SECRET'\r\ndata:\r\n", "", true);
    check("kind: ConfigMap\ndata:\n", "", false);
    check("kind: SecretList\ndata:\n", "", false);
    check("kind: Secret\n\ndata:\n", "", false);
    check("kind: Secret\n---\ndata:\n", "", false);
    check("data:\n", "kind: Secret\n", true);
    check("data:\n  y: z\n", "kind: Secret\n", true);
    check("x:\n  data:\n", "kind: Secret\n", true);
    check("x: data:\n", "kind: Secret\n", false);
    check("data:\n", "\nkind: Secret\n", false);
    check("data:\n", "metadata:\n  name: y\nkind: Secret\n", true);
    // The lines up to the kind are 511 bytes long, or 512.
    for (length, is_masked) in [(511, true), (512, false)] {
        let filler = length - "data:\n".len() - DATA.len() - "\n".len();
        let after = format!("{}\n", "-".repeat(filler));
        let text = format!("data:\n{DATA}{after}");
        assert_eq!(text.len(), length);
        let held = lengths(&[&text])[1] > 0;
        assert_eq!(held, is_masked, "{length}");
    }
}

#[test]
fn a_private_key_is_one_mask_with_its_headers() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    for (headers, what) in [
        ("", "none"),
        ("Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\n", "of OpenSSL"),
        ("\nVersion: 1\nComment: a key of two words\n", "of PGP"),
    ] {
        let key = format!(
            "-----BEGIN RSA PRIVATE KEY-----\n{headers}{line}\n{line}\nab==\n-----END RSA PRIVATE KEY-----\n"
        );
        assert_eq!(whole(&format!("x\n{key}y\n")), "x\n[redacted:private-key]\ny\n", "{what}");
        let pieces: Vec<String> = key.chars().map(String::from).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        assert_eq!(pushed(&pieces).concat(), "[redacted:private-key]\n", "{what}, in pieces");
    }
    let sentence = "-----BEGIN RSA PRIVATE KEY-----\nsee the manual\n";
    assert_eq!(
        whole(&format!("{sentence}abcdefghijklmnopqrst\n")),
        format!("{sentence}[redacted:private-key]\n")
    );
    let sentences = format!("{sentence}it says more\nabcdefghijklmnopqrst\n");
    assert_eq!(whole(&sentences), sentences, "it ends the block");
    let many = format!("-----BEGIN PRIVATE KEY-----\n{}", format!("{line}\n").repeat(300));
    let masked = whole(&many);
    assert!(!masked.contains("MIIE"), "a key of many segments: {masked}");
}

#[test]
fn what_may_be_or_announce_a_credential_is_held_back() {
    let check = |text: &str, at_end: usize, open: usize| {
        assert_eq!((hold(text, true), hold(text, false)), (at_end, open), "{text:?}");
    };
    let spaces = |count: usize| " ".repeat(count);
    check("", 0, 0);
    check("plain words ", 12, 12);
    check("plain words", 11, 6);
    check("ünd wörter", 12, 8);
    // A word by itself.
    check("a abcdefghijklmnopqrs b ", 24, 24);
    check("a abcdefghijklmnopqrst b ", 2, 2);
    check("a abcdefghij1 b ", 16, 16);
    check("a abcdefghijk1 b ", 2, 2);
    check("a b://c d ", 2, 2);
    check("a b:/c d ", 9, 9);
    // A keyword, with an operator so near.
    check("the password = x ", 4, 4);
    check("the my.password is \"x\" ", 4, 4);
    check("the <b>token</b> ", 4, 4);
    check("the token | x ", 4, 4);
    check(&format!("the token{}= ", spaces(47)), 4, 4);
    check(&format!("the token{}= ", spaces(48)), 59, 59);
    check(&format!("the token{}", spaces(47)), 56, 4);
    check(&format!("the token{}", spaces(48)), 57, 57);
    check("the token of it ", 16, 4);
    check("the --token of it ", 4, 4);
    check("the -x token of it ", 19, 7);
    // What needs none, and the first of several.
    check("use curl and so on ", 4, 4);
    check("use sshpass a token = b ", 4, 4);
    check("some tokens = a password = b ", 5, 5);
    check("ghp_ alone", 10, 5);
    check("\u{a0}token=1", 2, 2);
}

/// Forty-eight bytes behind a keyword decide; what is held back is looked at when a sixteenth more
/// of it has come.
#[test]
fn what_is_held_back_is_looked_at_now_and_then() {
    let shown = "some words ".repeat(10);
    let held = format!("token {}", "a ".repeat(20));
    let mut pieces = vec![shown.as_str(), held.as_str()];
    pieces.extend([" "; 11]);
    assert_eq!(lengths(&pieces), [110, 0, 0, 0, 0, 0, 0, 0, 0, 0, 55, 1, 1, 0]);
    // The first look is behind the end of the line before.
    let mut pieces = vec!["one line\n", held.as_str()];
    pieces.extend([" "; 11]);
    assert_eq!(lengths(&pieces), [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 55, 1, 1, 0]);
    let mut pieces = vec!["one line that is longer\n", "token", " ", "= "];
    pieces.extend(["x ", "\n", "y "]);
    assert_eq!(lengths(&pieces), [24, 0, 0, 0, 0, 11, 2, 0]);
}

#[test]
fn an_empty_text_has_no_end() {
    assert_eq!(pushed(&[]), [""]);
    assert_eq!(pushed(&["", ""]), ["", "", ""]);
    assert_eq!(pushed(&["\n"]), ["\n", ""]);
}
