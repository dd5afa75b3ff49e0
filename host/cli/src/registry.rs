//! What is offered: the index of components that belongs to this release, in the binary, so that
//! it can be looked through without the network, or a signed one of somebody else. It says what a
//! component does and wants; whether one is installed is not written there.

use crate::release;
use anyhow::{Context, Result};
use hydroid_wasm::shipping::{PublicKey, Signature, Statement};
use serde::{Deserialize, Serialize};

/// The index, generated from the components of the release.
const INDEX: &str = include_str!("../../../registry/index.toml");

/// Who signed it when it was released, in the form of `FILE.sig`; empty in a tree that nobody
/// released.
const SIGNATURE: &str = include_str!(concat!(env!("OUT_DIR"), "/index.sig"));

/// All that is offered.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    /// One entry a component, sorted by name.
    pub(crate) components: Vec<Offered>,
}

/// One component.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Offered {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// `sha256:…` of its bytes. The file in the repository has none, since other compilers make
    /// other bytes; what is in the binary has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    /// What it is for: `tool` or `provider`.
    pub(crate) role: String,
    /// What it does, in a sentence.
    pub(crate) description: String,
    /// Where it can be installed from; none for what the release brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    /// Its licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) license: Option<String>,
    /// What it wants, in the words of the question before it is installed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) wants: Vec<String>,
    /// Its tools, as a model is told of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tools: Vec<OfferedTool>,
}

/// One tool.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OfferedTool {
    /// Its name.
    pub(crate) name: String,
    /// What it does.
    pub(crate) description: String,
}

impl Index {
    /// The index of this release.
    pub(crate) fn of_release() -> Result<Self> {
        released(INDEX, SIGNATURE)?;
        let mut index =
            Self::parse(INDEX).context("the index of components in this binary is damaged")?;
        for component in release::release()?.components {
            let name = component.manifest.name.as_str();
            if let Some(offered) = index.components.iter_mut().find(|one| one.name == name) {
                offered.digest = Some(component.digest);
            }
        }
        Ok(index)
    }

    /// Reads an index.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    /// Those in which every word is found, the best first: in the name before the description,
    /// and in that before the tools.
    pub(crate) fn search(&self, words: &[String]) -> Vec<&Offered> {
        let words: Vec<String> =
            words.iter().flat_map(|word| word.split_whitespace()).map(str::to_lowercase).collect();
        let mut found: Vec<(usize, &Offered)> = self
            .components
            .iter()
            .filter_map(|offered| Some((offered.distance(&words)?, offered)))
            .collect();
        found.sort_by_key(|(distance, offered)| (*distance, offered.name.as_str()));
        found.into_iter().map(|(_, offered)| offered).collect()
    }
}

/// Who signed the index of a release; none if nobody did. A signature that does not fit is an
/// error: then one of the two is not what was released.
pub(crate) fn released(index: &str, signature: &str) -> Result<Option<PublicKey>> {
    if signature.trim().is_empty() {
        return Ok(None);
    }
    let signature: Signature = signature.parse().map_err(anyhow::Error::new)?;
    signature.check(&Statement::of_index(index.as_bytes())).context(
        "the index of components in this binary is not the one that was signed; build it again from a tree whose `registry/index.toml.sig` fits, or without one",
    )?;
    Ok(Some(signature.key))
}

/// Who signed the index of this release, for people.
pub(crate) fn signed_by() -> Result<String> {
    Ok(match released(INDEX, SIGNATURE)? {
        Some(key) => format!("the index of this release is signed by {key}"),
        None => {
            "the index of this release is signed by nobody; it is as good as the binary".to_owned()
        }
    })
}

impl Offered {
    /// How far from its name the words are found; none if one is nowhere.
    fn distance(&self, words: &[String]) -> Option<usize> {
        let tools = |text: fn(&OfferedTool) -> &str| {
            self.tools.iter().map(text).collect::<Vec<_>>().join("\n").to_lowercase()
        };
        let places = [
            self.name.to_lowercase(),
            self.description.to_lowercase(),
            tools(|tool| &tool.name),
            tools(|tool| &tool.description),
        ];
        words.iter().map(|word| places.iter().position(|place| place.contains(word))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::component::wishes;
    use crate::env::Environment;
    use crate::wire::Ground;
    use hydroid_wasm::Status;
    use std::path::Path;
    use std::sync::Arc;

    const HEAD: &str = "# What this release offers. Generated from the components and their manifests;\n# `UPDATE=1 cargo test -p hydroid-cli registry` rewrites it.\n\n";

    /// What the built components say of themselves.
    async fn generated() -> Index {
        let home = tempfile::tempdir().unwrap();
        let shared =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp/compiled-components");
        std::fs::create_dir_all(&shared).unwrap();
        std::os::unix::fs::symlink(shared, home.path().join("cache")).unwrap();
        let environment = Environment::of(&[("HYDROID_HOME", home.path().to_str().unwrap())]);
        let ground = Ground::lay_to_look(Arc::new(environment), &[]).unwrap();
        let catalog = ground.catalog_to_look_at().await.unwrap();
        let components = catalog.installed().into_iter().map(|installed| {
            let Status::Ready(loaded) = &installed.status else {
                panic!("{}: {:?}", installed.name, installed.status)
            };
            let manifest = &loaded.manifest;
            let tools = loaded.definitions.iter().map(|definition| OfferedTool {
                name: definition.name.clone(),
                description: definition.description.clone(),
            });
            Offered {
                name: manifest.name.to_string(),
                version: manifest.version.to_string(),
                digest: None,
                role: loaded.role.to_string(),
                description: manifest.description.clone(),
                source: None,
                license: manifest.license.clone(),
                wants: wishes(manifest),
                tools: tools.collect(),
            }
        });
        Index { components: components.collect() }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_registry_index_is_that_of_the_components() {
        let text = format!("{HEAD}{}", toml::to_string_pretty(&generated().await).unwrap());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../registry/index.toml");
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap();
        assert!(
            committed == text,
            "registry/index.toml is not what the components say; `cargo xtask components` and `UPDATE=1 cargo test -p hydroid-cli registry` rewrite it"
        );
    }

    #[test]
    fn a_released_index_is_the_one_that_was_signed() {
        let key = hydroid_wasm::shipping::SecretKey::generate().unwrap();
        let signature = key.sign(&Statement::of_index(INDEX.as_bytes())).to_json();
        assert_eq!(released(INDEX, &signature).unwrap(), Some(key.public()));
        assert_eq!(released(INDEX, "\n").unwrap(), None);
        let error = released(&INDEX.replace("tool-time", "tool-tine"), &signature).unwrap_err();
        assert!(format!("{error:#}").contains("not the one that was signed"), "{error:#}");
        assert!(released(INDEX, "{}").is_err());
    }

    #[test]
    fn what_is_sought_is_found_by_name_first() {
        let index = Index::of_release().unwrap();
        let names = |words: &[&str]| -> Vec<&str> {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            index.search(&words).into_iter().map(|offered| offered.name.as_str()).collect()
        };
        assert_eq!(names(&["TIME"]).first(), Some(&"tool-time"));
        assert_eq!(names(&["nothing has this"]), [""; 0]);
        assert!(names(&["file write"]).contains(&"tool-files-write"));
        assert!(index.components.iter().all(|offered| offered.digest.is_some()));
    }
}
