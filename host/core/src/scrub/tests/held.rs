//! What a stream of known values puts out for each piece: nothing that may still become a part of a
//! secret or of a host's path, and everything else.

use super::*;

fn scrubber() -> Scrubber {
    let secrets = [
        secret("INNER", "cdefgh"),
        secret("OUTER", "abcdefghij"),
        secret("NEXT", "ijklmn"),
        secret("SIGN", "!value-1!"),
        secret("ENV", "ROOT=/home/x"),
        secret("TAIL", "/ws/secret"),
    ];
    let paths = [
        mapping("/home/x/ws", "/work"),
        mapping("/home/x/ws/shared", "/shared"),
        mapping("/home/x/ws/shared/deep", "/deep"),
        mapping("/home/x/ws", "/never"),
        mapping("/", "/root"),
    ];
    Scrubber::new(&secrets, &paths).unwrap()
}

fn put_out(pieces: &[&str]) -> Vec<String> {
    let mut stream = scrubber().stream_known();
    let mut out: Vec<String> = pieces.iter().map(|piece| stream.push(piece)).collect();
    out.push(stream.finish());
    out
}

#[track_caller]
fn check(pieces: &[&str], expect: &[&str]) {
    assert_eq!(put_out(pieces), expect, "{pieces:?}");
}

#[test]
fn secrets_that_overlap_are_one_mask() {
    check(&["-abcdefghij-"], &["-[secret:OUTER]-", ""]);
    check(&["-abcdefghijklmn-"], &["-[secret:OUTER]-", ""]);
    check(&["-cdefgh-"], &["-[secret:INNER]-", ""]);
    check(&["cdefghijklmn#"], &["[secret:INNER][secret:NEXT]#", ""]);
    check(&["cdefghcdefgh#"], &["[secret:INNER][secret:INNER]#", ""]);
    check(&["abcdefghi-"], &["ab[secret:INNER]i-", ""]);
    check(&["xijklmn#"], &["x[secret:NEXT]#", ""]);
    check(&["abcde", "fghij", "klmn", "#"], &["", "", "[secret:OUTER]", "#", ""]);
    check(&["abcde", "fghij", "klm", "#"], &["", "", "[secret:OUTER]", "klm#", ""]);
    check(&["abcde", "fghi"], &["", "", "ab[secret:INNER]i"]);
    check(&["abcde", "fgh", "#"], &["", "", "ab[secret:INNER]#", ""]);
}

#[test]
fn a_text_after_the_end_is_another_one() {
    let scrubber = scrubber();
    let (mut stream, mut out) = (scrubber.stream_known(), Vec::new());
    for piece in ["abcde", "fgh#"] {
        out.push(stream.push(piece));
        out.push(stream.finish());
    }
    assert_eq!(out, ["", "abcde", "fgh#", ""]);
    assert_eq!(stream.tally().redactions, 0);
    let nothing = Scrubber::new(&[], &[]).unwrap();
    let mut stream = nothing.stream_known();
    assert_eq!([stream.push("abc"), stream.finish()], ["abc", ""]);
}

#[test]
fn a_path_is_waited_for_until_its_name_ends() {
    check(&["a /home/x/ws", "/#"], &["a ", "/work/#", ""]);
    check(&["a /home/x/ws/shared", "/#"], &["a ", "/shared/#", ""]);
    check(&["a /home/x/ws/sha", "/#"], &["a ", "/work/sha/#", ""]);
    check(&["a /home/x/ws/shared/de", "p/#"], &["a ", "/shared/dep/#", ""]);
    check(&["a /home/x/ws/shared/deep", " #"], &["a ", "/deep #", ""]);
    check(&["a /home/x/ws.", "b #"], &["a ", "/home/x/ws.b #", ""]);
    check(&["a /home/x/ws.", " #"], &["a ", "/work. #", ""]);
    check(&["a /home/x/ws.", "."], &["a ", "/work..", ""]);
    check(&["a /home/x/ws", "2 #"], &["a ", "/home/x/ws2 #", ""]);
    check(&["a /home/x/ws", "-#"], &["a ", "/home/x/ws-#", ""]);
    check(&["a /home/x/ws", "_#"], &["a ", "/home/x/ws_#", ""]);
    check(&["a /home/x/ws", "ü"], &["a ", "/home/x/wsü", ""]);
    check(&["a /home/x/ws", "·"], &["a ", "/work·", ""]);
    check(&["a /home/x/ws", ""], &["a ", "", "/work"]);
    check(&["a /home/x/w", "s"], &["a ", "", "/work"]);
    check(&["/home/x/ws /home/x/ws", " ", "#"], &["/work ", "", "/work #", ""]);
    check(&["ü /home/x/ws:", "/home/x/ws:"], &["ü /work:", "/work:", ""]);
}

#[test]
fn what_is_before_a_path_decides_too() {
    for before in ["a", "_", "-", ".", "1", "ü"] {
        let text = format!("{before}/home/x/ws/#");
        check(&[&text], &[&text, ""]);
        assert_eq!(put_out(&[before, "/home/x/ws/#"]).concat(), text);
    }
    for before in [" ", ":", "=", "(", "\"", "·", "//"] {
        check(&[&format!("{before}/home/x/ws/#")], &[&format!("{before}/work/#"), ""]);
        let expect = format!("{before}/work/#");
        assert_eq!(put_out(&[before, "/home/x/ws/#"]).concat(), expect);
    }
}

#[test]
fn a_secret_beside_a_path_leaves_it_and_one_inside_wins() {
    check(&["!value-1!/home/x/ws/#"], &["[secret:SIGN]/work/#", ""]);
    check(&["!value-1!", "/", "home/x/ws/#"], &["", "[secret:SIGN]", "/work/#", ""]);
    check(&["/home/x/ws!value-1!#"], &["/work[secret:SIGN]#", ""]);
    check(&["/home/x/ws", "!value-1", "!#"], &["", "/work", "[secret:SIGN]#", ""]);
    check(&["ROOT=/home/x/ws/#"], &["[secret:ENV]/ws/#", ""]);
    check(&["ROOT=/home/x", "/ws/#"], &["", "[secret:ENV]/ws/#", ""]);
    check(&["ROOT=/home/x/", "ws/#"], &["[secret:ENV]", "/ws/#", ""]);
    check(&["ROOT=/home/x", "#"], &["", "[secret:ENV]#", ""]);
    check(&["a /home/x/ws/secret #"], &["a /home/x[secret:TAIL] #", ""]);
    check(&["a /home/x/ws", "/secret #"], &["a ", "/home/x[secret:TAIL] #", ""]);
    check(&["a /home/x/ws /ws/secret#"], &["a /work [secret:TAIL]#", ""]);
}

#[test]
fn every_mask_is_counted_once_and_a_path_is_not() {
    let mut tally = Tally::default();
    let masked = scrubber().known_counted("cdefgh ijklmn cdefgh /home/x/ws/#", &mut tally);
    assert_eq!(masked, "[secret:INNER] [secret:NEXT] [secret:INNER] /work/#");
    assert_eq!(tally.redactions, 3);
    let other = Tally { redactions: u32::MAX, kinds: ["token".to_owned()].into() };
    tally.join(&other);
    assert_eq!(tally.redactions, u32::MAX);
    let kinds: Vec<&str> = tally.kinds.iter().map(String::as_str).collect();
    assert_eq!(kinds, ["secret:INNER", "secret:NEXT", "token"]);
}
