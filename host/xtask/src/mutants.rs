//! `cargo xtask mutants`: `cargo mutants` over the code that decides who may do what. Not a part
//! of CI: a whole run takes hours. Install it with `cargo install --locked cargo-mutants`.

use crate::{cargo, paths};
use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What is changed, and the package whose tests have to notice.
struct Area {
    name: &'static str,
    package: &'static str,
    files: &'static [&'static str],
    /// The tests that are about it, by the beginnings of their names.
    tests: &'static [&'static str],
}

const AREAS: &[Area] = &[
    Area {
        name: "policy",
        package: "hydroid-core",
        files: &["host/core/src/policy.rs", "host/core/src/policy/*.rs", "host/core/src/taint.rs"],
        tests: &["policy::", "taint::", "turn::"],
    },
    Area {
        name: "scrub",
        package: "hydroid-core",
        files: &["host/core/src/scrub.rs", "host/core/src/scrub/*.rs"],
        tests: &["scrub::"],
    },
    Area {
        name: "egress",
        package: "hydroid-wasm",
        files: &["host/wasm/src/egress/**/*.rs"],
        tests: &["egress::", "tests::egress", "tests::credentials", "tests::guarded"],
    },
    Area {
        name: "vault",
        package: "hydroid-wasm",
        files: &["host/wasm/src/vault.rs", "host/wasm/src/files/vault.rs"],
        tests: &["vault", "tests::vault", "files::"],
    },
];

/// Runs the areas and prints how much of each was noticed.
pub(crate) fn run(area: Option<&str>, shard: Option<&str>) -> Result<()> {
    let wanted: Vec<&Area> =
        AREAS.iter().filter(|one| area.is_none_or(|name| name == one.name)).collect();
    if wanted.is_empty() {
        let names: Vec<&str> = AREAS.iter().map(|one| one.name).collect();
        bail!("there is no such area; areas: {}", names.join(", "));
    }
    let mut lines = Vec::new();
    for area in wanted {
        lines.push(measure(area, shard)?);
    }
    println!("{}", lines.join("\n"));
    Ok(())
}

fn measure(area: &Area, shard: Option<&str>) -> Result<String> {
    let output = paths::root().join("target/mutants").join(area.name);
    std::fs::create_dir_all(&output)?;
    let mut command = cargo::command(&paths::root());
    command.args(["mutants", "--package", area.package, "--no-shuffle", "--colors", "never"]);
    for file in area.files {
        command.args(["--file", file]);
    }
    if let Some(shard) = shard {
        command.args(["--shard", shard]);
    }
    command.arg("--output").arg(&output).args(["--", "--lib", "--"]).args(area.tests);
    // Its exit code says that something was missed; the file says what.
    let status = command.status().context("`cargo mutants` cannot be run")?;
    let file = output.join("mutants.out/outcomes.json");
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("`cargo mutants` ended with {status} and left no outcomes"))?;
    let outcomes: Value = serde_json::from_str(&text)?;
    let count = |key: &str| outcomes[key].as_u64().unwrap_or_default();
    let noticed = count("caught") + count("timeout");
    let viable = noticed + count("missed");
    Ok(format!(
        "{}: {noticed} of {viable} changes noticed ({} %), {} did not compile",
        area.name,
        (noticed * 100).checked_div(viable).unwrap_or(100),
        count("unviable"),
    ))
}
