//! From the contract's request to the service's, and from its list of models to the contract's.
//!
//! Not the reading of answers: `decode` does that.

use hydroid_component::provider::{
    Blob, Block, Error, Features, Link, Message, Model, Part, Request, Role, ToolChoice,
    ToolDefinition, ToolResult,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::config::{Config, MaxTokensField, SystemRole};
use crate::wire::{
    CalledFunction, ChatMessage, ChatRequest, Content, ContentPart, File, Function, ImageUrl,
    InputAudio, ListedModel, NamedSchema, RESERVED, ResponseFormat, Tool, ToolCall,
};

/// The body to send.
pub fn request(request: Request, config: &Config) -> Result<ChatRequest, Error> {
    let options = options(request.options_json.as_deref(), config)?;
    let tools = request.tools.into_iter().map(tool).collect::<Result<Vec<_>, _>>()?;
    let tool_choice = request.tool_choice.filter(|_| !tools.is_empty()).map(tool_choice);
    let response_format =
        request.response_schema.map(|schema| response_format(schema, config)).transpose()?;
    let (max_completion_tokens, max_tokens) = match config.max_tokens_field {
        MaxTokensField::MaxCompletionTokens => (request.max_tokens, None),
        MaxTokensField::MaxTokens => (None, request.max_tokens),
    };
    let usage = config.stream && config.stream_usage;
    Ok(ChatRequest {
        model: request.model,
        messages: messages(request.messages, config),
        tools,
        tool_choice,
        max_completion_tokens,
        max_tokens,
        temperature: request.temperature,
        stop: request.stop,
        response_format,
        stream: config.stream,
        stream_options: usage.then(|| json!({"include_usage": true})),
        options,
    })
}

fn options(of_request: Option<&str>, config: &Config) -> Result<Map<String, Value>, Error> {
    let mut options = config.options.clone();
    if let Some(text) = of_request {
        let own: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
            Error::invalid_input(format!("the options of the request are no JSON object: {error}"))
        })?;
        options.extend(own);
    }
    match options.keys().find(|name| RESERVED.contains(&name.as_str())) {
        Some(name) => Err(Error::invalid_input(format!(
            "`{name}` cannot be set in options: set it in the request itself or in this component's configuration"
        ))),
        None => Ok(options),
    }
}

fn tool(tool: ToolDefinition) -> Result<Tool, Error> {
    let parameters = RawValue::from_string(tool.input_schema).map_err(|error| {
        Error::invalid_input(format!("the schema of the tool `{}` is not JSON: {error}", tool.name))
    })?;
    let function = Function { name: tool.name, description: tool.description, parameters };
    Ok(Tool { kind: "function", function })
}

fn tool_choice(choice: ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

fn response_format(schema: String, config: &Config) -> Result<ResponseFormat, Error> {
    let schema = RawValue::from_string(schema).map_err(|error| {
        Error::invalid_input(format!("the response schema is not JSON: {error}"))
    })?;
    let json_schema = NamedSchema { name: "answer", schema, strict: config.strict_schema };
    Ok(ResponseFormat { kind: "json_schema", json_schema })
}

/// Results of tools hold text only, so what else they returned waits in `shown` for a message
/// of the user behind the last result: the service allows nothing in between.
fn messages(messages: Vec<Message>, config: &Config) -> Vec<ChatMessage> {
    let mut sent = Vec::new();
    let mut shown = Vec::new();
    for message in messages {
        match message.role {
            Role::System => {
                flush(&mut sent, &mut shown);
                let content = texts(&message.blocks);
                sent.extend((!content.is_empty()).then_some(match config.system_role {
                    SystemRole::System => ChatMessage::System { content },
                    SystemRole::Developer => ChatMessage::Developer { content },
                }));
            }
            Role::Assistant => {
                flush(&mut sent, &mut shown);
                sent.extend(assistant(message.blocks, config));
            }
            Role::User | Role::Tool => {
                let mut parts = Vec::new();
                for block in message.blocks {
                    match block {
                        Block::ToolResult(result) => sent.push(tool_result(result, &mut shown)),
                        Block::Part(part) => parts.extend(self::part(part)),
                        Block::ToolCall(_) | Block::Reasoning(_) | Block::Other(_) => {}
                    }
                }
                if !parts.is_empty() {
                    shown.extend(parts);
                    flush(&mut sent, &mut shown);
                }
            }
        }
    }
    flush(&mut sent, &mut shown);
    sent
}

fn flush(sent: &mut Vec<ChatMessage>, shown: &mut Vec<ContentPart>) {
    if !shown.is_empty() {
        sent.push(ChatMessage::User { content: content(std::mem::take(shown)) });
    }
}

fn content(mut parts: Vec<ContentPart>) -> Content {
    match &mut parts[..] {
        [ContentPart::Text { text }] => Content::Text(std::mem::take(text)),
        _ => Content::Parts(parts),
    }
}

/// An assistant message of thinking alone has nothing the service would take.
fn assistant(blocks: Vec<Block>, config: &Config) -> Option<ChatMessage> {
    let text = texts(&blocks);
    let mut reasoning = String::new();
    let mut tool_calls = Vec::new();
    for block in blocks {
        match block {
            Block::ToolCall(call) => {
                let arguments =
                    if call.args_json.trim().is_empty() { "{}".to_owned() } else { call.args_json };
                let function = CalledFunction { name: call.name, arguments };
                tool_calls.push(ToolCall { id: call.id, kind: "function", function });
            }
            Block::Reasoning(thought) => reasoning.push_str(&thought.text),
            Block::Part(_) | Block::ToolResult(_) | Block::Other(_) => {}
        }
    }
    if text.is_empty() && tool_calls.is_empty() {
        return None;
    }
    Some(ChatMessage::Assistant {
        content: (!text.is_empty()).then_some(text),
        reasoning_content: (config.send_reasoning && !reasoning.is_empty()).then_some(reasoning),
        tool_calls,
    })
}

fn tool_result(result: ToolResult, shown: &mut Vec<ContentPart>) -> ChatMessage {
    let mut texts = Vec::new();
    let mut others = Vec::new();
    for part in result.content.into_iter().filter_map(part) {
        match part {
            ContentPart::Text { text } => texts.push(text),
            other => others.push(other),
        }
    }
    if !others.is_empty() {
        texts.push(format!(
            "[{} attachments of this result follow in a message of the user]",
            others.len()
        ));
        shown.push(ContentPart::Text {
            text: format!("Attachments of the result of tool call `{}`:", result.call_id),
        });
        shown.extend(others);
    }
    let text = texts.join("\n");
    // The service has no field for it.
    let content = if result.is_error { format!("The tool failed: {text}") } else { text };
    ChatMessage::Tool { tool_call_id: result.call_id, content }
}

/// The text of a message whose role takes nothing else.
fn texts(blocks: &[Block]) -> String {
    let parts = blocks.iter().filter_map(|block| match block {
        Block::Part(Part::Text(text) | Part::Json(text)) => Some(text.as_str()),
        Block::Part(Part::Link(link)) => Some(link.uri.as_str()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("\n")
}

fn part(part: Part) -> Option<ContentPart> {
    Some(match part {
        Part::Text(text) | Part::Json(text) => ContentPart::Text { text },
        Part::Blob(blob) => self::blob(blob),
        Part::Link(link) => self::link(link),
        Part::Other(_) => return None,
    })
}

fn blob(blob: Blob) -> ContentPart {
    let media_type = blob.media_type.to_ascii_lowercase();
    let base64 = || data_encoding::BASE64.encode(&blob.data);
    let named = || blob.name.clone().unwrap_or_else(|| "attachment".to_owned());
    match media_type.as_str() {
        image if image.starts_with("image/") => ContentPart::ImageUrl {
            image_url: ImageUrl { url: format!("data:{media_type};base64,{}", base64()) },
        },
        "application/pdf" => {
            let filename = blob.name.clone().unwrap_or_else(|| "document.pdf".to_owned());
            let file_data = format!("data:application/pdf;base64,{}", base64());
            ContentPart::File { file: File { filename, file_data } }
        }
        "audio/wav" | "audio/x-wav" => {
            ContentPart::InputAudio { input_audio: InputAudio { data: base64(), format: "wav" } }
        }
        "audio/mpeg" | "audio/mp3" => {
            ContentPart::InputAudio { input_audio: InputAudio { data: base64(), format: "mp3" } }
        }
        _ => match std::str::from_utf8(&blob.data) {
            Ok(text) => ContentPart::Text { text: format!("File `{}`:\n{text}", named()) },
            Err(_) => ContentPart::Text {
                text: format!(
                    "[file `{}` of type {media_type}, {} bytes, which cannot be shown to the model]",
                    named(),
                    blob.data.len()
                ),
            },
        },
    }
}

fn link(link: Link) -> ContentPart {
    if link.media_type.as_deref().is_some_and(|media_type| media_type.starts_with("image/")) {
        return ContentPart::ImageUrl { image_url: ImageUrl { url: link.uri } };
    }
    let text = match link.title {
        Some(title) => format!("{title}: {}", link.uri),
        None => link.uri,
    };
    ContentPart::Text { text }
}

/// A model of the service's list. What the service does not say is not claimed, except tools
/// and streaming, which all services of this kind have.
pub fn model(listed: ListedModel) -> Model {
    let modalities =
        listed.architecture.iter().flat_map(|architecture| &architecture.input_modalities);
    let claims = modalities.chain(listed.supported_parameters.iter().flatten());
    let usual = Features::TOOLS | Features::STREAMING;
    let features = claims.fold(usual, |features, claim| match claim.as_str() {
        "image" => features | Features::IMAGES,
        "audio" => features | Features::AUDIO,
        "file" => features | Features::DOCUMENTS,
        "reasoning" | "reasoning_effort" => features | Features::REASONING,
        "structured_outputs" => features | Features::JSON_SCHEMA,
        _ => features,
    });
    Model {
        name: listed.name.unwrap_or_else(|| listed.id.clone()),
        id: listed.id,
        context: listed.context_length,
        max_output: listed.max_completion_tokens,
        features,
        options_json: None,
    }
}

#[cfg(test)]
mod tests;
