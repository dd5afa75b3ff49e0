//! `memory_save`, `memory_update`, `memory_delete`: single notes by their ids. What fits into a
//! note is for the host to say.

use hydroid_component::bindings::imports::hydroid::cap::memory::{self, Note};
use hydroid_component::tool::ToolError;
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemorySave {
    /// What to remember, as one sentence or a few.
    text: String,
    /// A few lower-case words to find it by, such as `travel`.
    #[serde(default)]
    tags: Vec<String>,
    /// The person said that it matters much; it is found before other notes.
    #[serde(default)]
    important: bool,
    /// Where it is found; everywhere when absent.
    #[serde(default)]
    only_in: Option<Place>,
}

/// Where a note is found.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Place {
    /// In this conversation only.
    Session,
    /// By this agent only.
    Agent,
}

pub(crate) fn memory_save(arguments: MemorySave) -> Result<String, ToolError> {
    let mut tags = arguments.tags;
    // The contract has no other place for these; the host takes them off.
    if arguments.important {
        tags.push("@important".to_owned());
    }
    tags.extend(arguments.only_in.map(|place| match place {
        Place::Session => "@session".to_owned(),
        Place::Agent => "@agent".to_owned(),
    }));
    let id = memory::save(&Note { text: arguments.text, tags })?;
    Ok(format!("saved as `{id}`"))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemoryUpdate {
    /// The note, such as `note-7`.
    id: String,
    /// The new text as a whole.
    text: String,
    /// All tags it is to have; none when absent.
    #[serde(default)]
    tags: Vec<String>,
}

pub(crate) fn memory_update(arguments: MemoryUpdate) -> Result<String, ToolError> {
    let note = Note { text: arguments.text, tags: arguments.tags };
    memory::update(&arguments.id, &note)?;
    Ok(format!("changed `{}`", arguments.id))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemoryDelete {
    /// The note, such as `note-7`.
    id: String,
}

pub(crate) fn memory_delete(arguments: MemoryDelete) -> Result<String, ToolError> {
    memory::delete(&arguments.id)?;
    Ok(format!("forgot `{}`", arguments.id))
}
