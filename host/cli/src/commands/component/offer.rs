//! A component that might be installed, set against what is here: who vouches for it, what it is
//! put in place of, and what it asks for beyond that. Nobody is asked and nothing changed here.

use super::difference::more;
use super::portrait::bytes;
use super::source::Acquired;
use super::{RELEASE, find};
use crate::wire::{Ground, read_keys, read_lock};
use anyhow::{Context, Result, bail};
use hydroid_core::harmless::exact;
use hydroid_wasm::shipping::{KeyLevel, Locked, Signature, Statement};
use hydroid_wasm::{Catalog, Examined, Installed};
use std::sync::Arc;

/// What might be installed.
pub(super) struct Offer {
    pub(super) wasm: Vec<u8>,
    pub(super) examined: Examined,
    pub(super) source: String,
    pub(super) signer: Signer,
    /// What is installed under the name now.
    pub(super) own: Vec<Arc<Installed>>,
    pub(super) before: Option<Examined>,
    pub(super) locked: Option<Locked>,
}

/// Who vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    /// Nobody.
    Nobody,
    /// A key the person does not know.
    Unknown(String),
    /// A key the person knows.
    Known { name: String, key: String, level: KeyLevel },
}

impl Signer {
    /// The public key.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::Nobody => None,
            Self::Unknown(key) | Self::Known { key, .. } => Some(key),
        }
    }

    /// After a component's name and version.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Nobody => "signed by nobody".to_owned(),
            Self::Unknown(key) => format!("signed by a key you do not know ({key})"),
            Self::Known { name, level: KeyLevel::Trusted, .. } => format!("by {}", exact(name)),
            Self::Known { name, level, .. } => format!("by {} ({})", exact(name), level.id()),
        }
    }
}

impl Offer {
    /// Looks at what was fetched. What cannot be installed in any way is refused here.
    pub(super) fn new(ground: &Ground, catalog: &Catalog, acquired: Acquired) -> Result<Self> {
        let Acquired { wasm, signature, source, version, fallback } = acquired;
        let examined = catalog
            .examine(wasm.clone(), &fallback)
            .with_context(|| format!("`{}` cannot be added", exact(&source)))?;
        let manifest = &examined.manifest;
        let name = manifest.name.to_string();
        if let Some(said) = version.filter(|said| *said != manifest.version) {
            bail!(
                "`{}` holds version {} of `{name}` and not {said}, so it was not taken",
                exact(&source),
                manifest.version
            );
        }
        let signer = signer(ground, &wasm, &examined, signature.as_deref())
            .with_context(|| format!("`{}` cannot be added", exact(&source)))?;
        let same_name = catalog.installed().into_iter().filter(|installed| installed.name == name);
        let (release, own): (Vec<_>, Vec<_>) =
            same_name.partition(|installed| installed.place == RELEASE);
        if !release.is_empty() {
            bail!(
                "the name `{name}` is taken by a component of the release; give yours another name in its manifest and build it again"
            );
        }
        let before = own
            .first()
            .and_then(|installed| catalog.examine(bytes(ground, installed).ok()?, &name).ok());
        let locked = read_lock(&ground.paths.lock_file())?.components.remove(&name);
        Ok(Self { wasm, examined, source, signer, own, before, locked })
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.examined.manifest.name.as_str()
    }

    /// `telegram 1.2.0 by acme`.
    pub(super) fn title(&self) -> String {
        format!("{} {} {}", self.name(), self.examined.manifest.version, self.signer.in_words())
    }

    /// The version it is put in place of, if that is a newer one.
    pub(super) fn is_older_than(&self) -> Option<&semver::Version> {
        let version = &self.examined.manifest.version;
        self.locked.as_ref().map(|locked| &locked.version).filter(|locked| *locked > version)
    }

    /// True if the very same bytes are installed and pinned.
    pub(super) fn is_there(&self) -> bool {
        let digest = Some(&self.examined.digest);
        self.locked.as_ref().map(|locked| &locked.digest) == digest
            && self.own.first().and_then(|own| own.digest.as_ref()) == digest
    }

    /// What is different about it, for a person who had agreed to the one before; none for the
    /// first of its name.
    pub(super) fn differences(&self) -> Option<Vec<String>> {
        let Some(before) = &self.before else {
            return self.locked.as_ref().map(|_| {
                vec!["what was installed under this name cannot be compared with it".to_owned()]
            });
        };
        let mut differences = Vec::new();
        let version = &self.examined.manifest.version;
        if before.manifest.version == *version && before.digest != self.examined.digest {
            differences.push(format!(
                "it says it is {version}, as the one before did, and has other bytes ({} before, {} now)",
                before.digest, self.examined.digest
            ));
        }
        if let Some(locked) = &self.locked {
            match (&locked.key, self.signer.key()) {
                (Some(old), Some(new)) if old != new => {
                    differences.push(format!("another key signed it: {old} before, {new} now"))
                }
                (Some(old), None) => {
                    differences.push(format!("nobody signed it; {old} signed the one before"));
                }
                (Some(_), Some(_)) | (None, _) => {}
            }
        }
        differences.extend(more(before, &self.examined));
        Some(differences)
    }
}

/// Who signed it. A signature that does not fit is worse than none.
fn signer(
    ground: &Ground,
    wasm: &[u8],
    examined: &Examined,
    signature: Option<&str>,
) -> Result<Signer> {
    let Some(text) = signature else { return Ok(Signer::Nobody) };
    let signature: Signature = text.parse()?;
    signature.check(&Statement::of(wasm, &examined.manifest))?;
    let key = signature.key.to_string();
    let keys = read_keys(&ground.paths.keys_file())?;
    match keys.of(&key) {
        None => Ok(Signer::Unknown(key)),
        Some((name, KeyLevel::Distrusted)) => bail!(
            "`{name}` signed it, whom you do not trust; `hydroid key trust {name}` would let it in"
        ),
        Some((name, level)) => Ok(Signer::Known { name: name.to_owned(), key, level }),
    }
}

/// An installed component of the user's own that is pinned.
pub(super) fn locked(ground: &Ground, catalog: &Catalog, name: &str) -> Result<Locked> {
    let locked = read_lock(&ground.paths.lock_file())?.components.remove(name);
    match locked {
        Some(locked) => Ok(locked),
        None => {
            let installed = find(catalog, name)?;
            let whence = match installed.place.as_str() {
                RELEASE => "it came with the release, and changes with it",
                _ => "its file was put into the folder by hand",
            };
            bail!("`{name}` has no other version here: {whence}")
        }
    }
}
