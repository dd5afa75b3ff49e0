//! The real browser that some tests drive: Chromium of the system, and two npm packages that are
//! installed from a lock file into `target/`. No browser is downloaded.

use crate::{aimock, cargo, packages, paths};
use anyhow::Result;
use std::path::PathBuf;

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
    let target = paths::root().join("target/browser");
    packages::of_npm(&FILES, &source, &target, "what drives the browser")?;
    Ok(Some(Browser { packages: target, program }))
}
