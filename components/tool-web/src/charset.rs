//! What bytes a body is made of: its media type, its character set, its text. No guessing by
//! language statistics.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Bytes at the start of a page in which the HTML standard looks for a `<meta charset>`.
const META: usize = 1024;

/// What to do with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Html,
    Text,
    Binary,
}

/// Media type in lower case, without parameters, and the `charset` parameter.
pub(crate) fn parse_content_type(header: &str) -> (String, Option<String>) {
    let mut parts = header.split(';');
    let media_type = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']).to_owned();
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    });
    (media_type, charset)
}

/// What a media type says; none when it says nothing and the bytes have to.
pub(crate) fn kind_of_type(media_type: &str) -> Option<Kind> {
    match media_type {
        "" | "application/octet-stream" => None,
        "text/html" | "application/xhtml+xml" => Some(Kind::Html),
        "application/json"
        | "application/xml"
        | "application/javascript"
        | "application/yaml"
        | "application/x-yaml"
        | "application/toml"
        | "application/sql"
        | "application/x-sh"
        | "application/x-ndjson"
        | "application/ecmascript"
        | "image/svg+xml" => Some(Kind::Text),
        text if text.starts_with("text/") => Some(Kind::Text),
        text if text.ends_with("+json") || text.ends_with("+xml") => Some(Kind::Text),
        _ => Some(Kind::Binary),
    }
}

/// What the bytes say.
pub(crate) fn kind_of_bytes(bytes: &[u8]) -> Kind {
    // The same window and question as git has for a file.
    let window = &bytes[..bytes.len().min(8000)];
    if window.contains(&0) {
        return Kind::Binary;
    }
    let start = String::from_utf8_lossy(&window[..window.len().min(META)]).to_ascii_lowercase();
    match start.contains("<!doctype html") || start.contains("<html") {
        true => Kind::Html,
        false => Kind::Text,
    }
}

/// The text of a body: by byte order mark, header, `<meta>`, and else UTF-8 if it is that.
pub(crate) fn decode(bytes: &[u8], charset: Option<&str>) -> String {
    let named = charset.and_then(|label| Encoding::for_label(label.as_bytes()));
    let encoding = named.or_else(|| meta_charset(bytes)).unwrap_or_else(|| {
        // A body cut in the middle of a character is still UTF-8.
        match std::str::from_utf8(bytes) {
            Err(error) if error.error_len().is_some() => WINDOWS_1252,
            _ => UTF_8,
        }
    });
    encoding.decode(bytes).0.into_owned()
}

fn meta_charset(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = &bytes[..bytes.len().min(META)];
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    let tag = start
        .split("<meta")
        .skip(1)
        .find_map(|tag| tag.split('>').next()?.split_once("charset"))?;
    let value = tag.1.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let label = value.split(['"', '\'', ';', ' ', '/']).next().unwrap_or(value);
    Encoding::for_label(label.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_come_apart() {
        for (header, media_type, charset) in [
            ("text/html", "text/html", None),
            ("Text/HTML; Charset=\"ISO-8859-1\"; x=y", "text/html", Some("ISO-8859-1")),
            ("", "", None),
            (";;=;charset", "", None),
        ] {
            let parsed = parse_content_type(header);
            assert_eq!(parsed, (media_type.to_owned(), charset.map(str::to_owned)), "{header}");
        }
    }

    #[test]
    fn the_header_wins_over_meta_and_meta_over_a_guess() {
        let latin = b"<meta charset='iso-8859-1'>\xe4";
        assert_eq!(decode(latin, None), "<meta charset='iso-8859-1'>ä");
        assert_eq!(decode(latin, Some("utf-8")), "<meta charset='iso-8859-1'>\u{fffd}");
        let long = b"<META http-equiv=x content=\"text/html; charset=shift_jis\">\x82\xa0";
        assert!(decode(long, None).ends_with('あ'));
        assert_eq!(decode("ä€".as_bytes(), None), "ä€");
        assert_eq!(decode(b"\xe4\xdf", None), "äß");
        assert_eq!(decode(b"\xef\xbb\xbfx", Some("iso-8859-1")), "x");
        assert_eq!(decode(b"ab\xe2\x82", None), "ab\u{fffd}");
        assert_eq!(decode(b"<meta charset=>\xe4x", Some("no-such")), "<meta charset=>äx");
    }

    #[test]
    fn kinds() {
        assert_eq!(kind_of_type("application/vnd.api+json"), Some(Kind::Text));
        assert_eq!(kind_of_type("image/png"), Some(Kind::Binary));
        assert_eq!(kind_of_type("application/octet-stream"), None);
        assert_eq!(kind_of_bytes(b"\n<!DOCTYPE HTML><p>"), Kind::Html);
        assert_eq!(kind_of_bytes(b"a < b"), Kind::Text);
        assert_eq!(kind_of_bytes(b"\x89PNG\0"), Kind::Binary);
    }
}
