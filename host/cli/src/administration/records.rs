//! What was spent, what was logged and what is broken, as values. Nothing is reckoned here.

use super::Household;
use crate::args::{By, Command, Cost};
use anyhow::{Context, Result};
use hydroid_core::harmless::harmless;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};

/// Most bytes of the log in one answer.
const LOG_BYTES: u64 = 128 << 10;

pub(super) async fn costs(household: &Household, since: Option<String>) -> Result<Value> {
    let since = since.filter(|since| !since.trim().is_empty());
    let cost = |by| {
        let cost = Cost { today: false, since: since.clone(), session: None, by, json: true };
        household.json(Command::Cost(cost))
    };
    Ok(json!({
        "total": cost(None).await?,
        "days": cost(Some(By::Day)).await?,
        "models": cost(Some(By::Model)).await?,
    }))
}

/// Whole lines of the log behind a place, or its end.
pub(super) fn log(household: &Household, after: Option<u64>) -> Result<Value> {
    let ground = household.ground()?;
    let path = ground.paths.log(&ground.user());
    let shown = path.display();
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(json!({ "lines": [], "next": 0, "begins_anew": false }));
        }
        Err(error) => return Err(error).with_context(|| format!("`{shown}` cannot be read")),
    };
    let length = file.metadata().with_context(|| format!("`{shown}` cannot be read"))?.len();
    // A file that is shorter than what was read of it is another one.
    let followed = after.filter(|after| *after <= length);
    let from = followed.unwrap_or_else(|| length.saturating_sub(LOG_BYTES));
    file.seek(SeekFrom::Start(from)).with_context(|| format!("`{shown}` cannot be read"))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES)
        .read_to_end(&mut bytes)
        .with_context(|| format!("`{shown}` cannot be read"))?;
    // A line that is still being written, and one whose beginning was cut, come whole or not.
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let cut = followed.is_none() && from > 0;
    let begin =
        if cut { bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1) } else { 0 };
    let whole = bytes.get(begin..end).unwrap_or_default();
    let text = String::from_utf8_lossy(whole);
    let lines: Vec<String> = text.lines().map(harmless).collect();
    Ok(json!({
        "lines": lines,
        "next": from + end as u64,
        "begins_anew": after.is_some() && followed.is_none(),
    }))
}

/// Findings as they are shown, each with its mark.
pub(super) async fn doctor(household: &Household) -> Result<Value> {
    let (_, kept) = household.command(Command::Doctor).await?;
    let mut findings: Vec<(&str, String)> = Vec::new();
    for line in kept.data.lines() {
        let marks = [("   ok  ", "ok"), (" note  ", "note"), ("BROKEN ", "broken")];
        let marked = marks
            .iter()
            .find_map(|(mark, state)| line.strip_prefix(mark).map(|text| (*state, text)));
        match (marked, findings.last_mut()) {
            (Some((state, text)), _) => findings.push((state, text.to_owned())),
            (None, Some((_, text))) => {
                text.push('\n');
                text.push_str(line.trim_start());
            }
            (None, None) => {}
        }
    }
    let findings: Vec<Value> =
        findings.into_iter().map(|(state, text)| json!({ "state": state, "text": text })).collect();
    Ok(json!({ "findings": findings, "said": kept.said }))
}
