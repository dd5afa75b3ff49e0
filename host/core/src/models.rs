//! The model catalog: what is known of the models that services offer, in the shape of
//! models.dev. Texts come in, facts come out; which files they stand in is the command line's.
//!
//! Read in this order: [`Provider`] and [`Model`] are what a catalog holds, `read` makes them of
//! a snapshot and a person's overlay, [`Services`] says which of them a component speaks to,
//! [`Models`] answers what the host asks, `media` compares a conversation with what a model takes.

mod changes;
mod known;
mod media;
mod read;
mod services;

pub use changes::{Changes, changes, snapshot};
pub use known::{Facts, Models, UnknownModel, Unpriced};
pub use media::{Modality, fit_media};
pub use read::{Catalog, CatalogError, Provenance, Wanted};
pub use services::{BadServices, Services};

use crate::money::{PriceList, Rates, Tier};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The key of a catalog's text that is no provider: where it came from.
pub const PROVENANCE: &str = "$catalog";

/// A service and its models.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Provider {
    /// Name for people.
    pub name: Option<String>,
    /// Its models by identifier.
    pub models: BTreeMap<String, Model>,
}

/// One model as one service offers it. What is not said is not known.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Model {
    /// Name for people.
    pub name: Option<String>,
    /// It takes files.
    pub attachment: Option<bool>,
    /// It thinks before it answers.
    pub reasoning: Option<bool>,
    /// A sampling temperature can be set.
    pub temperature: Option<bool>,
    /// It calls tools.
    pub tool_call: Option<bool>,
    /// It answers in a JSON Schema.
    pub structured_output: Option<bool>,
    /// What goes in and comes out.
    pub modalities: Modalities,
    /// How much of it.
    pub limit: Limit,
    /// What it costs.
    pub cost: Cost,
    /// `alpha`, `beta` or `deprecated`.
    pub status: Option<String>,
    /// When it was first offered.
    pub release_date: Option<String>,
}

/// What goes into a model and comes out of it; empty when not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Modalities {
    /// What goes in.
    pub input: BTreeSet<Modality>,
    /// What comes out.
    pub output: BTreeSet<Modality>,
}

/// Limits in tokens. A limit of 0 stands in catalogs for one that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Limit {
    context: Option<u64>,
    input: Option<u64>,
    output: Option<u64>,
}

/// Prices as a catalog writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Cost {
    #[serde(flatten)]
    base: Rates,
    tiers: Vec<CostTier>,
    /// What older catalogs have in place of `tiers`.
    context_over_200k: Option<Rates>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct CostTier {
    tier: Above,
    #[serde(flatten)]
    rates: Rates,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct Above {
    size: u64,
}

/// What `context_over_200k` is about.
const OVER_200K: u64 = 200_000;

impl Limit {
    /// The context window.
    pub fn context(&self) -> Option<u32> {
        tokens(self.context)
    }

    /// Most input tokens, where the window leaves room for more.
    pub fn input(&self) -> Option<u32> {
        tokens(self.input)
    }

    /// Most output tokens.
    pub fn output(&self) -> Option<u32> {
        tokens(self.output)
    }
}

fn tokens(limit: Option<u64>) -> Option<u32> {
    limit.filter(|limit| *limit > 0).map(|limit| u32::try_from(limit).unwrap_or(u32::MAX))
}

impl Cost {
    /// The prices.
    pub fn prices(&self) -> PriceList {
        let mut tiers: Vec<Tier> = self
            .tiers
            .iter()
            .map(|tier| Tier { above: tier.tier.size, rates: tier.rates })
            .collect();
        if let (true, Some(rates)) = (tiers.is_empty(), self.context_over_200k) {
            tiers.push(Tier { above: OVER_200K, rates });
        }
        PriceList { base: self.base, tiers }
    }
}

/// At most three of the known words, the closest first, as ` (did you mean …?)`; or nothing.
fn suggestions<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 3;
    const ALIKE: f64 = 0.8;
    let mut near: Vec<(f64, &str)> = known
        .into_iter()
        .map(|candidate| (likeness(word, candidate), candidate))
        .filter(|(score, _)| *score > ALIKE)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let near: Vec<String> =
        near.into_iter().take(MOST).map(|(_, candidate)| format!("`{candidate}`")).collect();
    match near.split_last() {
        None => String::new(),
        Some((only, [])) => format!(" (did you mean {only}?)"),
        Some((last, others)) => format!(" (did you mean {} or {last}?)", others.join(", ")),
    }
}

/// How alike two identifiers are. What stands before a `/` is often left out by people.
fn likeness(word: &str, candidate: &str) -> f64 {
    let whole = strsim::jaro_winkler(word, candidate);
    let last = candidate.rsplit('/').next().unwrap_or(candidate);
    if last == word { 1.0 } else { whole }
}

#[cfg(test)]
mod tests;
