//! The real browser that some tests drive: Chromium of the system, and two npm packages that are
//! installed from a lock file into `target/`. No browser is downloaded.

use crate::{aimock, cargo, paths, test};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Tells the tests where the packages are.
pub(crate) const PACKAGES: &str = "HYDROID_BROWSER_PACKAGES";

/// Tells the tests which program the browser is.
pub(crate) const PROGRAM: &str = "HYDROID_BROWSER";

/// Names under which a system has it.
const PROGRAMS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The files that say which version, with its digest.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Where the packages are, and the browser.
pub(crate) struct Browser {
    pub(crate) packages: PathBuf,
    pub(crate) program: &'static str,
}

/// Both, or `None` where something is missing and a person may go without.
pub(crate) fn install() -> Result<Option<Browser>> {
    let program = PROGRAMS.into_iter().find(|program| cargo::works(program, &["--version"]));
    let Some(program) = program.filter(|_| aimock::has_node()) else {
        return Ok(None);
    };
    let source = paths::root().join("tests/fixtures/browser");
    let packages = paths::root().join("target/browser");
    if !aimock::is_current(&FILES, &source, &packages) {
        println!("installing what drives the browser into {}", test::relative(&packages));
        fs::create_dir_all(&packages)
            .with_context(|| format!("cannot create `{}`", packages.display()))?;
        for file in FILES {
            fs::copy(source.join(file), packages.join(file))
                .with_context(|| format!("cannot copy `{}`", source.join(file).display()))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&packages);
        if let Err(error) = cargo::run(&mut npm) {
            // Without the marker files the next run tries again.
            FILES.iter().for_each(|file| drop(fs::remove_file(packages.join(file))));
            return Err(error).context("npm needs its package registry once");
        }
    }
    Ok(Some(Browser { packages, program }))
}
