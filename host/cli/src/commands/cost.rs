//! `hydroid cost`: what models have cost, out of the ledger. Nothing is reckoned here.

use crate::args::Cost;
use crate::conversation::find_session;
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::wire::{Ground, SystemClock};
use crate::{moment, terminal};
use anyhow::Result;
use hydroid_core::config::{Config, Span};
use hydroid_core::harmless::exact;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::money::{day_began, month_began};
use hydroid_core::ports::{Clock, Grouping, Ledger, Since, Spent, SpentBy};
use hydroid_memory::Database;
use serde_json::{Value, json};
use std::sync::Arc;

/// Runs the command.
pub(crate) async fn run(
    cost: Cost,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let ground = Ground::lay_to_look(environment, settings)?;
    let database = ground.database().await?;
    let user = ground.user();
    let session = match &cost.session {
        Some(id) => Some(find_session(&database, &user, id).await?),
        None => None,
    };
    let since = Since { from_ms: from_ms(&cost)?, session: session.as_ref() };
    match cost.by {
        None => {
            let spent = database.spent(&user, since).await?;
            if cost.json {
                terminal::print_json(&as_json(&spent))?;
            } else {
                terminal::print_line(&line(&spent))?;
                for budget in budgets(&database, &user, &ground.config).await? {
                    terminal::print_line(&budget)?;
                }
            }
        }
        Some(by) => {
            let by = Grouping::from(by);
            let groups = database.spent_by(&user, since, by).await?;
            if cost.json {
                terminal::print_json(&groups.iter().map(group_as_json).collect())?;
            } else {
                terminal::print(&terminal::table(&groups.iter().map(row).collect::<Vec<_>>()))?;
            }
        }
    }
    Ok(Exit::Done)
}

/// What a session has cost, and today; for `/cost`.
pub(crate) async fn of_session(
    database: &Database,
    user: &UserId,
    session: &SessionId,
) -> Result<String> {
    let of_session = Since { from_ms: 0, session: Some(session) };
    let today = Since { from_ms: day_began(SystemClock.now_ms()), session: None };
    Ok(format!(
        "this session: {}\ntoday: {}",
        line(&database.spent(user, of_session).await?),
        line(&database.spent(user, today).await?)
    ))
}

fn from_ms(cost: &Cost) -> Result<u64> {
    let now_ms = SystemClock.now_ms();
    match (&cost.since, cost.today) {
        (Some(text), _) => moment::since(text, now_ms).ok_or_else(|| {
            usage(format!(
                "`--since {text}` is no time; write `30m`, `1h`, `7d` or a day like `2026-11-22`"
            ))
        }),
        (None, true) => Ok(day_began(now_ms)),
        (None, false) => Ok(0),
    }
}

fn line(spent: &Spent) -> String {
    let usage = spent.usage;
    let requests = match spent.requests {
        0 => return "no model was asked".to_owned(),
        1 => "1 request".to_owned(),
        many => format!("{many} requests"),
    };
    let part = |tokens: u64, what: &str| match tokens {
        0 => String::new(),
        tokens => format!(" ({tokens} {what})"),
    };
    format!(
        "{requests}, {} tokens in{}, {} out{}: {}",
        usage.input,
        part(usage.cache_read, "from a cache"),
        usage.output,
        part(usage.reasoning, "of them reasoning"),
        spent.money()
    )
}

/// How much of each budget that goes beyond a turn and a session is used up.
async fn budgets(database: &Database, user: &UserId, config: &Config) -> Result<Vec<String>> {
    let now_ms = SystemClock.now_ms();
    let mut lines = Vec::new();
    for budget in config.money_budgets() {
        let from_ms = match budget.span {
            Span::Turn | Span::Session => continue,
            Span::Day => day_began(now_ms),
            Span::Month => month_began(now_ms),
        };
        let spent = database.spent(user, Since { from_ms, session: None }).await?;
        lines.push(format!("`{}`: {} of {}", budget.key, spent.known, budget.limit));
    }
    Ok(lines)
}

fn row(by: &SpentBy) -> Vec<String> {
    let spent = &by.spent;
    vec![
        exact(&by.group),
        format!("{} requests", spent.requests),
        format!("{} in", spent.usage.input),
        format!("{} out", spent.usage.output),
        spent.money(),
    ]
}

fn as_json(spent: &Spent) -> Value {
    json!({
        "requests": spent.requests,
        "input": spent.usage.input,
        "output": spent.usage.output,
        "cache_read": spent.usage.cache_read,
        "cache_write": spent.usage.cache_write,
        "reasoning": spent.usage.reasoning,
        "pico_dollars": spent.known.pico(),
        "dollars": spent.known.dollars(),
        "requests_of_unknown_cost": spent.unknown,
    })
}

fn group_as_json(by: &SpentBy) -> Value {
    let mut value = as_json(&by.spent);
    value["group"] = json!(by.group);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::message::Usage;
    use hydroid_core::money::Money;

    #[test]
    fn what_was_spent_fits_on_a_line() {
        assert_eq!(line(&Spent::default()), "no model was asked");
        let spent = Spent {
            requests: 2,
            usage: Usage { input: 30, output: 4, cache_read: 10, reasoning: 1, cache_write: 0 },
            known: Money::of_pico(21_000_000_000),
            unknown: 1,
        };
        assert_eq!(
            line(&spent),
            "2 requests, 30 tokens in (10 from a cache), 4 out (1 of them reasoning): $0.0210 and 1 request of unknown cost"
        );
    }
}
