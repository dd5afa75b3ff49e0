//! Grant → linker. What was not granted is not there, so it cannot be called: the component does
//! not link. The same grant builds the store.

use crate::bindings::{cap, channels, core};
use crate::instance::State;
use crate::{contract, imports, wasi};
use hydroid_core::capability::{Grant, Profile};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, Result};

/// Profiles whose host side is part of this host.
pub(crate) const BUILT: [Profile; 12] = [
    Profile::Pure,
    Profile::FileReadOnly,
    Profile::FileReadWrite,
    Profile::Web,
    Profile::VaultList,
    Profile::VaultReadStep,
    Profile::VaultWriteStep,
    Profile::State,
    Profile::Memory,
    Profile::Delegate,
    Profile::Skills,
    Profile::Invoke,
];

/// Linkers by the interfaces in them: one for each set of profiles, made once.
pub(crate) struct Linkers {
    engine: Engine,
    made: Mutex<HashMap<BTreeSet<Profile>, Arc<Linker<State>>>>,
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone(), made: Mutex::default() }
    }

    /// The linker for a grant.
    pub(crate) fn get(&self, grant: &Grant) -> Result<Arc<Linker<State>>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linker) = made.get(&grant.profiles) {
            return Ok(linker.clone());
        }
        let linker = Arc::new(link(&self.engine, grant)?);
        made.insert(grant.profiles.clone(), linker.clone());
        Ok(linker)
    }
}

impl std::fmt::Debug for Linkers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linkers").finish_non_exhaustive()
    }
}

fn link(engine: &Engine, grant: &Grant) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasi::link(&mut linker)?;
    for track in &contract::TRACKS {
        (track.link)(&mut linker, grant)?;
    }
    if grant.links("wasi:http/outgoing-handler") {
        imports::wasi_http::link(&mut linker)?;
    }
    Ok(linker)
}

/// The interfaces of the current contract.
pub(crate) fn link_current(linker: &mut Linker<State>, grant: &Grant) -> Result<()> {
    core::types::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    core::log::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    core::config::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    core::control::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    // What a channel hands in with; in other hands it refuses.
    channels::hydroid::channel::inbox::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    if grant.links("hydroid:cap/fs-read") {
        cap::fs_read::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    if grant.links("hydroid:cap/fs-write") {
        cap::fs_write::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    if grant.links("hydroid:cap/secrets") {
        cap::secrets::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    if grant.links("hydroid:cap/web") {
        cap::web::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    if grant.links("hydroid:cap/vault-names") {
        cap::vault_names::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    if grant.links("hydroid:cap/vault-read") {
        cap::vault_read::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    if grant.links("hydroid:cap/vault-offer") {
        cap::vault_offer::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    if grant.links("hydroid:cap/vault-handoff") {
        cap::vault_handoff::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    if grant.links("hydroid:cap/kv") {
        cap::kv::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    if grant.links("hydroid:cap/invoke") {
        cap::invoke::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    if grant.links("hydroid:cap/delegate") {
        cap::delegate::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    if grant.links("hydroid:cap/skills") {
        cap::skills::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    if grant.links("hydroid:cap/memory") {
        cap::memory::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    if grant.links("hydroid:cap/scratchpad") {
        cap::scratchpad::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    }
    Ok(())
}
