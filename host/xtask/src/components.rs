//! `cargo xtask components`: compiles `components/` to WebAssembly and puts each manifest into
//! its component, so that one `.wasm` is complete. Not a check of the manifest: the host does
//! that, with the same messages an installing user gets.

use crate::cargo::{self, Artifact};
use crate::paths;
use anyhow::{Context, Result, bail};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_encoder::{ComponentSection, CustomSection};

/// What the components are compiled for.
const TARGET: &str = "wasm32-wasip2";

/// The custom section that holds the text of `manifest.toml`.
const SECTION: &str = "hydroid:manifest";

/// How a component begins: magic, version 13, layer 1. A core module has layer 0.
const PREAMBLE: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// Builds every component and returns the names of the first-party ones.
pub(crate) fn build() -> Result<Vec<String>> {
    ensure_target()?;
    let directory = paths::components();
    println!("building components ({TARGET}, release)");
    let artifacts = cargo::build(&directory, &["--workspace", "--release", "--target", TARGET])?;
    let sources = sources(&directory, &artifacts)?;
    let mut built = BTreeMap::new();
    for (folder, wasm) in &sources {
        let component = Component::read(folder, wasm)?;
        if let Some(other) = built.insert(component.name.clone(), component) {
            bail!(
                "two components are called `{}`, one of them in `{}`: rename one in its manifest.toml",
                other.name,
                folder.display()
            );
        }
    }
    let (tests, first_party): (Vec<_>, Vec<_>) = built.into_values().partition(|c| c.for_tests);
    write_all(&paths::built_components(), &first_party)?;
    write_all(&paths::built_test_components(), &tests)?;
    Ok(first_party.into_iter().map(|component| component.name).collect())
}

/// A component with its manifest inside.
#[derive(Debug)]
struct Component {
    name: String,
    for_tests: bool,
    bytes: Vec<u8>,
}

impl Component {
    fn read(folder: &Path, wasm: &Path) -> Result<Self> {
        let path = folder.join("manifest.toml");
        let manifest = fs::read_to_string(&path)
            .with_context(|| format!("cannot read the manifest `{}`", path.display()))?;
        let component =
            fs::read(wasm).with_context(|| format!("cannot read `{}`", wasm.display()))?;
        Ok(Self {
            name: name(&manifest).with_context(|| format!("in `{}`", path.display()))?,
            for_tests: folder_name(folder).starts_with("test-"),
            bytes: embed(component, &manifest)
                .with_context(|| format!("in `{}`", wasm.display()))?,
        })
    }
}

/// Pairs each component folder with what was built from it. A folder with only one half of a
/// component is a mistake that would otherwise show as a component that is not there.
fn sources(directory: &Path, artifacts: &[Artifact]) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let mut sources = BTreeMap::new();
    for artifact in artifacts.iter().filter(|artifact| artifact.package.starts_with(directory)) {
        let wasm = artifact.files.iter().find(|file| file.extension().is_some_and(|e| e == "wasm"));
        let Some(wasm) = wasm.filter(|_| artifact.kinds.iter().any(|kind| kind == "cdylib")) else {
            continue;
        };
        let folder = &artifact.package;
        if !folder.join("manifest.toml").is_file() {
            bail!(
                "the component in `{}` has no manifest.toml: write one with at least `name` and `version`, like that of a neighbour",
                folder.display()
            );
        }
        sources.insert(folder.clone(), wasm.clone());
    }
    let entries = fs::read_dir(directory)
        .with_context(|| format!("cannot list `{}`", directory.display()))?;
    for entry in entries {
        let folder =
            entry.with_context(|| format!("cannot list `{}`", directory.display()))?.path();
        if folder.join("manifest.toml").is_file() && !sources.contains_key(&folder) {
            bail!(
                "`{}` has a manifest.toml, but no component was built from it: its Cargo.toml needs `crate-type = [\"cdylib\"]`, and `members` in components/Cargo.toml must cover it",
                folder.display()
            );
        }
    }
    Ok(sources)
}

/// The manifest's name, which becomes the file's.
fn name(manifest: &str) -> Result<String> {
    let manifest: toml::Table = manifest.parse().context("the manifest is not TOML")?;
    let name = manifest
        .get("name")
        .and_then(toml::Value::as_str)
        .context("the manifest has no `name`: add a line like `name = \"tool-example\"`")?;
    let fits = |character: char| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-'
    };
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.chars().all(fits) {
        bail!(
            "the manifest's name is `{name}`: use lower-case letters, digits and `-`, a letter first"
        );
    }
    Ok(name.to_owned())
}

/// The component with the manifest appended as a custom section.
fn embed(mut component: Vec<u8>, manifest: &str) -> Result<Vec<u8>> {
    if !component.starts_with(&PREAMBLE) {
        bail!(
            "this is not a component; build it for `{TARGET}`, which makes components of cdylibs"
        );
    }
    let section =
        CustomSection { name: Cow::Borrowed(SECTION), data: Cow::Borrowed(manifest.as_bytes()) };
    section.append_to_component(&mut component);
    Ok(component)
}

/// Writes what changed, so that what embeds these files is rebuilt only then, and removes
/// components that are no longer there.
fn write_all(directory: &Path, components: &[Component]) -> Result<()> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create `{}`", directory.display()))?;
    for component in components {
        let path = directory.join(format!("{}.wasm", component.name));
        let unchanged = fs::read(&path).is_ok_and(|old| old == component.bytes);
        if !unchanged {
            replace(&path, &component.bytes)?;
        }
        let size = component.bytes.len().div_ceil(1024);
        let state = if unchanged { "unchanged" } else { "written" };
        println!("  {:<22} {size:>6} KiB  {state}", component.name);
    }
    for entry in fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()? {
        let path = entry.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_wasm = path.extension().is_some_and(|extension| extension == "wasm");
        if is_wasm && !components.iter().any(|component| component.name == stem) {
            fs::remove_file(&path)
                .with_context(|| format!("cannot remove `{}`", path.display()))?;
            println!("  {stem:<22} removed: its source is gone");
        }
    }
    Ok(())
}

/// A reader sees the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let half = path.with_extension("part");
    fs::write(&half, bytes).with_context(|| format!("cannot write `{}`", half.display()))?;
    fs::rename(&half, path).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Sees to it that the standard library for the target is there.
fn ensure_target() -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(paths::components())
        .output()
        .context("cannot start `rustc`: install Rust 1.95 or newer")?;
    let libraries = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && Path::new(&libraries).is_dir() {
        return Ok(());
    }
    if !cargo::works("rustup", &["--version"]) {
        bail!(
            "Rust's target `{TARGET}` is missing and there is no `rustup` to add it: install rustup, or your distribution's package of the Rust standard library for `{TARGET}`"
        );
    }
    println!("adding Rust's target {TARGET}");
    cargo::run(
        Command::new("rustup").args(["target", "add", TARGET]).current_dir(paths::components()),
    )
    .with_context(|| format!("cannot add Rust's target `{TARGET}`"))
}

fn folder_name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
