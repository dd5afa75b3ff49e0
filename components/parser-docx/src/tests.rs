//! Documents written here, whole and hostile.

use std::io::{Cursor, Write};

use super::*;
use hydroid_component::parser::ErrorKind;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn document(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        writer.start_file(*name, SimpleFileOptions::default()).expect("a part");
        writer.write_all(text.as_bytes()).expect("memory");
    }
    writer.finish().expect("an archive").into_inner()
}

fn main_part(body: &str) -> Vec<u8> {
    document(&[("word/document.xml", &format!("<w:document><w:body>{body}</w:body></w:document>"))])
}

#[track_caller]
fn check(body: &str, expect: &str) {
    let document = read(main_part(body)).expect("a document");
    assert_eq!(document.sections[0].text, expect);
}

#[test]
fn paragraphs_headings_and_tables_become_text() {
    check(
        "<w:p><w:r><w:t>One</w:t></w:r><w:r><w:t xml:space=\"preserve\"> two</w:t></w:r></w:p><w:p><w:r><w:t>A &amp; b&#233;</w:t><w:br/><w:t>c</w:t></w:r></w:p>",
        "One two\n\nA & bé\nc",
    );
    check(
        "<w:p><w:pPr><w:pStyle w:val=\"Heading2\"/></w:pPr><w:r><w:t>Part</w:t></w:r></w:p><w:p><w:r><w:t>x</w:t></w:r></w:p>",
        "## Part\n\nx",
    );
    check(
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>c</w:t></w:r></w:p></w:tc></w:tr><w:tr><w:tc><w:p/></w:tc><w:tc><w:p><w:r><w:t>d</w:t></w:r></w:p></w:tc></w:tr></w:tbl><w:p><w:r><w:t>after</w:t></w:r></w:p>",
        "a b | c\n| d\n\nafter",
    );
}

#[test]
fn what_is_said_twice_or_deleted_is_said_once_or_not() {
    check(
        "<w:p><mc:AlternateContent><mc:Choice><w:t>new</w:t></mc:Choice><mc:Fallback><w:pict><w:t>old</w:t></w:pict></mc:Fallback></mc:AlternateContent><w:t>x</w:t></w:p>",
        "newx",
    );
    check(
        "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:instrText>PAGE</w:instrText><w:t>kept</w:t></w:r></w:p>",
        "kept",
    );
}

#[test]
fn title_and_notes_are_found() {
    let data = document(&[
        ("word/document.xml", "<w:p><w:t>text</w:t></w:p>"),
        ("word/footnotes.xml", "<w:footnotes><w:p><w:t>a note</w:t></w:p></w:footnotes>"),
        (
            "docProps/core.xml",
            "<cp:coreProperties><dc:title>Q&amp;A</dc:title><dc:creator>x</dc:creator></cp:coreProperties>",
        ),
    ]);
    let document = read(data).expect("a document");
    assert_eq!(document.title.as_deref(), Some("Q&A"));
    assert_eq!(document.sections[1].label.as_deref(), Some("footnotes"));
    assert_eq!(document.sections[1].text, "a note");
}

#[test]
fn a_bomb_is_refused() {
    let bomb = " ".repeat(33 << 20);
    let data = main_part(&bomb);
    assert!(data.len() < 1 << 20, "{}", data.len());
    let error = read(data).expect_err("too large");
    assert_eq!(error.kind, ErrorKind::TooLarge, "{}", error.message);
}

#[test]
fn entities_are_not_expanded() {
    let xml = "<!DOCTYPE d [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c SYSTEM \"file:///etc/passwd\">]><w:p><w:t>&b;&c;</w:t></w:p>";
    let document = read(document(&[("word/document.xml", xml)])).expect("a document");
    assert_eq!(document.sections[0].text, "&b;&c;");
}

#[test]
fn nesting_without_end_is_read() {
    check(&format!("{}<w:p><w:t>deep</w:t></w:p>", "<w:sdt>".repeat(200_000)), "deep");
}

#[test]
fn what_is_damaged_is_an_error() {
    let whole = main_part("<w:p><w:r><w:t>some text that is long enough to cut</w:t></w:r></w:p>");
    for length in 0..whole.len() {
        let mut cut = whole.clone();
        cut.truncate(length);
        assert!(read(cut).is_err(), "{length}");
    }
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 0xff;
        // Not all bytes matter; none may crash.
        drop(read(damaged));
    }
    assert!(
        read(document(&[("other.xml", "x")])).expect_err("no part").message.contains("missing")
    );
}
