//! What the tests of the clients for programs use: an npm package to check types, a WebSocket for
//! Node.js and one for Python, installed from lock files into `target/`, never into the system.

use crate::{aimock, cargo, packages, paths, test};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// Tells the tests where the packages are.
pub(crate) const PACKAGES: &str = "HYDROID_CLIENT_PACKAGES";

/// The files that say which version, with its digest.
const NPM: [&str; 2] = ["package.json", "package-lock.json"];
const PIP: [&str; 1] = ["requirements.txt"];

/// A Python that is new enough for the client, and has `pip`.
const PYTHON: &str = "import sys, pip; sys.exit(sys.version_info < (3, 11))";

/// Where the packages are, and which of the two are there.
pub(crate) struct Clients {
    pub(crate) packages: PathBuf,
    pub(crate) has_node: bool,
    pub(crate) has_python: bool,
}

/// Installs what this machine can run.
pub(crate) fn install() -> Result<Clients> {
    let source = paths::root().join("tests/fixtures/clients");
    let target = paths::root().join("target/clients");
    let has_node = aimock::has_node();
    let has_python = cargo::works("python3", &["-c", PYTHON]);
    if has_node {
        packages::of_npm(&NPM, &source, &target, "what tries the TypeScript client")?;
    }
    if has_python && !packages::is_current(&PIP, &source, &target) {
        println!("installing what tries the Python client into {}", test::relative(&target));
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"])
            .args(["--upgrade", "--target", "python", "--requirement", PIP[0]])
            .current_dir(&target);
        packages::install(&PIP, &source, &target, &mut pip)
            .context("pip needs its package registry once")?;
    }
    Ok(Clients { packages: target, has_node, has_python })
}
