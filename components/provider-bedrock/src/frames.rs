//! The frames of `application/vnd.amazon.eventstream`, read in pieces of any size and checked
//! against both of their sums.
//!
//! Not a decoder of what is in them: a frame is headers and bytes.

use std::collections::VecDeque;
use std::fmt;

use hydroid_component::provider::{Error, ErrorKind};

/// Two lengths and their sum.
const PRELUDE: usize = 12;
/// The sum behind everything.
const SUM: usize = 4;
/// What AWS names as the largest headers and payload of a frame.
const MAX_HEADERS: usize = 128 << 10;
const MAX_FRAME: usize = 24 << 20;

/// One frame; of its headers those that are text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    headers: Vec<(String, String)>,
    /// The content.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// A stream that is none, or that was damaged on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A length that no frame has.
    Length(usize),
    /// A sum does not fit what it is over.
    Sum,
    /// Headers that cannot be read.
    Headers,
}

/// Turns bytes into frames.
#[derive(Debug, Default)]
pub struct FrameReader {
    waiting: Vec<u8>,
    ready: VecDeque<Frame>,
}

impl FrameReader {
    /// Takes the next piece of the stream. Frames that were complete before an error can still
    /// be taken.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), FrameError> {
        self.waiting.extend_from_slice(piece);
        let mut read = 0;
        let outcome = loop {
            match next_frame(&self.waiting[read..]) {
                Ok(Some((frame, length))) => {
                    self.ready.push_back(frame);
                    read += length;
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.waiting.drain(..read);
        outcome
    }

    /// The next complete frame.
    pub fn next_frame(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    /// A frame has begun that is not complete.
    pub fn is_amid(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// The frame at the start of `bytes` and its length; none if there is not all of it.
fn next_frame(bytes: &[u8]) -> Result<Option<(Frame, usize)>, FrameError> {
    if bytes.len() < PRELUDE {
        return Ok(None);
    }
    let (length, headers) = (number(bytes, 0), number(bytes, 4));
    // A length is believed only with its sum, so that nothing is waited for that cannot come.
    if sum(&bytes[..8]) != number(bytes, 8) {
        return Err(FrameError::Sum);
    }
    if headers > MAX_HEADERS || length > MAX_FRAME || length < PRELUDE + headers + SUM {
        return Err(FrameError::Length(length));
    }
    let Some(frame) = bytes.get(..length) else { return Ok(None) };
    if sum(&frame[..length - SUM]) != number(frame, length - SUM) {
        return Err(FrameError::Sum);
    }
    let (headers, payload) = frame[PRELUDE..length - SUM].split_at(headers);
    let headers = self::headers(headers).ok_or(FrameError::Headers)?;
    Ok(Some((Frame { headers, payload: payload.to_vec() }, length)))
}

fn number(bytes: &[u8], at: usize) -> usize {
    let four = bytes[at..at + 4].try_into().expect("the caller has as many");
    u32::from_be_bytes(four) as usize
}

fn sum(bytes: &[u8]) -> usize {
    crc32fast::hash(bytes) as usize
}

/// A name, a type and a value each. Of the ten types only text is of use here.
fn headers(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    while let Some((&length, rest)) = bytes.split_first() {
        let (name, rest) = rest.split_at_checked(length.into())?;
        let (&kind, rest) = rest.split_first()?;
        let (length, rest) = match kind {
            // True and false.
            0 | 1 => (0, rest),
            2 => (1, rest),
            3 => (2, rest),
            4 => (4, rest),
            // A long number, and a moment.
            5 | 8 => (8, rest),
            // Bytes, and text.
            6 | 7 => {
                let (length, rest) = rest.split_at_checked(2)?;
                (u16::from_be_bytes(length.try_into().ok()?).into(), rest)
            }
            // An identifier.
            9 => (16, rest),
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        if kind == 7 {
            let name = String::from_utf8(name.to_vec()).ok()?;
            headers.push((name, String::from_utf8(value.to_vec()).ok()?));
        }
        bytes = rest;
    }
    Some(headers)
}

impl fmt::Display for FrameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => {
                write!(formatter, "the service sent a frame with a length of {length} bytes")
            }
            Self::Sum => formatter.write_str("the service's answer was damaged on its way"),
            Self::Headers => {
                formatter.write_str("the service sent a frame whose headers cannot be read")
            }
        }
    }
}

impl std::error::Error for FrameError {}

impl From<FrameError> for Error {
    fn from(error: FrameError) -> Self {
        let (kind, retry_after_ms) = match error {
            FrameError::Length(length) if length > MAX_FRAME => (ErrorKind::TooLarge, None),
            FrameError::Length(_) | FrameError::Sum | FrameError::Headers => {
                (ErrorKind::Unavailable, Some(RETRY_MS))
            }
        };
        let message = format!("{error}: send the request again");
        Error { sent: true, retry_after_ms, ..Error::new(kind, message) }
    }
}

/// Damage is usually one bad connection.
const RETRY_MS: u32 = 1000;

/// A frame as the service writes it, for tests.
#[cfg(test)]
pub fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in headers {
        lines.push(u8::try_from(name.len()).expect("a short name"));
        lines.extend_from_slice(name.as_bytes());
        lines.push(7);
        lines.extend_from_slice(&u16::try_from(value.len()).expect("short").to_be_bytes());
        lines.extend_from_slice(value.as_bytes());
    }
    let length = PRELUDE + lines.len() + payload.len() + SUM;
    let four = |number: usize| u32::try_from(number).expect("short").to_be_bytes();
    let mut frame = [four(length), four(lines.len())].concat();
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&lines);
    frame.extend_from_slice(payload);
    let sum = crc32fast::hash(&frame);
    frame.extend_from_slice(&sum.to_be_bytes());
    frame
}

#[cfg(test)]
mod tests;
