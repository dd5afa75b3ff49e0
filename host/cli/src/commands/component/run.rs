//! `hydroid component run`: one call by hand, with what is granted for it and nothing else. No
//! rule and no model takes part.

use super::portrait::{bytes, read};
use super::trial::{Allowance, Bench, Terms, context, text};
use crate::args::authoring::RunTool;
use crate::exit::{Exit, usage};
use crate::terminal;
use crate::wire::Ground;
use anyhow::Result;
use hydroid_core::capability::{Profile, WebRule};
use hydroid_core::harmless::harmless;
use hydroid_core::id::CallId;
use hydroid_core::ports::{CancelFlag, Tools};
use hydroid_core::tool::ToolCall;
use std::collections::BTreeSet;
use std::path::Path;

/// Runs the call.
pub(super) async fn run(ground: &Ground, wish: &RunTool) -> Result<Exit> {
    let mut profiles = BTreeSet::new();
    for text in &wish.grants {
        profiles.insert(text.parse::<Profile>().map_err(|error| usage(format!("{error}")))?);
    }
    for host in &wish.hosts {
        host.parse::<WebRule>().map_err(|error| usage(format!("{error}")))?;
    }
    if !wish.hosts.is_empty() && !profiles.contains(&Profile::Web) {
        return Err(usage("`--host` belongs to `--grant web`"));
    }
    let (wasm, stem) = found(ground, &wish.component).await?;
    let terms = Terms {
        allowance: Allowance::These(profiles, wish.hosts.iter().cloned().collect()),
        workspace: wish.workspace.clone(),
        ..Terms::default()
    };
    let bench = Bench::new(ground).await?;
    let trial = bench.load(&wasm, &stem, &terms).map_err(|error| {
        anyhow::anyhow!("{error:#}\nfor this call, `--grant PROFILE` is enough, after the tool")
    })?;
    let call = ToolCall {
        id: CallId::new("run"),
        name: wish.tool.clone(),
        arguments: wish.arguments.clone(),
    };
    let checked = trial.catalog.check(&call).map_err(usage)?;
    let output = trial.catalog.run(checked, context(CancelFlag::default())).await;
    if wish.json {
        terminal::print_json(&serde_json::to_value(&output)?)?;
    } else {
        terminal::print_line(&harmless(&text(&output)))?;
    }
    Ok(if output.is_error { Exit::Failed } else { Exit::Done })
}

/// The bytes of a file, or of an installed component.
pub(super) async fn found(ground: &Ground, component: &str) -> Result<(Vec<u8>, String)> {
    let path = Path::new(component);
    if path.extension().is_some_and(|end| end == "wasm") || path.components().count() > 1 {
        return Ok((read(path)?, super::source::stem(path)?));
    }
    let catalog = ground.catalog_to_look_at().await?;
    let installed = super::find(&catalog, component)?;
    Ok((bytes(ground, &installed)?, installed.name.clone()))
}
