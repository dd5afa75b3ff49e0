//! Which hosts and ports a rule is about. What a request may do there is in [`super::WebRule`].

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// Which host and port a rule is about: `example.com`, `*.example.com` (exactly one label more,
/// never the apex), `*` (any), each with an optional `:port` (`:*` for any)
/// and an optional `http://`.
/// Without a port it means the default port of the scheme.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern {
    scheme: &'static str,
    name: HostName,
    port: HostPort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum HostPort {
    Default,
    Any,
    Exactly(u16),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum HostName {
    Any,
    OneLabelUnder(String),
    Exactly(String),
}

/// A host pattern that cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{pattern}` is not a host pattern: {problem}; write `example.com`, `example.com:8443`, `*.example.com`, `http://127.0.0.1:8080` or `*`"
)]
pub struct BadHostPattern {
    pattern: String,
    problem: &'static str,
}

impl HostPattern {
    /// True if the pattern covers this target.
    pub fn matches(&self, scheme: &str, host: &str, port: u16) -> bool {
        let port_fits = match self.port {
            HostPort::Exactly(wanted) => wanted == port,
            HostPort::Any => true,
            HostPort::Default => matches!((scheme, port), ("https", 443) | ("http", 80)),
        };
        let scheme_fits = scheme == self.scheme
            || (scheme == "https" && self.scheme == "http")
            || self.name == HostName::Any;
        let name_fits = match &self.name {
            HostName::Any => true,
            HostName::Exactly(name) => name == host,
            HostName::OneLabelUnder(apex) => host
                .strip_suffix(apex.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|label| !label.is_empty() && !label.contains('.')),
        };
        port_fits && scheme_fits && name_fits
    }

    /// True if the pattern is about this target for somebody who refuses it: who wrote no scheme
    /// and no port means all of them.
    pub fn concerns(&self, scheme: &str, host: &str, port: u16) -> bool {
        let anywhere = match self.port {
            HostPort::Default => Self { port: HostPort::Any, ..self.clone() },
            HostPort::Any | HostPort::Exactly(_) => self.clone(),
        };
        anywhere.matches(scheme, host, port) || anywhere.matches("https", host, port)
    }

    /// 2 for one host, 1 for those below a name, 0 for all: of two that cover a host, the higher
    /// one is about less.
    pub fn exactness(&self) -> u8 {
        match self.name {
            HostName::Exactly(_) => 2,
            HostName::OneLabelUnder(_) => 1,
            HostName::Any => 0,
        }
    }

    /// True if it covers every host.
    pub fn is_any(&self) -> bool {
        self.name == HostName::Any
    }
}

impl FromStr for HostPattern {
    type Err = BadHostPattern;

    fn from_str(text: &str) -> Result<Self, BadHostPattern> {
        let bad = |problem| BadHostPattern { pattern: text.to_owned(), problem };
        let (scheme, rest) = match text.split_once("://") {
            None => ("https", text),
            Some(("https", rest)) => ("https", rest),
            Some(("http", rest)) => ("http", rest),
            Some(_) => return Err(bad("only http:// and https:// are known")),
        };
        if rest.contains(['/', '?', '#', '@', ' ']) {
            return Err(bad("it names a host, not a path or a user"));
        }
        // An IPv6 address has colons of its own.
        let after_name =
            if rest.starts_with('[') { rest.find(']').map_or(0, |at| at + 1) } else { 0 };
        let at = rest.get(after_name..).and_then(|end| end.find(':')).map(|at| after_name + at);
        let (name, port) = match at.map(|at| rest.split_at(at)) {
            None => (rest, HostPort::Default),
            Some((name, ":*")) => (name, HostPort::Any),
            Some((name, port)) => {
                let port = port.strip_prefix(':').filter(|port| !port.starts_with('+'));
                let port = port.and_then(|port| port.parse().ok()).filter(|port| *port > 0);
                let port = port.ok_or_else(|| {
                    bad("the port is not a number from 1 to 65535, or an IPv6 address is not in brackets")
                })?;
                (name, HostPort::Exactly(port))
            }
        };
        if name.starts_with("*.") && name.trim_end_matches('.') == "*" {
            return Err(bad("`*.` is followed by a name"));
        }
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let name = match name.strip_prefix('[') {
            None => name,
            // Written as the address of a request is.
            Some(rest) => {
                let address = rest.strip_suffix(']').and_then(|rest| rest.parse::<Ipv6Addr>().ok());
                format!("[{}]", address.ok_or_else(|| bad("that is no IPv6 address"))?)
            }
        };
        let name = match name.strip_prefix("*.") {
            _ if name == "*" => HostName::Any,
            Some(apex) if apex.is_empty() || apex.contains('*') => {
                return Err(bad("`*.` is followed by a name"));
            }
            Some(apex) => HostName::OneLabelUnder(apex.to_owned()),
            None if name.is_empty() => return Err(bad("it is empty")),
            None if name.contains('*') => {
                return Err(bad("`*` stands alone or for the first label"));
            }
            None => HostName::Exactly(name),
        };
        Ok(Self { scheme, name, port })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == "http" {
            f.write_str("http://")?;
        }
        match &self.name {
            HostName::Any => f.write_str("*")?,
            HostName::OneLabelUnder(apex) => write!(f, "*.{apex}")?,
            HostName::Exactly(name) => f.write_str(name)?,
        }
        match self.port {
            HostPort::Exactly(port) => write!(f, ":{port}"),
            HostPort::Any => f.write_str(":*"),
            HostPort::Default => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, url: (&str, &str, u16), expect: bool) {
        let pattern: HostPattern = pattern.parse().unwrap();
        assert_eq!(pattern.matches(url.0, url.1, url.2), expect, "{pattern} {url:?}");
    }

    #[test]
    fn an_exact_host_means_https_on_its_port() {
        check("api.example.com", ("https", "api.example.com", 443), true);
        check("api.example.com", ("https", "api.example.com", 8443), false);
        check("api.example.com", ("http", "api.example.com", 80), false);
        check("api.example.com", ("https", "example.com", 443), false);
        check("api.example.com", ("https", "api.example.com.evil.org", 443), false);
    }

    #[test]
    fn a_star_is_exactly_one_label() {
        check("*.example.com", ("https", "a.example.com", 443), true);
        check("*.example.com", ("https", "a.b.example.com", 443), false);
        check("*.example.com", ("https", "example.com", 443), false);
        check("*.example.com", ("https", "aexample.com", 443), false);
        check("*.example.com", ("https", ".example.com", 443), false);
    }

    #[test]
    fn a_port_and_plain_http_are_said() {
        check("http://127.0.0.1:8080", ("http", "127.0.0.1", 8080), true);
        check("http://127.0.0.1:8080", ("http", "127.0.0.1", 80), false);
        check("127.0.0.1:8080", ("http", "127.0.0.1", 8080), false);
        check("*", ("http", "example.com", 80), true);
        check("*", ("https", "example.com", 8443), false);
        check("*:*", ("https", "example.com", 8443), true);
        check("example.com:*", ("https", "example.com", 1), true);
        check("example.com:*", ("https", "example.org", 1), false);
        check("[0:0::1]", ("https", "[::1]", 443), true);
        check("[::1]", ("https", "[::2]", 443), false);
    }

    #[test]
    fn a_pattern_that_says_more_than_a_host_is_refused() {
        for bad in [
            "",
            "a/b",
            "user@host",
            "ftp://x",
            "a*b.com",
            "*.*.com",
            "x:0",
            "x:99999",
            "::1",
            "*.",
            "[::1",
            "[::1]x",
            "[x]",
            "x:",
            "a::80",
            "a:+80",
            "*..",
        ] {
            assert!(bad.parse::<HostPattern>().is_err(), "{bad}");
        }
        for good in ["[::1]:80", "[::1]", "http://[::1]:*"] {
            assert!(good.parse::<HostPattern>().is_ok(), "{good}");
        }
    }

    #[test]
    fn patterns_print_as_they_are_read() {
        for text in
            ["example.com", "example.com:*", "*.example.com:8443", "http://127.0.0.1:8080", "*"]
        {
            assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), text);
        }
    }
}
