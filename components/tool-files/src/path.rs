//! Names of files as a model writes them, made into the host's absolute virtual paths. Not a
//! guard: what a path may reach is the host's to decide, and `..` goes to it as written.

use hydroid_component::tool::ToolError;

/// Where a relative path starts.
const WORKSPACE: &str = "/shared";

/// An absolute path without `.`, doubled slashes and a slash at the end.
pub(crate) fn absolute(path: &str) -> Result<String, ToolError> {
    if path.is_empty() {
        return Err(ToolError::failed(
            "`path` is empty; give one such as `notes.md` or `/shared/notes.md`",
        ));
    }
    let start = if path.starts_with('/') { "" } else { WORKSPACE };
    let names = path.split('/').filter(|name| !name.is_empty() && *name != ".");
    let absolute = names.fold(start.to_owned(), |path, name| path + "/" + name);
    Ok(if absolute.is_empty() { "/".to_owned() } else { absolute })
}

/// `name` in `directory`.
pub(crate) fn join(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

/// The directory a path is in; none for a root such as `/shared`.
pub(crate) fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent).filter(|parent| !parent.is_empty())
}

/// The path as seen from `directory`.
pub(crate) fn relative<'a>(path: &'a str, directory: &str) -> &'a str {
    let directory = directory.trim_end_matches('/');
    path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path)
}

/// A size for people.
pub(crate) fn size(bytes: u32) -> String {
    let bytes = f64::from(bytes);
    match bytes {
        ..1024.0 => format!("{bytes} B"),
        ..1_048_576.0 => format!("{:.1} KiB", bytes / 1024.0),
        _ => format!("{:.1} MiB", bytes / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_plain_but_not_resolved() {
        for (written, expected) in [
            ("notes.md", "/shared/notes.md"),
            ("./a//b/./c/", "/shared/a/b/c"),
            (".", "/shared"),
            ("/tmp/x", "/tmp/x"),
            ("/", "/"),
            ("//shared", "/shared"),
            // Left as they are: the host refuses them, and says so better.
            ("../x", "/shared/../x"),
            ("/shared/a/../../etc", "/shared/a/../../etc"),
            ("~/x", "/shared/~/x"),
        ] {
            assert_eq!(absolute(written).unwrap(), expected, "{written}");
        }
        assert!(absolute("").is_err());
    }

    #[test]
    fn parents_and_relatives() {
        assert_eq!(parent("/shared/a/b"), Some("/shared/a"));
        assert_eq!(parent("/shared"), None);
        assert_eq!(relative("/shared/a/b", "/shared"), "a/b");
        assert_eq!(relative("/sharedness/a", "/shared"), "/sharedness/a");
        assert_eq!(join("/", "tmp"), "/tmp");
    }
}
