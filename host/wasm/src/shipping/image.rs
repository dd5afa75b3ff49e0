//! A component as it lies in a registry: the Wasm community's OCI artifact, one configuration and
//! one layer, so that `wkg` and others read what we write. The signature is an annotation of the
//! layer, which they hand on untouched.

use super::reference::is_digest;
use crate::catalog::Examined;
use crate::component::digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Type of the image's manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Type of the configuration.
const CONFIG: &str = "application/vnd.wasm.config.v0+json";

/// Type of the layer with the component.
const LAYER: &str = "application/wasm";

/// The annotation of the layer that holds its signature.
const SIGNATURE: &str = "dev.hydroid.signature";

/// The moment every image says it was made: the same component is the same image, whoever
/// publishes it and when.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What is brought to a registry.
#[derive(Debug)]
pub struct Image {
    /// The configuration's bytes.
    pub(super) config: Vec<u8>,
    /// The manifest's bytes.
    pub(super) manifest: Vec<u8>,
}

/// A piece of content, by its digest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// What a manifest names that is of interest here.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) layer: Descriptor,
    pub(super) signature: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    config: Descriptor,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Image {
    /// The image of a component.
    pub fn new(wasm: &[u8], examined: &Examined, signature: Option<String>) -> Self {
        let mut imports: Vec<String> =
            examined.imports.iter().map(crate::check::Import::full_name).collect();
        imports.sort();
        let layer_digest = digest(wasm);
        let config = json!({
            "created": CREATED,
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [layer_digest],
            "component": { "exports": examined.exports, "imports": imports, "target": null },
        });
        let config = config.to_string().into_bytes();
        let described = &examined.manifest;
        let annotations = [
            ("title", Some(described.name.to_string())),
            ("version", Some(described.version.to_string())),
            ("description", Some(described.description.clone()).filter(|text| !text.is_empty())),
            ("licenses", described.license.clone()),
            ("source", described.source.clone()),
        ];
        let annotations = annotations
            .into_iter()
            .filter_map(|(key, value)| Some((format!("org.opencontainers.image.{key}"), value?)))
            .collect();
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            config: Descriptor {
                media_type: CONFIG.to_owned(),
                digest: digest(&config),
                size: config.len() as u64,
                annotations: BTreeMap::new(),
            },
            layers: vec![Descriptor {
                media_type: LAYER.to_owned(),
                digest: layer_digest,
                size: wasm.len() as u64,
                annotations: signature
                    .map(|text| (SIGNATURE.to_owned(), text))
                    .into_iter()
                    .collect(),
            }],
            annotations,
        };
        let manifest = serde_json::to_vec(&manifest).expect("a manifest is plain data");
        Self { config, manifest }
    }

    /// `sha256:…` of the image, by which it can be pinned.
    pub fn digest(&self) -> String {
        digest(&self.manifest)
    }
}

/// Reads a manifest that a registry sent.
pub(super) fn contents(bytes: &[u8]) -> Result<Contents, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|_| "it is not JSON".to_owned())?;
    if value.get("manifests").is_some() {
        return Err("it is an index of several images; name one of them with `@sha256:…`".into());
    }
    let manifest: Manifest = serde_json::from_value(value)
        .map_err(|error| format!("it is no manifest of an image: {error}"))?;
    let mut layers = manifest.layers.into_iter().filter(|layer| layer.media_type == LAYER);
    let (Some(mut layer), None) = (layers.next(), layers.next()) else {
        return Err(format!("it has not exactly one layer of the type `{LAYER}`"));
    };
    if !is_digest(&layer.digest) {
        return Err("its layer is not named by a sha256 digest".into());
    }
    let signature = layer.annotations.remove(SIGNATURE);
    Ok(Contents { layer, signature })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_is_none_is_refused_with_the_reason() {
        let check = |text: &str, expect: &str| {
            let problem = contents(text.as_bytes()).unwrap_err();
            assert!(problem.contains(expect), "{problem}");
        };
        check("x", "not JSON");
        check("[]", "no manifest");
        check(r#"{"manifests":[]}"#, "index");
        let layer = |media: &str, digest: &str| {
            format!(r#"{{"mediaType":"{media}","digest":"{digest}","size":1}}"#)
        };
        let manifest = |layers: &str| {
            format!(r#"{{"schemaVersion":2,"config":{},"layers":[{layers}]}}"#, layer(CONFIG, "x"))
        };
        let good = layer(LAYER, &digest(b"x"));
        check(&manifest(""), "exactly one");
        check(&manifest(&format!("{good},{good}")), "exactly one");
        check(&manifest(&layer(LAYER, "md5:1")), "sha256");
        // Others put a policy or a licence beside the component.
        let other = layer("text/plain", &digest(b"y"));
        assert!(contents(manifest(&format!("{other},{good}")).as_bytes()).is_ok());
    }
}
