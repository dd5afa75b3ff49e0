//! Files that a client hands up before it says something with them. They are in memory, a few and
//! not for long; nothing is written to disk.

use hydroid_core::message::{Bytes, Content, Label, Part};
use hydroid_core::protocol::{
    ErrorCode, LARGEST_ATTACHMENT, MOST_ATTACHMENTS, Reply, RequestError,
};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Files of one user at once: those of two messages.
const MOST: usize = MOST_ATTACHMENTS * 2;

/// Bytes of the files of one message.
pub(crate) const LARGEST_MESSAGE: u64 = LARGEST_ATTACHMENT * MOST_ATTACHMENTS as u64;

/// How long a file waits to be said.
const KEPT_MS: u64 = 15 * 60 * 1_000;

/// Characters of a file's name.
const LONGEST_NAME: usize = 255;

/// Files by user and identifier.
#[derive(Default)]
pub(crate) struct Uploads {
    files: Mutex<HashMap<String, Upload>>,
}

struct Upload {
    owner: String,
    name: String,
    media_type: String,
    bytes: u64,
    data: Vec<u8>,
    at_ms: u64,
}

impl Uploads {
    /// Announces a file of a user under an identifier that nobody guesses.
    pub(crate) fn begin(
        &self,
        id: String,
        owner: &str,
        (name, media_type, bytes): (String, String, u64),
        now_ms: u64,
    ) -> Result<Reply, RequestError> {
        if bytes == 0 || bytes > LARGEST_ATTACHMENT {
            let text = format!("an attachment has 1 to {LARGEST_ATTACHMENT} bytes");
            let code = if bytes == 0 { ErrorCode::Invalid } else { ErrorCode::TooLarge };
            return Err(RequestError::new(code, text));
        }
        if name.is_empty()
            || name.chars().count() > LONGEST_NAME
            || name.contains(['/', '\\'])
            || name.chars().any(char::is_control)
        {
            let text = "the name of a file has no directory and at most 255 characters";
            return Err(RequestError::new(ErrorCode::Invalid, text));
        }
        if !is_media_type(&media_type) {
            let text = "images, documents and sounds can be attached: the media type is like `image/png`, `application/pdf` or `audio/mpeg`";
            return Err(RequestError::new(ErrorCode::Invalid, text));
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, file| now_ms.saturating_sub(file.at_ms) < KEPT_MS);
        if files.values().filter(|file| file.owner == owner).count() >= MOST {
            let text =
                format!("{MOST} files wait to be said already; say something with them, or wait");
            return Err(RequestError::new(ErrorCode::LimitReached, text));
        }
        let (owner, data) = (owner.to_owned(), Vec::new());
        files.insert(id.clone(), Upload { owner, name, media_type, bytes, data, at_ms: now_ms });
        Ok(Reply::Upload { upload: id, received: 0, complete: false })
    }

    /// Adds a piece.
    pub(crate) fn add(&self, owner: &str, id: &str, piece: &[u8]) -> Result<Reply, RequestError> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file = files.get_mut(id).filter(|file| file.owner == owner).ok_or_else(unknown)?;
        let received = file.data.len() as u64 + piece.len() as u64;
        if received > file.bytes {
            files.remove(id);
            let text = "more came than was announced; the file was dropped";
            return Err(RequestError::new(ErrorCode::TooLarge, text));
        }
        file.data.extend_from_slice(piece);
        let complete = received == file.bytes;
        Ok(Reply::Upload { upload: id.to_owned(), received, complete })
    }

    /// Files as parts of a message. They stay until they are forgotten.
    pub(crate) fn parts(&self, owner: &str, ids: &[String]) -> Result<Vec<Part>, RequestError> {
        if ids.len() > MOST_ATTACHMENTS {
            let text = format!("{} files are attached; {MOST_ATTACHMENTS} are the most", ids.len());
            return Err(RequestError::new(ErrorCode::Invalid, text));
        }
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts = Vec::new();
        for (place, id) in ids.iter().enumerate() {
            let file = files.get(id).filter(|file| file.owner == owner).ok_or_else(unknown)?;
            if file.data.len() as u64 != file.bytes || ids[..place].contains(id) {
                let text = format!("not all of `{}` has come, or it is attached twice", file.name);
                return Err(RequestError::new(ErrorCode::Invalid, text));
            }
            let (media_type, name) = (file.media_type.clone(), Some(file.name.clone()));
            let data = Bytes(file.data.clone());
            let label = Label::file(file.name.clone());
            parts.push(Part::new(Content::Media { media_type, data, name }, label));
        }
        Ok(parts)
    }

    /// Forgets files that were said.
    pub(crate) fn forget(&self, owner: &str, ids: &[String]) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|id, file| file.owner != owner || !ids.contains(id));
    }
}

fn unknown() -> RequestError {
    RequestError::new(
        ErrorCode::NotFound,
        "no such file was handed up, or not lately; `upload_begin` announces one",
    )
}

pub(crate) fn is_media_type(text: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty()
            && text.len() <= 64
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    match text.split_once('/') {
        Some((kind @ ("image" | "audio" | "application" | "text" | "video"), rest)) => {
            token(kind) && token(rest)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: u64) -> (String, String, u64) {
        ("a.png".into(), "image/png".into(), bytes)
    }

    #[test]
    fn a_file_comes_in_pieces_and_is_taken_once_by_its_owner() {
        let uploads = Uploads::default();
        uploads.begin("u".into(), "anna", file(3), 0).unwrap();
        uploads.add("anna", "u", &[1, 2]).unwrap();
        assert_eq!(uploads.add("ben", "u", &[3]).unwrap_err().code, ErrorCode::NotFound);
        let ids = ["u".to_owned()];
        assert_eq!(uploads.parts("anna", &ids).unwrap_err().code, ErrorCode::Invalid);
        let done = uploads.add("anna", "u", &[3]).unwrap();
        assert_eq!(done, Reply::Upload { upload: "u".into(), received: 3, complete: true });
        assert_eq!(uploads.parts("ben", &ids).unwrap_err().code, ErrorCode::NotFound);
        let twice = ["u".to_owned(), "u".to_owned()];
        assert_eq!(uploads.parts("anna", &twice).unwrap_err().code, ErrorCode::Invalid);
        assert_eq!(uploads.parts("anna", &ids).unwrap().len(), 1);
        uploads.forget("ben", &ids);
        assert_eq!(uploads.parts("anna", &ids).unwrap().len(), 1);
        uploads.forget("anna", &ids);
        assert_eq!(uploads.parts("anna", &ids).unwrap_err().code, ErrorCode::NotFound);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let uploads = Uploads::default();
        let begin = |name: &str, media_type: &str, bytes| {
            uploads.begin(name.into(), "a", (name.into(), media_type.into(), bytes), 0)
        };
        assert_eq!(begin("a", "image/png", 0).unwrap_err().code, ErrorCode::Invalid);
        let over = LARGEST_ATTACHMENT + 1;
        assert_eq!(begin("a", "image/png", over).unwrap_err().code, ErrorCode::TooLarge);
        for (name, media_type) in [
            ("../a", "image/png"),
            ("", "image/png"),
            ("a", "image/"),
            ("a", "x/y"),
            ("a", "image/p\nng"),
        ] {
            assert_eq!(begin(name, media_type, 1).unwrap_err().code, ErrorCode::Invalid, "{name}");
        }
        for number in 0..MOST {
            begin(&number.to_string(), "image/png", 1).unwrap();
        }
        assert_eq!(begin("x", "image/png", 1).unwrap_err().code, ErrorCode::LimitReached);
        uploads.begin("y".into(), "a", file(1), KEPT_MS).unwrap();
        assert_eq!(uploads.add("a", "y", &[1, 2]).unwrap_err().code, ErrorCode::TooLarge);
        assert_eq!(uploads.add("a", "y", &[1]).unwrap_err().code, ErrorCode::NotFound);
    }
}
