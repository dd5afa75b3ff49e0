//! {{description}}.

use hydroid_component::tool::ToolError;
use hydroid_component::{tool, tools};

tools!(word_count);

/// Counts the words of a text.
#[tool(read_only)]
fn word_count(
    /// The text.
    text: String,
) -> Result<String, ToolError> {
    match text.split_whitespace().count() {
        0 => Err(ToolError::failed("there are no words in it; give a `text` with some")),
        words => Ok(format!("{words} words")),
    }
}
