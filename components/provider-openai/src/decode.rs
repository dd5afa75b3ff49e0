//! The service's answer as events: a stream of chunks, or one whole answer.
//!
//! Not HTTP: it is fed with a body, whatever that is read from.

use std::collections::{BTreeSet, VecDeque};

use hydroid_component::answer::{self, unreadable};
use hydroid_component::arguments::{CallAssembler, CallPiece};
use hydroid_component::provider::{Citation, Error, Event, Reasoning, Stop, Usage};
use hydroid_component::text_calls::TextCalls;
use hydroid_component::web::ServiceError;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::{CallDelta, Choice, Chunk, Delta, Kept, ReasoningDetail};

/// What is expected, for the sentence that says something else came.
const EXPECTED: &str = "chat completion";

/// Turns chunks into events. The end is kept back, because usage comes behind it.
pub struct Decoder {
    calls: CallAssembler,
    text_calls: TextCalls,
    kept: Kept,
    details: Details,
    /// Addresses of sources that were named already, and those that wait for the end.
    cited: BTreeSet<String>,
    sources: Vec<(String, Option<String>)>,
    finish: Option<Stop>,
    usage: Option<Usage>,
    refused: bool,
    /// Anything of the service's kind came at all.
    seen: bool,
    done: bool,
}

impl answer::Decoder for Decoder {
    fn message(
        &mut self,
        name: &str,
        data: &str,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        if data == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        if name == "error" {
            return Err(ServiceError::parse(data.as_bytes()).into_stream_error());
        }
        let chunk = serde_json::from_str(data)
            .map_err(|error| unreadable(EXPECTED, data.as_bytes(), &error))?;
        self.chunk(chunk, events)
    }

    fn whole(&mut self, body: &[u8], events: &mut VecDeque<Event>) -> Result<(), Error> {
        let chunk =
            serde_json::from_slice(body).map_err(|error| unreadable(EXPECTED, body, &error))?;
        self.chunk(chunk, events)
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn end(&mut self, events: &mut VecDeque<Event>) -> Result<(), Error> {
        let stop = match self.finish {
            Some(stop) => stop,
            None if self.done => Stop::EndTurn,
            None if !self.seen => return Err(answer::nothing(EXPECTED)),
            // The stream broke off; what came is passed on, and the queue makes it an error.
            None => return Ok(()),
        };
        self.text_calls.end(&mut self.calls, events)?;
        self.keep(events)?;
        self.calls.end_all(events)?;
        for (uri, title) in std::mem::take(&mut self.sources) {
            if self.cited.insert(uri.clone()) {
                events.push_back(Event::Citation(Citation { uri, title, text: None }));
            }
        }
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

impl Decoder {
    /// `call_prefix` begins the identifiers of calls without one.
    pub fn new(call_prefix: String, model: String, text_calls: TextCalls) -> Self {
        Self {
            calls: CallAssembler::new(call_prefix),
            text_calls,
            kept: Kept { model, ..Kept::default() },
            details: Details::default(),
            cited: BTreeSet::new(),
            sources: Vec::new(),
            finish: None,
            usage: None,
            refused: false,
            seen: false,
            done: false,
        }
    }

    fn chunk(&mut self, chunk: Chunk, events: &mut VecDeque<Event>) -> Result<(), Error> {
        self.seen = true;
        let groq = chunk.x_groq.map(|groq| (groq.error, groq.usage));
        let (groq_error, groq_usage) = groq.unwrap_or_default();
        if let Some(error) = chunk.error.or(groq_error) {
            return Err(ServiceError::from_json(&error).into_stream_error());
        }
        // Each chunk has all of them, in the order the text counts them by.
        let titled = chunk.search_results.into_iter().flatten();
        let titled = titled.filter_map(|result| Some((result.url?, result.title)));
        let bare = chunk.citations.iter().flatten().filter_map(Value::as_str);
        let sources: Vec<_> = titled.chain(bare.map(|uri| (uri.to_owned(), None))).collect();
        if !sources.is_empty() {
            self.sources = sources;
        }
        let mut usage = chunk.usage.or(groq_usage);
        // Only one answer is asked for, so others, if a service sends them, are not ours.
        let first = |choice: &Choice| choice.index.unwrap_or_default() == 0;
        for choice in chunk.choices.unwrap_or_default().into_iter().filter(first) {
            if let Some(delta) = choice.delta {
                self.delta(delta, events)?;
            }
            if let Some(error) = choice.error {
                return Err(ServiceError::from_json(&error).into_stream_error());
            }
            if let Some(reason) = choice.finish_reason {
                let stop_text = choice.stop_reason.is_some_and(|reason| reason.is_string());
                self.finish = Some(stop(&reason, stop_text));
            }
            usage = usage.or(choice.usage);
        }
        self.usage = usage.map(self::usage).or(self.usage);
        Ok(())
    }

    fn delta(&mut self, delta: Delta, events: &mut VecDeque<Event>) -> Result<(), Error> {
        let filled = |text: &String| !text.is_empty();
        let said = delta.reasoning.and_then(|text| text.as_str().map(str::to_owned));
        let details = delta.reasoning_details.unwrap_or_default();
        let detailed: String = details.iter().map(|detail| detail_text(detail)).collect();
        self.details.extend(details);
        // The same thinking comes under several names.
        let thought = delta.reasoning_content.filter(filled).or(said).filter(filled);
        if let Some(text) = thought.or(Some(detailed)).filter(filled) {
            events.push_back(Event::Reasoning(Reasoning { text, opaque: None }));
        }
        if let Some(content) = delta.content {
            self.content(content, events)?;
        }
        if let Some(refusal) = delta.refusal.filter(filled) {
            self.refused = true;
            events.push_back(Event::Text(refusal));
        }
        for citation in
            delta.annotations.unwrap_or_default().into_iter().filter_map(|note| note.url_citation)
        {
            if self.cited.insert(citation.url.clone()) {
                events.push_back(Event::Citation(Citation {
                    uri: citation.url,
                    title: citation.title,
                    text: citation.content.filter(filled),
                }));
            }
        }
        delta
            .tool_calls
            .unwrap_or_default()
            .into_iter()
            .try_for_each(|call| self.call(call, events))
    }

    /// Text as a string, or as parts of which some are thinking.
    fn content(&mut self, content: Value, events: &mut VecDeque<Event>) -> Result<(), Error> {
        match content {
            Value::String(text) if !text.is_empty() => {
                self.text_calls.text(&text, &mut self.calls, events)?;
            }
            Value::Array(parts) => {
                for part in parts {
                    let text = part.get("text").and_then(Value::as_str);
                    if let Some(text) = text.filter(|text| !text.is_empty()) {
                        self.text_calls.text(text, &mut self.calls, events)?;
                    }
                    let thinking =
                        part.get("thinking").and_then(Value::as_array).into_iter().flatten();
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
        Ok(())
    }

    fn call(&mut self, call: CallDelta, events: &mut VecDeque<Event>) -> Result<(), Error> {
        self.text_calls.native(events);
        if let (Some(id), Some(extra)) = (&call.id, call.extra_content)
            && extra.get() != "null"
        {
            self.kept.extra_content.insert(id.clone(), extra);
        }
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

    /// Hands on what has to come back with the next request.
    fn keep(&mut self, events: &mut VecDeque<Event>) -> Result<(), Error> {
        self.kept.reasoning_details = std::mem::take(&mut self.details).finish()?;
        if self.kept.reasoning_details.is_none() && self.kept.extra_content.is_empty() {
            return Ok(());
        }
        let opaque = serde_json::to_vec(&self.kept)
            .map_err(|error| Error::internal(format!("thinking does not become JSON: {error}")))?;
        events.push_back(Event::Reasoning(Reasoning { text: String::new(), opaque: Some(opaque) }));
        Ok(())
    }
}

/// Signed thinking. A stream has one piece of text in many details, which the service wants back
/// as one.
#[derive(Default)]
struct Details(Vec<Box<RawValue>>);

impl Details {
    fn extend(&mut self, details: Vec<Box<RawValue>>) {
        for detail in details {
            match self.0.last().and_then(|last| merged(last, &detail)) {
                Some(both) => {
                    self.0.pop();
                    self.0.push(both);
                }
                None => self.0.push(detail),
            }
        }
    }

    fn finish(self) -> Result<Option<Box<RawValue>>, Error> {
        if self.0.is_empty() {
            return Ok(None);
        }
        serde_json::value::to_raw_value(&self.0)
            .map(Some)
            .map_err(|error| Error::internal(format!("thinking does not become JSON: {error}")))
    }
}

/// Two pieces of the same text as one; none if they are two things.
fn merged(last: &RawValue, next: &RawValue) -> Option<Box<RawValue>> {
    let mut both: serde_json::Map<String, Value> = serde_json::from_str(last.get()).ok()?;
    let next: serde_json::Map<String, Value> = serde_json::from_str(next.get()).ok()?;
    let field = match both.get("type")?.as_str()? {
        "reasoning.text" => "text",
        "reasoning.summary" => "summary",
        _ => return None,
    };
    if both.get("type") != next.get("type") || both.get("index") != next.get("index") {
        return None;
    }
    for (name, value) in next {
        match (both.get_mut(&name), value) {
            (Some(Value::String(text)), Value::String(more)) if name == field => {
                text.push_str(&more);
            }
            (_, Value::Null) => {}
            (_, value) => {
                both.insert(name, value);
            }
        }
    }
    serde_json::value::to_raw_value(&both).ok()
}

fn detail_text(detail: &RawValue) -> String {
    let detail: ReasoningDetail = serde_json::from_str(detail.get()).unwrap_or_default();
    detail.text.or(detail.summary).unwrap_or_default()
}

/// The JSON text inside the string, or the object as it was written; `null` is nothing.
fn arguments_text(arguments: &RawValue) -> Result<Option<String>, Error> {
    match arguments.get() {
        "null" => Ok(None),
        text if text.starts_with('"') => serde_json::from_str(text)
            .map(Some)
            .map_err(|error| unreadable(EXPECTED, text.as_bytes(), &error)),
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
    let input = usage.prompt_tokens.unwrap_or_default();
    let mut output = usage.completion_tokens.unwrap_or_default();
    let reasoning = usage.completion_tokens_details.and_then(|details| details.reasoning_tokens);
    // Some services leave thinking out of the output; the sum tells.
    if let (Some(thought), Some(total)) = (reasoning, usage.total_tokens)
        && u64::from(input) + u64::from(output) + u64::from(thought) == u64::from(total)
    {
        output = output.saturating_add(thought);
    }
    Usage {
        input,
        output,
        cache_read: cached.or(usage.prompt_cache_hit_tokens).or(usage.cached_tokens),
        cache_write: prompt.and_then(|details| details.cache_write_tokens),
        reasoning,
    }
}

#[cfg(test)]
mod tests;
