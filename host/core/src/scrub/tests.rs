//! What is masked, beside what must stay as it is.

use super::*;
use crate::id::CallId;
use crate::tool::ToolCall;

const VALUE: &str = "hunter2-Ab/9?ü";

fn secret(name: &str, value: &str) -> KnownSecret {
    KnownSecret { name: Some(name.into()), value: SecretValue::new(value.into()) }
}

fn mapping(host: &str, virtual_path: &str) -> PathMapping {
    PathMapping { host: host.into(), virtual_path: virtual_path.into() }
}

fn scrubber() -> Scrubber {
    let secrets = [
        secret("MAIL", VALUE),
        secret("SHORT", "abc12"),
        secret("LEFT", "abcabcdef"),
        secret("RIGHT", "cdefghijk"),
        secret("LONGER", "abcabcdefXYZ"),
        SecretValue::new("nameless-value".into()).into(),
    ];
    let paths = [
        mapping("/home/x/ws", "/work"),
        mapping("/home/x/ws/shared/", "/shared"),
        mapping("/tmp/hy droid-1", "/tmp"),
    ];
    Scrubber::new(&secrets, &paths).unwrap()
}

#[track_caller]
fn check(text: &str, expect: &str) {
    assert_eq!(scrubber().scrub(text), expect);
    assert_eq!(scrubber().scrub(expect), expect, "a second time");
}

#[track_caller]
fn untouched(text: &str) {
    check(text, text);
}

#[test]
fn known_values_are_masked_with_their_name() {
    check(&format!("a {VALUE} b{VALUE}"), "a [secret:MAIL] b[secret:MAIL]");
    check("nameless-value", "[secret]");
    untouched("abc12 is too short to be searched for");
}

#[test]
fn known_values_are_masked_in_every_form() {
    let bytes = VALUE.as_bytes();
    let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    check(&format!("<{hexadecimal}>"), "<[secret:MAIL]>");
    check(&format!("<{}>", hexadecimal.to_uppercase()), "<[secret:MAIL]>");
    check("?q=hunter2-Ab%2F9%3F%C3%BC&r", "?q=[secret:MAIL]&r");
    check("?q=hunter2-Ab%2f9%3f%c3%bc&r", "?q=[secret:MAIL]&r");
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
    for encoded in [STANDARD.encode(bytes), STANDARD_NO_PAD.encode(bytes), URL_SAFE.encode(bytes)] {
        check(&format!("<{encoded}>"), "<[secret:MAIL]>");
    }
    let quoted = Scrubber::new(&[secret("Q", "say \"hello\"\nnow")], &[]).unwrap();
    assert_eq!(quoted.scrub(r#"{"a":"say \"hello\"\nnow"}"#), r#"{"a":"[secret:Q]"}"#);
}

#[test]
fn known_values_are_masked_as_shells_markup_and_dumps_write_them() {
    const ODD: &str = "Tr0ub4dor&3<x>q'z\\e/+";
    let scrubber = Scrubber::new(&[secret("ODD", ODD)], &[]).unwrap();
    let each = |write: fn(char) -> String| ODD.chars().map(write).collect::<String>();
    let numbers = ODD.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>();
    let wide: Vec<u8> = ODD.encode_utf16().flat_map(u16::to_be_bytes).collect();
    use base64::Engine as _;
    for form in [
        numbers.join(" "),
        numbers.join(", "),
        each(|one| format!("&#x{:04X};", u32::from(one))),
        each(|one| format!("&#x{:04x};", u32::from(one))),
        ODD.replace('\'', "'\"'\"'"),
        base64::engine::general_purpose::STANDARD.encode(wide),
        each(|one| format!("{one}\n")),
        each(|one| format!("{one}\r\n")),
        each(|one| format!("{one}\u{9b}31m")),
    ] {
        let scrubbed = scrubber.mask_known(&format!("<{form}>"));
        assert!(scrubbed.starts_with("<[secret:ODD]"), "{form:?} became {scrubbed:?}");
        assert!(scrubbed.len() < 24, "{form:?} became {scrubbed:?}");
    }
    assert_eq!(scrubber.mask_known("115 51 99"), "115 51 99");
}

#[test]
fn the_type_of_a_file_or_link_is_masked_too() {
    let kind = format!("text/{VALUE}");
    let link = Content::Link {
        uri: "https://a.example/".into(),
        title: None,
        media_type: Some(kind.clone()),
    };
    let media = Content::Media { media_type: kind, data: Bytes(vec![0xff]), name: None };
    for content in [link, media] {
        let scrubbed = scrubber().scrub_content(content);
        assert!(!format!("{scrubbed:?}").contains(VALUE), "{scrubbed:?}");
    }
}

/// Found by libFuzzer: the first letter of the value was read as the end of a colour.
#[test]
fn what_looks_like_the_beginning_of_a_colour_hides_no_value() {
    let (first, last) = VALUE.split_at(7);
    for before in ["\u{1b}[", "&\u{1b}[", "h\u{1b}[\u{fffd}", "hunter2\u{1b}[1;"] {
        let text = format!("{before}{first}\n    {last}.");
        let scrubbed = scrubber().mask_known(&text);
        assert!(scrubbed.ends_with("[secret:MAIL]."), "{scrubbed:?}");
        let mut stream = scrubber().stream_known();
        let pieces = text.char_indices().map(|(at, one)| &text[at..at + one.len_utf8()]);
        let divided: String = pieces.map(|piece| stream.push(piece)).collect();
        assert_eq!(divided + &stream.finish(), scrubbed);
    }
    check("a\u{1b}[31mhunter2\u{1b}[0m-Ab/9?ü!", "a\u{1b}[31m[secret:MAIL]!");
}

#[test]
fn known_values_are_found_inside_longer_base64() {
    use base64::Engine as _;
    for before in ["", "u", "us", "user:"] {
        let encoded =
            base64::engine::general_purpose::STANDARD.encode(format!("{before}{VALUE} and more"));
        let scrubbed = scrubber().scrub(&encoded);
        assert!(scrubbed.contains("[secret:MAIL]"), "{before}: {scrubbed}");
    }
}

#[test]
fn overlapping_values_are_masked_together() {
    check("-abcabcdefghijk-", "-[secret:LEFT]-");
    check("-abcabcdefXYZ-", "-[secret:LONGER]-");
}

#[test]
fn the_lines_of_a_key_are_masked_one_by_one() {
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\nQyNTUxOQAAACDx0000yz\n-----END OPENSSH PRIVATE KEY-----\n";
    let scrubber = Scrubber::new(&[secret("KEY", key)], &[]).unwrap();
    assert_eq!(scrubber.scrub(&format!("<{key}>")), "<[secret:KEY]\n>");
    assert_eq!(scrubber.scrub("2: b3BlbnNzaC1rZXktdjEA"), "2: [secret:KEY]");
}

#[test]
fn host_paths_become_virtual() {
    check("/home/x/ws/shared/a.txt, /home/x/ws/b", "/shared/a.txt, /work/b");
    check("in \"/home/x/ws/shared\".", "in \"/shared\".");
    check("file:///home/x/ws/shared/a", "file:///shared/a");
    check("see /home/x/ws/shared. Then", "see /shared. Then");
    check("/home/x/ws/shared.bak", "/work/shared.bak");
    check("/home/x/ws/shared2 /home/x/ws/shared-old", "/work/shared2 /work/shared-old");
    check("file:///tmp/hy%20droid-1/f /tmp/hy droid-1/f", "file:///tmp/f /tmp/f");
    check("/home/x/wsü /home/x/ws:ü", "/home/x/wsü /work:ü");
    untouched("/mnt/home/x/ws/shared /home/x/wsh ./home/x/ws");
}

#[test]
fn shapes_of_credentials_are_masked() {
    let forty = "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb3dEf6h";
    for (text, kind) in [
        (format!("sk-{forty}"), "api-key"),
        (format!("sk-ant-api03-{forty}-{forty}AA"), "api-key"),
        ("sk-or-v1-0123456789abcdef0123456789abcdef".into(), "api-key"),
        (format!("sk_live_{forty}"), "stripe-access-token"),
        ("AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q".into(), "gcp-api-key"),
        ("AKIAIOSFODNN7EXAMPLQ".into(), "aws-access-token"),
        (format!("ghp_{}", &forty[..36]), "github-pat"),
        (format!("github_pat_{forty}"), "github-token"),
        ("xoxb-1234567890-abcdefghij".into(), "slack-token"),
        ("123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc".into(), "bot-token"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N".into(), "jwt"),
    ] {
        check(&format!("run ({text}) now"), &format!("run ([redacted:{kind}]) now"));
    }
}

#[test]
fn private_keys_are_masked_as_a_block() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let block =
        format!("-----BEGIN PRIVATE KEY-----\n{line}\n{line}\nshort=\n-----END PRIVATE KEY-----");
    check(&format!("a\n{block}\nb"), "a\n[redacted:private-key]\nb");
    check(&format!("\"{}\"", block.replace('\n', "\\n")), "\"[redacted:private-key]\"");
    check(&format!("-----BEGIN RSA PRIVATE KEY-----\n{line}\n"), "[redacted:private-key]\n");
    untouched("it starts with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----");
    untouched(
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKC\n-----END PUBLIC KEY-----",
    );
}

#[test]
fn values_after_a_keyword_are_masked() {
    check("password=hunter22", "password=[redacted:password]");
    check("DB_PASSWORD=\"s3cr3t value\"", "DB_PASSWORD=\"s3cr3t value\"");
    check("passwd: Tr0ub4dor&3x ok", "passwd: [redacted:password] ok");
    check("password='Tr0ub4dor&(3x' ok", "password='[redacted:password]' ok");
    check("?token=9f8e7d6c5b4a3210&user=me", "?token=[redacted:token]&user=me");
    check("pwd: Tr0ub4dor-3x", "pwd: [redacted:password]");
    check("password: 8372619450", "password: [redacted:password]");
    check("API_KEY=9f8e7d6c5b4a3210", "API_KEY=[redacted:api-key]");
    check(
        r#"{"apiKey": "9f8e7d6c5b4a3210", "n": 1}"#,
        r#"{"apiKey": "[redacted:api-key]", "n": 1}"#,
    );
    check(r#"{\"token\":\"9f8e7d6c5b4a3210\"}"#, r#"{\"token\":\"[redacted:token]\"}"#);
    check(
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY",
        "aws_secret_access_key = [redacted:secret]",
    );
    check(
        "Authorization: Bearer abcDEF123456ghiJKL789",
        "Authorization: Bearer [redacted:authorization]",
    );
    check(
        "Authorization: Basic dXNlcjpwYXNzd29yZA==",
        "Authorization: Basic [redacted:authorization]",
    );
    check("curl --token 9f8e7d6c5b4a3210 x", "curl --token [redacted:token] x");
    check("postgres://me:s3cr3t@db/x", "postgres://me:[redacted:password]@db/x");
}

#[test]
fn placeholders_stay() {
    untouched("password=changeme123");
    untouched("api_key: your-key-here-1");
    untouched("token=${TOKEN_2} token=$TOKEN_22 token: <token> token={{ token_1 }}");
    untouched("Authorization: Bearer <token>");
    untouched("postgres://user:password@localhost/x");
    untouched("password: ********");
}

#[test]
fn code_and_prose_stay() {
    untouched("let token: String = tokens.next().unwrap();");
    untouched("fn login(password: &str, token: Option<SecretString>) -> Token2;");
    untouched("token = base64.b64encode(raw)");
    untouched("secret = load_secret_v2");
    untouched("const api_key = process.env.API_KEY_V2;");
    untouched("The password: it must have eight characters and a digit.");
    untouched("secret: base64-encoded, tokens: 128000, max_tokens=100000000");
    untouched("the token: see section 4.2.1 of the document");
    untouched("nextPageToken: CAUQAA1234567890 page_token=CAUQAA1234567890");
    untouched("commit 3f786850e387550fdab836ed7e6dc881de23001b");
    untouched(
        "id 550e8400-e29b-41d4-a716-446655440000 checksum = \"c982642fa9e8606056828ee9a8505737\"",
    );
    untouched("sk-circle-fade-dot-12-animation-name risk-2024-analysis-of-something-else");
    untouched("secret: /run/secrets/db_password1 token_url: https://example.com/oauth2");
    untouched("author: someone2023 tokenizer: cl100k_base");
}

#[test]
fn content_is_scrubbed_in_every_part() {
    let scrubber = scrubber();
    let text = |text: &str| Content::text(text);
    let result = Content::ToolResult {
        call_id: CallId::new("c"),
        content: vec![text(VALUE)],
        is_error: false,
    };
    let expect = Content::ToolResult {
        call_id: CallId::new("c"),
        content: vec![text("[secret:MAIL]")],
        is_error: false,
    };
    assert_eq!(scrubber.scrub_content(result), expect);
    let json = serde_json::json!({ "a": [VALUE, 1.5, null], VALUE: true, "password": "hunter22", "note": "hunter22" });
    let expect = serde_json::json!({
        "a": ["[secret:MAIL]", 1.5, null], "[secret:MAIL]": true, "password": "[redacted:password]", "note": "hunter22"
    });
    assert_eq!(scrubber.scrub_content(Content::Json { json }), Content::Json { json: expect });
    let link = |uri: &str, title: &str| Content::Link {
        uri: uri.into(),
        title: Some(title.into()),
        media_type: None,
    };
    assert_eq!(
        scrubber.scrub_content(link("file:///home/x/ws/a", VALUE)),
        link("file:///work/a", "[secret:MAIL]")
    );
    let opaque = Some(Bytes(VALUE.into()));
    let thinking = |text: &str| Content::Thinking { text: text.into(), opaque: opaque.clone() };
    assert_eq!(scrubber.scrub_content(thinking(VALUE)), thinking("[secret:MAIL]"));
    let media = |media_type: &str, data: &str| Content::Media {
        media_type: media_type.into(),
        data: Bytes(data.into()),
        name: None,
    };
    assert_eq!(
        scrubber.scrub_content(media("text/plain", VALUE)),
        media("text/plain", "[secret:MAIL]")
    );
    assert_eq!(scrubber.scrub_content(media("image/png", VALUE)), media("image/png", VALUE));
    let call = |arguments: &str| Content::ToolCall {
        call: ToolCall { id: CallId::new("c"), name: "n".into(), arguments: arguments.into() },
    };
    assert_eq!(scrubber.scrub_content(call(r#"{"p":"/home/x/ws/a"}"#)), call(r#"{"p":"/work/a"}"#));
}

#[test]
fn a_number_can_be_a_secret() {
    let scrubber = Scrubber::new(&[secret("PIN", "483920")], &[]).unwrap();
    let json = scrubber.scrub_content(Content::Json { json: serde_json::json!([483920, 483921]) });
    assert_eq!(json, Content::Json { json: serde_json::json!(["[secret:PIN]", 483921]) });
}

#[test]
fn nothing_prints_a_secret() {
    assert_eq!(format!("{:?} {:?}", scrubber(), scrubber().stream()), "Scrubber(…) Stream(…)");
    assert!(!format!("{:?}", secret("MAIL", VALUE)).contains(VALUE));
}

#[track_caller]
fn stream(pieces: &[&str], expect: &[&str]) {
    let mut stream = scrubber().stream_known();
    let mut out: Vec<String> = pieces.iter().map(|piece| stream.push(piece)).collect();
    out.push(stream.finish());
    assert_eq!(out, expect);
}

#[test]
fn a_stream_keeps_back_only_what_may_become_a_secret() {
    stream(&["see hun", "ger"], &["see ", "hunger", ""]);
    stream(&["see hunter2-A", "b/9?", "ü!"], &["see ", "", "[secret:MAIL]!", ""]);
    stream(&["hunter2-Ab/9?"], &["", "hunter2-Ab/9?"]);
    stream(&["plain text"], &["plain text", ""]);
}

#[test]
fn a_stream_waits_for_the_longer_secret() {
    stream(&["abcabcdef", " x"], &["", "[secret:LEFT] x", ""]);
    stream(&["abcabcdef", "XYZ"], &["", "", "[secret:LONGER]"]);
    stream(&["abcabcdefg", "hijk."], &["[secret:LEFT]", ".", ""]);
}

#[test]
fn a_stream_waits_for_the_end_of_a_path() {
    stream(&["in /home/x/ws", "/q"], &["in ", "/work/q", ""]);
    stream(&["in /home/x/ws/shared", ".bak"], &["in ", "/work/shared.ba", "k"]);
    stream(&["x", "/home/x/ws/q"], &["x", "/home/x/ws/q", ""]);
    stream(&["/home/x/ws."], &["", "/work."]);
}

/// Wherever a text is divided, the pieces together are what the whole would be.
#[test]
fn any_division_of_a_text_masks_the_same() {
    let scrubber = scrubber();
    let text = format!(
        "é{VALUE}abcabcabcdefghijkabcabcdefXYZ /home/x/ws/shared/{VALUE} x/home/x/ws /home/x/ws. hunter2-Ab/9 {}é nameless-value",
        "68756e746572322d41622f393fc3bc"
    );
    let whole = scrubber.mask_known(&text);
    assert_eq!(whole.matches("[secret").count(), 6, "{whole}");
    let boundaries: Vec<usize> =
        text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    for first in &boundaries {
        for second in boundaries.iter().filter(|second| *second >= first) {
            let mut stream = scrubber.stream_known();
            let mut out = stream.push(&text[..*first]);
            out += &stream.push(&text[*first..*second]);
            out += &stream.push(&text[*second..]);
            out += &stream.finish();
            assert_eq!(out, whole, "divided at {first} and {second}");
        }
    }
    let mut stream = scrubber.stream_known();
    let out: String = text.chars().map(|character| stream.push(&character.to_string())).collect();
    assert_eq!(out + &stream.finish(), whole);
}

/// A hundred times the text takes about a hundred times as long, not ten thousand times.
#[test]
fn time_grows_with_the_text_only() {
    let scrubber = scrubber();
    for piece in [
        "token",
        "a=",
        "eyJ",
        "-----BEGIN PRIVATE KEY-----",
        "/home/x/ws",
        "abcabcde",
        "password: ",
        "A",
        "://a:",
    ] {
        let time = |count: usize| {
            let text = piece.repeat(count);
            let start = std::time::Instant::now();
            let _scrubbed = scrubber.scrub(&text);
            start.elapsed()
        };
        let (short, long) = (time(200), time(20_000));
        assert!(
            long < short * 1_000 + std::time::Duration::from_millis(500),
            "`{piece}`: {short:?} then {long:?}"
        );
    }
}

#[test]
fn a_long_secret_costs_no_more_than_it_must() {
    let key: String = (0..2_000).map(|n| format!("line{n:012}\n")).collect();
    let scrubber = Scrubber::new(&[secret("FILE", &key)], &[]).unwrap();
    assert_eq!(scrubber.scrub(&format!("<{}>", key.trim())), "<[secret:FILE]>");
    assert_eq!(scrubber.scrub("3: line000000000777"), "3: [secret:FILE]");
}

mod content;
mod gaps;
mod held;
mod masked;
mod measures;

#[test]
fn what_was_masked_is_counted_by_its_kind() {
    let mut tally = Tally::default();
    scrubber().scrub_counted(&format!("{VALUE} and {VALUE} and abcabcdef"), &mut tally);
    assert_eq!(tally.redactions, 3);
    let kinds: Vec<&str> = tally.kinds.iter().map(String::as_str).collect();
    assert_eq!(kinds, ["secret:LEFT", "secret:MAIL"]);
}
