//! `hydroid config`: what is in force and why, and setting and unsetting a key in the user's file.

mod component;

use crate::args::Config as Command;
use crate::audited::{Deed, audit};
use crate::env::{Environment, VARIABLES};
use crate::exit::{Exit, usage};
use crate::load::{Origin, Setting, keys_under, load, read_text};
use crate::paths::{Paths, replace_private};
use crate::wire::Ground;
use crate::{terminal, value};
use anyhow::{Context, Result, bail};
use hydroid_core::audit::AuditAction;
use hydroid_core::config::{Config, ConfigError, KEYS, Key, did_you_mean, key_of};
use hydroid_core::harmless::{self, excerpt, harmless};
use hydroid_core::ports::Skills as _;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use toml_edit::{DocumentMut, Item, Table};

/// Runs the command.
pub(crate) async fn run(
    command: Command,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let paths = Paths::find(&environment)?;
    match command {
        Command::Show { json } => show(&paths, &environment, settings, json),
        Command::Explain { key } => explain(&paths, &environment, settings, key.as_deref()),
        Command::Path => path(&paths, &environment, settings),
        Command::Set { key, value, more } => {
            set(&paths, environment, settings, &pairs(key, value, more)?).await
        }
        Command::Unset { keys } => unset(&paths, environment, settings, &keys).await,
    }
}

fn show(
    paths: &Paths,
    environment: &Environment,
    settings: &[Setting],
    as_json: bool,
) -> Result<Exit> {
    let loaded = load(paths, environment, settings)?;
    if as_json {
        let row = |(key, (value, origin)): (&String, &(toml::Value, Origin))| {
            (key.clone(), json!({ "value": value, "origin": origin.to_string().replace('`', "") }))
        };
        let values: serde_json::Map<String, serde_json::Value> =
            loaded.values.iter().map(row).collect();
        terminal::print_json(&values.into())?;
        return Ok(Exit::Done);
    }
    for (key, (value, origin)) in &loaded.values {
        terminal::print_line(&format!(
            "{} = {}  # {}",
            harmless(key),
            one_line(value),
            origin.to_string().replace('`', "")
        ))?;
    }
    Ok(Exit::Done)
}

/// A value on one line, shortened if it is very long.
fn one_line(value: &toml::Value) -> String {
    excerpt(&harmless::json(&value.to_string()), 2_000)
}

fn explain(
    paths: &Paths,
    environment: &Environment,
    settings: &[Setting],
    key: Option<&str>,
) -> Result<Exit> {
    let loaded = load(paths, environment, settings)?;
    let keys: Vec<&Key> = match key {
        None => KEYS.iter().collect(),
        Some(path) => keys_under(path),
    };
    if let (Some(path), true) = (key, keys.is_empty()) {
        let hint = did_you_mean(path, KEYS.iter().map(|key| key.path));
        return Err(usage(ConfigError::UnknownKey { key: path.to_owned(), hint }.to_string()));
    }
    for explained in keys {
        let default = if explained.default.is_empty() { "none" } else { explained.default };
        terminal::print_line(&format!(
            "{} ({}, default {default})",
            explained.path, explained.kind
        ))?;
        terminal::print_line(&format!("  {}", explained.doc))?;
        // A key with a name in it may be set for several.
        let matching = loaded
            .values
            .iter()
            .filter(|(path, _)| key_of(path).is_some_and(|found| found.path == explained.path));
        for (path, (value, origin)) in matching {
            terminal::print_line(&format!("  {path} = {}, from {origin}", one_line(value)))?;
        }
    }
    if key.is_none() {
        terminal::print_line("\nEnvironment variables:")?;
        for variable in VARIABLES {
            terminal::print_line(&format!("{}\n  {}", variable.name, variable.doc))?;
        }
    }
    Ok(Exit::Done)
}

fn path(paths: &Paths, environment: &Environment, settings: &[Setting]) -> Result<Exit> {
    let files = match load(paths, environment, settings) {
        Ok(loaded) => loaded.files,
        // Whoever looks for a broken file must find it.
        Err(error) => {
            terminal::say(&format!("the configuration cannot be used: {error:#}"));
            [paths.system_file(), paths.config_file()]
                .map(|path| (path.clone(), path.exists()))
                .to_vec()
        }
    };
    for (path, there) in files {
        terminal::print_line(&format!(
            "{}{}",
            path.display(),
            if there { "" } else { "  (not there)" }
        ))?;
    }
    Ok(Exit::Done)
}

async fn set(
    paths: &Paths,
    environment: Arc<Environment>,
    settings: &[Setting],
    pairs: &[(String, String)],
) -> Result<Exit> {
    let file = paths.config_file();
    let mut after = read_text(&file)?.unwrap_or_default();
    let mut values = Vec::new();
    for (key, text) in pairs {
        let value = value::parse(key, text).map_err(|error| usage(error.to_string()))?;
        let value = component::typed(paths, key, text, value);
        after = edited(&after, key, &value)
            .with_context(|| format!("`{}` cannot be edited", file.display()))?;
        values.push((key.as_str(), value));
    }
    check(&after, &file)?;
    for (key, _) in &values {
        component::check_setting(key, &after)?;
        component::check_config(paths, key, &after)?;
    }
    let deeds = values.iter().map(|(key, value)| deed(key, Some(value))).collect();
    record(Arc::clone(&environment), settings, deeds).await?;
    replace_private(&file, after.as_bytes())?;
    for (key, value) in &values {
        terminal::print_line(&format!("{key} = {}  # {}", one_line(value), file.display()))?;
        component::remark_setting(paths, key, &after)?;
        if *key == "skills.always" {
            remark_skills(&Ground::lay_to_look(Arc::clone(&environment), settings)?);
        }
    }
    Ok(Exit::Done)
}

/// Says which of the skills that sessions are to load are not there.
fn remark_skills(ground: &Ground) {
    for name in &ground.config.skills.always {
        if let Err(problem) = ground.skills().read(name) {
            terminal::say(&format!(
                "`{name}` is not loaded yet: {}",
                harmless(&problem.to_string())
            ));
        }
    }
}

/// The first key and what follows it, in pairs.
fn pairs(key: String, value: String, more: Vec<String>) -> Result<Vec<(String, String)>> {
    let mut pairs = vec![(key, value)];
    let mut more = more.into_iter();
    while let Some(key) = more.next() {
        let Some(value) = more.next() else {
            return Err(usage(format!("`{}` has no value beside it", harmless(&key))));
        };
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// Takes keys or groups out. A key that nobody knows can be taken out too: that may be what is
/// wrong.
async fn unset(
    paths: &Paths,
    environment: Arc<Environment>,
    settings: &[Setting],
    keys: &[String],
) -> Result<Exit> {
    let file = paths.config_file();
    let before = read_text(&file)?.unwrap_or_default();
    let mut after = before.clone();
    for key in keys {
        let text = without(&after, key)
            .with_context(|| format!("`{}` cannot be edited", file.display()))?;
        if text == after {
            return Err(usage(format!(
                "`{}` is not set in `{}`; `hydroid config show` says where each value comes from",
                harmless(key),
                file.display()
            )));
        }
        after = text;
    }
    // What was wrong before may stay so: one key at a time is mended.
    if check(&before, &file).is_ok() {
        check(&after, &file)?;
    }
    let deeds = keys.iter().map(|key| deed(key, None)).collect();
    record(environment.clone(), settings, deeds).await?;
    replace_private(&file, after.as_bytes())?;
    for key in keys {
        let line = format!("{} is not set any more  # {}", harmless(key), file.display());
        terminal::print_line(&line)?;
        if let Ok(loaded) = load(paths, &environment, settings)
            && let Some((value, origin)) = loaded.values.get(key)
        {
            terminal::print_line(&format!("it is {} now, from {origin}", one_line(value)))?;
        }
    }
    Ok(Exit::Done)
}

/// Writes it to the audit log, unless the configuration as it is keeps that from being opened.
async fn record(
    environment: Arc<Environment>,
    settings: &[Setting],
    deeds: Vec<Deed<'_>>,
) -> Result<()> {
    match Ground::lay_to_look(environment, settings) {
        Ok(ground) => {
            for deed in deeds {
                audit(&ground, deed).await?;
            }
        }
        // Changing a key may be what repairs it.
        Err(error) => terminal::say(&format!(
            "not written to the audit log, since the configuration as it was cannot be used: {}",
            harmless(&format!("{error:#}"))
        )),
    }
    Ok(())
}

/// Rules, limits and budgets are recorded with their value; what a component is given, which may be
/// anything, without it.
pub(crate) fn deed(key: &str, value: Option<&toml::Value>) -> Deed<'static> {
    let shown = ["policy.", "egress.", "limits.", "turn.", "workspace."];
    let resource = match value {
        None => format!("{key} unset"),
        Some(value) if shown.iter().any(|group| key.starts_with(group)) => {
            format!("{key} = {}", one_line(value))
        }
        Some(_) => key.to_owned(),
    };
    Deed {
        action: AuditAction::ConfigChanged,
        resource,
        component: None,
        digest: None,
        command: if value.is_some() { "config set" } else { "config unset" },
    }
}

/// The text with one key set, comments and order kept.
pub(crate) fn edited(text: &str, key: &str, value: &toml::Value) -> Result<String> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| anyhow::anyhow!("{}", error.to_string().trim()))?;
    let mut table: &mut dyn toml_edit::TableLike = document.as_table_mut();
    let mut segments = key.split('.').peekable();
    while let Some(segment) = segments.next() {
        if segments.peek().is_none() {
            let parsed: DocumentMut = format!("value = {value}")
                .parse()
                .context("the value cannot be written as TOML")?;
            let written =
                parsed.get("value").cloned().context("the value cannot be written as TOML")?;
            match table.get_mut(segment).and_then(Item::as_value_mut) {
                // The space and the comment around the old value stay.
                Some(old) => {
                    let decor = old.decor().clone();
                    let mut new = written
                        .into_value()
                        .map_err(|_| anyhow::anyhow!("the value cannot be written as TOML"))?;
                    *new.decor_mut() = decor;
                    *old = new;
                }
                None => {
                    table.insert(segment, written);
                }
            }
            break;
        }
        let entry = table.entry(segment).or_insert_with(|| {
            let mut inner = Table::new();
            inner.set_implicit(true);
            Item::Table(inner)
        });
        let Some(inner) = entry.as_table_like_mut() else {
            bail!("`{segment}` in `{key}` is a value already, not a table")
        };
        table = inner;
    }
    Ok(document.to_string())
}

/// The text without one key, if it has it. A table that nothing is left of goes with it, unless
/// somebody wrote a comment to it: an empty one can be less than none.
pub(crate) fn without(text: &str, key: &str) -> Result<String> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| anyhow::anyhow!("{}", error.to_string().trim()))?;
    let segments: Vec<&str> = key.split('.').collect();
    remove(document.as_table_mut(), &segments);
    Ok(document.to_string())
}

/// Removes what is named, and tells whether anything was.
fn remove(table: &mut dyn toml_edit::TableLike, segments: &[&str]) -> bool {
    let Some((first, rest)) = segments.split_first() else { return false };
    if rest.is_empty() {
        return table.remove(first).is_some();
    }
    let Some(inner) = table.get_mut(first) else { return false };
    let Some(below) = inner.as_table_like_mut() else { return false };
    let removed = remove(below, rest);
    if removed && below.is_empty() && !has_comment(inner) {
        table.remove(first);
    }
    removed
}

fn has_comment(item: &Item) -> bool {
    let decor = match item {
        Item::Table(table) => table.decor(),
        Item::Value(value) => value.decor(),
        Item::None | Item::ArrayOfTables(_) => return false,
    };
    let around = [decor.prefix(), decor.suffix()];
    around.into_iter().flatten().any(|text| text.as_str().is_none_or(|text| text.contains('#')))
}

/// The whole file must be one that the host would take.
pub(crate) fn check(text: &str, file: &Path) -> Result<()> {
    let table: toml::Table = text.parse().context("the edited file would not be TOML")?;
    match Config::from_table(table) {
        Ok(_) => Ok(()),
        Err(error) => Err(error).with_context(|| {
            format!("nothing was changed: with this, `{}` could not be used", file.display())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_edit(before: &str, key: &str, value: toml::Value, expect: &str) {
        assert_eq!(edited(before, key, &value).unwrap(), expect);
    }

    #[test]
    fn comments_and_order_stay() {
        check_edit(
            "# mine\n[turn] # limits\nmax_steps = 5 # few\nmax_tokens = 9\n",
            "turn.max_steps",
            7.into(),
            "# mine\n[turn] # limits\nmax_steps = 7 # few\nmax_tokens = 9\n",
        );
    }

    #[test]
    fn tables_are_made_where_there_are_none() {
        check_edit(
            "",
            "policy.tools.file_write",
            "allow".into(),
            "[policy.tools]\nfile_write = \"allow\"\n",
        );
        check_edit(
            "model = { name = \"a\" }\n",
            "model.name",
            "b".into(),
            "model = { name = \"b\" }\n",
        );
        check_edit(
            "[policy]\nchanges = \"ask\"\n",
            "policy.network",
            "deny".into(),
            "[policy]\nchanges = \"ask\"\nnetwork = \"deny\"\n",
        );
    }

    #[test]
    fn a_key_is_taken_out_and_nothing_else() {
        let text = "# mine\n[a.b]\nc = 1 # one\nd = { e = 2, f = 3 }\n";
        assert_eq!(without(text, "a.b.c").unwrap(), "# mine\n[a.b]\nd = { e = 2, f = 3 }\n");
        assert_eq!(
            without(text, "a.b.d.e").unwrap(),
            "# mine\n[a.b]\nc = 1 # one\nd = { f = 3 }\n"
        );
        assert_eq!(without(text, "a.x.c").unwrap(), text);
    }

    #[test]
    fn a_table_that_nothing_is_left_of_goes_unless_it_has_a_comment() {
        for (text, key, expect) in [
            ("x = 1\n\n[a.b]\nc = 1\n", "a.b.c", "x = 1\n"),
            ("[a]\nb = { c = 1 }\n", "a.b.c", ""),
            ("[a] # limits\nb = 1\n", "a.b", "[a] # limits\n"),
            ("# mine\n[a]\nb = 1\n", "a.b", "# mine\n[a]\n"),
            ("[a]\nb = 1\n[a.c]\nd = 1\n", "a.b", "[a]\n[a.c]\nd = 1\n"),
        ] {
            assert_eq!(without(text, key).unwrap(), expect, "{key} of {text}");
        }
    }

    #[test]
    fn a_value_does_not_become_a_table() {
        assert!(
            edited("turn = 3\n", "turn.max_steps", &7.into())
                .unwrap_err()
                .to_string()
                .contains("a value already")
        );
    }
}
