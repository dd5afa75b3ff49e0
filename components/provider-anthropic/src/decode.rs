//! The service's answer as events: a stream of events, or one whole message.
//!
//! Not HTTP: it is fed with a body, whatever that is read from.

mod message;

use std::collections::VecDeque;

use hydroid_component::provider::{Error, ErrorKind, Event, EventSource, Flow, Stop};
use hydroid_component::sse::{SseEvent, SseReader};
use hydroid_component::web::{Body, ServiceError};
use serde_json::value::RawValue;

use message::Decoder;

/// A whole answer, which holds text, arguments and what tools of the service found.
const MAX_WHOLE: usize = 32 << 20;

/// Asks the service to go on after what was said; none if it was asked often enough.
pub type Resume<B> = Box<dyn FnMut(Vec<Box<RawValue>>) -> Result<Option<B>, Error>>;

/// One answer that is being read.
pub struct Answer<B> {
    body: B,
    form: Form,
    reader: SseReader,
    decoder: Decoder,
    opening: Option<Event>,
    resume: Option<Resume<B>>,
}

/// How the service answers.
enum Form {
    /// The first byte that is no space decides; services are careless about media types.
    Unknown,
    Stream,
    Whole(Vec<u8>),
}

impl<B: Body> Answer<B> {
    /// Reads `body`; `call_prefix` begins the identifiers of calls without one, and the arguments
    /// of `schema_tool` are the answer's text.
    pub fn new(body: B, call_prefix: String, schema_tool: Option<&'static str>) -> Self {
        Self {
            body,
            form: Form::Unknown,
            reader: SseReader::default(),
            decoder: Decoder::new(call_prefix, schema_tool),
            opening: None,
            resume: None,
        }
    }

    /// An event that comes before the answer's own.
    pub fn begin_with(&mut self, event: Option<Event>) {
        self.opening = event;
    }

    /// What is done when the service pauses in the middle of its own tools.
    pub fn resume_by(&mut self, resume: Resume<B>) {
        self.decoder.remember();
        self.resume = Some(resume);
    }

    fn take(&mut self, piece: &[u8], events: &mut VecDeque<Event>) -> Result<(), Error> {
        if matches!(self.form, Form::Unknown) {
            match piece.iter().find(|byte| !byte.is_ascii_whitespace()) {
                Some(b'{' | b'[') => self.form = Form::Whole(Vec::new()),
                Some(_) => self.form = Form::Stream,
                None => return Ok(()),
            }
        }
        match &mut self.form {
            Form::Whole(whole) if whole.len() + piece.len() > MAX_WHOLE => {
                let message = format!("the service's answer has more than {MAX_WHOLE} bytes");
                Err(Error { sent: true, ..Error::new(ErrorKind::TooLarge, message) })
            }
            Form::Whole(whole) => {
                whole.extend_from_slice(piece);
                Ok(())
            }
            Form::Unknown | Form::Stream => {
                let fed = self.reader.feed(piece);
                self.decode_ready(events)?;
                Ok(fed?)
            }
        }
    }

    fn decode_ready(&mut self, events: &mut VecDeque<Event>) -> Result<(), Error> {
        while let Some(event) = self.reader.next_event() {
            event_of(&event, &mut self.decoder, events)?;
        }
        Ok(())
    }

    fn end(&mut self, events: &mut VecDeque<Event>) -> Result<Flow, Error> {
        match std::mem::replace(&mut self.form, Form::Unknown) {
            Form::Whole(whole) => {
                let message =
                    serde_json::from_slice(&whole).map_err(|error| unreadable(&whole, &error))?;
                self.decoder.whole(message, events)?;
            }
            Form::Stream | Form::Unknown => {
                self.reader.finish()?;
                self.decode_ready(events)?;
            }
        }
        let Some(stop) = self.decoder.end(events)? else { return Ok(Flow::End) };
        let resumed = match (&mut self.resume, self.decoder.paused()) {
            (Some(resume), true) => resume(self.decoder.begin_again())?,
            (Some(_) | None, _) => None,
        };
        match resumed {
            Some(body) => {
                self.body = body;
                self.reader = SseReader::default();
                Ok(Flow::More)
            }
            None => {
                events.push_back(Event::Finish(stop));
                Ok(Flow::End)
            }
        }
    }
}

impl<B: Body> EventSource for Answer<B> {
    fn pull(&mut self, events: &mut VecDeque<Event>) -> Result<Flow, Error> {
        if let Some(opening) = self.opening.take() {
            events.push_back(opening);
            return Ok(Flow::More);
        }
        // Nothing comes behind the end; waiting for the connection to close may take long.
        let piece = if self.decoder.done() { None } else { self.body.read()? };
        match piece {
            Some(piece) => self.take(&piece, events).map(|()| Flow::More),
            None => self.end(events),
        }
    }
}

fn event_of(
    event: &SseEvent,
    decoder: &mut Decoder,
    events: &mut VecDeque<Event>,
) -> Result<(), Error> {
    let data = event.data.trim();
    // Services that imitate this one end with another one's mark.
    if decoder.done() || data.is_empty() || data == "[DONE]" {
        return Ok(());
    }
    if event.event == "error" {
        return Err(ServiceError::parse(data.as_bytes()).into_stream_error());
    }
    let event = serde_json::from_str(data).map_err(|error| unreadable(data.as_bytes(), &error))?;
    decoder.event(event, events)
}

fn stop(reason: &str) -> Stop {
    match reason {
        "end_turn" => Stop::EndTurn,
        "max_tokens" | "model_context_window_exceeded" => Stop::MaxTokens,
        "tool_use" => Stop::ToolUse,
        "stop_sequence" => Stop::StopSequence,
        "refusal" => Stop::Refusal,
        _ => Stop::Other,
    }
}

fn unreadable(data: &[u8], error: &serde_json::Error) -> Error {
    let start: String = String::from_utf8_lossy(data).chars().take(200).collect();
    let message = format!(
        "the service sent something that is no message: {error} in `{start}`; check the configured address"
    );
    Error { sent: true, ..Error::new(ErrorKind::Unavailable, message) }
}

#[cfg(test)]
mod tests;
