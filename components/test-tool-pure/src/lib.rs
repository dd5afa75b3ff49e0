//! The tools of `test-tool` that need no capability. No code of its own.

use hydroid_component::tool::{Definition, Tool, Toolset};
use hydroid_component::types::Error;

struct Misbehaving;

impl Toolset for Misbehaving {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(test_tool::pure_tools())
    }

    fn definitions() -> Result<Vec<Definition>, Error> {
        Ok(test_tool::definitions_with_lie(Self::tools()?))
    }
}

hydroid_component::export_tool!(Misbehaving);
