//! An incremental reader of event streams (`text/event-stream`), fed in pieces of any size.
//!
//! Not a client: it does not read from the network, does not reconnect and knows no service.

use std::collections::VecDeque;
use std::fmt;

use crate::types::{Error, ErrorKind};

/// A line longer than this is no event of a model service: the largest seen are whole answers
/// with an inline image, a few MiB.
pub const MAX_LINE: usize = 8 << 20;
/// Data of one event, over all its lines; it needs no more than one line of the largest size.
pub const MAX_EVENT: usize = 8 << 20;

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event` field; empty if the event has none, which readers treat as `message`.
    pub event: String,
    /// The `data` lines, joined by line feeds.
    pub data: String,
    /// The last `id` field so far in the stream.
    pub id: Option<String>,
    /// The `retry` field of this event, in milliseconds.
    pub retry_ms: Option<u32>,
}

/// Something in the stream is larger than the reader takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SseError {
    /// One line.
    LineTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The data of one event.
    EventTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

/// Turns bytes into events, after the rules of the HTML standard.
#[derive(Debug)]
pub struct SseReader {
    max_line: usize,
    max_event: usize,
    /// Bytes of the line that has not ended; lines are cut at bytes that are no part of any
    /// longer UTF-8 sequence, so a character split over two pieces is whole again here.
    line: Vec<u8>,
    /// The last byte was a carriage return, so a line feed next belongs to it.
    after_return: bool,
    at_start: bool,
    event: SseEvent,
    has_data: bool,
    ready: VecDeque<SseEvent>,
}

impl Default for SseReader {
    fn default() -> Self {
        Self::new(MAX_LINE, MAX_EVENT)
    }
}

impl SseReader {
    /// A reader with its own limits, in bytes.
    pub fn new(max_line: usize, max_event: usize) -> Self {
        Self {
            max_line,
            max_event,
            line: Vec::new(),
            after_return: false,
            at_start: true,
            event: SseEvent::default(),
            has_data: false,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next piece of the stream. Events that were complete before an error can still
    /// be taken.
    pub fn feed(&mut self, mut piece: &[u8]) -> Result<(), SseError> {
        while !piece.is_empty() {
            if std::mem::take(&mut self.after_return) && piece[0] == b'\n' {
                piece = &piece[1..];
                continue;
            }
            let end = piece.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let text = &piece[..end.unwrap_or(piece.len())];
            if self.line.len() + text.len() > self.max_line {
                return Err(SseError::LineTooLong { limit: self.max_line });
            }
            self.line.extend_from_slice(text);
            let Some(end) = end else { return Ok(()) };
            self.after_return = piece[end] == b'\r';
            piece = &piece[end + 1..];
            self.end_line()?;
        }
        Ok(())
    }

    /// The next complete event.
    pub fn next_event(&mut self) -> Option<SseEvent> {
        self.ready.pop_front()
    }

    /// Takes what is left at the end of the stream. The standard drops an event without an
    /// empty line behind it; services that close right after their last line are common.
    pub fn finish(&mut self) -> Result<(), SseError> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        self.dispatch();
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), SseError> {
        let line = std::mem::take(&mut self.line);
        let mut line = &line[..];
        if std::mem::take(&mut self.at_start) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            self.dispatch();
            return Ok(());
        }
        let text = String::from_utf8_lossy(line);
        let (name, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => self.data(value)?,
            "event" => self.event.event = value.to_owned(),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.event.retry_ms = value.parse().ok();
            }
            // A comment, which has an empty name, or a field the standard does not know.
            _ => {}
        }
        Ok(())
    }

    fn data(&mut self, value: &str) -> Result<(), SseError> {
        if self.event.data.len() + value.len() + 1 > self.max_event {
            return Err(SseError::EventTooLarge { limit: self.max_event });
        }
        if std::mem::replace(&mut self.has_data, true) {
            self.event.data.push('\n');
        }
        self.event.data.push_str(value);
        Ok(())
    }

    fn dispatch(&mut self) {
        let following = SseEvent { id: self.event.id.clone(), ..SseEvent::default() };
        let event = std::mem::replace(&mut self.event, following);
        if std::mem::take(&mut self.has_data) {
            self.ready.push_back(event);
        }
    }
}

impl fmt::Display for SseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineTooLong { limit } => {
                write!(formatter, "the service sent a line longer than {limit} bytes")
            }
            Self::EventTooLarge { limit } => {
                write!(formatter, "the service sent an event larger than {limit} bytes")
            }
        }
    }
}

impl std::error::Error for SseError {}

impl From<SseError> for Error {
    fn from(error: SseError) -> Self {
        Error { sent: true, ..Error::new(ErrorKind::TooLarge, error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: &[u8], size: usize) -> Vec<SseEvent> {
        let mut reader = SseReader::default();
        for piece in stream.chunks(size) {
            reader.feed(piece).expect("small enough");
        }
        reader.finish().expect("small enough");
        std::iter::from_fn(|| reader.next_event()).collect()
    }

    /// Events are written `event|data|id|retry`.
    #[track_caller]
    fn check(stream: &str, expected: &[&str]) {
        for size in [1, 2, 3, 7, 64 << 10] {
            let shown: Vec<String> = read(stream.as_bytes(), size)
                .into_iter()
                .map(|event| {
                    let retry = event.retry_ms.map(|retry| retry.to_string());
                    [
                        event.event,
                        event.data,
                        event.id.unwrap_or_default(),
                        retry.unwrap_or_default(),
                    ]
                    .join("|")
                })
                .collect();
            assert_eq!(shown, expected, "pieces of {size} bytes of {stream:?}");
        }
    }

    #[test]
    fn lines_end_in_three_ways() {
        check(
            "data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\n\r\n",
            &["|a||", "|b||", "|c||", "|d||"],
        );
    }

    #[test]
    fn data_lines_are_joined() {
        check("data: a\ndata:b\ndata\ndata:  c\n\n", &["|a\nb\n\n c||"]);
    }

    #[test]
    fn fields_comments_and_unknown_names() {
        check(
            ": keep-alive\n\nevent: x\nid: 1\nretry: 5\nother: y\ndata: é\n\nretry: 5x\ndata: z\n\n",
            &["x|é|1|5", "|z|1|"],
        );
    }

    #[test]
    fn an_event_without_data_is_none() {
        check("event: x\n\ndata:\n\n", &["|||"]);
    }

    #[test]
    fn a_byte_order_mark_counts_only_at_the_start() {
        check("\u{feff}data: a\n\n\u{feff}data: b\n\n", &["|a||"]);
    }

    #[test]
    fn an_event_cut_at_the_end_is_read() {
        check("data: a\n\ndata: [DONE]", &["|a||", "|[DONE]||"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let expected = SseEvent { data: "a\u{fffd}b".to_owned(), ..SseEvent::default() };
        assert_eq!(read(b"data: a\xffb\n\n", 1), [expected]);
    }

    #[test]
    fn limits_are_errors_and_keep_what_came_before() {
        let mut reader = SseReader::new(12, 8);
        assert_eq!(
            reader.feed(b"data: a\n\ndata: 345678\n\ndata: 3456789"),
            Err(SseError::LineTooLong { limit: 12 })
        );
        assert_eq!(reader.next_event().expect("came before").data, "a");
        let mut reader = SseReader::new(12, 8);
        assert_eq!(
            reader.feed(b"data: 1234\ndata: 5678\n"),
            Err(SseError::EventTooLarge { limit: 8 })
        );
    }
}
