//! `hydroid model`: what is known of models, and bringing it up to date.

mod shown;
mod update;

use crate::args::Model;
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::models::{self, Place};
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result};
use hydroid_core::config::did_you_mean;
use hydroid_core::harmless::{exact, harmless};
use hydroid_core::models::{Catalog, Models, Wanted};
use serde_json::{Value, json};
use std::sync::Arc;

/// Runs the command.
pub(crate) async fn run(
    command: Model,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    match command {
        Model::List { filter, provider, json } => {
            let ground = Ground::lay_to_look(environment, settings)?;
            let known = models::open(&ground.paths, &ground.config)?;
            let catalog = known.all()?;
            match provider {
                Some(name) if !catalog.providers.contains_key(&name) => {
                    component_lists(&ground, &catalog, &name, filter.as_deref(), json).await
                }
                provider => list(&catalog, provider.as_deref(), filter.as_deref(), json),
            }
        }
        Model::Show { id } => {
            let ground = Ground::lay_to_look(environment, settings)?;
            show(&models::open(&ground.paths, &ground.config)?, &id)
        }
        Model::Verify => verify(&Ground::lay_to_look(environment, settings)?).await,
        Model::Update { from } => {
            update::run(&Ground::lay(environment, settings)?, from.as_deref()).await
        }
    }
}

fn list(
    catalog: &Catalog,
    provider: Option<&str>,
    filter: Option<&str>,
    as_json: bool,
) -> Result<Exit> {
    let found: Vec<shown::Entry<'_>> = catalog
        .providers
        .iter()
        .filter(|(id, _)| provider.is_none_or(|wanted| wanted == id.as_str()))
        .flat_map(|(id, provider)| {
            provider.models.iter().map(move |(name, model)| shown::Entry {
                provider: id,
                name,
                model,
            })
        })
        .filter(|entry| filter.is_none_or(|filter| entry.fits(filter)))
        .collect();
    if as_json {
        terminal::print_json(&found.iter().map(shown::Entry::as_json).collect())?;
    } else {
        let rows: Vec<Vec<String>> = found.iter().map(shown::Entry::row).collect();
        terminal::print(&terminal::table(&rows))?;
        if found.is_empty() {
            terminal::say("no model fits; `hydroid model list` lists all");
        }
    }
    Ok(Exit::Done)
}

/// What a component says it answers for.
async fn component_lists(
    ground: &Ground,
    catalog: &Catalog,
    name: &str,
    filter: Option<&str>,
    as_json: bool,
) -> Result<Exit> {
    let components = ground.catalog_to_look_at().await?;
    if components.get(name).is_none() {
        let known = catalog.providers.keys().map(String::as_str);
        return Err(usage(format!(
            "no provider of the catalog and no component is called `{name}`{}",
            did_you_mean(name, known)
        )));
    }
    let offered = components
        .models(name)
        .await
        .map_err(|error| anyhow::anyhow!("`{name}` lists no models: {error}"))?;
    let fits = |id: &str| filter.is_none_or(|filter| id.contains(filter));
    let offered = offered.into_iter().filter(|model| fits(&model.id));
    if as_json {
        let all: Value = offered
            .map(|model| {
                json!({ "component": name, "id": model.id, "name": model.name, "context": model.context })
            })
            .collect();
        terminal::print_json(&all)?;
    } else {
        let row = |model: hydroid_wasm::OfferedModel| {
            let context = model.context.map_or("context unknown".to_owned(), shown::tokens);
            vec![exact(&model.id), context, exact(&model.name)]
        };
        terminal::print(&terminal::table(&offered.map(row).collect::<Vec<_>>()))?;
    }
    Ok(Exit::Done)
}

/// True if the component itself lists the configured model.
async fn component_has_it(ground: &Ground) -> Result<bool> {
    let model = &ground.config.model;
    let components = ground.catalog_to_look_at().await?;
    let offered = components.models(&model.provider).await.unwrap_or_default();
    Ok(offered.iter().any(|offered| offered.id == model.name))
}

/// A whole `provider/model`, or what several providers may call so.
fn show(known: &Models, id: &str) -> Result<Exit> {
    let catalog = known.all()?;
    let entries = catalog.providers.iter().flat_map(|(provider, of)| {
        of.models.iter().map(move |(name, model)| shown::Entry { provider, name, model })
    });
    let entries: Vec<shown::Entry<'_>> = entries.collect();
    let mut found: Vec<_> = entries.iter().filter(|entry| entry.full() == id).collect();
    if found.is_empty() {
        found = entries.iter().filter(|entry| entry.name == id).collect();
    }
    if found.is_empty() {
        let full: Vec<String> = entries.iter().map(shown::Entry::full).collect();
        let names = entries.iter().map(|entry| entry.name);
        return Err(usage(format!(
            "the catalog has no model `{id}`{}; `hydroid model list` lists them",
            did_you_mean(id, full.iter().map(String::as_str).chain(names))
        )));
    }
    for (position, entry) in found.iter().enumerate() {
        if position > 0 {
            terminal::print_line("")?;
        }
        terminal::print(&entry.described())?;
    }
    Ok(Exit::Done)
}

/// Everything that can be wrong or missing, in the order it is read.
async fn verify(ground: &Ground) -> Result<Exit> {
    let (text, place) = models::in_force(&ground.paths.models_snapshot())?;
    let what = match &place {
        Place::Binary => "the snapshot of this release".to_owned(),
        Place::File(path) => format!("the snapshot `{}`", path.display()),
    };
    let catalog = Catalog::read(&text, None, Wanted::All).with_context(|| what.clone())?;
    terminal::print_line(&format!("{what}: {}", shown::summary(&catalog)))?;
    let overlay = ground.paths.models_overlay();
    match models::read(&overlay)? {
        None => terminal::print_line(&format!("no overlay; `{}` would be one", overlay.display()))?,
        Some(over) => {
            let read = Catalog::read("{}", Some(&over), Wanted::All)
                .and_then(|alone| Catalog::read(&text, Some(&over), Wanted::All).map(|_| alone))
                .with_context(|| format!("in `{}`", overlay.display()))?;
            let count: usize = read.providers.values().map(|one| one.models.len()).sum();
            terminal::print_line(&format!("the overlay `{}`: {count} models", overlay.display()))?;
        }
    }
    let known = models::open(&ground.paths, &ground.config)?;
    let listed = known.unknown()?.is_some() && component_has_it(ground).await?;
    let (lines, usable) = shown::configured(&known, &ground.config, listed)?;
    for line in lines {
        terminal::print_line(&harmless(&line))?;
    }
    Ok(if usable { Exit::Done } else { Exit::Error })
}
