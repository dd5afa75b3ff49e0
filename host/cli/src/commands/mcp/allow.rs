//! `hydroid mcp allow`: what a server says of its tools now is shown, and becomes what a model is
//! told. The same is asked when a server is added.

use super::{deed, known, place_of};
use crate::audited::audit;
use crate::commands::component::question;
use crate::exit::Exit;
use crate::servers::{self, digest_of, keep_pinned, read_book, write_book};
use crate::stopped::refuse_if_stopped;
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result};
use hydroid_core::harmless::harmless;
use hydroid_mcp::{About, ConnectError, Declines, Pinned, PinnedTool, Place, Server, tool_name};
use std::path::Path;
use std::sync::Arc;

/// Characters of a description in a list.
const SHOWN: usize = 100;

/// What came of looking at a server.
pub(super) enum Looked {
    /// It is this and offers that.
    Offers(About, Pinned),
    /// It wants to know who asks.
    WantsSignIn,
}

pub(super) async fn run(ground: &Ground, name: &str, yes: bool) -> Result<Exit> {
    refuse_if_stopped(&ground.paths)?;
    let book = read_book(&ground.paths)?;
    let mut server = known(&book, name)?.clone();
    let before = servers::pinned(&ground.paths, name, &server);
    if let Place::Stdio { files, .. } = &mut server.place {
        let mut changed = Vec::new();
        for (file, digest) in files.iter_mut() {
            let now = digest_of(Path::new(file))
                .with_context(|| format!("`{file}`, which it is started with, cannot be read"))?;
            if now != *digest {
                changed.push(file.clone());
                *digest = now;
            }
        }
        if !changed.is_empty() {
            let question = format!(
                "{} is another file than the one you allowed. {name} is not in a sandbox. Start it as it is now?",
                changed.join(", ")
            );
            if !yes && !question::confirmed(ground, &question, "--yes")? {
                terminal::say("nothing was allowed");
                return Ok(Exit::Error);
            }
        }
    }
    match look(ground, name, &server).await? {
        Looked::WantsSignIn => {
            terminal::say(&format!("{name} wants you to sign in: `hydroid mcp login {name}`"));
            Ok(Exit::Error)
        }
        Looked::Offers(about, pinned) => {
            if !asked(ground, name, &about, &pinned, before.as_ref(), yes)? {
                terminal::say("nothing was allowed");
                return Ok(Exit::Error);
            }
            keep(ground, name, server, &pinned, "mcp allow").await?;
            terminal::print_line(&format!("{name} is allowed as it is now"))?;
            Ok(Exit::Done)
        }
    }
}

/// Connects, and says what the server offers.
pub(super) async fn look(ground: &Ground, name: &str, server: &Server) -> Result<Looked> {
    let database = ground.database().await?;
    let candidate = Some((name.to_owned(), server.clone()));
    let client = servers::tools(ground, &database, Arc::new(Declines), candidate)?;
    match client.look_at(name, server).await {
        Ok((about, pinned)) => Ok(Looked::Offers(about, pinned)),
        Err(ConnectError::SignIn { .. }) if has_no_credential(server) => Ok(Looked::WantsSignIn),
        Err(error) => Err(error.into()),
    }
}

fn has_no_credential(server: &Server) -> bool {
    matches!(&server.place, Place::Http { secret: None, oauth: None, .. })
}

/// True if the person allows what is shown to them.
pub(super) fn asked(
    ground: &Ground,
    name: &str,
    about: &About,
    pinned: &Pinned,
    before: Option<&Pinned>,
    yes: bool,
) -> Result<bool> {
    terminal::say(&format!(
        "{name} says it is {} and speaks {}",
        harmless(&about.name),
        harmless(&about.version)
    ));
    match before {
        Some(before) => say_changes(name, before, pinned),
        None => pinned.tools.iter().for_each(|tool| terminal::say(&line(name, tool))),
    }
    if pinned.prompts || pinned.resources {
        terminal::say(
            "it also offers prompts or resources, which a model reads with tools of ours",
        );
    }
    let question = format!(
        "A model would be told this of {} tools, in the words of {name}, and be asked about each call unless a rule allows it. Allow?",
        pinned.tools.len()
    );
    Ok(yes || question::confirmed(ground, &question, "--yes")?)
}

/// What is another than before.
pub(super) fn say_changes(name: &str, before: &Pinned, now: &Pinned) {
    let find = |pinned: &Pinned, tool: &str| pinned.tools.iter().any(|its| its.name == tool);
    for tool in &now.tools {
        match before.tools.iter().find(|its| its.name == tool.name) {
            None => terminal::say(&format!("new      {}", line(name, tool))),
            Some(same) if same == tool => {}
            Some(other) => {
                terminal::say(&format!("changed  {}", line(name, tool)));
                if other.description != tool.description {
                    terminal::say(&format!("  was    {}", harmless(&other.description)));
                    terminal::say(&format!("  is     {}", harmless(&tool.description)));
                }
                if other.input_schema != tool.input_schema {
                    terminal::say(&format!("  took   {}", other.input_schema));
                    terminal::say(&format!("  takes  {}", tool.input_schema));
                }
            }
        }
    }
    for tool in before.tools.iter().filter(|tool| !find(now, &tool.name)) {
        terminal::say(&format!("gone     {}", line(name, tool)));
    }
    if (before.prompts, before.resources) != (now.prompts, now.resources) {
        terminal::say("changed  whether it offers prompts and resources");
    }
}

pub(super) fn line(name: &str, tool: &PinnedTool) -> String {
    let about = harmless(&tool.description).replace('\n', " ");
    let about: String = about.chars().take(SHOWN).collect();
    format!("{}  {about}", tool_name(name, &tool.name))
}

/// Writes that a server is allowed as it is.
pub(super) async fn keep(
    ground: &Ground,
    name: &str,
    mut server: Server,
    pinned: &Pinned,
    command: &str,
) -> Result<()> {
    server.tools = pinned.digest();
    let what = format!("{} with {} tools, {}", place_of(&server), pinned.tools.len(), server.tools);
    audit(ground, deed(name, &what, command)).await?;
    // The tools first: a server whose tools are not those of its digest is not offered.
    keep_pinned(&ground.paths, name, pinned)?;
    let mut book = read_book(&ground.paths)?;
    book.servers.insert(name.to_owned(), server);
    write_book(&ground.paths, &book)
}
