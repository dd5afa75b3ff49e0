//! A master key in a file of its own, which only its owner can read. A file that others could
//! have read is refused: it may be known to them already.

use crate::secrets::base64_key;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hydroid_memory::{KeyId, MasterKey};
use rustix::fs::OFlags;
use rustix::process::geteuid;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// 32 bytes as base64 are 44; a file that has more is not ours.
const LONGEST: u64 = 64;

/// The file of a key.
pub(crate) fn path(directory: &Path, id: &KeyId) -> PathBuf {
    directory.join(format!("master-{id}.key"))
}

/// Reads a key; none if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<MasterKey>, String> {
    let shown = path.display();
    let file = match OpenOptions::new().read(true).custom_flags(flags()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("the master key `{shown}` cannot be opened: {error}")),
    };
    check(&file, path)?;
    let mut text = Zeroizing::new(String::with_capacity(128));
    file.take(LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| format!("the master key `{shown}` cannot be read: {error}"))?;
    match base64_key(text.trim_end()) {
        Some(key) => Ok(Some(key)),
        None => Err(format!("`{shown}` holds no master key; put the file back from a copy")),
    }
}

/// Writes a key into a new file, past a power cut.
pub(crate) fn write(directory: &Path, key: &MasterKey) -> Result<PathBuf, String> {
    let path = path(directory, &key.id());
    let text = Zeroizing::new(STANDARD.encode(key.expose()));
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        File::open(directory)?.sync_all()
    };
    written().map_err(|error| {
        format!("the master key `{}` cannot be written: {error}", path.display())
    })?;
    Ok(path)
}

/// Removes the files of every other key than this one.
pub(crate) fn remove_others(directory: &Path, keep: Option<&KeyId>) -> Result<(), String> {
    let keep = keep.map(|id| path(directory, id));
    let entries = fs::read_dir(directory)
        .map_err(|error| format!("`{}` cannot be read: {error}", directory.display()))?;
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| {
            name.strip_prefix("master-").is_some_and(|rest| rest.ends_with(".key"))
        });
        if ours && Some(entry.path()) != keep {
            fs::remove_file(entry.path()).map_err(|error| {
                format!(
                    "the old master key `{}` cannot be removed: {error}",
                    entry.path().display()
                )
            })?;
        }
    }
    Ok(())
}

/// A link could lead to a file that somebody else chose, and opening a named pipe would wait.
fn flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

fn check(file: &File, path: &Path) -> Result<(), String> {
    let shown = path.display();
    let metadata = file
        .metadata()
        .map_err(|error| format!("the master key `{shown}` cannot be looked at: {error}"))?;
    if !metadata.is_file() {
        return Err(format!("the master key `{shown}` is no regular file; put one in its place"));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "the master key `{shown}` can be read by others (mode {mode:o}) and is not used; `chmod 600 '{shown}'`, then `hydroid secret rotate`, since they may have read it"
        ));
    }
    if metadata.uid() != geteuid().as_raw() {
        return Err(format!(
            "the master key `{shown}` belongs to another user and is not used; `chown` it to yourself"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> (tempfile::TempDir, PathBuf, MasterKey) {
        let directory = tempfile::tempdir().unwrap();
        let key = MasterKey::generate().unwrap();
        let path = write(directory.path(), &key).unwrap();
        (directory, path, key)
    }

    #[test]
    fn what_was_written_is_read_and_is_its_owners_only() {
        let (_directory, path, key) = written();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap(), Some(key));
        assert_eq!(read(&path.with_file_name("master-x.key")).unwrap(), None);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_and_left_alone() {
        let (_directory, path, _) = written();
        for mode in [0o640, 0o604, 0o660, 0o777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let problem = read(&path).unwrap_err();
            assert!(problem.contains(&format!("(mode {mode:o}) and is not used")), "{problem}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        let (directory, path, _) = written();
        for text in ["", "hunter2", "aGVsbG8="] {
            fs::write(&path, text).unwrap();
            let problem = read(&path).unwrap_err();
            assert!(problem.contains("holds no master key"), "{problem}");
            assert!(text.is_empty() || !problem.contains(text), "{problem}");
        }
        let link = directory.path().join("master-link.key");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read(&link).unwrap_err().contains("cannot be opened"), "a link is not followed");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(read(&path).is_err());
    }

    #[test]
    fn a_key_is_never_written_over() {
        let (directory, path, key) = written();
        assert!(write(directory.path(), &key).unwrap_err().contains("cannot be written"));
        assert_eq!(read(&path).unwrap(), Some(key));
    }

    #[test]
    fn only_other_keys_are_removed() {
        let (directory, path, key) = written();
        let other = write(directory.path(), &MasterKey::generate().unwrap()).unwrap();
        fs::write(directory.path().join("journal.db"), "x").unwrap();
        remove_others(directory.path(), Some(&key.id())).unwrap();
        assert!(path.exists() && !other.exists() && directory.path().join("journal.db").exists());
        remove_others(directory.path(), None).unwrap();
        assert!(!path.exists());
    }
}
