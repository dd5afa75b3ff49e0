//! Making a catalog of its texts: a snapshot, and over it what a person wrote, field by field.
//! Only the providers that are wanted are looked at closely, since a snapshot has thousands of
//! models and a turn needs one.

use super::{PROVENANCE, Provider};
use crate::config::did_you_mean;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

/// Where a snapshot came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// The version of the shape.
    pub schema: u32,
    /// Where its data is published.
    pub source: String,
    /// Which state of it, if it has a name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// When it was taken, as `2026-07-02`.
    pub date: String,
    /// The licence of the data.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub licence: String,
    /// Whose data it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub copyright: String,
}

/// The version of the shape that this release reads.
pub(super) const SCHEMA: u32 = 1;

/// Providers and what they offer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    /// Where it came from, if it says so.
    pub provenance: Option<Provenance>,
    /// By identifier.
    pub providers: BTreeMap<String, Provider>,
}

/// Which providers are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// All of them.
    All,
    /// This one.
    Only(&'a str),
}

/// A text that is no catalog.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// Not JSON, or no object of providers.
    #[error("{0}")]
    Json(String),
    /// It was made for another release.
    #[error("its shape has version {0}, and this release reads {SCHEMA}; update hydroid")]
    Newer(u32),
    /// A provider that has not the shape of one.
    #[error("the provider `{provider}` does not fit: {problem}")]
    Provider {
        /// Which.
        provider: String,
        /// Why.
        problem: String,
    },
    /// A model that has not the shape of one.
    #[error("the model `{model}` of `{provider}` does not fit: {problem}")]
    Model {
        /// Of which provider.
        provider: String,
        /// Which.
        model: String,
        /// Why.
        problem: String,
    },
}

/// Fields of a provider in models.dev's shape; those we do not use are among them.
const PROVIDER_FIELDS: [&str; 7] = ["api", "doc", "env", "id", "models", "name", "npm"];

/// Fields of a model, likewise.
const MODEL_FIELDS: [&str; 21] = [
    "attachment",
    "cost",
    "experimental",
    "family",
    "id",
    "interleaved",
    "knowledge",
    "last_updated",
    "limit",
    "modalities",
    "name",
    "open_weights",
    "provider",
    "reasoning",
    "reasoning_options",
    "release_date",
    "status",
    "structured_output",
    "temperature",
    "tool_call",
    "weights",
];

/// Fields of the tables of a model that are looked into.
const TABLES: [(&str, &[&str]); 3] = [
    (
        "cost",
        &[
            "cache_read",
            "cache_write",
            "context_over_200k",
            "input",
            "input_audio",
            "output",
            "output_audio",
            "reasoning",
            "tiers",
        ],
    ),
    ("limit", &["context", "input", "output"]),
    ("modalities", &["input", "output"]),
];

impl Catalog {
    /// Reads a snapshot with an overlay. A field of the overlay stands in place of the
    /// snapshot's; `null` takes it away.
    pub fn read(
        snapshot: &str,
        overlay: Option<&str>,
        wanted: Wanted<'_>,
    ) -> Result<Self, CatalogError> {
        let mut raw = raw(snapshot, wanted)?;
        if let Some(overlay) = overlay {
            for (id, over) in checked_overlay(overlay, wanted)? {
                merge(raw.providers.entry(id).or_insert_with(|| Value::Object(Map::new())), over);
            }
        }
        let mut catalog = Self { provenance: raw.provenance, providers: BTreeMap::new() };
        for (id, value) in raw.providers {
            let provider = provider(&id, value)?;
            catalog.providers.insert(id, provider);
        }
        Ok(catalog)
    }
}

/// A catalog's text with the values of providers as they stand there.
pub(super) struct Raw {
    pub(super) provenance: Option<Provenance>,
    pub(super) providers: BTreeMap<String, Value>,
}

pub(super) fn raw(text: &str, wanted: Wanted<'_>) -> Result<Raw, CatalogError> {
    let json = |error: serde_json::Error| CatalogError::Json(error.to_string());
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let raw = Seed(wanted).deserialize(&mut deserializer).map_err(json)?;
    deserializer.end().map_err(json)?;
    match &raw.provenance {
        Some(provenance) if provenance.schema > SCHEMA => {
            Err(CatalogError::Newer(provenance.schema))
        }
        Some(_) | None => Ok(raw),
    }
}

/// Models of one provider; the largest published one has some hundreds.
const MOST_MODELS: usize = 10_000;

/// One provider of its value. Models are read one by one, so that an error says which it is.
pub(super) fn provider(id: &str, value: Value) -> Result<Provider, CatalogError> {
    let wrong = |problem: String| CatalogError::Provider { provider: id.to_owned(), problem };
    let Value::Object(mut fields) = value else {
        return Err(wrong("it is no object".to_owned()));
    };
    let models = match fields.remove("models") {
        None => Map::new(),
        Some(Value::Object(models)) => models,
        Some(_) => return Err(wrong("its `models` are no object".to_owned())),
    };
    let mut provider: Provider =
        serde_json::from_value(Value::Object(fields)).map_err(|error| wrong(error.to_string()))?;
    if models.len() > MOST_MODELS {
        return Err(wrong(format!("it has more than {MOST_MODELS} models")));
    }
    for (model, value) in models {
        let read = serde_json::from_value(value).map_err(|error| CatalogError::Model {
            provider: id.to_owned(),
            model: model.clone(),
            problem: error.to_string(),
        })?;
        provider.models.insert(model, read);
    }
    Ok(provider)
}

/// What a person wrote. A field that no catalog has is a mistake, and would have no effect.
fn checked_overlay(
    text: &str,
    wanted: Wanted<'_>,
) -> Result<BTreeMap<String, Value>, CatalogError> {
    let overlay = raw(text, wanted)?.providers;
    for (id, value) in &overlay {
        let wrong = |problem: String| CatalogError::Provider { provider: id.clone(), problem };
        check_fields(value, &PROVIDER_FIELDS).map_err(wrong)?;
        let models = value.get("models").and_then(Value::as_object);
        for (model, value) in models.into_iter().flatten() {
            check_model(value).map_err(|problem| CatalogError::Model {
                provider: id.clone(),
                model: model.clone(),
                problem,
            })?;
        }
    }
    Ok(overlay)
}

fn check_model(value: &Value) -> Result<(), String> {
    check_fields(value, &MODEL_FIELDS)?;
    for (table, fields) in TABLES {
        if let Some(value) = value.get(table) {
            check_fields(value, fields).map_err(|problem| format!("`{table}`: {problem}"))?;
        }
    }
    Ok(())
}

fn check_fields(value: &Value, known: &[&str]) -> Result<(), String> {
    let fields = match value {
        Value::Object(fields) => fields,
        Value::Null => return Ok(()),
        _ => return Err("it is no object".to_owned()),
    };
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        None => Ok(()),
        Some(field) => Err(format!(
            "there is no field `{field}`{}; it has {}",
            did_you_mean(field, known.iter().copied()),
            known.join(", ")
        )),
    }
}

/// Lays one value over another, object by object.
fn merge(below: &mut Value, over: Value) {
    match (below, over) {
        (Value::Object(below), Value::Object(over)) => {
            for (key, value) in over {
                if value.is_null() {
                    below.remove(&key);
                } else {
                    merge(below.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        // What is new may say `null` inside, where there is nothing to take away.
        (below, Value::Object(over)) => {
            *below = Value::Object(Map::new());
            merge(below, Value::Object(over));
        }
        (below, over) => *below = over,
    }
}

struct Seed<'a>(Wanted<'a>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a provider under each key")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut raw = Raw { provenance: None, providers: BTreeMap::new() };
        while let Some(key) = map.next_key::<String>()? {
            let wanted = match self.0 {
                Wanted::All => true,
                Wanted::Only(id) => key == id,
            };
            if key == PROVENANCE {
                raw.provenance = Some(map.next_value()?);
            } else if wanted {
                match raw.providers.entry(key) {
                    Entry::Vacant(place) => {
                        place.insert(map.next_value()?);
                    }
                    Entry::Occupied(there) => {
                        let problem = format!("the provider `{}` is there twice", there.key());
                        return Err(A::Error::custom(problem));
                    }
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(raw)
    }
}
