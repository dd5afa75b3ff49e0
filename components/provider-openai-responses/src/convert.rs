//! From the contract's request to the service's, and from its list of models to the contract's.
//!
//! Not the reading of answers: `decode` does that.

use hydroid_component::provider::{
    Blob, Block, Error, ErrorKind, Features, Link, Message, Model, Part, Reasoning, Request, Role,
    ToolChoice, ToolDefinition, ToolResult,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::wire::{
    Content, ContentPart, Format, Function, Item, Kept, KnownItem, ListedModel, RESERVED,
    ResponsesRequest, Text, Tool,
};

/// The body to send.
pub fn request(request: Request, config: &Config) -> Result<ResponsesRequest, Error> {
    if !request.stop.is_empty() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "OpenAI's responses have no stop texts: leave `stop` out, or use the component provider-openai",
        ));
    }
    let mut options = options(request.options_json.as_deref(), config)?;
    let tool_choice = request.tool_choice.filter(|_| !request.tools.is_empty()).map(tool_choice);
    let functions = request.tools.into_iter().map(function).collect::<Result<Vec<_>, _>>()?;
    let native = config.native_tools.iter().cloned().map(Tool::Native);
    let format = request.response_schema.map(|schema| format(schema, config)).transpose()?;
    let reasoning = reasoning(&mut options)?;
    let mut include = match options.remove("include") {
        Some(Value::Array(include)) => include,
        Some(_) => return Err(Error::invalid_input("`include` in options is no list")),
        None => Vec::new(),
    };
    if config.keeps_thinking_of(&request.model) {
        include.push(json!("reasoning.encrypted_content"));
    }
    let (instructions, input) = input(request.messages);
    Ok(ResponsesRequest {
        model: request.model,
        instructions,
        input,
        tools: native.chain(functions.into_iter().map(Tool::Function)).collect(),
        tool_choice,
        max_output_tokens: request.max_tokens,
        temperature: request.temperature,
        text: text(format, &mut options)?,
        reasoning,
        include,
        store: false,
        stream: config.stream,
        options,
    })
}

/// The body that asks how many tokens a request has, which takes only some of its fields.
pub fn counted(request: ResponsesRequest) -> Value {
    const FIELDS: &[&str] =
        &["model", "instructions", "input", "tools", "tool_choice", "text", "reasoning"];
    let mut body = serde_json::to_value(request).unwrap_or_default();
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|name, _| FIELDS.contains(&name.as_str()));
    }
    body
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

/// `reasoning_effort` and `reasoning_summary` have a field of their own here.
fn reasoning(options: &mut Map<String, Value>) -> Result<Option<Value>, Error> {
    let mut reasoning = match options.remove("reasoning") {
        Some(Value::Object(reasoning)) => reasoning,
        Some(_) => return Err(Error::invalid_input("`reasoning` in options is no object")),
        None => Map::new(),
    };
    for (option, field) in [("reasoning_effort", "effort"), ("reasoning_summary", "summary")] {
        if let Some(value) = options.remove(option) {
            reasoning.insert(field.to_owned(), value);
        }
    }
    Ok((!reasoning.is_empty()).then_some(Value::Object(reasoning)))
}

fn text(format: Option<Format>, options: &mut Map<String, Value>) -> Result<Option<Text>, Error> {
    let mut text = match options.remove("text") {
        Some(Value::Object(text)) => text,
        Some(_) => return Err(Error::invalid_input("`text` in options is no object")),
        None => Map::new(),
    };
    let verbosity = options.remove("verbosity").or(text.remove("verbosity"));
    if let Some(name) = text.keys().next() {
        return Err(Error::invalid_input(format!(
            "`text.{name}` cannot be set in options: the request has its own place for it"
        )));
    }
    Ok((format.is_some() || verbosity.is_some()).then_some(Text { format, verbosity }))
}

fn function(tool: ToolDefinition) -> Result<Function, Error> {
    let parameters = RawValue::from_string(tool.input_schema).map_err(|error| {
        Error::invalid_input(format!("the schema of the tool `{}` is not JSON: {error}", tool.name))
    })?;
    // Strict schemas are a subset that tools of others seldom keep to.
    Ok(Function {
        kind: "function",
        name: tool.name,
        description: tool.description,
        parameters,
        strict: false,
    })
}

fn tool_choice(choice: ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => json!({"type": "function", "name": name}),
    }
}

fn format(schema: String, config: &Config) -> Result<Format, Error> {
    let schema = RawValue::from_string(schema).map_err(|error| {
        Error::invalid_input(format!("the response schema is not JSON: {error}"))
    })?;
    Ok(Format { kind: "json_schema", name: "answer", schema, strict: config.strict_schema })
}

/// Instructions apart, then the items in order.
fn input(messages: Vec<Message>) -> (Option<String>, Vec<Item>) {
    let mut instructions = Vec::new();
    let mut items = Vec::new();
    for message in messages {
        match message.role {
            Role::System => {
                let text = texts(&message.blocks);
                if items.is_empty() {
                    instructions.extend((!text.is_empty()).then_some(text));
                } else if !text.is_empty() {
                    items.push(self::message("developer", Content::Text(text), None));
                }
            }
            Role::Assistant => assistant(message.blocks, &mut items),
            Role::User | Role::Tool => {
                let mut parts = Vec::new();
                for block in message.blocks {
                    match block {
                        Block::ToolResult(result) => items.push(tool_result(result)),
                        Block::Part(part) => parts.extend(self::part(part)),
                        Block::ToolCall(_) | Block::Reasoning(_) | Block::Other(_) => {}
                    }
                }
                if !parts.is_empty() {
                    items.push(self::message("user", content(parts), None));
                }
            }
        }
    }
    let instructions = (!instructions.is_empty()).then(|| instructions.join("\n\n"));
    (instructions, items)
}

fn message(role: &'static str, content: Content, phase: Option<String>) -> Item {
    Item::Known(KnownItem::Message { role, content, phase })
}

/// Thinking goes right before what it led to, be it text or a call.
fn assistant(blocks: Vec<Block>, items: &mut Vec<Item>) {
    let mut waiting: Vec<(String, Box<RawValue>)> = Vec::new();
    let mut phase = None;
    let mut said = String::new();
    for block in blocks {
        match block {
            Block::Part(part) => {
                let more = texts(&[Block::Part(part)]);
                if !said.is_empty() && !more.is_empty() {
                    said.push('\n');
                }
                said.push_str(&more);
            }
            Block::Reasoning(Reasoning { opaque: Some(opaque), .. }) => {
                match serde_json::from_slice(&opaque) {
                    Ok(Kept::Thinking { item, before: Some(call) }) => waiting.push((call, item)),
                    Ok(Kept::Thinking { item, before: None }) => {
                        say(&mut said, &mut phase, items);
                        items.push(Item::Kept(item));
                    }
                    Ok(Kept::Phase(next)) => {
                        say(&mut said, &mut phase, items);
                        phase = Some(next);
                    }
                    // What another component left behind is of no use here.
                    Err(_) => {}
                }
            }
            Block::ToolCall(call) => {
                say(&mut said, &mut phase, items);
                waiting.retain(|(id, item)| {
                    let its = *id == call.id;
                    items.extend(its.then(|| Item::Kept(item.clone())));
                    !its
                });
                let arguments =
                    if call.args_json.trim().is_empty() { "{}".to_owned() } else { call.args_json };
                items.push(Item::Known(KnownItem::FunctionCall {
                    call_id: call.id,
                    name: call.name,
                    arguments,
                }));
            }
            Block::Reasoning(_) | Block::ToolResult(_) | Block::Other(_) => {}
        }
    }
    say(&mut said, &mut phase, items);
}

fn say(said: &mut String, phase: &mut Option<String>, items: &mut Vec<Item>) {
    if !said.is_empty() {
        items.push(message("assistant", Content::Text(std::mem::take(said)), phase.take()));
    }
}

fn tool_result(result: ToolResult) -> Item {
    let mut parts: Vec<ContentPart> = result.content.into_iter().filter_map(part).collect();
    if result.is_error {
        // The service has no field for it.
        parts.insert(0, ContentPart::Text { text: "The tool failed:".to_owned() });
    }
    let mut texts = Vec::new();
    let only_text = parts.iter().all(|part| match part {
        ContentPart::Text { text } => {
            texts.push(text.as_str());
            true
        }
        ContentPart::Image { .. } | ContentPart::File { .. } => false,
    });
    let output = if only_text { Content::Text(texts.join("\n")) } else { Content::Parts(parts) };
    Item::Known(KnownItem::FunctionCallOutput { call_id: result.call_id, output })
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

fn content(mut parts: Vec<ContentPart>) -> Content {
    match &mut parts[..] {
        [ContentPart::Text { text }] => Content::Text(std::mem::take(text)),
        _ => Content::Parts(parts),
    }
}

fn part(part: Part) -> Option<ContentPart> {
    Some(match part {
        Part::Text(text) | Part::Json(text) => ContentPart::Text { text },
        Part::Blob(blob) => self::blob(blob),
        Part::Link(link) => self::link(link),
        Part::Other(_) => return None,
    })
}

/// The service reads images and PDF files here, and hears nothing.
fn blob(blob: Blob) -> ContentPart {
    let media_type = blob.media_type.to_ascii_lowercase();
    let data = || format!("data:{media_type};base64,{}", data_encoding::BASE64.encode(&blob.data));
    if media_type.starts_with("image/") {
        return ContentPart::Image { image_url: data(), detail: "auto" };
    }
    if media_type == "application/pdf" {
        let filename = blob.name.clone().unwrap_or_else(|| "document.pdf".to_owned());
        return ContentPart::File { filename, file_data: data() };
    }
    let name = blob.name.as_deref().unwrap_or("attachment");
    let text = match std::str::from_utf8(&blob.data) {
        Ok(text) => format!("File `{name}`:\n{text}"),
        Err(_) => format!(
            "[file `{name}` of type {media_type}, {} bytes, which cannot be shown to the model]",
            blob.data.len()
        ),
    };
    ContentPart::Text { text }
}

fn link(link: Link) -> ContentPart {
    if link.media_type.as_deref().is_some_and(|media_type| media_type.starts_with("image/")) {
        return ContentPart::Image { image_url: link.uri, detail: "auto" };
    }
    let text = match link.title {
        Some(title) => format!("{title}: {}", link.uri),
        None => link.uri,
    };
    ContentPart::Text { text }
}

/// A model of the service's list, which says no more than the name.
pub fn model(listed: ListedModel) -> Model {
    Model {
        name: listed.id.clone(),
        id: listed.id,
        context: None,
        max_output: None,
        features: Features::TOOLS | Features::STREAMING,
        options_json: None,
    }
}

#[cfg(test)]
mod tests;
