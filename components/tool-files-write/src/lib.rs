//! The writing half of `tool-files` as a component. No code of its own, and no tool for
//! reading: whoever may write need not be offered to read.

use hydroid_component::tool::{Tool, Toolset};
use hydroid_component::types::Error;

struct WriteFiles;

impl Toolset for WriteFiles {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(tool_files::writing_tools())
    }
}

hydroid_component::export_tool!(WriteFiles);
