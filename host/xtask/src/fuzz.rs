//! `cargo xtask fuzz`: libFuzzer on the functions in `fuzz/src`. Not a part of CI, where the tests
//! drive the same functions with a stable compiler. Install it with
//! `cargo install --locked cargo-fuzz` and `rustup toolchain install nightly`.

use crate::paths;
use anyhow::{Context, Result, bail};
use std::process::Command;

const TARGETS: [&str; 5] = ["component", "manifest", "policy", "scrubber", "url_guard"];

/// Those that need the engine, instrumented, which takes long to build.
const OF_THE_ENGINE: [&str; 2] = ["component", "url_guard"];

/// Longest input tried, in bytes: what is looked for is short.
const LONGEST_INPUT: u32 = 4096;

/// Runs one target, or each in turn, for so many seconds.
pub(crate) fn run(target: Option<&str>, seconds: u32) -> Result<()> {
    let wanted: Vec<&str> =
        TARGETS.into_iter().filter(|one| target.is_none_or(|name| name == *one)).collect();
    if wanted.is_empty() {
        bail!("there is no such target; targets: {}", TARGETS.join(", "));
    }
    // What is looked at is what ships: the versions are those of the workspace.
    std::fs::copy(paths::root().join("Cargo.lock"), paths::root().join("fuzz/Cargo.lock"))
        .context("the lock file cannot be copied to `fuzz`")?;
    for target in wanted {
        println!("fuzzing {target} for {seconds} s");
        // By its name: the cargo that runs us is of one toolchain, and this one chooses another.
        // What we are is safe Rust, so a sanitizer of addresses would find what others have tested.
        let mut command = Command::new("cargo");
        command
            .current_dir(paths::root())
            .args(["+nightly", "fuzz", "run", "--fuzz-dir", "fuzz", "--target-dir", "target/fuzz"])
            .args(["--sanitizer", "none"]);
        if OF_THE_ENGINE.contains(&target) {
            command.args(["--features", "wasm"]);
        }
        let status = command
            .args([target, "--"])
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={LONGEST_INPUT}"))
            .status()
            .context("`cargo fuzz` cannot be run")?;
        if !status.success() {
            bail!(
                "`{target}` failed; the input is printed above and stands in `fuzz/artifacts/{target}`"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_of_the_manifest_can_be_named_and_no_other() {
        let manifest = std::fs::read_to_string(paths::root().join("fuzz/Cargo.toml")).unwrap();
        let written: Vec<&str> = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""))
            .collect();
        assert_eq!(written, TARGETS);
        let error = run(Some("nothing"), 1).unwrap_err().to_string();
        assert!(error.contains("targets: component, manifest, policy"), "{error}");
    }
}
