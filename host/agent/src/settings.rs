//! What a turn is bound to, out of the configuration. Nothing is decided here.

use hydroid_core::config::Config;
use hydroid_core::id::ComponentId;
use hydroid_core::policy::Policy;
use hydroid_core::turn::Settings;
use std::collections::BTreeSet;
use std::time::Duration;

/// A turn longer than this is a mistake in the configuration, and a clock cannot count to
/// every number one can write there.
const LONGEST_TURN: Duration = Duration::from_secs(365 * 24 * 3600);

/// The budgets of a turn.
pub(crate) fn turn_settings(config: &Config) -> Settings {
    Settings {
        provider: ComponentId::new(&config.model.provider),
        model: config.model.name.clone(),
        prices: config.model.prices,
        max_steps: config.turn.max_steps,
        max_tokens: config.turn.max_tokens,
        max_dollars: config.turn.max_dollars,
        max_seconds: config.turn.max_seconds,
        max_repeats: config.turn.max_repeats,
        max_tool_output_chars: config.turn.max_tool_output_chars,
    }
}

/// The rules of a session with the tools its person has allowed so far.
pub(crate) fn policy(config: &Config, allowed: BTreeSet<String>, headless: bool) -> Policy {
    Policy {
        read_only: config.policy.read_only,
        network: config.policy.network,
        changes: config.policy.changes,
        tools: config.policy.tools.clone(),
        session: allowed,
        headless,
    }
}

/// Wall time of a turn.
pub(crate) fn wall_time(config: &Config) -> Duration {
    Duration::from_secs(config.turn.max_seconds).min(LONGEST_TURN)
}
