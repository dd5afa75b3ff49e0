//! Components as a stranger makes them: from a template and the packages of registries alone, to
//! a tool that a turn calls. Whose toolchain is not here is left out by `cargo xtask test`, which
//! says so; `cargo xtask authors` installs them.

use crate::root;
use crate::support::hydroid::{Home, Ran, program};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

mod guides;

/// A folder that `hydroid component new` made, and the home of whoever installs its component.
struct Author {
    home: Home,
    name: String,
}

impl Author {
    /// Makes a folder; `options` say of what.
    fn new(name: &str, options: &[&str]) -> Self {
        let author = Self { home: Home::new(), name: name.to_owned() };
        let folder = author.folder();
        let into = folder.to_str().expect("a path in UTF-8");
        let arguments = [&["component", "new", name, "--into", into], options].concat();
        author.home.run(&arguments).code(0);
        author
    }

    fn folder(&self) -> PathBuf {
        self.home.path(&self.name)
    }

    /// Runs `hydroid` with the toolchains of this machine within reach.
    fn run(&self, arguments: &[&str]) -> Ran {
        let toolchains = toolchains();
        let variables: Vec<_> =
            toolchains.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.home.run_in(&variables, arguments, b"")
    }

    /// Types a script in an empty folder, with `hydroid` and the toolchains within reach.
    fn types(script: &str) -> Ran {
        let home = Home::new();
        let folder = home.path("empty");
        std::fs::create_dir(&folder).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(&folder).stdin(Stdio::null());
        command.env_clear().envs(toolchains()).env("HYDROID_HOME", home.path(""));
        let own = program().parent().expect("a program is in a folder").display().to_string();
        let (_, path) = toolchains().swap_remove(0);
        command.env("PATH", format!("{own}:{path}"));
        let output = command.output().expect("there is a shell");
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Builds it, and tries its cases and what every component of its role must keep to.
    fn builds_and_conforms(&self, role: &str) {
        let folder = self.folder();
        let folder = folder.to_str().expect("a path in UTF-8");
        self.run(&["component", "build", folder]).code(0).says(".wasm: ");
        let test = ["component", "test", folder, "--no-build", "--conformance", role];
        self.run(&test).code(0).says(", 0 failed");
    }

    /// Installs it; it is not ready before it is granted what it wants.
    fn is_installed(&self) {
        let file = self.folder().join("build").join(format!("{}.wasm", self.name));
        let file = file.to_str().expect("a path in UTF-8");
        self.home.run(&["component", "add", "--allow-unsigned", file]).code(0).says("added ");
    }

    /// What `npm install` would put there.
    fn has_packages_of_npm(&self) {
        let packages = root().join("target/authors/js/node_modules");
        std::os::unix::fs::symlink(packages, self.folder().join("node_modules")).unwrap();
    }

    /// The template of a role, as far as a host runs it.
    #[track_caller]
    fn conforms_and_is_installed(&self, role: &str) {
        self.builds_and_conforms(role);
        self.is_installed();
        // What a host does not run it refuses with a sentence.
        let says = if role == "channel" { "it is a channel" } else { "ready" };
        self.home.run(&["component", "list"]).code(0).says(&self.name).says(says);
    }

    /// The template that counts the words of a file, from folder to a turn that calls it.
    #[track_caller]
    fn counts_the_words_of_a_file_in_a_turn(&self) {
        self.builds_and_conforms("tool");
        self.is_installed();
        std::fs::create_dir_all(self.home.shared("")).unwrap();
        std::fs::write(self.home.shared("notes.md"), "one two three\n").unwrap();
        let ask = ["ask", "call file_word_count {\"path\": \"/shared/notes.md\"}"];
        let before = self.home.run(&ask);
        assert!(!before.stdout.contains("3 words"), "it ran without a grant: {}", before.stdout);
        self.home.run(&["component", "grant", &self.name, "file-read-only"]).code(0);
        self.home.run(&ask).code(0).says("3 words");
    }
}

const FILES: [&str; 2] = ["--profile", "file-read-only"];

#[test]
fn a_tool_in_rust_goes_from_a_template_to_a_turn() {
    Author::new("file-words", &FILES).counts_the_words_of_a_file_in_a_turn();
}

#[test]
fn a_tool_with_the_web_is_tested_without_it() {
    let author = Author::new("page-titles", &["--profile", "web"]);
    author.builds_and_conforms("tool");
    let folder = author.folder();
    let folder_text = folder.to_str().expect("a path in UTF-8");
    let test = ["component", "test", folder_text, "--no-build"];
    std::fs::write(folder.join("recorded.json"), "[]").unwrap();
    author.run(&test).code(1).says("no answer to `GET https://example.com/` was recorded");
    std::fs::write(folder.join("recorded.json"), "{").unwrap();
    author.run(&test).code(1).tells("--record");
    let file = folder.join("build/page-titles.wasm");
    let file = file.to_str().expect("a path in UTF-8");
    let refused = author.home.run(&["component", "run", file, "page_title", "{}"]);
    refused.code(1).tells("`--grant PROFILE`");
    let elsewhere = "{\"url\": \"https://elsewhere.example/\"}";
    let run = ["component", "run", file, "page_title", elsewhere, "--grant", "web"];
    author.home.run(&run).code(3).says("elsewhere.example");
}

#[test]
fn a_provider_in_rust_goes_from_a_template_to_a_turn() {
    let author = Author::new("provider-echo", &["--role", "provider"]);
    author.builds_and_conforms("provider");
    author.is_installed();
    author.home.run(&["config", "set", "model.provider", "provider-echo"]).code(0);
    author.home.run(&["config", "set", "model.name", "echo"]).code(0);
    author.home.run(&["ask", "say this again"]).code(0).says("say this again");
}

#[test]
fn components_of_the_other_roles_are_made_in_rust_and_conform() {
    for role in ["channel", "embedder", "hook", "parser"] {
        Author::new(&format!("{role}-of-mine"), &["--role", role]).conforms_and_is_installed(role);
    }
    let home = Home::new();
    let new = ["component", "new", "channel-x", "--role", "channel", "--lang", "go"];
    home.run(&new).code(2).tells("no template of role `channel` in `go`").tells("`--lang python`");
}

#[test]
fn authors_python_go_from_a_template_to_a_turn() {
    let options = [&["--lang", "python"], &FILES[..]].concat();
    Author::new("file-words", &options).counts_the_words_of_a_file_in_a_turn();
}

#[test]
fn authors_js_go_from_a_template_to_a_turn() {
    let options = [&["--lang", "js"], &FILES[..]].concat();
    let author = Author::new("file-words", &options);
    author.has_packages_of_npm();
    author.counts_the_words_of_a_file_in_a_turn();
}

#[track_caller]
fn python_conforms(role: &str) {
    let options = ["--lang", "python", "--role", role];
    Author::new(&format!("{role}-of-mine"), &options).conforms_and_is_installed(role);
}

#[track_caller]
fn js_conforms(role: &str) {
    let author = Author::new(&format!("{role}-of-mine"), &["--lang", "js", "--role", role]);
    author.has_packages_of_npm();
    author.conforms_and_is_installed(role);
}

#[test]
fn authors_python_make_a_channel() {
    python_conforms("channel");
}

#[test]
fn authors_python_make_an_embedder() {
    python_conforms("embedder");
}

#[test]
fn authors_python_make_a_hook() {
    python_conforms("hook");
}

#[test]
fn authors_python_make_a_parser() {
    python_conforms("parser");
}

#[test]
fn authors_python_make_a_provider() {
    python_conforms("provider");
}

#[test]
fn authors_js_make_a_channel() {
    js_conforms("channel");
}

#[test]
fn authors_js_make_an_embedder() {
    js_conforms("embedder");
}

#[test]
fn authors_js_make_a_hook() {
    js_conforms("hook");
}

#[test]
fn authors_js_make_a_parser() {
    js_conforms("parser");
}

#[test]
fn authors_js_make_a_provider() {
    js_conforms("provider");
}

#[test]
fn authors_c_go_from_a_template_to_a_turn() {
    let options = [&["--lang", "c"], &FILES[..]].concat();
    Author::new("file-words", &options).counts_the_words_of_a_file_in_a_turn();
}

#[test]
fn authors_go_go_from_a_template_to_a_turn() {
    let options = [&["--lang", "go"], &FILES[..]].concat();
    let author = Author::new("file-words", &options);
    // The module comes with the crate of `wit-bindgen`, where no module proxy can be reached.
    let module = go_module().expect("`cargo xtask authors` fetched the crate `wit-bindgen-go`");
    let mut go_mod = std::fs::read_to_string(author.folder().join("go.mod")).unwrap();
    go_mod.push_str(&format!("\nreplace go.bytecodealliance.org/pkg => {}\n", module.display()));
    std::fs::write(author.folder().join("go.mod"), go_mod).unwrap();
    author.counts_the_words_of_a_file_in_a_turn();
}

#[test]
fn a_folder_that_cannot_be_built_says_why() {
    let home = Home::new();
    let folder = home.path("empty");
    std::fs::create_dir(&folder).unwrap();
    let folder = folder.to_str().expect("a path in UTF-8");
    home.run(&["component", "build", folder]).code(1).tells("manifest.toml");
    home.write("empty/manifest.toml", "name = \"x\"\nversion = \"1.0.0\"\n");
    home.run(&["component", "build", folder]).code(1).tells("`hydroid component new`");
    home.run(&["component", "new", "x", "--into", folder]).code(2).tells("not empty");
    home.run(&["component", "new", "../x"]).code(2).tells("cannot be the name");
    home.run(&["component", "new", "x", "--profile", "shell"]).code(2).tells("does not have");
    home.write("empty/Cargo.toml", "");
    // No toolchain is within reach of this one.
    home.run(&["component", "build", folder]).code(1).tells("install Rust with rustup");
}

/// Variables with which the toolchains of this machine are found; the first is the path.
fn toolchains() -> Vec<(&'static str, String)> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let tools = root().join("target/authors");
    let path = format!("{0}/venv/bin:{0}/cargo/bin:{1}", tools.display(), variable("PATH"));
    let home = variable("HOME");
    let or = |name: &str, below: &str| match variable(name) {
        set if set.is_empty() => format!("{home}/{below}"),
        set => set,
    };
    let (cargo, rustup) = (or("CARGO_HOME", ".cargo"), or("RUSTUP_HOME", ".rustup"));
    vec![
        ("PATH", path),
        ("HOME", home),
        ("CARGO_HOME", cargo),
        ("RUSTUP_HOME", rustup),
        // Dependencies are compiled once for all templates.
        ("CARGO_TARGET_DIR", root().join("target/tmp/authors").display().to_string()),
        ("GOPATH", tools.join("go").display().to_string()),
        ("GOFLAGS", "-mod=mod".to_owned()),
    ]
}

/// The Go module with the types of generated code.
fn go_module() -> Option<PathBuf> {
    let cargo = std::env::var("CARGO_HOME")
        .unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").unwrap_or_default()));
    let sources = std::fs::read_dir(Path::new(&cargo).join("registry/src")).ok()?;
    let crates = sources.flatten().flat_map(|source| std::fs::read_dir(source.path())).flatten();
    crates
        .flatten()
        .filter(|found| found.file_name().to_string_lossy().starts_with("wit-bindgen-go-"))
        .map(|found| found.path().join("src/pkg"))
        .find(|module| module.is_dir())
}
