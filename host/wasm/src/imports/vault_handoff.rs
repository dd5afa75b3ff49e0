//! `hydroid:cap/vault-handoff`: what the read step left, taken once by the write step.

use super::vault_read::no_operation;
use crate::bindings::cap::vault_handoff::Host;
use crate::bindings::core::types::Error;
use crate::instance::State;
use crate::vault::VaultStep;
use wasmtime::Result;

impl Host for State {
    async fn take(&mut self, max: u32) -> Result<Result<Option<Vec<u8>>, Error>> {
        let VaultStep::Write { handoff, taken } = &mut self.vault else {
            return Ok(Err(no_operation()));
        };
        if *taken == handoff.len() {
            return Ok(Ok(None));
        }
        let piece = &handoff[*taken..];
        let piece = piece[..piece.len().min(max.max(1) as usize)].to_vec();
        *taken += piece.len();
        Ok(Ok(Some(piece)))
    }
}
