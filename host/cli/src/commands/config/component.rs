//! Settings of components: whether an instance is of something that is there, and whether what a
//! component is told fits the schema of its manifest. Checked when a key is set; what was written
//! by hand is checked when the component is loaded.

use crate::exit::usage;
use crate::paths::Paths;
use crate::{release, terminal};
use anyhow::{Context, Result};
use hydroid_core::config::{Config, did_you_mean};
use hydroid_core::harmless::excerpt;
use hydroid_core::manifest::Manifest;
use hydroid_wasm::component::{ConfigProblem, config_problems, embedded_manifest};
use std::collections::BTreeMap;

/// Longest part of a message about a value.
const LONGEST: usize = 300;

/// Refuses a setting that would keep a component from being there or from being loaded.
pub(super) fn check_setting(key: &str, after: &str) -> Result<()> {
    let Some((name, rest)) = of_component(key) else { return Ok(()) };
    if rest == "component" {
        let mut release = release::release()?;
        let known = release.problems.len();
        release.add_instances(&only(name, after)?, &mut release::bundle()?);
        return match release.problems.get(known) {
            None => Ok(()),
            Some(problem) => {
                let problem = problem.split(", so it is left out").next().unwrap_or(problem);
                Err(usage(format!(
                    "nothing was changed: {problem}; `hydroid component list` shows what there is"
                )))
            }
        };
    }
    Ok(())
}

/// Refuses a value for a component that does not fit its manifest's schema.
pub(super) fn check_config(paths: &Paths, key: &str, after: &str) -> Result<()> {
    let Some((name, path)) = of_config(key) else { return Ok(()) };
    let Some(problems) = problems(paths, name, after)? else { return Ok(()) };
    let about = problems.iter().find(|problem| problem.is_about(&path));
    about.map_or(Ok(()), |problem| {
        Err(usage(format!("nothing was changed: {}", excerpt(&problem.text, LONGEST))))
    })
}

/// Says what a component still lacks, or that there is none of this name.
pub(super) fn remark_setting(paths: &Paths, key: &str, after: &str) -> Result<()> {
    let Some((name, _)) = of_config(key) else { return Ok(()) };
    match problems(paths, name, after)? {
        Some(problems) => {
            for problem in problems {
                terminal::say(&format!(
                    "`{name}` is not used yet: {}",
                    excerpt(&problem.text, LONGEST)
                ));
            }
        }
        None => {
            let known = manifests(paths, after)?;
            let hint = did_you_mean(name, known.keys().map(String::as_str));
            terminal::say(&format!(
                "no component is called `{name}` here{hint}; it holds once there is one"
            ));
        }
    }
    Ok(())
}

/// A value as the schema wants it: where that says text, what was typed is text.
pub(super) fn typed(paths: &Paths, key: &str, text: &str, value: toml::Value) -> toml::Value {
    let wants_text = || {
        let (name, path) = of_config(key)?;
        let [first] = path.as_slice() else { return None };
        let manifest = manifests(paths, "").ok()?.remove(name)?;
        let kind =
            manifest.config?.get("properties")?.get(first)?.get("type")?.as_str()?.to_owned();
        (kind == "string").then_some(())
    };
    match &value {
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
            if wants_text().is_some() =>
        {
            toml::Value::String(text.to_owned())
        }
        _ => value,
    }
}

/// What is wrong with the configuration of a component; none if it is not there.
fn problems(paths: &Paths, name: &str, after: &str) -> Result<Option<Vec<ConfigProblem>>> {
    let Some(manifest) = manifests(paths, after)?.remove(name) else { return Ok(None) };
    let settings = only(name, after)?.remove(name).unwrap_or_default();
    Ok(Some(config_problems(&manifest, &settings)))
}

/// The manifests of everything that is there, instances under their own names.
fn manifests(paths: &Paths, after: &str) -> Result<BTreeMap<String, Manifest>> {
    let mut release = release::release()?;
    let configured = config(after)?.components;
    release.add_instances(&configured, &mut release::bundle()?);
    let mut found: BTreeMap<String, Manifest> = release
        .components
        .into_iter()
        .map(|first| (first.manifest.name.to_string(), first.manifest))
        .collect();
    let files = std::fs::read_dir(paths.components()).into_iter().flatten().flatten();
    for file in files.filter(|file| file.path().extension().is_some_and(|end| end == "wasm")) {
        // What cannot be read is told of when it is loaded.
        let manifest =
            std::fs::read(file.path()).ok().and_then(|wasm| embedded_manifest(&wasm).ok());
        if let Some(manifest) = manifest.flatten() {
            found.entry(manifest.name.to_string()).or_insert(manifest);
        }
    }
    Ok(found)
}

/// The settings of one component.
fn only(name: &str, after: &str) -> Result<BTreeMap<String, hydroid_core::config::Component>> {
    Ok(config(after)?.components.into_iter().filter(|(found, _)| found == name).collect())
}

fn config(text: &str) -> Result<Config> {
    let table: toml::Table = text.parse().context("the edited file would not be TOML")?;
    Ok(Config::from_table(table)?)
}

/// The component a key is about, and what of it.
fn of_component(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix("components.")?.split_once('.')
}

/// The component whose configuration a key is in, and where in it.
fn of_config(key: &str) -> Option<(&str, Vec<String>)> {
    let (name, rest) = of_component(key)?;
    let path = match rest.strip_prefix("config")? {
        "" => Vec::new(),
        rest => rest.strip_prefix('.')?.split('.').map(str::to_owned).collect(),
    };
    Some((name, path))
}
