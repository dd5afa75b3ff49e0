//! Where things are in this repository. Not a search: everything hangs from the root.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    // Cargo sets it at run time too, so a moved checkout needs no rebuild; started from a test of
    // another package, it is that package's.
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .filter(|package| package.ends_with("host/xtask"))
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    package.ancestors().nth(2).map_or_else(|| package.clone(), Path::to_path_buf)
}

/// The workspace of the components.
pub(crate) fn components() -> PathBuf {
    root().join("components")
}

/// Where built first-party components are left; the release binary embeds them from here.
pub(crate) fn built_components() -> PathBuf {
    root().join("target/components")
}

/// Where built components that exist for tests are left.
pub(crate) fn built_test_components() -> PathBuf {
    root().join("target/test-components")
}

/// Gives a scratch home the compiled components of all the others, so that they are compiled once.
pub(crate) fn share_compiled(home: &Path) -> Result<()> {
    let compiled = root().join("target/tmp/compiled-components");
    std::fs::create_dir_all(&compiled).context("the build directory cannot be written to")?;
    std::os::unix::fs::symlink(&compiled, home.join("cache"))
        .context("the compiled components cannot be kept")
}
