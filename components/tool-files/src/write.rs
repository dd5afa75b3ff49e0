//! `file_write`: a whole text file, or more text at its end. Not for a change in the middle,
//! which is `file_edit`.

use hydroid_component::fs::WriteMode;
use hydroid_component::tool::ToolError;
use hydroid_component::types::ErrorKind;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::disk::WritableDisk;
use crate::path;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileWrite {
    /// Path such as `notes.md`, `/shared/notes.md` or `/tmp/x`; a relative one is below `/shared`.
    #[schemars(extend("format" = "path"))]
    pub(crate) path: String,
    /// The text to write, exactly as it is.
    pub(crate) content: String,
    /// What to do with a file that is there; `overwrite` when absent.
    #[serde(default)]
    pub(crate) mode: Mode,
}

/// What to do with a file that is there.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Fail.
    Create,
    /// Replace it.
    #[default]
    Overwrite,
    /// Add the text at its end.
    Append,
}

pub(crate) fn file_write<D: WritableDisk>(
    disk: &D,
    arguments: FileWrite,
) -> Result<String, ToolError> {
    let path = path::absolute(&arguments.path)?;
    let (mode, done) = match arguments.mode {
        Mode::Create => (WriteMode::Create, "created"),
        Mode::Overwrite => (WriteMode::Replace, "wrote"),
        Mode::Append => (WriteMode::Append, "appended to"),
    };
    // A root has no parent, and one below a root is there already.
    if let Some(parent) = path::parent(&path)
        && path::parent(parent).is_some()
    {
        disk.make_directory(parent)?;
    }
    disk.write(&path, arguments.content.as_bytes(), mode).map_err(|error| match error.kind {
        ErrorKind::Conflict => ToolError::failed(format!(
            "{}; use `file_edit` to change it, or mode `overwrite` or `append`",
            error.message
        )),
        _ => error.into(),
    })?;
    let lines = arguments.content.lines().count();
    let (bytes, plural) = (arguments.content.len(), if lines == 1 { "" } else { "s" });
    Ok(format!("{done} `{path}`: {bytes} bytes, {lines} line{plural}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryDisk;

    fn write(
        disk: &MemoryDisk,
        path: &str,
        content: &str,
        mode: Mode,
    ) -> Result<String, ToolError> {
        file_write(disk, FileWrite { path: path.into(), content: content.into(), mode })
    }

    #[test]
    fn missing_directories_are_made_and_sizes_told() {
        let disk = MemoryDisk::new(&[]);
        let told = write(&disk, "a/b/c.md", "ä\nb", Mode::Overwrite).unwrap();
        assert_eq!(told, "wrote `/shared/a/b/c.md`: 4 bytes, 2 lines");
        assert_eq!(disk.bytes("/shared/a/b/c.md").unwrap(), "ä\nb".as_bytes());
    }

    #[test]
    fn each_mode_treats_what_is_there_its_own_way() {
        let disk = MemoryDisk::new(&[("/shared/f", b"old\n")]);
        let Err(ToolError::Failed(message)) = write(&disk, "f", "x", Mode::Create) else {
            panic!("not refused");
        };
        assert!(message.contains("or mode `overwrite`"), "{message}");
        assert_eq!(disk.bytes("/shared/f").unwrap(), b"old\n");
        write(&disk, "f", "more\n", Mode::Append).unwrap();
        assert_eq!(disk.bytes("/shared/f").unwrap(), b"old\nmore\n");
        write(&disk, "f", "", Mode::Overwrite).unwrap();
        assert_eq!(disk.bytes("/shared/f").unwrap(), b"");
        write(&disk, "new", "x", Mode::Create).unwrap();
    }

    #[test]
    fn a_directory_and_a_path_through_a_file_are_refused() {
        let disk = MemoryDisk::new(&[("/shared/f", b"")]);
        assert!(write(&disk, "/shared", "x", Mode::Overwrite).is_err());
        assert!(write(&disk, "f/x", "x", Mode::Overwrite).is_err());
        assert!(write(&disk, "", "x", Mode::Overwrite).is_err());
    }
}
