//! `hydroid component`: what is installed, what it may do, and changing both. What a grant means
//! is decided in `hydroid-wasm`; here it is shown and written.

mod difference;
mod grant;
mod inspect;
mod install;
mod offer;
mod outdated;
mod portrait;
mod publish;
pub(super) mod question;
mod rollback;
mod source;
mod versions;

mod check;
mod new;

mod build;
mod toolchain;

mod run;
mod test;

mod cases;
mod conformance;
mod trial;

use crate::args::{Component, Grant, IndexFile};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::terminal::{self, indented, table};
use crate::wire::Ground;
use anyhow::Result;
use hydroid_core::capability::{HostPattern, WebRule};
use hydroid_core::config::did_you_mean;
use hydroid_core::harmless::{exact, harmless};
use hydroid_wasm::{Catalog, Installed, LoadError, Status};
use portrait::Portrait;
pub(super) use portrait::read;
#[cfg(test)]
pub(crate) use question::wishes;
use serde_json::json;
pub(super) use source::stem;
use std::sync::Arc;

/// Where components of the release are.
const RELEASE: &str = "release";

/// Runs the command.
pub(crate) async fn run(
    command: Component,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    if let Component::New(wish) = command {
        return new::new(&wish);
    }
    // What is tried out may send a secret of the person's once, to record the answer.
    let ground = match &command {
        Component::Test(_) | Component::Run(_) => Ground::lay(environment, settings)?,
        _ => Ground::lay_to_look(environment, settings)?,
    };
    match &command {
        Component::Build(wish) => return build::build(&ground, &wish.folder).await,
        Component::Check { file } => return check::check(&ground, file).await,
        Component::Run(wish) => return run::run(&ground, wish).await,
        Component::Test(wish) => return test::test(&ground, wish).await,
        _ => {}
    }
    let catalog = ground.catalog_to_look_at().await?;
    match command {
        Component::List { outdated: true, .. } => outdated::list(&ground).await,
        Component::List { json, outdated: false } => list(&ground, &catalog, json),
        Component::Inspect { name } => {
            let installed = find(&catalog, &name)?;
            terminal::print(&inspect::text(
                &Portrait::of(&ground, &catalog, &installed)?,
                &catalog,
            ))?;
            Ok(Exit::Done)
        }
        Component::Add(wish) => install::add(&ground, &catalog, &wish).await,
        Component::Update(wish) => outdated::update(&ground, &catalog, &wish).await,
        Component::Rollback { name, yes } => rollback::run(&ground, &catalog, &name, yes).await,
        Component::Publish(wish) => publish::run(&ground, &catalog, &wish).await,
        Component::Search { text } => {
            super::registry::search(&text, &IndexFile::default(), &ground.environment)
        }
        Component::Remove { name } => install::remove(&ground, &catalog, &name).await,
        Component::Grant(wish) => grant::grant(&ground, &catalog, &wish).await,
        Component::Revoke { name, profile, hosts } => {
            grant::revoke(&ground, &catalog, &name, profile.as_deref(), &hosts).await
        }
        Component::New(_)
        | Component::Build(_)
        | Component::Check { .. }
        | Component::Run(_)
        | Component::Test(_) => unreachable!("these were carried out above"),
    }
}

/// Grants `web` for one more host, if the component may not connect there yet.
pub(super) async fn grant_host(
    ground: &Ground,
    catalog: &Catalog,
    name: &str,
    host: &str,
) -> Result<()> {
    let portrait = Portrait::of(ground, catalog, &*find(catalog, name)?)?;
    let granted = |rule: &WebRule| {
        rule.path.to_string().is_empty()
            && host.parse().is_ok_and(|host: HostPattern| rule.host == host)
    };
    if portrait.grant.web.iter().any(granted) {
        return Ok(());
    }
    let wish = Grant {
        name: name.to_owned(),
        profile: "web".to_owned(),
        hosts: vec![host.to_owned()],
        only: false,
        methods: Vec::new(),
        secrets: Vec::new(),
        tools: Vec::new(),
        quota: None,
        files_and_web: false,
    };
    grant::grant(ground, catalog, &wish).await.map(drop)
}

fn list(ground: &Ground, catalog: &Catalog, as_json: bool) -> Result<Exit> {
    let portraits: Vec<Portrait> = catalog
        .installed()
        .iter()
        .map(|installed| Portrait::of(ground, catalog, installed))
        .collect::<Result<_>>()?;
    if as_json {
        terminal::print_json(&portraits.iter().map(row_json).collect())?;
        return Ok(Exit::Done);
    }
    let head = ["NAME", "VERSION", "ROLE", "STATE", "PLACE", "TOOLS"].map(str::to_owned).to_vec();
    let rows = portraits.iter().map(|portrait| {
        vec![
            exact(&portrait.name),
            portrait.version().unwrap_or_else(|| "-".into()),
            portrait.role().unwrap_or_else(|| "-".into()),
            if portrait.is_ready() { "ready" } else { "refused" }.into(),
            exact(&portrait.place),
            portrait.tools().join(", "),
        ]
    });
    terminal::print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    for portrait in portraits.iter().filter(|portrait| !portrait.is_ready()) {
        for reason in &portrait.reasons {
            terminal::print_line(&format!(
                "\n{} is refused: {}",
                exact(&portrait.name),
                indented(&harmless(reason), 2)
            ))?;
        }
    }
    Ok(Exit::Done)
}

fn row_json(portrait: &Portrait) -> serde_json::Value {
    let manifest = portrait.manifest.as_ref();
    let wants = manifest.into_iter().flat_map(|manifest| &manifest.wants).map(|(profile, want)| {
        json!({
            "profile": profile.id(),
            "in_words": profile.in_words(),
            "reason": want.reason,
            "hosts": want.hosts,
            "methods": want.methods,
            "tools": want.tools,
            "granted": portrait.grant.profiles.contains(profile),
        })
    });
    let secrets = manifest.into_iter().flat_map(|manifest| manifest.secrets.keys());
    json!({
        "name": portrait.name,
        "version": portrait.version(),
        "role": portrait.role(),
        "state": if portrait.is_ready() { "ready" } else { "refused" },
        "reasons": portrait.reasons,
        "place": portrait.place,
        "digest": portrait.digest,
        "tools": portrait.tools(),
        "bundled": portrait.bundled,
        "description": manifest.map(|manifest| &manifest.description),
        "wants": wants.collect::<Vec<_>>(),
        "secrets": secrets.collect::<Vec<_>>(),
        "hosts": portrait.grant.web.iter().map(|rule| format!("{}{}", rule.host, rule.path)).collect::<Vec<_>>(),
        "limits": portrait.limits.map(|limits| json!({
            "memory_bytes": limits.memory,
            "call_ms": u64::try_from(limits.call.as_millis()).unwrap_or(u64::MAX),
            "fuel": limits.fuel,
            "host_calls": limits.host_calls,
            "output_bytes": limits.output,
        })),
    })
}

/// An installed component by name, also one that was refused.
fn find(catalog: &Catalog, name: &str) -> Result<Arc<Installed>> {
    catalog.get(name).ok_or_else(|| {
        let installed = catalog.installed();
        let hint = did_you_mean(name, installed.iter().map(|installed| installed.name.as_str()));
        usage(format!("no component is called `{name}`{hint}; `hydroid component list` shows what is installed"))
    })
}

/// Each reason for which a component is not loaded.
fn reasons(status: &Status) -> Vec<String> {
    match status {
        Status::Ready(_) => Vec::new(),
        Status::Refused(LoadError::Refused(refusals)) => {
            refusals.iter().map(ToString::to_string).collect()
        }
        Status::Refused(error) => vec![error.to_string()],
    }
}
