//! The reading half of `tool-files` as a component. No code of its own: that it cannot write
//! is visible in its imports.

use hydroid_component::tool::{Tool, Toolset};
use hydroid_component::types::Error;

struct ReadFiles;

impl Toolset for ReadFiles {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(tool_files::reading_tools())
    }
}

hydroid_component::export_tool!(ReadFiles);
