//! Documents written here, whole and hostile.

use super::*;

/// A document of one page for each content stream, with a table of references that fits.
fn document(contents: &[&str], information: &str) -> Vec<u8> {
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        String::new(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
            .to_owned(),
        format!("<< {information} >>"),
    ];
    let mut kids = Vec::new();
    for content in contents {
        let number = objects.len() + 1;
        kids.push(format!("{number} 0 R"));
        objects.push(format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents {} 0 R >>", number + 1));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    objects[1] = format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), kids.len());
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.extend(format!("{} 0 obj\n{object}\nendobj\n", index + 1).bytes());
    }
    let table = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for offset in offsets {
        file.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    file.extend(
        format!(
            "trailer\n<< /Size {} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{table}\n%%EOF\n",
            objects.len() + 1
        )
        .bytes(),
    );
    file
}

const TWO_LINES: &str = "BT /F1 12 Tf 72 700 Td (Hello, world) Tj 0 -14 Td (second line) Tj ET";

#[test]
fn pages_lines_and_title_are_found() {
    let data = document(
        &[TWO_LINES, "", "BT /F1 12 Tf 72 700 Td (third page) Tj ET"],
        "/Title (A report)",
    );
    let document = pages::read(&data).expect("a document");
    assert_eq!(document.title.as_deref(), Some("A report"));
    let pages: Vec<_> =
        document.sections.iter().map(|page| (page.label.as_deref(), page.text.as_str())).collect();
    assert_eq!(
        pages,
        [(Some("page 1"), "Hello, world\nsecond line"), (Some("page 3"), "third page")]
    );
    assert_eq!(document.notes, ["Page 2 has no text on it; a picture of text cannot be read."]);
}

#[test]
fn what_is_no_document_is_an_error() {
    for bad in [
        &b""[..],
        b"%PDF-1.7\n",
        b"hello",
        b"%PDF-1.4\nxref\n0 99999999999\ntrailer\n<< /Root 1 0 R >>\nstartxref\n9\n%%EOF",
    ] {
        assert!(pages::read(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
    }
    let whole = document(&[TWO_LINES], "");
    assert!(pages::read(&whole[..whole.len() / 2]).is_err());
}
