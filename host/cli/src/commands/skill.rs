//! `hydroid skill`: the instructions a person keeps. A skill is copied into the configuration, where
//! no component reaches it, after its text was shown to whoever keeps it.

use crate::args::Skill as Command;
use crate::audited::{Deed, audit};
use crate::commands::component::question;
use crate::commands::session::change::done;
use crate::conversation::find_session;
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::paths::private_directory;
use crate::skills::{Folder, LARGEST_SKILL, inside, open, read_below, read_folder};
use crate::terminal::{self, table};
use crate::wire::Ground;
use anyhow::{Context, Result, bail};
use hydroid_core::audit::AuditAction;
use hydroid_core::entry::Entry;
use hydroid_core::harmless::{exact, harmless};
use hydroid_core::injection::reads_like_orders;
use hydroid_core::message::Content;
use hydroid_core::ports::{FoundSkill, Journal as _, Skills};
use hydroid_core::protocol::{Reply, Request};
use hydroid_core::skill::{self, Skill};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Runs the command.
pub(crate) async fn run(
    command: Command,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let ground = Ground::lay_to_look(Arc::clone(&environment), settings)?;
    match command {
        Command::List { session, json } => list(&ground, session, json).await,
        Command::Show { name, json } => show(&ground, &name, json),
        Command::Load { name, session } => {
            let session = find_session(&ground.database().await?, &ground.user(), &session).await?;
            let request = Request::LoadSkill { session, skill: name.clone() };
            let reply = done(&ground, environment, settings, request).await?;
            if let Reply::SkillLoaded { notices, .. } = reply {
                notices.iter().for_each(|notice| terminal::say(&harmless(notice)));
            }
            terminal::say(&format!("`{}` is loaded", exact(&name)));
            Ok(Exit::Done)
        }
        Command::Unload { name, session } => {
            let session = find_session(&ground.database().await?, &ground.user(), &session).await?;
            let request = Request::UnloadSkill { session, skill: name.clone() };
            done(&ground, environment, settings, request).await?;
            terminal::say(&format!("`{}` is unloaded", exact(&name)));
            Ok(Exit::Done)
        }
        Command::Check { folder } => check(&ground, &folder),
        Command::Add { folder, yes } => add(&ground, &folder, yes).await,
        Command::Remove { name, yes } => remove(&ground, &name, yes).await,
        Command::New { name } => new(&ground, &name).await,
    }
}

async fn list(ground: &Ground, session: Option<String>, as_json: bool) -> Result<Exit> {
    let mut folders = ground.skills().folders()?;
    let loaded = match session {
        Some(session) => Some(loaded_in(ground, &session).await?),
        None => None,
    };
    let has = |name: &str| loaded.as_ref().map(|loaded| loaded.contains(name));
    let kept: BTreeSet<String> = folders.iter().map(|folder| folder.name.clone()).collect();
    folders.extend(loaded.iter().flatten().filter(|name| !kept.contains(*name)).map(|name| {
        let found = Err("it is no longer there; the session has what it loaded".to_owned());
        Folder { name: name.clone(), found }
    }));
    if as_json {
        let rows = folders.iter().map(|folder| match &folder.found {
            Ok(found) => json!({
                "name": folder.name,
                "description": found.skill.description,
                "version": found.skill.version,
                "loaded_by": loaded_by(ground, &found.skill),
                "digest": found.digest,
                "files": found.files,
                "problem": ground.config.skills.too_long(&found.skill.text),
                "loaded": has(&folder.name),
            }),
            Err(problem) => {
                json!({ "name": folder.name, "problem": problem, "loaded": has(&folder.name) })
            }
        });
        terminal::print_json(&rows.collect())?;
        return Ok(Exit::Done);
    }
    if folders.is_empty() {
        terminal::say(
            "there are no skills; `hydroid skill new NAME` makes one, `hydroid skill add FOLDER` keeps one you have",
        );
        return Ok(Exit::Done);
    }
    let head = match loaded {
        Some(_) => vec!["NAME", "LOADED", "MAY LOAD", "FOR"],
        None => vec!["NAME", "MAY LOAD", "FOR"],
    };
    let head: Vec<String> = head.into_iter().map(str::to_owned).collect();
    let rows = folders.iter().map(|folder| {
        let (by, what) = match &folder.found {
            Ok(found) => match ground.config.skills.too_long(&found.skill.text) {
                Some(problem) => ("-", format!("cannot be loaded: {problem}")),
                None => (loaded_by(ground, &found.skill), exact(&found.skill.description)),
            },
            Err(problem) if has(&folder.name) == Some(true) => ("-", exact(problem)),
            Err(problem) => ("-", format!("cannot be used: {}", exact(problem))),
        };
        let is_loaded = has(&folder.name).map(|has| if has { "yes" } else { "no" }.to_owned());
        [exact(&folder.name)].into_iter().chain(is_loaded).chain([by.to_owned(), what]).collect()
    });
    terminal::print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}

/// Names of the skills a session has loaded.
async fn loaded_in(ground: &Ground, session: &str) -> Result<BTreeSet<String>> {
    let database = ground.database().await?;
    let session = find_session(&database, &ground.user(), session).await?;
    let stored = database.entries(&ground.user(), &session, 0).await?;
    let entries: Vec<Entry> = stored.into_iter().map(|stored| stored.entry).collect();
    Ok(skill::loaded(&entries).into_iter().map(|skill| skill.name.clone()).collect())
}

/// Who has it loaded.
fn loaded_by(ground: &Ground, skill: &Skill) -> &'static str {
    if ground.config.skills.always.contains(&skill.name) {
        "always"
    } else if skill.by_person_only {
        "person"
    } else {
        "model"
    }
}

fn show(ground: &Ground, name: &str, as_json: bool) -> Result<Exit> {
    let skills = ground.skills();
    let found = skills.read(name)?;
    if as_json {
        let FoundSkill { skill, digest, files } = &found;
        terminal::print_json(&json!({
            "name": skill.name,
            "description": skill.description,
            "version": skill.version,
            "license": skill.license,
            "loaded_by": loaded_by(ground, skill),
            "digest": digest,
            "files": files,
            "names_tools": skill.tools,
            "needs": skill.needs,
            "problem": ground.config.skills.too_long(&skill.text),
            "folder": skills.place(name),
            "text": skill.text,
        }))?;
        return Ok(Exit::Done);
    }
    terminal::print(&portrait(ground, &found, &skills.place(name)))?;
    terminal::print_line(&format!("folder       {}", skills.place(name).display()))?;
    terminal::print_line("")?;
    terminal::print_line(&harmless(&found.skill.text))?;
    Ok(Exit::Done)
}

/// What a person has to know of a skill.
fn portrait(ground: &Ground, found: &FoundSkill, folder: &Path) -> String {
    let FoundSkill { skill, digest, files } = found;
    let characters = skill.text.chars().count();
    let mut lines = vec![
        ("skill", exact(&skill.name)),
        ("for", exact(&skill.description)),
        ("loaded by", loaded_by(ground, skill).to_owned()),
        ("instructions", format!("{characters} characters")),
        ("digest", digest.clone()),
    ];
    let optional = [("version", &skill.version), ("licence", &skill.license)];
    lines.extend(
        optional.into_iter().filter_map(|(label, value)| Some((label, exact(value.as_ref()?)))),
    );
    if !files.is_empty() {
        lines.push(("files", exact(&files.join(", "))));
    }
    if !skill.tools.is_empty() {
        lines
            .push(("names tools", format!("{}; that allows none", exact(&skill.tools.join(", ")))));
    }
    if !skill.needs.is_empty() {
        lines.push(("needs", format!("{}; it is given none", exact(&skill.needs.join(", ")))));
    }
    let lines = lines.iter().map(|(label, text)| format!("{label:<12} {text}\n"));
    lines.collect::<String>() + &warnings(ground, found, folder)
}

/// What is odd about a skill.
fn warnings(ground: &Ground, found: &FoundSkill, folder: &Path) -> String {
    let mut warnings = Vec::new();
    let skill = &found.skill;
    let odd = |what: &str, text: &str| {
        let mut odd = Vec::new();
        if reads_like_orders(&[Content::text(text)]) {
            odd.push(format!(
                "something in {what} reads like the orders of a stranger: read it as a whole"
            ));
        }
        if skill::cleaned(text) != text.replace("\r\n", "\n") {
            odd.push(format!("{what} has characters that cannot be seen"));
        }
        odd
    };
    warnings.extend(odd("it", &format!("{}\n{}", skill.description, skill.text)));
    let (dir, raw) = match open(folder).and_then(|dir| {
        let raw = read_below(&dir, skill::FILE, LARGEST_SKILL)?;
        Ok((dir, raw))
    }) {
        Ok(opened) => opened,
        Err(error) => return format!("WARNING      it cannot be read: {error:#}\n"),
    };
    let raw = String::from_utf8_lossy(&raw).replace("\r\n", "\n");
    if skill::cleaned(&raw) != raw {
        warnings.push(format!(
            "its `{}` has characters that cannot be seen; they are left out of what a model reads",
            skill::FILE
        ));
    }
    for file in &found.files {
        match read_below(&dir, file, LARGEST_SKILL).map(String::from_utf8) {
            Ok(Ok(text)) => warnings.extend(odd(&format!("`{}`", exact(file)), &text)),
            Ok(Err(_)) => warnings.push(format!("`{}` is no text: no model reads it", exact(file))),
            Err(error) => warnings.push(format!("`{}` cannot be read: {error:#}", exact(file))),
        }
    }
    if let Some(problem) = ground.config.skills.too_long(&skill.text) {
        warnings.push(format!("{problem}: it cannot be loaded"));
    }
    let left_out = inside(&dir).unwrap_or_default().left_out;
    if !left_out.is_empty() {
        warnings.push(format!("left out: {}", exact(&left_out.join(", "))));
    }
    warnings.iter().map(|warning| format!("WARNING      {warning}\n")).collect()
}

fn check(ground: &Ground, typed: &Path) -> Result<Exit> {
    let folder = folder_of(typed)?;
    let found = read_folder(&folder, None)
        .with_context(|| format!("`{}` is no skill that can be used", typed.display()))?;
    terminal::print(&portrait(ground, &found, &folder))?;
    let name = &found.skill.name;
    let called = fs::canonicalize(&folder)?;
    if called.file_name().is_none_or(|called| called.to_str() != Some(name)) {
        terminal::say(&format!(
            "the folder is not called `{name}`: `hydroid skill add` keeps it under that name, and laid into the configuration by hand it has to have it"
        ));
    }
    Ok(if ground.config.skills.too_long(&found.skill.text).is_none() {
        Exit::Done
    } else {
        Exit::Error
    })
}

/// The folder that is meant.
fn folder_of(typed: &Path) -> Result<PathBuf> {
    if typed.is_dir() {
        return Ok(typed.to_owned());
    }
    let is_file = typed.file_name().is_some_and(|name| name == skill::FILE) && typed.is_file();
    let folder = typed.parent().filter(|_| is_file);
    let folder = folder.ok_or_else(|| {
        usage(format!(
            "`{}` is neither a folder of this machine nor a `{}` in one; one that is kept is shown by `hydroid skill show NAME`",
            typed.display(),
            skill::FILE
        ))
    })?;
    Ok(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
}

async fn add(ground: &Ground, typed: &Path, yes: bool) -> Result<Exit> {
    let folder = folder_of(typed)?;
    let found = read_folder(&folder, None)
        .with_context(|| format!("`{}` is no skill that can be used", typed.display()))?;
    let skills = ground.skills();
    let name = found.skill.name.clone();
    let place = skills.place(&name);
    if let (Ok(kept), Ok(source)) = (fs::canonicalize(&place), fs::canonicalize(&folder))
        && source.starts_with(&kept)
    {
        bail!("`{}` is where the skill `{name}` is kept already", folder.display());
    }
    terminal::print(&portrait(ground, &found, &folder))?;
    terminal::print_line("")?;
    if fs::symlink_metadata(&place).is_ok() {
        let kept = read_folder(&place, Some(&name)).ok();
        if kept.is_some_and(|kept| kept.digest == found.digest) {
            terminal::say(&format!("`{name}` is kept already, file by file the same"));
            return Ok(Exit::Done);
        }
        terminal::print(&harmless(&differences(&place, &folder, &found)))?;
    } else {
        terminal::print_line(&harmless(&found.skill.text))?;
        if !found.files.is_empty() {
            terminal::say(&format!(
                "its other files are to be read in {}: what a model reads of them counts as yours",
                folder.display()
            ));
        }
    }
    let question = if fs::symlink_metadata(&place).is_ok() {
        format!("keep it in place of the skill `{name}` that is there?")
    } else {
        "keep it? A session's model follows it where it fits.".to_owned()
    };
    if !yes && !question::confirmed(ground, &question, "--yes")? {
        terminal::say("nothing was changed");
        return Ok(Exit::Cancelled);
    }
    audit(ground, deed(format!("add {name}"), Some(found.digest.clone()), "skill add")).await?;
    keep(&folder, &found, &place)?;
    terminal::print_line(&format!("{name} is kept in {}", place.display()))?;
    Ok(Exit::Done)
}

/// Most bytes of a file whose difference is shown.
const SHOWN: usize = 1 << 20;

/// What is kept, and what would be, file by file.
fn differences(kept: &Path, new: &Path, found: &FoundSkill) -> String {
    let bytes = |folder: &Path, file: &str| {
        open(folder).and_then(|dir| read_below(&dir, file, LARGEST_SKILL)).unwrap_or_default()
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok().filter(|text| text.len() <= SHOWN);
    let gone = read_folder(kept, Some(&found.skill.name)).map(|kept| kept.files);
    let files: std::collections::BTreeSet<String> = std::iter::once(skill::FILE.to_owned())
        .chain(found.files.iter().cloned())
        .chain(gone.unwrap_or_default())
        .collect();
    let mut all = String::new();
    for file in files {
        let (old, new) = (bytes(kept, &file), bytes(new, &file));
        if old == new {
            continue;
        }
        let (Some(old), Some(new)) = (text(old), text(new)) else {
            all.push_str(&format!(
                "kept/{file} and new/{file} differ, and are no text to be shown\n"
            ));
            continue;
        };
        let difference = similar::TextDiff::from_lines(&old, &new);
        let (before, after) = (format!("kept/{file}"), format!("new/{file}"));
        all.push_str(&difference.unified_diff().header(&before, &after).to_string());
    }
    all
}

/// Copies a folder: a reader sees the old skill or the new one, also if this is killed.
fn keep(folder: &Path, found: &FoundSkill, place: &Path) -> Result<()> {
    let directory = place.parent().context("a skill is in a directory")?;
    private_directory(directory)?;
    sweep(directory);
    // A name that nothing has, so that nothing is found in it.
    let partial = directory.join(format!(".{}{PARTIAL}", uuid::Uuid::now_v7()));
    fs::DirBuilder::new().mode(0o700).create(&partial)?;
    let from = open(folder)?;
    let copy = || -> Result<()> {
        for file in found.files.iter().map(String::as_str).chain([skill::FILE]) {
            let to = partial.join(file);
            private_directory(to.parent().unwrap_or(&partial))?;
            fs::write(&to, read_below(&from, file, LARGEST_SKILL)?)?;
        }
        // What is kept is what was shown.
        if read_folder(&partial, Some(&found.skill.name))?.digest != found.digest {
            bail!("`{}` changed meanwhile; nothing was kept", folder.display());
        }
        if fs::symlink_metadata(place).is_err() {
            return Ok(fs::rename(&partial, place)?);
        }
        // Both change places at once, so at no moment there is none.
        let swapped = rustix::fs::renameat_with(
            rustix::fs::CWD,
            &partial,
            rustix::fs::CWD,
            place,
            rustix::fs::RenameFlags::EXCHANGE,
        );
        swapped.context("the skill that is there could not be replaced")
    };
    let copied = copy().with_context(|| format!("`{}` cannot be kept", folder.display()));
    drop(gone(&partial));
    copied
}

/// How the name ends of what is not yet a skill.
const PARTIAL: &str = ".partial";

/// After so long nobody copies it any more.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Removes what was left by copying that was killed.
fn sweep(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let old = |about: fs::Metadata| {
            about.modified().is_ok_and(|at| at.elapsed().is_ok_and(|since| since > ABANDONED))
        };
        if name.starts_with('.') && name.ends_with(PARTIAL) && entry.metadata().is_ok_and(old) {
            drop(gone(&entry.path()));
        }
    }
}

/// Removes a folder, or whatever stands in its place.
fn gone(place: &Path) -> std::io::Result<()> {
    if fs::symlink_metadata(place)?.is_dir() {
        return fs::remove_dir_all(place);
    }
    fs::remove_file(place)
}

async fn remove(ground: &Ground, name: &str, yes: bool) -> Result<Exit> {
    let skills = ground.skills();
    let folders = skills.folders()?;
    if !folders.iter().any(|folder| folder.name == name) {
        // It says which there are.
        skills.read(name)?;
    }
    if !yes && !question::confirmed(ground, &format!("remove the skill `{name}`?"), "--yes")? {
        terminal::say("nothing was changed");
        return Ok(Exit::Cancelled);
    }
    audit(ground, deed(format!("remove {name}"), None, "skill remove")).await?;
    gone(&skills.place(name)).with_context(|| format!("the skill `{name}` cannot be removed"))?;
    terminal::print_line(&format!("{name} is removed"))?;
    if ground.config.skills.always.iter().any(|always| always == name) {
        terminal::say(&format!("`skills.always` still names `{name}`; {}", without(ground, name)));
    }
    Ok(Exit::Done)
}

/// The command that takes a skill out of those that are always loaded.
pub(crate) fn without(ground: &Ground, name: &str) -> String {
    let always = ground.config.skills.always.iter().filter(|always| *always != name);
    let always = serde_json::Value::from_iter(always.cloned());
    format!("take it out with `hydroid config set skills.always '{always}'`")
}

async fn new(ground: &Ground, name: &str) -> Result<Exit> {
    if !skill::is_name(name) {
        return Err(usage(format!(
            "`{name}` is no name of a skill; use lower case letters, digits and single `-`, at most 64"
        )));
    }
    let place = ground.skills().place(name);
    if place.exists() {
        return Err(usage(format!(
            "there is a skill `{name}` already: `hydroid skill show {name}`"
        )));
    }
    audit(ground, deed(format!("new {name}"), None, "skill new")).await?;
    private_directory(&place)?;
    let text = format!(
        "---\nname: \"{name}\"\ndescription: Say here what it does and when it is to be used; a model reads nothing else before it loads it.\n# No model loads it before you take this line out.\ndisable-model-invocation: true\n---\n\n# {name}\n\nWrite here what is to be done, step by step. Longer texts go into files beside this one, named here, so that they are read when they are needed.\n"
    );
    let path = place.join(skill::FILE);
    fs::write(&path, text).with_context(|| format!("`{}` cannot be written", path.display()))?;
    terminal::print_line(&format!("{}", path.display()))?;
    terminal::say(&format!(
        "write what it is for and what is to be done, then: hydroid skill check {}",
        place.display()
    ));
    Ok(Exit::Done)
}

fn deed<'a>(resource: String, digest: Option<String>, command: &'a str) -> Deed<'a> {
    Deed { action: AuditAction::SkillChanged, resource, component: None, digest, command }
}
