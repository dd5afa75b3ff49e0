//! `file_delete`: one file or one empty directory. Never a tree: that takes as many calls as
//! it has entries, each of which can be refused.

use hydroid_component::fs::Kind;
use hydroid_component::tool::ToolError;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::disk::WritableDisk;
use crate::path;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileDelete {
    /// File or empty directory; a relative path is below `/shared`.
    #[schemars(extend("format" = "path"))]
    pub(crate) path: String,
}

pub(crate) fn file_delete<D: WritableDisk>(
    disk: &D,
    arguments: FileDelete,
) -> Result<String, ToolError> {
    let path = path::absolute(&arguments.path)?;
    if path::parent(&path).is_none() {
        return Err(ToolError::failed(format!(
            "`{path}` is a root and cannot be deleted; name something in it"
        )));
    }
    match disk.stat(&path)?.kind {
        Kind::Directory => {
            let inside = disk.list(&path, 1)?;
            if let Some(first) = inside.first() {
                return Err(ToolError::failed(format!(
                    "`{path}` is not empty: it holds `{}`; delete what is in it first",
                    first.name
                )));
            }
            disk.remove_directory(&path)?;
            Ok(format!("deleted the empty directory `{path}`"))
        }
        Kind::File | Kind::Other => {
            disk.remove_file(&path)?;
            Ok(format!("deleted `{path}`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryDisk;

    fn delete(disk: &MemoryDisk, path: &str) -> Result<String, ToolError> {
        file_delete(disk, FileDelete { path: path.into() })
    }

    #[test]
    fn files_and_then_their_empty_directory_can_be_deleted() {
        let disk = MemoryDisk::new(&[("/shared/d/f", b"")]);
        assert!(matches!(delete(&disk, "d"), Err(ToolError::Failed(m)) if m.contains("holds `f`")));
        assert_eq!(delete(&disk, "d/f").unwrap(), "deleted `/shared/d/f`");
        assert_eq!(delete(&disk, "d").unwrap(), "deleted the empty directory `/shared/d`");
        assert!(delete(&disk, "d").is_err());
    }

    #[test]
    fn roots_are_refused_however_they_are_written() {
        let disk = MemoryDisk::new(&[]);
        for path in ["/", "/shared", "/shared/", "/tmp/.", "//tmp//", ".", "./"] {
            let refused = delete(&disk, path);
            assert!(
                matches!(&refused, Err(ToolError::Failed(m)) if m.contains("is a root")),
                "{path}: {refused:?}"
            );
        }
    }
}
