//! A new snapshot of a published catalog: checked as a whole, cut to what is used, and compared
//! with the one before. Nothing is stored here.

use super::read::{Raw, SCHEMA, provider, raw};
use super::{Catalog, CatalogError, PROVENANCE, Provenance, Wanted};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

/// Fields of a model that are kept.
const KEPT: [&str; 11] = [
    "attachment",
    "cost",
    "limit",
    "modalities",
    "name",
    "reasoning",
    "release_date",
    "status",
    "structured_output",
    "temperature",
    "tool_call",
];

/// Names shown of each kind of change; the rest is counted.
const SHOWN: usize = 8;

/// What one snapshot has and another has not, as `provider/model`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Models that are new.
    pub added: BTreeSet<String>,
    /// Models that are gone.
    pub removed: BTreeSet<String>,
    /// Models with other prices.
    pub priced: BTreeSet<String>,
    /// Models with other limits or abilities.
    pub altered: BTreeSet<String>,
}

/// A snapshot's text out of a published catalog. Every provider and model of it must fit, so
/// that half of a file never stands in place of a whole one.
pub fn snapshot(published: &str, provenance: &Provenance) -> Result<String, CatalogError> {
    let Raw { providers, .. } = raw(published, Wanted::All)?;
    let mut text = format!("{{\n{}:{}", json!(PROVENANCE), header(provenance));
    let mut models = 0;
    for (id, value) in providers {
        models += provider(&id, value.clone())?.models.len();
        let name = value.get("name").cloned().unwrap_or(Value::Null);
        let kept = value.get("models").and_then(Value::as_object);
        let lines: Vec<String> = kept
            .into_iter()
            .flatten()
            .map(|(model, value)| format!("{}:{}", json!(model), kept_fields(value)))
            .collect();
        let written = write!(
            text,
            ",\n{}:{{\"name\":{name},\"models\":{{\n{}\n}}}}",
            json!(id),
            lines.join(",\n")
        );
        written.expect("a string can be written to");
    }
    if models == 0 {
        return Err(CatalogError::Json("it has no models".to_owned()));
    }
    text.push_str("\n}\n");
    Ok(text)
}

fn header(provenance: &Provenance) -> Value {
    serde_json::to_value(Provenance { schema: SCHEMA, ..provenance.clone() })
        .expect("its fields are texts and a number")
}

fn kept_fields(model: &Value) -> Value {
    let fields = model.as_object().into_iter().flatten();
    let kept = fields
        .filter(|(field, value)| KEPT.contains(&field.as_str()) && !value.is_null())
        .map(|(field, value)| (field.clone(), value.clone()));
    Value::Object(Map::from_iter(kept))
}

/// What changes from one catalog to another.
pub fn changes(old: &Catalog, new: &Catalog) -> Changes {
    let mut changes = Changes::default();
    for (id, provider) in &new.providers {
        for (name, model) in &provider.models {
            let full = format!("{id}/{name}");
            let before = old.providers.get(id).and_then(|provider| provider.models.get(name));
            match before {
                None => drop(changes.added.insert(full)),
                Some(before) if before == model => {}
                Some(before) if before.cost != model.cost => drop(changes.priced.insert(full)),
                Some(_) => drop(changes.altered.insert(full)),
            }
        }
    }
    for (id, provider) in &old.providers {
        let now = new.providers.get(id);
        let gone = provider
            .models
            .keys()
            .filter(|name| now.is_none_or(|now| !now.models.contains_key(*name)))
            .map(|name| format!("{id}/{name}"));
        changes.removed.extend(gone);
    }
    changes
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("new", &self.added),
            ("gone", &self.removed),
            ("other prices", &self.priced),
            ("other limits or abilities", &self.altered),
        ];
        let lines: Vec<String> = kinds
            .into_iter()
            .filter(|(_, models)| !models.is_empty())
            .map(|(kind, models)| {
                let shown: Vec<&str> = models.iter().take(SHOWN).map(String::as_str).collect();
                let more = models.len().saturating_sub(SHOWN);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("{kind}: {} ({}{more})", models.len(), shown.join(", "))
            })
            .collect();
        match lines.is_empty() {
            true => f.write_str("nothing changed"),
            false => f.write_str(&lines.join("\n")),
        }
    }
}
