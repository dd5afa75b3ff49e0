//! `hydroid component build`: one `.wasm` that is complete, with its manifest inside, and what it
//! asks for in words. It installs and grants nothing.

use super::toolchain::{self, BUILD};
use super::trial::{Bench, Terms};
use crate::exit::Exit;
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result};
use hydroid_core::capability::Profile;
use hydroid_core::manifest::Manifest;
use hydroid_wasm::authoring::finished;
use hydroid_wasm::check::{Class, Import};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Builds and says what was built.
pub(super) async fn build(ground: &Ground, folder: &Path) -> Result<Exit> {
    let path = make(folder)?;
    let wasm = super::portrait::read(&path)?;
    let size = size(wasm.len());
    let (catalog, _scratch) = Bench::new(ground).await?.catalog(None, &Terms::default())?;
    let examined = catalog
        .examine(wasm, "component")
        .with_context(|| format!("`{}` is not a component of this host", path.display()))?;
    terminal::print_line(&format!("{}: {size}, {}", path.display(), examined.role.with_article()))?;
    for line in imports(&examined.imports) {
        terminal::print_line(&format!("  {line}"))?;
    }
    for profile in unwanted(&examined.imports, &examined.manifest) {
        terminal::say(&format!(
            "what it imports needs [wants.{profile}] with a `reason` in manifest.toml; nothing can be granted that it does not want"
        ));
    }
    Ok(Exit::Done)
}

/// Profiles that would have to be in the manifest, the narrowest for each import.
fn unwanted(imports: &[Import], manifest: &Manifest) -> BTreeSet<Profile> {
    let needed = imports.iter().filter_map(|import| match &import.class {
        Class::Capability(profiles)
            if !profiles.iter().any(|profile| manifest.wants.contains_key(profile)) =>
        {
            profiles.first().copied()
        }
        _ => None,
    });
    needed.collect()
}

/// A size as people read it.
pub(super) fn size(bytes: usize) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

/// The complete component of a folder, in `build/`.
pub(super) fn make(folder: &Path) -> Result<PathBuf> {
    let manifest_path = folder.join("manifest.toml");
    let text = std::fs::read_to_string(&manifest_path)
        .with_context(|| format!("`{}` cannot be read", manifest_path.display()))?;
    let manifest =
        Manifest::parse(&text).with_context(|| format!("in `{}`", manifest_path.display()))?;
    let directory = folder.join(BUILD);
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("`{}` cannot be created", directory.display()))?;
    let made = toolchain::compile(folder, manifest.name.as_str())?;
    let wasm = finished(&made, &text).context("what the toolchain made cannot be finished")?;
    let path = built(folder, &manifest);
    let part = path.with_extension("part");
    std::fs::write(&part, wasm)
        .and_then(|()| std::fs::rename(&part, &path))
        .with_context(|| format!("`{}` cannot be written", path.display()))?;
    Ok(path)
}

/// Where the component of a folder is, once it is built.
pub(super) fn built(folder: &Path, manifest: &Manifest) -> PathBuf {
    folder.join(BUILD).join(format!("{}.wasm", manifest.name))
}

/// What it imports, with the profiles that give it.
pub(super) fn imports(imports: &[Import]) -> Vec<String> {
    let authority = imports.iter().filter_map(|import| match &import.class {
        Class::Capability(profiles) => {
            let profiles: Vec<&str> = profiles.iter().map(|profile| profile.id()).collect();
            Some(format!(
                "imports {} {{{}}}, which {} gives",
                import.full_name(),
                import.functions.join(", "),
                profiles.join(" or ")
            ))
        }
        Class::OtherTrack | Class::Unknown => {
            Some(format!("imports {}, which this host does not have", import.full_name()))
        }
        Class::Core | Class::Inert | Class::Noise => None,
    });
    let mut lines: Vec<String> = authority.collect();
    if lines.is_empty() {
        lines.push("imports nothing that needs a grant".to_owned());
    }
    lines
}
