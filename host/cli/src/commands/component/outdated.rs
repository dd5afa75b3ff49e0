//! What is newer in the registries that components came from, and installing it.

use super::install::{Consent, install};
use super::offer::{Offer, locked};
use super::source::{from_registry, newest, tag_of};
use crate::args::Update;
use crate::exit::{Exit, usage};
use crate::terminal::{self, table};
use crate::wire::{Ground, read_lock};
use anyhow::{Result, bail};
use hydroid_core::harmless::{exact, harmless};
use hydroid_wasm::Catalog;
use hydroid_wasm::shipping::{Locked, OciReference};

/// Lists components that have a newer version.
pub(super) async fn list(ground: &Ground) -> Result<Exit> {
    let lock = read_lock(&ground.paths.lock_file())?;
    let mut rows = vec![["NAME", "INSTALLED", "NEWEST", "FROM"].map(str::to_owned).to_vec()];
    let mut failed = false;
    for (name, locked) in &lock.components {
        match newer(ground, locked).await {
            Ok(Some((_, newest))) => rows.push(vec![
                exact(name),
                locked.version.to_string(),
                newest.to_string(),
                exact(&locked.source),
            ]),
            Ok(None) => {}
            Err(error) => {
                failed = true;
                terminal::say(&format!("{}: {}", exact(name), harmless(&format!("{error:#}"))));
            }
        }
    }
    if rows.len() > 1 {
        terminal::print(&table(&rows))?;
        terminal::say("`hydroid component update` installs them");
    } else if !failed {
        terminal::say("every component that came from a registry is the newest there");
    }
    Ok(if failed { Exit::Error } else { Exit::Done })
}

/// Installs what is newer.
pub(super) async fn update(ground: &Ground, catalog: &Catalog, wish: &Update) -> Result<Exit> {
    if let Some(name) = &wish.name {
        let locked = locked(ground, catalog, name)?;
        if catalog.get(name).is_none() {
            return Err(usage(format!(
                "the file of `{}` was removed; `hydroid component remove {0}` forgets it, or add it again",
                exact(name)
            )));
        }
        if reference(&locked).is_none() {
            return Err(usage(format!(
                "`{name}` came from `{}`, which holds no other version; add the new one with `hydroid component add`",
                exact(&locked.source)
            )));
        }
        return update_one(ground, catalog, name, &locked, wish).await;
    }
    let lock = read_lock(&ground.paths.lock_file())?;
    let mut exit = Exit::Done;
    // One whose file was removed by hand is not brought back by this.
    let there = |(name, locked): &(&String, &Locked)| {
        reference(locked).is_some() && catalog.get(name).is_some()
    };
    for (name, locked) in lock.components.iter().filter(there) {
        match update_one(ground, catalog, name, locked, wish).await {
            Ok(Exit::Done) => {}
            Ok(_) => exit = Exit::Error,
            // What is the matter with one keeps no other from being mended.
            Err(error) => {
                terminal::say(&format!("{}: {}", exact(name), harmless(&format!("{error:#}"))));
                exit = Exit::Error;
            }
        }
    }
    Ok(exit)
}

async fn update_one(
    ground: &Ground,
    catalog: &Catalog,
    name: &str,
    locked: &Locked,
    wish: &Update,
) -> Result<Exit> {
    let Some((reference, newest)) = newer(ground, locked).await? else {
        terminal::print_line(&format!("{name} {} is the newest", locked.version))?;
        return Ok(Exit::Done);
    };
    let place = reference.with_tag(&tag_of(&newest));
    let offer = Offer::new(ground, catalog, from_registry(ground, &place).await?)?;
    if offer.name() != name {
        bail!(
            "`{place}` holds a component called `{}` and not `{name}`, so it was not taken",
            offer.name()
        );
    }
    let consent = Consent {
        yes: wish.yes,
        allow_unsigned: wish.allow_unsigned,
        allow_older: false,
        command: "component update",
    };
    install(ground, catalog, &offer, &consent).await
}

/// The newest version in the registry a component came from, if it is newer.
async fn newer(
    ground: &Ground,
    locked: &Locked,
) -> Result<Option<(OciReference, semver::Version)>> {
    let Some(reference) = reference(locked) else { return Ok(None) };
    let newest = newest(ground, &reference).await?;
    Ok(newest.filter(|newest| *newest > locked.version).map(|newest| (reference, newest)))
}

/// The registry a component came from, if it came from one.
fn reference(locked: &Locked) -> Option<OciReference> {
    locked.source.parse().ok()
}
