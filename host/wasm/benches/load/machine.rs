//! What the numbers were measured on: absolute times mean little without it.

use crate::scene;
use std::fs::read_to_string;
use std::process::Command;

/// Machine, load and versions, a line each.
pub(crate) fn description() -> String {
    let cpu = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let pool = if scene::ENGINE.is_pooling() { "pooling" } else { "on demand" };
    format!(
        "Machine: {cores} cores, {}\nLoad averages at the start: {}\nVersions: hydroid {}, wasmtime {}, {}, instances {pool}\n",
        model.map_or("unknown model", |(_, model)| model),
        load(),
        env!("CARGO_PKG_VERSION"),
        wasmtime_version().unwrap_or_else(|| "unknown".into()),
        rustc.unwrap_or_else(|_| "rustc unknown".into()),
    )
}

/// Load averages over one, five and fifteen minutes.
pub(crate) fn load() -> String {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// As the lock file has it; wasmtime does not tell.
fn wasmtime_version() -> Option<String> {
    let lock = read_to_string(scene::target().join("../Cargo.lock")).ok()?;
    let (_, after) = lock.split_once("name = \"wasmtime\"\nversion = \"")?;
    Some(after.split_once('"')?.0.to_owned())
}
