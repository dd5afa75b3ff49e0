//! From the contract's request to the server's, and from its models to the contract's.
//!
//! Not the reading of answers: `decode` does that.

use std::collections::BTreeMap;

use hydroid_component::provider::{
    Blob, Block, Error, ErrorKind, Features, Link, Message, Model, Part, Request, Role, ToolChoice,
    ToolDefinition, ToolResult,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::wire::{
    CalledFunction, ChatMessage, ChatRequest, Function, ListedModel, RESERVED, Shown, Tool,
    ToolCall,
};

/// The body to send.
pub fn request(request: Request, config: &Config) -> Result<ChatRequest, Error> {
    let offered = match request.tool_choice {
        None | Some(ToolChoice::Auto) => request.tools,
        Some(ToolChoice::None) => Vec::new(),
        Some(ToolChoice::Required | ToolChoice::Named(_)) => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "Ollama cannot make a model call a tool: leave the choice to the model",
            ));
        }
    };
    let tools = offered.into_iter().map(tool).collect::<Result<Vec<_>, _>>()?;
    let format = match request.response_schema {
        Some(schema) => Some(RawValue::from_string(schema).map_err(|error| {
            Error::invalid_input(format!("the response schema is not JSON: {error}"))
        })?),
        None => None,
    };
    let mut options = options(request.options_json.as_deref(), config)?;
    let effort = options.remove("reasoning_effort");
    let think = options.remove("think").or(effort.as_ref().map(think).transpose()?);
    let keep_alive = options.remove("keep_alive").or(config.keep_alive.clone().map(Value::from));
    if let Some(context) = config.context
        && !options.contains_key("num_ctx")
    {
        options.insert("num_ctx".to_owned(), context.into());
    }
    if let Some(most) = request.max_tokens {
        options.insert("num_predict".to_owned(), most.into());
    }
    if let Some(temperature) = request.temperature {
        options.insert("temperature".to_owned(), json!(temperature));
    }
    if !request.stop.is_empty() {
        options.insert("stop".to_owned(), json!(request.stop));
    }
    Ok(ChatRequest {
        model: request.model,
        messages: messages(request.messages, config),
        tools,
        format,
        think,
        keep_alive,
        stream: config.stream,
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

/// The server knows on, off, and three levels.
fn think(effort: &Value) -> Result<Value, Error> {
    Ok(match effort.as_str() {
        Some("none") => json!(false),
        Some("minimal" | "low") => json!("low"),
        Some("medium") => json!("medium"),
        Some("high" | "xhigh" | "max") => json!("high"),
        _ => {
            return Err(Error::invalid_input(format!(
                "`reasoning_effort` is {effort}: it is one of none, minimal, low, medium, high"
            )));
        }
    })
}

fn tool(tool: ToolDefinition) -> Result<Tool, Error> {
    let parameters = RawValue::from_string(tool.input_schema).map_err(|error| {
        Error::invalid_input(format!("the schema of the tool `{}` is not JSON: {error}", tool.name))
    })?;
    let function = Function { name: tool.name, description: tool.description, parameters };
    Ok(Tool { kind: "function", function })
}

fn messages(messages: Vec<Message>, config: &Config) -> Vec<ChatMessage> {
    let mut sent = Vec::new();
    // The server names results by their tool.
    let mut names = BTreeMap::new();
    for message in messages {
        match message.role {
            Role::System => {
                let said = said("system", message.blocks);
                sent.extend((!said.content.is_empty()).then_some(said));
            }
            Role::Assistant => {
                let said = assistant(message.blocks, &mut names, config);
                let empty = said.content.is_empty() && said.tool_calls.is_empty();
                sent.extend((!empty).then_some(said));
            }
            Role::User | Role::Tool => {
                let mut rest = Vec::new();
                for block in message.blocks {
                    match block {
                        Block::ToolResult(result) => sent.push(tool_result(result, &names)),
                        other => rest.push(other),
                    }
                }
                let said = said("user", rest);
                let empty = said.content.is_empty() && said.images.is_empty();
                sent.extend((!empty).then_some(said));
            }
        }
    }
    sent
}

/// Text and images of a message.
fn said(role: &'static str, blocks: Vec<Block>) -> ChatMessage {
    let parts = blocks.into_iter().filter_map(|block| match block {
        Block::Part(part) => Some(part),
        _ => None,
    });
    let (content, images) = content(parts);
    ChatMessage { role, content, images, ..ChatMessage::default() }
}

fn assistant(
    blocks: Vec<Block>,
    names: &mut BTreeMap<String, String>,
    config: &Config,
) -> ChatMessage {
    let mut thinking = String::new();
    let mut tool_calls = Vec::new();
    let mut rest = Vec::new();
    for block in blocks {
        match block {
            Block::Reasoning(thought) if config.send_thinking => thinking.push_str(&thought.text),
            Block::ToolCall(call) => {
                names.insert(call.id.clone(), call.name.clone());
                let is_object = serde_json::from_str::<Map<String, Value>>(&call.args_json).is_ok();
                let written = if is_object { call.args_json } else { "{}".to_owned() };
                let arguments = RawValue::from_string(written).unwrap_or_default();
                let function = CalledFunction { name: call.name, arguments };
                tool_calls.push(ToolCall { id: call.id, function });
            }
            other => rest.push(other),
        }
    }
    ChatMessage { thinking, tool_calls, ..said("assistant", rest) }
}

fn tool_result(result: ToolResult, names: &BTreeMap<String, String>) -> ChatMessage {
    let (text, images) = content(result.content.into_iter());
    // The server has no field for it.
    let content = if result.is_error { format!("The tool failed: {text}") } else { text };
    ChatMessage {
        role: "tool",
        content,
        images,
        tool_name: names.get(&result.call_id).cloned(),
        tool_call_id: Some(result.call_id),
        ..ChatMessage::default()
    }
}

/// The server reads text and images and nothing else.
fn content(parts: impl Iterator<Item = Part>) -> (String, Vec<String>) {
    let mut texts = Vec::new();
    let mut images = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) | Part::Json(text) => texts.push(text),
            Part::Blob(blob) if blob.media_type.to_ascii_lowercase().starts_with("image/") => {
                images.push(data_encoding::BASE64.encode(&blob.data));
            }
            Part::Blob(blob) => texts.push(named(&blob)),
            Part::Link(Link { uri, title: Some(title), .. }) => {
                texts.push(format!("{title}: {uri}"));
            }
            Part::Link(link) => texts.push(link.uri),
            Part::Other(_) => {}
        }
    }
    (texts.join("\n"), images)
}

fn named(blob: &Blob) -> String {
    let name = blob.name.as_deref().unwrap_or("attachment");
    match std::str::from_utf8(&blob.data) {
        Ok(text) if blob.media_type != "application/pdf" => format!("File `{name}`:\n{text}"),
        Ok(_) | Err(_) => format!(
            "[file `{name}` of type {}, {} bytes, which cannot be shown to the model]",
            blob.media_type,
            blob.data.len()
        ),
    }
}

/// A model of the server's list; none if it only embeds.
pub fn model(listed: &ListedModel, shown: &Shown) -> Option<Model> {
    let id = listed.id().to_owned();
    let mut features = Features::STREAMING | Features::JSON_SCHEMA;
    match &shown.capabilities {
        None => features = features | Features::TOOLS,
        Some(capabilities) => {
            if !capabilities.iter().any(|capability| capability == "completion") {
                return None;
            }
            for capability in capabilities {
                features = match capability.as_str() {
                    "tools" => features | Features::TOOLS,
                    "vision" => features | Features::IMAGES,
                    "thinking" => features | Features::REASONING,
                    _ => features,
                };
            }
        }
    }
    let context = shown.model_info.as_ref().and_then(|info| {
        let architecture = info.get("general.architecture")?.as_str()?;
        let length = info.get(&format!("{architecture}.context_length"))?.as_u64()?;
        u32::try_from(length).ok()
    });
    (!id.is_empty()).then(|| Model {
        name: listed.name.clone().unwrap_or_else(|| id.clone()),
        id,
        context,
        max_output: None,
        features,
        options_json: None,
    })
}

#[cfg(test)]
mod tests;
