//! Reads the body of an answer in whichever form the service chose, a stream or a whole, and
//! hands what it holds to a decoder.
//!
//! Not HTTP, and no knowledge of any service: that is the decoder's.

use std::collections::VecDeque;

use crate::provider::{Event, EventSource, Flow};
use crate::sse::SseReader;
use crate::types::{Error, ErrorKind};
use crate::web::Body;

/// A whole answer, which holds text, arguments and at most some inline media.
pub const MAX_WHOLE: usize = 32 << 20;
/// One line of an answer in lines; a whole answer may be one.
pub const MAX_LINE: usize = 32 << 20;

/// Turns what a service says into events.
pub trait Decoder {
    /// One message of a stream: its name, empty where the service gives none, and its data.
    fn message(
        &mut self,
        name: &str,
        data: &str,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error>;

    /// The answer as one JSON value.
    fn whole(&mut self, body: &[u8], events: &mut VecDeque<Event>) -> Result<(), Error>;

    /// True once nothing can come any more, whether or not the connection is closed.
    fn is_done(&self) -> bool;

    /// The body is read. A decoder that saw no end appends no `Event::Finish`, which the queue
    /// makes an error.
    fn end(&mut self, events: &mut VecDeque<Event>) -> Result<(), Error>;
}

/// One answer that is being read.
pub struct Answer<B, D> {
    body: B,
    form: Form,
    decoder: D,
    first: Option<Event>,
}

/// How the service answers.
enum Form {
    /// The first byte that is no space decides; services are careless about media types.
    Unknown,
    Stream(SseReader),
    Whole(Vec<u8>),
    Lines(Vec<u8>),
}

impl<B: Body, D: Decoder> Answer<B, D> {
    /// An answer as an event stream or as one JSON value.
    pub fn new(body: B, decoder: D) -> Self {
        Self { body, form: Form::Unknown, decoder, first: None }
    }

    /// An answer as lines of JSON, of which there may be only one.
    pub fn lines(body: B, decoder: D) -> Self {
        Self { body, form: Form::Lines(Vec::new()), decoder, first: None }
    }

    /// The same answer with this event before it, if there is one.
    #[must_use]
    pub fn after(mut self, first: Option<Event>) -> Self {
        self.first = first;
        self
    }

    fn take(&mut self, piece: &[u8], events: &mut VecDeque<Event>) -> Result<(), Error> {
        if matches!(self.form, Form::Unknown) {
            match piece.iter().find(|byte| !byte.is_ascii_whitespace()) {
                Some(b'{' | b'[') => self.form = Form::Whole(Vec::new()),
                Some(_) => self.form = Form::Stream(SseReader::default()),
                None => return Ok(()),
            }
        }
        match &mut self.form {
            Form::Unknown => Ok(()),
            Form::Whole(whole) => {
                if whole.len() + piece.len() > MAX_WHOLE {
                    return Err(too_large("answer", MAX_WHOLE));
                }
                whole.extend_from_slice(piece);
                Ok(())
            }
            Form::Lines(line) => take_lines(line, piece, &mut self.decoder, events),
            Form::Stream(reader) => {
                let fed = reader.feed(piece);
                ready(reader, &mut self.decoder, events)?;
                Ok(fed?)
            }
        }
    }

    fn end(&mut self, events: &mut VecDeque<Event>) -> Result<(), Error> {
        match std::mem::replace(&mut self.form, Form::Unknown) {
            Form::Whole(whole) => self.decoder.whole(&whole, events)?,
            Form::Stream(mut reader) => {
                reader.finish()?;
                ready(&mut reader, &mut self.decoder, events)?;
            }
            Form::Lines(line) => end_line(&line, &mut self.decoder, events)?,
            Form::Unknown => {}
        }
        self.decoder.end(events)
    }
}

impl<B: Body, D: Decoder> EventSource for Answer<B, D> {
    fn pull(&mut self, events: &mut VecDeque<Event>) -> Result<Flow, Error> {
        events.extend(self.first.take());
        // Waiting for the connection to close may take long.
        let piece = if self.decoder.is_done() { None } else { self.body.read()? };
        match piece {
            Some(piece) => self.take(&piece, events).map(|()| Flow::More),
            None => self.end(events).map(|()| Flow::End),
        }
    }
}

fn ready(
    reader: &mut SseReader,
    decoder: &mut impl Decoder,
    events: &mut VecDeque<Event>,
) -> Result<(), Error> {
    while let Some(event) = reader.next_event() {
        let data = event.data.trim();
        if !data.is_empty() && !decoder.is_done() {
            decoder.message(&event.event, data, events)?;
        }
    }
    Ok(())
}

fn take_lines(
    line: &mut Vec<u8>,
    mut piece: &[u8],
    decoder: &mut impl Decoder,
    events: &mut VecDeque<Event>,
) -> Result<(), Error> {
    while !piece.is_empty() {
        let end = piece.iter().position(|byte| *byte == b'\n');
        let text = &piece[..end.unwrap_or(piece.len())];
        if line.len() + text.len() > MAX_LINE {
            return Err(too_large("line", MAX_LINE));
        }
        line.extend_from_slice(text);
        let Some(end) = end else { return Ok(()) };
        piece = &piece[end + 1..];
        end_line(&std::mem::take(line), decoder, events)?;
    }
    Ok(())
}

fn end_line(
    line: &[u8],
    decoder: &mut impl Decoder,
    events: &mut VecDeque<Event>,
) -> Result<(), Error> {
    let text = String::from_utf8_lossy(line);
    if text.trim().is_empty() || decoder.is_done() {
        return Ok(());
    }
    decoder.message("", text.trim(), events)
}

fn too_large(what: &str, limit: usize) -> Error {
    let message = format!("the service sent one {what} of more than {limit} bytes");
    Error { sent: true, ..Error::new(ErrorKind::TooLarge, message) }
}

/// The error for something that is not what the service should send; `expected` names that.
pub fn unreadable(expected: &str, data: &[u8], error: &serde_json::Error) -> Error {
    let start: String = String::from_utf8_lossy(data).chars().take(200).collect();
    let message = format!(
        "the service sent something that is no {expected}: {error} in `{start}`; check the configured address"
    );
    Error { sent: true, ..Error::new(ErrorKind::Unavailable, message) }
}

/// The error for an answer in which nothing of the service's kind came at all.
pub fn nothing(expected: &str) -> Error {
    let message = format!("the service sent no {expected}: check the configured address");
    Error { sent: true, ..Error::new(ErrorKind::Unavailable, message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{EventQueue, Stop};

    struct Pieces(VecDeque<&'static str>);

    impl Body for Pieces {
        fn read(&mut self) -> Result<Option<Vec<u8>>, Error> {
            Ok(self.0.pop_front().map(|piece| piece.as_bytes().to_vec()))
        }
    }

    /// Says back what it is given; `end` is the end.
    #[derive(Default)]
    struct Echo {
        done: bool,
    }

    impl Decoder for Echo {
        fn message(
            &mut self,
            name: &str,
            data: &str,
            events: &mut VecDeque<Event>,
        ) -> Result<(), Error> {
            self.done = data == "end";
            events.push_back(Event::Text(format!("{name}:{data}")));
            Ok(())
        }
        fn whole(&mut self, body: &[u8], events: &mut VecDeque<Event>) -> Result<(), Error> {
            self.done = true;
            events.push_back(Event::Text(format!("whole {}", String::from_utf8_lossy(body))));
            Ok(())
        }
        fn is_done(&self) -> bool {
            self.done
        }
        fn end(&mut self, events: &mut VecDeque<Event>) -> Result<(), Error> {
            events.extend(self.done.then_some(Event::Finish(Stop::EndTurn)));
            Ok(())
        }
    }

    #[track_caller]
    fn check(answer: Answer<Pieces, Echo>, expected: &[&str]) {
        let mut queue = EventQueue::new(answer);
        let mut shown = Vec::new();
        loop {
            match queue.next(8, || false) {
                Ok(events) if events.is_empty() => break,
                Ok(events) => shown.extend(events.into_iter().map(|event| match event {
                    Event::Text(text) => text,
                    other => format!("{other:?}"),
                })),
                Err(error) => {
                    shown.push(format!("{:?}", error.kind));
                    break;
                }
            }
        }
        assert_eq!(shown, expected);
    }

    fn pieces(pieces: &[&'static str]) -> Pieces {
        Pieces(pieces.iter().copied().collect())
    }

    #[test]
    fn the_first_byte_decides_how_a_body_is_read() {
        let stream = pieces(&[" \n", "event: a\nda", "ta: 1\n\ndata: end\n\n", "data: 2\n\n"]);
        check(
            Answer::new(stream, Echo::default()),
            &["a:1", ":end", "Event::Finish(Stop::EndTurn)"],
        );
        check(
            Answer::new(pieces(&["\n{", "}"]), Echo::default()),
            &["whole \n{}", "Event::Finish(Stop::EndTurn)"],
        );
        check(Answer::new(pieces(&[]), Echo::default()), &["ErrorKind::Unavailable"]);
    }

    #[test]
    fn lines_are_whole_however_they_are_cut() {
        let body = pieces(&["{\"a", "\"}\r\n\n{}", "\n", "end"]);
        check(
            Answer::lines(body, Echo::default()).after(Some(Event::Text("first".to_owned()))),
            &["first", ":{\"a\"}", ":{}", ":end", "Event::Finish(Stop::EndTurn)"],
        );
        check(
            Answer::lines(pieces(&["{}\n"]), Echo::default()),
            &[":{}", "ErrorKind::Unavailable"],
        );
    }
}
