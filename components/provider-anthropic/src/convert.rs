//! From the contract's request to the service's, and from its list of models to the contract's.
//!
//! Not the reading of answers: `decode` does that.

use hydroid_component::provider::{
    Blob, Block as Said, Error, Features, Link, Model, Part, Request, Role, ToolCall, ToolChoice,
    ToolDefinition, ToolResult,
};
use hydroid_component::thinking::{self, Proof};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::cache::{self, Hints};
use crate::config::{Config, StructuredOutput, Thinking};
use crate::wire::{
    ASSISTANT, Block, Kind, ListedModel, Message, MessagesRequest, OurTool, OutputConfig,
    OutputFormat, RESERVED, Source, Tool, USER,
};

/// Who wants thinking back. Signatures hold wherever the same models are served.
pub const CLAUDE: &str = "claude";

/// The tool whose arguments are the answer, where a schema is asked for in that way.
const SCHEMA_TOOL: &str = "answer";

/// A budget below this is refused.
const LEAST_BUDGET: u32 = 1024;

/// The body to send. `schema_tool` is what the function of that name says.
pub fn request(
    request: Request,
    config: &Config,
    schema_tool: Option<&'static str>,
) -> Result<MessagesRequest, Error> {
    let mut options = options(request.options_json.as_deref(), config)?;
    let mut output = output_config(&mut options)?;
    effort(&mut options, &mut output, request.max_tokens, config)?;
    let mut tools = request.tools.into_iter().map(tool).collect::<Result<Vec<_>, _>>()?;
    let mut choice = request.tool_choice;
    if let Some(schema) = request.response_schema {
        match schema_tool {
            None => output.format = Some(format(schema)?),
            Some(name) => {
                choice = Some(ToolChoice::Named(name.to_owned()));
                tools.push(tool(ToolDefinition {
                    name: name.to_owned(),
                    description: "Gives the answer.".to_owned(),
                    input_schema: schema,
                })?);
            }
        }
    }
    let tool_choice = tool_choice(choice, &tools, config.parallel_tools && schema_tool.is_none());
    tools.extend(config.server_tools.iter().cloned().map(Tool::Server));
    let (system, messages, hints) = conversation(request.messages, config);
    let mut body = MessagesRequest {
        model: request.model,
        max_tokens: request.max_tokens,
        tools,
        tool_choice,
        system,
        messages,
        temperature: request.temperature,
        stop_sequences: request.stop,
        output_config: (output.format.is_some() || !output.others.is_empty()).then_some(output),
        stream: config.stream,
        options,
    };
    cache::mark(&mut body, &hints, config.prompt_cache);
    Ok(body)
}

/// Name of the tool whose arguments are the answer, if a schema is asked for in that way.
pub fn schema_tool(request: &Request, config: &Config) -> Result<Option<&'static str>, Error> {
    if request.response_schema.is_none() || config.structured_output == StructuredOutput::Native {
        return Ok(None);
    }
    if request.tools.iter().any(|tool| tool.name == SCHEMA_TOOL) {
        return Err(Error::invalid_input(format!(
            "a tool is called `{SCHEMA_TOOL}`, which a response schema needs: set `structured_output = \"native\"`"
        )));
    }
    Ok(Some(SCHEMA_TOOL))
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

fn output_config(options: &mut Map<String, Value>) -> Result<OutputConfig, Error> {
    match options.remove("output_config") {
        None => Ok(OutputConfig::default()),
        Some(Value::Object(others)) if !others.contains_key("format") => {
            Ok(OutputConfig { format: None, others })
        }
        Some(_) => Err(Error::invalid_input(
            "`output_config` in options is an object without `format`, which is the request's response schema",
        )),
    }
}

/// `reasoning_effort` as the service has it. What the options say of thinking themselves wins.
fn effort(
    options: &mut Map<String, Value>,
    output: &mut OutputConfig,
    max_tokens: Option<u32>,
    config: &Config,
) -> Result<(), Error> {
    let Some(effort) = options.remove("reasoning_effort") else { return Ok(()) };
    let wrong = || {
        Error::invalid_input(format!(
            "`reasoning_effort` is {effort}, but is one of none, minimal, low, medium, high, xhigh, max"
        ))
    };
    let level = effort.as_str().ok_or_else(wrong)?;
    let percent = match level {
        "none" => {
            options.entry("thinking").or_insert_with(|| json!({"type": "disabled"}));
            return Ok(());
        }
        "minimal" | "low" => 10,
        "medium" => 30,
        "high" => 60,
        "xhigh" => 75,
        "max" => 90,
        _ => return Err(wrong()),
    };
    match config.thinking {
        Thinking::Adaptive => {
            options.entry("thinking").or_insert_with(|| json!({"type": "adaptive"}));
            let level = if level == "minimal" { "low" } else { level };
            output.others.entry("effort").or_insert_with(|| json!(level));
        }
        Thinking::Budget => {
            // A count of tokens needs no budget.
            let Some(limit) = max_tokens else { return Ok(()) };
            if limit <= LEAST_BUDGET {
                return Err(Error::invalid_input(format!(
                    "thinking needs an output limit of more than {LEAST_BUDGET} tokens: raise `model.max_output_tokens`"
                )));
            }
            let share = u64::from(limit) * percent / 100;
            let budget = share.clamp(LEAST_BUDGET.into(), u64::from(limit) - 1);
            options
                .entry("thinking")
                .or_insert_with(|| json!({"type": "enabled", "budget_tokens": budget}));
        }
    }
    Ok(())
}

fn tool(tool: ToolDefinition) -> Result<Tool, Error> {
    let input_schema = RawValue::from_string(tool.input_schema).map_err(|error| {
        Error::invalid_input(format!("the schema of the tool `{}` is not JSON: {error}", tool.name))
    })?;
    let (name, description) = (tool.name, tool.description);
    Ok(Tool::Ours(OurTool { name, description, input_schema, cache_control: None }))
}

fn tool_choice(choice: Option<ToolChoice>, tools: &[Tool], parallel: bool) -> Option<Value> {
    if tools.is_empty() {
        return None;
    }
    let mut value = match choice {
        None | Some(ToolChoice::Auto) if parallel => return None,
        None | Some(ToolChoice::Auto) => json!({"type": "auto"}),
        Some(ToolChoice::None) => return Some(json!({"type": "none"})),
        Some(ToolChoice::Required) => json!({"type": "any"}),
        Some(ToolChoice::Named(name)) => json!({"type": "tool", "name": name}),
    };
    if !parallel {
        value["disable_parallel_tool_use"] = json!(true);
    }
    Some(value)
}

fn format(schema: String) -> Result<OutputFormat, Error> {
    let schema = RawValue::from_string(schema).map_err(|error| {
        Error::invalid_input(format!("the response schema is not JSON: {error}"))
    })?;
    Ok(OutputFormat { kind: "json_schema", schema })
}

/// The service has the instructions apart, wants results right behind the calls and first in
/// their message, and takes what the person says in that same message.
fn conversation(
    said: Vec<hydroid_component::provider::Message>,
    config: &Config,
) -> (Vec<Block>, Vec<Message>, Hints) {
    let mut system = Vec::new();
    let mut messages: Vec<Message> = Vec::new();
    let mut hints = Hints::default();
    for message in said {
        let (role, blocks) = match message.role {
            Role::System => {
                hints.system |= message.cache;
                system.extend(message.blocks.into_iter().filter_map(instruction));
                continue;
            }
            Role::Assistant => (ASSISTANT, assistant(message.blocks)),
            Role::User | Role::Tool => (USER, user(message.blocks, config)),
        };
        if blocks.is_empty() {
            continue;
        }
        match messages.last_mut() {
            Some(last) if last.role == role => last.content.extend(blocks),
            _ => messages.push(Message { role, content: blocks }),
        }
        if role == USER {
            messages
                .last_mut()
                .expect("pushed above")
                .content
                .sort_by_key(|block| !is_result(block));
        }
        let position = messages.len() - 1;
        if message.cache && hints.messages.last() != Some(&position) {
            hints.messages.push(position);
        }
    }
    (system, messages, hints)
}

fn is_result(block: &Block) -> bool {
    matches!(block, Block::Known(block) if matches!(block.kind, Kind::ToolResult { .. }))
}

/// The service refuses a text without a word in it.
fn text(text: String) -> Option<Block> {
    (!text.trim().is_empty()).then(|| Kind::Text { text }.into())
}

fn instruction(block: Said) -> Option<Block> {
    match block {
        Said::Part(Part::Text(words) | Part::Json(words)) => text(words),
        Said::Part(Part::Link(link)) => text(link.uri),
        _ => None,
    }
}

/// Sources the model cited are not its words, so they do not go back; text around them is one
/// text again.
fn assistant(said: Vec<Said>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut words = String::new();
    for block in said {
        match block {
            Said::Part(Part::Text(more) | Part::Json(more)) => words.push_str(&more),
            Said::Part(_) | Said::ToolResult(_) | Said::Other(_) => {}
            Said::ToolCall(call) => {
                blocks.extend(text(std::mem::take(&mut words)));
                blocks.push(tool_use(call));
            }
            Said::Reasoning(reasoning) => {
                let kind = thinking::open(CLAUDE, &reasoning, |proof| match proof {
                    Proof::Signature(signature) => Kind::Thinking {
                        thinking: reasoning.text.clone(),
                        signature: signature.to_owned(),
                    },
                    Proof::Redacted(data) => Kind::RedactedThinking { data: data.to_owned() },
                });
                if let Some(kind) = kind {
                    blocks.extend(text(std::mem::take(&mut words)));
                    blocks.push(kind.into());
                }
            }
        }
    }
    blocks.extend(text(words));
    blocks
}

fn tool_use(call: ToolCall) -> Block {
    let is_object = call.args_json.trim_start().starts_with('{');
    let raw = RawValue::from_string(call.args_json.clone()).ok().filter(|_| is_object);
    let input = raw.unwrap_or_else(|| {
        let written = call.args_json.trim();
        // The service takes objects only; the model was told that it wrote something else, and
        // reads what that was.
        let value = if written.is_empty() { json!({}) } else { json!({"arguments": written}) };
        serde_json::value::to_raw_value(&value).expect("a map of strings becomes JSON")
    });
    Kind::ToolUse { id: identifier(&call.id), name: call.name, input }.into()
}

fn user(said: Vec<Said>, config: &Config) -> Vec<Block> {
    let blocks = said.into_iter().filter_map(|block| match block {
        Said::ToolResult(result) => Some(tool_result(result, config)),
        Said::Part(part) => self::part(part, config),
        Said::ToolCall(_) | Said::Reasoning(_) | Said::Other(_) => None,
    });
    blocks.collect()
}

fn tool_result(result: ToolResult, config: &Config) -> Block {
    let content = result.content.into_iter().filter_map(|part| self::part(part, config));
    Kind::ToolResult {
        tool_use_id: identifier(&result.call_id),
        content: content.collect(),
        is_error: result.is_error,
    }
    .into()
}

/// Identifiers of other services may have characters that this one refuses; each of those
/// becomes its number, in calls and results alike.
fn identifier(id: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    let mut shown = String::new();
    for character in id.chars() {
        match plain(character) {
            true => shown.push(character),
            false => shown.push_str(&format!("_{:x}", u32::from(character))),
        }
    }
    if shown.is_empty() { "_".to_owned() } else { shown }
}

fn part(part: Part, config: &Config) -> Option<Block> {
    match part {
        Part::Text(words) | Part::Json(words) => text(words),
        Part::Blob(blob) => Some(self::blob(blob, config)),
        Part::Link(link) => Some(self::link(link, config)),
        Part::Other(_) => None,
    }
}

fn blob(blob: Blob, config: &Config) -> Block {
    let media_type = blob.media_type.to_ascii_lowercase();
    let base64 = |media_type: &str| Source::Base64 {
        media_type: media_type.to_owned(),
        data: data_encoding::BASE64.encode(&blob.data),
    };
    match media_type.as_str() {
        "image/jpeg" | "image/png" | "image/gif" | "image/webp" => {
            Kind::Image { source: base64(&media_type) }.into()
        }
        "image/jpg" => Kind::Image { source: base64("image/jpeg") }.into(),
        "application/pdf" => document(base64(&media_type), blob.name, config),
        _ => match String::from_utf8(blob.data) {
            Ok(data) if !data.trim().is_empty() => {
                document(Source::Text { media_type: "text/plain", data }, blob.name, config)
            }
            Ok(_) => notice(blob.name, "is empty"),
            Err(error) => {
                let size = error.into_bytes().len();
                let problem = format!(
                    "of type {media_type}, {size} bytes, which cannot be shown to the model"
                );
                notice(blob.name, &problem)
            }
        },
    }
}

fn notice(name: Option<String>, problem: &str) -> Block {
    let name = name.unwrap_or_else(|| "attachment".to_owned());
    Kind::Text { text: format!("[file `{name}` {problem}]") }.into()
}

fn document(source: Source, title: Option<String>, config: &Config) -> Block {
    let citations = config.citations.then(|| json!({"enabled": true}));
    Kind::Document { source, title, citations }.into()
}

fn link(link: Link, config: &Config) -> Block {
    let media_type = link.media_type.as_deref().unwrap_or_default();
    // The service fetches by TLS only.
    if link.uri.starts_with("https://") {
        if media_type.starts_with("image/") {
            return Kind::Image { source: Source::Url { url: link.uri } }.into();
        }
        if media_type == "application/pdf" {
            return document(Source::Url { url: link.uri }, link.title, config);
        }
    }
    let text = match link.title {
        Some(title) => format!("{title}: {}", link.uri),
        None => link.uri,
    };
    Kind::Text { text }.into()
}

/// `text` as one segment of a path.
pub fn path_segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// A model of the service's list; what the service does not say of its models is what all of
/// them can do.
pub fn model(listed: ListedModel) -> Model {
    let usual = Features::TOOLS
        | Features::STREAMING
        | Features::CACHING
        | Features::IMAGES
        | Features::DOCUMENTS;
    let features =
        listed.capabilities.as_ref().map_or(usual, |capabilities| {
            let known = [
                ("image_input", Features::IMAGES),
                ("pdf_input", Features::DOCUMENTS),
                ("thinking", Features::REASONING),
                ("structured_outputs", Features::JSON_SCHEMA),
            ];
            let supported = |name: &str| capabilities.get(name)?.get("supported")?.as_bool();
            known.into_iter().filter(|(name, _)| supported(name) == Some(true)).fold(
                Features::TOOLS | Features::STREAMING | Features::CACHING,
                |all, (_, feature)| all | feature,
            )
        });
    Model {
        name: listed.display_name.unwrap_or_else(|| listed.id.clone()),
        id: listed.id,
        context: listed.max_input_tokens,
        max_output: listed.max_tokens,
        features,
        options_json: None,
    }
}

#[cfg(test)]
mod tests;
