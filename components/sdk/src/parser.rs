//! The parser role for authors: one trait and one macro. Not a reader of any format.
//!
//! ```ignore
//! struct Plain;
//! impl Parser for Plain { /* describe, parse */ }
//! hydroid_component::export_parser!(Plain);
//! ```

use std::marker::PhantomData;

pub use crate::bindings::imports::hydroid::core::types::{Error, ErrorKind};
use crate::bindings::parser::exports::hydroid::parser::parser::Guest;
pub use crate::bindings::parser::exports::hydroid::parser::parser::{
    Descriptor, Document, Form, Section,
};

/// A component that finds the text in documents.
pub trait Parser: 'static {
    /// Ending of file names and media type of each form it reads.
    const FORMS: &'static [(&'static str, &'static str)];

    /// The text of a document. A form that is damaged, encrypted or nested without end is an
    /// error that says so; to run out of memory or time is one too, which the host makes.
    fn parse(name: &str, data: Vec<u8>) -> Result<Document, Error>;
}

/// A document of one piece.
pub fn whole(title: Option<String>, text: String) -> Document {
    Document {
        title,
        sections: vec![Section { label: None, text }],
        notes: Vec::new(),
        options_json: None,
    }
}

/// Makes `type` the parser of this component.
#[macro_export]
macro_rules! export_parser {
    ($parser:ty) => {
        const _: () = {
            type Component = $crate::parser::Adapter<$parser>;
    $crate::bindings::parser::export!(Component with_types_in $crate::bindings::parser);
        };
    };
}

/// What `export_parser!` exports for `P`.
pub struct Adapter<P>(PhantomData<P>);

impl<P: Parser> Guest for Adapter<P> {
    fn describe() -> Result<Descriptor, Error> {
        let form = |(extension, media_type): &(&str, &str)| Form {
            extension: (*extension).to_owned(),
            media_type: (*media_type).to_owned(),
        };
        Ok(Descriptor { forms: P::FORMS.iter().map(form).collect(), options_json: None })
    }

    fn parse(name: String, data: Vec<u8>) -> Result<Document, Error> {
        P::parse(&name, data)
    }
}
