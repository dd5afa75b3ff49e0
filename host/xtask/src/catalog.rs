//! `cargo xtask catalog FROM_DIR`: makes `registry/models.json` of a checkout of models.dev, whose
//! TOML files inherit from one another. Not a check of the result: the host's own reader does
//! that, in its tests. The same checkout gives the same bytes.

use crate::paths;
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The services that ship: those a component of ours or a preset speaks to.
const SHIPPED: [&str; 57] = [
    "aihubmix",
    "alibaba",
    "alibaba-cn",
    "amazon-bedrock",
    "anthropic",
    "azure",
    "baseten",
    "cerebras",
    "chutes",
    "cloudflare-ai-gateway",
    "cloudflare-workers-ai",
    "cohere",
    "deepinfra",
    "deepseek",
    "fireworks-ai",
    "friendli",
    "github-models",
    "google",
    "google-vertex",
    "groq",
    "huggingface",
    "inception",
    "inference",
    "io-net",
    "llama",
    "lmstudio",
    "minimax",
    "mistral",
    "modelscope",
    "moonshotai",
    "moonshotai-cn",
    "morph",
    "nearai",
    "nebius",
    "novita-ai",
    "nvidia",
    "ollama-cloud",
    "openai",
    "opencode",
    "openrouter",
    "ovhcloud",
    "perplexity",
    "poe",
    "requesty",
    "scaleway",
    "siliconflow",
    "stepfun",
    "synthetic",
    "togetherai",
    "upstage",
    "venice",
    "vercel",
    "wandb",
    "xai",
    "xiaomi",
    "zai",
    "zhipuai",
];

/// Fields of a model that are kept, in models.dev's words.
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

/// Makes the file of a checkout, or of an unpacked copy whose state `revision` and `date` name.
pub(crate) fn run(from: &Path, revision: Option<String>, date: Option<String>) -> Result<()> {
    let revision = revision.map_or_else(|| git(from, "%H"), Ok)?;
    let date = date.map_or_else(|| git(from, "%cs"), Ok)?;
    let text = catalog(from, &SHIPPED, &revision, &date)?;
    let path = paths::root().join("registry/models.json");
    fs::write(&path, &text).with_context(|| format!("cannot write `{}`", path.display()))?;
    println!("{}: {} providers, {} bytes", path.display(), SHIPPED.len(), text.len());
    Ok(())
}

/// One fact about the last commit.
fn git(from: &Path, format: &str) -> Result<String> {
    let output = Command::new("git")
        .args(["log", "-1", &format!("--format={format}")])
        .current_dir(from)
        .output()
        .context("cannot run git")?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || text.is_empty() {
        bail!(
            "`{}` is no checkout of git; say which state it is with `--revision` and `--date`",
            from.display()
        );
    }
    Ok(text)
}

/// The text: one model a line, so that a change of the data is a change of its lines.
fn catalog(from: &Path, shipped: &[&str], revision: &str, date: &str) -> Result<String> {
    let provenance = json!({
        "schema": 1,
        "source": "https://models.dev",
        "revision": revision,
        "date": date,
        "licence": "MIT",
        "copyright": "Copyright (c) 2025 models.dev",
    });
    let mut text = format!("{{\n\"$catalog\":{provenance}");
    for id in shipped {
        let directory = from.join("providers").join(id);
        let about = table(&directory.join("provider.toml"))?;
        let name = about.get("name").and_then(toml::Value::as_str).unwrap_or(id);
        let mut models = BTreeMap::new();
        collect(&directory.join("models"), "", from, &mut models)?;
        if models.is_empty() {
            bail!("`{}` has no models", directory.display());
        }
        let lines: Vec<String> = models
            .into_iter()
            .map(|(id, model)| format!("{}:{}", json!(id), Value::Object(model)))
            .collect();
        text.push_str(&format!(
            ",\n{}:{{\"name\":{},\"models\":{{\n{}\n}}}}",
            json!(id),
            json!(name),
            lines.join(",\n")
        ));
    }
    text.push_str("\n}\n");
    Ok(text)
}

/// Every model below a directory; its path is its identifier.
fn collect(
    directory: &Path,
    prefix: &str,
    root: &Path,
    models: &mut BTreeMap<String, Map<String, Value>>,
) -> Result<()> {
    let entries = fs::read_dir(directory)
        .with_context(|| format!("cannot read the directory `{}`", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Links to files stand for them here: one service offers the models of another. One that
        // leads nowhere is no model to the generator of the site either.
        if !path.exists() {
            println!("left out, it leads nowhere: {}", path.display());
        } else if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), root, models)?;
        } else if let Some(stem) = name.strip_suffix(".toml") {
            models.insert(format!("{prefix}{stem}"), model(&path, root)?);
        }
    }
    Ok(())
}

/// One model with what it inherits, cut to what is used.
fn model(path: &Path, root: &Path) -> Result<Map<String, Value>> {
    let mut own = table(path)?;
    let omitted = own.remove("base_model_omit");
    let mut merged = match own.remove("base_model") {
        None => toml::Table::new(),
        Some(base) => {
            let base = base
                .as_str()
                .with_context(|| format!("`base_model` in `{}` is no text", path.display()))?;
            table(&root.join("models").join(format!("{base}.toml")))
                .with_context(|| format!("`{}` inherits from `{base}`", path.display()))?
        }
    };
    overlay(&mut merged, own);
    for path in omitted.iter().filter_map(toml::Value::as_array).flatten() {
        omit(&mut merged, path.as_str().unwrap_or_default());
    }
    let mut kept = Map::new();
    for field in KEPT {
        if let Some(value) = merged.remove(field) {
            kept.insert(field.to_owned(), as_json(value));
        }
    }
    Ok(kept)
}

/// Lays one table over another; what is no table stands in place of what was there.
fn overlay(below: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(over)) => overlay(below, over),
            (_, value) => drop(below.insert(key, value)),
        }
    }
}

/// Takes a field away, by its dotted path, and a table that is empty then.
fn omit(table: &mut toml::Table, path: &str) {
    match path.split_once('.') {
        None => drop(table.remove(path)),
        Some((first, rest)) => {
            if let Some(toml::Value::Table(inner)) = table.get_mut(first) {
                omit(inner, rest);
                if inner.is_empty() {
                    table.remove(first);
                }
            }
        }
    }
}

fn as_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => json!(number),
        toml::Value::Float(number) => float(number),
        toml::Value::Boolean(yes) => Value::Bool(yes),
        toml::Value::Datetime(moment) => Value::String(moment.to_string()),
        toml::Value::Array(all) => Value::Array(all.into_iter().map(as_json).collect()),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, value)| (key, as_json(value))).collect())
        }
    }
}

/// `5.0` is written `5`.
fn float(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be a small whole number")]
    if number.fract() == 0.0 && number.abs() < 1e9 { json!(number as i64) } else { json!(number) }
}

fn table(path: &Path) -> Result<toml::Table> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    text.parse().with_context(|| format!("`{}` is not TOML", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout with what the real one has: inheritance, an omission, folders, a link, and one that
    /// leads nowhere.
    fn checkout() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "models/acme/big.toml",
            "name = \"Big\"\nfamily = \"big\"\nreasoning = true\n[limit]\ncontext = 400_000\ninput = 272_000\noutput = 128_000\n[modalities]\ninput = [\"text\", \"image\"]\noutput = [\"text\"]\n[[benchmarks]]\nname = \"x\"\n",
        );
        write("providers/acme/provider.toml", "name = \"Acme\"\nenv = [\"ACME_KEY\"]\n");
        write(
            "providers/acme/models/big.toml",
            "base_model = \"acme/big\"\nbase_model_omit = [\"limit.input\"]\n[limit]\noutput = 1_000\n[cost]\ninput = 5.00\noutput = 0.15\n[[cost.tiers]]\ntier = { size = 200_000 }\ninput = 10\noutput = 45.00\n",
        );
        write(
            "providers/acme/models/vendor/small.toml",
            "name = \"Small\"\nknowledge = \"2024\"\n",
        );
        std::os::unix::fs::symlink(
            "vendor/small.toml",
            directory.path().join("providers/acme/models/other.toml"),
        )
        .unwrap();
        let nowhere = directory.path().join("providers/acme/models/nowhere.toml");
        std::os::unix::fs::symlink("gone.toml", nowhere).unwrap();
        directory
    }

    #[test]
    fn a_checkout_becomes_one_file_with_a_line_for_each_model() {
        let text = catalog(checkout().path(), &["acme"], "f00", "2026-07-02").unwrap();
        let expect = concat!(
            "{\n",
            r#""$catalog":{"copyright":"Copyright (c) 2025 models.dev","date":"2026-07-02","licence":"MIT","revision":"f00","schema":1,"source":"https://models.dev"},"#,
            "\n",
            r#""acme":{"name":"Acme","models":{"#,
            "\n",
            r#""big":{"cost":{"input":5,"output":0.15,"tiers":[{"input":10,"output":45,"tier":{"size":200000}}]},"limit":{"context":400000,"output":1000},"modalities":{"input":["text","image"],"output":["text"]},"name":"Big","reasoning":true},"#,
            "\n",
            r#""other":{"name":"Small"},"#,
            "\n",
            r#""vendor/small":{"name":"Small"}"#,
            "\n}}\n}\n",
        );
        assert_eq!(text, expect);
    }

    #[test]
    fn what_is_missing_is_named() {
        let directory = checkout();
        let error = format!("{:#}", catalog(directory.path(), &["nobody"], "", "").unwrap_err());
        assert!(error.contains("providers/nobody/provider.toml"), "{error}");
        let path = directory.path().join("providers/acme/models/lost.toml");
        fs::write(path, "base_model = \"acme/gone\"\n").unwrap();
        let error = format!("{:#}", catalog(directory.path(), &["acme"], "", "").unwrap_err());
        assert!(error.contains("lost.toml` inherits from `acme/gone`"), "{error}");
    }

    #[test]
    fn a_directory_that_is_no_checkout_needs_its_state_said() {
        let directory = checkout();
        let error = git(directory.path(), "%H").unwrap_err().to_string();
        assert!(error.contains("`--revision` and `--date`"), "{error}");
    }
}
