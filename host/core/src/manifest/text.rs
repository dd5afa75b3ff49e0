//! The text a signer signs, described with placeholders for the parts of the request.

use crate::config::did_you_mean;
use std::fmt;
use std::str::FromStr;

/// A text with placeholders: `{timestamp}.{body}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What it is made of, in order. It names something of the request.
    pieces: Vec<Piece>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This text.
    Text(String),
    /// This part of the request.
    Of(Element),
}

/// A part of a request, as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// `{method}`
    Method,
    /// `{host}`, with the port unless it is the scheme's.
    Host,
    /// `{path}`
    Path,
    /// `{query}`, without the question mark and the signature.
    Query,
    /// `{target}`: the path, and the question mark and the query if there is one.
    Target,
    /// `{body}`
    Body,
    /// `{body_sha256}`, in lower-case hexadecimal.
    BodySha256,
    /// `{timestamp}`
    Timestamp,
    /// `{id}`
    Id,
}

const ELEMENTS: [(&str, Element); 9] = [
    ("method", Element::Method),
    ("host", Element::Host),
    ("path", Element::Path),
    ("query", Element::Query),
    ("target", Element::Target),
    ("body", Element::Body),
    ("body_sha256", Element::BodySha256),
    ("timestamp", Element::Timestamp),
    ("id", Element::Id),
];

/// A template that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// A placeholder that stands for nothing.
    #[error("`{{{name}}}` is no placeholder{hint}; placeholders are {}", placeholders())]
    Unknown {
        /// What was written.
        name: String,
        /// A suggestion, or nothing.
        hint: String,
    },
    /// It would sign every request alike.
    #[error(
        "it names nothing of the request, so one signature would fit every other; add `{{path}}`, `{{query}}`, `{{target}}`, `{{body}}` or `{{body_sha256}}`"
    )]
    Empty,
}

fn placeholders() -> String {
    ELEMENTS.map(|(name, _)| format!("{{{name}}}")).join(" ")
}

impl Template {
    /// What it is made of, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(super) fn uses_timestamp(&self) -> bool {
        self.pieces.contains(&Piece::Of(Element::Timestamp))
    }

    pub(super) fn uses_id(&self) -> bool {
        self.pieces.contains(&Piece::Of(Element::Id))
    }

    fn names_the_request(&self) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Text(_) => false,
            Piece::Of(element) => match element {
                Element::Path
                | Element::Query
                | Element::Target
                | Element::Body
                | Element::BodySha256 => true,
                Element::Method | Element::Host | Element::Timestamp | Element::Id => false,
            },
        })
    }
}

impl FromStr for Template {
    type Err = BadTemplate;

    /// A brace that does not open a word is a brace.
    fn from_str(text: &str) -> Result<Self, BadTemplate> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            rest = after;
            let word = after.split_once('}').filter(|(word, _)| {
                !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            });
            let Some((word, after)) = word else {
                plain.push('{');
                continue;
            };
            let Some((_, element)) = ELEMENTS.iter().find(|(name, _)| *name == word) else {
                return Err(BadTemplate::Unknown {
                    name: word.to_owned(),
                    hint: did_you_mean(word, ELEMENTS.map(|(name, _)| name)),
                });
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Of(*element));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        let template = Self { pieces };
        if template.names_the_request() { Ok(template) } else { Err(BadTemplate::Empty) }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Of(element) => {
                let name = ELEMENTS.iter().find(|(_, known)| known == element);
                write!(f, "{{{}}}", name.map_or("", |(name, _)| name))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_print_as_they_are_read() {
        for text in [
            "{body}",
            "v0:{timestamp}:{body}",
            "{method}\n{target}\n{body_sha256}",
            "{{path}",
            "{a b}{path}}",
        ] {
            assert_eq!(text.parse::<Template>().unwrap().to_string(), text);
        }
        let pieces = [
            Piece::Text("v0:".into()),
            Piece::Of(Element::Timestamp),
            Piece::Text(":".into()),
            Piece::Of(Element::Body),
        ];
        assert_eq!("v0:{timestamp}:{body}".parse::<Template>().unwrap().pieces(), pieces);
    }

    #[test]
    fn a_placeholder_that_stands_for_nothing_gets_a_suggestion() {
        let error = "{bodi}".parse::<Template>().unwrap_err().to_string();
        assert!(error.contains("did you mean `body`") && error.contains("{target}"), "{error}");
    }

    #[test]
    fn a_text_that_fits_every_request_is_refused() {
        for text in ["", "constant", "{method}{host}", "{timestamp}{id}"] {
            assert_eq!(text.parse::<Template>(), Err(BadTemplate::Empty), "{text}");
        }
    }
}
