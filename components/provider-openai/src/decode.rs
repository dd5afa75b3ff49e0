//! The service's answer as events: a stream of chunks, or one whole answer.
//!
//! Not HTTP: it is fed with a body, whatever that is read from.

use std::collections::VecDeque;

use hydroid_component::arguments::{CallAssembler, CallPiece};
use hydroid_component::provider::{
    Citation, Error, ErrorKind, Event, EventSource, Flow, Reasoning, Stop, Usage,
};
use hydroid_component::sse::{SseEvent, SseReader};
use hydroid_component::web::{Body, ServiceError};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::{CallDelta, Choice, Chunk, Delta};

/// A whole answer, which holds text and arguments only.
const MAX_WHOLE: usize = 32 << 20;

/// One answer that is being read.
pub struct Answer<B> {
    body: B,
    form: Form,
    reader: SseReader,
    decoder: Decoder,
}

/// How the service answers.
enum Form {
    /// The first byte that is no space decides; services are careless about media types.
    Unknown,
    Stream,
    Whole(Vec<u8>),
}

impl<B: Body> Answer<B> {
    /// Reads `body`; `call_prefix` begins the identifiers of calls without one.
    pub fn new(body: B, call_prefix: String) -> Self {
        let decoder = Decoder {
            calls: CallAssembler::new(call_prefix),
            finish: None,
            usage: None,
            refused: false,
            seen: false,
            done: false,
        };
        Self { body, form: Form::Unknown, reader: SseReader::default(), decoder }
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
            self.decoder.event(&event, events)?;
        }
        Ok(())
    }

    fn end(&mut self, events: &mut VecDeque<Event>) -> Result<(), Error> {
        match std::mem::replace(&mut self.form, Form::Unknown) {
            Form::Whole(whole) => {
                let chunk =
                    serde_json::from_slice(&whole).map_err(|error| unreadable(&whole, &error))?;
                self.decoder.chunk(chunk, events)?;
            }
            Form::Stream | Form::Unknown => {
                self.reader.finish()?;
                self.decode_ready(events)?;
            }
        }
        self.decoder.end(events)
    }
}

impl<B: Body> EventSource for Answer<B> {
    fn pull(&mut self, events: &mut VecDeque<Event>) -> Result<Flow, Error> {
        // After `[DONE]` nothing can come; waiting for the connection to close may take long.
        let piece = if self.decoder.done { None } else { self.body.read()? };
        match piece {
            Some(piece) => self.take(&piece, events).map(|()| Flow::More),
            None => self.end(events).map(|()| Flow::End),
        }
    }
}

/// Turns chunks into events. The end is kept back, because usage comes behind it.
struct Decoder {
    calls: CallAssembler,
    finish: Option<Stop>,
    usage: Option<Usage>,
    refused: bool,
    /// Anything of the service's kind came at all.
    seen: bool,
    done: bool,
}

impl Decoder {
    fn event(&mut self, event: &SseEvent, events: &mut VecDeque<Event>) -> Result<(), Error> {
        let data = event.data.trim();
        if self.done || data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        if event.event == "error" {
            return Err(ServiceError::parse(data.as_bytes()).into_stream_error());
        }
        let chunk =
            serde_json::from_str(data).map_err(|error| unreadable(data.as_bytes(), &error))?;
        self.chunk(chunk, events)
    }

    fn chunk(&mut self, chunk: Chunk, events: &mut VecDeque<Event>) -> Result<(), Error> {
        self.seen = true;
        if let Some(error) = chunk.error {
            return Err(ServiceError::from_json(&error).into_stream_error());
        }
        // Only one answer is asked for, so others, if a service sends them, are not ours.
        let first = |choice: &Choice| choice.index.unwrap_or_default() == 0;
        for choice in chunk.choices.unwrap_or_default().into_iter().filter(first) {
            if let Some(delta) = choice.delta {
                self.delta(delta, events)?;
            }
            if let Some(reason) = choice.finish_reason {
                let stop_text = choice.stop_reason.is_some_and(|reason| reason.is_string());
                self.finish = Some(stop(&reason, stop_text));
            }
        }
        self.usage = chunk.usage.map(usage).or(self.usage);
        Ok(())
    }

    fn delta(&mut self, delta: Delta, events: &mut VecDeque<Event>) -> Result<(), Error> {
        let filled = |text: &String| !text.is_empty();
        if let Some(text) = delta.reasoning_content.or(delta.reasoning).filter(filled) {
            events.push_back(Event::Reasoning(Reasoning { text, opaque: None }));
        }
        if let Some(content) = delta.content {
            self::content(content, events);
        }
        if let Some(refusal) = delta.refusal.filter(filled) {
            self.refused = true;
            events.push_back(Event::Text(refusal));
        }
        for citation in
            delta.annotations.unwrap_or_default().into_iter().filter_map(|note| note.url_citation)
        {
            events.push_back(Event::Citation(Citation {
                uri: citation.url,
                title: citation.title,
                text: None,
            }));
        }
        delta
            .tool_calls
            .unwrap_or_default()
            .into_iter()
            .try_for_each(|call| self.call(call, events))
    }

    fn call(&mut self, call: CallDelta, events: &mut VecDeque<Event>) -> Result<(), Error> {
        let (name, arguments) =
            call.function.map_or((None, None), |function| (function.name, function.arguments));
        let arguments =
            arguments.map(|arguments| arguments_text(&arguments)).transpose()?.flatten();
        let piece = CallPiece {
            index: call.index,
            id: call.id.as_deref(),
            name: name.as_deref(),
            arguments: arguments.as_deref(),
        };
        self.calls.add(piece, events)
    }

    fn end(&mut self, events: &mut VecDeque<Event>) -> Result<(), Error> {
        let stop = match self.finish {
            Some(stop) => stop,
            None if self.done => Stop::EndTurn,
            None if !self.seen => {
                let message = "the service sent no chat completion: check the configured address";
                return Err(Error { sent: true, ..Error::new(ErrorKind::Unavailable, message) });
            }
            // The stream broke off; what came is passed on, and the queue makes it an error.
            None => return Ok(()),
        };
        self.calls.end_all(events)?;
        events.extend(self.usage.map(Event::Usage));
        let stop = match stop {
            _ if self.refused => Stop::Refusal,
            // Services that say `stop` behind calls mean the calls.
            Stop::EndTurn | Stop::Other if !self.calls.is_empty() => Stop::ToolUse,
            stop => stop,
        };
        events.push_back(Event::Finish(stop));
        Ok(())
    }
}

/// Text as a string, or as parts of which some are thinking.
fn content(content: Value, events: &mut VecDeque<Event>) {
    match content {
        Value::String(text) if !text.is_empty() => events.push_back(Event::Text(text)),
        Value::Array(parts) => {
            for part in parts {
                if let Some(text) =
                    part.get("text").and_then(Value::as_str).filter(|text| !text.is_empty())
                {
                    events.push_back(Event::Text(text.to_owned()));
                }
                let thinking = part.get("thinking").and_then(Value::as_array).into_iter().flatten();
                for text in thinking.filter_map(|part| part.get("text")?.as_str()) {
                    events.push_back(Event::Reasoning(Reasoning {
                        text: text.to_owned(),
                        opaque: None,
                    }));
                }
            }
        }
        _ => {}
    }
}

/// The JSON text inside the string, or the object as it was written; `null` is nothing.
fn arguments_text(arguments: &RawValue) -> Result<Option<String>, Error> {
    match arguments.get() {
        "null" => Ok(None),
        text if text.starts_with('"') => serde_json::from_str(text)
            .map(Some)
            .map_err(|error| unreadable(text.as_bytes(), &error)),
        text => Ok(Some(text.to_owned())),
    }
}

fn stop(reason: &str, stop_text: bool) -> Stop {
    match reason {
        "stop" if stop_text => Stop::StopSequence,
        "stop" | "end_turn" | "eos" => Stop::EndTurn,
        "length" | "max_tokens" => Stop::MaxTokens,
        "tool_calls" | "function_call" => Stop::ToolUse,
        "content_filter" | "refusal" => Stop::Refusal,
        "stop_sequence" => Stop::StopSequence,
        "error" => Stop::Error,
        _ => Stop::Other,
    }
}

fn usage(usage: crate::wire::Usage) -> Usage {
    let prompt = usage.prompt_tokens_details;
    let cached = prompt.as_ref().and_then(|details| details.cached_tokens);
    Usage {
        input: usage.prompt_tokens.unwrap_or_default(),
        output: usage.completion_tokens.unwrap_or_default(),
        cache_read: cached.or(usage.prompt_cache_hit_tokens),
        cache_write: prompt.and_then(|details| details.cache_write_tokens),
        reasoning: usage.completion_tokens_details.and_then(|details| details.reasoning_tokens),
    }
}

fn unreadable(data: &[u8], error: &serde_json::Error) -> Error {
    let start: String = String::from_utf8_lossy(data).chars().take(200).collect();
    let message = format!(
        "the service sent something that is no chat completion: {error} in `{start}`; check the configured address"
    );
    Error { sent: true, ..Error::new(ErrorKind::Unavailable, message) }
}

#[cfg(test)]
mod tests;
