//! `hydroid mcp`: tools for clients of the Model Context Protocol, and servers of it for models.

mod add;
mod allow;
mod call;
mod drive;
mod login;
mod serve;
mod show;

pub(crate) use drive::run as drive;

use crate::args::Mcp;
use crate::audited::{Deed, audit};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::servers::{read_book, write_book};
use crate::wire::Ground;
use anyhow::{Context, Result};
use hydroid_core::audit::AuditAction;
use hydroid_core::config::did_you_mean;
use hydroid_core::harmless::exact;
use hydroid_mcp::{Book, Place, Server};
use std::sync::Arc;

/// Runs the command.
pub(crate) async fn run(
    command: Mcp,
    environment: Arc<Environment>,
    settings: Vec<Setting>,
) -> Result<Exit> {
    let lay = || Ground::lay(Arc::clone(&environment), &settings);
    match command {
        Mcp::Serve(how) => serve::run(how, environment, settings).await,
        Mcp::Add(wish) => add::run(&lay()?, wish).await,
        Mcp::List { json } => show::list(&lay()?, json),
        Mcp::Show { name, changes } => show::run(&lay()?, &name, changes).await,
        Mcp::Test { name } => show::test(&lay()?, &name).await,
        Mcp::Call(wish) => call::run(&lay()?, wish).await,
        Mcp::Allow { name, yes } => allow::run(&lay()?, &name, yes).await,
        Mcp::Login { name, client_id, client_secret, scope, yes } => {
            let client = client_id.map(|id| (id, client_secret));
            login::run(&lay()?, &name, client, &scope, yes).await
        }
        Mcp::Remove { name } => remove(&lay()?, &name).await,
    }
}

async fn remove(ground: &Ground, name: &str) -> Result<Exit> {
    let mut book = read_book(&ground.paths)?;
    let server = known(&book, name)?.clone();
    audit(ground, deed(name, "removed", "mcp remove")).await?;
    book.servers.remove(name);
    write_book(&ground.paths, &book)?;
    login::forget(ground, name, &server).await?;
    match std::fs::remove_file(ground.paths.server_tools(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("what was allowed of the server could not be removed");
        }
        Ok(()) | Err(_) => {}
    }
    crate::terminal::print_line(&format!(
        "{name} is removed; what runs with it ends with its call"
    ))?;
    Ok(Exit::Done)
}

fn deed<'a>(name: &str, what: &str, command: &'a str) -> Deed<'a> {
    Deed {
        action: AuditAction::GrantChanged,
        resource: format!("mcp server {name}: {what}"),
        component: None,
        digest: None,
        command,
    }
}

fn known<'a>(book: &'a Book, name: &str) -> Result<&'a Server> {
    book.servers.get(name).ok_or_else(|| {
        let names = book.servers.keys().map(String::as_str);
        usage(format!(
            "there is no server `{}`{}; `hydroid mcp list` shows them",
            exact(name),
            did_you_mean(name, names)
        ))
    })
}

/// Where a server is, in words.
fn place_of(server: &Server) -> String {
    match &server.place {
        Place::Http { url, .. } => exact(url),
        Place::Stdio { command, .. } => {
            command.iter().map(|word| exact(word)).collect::<Vec<_>>().join(" ")
        }
    }
}
