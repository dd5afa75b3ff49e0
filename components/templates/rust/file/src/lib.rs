//! {{description}}.

use hydroid_component::tool::ToolError;
use hydroid_component::{fs, tool, tools};

tools!(file_word_count);

/// Most bytes of a file that are looked at.
const MOST: u32 = 1 << 20;

/// Counts the words of a text file.
#[tool(read_only)]
fn file_word_count(
    /// The file, for example `/shared/notes.md`.
    #[schemars(extend("format" = "path"))]
    path: String,
) -> Result<String, ToolError> {
    let text = fs::read_to_string(&path, MOST)?;
    Ok(format!("{} words", text.split_whitespace().count()))
}
