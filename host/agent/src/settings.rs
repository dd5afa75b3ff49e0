//! What a turn is bound to, out of the configuration. Nothing is decided here.

use hydroid_core::config::Config;
use hydroid_core::id::ComponentId;
use hydroid_core::money::Money;
use hydroid_core::policy::{Mode, Policy, PolicyRule, Rule, RuleOrigin, Who, configured};
use hydroid_core::ports::StandingApproval;
use hydroid_core::protocol::SessionSettings;
use hydroid_core::turn::Settings;
use std::time::Duration;

/// A turn longer than this is a mistake in the configuration, and a clock cannot count to
/// every number one can write there.
const LONGEST_TURN: Duration = Duration::from_secs(365 * 24 * 3600);

/// Who answers in a session: what it has of its own, else what is configured.
pub(crate) fn model_of<'a>(config: &'a Config, own: &'a SessionSettings) -> (&'a str, &'a str) {
    (
        own.provider.as_deref().unwrap_or(&config.model.provider),
        own.model.as_deref().unwrap_or(&config.model.name),
    )
}

/// The budgets of a turn.
pub(crate) fn turn_settings(config: &Config, own: &SessionSettings) -> Settings {
    let (provider, model) = model_of(config, own);
    Settings {
        provider: ComponentId::new(provider),
        model: model.to_owned(),
        max_steps: config.turn.max_steps,
        max_tokens: config.turn.max_tokens,
        max_dollars: config.turn.max_dollars.and_then(Money::of_dollars),
        money_budget: config.money_budgets().first().map(|budget| budget.key),
        max_seconds: config.turn.max_seconds,
        max_repeats: config.turn.max_repeats,
        max_tool_output_chars: config.turn.max_tool_output_chars,
    }
}

/// The agent people speak to.
pub const MAIN_AGENT: &str = "main";

/// The rules of a session: what the configuration says for its person, what they allowed for
/// good, and what they answered in this session.
pub fn session_policy(
    config: &Config,
    who: &Who,
    mode: Mode,
    standing: &[StandingApproval],
    session: &[PolicyRule],
) -> Policy {
    // Rules were read when the configuration was. Should one not be readable after all, nothing
    // runs: it may have been the one that denies.
    let mut rules = configured(&config.policy, who).unwrap_or_else(|_| deny_everything());
    rules.extend(standing.iter().filter_map(standing_rule));
    rules.extend(session.iter().cloned());
    Policy {
        mode,
        headless: false,
        read_only: config.policy.read_only,
        network: config.policy.network,
        changes: config.policy.changes,
        rules,
    }
}

fn deny_everything() -> Vec<PolicyRule> {
    let calls = "*".parse().expect("the pattern is a constant and a test reads it");
    let origin = RuleOrigin::Config { key: "policy".to_owned() };
    vec![PolicyRule { effect: Rule::Deny, calls, component: None, host: None, origin }]
}

/// None for a pattern that an older release wrote and this one cannot read: then it is asked.
fn standing_rule(approval: &StandingApproval) -> Option<PolicyRule> {
    Some(PolicyRule {
        effect: Rule::Allow,
        calls: approval.calls.parse().ok()?,
        component: approval.component.clone(),
        host: None,
        origin: RuleOrigin::Standing { id: approval.id.clone() },
    })
}

/// Wall time of a turn.
pub(crate) fn wall_time(config: &Config) -> Duration {
    Duration::from_secs(config.turn.max_seconds).min(LONGEST_TURN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::id::UserId;

    #[test]
    fn a_rule_that_cannot_be_read_denies_everything() {
        let mut config = Config::default();
        config.policy.deny = vec!["x(".to_owned()];
        let who = Who { user: UserId::new("u"), agent: "main".into(), channel: "terminal".into() };
        let policy = session_policy(&config, &who, Mode::Default, &[], &[]);
        assert_eq!(policy.rules, deny_everything());
    }
}
