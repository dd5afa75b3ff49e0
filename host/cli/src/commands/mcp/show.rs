//! `hydroid mcp list`, `show` and `test`: what is there, and whether it is what was allowed.

use super::allow::{self, Looked, line, say_changes};
use super::{known, place_of};
use crate::exit::Exit;
use crate::servers::{self, read_book};
use crate::stopped::refuse_if_stopped;
use crate::terminal::{self, table};
use crate::wire::Ground;
use anyhow::Result;
use hydroid_core::harmless::exact;
use hydroid_mcp::{Place, Server};
use serde_json::json;

pub(super) fn list(ground: &Ground, as_json: bool) -> Result<Exit> {
    let book = read_book(&ground.paths)?;
    let count = |name: &str, server: &Server| {
        servers::pinned(&ground.paths, name, server).map(|pinned| pinned.tools.len())
    };
    if as_json {
        let rows = book.servers.iter().map(|(name, server)| {
            json!({
                "name": name,
                "place": server.place,
                "tools": count(name, server),
                "digest": server.tools,
            })
        });
        terminal::print_json(&rows.collect())?;
        return Ok(Exit::Done);
    }
    let head = ["NAME", "TOOLS", "PLACE"].map(str::to_owned).to_vec();
    let rows = book.servers.iter().map(|(name, server)| {
        let tools =
            count(name, server).map_or_else(|| "none allowed".to_owned(), |its| its.to_string());
        vec![name.clone(), tools, place_of(server)]
    });
    terminal::print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}

pub(super) async fn run(ground: &Ground, name: &str, changes: bool) -> Result<Exit> {
    let book = read_book(&ground.paths)?;
    let server = known(&book, name)?;
    let pinned = servers::pinned(&ground.paths, name, server);
    if changes {
        return compare(ground, name, server).await;
    }
    terminal::print_line(&format!("{name}  {}", place_of(server)))?;
    match &server.place {
        Place::Http { secret, attach, oauth, .. } => {
            let shown = match (oauth, secret) {
                (Some(client), _) => format!("you are signed in as client `{}`", client.client_id),
                (None, Some(secret)) => {
                    format!("the secret `{secret}` as {}", attach.as_deref().unwrap_or("bearer"))
                }
                (None, None) => "nothing".to_owned(),
            };
            terminal::print_line(&format!("shown   {shown}"))?;
            if let Some(client) = oauth.as_ref().filter(|client| !client.scopes.is_empty()) {
                let scopes: Vec<String> = client.scopes.iter().map(|its| exact(its)).collect();
                terminal::print_line(&format!("scopes  {}", scopes.join(" ")))?;
            }
        }
        Place::Stdio { files, env, .. } => {
            for (file, digest) in files {
                terminal::print_line(&format!("file    {file} {digest}"))?;
            }
            terminal::print_line(&format!(
                "given   {}",
                if env.is_empty() { "no variables".to_owned() } else { env.join(", ") }
            ))?;
        }
    }
    terminal::print_line(&format!("tools   {}", server.tools))?;
    match pinned {
        None => terminal::print_line(&format!(
            "nothing of it is allowed; `hydroid mcp allow {name}` shows what it offers"
        ))?,
        Some(pinned) => {
            for tool in &pinned.tools {
                terminal::print_line(&line(name, tool))?;
            }
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn test(ground: &Ground, name: &str) -> Result<Exit> {
    let book = read_book(&ground.paths)?;
    compare(ground, name, known(&book, name)?).await
}

async fn compare(ground: &Ground, name: &str, server: &Server) -> Result<Exit> {
    refuse_if_stopped(&ground.paths)?;
    let (about, now) = match allow::look(ground, name, server).await? {
        Looked::Offers(about, now) => (about, now),
        Looked::WantsSignIn => {
            terminal::say(&format!("{name} wants you to sign in: `hydroid mcp login {name}`"));
            return Ok(Exit::Error);
        }
    };
    if now.digest() == server.tools {
        terminal::print_line(&format!(
            "{name} answers as {} and offers what you allowed: {} tools",
            about.name,
            now.tools.len()
        ))?;
        return Ok(Exit::Done);
    }
    let before = servers::pinned(&ground.paths, name, server).unwrap_or_default();
    say_changes(name, &before, &now);
    terminal::say(&format!(
        "{name} says other things of its tools than when it was allowed, so a model cannot call it; `hydroid mcp allow {name}` allows it"
    ));
    Ok(Exit::Error)
}
