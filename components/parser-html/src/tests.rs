//! Pages written here, whole and hostile.

use super::*;

#[track_caller]
fn check(page: &str, expect: &str) {
    let document = read("a.html", page.as_bytes()).expect("a page");
    assert_eq!(document.sections[0].text, expect);
}

#[track_caller]
fn encoded(page: &[u8], expect: &str) {
    let document = read("a.html", page).expect("a page");
    assert_eq!(document.sections[0].text, expect);
    assert_eq!(document.notes, [""; 0]);
}

#[test]
fn a_page_is_read_with_its_headings_lists_links_and_tables() {
    check(
        "<!DOCTYPE html><html><head><title>x</title><style>p{}</style></head><body><h1>Tides</h1>\n<p>High at <b>noon</b>,\n  low at&nbsp;6 &amp; 7.</p><p>Then<br>more.",
        "# Tides\n\nHigh at noon, low at\u{a0}6 & 7.\n\nThen\nmore.",
    );
    check(
        "<ul><li>one<li>two <ul><li>inner</li></ul></li></ul><ol><li>a<li><p>b</p></ol>end",
        "- one\n- two\n  - inner\n\n1. a\n2. b\n\nend",
    );
    check(
        "<table><tr><th>a<th>b</tr><tr><td><p>c</p></td><td>d <i>e</i></td></tr></table>after",
        "a | b\nc | d e\n\nafter",
    );
    check(
        "see <a href='https://a.example/x?y=1&amp;z'>the\npage</a>, <a href='javascript:alert(1)'>run</a> <a href=/b>near</a> <a href='https://a.example'>https://a.example</a>.",
        "see [the page](https://a.example/x?y=1&z), run near https://a.example.",
    );
    check("<pre>\nfn a() {\n    b();\n}\n</pre><p>x", "fn a() {\n    b();\n}\n\nx");
    check("<p>a<img src=x alt='a boat'> b<hr>c", "aa boat b\n\nc");
}

#[test]
fn what_the_page_does_not_say_is_left_out() {
    check(
        "<nav><ul><li>home</li></ul></nav>a<script>if (1 < 2) { '</p>evil' }</script><!-- no --><svg><text>s</text></svg><noscript>n</noscript><template>t</template>b<textarea><p>t</textarea>c",
        "abc",
    );
    check("a<nav><nav>x</nav>y</nav>b", "ab");
    // One forgotten end hides no page.
    check("a<nav>home<p>the rest", "ahome\n\nthe rest");
    check("a<svg><nav>b<style>x", "ab");
    check("b<script>alert(1)<p>x", "b");
    let titled = read("a.html", b"<title> A\n &lt;b&gt; </title>x").expect("a page");
    assert_eq!(titled.title.as_deref(), Some("A <b>"));
}

#[test]
fn an_xhtml_page_closes_its_elements_itself() {
    let page = b"<?xml version='1.0' encoding='iso-8859-1'?><html><script src='x'/><body><p>caf\xe9</p><![CDATA[a < b]]></body></html>";
    let document = read("a.xhtml", page).expect("a page");
    assert_eq!(document.sections[0].text, "café\n\na < b");
}

#[test]
fn the_encoding_is_what_the_page_says_or_looks_like() {
    encoded("<p>é 🦀".as_bytes(), "é 🦀");
    encoded("\u{feff}<meta charset=latin1><p>é".as_bytes(), "é");
    encoded(b"<p>caf\xe9 \x93x\x94", "café “x”");
    encoded(b"<META charset = 'Shift_JIS' ><p>\x83e\x83X\x83g", "テスト");
    let content = b"<meta http-equiv=Content-Type content=\"text/html; charset=windows-1251\"><p>\xcf\xf0\xe8";
    encoded(content, "При");
    encoded(b"<!-- <meta charset=koi8-r> --><meta charset=iso-8859-2><p>\xb1", "ą");
    encoded("<meta charset=utf-16><p>é".as_bytes(), "é");
    encoded("<meta charset=nonsense><p>é".as_bytes(), "é");
    let wide = |units: &dyn Fn(u16) -> [u8; 2]| -> Vec<u8> {
        "<p>é 🦀".encode_utf16().flat_map(units).collect()
    };
    encoded(&wide(&u16::to_le_bytes), "é 🦀");
    encoded(&wide(&u16::to_be_bytes), "é 🦀");
    encoded(&[b"\xff\xfe".to_vec(), wide(&u16::to_le_bytes)].concat(), "é 🦀");
    // A character that two pieces share.
    let long = format!("<p>{}é", "x".repeat((64 << 10) - 4));
    encoded(long.as_bytes(), &long[3..]);
    let damaged = read("a.html", b"<meta charset=utf-8><p>a\xffb").expect("a page");
    assert_eq!(damaged.sections[0].text, "a\u{fffd}b");
    assert_eq!(damaged.notes, ["some characters are none of UTF-8"]);
}

#[test]
fn what_is_no_page_is_refused_or_empty() {
    let error = read("a.html", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").expect_err("no page");
    assert!(error.message.contains("zero bytes"), "{error:?}");
    for nothing in
        [&b""[..], b"<", b"<!--", b"</", b"&#", b"<?xml", b"\xff\xfe", b"<\0", b"<meta charset="]
    {
        let document = read("a.html", nothing).expect("nothing to read");
        assert!(document.sections[0].text.len() <= 2, "{nothing:?}");
    }
}

/// Every beginning of a page that has everything, and every byte of it spoiled.
#[test]
fn damage_is_read_as_far_as_it_goes() {
    let page = "<?xml encoding='x'?><!DOCTYPE a [<!ENTITY b 'c'>]><title>é</title><meta charset='utf-8'><h2>a</h2><ul><li><ol><li>🦀</ul><table><tr><td>a<td>b</table><pre>\n x</pre><a href='https://é.example/'>é<p></a></nav></svg><nav/><svg/>";
    for end in 0..page.len() {
        let _ = read("a.html", &page.as_bytes()[..end]);
        let mut spoiled = page.as_bytes().to_vec();
        spoiled[end] = 0xc3;
        let _ = read("a.xhtml", &spoiled);
        spoiled[end] = b'<';
        let _ = read("a.html", &spoiled);
    }
}

#[test]
fn nesting_costs_nothing() {
    let depth = 20_000;
    for element in ["div", "b", "ul", "table", "svg", "blockquote", "a href='https://a.example'"] {
        let page = format!("{}x", format!("<{element}>").repeat(depth));
        let document = read("a.html", page.as_bytes()).expect("a page");
        assert_eq!(document.sections[0].text.trim_matches(['|', ' ']), "x", "{element}");
    }
    let open = format!("a{}", "<nav><svg><select><style></style>".repeat(2_000));
    assert_eq!(read("a.html", open.as_bytes()).expect("a page").sections[0].text, "a");
}
