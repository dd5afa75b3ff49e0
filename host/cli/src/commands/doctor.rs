//! `hydroid doctor`: looks at everything a person would have to look at, and says what is broken
//! and what to do. It repairs nothing.

use crate::commands::provider::how_to_store;
use crate::commands::skill;
use crate::env::Environment;
use crate::exit::Exit;
use crate::load::Setting;
use crate::secrets::master_key::KeptIn;
use crate::skills::MOST_SKILLS;
use crate::wire::{Ground, SystemClock, read_grants};
use crate::{audited, models, release, servers, stopped, terminal};
use anyhow::Result;
use hydroid_core::config::{Policy, did_you_mean};
use hydroid_core::harmless::{exact, harmless};
use hydroid_core::manifest::Manifest;
use hydroid_core::policy::CallPattern;
use hydroid_core::ports::{Clock, Embedder, Journal, RateLimits, Skills, Tools};
use hydroid_core::reliability::length;
use hydroid_wasm::check::{CONTRACT, Role};
use hydroid_wasm::{Catalog, LoadError, Status};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Columns of the mark before a finding.
const MARK: usize = 7;

/// What was found.
#[derive(Default)]
struct Findings {
    broken: u32,
}

impl Findings {
    fn fine(&self, text: &str) -> Result<()> {
        Ok(terminal::print_line(&format!("   ok  {}", shown(text)))?)
    }

    /// Worth knowing, and may be meant so.
    fn note(&self, text: &str) -> Result<()> {
        Ok(terminal::print_line(&format!(" note  {}", shown(text)))?)
    }

    fn broken(&mut self, text: &str) -> Result<()> {
        self.broken += 1;
        Ok(terminal::print_line(&format!("BROKEN {}", shown(text)))?)
    }
}

/// A finding behind its mark. It may have several lines and may name files of others, so only the
/// first stands where marks stand.
fn shown(text: &str) -> String {
    terminal::indented(&harmless(text), MARK)
}

/// Runs the command.
pub(crate) async fn run(environment: Arc<Environment>, settings: &[Setting]) -> Result<Exit> {
    let mut findings = Findings::default();
    findings.fine(&format!(
        "hydroid {}, wasmtime {}, contract {CONTRACT}",
        env!("CARGO_PKG_VERSION"),
        env!("HYDROID_WASMTIME_VERSION")
    ))?;
    let ground = match Ground::lay_to_repair(environment, settings) {
        Ok(ground) => ground,
        Err(error) => {
            findings.broken(&format!("the configuration: {error:#}"))?;
            return Ok(Exit::Error);
        }
    };
    configuration(&mut findings, &ground)?;
    secrets(&mut findings, &ground)?;
    network(&mut findings, &ground)?;
    match ground.catalog_to_look_at().await {
        Ok(catalog) => {
            components(&mut findings, &ground, &catalog)?;
            rules(&findings, &ground, &catalog)?;
            model(&mut findings, &ground, &catalog).await?;
            memory(&mut findings, &ground, &catalog).await?;
            hooks(&mut findings, &ground, &catalog)?;
            skills(&mut findings, &ground, &catalog)?;
            servers(&mut findings, &ground, &catalog)?;
        }
        Err(error) => findings.broken(&format!("the components: {error:#}"))?,
    }
    if let Err(error) = database(&mut findings, &ground).await {
        findings.broken(&format!("the sessions: {error:#}"))?;
    }
    match findings.broken {
        0 => Ok(Exit::Done),
        1 => {
            terminal::say("1 thing is broken");
            Ok(Exit::Error)
        }
        several => {
            terminal::say(&format!("{several} things are broken"));
            Ok(Exit::Error)
        }
    }
}

/// Whether the configured model is there, and the budgets can be kept with it.
async fn model(findings: &mut Findings, ground: &Ground, catalog: &Catalog) -> Result<()> {
    let checked = match models::open(&ground.paths, &ground.config) {
        Ok(known) => models::check(&known, catalog, &ground.loaded).await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) => findings.fine(&format!("model `{}`", ground.config.model.name)),
        Err(error) => findings.broken(&format!("the model: {error:#}")),
    }
}

fn configuration(findings: &mut Findings, ground: &Ground) -> Result<()> {
    if let Some(since) = stopped::since(&ground.paths) {
        findings.note(&format!(
            "everything is stopped{since}; `hydroid stop --release` lets it go on"
        ))?;
    }
    for (path, there) in &ground.loaded.files {
        let state = if *there { "read" } else { "not there, defaults apply" };
        findings.fine(&format!("configuration `{}`: {state}", path.display()))?;
    }
    let places = [
        ("configuration", &ground.paths.config),
        ("data", &ground.paths.data),
        ("cache", &ground.paths.cache),
        ("workspace", &ground.loaded.workspace),
    ];
    for (what, path) in places {
        match open_to_others(path) {
            Some(mode) => findings.note(&format!(
                "{what} in `{}` can be entered by others (mode {mode:o}); `chmod 700` it",
                path.display()
            ))?,
            None => findings.fine(&format!("{what} in `{}`", path.display()))?,
        }
    }
    Ok(())
}

/// The mode of a directory that others than its owner can enter or read.
fn open_to_others(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

fn secrets(findings: &mut Findings, ground: &Ground) -> Result<()> {
    for (name, state) in ground.secrets.states() {
        match state {
            Ok(true) => findings.fine(&format!("secret `{name}` is set"))?,
            Ok(false) => findings.note(&format!(
                "secret `{name}` has no value; `hydroid secret set {name}` sets it"
            ))?,
            Err(error) => findings.broken(&error.to_string())?,
        }
    }
    if let Some(problem) = ground.secrets.sealed().problem() {
        findings.broken(&format!("the stored secrets: {problem}"))?;
    }
    match ground.secrets.sealed().key_place() {
        // Whoever copies the file with the database has everything.
        Some(kept) if kept.place == KeptIn::File => findings.note(&format!(
            "the master key of the stored secrets is in {}",
            ground.keys.describe(&kept)
        )),
        Some(kept) => findings.fine(&format!(
            "the master key of the stored secrets is in {}",
            ground.keys.describe(&kept)
        )),
        None => Ok(()),
    }
}

fn network(findings: &mut Findings, ground: &Ground) -> Result<()> {
    for address in &ground.config.egress.allow_private {
        findings.note(&format!("the private address {address} is open to components with a grant for it (`egress.allow_private`)"))?;
    }
    if let Some(server) = &ground.config.egress.dns {
        findings.note(&format!("names are looked up at {server} (`egress.dns`)"))?;
    }
    match ground.egress(None) {
        Ok(egress) => match egress.authorities() {
            Ok(count) => findings.fine(&format!("{count} certificate authorities are trusted")),
            Err(problem) => findings.note(&problem),
        },
        Err(error) => findings.broken(&format!("{error:#}")),
    }
}

/// Whether there is something that turns texts into vectors.
async fn memory(findings: &mut Findings, ground: &Ground, catalog: &Arc<Catalog>) -> Result<()> {
    let Some(embedder) = ground.embedder(catalog) else {
        return findings
            .note("texts are found by keywords alone, since `memory.embedder` is `none`");
    };
    match embedder.describe().await {
        Ok(its) => findings.fine(&format!(
            "vectors of {} numbers are made by {} with the model {}",
            its.dimensions, ground.config.memory.embedder, its.model
        )),
        Err(error) => findings.broken(&format!("the memory's vectors: {error}")),
    }
}

/// Whether those who are to be asked can be.
fn hooks(findings: &mut Findings, ground: &Ground, catalog: &Catalog) -> Result<()> {
    for name in &ground.config.hooks.in_use {
        match catalog.hook_problem(name) {
            None => findings.fine(&format!("the hook `{name}` is asked"))?,
            Some(problem) => findings.broken(&problem)?,
        }
    }
    Ok(())
}

/// Whether the servers a person added can be called, as far as that is seen without calling them.
/// Whether skills can be used, and those that are always loaded are there.
fn skills(findings: &mut Findings, ground: &Ground, catalog: &Catalog) -> Result<()> {
    let folders = match ground.skills().folders() {
        Ok(folders) => folders,
        Err(error) => return findings.broken(&format!("the skills: {error:#}")),
    };
    let offered = catalog.specs().iter().any(|tool| tool.about_skills);
    if !offered && !folders.is_empty() {
        findings.note(
            "no model loads a skill: no tool for it is granted; `hydroid component grant tool-skills skills`",
        )?;
    }
    let more = ground.skills().names().map_or(0, |names| names.len()).saturating_sub(MOST_SKILLS);
    if more > 0 {
        findings.note(&format!("{more} skills are not looked at: {MOST_SKILLS} are the most"))?;
    }
    for folder in &folders {
        let name = exact(&folder.name);
        let found = match &folder.found {
            Ok(found) => found,
            Err(problem) => {
                findings.note(&format!("skill `{name}` cannot be used: {problem}"))?;
                continue;
            }
        };
        let always = ground.config.skills.always.contains(&folder.name);
        match ground.config.skills.too_long(&found.skill.text) {
            Some(problem) => {
                findings.note(&format!("skill `{name}` cannot be loaded: {problem}"))?;
            }
            None if found.skill.by_person_only && !always => findings.note(&format!(
                "skill `{name}` is loaded by you alone, with `hydroid skill load {name} --session ID`: its head keeps it from models"
            ))?,
            None => findings.fine(&format!("skill `{name}`"))?,
        }
    }
    for name in &ground.config.skills.always {
        if let Err(problem) = ground.skills().read(name) {
            let remedy = skill::without(ground, name);
            findings.broken(&format!("`skills.always` names `{name}`: {problem}; {remedy}"))?;
        }
    }
    Ok(())
}

fn servers(findings: &mut Findings, ground: &Ground, catalog: &Catalog) -> Result<()> {
    let book = match servers::read_book(&ground.paths) {
        Ok(book) => book,
        Err(error) => return findings.broken(&format!("{error:#}")),
    };
    for (name, server) in &book.servers {
        if let Some(problem) = servers::taken(catalog, name) {
            findings.broken(&problem)?;
            continue;
        }
        let Some(pinned) = servers::pinned(&ground.paths, name, server) else {
            findings.note(&format!("nothing of the server {name} is allowed; `hydroid mcp allow {name}` shows what it offers"))?;
            continue;
        };
        match servers::problem_with(&*ground.secrets, &ground.user(), name, server) {
            Some(problem) => findings.broken(&problem)?,
            None => {
                findings.fine(&format!("the server {name} has {} tools", pinned.tools.len()))?
            }
        }
    }
    Ok(())
}

fn components(findings: &mut Findings, ground: &Ground, catalog: &Catalog) -> Result<()> {
    let pooling = if catalog.engine().is_pooling() {
        "from a pool"
    } else {
        "on demand: address space is limited here, calls are a little slower"
    };
    findings.fine(&format!("instances are allocated {pooling}"))?;
    let mut release = release::release()?;
    release.add_instances(&ground.config.components, &mut release::bundle()?);
    for problem in release.problems {
        findings.broken(&problem)?;
    }
    let installed = catalog.installed();
    let in_use = providers_in_use(ground);
    for component in &installed {
        let name = exact(&component.name);
        match &component.status {
            Status::Ready(loaded) => {
                findings.fine(&format!("component {name} ({}) is ready", loaded.role))?
            }
            Status::Refused(error) if in_use.contains_key(&component.name) => {
                findings.broken(&format!(
                    "component {name} is the provider in use (`{}`) and is refused: {error}",
                    in_use[&component.name]
                ))?;
            }
            // Turned off, not configured or not granted: that is somebody's decision.
            Status::Refused(
                error @ (LoadError::Disabled(_) | LoadError::Config(_) | LoadError::Refused(_)),
            ) => {
                findings.note(&format!("component {name} is not used: {error}"))?;
            }
            Status::Refused(error) => findings
                .broken(&format!("component {name} ({}): {error}", exact(&component.place)))?,
        }
    }
    for component in &installed {
        let is_provider =
            matches!(&component.status, Status::Ready(loaded) if loaded.role == Role::Provider);
        if is_provider && !in_use.contains_key(&component.name) {
            continue;
        }
        let Some(manifest) = &component.manifest else { continue };
        let configured = ground.config.components.get(&component.name).map(|its| &its.config);
        for name in unset(manifest, configured, |name| ground.secrets.has(name)) {
            findings.note(&format!(
                "secret `{name}` of {} is not set; `{}` sets it",
                component.name,
                how_to_store(manifest, name)
            ))?;
        }
    }
    for (provider, key) in in_use.iter().filter(|(provider, _)| catalog.get(provider).is_none()) {
        findings.broken(&format!("no component is called `{provider}`, which `{key}` names"))?;
    }
    for name in read_grants(&ground.paths.grants_file())?.components.keys() {
        if !installed.iter().any(|component| component.name == *name) {
            findings.note(&format!("`grants.toml` has grants for `{name}`, which is not installed; `hydroid component revoke {name}` takes them back"))?;
        }
    }
    let size = size_of(&ground.paths.compiled());
    findings.fine(&format!(
        "compiled components take {:.1} MB of {}",
        size as f64 / 1e6,
        ground.config.cache.max_size
    ))
}

/// The secrets a component cannot do without that are not set: those its configuration names, and
/// where it names none, those that its manifest does not call optional.
fn unset<'a>(
    manifest: &'a Manifest,
    config: Option<&toml::Table>,
    is_set: impl Fn(&str) -> bool,
) -> Vec<&'a str> {
    let named: Vec<&str> = manifest
        .secrets
        .keys()
        .map(String::as_str)
        .filter(|secret| {
            config.is_some_and(|its| its.values().any(|value| value.as_str() == Some(secret)))
        })
        .collect();
    // An empty name is a service that wants no key.
    let none = config.is_some_and(|its| {
        its.get("api_key_secret").is_some_and(|value| value.as_str() == Some(""))
    });
    let wanted: Vec<&str> = match named.is_empty() {
        true if none => Vec::new(),
        true => {
            let needed = manifest.secrets.iter().filter(|(_, secret)| !secret.optional);
            needed.map(|(name, _)| name.as_str()).collect()
        }
        false => named,
    };
    wanted.into_iter().filter(|name| !is_set(name)).collect()
}

/// The providers that may be asked, each with the first key that names it.
fn providers_in_use(ground: &Ground) -> BTreeMap<String, String> {
    let model = &ground.config.model;
    let others = model.others().map(|(key, other)| (other.provider.clone(), key));
    let main = [(model.provider.clone(), "model.provider".to_owned())];
    // The last of two for one provider stays.
    others.chain(main).collect()
}

/// A rule whose tool is misspelled denies nothing.
fn rules(findings: &Findings, ground: &Ground, catalog: &Catalog) -> Result<()> {
    let specs = catalog.specs();
    let tools: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    for (key, calls) in written_rules(&ground.config.policy) {
        if let Some(hint) = fits_no_tool(&calls, &tools) {
            findings.note(&format!(
                "`{calls}` in `{key}` fits no tool that is ready{hint}; `hydroid policy check` tries a rule"
            ))?;
        }
    }
    Ok(())
}

/// Every rule of the configuration that names a tool, with its key.
fn written_rules(policy: &Policy) -> Vec<(String, String)> {
    let lists = [("allow", &policy.allow), ("ask", &policy.ask), ("deny", &policy.deny)];
    let tools = policy.tools.keys().map(|tool| ("policy.tools".to_owned(), tool.clone()));
    let lists = lists.into_iter().flat_map(|(name, list)| {
        list.iter().map(move |calls| (format!("policy.{name}"), calls.clone()))
    });
    let rules = policy.rules.iter().enumerate();
    let rules = rules.map(|(at, rule)| (format!("policy.rules[{at}]"), rule.calls.clone()));
    tools.chain(lists).chain(rules).collect()
}

/// What may have been meant, perhaps nothing; none if there is such a tool.
fn fits_no_tool(calls: &str, tools: &[&str]) -> Option<String> {
    // What is no pattern at all is refused with the configuration.
    let pattern: CallPattern = calls.parse().ok()?;
    if tools.iter().any(|tool| pattern.names(tool)) {
        return None;
    }
    let name = calls.split('(').next().unwrap_or(calls).trim();
    Some(did_you_mean(name, tools.iter().copied()))
}

/// Bytes of the files in a directory.
fn size_of(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}

async fn database(findings: &mut Findings, ground: &Ground) -> Result<()> {
    let database = ground.database().await?;
    let version = database.schema_version().await?;
    let problems = database.integrity_check().await?;
    let log = audited::log_of(&database).verify().await?;
    match log.breaks.first() {
        None => findings
            .fine(&format!("audit log: {} records, nothing missing or changed", log.records))?,
        Some(found) => findings
            .broken(&format!("the audit log: {found}; `hydroid audit verify` shows everything"))?,
    }
    for problem in &problems {
        findings.broken(&format!("the sessions' database: {problem}"))?;
    }
    let now_ms = SystemClock.now_ms();
    for said in database.limits(&ground.user()).await? {
        let since = Duration::from_millis(now_ms.saturating_sub(said.at_ms));
        findings.fine(&format!(
            "limits of `{}` by {}: {} left, as said {} ago",
            said.model,
            said.provider,
            said.windows.left(since),
            length(since)
        ))?;
    }
    if problems.is_empty() {
        let sessions = database.sessions(&ground.user(), u32::MAX).await?.len();
        if let Some(address) = database.service() {
            findings.fine(&format!("sessions and memory are at `{address}`, which answers"))?;
        }
        findings.fine(&format!(
            "sessions of `{}`: {sessions}, schema {version}, no damage found",
            ground.user()
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_for_no_tool_is_found_wherever_it_is_written() {
        let policy: Policy = toml::from_str(
            "allow = [\"file_*(/shared/**)\"]\nask = [\"*\"]\ndeny = [\"file_wirte\"]\n\
             [tools]\nweb_fecth = \"deny\"\n[[rules]]\neffect = \"deny\"\ncalls = \"mail_*\"\n",
        )
        .unwrap();
        let tools = ["file_write", "web_fetch"];
        let found: Vec<String> = written_rules(&policy)
            .into_iter()
            .filter_map(|(key, calls)| {
                Some(format!("{key} {calls}{}", fits_no_tool(&calls, &tools)?))
            })
            .collect();
        assert_eq!(
            found,
            [
                "policy.tools web_fecth (did you mean `web_fetch`?)",
                "policy.deny file_wirte (did you mean `file_write`?)",
                "policy.rules[0] mail_*",
            ]
        );
    }
}
