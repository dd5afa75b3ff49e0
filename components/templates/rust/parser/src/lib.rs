//! {{description}}.

use hydroid_component::export_parser;
use hydroid_component::parser::{Document, Error, Parser, Section};

struct Subtitles;

export_parser!(Subtitles);

impl Parser for Subtitles {
    const FORMS: &'static [(&'static str, &'static str)] = &[("srt", "application/x-subrip")];

    fn parse(_name: &str, data: Vec<u8>) -> Result<Document, Error> {
        let text = String::from_utf8(data)
            .map_err(|_| Error::invalid_input("it is not text in UTF-8"))?;
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let said = lines.filter(|line| {
            let number = line.chars().all(|c| c.is_ascii_digit());
            !number && !line.contains("-->")
        });
        let text = said.collect::<Vec<_>>().join("\n");
        if text.is_empty() {
            return Err(Error::invalid_input("nothing is said in it"));
        }
        let sections = vec![Section { label: None, text }];
        Ok(Document { title: None, sections, notes: Vec::new(), options_json: None })
    }
}
