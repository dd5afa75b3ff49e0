//! `scratchpad_read`, `scratchpad_write`, `scratchpad_clear`: the short text of this conversation.

use hydroid_component::bindings::imports::hydroid::cap::scratchpad;
use hydroid_component::tool::ToolError;
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScratchpadRead {}

pub(crate) fn scratchpad_read(_: ScratchpadRead) -> Result<String, ToolError> {
    let text = scratchpad::read()?;
    Ok(if text.is_empty() { "(the scratchpad is empty)".to_owned() } else { text })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScratchpadWrite {
    /// The whole new text; an empty one clears it.
    text: String,
}

pub(crate) fn scratchpad_write(arguments: ScratchpadWrite) -> Result<String, ToolError> {
    scratchpad::write(&arguments.text)?;
    Ok(match arguments.text.chars().count() {
        0 => "cleared the scratchpad".to_owned(),
        count => format!("wrote {count} characters to the scratchpad"),
    })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScratchpadClear {}

pub(crate) fn scratchpad_clear(_: ScratchpadClear) -> Result<String, ToolError> {
    scratchpad::write("")?;
    Ok("cleared the scratchpad".to_owned())
}
