//! `hydroid secret`: storing credentials, sealed. A value comes in from a prompt or from standard
//! input and goes out nowhere; what is shown are names, versions and times.

mod list;
mod typed;

use crate::args::Secret as Command;
use crate::audited::{Deed, audit};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::secrets::lock::Lock;
use crate::secrets::master_key::Kept;
use crate::secrets::{check_name, import, twice};
use crate::terminal;
use crate::wire::{Ground, SystemClock};
use anyhow::{Context, Result, anyhow, bail};
use hydroid_core::audit::AuditAction;
use hydroid_core::config::SecretSource;
use hydroid_core::ports::{Clock, SecretValue};
use hydroid_memory::{Database, SealError, StoredSecret};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

/// Runs the command.
pub(crate) async fn run(
    command: Command,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let ground = Ground::lay_to_look(environment, settings)?;
    match command {
        Command::Set { name, more } => set(&ground, &name, &more).await,
        Command::List { json } => list::list(&ground, json).await,
        Command::Remove { name, yes } => remove(&ground, &name, yes).await,
        Command::Rotate => rotate(&ground).await,
        Command::Import { file } => import(&ground, file).await,
    }
}

/// How a value came to be stored.
const SET: &str = "set";
const IMPORT: &str = "import";
/// By signing in.
pub(super) const LOGIN: &str = "login";

/// What a command is about to change. Every change passes through [`change`], and through nothing
/// else.
enum Change<'a> {
    Store { verb: &'static str, name: &'a str },
    Remove(&'a str),
    Rotate { secrets: u64, place: &'static str },
}

/// Leaves a record of a change, without any value, before it is made.
async fn change(ground: &Ground, change: &Change<'_>) -> Result<()> {
    let user = ground.user();
    let (resource, command) = match change {
        Change::Store { verb, name } => {
            tracing::info!(%user, secret = name, verb, "secret stored");
            let command = match *verb {
                IMPORT => "secret import",
                LOGIN => "provider login",
                _ => "secret set",
            };
            (format!("{verb} {name}"), command)
        }
        Change::Remove(name) => {
            tracing::info!(%user, secret = name, "secret removed");
            (format!("remove {name}"), "secret remove")
        }
        Change::Rotate { secrets, place } => {
            tracing::info!(%user, secrets, place, "secrets sealed under a new master key");
            ("rotate".to_owned(), "secret rotate")
        }
    };
    let action = AuditAction::SecretChanged;
    audit(ground, Deed { action, resource, component: None, digest: None, command }).await
}

async fn set(ground: &Ground, name: &str, more: &[OsString]) -> Result<Exit> {
    check_name(name).map_err(usage)?;
    if !more.is_empty() {
        return Err(usage(format!(
            "a value is never an argument, since other programs and your shell's history see those; type it after `hydroid secret set {name}`, or pipe it in. If what you typed was one, replace it where it is from. Options stand before the name"
        )));
    }
    not_configured(ground, name)?;
    let value = typed::value(name)?;
    keep(ground, name, value).await?;
    Ok(Exit::Done)
}

/// Stores a value that came in some way.
pub(crate) async fn keep(ground: &Ground, name: &str, value: SecretValue) -> Result<()> {
    check_name(name).map_err(usage)?;
    not_configured(ground, name)?;
    for stored in store(ground, vec![(name.to_owned(), value)], SET).await? {
        terminal::print_line(&format!("{} is set, version {}", stored.name, stored.version))?;
    }
    Ok(())
}

async fn remove(ground: &Ground, name: &str, yes: bool) -> Result<Exit> {
    check_name(name).map_err(usage)?;
    if !yes && !typed::confirmed(ground, &format!("remove the stored secret `{name}`?"))? {
        terminal::say("nothing was removed");
        return Ok(Exit::Error);
    }
    let _lock = Lock::take(&ground.paths.secrets_lock(&ground.user()))?;
    let database = ground.database().await?;
    let stored = database.stored_secrets(&ground.user()).await?;
    if !stored.iter().any(|stored| stored.name == name) {
        match ground.secrets.source(name).filter(|source| source.names_a_value()) {
            Some(_) => bail!(
                "`{name}` is not stored, it comes from the configuration; take `secrets.{name}` out of it"
            ),
            None => bail!("no secret `{name}` is stored; `hydroid secret list` shows what is"),
        }
    }
    change(ground, &Change::Remove(name)).await?;
    database.remove_secret(&ground.user(), name).await?;
    terminal::print_line(&format!("{name} is removed"))?;
    Ok(Exit::Done)
}

/// The new key is kept first, the old one forgotten last, and in between everything is sealed anew
/// in one transaction: wherever this stops, the key that the store names is there.
async fn rotate(ground: &Ground) -> Result<Exit> {
    let user = ground.user();
    let _lock = Lock::take(&ground.paths.secrets_lock(&ground.user()))?;
    let database = ground.database().await?;
    let needed = database.secrets_key(&user).await?.filter(|needed| needed.secrets > 0);
    let Some(needed) = needed else {
        terminal::say("no secrets are stored, so there is nothing to seal under a new key");
        return Ok(Exit::Done);
    };
    let old = ground.keys.find_anywhere(&needed).await.map_err(anyhow::Error::msg)?;
    let made = ground.keys.make_next(&old).await.map_err(anyhow::Error::msg)?;
    let new = made.kept;
    let place = new.place.recorded();
    change(ground, &Change::Rotate { secrets: needed.secrets, place }).await?;
    let resealed = database.reseal_secrets(&user, &old.key, &new.key, place).await?;
    if let Some(notice) = made.notice {
        terminal::say(&notice);
    }
    if resealed.durable {
        ground.keys.forget(&old, &new).await.map_err(anyhow::Error::msg)?;
    } else {
        terminal::say(
            "another process is reading, so the old master key is kept for now; the next `hydroid secret rotate` removes it",
        );
    }
    let secrets = if resealed.secrets == 1 { "1 secret is" } else { "all secrets are" };
    terminal::print_line(&format!("{secrets} sealed under a new master key in {}", new.place))?;
    Ok(Exit::Done)
}

async fn import(ground: &Ground, file: Option<PathBuf>) -> Result<Exit> {
    let text = typed::text(file.as_deref())?;
    let secrets = import::parse(&text).map_err(|problem| anyhow!("{problem}"))?;
    for (name, _) in &secrets {
        not_configured(ground, name)?;
    }
    for stored in store(ground, secrets, IMPORT).await? {
        let replaced = if stored.version > 1 { "replaced" } else { "imported" };
        terminal::print_line(&format!(
            "{} is {replaced}, version {}",
            stored.name, stored.version
        ))?;
    }
    Ok(Exit::Done)
}

/// Two places for one secret would be an error as soon as it is used.
pub(super) fn not_configured(ground: &Ground, name: &str) -> Result<()> {
    match ground.secrets.source(name).filter(|source: &&SecretSource| source.names_a_value()) {
        Some(source) => bail!("`{name}` would be in two places: {}", twice(name, source)),
        None => Ok(()),
    }
}

/// Seals values and keeps them.
pub(super) async fn store(
    ground: &Ground,
    secrets: Vec<(String, SecretValue)>,
    verb: &'static str,
) -> Result<Vec<StoredSecret>> {
    let _lock = Lock::take(&ground.paths.secrets_lock(&ground.user()))?;
    let database = ground.database().await?;
    let kept = key(ground, &database).await?;
    for (name, _) in &secrets {
        change(ground, &Change::Store { verb, name }).await?;
    }
    database
        .set_secrets(
            &ground.user(),
            &kept.key,
            kept.place.recorded(),
            secrets,
            SystemClock.now_ms(),
        )
        .await
        .map_err(|error: SealError| anyhow::Error::new(error))
        .context("nothing was stored")
}

/// The key that is in force, or the first one.
async fn key(ground: &Ground, database: &Database) -> Result<Kept> {
    let needed = database.secrets_key(&ground.user()).await?;
    if let Some(needed) = &needed {
        match ground.keys.find(needed).await {
            Ok(kept) => return Ok(kept),
            Err(problem) if needed.secrets > 0 => bail!("nothing was stored: {problem}"),
            // Nothing depends on the one that is missing.
            Err(_) => {}
        }
    }
    let made = ground.keys.make().await.map_err(anyhow::Error::msg)?;
    if let Some(notice) = made.notice {
        terminal::say(&notice);
    }
    Ok(made.kept)
}
