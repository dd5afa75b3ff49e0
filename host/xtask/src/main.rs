//! `cargo xtask`: what one does with this repository, in plain Rust.
//! Not part of the product: no crate depends on it, and it depends on none of them.
//!
//! Reading order: one file for each subcommand ([`components`], [`setup`], [`test`], [`demo`],
//! [`authors`], [`bench`], [`eval`], [`fuzz`], [`load`], [`mcp`], [`mutants`], [`catalog`],
//! [`registry`], [`autobahn`], [`schemathesis`]), then what they share: [`cargo`], [`paths`], [`suite`], [`aimock`], [`page`],
//! [`python`], [`serving`].

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a build tool runs programs, reads and writes files and talks to its terminal"
)]

mod authors;
mod autobahn;
mod bench;
mod browser;
mod catalog;
mod clients;
mod components;
mod demo;
mod eval;
mod fuzz;
mod load;
mod mcp;
mod mutants;
mod registry;
mod schemathesis;
mod setup;
mod sqld;
mod test;

mod aimock;
mod cargo;
mod packages;
mod page;
mod paths;
mod python;
mod serving;
mod suite;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Build, test and try Hydroid.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build everything and say what to run next.
    Setup,
    /// Run the main job once, without a network or an API key, and check what came out.
    Demo {
        /// Use this `hydroid` instead of building one.
        #[arg(long, value_name = "PATH")]
        binary: Option<PathBuf>,
    },
    /// Run every test: host, components and the built binary.
    Test {
        /// Passed on to the host's test runner, as filters.
        #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
        filters: Vec<String>,
    },
    /// Build the components into `target/components`.
    Components,
    /// Install the toolchains of component authors into `target`, and test the templates of each.
    Authors,
    /// Judge the WebSocket protocol with Autobahn's suite, which needs Python 2.7.
    Autobahn,
    /// Make `registry/models.json` of a checkout of models.dev.
    Catalog {
        /// The checkout.
        #[arg(value_name = "FROM_DIR")]
        from: PathBuf,
        /// The commit it is at, if it is no checkout of git.
        #[arg(long, value_name = "COMMIT")]
        revision: Option<String>,
        /// The day of that commit, as `2026-07-02`.
        #[arg(long, value_name = "DATE")]
        date: Option<String>,
    },
    /// Look for inputs that break what must hold for each, with libFuzzer and a nightly compiler.
    Fuzz {
        /// Only this target: manifest, policy, scrubber or `url_guard`.
        #[arg(value_name = "TARGET")]
        target: Option<String>,
        /// Time for each target.
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        seconds: u32,
    },
    /// Measure the daemon: many sessions at once, sockets that do nothing, and a soak.
    Load(load::Load),
    /// Run the conformance suite of the Model Context Protocol against both sides of ours.
    Mcp {
        /// Only this revision, as `2025-11-25`.
        #[arg(value_name = "REVISION")]
        revision: Option<String>,
    },
    /// Change the code that decides, a little at a time, and count what the tests notice.
    Mutants {
        /// Only this area: policy, scrub, egress or vault.
        #[arg(long, value_name = "AREA")]
        area: Option<String>,
        /// Only a part of the changes, as `1/8`.
        #[arg(long, value_name = "K/N")]
        shard: Option<String>,
    },
    /// Look for answers of the daemon that its OpenAPI document does not allow.
    Schemathesis {
        /// Requests derived for each operation, in each phase.
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        examples: u32,
    },
    /// Sign the index of components for a release, with a key of yours.
    Registry {
        /// What to do: `sign`.
        #[arg(value_enum)]
        what: Registered,
        /// The name of the key, as `hydroid key list` shows it; needed if you have several.
        #[arg(long, value_name = "NAME")]
        key: Option<String>,
        /// Use this `hydroid` instead of the release build.
        #[arg(long, value_name = "PATH")]
        binary: Option<PathBuf>,
    },
    /// Measure how well something works on public sets, and fail below its floors.
    Eval {
        /// What: `memory`.
        #[arg(value_enum)]
        what: Evaluated,
    },
    /// Measure calls into components.
    Bench {
        /// Passed on to the benchmark.
        #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// What can be measured on public sets.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Evaluated {
    /// Finding notes, files and what was said.
    Memory,
}

/// What can be done with the index.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Registered {
    /// Sign it.
    Sign,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Setup => setup::run(),
        Command::Demo { binary } => demo::run(binary),
        Command::Test { filters } => test::run(&filters),
        Command::Components => components::build().map(|_| ()),
        Command::Authors => authors::run(),
        Command::Autobahn => autobahn::run(),
        Command::Schemathesis { examples } => schemathesis::run(examples),
        Command::Catalog { from, revision, date } => catalog::run(&from, revision, date),
        Command::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
        Command::Load(load) => load::run(&load),
        Command::Mcp { revision } => mcp::run(revision.as_deref()),
        Command::Mutants { area, shard } => mutants::run(area.as_deref(), shard.as_deref()),
        Command::Eval { what: Evaluated::Memory } => eval::memory(),
        Command::Registry { what: Registered::Sign, key, binary } => {
            registry::sign(key.as_deref(), binary)
        }
        Command::Bench { arguments } => bench::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
