//! Capabilities: the profiles a component can be granted, and what a grant allows.
//! One value decides both what is linked and what is checked at run time.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A named set of host interfaces, a world of `hydroid:cap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Compute only; always granted.
    Pure,
    /// Read `/shared` and `/tmp`.
    FileReadOnly,
    /// Read and write `/shared` and `/tmp`.
    FileReadWrite,
    /// Fetch from granted hosts, with credentials it cannot read.
    Web,
    /// Read one granted vault item and leave it with the host.
    VaultReadStep,
    /// Write what the read step left.
    VaultWriteStep,
    /// Its own durable keys.
    State,
    /// The user's notes and recall.
    Memory,
    /// The user's schedules.
    Schedule,
    /// Start a bounded child turn.
    Delegate,
    /// Run a job in the sandbox tier.
    Shell,
    /// Read attachments, send media.
    Media,
    /// Call another tool.
    Invoke,
    /// Plaintext of a secret.
    Reveal,
}

impl Profile {
    /// Every profile, in the order people are shown them.
    pub const ALL: [Self; 14] = [
        Self::Pure,
        Self::FileReadOnly,
        Self::FileReadWrite,
        Self::Web,
        Self::VaultReadStep,
        Self::VaultWriteStep,
        Self::State,
        Self::Memory,
        Self::Schedule,
        Self::Delegate,
        Self::Shell,
        Self::Media,
        Self::Invoke,
        Self::Reveal,
    ];

    /// The identifier used in manifests, grants and commands.
    pub fn id(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::FileReadOnly => "file-read-only",
            Self::FileReadWrite => "file-read-write",
            Self::Web => "web",
            Self::VaultReadStep => "vault-read-step",
            Self::VaultWriteStep => "vault-write-step",
            Self::State => "state",
            Self::Memory => "memory",
            Self::Schedule => "schedule",
            Self::Delegate => "delegate",
            Self::Shell => "shell",
            Self::Media => "media",
            Self::Invoke => "invoke",
            Self::Reveal => "reveal",
        }
    }

    /// The host interfaces it adds to the linker, without version.
    pub fn interfaces(self) -> &'static [&'static str] {
        match self {
            Self::Pure => &[],
            Self::FileReadOnly => &["hydroid:cap/fs-read"],
            Self::FileReadWrite => &["hydroid:cap/fs-read", "hydroid:cap/fs-write"],
            Self::Web => &[
                "hydroid:cap/secrets",
                "hydroid:cap/web",
                "wasi:http/outgoing-handler",
                "wasi:http/types",
            ],
            Self::VaultReadStep => &["hydroid:cap/vault-offer", "hydroid:cap/vault-read"],
            Self::VaultWriteStep => &["hydroid:cap/fs-write", "hydroid:cap/vault-handoff"],
            Self::State => &["hydroid:cap/kv"],
            Self::Memory => &["hydroid:cap/memory", "hydroid:cap/scratchpad"],
            Self::Schedule => &["hydroid:cap/schedules"],
            Self::Delegate => &["hydroid:cap/delegate"],
            Self::Shell => &["hydroid:cap/jobs"],
            Self::Media => &["hydroid:cap/attachments", "hydroid:cap/media"],
            Self::Invoke => &["hydroid:cap/invoke"],
            Self::Reveal => &["hydroid:cap/secrets", "hydroid:cap/secrets-reveal"],
        }
    }

    /// What it lets a component do, in a person's words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Pure => "compute",
            Self::FileReadOnly => "read files in /shared and /tmp",
            Self::FileReadWrite => "read and write files in /shared and /tmp",
            Self::Web => "connect to granted hosts",
            Self::VaultReadStep => "read one granted vault item and leave it with the host",
            Self::VaultWriteStep => "write what a vault read step left, under /shared or /tmp",
            Self::State => "keep its own durable keys",
            Self::Memory => "search and keep your notes",
            Self::Schedule => "change your schedules",
            Self::Delegate => "start bounded child turns",
            Self::Shell => "run commands in the sandbox",
            Self::Media => "read attachments and send media",
            Self::Invoke => "call other tools",
            Self::Reveal => "read the plaintext of a secret",
        }
    }

    /// The profiles that add this interface.
    pub fn granting(interface: &str) -> Vec<Self> {
        Self::ALL.into_iter().filter(|profile| profile.interfaces().contains(&interface)).collect()
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// A profile identifier that names none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no profile is called `{name}`{hint}; profiles: {known}", known = known_profiles())]
pub struct UnknownProfile {
    name: String,
    hint: String,
}

fn known_profiles() -> String {
    Profile::ALL.map(Profile::id).join(", ")
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        Self::ALL.into_iter().find(|profile| profile.id() == text).ok_or_else(|| UnknownProfile {
            name: text.to_owned(),
            hint: crate::config::did_you_mean(text, Self::ALL.map(Self::id)),
        })
    }
}

/// The capabilities in force for one component: what it declared and the operator granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Profiles in force.
    pub profiles: BTreeSet<Profile>,
    /// Where it may connect; empty without [`Profile::Web`].
    pub web: Vec<WebRule>,
    /// Names of secrets it may attach.
    pub secrets: BTreeSet<String>,
}

/// One place a component may connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WebRule {
    /// The host or hosts.
    pub host: HostPattern,
    /// Upper-case methods; empty for all.
    pub methods: BTreeSet<String>,
}

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

impl Grant {
    /// True if one of the granted profiles adds this interface.
    pub fn links(&self, interface: &str) -> bool {
        self.profiles.iter().any(|profile| profile.interfaces().contains(&interface))
    }

    /// The rule that allows this request, if any. `host` is lower case without a trailing dot.
    pub fn allows_request(
        &self,
        scheme: &str,
        host: &str,
        port: u16,
        method: &str,
    ) -> Option<&WebRule> {
        self.web.iter().find(|rule| {
            rule.host.matches(scheme, host, port)
                && (rule.methods.is_empty() || rule.methods.contains(method))
        })
    }
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
        let (name, port) = match rest.rsplit_once(':') {
            Some((name, "*")) => (name, HostPort::Any),
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (
                    name,
                    HostPort::Exactly(
                        port.ok_or_else(|| bad("the port is not a number from 1 to 65535"))?,
                    ),
                )
            }
            Some(_) => return Err(bad("an IPv6 address stands in brackets")),
            None => (rest, HostPort::Default),
        };
        if name == "*." {
            return Err(bad("`*.` is followed by a name"));
        }
        let name = name.trim_end_matches('.').to_ascii_lowercase();
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
    }

    #[test]
    fn a_pattern_that_says_more_than_a_host_is_refused() {
        for bad in
            ["", "a/b", "user@host", "ftp://x", "a*b.com", "*.*.com", "x:0", "x:99999", "::1", "*."]
        {
            assert!(bad.parse::<HostPattern>().is_err(), "{bad}");
        }
        assert!("[::1]:80".parse::<HostPattern>().is_ok());
    }

    #[test]
    fn patterns_print_as_they_are_read() {
        for text in
            ["example.com", "example.com:*", "*.example.com:8443", "http://127.0.0.1:8080", "*"]
        {
            assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_unknown_profile_gets_a_suggestion() {
        let error = "file-readonly".parse::<Profile>().unwrap_err().to_string();
        assert!(error.contains("did you mean `file-read-only`"), "{error}");
    }

    #[test]
    fn a_grant_links_what_its_profiles_name_and_nothing_else() {
        let grant = Grant { profiles: [Profile::FileReadOnly].into(), ..Grant::default() };
        assert!(grant.links("hydroid:cap/fs-read"));
        assert!(!grant.links("hydroid:cap/fs-write"));
        assert!(!Grant::default().links("hydroid:cap/fs-read"));
    }
}
