//! `hydroid mcp add`: a server is shown as it would be used, and asked about, before it is.

use super::allow::{self, Looked};
use super::deed;
use crate::args::AddServer;
use crate::audited::audit;
use crate::commands::component::question;
use crate::exit::{Exit, usage};
use crate::servers::{component_of, digest_of, read_book, write_book};
use crate::stopped::refuse_if_stopped;
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result};
use hydroid_core::harmless::exact;
use hydroid_core::manifest::Place as Attached;
use hydroid_mcp::{Place, Server, is_server_name};
use hydroid_wasm::egress::Target;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) async fn run(ground: &Ground, wish: AddServer) -> Result<Exit> {
    refuse_if_stopped(&ground.paths)?;
    let name = wish.name.clone();
    if !is_server_name(&name) {
        return Err(usage(format!(
            "`{}` is no name for a server; it has up to 20 lower-case letters and digits and begins with a letter",
            exact(&name)
        )));
    }
    let mut book = read_book(&ground.paths)?;
    if book.servers.contains_key(&name) {
        return Err(usage(format!(
            "there is a server `{name}`; `hydroid mcp show {name}` shows it, `hydroid mcp remove {name}` removes it"
        )));
    }
    let component = component_of(&name);
    if ground.catalog_to_look_at().await?.get(&component).is_some() {
        return Err(usage(format!(
            "the component `{component}` has the name that would stand for this server in rules and in the audit log; call it something else, or remove that with `hydroid component remove {component}`"
        )));
    }
    let yes = wish.yes;
    let place = if wish.stdio.is_empty() { http(&wish)? } else { program(ground, &wish)? };
    let server = Server { place, tools: String::new(), only: wish.tool };
    if let Place::Stdio { command, env, .. } = &server.place {
        let shown: Vec<String> = command.iter().map(|word| exact(word)).collect();
        let given = if env.is_empty() {
            "no variables of your environment".to_owned()
        } else {
            format!("{} of your environment", env.join(", "))
        };
        let question = format!(
            "{name} would start `{}` with {given}. It is not in a sandbox: it can do whatever your own programs can. Start it?",
            shown.join(" ")
        );
        if !yes && !question::confirmed(ground, &question, "--yes")? {
            terminal::say("nothing was added");
            return Ok(Exit::Error);
        }
    }
    match allow::look(ground, &name, &server).await? {
        Looked::Offers(about, pinned) => {
            let allowed = allow::asked(ground, &name, &about, &pinned, None, yes)?;
            if !allowed {
                terminal::say("nothing was added");
                return Ok(Exit::Error);
            }
            allow::keep(ground, &name, server, &pinned, "mcp add").await?;
            terminal::print_line(&format!("{name} is added; its tools begin with `mcp_{name}_`"))?;
            Ok(Exit::Done)
        }
        Looked::WantsSignIn => {
            audit(ground, deed(&name, "added, nothing of it allowed yet", "mcp add")).await?;
            book.servers.insert(name.clone(), server);
            write_book(&ground.paths, &book)?;
            terminal::print_line(&format!(
                "{name} is added, but wants you to sign in first: `hydroid mcp login {name}`"
            ))?;
            Ok(Exit::Done)
        }
    }
}

fn http(wish: &AddServer) -> Result<Place> {
    let url = wish.url.clone().unwrap_or_default();
    let target = Target::parse(&url).map_err(|error| usage(error.to_string()))?;
    let host = target.host().trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if target.scheme() != "https" && !here {
        return Err(usage(format!("`{}` is without encryption; write `https://`", exact(&url))));
    }
    if let Some(attach) = &wish.attach {
        attach.parse::<Attached>().map_err(|error| usage(error.to_string()))?;
    }
    Ok(Place::Http {
        url: target.url().to_string(),
        secret: wish.secret.clone(),
        attach: wish.attach.clone(),
        oauth: None,
    })
}

/// The program with its whole path, and the digests of it and of each argument that is a file.
fn program(ground: &Ground, wish: &AddServer) -> Result<Place> {
    let (program, arguments) = wish.stdio.split_first().expect("clap wants one at least");
    let program = found(ground, program)?;
    let mut command = vec![text(&program)?];
    let mut files = BTreeMap::from([(
        text(&program)?,
        digest_of(&program).with_context(|| format!("`{}` cannot be read", program.display()))?,
    )]);
    for argument in arguments {
        // A file is meant from where the command is typed; the program is started elsewhere.
        let path = std::path::absolute(argument).unwrap_or_default();
        if !argument.starts_with('-') && path.is_file() {
            let digest =
                digest_of(&path).with_context(|| format!("`{}` cannot be read", path.display()))?;
            files.insert(text(&path)?, digest);
            command.push(text(&path)?);
        } else {
            command.push(argument.clone());
        }
    }
    Ok(Place::Stdio { command, files, env: wish.env.clone() })
}

fn found(ground: &Ground, program: &str) -> Result<PathBuf> {
    if program.contains('/') {
        let path = std::path::absolute(program).context("the program is no path")?;
        return Ok(path);
    }
    let path = ground.environment.value("PATH").cloned().unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|path| path.is_absolute() && path.is_file())
        .ok_or_else(|| usage(format!("there is no program `{}` on your PATH", exact(program))))
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| usage("a path of the command is not UTF-8; rename it"))
}
