//! Rules as the configuration writes them: short lists, one rule for each tool, and rules with
//! everything said. Each is read when the configuration is, so a wrong one is refused at once.

use super::{CallPattern, PolicyRule, Rule, RuleOrigin};
use crate::capability::HostPattern;
use crate::config;
use crate::id::{ComponentId, UserId};

/// For whom rules are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The person.
    pub user: UserId,
    /// The agent; `main` is the one people speak to.
    pub agent: String,
    /// Where they speak: `terminal`, or the name of a channel.
    pub channel: String,
}

/// The rules of the configuration that are for somebody, in the order they are written. The error
/// names the key.
pub fn configured(policy: &config::Policy, who: &Who) -> Result<Vec<PolicyRule>, String> {
    let mut rules = Vec::new();
    for (tool, effect) in &policy.tools {
        rules.push(rule(*effect, tool, format!("policy.tools.{tool}"))?);
    }
    let lists = [
        (Rule::Deny, "deny", &policy.deny),
        (Rule::Ask, "ask", &policy.ask),
        (Rule::Allow, "allow", &policy.allow),
    ];
    for (effect, name, list) in lists {
        for calls in list {
            rules.push(rule(effect, calls, format!("policy.{name}"))?);
        }
    }
    for (index, written) in policy.rules.iter().enumerate() {
        let key = format!("policy.rules[{index}]");
        let made = PolicyRule {
            component: written.component.as_ref().map(ComponentId::new),
            host: written.host.as_deref().map(|host| host_pattern(host, &key)).transpose()?,
            ..rule(written.effect, &written.calls, key)?
        };
        let is_for = |wanted: &Option<String>, got: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == got)
        };
        if is_for(&written.user, who.user.as_str())
            && is_for(&written.agent, &who.agent)
            && is_for(&written.channel, &who.channel)
        {
            rules.push(made);
        }
    }
    Ok(rules)
}

fn rule(effect: Rule, calls: &str, key: String) -> Result<PolicyRule, String> {
    let calls: CallPattern = calls.parse().map_err(|error| format!("`{key}`: {error}"))?;
    Ok(PolicyRule {
        effect,
        calls,
        component: None,
        host: None,
        origin: RuleOrigin::Config { key },
    })
}

fn host_pattern(text: &str, key: &str) -> Result<HostPattern, String> {
    text.parse().map_err(|error| format!("`{key}.host`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
allow = ["file_write(/shared/notes/**)"]
deny = ["web_fetch(*.evil.example)"]
[tools]
file_delete = "deny"
[[rules]]
effect = "ask"
calls = "web_*"
host = "internal.example"
[[rules]]
effect = "deny"
calls = "*"
channel = "tele"
"#;

    fn rendered(channel: &str) -> Vec<String> {
        let policy: config::Policy = toml::from_str(RULES).unwrap();
        let who = Who { user: UserId::new("u"), agent: "main".into(), channel: channel.into() };
        configured(&policy, &who).unwrap().iter().map(PolicyRule::to_string).collect()
    }

    #[test]
    fn each_rule_knows_the_key_it_stands_under() {
        assert_eq!(
            rendered("terminal"),
            [
                "deny `file_delete` (`policy.tools.file_delete`)",
                "deny `web_fetch(*.evil.example)` (`policy.deny`)",
                "allow `file_write(/shared/notes/**)` (`policy.allow`)",
                "ask `web_*` (`policy.rules[0]`)",
            ]
        );
    }

    #[test]
    fn a_rule_for_a_channel_is_for_that_channel() {
        assert!(rendered("tele").contains(&"deny `*` (`policy.rules[1]`)".to_owned()));
    }

    #[test]
    fn what_cannot_be_read_names_its_key() {
        let refused = |text: &str, expect: &str| {
            let policy: config::Policy = toml::from_str(text).unwrap();
            let who =
                Who { user: UserId::new("u"), agent: "main".into(), channel: "terminal".into() };
            let error = configured(&policy, &who).unwrap_err();
            assert!(error.contains(expect), "{error}");
        };
        refused("deny = [\"x(\"]", "`policy.deny`: `x(` is not a rule");
        refused(
            "[[rules]]\neffect = \"deny\"\ncalls = \"x\"\nhost = \"a b\"",
            "`policy.rules[0].host`",
        );
    }
}
