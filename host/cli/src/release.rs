//! The components of the release: inside the binary, or in the build directory of a development
//! build. What they may do is decided elsewhere.

use anyhow::{Context, Result};
use flate2::read::DeflateDecoder;
use hydroid_core::config::Component;
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::Manifest;
use hydroid_wasm::{FirstParty, component};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

include!(concat!(env!("OUT_DIR"), "/release.rs"));

/// What ships and is granted what it wants.
const BUNDLES: &str = include_str!("../../../registry/bundles.toml");

/// Where the release's components are. A build has one of the two.
#[expect(dead_code, reason = "a build script chooses one of the two")]
enum Source {
    /// In this binary.
    Embedded(&'static [Embedded]),
    /// In the directory a development build wrote them to.
    Directory(&'static str),
}

/// One component in this binary.
struct Embedded {
    name: &'static str,
    manifest: &'static str,
    digest: &'static str,
    length: usize,
    compressed: &'static [u8],
}

/// The components of the release, and what is the matter with those that are not there.
pub(crate) struct Release {
    /// Those that are there.
    pub(crate) components: Vec<FirstParty>,
    /// Sentences about those that are not.
    pub(crate) problems: Vec<String>,
}

/// Names of the components that ship.
pub(crate) fn bundle() -> Result<BTreeSet<String>> {
    let table: toml::Table =
        BUNDLES.parse().context("the list of components in this binary is not TOML")?;
    let components = table
        .get("bundles")
        .and_then(|bundles| bundles.get("default")?.get("components")?.as_array());
    let components =
        components.context("the list of components in this binary has no default bundle")?;
    Ok(components.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
}

impl Release {
    /// Adds what the configuration names another instance of one: the same bytes under a name,
    /// and so a configuration and grants, of its own. It is bundled as the other is. One that is of
    /// nothing is not there, and a problem.
    pub(crate) fn add_instances(
        &mut self,
        configured: &BTreeMap<String, Component>,
        bundle: &mut BTreeSet<String>,
    ) {
        let named = |first: &FirstParty, name: &str| first.manifest.name.as_str() == name;
        for (name, of) in
            configured.iter().filter_map(|(name, its)| Some((name, its.component.as_ref()?)))
        {
            let taken = self.components.iter().any(|first| named(first, name));
            let original = self.components.iter().find(|first| named(first, of));
            let Some(original) = original.filter(|_| !taken) else {
                let problem = match taken {
                    true => format!("`{name}` is the name of a component already"),
                    false => format!("no component of the release is called `{of}`"),
                };
                self.problems.push(format!(
                    "`components.{name}.component` is `{of}`, but {problem}, so it is left out; `hydroid component list` shows what there is, and `hydroid config unset components.{name}` takes it out of your file"
                ));
                continue;
            };
            let manifest =
                Manifest { name: ComponentId::new(name.as_str()), ..original.manifest.clone() };
            let (digest, bytes_of) = (original.digest.clone(), of.clone());
            let wasm = Box::new(move || wasm(&bytes_of).map_err(|error| format!("{error:#}")));
            if bundle.contains(of) {
                bundle.insert(name.clone());
            }
            self.components.push(FirstParty { manifest, digest, wasm });
        }
    }
}

/// Finds the components of the release.
pub(crate) fn release() -> Result<Release> {
    match SOURCE {
        Source::Embedded(all) => {
            let components = all.iter().map(Embedded::first_party).collect::<Result<_>>()?;
            Ok(Release { components, problems: Vec::new() })
        }
        Source::Directory(directory) => Ok(all_of_directory(directory, &bundle()?)),
    }
}

/// The bytes of a component of the release.
pub(crate) fn wasm(name: &str) -> Result<Vec<u8>> {
    let wasm = match SOURCE {
        Source::Embedded(all) => {
            all.iter().find(|embedded| embedded.name == name).map(Embedded::decompress)
        }
        Source::Directory(directory) => {
            bundle()?.contains(name).then(|| of_directory(directory, name).map(|(_, wasm)| wasm))
        }
    };
    wasm.with_context(|| format!("no component of this release is called `{name}`"))?
        .map_err(anyhow::Error::msg)
}

impl Embedded {
    fn first_party(&'static self) -> Result<FirstParty> {
        let manifest = Manifest::parse(self.manifest).context("a manifest in this binary")?;
        Ok(FirstParty {
            manifest,
            digest: self.digest.to_owned(),
            wasm: Box::new(|| self.decompress()),
        })
    }

    fn decompress(&self) -> Result<Vec<u8>, String> {
        let mut wasm = Vec::with_capacity(self.length);
        let read = DeflateDecoder::new(self.compressed)
            .take(self.length as u64 + 1)
            .read_to_end(&mut wasm);
        match read {
            Ok(length) if length == self.length && component::digest(&wasm) == self.digest => {
                Ok(wasm)
            }
            Ok(_) | Err(_) => {
                Err("its bytes in this binary are damaged; install hydroid again".into())
            }
        }
    }
}

/// What a development build made of a component, with its manifest.
fn of_directory(directory: &str, name: &str) -> Result<(Manifest, Vec<u8>), String> {
    let path = std::path::Path::new(directory).join(format!("{name}.wasm"));
    let read = || {
        let wasm = std::fs::read(&path).map_err(|error| error.to_string())?;
        let manifest = component::embedded_manifest(&wasm).map_err(|error| error.to_string())?;
        Ok((manifest.ok_or("it has no manifest inside")?, wasm))
    };
    read().map_err(|problem: String| {
        format!("`{name}` is not built: {problem}; run `cargo xtask components`")
    })
}

fn all_of_directory(directory: &str, bundle: &BTreeSet<String>) -> Release {
    let mut release = Release { components: Vec::new(), problems: Vec::new() };
    for name in bundle {
        match of_directory(directory, name) {
            Ok((manifest, wasm)) => {
                let digest = component::digest(&wasm);
                let wasm = Box::new(move || Ok(wasm.clone()));
                release.components.push(FirstParty { manifest, digest, wasm });
            }
            Err(problem) => release.problems.push(problem),
        }
    }
    release
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::DeflateEncoder;
    use std::io::Write;

    fn embedded(wasm: &[u8], digest: String, length: usize) -> &'static Embedded {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(wasm).unwrap();
        let compressed = encoder.finish().unwrap().leak();
        Box::leak(Box::new(Embedded {
            name: "x",
            manifest: "name = \"x\"\nversion = \"1.0.0\"\n",
            digest: digest.leak(),
            length,
            compressed,
        }))
    }

    #[test]
    fn a_component_comes_out_as_it_went_in() {
        let first = embedded(b"wasm", component::digest(b"wasm"), 4).first_party().unwrap();
        assert_eq!(first.manifest.name.as_str(), "x");
        assert_eq!((first.wasm)().unwrap(), b"wasm");
    }

    #[test]
    fn damaged_bytes_are_not_given_out() {
        for (digest, length) in [(component::digest(b"other"), 4), (component::digest(b"wasm"), 3)]
        {
            let problem = embedded(b"wasm", digest, length).decompress().unwrap_err();
            assert!(problem.contains("damaged"), "{problem}");
        }
    }

    #[test]
    fn the_bundle_is_named() {
        assert!(bundle().unwrap().contains("tool-files-read"));
    }
}
