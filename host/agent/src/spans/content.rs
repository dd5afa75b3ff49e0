//! What was said, as the conventions have it in attributes. Only where the operator wants it; what
//! comes here was scrubbed for the journal already.

use hydroid_core::message::{Content, Message, Role};
use serde_json::{Value, json};

/// Characters of one text. A span is for looking at, and the journal has the rest.
const LONGEST_TEXT: usize = 8_192;

/// Characters of all messages of a request together; the newest stay.
const LONGEST: usize = 65_536;

/// Messages as JSON, the newest that fit.
pub(super) fn messages(messages: &[Message]) -> String {
    let mut left = LONGEST;
    let mut kept: Vec<Value> = Vec::new();
    for message in messages.iter().rev() {
        let value = value(role(message.role), message.parts.iter().map(|part| &part.content));
        let Some(room) = left.checked_sub(value.to_string().len()) else { break };
        left = room;
        kept.push(value);
    }
    kept.reverse();
    Value::Array(kept).to_string()
}

/// One message as JSON.
pub(super) fn message<'a>(role: &str, parts: impl Iterator<Item = &'a Content>) -> String {
    Value::Array(vec![value(role, parts)]).to_string()
}

/// The beginning of a text.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

/// All that can be read of a result.
pub(super) fn plain(contents: &[Content]) -> String {
    let texts: Vec<String> = contents.iter().filter_map(readable).collect();
    shortened(&texts.join("\n"))
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Tool => "tool",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

fn value<'a>(role: &str, parts: impl Iterator<Item = &'a Content>) -> Value {
    json!({ "role": role, "parts": parts.map(part).collect::<Vec<_>>() })
}

fn part(content: &Content) -> Value {
    match content {
        Content::Text { text } => json!({ "type": "text", "content": shortened(text) }),
        Content::Thinking { text, .. } => {
            json!({ "type": "reasoning", "content": shortened(text) })
        }
        Content::ToolCall { call } => json!({
            "type": "tool_call",
            "id": call.id.as_str(),
            "name": call.name,
            "arguments": shortened(&call.arguments),
        }),
        Content::ToolResult { call_id, content, .. } => json!({
            "type": "tool_call_response",
            "id": call_id.as_str(),
            "response": plain(content),
        }),
        // Bytes belong to nobody's trace.
        Content::Media { media_type, .. } => json!({ "type": "blob", "mime_type": media_type }),
        Content::Link { uri, .. } => json!({ "type": "uri", "uri": shortened(uri) }),
        Content::Json { json } => {
            json!({ "type": "text", "content": shortened(&json.to_string()) })
        }
        Content::Other { kind, .. } => json!({ "type": kind }),
    }
}

fn readable(content: &Content) -> Option<String> {
    match content {
        Content::Text { text } | Content::Thinking { text, .. } => Some(text.clone()),
        Content::Json { json } => Some(json.to_string()),
        Content::Link { uri, .. } => Some(uri.clone()),
        Content::ToolCall { .. }
        | Content::ToolResult { .. }
        | Content::Media { .. }
        | Content::Other { .. } => None,
    }
}
