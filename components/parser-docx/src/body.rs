//! WordprocessingML as text. It reads from front to back and keeps no tree, so nesting costs
//! nothing; entities that a document defines itself are not resolved.

use hydroid_component::parser::Error;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// What is being read.
#[derive(Default)]
struct Body {
    text: String,
    /// Text of the paragraph so far.
    paragraph: String,
    /// Depth of its heading; 0 for none.
    heading: usize,
    /// Inside `w:t`, whose content is text.
    in_text: bool,
    /// Rows of tables that are open.
    rows: usize,
    /// Open elements inside one whose content is said elsewhere; 0 outside.
    skipped: usize,
}

/// The text of a part.
pub(crate) fn text(xml: &str) -> Result<String, Error> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    let mut body = Body::default();
    loop {
        let event = reader.read_event().map_err(|error| {
            Error::invalid_input(format!(
                "it is damaged at byte {}: {error}",
                reader.error_position()
            ))
        })?;
        match event {
            Event::Start(element) => body.start(&element),
            Event::Empty(element) if body.skipped == 0 => body.empty(&element),
            Event::End(element) => body.end(element.local_name().as_ref()),
            Event::Text(text) if body.takes_text() => {
                body.paragraph.push_str(&text);
            }
            Event::CData(text) if body.takes_text() => {
                body.paragraph.push_str(&text);
            }
            Event::GeneralRef(reference) if body.takes_text() => {
                body.paragraph.push_str(&resolved(&reference));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    body.end_paragraph();
    Ok(body.text.trim().to_owned())
}

/// The title among the properties of a document.
pub(crate) fn title(xml: &str) -> Option<String> {
    let mut reader = Reader::from_str(xml);
    let (mut inside, mut title) = (false, String::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) => inside = element.local_name().as_ref() == "title",
            Event::Text(text) if inside => title.push_str(&text),
            Event::GeneralRef(reference) if inside => title.push_str(&resolved(&reference)),
            Event::End(_) if inside => break,
            Event::Eof => break,
            _ => {}
        }
    }
    let title = title.trim().to_owned();
    (!title.is_empty()).then_some(title)
}

impl Body {
    fn takes_text(&self) -> bool {
        self.in_text && self.skipped == 0
    }

    fn start(&mut self, element: &BytesStart<'_>) {
        if self.skipped > 0 {
            self.skipped += 1;
            return;
        }
        match element.local_name().as_ref() {
            "t" => self.in_text = true,
            "tr" => self.rows += 1,
            // A text box is there twice, the second time for old programs.
            "Fallback" => self.skipped = 1,
            _ => self.empty(element),
        }
    }

    fn empty(&mut self, element: &BytesStart<'_>) {
        match element.local_name().as_ref() {
            "tab" => self.paragraph.push('\t'),
            "br" | "cr" => self.paragraph.push('\n'),
            "noBreakHyphen" => self.paragraph.push('-'),
            "pStyle" => self.heading = heading(element),
            _ => {}
        }
    }

    fn end(&mut self, element: &str) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        match element {
            "t" => self.in_text = false,
            "p" if self.rows > 0 => self.paragraph.push(' '),
            "p" => self.end_paragraph(),
            "tc" => {
                let kept = self.paragraph.trim_end().len();
                self.paragraph.truncate(kept);
                self.paragraph.push_str(" | ");
            }
            "tr" => {
                self.rows = self.rows.saturating_sub(1);
                let kept = self.paragraph.trim_end_matches([' ', '|']).len();
                self.paragraph.truncate(kept);
                if self.rows == 0 {
                    self.end_row();
                }
            }
            "tbl" if self.rows == 0 => self.text.push('\n'),
            _ => {}
        }
    }

    fn end_row(&mut self) {
        let row = self.paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if !row.is_empty() {
            self.text.push_str(&row);
            self.text.push('\n');
        }
        self.paragraph.clear();
        self.heading = 0;
    }

    fn end_paragraph(&mut self) {
        let paragraph = self.paragraph.trim();
        if !paragraph.is_empty() {
            if self.heading > 0 {
                self.text.push_str(&"#".repeat(self.heading));
                self.text.push(' ');
            }
            self.text.push_str(paragraph);
            self.text.push_str("\n\n");
        }
        self.paragraph.clear();
        self.heading = 0;
    }
}

/// The depth of a heading, by the names that Word gives the styles of headings.
fn heading(element: &BytesStart<'_>) -> usize {
    let style = element
        .attributes()
        .filter_map(Result::ok)
        .find(|attribute| attribute.key.local_name().as_ref() == "val")
        .map(|attribute| attribute.value.to_lowercase())
        .unwrap_or_default();
    match style.strip_prefix("heading").map(str::trim) {
        Some(depth) => depth.parse().unwrap_or(0_usize).min(6),
        None => usize::from(style == "title"),
    }
}

/// A character that is written by number or by one of XML's five names; others stay as written.
fn resolved(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character.to_string();
    }
    let name: &str = reference;
    match resolve_predefined_entity(name) {
        Some(text) => text.to_owned(),
        None => format!("&{name};"),
    }
}
