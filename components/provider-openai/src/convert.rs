//! From the contract's request to the service's, and from its list of models to the contract's.
//!
//! Not the reading of answers: `decode` does that.

use hydroid_component::provider::{
    Blob, Block, Error, Features, Link, Message, Model, Part, Request, Role, ToolChoice,
    ToolDefinition, ToolResult,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::config::{CallIds, Config, MaxTokensField, SchemaForm, SendReasoning, SystemRole};
use crate::wire::{
    CalledFunction, ChatMessage, ChatRequest, Content, ContentPart, File, Function, ImageUrl,
    InputAudio, Kept, ListedModel, NamedSchema, RESERVED, ResponseFormat, Tool, ToolCall,
};

/// The body to send.
pub fn request(request: Request, config: &Config) -> Result<ChatRequest, Error> {
    let options = options(request.options_json.as_deref(), config)?;
    let tools = request.tools.into_iter().map(tool).collect::<Result<Vec<_>, _>>()?;
    let tool_choice = request.tool_choice.filter(|_| !tools.is_empty()).map(tool_choice);
    let mut messages = messages(request.messages, &request.model, config);
    let response_format = match request.response_schema {
        Some(schema) => Some(response_format(schema, config, &mut messages)?),
        None => None,
    };
    let (max_completion_tokens, max_tokens) = match config.max_tokens_field {
        MaxTokensField::MaxCompletionTokens => (request.max_tokens, None),
        MaxTokensField::MaxTokens => (None, request.max_tokens),
    };
    let usage = config.stream && config.stream_usage;
    Ok(ChatRequest {
        model: request.model,
        messages,
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

/// A service that knows only JSON as such reads the schema among the instructions.
fn response_format(
    schema: String,
    config: &Config,
    messages: &mut Vec<ChatMessage>,
) -> Result<ResponseFormat, Error> {
    let schema = RawValue::from_string(schema).map_err(|error| {
        Error::invalid_input(format!("the response schema is not JSON: {error}"))
    })?;
    match config.response_format {
        SchemaForm::JsonSchema => {
            let json_schema = NamedSchema { name: "answer", schema, strict: config.strict_schema };
            Ok(ResponseFormat::JsonSchema { json_schema })
        }
        SchemaForm::JsonObject => {
            let instructions = format!(
                "Answer with one JSON object and nothing else. It must fit this JSON Schema:\n{schema}"
            );
            let at = messages
                .iter()
                .position(|message| {
                    !matches!(message, ChatMessage::System { .. } | ChatMessage::Developer { .. })
                })
                .unwrap_or(messages.len());
            messages.insert(at, system(Content::Text(instructions), config));
            Ok(ResponseFormat::JsonObject)
        }
    }
}

fn system(content: Content, config: &Config) -> ChatMessage {
    match config.system_role {
        SystemRole::System => ChatMessage::System { content },
        SystemRole::Developer => ChatMessage::Developer { content },
    }
}

/// The identifier of a call as the service takes it, the same for a call and its result.
fn call_id(id: String, config: &Config) -> String {
    let nine = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match config.call_ids {
        CallIds::NineCharacters if !nine => {
            // FNV-1a: any spread will do, and the same one on each run must.
            let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
            format!("{:09x}", hash & 0xf_ffff_ffff)
        }
        CallIds::NineCharacters | CallIds::AsGiven => id,
    }
}

/// Results of tools hold text only, so what else they returned waits in `shown` for a message
/// of the user behind the last result: the service allows nothing in between.
fn messages(messages: Vec<Message>, model: &str, config: &Config) -> Vec<ChatMessage> {
    let mut sent = Vec::new();
    let mut shown = Vec::new();
    for message in messages {
        let cache = message.cache && config.cache_control;
        match message.role {
            Role::System => {
                flush(&mut sent, &mut shown);
                let text = texts(&message.blocks);
                sent.extend((!text.is_empty()).then(|| system(Content::Text(text), config)));
            }
            Role::Assistant => {
                flush(&mut sent, &mut shown);
                sent.extend(assistant(message.blocks, model, config));
            }
            Role::User | Role::Tool => {
                let mut parts = Vec::new();
                for block in message.blocks {
                    match block {
                        Block::ToolResult(result) => {
                            sent.push(tool_result(result, &mut shown, config));
                        }
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
        if cache && let Some(last) = sent.last_mut() {
            mark(last);
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
        [ContentPart::Text { text, .. }] => Content::Text(std::mem::take(text)),
        _ => Content::Parts(parts),
    }
}

/// Says that a prompt cache may end behind this message.
fn mark(message: &mut ChatMessage) {
    let (ChatMessage::System { content }
    | ChatMessage::Developer { content }
    | ChatMessage::User { content }
    | ChatMessage::Tool { content, .. }) = message
    else {
        return;
    };
    let mut parts = match std::mem::replace(content, Content::Parts(Vec::new())) {
        Content::Text(text) => vec![text_part(text)],
        Content::Parts(parts) => parts,
    };
    let last = parts.iter_mut().rev().find_map(|part| match part {
        ContentPart::Text { cache_control, .. } => Some(cache_control),
        ContentPart::ImageUrl { .. }
        | ContentPart::InputAudio { .. }
        | ContentPart::File { .. } => None,
    });
    if let Some(cache_control) = last {
        *cache_control = Some(json!({"type": "ephemeral"}));
    }
    *content = Content::Parts(parts);
}

fn text_part(text: String) -> ContentPart {
    ContentPart::Text { text, cache_control: None }
}

/// An assistant message of thinking alone has nothing the service would take.
fn assistant(blocks: Vec<Block>, model: &str, config: &Config) -> Option<ChatMessage> {
    let text = texts(&blocks);
    let mut thought = String::new();
    let mut kept = Kept::default();
    let mut calls = Vec::new();
    for block in blocks {
        match block {
            Block::ToolCall(call) => calls.push(call),
            Block::Reasoning(reasoning) => {
                thought.push_str(&reasoning.text);
                // What another component or another model left behind is of no use here.
                let own = reasoning.opaque.and_then(|opaque| serde_json::from_slice(&opaque).ok());
                if let Some(own) = own.filter(|own: &Kept| own.model == model) {
                    kept.reasoning_details = own.reasoning_details.or(kept.reasoning_details);
                    kept.extra_content.extend(own.extra_content);
                }
            }
            Block::Part(_) | Block::ToolResult(_) | Block::Other(_) => {}
        }
    }
    if config.send_reasoning == SendReasoning::Never {
        kept = Kept::default();
    }
    let tool_calls = calls.into_iter().map(|call| {
        let arguments =
            if call.args_json.trim().is_empty() { "{}".to_owned() } else { call.args_json };
        ToolCall {
            extra_content: kept.extra_content.remove(&call.id),
            id: call_id(call.id, config),
            kind: "function",
            function: CalledFunction { name: call.name, arguments },
        }
    });
    let tool_calls: Vec<_> = tool_calls.collect();
    if text.is_empty() && tool_calls.is_empty() {
        return None;
    }
    let thought =
        |wanted| (config.send_reasoning == wanted && !thought.is_empty()).then(|| thought.clone());
    Some(ChatMessage::Assistant {
        content: (!text.is_empty()).then_some(text),
        reasoning_content: thought(SendReasoning::ReasoningContent),
        reasoning: thought(SendReasoning::Reasoning),
        reasoning_details: kept.reasoning_details,
        tool_calls,
    })
}

fn tool_result(result: ToolResult, shown: &mut Vec<ContentPart>, config: &Config) -> ChatMessage {
    let mut texts = Vec::new();
    let mut others = Vec::new();
    for part in result.content.into_iter().filter_map(part) {
        match part {
            ContentPart::Text { text, .. } => texts.push(text),
            other => others.push(other),
        }
    }
    let tool_call_id = call_id(result.call_id, config);
    if !others.is_empty() {
        texts.push(format!(
            "[{} attachments of this result follow in a message of the user]",
            others.len()
        ));
        shown.push(text_part(format!("Attachments of the result of tool call `{tool_call_id}`:")));
        shown.extend(others);
    }
    let text = texts.join("\n");
    // The service has no field for it.
    let text = if result.is_error { format!("The tool failed: {text}") } else { text };
    ChatMessage::Tool { tool_call_id, content: Content::Text(text) }
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
        Part::Text(text) | Part::Json(text) => text_part(text),
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
            Ok(text) => text_part(format!("File `{}`:\n{text}", named())),
            Err(_) => text_part(format!(
                "[file `{}` of type {media_type}, {} bytes, which cannot be shown to the model]",
                named(),
                blob.data.len()
            )),
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
    text_part(text)
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
