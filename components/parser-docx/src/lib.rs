//! Text of Word documents: paragraphs, headings as Markdown has them, tables a row a line, notes
//! at the end. Not a reader of layout, comments or what was deleted.

mod body;
mod package;

use hydroid_component::export_parser;
use hydroid_component::parser::{Document, Error, Parser, Section};
use package::Package;

struct Docx;

export_parser!(Docx);

impl Parser for Docx {
    const FORMS: &'static [(&'static str, &'static str)] =
        &[("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document")];

    fn parse(_name: &str, data: Vec<u8>) -> Result<Document, Error> {
        read(data)
    }
}

fn read(data: Vec<u8>) -> Result<Document, Error> {
    let mut package = Package::open(data)?;
    let Some(main) = package.part("word/document.xml")? else {
        return Err(Error::invalid_input(
            "it is not a Word document: `word/document.xml` is missing",
        ));
    };
    let mut sections = vec![Section { label: None, text: body::text(&main)? }];
    for (part, label) in [("word/footnotes.xml", "footnotes"), ("word/endnotes.xml", "endnotes")] {
        let Some(xml) = package.part(part)? else { continue };
        let text = body::text(&xml)?;
        if !text.is_empty() {
            sections.push(Section { label: Some(label.to_owned()), text });
        }
    }
    let title = match package.part("docProps/core.xml")? {
        Some(xml) => body::title(&xml),
        None => None,
    };
    Ok(Document { title, sections, notes: Vec::new(), options_json: None })
}

#[cfg(test)]
mod tests;
