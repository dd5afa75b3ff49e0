//! Puts the model catalog, what new components are made of and the components of the release into the binary, or says
//! where a development build finds them. It builds no component; `cargo xtask components` does.

#![expect(
    clippy::disallowed_methods,
    reason = "a build script reads its environment, and reads and writes files"
)]

#[path = "build/authoring.rs"]
mod authoring;

use flate2::{Compression, write::DeflateEncoder};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The custom section that holds a component's manifest.
const MANIFEST_SECTION: &str = "hydroid:manifest";

fn main() {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let root = package.ancestors().nth(2).expect("the package is two directories below the root");
    let bundles = root.join("registry/bundles.toml");
    let lock = root.join("Cargo.lock");
    let models = root.join("registry/models.json");
    println!("cargo::rerun-if-env-changed=HYDROID_EMBED");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", bundles.display());
    println!("cargo::rerun-if-changed={}", lock.display());
    println!("cargo::rerun-if-changed={}", models.display());
    let signature = root.join("registry/index.toml.sig");
    println!("cargo::rerun-if-changed={}", root.join("registry").display());
    // A tree that nobody released has no signature.
    let signature = fs::read(signature).unwrap_or_default();
    fs::write(out.join("index.sig"), signature).expect("cargo's own directory can be written to");
    embed_models(&models, &out);
    embed_authoring(root, &out);
    println!("cargo::rustc-env=HYDROID_WASMTIME_VERSION={}", wasmtime_version(&lock));

    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let asked = env::var("HYDROID_EMBED").is_ok_and(|value| value == "1");
    let components = root.join("target/components");
    let source = if release || asked {
        println!("cargo::rerun-if-changed={}", components.display());
        embedded(&bundled(&bundles), &components, &out)
    } else {
        format!("Source::Directory({:?})", components.display().to_string())
    };
    fs::write(out.join("release.rs"), format!("const SOURCE: Source = {source};\n"))
        .expect("cargo's own directory can be written to");
}

/// Compresses the model catalog into cargo's directory and writes what includes it.
fn embed_models(path: &Path, out: &Path) {
    let text = fs::read(path).expect("registry/models.json is there");
    fs::write(out.join("models.json.deflate"), deflated(&text))
        .expect("cargo's own directory can be written to");
    let source = format!(
        "/// Bytes of the catalog's text.\nconst LENGTH: usize = {};\n/// The text, compressed.\nconst COMPRESSED: &[u8] = include_bytes!(concat!(env!(\"OUT_DIR\"), \"/models.json.deflate\"));\n",
        text.len()
    );
    fs::write(out.join("models.rs"), source).expect("cargo's own directory can be written to");
}

/// Compresses what new components are made of, as one JSON object of texts.
fn embed_authoring(root: &Path, out: &Path) {
    println!("cargo::rerun-if-changed=build/authoring.rs");
    let text = serde_json::to_vec(&authoring::files(root)).expect("texts are JSON");
    fs::write(out.join("authoring.json.deflate"), deflated(&text))
        .expect("cargo's own directory can be written to");
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory can be written to");
    encoder.finish().expect("memory can be written to")
}

/// Compresses each component into cargo's directory and writes the table that includes them.
fn embedded(names: &[String], components: &Path, out: &Path) -> String {
    let mut table = String::from("Source::Embedded(&[\n");
    for name in names {
        let path = components.join(format!("{name}.wasm"));
        println!("cargo::rerun-if-changed={}", path.display());
        let wasm = fs::read(&path).unwrap_or_else(|error| {
            panic!("the component `{name}` is not built ({error}); run `cargo xtask setup`, which builds the components and then this")
        });
        let manifest = manifest(&wasm).unwrap_or_else(|| {
            panic!("`{name}.wasm` has no manifest inside; build it with `cargo xtask components`")
        });
        let file = format!("{name}.wasm.deflate");
        fs::write(out.join(&file), deflated(&wasm))
            .expect("cargo's own directory can be written to");
        writeln!(
            table,
            "Embedded {{ name: {name:?}, manifest: {manifest:?}, digest: \"sha256:{}\", length: {}, compressed: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\")) }},",
            hex::encode(Sha256::digest(&wasm)),
            wasm.len(),
        )
        .expect("a string can be written to");
    }
    table + "])"
}

/// The text of the manifest section of the outermost component.
fn manifest(wasm: &[u8]) -> Option<String> {
    let mut depth = 0_u32;
    for payload in wasmparser::Parser::new(0).parse_all(wasm) {
        match payload.ok()? {
            wasmparser::Payload::ModuleSection { .. }
            | wasmparser::Payload::ComponentSection { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth = depth.saturating_sub(1),
            wasmparser::Payload::CustomSection(section)
                if depth == 0 && section.name() == MANIFEST_SECTION =>
            {
                return String::from_utf8(section.data().to_vec()).ok();
            }
            _ => {}
        }
    }
    None
}

/// Names of the components that ship in the binary.
fn bundled(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("registry/bundles.toml is there");
    let table: toml::Table = text.parse().expect("registry/bundles.toml is TOML");
    let components =
        table["bundles"]["default"]["components"].as_array().expect("a list of components");
    components.iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
}

/// The version of wasmtime that this build links, as the lock file says.
fn wasmtime_version(lock: &Path) -> String {
    let version = || {
        let lock: toml::Table = fs::read_to_string(lock).ok()?.parse().ok()?;
        let packages = lock.get("package")?.as_array()?;
        let wasmtime = packages.iter().find(|package| {
            package.get("name").and_then(toml::Value::as_str) == Some("wasmtime")
        })?;
        Some(wasmtime.get("version")?.as_str()?.to_owned())
    };
    version().unwrap_or_else(|| "unknown".to_owned())
}
