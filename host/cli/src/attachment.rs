//! Files that are said together with the text: images, documents and sounds a model can take in.
//! Anything else belongs into the workspace, where a tool reads it.

use anyhow::{Context, Result, bail};
use hydroid_core::message::{Bytes, Content, Label, Part};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most attachments of one message, and the most bytes of each: what services take.
const MOST: usize = 4;
const LARGEST: u64 = 10 << 20;

/// The files as parts of the person's message. What is in the vault is none: a model would see it.
pub(crate) fn read(files: &[PathBuf], vault: &Path) -> Result<Vec<Part>> {
    if files.len() > MOST {
        bail!("{} files are attached; {MOST} are the most", files.len());
    }
    files.iter().map(|file| part(file, vault)).collect()
}

fn part(path: &Path, vault: &Path) -> Result<Part> {
    let shown = path.display();
    let real = path.canonicalize().with_context(|| format!("`{shown}` cannot be attached"))?;
    if vault.canonicalize().is_ok_and(|vault| real.starts_with(vault)) {
        bail!(
            "`{shown}` is in the vault, which nothing sends to a model; copy it out of there first if that is what you want"
        );
    }
    let cannot = || format!("`{shown}` cannot be attached");
    let mut data = Vec::new();
    let file = std::fs::File::open(&real).with_context(cannot)?;
    // Another of its names may be in the vault.
    if file.metadata().with_context(cannot)?.nlink() > 1 {
        bail!(
            "`{shown}` has several hard links, and one of them may be in the vault; attach a copy of it"
        );
    }
    file.take(LARGEST + 1).read_to_end(&mut data).with_context(cannot)?;
    if data.len() as u64 > LARGEST {
        bail!(
            "`{shown}` has more than {LARGEST} bytes, the most that is attached; put it in the workspace and let a tool read it"
        );
    }
    // By its first bytes: a name proves nothing.
    let kind = infer::get(&data).map(|kind| kind.mime_type());
    let media_type = match kind {
        Some(kind) if kind.starts_with("image/") || kind.starts_with("audio/") => kind,
        Some(kind @ "application/pdf") => kind,
        Some(_) | None => bail!(
            "`{shown}` is no image, PDF or sound{}; put it in the workspace and let a tool read it",
            kind.map(|kind| format!(" but {kind}")).unwrap_or_default()
        ),
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let label = Label::file(name.as_deref().unwrap_or("attachment"));
    let content = Content::Media { media_type: media_type.to_owned(), data: Bytes(data), name };
    Ok(Part::new(content, label))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    /// There is no vault.
    const NONE: &str = "/nowhere";

    fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        (directory, path)
    }

    #[test]
    fn a_file_with_another_name_is_refused() {
        let (directory, path) = file("picture.png", PNG);
        std::fs::hard_link(&path, directory.path().join("vault-item")).unwrap();
        let error = read(&[path], &directory.path().join("no-vault")).unwrap_err().to_string();
        assert!(error.contains("several hard links"), "{error}");
    }

    #[test]
    fn an_image_is_known_by_its_first_bytes() {
        let (_directory, path) = file("picture.txt", PNG);
        let parts = read(&[path], NONE.as_ref()).unwrap();
        let expect = Content::Media {
            media_type: "image/png".into(),
            data: Bytes(PNG.to_vec()),
            name: Some("picture.txt".into()),
        };
        assert_eq!(parts, [Part::new(expect, Label::file("picture.txt"))]);
    }

    #[test]
    fn what_no_model_takes_in_is_refused() {
        let (_directory, path) = file("notes.png", b"only text");
        assert!(read(&[path], NONE.as_ref()).unwrap_err().to_string().contains("is no image"));
        let (_directory, path) = file("big.png", &[PNG, &[0; (10 << 20) + 1]].concat());
        assert!(
            read(std::slice::from_ref(&path), NONE.as_ref())
                .unwrap_err()
                .to_string()
                .contains("more than")
        );
        assert!(read(&[PathBuf::from("/nowhere.png")], NONE.as_ref()).is_err());
        assert!(
            read(&vec![path; 5], NONE.as_ref()).unwrap_err().to_string().contains("4 are the most")
        );
    }

    #[test]
    fn what_is_in_the_vault_is_refused_however_it_is_named() {
        let (directory, path) = file("picture.png", PNG);
        let outside = tempfile::tempdir().unwrap();
        let link = outside.path().join("link.png");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let roundabout = directory.path().join("..").join(directory.path().file_name().unwrap());
        let roundabout = roundabout.join("picture.png");
        for path in [path, link, roundabout] {
            let refused = read(&[path], directory.path()).unwrap_err().to_string();
            assert!(refused.contains("is in the vault"), "{refused}");
        }
    }
}
