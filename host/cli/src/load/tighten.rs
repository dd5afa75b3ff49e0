//! What a file that comes with a workspace may set: it may be somebody else's, so it can choose
//! how the model answers and make limits and rules stricter, and nothing else.

use anyhow::{Result, bail};
use hydroid_core::config::Config;
use hydroid_core::policy::{Mode, Rule};
use toml::{Table, Value};

use crate::value::leaves;

/// Keys a workspace may set to anything.
const FREE: [&str; 5] = [
    "model.context_tokens",
    "model.instructions",
    "model.max_output_tokens",
    "model.name",
    "model.temperature",
];

/// Checks a workspace's table against what the layers below it say.
pub(super) fn check(table: &Table, below: &Table) -> Result<()> {
    let config = Config::from_table(below.clone())?;
    for (path, value) in leaves(table) {
        if FREE.contains(&path.as_str()) {
            continue;
        }
        if let Some(most) = most(&config, &path) {
            let wanted = number(&value);
            if wanted.is_none_or(|wanted| wanted.is_nan() || wanted > most) {
                bail!(
                    "`{path}` is {value}, more than the {most} in force; a workspace may only lower it, a person can raise it with `hydroid config set {path} {value}`"
                );
            }
            continue;
        }
        // Joined to what is in force, never in place of it.
        if ["policy.deny", "policy.ask"].contains(&path.as_str()) {
            continue;
        }
        if path == "policy.mode" {
            // Without a person, what would be asked is denied; `plan` would ask it.
            if value.as_str() != Some(Mode::Plan.id()) || config.policy.mode == Mode::Headless {
                bail!(
                    "`policy.mode` is {value} while `{}` is in force; a workspace may only set `plan`, and not over `headless`; a person can, with `hydroid config set policy.mode …`",
                    config.policy.mode.id()
                );
            }
            continue;
        }
        let Some(rule) = rule(&config, &path) else {
            bail!(
                "a workspace may not set `{path}`, since its file may be somebody else's; a person can, with `hydroid config set {path} …` or `--set {path}=…`"
            );
        };
        if value.as_str().is_none_or(|wanted| strictness(wanted) < Some(rule)) {
            bail!(
                "`{path}` is {value}, which is looser than what is in force; a workspace may only make a rule stricter, a person can change it with `hydroid config set {path} …`"
            );
        }
    }
    Ok(())
}

/// Checks what a workspace wants asked against what is in force in the end: a question about a
/// call would lift the refusal of all calls of its kind.
pub(super) fn check_asks(config: &Config) -> Result<()> {
    let policy = &config.policy;
    let kinds = [
        ("policy.read_only", policy.read_only),
        ("policy.network", policy.network),
        ("policy.changes", policy.changes),
    ];
    if let Some((key, _)) = kinds.iter().find(|(_, rule)| *rule == Rule::Deny) {
        bail!(
            "`policy.ask` would lift `{key} = \"deny\"`; a workspace may not, so take `policy.ask` out of its file, or set it yourself with `hydroid config set policy.ask …`"
        );
    }
    Ok(())
}

/// The number in force of a key that may be lowered.
fn most(config: &Config, path: &str) -> Option<f64> {
    let (turn, budget) = (&config.turn, &config.budget);
    #[expect(clippy::cast_precision_loss, reason = "a limit beyond 2^53 is no limit")]
    match path {
        "budget.day_dollars" => Some(budget.day_dollars.unwrap_or(f64::INFINITY)),
        "budget.month_dollars" => Some(budget.month_dollars.unwrap_or(f64::INFINITY)),
        "budget.session_dollars" => Some(budget.session_dollars.unwrap_or(f64::INFINITY)),
        "turn.max_dollars" => Some(turn.max_dollars.unwrap_or(f64::INFINITY)),
        "turn.max_repeats" => Some(f64::from(turn.max_repeats)),
        "turn.max_seconds" => Some(turn.max_seconds as f64),
        "turn.max_steps" => Some(f64::from(turn.max_steps)),
        "turn.max_tokens" => Some(turn.max_tokens as f64),
        "turn.max_tool_output_chars" => Some(turn.max_tool_output_chars as f64),
        _ => None,
    }
}

/// How strict a rule must be at least to be no looser than what is in force.
fn rule(config: &Config, path: &str) -> Option<u8> {
    let rank = |rule: Rule| match rule {
        Rule::Allow => 0,
        Rule::Ask => 1,
        Rule::Deny => 2,
    };
    match path {
        "policy.read_only" => Some(rank(config.policy.read_only)),
        "policy.network" => Some(rank(config.policy.network)),
        "policy.changes" => Some(rank(config.policy.changes)),
        // What a tool can do is not known yet, so only a refusal is surely no looser.
        _ if path.starts_with("policy.tools.") => Some(2),
        _ => None,
    }
}

fn strictness(rule: &str) -> Option<u8> {
    ["allow", "ask", "deny"]
        .iter()
        .position(|known| *known == rule)
        .and_then(|at| u8::try_from(at).ok())
}

fn number(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "a limit beyond 2^53 is no limit")]
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::String(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_with(workspace: &str, below: &str, expect: Option<&str>) {
        let got = check(&workspace.parse().unwrap(), &below.parse().unwrap())
            .map_err(|error| error.to_string());
        match (got, expect) {
            (Ok(()), None) => {}
            (Err(error), Some(expect)) => assert!(error.contains(expect), "{error}"),
            (got, expect) => panic!("got {got:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn how_the_model_answers_is_free() {
        check_with("[model]\nname = \"x\"\ninstructions = \"y\"\ntemperature = 0.1", "", None);
    }

    #[test]
    fn limits_may_only_be_lowered() {
        check_with("[turn]\nmax_steps = 3", "", None);
        check_with("[turn]\nmax_steps = 30", "", Some("a workspace may only lower it"));
        check_with("[turn]\nmax_steps = 30", "[turn]\nmax_steps = 40", None);
        check_with("[turn]\nmax_steps = nan", "", Some("a workspace may only lower it"));
        check_with("[turn]\nmax_dollars = 5.0", "", None);
        check_with("[budget]\nday_dollars = 5.0", "", None);
        let below = "[budget]\nmonth_dollars = 1.0";
        check_with("[budget]\nmonth_dollars = 5.0", below, Some("more than the 1 in force"));
    }

    #[test]
    fn rules_may_only_become_stricter() {
        check_with("[policy]\nread_only = \"ask\"", "", None);
        check_with(
            "[policy]\nread_only = \"ask\"",
            "[policy]\nread_only = \"deny\"",
            Some("looser"),
        );
        check_with("[policy]\nchanges = \"allow\"", "", Some("looser"));
        check_with("[policy.tools]\nfile_read = \"deny\"", "", None);
        check_with("[policy.tools]\nfile_read = \"ask\"", "", Some("looser"));
        check_with("[policy]\nchanges = \"strict\"", "", Some("looser"));
    }

    #[test]
    fn a_mode_may_only_become_plan() {
        check_with("[policy]\nmode = \"plan\"", "", None);
        check_with("[policy]\nmode = \"plan\"", "[policy]\nmode = \"accept-edits\"", None);
        for mode in ["default", "accept-edits", "headless"] {
            let expect = Some("may only set `plan`");
            check_with(&format!("[policy]\nmode = \"{mode}\""), "", expect);
        }
        let headless = "[policy]\nmode = \"headless\"";
        check_with("[policy]\nmode = \"plan\"", headless, Some("not over `headless`"));
    }

    #[test]
    fn where_things_go_is_not_a_workspaces_business() {
        for key in [
            "model.provider = \"provider-x\"",
            "model.options = { store = true }",
            "model.prices.input = 0.0",
            "egress.allow_private = [\"10.0.0.1:80\"]",
            "limits.memory = \"1GiB\"",
            "user = \"root\"",
            "log.level = \"trace\"",
            "cache.max_size = 0",
            "components.x.config = { base_url = \"http://x\" }",
        ] {
            check_with(key, "", Some("a workspace may not set"));
        }
    }
}
