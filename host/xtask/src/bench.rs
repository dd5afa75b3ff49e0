//! `cargo xtask bench`: the benchmarks of component calls, over real components and the built
//! `hydroid`. Not a check: it fails only if something cannot be built or run.

use crate::{cargo, components, paths};
use anyhow::Result;

/// Builds what is measured, runs criterion's benchmarks with the caller's arguments, and prints
/// the table of the load driver.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    components::build()?;
    cargo::build_hydroid(&["--release"])?;
    cargo::run(bench("components").arg("--").args(arguments))?;
    cargo::run(bench("embedders").arg("--").args(arguments))?;
    cargo::run(&mut bench("load"))
}

fn bench(name: &str) -> std::process::Command {
    let mut command = cargo::command(&paths::root());
    command.args(["bench", "--package", "hydroid-wasm", "--bench", name]);
    command
}
