//! Parsers through the port: those of the release with hostile documents, and one that misbehaves.

use super::{Scene, scene};
use hydroid_core::ports::{ParseError, ParsedDocument, Parsers};
use std::time::{Duration, Instant};

fn hostile() -> Scene {
    scene(
        &["test-parser", "parser-docx", "parser-html", "parser-pdf"],
        "[limits]\ncall = \"2s\"\n[components.test-parser.limits]\nmemory = \"32MiB\"",
    )
}

fn parse(scene: &Scene, name: &str, bytes: &[u8]) -> Result<ParsedDocument, ParseError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(scene.catalog.parse(name, bytes.to_vec()))
}

/// One sentence about the document, in time, and the next document is read as ever.
#[track_caller]
fn stopped(name: &str, bytes: &[u8], kinds: &[&str], expect: &str) {
    let scene = hostile();
    let began = Instant::now();
    let error = parse(&scene, name, bytes).unwrap_err();
    let took = began.elapsed();
    assert!(kinds.contains(&error.kind.as_str()), "{error:?}");
    assert!(error.message.contains(expect), "expected `{expect}` in: {error}");
    assert!(error.message.contains(name) && error.message.len() < 5_000, "{error}");
    assert!(!error.message.contains("wasm backtrace"), "{error}");
    assert!(took < Duration::from_secs(4), "took {took:?}");
    assert_eq!(parse(&scene, "next.bad", b"hello").unwrap().text(), "hello");
}

#[test]
fn a_parser_that_breaks_rules_is_stopped() {
    stopped("a.bad", b"loops", &["timeout"], "took longer than 2 s");
    stopped("a.bad", b"panics", &["invalid-input"], "failed");
    stopped("a.bad", b"recurses", &["invalid-input"], "called itself too deeply");
    stopped("a.bad", b"grows", &["invalid-input"], "more memory than its 32MiB");
    stopped("a.bad", b"says much", &["too-large"], "limits.output");
    stopped("a.bad", b"refuses", &["unsupported"], "not this one");
    stopped("a.bad", &vec![b'x'; 9 << 20], &["too-large"], "limits.memory");
}

#[test]
fn what_a_document_says_of_itself_is_one_line() {
    let document = parse(&hostile(), "dir/a.BAD", b"controls").unwrap();
    assert_eq!(document.title.as_deref(), Some(" ]0;owned  a title"));
    assert_eq!(document.sections[0].label.as_deref(), Some("a b"));
    assert!(document.notes.len() <= 100 && document.notes[0].len() <= 500);
}

#[test]
fn what_nobody_reads_is_named_with_what_can_be_read() {
    let scene = hostile();
    assert_eq!(scene.catalog.extensions(), ["bad", "docx", "htm", "html", "pdf", "xhtml"]);
    for name in ["a.xyz", "a", "", ".", "pdf"] {
        let error = parse(&scene, name, b"x").unwrap_err();
        assert_eq!(error.kind, "unsupported");
        assert!(error.message.contains("bad, docx, htm, html, pdf, xhtml"), "{error}");
    }
}

const ANY: &[&str] = &["invalid-input", "too-large", "timeout", "unsupported"];

#[test]
fn hostile_documents_end_in_an_error() {
    let nested = |open: &str| {
        let deep = open.repeat(200_000);
        format!(
            "%PDF-1.4\n1 0 obj\n{deep}\nendobj\ntrailer\n<< /Root 1 0 R >>\nstartxref\n9\n%%EOF"
        )
    };
    stopped("arrays.pdf", nested("[").as_bytes(), ANY, "cannot be read");
    stopped("dictionaries.pdf", nested("<</A").as_bytes(), ANY, "cannot be read");
    let looping = b"%PDF-1.4\nxref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 1 /Prev 9 /Root 1 0 R >>\nstartxref\n9\n%%EOF";
    stopped("prev.pdf", looping, ANY, "cannot be read");
    stopped("cut.pdf", b"%PDF-1.7\n1 0 obj\n<< /Type /Cat", ANY, "cannot be read");
    let page = vec![b'x'; 50 << 20];
    stopped("large.html", &page, &["too-large"], "limits.memory");
    // Each attribute is compared with all before it.
    let names: String = (0..150_000).map(|n| format!(" a{n}")).collect();
    stopped("names.html", format!("<p{names}>").as_bytes(), &["timeout"], "took longer than 2 s");
    stopped("text.html", &vec![b'x'; 6 << 20], &["too-large"], "limits.output");
    stopped("empty.pdf", b"", ANY, "cannot be read");
    stopped("empty.docx", b"", ANY, "cannot be read");
    stopped("text.docx", b"PK\x03\x04 and no more", ANY, "cannot be read");
}

/// What overflows the stack of a reader that makes a tree, and what is in no encoding at all.
#[test]
fn pages_are_read_however_deep_and_broken() {
    let scene = scene(&["parser-html"], "");
    let deep = format!("{}deep", "<div><ul><li><table><tr><td><svg></svg>".repeat(100_000));
    let page = parse(&scene, "deep.html", deep.as_bytes()).unwrap();
    assert!(page.text().ends_with("deep"), "{} characters", page.text().len());
    let broken: Vec<u8> = (1..=255).cycle().take(300_000).collect();
    let page = parse(&scene, "broken.HTML", &broken).unwrap();
    assert!(page.notes.len() < 2, "{:?}", page.notes);
    let page =
        b"<title>T</title><meta charset=shift_jis><h1>\x83e\x83X\x83g</h1><script>x()</script>";
    let page = parse(&scene, "a.htm", page).unwrap();
    assert_eq!(
        (page.title.as_deref(), page.text().as_str()),
        (Some("T"), "# \u{30c6}\u{30b9}\u{30c8}")
    );
}
