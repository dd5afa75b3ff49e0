//! `hydroid skill`: the instructions a person keeps. A skill is copied into the configuration, where
//! no component reaches it, after its text was shown to whoever keeps it.

use crate::args::Skill as Command;
use crate::audited::{Deed, audit};
use crate::commands::component::question;
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::paths::private_directory;
use crate::skills::read_folder;
use crate::terminal::{self, table};
use crate::wire::Ground;
use anyhow::{Context, Result, bail};
use hydroid_core::audit::AuditAction;
use hydroid_core::harmless::{exact, harmless};
use hydroid_core::injection::reads_like_orders;
use hydroid_core::message::Content;
use hydroid_core::ports::{FoundSkill, Skills};
use hydroid_core::skill::{self, Skill};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs the command.
pub(crate) async fn run(
    command: Command,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let ground = Ground::lay_to_look(environment, settings)?;
    match command {
        Command::List { json } => list(&ground, json),
        Command::Show { name } => show(&ground, &name),
        Command::Check { folder } => check(&ground, &folder),
        Command::Add { folder, yes } => add(&ground, &folder, yes).await,
        Command::Remove { name, yes } => remove(&ground, &name, yes).await,
        Command::New { name } => new(&ground, &name).await,
    }
}

fn list(ground: &Ground, as_json: bool) -> Result<Exit> {
    let folders = ground.skills().folders()?;
    if as_json {
        let rows = folders.iter().map(|folder| match &folder.found {
            Ok(found) => json!({
                "name": folder.name,
                "description": found.skill.description,
                "version": found.skill.version,
                "loaded_by": loaded_by(ground, &found.skill),
                "digest": found.digest,
                "files": found.files,
            }),
            Err(problem) => json!({ "name": folder.name, "problem": problem }),
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
    let head = ["NAME", "LOADED BY", "FOR"].map(str::to_owned).to_vec();
    let rows = folders.iter().map(|folder| {
        let (by, what) = match &folder.found {
            Ok(found) => (loaded_by(ground, &found.skill), exact(&found.skill.description)),
            Err(problem) => ("-", format!("cannot be used: {}", exact(problem))),
        };
        vec![exact(&folder.name), by.to_owned(), what]
    });
    terminal::print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}

/// Who has it loaded.
fn loaded_by(ground: &Ground, skill: &Skill) -> &'static str {
    if ground.config.skills.always.contains(&skill.name) {
        "always"
    } else if skill.by_person_only {
        "nobody"
    } else {
        "model"
    }
}

fn show(ground: &Ground, name: &str) -> Result<Exit> {
    let skills = ground.skills();
    let found = skills.read(name)?;
    terminal::print(&portrait(ground, &found))?;
    terminal::print_line(&format!("folder       {}", skills.place(name).display()))?;
    terminal::print_line("")?;
    terminal::print_line(&harmless(&found.skill.text))?;
    Ok(Exit::Done)
}

/// What a person has to know of a skill.
fn portrait(ground: &Ground, found: &FoundSkill) -> String {
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
    lines.collect::<String>() + &warnings(ground, found)
}

/// What is odd about a skill.
fn warnings(ground: &Ground, found: &FoundSkill) -> String {
    let mut warnings = Vec::new();
    let skill = &found.skill;
    if reads_like_orders(&[Content::text(format!("{}\n{}", skill.description, skill.text))]) {
        warnings.push(
            "something in it reads like the orders of a stranger: read it as a whole".to_owned(),
        );
    }
    let (characters, most) = (skill.text.chars().count(), ground.config.skills.max_chars);
    if characters > most {
        warnings.push(format!(
            "its instructions have {characters} characters, and `skills.max_chars` is {most}: it cannot be loaded"
        ));
    }
    if harmless(&skill.text) != skill.text {
        warnings.push("it has characters that a terminal does not show as they are".to_owned());
    }
    warnings.iter().map(|warning| format!("WARNING      {warning}\n")).collect()
}

fn check(ground: &Ground, typed: &Path) -> Result<Exit> {
    let found = read_folder(&folder_of(typed)?, None)
        .with_context(|| format!("`{}` is no skill that can be used", typed.display()))?;
    terminal::print(&portrait(ground, &found))?;
    let fits = found.skill.text.chars().count() <= ground.config.skills.max_chars;
    Ok(if fits { Exit::Done } else { Exit::Error })
}

/// The folder that is meant.
fn folder_of(typed: &Path) -> Result<PathBuf> {
    if typed.is_dir() {
        return Ok(typed.to_owned());
    }
    let is_file = typed.file_name().is_some_and(|name| name == skill::FILE) && typed.is_file();
    let folder = typed.parent().filter(|_| is_file);
    let folder = folder.ok_or_else(|| {
        usage(format!("`{}` is neither a folder nor a `{}`", typed.display(), skill::FILE))
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
    if place.exists() && same_place(&place, &folder) {
        bail!("`{}` is where the skill `{name}` is kept already", folder.display());
    }
    terminal::print(&portrait(ground, &found))?;
    terminal::print_line("")?;
    match fs::read_to_string(place.join(skill::FILE)) {
        Ok(old) => {
            let new = fs::read_to_string(folder.join(skill::FILE))?;
            let difference = similar::TextDiff::from_lines(&old, &new);
            let difference = difference.unified_diff().header("kept", "new").to_string();
            let difference = if difference.is_empty() {
                format!("its `{}` is the one that is kept\n", skill::FILE)
            } else {
                difference
            };
            terminal::print(&harmless(&difference))?;
        }
        Err(_) => terminal::print_line(&harmless(&found.skill.text))?,
    }
    let question = if place.exists() {
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

fn same_place(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

/// Copies a folder: a reader sees the old skill or the new one.
fn keep(folder: &Path, found: &FoundSkill, place: &Path) -> Result<()> {
    let directory = place.parent().context("a skill is in a directory")?;
    private_directory(directory)?;
    let own = std::process::id();
    let partial = directory.join(format!(".{}.{own}.partial", found.skill.name));
    let old = directory.join(format!(".{}.{own}.old", found.skill.name));
    let copy = || -> Result<()> {
        for file in found.files.iter().map(String::as_str).chain([skill::FILE]) {
            let to = partial.join(file);
            private_directory(to.parent().unwrap_or(&partial))?;
            fs::write(&to, fs::read(folder.join(file))?)?;
        }
        // What is kept is what was shown.
        let copied = read_folder(&partial, Some(&found.skill.name))?;
        if copied.digest != found.digest {
            bail!("`{}` changed meanwhile; nothing was kept", folder.display());
        }
        if place.exists() {
            fs::rename(place, &old)?;
        }
        fs::rename(&partial, place)?;
        Ok(())
    };
    let copied = copy().with_context(|| format!("`{}` cannot be kept", folder.display()));
    drop(fs::remove_dir_all(&partial));
    if copied.is_err() && old.exists() && !place.exists() {
        drop(fs::rename(&old, place));
    }
    drop(gone(&old));
    copied
}

/// Removes a folder, or the link that stands for one.
fn gone(place: &Path) -> std::io::Result<()> {
    if fs::symlink_metadata(place)?.is_symlink() {
        return fs::remove_file(place);
    }
    fs::remove_dir_all(place)
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
    Ok(Exit::Done)
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
        "---\nname: {name}\ndescription: Say here what it does and when it is to be used; a model reads nothing else before it loads it.\n---\n\n# {name}\n\nWrite here what is to be done, step by step. Longer texts go into files beside this one, named here, so that they are read when they are needed.\n"
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
