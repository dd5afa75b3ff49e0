//! Models as they are shown. What is not known is said, and never shown as a number.

use anyhow::Result;
use hydroid_core::config::Config;
use hydroid_core::harmless::exact;
use hydroid_core::models::{Catalog, Facts, Modality, Model, Models};
use hydroid_core::money::{Price, Rates};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A model of the catalog.
pub(super) struct Entry<'a> {
    pub(super) provider: &'a str,
    pub(super) name: &'a str,
    pub(super) model: &'a Model,
}

impl Entry<'_> {
    /// `provider/model`.
    pub(super) fn full(&self) -> String {
        format!("{}/{}", self.provider, self.name)
    }

    pub(super) fn fits(&self, filter: &str) -> bool {
        let filter = filter.to_lowercase();
        self.full().to_lowercase().contains(&filter)
            || self.model.name.as_deref().is_some_and(|name| name.to_lowercase().contains(&filter))
    }

    pub(super) fn row(&self) -> Vec<String> {
        let facts = Facts::of(self.model);
        vec![
            exact(&self.full()),
            facts.context.map_or("context unknown".to_owned(), tokens),
            facts
                .output
                .map_or("output unknown".to_owned(), |most| format!("{} out", tokens(most))),
            prices(&facts.prices.base),
            abilities(self.model, &facts),
        ]
    }

    pub(super) fn as_json(&self) -> Value {
        let facts = Facts::of(self.model);
        let price = |price: Option<Price>| price.map(Price::dollars);
        let rates = &facts.prices.base;
        json!({
            "provider": self.provider,
            "id": self.name,
            "name": self.model.name,
            "context": facts.context,
            "output": facts.output,
            "input_limit": facts.input,
            "takes": facts.takes,
            "tool_call": facts.tool_call,
            "reasoning": facts.reasoning,
            "temperature": facts.temperature,
            "status": self.model.status,
            "release_date": self.model.release_date,
            "prices": {
                "input": price(rates.input),
                "output": price(rates.output),
                "cache_read": price(rates.cache_read),
                "cache_write": price(rates.cache_write),
            },
        })
    }

    /// Everything, a line each.
    pub(super) fn described(&self) -> String {
        let facts = Facts::of(self.model);
        let mut text = format!("{}\n", exact(&self.full()));
        let mut line = |name: &str, value: String| {
            writeln!(text, "  {name:<12} {value}").expect("a string can be written to");
        };
        let unknown = || "unknown".to_owned();
        let yes = |known: Option<bool>| match known {
            None => unknown(),
            Some(true) => "yes".to_owned(),
            Some(false) => "no".to_owned(),
        };
        line("name", self.model.name.as_deref().map_or_else(unknown, exact));
        line("context", facts.context.map_or_else(unknown, |most| most.to_string()));
        if let Some(input) = facts.input {
            line("input", format!("at most {input}"));
        }
        line("output", facts.output.map_or_else(unknown, |most| most.to_string()));
        line("takes", if facts.takes.is_empty() { unknown() } else { list(&facts.takes) });
        line("tools", yes(facts.tool_call));
        line("reasoning", yes(facts.reasoning));
        line("temperature", yes(facts.temperature));
        line("prices", prices(&facts.prices.base));
        for tier in &facts.prices.tiers {
            line("", format!("{} above {} tokens in", prices(&tier.rates), tier.above));
        }
        line("released", self.model.release_date.as_deref().map_or_else(unknown, exact));
        if let Some(status) = &self.model.status {
            line("status", exact(status));
        }
        text
    }
}

/// What a catalog has and lacks.
pub(super) fn summary(catalog: &Catalog) -> String {
    let models: Vec<Facts> = catalog
        .providers
        .values()
        .flat_map(|provider| provider.models.values().map(Facts::of))
        .collect();
    let lacking = |lacks: fn(&Facts) -> bool| models.iter().filter(|facts| lacks(facts)).count();
    let from = catalog.provenance.as_ref().map_or_else(String::new, |from| {
        let licence =
            if from.licence.is_empty() { String::new() } else { format!(", {}", from.licence) };
        format!("of {} from {}{licence}; ", exact(&from.date), exact(&from.source))
    });
    format!(
        "{from}{} providers, {} models; not known: the price of {}, the window of {}, the longest answer of {}",
        catalog.providers.len(),
        models.len(),
        lacking(|facts| !facts.prices.is_known()),
        lacking(|facts| facts.context.is_none()),
        lacking(|facts| facts.output.is_none())
    )
}

/// What is known of the configured model, and whether it may be used.
pub(super) fn configured(
    known: &Models,
    config: &Config,
    listed: bool,
) -> Result<(Vec<String>, bool)> {
    let (component, name) = (&config.model.provider, &config.model.name);
    let mut lines = Vec::new();
    let mut usable = true;
    let service = match known.catalog_of(component) {
        None => format!(
            "`{component}` speaks to no service of the catalog; `model.catalog` names one if it does"
        ),
        Some(id) => format!("`{component}` speaks to `{id}` of the catalog"),
    };
    lines.push(service);
    if listed {
        lines.push(format!("the catalog has no `{name}` there, but `{component}` lists it"));
    } else if let Some(unknown) = known.unknown()? {
        lines.push(unknown.to_string());
        usable = false;
    }
    let facts = known.facts(component, name)?;
    let window = match facts.context {
        Some(context) => tokens(context),
        None => "window unknown, 128000 are assumed: set `model.context_tokens`".to_owned(),
    };
    let output = match facts.output {
        Some(most) => format!("{} out", tokens(most)),
        None => "longest answer unknown, the service decides".to_owned(),
    };
    let price = if facts.prices.is_known() {
        prices(&facts.prices.base)
    } else {
        "price unknown: set `model.prices.input` and `model.prices.output`".to_owned()
    };
    lines.push(format!("`{name}`: {window}; {output}; {price}"));
    if facts.temperature == Some(false) && config.model.temperature.is_some() {
        lines.push(format!("`model.temperature` is not sent: `{name}` takes none"));
    }
    if facts.tool_call == Some(false) {
        lines.push(format!("no tools are offered: `{name}` calls none"));
    }
    if let Some(unpriced) = known.unpriced()? {
        lines.push(unpriced.to_string());
        usable = false;
    }
    Ok((lines, usable))
}

/// `131072 tokens`.
pub(super) fn tokens(count: u32) -> String {
    format!("{count} tokens")
}

fn prices(rates: &Rates) -> String {
    let price =
        |price: Option<Price>| price.map_or("?".to_owned(), |price| price.dollars().to_string());
    match (rates.input, rates.output) {
        (None, None) => "price unknown".to_owned(),
        (input, output) => {
            let cached = rates
                .cache_read
                .map(|cached| format!(", ${} cached", cached.dollars()))
                .unwrap_or_default();
            format!("${} in, ${} out{cached}, a million tokens", price(input), price(output))
        }
    }
}

fn abilities(model: &Model, facts: &Facts) -> String {
    let mut words: Vec<String> = Vec::new();
    if facts.tool_call == Some(true) {
        words.push("tools".to_owned());
    }
    if facts.reasoning == Some(true) {
        words.push("reasoning".to_owned());
    }
    words.extend(
        facts.takes.iter().filter(|kind| **kind != Modality::Text).map(ToString::to_string),
    );
    words.extend(model.status.as_deref().map(exact));
    words.join(", ")
}

fn list(kinds: &BTreeSet<Modality>) -> String {
    kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
