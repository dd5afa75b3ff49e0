//! From the contract's request to the service's, and from its list of models to the contract's.
//!
//! Not the reading of answers: `decode` does that.

use std::collections::BTreeMap;

use hydroid_component::provider::{
    Blob, Block, Error, Features, Link, Message, Model, Part as ContractPart, Request, Role,
    ToolCall, ToolChoice, ToolDefinition, ToolResult,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::config::{Config, NativeTool, ResultMedia};
use crate::wire::{
    BESIDE, Content, Data, FileData, FunctionCall, FunctionCallingConfig, FunctionDeclaration,
    FunctionResponse, GenerateRequest, GenerationConfig, InlineData, Kept, ListedModel, Part,
    RESERVED, Signed, ToolConfig, Tools,
};

/// How identifiers begin that this component makes up; the service does not know them.
pub const MADE_UP: &str = "call_";
/// What the service takes in place of a signature for a call it did not make.
const UNSIGNED: &str = "skip_thought_signature_validator";

/// The body to send.
pub fn request(request: Request, config: &Config) -> Result<GenerateRequest, Error> {
    let (options, beside) = options(request.options_json.as_deref(), &request.model, config)?;
    let names: Vec<String> = request.tools.iter().map(|tool| tool.name.clone()).collect();
    let declared = request.tools.into_iter().map(tool).collect::<Result<Vec<_>, _>>()?;
    let tool_config = request.tool_choice.filter(|_| !names.is_empty()).map(tool_choice);
    let response_json_schema = match request.response_schema {
        Some(schema) => Some(RawValue::from_string(schema).map_err(|error| {
            Error::invalid_input(format!("the response schema is not JSON: {error}"))
        })?),
        None => None,
    };
    let mut tools: Vec<Tools> = config.native_tools.iter().map(native_tool).collect();
    if !declared.is_empty() {
        tools.push(Tools::FunctionDeclarations(declared));
    }
    let (system_instruction, contents) = contents(request.messages, &request.model, config);
    Ok(GenerateRequest {
        contents,
        system_instruction,
        tools,
        tool_config,
        generation_config: GenerationConfig {
            max_output_tokens: request.max_tokens,
            temperature: request.temperature,
            stop_sequences: request.stop,
            response_mime_type: response_json_schema.is_some().then_some("application/json"),
            response_json_schema,
            options,
        },
        beside,
    })
}

/// The body that asks how many tokens a request has.
pub fn counted(request: GenerateRequest, model: &str) -> Value {
    let mut request = serde_json::to_value(request).unwrap_or_default();
    request["model"] = json!(model);
    json!({ "generateContentRequest": request })
}

type Options = Map<String, Value>;

/// What goes into `generationConfig`, and what stands beside it.
fn options(
    of_request: Option<&str>,
    model: &str,
    config: &Config,
) -> Result<(Options, Options), Error> {
    let mut options = config.options.clone();
    if let Some(text) = of_request {
        let own: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
            Error::invalid_input(format!("the options of the request are no JSON object: {error}"))
        })?;
        options.extend(own);
    }
    if let Some(name) = options.keys().find(|name| RESERVED.contains(&name.as_str())) {
        return Err(Error::invalid_input(format!(
            "`{name}` cannot be set in options: set it in the request itself or in this component's configuration"
        )));
    }
    let effort = options.remove("reasoning_effort");
    if !options.contains_key("thinkingConfig") {
        let mut thinking = match &effort {
            Some(effort) => thinking(effort, model)?,
            None => Map::new(),
        };
        // Older models refuse the whole field.
        if config.show_thinking && (effort.is_some() || thinks(model)) {
            thinking.insert("includeThoughts".to_owned(), json!(true));
        }
        if !thinking.is_empty() {
            options.insert("thinkingConfig".to_owned(), Value::Object(thinking));
        }
    }
    Ok(options.into_iter().partition(|(name, _)| !BESIDE.contains(&name.as_str())))
}

/// Models that think are those from 2.5 on, by the service's naming.
fn thinks(model: &str) -> bool {
    let Some((_, version)) = model.rsplit('/').next().unwrap_or(model).split_once("gemini-") else {
        return false;
    };
    let number: String = version.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    number.trim_end_matches('.').parse::<f32>().is_ok_and(|number| number >= 2.5)
        && !version.contains("image")
        && !version.contains("tts")
        && !version.contains("live")
}

/// Models before the third count tokens of thinking, later ones have levels.
fn thinking(effort: &Value, model: &str) -> Result<Map<String, Value>, Error> {
    let counts = model.contains("gemini-2.") || model.contains("gemini-1.");
    let (level, budget) = match effort.as_str() {
        Some("none") => ("minimal", 0),
        Some("minimal") => ("minimal", 512),
        Some("low") => ("low", 2_048),
        Some("medium") => ("medium", 8_192),
        Some("high" | "xhigh" | "max") => ("high", 24_576),
        _ => {
            return Err(Error::invalid_input(format!(
                "`reasoning_effort` is {effort}: it is one of none, minimal, low, medium, high"
            )));
        }
    };
    let (name, value) =
        if counts { ("thinkingBudget", json!(budget)) } else { ("thinkingLevel", json!(level)) };
    Ok([(name.to_owned(), value)].into_iter().collect())
}

fn tool(tool: ToolDefinition) -> Result<FunctionDeclaration, Error> {
    let parameters_json_schema = RawValue::from_string(tool.input_schema).map_err(|error| {
        Error::invalid_input(format!("the schema of the tool `{}` is not JSON: {error}", tool.name))
    })?;
    Ok(FunctionDeclaration {
        name: tool.name,
        description: tool.description,
        parameters_json_schema,
    })
}

fn native_tool(tool: &NativeTool) -> Tools {
    match tool {
        NativeTool::GoogleSearch => Tools::GoogleSearch(Map::new()),
        NativeTool::UrlContext => Tools::UrlContext(Map::new()),
        NativeTool::CodeExecution => Tools::CodeExecution(Map::new()),
    }
}

fn tool_choice(choice: ToolChoice) -> ToolConfig {
    let (mode, allowed_function_names) = match choice {
        ToolChoice::Auto => ("AUTO", Vec::new()),
        ToolChoice::None => ("NONE", Vec::new()),
        ToolChoice::Required => ("ANY", Vec::new()),
        ToolChoice::Named(name) => ("ANY", vec![name]),
    };
    ToolConfig { function_calling_config: FunctionCallingConfig { mode, allowed_function_names } }
}

/// Instructions apart; messages of the same side follow each other as one, because the service
/// wants the sides to alternate.
fn contents(
    messages: Vec<Message>,
    model: &str,
    config: &Config,
) -> (Option<Content>, Vec<Content>) {
    let mut system = Vec::new();
    let mut contents: Vec<Content> = Vec::new();
    // The service names results by their tool.
    let mut names = BTreeMap::new();
    for message in messages {
        let (role, parts) = match message.role {
            Role::System if contents.is_empty() => {
                system.extend(message.blocks.into_iter().filter_map(|block| match block {
                    Block::Part(said) => part(said),
                    _ => None,
                }));
                continue;
            }
            Role::Assistant => ("model", answer_parts(message.blocks, &mut names)),
            Role::System | Role::User | Role::Tool => {
                ("user", user_parts(message.blocks, &names, config))
            }
        };
        match contents.last_mut().filter(|last| last.role == Some(role)) {
            Some(last) => last.parts.extend(parts),
            None if parts.is_empty() => {}
            None => contents.push(Content { role: Some(role), parts }),
        }
    }
    if model.contains("gemini-3") {
        contents.iter_mut().filter(|content| content.role == Some("model")).for_each(sign);
    }
    let system = (!system.is_empty()).then_some(Content { role: None, parts: system });
    (system, contents)
}

/// The first call of an answer has a signature, or the service refuses the conversation; one that
/// another model made has none.
fn sign(answer: &mut Content) {
    let first = answer.parts.iter_mut().find(|part| matches!(part.data, Data::FunctionCall(_)));
    if let Some(call) = first.filter(|call| call.thought_signature.is_none()) {
        call.thought_signature = Some(UNSIGNED.to_owned());
    }
}

fn answer_parts(blocks: Vec<Block>, names: &mut BTreeMap<String, String>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut of_calls = BTreeMap::new();
    for block in blocks {
        match block {
            Block::Part(said) => parts.extend(part(said)),
            Block::ToolCall(call) => {
                names.insert(call.id.clone(), call.name.clone());
                parts.push(self::call(call, &mut of_calls));
            }
            Block::Reasoning(thought) => {
                let kept = thought.opaque.and_then(|opaque| serde_json::from_slice(&opaque).ok());
                let Some(Kept { thought_signature, of }) = kept else { continue };
                match of {
                    Signed::Call(id) => {
                        of_calls.insert(id, thought_signature);
                    }
                    Signed::Text | Signed::Thought => {
                        let last = parts.last_mut().filter(|last| {
                            of == Signed::Text
                                && last.thought_signature.is_none()
                                && matches!(last.data, Data::Text(_))
                        });
                        match last {
                            Some(last) => last.thought_signature = Some(thought_signature),
                            None => parts.push(Part {
                                thought_signature: Some(thought_signature),
                                ..Part::default()
                            }),
                        }
                    }
                }
            }
            Block::ToolResult(_) | Block::Other(_) => {}
        }
    }
    parts
}

fn call(call: ToolCall, of_calls: &mut BTreeMap<String, String>) -> Part {
    let is_object = serde_json::from_str::<Map<String, Value>>(&call.args_json).is_ok();
    let written = if is_object { call.args_json } else { "{}".to_owned() };
    Part {
        thought_signature: of_calls.remove(&call.id),
        data: Data::FunctionCall(FunctionCall {
            id: service_id(call.id),
            name: call.name,
            args: RawValue::from_string(written).unwrap_or_default(),
        }),
    }
}

fn service_id(id: String) -> Option<String> {
    (!id.starts_with(MADE_UP)).then_some(id)
}

fn user_parts(blocks: Vec<Block>, names: &BTreeMap<String, String>, config: &Config) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut behind = Vec::new();
    for block in blocks {
        match block {
            Block::Part(said) => behind.extend(part(said)),
            Block::ToolResult(result) => {
                parts.push(tool_result(result, names, config, &mut behind));
            }
            Block::ToolCall(_) | Block::Reasoning(_) | Block::Other(_) => {}
        }
    }
    parts.extend(behind);
    parts
}

fn tool_result(
    result: ToolResult,
    names: &BTreeMap<String, String>,
    config: &Config,
    behind: &mut Vec<Part>,
) -> Part {
    let name = names.get(&result.call_id).cloned().unwrap_or_else(|| "unknown".to_owned());
    let mut texts = Vec::new();
    let mut media = Vec::new();
    for part in result.content.into_iter().filter_map(part) {
        match part.data {
            Data::Text(text) => texts.push(text),
            _ => media.push(part),
        }
    }
    let inside = config.result_media == ResultMedia::Inside;
    if !inside && !media.is_empty() {
        texts.push(format!("[{} attachments of this result follow]", media.len()));
        behind.push(text_part(format!("Attachments of the result of `{name}`:")));
        behind.append(&mut media);
    }
    let field = if result.is_error { "error" } else { "output" };
    Part {
        data: Data::FunctionResponse(FunctionResponse {
            id: service_id(result.call_id),
            name,
            response: json!({ field: texts.join("\n") }),
            parts: media,
        }),
        thought_signature: None,
    }
}

fn text_part(text: String) -> Part {
    Part { data: Data::Text(text), thought_signature: None }
}

fn part(part: ContractPart) -> Option<Part> {
    let data = match part {
        ContractPart::Text(text) if text.is_empty() => return None,
        ContractPart::Text(text) | ContractPart::Json(text) => Data::Text(text),
        ContractPart::Blob(blob) => self::blob(blob),
        ContractPart::Link(link) => self::link(link),
        ContractPart::Other(_) => return None,
    };
    Some(Part { data, thought_signature: None })
}

/// The service reads images, PDF, audio and video; text goes out as text, with its name.
fn blob(blob: Blob) -> Data {
    let media_type = blob.media_type.to_ascii_lowercase();
    let kind = media_type.split('/').next().unwrap_or_default();
    if matches!(kind, "image" | "audio" | "video") || media_type == "application/pdf" {
        let data = data_encoding::BASE64.encode(&blob.data);
        return Data::InlineData(InlineData { mime_type: media_type, data });
    }
    let name = blob.name.as_deref().unwrap_or("attachment");
    Data::Text(match std::str::from_utf8(&blob.data) {
        Ok(text) => format!("File `{name}`:\n{text}"),
        Err(_) => format!(
            "[file `{name}` of type {media_type}, {} bytes, which cannot be shown to the model]",
            blob.data.len()
        ),
    })
}

/// The service fetches its own files and videos; other addresses are only text to it.
fn link(link: Link) -> Data {
    const FETCHED: &[&str] =
        &["https://generativelanguage.googleapis.com/", "https://www.youtube.com/", "gs://"];
    if FETCHED.iter().any(|start| link.uri.starts_with(start)) {
        return Data::FileData(FileData { mime_type: link.media_type, file_uri: link.uri });
    }
    Data::Text(match link.title {
        Some(title) => format!("{title}: {}", link.uri),
        None => link.uri,
    })
}

/// A model of the service's list; none if it does not answer.
pub fn model(listed: ListedModel) -> Option<Model> {
    if !listed.supported_generation_methods.iter().any(|method| method == "generateContent") {
        return None;
    }
    let id = listed.name.strip_prefix("models/").unwrap_or(&listed.name).to_owned();
    let mut features = Features::STREAMING;
    // The list does not say what else a model can do; the service's own family can all of this.
    if id.starts_with("gemini-") && !id.contains("tts") && !id.contains("image") {
        features = features
            | Features::TOOLS
            | Features::IMAGES
            | Features::AUDIO
            | Features::DOCUMENTS
            | Features::JSON_SCHEMA;
    }
    if listed.thinking == Some(true) {
        features = features | Features::REASONING;
    }
    Some(Model {
        name: listed.display_name.unwrap_or_else(|| id.clone()),
        id,
        context: listed.input_token_limit,
        max_output: listed.output_token_limit,
        features,
        options_json: None,
    })
}

#[cfg(test)]
mod tests;
