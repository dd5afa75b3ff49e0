//! Everything known about one installed component, loaded or refused. It only gathers.

use super::{RELEASE, reasons};
use crate::release;
use crate::wire::Ground;
use anyhow::{Context, Result};
use hydroid_core::capability::Grant;
use hydroid_core::manifest::Manifest;
use hydroid_wasm::grants::Subject;
use hydroid_wasm::limits::Limits;
use hydroid_wasm::{Catalog, Description, Examined, Installed, Loaded, Status};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Largest `.wasm` file looked at; a Python component has 18 MB.
const LARGEST_FILE: u64 = 256 << 20;

/// What is known about a component.
pub(super) struct Portrait {
    pub(super) name: String,
    pub(super) place: String,
    pub(super) digest: Option<String>,
    pub(super) manifest: Option<Manifest>,
    /// Comes with the release and is granted what it wants.
    pub(super) bundled: bool,
    /// What is in force, or would be if it loaded.
    pub(super) grant: Grant,
    /// None for bytes that are no component.
    pub(super) examined: Option<Examined>,
    pub(super) loaded: Option<Arc<Loaded>>,
    /// Why it is not loaded.
    pub(super) reasons: Vec<String>,
    pub(super) limits: Option<Limits>,
    /// Hosts of secrets for which the configuration says other ones than the manifest.
    pub(super) secret_hosts: BTreeMap<String, Vec<String>>,
}

impl Portrait {
    /// Looks at an installed component, at its bytes too.
    pub(super) fn of(ground: &Ground, catalog: &Catalog, installed: &Installed) -> Result<Self> {
        let bundled = installed.place == RELEASE && catalog.is_bundled(&installed.name);
        let examined = bytes(ground, installed)
            .ok()
            .and_then(|wasm| catalog.examine(wasm, &installed.name).ok());
        let loaded = match &installed.status {
            Status::Ready(loaded) => Some(loaded.clone()),
            Status::Refused(_) => None,
        };
        let grant = match (&loaded, &installed.manifest, &installed.digest) {
            (Some(loaded), _, _) => loaded.grant().clone(),
            (None, Some(manifest), Some(digest)) => {
                let grants = catalog.grants().map_err(anyhow::Error::msg)?;
                grants.effective(Subject { manifest, digest, bundled })
            }
            (None, _, _) => Grant::default(),
        };
        let limits = match (&loaded, &installed.manifest) {
            (Some(loaded), _) => Some(*loaded.limits()),
            (None, Some(manifest)) => {
                let overrides = ground
                    .config
                    .components
                    .get(&installed.name)
                    .cloned()
                    .unwrap_or_default()
                    .limits;
                Some(Limits::resolve(&ground.config.limits, &overrides, &manifest.limits))
            }
            (None, None) => None,
        };
        Ok(Self {
            name: installed.name.clone(),
            place: installed.place.clone(),
            digest: installed.digest.clone(),
            manifest: installed.manifest.clone(),
            bundled,
            grant,
            examined,
            loaded,
            reasons: reasons(&installed.status),
            limits,
            secret_hosts: configured_hosts(ground),
        })
    }

    /// True if it can be called.
    pub(super) fn is_ready(&self) -> bool {
        self.loaded.is_some()
    }

    /// Its version, if it says one.
    pub(super) fn version(&self) -> Option<String> {
        self.manifest.as_ref().map(|manifest| manifest.version.to_string())
    }

    /// What it is for, if it can be told.
    pub(super) fn role(&self) -> Option<String> {
        self.examined.as_ref().map(|examined| examined.role.to_string())
    }

    /// What it says of its vectors, if it is an embedder and loaded.
    pub(super) fn embedder(&self) -> Option<&Description> {
        self.loaded.as_ref().and_then(|loaded| loaded.embedder())
    }

    /// Points it is asked at, if it is a hook and loaded.
    pub(super) fn points(&self) -> Vec<String> {
        self.loaded.iter().flat_map(|loaded| loaded.points()).map(|it| it.to_string()).collect()
    }

    /// Endings of the names of documents it reads, if it is loaded.
    pub(super) fn reads(&self) -> Vec<String> {
        self.loaded.iter().flat_map(|loaded| loaded.reads()).cloned().collect()
    }

    /// Tools it offers, if it is loaded.
    pub(super) fn tools(&self) -> Vec<String> {
        let definitions = self.loaded.iter().flat_map(|loaded| &loaded.definitions);
        definitions.map(|definition| definition.name.clone()).collect()
    }
}

fn configured_hosts(ground: &Ground) -> BTreeMap<String, Vec<String>> {
    let configured = ground.secrets.configured().filter(|(_, source)| !source.hosts.is_empty());
    configured.map(|(name, source)| (name.clone(), source.hosts.clone())).collect()
}

/// The bytes of an installed component.
pub(super) fn bytes(ground: &Ground, installed: &Installed) -> Result<Vec<u8>> {
    if installed.place == RELEASE {
        let configured = ground.config.components.get(&installed.name);
        let of = configured.and_then(|its| its.component.as_ref());
        return release::wasm(of.unwrap_or(&installed.name));
    }
    read(&ground.paths.components().join(&installed.place))
}

/// The bytes of a component file.
pub(in crate::commands) fn read(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let file = std::fs::File::open(path).with_context(|| format!("`{shown}` cannot be opened"))?;
    let mut wasm = Vec::new();
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut wasm)
        .with_context(|| format!("`{shown}` cannot be read"))?;
    anyhow::ensure!(
        wasm.len() as u64 <= LARGEST_FILE,
        "`{shown}` has more than {LARGEST_FILE} bytes, which no component needs"
    );
    Ok(wasm)
}
