//! `cargo xtask setup`: from a fresh clone to a `hydroid` that runs. Installs nothing.

use crate::{cargo, components, paths};
use anyhow::Result;
use std::path::PathBuf;

/// Builds everything and says what to run next.
pub(crate) fn run() -> Result<()> {
    let hydroid = build()?;
    let root = paths::root();
    let shown = hydroid.strip_prefix(&root).unwrap_or(&hydroid).display();
    println!();
    println!("hydroid is built. Next:");
    println!("  {shown} ask \"list files, then what time is it\"");
    println!("  {shown} --help");
    println!("  cargo xtask demo");
    Ok(())
}

/// Builds the components and then the release binary, which has them inside.
pub(crate) fn build() -> Result<PathBuf> {
    components::build()?;
    println!("building hydroid (release)");
    cargo::build_hydroid(&["--release"])
}
