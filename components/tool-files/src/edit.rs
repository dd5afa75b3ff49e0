//! `file_edit`: exact pieces of a text file replaced by others, all or none. No patterns, no
//! line numbers: what is replaced is quoted, so that an edit made from a stale view fails.

use hydroid_component::fs::WriteMode;
use hydroid_component::tool::ToolError;
use hydroid_component::types::Error;
use schemars::JsonSchema;
use serde::Deserialize;
use similar::TextDiff;

use crate::disk::{Disk, WritableDisk};
use crate::{nearest, path};

/// Bytes of a file that is edited: it is held a few times over while that happens.
const FILE: usize = 4 * 1024 * 1024;

/// Lines of the change shown; the model wrote it and needs to see where it went.
const EXCERPT: usize = 60;

/// Line numbers named when a text is found more than once.
const NAMED: usize = 10;

const BYTE_ORDER_MARK: char = '\u{feff}';

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileEdit {
    /// Path of a file that is there; a relative one is below `/shared`.
    #[schemars(extend("format" = "path"))]
    pub(crate) path: String,
    /// Edits, made one after another; none is made if one cannot be.
    #[schemars(length(min = 1))]
    pub(crate) edits: Vec<Edit>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    /// Text to replace, exactly as in the file and without line numbers. With enough lines
    /// around it to be found only once.
    pub(crate) old_text: String,
    /// Text to put in its place; empty to remove it.
    pub(crate) new_text: String,
    /// Replace it wherever it is found.
    #[serde(default)]
    pub(crate) replace_all: bool,
}

pub(crate) fn file_edit<D: WritableDisk>(
    disk: &D,
    arguments: FileEdit,
) -> Result<String, ToolError> {
    let path = path::absolute(&arguments.path)?;
    if arguments.edits.is_empty() {
        return Err(ToolError::failed("`edits` is empty; give at least one"));
    }
    let text = read(disk, &path)?;
    let (edited, count) = apply(&text, &arguments.edits)?;
    if edited == text {
        return Err(ToolError::failed(format!("the edits leave `{path}` as it is")));
    }
    disk.write(&path, edited.as_bytes(), WriteMode::Replace)?;
    let plural = if count == 1 { "" } else { "s" };
    Ok(format!("edited `{path}`: {count} replacement{plural}\n{}", excerpt(&text, &edited)))
}

fn read<D: Disk>(disk: &D, path: &str) -> Result<String, ToolError> {
    let mut bytes = Vec::new();
    loop {
        let offset = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let chunk = disk.read_at(path, offset, 256 * 1024)?;
        if chunk.is_empty() {
            break;
        }
        bytes.extend_from_slice(&chunk);
        if bytes.len() > FILE {
            return Err(ToolError::failed(format!(
                "`{path}` is larger than the {} that can be edited",
                path::size(u32::try_from(FILE).unwrap_or(u32::MAX))
            )));
        }
    }
    String::from_utf8(bytes).map_err(|error| {
        let position = error.utf8_error().valid_up_to();
        Error::invalid_input(format!(
            "`{path}` is not UTF-8 text (byte {position}) and cannot be edited"
        ))
        .into()
    })
}

/// The text after all edits, and how many replacements that took.
fn apply(original: &str, edits: &[Edit]) -> Result<(String, usize), ToolError> {
    let body = original.strip_prefix(BYTE_ORDER_MARK).unwrap_or(original);
    // Models write LF. In a file whose every line ends in CR LF that is what they mean; in one
    // with both, only the exact text will do.
    let carriage_returns = body.contains("\r\n") && !body.replace("\r\n", "").contains('\n');
    let lines_of = |text: &str| match carriage_returns {
        true => text.replace("\r\n", "\n"),
        false => text.to_owned(),
    };
    let mut text = lines_of(body);
    let mut count = 0;
    for (index, edit) in edits.iter().enumerate() {
        let (old, new) = (lines_of(&edit.old_text), lines_of(&edit.new_text));
        let found = find(&text, &old, edit.replace_all).map_err(|reason| {
            let which = match edits.len() {
                1 => String::new(),
                total => format!("edit {} of {total}: ", index + 1),
            };
            ToolError::failed(format!("{which}{reason}; nothing was changed"))
        })?;
        count += found;
        text = text.replace(&old, &new);
    }
    if body.ends_with('\n') && !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if carriage_returns {
        text = text.replace('\n', "\r\n");
    }
    if body.len() < original.len() {
        text.insert(0, BYTE_ORDER_MARK);
    }
    Ok((text, count))
}

/// How often `old` is found, which must be once or, for all, at least once.
fn find(text: &str, old: &str, replace_all: bool) -> Result<usize, String> {
    if old.is_empty() {
        return Err("`old_text` is empty; quote what to replace, or use `file_write`".to_owned());
    }
    let places: Vec<usize> = text.match_indices(old).map(|(at, _)| at).collect();
    match places.as_slice() {
        [] => Err(nearest::describe(text, old)),
        [_] => Ok(1),
        many if replace_all => Ok(many.len()),
        many => {
            let lines: Vec<String> =
                many.iter().take(NAMED).map(|at| line_at(text, *at).to_string()).collect();
            let more = if many.len() > NAMED { ", …" } else { "" };
            Err(format!(
                "`old_text` is found {} times, at lines {}{more}; quote more lines around it, or \
                 set `replace_all`",
                many.len(),
                lines.join(", ")
            ))
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The change as a unified diff without file names.
fn excerpt(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let diff = diff.unified_diff().context_radius(2).missing_newline_hint(false).to_string();
    let mut lines: Vec<&str> = diff.lines().take(EXCERPT + 1).collect();
    if lines.len() > EXCERPT {
        lines[EXCERPT] = "… (more of the change is not shown)";
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
