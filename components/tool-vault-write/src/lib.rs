//! The writing half of `vault_copyto`. It takes what the read step left with the host and writes
//! it, piece by piece into what the host holds back until the end; the vault is not there for it.

use hydroid_component::bindings::imports::hydroid::cap::vault_handoff;
use hydroid_component::fs::{self, WriteMode};
use hydroid_component::tool::{Tool, ToolError, Toolset};
use hydroid_component::types::Error;
use schemars::JsonSchema;
use serde::Deserialize;

/// Bytes taken at once.
const CHUNK: u32 = 256 << 10;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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

struct VaultWrite;

impl Toolset for VaultWrite {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(vec![Tool::new("vault_copyto", "Writes what the read step left.", copy_to)])
    }
}

fn copy_to(arguments: CopyTo) -> Result<String, ToolError> {
    if let Some((parent, _)) =
        arguments.target.rsplit_once('/').filter(|(parent, _)| !parent.is_empty())
    {
        fs::make_directory(parent)?;
    }
    // The host keeps what is written until this step has ended well, and then writes it as a whole.
    let mut mode = if arguments.overwrite { WriteMode::Replace } else { WriteMode::Create };
    let mut chunk = vault_handoff::take(CHUNK)?.unwrap_or_default();
    loop {
        fs::write(&arguments.target, &chunk, mode)?;
        mode = WriteMode::Append;
        match vault_handoff::take(CHUNK)? {
            Some(next) => chunk = next,
            None => return Ok(format!("copied `{}` to `{}`", arguments.source, arguments.target)),
        }
    }
}

hydroid_component::export_tool!(VaultWrite);
