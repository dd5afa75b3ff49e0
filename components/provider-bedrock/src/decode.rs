//! The service's answer as events: frames of a stream, or one whole answer.
//!
//! Not HTTP: it is fed with a body, whatever that is read from.

mod message;

use std::collections::VecDeque;

use hydroid_component::answer::{MAX_WHOLE, unreadable};
use hydroid_component::provider::{Error, ErrorKind, Event, EventSource, Flow};
use hydroid_component::web::Body;

use crate::failure;
use crate::frames::{Frame, FrameReader};
use message::Decoder;

/// What the service should send.
const ANSWER: &str = "answer of Bedrock";

/// One answer that is being read.
pub struct Turn<B> {
    body: B,
    form: Form,
    decoder: Decoder,
}

/// How the service answers.
enum Form {
    /// The first byte decides: JSON begins with a brace, and a frame with its length, which is
    /// too small for its first byte to be anything but zero or one.
    Unknown,
    Stream(FrameReader),
    Whole(Vec<u8>),
}

impl<B: Body> Turn<B> {
    /// Reads `body`. `call_prefix` begins the identifiers of calls without one, `keeper` is who
    /// wants thinking back, and the arguments of `schema_tool` are the answer's text.
    pub fn new(
        body: B,
        call_prefix: String,
        keeper: String,
        schema_tool: Option<&'static str>,
    ) -> Self {
        let decoder = Decoder::new(call_prefix, keeper, schema_tool);
        Self { body, form: Form::Unknown, decoder }
    }

    fn take(&mut self, piece: &[u8], events: &mut VecDeque<Event>) -> Result<(), Error> {
        if matches!(self.form, Form::Unknown) {
            match piece.first() {
                Some(0 | 1) => self.form = Form::Stream(FrameReader::default()),
                Some(_) => self.form = Form::Whole(Vec::new()),
                None => return Ok(()),
            }
        }
        match &mut self.form {
            Form::Unknown => Ok(()),
            Form::Whole(whole) if whole.len() + piece.len() > MAX_WHOLE => {
                let message = format!("the service sent one answer of more than {MAX_WHOLE} bytes");
                Err(Error { sent: true, ..Error::new(ErrorKind::TooLarge, message) })
            }
            Form::Whole(whole) => {
                whole.extend_from_slice(piece);
                Ok(())
            }
            Form::Stream(reader) => {
                let fed = reader.feed(piece);
                while let Some(frame) = reader.next_frame() {
                    take_frame(&frame, &mut self.decoder, events)?;
                }
                Ok(fed?)
            }
        }
    }

    fn end(&mut self, events: &mut VecDeque<Event>) -> Result<(), Error> {
        match std::mem::replace(&mut self.form, Form::Unknown) {
            Form::Whole(whole) => {
                let answer = serde_json::from_slice(&whole)
                    .map_err(|error| unreadable(ANSWER, &whole, &error))?;
                self.decoder.whole(answer, events)?;
            }
            // A frame that broke off is an answer that broke off, unless it was over already.
            Form::Stream(reader) if reader.is_amid() && !self.decoder.has_stopped() => {
                return Ok(());
            }
            Form::Stream(_) | Form::Unknown => {}
        }
        self.decoder.end(events)
    }
}

impl<B: Body> EventSource for Turn<B> {
    fn pull(&mut self, events: &mut VecDeque<Event>) -> Result<Flow, Error> {
        // Nothing comes behind the numbers; waiting for the connection to close may take long.
        let piece = if self.decoder.is_done() { None } else { self.body.read()? };
        match piece {
            Some(piece) => self.take(&piece, events).map(|()| Flow::More),
            None => self.end(events).map(|()| Flow::End),
        }
    }
}

fn take_frame(
    frame: &Frame,
    decoder: &mut Decoder,
    events: &mut VecDeque<Event>,
) -> Result<(), Error> {
    match frame.header(":message-type") {
        Some("exception") => {
            let name = frame.header(":exception-type").unwrap_or_default();
            Err(failure::of_exception(name, &frame.payload))
        }
        // A failure of the transport, which has no body.
        Some("error") => {
            let name = frame.header(":error-code").unwrap_or_default();
            let message = frame.header(":error-message").unwrap_or_default();
            let body = serde_json::json!({"message": message}).to_string();
            Err(failure::of_exception(name, body.as_bytes()))
        }
        _ => {
            let kind = frame.header(":event-type").unwrap_or_default();
            let event = serde_json::from_slice(&frame.payload)
                .map_err(|error| unreadable(ANSWER, &frame.payload, &error))?;
            decoder.event(kind, event, events)
        }
    }
}

#[cfg(test)]
mod tests;
