//! `cargo xtask registry sign`: signs `registry/index.toml` for a release. The key is one of the
//! releaser's own, sealed where `hydroid key create` put it; it is never in the tree, and this
//! program never sees it.

use crate::paths;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// The index, from the root.
const INDEX: &str = "registry/index.toml";

/// Has `hydroid key sign` write the signature beside the index; the next build puts both into the
/// binary.
pub(crate) fn sign(key: Option<&str>, binary: Option<PathBuf>) -> Result<()> {
    let hydroid = binary.unwrap_or_else(|| paths::root().join("target/release/hydroid"));
    if !hydroid.is_file() {
        bail!("`{}` is not there; `cargo xtask setup` builds it", hydroid.display());
    }
    let mut command = Command::new(&hydroid);
    command.current_dir(paths::root()).args(["key", "sign", INDEX]);
    if let Some(key) = key {
        command.args(["--key", key]);
    }
    let status =
        command.status().with_context(|| format!("`{}` cannot be run", hydroid.display()))?;
    if !status.success() {
        bail!("`{INDEX}` was not signed; `hydroid key create NAME` makes a key");
    }
    println!("signed `{INDEX}`; build again to put the signature into the binary");
    Ok(())
}
