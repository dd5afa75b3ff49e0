//! From the recording to the contract, and the comparison of strict mode.
//!
//! Not the choice of the answer: `lib` makes it.

use hydroid_component::provider::{
    Block, Citation, Error, ErrorKind, Event, Ext, Part, Reasoning, Request, Role, Stop,
    ToolCallArgs, ToolCallStart, Usage,
};

use crate::wire::{
    Answer, Expected, ExpectedResult, Header, RecordedError, RecordedEvent, RecordedKind,
    RecordedStop, VERSION,
};

/// Reads a whole recording.
pub fn recording(text: &str) -> Result<(Header, Vec<Answer>), Error> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, first) = lines.next().ok_or_else(|| {
        Error::invalid_input(
            "the recording is empty: configure the text of a recording as `recording`",
        )
    })?;
    let header: Header = serde_json::from_str(first).map_err(|error| in_line(0, &error))?;
    if header.hydroid_recording != VERSION {
        return Err(Error::invalid_input(format!(
            "the recording has format `{}`, this component plays format `{VERSION}`: record it again",
            header.hydroid_recording
        )));
    }
    let answers = lines
        .map(|(number, line)| serde_json::from_str(line).map_err(|error| in_line(number, &error)))
        .collect::<Result<_, _>>()?;
    Ok((header, answers))
}

fn in_line(number: usize, error: &serde_json::Error) -> Error {
    Error::invalid_input(format!(
        "line {} of the recording cannot be read: {error}; see the format in the component's README",
        number + 1
    ))
}

/// The events a recorded one stands for.
pub fn events(recorded: RecordedEvent) -> Result<Vec<Event>, Error> {
    Ok(vec![match recorded {
        RecordedEvent::Text(text) => Event::Text(text),
        RecordedEvent::Reasoning(reasoning) => {
            let opaque = reasoning.opaque.map(|opaque| {
                data_encoding::BASE64.decode(opaque.as_bytes()).map_err(|error| {
                    Error::invalid_input(format!(
                        "`opaque` in the recording is not base64: {error}"
                    ))
                })
            });
            Event::Reasoning(Reasoning { text: reasoning.text, opaque: opaque.transpose()? })
        }
        RecordedEvent::ToolCall(call) => {
            let index = call.index;
            return Ok(vec![
                Event::ToolCallStart(ToolCallStart { index, id: call.id, name: call.name }),
                Event::ToolCallArgs(ToolCallArgs { index, fragment: call.arguments }),
                Event::ToolCallEnd(index),
            ]);
        }
        RecordedEvent::Citation(citation) => Event::Citation(Citation {
            uri: citation.uri,
            title: citation.title,
            text: citation.text,
        }),
        RecordedEvent::Usage(usage) => Event::Usage(Usage {
            input: usage.input,
            output: usage.output,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            reasoning: usage.reasoning,
        }),
        RecordedEvent::Finish(stop) => Event::Finish(self::stop(&stop)),
        RecordedEvent::Other(other) => Event::Other(Ext { kind: other.kind, json: other.json }),
    }])
}

fn stop(stop: &RecordedStop) -> Stop {
    match stop {
        RecordedStop::EndTurn => Stop::EndTurn,
        RecordedStop::MaxTokens => Stop::MaxTokens,
        RecordedStop::ToolUse => Stop::ToolUse,
        RecordedStop::StopSequence => Stop::StopSequence,
        RecordedStop::Refusal => Stop::Refusal,
        RecordedStop::Error => Stop::Error,
        RecordedStop::Other => Stop::Other,
    }
}

/// The recorded failure.
pub fn error(error: RecordedError) -> Error {
    let kind = match error.kind {
        RecordedKind::InvalidInput => ErrorKind::InvalidInput,
        RecordedKind::Unauthenticated => ErrorKind::Unauthenticated,
        RecordedKind::Denied => ErrorKind::Denied,
        RecordedKind::NotFound => ErrorKind::NotFound,
        RecordedKind::Conflict => ErrorKind::Conflict,
        RecordedKind::RateLimited => ErrorKind::RateLimited,
        RecordedKind::Timeout => ErrorKind::Timeout,
        RecordedKind::Cancelled => ErrorKind::Cancelled,
        RecordedKind::TooLarge => ErrorKind::TooLarge,
        RecordedKind::Unavailable => ErrorKind::Unavailable,
        RecordedKind::Unsupported => ErrorKind::Unsupported,
        RecordedKind::Internal => ErrorKind::Internal,
        RecordedKind::Other => ErrorKind::Other,
    };
    Error {
        kind,
        message: error.message,
        code: error.code,
        retry_after_ms: error.retry_after_ms,
        sent: error.sent,
        details_json: error.details_json,
    }
}

/// Compares a request with the recorded one; a difference is a sentence with both sides.
pub fn compare(expected: &Expected, request: &Request) -> Result<(), String> {
    if let Some(expected) = &expected.last_user {
        let said = last_user(request);
        if said != *expected {
            return Err(format!("the user said `{said}` where `{expected}` was recorded"));
        }
    }
    if let Some(expected) = &expected.tool_results {
        let results = tool_results(request);
        if results != *expected {
            return Err(format!(
                "the tools returned `{results:?}` where `{expected:?}` was recorded"
            ));
        }
    }
    Ok(())
}

/// The text of the last message of the user that has text.
fn last_user(request: &Request) -> String {
    let said = request.messages.iter().rev().filter(|message| matches!(message.role, Role::User));
    said.map(|message| {
        let texts = message.blocks.iter().filter_map(|block| match block {
            Block::Part(Part::Text(text)) => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    })
    .find(|text| !text.is_empty())
    .unwrap_or_default()
}

/// The results after the last words of the model, in order.
fn tool_results(request: &Request) -> Vec<ExpectedResult> {
    let model = |role: &Role| matches!(role, Role::Assistant);
    let from =
        request.messages.iter().rposition(|message| model(&message.role)).map_or(0, |at| at + 1);
    let blocks = request.messages.iter().skip(from).flat_map(|message| &message.blocks);
    blocks
        .filter_map(|block| match block {
            Block::ToolResult(result) => Some(ExpectedResult {
                id: result.call_id.clone(),
                text: result.content.iter().map(shown).collect::<Vec<_>>().join("\n"),
                is_error: result.is_error,
            }),
            Block::Part(_) | Block::ToolCall(_) | Block::Reasoning(_) | Block::Other(_) => None,
        })
        .collect()
}

/// A part as the recording writes it: bytes by type and length only.
fn shown(part: &Part) -> String {
    match part {
        Part::Text(text) | Part::Json(text) => text.clone(),
        Part::Blob(blob) => format!("[{}, {} bytes]", blob.media_type, blob.data.len()),
        Part::Link(link) => link.uri.clone(),
        Part::Other(ext) => format!("[{}]", ext.kind),
    }
}
