//! The part of a host a rule is about: a path and what is below it, compared segment by segment
//! after decoding, as a server would.

use std::fmt;
use std::str::FromStr;

/// A path and everything below it. `/v1` covers `/v1` and `/v1/users`, not `/v10`. The empty one
/// covers every path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PathPrefix {
    /// Decoded; none of them is empty, a dot segment, or has a separator or `;` in it.
    segments: Vec<String>,
}

/// A path that cannot be granted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a path to grant: {problem}; write it like `/v1/users`")]
pub struct BadPath {
    path: String,
    problem: &'static str,
}

impl PathPrefix {
    /// True if it covers every path.
    pub fn is_all(&self) -> bool {
        self.segments.is_empty()
    }

    /// How many segments it names: of two that cover a path, the one with more is about less.
    pub fn depth(&self) -> usize {
        self.segments.len()
    }

    /// True if it covers the path of a parsed URL: percent-encoded, without dot segments. A path
    /// that some servers would read as another one is covered by the empty prefix only.
    pub fn covers(&self, path: &str) -> bool {
        if self.is_all() {
            return true;
        }
        if !reads_one_way(path) {
            return false;
        }
        let mut found = path.strip_prefix('/').unwrap_or(path).split('/');
        self.segments.iter().all(|wanted| {
            found.next().is_some_and(|segment| decoded(segment.as_bytes()) == wanted.as_bytes())
        })
    }

    /// The whole of a URL's path as a prefix; none if it cannot be one.
    pub fn of_url(path: &str) -> Option<Self> {
        path.parse().ok().filter(|prefix: &Self| prefix.covers(path))
    }
}

/// True if every server reads the path as the same segments. A second decoding, or a server that
/// drops `;parameters`, must not turn a segment into `..` or into two.
pub(super) fn reads_one_way(path: &str) -> bool {
    path.split('/').all(|segment| {
        let mut text = segment.as_bytes().to_vec();
        loop {
            let name = text.split(|byte| *byte == b';').next().unwrap_or_default();
            // The parser has taken away plain dot segments, so one that is there was hidden.
            if matches!(name, b"." | b"..") || text.iter().any(|byte| b"/\\\0".contains(byte)) {
                return false;
            }
            let next = decoded(&text);
            if next == text {
                return true;
            }
            text = next;
        }
    })
}

/// Decodes once. A `%` without two hexadecimal digits stays, as a lenient server leaves it.
fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => decoded.push(high << 4 | low),
            None => decoded.push(*first),
        }
        rest = after.get(if escaped.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    decoded
}

impl FromStr for PathPrefix {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let bad = |problem| BadPath { path: text.chars().take(200).collect(), problem };
        if text.contains(['?', '#', ';', '\\']) || text.contains(char::is_whitespace) {
            return Err(bad("it has a query, parameters, a backslash or a space"));
        }
        let Some(path) = text.strip_prefix('/') else {
            return match text {
                "" => Ok(Self::default()),
                _ => Err(bad("it does not begin with `/`")),
            };
        };
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.is_empty() {
            return Ok(Self::default());
        }
        let segments = path.split('/').map(|segment| {
            let segment = String::from_utf8(decoded(segment.as_bytes()))
                .map_err(|_| bad("a segment is not UTF-8 when decoded"))?;
            if segment.is_empty() || segment == "." || segment == ".." {
                return Err(bad("it has an empty segment or a dot segment"));
            }
            if segment.contains(['/', '\\', ';', '\0', '%']) {
                return Err(bad("a segment has an encoded separator or `%` in it"));
            }
            Ok(segment)
        });
        Ok(Self { segments: segments.collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for PathPrefix {
    /// Encoded so that it stands in a shell, a URL and a TOML string as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            f.write_str("/")?;
            for byte in segment.bytes() {
                match byte {
                    b'A'..=b'Z'
                    | b'a'..=b'z'
                    | b'0'..=b'9'
                    | b'-'
                    | b'.'
                    | b'_'
                    | b'~'
                    | b'@'
                    | b':'
                    | b','
                    | b'+'
                    | b'=' => write!(f, "{}", char::from(byte))?,
                    _ => write!(f, "%{byte:02X}")?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prefix: &str, path: &str, expect: bool) {
        let prefix: PathPrefix = prefix.parse().unwrap();
        assert_eq!(prefix.covers(path), expect, "{prefix} {path}");
    }

    #[test]
    fn a_prefix_ends_where_a_segment_ends() {
        check("/v1", "/v1", true);
        check("/v1", "/v1/", true);
        check("/v1", "/v1/users/7", true);
        check("/v1/", "/v1", true);
        check("/v1", "/v10", false);
        check("/v1", "/v1.json", false);
        check("/v1", "/v", false);
        check("/v1", "/", false);
        check("/v1", "/V1", false);
        check("/v1", "//v1", false);
        check("/v1", "/v1;x=1/users", false);
        check("/v1/users", "/v1", false);
        check("", "/anything", true);
        check("/", "/anything", true);
    }

    #[test]
    fn both_sides_are_decoded_before_they_are_compared() {
        check("/v1", "/%761/users", true);
        check("/%76%31", "/v1/users", true);
        check("/bücher", "/b%C3%BCcher/1", true);
        check("/b%c3%bccher", "/b%C3%BCcher/1", true);
        check("/v1", "/v1/100%25", true);
        check("/v1", "/v1/a;version=2", true);
    }

    #[test]
    fn what_a_server_could_read_as_another_path_is_not_below_a_prefix() {
        for path in [
            "/v1/%252e%252e/admin",
            "/v1/..%252fadmin",
            "/v1/%2525252e%252e/admin",
            "/v1/..;/admin",
            "/v1/..;a=b/admin",
            "/v1/%2e%2e%3b/admin",
            "/v1/.;/x",
            "/v1/%252e;x/admin",
            "/v1/a%255c..%255cadmin",
            "/v1/a%2500",
            "/v1/a%2fb",
            "/v1/a%252f..%252f%25zz",
        ] {
            check("/v1", path, false);
            check("", path, true);
        }
        check("/v1", "/v1/...", true);
        check("/v1", "/v1/a..b/..c", true);
    }

    #[test]
    fn a_path_that_says_more_than_a_path_is_refused() {
        for bad in [
            "v1", "/a?b", "/a#b", "/a;b", "/a\\b", "/a b", "/a//b", "/../x", "/a/./b", "/%2e%2e",
            "/a%2fb", "/a%zz", "/a%", "/%ff", "/a%2525",
        ] {
            assert!(bad.parse::<PathPrefix>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_path_of_a_url_is_a_prefix_that_covers_it() {
        for path in ["/", "/v1", "/v1/b%C3%BCcher", "/a/$b/'c'"] {
            let prefix = PathPrefix::of_url(path).unwrap();
            assert!(prefix.covers(path), "{path}");
            assert_eq!(prefix.to_string().parse(), Ok(prefix));
        }
        for path in ["/v1/..;/x", "/a;b", "/a//b", "/%ff", "/100%25"] {
            assert_eq!(PathPrefix::of_url(path), None, "{path}");
        }
    }
}
