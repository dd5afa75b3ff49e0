//! From what a toolchain wrote to a component that is complete: wrapped if it is a core module,
//! stripped of what no one reads, with its manifest and the standard descriptions inside. It runs
//! no toolchain and loads nothing.

use crate::component::{MANIFEST_SECTION, brief};
use hydroid_core::manifest::{Manifest, ManifestError};
use std::borrow::Cow;
use std::path::Path;
use wasm_encoder::{
    Component, ComponentNameSection, ComponentSection, ComponentSectionId, CustomSection, Encode,
    Module, RawSection,
};
use wasmparser::{Encoding, Parser, Payload, Validator};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The name under which C's and Go's library import WASI.
const PREVIEW_1: &str = "wasi_snapshot_preview1";

/// Standard sections that say what a component is; they are written anew from the manifest.
const DESCRIPTIONS: [&str; 4] = ["description", "licenses", "source", "version"];

/// Why a component cannot be finished.
#[derive(Debug, thiserror::Error)]
pub enum AuthoringError {
    /// Not WebAssembly.
    #[error("it is not WebAssembly: {0}")]
    Binary(String),
    /// A core module that says nothing of the contract.
    #[error(
        "it is a core module that cannot be made a component: {0}; it has to be linked with what `wit-bindgen` writes for its world"
    )]
    Wrap(String),
    /// Its manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// The complete component of what a toolchain wrote and the text of its manifest.
pub fn finished(wasm: &[u8], manifest: &str) -> Result<Vec<u8>, AuthoringError> {
    let described = Manifest::parse(manifest)?;
    let wrapped = if Parser::is_core_wasm(wasm) { wrap(wasm)? } else { wasm.to_vec() };
    let mut component = stripped(&wrapped).map_err(|error| binary(&error))?;
    let mut names = ComponentNameSection::new();
    names.component(described.name.as_str());
    names.append_to_component(&mut component);
    let version = described.version.to_string();
    let texts = [
        Some(described.description.as_str()).filter(|text| !text.is_empty()),
        described.license.as_deref(),
        described.source.as_deref().filter(|source| source.contains("://")),
        Some(version.as_str()),
    ];
    for (name, text) in DESCRIPTIONS.into_iter().zip(texts) {
        if let Some(text) = text {
            append(&mut component, name, text);
        }
    }
    append(&mut component, MANIFEST_SECTION, manifest);
    Ok(component)
}

/// A component around a core module for WASI's first version, as libraries for C and Go still are.
pub fn wrap(module: &[u8]) -> Result<Vec<u8>, AuthoringError> {
    // The library that wraps it panics over sections that end behind the module.
    Validator::new().validate_all(module).map_err(|error| binary(&error))?;
    let starts = Parser::new(0).parse_all(module).any(|payload| match payload {
        Ok(Payload::ExportSection(exports)) => {
            exports.into_iter().any(|export| export.is_ok_and(|export| export.name == "_start"))
        }
        _ => false,
    });
    let adapter = if starts {
        wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER
    } else {
        wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER
    };
    let wrapped = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.adapter(PREVIEW_1, adapter))
        .and_then(|mut encoder| encoder.encode());
    wrapped.map_err(|error| AuthoringError::Wrap(brief(&format!("{error:#}"))))
}

/// A core module with the world of a folder of WIT inside, for toolchains whose linker takes no
/// further sections.
pub fn with_world(module: &[u8], wit: &Path, world: &str) -> Result<Vec<u8>, AuthoringError> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).map_err(no_world)?;
    let world = resolve.select_world(&[package], Some(world)).map_err(no_world)?;
    let mut module = module.to_vec();
    let embedded = embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8);
    embedded.map_err(no_world)?;
    Ok(module)
}

/// The component without custom sections that neither the host nor a person reads.
fn stripped(wasm: &[u8]) -> Result<Vec<u8>, wasmparser::BinaryReaderError> {
    let mut output = Vec::new();
    let mut outer: Vec<Vec<u8>> = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match &payload {
            Payload::Version { encoding: Encoding::Component, .. } => {
                output.extend(Component::HEADER);
            }
            Payload::Version { encoding: Encoding::Module, .. } => output.extend(Module::HEADER),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                outer.push(std::mem::take(&mut output));
            }
            Payload::End(_) => {
                let Some(mut parent) = outer.pop() else { break };
                parent.push(if output.starts_with(&Component::HEADER) {
                    ComponentSectionId::Component.into()
                } else {
                    ComponentSectionId::CoreModule.into()
                });
                output.encode(&mut parent);
                output = parent;
            }
            Payload::CustomSection(section) if !is_kept(section.name(), outer.is_empty()) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    // A section ends inside the bytes it was read from.
                    let data = wasm.get(range).unwrap_or_default();
                    output.push(id);
                    RawSection { id, data }.encode(&mut output);
                }
            }
        }
    }
    Ok(output)
}

/// Names of functions are kept, for the log of a call that failed; so is what built it.
fn is_kept(name: &str, outermost: bool) -> bool {
    match name {
        "name" | "producers" => true,
        "component-name" => !outermost,
        other => other.starts_with("dylink") || other.starts_with("component-type"),
    }
}

fn append(component: &mut Vec<u8>, name: &str, text: &str) {
    let section = CustomSection { name: Cow::Borrowed(name), data: Cow::Borrowed(text.as_bytes()) };
    section.append_to_component(component);
}

fn no_world(error: impl std::fmt::Display) -> AuthoringError {
    AuthoringError::Wrap(brief(&format!("{error:#}")))
}

fn binary(error: &wasmparser::BinaryReaderError) -> AuthoringError {
    AuthoringError::Binary(brief(error.message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str =
        "name = \"notes\"\nversion = \"1.2.0\"\ndescription = \"Keeps notes\"\nlicense = \"MIT\"\n";

    /// Names and texts of the outermost custom sections.
    fn sections(wasm: &[u8]) -> Vec<(String, String)> {
        let mut depth = 0_u32;
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.unwrap() {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if depth == 0 => {
                    let text = String::from_utf8_lossy(section.data()).into_owned();
                    found.push((section.name().to_owned(), text));
                }
                _ => {}
            }
        }
        found
    }

    fn component(text: &str) -> Vec<u8> {
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn a_finished_component_says_what_it_is_and_is_the_same_when_finished_again() {
        let wasm = component("(component (core module (func)) (@custom \".debug_info\" \"x\"))");
        let once = finished(&wasm, MANIFEST).unwrap();
        let names: Vec<String> = sections(&once).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["component-name", "description", "licenses", "version", MANIFEST_SECTION]
        );
        assert!(sections(&once).contains(&("version".into(), "1.2.0".into())));
        assert_eq!(finished(&once, MANIFEST).unwrap(), once);
        let manifest = crate::component::embedded_manifest(&once).unwrap().unwrap();
        assert_eq!(manifest.version.to_string(), "1.2.0");
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
            .validate_all(&once)
            .unwrap();
    }

    #[test]
    fn what_debuggers_read_is_left_out_at_any_depth() {
        let inner = "(core module (func) (@custom \".debug_info\" \"DEBUG\") (@custom \"producers\" \"\\00\"))";
        let wasm = component(&format!("(component (component {inner}) {inner})"));
        assert!(wasm.windows(5).any(|bytes| bytes == b"DEBUG"));
        let done = finished(&wasm, MANIFEST).unwrap();
        assert!(!done.windows(5).any(|bytes| bytes == b"DEBUG"));
        assert_eq!(done.windows(9).filter(|bytes| bytes == b"producers").count(), 2);
    }

    #[test]
    fn what_is_no_component_is_refused_in_words() {
        let refused =
            |wasm: &[u8], manifest: &str| finished(wasm, manifest).unwrap_err().to_string();
        assert!(refused(b"hello", MANIFEST).starts_with("it is not WebAssembly: "));
        let module = wat::parse_str("(module (import \"env\" \"f\" (func)))").unwrap();
        assert!(refused(&module, MANIFEST).contains("wit-bindgen"));
        assert!(refused(&component("(component)"), "name = 1").contains("manifest"));
    }
}
