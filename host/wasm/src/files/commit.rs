//! Doing what was staged: first everything it was based on is looked at again, then each change
//! is made, whole or not at all.

use super::{Base, Change, FileError, Staging, Workspace, WriteMode};

/// Why staged changes were not all made.
#[derive(Debug)]
pub(crate) enum Unfinished {
    /// This path is not what it was; nothing was done.
    Changed(String),
    /// One change failed.
    Failed {
        /// What had been done before it, in words.
        done: Vec<String>,
        /// Why it failed.
        problem: FileError,
    },
}

impl Staging {
    /// Makes the changes.
    pub(crate) fn commit(self, workspace: &Workspace) -> Result<(), Unfinished> {
        let mut now = Self::new(0);
        for (path, was) in &self.bases {
            match now.base(workspace, path) {
                Ok(is) if same(was, &is) => {}
                Ok(_) | Err(_) => return Err(Unfinished::Changed(path.clone())),
            }
        }
        let mut done = Vec::new();
        for change in self.changes() {
            match make(workspace, change) {
                Ok(()) => done.push(change.to_string()),
                Err(problem) => return Err(Unfinished::Failed { done, problem }),
            }
        }
        Ok(())
    }
}

/// Whether two looks at a path saw the same; one of them may have kept the content.
fn same(was: &Base, is: &Base) -> bool {
    match (was, is) {
        (Base::File { digest: was, .. }, Base::File { digest: is, .. }) => was == is,
        (was, is) => was == is,
    }
}

fn make(workspace: &Workspace, change: &Change) -> Result<(), FileError> {
    match change {
        Change::MakeDirectory(path) => workspace.make_directory(path),
        Change::Write { path, content, is_new: true } => {
            workspace.write(path, content, WriteMode::Create)
        }
        Change::Write { path, content, is_new: false } => {
            workspace.write(path, content, WriteMode::Replace)
        }
        Change::RemoveFile(path) => workspace.remove_file(path),
        Change::RemoveDirectory(path) => workspace.remove_directory(path),
        Change::Rename { source, target } => workspace.rename(source, target),
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MakeDirectory(path) => write!(f, "made the directory `{path}`"),
            Self::Write { path, .. } => write!(f, "wrote `{path}`"),
            Self::RemoveFile(path) | Self::RemoveDirectory(path) => write!(f, "removed `{path}`"),
            Self::Rename { source, target } => write!(f, "renamed `{source}` to `{target}`"),
        }
    }
}
