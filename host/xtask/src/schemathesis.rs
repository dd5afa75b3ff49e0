//! `cargo xtask schemathesis`: schemathesis derives requests from the daemon's own OpenAPI document
//! and looks for answers that are an error of the server or not as documented. A slice of it is a
//! test in CI; this is the long run.

use crate::serving::Serving;
use crate::{cargo, paths, python};
use anyhow::Result;
use std::process::Command;

/// Runs it with so many examples of each operation.
pub(crate) fn run(examples: u32) -> Result<()> {
    let python = python::needed()?;
    let serving = Serving::start(&["gateway.requests_per_minute=10000000"])?;
    let mut command = Command::new(python);
    command
        .args(["-m", "schemathesis.cli", "run"])
        .arg(format!("{}/api/v1/openapi.json", serving.url))
        .arg("--header")
        .arg(format!("Authorization: Bearer {}", serving.token))
        .args(["--max-examples", &examples.to_string()])
        .args(["--request-timeout", "60"])
        // What fits its schema can be refused for what is there, or for what it says.
        .args(["--exclude-checks", "positive_data_acceptance"])
        .current_dir(paths::root().join("target"));
    cargo::run(&mut command)
}
