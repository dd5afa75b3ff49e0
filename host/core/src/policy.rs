//! Policy: may this call run? A decision is a value with its reason and its remedy.
//!
//! Order: a deny rule wins over everything; a copy out of the vault, and a change of a file that is
//! read into every conversation, are asked each time; then ask
//! rules, allow rules and what the person answered before; then what the tool can do (its impact).
//! What was allowed is narrowed last by what the session has read: see [`crate::taint`].

mod configured;
pub mod resource;
mod rule;

pub use configured::{Who, configured};
pub use rule::{BadPattern, CallPattern, PolicyRule, Rule, RuleOrigin};

use crate::prompt::is_personal_file;
use crate::taint::Narrowing;
use crate::tool::{CheckedCall, Impact, ResourceKind};
use serde::{Deserialize, Serialize};

/// The rules in force for a session: those of its person, agent and channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How much may happen without asking.
    pub mode: Mode,
    /// Nobody is there to be asked, so what would be asked is denied, whatever the mode.
    pub headless: bool,
    /// What happens to tools of each impact.
    pub read_only: Rule,
    /// See [`Impact::Network`].
    pub network: Rule,
    /// See [`Impact::Edits`] and [`Impact::Changes`].
    pub changes: Rule,
    /// Rules of the configuration, standing approvals and answers of this session.
    pub rules: Vec<PolicyRule>,
}

/// How much may happen without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Nothing is changed: what can change something is denied.
    Plan,
    /// As the rules say.
    #[default]
    Default,
    /// Changes of files in the workspace and of notes run without asking.
    AcceptEdits,
    /// As the rules say, and as if nobody were there: what would be asked is denied.
    Headless,
}

/// What is to happen with a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// It runs.
    Allow,
    /// The person is asked.
    Ask {
        /// Why.
        reason: String,
    },
    /// It does not run.
    Deny {
        /// Why, and what would allow it.
        reason: String,
    },
}

/// A decision and what it follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The decision.
    pub decision: Decision,
    /// The rule in force, as the person can find it.
    pub rule: String,
    /// Where the rule stands; none when the impact decided.
    pub origin: Option<RuleOrigin>,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Plan, Self::Default, Self::AcceptEdits, Self::Headless];

    /// As it is written in the configuration.
    pub fn id(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Default => "default",
            Self::AcceptEdits => "accept-edits",
            Self::Headless => "headless",
        }
    }
}

impl Policy {
    fn nobody_is_there(&self) -> bool {
        self.headless || self.mode == Mode::Headless
    }
}

/// Decides on a call whose tool exists and whose arguments are valid.
pub fn decide(policy: &Policy, call: &CheckedCall, narrowing: Option<&Narrowing>) -> Ruling {
    let first =
        |effect: Rule| policy.rules.iter().find(|rule| rule.effect == effect && rule.applies(call));
    if let Some(rule) = first(Rule::Deny) {
        return ruled(rule, denied_by(call, rule));
    }
    let (by_impact, key) = by_impact(policy, call.impact);
    // What the operator wrote may lift a deny of theirs; what a person answered may not.
    let configured = |effect: Rule| {
        policy.rules.iter().find(|rule| {
            rule.effect == effect
                && matches!(rule.origin, RuleOrigin::Config { .. })
                && rule.applies(call)
        })
    };
    let specific = configured(Rule::Ask).or_else(|| configured(Rule::Allow));
    if specific.is_none() && by_impact == Rule::Deny {
        return by_key(key, denied_by_impact(call, key));
    }
    if policy.mode == Mode::Plan && call.impact > Impact::Network {
        return by_key("policy.mode", Decision::Deny { reason: in_plan_mode(call) });
    }
    if call.impact == Impact::Vault {
        return by_key("the vault", each_time(policy, call));
    }
    if let Some(path) = changes_personal_file(call) {
        let reason = format!(
            "`{}` changes `{path}`, which is read into every conversation, so a person approves it each time",
            call.call.name
        );
        return by_key("the person's own files", asked_each_time(policy, reason));
    }
    let answered = policy.rules.iter().find(|rule| {
        rule.effect == Rule::Allow
            && matches!(
                rule.origin,
                RuleOrigin::Session | RuleOrigin::Standing { .. } | RuleOrigin::Command
            )
            && rule.applies(call)
    });
    let ruling = match (answered, specific) {
        (Some(rule), _) => ruled(rule, Decision::Allow),
        (None, Some(rule)) if rule.effect == Rule::Allow => ruled(rule, Decision::Allow),
        (None, Some(rule)) => {
            let reason = format!("{}, and the rule {rule} wants you asked", can(call));
            ruled(rule, Decision::Ask { reason })
        }
        (None, None) => by_key(key, decided_by_impact(policy, call, by_impact)),
    };
    let ruling = narrowed(policy, call, narrowing, ruling);
    if policy.nobody_is_there() { without_a_person(call, narrowing, ruling) } else { ruling }
}

/// The pattern that a person is offered for calls like this one: the tool, and where it may go.
pub fn scope_of(call: &CheckedCall) -> String {
    let tool = &call.call.name;
    let urls: Vec<&str> = call
        .resources
        .iter()
        .filter(|found| found.kind == ResourceKind::Url)
        .map(|found| found.text.as_str())
        .collect();
    if let [url] = urls[..]
        && let Ok(parsed) = url::Url::parse(url)
        && parsed.origin().is_tuple()
    {
        let origin = parsed.origin().ascii_serialization();
        return format!("{tool}({}/**)", literal(&origin));
    }
    let paths: Vec<&str> = call
        .resources
        .iter()
        .filter(|found| found.kind == ResourceKind::Path && found.declared)
        .map(|found| found.text.as_str())
        .collect();
    if let [path] = paths[..]
        && urls.is_empty()
        && let Some((directory, _)) = path.rsplit_once('/')
        && !directory.is_empty()
    {
        return format!("{tool}({}/**)", literal(directory));
    }
    let to: Vec<&str> = call
        .resources
        .iter()
        .filter(|found| found.kind == ResourceKind::Address)
        .map(|found| found.argument.trim_start_matches('/'))
        .collect();
    if let [argument] = to[..]
        && let Some(found) = call.resources.iter().find(|found| found.kind == ResourceKind::Address)
    {
        return format!("{tool}({argument}={})", literal(&found.text));
    }
    tool.clone()
}

/// A pattern for just this text. The library leaves a backslash, which would escape what follows.
fn literal(text: &str) -> String {
    globset::escape(text).replace('\\', "[\\]")
}

fn by_impact(policy: &Policy, impact: Impact) -> (Rule, &'static str) {
    match impact {
        Impact::ReadOnly => (policy.read_only, "policy.read_only"),
        Impact::Network => (policy.network, "policy.network"),
        Impact::Edits | Impact::Changes | Impact::Vault => (policy.changes, "policy.changes"),
    }
}

fn can(call: &CheckedCall) -> String {
    let can = match call.impact {
        Impact::ReadOnly => "reads only",
        Impact::Network => "sends requests to other machines",
        Impact::Edits => "changes your files or notes",
        Impact::Changes => "can change things",
        Impact::Vault => "takes something out of the vault",
    };
    format!("`{}` of `{}` {can}", call.call.name, call.component)
}

fn denied_by(call: &CheckedCall, rule: &PolicyRule) -> Decision {
    let remedy = match &rule.origin {
        RuleOrigin::Config { key } if key.starts_with("policy.tools.") => {
            format!("a person can change it with `hydroid config set {key} ask`")
        }
        RuleOrigin::Config { key } => {
            format!("a person can take `{}` out of `{key}` in the configuration", rule.calls)
        }
        RuleOrigin::Command | RuleOrigin::Session => "a person can open another session".to_owned(),
        RuleOrigin::Standing { id } => {
            format!("a person can take it back with `hydroid approval revoke {id}`")
        }
    };
    Decision::Deny {
        reason: format!(
            "`{}` is denied here by the rule `{}` in {}; {remedy}",
            call.call.name, rule.calls, rule.origin
        ),
    }
}

fn denied_by_impact(call: &CheckedCall, key: &str) -> Decision {
    Decision::Deny {
        reason: format!(
            "{}, and `{key} = \"deny\"`; a person can change it with `hydroid config set {key} ask`",
            can(call)
        ),
    }
}

fn in_plan_mode(call: &CheckedCall) -> String {
    format!(
        "{}, and in the mode `plan` nothing is changed; say what you would do, and a person can leave the mode with `--mode default` or `hydroid config set policy.mode default`",
        can(call)
    )
}

fn decided_by_impact(policy: &Policy, call: &CheckedCall, rule: Rule) -> Decision {
    let accepted = policy.mode == Mode::AcceptEdits && call.impact == Impact::Edits;
    match rule {
        Rule::Allow => Decision::Allow,
        Rule::Ask if accepted => Decision::Allow,
        Rule::Ask | Rule::Deny => Decision::Ask { reason: can(call) },
    }
}

/// Neither a rule nor an answer given for the session stands in for a person here.
fn each_time(policy: &Policy, call: &CheckedCall) -> Decision {
    let reason = format!(
        "`{}` takes something out of the vault, which a person approves each time",
        call.call.name
    );
    asked_each_time(policy, reason)
}

fn asked_each_time(policy: &Policy, reason: String) -> Decision {
    if policy.nobody_is_there() {
        return Decision::Deny {
            reason: format!(
                "{reason}, and nobody can be asked here; ask for it in a terminal, with `hydroid chat` or `hydroid ask`"
            ),
        };
    }
    Decision::Ask { reason }
}

/// The file that is read into every conversation and that a call would change, or could.
pub fn changes_personal_file(call: &CheckedCall) -> Option<&str> {
    let can_change = call.impact > Impact::Network;
    let mut paths = call.resources.iter().filter(|found| found.kind == ResourceKind::Path);
    paths.find(|found| can_change && is_personal_file(&found.text)).map(|found| found.text.as_str())
}

/// What is allowed in general is asked once something that nobody vouches for was read, unless a
/// person named where it may go.
fn narrowed(
    policy: &Policy,
    call: &CheckedCall,
    narrowing: Option<&Narrowing>,
    ruling: Ruling,
) -> Ruling {
    let Some(narrowing) = narrowing else { return ruling };
    if ruling.decision != Decision::Allow {
        return ruling;
    }
    let named = policy
        .rules
        .iter()
        .any(|rule| rule.effect == Rule::Allow && rule.names_a_target() && rule.applies(call));
    if named && !narrowing.each_time {
        return ruling;
    }
    let reason = format!("{}, and {}", can(call), narrowing.reason);
    by_key(narrowing.rule, Decision::Ask { reason })
}

fn without_a_person(call: &CheckedCall, narrowing: Option<&Narrowing>, ruling: Ruling) -> Ruling {
    let Decision::Ask { reason } = ruling.decision else { return ruling };
    if narrowing.is_some_and(|narrowing| narrowing.each_time) {
        let reason = format!(
            "{reason}, so a person approves it each time, and nobody can be asked here; ask for it in a terminal, with `hydroid chat` or `hydroid ask`"
        );
        return Ruling { decision: Decision::Deny { reason }, ..ruling };
    }
    let name = &call.call.name;
    let scope = scope_of(call);
    let narrowed = narrowing.is_some() && scope != *name;
    let allow = if narrowed { scope.as_str() } else { name.as_str() };
    let good = if narrowed {
        format!("`hydroid approval allow '{scope}'`")
    } else {
        format!("`hydroid config set policy.tools.{name} allow`")
    };
    let quoted = if allow.contains(['(', '*']) { format!("'{allow}'") } else { allow.to_owned() };
    Ruling {
        decision: Decision::Deny {
            reason: format!(
                "{reason}, so it needs a person's approval, and nobody can be asked here; a person can allow it with `--allow {quoted}` on this command, or for good with {good}"
            ),
        },
        ..ruling
    }
}

fn ruled(rule: &PolicyRule, decision: Decision) -> Ruling {
    Ruling { decision, rule: rule.to_string(), origin: Some(rule.origin.clone()) }
}

fn by_key(key: &str, decision: Decision) -> Ruling {
    Ruling { decision, rule: key.to_owned(), origin: None }
}

#[cfg(test)]
mod tests;
