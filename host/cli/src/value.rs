//! A configuration value as it is typed in a variable or on the command line, read by the kind
//! of its key. It does not judge whether the value makes sense; core does, for the whole.

use anyhow::{Result, bail};
use hydroid_core::config::{ConfigError, KEYS, did_you_mean, key_of};
use toml::{Table, Value};

/// Reads a text as the kind of value a key takes.
pub(crate) fn parse(path: &str, text: &str) -> Result<Value> {
    let Some(key) = key_of(path) else {
        let hint = did_you_mean(path, KEYS.iter().map(|key| key.path));
        return Err(ConfigError::UnknownKey { key: path.to_owned(), hint }.into());
    };
    let written = || as_toml(text);
    let value = match key.kind {
        "text" | "rule" | "mode" => match written() {
            // Quotes may be typed, as they stand in the file.
            Some(Value::String(quoted)) => Value::String(quoted),
            _ => Value::String(text.to_owned()),
        },
        "size" | "time" => match written() {
            Some(value @ (Value::Integer(_) | Value::String(_))) => value,
            _ => Value::String(text.to_owned()),
        },
        "list" => match written() {
            Some(value @ Value::Array(_)) => value,
            _ => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Value::String(item.to_owned()))
                .collect::<Vec<_>>()
                .into(),
        },
        "list of rules" => match written() {
            Some(value @ Value::Array(_)) => value,
            _ => bail!(
                "`{path}` is `{text}`; it is a list of tables like `[{{ effect = \"deny\", calls = \"file_*\" }}]`"
            ),
        },
        "list of models" => match written() {
            Some(value @ Value::Array(_)) => value,
            _ => bail!(
                "`{path}` is `{text}`; it is a list of tables like `[{{ provider = \"provider-openai\", name = \"small\" }}]`"
            ),
        },
        "bool" => match text {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => bail!("`{path}` is `{text}`; it is true or false"),
        },
        "number" => match written() {
            Some(value @ (Value::Integer(_) | Value::Float(_))) => value,
            _ => bail!("`{path}` is `{text}`; it is a number"),
        },
        // Below a table anything goes: the component's schema decides.
        _ if path.split('.').count() > key.path.split('.').count() => {
            written().unwrap_or_else(|| Value::String(text.to_owned()))
        }
        _ => match written() {
            Some(value @ Value::Table(_)) => value,
            _ => bail!(
                "`{path}` is `{text}`; it is a table like `{{ name = \"value\" }}`, or name one of its keys: `{path}.name`"
            ),
        },
    };
    Ok(value)
}

/// Puts a value at a dotted path, making tables on the way.
pub(crate) fn insert(table: &mut Table, path: &str, value: Value) -> Result<()> {
    let mut table = table;
    let mut segments = path.split('.').peekable();
    while let Some(segment) = segments.next() {
        if segments.peek().is_none() {
            table.insert(segment.to_owned(), value);
            return Ok(());
        }
        let entry = table.entry(segment).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(inner) = entry else {
            bail!("`{path}` cannot be set: `{segment}` is a value already")
        };
        table = inner;
    }
    Ok(())
}

/// Lays one table over another: tables join, everything else is replaced.
pub(crate) fn overlay(below: &mut Table, above: Table) {
    for (name, value) in above {
        match (below.get_mut(&name), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            (_, value) => {
                below.insert(name, value);
            }
        }
    }
}

/// Every value of a table that is a documented key, with its dotted path.
pub(crate) fn leaves(table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    collect("", table, &mut found);
    found
}

fn collect(prefix: &str, table: &Table, found: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) if key_of(&path).is_none() => collect(&path, inner, found),
            value => found.push((path, value.clone())),
        }
    }
}

fn as_toml(text: &str) -> Option<Value> {
    let table: Table = format!("value = {text}").parse().ok()?;
    match table.len() {
        1 => table.get("value").cloned(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, expect: &str) {
        assert_eq!(parse(path, text).unwrap().to_string(), expect);
    }

    #[track_caller]
    fn refused(path: &str, text: &str, expect: &str) {
        let error = parse(path, text).unwrap_err().to_string();
        assert!(error.contains(expect), "expected `{expect}` in: {error}");
    }

    #[test]
    fn a_text_is_read_by_the_kind_of_its_key() {
        check("model.name", "gpt-5", "\"gpt-5\"");
        check("model.name", "7", "\"7\"");
        check("model.name", "\"quoted\"", "\"quoted\"");
        check("turn.max_steps", "7", "7");
        check("limits.memory", "64MiB", "\"64MiB\"");
        check("components.tool-web.enabled", "false", "false");
        check("egress.allow_private", "127.0.0.1:80, [::1]:80", "[\"127.0.0.1:80\", \"[::1]:80\"]");
        check("egress.allow_private", "[\"127.0.0.1:80\"]", "[\"127.0.0.1:80\"]");
        check("components.provider-openai.config.base_url", "http://x/v1", "\"http://x/v1\"");
        check("components.provider-openai.config.stream", "true", "true");
        check("model.options", "{ a = 1 }", "{ a = 1 }");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        refused("modle.name", "x", "did you mean `model.name`");
        refused("turn.max_steps", "many", "it is a number");
        refused("turn.max_steps", "1\nx = 2", "it is a number");
        refused("components.a.enabled", "yes", "true or false");
        refused("model.options", "x", "or name one of its keys");
    }

    #[test]
    fn layers_join_and_the_upper_one_wins() {
        let mut below: Table = "[a]\nx = 1\ny = 1".parse().unwrap();
        overlay(&mut below, "[a]\ny = 2\n[b]\nz = 3".parse().unwrap());
        assert_eq!(below, "[a]\nx = 1\ny = 2\n[b]\nz = 3".parse().unwrap());
    }
}
