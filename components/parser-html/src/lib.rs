//! Text of HTML pages: headings, lists and links as Markdown has them, tables a row a line. Not a
//! browser: nothing runs, nothing is fetched, and what styles would hide is shown.

mod encoding;
mod text;

use hydroid_component::export_parser;
use hydroid_component::parser::{Document, Error, Parser, Section};

struct Html;

export_parser!(Html);

impl Parser for Html {
    const FORMS: &'static [(&'static str, &'static str)] =
        &[("htm", "text/html"), ("html", "text/html"), ("xhtml", "application/xhtml+xml")];

    fn parse(name: &str, data: Vec<u8>) -> Result<Document, Error> {
        read(name, &data)
    }
}

fn read(name: &str, data: &[u8]) -> Result<Document, Error> {
    // Pages have none, and pictures and archives that are named like one have many.
    if encoding::is_single_byte(data) && data.contains(&0) {
        return Err(Error::invalid_input("it is not an HTML page: it has zero bytes"));
    }
    let encoding = encoding::of(data);
    let is_xml = name.to_ascii_lowercase().ends_with(".xhtml") || data.starts_with(b"<?xml");
    let page = text::page(data, encoding, is_xml);
    let mut notes = Vec::new();
    if page.damaged {
        notes.push(format!("some characters are none of {}", encoding.name()));
    }
    let sections = vec![Section { label: None, text: page.text }];
    Ok(Document { title: page.title, sections, notes, options_json: None })
}

#[cfg(test)]
mod tests;
