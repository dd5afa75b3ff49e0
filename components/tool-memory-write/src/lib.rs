//! The writing half of `tool-memory` as a component. No code of its own, and no tool for
//! searching: whoever may keep notes need not be offered to read them.

use hydroid_component::tool::{Tool, Toolset};
use hydroid_component::types::Error;

struct WriteMemory;

impl Toolset for WriteMemory {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(tool_memory::writing_tools())
    }
}

hydroid_component::export_tool!(WriteMemory);
