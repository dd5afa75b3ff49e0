//! Where in a request a credential is put, as a manifest writes it.

use std::fmt;
use std::str::FromStr;

/// Where a credential, a signature or a token is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `bearer`: `Authorization: Bearer …`.
    Bearer,
    /// `basic:USER`: `Authorization: Basic …` with this user.
    Basic(String),
    /// `header:NAME` or `header:NAME:PREFIX`: this header, the prefix before the value.
    Header {
        /// Lower-case name.
        name: String,
        /// What stands before the value, exactly as it was written.
        prefix: String,
    },
    /// `query:NAME`: this query parameter.
    Query(String),
    /// `path:PLACEHOLDER`: instead of this placeholder in the path.
    Path(String),
    /// `body:/POINTER`: this member of a JSON body, as JSON Pointer (RFC 6901) names it.
    Body(Vec<String>),
    /// `form:FIELD`: this field of a form in the body.
    Form(String),
}

/// A place that cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{written}` is no place for a credential: {problem}; it is one of bearer, basic:USER, header:NAME, header:NAME:PREFIX, query:NAME, path:PLACEHOLDER, body:/POINTER, form:FIELD"
)]
pub struct BadPlace {
    written: String,
    problem: &'static str,
}

/// Headers by which a connection works, or that would let an answer past the mask.
const HEADERS_OF_THE_HOST: [&str; 16] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "if-range",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let bad = |problem| BadPlace { written: text.chars().take(100).collect(), problem };
        let (kind, argument) = text.split_once(':').unwrap_or((text, ""));
        if kind == "bearer" {
            return match argument {
                "" => Ok(Self::Bearer),
                _ => Err(bad("`bearer` stands alone")),
            };
        }
        if !matches!(kind, "basic" | "header" | "query" | "path" | "body" | "form") {
            return Err(bad("there is no such place"));
        }
        if argument.is_empty() {
            return Err(bad("what comes after the colon is missing"));
        }
        if argument.chars().any(char::is_control) {
            return Err(bad("it has a control character"));
        }
        match kind {
            "basic" if argument.contains(':') => Err(bad("a user has no colon")),
            "basic" => Ok(Self::Basic(argument.to_owned())),
            "header" => header(argument).map_err(bad),
            "query" => Ok(Self::Query(argument.to_owned())),
            "form" => Ok(Self::Form(argument.to_owned())),
            "path" if argument.contains(['/', '?', '#', '%']) => {
                Err(bad("a placeholder is a part of one segment, like `{token}`"))
            }
            "path" if argument.chars().count() < 3 => {
                Err(bad("a placeholder this short would be found elsewhere; write `{token}`"))
            }
            "path" => Ok(Self::Path(argument.to_owned())),
            _ => pointer(argument).map(Self::Body).map_err(bad),
        }
    }
}

fn header(argument: &str) -> Result<Place, &'static str> {
    let (name, prefix) = argument.split_once(':').unwrap_or((argument, ""));
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        return Err("the header's name has a character that no name has");
    }
    let name = name.to_ascii_lowercase();
    if HEADERS_OF_THE_HOST.contains(&name.as_str()) {
        return Err("this header is the host's");
    }
    if !prefix.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        return Err("the prefix has a character that no header has");
    }
    Ok(Place::Header { name, prefix: prefix.to_owned() })
}

fn pointer(argument: &str) -> Result<Vec<String>, &'static str> {
    let Some(members) = argument.strip_prefix('/') else {
        return Err("a pointer begins with `/`, like `/auth/key`");
    };
    members
        .split('/')
        .map(|member| {
            let mut text = String::new();
            let mut rest = member.chars();
            while let Some(c) = rest.next() {
                match (c, c == '~') {
                    (_, false) => text.push(c),
                    (_, true) => match rest.next() {
                        Some('0') => text.push('~'),
                        Some('1') => text.push('/'),
                        Some(_) | None => return Err("`~` is written `~0`, and `/` `~1`"),
                    },
                }
            }
            if text.is_empty() { Err("a pointer has no empty member") } else { Ok(text) }
        })
        .collect()
}

impl Place {
    /// The header it is put in, in lower case.
    pub fn header(&self) -> Option<&str> {
        match self {
            Self::Bearer | Self::Basic(_) => Some("authorization"),
            Self::Header { name, .. } => Some(name),
            Self::Query(_) | Self::Path(_) | Self::Body(_) | Self::Form(_) => None,
        }
    }

    /// The query parameter it is put in.
    pub fn query(&self) -> Option<&str> {
        match self {
            Self::Query(name) => Some(name),
            Self::Bearer
            | Self::Basic(_)
            | Self::Header { .. }
            | Self::Path(_)
            | Self::Body(_)
            | Self::Form(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer => f.write_str("bearer"),
            Self::Basic(user) => write!(f, "basic:{user}"),
            Self::Header { name, prefix } if prefix.is_empty() => write!(f, "header:{name}"),
            Self::Header { name, prefix } => write!(f, "header:{name}:{prefix}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Path(placeholder) => write!(f, "path:{placeholder}"),
            Self::Form(field) => write!(f, "form:{field}"),
            Self::Body(members) => {
                f.write_str("body:")?;
                members.iter().try_for_each(|member| {
                    write!(f, "/{}", member.replace('~', "~0").replace('/', "~1"))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_print_as_they_are_read() {
        for text in [
            "bearer",
            "basic:me",
            "header:x-key",
            "header:authorization:Token ",
            "header:x-hub-signature-256:sha256=",
            "header:x-a:b:c",
            "query:api key",
            "path:{token}",
            "body:/auth/key",
            "body:/a~1b/c~0d",
            "form:client_secret",
        ] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        assert_eq!("header:X-Key".parse(), "header:x-key".parse::<Place>());
    }

    #[test]
    fn a_place_that_is_none_is_refused_with_those_that_are() {
        for (text, expect) in [
            ("", "no such place"),
            ("cookie", "no such place"),
            ("Bearer", "no such place"),
            ("bearer:x", "stands alone"),
            ("basic", "after the colon"),
            ("basic:a:b", "no colon"),
            ("header:", "after the colon"),
            ("header:X Key", "no name has"),
            ("header:Host", "is the host's"),
            ("header:Transfer-Encoding", "is the host's"),
            ("header:X-Key:é", "no header has"),
            ("header:X-Key:a\r\nb", "control character"),
            ("path:{a/b}", "one segment"),
            ("path:x", "found elsewhere"),
            ("body:key", "begins with `/`"),
            ("body:/a//b", "no empty member"),
            ("body:/a~2", "`~0`"),
        ] {
            let error = text.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains(expect), "{text}: {error}");
            assert!(error.contains("it is one of bearer"), "{error}");
        }
    }
}
