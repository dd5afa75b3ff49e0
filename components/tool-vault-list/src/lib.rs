//! `vault_list`: the names of what is in the vault. Nothing behind a name can be reached from
//! here: the host's interface tells names and no more.

use hydroid_component::bindings::imports::hydroid::cap::vault_names;
use hydroid_component::tool::{Tool, ToolError, Toolset};
use hydroid_component::types::Error;
use schemars::JsonSchema;
use serde::Deserialize;

/// Names shown at once.
const SHOWN: u32 = 500;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct VaultList {
    /// Names to skip, to go on where the part before ended.
    #[serde(default)]
    start: u32,
}

struct VaultNames;

impl Toolset for VaultNames {
    fn tools() -> Result<Vec<Tool>, Error> {
        let description = "Lists the names of the files in the user's vault, without sizes, times or content. \
                           A file can be taken out with `vault_copyto`, which the user approves each time.";
        Ok(vec![
            Tool::new("vault_list", description, vault_list).title("List the vault").read_only(),
        ])
    }
}

fn vault_list(arguments: VaultList) -> Result<String, ToolError> {
    let mut names = vault_names::list(arguments.start, SHOWN + 1)?;
    let more = names.len() > SHOWN as usize;
    names.truncate(SHOWN as usize);
    Ok(match (names.is_empty(), more) {
        (true, _) if arguments.start == 0 => "the vault is empty".to_owned(),
        (true, _) => format!("there are no names from {} on", arguments.start),
        (false, false) => names.join("\n"),
        (false, true) => format!(
            "{}\n[there are more; go on with `start` = {}]",
            names.join("\n"),
            arguments.start.saturating_add(SHOWN)
        ),
    })
}

hydroid_component::export_tool!(VaultNames);
