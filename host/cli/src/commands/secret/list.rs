//! `hydroid secret list`: every secret by name, where its value is and where it may go. Never a
//! value, nor how long it is.

use crate::exit::Exit;
use crate::moment;
use crate::secrets::kind;
use crate::terminal::{self, table};
use crate::wire::Ground;
use anyhow::Result;
use hydroid_core::harmless::harmless;
use hydroid_memory::StoredSecret;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// What is shown of a secret.
#[derive(Default)]
struct Row {
    /// `sealed`, `env`, `file`, `exec`, two of them, or nothing.
    sources: Vec<&'static str>,
    stored: Option<StoredSecret>,
    hosts: BTreeSet<String>,
}

pub(super) async fn list(ground: &Ground, as_json: bool) -> Result<Exit> {
    let rows = rows(ground).await?;
    if as_json {
        let row = |(name, row): (&String, &Row)| {
            json!({
                "name": name,
                "source": row.source(),
                "version": row.stored.as_ref().map(|stored| stored.version),
                "set_ms": row.stored.as_ref().map(|stored| stored.set_ms),
                "hosts": row.hosts,
            })
        };
        terminal::print_json(&rows.iter().map(row).collect())?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        terminal::say("there are no secrets; `hydroid secret set NAME` stores one");
        return Ok(Exit::Done);
    }
    let head = ["NAME", "SOURCE", "VERSION", "SET (UTC)", "HOSTS"].map(str::to_owned).to_vec();
    let lines = rows.iter().map(|(name, row)| {
        let stored = row.stored.as_ref();
        let hosts: Vec<&str> = row.hosts.iter().map(String::as_str).collect();
        vec![
            harmless(name),
            row.source(),
            stored.map_or_else(String::new, |stored| stored.version.to_string()),
            stored.map_or_else(String::new, |stored| moment::minute(stored.set_ms)),
            harmless(&hosts.join(", ")),
        ]
    });
    terminal::print(&table(&std::iter::once(head).chain(lines).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}

async fn rows(ground: &Ground) -> Result<BTreeMap<String, Row>> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (name, source) in ground.secrets.configured() {
        let row = rows.entry(name.clone()).or_default();
        row.hosts.extend(source.hosts.iter().cloned());
        if source.names_a_value() {
            row.sources.push(kind(source));
        }
    }
    let database = ground.database().await?;
    for stored in database.stored_secrets(&ground.user()).await? {
        let row = rows.entry(stored.name.clone()).or_default();
        row.sources.push("sealed");
        row.stored = Some(stored);
    }
    if rows.values().any(|row| row.hosts.is_empty()) {
        declared_hosts(ground, &mut rows).await;
    }
    Ok(rows)
}

/// Without hosts of its own a secret goes where the manifests of the components that use it say.
async fn declared_hosts(ground: &Ground, rows: &mut BTreeMap<String, Row>) {
    let catalog = match ground.catalog_to_look_at().await {
        Ok(catalog) => catalog,
        Err(error) => {
            terminal::say(&format!("the hosts of the components are not shown: {error:#}"));
            return;
        }
    };
    let narrowed: BTreeSet<String> = rows
        .iter()
        .filter(|(_, row)| !row.hosts.is_empty())
        .map(|(name, _)| name.clone())
        .collect();
    for manifest in catalog.installed().iter().filter_map(|component| component.manifest.as_ref()) {
        for (name, want) in manifest.secrets.iter().filter(|(name, _)| !narrowed.contains(*name)) {
            if let Some(row) = rows.get_mut(name) {
                row.hosts.extend(want.hosts.iter().cloned());
            }
        }
    }
}

impl Row {
    fn source(&self) -> String {
        if self.sources.is_empty() { "none".to_owned() } else { self.sources.join(" and ") }
    }
}
