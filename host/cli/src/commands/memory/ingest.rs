//! `hydroid memory ingest` and `watch`: files and directories, taken in as they are, and again
//! when they change. A file that cannot be read is said and left out; the others are taken in.

use crate::documents;
use crate::exit::Exit;
use crate::terminal;
use crate::wire::{Ground, SystemClock};
use anyhow::{Context, Result, bail};
use hydroid_core::harmless::harmless;
use hydroid_core::ports::{Clock, Parsers, Scope};
use hydroid_memory::{Database, Memory, NewFile, Taken};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What became of files.
#[derive(Default)]
struct Tally {
    new: u64,
    changed: u64,
    same: u64,
    refused: u64,
    chunks: u64,
}

/// Takes files and directories in.
pub(super) async fn run(
    ground: &Ground,
    database: &Database,
    paths: &[PathBuf],
    project: Option<&str>,
) -> Result<Exit> {
    let scope = scope(project)?;
    let parsers = ground.parsers(database)?;
    let mut tally = Tally::default();
    for path in paths {
        for file in documents::below(&absolute(path)?)? {
            take(ground, (database, &*parsers), &file, &scope, &mut tally).await?;
        }
    }
    terminal::print_line(&format!(
        "{} new, {} changed, {} as they were, {} left out: {} chunks",
        tally.new, tally.changed, tally.same, tally.refused, tally.chunks
    ))?;
    embed(ground, &ground.memory(database)?).await?;
    if tally.refused > 0 && tally.new + tally.changed + tally.same == 0 {
        bail!("nothing could be taken in");
    }
    Ok(Exit::Done)
}

/// Takes a directory in, and what changes in it, until it is interrupted.
pub(super) async fn watch(
    ground: &Ground,
    database: &Database,
    directory: &Path,
    project: Option<&str>,
    every: u64,
) -> Result<Exit> {
    let directory = absolute(directory)?;
    if !directory.is_dir() {
        bail!("`{}` is no directory; `hydroid memory ingest` takes a file", directory.display());
    }
    let scope = scope(project)?;
    let memory = ground.memory(database)?;
    let parsers = ground.parsers(database)?;
    let mut seen: BTreeMap<PathBuf, (SystemTime, u64)> = BTreeMap::new();
    terminal::say(&format!("watching `{}`; Ctrl-C ends", directory.display()));
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    loop {
        let mut tally = Tally::default();
        let found = documents::below(&directory)?;
        for file in &found {
            let Ok(about) = std::fs::metadata(file) else { continue };
            let now = (about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len());
            if seen.insert(file.clone(), now) != Some(now) {
                take(ground, (database, &*parsers), file, &scope, &mut tally).await?;
            }
        }
        let found: BTreeSet<PathBuf> = found.into_iter().collect();
        let gone: Vec<PathBuf> =
            seen.keys().filter(|file| !found.contains(*file)).cloned().collect();
        for file in gone {
            seen.remove(&file);
            let shown = known_as(ground, &file)?;
            database.forget_files(&ground.user(), &shown).await?;
            terminal::print_line(&format!("forgot {}", harmless(&shown)))?;
        }
        if tally.new + tally.changed > 0 {
            let (new, changed, chunks) = (tally.new, tally.changed, tally.chunks);
            terminal::print_line(&format!("{new} new, {changed} changed: {chunks} chunks"))?;
            embed(ground, &memory).await?;
        }
        tokio::select! {
            ended = &mut interrupted => {
                ended?;
                return Ok(Exit::Done);
            }
            () = tokio::time::sleep(Duration::from_secs(every.max(1))) => {}
        }
    }
}

/// Gives what was taken in its vectors, and says how far it is to whoever watches.
pub(super) async fn embed(ground: &Ground, memory: &Memory) -> Result<()> {
    if memory.embedder().is_none() {
        return Ok(());
    }
    let interactive = ground.terminal.interactive;
    let mut told = 0;
    let user = ground.user();
    let progress = memory.embed_all(&user, |progress| {
        let hundredth = progress.done * 100 / progress.total.max(1);
        if interactive && hundredth >= told + 10 {
            told = hundredth;
            terminal::say(&format!("{} of {} chunks have vectors", progress.done, progress.total));
        }
    });
    match progress.await {
        Ok(progress) => terminal::print_line(&format!(
            "{} of {} chunks have vectors",
            progress.done, progress.total
        ))?,
        Err(problem) => terminal::say(&format!(
            "vectors are still missing, words find it meanwhile: {}",
            harmless(&problem)
        )),
    }
    Ok(())
}

async fn take(
    ground: &Ground,
    (database, parsers): (&Database, &dyn Parsers),
    path: &Path,
    scope: &Scope,
    tally: &mut Tally,
) -> Result<()> {
    let read = match documents::read(path, parsers).await {
        Ok(read) => read,
        Err(problem) => {
            tally.refused += 1;
            let shown = path.to_string_lossy();
            terminal::say(&format!("left out `{}`: {problem}", harmless(&shown)));
            return Ok(());
        }
    };
    let file = NewFile {
        path: known_as(ground, path)?,
        scope: scope.clone(),
        text: read.text,
        digest: read.digest,
        bytes: read.bytes,
        modified_ms: read.modified_ms,
    };
    match database.take_file(&ground.user(), file, SystemClock.now_ms()).await? {
        Taken::New { chunks } => {
            tally.new += 1;
            tally.chunks += chunks;
        }
        Taken::Changed { chunks } => {
            tally.changed += 1;
            tally.chunks += chunks;
        }
        Taken::Same => tally.same += 1,
    }
    Ok(())
}

/// The name a file is known by: as components see it if they do, else where it is.
pub(super) fn known_as(ground: &Ground, path: &Path) -> Result<String> {
    let path = absolute(path)?;
    let text = path
        .to_str()
        .with_context(|| format!("`{}` is not UTF-8; rename the file", path.display()))?;
    let shared = absolute(&ground.loaded.workspace.join("shared"))?;
    Ok(match path.strip_prefix(&shared) {
        Ok(inside) => Path::new("/shared").join(inside).to_string_lossy().into_owned(),
        Err(_) => text.to_owned(),
    })
}

/// A path without links and dots as far as it exists.
fn absolute(path: &Path) -> Result<PathBuf> {
    match std::fs::canonicalize(path) {
        Ok(path) => Ok(path),
        Err(_) => {
            std::path::absolute(path).with_context(|| format!("`{}` is no path", path.display()))
        }
    }
}

fn scope(project: Option<&str>) -> Result<Scope> {
    match project {
        None => Ok(Scope::User),
        Some(name) => Ok(Scope::read(&format!("project:{name}"))?),
    }
}
