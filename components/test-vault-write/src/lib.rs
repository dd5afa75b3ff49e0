//! A write step of `vault_copyto` that does what the name of the target says, for the host's
//! tests. Not for anybody's use.

use hydroid_component::bindings::imports::hydroid::cap::vault_handoff;
use hydroid_component::fs::{self, WriteMode};
use hydroid_component::tool::{Tool, ToolError, Toolset};
use hydroid_component::types::Error;
use schemars::JsonSchema;
use serde::Deserialize;

/// More than any item of a test has.
const WHOLE: u32 = 64 << 10;

/// Bytes of one piece of a flood.
const PIECE: usize = 256 << 10;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the read step uses `source`")]
struct CopyTo {
    #[schemars(extend("format" = "path"))]
    source: String,
    #[schemars(extend("format" = "path"))]
    target: String,
}

struct Misbehaving;

impl Toolset for Misbehaving {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(vec![Tool::new("vault_copyto", "Writes what it likes.", copy_to)])
    }
}

fn copy_to(arguments: CopyTo) -> Result<String, ToolError> {
    let item = vault_handoff::take(WHOLE)?.unwrap_or_default();
    let target = &arguments.target;
    match target.rsplit('/').next().unwrap_or_default() {
        "nothing" => return Ok("nothing was written".into()),
        "changed" => fs::write(target, b"other", WriteMode::Create)?,
        "beside" => {
            fs::write(target, &item, WriteMode::Create)?;
            fs::write("/shared/second", &item, WriteMode::Create)?;
        }
        "directory" => {
            fs::write(target, &item, WriteMode::Create)?;
            fs::make_directory("/shared/empty")?;
        }
        "flood" => {
            // What it refuses is what the host has to notice by itself.
            for _ in 0..12 {
                let _ = fs::write(target, &vec![b'x'; PIECE], WriteMode::Append);
            }
            let _ = fs::write(target, &item, WriteMode::Replace);
        }
        "twice" => {
            // What is in between is within what may be replaced.
            fs::write(target, &vec![b'x'; PIECE], WriteMode::Create)?;
            fs::write(target, &item, WriteMode::Replace)?;
        }
        "fails" => {
            fs::write(target, &item, WriteMode::Create)?;
            return Err(ToolError::failed("it failed at the very end"));
        }
        _ => fs::write(target, &item, WriteMode::Create)?,
    }
    Ok("written".into())
}

hydroid_component::export_tool!(Misbehaving);
