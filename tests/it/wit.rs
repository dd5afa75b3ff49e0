//! The contract in `wit/`: it parses, every item is documented, its profile worlds are core's
//! profiles, and a released file does not change. Not a test of bindings; building them is one.

use crate::{root, update};
use hydroid_core::capability::Profile;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use wit_parser::{
    Docs, Function, PackageId, Resolve, TypeDef, TypeDefKind, TypeOwner, World, WorldId, WorldItem,
};

/// Every package, each after those it names.
const PACKAGES: [&str; 9] =
    ["core", "cap", "tool", "provider", "channel", "embedder", "hook", "parser", "host"];

/// All packages, read together.
fn contract() -> Resolve {
    let mut resolve = Resolve::default();
    for package in PACKAGES {
        let file = root().join(format!("wit/{package}/{package}.wit"));
        if let Err(error) = resolve.push_file(&file) {
            panic!("{}", resolve.render_error(&error));
        }
    }
    resolve
}

fn package(resolve: &Resolve, name: &str) -> PackageId {
    resolve
        .packages
        .iter()
        .find(|(_, package)| package.name.namespace == "hydroid" && package.name.name == name)
        .unwrap_or_else(|| panic!("there is no package `hydroid:{name}`"))
        .0
}

#[test]
fn there_is_one_directory_for_each_package_and_no_other() {
    let mut directories: Vec<String> = fs::read_dir(root().join("wit"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    directories.sort();
    let mut packages = PACKAGES.map(str::to_owned);
    packages.sort();
    assert_eq!(directories, packages);
}

#[test]
fn every_item_is_documented() {
    let missing = undocumented(&contract());
    assert!(missing.is_empty(), "these items of wit/ have no `///`:\n{}", missing.join("\n"));
}

#[test]
fn an_item_without_documentation_is_found() {
    let mut resolve = Resolve::default();
    let text = "package a:b; interface i { record r { f: u8 } enum e { c } variant v { d } \
                flags l { g } resource s { m: func(); } h: func(); type t = u8; } world w {}";
    resolve.push_source("b.wit", text).unwrap();
    let mut missing = undocumented(&resolve);
    missing.sort();
    let expect = [
        "package a:b",
        "a:b/i",
        "a:b/i.[method]s.m",
        "a:b/i.e",
        "a:b/i.e.c",
        "a:b/i.h",
        "a:b/i.l",
        "a:b/i.l.g",
        "a:b/i.r",
        "a:b/i.r.f",
        "a:b/i.s",
        "a:b/i.t",
        "a:b/i.v",
        "a:b/i.v.d",
        "a:b/w",
    ];
    assert_eq!(missing, {
        let mut expect = expect;
        expect.sort();
        expect
    });
}

/// The items of all packages that nobody has written about.
fn undocumented(resolve: &Resolve) -> Vec<String> {
    let mut missing = Vec::new();
    let mut check = |docs: &Docs, item: String| {
        if docs.contents.as_deref().is_none_or(|text| text.trim().is_empty()) {
            missing.push(item);
        }
    };
    for (_, package) in &resolve.packages {
        check(&package.docs, format!("package {}", package.name));
        for (name, world) in &package.worlds {
            check(&resolve.worlds[*world].docs, format!("{}/{name}", package.name));
        }
        for (name, interface) in &package.interfaces {
            let interface_name = format!("{}/{name}", package.name);
            let interface = &resolve.interfaces[*interface];
            check(&interface.docs, interface_name.clone());
            for Function { name, docs, .. } in interface.functions.values() {
                check(docs, format!("{interface_name}.{name}"));
            }
            for (name, id) in &interface.types {
                let definition = &resolve.types[*id];
                if is_use(resolve, definition) {
                    continue;
                }
                check(&definition.docs, format!("{interface_name}.{name}"));
                for (member, docs) in members(&definition.kind) {
                    check(docs, format!("{interface_name}.{name}.{member}"));
                }
            }
        }
    }
    missing
}

/// True for a name that `use` brought in; it is documented where it comes from.
fn is_use(resolve: &Resolve, definition: &TypeDef) -> bool {
    let TypeDefKind::Type(wit_parser::Type::Id(target)) = definition.kind else { return false };
    resolve.types[target].owner != TypeOwner::None
        && resolve.types[target].owner != definition.owner
}

/// The named parts of a type.
fn members(kind: &TypeDefKind) -> Vec<(&str, &Docs)> {
    match kind {
        TypeDefKind::Record(record) => {
            record.fields.iter().map(|field| (field.name.as_str(), &field.docs)).collect()
        }
        TypeDefKind::Variant(variant) => {
            variant.cases.iter().map(|case| (case.name.as_str(), &case.docs)).collect()
        }
        TypeDefKind::Enum(kind) => {
            kind.cases.iter().map(|case| (case.name.as_str(), &case.docs)).collect()
        }
        TypeDefKind::Flags(flags) => {
            flags.flags.iter().map(|flag| (flag.name.as_str(), &flag.docs)).collect()
        }
        _ => Vec::new(),
    }
}

/// The world of `hydroid:cap` that a component includes to get a profile.
fn world_name(profile: Profile) -> &'static str {
    match profile {
        Profile::Pure => "pure",
        Profile::FileReadOnly => "file-read-only",
        Profile::FileReadWrite => "file-read-write",
        Profile::Web => "web-client",
        Profile::VaultList => "vault-list",
        Profile::VaultReadStep => "vault-read-step",
        Profile::VaultWriteStep => "vault-write-step",
        Profile::State => "state",
        Profile::Memory => "memory-access",
        Profile::Schedule => "schedule-access",
        Profile::Delegate => "delegation",
        Profile::Skills => "skill-access",
        Profile::Shell => "shell",
        Profile::Media => "media-access",
        Profile::Invoke => "tool-calls",
        Profile::Reveal => "reveal",
    }
}

#[test]
fn the_profile_worlds_are_exactly_the_profiles() {
    let resolve = contract();
    let worlds = &resolve.packages[package(&resolve, "cap")].worlds;
    let got: BTreeSet<&str> = worlds.keys().map(String::as_str).collect();
    let expect: BTreeSet<&str> = Profile::ALL.into_iter().map(world_name).collect();
    assert_eq!(got, expect);
    for profile in Profile::ALL {
        let got = cap_imports(&resolve, worlds[world_name(profile)]);
        let expect: BTreeSet<String> = profile
            .interfaces()
            .iter()
            .filter(|name| name.starts_with("hydroid:cap/"))
            .map(|name| (*name).to_owned())
            .collect();
        assert_eq!(got, expect, "the interfaces of `{profile}`: wit/cap/cap.wit, then core");
    }
}

#[test]
fn every_capability_belongs_to_a_profile_and_to_the_host() {
    let resolve = contract();
    let cap = &resolve.packages[package(&resolve, "cap")];
    let interfaces: BTreeSet<String> =
        cap.interfaces.keys().map(|name| format!("hydroid:cap/{name}")).collect();
    let granted: BTreeSet<String> = Profile::ALL
        .iter()
        .flat_map(|profile| profile.interfaces())
        .map(|name| (*name).to_owned())
        .collect();
    let without: Vec<_> = interfaces.difference(&granted).collect();
    assert!(without.is_empty(), "no profile adds {without:?}");
    let host = &resolve.packages[package(&resolve, "host")].worlds;
    for (name, world) in host {
        assert_eq!(cap_imports(&resolve, *world), interfaces, "hydroid:host/{name}");
    }
}

/// The interfaces of `hydroid:cap` that a world imports. It imports nothing else but the types
/// they are made of, and a profile exports nothing.
fn cap_imports(resolve: &Resolve, world: WorldId) -> BTreeSet<String> {
    let World { imports, exports, name, package, .. } = &resolve.worlds[world];
    let is_profile = package.is_some_and(|id| resolve.packages[id].name.name == "cap");
    assert!(!is_profile || exports.is_empty(), "the profile world `{name}` exports something");
    imports
        .values()
        .filter_map(|item| match item {
            WorldItem::Interface { id, .. } => resolve.id_of(*id),
            WorldItem::Function(_) | WorldItem::Type { .. } => {
                panic!("the world `{name}` imports something that is not an interface")
            }
        })
        .filter_map(|id| {
            let name = id.split_once('@').map_or(id.as_str(), |(name, _)| name);
            name.starts_with("hydroid:cap/").then(|| name.to_owned())
        })
        .collect()
}

/// The packages that a package names, and those that these name.
fn dependencies(resolve: &Resolve, name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![package(resolve, name)];
    while let Some(id) = waiting.pop() {
        for dependency in resolve.package_direct_deps(id) {
            if found.insert(resolve.packages[dependency].name.name.clone()) {
                waiting.push(dependency);
            }
        }
    }
    found
}

#[test]
fn wkg_finds_every_neighbour_without_a_registry() {
    let resolve = contract();
    for package in PACKAGES {
        let expect: BTreeSet<(String, String)> = dependencies(&resolve, package)
            .into_iter()
            .map(|name| (format!("hydroid:{name}"), format!("../{name}")))
            .collect();
        let file = root().join("wit").join(package).join("wkg.toml");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let table: toml::Table = text.parse().unwrap();
        let got: BTreeSet<(String, String)> = table
            .get("overrides")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value["path"].as_str().unwrap().to_owned()))
            .collect();
        assert_eq!(got, expect, "wit/{package}/wkg.toml");
    }
}

/// Tools read a package directory together with its `deps/`, where there is one.
#[test]
fn deps_directories_are_links_to_exactly_the_packages_named() {
    let resolve = contract();
    let directory = |package: &str| root().join("wit").join(package).join("deps");
    if !PACKAGES.into_iter().any(|package| directory(package).exists()) {
        return;
    }
    for package in PACKAGES {
        let mut links = BTreeSet::new();
        for entry in fs::read_dir(directory(package)).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let target = fs::read_link(&path).unwrap_or_default();
            assert_eq!(target, Path::new("../..").join(&name), "`{}` is no link", path.display());
            links.insert(name);
        }
        assert_eq!(links, dependencies(&resolve, package), "wit/{package}/deps");
        let mut alone = Resolve::default();
        if let Err(error) = alone.push_dir(root().join("wit").join(package)) {
            panic!("wit/{package}: {}", alone.render_error(&error));
        }
    }
}

/// Digests of every WIT file, in the format of `sha256sum`.
fn digests() -> String {
    let mut text =
        "# A released file under wit/ never changes; a new version gets a new directory.\n\
                    # Compared in tests/it/wit.rs; before a release, UPDATE=1 rewrites it.\n"
            .to_owned();
    let mut names = PACKAGES;
    names.sort();
    for package in names {
        let mut files: Vec<_> = fs::read_dir(root().join("wit").join(package))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "wit"))
            .collect();
        files.sort();
        for file in files {
            let digest = hex::encode(Sha256::digest(fs::read(&file).unwrap()));
            let shown = file.strip_prefix(root()).unwrap().display();
            writeln!(text, "{digest}  {shown}").unwrap();
        }
    }
    text
}

#[test]
fn released_files_have_not_changed() {
    let file = root().join("wit/frozen");
    let digests = digests();
    if update() {
        fs::write(&file, &digests).unwrap();
    }
    let frozen = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        frozen, digests,
        "wit/ changed: if this track is not released yet, run the test with UPDATE=1, else undo the change and open a new track"
    );
}
