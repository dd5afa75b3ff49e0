//! The server's answer as events: lines of JSON, of which there is one without streaming.
//!
//! Not HTTP: it is fed with lines, whatever those are read from.

use std::collections::VecDeque;

use hydroid_component::answer::{self, unreadable};
use hydroid_component::arguments::{CallAssembler, CallPiece};
use hydroid_component::provider::{Error, Event, Reasoning, Stop, Usage};
use hydroid_component::text_calls::TextCalls;
use hydroid_component::web::ServiceError;
use serde_json::value::RawValue;

use crate::wire::{AnswerCall, AnswerMessage, Line};

/// What is expected, for the sentence that says something else came.
const EXPECTED: &str = "answer of Ollama";

/// Turns lines into events.
pub struct Decoder {
    calls: CallAssembler,
    text_calls: TextCalls,
    finish: Option<Stop>,
    usage: Option<Usage>,
    /// Anything of the server's kind came at all.
    seen: bool,
}

impl answer::Decoder for Decoder {
    fn message(
        &mut self,
        _name: &str,
        data: &str,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        let line = serde_json::from_str(data)
            .map_err(|error| unreadable(EXPECTED, data.as_bytes(), &error))?;
        self.line(line, events)
    }

    fn whole(&mut self, body: &[u8], events: &mut VecDeque<Event>) -> Result<(), Error> {
        let line =
            serde_json::from_slice(body).map_err(|error| unreadable(EXPECTED, body, &error))?;
        self.line(line, events)
    }

    fn is_done(&self) -> bool {
        self.finish.is_some()
    }

    fn end(&mut self, events: &mut VecDeque<Event>) -> Result<(), Error> {
        let stop = match self.finish {
            Some(stop) => stop,
            None if !self.seen => return Err(answer::nothing(EXPECTED)),
            // The stream broke off; what came is passed on, and the queue makes it an error.
            None => return Ok(()),
        };
        self.text_calls.end(&mut self.calls, events)?;
        self.calls.end_all(events)?;
        events.extend(self.usage.map(Event::Usage));
        // The server says `stop` behind calls too.
        let stop =
            if stop == Stop::EndTurn && !self.calls.is_empty() { Stop::ToolUse } else { stop };
        events.push_back(Event::Finish(stop));
        Ok(())
    }
}

impl Decoder {
    /// `call_prefix` begins the identifiers of calls without one.
    pub fn new(call_prefix: String, text_calls: TextCalls) -> Self {
        Self {
            calls: CallAssembler::new(call_prefix),
            text_calls,
            finish: None,
            usage: None,
            seen: false,
        }
    }

    fn line(&mut self, line: Line, events: &mut VecDeque<Event>) -> Result<(), Error> {
        if let Some(error) = line.error {
            return Err(ServiceError::from_json(&error).into_stream_error());
        }
        self.seen |= line.message.is_some() || line.done.is_some();
        if let Some(message) = line.message {
            self.said(message, events)?;
        }
        if line.done == Some(true) {
            self.usage = line.eval_count.or(line.prompt_eval_count).map(|_| Usage {
                // A prompt that is cached as a whole is not counted.
                input: line.prompt_eval_count.unwrap_or_default(),
                output: line.eval_count.unwrap_or_default(),
                cache_read: None,
                cache_write: None,
                reasoning: None,
            });
            self.finish = Some(match line.done_reason.as_deref() {
                None | Some("stop") => Stop::EndTurn,
                Some("length") => Stop::MaxTokens,
                Some(_) => Stop::Other,
            });
        }
        Ok(())
    }

    fn said(&mut self, message: AnswerMessage, events: &mut VecDeque<Event>) -> Result<(), Error> {
        let filled = |text: &String| !text.is_empty();
        if let Some(text) = message.thinking.filter(filled) {
            events.push_back(Event::Reasoning(Reasoning { text, opaque: None }));
        }
        if let Some(text) = message.content.filter(filled) {
            self.text_calls.text(&text, &mut self.calls, events)?;
        }
        message.tool_calls.into_iter().flatten().try_for_each(|call| self.call(&call, events))
    }

    /// A call comes whole, with its arguments as they are written.
    fn call(&mut self, call: &AnswerCall, events: &mut VecDeque<Event>) -> Result<(), Error> {
        self.text_calls.native(events);
        let index = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        let function = call.function.as_ref();
        let arguments = function.and_then(|function| function.arguments.as_deref());
        let piece = CallPiece {
            // Servers before 0.12 say 0 for all, so they are counted here.
            index: Some(index),
            id: call.id.as_deref(),
            name: function.and_then(|function| function.name.as_deref()),
            arguments: arguments.map(RawValue::get).filter(|arguments| *arguments != "null"),
        };
        self.calls.add(piece, events)?;
        self.calls.end(index, events)
    }
}

#[cfg(test)]
mod tests;
