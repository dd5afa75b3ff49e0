//! A file line by line, in chunks, whatever its size. Not an editor: line ends and the byte
//! order mark are taken off and only counted.

use hydroid_component::types::Error;

use crate::disk::Disk;

/// Bytes asked for at once.
const CHUNK: u32 = 64 * 1024;

/// Bytes of a line that are kept; longer lines are minified code or data, and the rest is
/// only counted.
const KEPT: usize = 64 * 1024;

/// The mark some editors put before UTF-8 text.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line without its end.
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: usize,
    /// The first bytes of it.
    pub(crate) bytes: Vec<u8>,
    /// All bytes of it, those not kept included.
    pub(crate) length: usize,
}

impl Line {
    /// The text of what was kept, and whether some of it is no UTF-8.
    pub(crate) fn text(&self) -> (String, bool) {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => (text.to_owned(), false),
            // Cut in the middle of a character: that is our doing, not the file's.
            Err(error) if self.length > self.bytes.len() && error.error_len().is_none() => {
                let whole = &self.bytes[..error.valid_up_to()];
                (String::from_utf8_lossy(whole).into_owned(), false)
            }
            Err(_) => (String::from_utf8_lossy(&self.bytes).into_owned(), true),
        }
    }
}

/// The lines of one file.
pub(crate) struct Lines<'a, D> {
    disk: &'a D,
    path: &'a str,
    offset: u32,
    chunk: Vec<u8>,
    position: usize,
    number: usize,
    /// A line ended with CR LF.
    pub(crate) carriage_returns: bool,
    /// The file starts with a byte order mark.
    pub(crate) byte_order_mark: bool,
    /// The last line read had no end.
    pub(crate) unfinished: bool,
}

impl<'a, D: Disk> Lines<'a, D> {
    pub(crate) fn new(disk: &'a D, path: &'a str) -> Self {
        Lines {
            disk,
            path,
            offset: 0,
            chunk: Vec::new(),
            position: 0,
            number: 0,
            carriage_returns: false,
            byte_order_mark: false,
            unfinished: false,
        }
    }

    /// The first bytes of the file, to judge what it is before any line is read.
    pub(crate) fn peek(&mut self) -> Result<&[u8], Error> {
        if self.offset == 0 {
            self.fill()?;
            if self.chunk.starts_with(BYTE_ORDER_MARK) {
                self.byte_order_mark = true;
                self.position = BYTE_ORDER_MARK.len();
            }
        }
        Ok(&self.chunk)
    }

    /// The next line, none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Line>, Error> {
        self.peek()?;
        let mut line = Line { number: self.number + 1, bytes: Vec::new(), length: 0 };
        // A carriage return that may turn out to belong to the line's end.
        let mut last = None;
        loop {
            if self.position == self.chunk.len() && !self.fill()? {
                if line.length == 0 {
                    return Ok(None);
                }
                self.unfinished = true;
                break;
            }
            let rest = &self.chunk[self.position..];
            let end = rest.iter().position(|byte| *byte == b'\n');
            let piece = &rest[..end.unwrap_or(rest.len())];
            let kept = (KEPT - line.bytes.len()).min(piece.len());
            line.bytes.extend_from_slice(&piece[..kept]);
            line.length += piece.len();
            last = piece.last().copied().or(last);
            self.position += piece.len();
            if end.is_some() {
                self.position += 1;
                if last == Some(b'\r') {
                    self.carriage_returns = true;
                    line.length -= 1;
                    line.bytes.truncate(line.length);
                }
                break;
            }
        }
        self.number = line.number;
        Ok(Some(line))
    }

    fn fill(&mut self) -> Result<bool, Error> {
        self.chunk = self.disk.read_at(self.path, self.offset, CHUNK)?;
        self.position = 0;
        let read = u32::try_from(self.chunk.len()).unwrap_or(u32::MAX);
        // A file larger than an offset can say ends here, far past every limit of the tools.
        self.offset = self.offset.saturating_add(read);
        Ok(read > 0)
    }
}

/// What a file that is no text is, judged by its first bytes; none for text.
pub(crate) fn binary_kind(start: &[u8]) -> Option<String> {
    // An 8 kB window is what git and ripgrep look at for the same question.
    let window = &start[..start.len().min(8000)];
    if window.starts_with(b"\xff\xfe") || window.starts_with(b"\xfe\xff") {
        return Some("UTF-16 text".to_owned());
    }
    let known = infer::get(window).map(|kind| kind.mime_type().to_owned());
    if window.contains(&0) {
        return Some(known.unwrap_or_else(|| "binary data of unknown kind".to_owned()));
    }
    // Some formats have no zero byte early on; a text that merely starts like one is text.
    known.filter(|_| std::str::from_utf8(window).is_err_and(|error| error.error_len().is_some()))
}
