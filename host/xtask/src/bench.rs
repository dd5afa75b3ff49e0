//! `cargo xtask bench`: the benchmarks of component calls, over real components.

use crate::{cargo, components, paths};
use anyhow::Result;

/// Builds the components, then runs the benchmark with the caller's arguments.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    components::build()?;
    let mut bench = cargo::command(&paths::root());
    bench.args(["bench", "--package", "hydroid-wasm", "--bench", "components", "--"]);
    cargo::run(bench.args(arguments))
}
