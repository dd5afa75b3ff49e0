//! Messages of the service as events, block by block.
//!
//! Not the reading of a body: the SDK cuts it into events first.

use std::collections::{BTreeMap, VecDeque};

use hydroid_component::answer::{self, unreadable};
use hydroid_component::arguments::{CallAssembler, CallPiece};
use hydroid_component::provider::{Citation, Error, ErrorKind, Event, Ext, Reasoning, Stop, Usage};
use hydroid_component::thinking::{self, Signed};
use hydroid_component::web::ServiceError;
use serde_json::Value;
use serde_json::value::RawValue;

use super::MESSAGE;
use crate::convert::CLAUDE;
use crate::pause::Said;
use crate::wire::{self, AnswerBlock, AnswerMessage, Delta, StreamEvent};

/// Turns a message into events. The end is kept back, because usage comes with it.
pub(super) struct Decoder {
    calls: CallAssembler,
    schema_tool: Option<&'static str>,
    /// Identifier of the message that is open.
    open: Option<Option<String>>,
    /// Blocks whose pieces need to be told apart from others of their kind.
    blocks: BTreeMap<u32, Open>,
    /// Reason of the end.
    finish: Option<String>,
    usage: wire::Usage,
    /// What paused messages before this one used.
    before: Option<Usage>,
    said: Option<Said>,
    done: bool,
}

enum Open {
    Thinking(Signed),
    /// A call whose arguments are the answer.
    Answer,
}

impl Decoder {
    pub(super) fn new(call_prefix: String, schema_tool: Option<&'static str>) -> Self {
        Self {
            calls: CallAssembler::new(call_prefix),
            schema_tool,
            open: None,
            blocks: BTreeMap::new(),
            finish: None,
            usage: wire::Usage::default(),
            before: None,
            said: None,
            done: false,
        }
    }

    /// Keeps what is said, to be handed back after a pause.
    pub(super) fn remember(&mut self) {
        self.said = Some(Said::default());
    }

    /// The service wants to be asked again with what it said, which was remembered.
    pub(super) fn paused(&self) -> bool {
        self.said.is_some() && self.finish.as_deref() == Some("pause_turn")
    }

    /// Forgets the message and returns what was said in it.
    pub(super) fn begin_again(&mut self) -> Vec<Box<RawValue>> {
        self.before = Some(self.usage());
        self.usage = wire::Usage::default();
        self.open = None;
        self.blocks.clear();
        self.finish = None;
        self.done = false;
        self.said.as_mut().map(Said::take).unwrap_or_default()
    }

    fn event(&mut self, event: StreamEvent, events: &mut VecDeque<Event>) -> Result<(), Error> {
        match event.kind.as_str() {
            "message_start" => self.start(event.message, events)?,
            "content_block_start" => {
                if let Some(block) = event.content_block {
                    self.block(event.index, &block, events)?;
                }
            }
            "content_block_delta" => {
                if let Some(delta) = event.delta {
                    self.delta(event.index, delta, events)?;
                }
            }
            "content_block_stop" => self.end_block(event.index, events)?,
            "message_delta" => {
                if let Some(usage) = event.usage {
                    self.count(usage);
                }
                if let Some(delta) = event.delta {
                    self.ending(delta.stop_reason, delta.stop_details, events);
                }
            }
            "message_stop" => self.done = true,
            "error" => {
                let error = event.error.unwrap_or_default();
                return Err(ServiceError::from_json(&error).into_stream_error());
            }
            // `ping`, and what may come later.
            _ => {}
        }
        Ok(())
    }

    fn start(
        &mut self,
        message: Option<AnswerMessage>,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        let (id, usage) = message.map_or((None, None), |message| (message.id, message.usage));
        if let Some(open) = &self.open {
            // A gateway may repeat itself; one that asked again sends another message, whose
            // pieces would be mixed with those that came.
            return if *open == id { Ok(()) } else { Err(begun_again()) };
        }
        self.open = Some(id);
        if let Some(usage) = usage {
            self.count(usage);
            events.push_back(Event::Usage(self.usage()));
        }
        Ok(())
    }

    fn block(
        &mut self,
        index: Option<u32>,
        raw: &RawValue,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        let block: AnswerBlock = serde_json::from_str(raw.get())
            .map_err(|error| unreadable(MESSAGE, raw.get().as_bytes(), &error))?;
        if let Some(said) = &mut self.said {
            said.block(index, raw);
        }
        match block.kind.as_str() {
            "text" => {
                events.extend(text(block.text));
                let citations = block.citations.unwrap_or_default();
                events.extend(citations.iter().filter_map(citation));
            }
            "thinking" => {
                let mut signed = Signed::default();
                signed.signature(block.signature.as_deref().unwrap_or_default());
                events.extend(thought(block.thinking, &mut signed));
                self.blocks.insert(index.unwrap_or_default(), Open::Thinking(signed));
            }
            "redacted_thinking" => {
                events.extend(block.data.map(|data| thinking::redacted(CLAUDE, data)));
            }
            "tool_use" => {
                // A stream begins with empty arguments and sends them afterwards.
                let input = block.input.as_ref().map(|input| input.get());
                let input = input.filter(|text| !matches!(*text, "{}" | "null"));
                if block.name.is_some() && block.name.as_deref() == self.schema_tool {
                    events.extend(text(input.map(str::to_owned)));
                    self.blocks.insert(index.unwrap_or_default(), Open::Answer);
                    return Ok(());
                }
                let (id, name) = (block.id.as_deref(), block.name.as_deref());
                self.calls.add(CallPiece { index, id, name, arguments: input }, events)?;
            }
            // What the service did by itself: its own tools, what they found, and notices.
            kind => events.push_back(Event::Other(Ext {
                kind: format!("anthropic/{kind}"),
                json: raw.get().to_owned(),
            })),
        }
        Ok(())
    }

    fn delta(
        &mut self,
        index: Option<u32>,
        delta: Delta,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        if let Some(said) = &mut self.said {
            said.delta(index, &delta);
        }
        let open = self.blocks.get_mut(&index.unwrap_or_default());
        match (delta.kind.as_deref().unwrap_or_default(), open) {
            ("text_delta", _) => events.extend(text(delta.text)),
            ("thinking_delta", Some(Open::Thinking(signed))) => {
                events.extend(thought(delta.thinking, signed));
            }
            ("thinking_delta", _) => {
                events.extend(thought(delta.thinking, &mut Signed::default()));
            }
            ("signature_delta", Some(Open::Thinking(signed))) => {
                signed.signature(delta.signature.as_deref().unwrap_or_default());
            }
            ("input_json_delta", Some(Open::Answer)) => events.extend(text(delta.partial_json)),
            // Arguments of a tool that the service runs itself are its own.
            ("input_json_delta", _) if self.calls.is_open(index) => {
                let arguments = delta.partial_json.as_deref();
                self.calls.add(CallPiece { index, arguments, ..CallPiece::default() }, events)?;
            }
            ("citations_delta", _) => {
                events.extend(delta.citation.as_ref().and_then(citation));
            }
            _ => {}
        }
        Ok(())
    }

    fn end_block(&mut self, index: Option<u32>, events: &mut VecDeque<Event>) -> Result<(), Error> {
        if let Some(Open::Thinking(signed)) = self.blocks.remove(&index.unwrap_or_default()) {
            events.extend(signed.seal(CLAUDE));
        }
        index.map_or(Ok(()), |index| self.calls.end(index, events))
    }

    fn ending(
        &mut self,
        reason: Option<String>,
        details: Option<Value>,
        events: &mut VecDeque<Event>,
    ) {
        self.finish = reason.or(self.finish.take());
        events.extend(details.filter(|details| !details.is_null()).map(|details| {
            Event::Other(Ext {
                kind: "anthropic/stop_details".to_owned(),
                json: details.to_string(),
            })
        }));
    }

    /// Later numbers replace earlier ones; those that are missing stand.
    fn count(&mut self, new: wire::Usage) {
        let old = std::mem::take(&mut self.usage);
        self.usage = wire::Usage {
            input_tokens: new.input_tokens.or(old.input_tokens),
            output_tokens: new.output_tokens.or(old.output_tokens),
            cache_read_input_tokens: new.cache_read_input_tokens.or(old.cache_read_input_tokens),
            cache_creation_input_tokens: new
                .cache_creation_input_tokens
                .or(old.cache_creation_input_tokens),
            output_tokens_details: new.output_tokens_details.or(old.output_tokens_details),
            iterations: new.iterations.or(old.iterations),
        };
    }

    /// The contract counts cached tokens as input; the service counts them beside it.
    fn usage(&self) -> Usage {
        let counted = &self.usage;
        let (fresh, output) = totals(counted);
        let cache_read = counted.cache_read_input_tokens;
        let cache_write = counted.cache_creation_input_tokens;
        let cached = cache_read.unwrap_or(0).saturating_add(cache_write.unwrap_or(0));
        let details = counted.output_tokens_details.as_ref();
        let now = Usage {
            input: fresh.saturating_add(cached),
            output,
            cache_read,
            cache_write,
            reasoning: details.and_then(|details| details.thinking_tokens),
        };
        let Some(before) = &self.before else { return now };
        let sum = |one: Option<u32>, other: Option<u32>| match (one, other) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
        };
        Usage {
            input: before.input.saturating_add(now.input),
            output: before.output.saturating_add(now.output),
            cache_read: sum(before.cache_read, now.cache_read),
            cache_write: sum(before.cache_write, now.cache_write),
            reasoning: sum(before.reasoning, now.reasoning),
        }
    }
}

impl answer::Decoder for Decoder {
    fn message(
        &mut self,
        name: &str,
        data: &str,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        // Services that imitate this one end with another one's mark.
        if data == "[DONE]" {
            return Ok(());
        }
        if name == "error" {
            return Err(ServiceError::parse(data.as_bytes()).into_stream_error());
        }
        let event = serde_json::from_str(data)
            .map_err(|error| unreadable(MESSAGE, data.as_bytes(), &error))?;
        self.event(event, events)
    }

    fn whole(&mut self, body: &[u8], events: &mut VecDeque<Event>) -> Result<(), Error> {
        let message: AnswerMessage =
            serde_json::from_slice(body).map_err(|error| unreadable(MESSAGE, body, &error))?;
        if let Some(error) = &message.error {
            return Err(ServiceError::from_json(error).into_stream_error());
        }
        if message.content.is_none() && message.kind.as_deref() != Some("message") {
            return Ok(());
        }
        self.open = Some(message.id);
        for (index, block) in (0..).zip(message.content.unwrap_or_default()) {
            self.block(Some(index), &block, events)?;
            self.end_block(Some(index), events)?;
        }
        self.count(message.usage.unwrap_or_default());
        self.ending(message.stop_reason, message.stop_details, events);
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn end(&mut self, events: &mut VecDeque<Event>) -> Result<(), Error> {
        let Some(reason) = &self.finish else {
            // What came is passed on, and the queue makes the missing end an error.
            return if self.open.is_some() { Ok(()) } else { Err(answer::nothing(MESSAGE)) };
        };
        let stop = match stop(reason) {
            // The one call was the answer.
            Stop::ToolUse if self.schema_tool.is_some() && self.calls.is_empty() => Stop::EndTurn,
            Stop::EndTurn if !self.calls.is_empty() => Stop::ToolUse,
            stop => stop,
        };
        self.calls.end_all(events)?;
        events.push_back(Event::Usage(self.usage()));
        if !self.paused() {
            events.push_back(Event::Finish(stop));
        }
        Ok(())
    }
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

/// Input and output. Where the service sampled several times the totals leave some of it out,
/// except where another model took over, whose numbers they are.
fn totals(usage: &wire::Usage) -> (u32, u32) {
    let stated = (usage.input_tokens.unwrap_or(0), usage.output_tokens.unwrap_or(0));
    let iterations = usage.iterations.as_deref().unwrap_or_default();
    if iterations.iter().any(|iteration| iteration.kind == "fallback_message") {
        return stated;
    }
    let own = iterations
        .iter()
        .filter(|iteration| matches!(iteration.kind.as_str(), "message" | "compaction"))
        .map(|iteration| (iteration.input_tokens, iteration.output_tokens))
        .reduce(|all, one| (all.0.saturating_add(one.0), all.1.saturating_add(one.1)));
    own.unwrap_or(stated)
}

fn text(text: Option<String>) -> Option<Event> {
    text.filter(|text| !text.is_empty()).map(Event::Text)
}

fn thought(text: Option<String>, signed: &mut Signed) -> Option<Event> {
    let text = text.filter(|text| !text.is_empty())?;
    signed.text(&text);
    Some(Event::Reasoning(Reasoning { text, opaque: None }))
}

/// Pages have an address; documents the model was given have their position.
fn citation(citation: &Value) -> Option<Event> {
    let text = |name: &str| citation.get(name).and_then(Value::as_str).map(str::to_owned);
    let document = || Some(format!("document:{}", citation.get("document_index")?.as_u64()?));
    Some(Event::Citation(Citation {
        uri: text("url").or_else(|| text("source")).or_else(document)?,
        title: text("title").or_else(|| text("document_title")),
        text: text("cited_text"),
    }))
}

fn begun_again() -> Error {
    let message = "the service began another answer in the middle of one: send the request again";
    Error {
        sent: true,
        retry_after_ms: Some(RETRY_MS),
        ..Error::new(ErrorKind::Unavailable, message)
    }
}

/// A gateway that lost its connection has usually another one.
const RETRY_MS: u32 = 1000;
