//! The configuration as a form: every key with what is set and where, changes tried before they
//! are made, and the file before each change kept. What fits together is decided in core.

use super::{Conflict, Household};
use crate::audited::{Deed, audit};
use crate::commands::config::{check, deed, edited, without};
use crate::exit::usage;
use crate::load::{Origin, load, read_text};
use crate::paths::{Paths, replace_private};
use crate::value;
use crate::wire::SystemClock;
use anyhow::{Context, Result};
use hydroid_core::audit::AuditAction;
use hydroid_core::config::KEYS;
use hydroid_core::harmless::harmless;
use hydroid_core::ports::{Clock, ConfigChange};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use similar::TextDiff;
use std::path::Path;

/// Files that are kept before a change; older ones go.
const BACKUPS: usize = 20;

/// Most changes in one request: more than there are keys were not made by a person.
const MOST_CHANGES: usize = 200;

/// Begins the name of a kept file; the time follows.
const BACKUP: &str = "config.toml.before-";

pub(super) fn shown(household: &Household) -> Result<Value> {
    let paths = Paths::find(&household.environment)?;
    let text = read_text(&paths.config_file())?.unwrap_or_default();
    let keys: Vec<Value> = KEYS
        .iter()
        .map(|key| {
            json!({ "path": key.path, "kind": key.kind, "default": key.default, "doc": key.doc })
        })
        .collect();
    let mut answer = json!({
        "file": paths.config_file().display().to_string(),
        "base": digest(&text),
        "text": text,
        "keys": keys,
    });
    match load(&paths, &household.environment, &household.settings) {
        Ok(loaded) => {
            let values = loaded.values.iter().map(|(key, (value, origin))| {
                let row = json!({
                    "value": typed(value),
                    "origin": origin.to_string().replace('`', ""),
                    "from": from(origin, &paths),
                });
                (key.clone(), row)
            });
            answer["values"] = Value::Object(values.collect());
            let files = loaded.files.iter();
            answer["files"] = files
                .map(|(path, there)| json!({ "path": path.display().to_string(), "there": there }))
                .collect();
        }
        // Whoever wants to repair it must see it.
        Err(error) => {
            answer["values"] = json!({});
            answer["problem"] = json!(harmless(&format!("{error:#}")));
        }
    }
    Ok(answer)
}

/// As it would be typed: texts without quotes, everything else as TOML.
fn typed(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn from(origin: &Origin, paths: &Paths) -> &'static str {
    match origin {
        Origin::Default => "default",
        Origin::File(path) if *path == paths.config_file() => "user",
        Origin::File(path) if *path == paths.system_file() => "system",
        Origin::File(_) => "workspace",
        Origin::Variable(_) => "variable",
        Origin::Flag(_) => "flag",
    }
}

/// What changes make of the file, and what is wrong with each.
struct Tried {
    before: String,
    after: String,
    problems: Vec<(Option<String>, String)>,
}

fn tried(paths: &Paths, changes: &[ConfigChange]) -> Result<Tried> {
    if changes.len() > MOST_CHANGES {
        return Err(usage(format!("at most {MOST_CHANGES} changes at once")));
    }
    let file = paths.config_file();
    let before = read_text(&file)?.unwrap_or_default();
    let mut problems = Vec::new();
    let mut say = |change: &ConfigChange, error: &anyhow::Error| {
        let text = hydroid_core::harmless::excerpt(&root(error), 600);
        problems.push((Some(change.key.clone()), text));
    };
    let mut fitting = Vec::new();
    let mut after = before.clone();
    for change in changes {
        match changed(&after, change) {
            Ok(text) => {
                after = text;
                fitting.push(change);
            }
            Err(error) => say(change, &error),
        }
    }
    // Together, since some keys are set together or not at all; what is wrong is said where it was
    // typed.
    while let Err(error) = check(&after, &file) {
        let Some(at) = culprit(&before, &fitting, &error, &file) else { break };
        say(fitting.remove(at), &error);
        after = together(&before, &fitting)?;
    }
    Ok(Tried { before, after, problems })
}

fn changed(text: &str, change: &ConfigChange) -> Result<String> {
    match &change.value {
        None => without(text, &change.key),
        Some(typed) => {
            value::parse(&change.key, typed).and_then(|value| edited(text, &change.key, &value))
        }
    }
}

fn together(before: &str, changes: &[&ConfigChange]) -> Result<String> {
    changes.iter().try_fold(before.to_owned(), |text, change| changed(&text, change))
}

/// Which of these changes an error is about: the one it names, or else one without which all is
/// well, or else the last.
fn culprit(
    before: &str,
    changes: &[&ConfigChange],
    error: &anyhow::Error,
    file: &Path,
) -> Option<usize> {
    let said = root(error);
    let names = |change: &&ConfigChange| said.contains(&format!("`{}`", change.key));
    let is_it = |at: &usize| {
        let others: Vec<_> = changes
            .iter()
            .enumerate()
            .filter(|(other, _)| other != at)
            .map(|(_, one)| *one)
            .collect();
        together(before, &others).is_ok_and(|text| check(&text, file).is_ok())
    };
    changes
        .iter()
        .position(names)
        .or_else(|| (0..changes.len()).find(is_it))
        .or_else(|| changes.len().checked_sub(1))
}

/// The cause without the sentence around it that says which file would be unusable.
fn root(error: &anyhow::Error) -> String {
    error.root_cause().to_string()
}

pub(super) fn checked(household: &Household, changes: &[ConfigChange]) -> Result<Value> {
    let tried = tried(&Paths::find(&household.environment)?, changes)?;
    Ok(json!({
        "base": digest(&tried.before),
        "problems": tried.problems.iter().map(|(key, text)| json!({ "key": key, "text": text })).collect::<Vec<_>>(),
        "difference": difference(&tried.before, &tried.after),
    }))
}

fn difference(before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    TextDiff::from_lines(before, after).unified_diff().context_radius(2).to_string()
}

pub(super) async fn saved(
    household: &Household,
    changes: &[ConfigChange],
    base: &str,
) -> Result<Value> {
    let paths = Paths::find(&household.environment)?;
    let tried = tried(&paths, changes)?;
    if digest(&tried.before) != base {
        return Err(anyhow::Error::new(Conflict(
            "the file is another than you looked at; look at it again, then save".to_owned(),
        )));
    }
    if let Some((key, text)) = tried.problems.first() {
        let key = key.as_deref().unwrap_or_default();
        return Err(usage(format!("nothing was changed: `{key}`: {text}")));
    }
    let done = json!({ "ok": true, "changed": tried.before != tried.after });
    if tried.before == tried.after {
        return Ok(done);
    }
    // A configuration that cannot be used keeps no audit log; setting a key may repair it.
    match household.ground() {
        Ok(ground) => {
            for change in changes {
                let value = match &change.value {
                    Some(text) => Some(value::parse(&change.key, text)?),
                    None => None,
                };
                audit(&ground, deed(&change.key, value.as_ref())).await?;
            }
        }
        Err(error) => tracing::warn!(
            "a change is not in the audit log, since the configuration as it was cannot be used: {error:#}"
        ),
    }
    let backup = keep(&paths, &tried.before)?;
    replace_private(&paths.config_file(), tried.after.as_bytes())?;
    Ok(json!({ "ok": true, "changed": true, "backup": backup }))
}

/// Keeps the file as it is and lets the oldest go.
fn keep(paths: &Paths, text: &str) -> Result<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    let name = format!("{BACKUP}{}", SystemClock.now_ms());
    replace_private(&paths.config.join(&name), text.as_bytes())?;
    for (old, _) in kept(paths)?.into_iter().skip(BACKUPS) {
        let path = paths.config.join(&old);
        std::fs::remove_file(&path)
            .with_context(|| format!("`{}` cannot be removed", path.display()))?;
    }
    Ok(Some(name))
}

/// Names and times of kept files, newest first.
fn kept(paths: &Paths) -> Result<Vec<(String, u64)>> {
    let entries = match std::fs::read_dir(&paths.config) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            let shown = paths.config.display().to_string();
            return Err(error).with_context(|| format!("`{shown}` cannot be read"));
        }
    };
    let mut found: Vec<(String, u64)> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let at_ms = name.strip_prefix(BACKUP)?.parse().ok()?;
            Some((name, at_ms))
        })
        .collect();
    found.sort_by_key(|(_, at_ms)| std::cmp::Reverse(*at_ms));
    Ok(found)
}

pub(super) fn backups(household: &Household) -> Result<Value> {
    let paths = Paths::find(&household.environment)?;
    let now = read_text(&paths.config_file())?.unwrap_or_default();
    let rows: Vec<Value> = kept(&paths)?
        .into_iter()
        .map(|(name, at_ms)| {
            let text = read_text(&paths.config.join(&name))?.unwrap_or_default();
            let difference = difference(&now, &text);
            Ok(json!({ "backup": name, "at_ms": at_ms, "difference": difference }))
        })
        .collect::<Result<_>>()?;
    Ok(Value::Array(rows))
}

pub(super) async fn restored(household: &Household, backup: &str) -> Result<Value> {
    let paths = Paths::find(&household.environment)?;
    // Only a name of the list is a file of ours.
    if !kept(&paths)?.iter().any(|(name, _)| name == backup) {
        return Err(usage("no such file is kept; the list shows those that are"));
    }
    let file = paths.config_file();
    let before = read_text(&file)?.unwrap_or_default();
    let text = read_text(&paths.config.join(backup))?.unwrap_or_default();
    check(&text, &file)?;
    match household.ground() {
        Ok(ground) => {
            let deed = Deed {
                action: AuditAction::ConfigChanged,
                resource: format!("all of it, from {backup}"),
                component: None,
                digest: None,
                command: "config set",
            };
            audit(&ground, deed).await?;
        }
        Err(error) => tracing::warn!(
            "a change is not in the audit log, since the configuration as it was cannot be used: {error:#}"
        ),
    }
    let backup = keep(&paths, &before)?;
    replace_private(&file, text.as_bytes())?;
    Ok(json!({ "ok": true, "changed": before != text, "backup": backup }))
}

fn digest(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text.as_bytes())))
}
