//! `hydroid audit`: the record of what was decided and done, to read, to search, to hand on and to
//! verify. What is recorded is for those who do it.

mod export;

use crate::args::{Audit, Query};
use crate::audited::log_of;
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::wire::{Ground, SystemClock};
use crate::{moment, terminal};
use anyhow::Result;
use hydroid_core::audit::{AuditAction, AuditOutcome};
use hydroid_core::config::did_you_mean;
use hydroid_core::harmless::{exact, excerpt, harmless};
use hydroid_core::ports::Clock;
use hydroid_memory::{AuditLog, AuditQuery, AuditRecord};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Characters of a resource and of a rule on a line.
const SHOWN: usize = 160;

/// Records read at once.
const PAGE: u32 = 500;

/// Most records handed over at once.
const MOST_AT_ONCE: u32 = 2_000;

/// How often new records are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Runs the command.
pub(crate) async fn run(
    command: Audit,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let ground = Ground::lay_to_look(environment, settings)?;
    let log = log_of(&ground.database().await?);
    match command {
        Audit::Tail { lines, follow } => tail(&log, lines, follow).await,
        Audit::Query(query) => find(&log, query).await,
        Audit::Verify => verify(&log).await,
        Audit::Export { file, force, format } => {
            let out = export::open(&file, force)?;
            export::run(&ground, &log, out, format).await
        }
    }
}

async fn tail(log: &AuditLog, lines: u32, follow: bool) -> Result<Exit> {
    let records = log.newest(AuditQuery::default(), lines).await?;
    let mut last = records.last().map_or(0, |record| record.seq);
    for record in &records {
        terminal::print_line(&line(record))?;
    }
    // Nothing was read, and what is there already is not new.
    if lines == 0 && follow {
        last = log.newest(AuditQuery::default(), 1).await?.first().map_or(0, |record| record.seq);
    }
    if !follow {
        return Ok(Exit::Done);
    }
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let query = AuditQuery { after: last, ..AuditQuery::default() };
        for record in log.oldest(query, PAGE).await? {
            last = record.seq;
            terminal::print_line(&line(&record))?;
        }
    }
}

async fn find(log: &AuditLog, wanted: Query) -> Result<Exit> {
    let as_json = wanted.json;
    let mut query = query_of(wanted)?;
    let mut found = 0_usize;
    loop {
        let page = log.oldest(query.clone(), PAGE).await?;
        let Some(last) = page.last() else { break };
        query.after = last.seq;
        found += page.len();
        for record in &page {
            if as_json {
                terminal::print_json(&as_value(record))?;
            } else {
                terminal::print_line(&line(record))?;
            }
        }
    }
    if found == 0 {
        terminal::say("no record fits; `hydroid audit tail` shows the last ones");
    }
    Ok(Exit::Done)
}

/// What is asked for.
fn query_of(wanted: Query) -> Result<AuditQuery> {
    Ok(AuditQuery {
        action: wanted.action.as_deref().map(action).transpose()?,
        outcome: wanted.outcome.as_deref().map(outcome).transpose()?,
        component: wanted.component,
        session: wanted.session.map(|session| session.trim().to_lowercase()),
        call: wanted.call,
        since_ms: wanted.since.as_deref().map(since).transpose()?,
        ..AuditQuery::default()
    })
}

/// The last records that fit, oldest first, as JSON.
pub(crate) async fn newest(ground: &Ground, wanted: Query, limit: u32) -> Result<Vec<Value>> {
    let log = log_of(&ground.database().await?);
    let records = log.newest(query_of(wanted)?, limit.min(MOST_AT_ONCE)).await?;
    Ok(records.iter().map(as_value).collect())
}

async fn verify(log: &AuditLog) -> Result<Exit> {
    let report = log.verify().await?;
    for found in &report.breaks {
        terminal::print_line(&format!("BROKEN {found}"))?;
    }
    let records = match report.records {
        1 => "1 record".to_owned(),
        records => format!("{records} records"),
    };
    let last = match report.last {
        None => String::new(),
        Some(head) => format!("; the last one is {head}"),
    };
    if report.breaks.is_empty() {
        terminal::print_line(&format!("{records}, nothing is missing or changed{last}"))?;
        return Ok(Exit::Done);
    }
    terminal::print_line(&format!("{records}{last}"))?;
    terminal::say(
        "the audit log was tampered with or damaged; `hydroid audit export` saves what is there",
    );
    Ok(Exit::Error)
}

fn action(text: &str) -> Result<AuditAction> {
    AuditAction::ALL.into_iter().find(|action| action.id() == text).ok_or_else(|| {
        let known = AuditAction::ALL.map(AuditAction::id);
        let hint = did_you_mean(text, known);
        usage(format!("`{text}` is no action{hint}; there are {}", known.join(", ")))
    })
}

fn outcome(text: &str) -> Result<AuditOutcome> {
    AuditOutcome::ALL.into_iter().find(|outcome| outcome.id() == text).ok_or_else(|| {
        let known = AuditOutcome::ALL.map(AuditOutcome::id);
        let hint = did_you_mean(text, known);
        usage(format!("`{text}` is no outcome{hint}; there are {}", known.join(", ")))
    })
}

fn since(text: &str) -> Result<u64> {
    moment::since(text, SystemClock.now_ms()).ok_or_else(|| {
        usage(format!(
            "`{text}` is no time; write how long ago, like `30m`, `1h` or `7d`, or a date like `2026-11-22`"
        ))
    })
}

/// A record on one line.
fn line(record: &AuditRecord) -> String {
    let (seq, at) = (record.seq, moment::second(record.at_ms));
    let Some(event) = record.event() else {
        return format!("{seq:>6}  {at}  (of another version)  {}", excerpt(&record.json, SHOWN));
    };
    let short = |text: &str| excerpt(&exact(text), SHOWN);
    let component = event.component.map_or_else(|| "-".to_owned(), |name| short(name.as_str()));
    let mut line = format!(
        "{seq:>6}  {at}  {:<7}  {:<17}  {component:<18}  {}",
        event.outcome.id(),
        event.action.id(),
        short(&event.resource)
    );
    let call = event.call.as_ref().map(|call| call.as_str()).filter(|call| *call != event.resource);
    let sizes = [
        call.map(|call| format!("call {}", short(call))),
        event.bytes.map(|bytes| format!("{bytes} bytes")),
        event.duration_ms.map(|duration| format!("{duration} ms")),
        (event.redactions > 0).then(|| format!("{} masked", event.redactions)),
        (!event.rule.is_empty()).then(|| short(&event.rule)),
    ];
    for size in sizes.into_iter().flatten() {
        line.push_str("  · ");
        line.push_str(&size);
    }
    harmless(&line)
}

/// A record as JSON: number, time and hash beside what was hashed.
fn as_value(record: &AuditRecord) -> Value {
    let event = serde_json::from_str::<Value>(&record.json)
        .unwrap_or_else(|_| Value::String(record.json.clone()));
    json!({ "seq": record.seq, "at_ms": record.at_ms, "event": event, "hash": record.hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(json: &str) -> AuditRecord {
        AuditRecord { seq: 7, at_ms: 1_795_357_080_000, json: json.into(), hash: "00".into() }
    }

    #[test]
    fn a_record_is_one_line_that_nothing_breaks_out_of() {
        let json = "{\"user\":\"u\",\"component\":\"tool-web\",\"action\":\"request\",\"resource\":\"GET https://a/\\n\\u001b[2J\",\"outcome\":\"denied\",\"rule\":\"no\\rgrant\",\"bytes\":3}";
        assert_eq!(
            line(&record(json)),
            "     7  2026-11-22 14:18:00  denied   request            tool-web            GET https://a/\\u000a\\u001b[2J  · 3 bytes  · no\\u000dgrant"
        );
    }

    #[test]
    fn what_another_version_wrote_is_shown_as_it_is() {
        let shown = line(&record("{\"action\":\"later\\n\"}"));
        assert!(shown.contains("of another version") && shown.contains("later"), "{shown}");
    }

    #[test]
    fn a_word_that_is_none_is_refused_with_those_there_are() {
        let error = action("requst").unwrap_err().to_string();
        assert!(error.contains("did you mean `request`"), "{error}");
        assert!(outcome("no").unwrap_err().to_string().contains("allowed, asked, denied, failed"));
    }
}
