//! Contract ↔ core: the only place where the two vocabularies meet.

use crate::bindings::core::types::{Blob, Error, ErrorKind, Ext, Link, Part as WitPart};
use crate::bindings::providers::exports::hydroid::provider::provider as wit;
use hydroid_core::message::{Bytes, Content, Message, Role, StopReason, Usage};
use hydroid_core::ports::{ModelError, ModelEvent, ModelRequest};

/// A part of a guest as content. JSON that is none stays visible as text.
pub(crate) fn content(part: WitPart) -> Content {
    match part {
        WitPart::Text(text) => Content::Text { text },
        WitPart::Blob(Blob { media_type, data, name }) => {
            Content::Media { media_type, data: Bytes(data), name }
        }
        WitPart::Json(text) => match serde_json::from_str(&text) {
            Ok(json) => Content::Json { json },
            Err(_) => Content::Text { text },
        },
        WitPart::Link(Link { uri, media_type, title }) => Content::Link { uri, title, media_type },
        WitPart::Other(Ext { kind, json }) => Content::Other { kind, json },
    }
}

/// The name of an error kind in the contract.
pub(crate) fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidInput => "invalid-input",
        ErrorKind::Unauthenticated => "unauthenticated",
        ErrorKind::Denied => "denied",
        ErrorKind::NotFound => "not-found",
        ErrorKind::Conflict => "conflict",
        ErrorKind::RateLimited => "rate-limited",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Cancelled => "cancelled",
        ErrorKind::TooLarge => "too-large",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Internal => "internal",
        ErrorKind::Other => "other",
    }
}

/// Longest error text of a component that is passed on, in characters.
const LONGEST_ERROR: usize = 4_000;

/// What a component said went wrong, as it said it.
pub(crate) fn error_text(error: &Error) -> String {
    error.message.chars().take(LONGEST_ERROR).collect()
}

/// A provider's error.
pub(crate) fn model_error(error: &Error) -> ModelError {
    ModelError {
        kind: kind_name(error.kind).to_owned(),
        message: error_text(error),
        retry_after_ms: error.retry_after_ms,
        sent: error.sent,
    }
}

/// A request for a provider.
pub(crate) fn request(request: ModelRequest) -> wit::Request {
    let system = (!request.system.is_empty()).then(|| wit::Message {
        role: wit::Role::System,
        blocks: vec![wit::Block::Part(WitPart::Text(request.system))],
        cache: true,
    });
    let last = request.messages.len().saturating_sub(1);
    let messages =
        request.messages.into_iter().enumerate().map(|(index, sent)| message(sent, index == last));
    wit::Request {
        model: request.model,
        messages: system.into_iter().chain(messages).collect(),
        tools: request
            .tools
            .into_iter()
            .map(|tool| wit::ToolDefinition {
                name: tool.name,
                description: tool.description,
                input_schema: tool.input_schema.to_string(),
            })
            .collect(),
        tool_choice: None,
        max_tokens: request.max_tokens,
        temperature: request.temperature,
        stop: Vec::new(),
        response_schema: None,
        options_json: request.options.map(|options| options.to_string()),
    }
}

fn message(message: Message, cache: bool) -> wit::Message {
    wit::Message {
        role: match message.role {
            Role::System => wit::Role::System,
            Role::User => wit::Role::User,
            Role::Assistant => wit::Role::Assistant,
            Role::Tool => wit::Role::Tool,
        },
        blocks: message.parts.into_iter().map(|part| block(part.content)).collect(),
        cache,
    }
}

fn block(content: Content) -> wit::Block {
    match content {
        Content::Thinking { text, opaque } => {
            wit::Block::Reasoning(wit::Reasoning { text, opaque: opaque.map(|bytes| bytes.0) })
        }
        Content::ToolCall { call } => wit::Block::ToolCall(wit::ToolCall {
            id: call.id.as_str().to_owned(),
            name: call.name,
            args_json: call.arguments,
        }),
        Content::ToolResult { call_id, content, is_error } => {
            wit::Block::ToolResult(wit::ToolResult {
                call_id: call_id.as_str().to_owned(),
                content: content.into_iter().filter_map(part).collect(),
                is_error,
            })
        }
        other => match part(other) {
            Some(part) => wit::Block::Part(part),
            None => wit::Block::Part(WitPart::Text(String::new())),
        },
    }
}

/// Content that stands for itself as a part; calls, results and thinking do not.
pub(crate) fn part(content: Content) -> Option<WitPart> {
    Some(match content {
        Content::Text { text } => WitPart::Text(text),
        Content::Media { media_type, data, name } => {
            WitPart::Blob(Blob { media_type, data: data.0, name })
        }
        Content::Json { json } => WitPart::Json(json.to_string()),
        Content::Link { uri, title, media_type } => WitPart::Link(Link { uri, media_type, title }),
        Content::Other { kind, json } => WitPart::Other(Ext { kind, json }),
        Content::Thinking { .. } | Content::ToolCall { .. } | Content::ToolResult { .. } => {
            return None;
        }
    })
}

/// A piece of an answer.
pub(crate) fn event(event: wit::Event) -> ModelEvent {
    match event {
        wit::Event::Text(text) => ModelEvent::Text(text),
        wit::Event::Reasoning(wit::Reasoning { text, opaque }) => {
            ModelEvent::Thinking { text, opaque }
        }
        wit::Event::ToolCallStart(wit::ToolCallStart { index, id, name }) => {
            ModelEvent::CallStarted { index, id, name }
        }
        wit::Event::ToolCallArgs(wit::ToolCallArgs { index, fragment }) => {
            ModelEvent::CallArguments { index, fragment }
        }
        wit::Event::ToolCallEnd(index) => ModelEvent::CallEnded { index },
        wit::Event::Citation(wit::Citation { uri, title, .. }) => ModelEvent::Cited { uri, title },
        wit::Event::Usage(usage) => ModelEvent::Usage(Usage {
            input: usage.input.into(),
            output: usage.output.into(),
            cache_read: usage.cache_read.unwrap_or(0).into(),
            cache_write: usage.cache_write.unwrap_or(0).into(),
            reasoning: usage.reasoning.unwrap_or(0).into(),
        }),
        wit::Event::Finish(stop) => ModelEvent::Finished(match stop {
            wit::Stop::EndTurn => StopReason::EndTurn,
            wit::Stop::MaxTokens => StopReason::MaxTokens,
            wit::Stop::ToolUse => StopReason::ToolUse,
            wit::Stop::StopSequence => StopReason::StopSequence,
            wit::Stop::Refusal => StopReason::Refusal,
            wit::Stop::Error => StopReason::Error,
            wit::Stop::Other => StopReason::Other,
        }),
        wit::Event::Other(Ext { kind, json }) => ModelEvent::Other { kind, json },
    }
}

/// Bytes of text in an event, for the limit on an answer.
pub(crate) fn event_size(event: &ModelEvent) -> usize {
    match event {
        ModelEvent::Text(text) => text.len(),
        ModelEvent::Thinking { text, opaque } => text.len() + opaque.as_ref().map_or(0, Vec::len),
        ModelEvent::CallStarted { id, name, .. } => id.len() + name.len(),
        ModelEvent::CallArguments { fragment, .. } => fragment.len(),
        ModelEvent::Cited { uri, title } => uri.len() + title.as_ref().map_or(0, String::len),
        ModelEvent::Other { kind, json } => kind.len() + json.len(),
        ModelEvent::CallEnded { .. }
        | ModelEvent::Usage(_)
        | ModelEvent::Charged(_)
        | ModelEvent::Finished(_)
        | ModelEvent::News(_) => 16,
    }
}
