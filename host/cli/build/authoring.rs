//! Packs what `hydroid component new` writes: the templates, the contract, and the SDK as crates
//! that stand for themselves. It decides nothing about a new component; that is done when one is
//! made.

#![expect(clippy::disallowed_methods, reason = "a build script reads the tree")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The crates an author of a Rust component gets, with their folders in `components/`.
const CRATES: [(&str, &str); 2] =
    [("hydroid-component", "sdk"), ("hydroid-component-macros", "sdk-macros")];

/// Where the SDK's generated code looks for the contract, in this tree and in the copy.
const CONTRACT: (&str, &str) = ("\"../../wit/", "\"wit/");

/// Every file by its place in the pack.
pub(crate) fn files(root: &Path) -> BTreeMap<String, String> {
    let components = root.join("components");
    let mut files = BTreeMap::new();
    let templates = components.join("templates");
    for (name, text) in below(&templates, "") {
        if name != "README.md" {
            files.insert(format!("templates/{name}"), text);
        }
    }
    let wit = contract(&root.join("wit"));
    let workspace: toml::Table =
        read(&components.join("Cargo.toml")).parse().expect("components/Cargo.toml is TOML");
    for (name, folder) in CRATES {
        let place = format!("vendor/{name}");
        let folder = components.join(folder);
        files.insert(
            format!("{place}/Cargo.toml"),
            standalone(&read(&folder.join("Cargo.toml")), &workspace),
        );
        let mut generates = false;
        for (file, text) in below(&folder.join("src"), "") {
            generates |= text.contains(CONTRACT.0);
            files.insert(format!("{place}/src/{file}"), text.replace(CONTRACT.0, CONTRACT.1));
        }
        if generates {
            files.extend(
                wit.iter().map(|(file, text)| (format!("{place}/wit/{file}"), text.clone())),
            );
        }
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    let packages = wit.into_iter().filter(|(file, _)| !file.contains("/deps/"));
    files.extend(packages.filter_map(|(file, text)| {
        let (_, file) = file.split_once('/')?;
        Some((format!("wit/{file}"), text))
    }));
    println!("cargo::rerun-if-changed={}", templates.display());
    println!("cargo::rerun-if-changed={}", root.join("wit").display());
    println!("cargo::rerun-if-changed={}", components.join("Cargo.toml").display());
    files
}

/// The packages of the contract, each with what it names in real files in place of links.
fn contract(wit: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for package in names(wit).into_iter().filter(|name| wit.join(name).is_dir()) {
        let text = |package: &str| read(&wit.join(package).join(format!("{package}.wit")));
        files.insert(format!("{package}/{package}.wit"), text(&package));
        let needed = wit.join(&package).join("deps");
        for other in if needed.is_dir() { names(&needed) } else { Vec::new() } {
            files.insert(format!("{package}/deps/{other}/{other}.wit"), text(&other));
        }
    }
    files
}

/// A crate's `Cargo.toml` with what it has of its workspace written out.
fn standalone(text: &str, workspace: &toml::Table) -> String {
    let mut cargo: toml::Table = text.parse().expect("a crate's Cargo.toml is TOML");
    let shared = &workspace["workspace"];
    let package = cargo["package"].as_table_mut().expect("[package] is a table");
    for (key, value) in package.iter_mut() {
        if value.get("workspace").is_some() {
            *value = shared["package"][key].clone();
        }
    }
    let dependencies = cargo["dependencies"].as_table_mut().expect("[dependencies] is a table");
    for (name, value) in dependencies.iter_mut() {
        if CRATES.iter().any(|(ours, _)| ours == name) {
            *value = toml::Value::Table(toml::Table::from_iter([(
                "path".to_owned(),
                format!("../{name}").into(),
            )]));
            continue;
        }
        let mut whole = match shared["dependencies"][name].clone() {
            toml::Value::String(version) => {
                toml::Table::from_iter([("version".to_owned(), version.into())])
            }
            toml::Value::Table(table) => table,
            other => panic!("the workspace says `{other}` of {name}"),
        };
        let more = value.get("features").and_then(toml::Value::as_array).cloned();
        if let Some(more) = more {
            let features =
                whole.entry("features").or_insert_with(|| toml::Value::Array(Vec::new()));
            features.as_array_mut().expect("a list of features").extend(more);
        }
        *value = toml::Value::Table(whole);
    }
    cargo.remove("lints");
    toml::to_string(&cargo).expect("what was TOML is TOML")
}

/// The files below a folder, with `/` between folders.
fn below(folder: &Path, prefix: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            found.extend(below(&path, &format!("{prefix}{name}/")));
        } else {
            found.push((format!("{prefix}{name}"), read(&path)));
        }
    }
    found
}

fn names(folder: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|_| panic!("`{}` is there", folder.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("a readable entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name != "target")
        .collect();
    names.sort();
    names
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}
