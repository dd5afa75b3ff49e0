//! `hydroid:cap/vault-offer`: bytes left with the host by the read step.

use super::error;
use super::vault_read::no_operation;
use crate::bindings::cap::vault_offer::Host;
use crate::bindings::core::types::{Error, ErrorKind};
use crate::instance::State;
use crate::vault::VaultStep;
use wasmtime::Result;

impl Host for State {
    async fn put(&mut self, chunk: Vec<u8>) -> Result<Result<(), Error>> {
        let VaultStep::Read { offered, size, path, .. } = &mut self.vault else {
            return Ok(Err(no_operation()));
        };
        if (offered.len() + chunk.len()) as u64 > *size {
            return Ok(Err(error(
                ErrorKind::TooLarge,
                format!("`{path}` has {size} bytes, and no more can be left with the host"),
            )));
        }
        offered.extend_from_slice(&chunk);
        Ok(Ok(()))
    }
}
