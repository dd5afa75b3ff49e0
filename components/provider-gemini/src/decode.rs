//! The service's answer as events: a stream of chunks, or one whole answer.
//!
//! Not HTTP: it is fed with messages, whatever those are read from.

use std::collections::{BTreeSet, VecDeque};

use hydroid_component::answer::{self, unreadable};
use hydroid_component::arguments::{CallAssembler, CallPiece};
use hydroid_component::provider::{Citation, Error, Event, Reasoning, Stop, Usage};
use hydroid_component::web::ServiceError;
use serde_json::value::RawValue;

use crate::wire::{
    AnswerCall, AnswerPart, Candidate, Chunk, GroundingMetadata, Kept, Signed, UsageMetadata,
};

/// What is expected, for the sentence that says something else came.
const EXPECTED: &str = "answer of the Gemini API";

/// Turns chunks into events. Calls and the end are kept back: sources and usage come behind.
pub struct Decoder {
    calls: CallAssembler,
    cited: BTreeSet<(String, Option<String>)>,
    finish: Option<Stop>,
    usage: Option<Usage>,
    /// Anything of the service's kind came at all.
    seen: bool,
}

impl answer::Decoder for Decoder {
    fn message(
        &mut self,
        _name: &str,
        data: &str,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        // Gateways that speak other formats too end with this.
        if data == "[DONE]" {
            return Ok(());
        }
        let chunk = serde_json::from_str(data)
            .map_err(|error| unreadable(EXPECTED, data.as_bytes(), &error))?;
        self.chunk(chunk, events)
    }

    fn whole(&mut self, body: &[u8], events: &mut VecDeque<Event>) -> Result<(), Error> {
        let bad = |error| unreadable(EXPECTED, body, &error);
        // A stream without `alt=sse` is an array of chunks, which some gateways make of it.
        if body.trim_ascii_start().starts_with(b"[") {
            let chunks: Vec<Chunk> = serde_json::from_slice(body).map_err(bad)?;
            return chunks.into_iter().try_for_each(|chunk| self.chunk(chunk, events));
        }
        self.chunk(serde_json::from_slice(body).map_err(bad)?, events)
    }

    fn is_done(&self) -> bool {
        false
    }

    fn end(&mut self, events: &mut VecDeque<Event>) -> Result<(), Error> {
        let stop = match self.finish {
            Some(stop) => stop,
            None if !self.seen => return Err(answer::nothing(EXPECTED)),
            // The stream broke off; what came is passed on, and the queue makes it an error.
            None => return Ok(()),
        };
        self.calls.end_all(events)?;
        events.extend(self.usage.map(Event::Usage));
        let stop = match stop {
            // The service says `STOP` behind calls too, and gateways have words of their own.
            Stop::EndTurn | Stop::Other if !self.calls.is_empty() => Stop::ToolUse,
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
            cited: BTreeSet::new(),
            finish: None,
            usage: None,
            seen: false,
        }
    }

    fn chunk(&mut self, chunk: Chunk, events: &mut VecDeque<Event>) -> Result<(), Error> {
        if let Some(error) = chunk.error {
            return Err(ServiceError::from_json(&error).into_stream_error());
        }
        self.seen |= chunk.candidates.is_some()
            || chunk.prompt_feedback.is_some()
            || chunk.usage_metadata.is_some();
        if let Some(feedback) = chunk.prompt_feedback
            && let Some(reason) = feedback.block_reason
        {
            self.decline(&reason, feedback.block_reason_message, events);
        }
        let first = |candidate: &Candidate| candidate.index.unwrap_or_default() == 0;
        for candidate in chunk.candidates.unwrap_or_default().into_iter().filter(first) {
            self.candidate(candidate, events)?;
        }
        self.usage = chunk.usage_metadata.map(usage).or(self.usage);
        Ok(())
    }

    fn candidate(
        &mut self,
        candidate: Candidate,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        let parts = candidate.content.and_then(|content| content.parts).unwrap_or_default();
        parts.into_iter().try_for_each(|part| self.part(part, events))?;
        let cited = candidate.citation_metadata.map(|metadata| metadata.citation_sources);
        for source in cited.unwrap_or_default() {
            if let Some(uri) = source.uri {
                self.cite(uri, source.title, None, events);
            }
        }
        if let Some(grounding) = candidate.grounding_metadata {
            self.grounding(&grounding, events);
        }
        if let Some(reason) = candidate.finish_reason {
            match reason.as_str() {
                "STOP" => self.finish = Some(Stop::EndTurn),
                "MAX_TOKENS" => self.finish = Some(Stop::MaxTokens),
                "SAFETY"
                | "RECITATION"
                | "BLOCKLIST"
                | "PROHIBITED_CONTENT"
                | "SPII"
                | "IMAGE_SAFETY"
                | "IMAGE_PROHIBITED_CONTENT"
                | "IMAGE_RECITATION" => {
                    self.decline(&reason, candidate.finish_message, events);
                }
                "MALFORMED_FUNCTION_CALL"
                | "UNEXPECTED_TOOL_CALL"
                | "TOO_MANY_TOOL_CALLS"
                | "MISSING_THOUGHT_SIGNATURE"
                | "MALFORMED_RESPONSE" => self.finish = Some(Stop::Error),
                _ => self.finish = Some(Stop::Other),
            }
        }
        Ok(())
    }

    /// The service gives a word for it and seldom a sentence, so a person is told the word.
    fn decline(&mut self, reason: &str, message: Option<String>, events: &mut VecDeque<Event>) {
        let text = match message.filter(|message| !message.is_empty()) {
            Some(message) => format!("[the service declined ({reason}): {message}]"),
            None => format!("[the service declined: {reason}]"),
        };
        events.push_back(Event::Text(text));
        self.finish = Some(Stop::Refusal);
    }

    fn part(&mut self, part: AnswerPart, events: &mut VecDeque<Event>) -> Result<(), Error> {
        let signature = part.thought_signature.filter(|signature| !signature.is_empty());
        if let Some(call) = part.function_call {
            return self.call(call, signature, events);
        }
        let is_thought = part.thought == Some(true);
        if let Some(text) = part.text.filter(|text| !text.is_empty()) {
            events.push_back(match is_thought {
                true => Event::Reasoning(Reasoning { text, opaque: None }),
                false => Event::Text(text),
            });
        }
        if let Some(code) = part.executable_code {
            let language = code.language.to_lowercase();
            events.push_back(Event::Text(format!("\n```{language}\n{}\n```\n", code.code)));
        }
        if let Some(result) = part.code_execution_result {
            events.push_back(Event::Text(format!("\n```\n{}\n```\n", result.output)));
        }
        if let Some(data) = part.inline_data {
            events.push_back(Event::Text(format!(
                "[the model answered with {} of about {} bytes, which has no place here]",
                data.mime_type,
                data.data.len() / 4 * 3
            )));
        }
        if let Some(signature) = signature {
            let of = if is_thought { Signed::Thought } else { Signed::Text };
            keep(signature, of, events)?;
        }
        Ok(())
    }

    /// A call comes whole, with its arguments as they are written.
    fn call(
        &mut self,
        call: AnswerCall,
        signature: Option<String>,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        let arguments = call.args.as_deref().map(RawValue::get).filter(|args| *args != "null");
        let index = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        let piece = CallPiece {
            index: Some(index),
            id: call.id.as_deref(),
            name: call.name.as_deref(),
            arguments,
        };
        let mut begun = Vec::new();
        self.calls.add(piece, &mut begun)?;
        self.calls.end(index, &mut begun)?;
        // The identifier may be made up just now.
        let id = begun.iter().find_map(|event| match event {
            Event::ToolCallStart(start) => Some(start.id.clone()),
            _ => None,
        });
        if let Some((signature, id)) = signature.zip(id) {
            keep(signature, Signed::Call(id), events)?;
        }
        events.extend(begun);
        Ok(())
    }

    fn grounding(&mut self, grounding: &GroundingMetadata, events: &mut VecDeque<Event>) {
        let source = |index: usize| {
            let source = grounding.grounding_chunks.get(index)?.web.as_ref()?;
            Some((source.uri.clone()?, source.title.clone()))
        };
        let mut supported = BTreeSet::new();
        for support in &grounding.grounding_supports {
            let text = support.segment.as_ref().and_then(|segment| segment.text.clone());
            for index in &support.grounding_chunk_indices {
                if let Some((uri, title)) = source(*index) {
                    supported.insert(*index);
                    self.cite(uri, title, text.clone(), events);
                }
            }
        }
        for index in (0..grounding.grounding_chunks.len()).filter(|at| !supported.contains(at)) {
            if let Some((uri, title)) = source(index) {
                self.cite(uri, title, None, events);
            }
        }
    }

    /// Chunks repeat what earlier ones cited.
    fn cite(
        &mut self,
        uri: String,
        title: Option<String>,
        text: Option<String>,
        events: &mut VecDeque<Event>,
    ) {
        if self.cited.insert((uri.clone(), text.clone())) {
            events.push_back(Event::Citation(Citation { uri, title, text }));
        }
    }
}

/// Hands on a signature that has to come back on the same part.
fn keep(thought_signature: String, of: Signed, events: &mut VecDeque<Event>) -> Result<(), Error> {
    let opaque = serde_json::to_vec(&Kept { thought_signature, of })
        .map_err(|error| Error::internal(format!("a signature does not become JSON: {error}")))?;
    events.push_back(Event::Reasoning(Reasoning { text: String::new(), opaque: Some(opaque) }));
    Ok(())
}

fn usage(usage: UsageMetadata) -> Usage {
    let thoughts = usage.thoughts_token_count;
    let input = usage.prompt_token_count.unwrap_or_default();
    let answer = usage.candidates_token_count.unwrap_or_default();
    Usage {
        input: input.saturating_add(usage.tool_use_prompt_token_count.unwrap_or_default()),
        output: answer.saturating_add(thoughts.unwrap_or_default()),
        cache_read: usage.cached_content_token_count,
        cache_write: None,
        reasoning: thoughts,
    }
}

#[cfg(test)]
mod tests;
