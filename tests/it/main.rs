//! Tests of the house as a whole: its rules, its contract, and the built binary with real
//! components. Not unit tests; those stand beside what they test.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start programs, read the tree and write to temporary directories"
)]

mod approval;
mod audit;
mod authoring;
mod cli;
mod clients;
mod config_keys;
mod configurator;
mod delegation;
mod escape;
mod gateway;
mod hooks;
mod label;
mod mcp;
mod memory;
mod models;
mod page;
mod policy;
mod protocol;
mod provider;
mod retrieval;
mod secret;
mod shipping;
mod skills;
mod sqld;
mod stop;
mod strangers;
mod support;
mod telemetry;
mod tidy;
mod tui;
mod wit;
mod wit_docs;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package is one directory below the root").to_owned()
}

/// True if generated files are to be rewritten instead of compared.
fn update() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}
