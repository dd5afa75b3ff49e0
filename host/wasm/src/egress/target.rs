//! A request's target: parsed once, and sent exactly as it was parsed.

use url::{Host, Url};

/// A URL that may be checked against rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: String,
    port: u16,
}

/// A URL that cannot be a target.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` cannot be fetched: {problem}")]
pub struct BadUrl {
    url: String,
    problem: String,
}

/// Longest URL taken; what servers accept ends far below.
const MAX_URL: usize = 16 << 10;

impl Target {
    /// Parses a URL, refusing what is ambiguous between two readers of it.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let shown: String = text.chars().take(200).collect();
        let bad = |problem: &str| BadUrl { url: shown.clone(), problem: problem.to_owned() };
        if text.len() > MAX_URL {
            return Err(bad("it is longer than 16 KiB"));
        }
        // The parser would drop or rewrite these; then the checked URL is not the written one.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(bad("it has a space or control character; percent-encode it"));
        }
        if text.contains('\\') {
            return Err(bad("it has a backslash; percent-encode it"));
        }
        // The parser takes any number of slashes; other readers find another host then.
        let after_scheme = text.split_once(':').map_or("", |(_, rest)| rest);
        if !after_scheme.starts_with("//") || after_scheme.starts_with("///") {
            return Err(bad("it does not have the form `https://host/path`"));
        }
        let url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("only http and https are fetched"));
        }
        if !url.username().is_empty() || url.password().is_some() || authority(text).contains('@') {
            return Err(bad("it has a user name or password in it; name a secret instead"));
        }
        if !valid_percent_encoding(url.path())
            || !valid_percent_encoding(url.query().unwrap_or_default())
        {
            return Err(bad("it has a `%` that is not followed by two hexadecimal digits"));
        }
        let path = url.path().to_ascii_lowercase();
        if path.contains("%2f") || path.contains("%5c") || path.contains("%00") {
            return Err(bad("its path has an encoded separator or NUL"));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_ascii_lowercase(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => format!("[{address}]"),
            None => return Err(bad("it names no host")),
        };
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        // Others are in no name of the DNS, and a person would copy them into a command.
        let is_usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if matches!(url.host(), Some(Host::Domain(_))) && !host.chars().all(is_usual) {
            return Err(bad("its host has a character that no name has"));
        }
        let port = url.port_or_known_default().ok_or_else(|| bad("it names no port"))?;
        if port == 0 {
            return Err(bad("its port is 0"));
        }
        let mut url = url;
        url.set_fragment(None);
        Ok(Self { url, host, port })
    }

    /// The URL as it will be sent, without a fragment.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// Lower case, without a trailing dot; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, said or by default.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port` as a person would grant it, with `http://` where that is meant.
    pub fn grantable(&self) -> String {
        let scheme = if self.scheme() == "http" { "http://" } else { "" };
        match (self.scheme(), self.port) {
            ("https", 443) | ("http", 80) => format!("{scheme}{}", self.host),
            _ => format!("{scheme}{}:{}", self.host, self.port),
        }
    }

    /// The same target with another URL of the same origin, for a credential that is put in it.
    pub(crate) fn with_url(&self, url: Url) -> Option<Self> {
        (url.origin() == self.url.origin()).then(|| Self {
            url,
            host: self.host.clone(),
            port: self.port,
        })
    }
}

fn authority(text: &str) -> &str {
    let rest = text.split_once("//").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

fn valid_percent_encoding(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%'
            && !(0..2).all(|_| bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit()))
        {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Result<(&str, u16), &str>) {
        match (Target::parse(text), expect) {
            (Ok(target), Ok((host, port))) => {
                assert_eq!((target.host(), target.port()), (host, port), "{text}")
            }
            (Err(error), Err(expect)) => {
                assert!(error.to_string().contains(expect), "{text}: {error}")
            }
            (got, expect) => panic!("{text}: expected {expect:?}, got {got:?}"),
        }
    }

    #[test]
    fn hosts_are_normalised() {
        check("https://Example.COM./a", Ok(("example.com", 443)));
        check("http://example.com:8080/", Ok(("example.com", 8080)));
        check("https://bücher.example/", Ok(("xn--bcher-kva.example", 443)));
        check("http://[::1]:80/", Ok(("[::1]", 80)));
    }

    #[test]
    fn other_spellings_of_an_address_become_that_address() {
        for text in [
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://0x7f.1/",
        ] {
            check(text, Ok(("127.0.0.1", 80)));
        }
        check("http://[::ffff:7f00:1]/", Ok(("[::ffff:127.0.0.1]", 80)));
    }

    #[test]
    fn what_two_readers_read_differently_is_refused() {
        check("ftp://example.com/", Err("only http and https"));
        check("file:///etc/passwd", Err("does not have the form"));
        check("http://user@example.com/", Err("user name"));
        check("http://a:b@example.com/", Err("user name"));
        check("http://@example.com/", Err("user name"));
        check("http://example.com\\@evil.org/", Err("backslash"));
        check("http://example.com/a b", Err("space"));
        check("http://example.com/\t", Err("space"));
        check("http://example.com/%zz", Err("hexadecimal"));
        check("http://example.com/?a=%2", Err("hexadecimal"));
        check("http://example.com/a%2fb", Err("encoded separator"));
        check("http://example.com/..%5c..", Err("encoded separator"));
        check("http://$(id).example.com/", Err("no name has"));
        check("http://*.example.com/", Err("no name has"));
        check("http://a;b.example.com/", Err("no name has"));
        check("http://[fe80::1%25eth0]/", Err("cannot be fetched"));
        check("http://example.com:0/", Err("port is 0"));
        check("http:example.com/", Err("does not have the form"));
        check("http:/example.com/", Err("does not have the form"));
        check("http:///example.com/", Err("does not have the form"));
        check("http:///", Err("cannot be fetched"));
        check("nonsense", Err("cannot be fetched"));
        check(&format!("http://example.com/{}", "a".repeat(20_000)), Err("16 KiB"));
    }

    #[test]
    fn a_long_url_is_shown_without_cutting_a_character() {
        let error = Target::parse(&"é".repeat(30_000)).unwrap_err().to_string();
        assert!(error.contains("16 KiB"));
    }
}
