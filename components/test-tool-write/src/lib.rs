//! The tools of `test-tool` that need to write files. No code of its own.

use hydroid_component::tool::{Tool, Toolset};
use hydroid_component::types::Error;

struct Misbehaving;

impl Toolset for Misbehaving {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(test_tool::write_tools())
    }
}

hydroid_component::export_tool!(Misbehaving);
