//! `hydroid registry`: looking through what is offered with this release. Nothing is fetched and
//! nothing installed.

use crate::args::Registry as Command;
use crate::exit::{Exit, usage};
use crate::registry::{Index, Offered};
use crate::terminal::{self, indented, table};
use anyhow::Result;
use hydroid_core::config::did_you_mean;
use serde_json::json;

/// Runs the command.
pub(crate) fn run(command: &Command) -> Result<Exit> {
    match command {
        Command::List { json } => list(*json),
        Command::Search { text } => search(text),
        Command::Show { name } => show(name),
    }
}

fn list(as_json: bool) -> Result<Exit> {
    let index = Index::of_release()?;
    if as_json {
        terminal::print_json(&json!(index.components))?;
    } else {
        rows(index.components.iter())?;
    }
    Ok(Exit::Done)
}

/// Shows what is found.
pub(super) fn search(text: &[String]) -> Result<Exit> {
    let index = Index::of_release()?;
    let found = index.search(text);
    if found.is_empty() {
        terminal::say(
            "nothing that is offered with this release has these words; `hydroid registry list` shows all of it",
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
            offered.name.clone(),
            offered.version.clone(),
            offered.role.clone(),
            offered.description.clone(),
        ]
    });
    terminal::print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    Ok(())
}

fn show(name: &str) -> Result<Exit> {
    let index = Index::of_release()?;
    let found = index.components.iter().find(|offered| offered.name == name);
    let Some(offered) = found else {
        let names = index.components.iter().map(|offered| offered.name.as_str());
        return Err(usage(format!(
            "nothing called `{name}` is offered with this release{}; `hydroid registry list` shows what is",
            did_you_mean(name, names)
        )));
    };
    let mut text = format!("{} {}  {}\n", offered.name, offered.version, offered.digest);
    text.push_str(&format!("role    {}\n", offered.role));
    if !offered.description.is_empty() {
        text.push_str(&format!("does    {}\n", offered.description));
    }
    if let Some(license) = &offered.license {
        text.push_str(&format!("licence {license}\n"));
    }
    let wants =
        if offered.wants.is_empty() { "nothing".to_owned() } else { offered.wants.join("; ") };
    text.push_str(&format!("wants   {wants}\n"));
    for tool in &offered.tools {
        text.push_str(&format!(
            "tool    {}\n        {}\n",
            tool.name,
            indented(&tool.description, 8)
        ));
    }
    terminal::print(&text)?;
    Ok(Exit::Done)
}
