//! What came of a call, as the protocol writes it. It was scrubbed, cut and labelled before.

use hydroid_core::message::Content;
use hydroid_core::tool::ToolOutput;
use rmcp::ErrorData;
use rmcp::model::{
    CallToolResult, ContentBlock, GetPromptResult, PromptMessage, ReadResourceResult, Resource,
    ResourceContents, Role,
};
use serde_json::Value;

/// Where a result has no address of its own.
const UNNAMED: &str = "result:";

/// A result. A tool that `promises` data gives it, or has failed: a client would refuse it
/// otherwise.
pub(super) fn of_call(mut output: ToolOutput, promises: bool) -> CallToolResult {
    let is_data = |content: &Content| matches!(content, Content::Json { json } if json.is_object());
    let data = match &output.content[..] {
        [.., Content::Json { json }] if json.is_object() => Some(json.clone()),
        _ => None,
    };
    if data.is_some() && output.content.len() > 1 {
        // Beside the text that says the same, it is said once.
        output.content.pop_if(|last| is_data(last));
    }
    let mut blocks = blocks(output.content);
    let failed = output.is_error || (promises && data.is_none());
    if failed && !output.is_error {
        blocks.push(ContentBlock::text("[the tool gave no data that fits its output schema]"));
    }
    let mut result =
        if failed { CallToolResult::error(blocks) } else { CallToolResult::success(blocks) };
    result.structured_content = data.filter(|_| !failed);
    result
}

pub(super) fn of_prompt(
    output: ToolOutput,
    description: Option<String>,
) -> Result<GetPromptResult, ErrorData> {
    let output = worked(output)?;
    let messages = blocks(output.content).into_iter();
    let messages = messages.map(|block| PromptMessage::new(Role::User, block)).collect();
    let result = GetPromptResult::new(messages);
    Ok(match description {
        Some(description) => result.with_description(description),
        None => result,
    })
}

pub(super) fn of_resource(
    output: ToolOutput,
    uri: &str,
    media_type: Option<&str>,
) -> Result<ReadResourceResult, ErrorData> {
    let output = worked(output)?;
    let mut contents = Vec::new();
    for content in output.content {
        let found = match content {
            Content::Text { text } => text_at(uri, media_type.unwrap_or("text/plain"), text),
            Content::Json { json } => {
                text_at(uri, media_type.unwrap_or("application/json"), json.to_string())
            }
            Content::Media { media_type, data, .. } => media_at(uri, &media_type, data.0),
            Content::Thinking { .. }
            | Content::ToolCall { .. }
            | Content::ToolResult { .. }
            | Content::Link { .. }
            | Content::Other { .. } => continue,
        };
        contents.push(found);
    }
    Ok(ReadResourceResult::new(contents))
}

/// Prompts and resources have no way to say that they failed but an error of the protocol.
fn worked(output: ToolOutput) -> Result<ToolOutput, ErrorData> {
    if !output.is_error {
        return Ok(output);
    }
    let texts = output.content.into_iter().filter_map(|content| match content {
        Content::Text { text } => Some(text),
        _ => None,
    });
    Err(ErrorData::internal_error(texts.collect::<Vec<_>>().join("\n"), None))
}

fn blocks(content: Vec<Content>) -> Vec<ContentBlock> {
    content.into_iter().filter_map(block).collect()
}

fn block(content: Content) -> Option<ContentBlock> {
    Some(match content {
        Content::Text { text } => ContentBlock::text(text),
        Content::Json { json } => ContentBlock::text(text_of(&json)),
        Content::Media { media_type, data, name } => {
            if media_type.starts_with("image/") {
                ContentBlock::image(base64(&data.0), media_type)
            } else if media_type.starts_with("audio/") {
                ContentBlock::audio(base64(&data.0), media_type)
            } else {
                let uri = name.map_or_else(|| UNNAMED.to_owned(), address);
                ContentBlock::resource(media_at(&uri, &media_type, data.0))
            }
        }
        Content::Link { uri, title, media_type } => {
            let name = title.clone().unwrap_or_else(|| uri.clone());
            let link = Resource::new(uri, name);
            let link = match media_type {
                Some(media_type) => link.with_mime_type(media_type),
                None => link,
            };
            ContentBlock::resource_link(link)
        }
        Content::Other { kind, .. } => {
            ContentBlock::text(format!("[something of the kind `{kind}` is left out]"))
        }
        Content::Thinking { .. } | Content::ToolCall { .. } | Content::ToolResult { .. } => {
            return None;
        }
    })
}

fn text_of(json: &Value) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// A name that is an address stays one.
fn address(name: String) -> String {
    if name.contains(':') { name } else { format!("{UNNAMED}{name}") }
}

fn text_at(uri: &str, media_type: &str, text: String) -> ResourceContents {
    ResourceContents::text(text, uri).with_mime_type(media_type)
}

fn media_at(uri: &str, media_type: &str, data: Vec<u8>) -> ResourceContents {
    let is_text = media_type.starts_with("text/") || media_type == "application/json";
    match String::from_utf8(data) {
        Ok(text) if is_text => text_at(uri, media_type, text),
        Ok(text) => ResourceContents::blob(base64(text.as_bytes()), uri).with_mime_type(media_type),
        Err(bytes) => {
            ResourceContents::blob(base64(bytes.as_bytes()), uri).with_mime_type(media_type)
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
