//! Contents with texts in many places: which are masked, which stay, and what is counted.

use super::*;
use serde_json::json;

fn media(media_type: &str, data: &[u8]) -> Content {
    Content::Media { media_type: media_type.into(), data: Bytes(data.to_vec()), name: None }
}

#[test]
fn bytes_are_masked_if_they_are_text_and_say_so() {
    let masked = b"<[secret:MAIL]>";
    let text = format!("<{VALUE}>");
    for media_type in ["text/plain", "text/csv; charset=utf-8", "application/json", "x/y+json"] {
        let scrubbed = scrubber().scrub_content(media(media_type, text.as_bytes()));
        assert_eq!(scrubbed, media(media_type, masked), "{media_type}");
    }
    for media_type in ["image/png", "application/octet-stream", "application/text"] {
        let content = media(media_type, text.as_bytes());
        assert_eq!(scrubber().scrub_content(content.clone()), content, "{media_type}");
    }
    let invalid = media("text/plain", &[text.as_bytes(), &[0xff]].concat());
    assert_eq!(scrubber().scrub_content(invalid.clone()), invalid);
}

#[test]
fn a_name_in_json_says_what_its_value_is() {
    for (json, expect, kinds) in [
        (json!({"password": "hunter22"}), json!({"password": "[redacted:password]"}), "password"),
        (json!({"token": "a1b2c3d4"}), json!({"token": "[redacted:token]"}), "token"),
        (json!({"password": VALUE}), json!({"password": "[secret:MAIL]"}), "secret:MAIL"),
        (json!({"password": "short"}), json!({"password": "short"}), ""),
        (json!({"note": "hunter22"}), json!({"note": "hunter22"}), ""),
        (json!({"password": ["hunter22"]}), json!({"password": ["hunter22"]}), ""),
        (
            json!({"a": {"pwd": "hunter22"}}),
            json!({"a": {"pwd": "[redacted:password]"}}),
            "password",
        ),
        (
            json!({"a\"password": "hunter22"}),
            json!({"a\"password": "[redacted:password]"}),
            "password",
        ),
        (json!({VALUE: "x"}), json!({"[secret:MAIL]": "x"}), "secret:MAIL"),
        (json!([null, true, 1.5, -3]), json!([null, true, 1.5, -3]), ""),
    ] {
        let mut tally = Tally::default();
        let scrubbed = scrubber().scrub_content_counted(Content::Json { json }, &mut tally);
        assert_eq!(scrubbed, Content::Json { json: expect });
        let counted: Vec<&str> = tally.kinds.iter().map(String::as_str).collect();
        assert_eq!(counted.join(" "), kinds);
        assert_eq!(tally.redactions, u32::from(!kinds.is_empty()), "{kinds}");
    }
}

#[test]
fn every_way_to_mask_a_text_counts_alike() {
    let text = format!("{VALUE} password=hunter22 abcabcdef");
    let known = "[secret:MAIL] password=hunter22 [secret:LEFT]";
    let all = "[secret:MAIL] password=[redacted:password] [secret:LEFT]";
    let scrubber = scrubber();
    assert_eq!((scrubber.scrub(&text), scrubber.mask_known(&text)), (all.into(), known.into()));
    let mut tally = Tally::default();
    assert_eq!(scrubber.known_counted(&text, &mut tally), known);
    assert_eq!((tally.redactions, tally.kinds.len()), (2, 2));
    let (mut stream, mut of_stream) = (scrubber.stream(), String::new());
    for piece in [&text[..30], &text[30..]] {
        of_stream += &stream.push(piece);
    }
    of_stream += &stream.finish();
    assert_eq!(of_stream, all);
    assert_eq!((stream.tally().redactions, stream.tally().kinds.len()), (3, 3));
    tally.join(stream.tally());
    assert_eq!((tally.redactions, tally.kinds.len()), (5, 3));
}
