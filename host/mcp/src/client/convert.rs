//! What a server answers, as a result of a tool. All of it is data of somebody else; the session
//! scrubs, cuts and labels it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hydroid_core::config::Size;
use hydroid_core::message::{Bytes, Content};
use hydroid_core::tool::ToolOutput;
use rmcp::model::{
    CallToolResult, ContentBlock, GetPromptResult, Prompt, ReadResourceResult, Resource,
    ResourceContents, Role,
};
use serde_json::{Value, json};

/// Says of data what of it is not as it was promised.
pub(super) type Promise = Box<dyn Fn(&Value) -> Vec<String> + Send + Sync>;

/// A result. Data that is not what was promised is none: whoever goes on with it would go wrong.
pub(super) fn of_call(
    server: &str,
    result: CallToolResult,
    promise: Option<&Promise>,
) -> ToolOutput {
    let is_error = result.is_error == Some(true);
    let data = result.structured_content;
    if let (Some(promise), false) = (promise, is_error) {
        let problem = match &data {
            None => Some("none is there".to_owned()),
            Some(data) => {
                Some(promise(data)).filter(|all| !all.is_empty()).map(|all| all.join("; "))
            }
        };
        if let Some(problem) = problem {
            return ToolOutput::error(format!(
                "`{server}` answered with other data than its output schema says, so it was left out; it may have done what it was asked for: {problem}"
            ));
        }
    }
    let mut content: Vec<Content> = result.content.into_iter().map(block).collect();
    if let Some(json) = data {
        // The protocol has servers say the same as text, for older clients.
        content.retain(|content| !says(content, &json));
        content.push(Content::Json { json });
    }
    ToolOutput { content, is_error }
}

fn says(content: &Content, json: &Value) -> bool {
    matches!(content, Content::Text { text } if serde_json::from_str(text).ok().as_ref() == Some(json))
}

/// The output if it is no longer than it may be.
pub(super) fn within(output: ToolOutput, server: &str, most: usize) -> ToolOutput {
    let size: usize = output.content.iter().map(size).sum();
    if size <= most {
        return output;
    }
    ToolOutput::error(format!(
        "`{server}` returned {size} bytes, more than `limits.output` ({}); ask for less at once, or a person can raise it",
        Size(most as u64)
    ))
}

/// What each costs beside what is in it, so that many empty ones are not nothing.
const OF_EACH: usize = 32;

fn size(content: &Content) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    OF_EACH
        + match content {
            Content::Text { text } => text.len(),
            Content::Json { json } => json.to_string().len(),
            Content::Media { media_type, data, name } => {
                media_type.len() + data.0.len() + optional(name)
            }
            Content::Link { uri, title, media_type } => {
                uri.len() + optional(title) + optional(media_type)
            }
            Content::Thinking { .. }
            | Content::ToolCall { .. }
            | Content::ToolResult { .. }
            | Content::Other { .. } => 0,
        }
}

pub(super) fn of_resource(result: ReadResourceResult) -> ToolOutput {
    let content = result.contents.into_iter().map(|contents| resource(contents, false)).collect();
    ToolOutput { content, is_error: false }
}

pub(super) fn of_prompt(result: GetPromptResult) -> ToolOutput {
    let mut content = Vec::new();
    for message in result.messages {
        let who = match message.role {
            Role::User => "user:",
            Role::Assistant => "assistant:",
        };
        content.push(Content::text(who));
        content.push(block(message.content));
    }
    ToolOutput { content, is_error: false }
}

pub(super) fn prompts(listed: &[Prompt]) -> ToolOutput {
    let prompts: Vec<_> = listed
        .iter()
        .map(|prompt| {
            let arguments = prompt.arguments.iter().flatten().map(|argument| {
                json!({
                    "name": argument.name,
                    "description": argument.description,
                    "required": argument.required == Some(true),
                })
            });
            json!({
                "name": prompt.name,
                "description": prompt.description,
                "arguments": arguments.collect::<Vec<_>>(),
            })
        })
        .collect();
    ToolOutput {
        content: vec![Content::Json { json: json!({ "prompts": prompts }) }],
        is_error: false,
    }
}

pub(super) fn resources(listed: &[Resource]) -> ToolOutput {
    let resources: Vec<_> = listed
        .iter()
        .map(|resource| {
            json!({
                "uri": resource.uri,
                "name": resource.name,
                "description": resource.description,
                "media_type": resource.mime_type,
            })
        })
        .collect();
    let json = json!({ "resources": resources });
    ToolOutput { content: vec![Content::Json { json }], is_error: false }
}

fn block(block: ContentBlock) -> Content {
    match block {
        ContentBlock::Text(text) => Content::text(text.text),
        ContentBlock::Image(image) => media(&image.data, image.mime_type),
        ContentBlock::Audio(audio) => media(&audio.data, audio.mime_type),
        ContentBlock::Resource(embedded) => resource(embedded.resource, true),
        ContentBlock::ResourceLink(link) => Content::Link {
            uri: link.uri,
            title: Some(link.title.unwrap_or(link.name)),
            media_type: link.mime_type,
        },
        _ => Content::text("[something this host does not know is left out]"),
    }
}

fn resource(contents: ResourceContents, named: bool) -> Content {
    match contents {
        ResourceContents::TextResourceContents { uri, text, .. } if named => {
            Content::text(format!("{uri}:\n{text}"))
        }
        ResourceContents::TextResourceContents { text, .. } => Content::text(text),
        ResourceContents::BlobResourceContents { mime_type, blob, .. } => {
            media(&blob, mime_type.unwrap_or_else(|| "application/octet-stream".to_owned()))
        }
        _ => Content::text("[something this host does not know is left out]"),
    }
}

fn media(data: &str, media_type: String) -> Content {
    match STANDARD.decode(data) {
        Ok(bytes) => Content::Media { media_type, data: Bytes(bytes), name: None },
        Err(_) => Content::text(format!("[what claims to be {media_type} is not base64]")),
    }
}
