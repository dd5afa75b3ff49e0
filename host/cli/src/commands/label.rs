//! `hydroid label`: the places that hold something secret, and saying that one does no longer.

use crate::args::Label;
use crate::audited::{Deed, audit};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::terminal::{self, table};
use crate::wire::Ground;
use anyhow::{Result, anyhow};
use hydroid_core::audit::AuditAction;
use hydroid_core::harmless::excerpt;
use hydroid_core::ports::{SecretPlace, SecretPlaces};
use serde_json::json;
use std::sync::Arc;

/// Characters of a path in the list.
const PLACE: usize = 200;

/// Runs the command.
pub(crate) async fn run(
    command: Label,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let ground = Ground::lay_to_look(environment, settings)?;
    match command {
        Label::List { json } => list(&ground, json).await,
        Label::Clear { place } => clear(&ground, &place).await,
    }
}

async fn list(ground: &Ground, as_json: bool) -> Result<Exit> {
    let places = ground.database().await?.marked(&ground.user()).await?;
    if as_json {
        let row = |place: &SecretPlace| {
            let (kind, which) = place.parts();
            json!({ "place": place.to_string(), "kind": kind, "which": which })
        };
        terminal::print_json(&places.iter().map(row).collect())?;
    } else if places.is_empty() {
        terminal::say("nothing secret has gone anywhere");
    } else {
        let head = vec!["PLACE".to_owned(), "WHY".to_owned()];
        let rows = places
            .iter()
            .map(|place| vec![excerpt(&place.to_string(), PLACE), meaning(place).to_owned()]);
        terminal::print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    }
    Ok(Exit::Done)
}

fn meaning(place: &SecretPlace) -> &'static str {
    match place {
        SecretPlace::File(_) => {
            "came out of the vault, or was written after something secret was read"
        }
        SecretPlace::Session(_) => "has read something secret",
        SecretPlace::Note(_) => "was written after something secret was read",
        SecretPlace::State(_) => {
            "a component that keeps things was called after something secret was read"
        }
    }
}

async fn clear(ground: &Ground, text: &str) -> Result<Exit> {
    let place: SecretPlace = text.parse().map_err(|problem| usage(format!("{problem}")))?;
    let database = ground.database().await?;
    if !database.marked(&ground.user()).await?.contains(&place) {
        return Err(anyhow!("`{place}` is not marked; `hydroid label list` shows what is"));
    }
    audit(
        ground,
        Deed {
            action: AuditAction::LabelCleared,
            resource: place.to_string(),
            component: None,
            digest: None,
            command: "label clear",
        },
    )
    .await?;
    database.clear(&ground.user(), place.clone()).await?;
    terminal::print_line(&format!("`{place}` is taken to hold nothing secret"))?;
    Ok(Exit::Done)
}
