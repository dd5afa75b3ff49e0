//! The reading half of `tool-memory` as a component. No code of its own: that it cannot keep,
//! change or forget anything is visible in the functions it imports.

use hydroid_component::tool::{Tool, Toolset};
use hydroid_component::types::Error;

struct ReadMemory;

impl Toolset for ReadMemory {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(tool_memory::reading_tools())
    }
}

hydroid_component::export_tool!(ReadMemory);
