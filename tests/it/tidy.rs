//! The rules of the house that no compiler holds: which crate may know which, where each library
//! belongs, how files are named and begin, and that documents point at things that exist.
//! Not style: rustfmt and clippy hold that.

use crate::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod documents;
mod files;

/// Which of our crates may name which: everything points at `core`, nobody sideways.
const ARROWS: [(&str, &[&str]); 10] = [
    ("hydroid-agent", &["hydroid-core"]),
    (
        "hydroid-cli",
        &[
            "hydroid-agent",
            "hydroid-core",
            "hydroid-gateway",
            "hydroid-mcp",
            "hydroid-memory",
            "hydroid-tui",
            "hydroid-wasm",
        ],
    ),
    ("hydroid-core", &[]),
    ("hydroid-gateway", &["hydroid-core"]),
    ("hydroid-mcp", &["hydroid-core"]),
    ("hydroid-memory", &["hydroid-core"]),
    ("hydroid-tests", &["hydroid-core"]),
    ("hydroid-tui", &["hydroid-core"]),
    ("hydroid-wasm", &["hydroid-core"]),
    ("hydroid-xtask", &[]),
];

/// Libraries that carry an authority, and the crates that have it. `x` stands for `x-…` too.
const AUTHORITIES: [(&str, &[&str]); 14] = [
    ("axum", &["hydroid-gateway"]),
    ("clap", &["hydroid-cli", "hydroid-xtask"]),
    ("crossterm", &["hydroid-tui"]),
    ("hickory", &["hydroid-wasm"]),
    ("hyper", &["hydroid-gateway", "hydroid-wasm"]),
    ("libsql", &["hydroid-memory"]),
    ("ratatui", &["hydroid-tui"]),
    ("rmcp", &["hydroid-mcp"]),
    ("rustls", &["hydroid-gateway", "hydroid-wasm"]),
    ("rustyline", &["hydroid-cli"]),
    ("secret-service", &["hydroid-cli"]),
    ("tokio-rustls", &["hydroid-gateway", "hydroid-wasm"]),
    ("tokio-tungstenite", &["hydroid-tests", "hydroid-tui"]),
    ("wasmtime", &["hydroid-wasm"]),
];

/// What the pure core does not reach, through however many others.
const NOT_IN_CORE: [&str; 8] =
    ["hyper", "libsql", "mio", "rustls", "socket2", "tokio", "wasmtime", "wasmtime-wasi"];

/// One package as cargo sees it.
struct Package {
    name: String,
    directory: PathBuf,
    /// Name and kind (`normal`, `dev` or `build`) of each direct dependency.
    dependencies: Vec<(String, String)>,
    features: Vec<String>,
}

/// What `cargo metadata` says of one workspace.
struct Workspace {
    metadata: Value,
}

impl Workspace {
    fn read(directory: &Path) -> Self {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(directory)
            .output()
            .expect("cargo runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo metadata in `{}`: {errors}", directory.display());
        Self { metadata: serde_json::from_slice(&output.stdout).expect("cargo writes JSON") }
    }

    /// The workspace's own packages.
    fn members(&self) -> Vec<Package> {
        let members = &self.metadata["workspace_members"];
        let is_member = |package: &&Value| {
            members.as_array().is_some_and(|members| members.contains(&package["id"]))
        };
        list(&self.metadata["packages"]).filter(is_member).map(package).collect()
    }

    /// Names of everything a package reaches through normal dependencies.
    fn reached_from(&self, name: &str) -> BTreeSet<String> {
        let names: BTreeMap<&str, &str> = list(&self.metadata["packages"])
            .map(|package| (text(&package["id"]), text(&package["name"])))
            .collect();
        let nodes: BTreeMap<&str, &Value> = list(&self.metadata["resolve"]["nodes"])
            .map(|node| (text(&node["id"]), node))
            .collect();
        let mut waiting: Vec<&str> =
            names.iter().filter(|(_, found)| **found == name).map(|(id, _)| *id).collect();
        let mut reached = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if reached.insert(id) {
                let normal = list(&nodes[id]["deps"]).filter(|dependency| {
                    list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null())
                });
                waiting.extend(normal.map(|dependency| text(&dependency["pkg"])));
            }
        }
        reached.into_iter().map(|id| names[id].to_owned()).collect()
    }

    fn all_names(&self) -> BTreeSet<String> {
        list(&self.metadata["packages"]).map(|package| text(&package["name"]).to_owned()).collect()
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("a list in cargo's metadata").iter()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text in cargo's metadata")
}

fn package(package: &Value) -> Package {
    let kind = |dependency: &Value| dependency["kind"].as_str().unwrap_or("normal").to_owned();
    Package {
        name: text(&package["name"]).to_owned(),
        directory: Path::new(text(&package["manifest_path"])).parent().expect("a file").to_owned(),
        dependencies: list(&package["dependencies"])
            .map(|dependency| (text(&dependency["name"]).to_owned(), kind(dependency)))
            .collect(),
        features: package["features"]
            .as_object()
            .expect("a table in cargo's metadata")
            .keys()
            .cloned()
            .collect(),
    }
}

#[test]
fn crates_point_where_the_table_says() {
    let mut got = BTreeMap::new();
    for package in Workspace::read(&root()).members() {
        let ours: BTreeSet<String> = package
            .dependencies
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| name.starts_with("hydroid"))
            .collect();
        got.insert(package.name, ours);
    }
    let expect: BTreeMap<String, BTreeSet<String>> = ARROWS
        .into_iter()
        .map(|(from, to)| (from.to_owned(), to.iter().map(|name| (*name).to_owned()).collect()))
        .collect();
    assert_eq!(got, expect, "a new arrow is a decision: docs/decisions/, then this table");
}

#[test]
fn core_reaches_no_task_no_wasm_no_database_and_no_network() {
    let reached = Workspace::read(&root()).reached_from("hydroid-core");
    assert!(reached.contains("serde"), "the walk is broken: {reached:?}");
    let wrong: Vec<_> = NOT_IN_CORE.into_iter().filter(|name| reached.contains(*name)).collect();
    assert!(wrong.is_empty(), "hydroid-core reaches {wrong:?}");
}

#[test]
fn each_library_of_authority_is_named_by_its_owner_only() {
    let members = Workspace::read(&root()).members();
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for package in &members {
        for (name, kind) in &package.dependencies {
            let stands_for = |library: &str| {
                name.strip_prefix(library)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
            };
            for (library, owners) in AUTHORITIES {
                if kind != "dev" && stands_for(library) {
                    used.insert(library);
                    if !owners.contains(&package.name.as_str()) {
                        wrong.push(format!("{} names `{name}`; {owners:?} may", package.name));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(used.len(), AUTHORITIES.len(), "the table names a library nobody uses: {used:?}");
}

/// Clients that would be a second way out beside the one that checks addresses.
const OTHER_CLIENTS: [&str; 8] =
    ["attohttpc", "awc", "curl", "isahc", "minreq", "reqwest", "surf", "ureq"];

#[test]
fn no_crate_of_ours_names_another_http_client() {
    let members = Workspace::read(&root()).members();
    let wrong: Vec<String> = members
        .iter()
        .flat_map(|package| package.dependencies.iter().map(move |(name, _)| (package, name)))
        .filter(|(_, name)| OTHER_CLIENTS.contains(&name.as_str()))
        .map(|(package, name)| format!("{} names `{name}`", package.name))
        .collect();
    assert!(wrong.is_empty(), "every byte leaves through hydroid-wasm: {}", wrong.join(", "));
}

#[test]
fn no_host_crate_has_cargo_features() {
    for package in Workspace::read(&root()).members() {
        assert!(
            package.features.is_empty(),
            "{} has features {:?}",
            package.name,
            package.features
        );
    }
}

#[test]
fn no_rust_crate_crosses_the_line_between_host_and_components() {
    let host = Workspace::read(&root());
    let components = Workspace::read(&root().join("components"));
    let names = |workspace: &Workspace| -> BTreeSet<String> {
        workspace.members().into_iter().map(|package| package.name).collect()
    };
    let inside: Vec<_> = components.all_names().intersection(&names(&host)).cloned().collect();
    assert!(inside.is_empty(), "components/ reaches the host's {inside:?}");
    let outside: Vec<_> = host.all_names().intersection(&names(&components)).cloned().collect();
    assert!(outside.is_empty(), "the host reaches the components' {outside:?}");
    for package in components.members() {
        let here = package.directory.starts_with(root().join("components"));
        assert!(here, "`{}` is a member of components/ from elsewhere", package.name);
    }
}

#[test]
fn the_default_bundle_is_sorted_and_names_components_that_exist() {
    let file = root().join("registry/bundles.toml");
    let bundles: toml::Table = fs::read_to_string(file).unwrap().parse().unwrap();
    let listed: Vec<&str> = bundles["bundles"]["default"]["components"]
        .as_array()
        .expect("a list of components")
        .iter()
        .map(|name| name.as_str().expect("a name"))
        .collect();
    assert!(listed.is_sorted(), "registry/bundles.toml is not sorted: {listed:?}");
    for name in listed {
        let manifest = root().join("components").join(name).join("manifest.toml");
        assert!(manifest.is_file(), "registry/bundles.toml lists `{name}`, which does not exist");
    }
}

#[test]
fn the_checks_of_a_commit_run_the_documented_test_command() {
    let run = fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(run.lines().any(|line| line.trim_start().ends_with("cargo xtask test")), ".ci/run");
    if let Ok(readme) = fs::read_to_string(root().join("README.md")) {
        assert!(readme.contains("cargo xtask test"), "README.md names another test command");
    }
}
