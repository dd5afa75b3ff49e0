//! `hydroid component new`: a folder that builds at once, laid together from the pack in this
//! binary. It runs nothing and asks no registry.

use crate::args::authoring::{Language, New, NewRole};
use crate::authoring::Pack;
use crate::exit::{Exit, usage};
use crate::terminal;
use anyhow::{Context, Result};
use clap::ValueEnum;
use hydroid_core::capability::Profile;
use hydroid_core::manifest::{Manifest, is_component_name};
use hydroid_wasm::check::is_built;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Words that stand for something in the language of the contract.
const WORDS_OF_WIT: [&str; 24] = [
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "export",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "string",
    "type",
];

/// Makes the folder.
pub(super) fn new(wish: &New) -> Result<Exit> {
    check_name(&wish.name)?;
    let mut profiles = profiles(&wish.profiles)?;
    if wish.role == NewRole::Channel {
        profiles.insert(Profile::Web);
        if wish.lang != Language::Rust {
            // These engines import all of their world, and a channel's has its own keys.
            profiles.insert(Profile::State);
        }
    }
    let pack = Pack::open()?;
    if !has_template(&pack, wish.lang, wish.role) {
        let has = |language: &&Language| has_template(&pack, **language, wish.role);
        let others = Language::value_variants().iter().filter(has);
        let others = others.map(|language| format!("`--lang {}`", language_name(*language)));
        return Err(usage(format!(
            "there is no template of role `{}` in `{}`; there is one with {}",
            role_name(wish.role),
            language_name(wish.lang),
            others.collect::<Vec<_>>().join(", ")
        )));
    }
    let folder = wish.into.clone().unwrap_or_else(|| PathBuf::from(&wish.name));
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        return Err(usage(format!(
            "`{}` is there already and not empty; choose another name, or `--into` another folder",
            folder.display()
        )));
    }
    let files = files(&pack, wish, &profiles)?;
    let manifest = files.get("manifest.toml").context("the template has no manifest")?;
    Manifest::parse(manifest).context("in the template")?;
    for (place, text) in &files {
        write(&folder.join(place), text)?;
    }
    let shown = folder.display();
    terminal::print_line(&format!("made `{shown}`: {}", layer(wish.role, &profiles).description))?;
    terminal::say(&format!(
        "next: `cd {shown}`, `hydroid component build`, `hydroid component test`; README.md says what that needs"
    ));
    Ok(Exit::Done)
}

fn has_template(pack: &Pack, language: Language, role: NewRole) -> bool {
    let folder = format!("templates/{}/{}", language_name(language), role_name(role));
    // A tool's are by profile, in every language.
    role == NewRole::Tool || pack.below(&folder).next().is_some()
}

/// What a template is about: the layer of files, and words for the texts.
struct Layer {
    name: &'static str,
    description: &'static str,
    example: &'static str,
}

/// The layer that shows what the profiles are for.
fn layer(role: NewRole, profiles: &BTreeSet<Profile>) -> Layer {
    let of_role = |name, description| Layer { name, description, example: "" };
    match role {
        NewRole::Tool => {}
        NewRole::Provider => return of_role("provider", "Answers with what it was told"),
        NewRole::Channel => return of_role("channel", "Carries the messages of a chat service"),
        NewRole::Embedder => {
            return of_role("embedder", "Turns texts into vectors of letter pairs");
        }
        NewRole::Hook => return of_role("hook", "Keeps file tools away from what is private"),
        NewRole::Parser => return of_role("parser", "Finds what is said in subtitles"),
    }
    if profiles.contains(&Profile::Web) {
        return Layer {
            name: "web",
            description: "Says the title of a web page",
            example: "page_title '{\"url\": \"https://example.com/\"}' --grant web",
        };
    }
    if profiles.contains(&Profile::FileReadOnly) || profiles.contains(&Profile::FileReadWrite) {
        return Layer {
            name: "file",
            description: "Counts the words of a text file",
            example: "file_word_count '{\"path\": \"/shared/notes.md\"}' --grant file-read-only --workspace DIR",
        };
    }
    Layer {
        name: "pure",
        description: "Counts the words of a text",
        example: "word_count '{\"text\": \"one two\"}'",
    }
}

fn files(
    pack: &Pack,
    wish: &New,
    profiles: &BTreeSet<Profile>,
) -> Result<BTreeMap<String, String>> {
    let layer = layer(wish.role, profiles);
    let example = match profiles.contains(&Profile::FileReadWrite) {
        true => layer.example.replace("file-read-only", "file-read-write"),
        false => layer.example.to_owned(),
    };
    let words: [(&str, String); 11] = [
        ("{{name}}", wish.name.clone()),
        ("{{snake}}", wish.name.replace('-', "_")),
        ("{{world}}", world_name(&wish.name)),
        ("{{description}}", layer.description.to_owned()),
        ("{{role}}", role_name(wish.role).to_owned()),
        ("{{try}}", trying(wish.role, &wish.name, &example)),
        ("{{wants}}", wants(wish.role, profiles)),
        ("{{includes}}", includes(profiles)),
        ("{{grants}}", grants(&wish.name, profiles)),
        ("{{toolchain}}", toolchain(wish.lang).to_owned()),
        ("{{layout}}", layout(wish.lang).to_owned()),
    ];
    let language = language_name(wish.lang);
    let layers = [
        "templates/every/files".to_owned(),
        format!("templates/every/{}", layer.name),
        format!("templates/{language}/files"),
        format!("templates/{language}/{}", role_name(wish.role)),
        format!("templates/{language}/{}", layer.name),
    ];
    let mut files = BTreeMap::new();
    let mut put = |place: String, text: &str| {
        let mut text = text.to_owned();
        for (word, value) in &words {
            text = text.replace(word, value);
        }
        files.insert(place, text);
    };
    for folder in &layers {
        for (place, text) in pack.below(folder) {
            put(dotted(place), text);
        }
    }
    if wish.lang == Language::Rust {
        for (place, text) in pack.below("vendor") {
            put(format!("vendor/{place}"), text);
        }
    } else {
        for package in ["core", "cap", role_name(wish.role)] {
            let name = format!("{package}.wit");
            let text = pack.below("wit").find(|(place, _)| *place == name);
            let (_, text) = text.with_context(|| format!("the pack has no `{name}`"))?;
            put(format!("wit/deps/hydroid-{package}/{name}"), text);
        }
        put("wit/world.wit".to_owned(), WORLD);
    }
    Ok(files)
}

/// The world of a component that is not written in Rust, which reads like what it may do.
const WORLD: &str = "package local:{{world}};

/// {{description}}.
world {{world}} {
  include hydroid:{{role}}/{{role}}-world@0.1.0;
{{includes}}}
";

/// `dot-vscode/settings.json` is `.vscode/settings.json` where it is used.
fn dotted(place: &str) -> String {
    let parts = place.split('/').map(|part| match part.strip_prefix("dot-") {
        Some(rest) => format!(".{rest}"),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// How it is tried by hand.
fn trying(role: NewRole, name: &str, example: &str) -> String {
    match role {
        NewRole::Tool => format!("hydroid component run build/{name}.wasm {example}"),
        other => format!("hydroid component test --conformance {}", role_name(other)),
    }
}

fn wants(role: NewRole, profiles: &BTreeSet<Profile>) -> String {
    let mut text = String::new();
    for profile in profiles.iter().filter(|profile| **profile != Profile::Pure) {
        let reason = match profile {
            Profile::Web if role == NewRole::Channel => "fetch and send your messages",
            Profile::State if role == NewRole::Channel => {
                "its engine links keys of its own, used or not; nothing is kept yet"
            }
            Profile::Web => "fetch the pages you name",
            Profile::FileReadOnly | Profile::FileReadWrite => "read the file you name",
            _ => "say here what it is for; the person who installs it reads that",
        };
        let _ = write!(text, "\n[wants.{profile}]\nreason = \"{reason}\"\n");
        if *profile == Profile::Web && role == NewRole::Channel {
            text.push_str("hosts = [\"chat.example.com\"]\nmethods = [\"GET\", \"POST\"]\n");
        } else if *profile == Profile::Web {
            text.push_str("hosts = [\"example.com\"]\nmethods = [\"GET\"]\n");
        }
        if profile.names_tools() {
            text.push_str("tools = [\"file_read\"]\n");
        }
    }
    text
}

fn includes(profiles: &BTreeSet<Profile>) -> String {
    let worlds = profiles.iter().map(|profile| match profile {
        Profile::Web => "web-client",
        Profile::Memory => "memory-access",
        Profile::Invoke => "tool-calls",
        Profile::Delegate => "delegation",
        Profile::Skills => "skill-access",
        other => other.id(),
    });
    worlds.map(|world| format!("  include hydroid:cap/{world}@0.1.0;\n")).collect()
}

fn grants(name: &str, profiles: &BTreeSet<Profile>) -> String {
    let files = [Profile::FileReadOnly, Profile::FileReadWrite];
    let pair = profiles.contains(&Profile::Web) && files.iter().any(|file| profiles.contains(file));
    let lines = profiles.iter().filter(|profile| **profile != Profile::Pure).map(|profile| {
        let pair = if pair && *profile == Profile::Web { " --files-and-web" } else { "" };
        format!("hydroid component grant {name} {profile}{pair}\n")
    });
    lines.collect()
}

fn profiles(texts: &[String]) -> Result<BTreeSet<Profile>> {
    let mut profiles = BTreeSet::new();
    for text in texts {
        let profile: Profile = text.parse().map_err(|error| usage(format!("{error}")))?;
        if matches!(profile, Profile::VaultReadStep | Profile::VaultWriteStep) {
            return Err(usage(format!(
                "`{profile}` is half of a vault copy, which two components make together; begin with a neighbour of `components/tool-vault-read` instead"
            )));
        }
        if !is_built(profile) {
            return Err(usage(format!(
                "this version of the host does not have `{profile}`, so a component that wants it would not load"
            )));
        }
        profiles.insert(profile);
    }
    Ok(profiles)
}

/// The name is a component's, and each of its words one of the contract's language.
fn check_name(name: &str) -> Result<()> {
    let word = |word: &str| word.starts_with(|first: char| first.is_ascii_lowercase());
    if is_component_name(name) && name.split('-').all(word) {
        return Ok(());
    }
    Err(usage(format!(
        "`{name}` cannot be the name of a component: it has lower-case letters and digits, in words that begin with a letter, with one `-` between them"
    )))
}

fn world_name(name: &str) -> String {
    let escape = if WORDS_OF_WIT.contains(&name) { "%" } else { "" };
    format!("{escape}{name}")
}

fn role_name(role: NewRole) -> &'static str {
    match role {
        NewRole::Tool => "tool",
        NewRole::Provider => "provider",
        NewRole::Channel => "channel",
        NewRole::Embedder => "embedder",
        NewRole::Hook => "hook",
        NewRole::Parser => "parser",
    }
}

fn language_name(language: Language) -> &'static str {
    match language {
        Language::Rust => "rust",
        Language::Python => "python",
        Language::Js => "js",
        Language::C => "c",
        Language::Go => "go",
    }
}

/// What the build needs, once.
fn toolchain(language: Language) -> &'static str {
    match language {
        Language::Rust => {
            "It needs Rust 1.95 or newer, and once `rustup target add wasm32-wasip2`.\n`cargo build --release --target wasm32-wasip2` alone makes the component, too, without its manifest."
        }
        Language::Python => {
            "It needs Python 3.10 or newer, and once `python3 -m venv venv && venv/bin/pip install -r requirements.txt`."
        }
        Language::Js => "It needs Node.js 20 or newer, and once `npm install`.",
        Language::C => {
            "It needs clang, lld and wasi-libc, on Debian `apt install clang lld wasi-libc libclang-rt-dev-wasm32`, and once `cargo install wit-bindgen-cli`."
        }
        Language::Go => {
            "It needs Go 1.27 or newer, and once `cargo install wit-bindgen-cli` and `go mod tidy`."
        }
    }
}

/// What the folders are.
fn layout(language: Language) -> &'static str {
    match language {
        Language::Rust => {
            "- `vendor/` holds the SDK and the contract it speaks; nothing in it is yours to change."
        }
        Language::Python => {
            "- `wit/` holds its world, which says what it may import, and the contract.\n- `build/bindings` holds what its modules import, with types, for the editor."
        }
        Language::Js => {
            "- `wit/` holds its world, which says what it may import, and the contract.\n- `build/types` holds the types of what it imports; a TypeScript file `app.ts` in place of `app.js` is built as well."
        }
        Language::C => {
            "- `wit/` holds its world, which says what it may import, and the contract.\n- `build/bindings` holds what `wit-bindgen` makes of it."
        }
        Language::Go => {
            "- `wit/` holds its world, which says what it may import, and the contract.\n- `wit_exports.go` and the folders `hydroid_*` are what `wit-bindgen` makes of it."
        }
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("`{}` cannot be created", directory.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("`{}` cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(name: &str, lang: Language, profiles: &[&str]) -> New {
        New {
            name: name.to_owned(),
            lang,
            role: NewRole::Tool,
            profiles: profiles.iter().map(|profile| (*profile).to_owned()).collect(),
            into: None,
        }
    }

    #[test]
    fn every_template_is_whole_and_leaves_no_placeholder() {
        let pack = Pack::open().unwrap();
        for language in Language::value_variants() {
            for wanted in [&[][..], &["file-read-only"], &["web"], &["web", "file-read-write"]] {
                let wish = wish("two-words", *language, wanted);
                let files = files(&pack, &wish, &profiles(&wish.profiles).unwrap()).unwrap();
                for needed in ["README.md", "manifest.toml", "cases.toml", ".gitignore"] {
                    assert!(files.contains_key(needed), "{language:?} {wanted:?}: no {needed}");
                }
                for (place, text) in &files {
                    let is_word = |rest: &str| {
                        let end = rest.split_once("}}");
                        end.is_some_and(|(word, _)| word.bytes().all(|b| b.is_ascii_lowercase()))
                    };
                    assert!(!text.split("{{").skip(1).any(is_word), "{place}: {text}");
                }
                let manifest = Manifest::parse(&files["manifest.toml"]).unwrap();
                assert_eq!(manifest.wants.len(), wanted.len());
            }
        }
    }

    #[test]
    fn a_role_has_what_it_is_tried_with_and_nothing_of_tools() {
        let pack = Pack::open().unwrap();
        for language in [Language::Rust, Language::Python, Language::Js] {
            for role in NewRole::value_variants().iter().filter(|role| **role != NewRole::Tool) {
                assert!(has_template(&pack, language, *role), "{language:?} {role:?}");
                let wish = New { role: *role, ..wish("one-of-mine", language, &[]) };
                let files = files(&pack, &wish, &BTreeSet::new()).unwrap();
                let readme = &files["README.md"];
                let tried = format!("--conformance {}", role_name(*role));
                assert!(readme.contains(&tried), "{language:?} {role:?}: {readme}");
                let of_tools = files.keys().any(|place| place.starts_with("tools."));
                assert!(!of_tools, "{language:?} {role:?}: {:?}", files.keys());
            }
        }
        for language in [Language::C, Language::Go] {
            assert!(!has_template(&pack, language, NewRole::Hook), "{language:?}");
        }
    }

    #[test]
    fn names_and_profiles_that_cannot_be_are_refused() {
        for name in ["", "Notes", "a--b", "a-1", "../a", "a_b", "1a"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("notes-v2").is_ok());
        for profile in ["files", "shell", "vault-read-step"] {
            assert!(profiles(&[profile.to_owned()]).is_err(), "{profile}");
        }
        assert_eq!(world_name("list"), "%list");
    }
}
