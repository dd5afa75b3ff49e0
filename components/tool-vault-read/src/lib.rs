//! The reading half of `vault_copyto`. It sees the one item of its operation, leaves it with the
//! host and cannot write anywhere; where it goes is the other half's work.

use hydroid_component::bindings::imports::hydroid::cap::{vault_offer, vault_read};
use hydroid_component::tool::{Tool, ToolError, Toolset};
use hydroid_component::types::Error;
use schemars::JsonSchema;
use serde::Deserialize;

/// Bytes carried at once.
const CHUNK: u32 = 256 << 10;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the host opens `source`; the write step uses the others")]
struct CopyTo {
    /// The item, `/vault/…`.
    #[schemars(extend("format" = "path"))]
    source: String,
    /// Where it goes, under `/shared` or `/tmp`.
    #[schemars(extend("format" = "path"))]
    target: String,
    /// Replace a file that is there.
    #[serde(default)]
    overwrite: bool,
}

struct VaultRead;

impl Toolset for VaultRead {
    fn tools() -> Result<Vec<Tool>, Error> {
        let description = "Copies one file out of the vault to a file under /shared or /tmp. \
                           Each copy needs the person's approval. The vault cannot be read otherwise.";
        Ok(vec![Tool::new("vault_copyto", description, copy_to).title("Copy out of the vault")])
    }
}

fn copy_to(_: CopyTo) -> Result<String, ToolError> {
    let item = vault_read::stat()?;
    let mut offset = 0;
    loop {
        let chunk = vault_read::read(offset, CHUNK)?;
        if chunk.is_empty() {
            return Ok(format!("read {offset} of {} bytes", item.size));
        }
        offset += u32::try_from(chunk.len()).unwrap_or(CHUNK);
        vault_offer::put(&chunk)?;
    }
}

hydroid_component::export_tool!(VaultRead);
