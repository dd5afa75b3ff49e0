//! The service's answer as events: a stream of its many events, or one whole answer.
//!
//! Not HTTP: it is fed with messages, whatever those are read from.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hydroid_component::answer::{self, unreadable};
use hydroid_component::arguments::{CallAssembler, CallPiece};
use hydroid_component::provider::{Citation, Error, ErrorKind, Event, Reasoning, Stop, Usage};
use hydroid_component::web::ServiceError;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::{Annotation, Answer, Kept, OutputItem, OutputPart, StreamEvent};

/// What is expected, for the sentence that says something else came.
const EXPECTED: &str = "answer in OpenAI's responses";
/// Items of one answer; more than any has.
const MAX_ITEMS: usize = 4096;

/// Turns the service's events into the contract's. An item that was streamed is not said again
/// when it comes whole at its end; one that was not, as some services do it, is.
pub struct Decoder {
    calls: CallAssembler,
    items: BTreeMap<u32, Streamed>,
    cited: BTreeSet<String>,
    /// Thinking that waits for what follows it.
    thinking: Option<Box<RawValue>>,
    finish: Option<Stop>,
    usage: Option<Usage>,
    refused: bool,
    /// Anything of the service's kind came at all.
    seen: bool,
}

/// What of an item was passed on.
#[derive(Debug, Default)]
struct Streamed {
    text: bool,
    thought: bool,
    /// The call began; its position among the calls.
    call: Option<u32>,
    arguments: bool,
    phase: bool,
    summary: Option<u32>,
    done: bool,
}

impl answer::Decoder for Decoder {
    fn message(
        &mut self,
        _name: &str,
        data: &str,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        if data == "[DONE]" {
            return Ok(());
        }
        let bad = |error| unreadable(EXPECTED, data.as_bytes(), &error);
        let value: &RawValue = serde_json::from_str(data).map_err(bad)?;
        let event: StreamEvent = serde_json::from_str(value.get()).map_err(bad)?;
        if event.kind == "error" || event.kind.is_empty() {
            let value: Value = serde_json::from_str(data).map_err(bad)?;
            if event.kind == "error" || value.get("error").is_some_and(|error| !error.is_null()) {
                return Err(ServiceError::from_json(&value).into_stream_error());
            }
        }
        self.event(event, events)
    }

    fn whole(&mut self, body: &[u8], events: &mut VecDeque<Event>) -> Result<(), Error> {
        let answer: Answer =
            serde_json::from_slice(body).map_err(|error| unreadable(EXPECTED, body, &error))?;
        if let Some(error) = answer.error.as_ref().filter(|error| !error.is_null()) {
            return Err(ServiceError::from_json(error).into_stream_error());
        }
        if answer.object.as_deref() != Some("response") && answer.output.is_none() {
            return Err(answer::nothing(EXPECTED));
        }
        self.seen = true;
        self.answer(answer, events)
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
        self.keep_thinking(None, events)?;
        self.calls.end_all(events)?;
        events.extend(self.usage.map(Event::Usage));
        let stop = match stop {
            _ if self.refused => Stop::Refusal,
            Stop::EndTurn if !self.calls.is_empty() => Stop::ToolUse,
            stop => stop,
        };
        events.push_back(Event::Finish(stop));
        Ok(())
    }
}

impl Decoder {
    /// `call_prefix` begins the identifiers of calls without one.
    pub fn new(call_prefix: String) -> Self {
        Self {
            calls: CallAssembler::new(call_prefix),
            items: BTreeMap::new(),
            cited: BTreeSet::new(),
            thinking: None,
            finish: None,
            usage: None,
            refused: false,
            seen: false,
        }
    }

    fn event(&mut self, event: StreamEvent, events: &mut VecDeque<Event>) -> Result<(), Error> {
        self.seen |= event.kind.starts_with("response.");
        let index = event.output_index.unwrap_or_default();
        let delta = event.delta.filter(|delta| !delta.is_empty());
        match event.kind.as_str() {
            "response.output_item.added" => {
                if let Some(item) = event.item {
                    self.begin(index, &item, events)?;
                }
            }
            "response.output_item.done" => {
                if let Some(item) = event.item {
                    self.item(index, item, events)?;
                }
            }
            "response.output_text.delta" => {
                if let Some(text) = delta {
                    self.streamed(index)?.text = true;
                    events.push_back(Event::Text(text));
                }
            }
            "response.refusal.delta" => {
                if let Some(text) = delta {
                    self.streamed(index)?.text = true;
                    self.refused = true;
                    events.push_back(Event::Text(text));
                }
            }
            "response.reasoning_summary_text.delta" => {
                if let Some(text) = delta {
                    let part = event.summary_index.unwrap_or_default();
                    let streamed = self.streamed(index)?;
                    streamed.thought = true;
                    let before = streamed.summary.replace(part);
                    if before.is_some_and(|before| before != part) {
                        think("\n\n".to_owned(), events);
                    }
                    think(text, events);
                }
            }
            "response.reasoning_text.delta" => {
                if let Some(text) = delta {
                    self.streamed(index)?.thought = true;
                    think(text, events);
                }
            }
            "response.function_call_arguments.delta" => {
                if let (Some(fragment), Some(call)) = (delta, self.streamed(index)?.call) {
                    self.streamed(index)?.arguments = true;
                    let piece = CallPiece {
                        index: Some(call),
                        arguments: Some(&fragment),
                        ..CallPiece::default()
                    };
                    self.calls.add(piece, events)?;
                }
            }
            "response.output_text.annotation.added" => {
                self.cite(event.annotation, events);
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.done" => {
                let Some(answer) = event.response else { return Ok(()) };
                if let Some(error) = answer.error.as_ref().filter(|error| !error.is_null()) {
                    return Err(ServiceError::from_json(error).into_stream_error());
                }
                self.answer(answer, events)?;
            }
            // What is named twice, and what a host has no use for: the progress of the service's
            // own tools, and whatever will be new.
            _ => {}
        }
        Ok(())
    }

    /// The answer as a whole. In a stream its items came before.
    fn answer(&mut self, answer: Answer, events: &mut VecDeque<Event>) -> Result<(), Error> {
        // Services name the items of a stream in other ways again at its end.
        if self.items.is_empty() {
            for (index, item) in (0..).zip(answer.output.unwrap_or_default()) {
                self.item(index, item, events)?;
            }
        }
        self.usage = answer.usage.map(usage).or(self.usage);
        let reason = answer.incomplete_details.and_then(|details| details.reason);
        self.finish = Some(match (answer.status.as_deref(), reason.as_deref()) {
            (Some("incomplete"), Some("max_output_tokens")) => Stop::MaxTokens,
            (Some("incomplete"), Some("content_filter")) => Stop::Refusal,
            (Some("incomplete"), _) => Stop::Other,
            (Some("failed" | "cancelled"), _) => Stop::Error,
            _ => Stop::EndTurn,
        });
        Ok(())
    }

    fn streamed(&mut self, index: u32) -> Result<&mut Streamed, Error> {
        if self.items.len() >= MAX_ITEMS && !self.items.contains_key(&index) {
            let message = format!("this answer has more than {MAX_ITEMS} items");
            return Err(Error { sent: true, ..Error::new(ErrorKind::TooLarge, message) });
        }
        Ok(self.items.entry(index).or_default())
    }

    fn begin(
        &mut self,
        index: u32,
        item: &RawValue,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        let item = read(item)?;
        if item.kind == "reasoning" {
            return self.keep_thinking(None, events);
        }
        self.open(index, &item, events)
    }

    /// Says that a call or a text begins, once.
    fn open(
        &mut self,
        index: u32,
        item: &OutputItem,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        match item.kind.as_str() {
            "function_call" if self.streamed(index)?.call.is_none() => {
                let call = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
                let mut begun = VecDeque::new();
                let piece = CallPiece {
                    index: Some(call),
                    id: item.call_id.as_deref(),
                    name: item.name.as_deref(),
                    arguments: None,
                };
                self.calls.add(piece, &mut begun)?;
                self.streamed(index)?.call = Some(call);
                let id = begun.iter().find_map(|event| match event {
                    Event::ToolCallStart(start) => Some(start.id.clone()),
                    _ => None,
                });
                self.keep_thinking(id, events)?;
                events.extend(begun);
            }
            "message" => {
                self.keep_thinking(None, events)?;
                if let Some(phase) = &item.phase
                    && !std::mem::replace(&mut self.streamed(index)?.phase, true)
                {
                    keep(&Kept::Phase(phase.clone()), events)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// An item as a whole, at its end.
    fn item(
        &mut self,
        index: u32,
        raw: Box<RawValue>,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        if std::mem::replace(&mut self.streamed(index)?.done, true) {
            return Ok(());
        }
        let item = read(&raw)?;
        match item.kind.as_str() {
            "reasoning" => {
                self.keep_thinking(None, events)?;
                if !self.streamed(index)?.thought {
                    let parts = item.summary.into_iter().chain(item.content).flatten();
                    let texts: Vec<String> = parts.filter_map(|part| part.text).collect();
                    think(texts.join("\n\n"), events);
                }
                self.thinking = item.encrypted_content.is_some().then_some(raw);
            }
            "function_call" => {
                self.open(index, &item, events)?;
                let Streamed { call: Some(call), arguments, .. } = *self.streamed(index)? else {
                    return Ok(());
                };
                if !arguments {
                    let piece = CallPiece {
                        index: Some(call),
                        arguments: item.arguments.as_deref(),
                        ..CallPiece::default()
                    };
                    self.calls.add(piece, events)?;
                }
                self.calls.end(call, events)?;
            }
            "message" => {
                self.open(index, &item, events)?;
                let said = self.streamed(index)?.text;
                for part in item.content.into_iter().flatten() {
                    self.part(part, said, events);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn part(&mut self, part: OutputPart, said: bool, events: &mut VecDeque<Event>) {
        let filled = |text: &String| !text.is_empty() && !said;
        events.extend(part.text.filter(filled).map(Event::Text));
        if let Some(refusal) = part.refusal {
            self.refused = true;
            events.extend(Some(refusal).filter(filled).map(Event::Text));
        }
        for annotation in part.annotations.into_iter().flatten() {
            self.cite(Some(annotation), events);
        }
    }

    fn cite(&mut self, annotation: Option<Annotation>, events: &mut VecDeque<Event>) {
        let Some(annotation) = annotation else { return };
        let file = annotation.file_id.map(|id| format!("openai-file:{id}"));
        let Some(uri) = annotation.url.or(file) else { return };
        if self.cited.insert(uri.clone()) {
            let title = annotation.title.or(annotation.filename);
            events.push_back(Event::Citation(Citation { uri, title, text: None }));
        }
    }

    /// Hands on thinking that has to come back, with the call it stands before.
    fn keep_thinking(
        &mut self,
        before: Option<String>,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        match self.thinking.take() {
            Some(item) => keep(&Kept::Thinking { item, before }, events),
            None => Ok(()),
        }
    }
}

fn read(item: &RawValue) -> Result<OutputItem, Error> {
    serde_json::from_str(item.get())
        .map_err(|error| unreadable(EXPECTED, item.get().as_bytes(), &error))
}

fn keep(kept: &Kept, events: &mut VecDeque<Event>) -> Result<(), Error> {
    let opaque = serde_json::to_vec(kept)
        .map_err(|error| Error::internal(format!("thinking does not become JSON: {error}")))?;
    events.push_back(Event::Reasoning(Reasoning { text: String::new(), opaque: Some(opaque) }));
    Ok(())
}

fn think(text: String, events: &mut VecDeque<Event>) {
    if !text.is_empty() {
        events.push_back(Event::Reasoning(Reasoning { text, opaque: None }));
    }
}

fn usage(usage: crate::wire::Usage) -> Usage {
    let input = usage.input_tokens_details;
    Usage {
        input: usage.input_tokens.unwrap_or_default(),
        output: usage.output_tokens.unwrap_or_default(),
        cache_read: input.as_ref().and_then(|details| details.cached_tokens),
        cache_write: input.and_then(|details| details.cache_write_tokens),
        reasoning: usage.output_tokens_details.and_then(|details| details.reasoning_tokens),
    }
}

#[cfg(test)]
mod tests;
