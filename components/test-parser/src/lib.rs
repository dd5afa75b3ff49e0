//! A parser that misbehaves in the way that the document names, for the host's tests. Not for
//! anybody's use.

use hydroid_component::export_parser;
use hydroid_component::parser::{Document, Error, ErrorKind, Parser, Section, whole};

struct Misbehaving;

export_parser!(Misbehaving);

impl Parser for Misbehaving {
    const FORMS: &'static [(&'static str, &'static str)] = &[("bad", "application/x-bad")];

    fn parse(name: &str, data: Vec<u8>) -> Result<Document, Error> {
        let misbehaviour = String::from_utf8_lossy(&data);
        match &*misbehaviour {
            "loops" => loop {
                std::hint::spin_loop();
            },
            "panics" => panic!("asked to parse"),
            "grows" => Ok(whole(None, "x".repeat(1 << 30))),
            "says much" => Ok(whole(None, "x".repeat(6 << 20))),
            "recurses" => Ok(whole(None, deeper(1).to_string())),
            "refuses" => Err(Error::new(ErrorKind::Unsupported, "not this one")),
            "controls" => Ok(Document {
                title: Some("\u{1b}]0;owned\u{7} a title".to_owned()),
                sections: vec![Section { label: Some("a\nb".to_owned()), text: "t".to_owned() }],
                notes: vec!["n".repeat(10_000); 200],
                options_json: None,
            }),
            _ => Ok(whole(Some(name.to_owned()), misbehaviour.into_owned())),
        }
    }
}

/// Never ends in any time there is.
fn deeper(number: u64) -> u64 {
    if number == u64::MAX {
        return 0;
    }
    std::hint::black_box(deeper(std::hint::black_box(number + 1))) + 1
}
