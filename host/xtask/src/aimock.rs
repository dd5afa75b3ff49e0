//! The independent scripted model server that some tests talk to: `aimock`, an npm package.
//! Installed from a lock file into `target/`, never into the system.

use crate::{cargo, packages, test};
use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// Tells the tests where the program is.
pub(crate) const VARIABLE: &str = "HYDROID_AIMOCK";

/// The oldest Node.js that runs it, by major version.
const NODE: u32 = 20;

/// The program, or `None` where node and npm are missing and a person may go without.
pub(crate) fn install() -> Result<Option<PathBuf>> {
    if !has_node() {
        if test::in_continuous_integration() {
            bail!("`npm` and `node` are needed where CI=true: install Node.js {NODE} or newer");
        }
        return Ok(None);
    }
    packages::program_of_npm("aimock", ".bin/aimock").map(Some)
}

/// Major version of the node that is there.
pub(crate) fn node_version() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

/// `20` from `v20.20.2`.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// True if npm is there, with a node that is new enough.
pub(crate) fn has_node() -> bool {
    cargo::works("npm", &["--version"]) && node_version().is_some_and(|major| major >= NODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_node_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("20"), None);
        assert_eq!(major(""), None);
    }
}
