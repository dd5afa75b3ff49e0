//! Policy: may this call run? A decision is a value with its reason and its remedy.

use crate::tool::{CheckedCall, Impact};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The rules in force for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What happens to tools of each impact.
    pub read_only: Rule,
    /// See [`Impact::Network`].
    pub network: Rule,
    /// See [`Impact::Changes`].
    pub changes: Rule,
    /// Rules for single tools; they win over the impact, and a deny wins over all.
    pub tools: BTreeMap<String, Rule>,
    /// Tools the person allowed for this session.
    pub session: BTreeSet<String>,
    /// Nobody is there to be asked, so what would be asked is denied.
    pub headless: bool,
}

/// One rule.
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

/// Decides on a call whose tool exists and whose arguments are valid.
pub fn decide(policy: &Policy, call: &CheckedCall) -> Decision {
    let name = &call.call.name;
    let (rule, key) = match policy.tools.get(name) {
        Some(rule) => (*rule, format!("policy.tools.{name}")),
        None => match call.impact {
            Impact::ReadOnly => (policy.read_only, "policy.read_only".to_owned()),
            Impact::Network => (policy.network, "policy.network".to_owned()),
            Impact::Changes | Impact::Vault => (policy.changes, "policy.changes".to_owned()),
        },
    };
    let can = match call.impact {
        Impact::ReadOnly => "reads only",
        Impact::Network => "sends requests to other machines",
        Impact::Changes => "can change things",
        Impact::Vault => "takes something out of the vault",
    };
    match rule {
        Rule::Deny => Decision::Deny {
            reason: format!(
                "`{name}` is denied by the rule `{key} = \"deny\"`; a person can change it with `hydroid config set {key} ask`"
            ),
        },
        Rule::Allow | Rule::Ask if call.impact == Impact::Vault => each_time(policy, name),
        Rule::Allow => Decision::Allow,
        Rule::Ask if policy.session.contains(name) => Decision::Allow,
        Rule::Ask if policy.headless => Decision::Deny {
            reason: format!(
                "`{name}` {can}, so it needs a person's approval, and nobody can be asked here; a person can allow it with `--allow {name}` on this command, or for good with `hydroid config set policy.tools.{name} allow`"
            ),
        },
        Rule::Ask => Decision::Ask { reason: format!("`{name}` of `{}` {can}", call.component) },
    }
}

/// Neither a rule nor an answer given for the session stands in for a person here.
fn each_time(policy: &Policy, name: &str) -> Decision {
    let reason =
        format!("`{name}` takes something out of the vault, which a person approves each time");
    if policy.headless {
        return Decision::Deny {
            reason: format!(
                "{reason}, and nobody can be asked here; ask for it in a terminal, with `hydroid chat` or `hydroid ask`"
            ),
        };
    }
    Decision::Ask { reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{CallId, ComponentId};
    use crate::tool::ToolCall;

    fn policy() -> Policy {
        Policy {
            read_only: Rule::Allow,
            network: Rule::Ask,
            changes: Rule::Ask,
            tools: BTreeMap::new(),
            session: BTreeSet::new(),
            headless: false,
        }
    }

    fn call(impact: Impact) -> CheckedCall {
        CheckedCall {
            call: ToolCall {
                id: CallId::new("c"),
                name: "file_write".into(),
                arguments: "{}".into(),
            },
            component: ComponentId::new("tool-files-write"),
            impact,
        }
    }

    #[test]
    fn reading_is_allowed_and_changes_are_asked() {
        assert_eq!(decide(&policy(), &call(Impact::ReadOnly)), Decision::Allow);
        assert!(matches!(decide(&policy(), &call(Impact::Network)), Decision::Ask { .. }));
        assert!(matches!(decide(&policy(), &call(Impact::Changes)), Decision::Ask { .. }));
    }

    #[test]
    fn headless_turns_a_question_into_a_denial_that_names_the_remedy() {
        let policy = Policy { headless: true, ..policy() };
        let Decision::Deny { reason } = decide(&policy, &call(Impact::Changes)) else { panic!() };
        assert!(reason.contains("--allow file_write"), "{reason}");
    }

    #[test]
    fn a_copy_out_of_the_vault_is_asked_each_time() {
        let mut policy = policy();
        policy.tools.insert("file_write".into(), Rule::Allow);
        policy.session.insert("file_write".into());
        policy.changes = Rule::Allow;
        assert!(matches!(decide(&policy, &call(Impact::Vault)), Decision::Ask { .. }));
        policy.headless = true;
        assert!(matches!(decide(&policy, &call(Impact::Vault)), Decision::Deny { .. }));
        policy.tools.insert("file_write".into(), Rule::Deny);
        let Decision::Deny { reason } = decide(&policy, &call(Impact::Vault)) else { panic!() };
        assert!(reason.contains("policy.tools.file_write"), "{reason}");
    }

    #[test]
    fn a_rule_for_the_tool_wins_over_its_impact() {
        let mut policy = policy();
        policy.tools.insert("file_write".into(), Rule::Allow);
        assert_eq!(decide(&policy, &call(Impact::Changes)), Decision::Allow);
    }

    #[test]
    fn a_deny_wins_over_an_answer_of_this_session() {
        let mut policy = policy();
        policy.session.insert("file_write".into());
        assert_eq!(decide(&policy, &call(Impact::Changes)), Decision::Allow);
        policy.tools.insert("file_write".into(), Rule::Deny);
        assert!(matches!(decide(&policy, &call(Impact::Changes)), Decision::Deny { .. }));
    }
}
