//! `hydroid:cap/vault-names`: what is in the vault, by name only.

use super::error;
use super::fs_read::file_error;
use crate::bindings::cap::vault_names::Host;
use crate::bindings::core::types::{Error, ErrorKind};
use crate::instance::State;
use wasmtime::Result;

/// Most names one call returns.
const MOST_AT_ONCE: u32 = 1_000;

impl Host for State {
    async fn list(&mut self, start: u32, limit: u32) -> Result<Result<Vec<String>, Error>> {
        let Some(workspace) = self.equipment.workspace.as_deref() else {
            return Ok(Err(error(
                ErrorKind::Denied,
                "the vault has no names while a component is asked what it is",
            )));
        };
        Ok(workspace.vault_names().map_err(file_error).map(|names| {
            let limit = limit.min(MOST_AT_ONCE) as usize;
            names.into_iter().skip(start as usize).take(limit).collect()
        }))
    }
}
