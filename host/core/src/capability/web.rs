//! Rules on requests: where to, below which path, with which methods; and what is missing when
//! none of them covers one.

use super::host::{BadHostPattern, HostPattern};
use super::path::{BadPath, PathPrefix, reads_one_way};
use crate::id::ComponentId;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// One place a component may connect to, written `[METHOD[,METHOD] ]HOST[/PATH]`:
/// `api.example.com`, `api.example.com/v1`, `GET,HEAD api.example.com/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WebRule {
    /// The host or hosts.
    pub host: HostPattern,
    /// Upper-case methods; empty for all that the component declares.
    pub methods: BTreeSet<String>,
    /// The path below which it counts.
    pub path: PathPrefix,
}

/// A request as far as rules are concerned.
#[derive(Clone, Copy, Debug)]
pub struct WebRequest<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Lower case without a trailing dot.
    pub host: &'a str,
    /// The port, said or by default.
    pub port: u16,
    /// The method as it will be sent.
    pub method: &'a str,
    /// The path of the parsed URL.
    pub path: &'a str,
}

/// What stands in the way of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebRefusal {
    /// The component does not declare the method; it declares these.
    Undeclared(BTreeSet<String>),
    /// No rule covers the host.
    Host,
    /// A rule covers the host, but none this path.
    Path,
    /// A rule covers the host below some path, and servers differ in how they read this path.
    Ambiguous,
    /// A rule covers host and path, but not the method.
    Method,
    /// The component that called this one may not send it, for this reason.
    OfCaller(ComponentId, Box<WebRefusal>),
}

/// A rule that cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWebRule {
    /// Its host.
    #[error(transparent)]
    Host(#[from] BadHostPattern),
    /// Its path.
    #[error(transparent)]
    Path(#[from] BadPath),
    /// Its methods.
    #[error("`{0}` is not a list of methods; write upper case with commas, like `GET,HEAD`")]
    Methods(String),
}

/// True for a method a rule can name.
pub fn is_method(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

pub(super) fn allowed_by<'a>(
    rules: &'a [WebRule],
    declared: &BTreeSet<String>,
    request: &WebRequest<'_>,
) -> Result<&'a WebRule, WebRefusal> {
    if !declared.is_empty() && !declared.contains(request.method) {
        return Err(WebRefusal::Undeclared(declared.clone()));
    }
    let mut refusal = WebRefusal::Host;
    for rule in rules {
        if !rule.host.matches(request.scheme, request.host, request.port) {
            continue;
        }
        if !rule.path.covers(request.path) {
            if refusal == WebRefusal::Host {
                let one_way = reads_one_way(request.path);
                refusal = if one_way { WebRefusal::Path } else { WebRefusal::Ambiguous };
            }
        } else if rule.methods.is_empty() || rule.methods.contains(request.method) {
            return Ok(rule);
        } else {
            refusal = WebRefusal::Method;
        }
    }
    Err(refusal)
}

impl WebRule {
    /// The rule with no method more than the component declares; none if none is left. An empty
    /// set declares all.
    #[must_use]
    pub fn within(mut self, declared: &BTreeSet<String>) -> Option<Self> {
        if self.methods.is_empty() {
            self.methods.clone_from(declared);
        } else if !declared.is_empty() {
            self.methods.retain(|method| declared.contains(method));
            if self.methods.is_empty() {
                return None;
            }
        }
        Some(self)
    }
}

impl FromStr for WebRule {
    type Err = BadWebRule;

    fn from_str(text: &str) -> Result<Self, BadWebRule> {
        let (methods, place) = text.split_once(' ').unwrap_or(("", text));
        let listed: BTreeSet<String> = match methods {
            "" if place.len() < text.len() => return Err(BadWebRule::Methods(text.to_owned())),
            "" => BTreeSet::new(),
            methods => methods.split(',').map(str::to_owned).collect(),
        };
        if !listed.iter().all(|method| is_method(method)) {
            // A blank in a place is more likely than a method with a dot or a slash in it.
            if methods.contains(['.', ':', '/', '*']) {
                text.parse::<HostPattern>()?;
            }
            return Err(BadWebRule::Methods(methods.to_owned()));
        }
        let after_scheme = place.find("://").map_or(0, |at| at + 3);
        let (host, path) = match place.get(after_scheme..).and_then(|rest| rest.find('/')) {
            Some(at) => place.split_at(after_scheme + at),
            None => (place, ""),
        };
        Ok(Self { host: host.parse()?, methods: listed, path: path.parse()? })
    }
}

impl fmt::Display for WebRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.methods.is_empty() {
            let methods: Vec<&str> = self.methods.iter().map(String::as_str).collect();
            write!(f, "{} ", methods.join(","))?;
        }
        write!(f, "{}{}", self.host, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: WebRequest<'_> = WebRequest {
        scheme: "https",
        host: "api.example.com",
        port: 443,
        method: "GET",
        path: "/v1/users",
    };

    #[track_caller]
    fn check(
        rules: &[&str],
        declared: &[&str],
        request: WebRequest<'_>,
        expect: Result<&str, WebRefusal>,
    ) {
        let rules: Vec<WebRule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        let declared = declared.iter().map(|method| (*method).to_owned()).collect();
        let got = allowed_by(&rules, &declared, &request).map(WebRule::to_string);
        assert_eq!(got, expect.map(str::to_owned), "{rules:?} {request:?}");
    }

    #[test]
    fn a_request_needs_a_rule_for_its_host_its_path_and_its_method() {
        let post = WebRequest { method: "POST", ..REQUEST };
        check(&["api.example.com"], &[], REQUEST, Ok("api.example.com"));
        check(&["api.example.com/v1"], &[], REQUEST, Ok("api.example.com/v1"));
        check(&["example.com"], &[], REQUEST, Err(WebRefusal::Host));
        check(&["api.example.com/v2"], &[], REQUEST, Err(WebRefusal::Path));
        check(&["GET api.example.com"], &[], post, Err(WebRefusal::Method));
        check(
            &["GET api.example.com", "POST api.example.com/v1"],
            &[],
            post,
            Ok("POST api.example.com/v1"),
        );
        check(
            &["POST api.example.com/v2", "GET api.example.com"],
            &[],
            post,
            Err(WebRefusal::Method),
        );
        check(&[], &[], REQUEST, Err(WebRefusal::Host));
    }

    #[test]
    fn no_rule_allows_a_method_that_is_not_declared() {
        let post = WebRequest { method: "POST", ..REQUEST };
        let declared = WebRefusal::Undeclared(["GET".to_owned()].into());
        check(&["POST api.example.com"], &["GET"], post, Err(declared));
        check(&["api.example.com"], &["GET"], REQUEST, Ok("api.example.com"));
        let lower = WebRequest { method: "get", ..REQUEST };
        check(&["GET api.example.com"], &[], lower, Err(WebRefusal::Method));
    }

    #[test]
    fn a_path_with_two_readings_needs_a_rule_without_a_path() {
        let hidden = WebRequest { path: "/v1/..;/admin", ..REQUEST };
        check(&["api.example.com/v1"], &[], hidden, Err(WebRefusal::Ambiguous));
        check(&["api.example.com/v1", "api.example.com"], &[], hidden, Ok("api.example.com"));
    }

    #[test]
    fn declared_methods_narrow_a_rule_and_never_empty_it_to_all() {
        let rule: WebRule = "GET,POST a.example".parse().unwrap();
        let get = ["GET".to_owned()].into();
        assert_eq!(rule.clone().within(&get).unwrap().methods, get);
        assert_eq!(rule.clone().within(&BTreeSet::new()), Some(rule.clone()));
        assert_eq!(rule.within(&["PUT".to_owned()].into()), None);
        let all: WebRule = "a.example".parse().unwrap();
        assert_eq!(all.within(&get).unwrap().methods, get);
    }

    #[test]
    fn rules_print_as_they_are_read() {
        for text in [
            "example.com",
            "example.com:8443/v1",
            "GET,HEAD *.example.com/a/b",
            "POST http://127.0.0.1:*/x",
            "*",
            "*:*/v1",
            "[2606:4700::1111]:8443/v1",
        ] {
            assert_eq!(text.parse::<WebRule>().unwrap().to_string(), text);
        }
        assert_eq!("example.com/v1/".parse::<WebRule>().unwrap().to_string(), "example.com/v1");
    }

    #[test]
    fn a_rule_that_cannot_be_understood_is_refused() {
        for bad in [
            "",
            " a.example",
            "get a.example",
            "GET, a.example",
            "GET  a.example",
            "a.example/v1?x",
            "a.example/../x",
            "user@a.example/v1",
            "https://",
            "/v1",
            "ftp://a.example/v1",
            "GET POST a.example",
        ] {
            assert!(bad.parse::<WebRule>().is_err(), "{bad}");
        }
    }
}
