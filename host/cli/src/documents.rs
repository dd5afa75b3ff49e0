//! Files to take in: which ones lie below a path, and the text of each. Text, Markdown and code
//! are read here; other documents are put to a parser, of which there may be none.

use anyhow::{Context, Result, anyhow, bail};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hydroid_core::ports::{ParseError, ParsedDocument, Parsers};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Largest file taken in; a book has two megabytes.
const LARGEST: u64 = 16 << 20;

/// Most files below one path.
const MOST_FILES: usize = 100_000;

/// Text that nobody reads as it is written.
const PAGES: [&str; 3] = ["htm", "html", "xhtml"];

/// Directories that hold what others made.
const NOT_OURS: [&str; 3] = ["node_modules", "target", "__pycache__"];

/// Reads no document that is not text.
pub(crate) struct TextOnly;

impl Parsers for TextOnly {
    fn extensions(&self) -> Vec<String> {
        Vec::new()
    }

    fn parse<'a>(
        &'a self,
        name: &'a str,
        _: Vec<u8>,
    ) -> BoxFuture<'a, Result<ParsedDocument, ParseError>> {
        let message = format!("`{name}` is no text");
        async { Err(ParseError { kind: "unsupported".to_owned(), message }) }.boxed()
    }
}

/// A file with its text.
pub(crate) struct Read {
    pub(crate) text: String,
    pub(crate) digest: String,
    pub(crate) bytes: u64,
    pub(crate) modified_ms: u64,
}

/// The files at a path or below it, sorted; links are not followed, and what begins with a dot
/// is left alone unless it was named.
pub(crate) fn below(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        let kind = std::fs::symlink_metadata(&path)
            .with_context(|| format!("`{}` cannot be looked at", path.display()))?;
        if kind.is_file() {
            found.insert(path);
        } else if kind.is_dir() {
            let entries = std::fs::read_dir(&path)
                .with_context(|| format!("`{}` cannot be listed", path.display()))?;
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
                    waiting.push(entry.path());
                }
            }
        }
        if found.len() > MOST_FILES {
            bail!("there are more than {MOST_FILES} files; take in a smaller directory");
        }
    }
    Ok(found.into_iter().collect())
}

/// Reads a file as text. The error is a sentence for the person.
pub(crate) async fn read(path: &Path, parsers: &dyn Parsers) -> Result<Read> {
    let about = std::fs::metadata(path)?;
    if about.len() > LARGEST {
        bail!("it has {} bytes and {LARGEST} are the most", about.len());
    }
    let bytes = std::fs::read(path)?;
    let modified = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let modified_ms =
        modified.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let length = about.len();
    let ending =
        path.extension().map(|end| end.to_string_lossy().to_lowercase()).unwrap_or_default();
    let is_page = PAGES.contains(&ending.as_str());
    let text = if is_page || parsers.extensions().contains(&ending) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let document = parsers.parse(&name, bytes).await?;
        for note in &document.notes {
            tracing::info!(file = %name, %note, "a document was read in part");
        }
        document.text()
    } else {
        text_of(bytes)?
    };
    if text.trim().is_empty() {
        bail!("there is no text in it");
    }
    Ok(Read { text, digest, bytes: length, modified_ms })
}

fn text_of(bytes: Vec<u8>) -> Result<String> {
    let text = String::from_utf8(bytes)
        .map_err(|_| anyhow!("it is no text in UTF-8; save it as that, or leave it out"))?;
    if text.contains('\0') {
        bail!("it is no text; leave it out");
    }
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned).replace("\r\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(name: &str, bytes: &[u8]) -> Result<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        read(&path, &TextOnly).await.map(|read| read.text)
    }

    #[tokio::test]
    async fn texts_are_read_and_others_are_refused_with_a_sentence() {
        assert_eq!(text("a.md", "\u{feff}# A\r\nb".as_bytes()).await.unwrap(), "# A\nb");
        for (name, bytes, expect) in [
            ("a.bin", &b"a\0b"[..], "it is no text"),
            ("a.txt", &b"\xff\xfe"[..], "no text in UTF-8"),
            ("a.txt", &b" \n"[..], "no text in it"),
            ("a.pdf", &b"%PDF-1.7\xff"[..], "no text in UTF-8"),
            ("a.html", &b"<p>hello"[..], "is no text"),
        ] {
            let error = text(name, bytes).await.unwrap_err().to_string();
            assert!(error.contains(expect), "{name}: {error}");
        }
    }

    #[test]
    fn what_is_hidden_linked_or_made_by_others_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for folder in ["a", ".git", "node_modules"] {
            std::fs::create_dir(at(folder)).unwrap();
            std::fs::write(at(folder).join("x.md"), "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc/hostname", at("link.md")).unwrap();
        assert_eq!(below(directory.path()).unwrap(), [at("a").join("x.md")]);
        assert_eq!(below(&at(".git")).unwrap().len(), 1, "named on purpose");
        assert!(below(&at("nothing")).is_err());
    }
}
