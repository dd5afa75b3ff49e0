//! A table of a manifest read field by field, so that what is wrong is named with its remedy and a
//! mistyped field gets a suggestion.

use crate::config::did_you_mean;

/// The fields of one table that were not read yet.
pub(super) struct Fields {
    table: toml::Table,
    known: &'static [&'static str],
}

impl Fields {
    /// The fields of a table; one that is not known is refused.
    pub(super) fn of(table: toml::Table, known: &'static [&'static str]) -> Result<Self, String> {
        if let Some(field) = table.keys().find(|field| !known.contains(&field.as_str())) {
            let hint = did_you_mean(field, known.iter().copied());
            return Err(format!(
                "has an unknown field `{field}`{hint}; its fields are {}",
                known.join(", ")
            ));
        }
        Ok(Self { table, known })
    }

    fn take(&mut self, field: &str) -> Option<toml::Value> {
        debug_assert!(self.known.contains(&field), "`{field}` is read but not known");
        self.table.remove(field)
    }

    /// A text, if the field is there.
    pub(super) fn text(&mut self, field: &str) -> Result<Option<String>, String> {
        match self.take(field) {
            None => Ok(None),
            Some(toml::Value::String(text)) if text.is_empty() => {
                Err(format!("has an empty `{field}`; leave it out or say what it is"))
            }
            Some(toml::Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!(
                "has a `{field}` that is of type {}; write a text in quotation marks",
                other.type_str()
            )),
        }
    }

    /// A text that must be there; the remedy is an example of it.
    pub(super) fn required(&mut self, field: &str, example: &str) -> Result<String, String> {
        self.text(field)?.ok_or_else(|| format!("has no `{field}`; add one like `{example}`"))
    }

    /// A list of texts; empty if the field is not there.
    pub(super) fn texts(&mut self, field: &str) -> Result<Vec<String>, String> {
        let wrong = || format!("has a `{field}` that is not a list of texts; write `[\"…\"]`");
        match self.take(field) {
            None => Ok(Vec::new()),
            Some(toml::Value::Array(items)) => items
                .into_iter()
                .map(|item| match item {
                    toml::Value::String(text) => Ok(text),
                    _ => Err(wrong()),
                })
                .collect(),
            Some(_) => Err(wrong()),
        }
    }

    /// True or false; false if the field is not there.
    pub(super) fn flag(&mut self, field: &str) -> Result<bool, String> {
        match self.take(field) {
            None => Ok(false),
            Some(toml::Value::Boolean(flag)) => Ok(flag),
            Some(_) => Err(format!("has a `{field}` that is neither `true` nor `false`")),
        }
    }

    /// A table, if the field is there.
    pub(super) fn table(&mut self, field: &str) -> Result<Option<toml::Table>, String> {
        match self.take(field) {
            None => Ok(None),
            Some(toml::Value::Table(table)) => Ok(Some(table)),
            Some(_) => Err(format!("has a `{field}` that is not a table")),
        }
    }

    /// One of some words; the first if the field is not there.
    pub(super) fn choice<T: Copy>(
        &mut self,
        field: &str,
        choices: &[(&'static str, T)],
    ) -> Result<T, String> {
        let Some(word) = self.text(field)? else { return Ok(choices[0].1) };
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        choices.iter().find(|(known, _)| *known == word).map(|(_, choice)| *choice).ok_or_else(
            || {
                let hint = did_you_mean(&word, words.iter().copied());
                format!("has `{field}` as `{word}`{hint}; it is one of {}", words.join(", "))
            },
        )
    }
}
