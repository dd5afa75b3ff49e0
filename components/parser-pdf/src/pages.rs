//! Bytes → pages of text. What is damaged beyond reading is an error here, or ends the instance:
//! the library below panics on some documents, and the host makes an error of that.

use hydroid_component::parser::{Document, Error, ErrorKind, Section};
use pdf_extract::{Document as Pdf, Object, PlainTextOutput, output_doc_page};

/// Most pages that are read; the library looks for each from the first, so many cost much.
const MOST_PAGES: usize = 5_000;

/// Pages named in one note.
const MOST_NAMED: usize = 20;

/// The text of a document.
pub(crate) fn read(data: &[u8]) -> Result<Document, Error> {
    let mut pdf = Pdf::load_mem(data).map_err(|error| {
        Error::invalid_input(format!("it is not a PDF document, or it is damaged: {error}"))
    })?;
    if pdf.is_encrypted() && pdf.decrypt("").is_err() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "it is protected by a password; save it without one",
        ));
    }
    let numbers: Vec<u32> = pdf.get_pages().into_keys().collect();
    if numbers.is_empty() {
        return Err(Error::invalid_input("it is damaged: it has no pages"));
    }
    let mut notes = Vec::new();
    if numbers.len() > MOST_PAGES {
        notes.push(format!("Only the first {MOST_PAGES} of {} pages were read.", numbers.len()));
    }
    let (mut sections, mut blank, mut broken) = (Vec::new(), Vec::new(), Vec::new());
    for number in numbers.into_iter().take(MOST_PAGES) {
        let mut text = String::new();
        let output = output_doc_page(&pdf, &mut PlainTextOutput::new(&mut text), number);
        if output.is_err() {
            broken.push(number);
        }
        let text = tidy(&text);
        if text.is_empty() {
            if output.is_ok() {
                blank.push(number);
            }
            continue;
        }
        sections.push(Section { label: Some(format!("page {number}")), text });
    }
    notes.extend(note(&blank, "no text on it; a picture of text cannot be read"));
    notes.extend(note(&broken, "something on it that could not be read"));
    Ok(Document { title: title(&pdf), sections, notes, options_json: None })
}

/// Lines without the blanks at their ends, and never more than one empty line in a row.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines().map(str::trim_end) {
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            tidy.push_str(line);
            tidy.push('\n');
        }
    }
    tidy.trim().to_owned()
}

fn note(pages: &[u32], what: &str) -> Option<String> {
    let named: Vec<String> = pages.iter().take(MOST_NAMED).map(u32::to_string).collect();
    let more = match pages.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match pages.len() {
        0 => None,
        1 => Some(format!("Page {} has {what}.", named[0])),
        _ => Some(format!("Pages {}{more} have {what}.", named.join(", "))),
    }
}

fn title(pdf: &Pdf) -> Option<String> {
    let information = pdf.trailer.get(b"Info").ok()?;
    let information = match information {
        Object::Reference(id) => pdf.get_dictionary(*id).ok()?,
        Object::Dictionary(dictionary) => dictionary,
        _ => return None,
    };
    let title = pdf_extract::decode_text_string(information.get(b"Title").ok()?).ok()?;
    let title = title.trim().to_owned();
    (!title.is_empty()).then_some(title)
}
