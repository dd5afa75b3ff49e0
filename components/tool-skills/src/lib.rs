//! Tools for skills: instructions that a person keeps for certain work. Not a way to keep new ones:
//! a model writes none.

use hydroid_component::skills;
use hydroid_component::tool::{Tool, ToolError, Toolset};
use hydroid_component::types::Error;
use schemars::JsonSchema;
use serde::Deserialize;

/// Most bytes of a file that are read at once; of one result a model is shown little more.
const MOST_READ: usize = 24 << 10;

struct Skills;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Named {
    /// Name of the skill.
    name: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// Words that a name or description has to contain; all skills when absent.
    #[serde(default)]
    words: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct File {
    /// Name of a loaded skill.
    name: String,
    /// Path of the file in the skill's folder, as loading it named it.
    file: String,
    /// The byte to begin at, where an earlier answer said that the file goes on.
    #[serde(default)]
    offset: u32,
}

impl Toolset for Skills {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(vec![
            Tool::new(
                "skill_load",
                "Loads a skill: from the next step on its instructions are among yours. Use it when \
                 a skill's description fits what is asked, before you begin.",
                load,
            )
            .title("Load a skill")
            .volatile(),
            Tool::new(
                "skill_unload",
                "Unloads a skill whose work is done, so that its instructions hold no longer.",
                unload,
            )
            .title("Unload a skill")
            .volatile(),
            Tool::new(
                "skill_read",
                "Reads another file of a loaded skill, when its instructions name one.",
                read,
            )
            .title("Read a file of a skill")
            .volatile(),
            Tool::new(
                "skill_list",
                "Lists skills with what they are for. Use it when the ones you know of do not fit \
                 and there are more.",
                list,
            )
            .title("List skills")
            .volatile(),
        ])
    }
}

hydroid_component::export_tool!(Skills);

fn load(Named { name }: Named) -> Result<String, ToolError> {
    let files = skills::load(&name)?;
    let mut text = format!("`{name}` is loaded; its instructions are among yours from now on.");
    if !files.is_empty() {
        text.push_str("\nIts other files, for `skill_read`:");
        files.iter().for_each(|file| text.push_str(&format!("\n- {file}")));
    }
    Ok(text)
}

fn unload(Named { name }: Named) -> Result<String, ToolError> {
    skills::unload(&name)?;
    Ok(format!("`{name}` is unloaded."))
}

fn read(File { name, file, offset }: File) -> Result<String, ToolError> {
    // One more tells whether the file goes on.
    let mut bytes = skills::read(&name, &file, offset, MOST_READ + 1)?;
    let goes_on = bytes.len() > MOST_READ;
    bytes.truncate(MOST_READ);
    if bytes.is_empty() && offset > 0 {
        return Err(ToolError::failed(format!("`{file}` has no byte {offset}")));
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // The last character may have been cut in two.
        Err(error) if goes_on && error.utf8_error().error_len().is_none() => {
            let whole = error.utf8_error().valid_up_to();
            String::from_utf8_lossy(error.as_bytes().get(..whole).unwrap_or_default()).into_owned()
        }
        Err(_) => {
            return Err(ToolError::failed(format!(
                "`{file}` is no text from byte {offset} on; only texts of a skill can be read"
            )));
        }
    };
    if !goes_on {
        return Ok(text);
    }
    let next = offset.saturating_add(u32::try_from(text.len()).unwrap_or(u32::MAX));
    Ok(format!("{text}\n[the file goes on; call again with `offset` {next}]"))
}

fn list(Listed { words }: Listed) -> Result<String, ToolError> {
    let words: Vec<String> =
        words.iter().flat_map(|words| words.split_whitespace()).map(str::to_lowercase).collect();
    let lines: Vec<String> = skills::list()?
        .into_iter()
        .filter(|skill| {
            let text = format!("{} {}", skill.name, skill.description).to_lowercase();
            words.iter().all(|word| text.contains(word))
        })
        .map(|skill| {
            let loaded = if skill.loaded { " (loaded)" } else { "" };
            format!("- {}{loaded}: {}", skill.name, skill.description)
        })
        .collect();
    if lines.is_empty() {
        return Ok("there is no such skill".to_owned());
    }
    Ok(lines.join("\n"))
}
