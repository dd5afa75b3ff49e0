//! `hydroid registry`: looking through what is offered, with this release or in a signed index of
//! somebody else. Nothing is fetched and nothing installed.

use super::key;
use crate::args::{IndexFile, Registry as Command};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::paths::Paths;
use crate::registry::{Index, Offered, signed_by};
use crate::terminal::{self, indented, table};
use crate::wire::read_keys;
use anyhow::{Context, Result, bail};
use hydroid_core::config::did_you_mean;
use hydroid_core::harmless::{exact, excerpt, harmless};
use hydroid_wasm::shipping::{KeyLevel, Statement};
use serde_json::json;

/// Characters of a description in a list.
const LONGEST: usize = 200;

/// Runs the command.
pub(crate) fn run(command: &Command, environment: &Environment) -> Result<Exit> {
    match command {
        Command::List { json, of } => list(&index(of, environment)?, *json, of),
        Command::Search { text, of } => search(text, of, environment),
        Command::Show { name, of } => show(&index(of, environment)?, name),
    }
}

/// The index of the release, or another one if a person trusts who signed it.
fn index(of: &IndexFile, environment: &Environment) -> Result<Index> {
    let Some(file) = &of.file else { return Index::of_release() };
    let shown = file.display();
    let text =
        crate::load::read_text(file)?.ok_or_else(|| usage(format!("`{shown}` is not there")))?;
    let signature = key::beside(file)?.with_context(|| {
        format!("`{shown}` is signed by nobody; whoever made it signs it with `hydroid key sign {shown}`")
    })?;
    signature
        .check(&Statement::of_index(text.as_bytes()))
        .with_context(|| format!("`{shown}` was not read"))?;
    let keys = read_keys(&Paths::find(environment)?.keys_file())?;
    match keys.of(&signature.key.to_string()) {
        Some((_, KeyLevel::Trusted | KeyLevel::Known)) => {}
        Some((name, KeyLevel::Distrusted)) => {
            bail!("`{shown}` was signed by `{}`, whom you do not trust", exact(name))
        }
        None => bail!(
            "`{shown}` was signed by a key you do not know; `hydroid key trust {} --name NAME` makes it known",
            signature.key
        ),
    }
    Index::parse(&text).with_context(|| format!("`{shown}` is no index of components"))
}

fn list(index: &Index, as_json: bool, of: &IndexFile) -> Result<Exit> {
    if as_json {
        terminal::print_json(&json!(index.components))?;
    } else {
        rows(index.components.iter())?;
    }
    if of.file.is_none() {
        terminal::say(&signed_by()?);
    }
    Ok(Exit::Done)
}

/// Shows what is found.
pub(super) fn search(text: &[String], of: &IndexFile, environment: &Environment) -> Result<Exit> {
    let index = index(of, environment)?;
    let found = index.search(text);
    if found.is_empty() {
        terminal::say(
            "nothing that is offered has these words; `hydroid registry list` shows all of it",
        );
        return Ok(Exit::Error);
    }
    rows(found.into_iter())?;
    Ok(Exit::Done)
}

fn rows<'a>(offered: impl Iterator<Item = &'a Offered>) -> Result<()> {
    let head = ["NAME", "VERSION", "ROLE", "WHAT IT DOES"].map(str::to_owned).to_vec();
    let rows = offered.map(|offered| {
        vec![
            exact(&offered.name),
            exact(&offered.version),
            exact(&offered.role),
            excerpt(&offered.description, LONGEST),
        ]
    });
    terminal::print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    Ok(())
}

fn show(index: &Index, name: &str) -> Result<Exit> {
    let found = index.components.iter().find(|offered| offered.name == name);
    let Some(offered) = found else {
        let names = index.components.iter().map(|offered| offered.name.as_str());
        return Err(usage(format!(
            "nothing called `{name}` is offered{}; `hydroid registry list` shows what is",
            did_you_mean(name, names)
        )));
    };
    let wants = offered.wants.join("; ");
    let wants = if wants.is_empty() { "nothing" } else { &wants };
    let source = offered.source.as_deref().unwrap_or("this release");
    let licence = offered.license.as_deref().unwrap_or("not said");
    let does = excerpt(&offered.description, LONGEST);
    let mut text = format!(
        "{} {}  {}\nrole    {}\ndoes    {does}\nfrom    {}\nlicence {}\nwants   {}\n",
        exact(&offered.name),
        exact(&offered.version),
        exact(offered.digest.as_deref().unwrap_or("no digest")),
        exact(&offered.role),
        exact(source),
        exact(licence),
        exact(wants),
    );
    for tool in &offered.tools {
        text.push_str(&format!(
            "tool    {}\n        {}\n",
            exact(&tool.name),
            indented(&harmless(&tool.description), 8)
        ));
    }
    terminal::print(&text)?;
    Ok(Exit::Done)
}
