//! `hydroid backup`: copies of a user's sessions and memory, made while they are in use, and put
//! back. The configuration, grants and the key that secrets are sealed under are not in them.

use crate::args::Backup;
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::paths::{private_directory, replace_private};
use crate::terminal::{self, table};
use crate::wire::{Ground, SystemClock};
use crate::{moment, occupied};
use anyhow::{Context, Result, bail};
use hydroid_core::config::is_name;
use hydroid_core::harmless::harmless;
use hydroid_core::ports::Clock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is noted of a copy when it is made.
#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    created_ms: u64,
    schema: u32,
    bytes: u64,
    sha256: String,
    version: String,
}

/// Runs the command.
pub(crate) async fn run(
    command: Backup,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let ground = Ground::lay_to_look(environment, settings)?;
    match command {
        Backup::Create => {
            let name = create(&ground, "copy").await?;
            terminal::print_line(&name)?;
            Ok(Exit::Done)
        }
        Backup::List { json } => list(&ground, json),
        Backup::Verify { name } => {
            let noted = verify(&ground, &name).await?;
            terminal::print_line(&format!(
                "{name} is whole: {} bytes, schema {}",
                noted.bytes, noted.schema
            ))?;
            Ok(Exit::Done)
        }
        Backup::Restore { name, yes } => restore(&ground, &name, yes).await,
    }
}

fn directory(ground: &Ground) -> PathBuf {
    ground.paths.backups(&ground.user())
}

async fn create(ground: &Ground, kind: &str) -> Result<String> {
    let directory = directory(ground);
    private_directory(&directory)?;
    let database = ground.database().await?;
    if let Some(address) = database.service() {
        terminal::say(&format!(
            "sessions and memory are at `{address}` and not in this copy; the service makes copies of its own, and `hydroid memory export` writes your notes to a file"
        ));
    }
    let created_ms = SystemClock.now_ms();
    let day = moment::second(created_ms).replace([' ', ':'], "-");
    let name = (0..100)
        .map(
            |count| {
                if count == 0 { format!("{kind}-{day}") } else { format!("{kind}-{day}-{count}") }
            },
        )
        .find(|name| !file(&directory, name).exists())
        .context("too many copies were made in this second; try again")?;
    let path = file(&directory, &name);
    if let Err(error) = database.copy_to(&path).await {
        drop(fs::remove_file(&path));
        return Err(error.into());
    }
    private_file(&path)?;
    let noted = Noted {
        created_ms,
        schema: database.schema_version().await?,
        bytes: fs::metadata(&path)?.len(),
        sha256: digest(&path)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    replace_private(&note(&directory, &name), serde_json::to_string(&noted)?.as_bytes())?;
    Ok(name)
}

fn list(ground: &Ground, as_json: bool) -> Result<Exit> {
    let mut copies = Vec::new();
    if let Ok(entries) = fs::read_dir(directory(ground)) {
        for entry in entries {
            let path = entry?.path();
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
            if let (Some(name), true) = (name, path.extension().is_some_and(|end| end == "json"))
                && let Ok(noted) = noted(ground, &name)
            {
                copies.push((name, noted));
            }
        }
    }
    copies.sort_by(|a, b| (b.1.created_ms, &b.0).cmp(&(a.1.created_ms, &a.0)));
    if as_json {
        let row = |(name, noted): &(String, Noted)| serde_json::json!({ "name": name, "created_ms": noted.created_ms, "bytes": noted.bytes, "schema": noted.schema, "sha256": noted.sha256 });
        terminal::print_json(&copies.iter().map(row).collect())?;
    } else if copies.is_empty() {
        terminal::say("there are no copies yet; `hydroid backup create` makes one");
    } else {
        let head = ["NAME", "MADE (UTC)", "BYTES", "SCHEMA"].map(str::to_owned).to_vec();
        let rows = copies.iter().map(|(name, noted)| {
            vec![
                harmless(name),
                moment::minute(noted.created_ms),
                noted.bytes.to_string(),
                noted.schema.to_string(),
            ]
        });
        terminal::print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    }
    Ok(Exit::Done)
}

/// Compares a copy with what was noted, and reads another copy of it from end to end: opening a
/// file may change it.
async fn verify(ground: &Ground, name: &str) -> Result<Noted> {
    let directory = directory(ground);
    let noted = noted(ground, name)?;
    let path = file(&directory, name);
    let found = digest(&path)?;
    if found != noted.sha256 {
        bail!(
            "`{name}` is not what it was when it was made: its SHA-256 is {found} and {} was noted",
            noted.sha256
        );
    }
    let tried = directory.join(format!(".{name}.tried"));
    fs::copy(&path, &tried).with_context(|| format!("`{}` cannot be copied", path.display()))?;
    let verified = hydroid_memory::verify_copy(&tried).await;
    remove_database(&tried);
    verified?;
    Ok(noted)
}

async fn restore(ground: &Ground, name: &str, yes: bool) -> Result<Exit> {
    verify(ground, name).await?;
    if !yes {
        let question = format!(
            "this puts `{name}` in the place of the sessions and memory of `{}`",
            ground.user()
        );
        if !ground.terminal.interactive {
            return Err(usage(format!("{question}; add `--yes` to do it")));
        }
        terminal::say(&format!("{question}; type `restore` to do it"));
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        if line.trim() != "restore" {
            terminal::say("nothing was changed");
            return Ok(Exit::Done);
        }
    }
    if let Some(session) = occupied::any(&ground.paths, &ground.user())? {
        bail!(
            "session `{session}` is in use; end it first, since it would write over what is put back"
        );
    }
    let journal = ground.paths.journal(&ground.user());
    let before =
        if journal.exists() { Some(create(ground, "before-restore").await?) } else { None };
    let partial = journal.with_extension("partial");
    fs::copy(file(&directory(ground), name), &partial)
        .with_context(|| format!("`{}` cannot be written", partial.display()))?;
    private_file(&partial)?;
    File::open(&partial)?.sync_all()?;
    // The log beside the file belongs to what is replaced.
    for end in ["-wal", "-shm"] {
        let beside = PathBuf::from(format!("{}{end}", journal.display()));
        if beside.exists() {
            fs::remove_file(&beside)?;
        }
    }
    fs::rename(&partial, &journal)
        .with_context(|| format!("`{}` cannot be replaced", journal.display()))?;
    terminal::print_line(&match before {
        Some(before) => format!("`{name}` is put back; what was there is in `{before}`"),
        None => format!("`{name}` is put back"),
    })?;
    Ok(Exit::Done)
}

fn noted(ground: &Ground, name: &str) -> Result<Noted> {
    if !is_name(name) {
        return Err(usage("a copy is named as `hydroid backup list` shows it"));
    }
    let path = note(&directory(ground), name);
    let text = fs::read_to_string(&path)
        .with_context(|| format!("there is no copy `{name}`; `hydroid backup list` shows them"))?;
    serde_json::from_str(&text).with_context(|| format!("`{}` is damaged", path.display()))
}

fn file(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.db"))
}

fn note(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.json"))
}

fn digest(path: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path)
        .with_context(|| format!("the copy `{}` cannot be read", path.display()))?;
    std::io::copy(&mut file, &mut hash)?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn private_file(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o600))?)
}

fn remove_database(path: &Path) {
    for end in ["", "-wal", "-shm"] {
        drop(fs::remove_file(format!("{}{end}", path.display())));
    }
}
