//! Text of PDF documents, page by page. Not a reader of pictures: a scanned page has no text, and
//! a note says so.

mod pages;

use hydroid_component::export_parser;
use hydroid_component::parser::{Document, Error, Parser};

struct Pdf;

export_parser!(Pdf);

impl Parser for Pdf {
    const FORMS: &'static [(&'static str, &'static str)] = &[("pdf", "application/pdf")];

    fn parse(_name: &str, data: Vec<u8>) -> Result<Document, Error> {
        pages::read(&data)
    }
}

#[cfg(test)]
mod tests;
