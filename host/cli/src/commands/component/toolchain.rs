//! The toolchain of a component's folder: which language it is in, and the programs that make
//! WebAssembly of it. They run as the person who builds; nothing of them reaches the host.

#![expect(clippy::disallowed_methods, reason = "building a component is running its compiler")]

use crate::args::authoring::Language;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where a build puts what it makes, below the component's folder.
pub(super) const BUILD: &str = "build";

/// What each language's folder has and the others' do not.
const MARKS: [(&str, Language); 6] = [
    ("Cargo.toml", Language::Rust),
    ("go.mod", Language::Go),
    ("package.json", Language::Js),
    ("app.py", Language::Python),
    ("src/component.c", Language::C),
    ("component.c", Language::C),
];

/// The language of a folder.
pub(super) fn language(folder: &Path) -> Result<Language> {
    let mark = MARKS.iter().find(|(mark, _)| folder.join(mark).is_file());
    mark.map(|(_, language)| *language).with_context(|| {
        format!(
            "`{}` is in no language that can be built: it has none of {}; `hydroid component new` makes a folder",
            folder.display(),
            MARKS.map(|(mark, _)| format!("`{mark}`")).join(", ")
        )
    })
}

/// Runs the toolchain and returns the bytes of what it made: a component, or for some languages
/// a core module.
pub(super) fn compile(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let made = match language(folder)? {
        Language::Rust => rust(folder)?,
        Language::Python => python(folder, name)?,
        Language::Js => javascript(folder, name)?,
        Language::C => c(folder, name)?,
        Language::Go => go(folder, name)?,
    };
    std::fs::read(&made).with_context(|| format!("`{}` was not made", made.display()))
}

fn rust(folder: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--target", "wasm32-wasip2"]);
    cargo.arg("--message-format=json-render-diagnostics").current_dir(folder);
    let output = cargo.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| missing("cargo", "install Rust with rustup"))?;
    if !output.status.success() {
        bail!(
            "`cargo build` failed; its own messages are above, and `rustup target add wasm32-wasip2` adds the target where that is missing"
        );
    }
    let manifest = std::fs::canonicalize(folder.join("Cargo.toml"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let wasm = text.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let ours = Path::new(message["manifest_path"].as_str()?) == manifest;
        let mut files = message["filenames"].as_array()?.iter().filter_map(|file| file.as_str());
        files.find(|file| ours && file.ends_with(".wasm")).map(PathBuf::from)
    });
    wasm.context(
        "cargo made no component: Cargo.toml needs `crate-type = [\"cdylib\"]` under [lib]",
    )
}

fn python(folder: &Path, name: &str) -> Result<PathBuf> {
    let remedy = "run `python3 -m venv venv && venv/bin/pip install -r requirements.txt`";
    let program = beside(folder, "venv/bin/componentize-py");
    let bindings = format!("{BUILD}/bindings");
    clear(&folder.join(&bindings))?;
    let world = ["--wit-path", "wit", "--world", name];
    // For the editor only; the component's are made anew.
    run(folder, &program, &[&world[..], &["bindings", &bindings]].concat(), remedy)?;
    let made = format!("{BUILD}/made.wasm");
    run(folder, &program, &[&world[..], &["componentize", "app", "-o", &made]].concat(), remedy)?;
    Ok(folder.join(made))
}

fn javascript(folder: &Path, name: &str) -> Result<PathBuf> {
    let remedy = "run `npm install`";
    let program = beside(folder, "node_modules/.bin/jco");
    let types = format!("{BUILD}/types");
    run(folder, &program, &["guest-types", "wit", "--world-name", name, "-o", &types], remedy)?;
    let mut source = "app.js".to_owned();
    if folder.join("app.ts").is_file() {
        source = format!("{BUILD}/app.js");
        let bundler = beside(folder, "node_modules/.bin/rolldown");
        let bundle = ["app.ts", "--file", &source, "--format", "esm", "--platform", "neutral"];
        run(folder, &bundler, &bundle, remedy)?;
    }
    let made = format!("{BUILD}/made.wasm");
    // Not through `jco componentize`, which has no way to leave the async ABI out.
    let program = beside(folder, "node_modules/.bin/componentize-qjs");
    let world = ["--wit", "wit", "--world", name, "--js", &source, "--output", &made, "--sync"];
    run(folder, &program, &world, remedy)?;
    Ok(folder.join(made))
}

fn c(folder: &Path, name: &str) -> Result<PathBuf> {
    let bindings = format!("{BUILD}/bindings");
    clear(&folder.join(&bindings))?;
    run(
        folder,
        Path::new("wit-bindgen"),
        &["c", "wit", "--world", name, "--out-dir", &bindings],
        "run `cargo install wit-bindgen-cli`",
    )?;
    let snake = name.replace('-', "_");
    let made = format!("{BUILD}/made.wasm");
    let mut arguments: Vec<String> =
        ["--target=wasm32-wasi", "-mexec-model=reactor", "-Os", "-Wall", "-D_GNU_SOURCE"]
            .map(str::to_owned)
            .to_vec();
    arguments.extend([format!("-I{bindings}"), format!("{bindings}/{snake}.c")]);
    arguments.push(format!("{bindings}/{snake}_component_type.o"));
    let sources = if folder.join("src").is_dir() { "src" } else { "." };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.join(sources))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".c") {
            found.push(format!("{sources}/{name}"));
        }
    }
    found.sort();
    arguments.extend(found);
    arguments.extend(["-o".to_owned(), made.clone()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let remedy = "install clang, lld and wasi-libc, on Debian `apt install clang lld wasi-libc libclang-rt-dev-wasm32`";
    run(folder, Path::new("clang"), &arguments, remedy)?;
    Ok(folder.join(made))
}

fn go(folder: &Path, name: &str) -> Result<PathBuf> {
    // It writes a go.mod of its own over that of the author.
    let module = folder.join("go.mod");
    let authors = std::fs::read(&module)?;
    let generated = run(
        folder,
        Path::new("wit-bindgen"),
        &["go", "wit", "--world", name, "--out-dir", "."],
        "run `cargo install wit-bindgen-cli`",
    );
    std::fs::write(&module, authors)?;
    generated?;
    let made = format!("{BUILD}/made.wasm");
    let mut command = Command::new("go");
    command.args(["build", "-buildmode=c-shared", "-ldflags=-checklinkname=0", "-o", &made]);
    command.envs([("GOOS", "wasip1"), ("GOARCH", "wasm")]).current_dir(folder);
    finish(command, "install Go 1.27 or newer")?;
    embed_world(folder, name, &made)?;
    Ok(folder.join(made))
}

/// Go's linker takes no further sections, so the world is put in afterwards.
fn embed_world(folder: &Path, name: &str, module: &str) -> Result<()> {
    let path = folder.join(module);
    let wasm =
        std::fs::read(&path).with_context(|| format!("`{}` was not made", path.display()))?;
    let wasm = hydroid_wasm::authoring::with_world(&wasm, &folder.join("wit"), name)?;
    std::fs::write(&path, wasm).with_context(|| format!("`{}` cannot be written", path.display()))
}

/// A program of the folder's own, or the one of that name that is installed.
fn beside(folder: &Path, place: &str) -> PathBuf {
    let own = folder.join(place);
    let name = Path::new(place).file_name().unwrap_or_default();
    match std::fs::canonicalize(own.parent().unwrap_or(folder)) {
        Ok(directory) if own.is_file() => directory.join(name),
        Ok(_) | Err(_) => PathBuf::from(name),
    }
}

fn run(folder: &Path, program: &Path, arguments: &[&str], remedy: &str) -> Result<()> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    finish(command, remedy)
}

fn finish(mut command: Command, remedy: &str) -> Result<()> {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // Some take half a minute and say nothing.
    crate::terminal::say(&format!("running `{program}`"));
    // What it says is for the person; standard output is for what this command says itself.
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| missing(&program, remedy))?;
    if output.status.success() {
        return Ok(());
    }
    crate::terminal::say(String::from_utf8_lossy(&output.stdout).trim());
    bail!("`{program}` failed ({}); its own messages are above", output.status)
}

fn missing(program: &str, remedy: &str) -> String {
    format!("`{program}` cannot be started; {remedy}")
}

fn clear(directory: &Path) -> Result<()> {
    if directory.is_dir() {
        std::fs::remove_dir_all(directory)
            .with_context(|| format!("`{}` cannot be removed", directory.display()))?;
    }
    std::fs::create_dir_all(directory)
        .with_context(|| format!("`{}` cannot be created", directory.display()))
}
