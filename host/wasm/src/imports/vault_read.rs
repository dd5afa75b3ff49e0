//! `hydroid:cap/vault-read`: the one item of this operation, in the read step only.

use super::error;
use crate::bindings::cap::vault_read::{Host, Item};
use crate::bindings::core::types::{Error, ErrorKind};
use crate::instance::State;
use crate::vault::VaultStep;
use cap_std::fs::FileExt;
use wasmtime::Result;

/// Most bytes one read returns.
const LARGEST_READ: u32 = 1 << 20;

impl Host for State {
    async fn stat(&mut self) -> Result<Result<Item, Error>> {
        let VaultStep::Read { path, size, .. } = &self.vault else {
            return Ok(Err(no_operation()));
        };
        Ok(Ok(Item { path: path.clone(), size: u32::try_from(*size).unwrap_or(u32::MAX) }))
    }

    async fn read(&mut self, offset: u32, length: u32) -> Result<Result<Vec<u8>, Error>> {
        let VaultStep::Read { item, path, size, .. } = &self.vault else {
            return Ok(Err(no_operation()));
        };
        let left = size.saturating_sub(offset.into());
        let wanted = left.min(length.min(LARGEST_READ).into());
        let mut bytes = vec![0; usize::try_from(wanted).unwrap_or(0)];
        match item.read_at(&mut bytes, offset.into()) {
            Ok(read) => {
                bytes.truncate(read);
                Ok(Ok(bytes))
            }
            Err(problem) => {
                Ok(Err(error(ErrorKind::Unavailable, format!("`{path}`: {}", problem.kind()))))
            }
        }
    }
}

/// What a component hears that is granted a step and called outside of an operation.
pub(super) fn no_operation() -> Error {
    error(ErrorKind::Denied, "no vault operation is open in this call")
}
