//! The forms a secret takes on its way through tools: text, JSON, URLs, headers, mails and dumps.
//! Whether a form is found in a text is not decided here.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Shorter values would be found in ordinary text.
pub(super) const LEAST_CHARACTERS: usize = 6;

/// A line of a long secret, such as a key file, is searched for on its own from this length.
const LEAST_LINE: usize = 16;

/// Longer values are searched for as they are, line by line and, encoded, in pieces: each form
/// costs memory many times its length.
const MOST_ENCODED: usize = 4 * 1024;

/// A piece of a long value that is encoded on its own; groups of three bytes stay together.
const PIECE: usize = 48;

/// Of a longer value nothing is encoded.
const MOST_IN_PIECES: usize = 64 * 1024;

/// Every form in which this secret is searched for; none if it is too short.
pub(super) fn forms(value: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    if value.chars().count() < LEAST_CHARACTERS {
        return forms;
    }
    forms.insert(value.to_owned());
    forms.insert(json(value));
    let lines = value.lines().map(str::trim);
    forms.extend(
        lines
            .filter(|line| line.chars().count() >= LEAST_LINE && !line.starts_with("-----"))
            .map(str::to_owned),
    );
    if value.len() <= MOST_ENCODED {
        escaped(value, &mut forms);
        escaped(&json(value), &mut forms);
        bytes_as_text(value.as_bytes(), &mut forms);
    } else if value.len() <= MOST_IN_PIECES {
        for piece in value.as_bytes().chunks(PIECE) {
            base64(piece, &mut forms);
            hexadecimal(piece, &mut forms);
        }
    }
    forms.retain(|form| form.chars().count() >= LEAST_CHARACTERS);
    forms
}

/// Forms in which a character stays a character, or is written as an escape.
fn escaped(value: &str, forms: &mut BTreeSet<String>) {
    forms.insert(value.chars().rev().collect());
    forms.insert(value.chars().map(thirteen_on).collect());
    forms.insert(value.replace('/', "\\/"));
    forms.insert(value.replace('\'', "'\\''"));
    forms.insert(value.replace('\'', "'\"'\"'"));
    forms.insert(value.replace('\'', "''"));
    for quote in ["&#39;", "&#x27;", "&apos;", "'"] {
        for double in ["&quot;", "&#34;"] {
            let markup = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            forms.insert(markup.replace('\'', quote).replace('"', double));
            forms.insert(markup.replace('\'', quote));
        }
    }
    for unescaped in [&b"-._~"[..], b"-._~!'()*", b"-._~/", b"-._~:/?#[]@!$&'()*,;="] {
        let percent = each_byte(value, unescaped, |text, byte| write!(text, "%{byte:02X}"));
        let lower = each_byte(value, unescaped, |text, byte| write!(text, "%{byte:02x}"));
        for encoded in [percent, lower] {
            forms.insert(encoded.replace("%20", "+"));
            // Encoded once more, as a URL inside a URL is.
            forms.insert(encoded.replace('%', "%25"));
            forms.insert(encoded);
        }
    }
    let printable: Vec<u8> = (b' '..=b'~').filter(|byte| *byte != b'=').collect();
    let mut all_escaped = |write_one: fn(&mut String, u32) -> std::fmt::Result| {
        forms.insert(value.chars().fold(String::new(), |mut text, character| {
            let _infallible = write_one(&mut text, u32::from(character));
            text
        }));
    };
    all_escaped(|text, code| write!(text, "&#{code};"));
    all_escaped(|text, code| write!(text, "&#x{code:x};"));
    all_escaped(|text, code| write!(text, "&#x{code:X};"));
    all_escaped(|text, code| write!(text, "&#{code:03};"));
    all_escaped(|text, code| write!(text, "&#x{code:04x};"));
    all_escaped(|text, code| write!(text, "&#x{code:04X};"));
    all_escaped(|text, code| write!(text, "\\u{{{code:x}}}"));
    forms.insert(utf16(value, |unit| format!("\\u{unit:04x}"), false));
    forms.insert(utf16(value, |unit| format!("\\u{unit:04X}"), false));
    forms.insert(utf16(value, |unit| format!("\\u{unit:04x}"), true));
    forms.insert(each_byte(value, &printable, |text, byte| write!(text, "={byte:02X}")));
    forms.insert(each_byte(value, &printable, |text, byte| write!(text, "\\x{byte:02x}")));
}

/// Forms in which the bytes of the secret are written as numbers.
fn bytes_as_text(bytes: &[u8], forms: &mut BTreeSet<String>) {
    hexadecimal(bytes, forms);
    for (before, between) in [
        ("", ":"),
        ("", "-"),
        ("", ","),
        ("\\x", ""),
        ("%", ""),
        ("0x", ","),
        ("=", ""),
        ("0x", ""),
    ] {
        let pairs: Vec<String> = bytes.iter().map(|byte| format!("{before}{byte:02x}")).collect();
        forms.insert(pairs.join(between));
        let pairs: Vec<String> = bytes.iter().map(|byte| format!("{before}{byte:02X}")).collect();
        forms.insert(pairs.join(between));
    }
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    for between in [",", " ", ", "] {
        forms.insert(numbers.join(between));
    }
    let octal: Vec<String> = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
    forms.insert(octal.concat());
    base64(bytes, forms);
    base32(bytes, forms);
    let backwards: Vec<u8> = bytes.iter().rev().copied().collect();
    forms.insert(STANDARD.encode(&backwards).trim_end_matches('=').to_owned());
    // Encoded twice, as a header inside an encoded file is.
    let once = STANDARD.encode(bytes);
    base64(once.trim_end_matches('=').as_bytes(), forms);
    for bytes_of in [u16::to_le_bytes, u16::to_be_bytes] {
        let text = String::from_utf8_lossy(bytes);
        let wide: Vec<u8> = text.encode_utf16().flat_map(bytes_of).collect();
        base64(&wide, forms);
    }
}

fn hexadecimal(bytes: &[u8], forms: &mut BTreeSet<String>) {
    let lower: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    forms.insert(lower.to_uppercase());
    forms.insert(lower);
}

fn base64(bytes: &[u8], forms: &mut BTreeSet<String>) {
    for engine in [STANDARD, URL_SAFE] {
        let encoded = engine.encode(bytes);
        forms.insert(encoded.trim_end_matches('=').to_owned());
        forms.insert(encoded);
        // Inside a longer text the groups of three bytes begin elsewhere; the characters that
        // depend on a neighbour are left out.
        for (filler, skipped) in [(0, 0), (1, 2), (2, 3)] {
            let shifted = engine.encode([&vec![0; filler], bytes].concat());
            let whole = (filler + bytes.len()) * 8 / 6;
            forms.insert(shifted.chars().take(whole).skip(skipped).collect());
        }
    }
}

fn base32(bytes: &[u8], forms: &mut BTreeSet<String>) {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut encoded = String::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            encoded.push(char::from(ALPHABET[(bits >> held & 31) as usize]));
        }
    }
    if held > 0 {
        encoded.push(char::from(ALPHABET[(bits << (5 - held) & 31) as usize]));
    }
    forms.insert(encoded.to_lowercase());
    forms.insert(encoded);
}

fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&quoted).to_owned()
}

/// JSON's escapes: of every character, or of those outside ASCII and what HTML gives a meaning.
fn utf16(value: &str, escape: impl Fn(u16) -> String, only_unsafe: bool) -> String {
    let mut text = String::new();
    for character in value.chars() {
        let is_plain = character.is_ascii_graphic() && !"<>&'\"\\/".contains(character);
        if only_unsafe && is_plain {
            text.push(character);
        } else {
            text.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| escape(*unit)));
        }
    }
    text
}

fn each_byte(
    value: &str,
    plain: &[u8],
    escape: impl Fn(&mut String, u8) -> std::fmt::Result,
) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _infallible = escape(&mut text, byte);
        }
        text
    })
}

/// A path as a URL writes it.
pub(super) fn path_in_url(path: &str) -> String {
    each_byte(path, b"-._~/", |text, byte| write!(text, "%{byte:02X}"))
}

fn thirteen_on(character: char) -> char {
    let turned = |letter: char, first: u8| {
        let place = u8::try_from(letter).map_or(0, |letter| letter - first);
        char::from(first + (place + 13) % 26)
    };
    match character {
        'a'..='z' => turned(character, b'a'),
        'A'..='Z' => turned(character, b'A'),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648_without_padding() {
        for (text, expect) in [
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            let mut forms = BTreeSet::new();
            base32(text.as_bytes(), &mut forms);
            assert_eq!(forms, [expect.to_owned(), expect.to_lowercase()].into(), "{text}");
        }
    }

    /// Every form of a value with something of each kind in it.
    #[test]
    fn a_value_has_these_forms() {
        let forms = forms("aZ<'\"/= ü");
        for form in [
            r#"aZ<'"/= ü"#,
            r#"aZ<'\"/= ü"#,
            r#"aZ<'\"\/= ü"#,
            r#"ü =/"'<Za"#,
            r#"nM<'"/= ü"#,
            r#"aZ<'"\/= ü"#,
            r#"aZ<'\''"/= ü"#,
            r#"aZ<'"'"'"/= ü"#,
            r#"aZ<''"/= ü"#,
            r#"aZ&lt;&#39;&quot;/= ü"#,
            r#"aZ&lt;&#x27;&#34;/= ü"#,
            r#"aZ&lt;&apos;"/= ü"#,
            r#"aZ&lt;'&quot;/= ü"#,
            r#"aZ&lt;'"/= ü"#,
            "aZ%3C%27%22%2F%3D%20%C3%BC",
            "aZ%3c%27%22%2f%3d%20%c3%bc",
            "aZ%3C%27%22%2F%3D+%C3%BC",
            "aZ%253C%2527%2522%252F%253D%2520%25C3%25BC",
            "aZ%3C'%22%2F%3D%20%C3%BC",
            "aZ%3C%27%22/%3D%20%C3%BC",
            "aZ%3C'%22/=%20%C3%BC",
            "&#97;&#90;&#60;&#39;&#34;&#47;&#61;&#32;&#252;",
            "&#097;&#090;&#060;&#039;&#034;&#047;&#061;&#032;&#252;",
            "&#x61;&#x5a;&#x3c;&#x27;&#x22;&#x2f;&#x3d;&#x20;&#xfc;",
            "&#x61;&#x5A;&#x3C;&#x27;&#x22;&#x2F;&#x3D;&#x20;&#xFC;",
            "&#x0061;&#x005a;&#x003c;&#x0027;&#x0022;&#x002f;&#x003d;&#x0020;&#x00fc;",
            "&#x0061;&#x005A;&#x003C;&#x0027;&#x0022;&#x002F;&#x003D;&#x0020;&#x00FC;",
            r"\u{61}\u{5a}\u{3c}\u{27}\u{22}\u{2f}\u{3d}\u{20}\u{fc}",
            r"\u0061\u005a\u003c\u0027\u0022\u002f\u003d\u0020\u00fc",
            r"\u0061\u005A\u003C\u0027\u0022\u002F\u003D\u0020\u00FC",
            r"aZ\u003c\u0027\u0022\u002f=\u0020\u00fc",
            "aZ<'\"/=3D =C3=BC",
            r#"aZ<'"/\x3d \xc3\xbc"#,
            "615a3c27222f3d20c3bc",
            "615A3C27222F3D20C3BC",
            "61:5a:3c:27:22:2f:3d:20:c3:bc",
            "61-5A-3C-27-22-2F-3D-20-C3-BC",
            "61,5a,3c,27,22,2f,3d,20,c3,bc",
            r"\x61\x5a\x3c\x27\x22\x2f\x3d\x20\xc3\xbc",
            "%61%5a%3c%27%22%2f%3d%20%c3%bc",
            "0x61,0x5a,0x3c,0x27,0x22,0x2f,0x3d,0x20,0xc3,0xbc",
            "=61=5A=3C=27=22=2F=3D=20=C3=BC",
            "97,90,60,39,34,47,61,32,195,188",
            "97 90 60 39 34 47 61 32 195 188",
            "97, 90, 60, 39, 34, 47, 61, 32, 195, 188",
            "YVo8JyIvPSDDvA==",
            "YVo8JyIvPSDDvA",
            // Behind one byte and behind two.
            "FaPCciLz0gw7",
            "hWjwnIi89IMO8",
            "MFNDYJZCF46SBQ54",
        ] {
            assert!(forms.contains(form), "{form} is none of {forms:#?}");
        }
    }

    /// The forms of a value are those by which any text with it is recognised.
    #[test]
    fn base64_inside_a_longer_text_is_found_wherever_its_groups_begin() {
        for value in ["secret", "secrets", "secrets!", "secrets!!"] {
            let forms = forms(value);
            for before in ["", "a", "ab", "abc"] {
                for after in ["", "x", "xy", "xyz"] {
                    let encoded = STANDARD.encode(format!("{before}{value}{after}"));
                    let found = forms.iter().filter(|form| encoded.contains(form.as_str()));
                    let longest = found.map(String::len).max().unwrap_or(0);
                    // All but the characters that depend on a neighbour.
                    let own = (before.len() * 8).div_ceil(6)..(before.len() + value.len()) * 8 / 6;
                    assert!(longest >= own.len(), "{value} in {encoded}: {longest}");
                }
            }
        }
    }

    #[test]
    fn a_value_has_forms_from_six_characters_on() {
        assert!(forms("12345").is_empty());
        assert!(forms("üüüüü").is_empty());
        assert!(forms("123456").contains("123456"));
        assert!(forms("üüüüüü").contains("üüüüüü"));
        assert!(forms("123456").iter().all(|form| form.chars().count() >= 6));
    }

    #[test]
    fn a_line_is_a_form_of_its_own_from_sixteen_characters_on() {
        let text = "first line of it\n  fifteen of them \nüüüüüüüüüüüüüüüü\n-----BEGIN KEY-----\n";
        let forms = forms(text);
        assert!(forms.contains("first line of it"));
        assert!(forms.contains(&"ü".repeat(16)));
        assert!(!forms.contains("fifteen of them"));
        assert!(!forms.contains("-----BEGIN KEY-----"));
    }

    #[test]
    fn a_long_value_is_encoded_in_pieces_and_a_longer_one_not() {
        let hexadecimal = |length: usize| "61".repeat(length);
        let has =
            |length: usize, piece: usize| forms(&"a".repeat(length)).contains(&hexadecimal(piece));
        assert!(has(4096, 4096) && !has(4096, 48));
        assert!(has(4097, 48) && !has(4097, 4097));
        // What is left behind the last whole piece, unless it is too short to be searched for.
        assert!(has(48 * 86 + 3, 3) && !has(48 * 86 + 2, 2));
        assert!(has(65_536, 48) && !has(65_537, 48));
        assert_eq!(forms(&"a".repeat(65_537)).len(), 1);
    }

    #[test]
    fn thirteen_on_is_a_letter_of_the_same_case() {
        let turned: String = "amnzAMNZ 5ü".chars().map(thirteen_on).collect();
        assert_eq!(turned, "nzamNZAM 5ü");
        assert_eq!(path_in_url("/a b/ü~-._"), "/a%20b/%C3%BC~-._");
    }
}
