//! What holds for every text that is scrubbed, and for a secret wherever it stands in one.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use hydroid_core::ports::SecretValue;
use hydroid_core::scrub::{KnownSecret, PathMapping, Scrubber, Stream};
use std::sync::LazyLock;

/// With what is escaped in JSON, URLs and shells, and with more than one byte in a character.
const SECRET: &str = "hunter2-Ab/9?ü&'q";

/// Built once, as for a session: building searches is what takes time.
static SCRUBBER: LazyLock<Scrubber> = LazyLock::new(|| {
    let secret = |name: &str, value: &str| KnownSecret {
        name: Some(name.into()),
        value: SecretValue::new(value.into()),
    };
    let mapping = |host: &str, virtual_path: &str| PathMapping {
        host: host.into(),
        virtual_path: virtual_path.into(),
    };
    let secrets =
        [secret("MAIL", SECRET), secret("LEFT", "abcabcdef"), secret("RIGHT", "cdefghijk")];
    let paths = [mapping("/home/x/ws", "/work"), mapping("/home/x/ws/shared/", "/shared")];
    Scrubber::new(&secrets, &paths).expect("they are few and short")
});

/// Panics if it does not hold.
pub(crate) fn holds_for(input: &[u8]) {
    let text = &*String::from_utf8_lossy(input);
    let scrubbed = SCRUBBER.scrub(text);
    let known = SCRUBBER.mask_known(text);
    let mut seed = input
        .iter()
        .fold(0_u64, |seed, byte| (seed ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    for _ in 0..3 {
        assert_eq!(divided(text, &mut seed, SCRUBBER.stream()), scrubbed, "divided, it differs");
        assert_eq!(divided(text, &mut seed, SCRUBBER.stream_known()), known, "divided");
    }
    assert_eq!(SCRUBBER.mask_known(&known), known, "a second time it differs");
    // What a mask has taken the place of was context of a guess, so a second time may find more.
    let again = SCRUBBER.scrub(&scrubbed);
    assert!(masks(&again) >= masks(&scrubbed), "{scrubbed} loses a mask: {again}");
    assert_eq!(SCRUBBER.mask_known(&scrubbed), scrubbed, "something known is left");
    planted_is_masked(text, &mut seed);
}

fn masks(text: &str) -> usize {
    text.matches("[redacted:").count() + text.matches("[secret:").count()
}

fn divided(text: &str, seed: &mut u64, mut stream: Stream) -> String {
    let mut scrubbed = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.floor_char_boundary(1 + below(seed, 24).min(rest.len()));
        let (piece, after) = rest.split_at(if length == 0 { rest.len() } else { length });
        scrubbed.push_str(&stream.push(piece));
        rest = after;
    }
    scrubbed + &stream.finish()
}

/// The secret in one of its forms, put anywhere, comes out neither so nor without a mask.
fn planted_is_masked(text: &str, seed: &mut u64) {
    let forms = forms();
    let form = &forms[below(seed, forms.len())];
    let (before, after) = text.split_at(text.floor_char_boundary(below(seed, text.len() + 1)));
    let planted = format!("{before}{form}{after}");
    for scrubbed in [
        SCRUBBER.scrub(&planted),
        SCRUBBER.mask_known(&planted),
        divided(&planted, seed, SCRUBBER.stream()),
    ] {
        assert!(!scrubbed.contains(form.as_str()), "`{form}` survives in {scrubbed}");
        assert!(!scrubbed.contains(SECRET), "the secret survives in {scrubbed}");
    }
    assert!(SCRUBBER.mask_known(&planted).contains("[secret:"), "no mask for `{form}`");
}

/// Written here anew, so that a mistake in the scrubber's own list is noticed.
fn forms() -> Vec<String> {
    let bytes = SECRET.as_bytes();
    let each = |write: fn(&u8) -> String, between: &str| {
        bytes.iter().map(write).collect::<Vec<_>>().join(between)
    };
    let units = |write: fn(u16) -> String| SECRET.encode_utf16().map(write).collect::<String>();
    let (first, last) = SECRET.split_at(7);
    vec![
        SECRET.to_owned(),
        SECRET.chars().rev().collect(),
        each(|byte| format!("{byte:02x}"), ""),
        each(|byte| format!("{byte:02X}"), ""),
        each(|byte| format!("{byte:02x}"), ":"),
        each(|byte| format!("0x{byte:02x}"), ","),
        each(|byte| format!("\\x{byte:02x}"), ""),
        each(|byte| format!("%{byte:02X}"), ""),
        each(|byte| format!("\\{byte:03o}"), ""),
        each(u8::to_string, ","),
        units(|unit| format!("\\u{unit:04x}")),
        units(|unit| format!("&#{unit};")),
        SECRET.replace('/', "%2F").replace('?', "%3F").replace('ü', "%C3%BC").replace('&', "%26"),
        SECRET.replace('/', "\\/"),
        SECRET.replace('&', "&amp;").replace('\'', "&#39;"),
        STANDARD.encode(bytes),
        STANDARD_NO_PAD.encode(bytes),
        URL_SAFE.encode(bytes),
        STANDARD.encode(STANDARD.encode(bytes)),
        // As in the header of a request: groups of three bytes begin elsewhere.
        STANDARD.encode([b"me:", bytes].concat()),
        // A terminal that wraps its lines.
        format!("{first}\n    {last}"),
    ]
}

fn below(seed: &mut u64, end: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).expect("31 bits") % end.max(1)
}
