//! What the tests of the clients for programs use: an npm package to check types, a WebSocket for
//! Node.js and one for Python, installed from lock files into `target/`, never into the system.

use crate::{aimock, cargo, paths, test};
use anyhow::{Context, Result};
use std::fs;
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
    let packages = paths::root().join("target/clients");
    fs::create_dir_all(&packages)
        .with_context(|| format!("cannot create `{}`", packages.display()))?;
    let has_node = aimock::has_node();
    let has_python = cargo::works("python3", &["-c", PYTHON]);
    if has_node && !aimock::is_current(&NPM, &source, &packages) {
        println!("installing what tries the TypeScript client into {}", test::relative(&packages));
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&packages);
        taken(&NPM, &source, &packages, &mut npm).context("npm needs its package registry once")?;
    }
    if has_python && !aimock::is_current(&PIP, &source, &packages) {
        println!("installing what tries the Python client into {}", test::relative(&packages));
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"])
            .args(["--upgrade", "--target", "python", "--requirement", PIP[0]])
            .current_dir(&packages);
        taken(&PIP, &source, &packages, &mut pip).context("pip needs its package registry once")?;
    }
    Ok(Clients { packages, has_node, has_python })
}

/// Copies the lock files and installs by them; without a marker the next run tries again.
fn taken(
    files: &[&str],
    source: &std::path::Path,
    packages: &std::path::Path,
    install: &mut Command,
) -> Result<()> {
    for file in files {
        fs::copy(source.join(file), packages.join(file))
            .with_context(|| format!("cannot copy `{}`", source.join(file).display()))?;
    }
    cargo::run(install).inspect_err(|_| {
        files.iter().for_each(|file| drop(fs::remove_file(packages.join(file))));
    })
}
