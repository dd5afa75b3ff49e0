//! `hydroid key`: publishers' keys and how far they are trusted, and keys of one's own. The secret
//! half of a key is sealed like any stored secret, under a name that no manifest can have.

use crate::args::{Key as Command, Level};
use crate::audited::{Deed, audit};
use crate::commands::secret;
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::paths::replace_private;
use crate::registry::Index;
use crate::terminal::{self, table};
use crate::wire::{Ground, read_keys, read_lock};
use anyhow::{Context, Result, anyhow, bail};
use hydroid_core::audit::AuditAction;
use hydroid_core::config::{did_you_mean, is_name};
use hydroid_core::harmless::exact;
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::Manifest;
use hydroid_core::ports::Secrets;
use hydroid_wasm::component::embedded_manifest;
use hydroid_wasm::shipping::{KeyLevel, Keys, PublicKey, SecretKey, Signature, Statement, Trusted};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Before the name of a key, where its secret half is stored. A `:` is in no name of a secret that
/// a manifest or a person could write.
const SEALED: &str = "signing:";

/// Runs the command.
pub(crate) async fn run(
    command: Command,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let ground = Ground::lay_to_look(environment, settings)?;
    match command {
        Command::Create { name } => create(&ground, &name).await,
        Command::List { json } => list(&ground, json),
        Command::Trust { key, name, level } => {
            let level = match level {
                Level::Trusted => KeyLevel::Trusted,
                Level::Known => KeyLevel::Known,
            };
            trust(&ground, &key, name.as_deref(), level).await
        }
        Command::Distrust { key } => distrust(&ground, &key).await,
        Command::Sign { file, key } => sign(&ground, &file, key.as_deref()),
    }
}

async fn create(ground: &Ground, name: &str) -> Result<Exit> {
    check_name(name)?;
    let mut keys = read_keys(&ground.paths.keys_file())?;
    if keys.keys.contains_key(name) || has(ground, name)? {
        return Err(usage(format!(
            "`{name}` is the name of a key already; `hydroid key list` shows which"
        )));
    }
    let secret = SecretKey::generate()
        .map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
    let key = secret.public().to_string();
    audit(ground, deed(format!("create {name} {key}"), "key create")).await?;
    secret::store(ground, vec![(format!("{SEALED}{name}"), secret.stored())], "create").await?;
    keys.keys.insert(name.to_owned(), Trusted { key: key.clone(), level: KeyLevel::Trusted });
    write(ground, &keys)?;
    terminal::print_line(&format!("{name} is {key}"))?;
    terminal::say(&format!(
        "whoever is to install what you sign runs: hydroid key trust {key} --name {name}"
    ));
    Ok(Exit::Done)
}

fn list(ground: &Ground, as_json: bool) -> Result<Exit> {
    let keys = read_keys(&ground.paths.keys_file())?;
    let own = |name: &str| has(ground, name).unwrap_or(false);
    if as_json {
        let rows = keys.keys.iter().map(|(name, trusted)| {
            json!({
                "name": name,
                "key": trusted.key,
                "level": trusted.level.id(),
                "own": own(name),
            })
        });
        terminal::print_json(&rows.collect())?;
        return Ok(Exit::Done);
    }
    let head = ["NAME", "LEVEL", "YOURS", "KEY"].map(str::to_owned).to_vec();
    let rows = keys.keys.iter().map(|(name, trusted)| {
        let yours = if own(name) { "yes" } else { "no" };
        vec![exact(name), trusted.level.id().to_owned(), yours.to_owned(), trusted.key.clone()]
    });
    terminal::print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}

async fn trust(
    ground: &Ground,
    typed: &str,
    called: Option<&str>,
    level: KeyLevel,
) -> Result<Exit> {
    let mut keys = read_keys(&ground.paths.keys_file())?;
    let name = match (find(&keys, typed), called) {
        (Some(name), None) => name,
        (Some(name), Some(called)) => {
            return Err(usage(format!("that key is called `{name}` already, not `{called}`")));
        }
        (None, called) => {
            let key: PublicKey = typed.parse().map_err(|error| unknown(&keys, typed, &error))?;
            let called = called.ok_or_else(|| {
                usage("you do not know this key yet; say what to call it: `--name NAME`")
            })?;
            check_name(called)?;
            if keys.keys.contains_key(called) {
                return Err(usage(format!("`{called}` is the name of another key already")));
            }
            keys.keys.insert(called.to_owned(), Trusted { key: key.to_string(), level });
            called.to_owned()
        }
    };
    let Some(trusted) = keys.keys.get_mut(&name) else { bail!("`{name}` is no key") };
    trusted.level = level;
    let key = trusted.key.clone();
    audit(ground, deed(format!("{} {name} {key}", level.id()), "key trust")).await?;
    write(ground, &keys)?;
    terminal::print_line(&format!("{name} is {}: {key}", level.id()))?;
    Ok(Exit::Done)
}

async fn distrust(ground: &Ground, typed: &str) -> Result<Exit> {
    let mut keys = read_keys(&ground.paths.keys_file())?;
    let name = match find(&keys, typed) {
        Some(name) => name,
        None => {
            let key: PublicKey = typed.parse().map_err(|error| unknown(&keys, typed, &error))?;
            // Its name is the beginning of its digits: a person who distrusts it has none for it.
            let digits: String = key
                .to_string()
                .chars()
                .skip(8)
                .filter(char::is_ascii_alphanumeric)
                .take(8)
                .collect();
            let name = format!("distrusted-{digits}");
            let trusted = Trusted { key: key.to_string(), level: KeyLevel::Distrusted };
            keys.keys.insert(name.clone(), trusted);
            name
        }
    };
    let Some(trusted) = keys.keys.get_mut(&name) else { bail!("`{name}` is no key") };
    trusted.level = KeyLevel::Distrusted;
    let key = trusted.key.clone();
    audit(ground, deed(format!("distrust {name} {key}"), "key distrust")).await?;
    write(ground, &keys)?;
    terminal::print_line(&format!("{name} is distrusted: {key}"))?;
    let lock = read_lock(&ground.paths.lock_file())?;
    for (component, _) in
        lock.components.iter().filter(|(_, locked)| locked.key.as_ref() == Some(&key))
    {
        terminal::say(&format!(
            "`{component}` was signed by it and is not used any more; `hydroid component remove {component}` removes it"
        ));
    }
    Ok(Exit::Done)
}

fn sign(ground: &Ground, file: &Path, name: Option<&str>) -> Result<Exit> {
    let bytes = super::component::read(file)?;
    let secret = own(ground, name, "")?;
    let (statement, what) = if bytes.starts_with(b"\0asm") {
        let manifest = match embedded_manifest(&bytes)? {
            Some(manifest) => manifest,
            None => Manifest::bare(ComponentId::new(super::component::stem(file)?)),
        };
        let what = format!("{} {}", manifest.name, manifest.version);
        (Statement::of(&bytes, &manifest), what)
    } else {
        let text = std::str::from_utf8(&bytes).ok();
        let index = text.and_then(|text| Index::parse(text).ok()).with_context(|| {
            format!("`{}` is neither a component nor an index of components", file.display())
        })?;
        let what = format!("an index of {} components", index.components.len());
        (Statement::of_index(&bytes), what)
    };
    let signature = secret.sign(&statement);
    let place = beside_name(file);
    let text = format!("{}\n", signature.to_json());
    std::fs::write(&place, text)
        .with_context(|| format!("the signature `{}` cannot be written", place.display()))?;
    terminal::print_line(&format!("{what} is signed by {}: {}", signature.key, place.display()))?;
    Ok(Exit::Done)
}

/// The signature beside a file, if there is one.
pub(super) fn beside(file: &Path) -> Result<Option<Signature>> {
    let place = beside_name(file);
    let Some(text) = crate::load::read_text(&place)? else { return Ok(None) };
    text.parse().map(Some).with_context(|| format!("in `{}`", place.display()))
}

fn beside_name(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// A key of the person's own: the one that is named, or the only one. `without` is the flag that
/// does without.
pub(super) fn own(ground: &Ground, name: Option<&str>, without: &str) -> Result<SecretKey> {
    let stored = ground.secrets.sealed().values();
    let names: Vec<&str> = stored.keys().filter_map(|name| name.strip_prefix(SEALED)).collect();
    let name = match (name, names.as_slice()) {
        (Some(name), _) if names.contains(&name) => name,
        (Some(name), _) => {
            let hint = did_you_mean(name, names.iter().copied());
            return Err(usage(format!(
                "you have no key called `{name}` to sign with{hint}; `hydroid key create {name}` makes one"
            )));
        }
        (None, [name]) => name,
        (None, []) => {
            let or =
                if without.is_empty() { String::new() } else { format!(", or add `{without}`") };
            return Err(usage(format!(
                "you have no key to sign with; `hydroid key create NAME` makes one{or}"
            )));
        }
        (None, several) => {
            return Err(usage(format!(
                "you have several keys ({}); say which signs: `--key NAME`",
                several.join(", ")
            )));
        }
    };
    let value = ground
        .secrets
        .value(&ground.user(), &format!("{SEALED}{name}"))
        .with_context(|| format!("the secret half of `{name}` cannot be read"))?;
    value
        .as_ref()
        .and_then(SecretKey::from_stored)
        .ok_or_else(|| anyhow!("the secret half of `{name}` is damaged; make another key"))
}

fn has(ground: &Ground, name: &str) -> Result<bool> {
    Ok(ground.secrets.sealed().values().contains_key(&format!("{SEALED}{name}")))
}

/// The name of a key that was typed as itself or by its name.
fn find(keys: &Keys, typed: &str) -> Option<String> {
    if keys.keys.contains_key(typed) {
        return Some(typed.to_owned());
    }
    keys.of(typed).map(|(name, _)| name.to_owned())
}

fn unknown(keys: &Keys, typed: &str, error: &dyn std::error::Error) -> anyhow::Error {
    let hint = did_you_mean(typed, keys.keys.keys().map(String::as_str));
    usage(format!("`{}` is no key you know{hint}, and as a key of its own: {error}", exact(typed)))
}

fn check_name(name: &str) -> Result<()> {
    if !is_name(name) || name.contains('.') {
        return Err(usage(format!(
            "`{}` is no name for a key; one has letters, digits, `-` and `_`, begins with a letter or digit, and has at most 64 characters",
            exact(name)
        )));
    }
    Ok(())
}

fn write(ground: &Ground, keys: &Keys) -> Result<()> {
    replace_private(&ground.paths.keys_file(), keys.to_toml().as_bytes())
}

fn deed(resource: String, command: &'static str) -> Deed<'static> {
    Deed { action: AuditAction::ConfigChanged, resource, component: None, digest: None, command }
}
