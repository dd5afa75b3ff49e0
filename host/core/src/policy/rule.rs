//! One rule: `tool(pattern)` with what is to happen, and for whom. A deny or ask applies as soon
//! as one thing the call names fits; an allow only when everything it names does.

use super::resource::{self, host_of};
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
    /// A path below `/shared`, as tools read it; the second glob is for a text of these letters.
    Relative(GlobMatcher, GlobMatcher),
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
    /// True if the pattern names a place outside, in letters: a host, a URL with its host, an
    /// address. What a star could stand for nobody has named.
    pub fn names_a_target(&self) -> bool {
        match &self.what {
            What::Host(host, _) => !host.is_any(),
            What::Url(glob) => {
                let text = glob.glob().glob();
                let rest = text.split_once("://").map_or("", |(_, rest)| rest);
                let host = rest.split('/').next().unwrap_or_default();
                is_literal(host.strip_prefix("*.").unwrap_or(host))
            }
            What::Argument { glob, .. } => {
                let text = glob.glob().glob();
                is_literal(text.trim_start_matches('*').trim_start_matches('@'))
            }
            What::Anything | What::Path(_) | What::Relative(..) | What::Text(_) => false,
        }
    }

    /// True if the pattern is about this tool.
    pub fn names(&self, tool: &str) -> bool {
        self.tool.is_match(tool)
    }

    /// True if the pattern says more than the tool.
    pub fn is_scoped(&self) -> bool {
        !matches!(self.what, What::Anything)
    }

    fn covers(&self, call: &CheckedCall, effect: Rule) -> bool {
        if !self.names(&call.call.name) {
            return false;
        }
        let resources = &call.resources;
        match &self.what {
            What::Anything => true,
            What::Path(glob) => fits(resources, ResourceKind::Path, effect, |found| {
                glob.is_match(&found.text) || is_directory_of(glob, &found.text)
            }),
            What::Url(glob) => fits(resources, ResourceKind::Url, effect, |found| {
                glob.is_match(&found.text)
                    || (effect != Rule::Allow && is_directory_of(glob, without_query(&found.text)))
            }),
            What::Host(host, glob) => {
                let is_host = fits(resources, ResourceKind::Url, effect, |found| {
                    matches_host(host, &found.text, effect)
                });
                is_host
                    || (effect != Rule::Allow && resources.iter().any(|found| names(found, glob)))
            }
            What::Relative(path, text) => {
                let is_path = fits(resources, ResourceKind::Path, effect, |found| {
                    path.is_match(&found.text) || is_directory_of(path, &found.text)
                });
                is_path
                    || (effect != Rule::Allow
                        && fits_text(resources, effect, |found| text.is_match(&found.text)))
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

/// Letters only, enough of them to be somebody's name.
fn is_literal(text: &str) -> bool {
    const SHORTEST: usize = 4;
    text.len() >= SHORTEST && !text.contains(['*', '?', '[', '{', '\\'])
}

/// A rule about what is in `/shared/x/**` is about the directory `/shared/x` itself too.
fn is_directory_of(glob: &GlobMatcher, path: &str) -> bool {
    glob.glob().glob().strip_suffix("/**").is_some_and(|directory| directory == path)
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
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
                found.declared
                    && found.kind != kind
                    && found.kind != ResourceKind::Text
                    && !resource::is_left_out(found)
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
        Rule::Allow => {
            let mut said =
                resources.iter().filter(|found| !resource::is_left_out(found)).peekable();
            said.peek().is_some() && said.all(covers)
        }
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

fn matches_host(pattern: &HostPattern, url: &str, effect: Rule) -> bool {
    let Ok(parsed) = url::Url::parse(url) else { return false };
    let Some(host) = host_of(url) else { return false };
    let Some(port) = parsed.port_or_known_default() else { return false };
    match effect {
        Rule::Allow => pattern.matches(parsed.scheme(), &host, port),
        Rule::Ask | Rule::Deny => pattern.concerns(parsed.scheme(), &host, port),
    }
}

impl PolicyRule {
    /// True if the rule is about this call.
    pub fn applies(&self, call: &CheckedCall) -> bool {
        let scoped = self.calls.is_scoped() || self.host.is_some();
        if scoped && call.resources.iter().any(resource::is_beyond) {
            // Nobody looked at all of it: then nothing in particular is allowed, and what could be
            // denied is.
            return self.effect != Rule::Allow && self.calls.tool.is_match(&call.call.name);
        }
        self.component.as_ref().is_none_or(|component| *component == call.component)
            && self.calls.covers(call, self.effect)
            && self.host.as_ref().is_none_or(|host| {
                fits(&call.resources, ResourceKind::Url, self.effect, |found| {
                    matches_host(host, &found.text, self.effect)
                })
            })
    }

    /// True if it says where a call may go outside: a host, an address; not only which tool.
    pub fn names_a_target(&self) -> bool {
        self.calls.names_a_target() || self.host.as_ref().is_some_and(|host| !host.is_any())
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
        return glob(&tidy_path(inner), true).map(What::Path);
    }
    // First, since what an argument is to be may be a URL; no URL has a name before its `=`.
    if let Some((name, pattern)) = inner.split_once('=') {
        let is_name = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/'));
        if is_name {
            return Ok(What::Argument { name: name.to_owned(), glob: glob(pattern, false)? });
        }
    }
    if inner.contains("://") {
        if let Ok(host) = inner.parse::<HostPattern>() {
            return Ok(What::Host(host, glob(inner, true)?));
        }
        return glob(inner, true).map(What::Url);
    }
    // One word with a `/` in it is a path as tools take it; a command line has spaces.
    if inner.contains('/') && !inner.contains(char::is_whitespace) {
        if inner.split('/').any(|part| part == "..") {
            return Err("its path has `..`".to_owned());
        }
        let inner = inner.strip_prefix("./").unwrap_or(inner);
        let root = inner.split('/').next().unwrap_or_default();
        let below = if ["shared", "tmp", "vault"].contains(&root) { "" } else { "/shared" };
        let path = tidy_path(&format!("{below}/{inner}"));
        return Ok(What::Relative(glob(&path, true)?, glob(inner, false)?));
    }
    let host_like = inner.contains('.')
        && inner.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '*' | ':'));
    match inner.parse::<HostPattern>() {
        Ok(host) if host_like => Ok(What::Host(host, glob(inner, true)?)),
        Ok(_) | Err(_) => glob(inner, false).map(What::Text),
    }
}

/// A path as calls name it: no empty part, no `.`; with a `/` at its end, all that is below.
fn tidy_path(path: &str) -> String {
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let below = if path.ends_with('/') { "/**" } else { "" };
    format!("/{}{below}", parts.join("/"))
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
    use crate::tool::{Impact, Reach, ToolCall};
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
            reach: Reach::default(),
            hooked: None,
            preview: None,
            parent: None,
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
    fn rules_are_the_same_if_they_say_the_same_for_the_same_reason() {
        let rule = |calls: &str, effect| PolicyRule {
            effect,
            calls: calls.parse().unwrap(),
            component: None,
            host: None,
            origin: RuleOrigin::Command,
        };
        assert_eq!(rule("file_*", Rule::Allow), rule("file_*", Rule::Allow));
        assert_ne!(rule("file_*", Rule::Allow), rule("file_*", Rule::Deny));
        assert_ne!(rule("file_*", Rule::Allow), rule("file_read", Rule::Allow));
    }

    #[test]
    fn a_deny_about_paths_is_about_texts_that_would_be_such_a_path() {
        let deny = |arguments, expect| {
            check("file_write(/shared/x/**)", Rule::Deny, "file_write", arguments, expect);
        };
        deny(json!({"text": "x/a"}), true);
        deny(json!({"text": "hello"}), false);
        deny(json!({"url": "https://good.example/shared/x/a"}), false);
    }

    /// A tool that is told no path takes the whole of what it may read.
    #[test]
    fn what_only_looks_like_a_path_stands_for_none_that_was_left_out() {
        let allow = |arguments, expect| {
            check("file_search(/shared/notes/**)", Rule::Allow, "file_search", arguments, expect);
        };
        allow(json!({"path": "notes", "pattern": "/*salary"}), true);
        allow(json!({"pattern": "/shared/notes/|salary"}), false);
        allow(json!({"path": null, "pattern": "/shared/notes/"}), false);
        allow(json!({"path": " /shared/notes/x"}), false);
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
    fn nothing_is_hidden_behind_many_or_long_arguments() {
        let many = |last: &str| {
            let files: Vec<String> = (0..300).map(|n| format!("/shared/x/{n}")).collect();
            json!({"many": files, "source": "/shared/x/a", "url": last})
        };
        check("get(evil.example)", Rule::Deny, "get", many("https://evil.example/"), true);
        check("get(evil.example)", Rule::Deny, "get", many("https://good.example/"), false);
        check("get(/shared/x/**)", Rule::Allow, "get", many("https://evil.example/"), false);
        let long = |end: &str| json!({"text": format!("{} end{end}", "x".repeat(4092))});
        check("run(* end)", Rule::Allow, "run", long(""), true);
        check("run(* end)", Rule::Allow, "run", long("; more"), false);
        check("run(*more)", Rule::Deny, "run", long("; more"), true);
    }

    #[test]
    fn a_relative_path_is_below_shared_as_tools_read_it() {
        let read = |pattern: &str, effect, path: &str, expect| {
            check(pattern, effect, "file_read", json!({"path": path}), expect);
        };
        read("file_read(keys/**)", Rule::Deny, "keys/a", true);
        read("file_read(keys/**)", Rule::Deny, "/shared/keys/a/b", true);
        read("file_read(./keys/*)", Rule::Deny, "keys/a", true);
        read("file_read(keys/**)", Rule::Deny, "/tmp/keys/a", false);
        read("file_read(keys/**)", Rule::Allow, "keys/a", true);
        read("file_read(keys/**)", Rule::Allow, "keys/../b", false);
        check("run(a/b*)", Rule::Deny, "run", json!({"command": "a/bc d"}), true);
        check("run(rm -rf /*)", Rule::Deny, "run", json!({"command": "rm -rf /home"}), true);
    }

    #[test]
    fn a_path_is_meant_however_it_is_written() {
        for pattern in ["/shared/keys/", "/shared//keys/**", "/shared/./keys/**", "shared/keys/**"]
        {
            let pattern = format!("file_read({pattern})");
            check(&pattern, Rule::Deny, "file_read", json!({"path": "keys/a.pem"}), true);
            check(&pattern, Rule::Deny, "file_read", json!({"path": "key/a.pem"}), false);
        }
    }

    #[test]
    fn a_denied_host_is_denied_at_every_port_and_scheme_unless_they_are_written() {
        let fetch = |pattern: &str, effect, url: &str, expect| {
            check(pattern, effect, "web_fetch", json!({"url": url}), expect);
        };
        for url in [
            "http://evil.example/",
            "https://evil.example:8443/",
            "http://evil.example:81/x",
            "https://evil.example./",
        ] {
            fetch("web_fetch(evil.example)", Rule::Deny, url, true);
            fetch("web_fetch(*.example)", Rule::Deny, url, true);
        }
        fetch("web_fetch(evil.example)", Rule::Allow, "https://evil.example:8443/", false);
        fetch("web_fetch(evil.example:8443)", Rule::Deny, "https://evil.example/", false);
    }

    #[test]
    fn a_denied_url_is_denied_in_other_spellings() {
        let deny = |url: &str| {
            check("f(https://e.example/v1/**)", Rule::Deny, "f", json!({"url": url}), true);
        };
        deny("https://e.example./v1/x");
        deny("https://e.example/%76%31/x");
        deny("https://e.example//v1/x");
        deny("https://e.example/v1");
        deny("https://e.example/v1?x");
        let allow = |url: &str, expect| {
            check("f(https://e.example/v1/**)", Rule::Allow, "f", json!({"url": url}), expect);
        };
        allow("https://e.example/v1/x", true);
        allow("https://e.example//v1/x", false);
        allow("https://e.example/v1/..%2f..%2fadmin", false);
    }

    #[test]
    fn only_letters_name_a_target() {
        let names = |pattern: &str| pattern.parse::<CallPattern>().unwrap().names_a_target();
        for pattern in
            ["f(docs.rs)", "f(*.example.com)", "f(https://docs.rs/**)", "f(to=*@example.com)"]
        {
            assert!(names(pattern), "{pattern}");
        }
        for pattern in [
            "f",
            "f(*)",
            "f(format=*)",
            "f(url=*)",
            "f(https://**)",
            "f(https://*)",
            "f(***)",
            "f({*})",
            "f(*a*)",
            "f(/shared/**)",
            "f(a/b)",
            "f(url=https*)",
        ] {
            assert!(!names(pattern), "{pattern}");
        }
    }

    #[test]
    fn a_call_with_more_than_is_looked_at_is_allowed_by_no_scope_and_denied_by_any() {
        let mut deep = json!("eve@evil.org");
        for _ in 0..1000 {
            deep = json!([deep]);
        }
        let deep = json!({"to": ["bob@example.com", deep]});
        check("mail(to=*@example.com)", Rule::Allow, "mail", deep.clone(), false);
        check("mail(to=*@evil.org)", Rule::Deny, "mail", deep.clone(), true);
        check("mail", Rule::Allow, "mail", deep, true);
        let mut many: Vec<String> = (0..1000).map(|n| format!("u{n}@example.com")).collect();
        many.push("eve@evil.org".into());
        check("mail(to=*@example.com)", Rule::Allow, "mail", json!({"to": many}), false);
        check("mail(to=*@evil.org)", Rule::Deny, "mail", json!({"to": many}), true);
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
        let hook = |url: &str, expect| {
            check("post(to=https://a.example/*)", Rule::Deny, "post", json!({"to": url}), expect);
        };
        hook("https://a.example/x", true);
        hook("https://b.example/x", false);
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_an_example() {
        for text in ["", "a b", "x(", "x()", "x(/shared/../y)", "x([)", "(y)"] {
            let error = text.parse::<CallPattern>().unwrap_err().to_string();
            assert!(error.contains("is not a rule for calls"), "{text}: {error}");
        }
    }
}
