//! Packages of npm that tests and suites use, installed from lock files into `target/`, and whether
//! what is installed is still what a lock file says.

use crate::{cargo, paths, test};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files that say which versions, with their digests.
const NPM: [&str; 2] = ["package.json", "package-lock.json"];

/// Installs what is in a lock file, if something else is there; `what` ends "installing …".
pub(crate) fn of_npm(files: &[&str], source: &Path, target: &Path, what: &str) -> Result<()> {
    if is_current(files, source, target) {
        return Ok(());
    }
    println!("installing {what} into {}", test::relative(target));
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(target);
    install(files, source, target, &mut npm).context("npm needs its package registry once")
}

/// The program of a package, by its path below `node_modules`: installed by the lock file in
/// `tests/fixtures` of this name, if something else is there.
pub(crate) fn program_of_npm(name: &str, program: &str) -> Result<PathBuf> {
    let source = paths::root().join("tests/fixtures").join(name);
    let target = paths::root().join("target").join(name);
    let program = target.join("node_modules").join(program);
    if !program.exists() {
        // With the lock file in place and the program gone, it is installed again.
        drop(fs::remove_file(target.join(NPM[0])));
    }
    of_npm(&NPM, &source, &target, name)?;
    if !program.exists() {
        bail!("{name} was installed, but `{}` is not there", test::relative(&program));
    }
    Ok(program)
}

/// Copies the lock files and installs by them; without a marker the next run tries again.
pub(crate) fn install(
    files: &[&str],
    source: &Path,
    target: &Path,
    command: &mut Command,
) -> Result<()> {
    fs::create_dir_all(target).with_context(|| format!("cannot create `{}`", target.display()))?;
    for file in files {
        fs::copy(source.join(file), target.join(file))
            .with_context(|| format!("cannot copy `{}`", source.join(file).display()))?;
    }
    cargo::run(command).inspect_err(|_| {
        files.iter().for_each(|file| drop(fs::remove_file(target.join(file))));
    })
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

    const FILES: [&str; 2] = ["package.json", "package-lock.json"];

    #[test]
    fn another_lock_file_means_another_install() {
        let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for file in FILES {
            fs::write(source.path().join(file), "1").unwrap();
        }
        assert!(!is_current(&FILES, source.path(), target.path()));
        let installed = install(&FILES, source.path(), target.path(), &mut Command::new("true"));
        assert!(installed.is_ok() && is_current(&FILES, source.path(), target.path()));
        fs::write(source.path().join("package-lock.json"), "2").unwrap();
        assert!(!is_current(&FILES, source.path(), target.path()));
    }

    #[test]
    fn an_install_that_fails_is_tried_again() {
        let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for file in FILES {
            fs::write(source.path().join(file), "1").unwrap();
        }
        let failed = install(&FILES, source.path(), target.path(), &mut Command::new("false"));
        assert!(failed.is_err() && !is_current(&FILES, source.path(), target.path()));
    }
}
