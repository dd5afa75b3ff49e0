//! Putting one version in place of another: the file, what is pinned and what is granted change
//! together, a running host sees either all of it or none, and the bytes before are kept.

use super::offer::Offer;
use super::portrait::bytes;
use crate::paths::{private_directory, replace_private};
use crate::secrets::lock::Lock as FileLock;
use crate::wire::{Ground, read_grants, read_lock};
use anyhow::{Context, Result, bail};
use hydroid_wasm::catalog::CHANGING;
use hydroid_wasm::component::digest;
use hydroid_wasm::grants::Entry;
use hydroid_wasm::shipping::Locked;
use std::path::PathBuf;

/// How many versions before the one that is installed are kept.
const MOST_BEFORE: usize = 16;

/// Held while several things that belong together change.
pub(super) struct Change {
    marker: PathBuf,
    _lock: FileLock,
}

impl Change {
    /// Waits for whoever is changing something, and tells running hosts to look later.
    pub(super) fn begin(ground: &Ground) -> Result<Self> {
        let lock = FileLock::take(&ground.paths.components_lock())?;
        let directory = ground.paths.components();
        private_directory(&directory)?;
        let marker = directory.join(CHANGING);
        replace_private(&marker, b"")?;
        Ok(Self { marker, _lock: lock })
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.marker));
    }
}

/// Installs an offer with these grants, if any.
pub(super) fn put_in_place(ground: &Ground, offer: &Offer, entry: Option<Entry>) -> Result<()> {
    let name = offer.name();
    let _change = Change::begin(ground)?;
    let mut lock = read_lock(&ground.paths.lock_file())?;
    if lock.components.get(name) != offer.locked.as_ref() {
        bail!("`{name}` was changed by another command meanwhile, so nothing was done; try again");
    }
    // A file that was put there by hand is pinned, so that one can go back to it.
    if let (None, Some(before), Some(own)) =
        (lock.components.get(name), &offer.before, offer.own.first())
    {
        let by_hand = Locked {
            version: before.manifest.version.clone(),
            digest: before.digest.clone(),
            source: own.place.clone(),
            key: None,
            before: Vec::new(),
        };
        lock.components.insert(name.to_owned(), by_hand);
    }
    if let Some(own) = offer.own.first() {
        let wasm = bytes(ground, own)?;
        let found = digest(&wasm);
        if lock.components.get(name).is_some_and(|locked| locked.digest == found) {
            replace_private(&kept(ground, name, &found), &wasm)?;
        }
    }
    let new = Locked {
        version: offer.examined.manifest.version.clone(),
        digest: offer.examined.digest.clone(),
        source: offer.source.clone(),
        key: offer.signer.key().map(str::to_owned),
        before: Vec::new(),
    };
    let gone = lock.pin(name, new, MOST_BEFORE);
    let target = format!("{name}.wasm");
    replace_private(&ground.paths.components().join(&target), &offer.wasm)?;
    for older in offer.own.iter().filter(|installed| installed.place != target) {
        std::fs::remove_file(ground.paths.components().join(&older.place))
            .with_context(|| format!("the older file `{}` cannot be removed", older.place))?;
    }
    replace_private(&ground.paths.lock_file(), lock.to_toml().as_bytes())?;
    write_entry(ground, name, entry)?;
    for locked in gone {
        drop(std::fs::remove_file(kept(ground, name, &locked.digest)));
    }
    Ok(())
}

/// Puts the version before back, which is then no longer among those before.
pub(super) fn put_back(
    ground: &Ground,
    name: &str,
    wasm: &[u8],
    from: &Locked,
    entry: Option<Entry>,
) -> Result<()> {
    let _change = Change::begin(ground)?;
    let mut lock = read_lock(&ground.paths.lock_file())?;
    if lock.components.get(name) != Some(from) {
        bail!("`{name}` was changed by another command meanwhile, so nothing was done; try again");
    }
    let mut before = from.before.clone();
    let Some(back) = before.pop() else { bail!("`{name}` has no version before this one") };
    replace_private(&ground.paths.components().join(format!("{name}.wasm")), wasm)?;
    let place = kept(ground, name, &back.digest);
    lock.components.insert(name.to_owned(), Locked { before, ..back });
    replace_private(&ground.paths.lock_file(), lock.to_toml().as_bytes())?;
    write_entry(ground, name, entry)?;
    drop(std::fs::remove_file(place));
    Ok(())
}

/// Takes out what is pinned and kept of a component.
pub(super) fn forget(ground: &Ground, name: &str) -> Result<()> {
    let mut lock = read_lock(&ground.paths.lock_file())?;
    if lock.components.remove(name).is_some() {
        replace_private(&ground.paths.lock_file(), lock.to_toml().as_bytes())?;
    }
    drop(std::fs::remove_dir_all(ground.paths.earlier_versions(name)));
    Ok(())
}

/// The bytes of a version before, whole.
pub(super) fn kept_bytes(ground: &Ground, name: &str, locked: &Locked) -> Result<Vec<u8>> {
    let path = kept(ground, name, &locked.digest);
    let wasm = super::portrait::read(&path)
        .with_context(|| format!("the kept bytes of {name} {} are not there", locked.version))?;
    if digest(&wasm) != locked.digest {
        bail!("`{}` was changed, so it is not used; remove it", path.display());
    }
    Ok(wasm)
}

fn kept(ground: &Ground, name: &str, digest: &str) -> PathBuf {
    let hex = digest.trim_start_matches("sha256:");
    ground.paths.earlier_versions(name).join(format!("{hex}.wasm"))
}

fn write_entry(ground: &Ground, name: &str, entry: Option<Entry>) -> Result<()> {
    let file = ground.paths.grants_file();
    let mut grants = read_grants(&file)?;
    let before = grants.components.remove(name);
    if before == entry {
        return Ok(());
    }
    if let Some(entry) = entry {
        grants.components.insert(name.to_owned(), entry);
    }
    replace_private(&file, grants.to_toml().as_bytes())
}
