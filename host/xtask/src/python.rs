//! The Python packages that judge the listener as strangers: the official client of OpenAI, and
//! schemathesis. Installed as they are pinned, into `target/`, never into the system.

use crate::{cargo, packages, paths, test};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Tells the tests which Python has the packages.
pub(crate) const VARIABLE: &str = "HYDROID_PYTHON";

/// Names under which a system has Python.
const PROGRAMS: [&str; 2] = ["python3", "python"];

/// Ends well in the oldest version that the packages run in, with what makes a place of its own.
const IS_NEW: &str = "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))";

/// The file that says which versions.
const FILES: [&str; 1] = ["requirements.txt"];

/// The Python that has the packages, or `None` where none is there and a person may go without.
pub(crate) fn install() -> Result<Option<PathBuf>> {
    let Some(program) = PROGRAMS.into_iter().find(|name| cargo::works(name, &["-c", IS_NEW]))
    else {
        return Ok(None);
    };
    let source = paths::root().join("tests/fixtures/python");
    let target = paths::root().join("target/python");
    let python = target.join("bin/python");
    if packages::is_current(&FILES, &source, &target) && python.exists() {
        return Ok(Some(python));
    }
    println!("installing Python packages into {}", test::relative(&target));
    cargo::run(Command::new(program).args(["-m", "venv", "--clear"]).arg(&target))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]);
    pip.arg(source.join(FILES[0]));
    cargo::run(&mut pip).context("pip needs its package registry once")?;
    // Last, so that an install that broke off is tried again.
    fs::copy(source.join(FILES[0]), target.join(FILES[0]))
        .with_context(|| format!("cannot write into `{}`", target.display()))?;
    Ok(Some(python))
}

/// The same, where there is no going without.
pub(crate) fn needed() -> Result<PathBuf> {
    match install()? {
        Some(python) => Ok(python),
        None => bail!("Python 3.10 or newer with `venv` is needed; on Debian: `python3-venv`"),
    }
}
