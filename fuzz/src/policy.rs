//! What holds for every rule on calls, and every call it is asked about. An input is a pattern on
//! the first line, then the tool's name, then its arguments, each on a line of its own.

use hydroid_core::id::{CallId, ComponentId};
use hydroid_core::message::Origin;
use hydroid_core::policy::resource::{normal_path, resources};
use hydroid_core::policy::{
    CallPattern, Decision, Mode, Policy, PolicyRule, Rule, RuleOrigin, decide, scope_of,
};
use hydroid_core::tool::{CheckedCall, Impact, Reach, Resource, ResourceKind, ToolCall};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// An error quotes the text at most so far.
const LONGEST_ERROR: usize = 2_000;

const IMPACTS: [Impact; 5] =
    [Impact::ReadOnly, Impact::Network, Impact::Edits, Impact::Changes, Impact::Vault];

/// Panics if it does not hold.
pub(crate) fn holds_for(input: &[u8]) {
    let text = &*String::from_utf8_lossy(input);
    let mut lines = text.lines();
    let written = lines.next().unwrap_or_default();
    let tool = lines.next().unwrap_or_default();
    let arguments: Vec<&str> = lines.take(8).collect();
    for argument in &arguments {
        is_normal(&normal_path(argument));
    }
    let pattern: CallPattern = match written.parse() {
        Ok(pattern) => pattern,
        Err(error) => {
            let error: hydroid_core::policy::BadPattern = error;
            assert!(error.to_string().chars().count() < LONGEST_ERROR, "a long error");
            return;
        }
    };
    assert_eq!(pattern.to_string().parse().as_ref(), Ok(&pattern), "not read as it is printed");
    let call = call(tool, &arguments);
    for found in call.resources.iter().filter(|found| found.kind == ResourceKind::Path) {
        is_normal(&found.text);
    }
    allow_covers_each_resource(&pattern, &call);
    deny_sees_at_least_as_much(&pattern, &call);
    denied_is_not_allowed(&pattern, &call);
    offered_scope_covers(&call);
}

/// No part by which a path could climb out of what a pattern says.
fn is_normal(path: &str) {
    let parts = path.strip_prefix('/').expect("it is absolute");
    let is_plain = |part: &str| !matches!(part, "" | "." | "..");
    assert!(path == "/" || parts.split('/').all(is_plain), "`{path}` is not normal");
}

/// The lines in turn as a path, a URL, a recipient, a text; the last of each kind twice over.
fn call(tool: &str, arguments: &[&str]) -> CheckedCall {
    let list = |format: &str| json!({"items": {"format": format}});
    let schema = json!({"properties": {
        "path": list("path"), "url": list("uri"), "to": list("email"), "text": {},
    }});
    let mut fields = Map::new();
    for (line, field) in arguments.iter().zip(["path", "url", "to", "text"].iter().cycle()) {
        if line.is_empty() {
            continue;
        }
        let list = fields.entry(*field).or_insert_with(|| json!([]));
        list.as_array_mut().expect("it was put in as a list").push(json!(line));
    }
    let arguments = Value::Object(fields);
    CheckedCall {
        call: ToolCall {
            id: CallId::new("c"),
            name: tool.to_owned(),
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

fn with_resources(call: &CheckedCall, resources: Vec<Resource>) -> CheckedCall {
    CheckedCall { resources, ..call.clone() }
}

fn rule(effect: Rule, calls: &CallPattern, origin: RuleOrigin) -> PolicyRule {
    PolicyRule { effect, calls: calls.clone(), component: None, host: None, origin }
}

/// What is allowed together is allowed one by one, so nothing is allowed because of what is
/// beside it. A rule about an argument by its name says nothing about the others.
fn allow_covers_each_resource(pattern: &CallPattern, call: &CheckedCall) {
    let allow = rule(Rule::Allow, pattern, RuleOrigin::Session);
    if !pattern.is_scoped() || !allow.applies(call) {
        return;
    }
    let text = pattern.to_string();
    let inner = text.split_once('(').map_or("", |(_, inner)| inner.trim());
    let argument = inner
        .split_once('=')
        .map(|(name, _)| name)
        .filter(|name| !name.is_empty() && !name.starts_with('/'))
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || "_-/".contains(c)));
    for found in call.resources.iter().filter(|found| found.declared) {
        let is_named = |name: &str| {
            let rest = found.argument.trim_start_matches('/');
            rest == name || rest.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
        };
        if argument.is_none_or(is_named) {
            let alone = with_resources(call, vec![found.clone()]);
            assert!(allow.applies(&alone), "`{text}` covers `{}` only beside others", found.text);
        }
    }
    if argument.is_none() {
        for kind in [ResourceKind::Path, ResourceKind::Url, ResourceKind::Address] {
            let outside = Resource {
                kind,
                text: "\u{1}outside\u{1}".to_owned(),
                argument: "/extra".to_owned(),
                declared: true,
            };
            let alone = with_resources(call, vec![outside.clone()]);
            let with = with_resources(call, [call.resources.clone(), vec![outside]].concat());
            assert!(!allow.applies(&with) || allow.applies(&alone), "`{text}` reaches outside");
        }
    }
}

/// A deny applies wherever an allow of the same calls would, and more arguments do not lift it.
fn deny_sees_at_least_as_much(pattern: &CallPattern, call: &CheckedCall) {
    let allow = rule(Rule::Allow, pattern, RuleOrigin::Session);
    let deny = rule(Rule::Deny, pattern, RuleOrigin::Command);
    assert!(!allow.applies(call) || deny.applies(call), "`{pattern}` allows more than it denies");
    for count in 0..call.resources.len() {
        let fewer = with_resources(call, call.resources[..count].to_vec());
        assert!(!deny.applies(&fewer) || deny.applies(call), "an argument lifts `{pattern}`");
    }
}

/// Whatever else is allowed, in any mode, for a tool of any impact.
fn denied_is_not_allowed(pattern: &CallPattern, call: &CheckedCall) {
    let everything: CallPattern = "*".parse().expect("a pattern");
    let key = || "policy.rules".to_owned();
    let mut rules = vec![
        rule(Rule::Allow, &everything, RuleOrigin::Config { key: key() }),
        rule(Rule::Allow, pattern, RuleOrigin::Session),
        rule(Rule::Allow, pattern, RuleOrigin::Standing { id: "s".to_owned() }),
        rule(Rule::Allow, &everything, RuleOrigin::Command),
    ];
    let deny = rule(Rule::Deny, pattern, RuleOrigin::Config { key: key() });
    let is_denied = deny.applies(call);
    rules.push(deny);
    for (mode, headless) in Mode::ALL.into_iter().flat_map(|mode| [(mode, false), (mode, true)]) {
        let policy = Policy {
            mode,
            headless,
            read_only: Rule::Allow,
            network: Rule::Allow,
            changes: Rule::Allow,
            rules: rules.clone(),
        };
        for impact in IMPACTS {
            let call = CheckedCall { impact, ..call.clone() };
            let decision = decide(&policy, &call, None).decision;
            if is_denied {
                assert!(matches!(decision, Decision::Deny { .. }), "{mode:?} {impact:?}");
            }
            if impact == Impact::Vault {
                assert_ne!(decision, Decision::Allow, "the vault is asked for each time");
            }
            if headless || mode == Mode::Headless {
                assert!(!matches!(decision, Decision::Ask { .. }), "nobody is there to be asked");
            }
        }
    }
}

/// What a person is offered for the session is a pattern for this very call, unless it would
/// reach things of more than one kind: then each call is asked about.
fn offered_scope_covers(call: &CheckedCall) {
    let name = &call.call.name;
    let is_tool = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if !is_tool {
        return;
    }
    let scope = scope_of(call);
    let pattern: CallPattern = match scope.parse() {
        Ok(pattern) => pattern,
        Err(error) => panic!("the scope `{scope}` is no pattern: {error}"),
    };
    assert!(pattern.names(name), "the scope `{scope}` is about another tool");
    let declared: BTreeSet<ResourceKind> =
        call.resources.iter().filter(|found| found.declared).map(|found| found.kind).collect();
    // A URL with a user is refused by the network, whatever is allowed.
    let has_user = |found: &Resource| found.kind == ResourceKind::Url && found.text.contains('@');
    if declared.len() <= 1 && !call.resources.iter().any(has_user) {
        assert!(
            rule(Rule::Allow, &pattern, RuleOrigin::Session).applies(call),
            "the scope `{scope}` does not cover its call: {:?}",
            call.resources
        );
    }
}
