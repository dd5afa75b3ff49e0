//! One rule: `tool(pattern)` with what is to happen, and for whom. A deny or ask applies as soon
//! as one thing the call names fits; an allow only when everything it names does.

use super::resource::host_of;
use crate::capability::HostPattern;
use crate::id::ComponentId;
use crate::tool::{CheckedCall, Resource, ResourceKind};
use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What happens with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Run it.
    Allow,
    /// Ask the person.
    Ask,
    /// Refuse it.
    Deny,
}

/// Which calls a rule is about: `web_fetch`, `file_*`, `file_write(/shared/notes/**)`,
/// `web_fetch(*.example.com)`, `mail_send(to=*@example.com)`.
#[derive(Clone, Debug)]
pub struct CallPattern {
    text: String,
    tool: GlobMatcher,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Anything,
    Path(GlobMatcher),
    Url(GlobMatcher),
    /// The glob is for what the same letters could mean beside a host: the name of a file.
    Host(HostPattern, GlobMatcher),
    Text(GlobMatcher),
    Argument {
        name: String,
        glob: GlobMatcher,
    },
}

/// A rule with where it stands.
#[derive(Clone, Debug)]
pub struct PolicyRule {
    /// What is to happen.
    pub effect: Rule,
    /// With which calls.
    pub calls: CallPattern,
    /// Only calls of this component.
    pub component: Option<ComponentId>,
    /// Only calls that go to such a host.
    pub host: Option<HostPattern>,
    /// Where the rule stands.
    pub origin: RuleOrigin,
}

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "origin", rename_all = "snake_case")]
pub enum RuleOrigin {
    /// In the configuration, under this key.
    Config {
        /// Dotted key.
        key: String,
    },
    /// The person allowed it when the session was opened.
    Command,
    /// The person answered so earlier in this session.
    Session,
    /// The person allowed it for good.
    Standing {
        /// Identifier, for `hydroid approval revoke`.
        id: String,
    },
}

/// A text that is no pattern for calls.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a rule for calls: {problem}; write `tool`, `tool(/shared/notes/**)`, `tool(*.example.com)`, `tool(https://example.com/v1/**)` or `tool(argument=text*)`"
)]
pub struct BadPattern {
    text: String,
    problem: String,
}

impl CallPattern {
    /// True if the pattern says more than the tool: a path, a host, an argument.
    pub fn names_a_resource(&self) -> bool {
        !matches!(self.what, What::Anything)
    }

    /// True if it is about a tool of this name, whatever the tool is called with.
    pub fn names(&self, tool: &str) -> bool {
        self.tool.is_match(tool)
    }

    fn covers(&self, call: &CheckedCall, effect: Rule) -> bool {
        if !self.names(&call.call.name) {
            return false;
        }
        let resources = &call.resources;
        match &self.what {
            What::Anything => true,
            What::Path(glob) => fits(resources, ResourceKind::Path, effect, |found| {
                glob.is_match(&found.text) || is_directory_of(&self.what, &found.text)
            }),
            What::Url(glob) => {
                fits(resources, ResourceKind::Url, effect, |found| glob.is_match(&found.text))
            }
            What::Host(host, glob) => {
                let is_host = fits(resources, ResourceKind::Url, effect, |found| {
                    matches_host(host, &found.text)
                });
                is_host
                    || (effect != Rule::Allow && resources.iter().any(|found| names(found, glob)))
            }
            What::Text(glob) => fits_text(resources, effect, |found| glob.is_match(&found.text)),
            What::Argument { name, glob } => {
                let mut named = resources.iter().filter(|found| belongs_to(found, name)).peekable();
                named.peek().is_some()
                    && match effect {
                        Rule::Allow => named.all(|found| glob.is_match(&found.text)),
                        Rule::Ask | Rule::Deny => named.any(|found| glob.is_match(&found.text)),
                    }
            }
        }
    }
}

/// A rule about what is in `/shared/x/**` is about the directory `/shared/x` itself too.
fn is_directory_of(what: &What, path: &str) -> bool {
    let What::Path(glob) = what else { return false };
    glob.glob().glob().strip_suffix("/**").is_some_and(|directory| directory == path)
}

/// A deny or ask rule looks at everything that could be such a thing. An allow rule looks at what
/// the schema declares, or, when it declares nothing of that kind, at all that looks like one.
fn fits(
    resources: &[Resource],
    kind: ResourceKind,
    effect: Rule,
    covers: impl Fn(&Resource) -> bool,
) -> bool {
    match effect {
        Rule::Ask | Rule::Deny => resources.iter().any(|found| {
            // A relative path is a text to somebody who does not know the schema.
            let as_path = || Resource {
                kind,
                text: super::resource::normal_path(&found.text),
                ..found.clone()
            };
            covers(found)
                || (kind == ResourceKind::Path
                    && found.kind == ResourceKind::Text
                    && covers(&as_path()))
        }),
        Rule::Allow => {
            // Something else it would reach is not what was allowed.
            let other = resources.iter().any(|found| {
                found.declared && found.kind != kind && found.kind != ResourceKind::Text
            });
            let declared = resources.iter().any(|found| found.declared && found.kind == kind);
            let mut ours = resources
                .iter()
                .filter(|found| found.kind == kind && (found.declared || !declared))
                .peekable();
            !other && ours.peek().is_some() && ours.all(covers)
        }
    }
}

fn fits_text(resources: &[Resource], effect: Rule, covers: impl Fn(&Resource) -> bool) -> bool {
    match effect {
        Rule::Ask | Rule::Deny => resources.iter().any(covers),
        Rule::Allow => !resources.is_empty() && resources.iter().all(covers),
    }
}

fn belongs_to(found: &Resource, name: &str) -> bool {
    let rest = found.argument.strip_prefix('/').unwrap_or(&found.argument);
    rest == name || rest.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
}

/// A text, or the last part of a path.
fn names(found: &Resource, glob: &GlobMatcher) -> bool {
    match found.kind {
        ResourceKind::Path => found.text.rsplit('/').next().is_some_and(|name| glob.is_match(name)),
        ResourceKind::Text | ResourceKind::Address => glob.is_match(&found.text),
        ResourceKind::Url => false,
    }
}

fn matches_host(pattern: &HostPattern, url: &str) -> bool {
    let Ok(parsed) = url::Url::parse(url) else { return false };
    let Some(host) = host_of(url) else { return false };
    let Some(port) = parsed.port_or_known_default() else { return false };
    pattern.matches(parsed.scheme(), &host, port)
}

impl PolicyRule {
    /// True if the rule is about this call.
    pub fn applies(&self, call: &CheckedCall) -> bool {
        self.component.as_ref().is_none_or(|component| *component == call.component)
            && self.calls.covers(call, self.effect)
            && self.host.as_ref().is_none_or(|host| {
                fits(&call.resources, ResourceKind::Url, self.effect, |found| {
                    matches_host(host, &found.text)
                })
            })
    }

    /// True if it says where the call may go, not only which tool may be called.
    pub fn names_a_resource(&self) -> bool {
        self.calls.names_a_resource() || self.host.is_some()
    }
}

impl fmt::Display for RuleOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { key } => write!(f, "`{key}`"),
            Self::Command => f.write_str("`--allow` on the command"),
            Self::Session => f.write_str("the person's answer for this session"),
            Self::Standing { id } => write!(f, "the standing approval `{id}`"),
        }
    }
}

impl fmt::Display for CallPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for PolicyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            Rule::Allow => "allow",
            Rule::Ask => "ask",
            Rule::Deny => "deny",
        };
        write!(f, "{effect} `{}` ({})", self.calls, self.origin)
    }
}

impl PartialEq for CallPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CallPattern {}

impl PartialEq for PolicyRule {
    fn eq(&self, other: &Self) -> bool {
        (self.effect, &self.calls, &self.component, &self.host, &self.origin)
            == (other.effect, &other.calls, &other.component, &other.host, &other.origin)
    }
}

impl Eq for PolicyRule {}

impl FromStr for CallPattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let text = text.trim();
        let bad = |problem: &str| BadPattern {
            text: text.chars().take(200).collect(),
            problem: problem.to_owned(),
        };
        let (tool, inner) = match text.split_once('(') {
            None => (text, None),
            Some((tool, rest)) => {
                let inner =
                    rest.strip_suffix(')').ok_or_else(|| bad("its bracket is not closed"))?;
                (tool.trim(), Some(inner.trim()))
            }
        };
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '*' | '?');
        if tool.is_empty() || !tool.chars().all(named) {
            return Err(bad("a tool's name has letters, digits, `_` and, as a pattern, `*`"));
        }
        let what = match inner {
            None | Some("*" | "**") => What::Anything,
            Some("") => return Err(bad("its brackets are empty")),
            Some(inner) => what(inner).map_err(|problem| bad(&problem))?,
        };
        Ok(Self {
            tool: glob(tool, true).map_err(|problem| bad(&problem))?,
            what,
            text: text.to_owned(),
        })
    }
}

fn what(inner: &str) -> Result<What, String> {
    if inner.starts_with('/') {
        if inner.split('/').any(|part| part == "..") {
            return Err("its path has `..`".to_owned());
        }
        return glob(inner, true).map(What::Path);
    }
    if inner.contains("://") {
        if let Ok(host) = inner.parse::<HostPattern>() {
            return Ok(What::Host(host, glob(inner, true)?));
        }
        return glob(inner, true).map(What::Url);
    }
    if let Some((name, pattern)) = inner.split_once('=') {
        let is_name = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/'));
        if is_name {
            return Ok(What::Argument { name: name.to_owned(), glob: glob(pattern, false)? });
        }
    }
    let host_like = inner.contains('.')
        && inner.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '*' | ':'));
    match inner.parse::<HostPattern>() {
        Ok(host) if host_like => Ok(What::Host(host, glob(inner, true)?)),
        Ok(_) | Err(_) => glob(inner, false).map(What::Text),
    }
}

/// `*` stays within a part of a path when `parted`, `**` never does.
fn glob(text: &str, parted: bool) -> Result<GlobMatcher, String> {
    GlobBuilder::new(text)
        .literal_separator(parted)
        .backslash_escape(true)
        .empty_alternates(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CallId;
    use crate::message::Origin;
    use crate::policy::resource::resources;
    use crate::tool::{Impact, ToolCall};
    use serde_json::{Value, json};

    fn call(tool: &str, arguments: Value) -> CheckedCall {
        let schema = json!({"properties": {
            "path": {"format": "path"}, "source": {"format": "path"}, "url": {"format": "uri"},
            "to": {"format": "email"},
        }});
        CheckedCall {
            call: ToolCall {
                id: CallId::new("c"),
                name: tool.into(),
                arguments: arguments.to_string(),
            },
            component: ComponentId::new("some"),
            impact: Impact::Changes,
            resources: resources(&schema, &arguments),
            origin: Origin::Unknown,
            preview: None,
        }
    }

    #[track_caller]
    fn check(pattern: &str, effect: Rule, tool: &str, arguments: Value, expect: bool) {
        let rule = PolicyRule {
            effect,
            calls: pattern.parse().unwrap(),
            component: None,
            host: None,
            origin: RuleOrigin::Command,
        };
        assert_eq!(rule.applies(&call(tool, arguments)), expect, "{rule}");
    }

    #[test]
    fn a_tool_is_named_or_matched() {
        check("file_read", Rule::Allow, "file_read", json!({}), true);
        check("file_*", Rule::Allow, "file_read", json!({}), true);
        check("file_*", Rule::Allow, "web_fetch", json!({}), false);
        check("*", Rule::Deny, "web_fetch", json!({}), true);
    }

    #[test]
    fn a_path_covers_what_is_below_it_and_nothing_that_climbs_out() {
        let allow = |path: &str, expect| {
            check(
                "file_write(/shared/x/**)",
                Rule::Allow,
                "file_write",
                json!({"path": path}),
                expect,
            );
        };
        allow("/shared/x/a", true);
        allow("x/a/b", true);
        allow("/shared/x", true);
        allow("/shared/x/../y", false);
        allow("/shared/xy", false);
        check("file_write(/shared/*)", Rule::Allow, "file_write", json!({"path": "a/b"}), false);
    }

    #[test]
    fn an_allow_needs_everything_and_a_deny_one_thing() {
        let both = json!({"source": "/shared/x/a", "path": "/shared/y/a"});
        check("move(/shared/x/**)", Rule::Allow, "move", both.clone(), false);
        check("move(/shared/x/**)", Rule::Deny, "move", both, true);
        let sent = json!({"path": "/shared/x/a", "url": "https://evil.example/"});
        check("move(/shared/x/**)", Rule::Allow, "move", sent, false);
    }

    #[test]
    fn a_deny_sees_a_path_that_the_schema_does_not_declare() {
        check("run(/shared/x/**)", Rule::Deny, "run", json!({"file": "/shared/./x/a"}), true);
        check("run(/shared/x/**)", Rule::Deny, "run", json!({"file": "x/a"}), true);
        check("run(/shared/x/**)", Rule::Allow, "run", json!({"text": "x/a"}), false);
    }

    #[test]
    fn hosts_are_matched_as_hosts() {
        let fetch = |pattern: &str, url: &str, expect| {
            check(pattern, Rule::Allow, "web_fetch", json!({"url": url}), expect);
        };
        fetch("web_fetch(example.com)", "https://example.com/x", true);
        fetch("web_fetch(example.com)", "https://example.com.evil.org/x", false);
        fetch("web_fetch(example.com)", "https://evil.org/?example.com", false);
        fetch("web_fetch(*.example.com)", "https://a.example.com/", true);
        fetch("web_fetch(*.example.com)", "https://example.com/", false);
        fetch("web_fetch(https://example.com/v1/**)", "https://example.com/v1/a/b", true);
        fetch("web_fetch(https://example.com/v1/**)", "https://example.com/v1/../v2", false);
        fetch("web_fetch(https://example.com/**)", "https://example.com@evil.org/", false);
    }

    #[test]
    fn a_name_with_a_dot_is_a_file_too_when_something_is_denied() {
        check("file_read(keys.txt)", Rule::Deny, "file_read", json!({"path": "a/keys.txt"}), true);
        check(
            "file_read(keys.txt)",
            Rule::Allow,
            "file_read",
            json!({"path": "a/keys.txt"}),
            false,
        );
    }

    #[test]
    fn arguments_are_matched_by_name() {
        let to = |to: Value, effect, expect| {
            check("mail(to=*@example.com)", effect, "mail", json!({"to": to, "text": "x"}), expect);
        };
        to(json!("bob@example.com"), Rule::Allow, true);
        to(json!(["bob@example.com", "eve@evil.org"]), Rule::Allow, false);
        to(json!(["bob@example.com", "eve@evil.org"]), Rule::Deny, true);
        check("mail(to=*)", Rule::Allow, "mail", json!({"text": "x"}), false);
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_an_example() {
        for text in ["", "a b", "x(", "x()", "x(/shared/../y)", "x([)", "(y)"] {
            let error = text.parse::<CallPattern>().unwrap_err().to_string();
            assert!(error.contains("is not a rule for calls"), "{text}: {error}");
        }
    }
}
