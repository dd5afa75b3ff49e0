//! Which encoding a page is in: what its first bytes say, as browsers look for it, or what the
//! bytes look like. Nothing is decoded here.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

/// Bytes in which browsers look for the name of an encoding.
const LOOKED_AT: usize = 1024;

/// The encoding of a page.
pub(crate) fn of(data: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(data) {
        return encoding;
    }
    match data {
        [b'<', 0, ..] => return UTF_16LE,
        [0, b'<', ..] => return UTF_16BE,
        _ => {}
    }
    let head = data.get(..LOOKED_AT).unwrap_or(data).to_ascii_lowercase();
    let named = in_declaration(&head).or_else(|| in_meta(&head));
    match named.and_then(Encoding::for_label) {
        // These could not have been read so far if it were true.
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => UTF_8,
        Some(encoding) if encoding == X_USER_DEFINED => WINDOWS_1252,
        Some(encoding) => encoding,
        None if std::str::from_utf8(data).is_ok() => UTF_8,
        None => WINDOWS_1252,
    }
}

/// True unless each character has two bytes.
pub(crate) fn is_single_byte(data: &[u8]) -> bool {
    let encoding = of(data);
    encoding != UTF_16LE && encoding != UTF_16BE
}

/// `<?xml version="1.0" encoding="…"?>` at the very beginning.
fn in_declaration(head: &[u8]) -> Option<&[u8]> {
    let declaration = head.strip_prefix(b"<?xml")?;
    let end = find(declaration, b"?>")?;
    value_of(declaration.get(..end)?, b"encoding")
}

/// `<meta charset=…>`, or a `content` with `charset=…`; not in a comment.
fn in_meta(head: &[u8]) -> Option<&[u8]> {
    let mut rest = head;
    while let Some(at) = rest.iter().position(|byte| *byte == b'<') {
        rest = rest.get(at..)?;
        if rest.starts_with(b"<!--") {
            let end = find(rest.get(4..)?, b"-->")?;
            rest = rest.get(4 + end..)?;
        } else if rest.starts_with(b"<meta") {
            let end = rest.iter().position(|byte| *byte == b'>').unwrap_or(rest.len());
            let (element, after) = rest.split_at_checked(end)?;
            if let Some(value) = value_of(element, b"charset") {
                return Some(value);
            }
            rest = after;
        } else {
            rest = rest.get(1..)?;
        }
    }
    None
}

/// What follows `name =`, with or without quotes.
fn value_of<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = text;
    loop {
        let at = find(rest, name)?;
        rest = rest.get(at + name.len()..)?;
        let Some(value) = rest.trim_ascii_start().strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let quoted = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'"));
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"';>/".contains(byte);
        let value = quoted.unwrap_or(value);
        let end = value.iter().position(ends).unwrap_or(value.len());
        return value.get(..end);
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
