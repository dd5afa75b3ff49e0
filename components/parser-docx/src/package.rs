//! The zip file around a document, and parts of it in bounded size. It unpacks nothing else.

use std::io::{Cursor, Read};

use hydroid_component::parser::{Error, ErrorKind};
use zip::ZipArchive;
use zip::result::ZipError;

/// Most bytes of all parts that are read, unpacked. The longest novels have some 20 MiB of markup;
/// a few kilobytes that unpack to more are made to do so.
const MOST_UNPACKED: u64 = 32 << 20;

/// The parts of a document.
pub(crate) struct Package {
    archive: ZipArchive<Cursor<Vec<u8>>>,
    left: u64,
}

impl Package {
    pub(crate) fn open(data: Vec<u8>) -> Result<Self, Error> {
        let archive = ZipArchive::new(Cursor::new(data)).map_err(|error| {
            Error::invalid_input(format!("it is not a Word document, or it is damaged: {error}"))
        })?;
        Ok(Self { archive, left: MOST_UNPACKED })
    }

    /// A part by name, as text; none if there is no such part.
    pub(crate) fn part(&mut self, name: &str) -> Result<Option<String>, Error> {
        let damaged =
            |error: String| Error::invalid_input(format!("its part `{name}` is damaged: {error}"));
        let part = match self.archive.by_name(name) {
            Ok(part) => part,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(damaged(error.to_string())),
        };
        let mut bytes = Vec::new();
        // What the file says of its size is not believed.
        part.take(self.left + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| damaged(error.to_string()))?;
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            Error::new(
                ErrorKind::TooLarge,
                format!("it unpacks to more than {} MiB", MOST_UNPACKED >> 20),
            )
        })?;
        // Word writes UTF-8; what is not is shown as such and breaks nothing.
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}
