//! The independent scripted model server that some tests talk to: `aimock`, an npm package.
//! Installed from a lock file into `target/`, never into the system.

use crate::{cargo, paths, test};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tells the tests where the program is.
pub(crate) const VARIABLE: &str = "HYDROID_AIMOCK";

/// The oldest Node.js that runs it, by major version.
const NODE: u32 = 20;

/// The files that say which version, with its digest.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// The program, or `None` where node and npm are missing and a person may go without.
pub(crate) fn install() -> Result<Option<PathBuf>> {
    if !has_node() {
        if test::in_continuous_integration() {
            bail!("`npm` and `node` are needed where CI=true: install Node.js {NODE} or newer");
        }
        return Ok(None);
    }
    let source = paths::root().join("tests/fixtures/aimock");
    let target = paths::root().join("target/aimock");
    let program = target.join("node_modules/.bin/aimock");
    if is_current(&FILES, &source, &target) && program.exists() {
        return Ok(Some(program));
    }
    println!("installing aimock into {}", test::relative(&target));
    fs::create_dir_all(&target).with_context(|| format!("cannot create `{}`", target.display()))?;
    for file in FILES {
        fs::copy(source.join(file), target.join(file))
            .with_context(|| format!("cannot copy `{}`", source.join(file).display()))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&target);
    if let Err(error) = cargo::run(&mut npm) {
        // Without the marker files the next run tries again.
        FILES.iter().for_each(|file| drop(fs::remove_file(target.join(file))));
        return Err(error).context("cannot install aimock: npm needs its package registry once");
    }
    if !program.exists() {
        bail!("aimock was installed, but `{}` is not there", test::relative(&program));
    }
    Ok(Some(program))
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

/// True if what is installed is what the lock file says.
pub(crate) fn is_current(files: &[&str], source: &Path, target: &Path) -> bool {
    files.iter().all(|file| {
        let (wanted, got) = (fs::read(source.join(file)), fs::read(target.join(file)));
        wanted.is_ok_and(|wanted| got.is_ok_and(|got| wanted == got))
    })
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

    #[test]
    fn another_lock_file_means_another_install() {
        let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for file in FILES {
            fs::write(source.path().join(file), "1").unwrap();
        }
        assert!(!is_current(&FILES, source.path(), target.path()));
        for file in FILES {
            fs::write(target.path().join(file), "1").unwrap();
        }
        assert!(is_current(&FILES, source.path(), target.path()));
        fs::write(source.path().join("package-lock.json"), "2").unwrap();
        assert!(!is_current(&FILES, source.path(), target.path()));
    }
}
