//! From the contract's request to the service's, and from its lists of models to the contract's.
//!
//! Not the reading of answers: `decode` does that.

mod blocks;
mod cache;
mod models;

use hydroid_component::provider::{
    Error, Message as Turn, Request, Role, ToolChoice, ToolDefinition,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::config::{Config, StructuredOutput, Thinking};
use crate::family::Family;
use crate::wire::{
    ASSISTANT, Block, ConverseRequest, InferenceConfig, InputSchema, Message, NamedSchema, OPTIONS,
    OutputConfig, Structure, SystemTool, TextFormat, Tool, ToolConfig, ToolSpec, USER,
};
use blocks::Writer;
use cache::Hints;

pub use models::models;

/// The tool whose arguments are the answer, where a schema is asked for in that way.
const SCHEMA_TOOL: &str = "answer";

/// A budget below this is refused.
const LEAST_BUDGET: u32 = 1024;

/// The body to send. `schema_tool` is what the function of that name says.
pub fn request(
    request: Request,
    config: &Config,
    schema_tool: Option<&'static str>,
) -> Result<ConverseRequest, Error> {
    let family = config.family(&request.model);
    let max_tokens = request.max_tokens.or_else(|| config.max_output(&request.model));
    let mut options = options(request.options_json.as_deref(), config)?;
    let mut fields = additional_fields(&mut options)?;
    effort(&mut options, &mut fields, family, max_tokens, config)?;
    let top_p = options.remove("top_p");
    check_options(&options)?;
    let mut choice = request.tool_choice;
    let mut tools = request.tools;
    let mut output_config = None;
    if let Some(schema) = request.response_schema {
        match schema_tool {
            None => output_config = Some(self::output_config(schema)?),
            Some(name) => {
                choice = Some(ToolChoice::Named(name.to_owned()));
                tools.push(ToolDefinition {
                    name: name.to_owned(),
                    description: "Gives the answer.".to_owned(),
                    input_schema: schema,
                });
            }
        }
    }
    let tool_config = tool_config(tools, choice, config)?;
    // The service takes calls and results only where tools are offered too.
    let mut writer = Writer::new(&request.model, family, config, tool_config.is_some());
    let (system, messages, hints) = conversation(request.messages, &mut writer);
    let mut body = ConverseRequest {
        system,
        messages,
        inference_config: InferenceConfig {
            max_tokens,
            temperature: request.temperature,
            top_p,
            stop_sequences: request.stop,
        },
        tool_config,
        output_config,
        additional_model_request_fields: fields,
        options,
    };
    cache::mark(&mut body, &hints, family, &request.model, config.prompt_cache);
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
    Ok(options)
}

/// The service takes fields it does not know only where they are for the model.
fn check_options(options: &Map<String, Value>) -> Result<(), Error> {
    match options.keys().find(|name| !OPTIONS.contains(&name.as_str())) {
        Some(name) => Err(Error::invalid_input(format!(
            "`{name}` is no option of this provider: it is one of reasoning_effort, top_p, additionalModelRequestFields, {}; a field of the model itself belongs into `additionalModelRequestFields`",
            OPTIONS.join(", ")
        ))),
        None => Ok(()),
    }
}

fn additional_fields(options: &mut Map<String, Value>) -> Result<Map<String, Value>, Error> {
    match options.remove("additionalModelRequestFields") {
        None => Ok(Map::new()),
        Some(Value::Object(fields)) => Ok(fields),
        Some(_) => Err(Error::invalid_input("`additionalModelRequestFields` is an object")),
    }
}

/// `reasoning_effort` as the model has it. What its own fields say of that wins.
fn effort(
    options: &mut Map<String, Value>,
    fields: &mut Map<String, Value>,
    family: Family,
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
        "none" => 0,
        "minimal" | "low" => 10,
        "medium" => 30,
        "high" => 60,
        "xhigh" => 75,
        "max" => 90,
        _ => return Err(wrong()),
    };
    match family {
        Family::Claude if percent == 0 => {
            fields.entry("thinking").or_insert_with(|| json!({"type": "disabled"}));
        }
        Family::Claude => match config.thinking {
            Thinking::Adaptive => {
                fields.entry("thinking").or_insert_with(|| json!({"type": "adaptive"}));
                let level = if level == "minimal" { "low" } else { level };
                fields.entry("output_config").or_insert_with(|| json!({"effort": level}));
            }
            Thinking::Budget => {
                let budget = budget(percent, max_tokens)?;
                fields
                    .entry("thinking")
                    .or_insert_with(|| json!({"type": "enabled", "budget_tokens": budget}));
            }
        },
        Family::Nova => {
            let level = match level {
                "none" => return set_nova(fields, json!({"type": "disabled"})),
                "minimal" => "low",
                "xhigh" | "max" => "high",
                level => level,
            };
            return set_nova(fields, json!({"type": "enabled", "maxReasoningEffort": level}));
        }
        Family::OpenAi => {
            fields.entry("reasoning_effort").or_insert_with(|| json!(level));
        }
        Family::Mistral | Family::Other => {
            return Err(Error::invalid_input(
                "`reasoning_effort` is not known for this model: use its own field in `additionalModelRequestFields`, or name its `family` in this component's configuration",
            ));
        }
    }
    Ok(())
}

fn set_nova(fields: &mut Map<String, Value>, reasoning: Value) -> Result<(), Error> {
    fields.entry("reasoningConfig").or_insert(reasoning);
    Ok(())
}

fn budget(percent: u64, max_tokens: Option<u32>) -> Result<u64, Error> {
    match max_tokens {
        Some(limit) if limit > LEAST_BUDGET => {
            let share = u64::from(limit) * percent / 100;
            Ok(share.clamp(LEAST_BUDGET.into(), u64::from(limit) - 1))
        }
        Some(_) | None => Err(Error::invalid_input(format!(
            "a budget for thinking is a share of the output limit, which must be more than {LEAST_BUDGET} tokens: set `model.max_output_tokens`, or `max_output` of this model in `components.provider-bedrock.config.models`"
        ))),
    }
}

fn output_config(schema: String) -> Result<OutputConfig, Error> {
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&schema) {
        return Err(Error::invalid_input(format!("the response schema is not JSON: {error}")));
    }
    let json_schema = NamedSchema { name: "answer", schema };
    Ok(OutputConfig {
        text_format: TextFormat { kind: "json_schema", structure: Structure { json_schema } },
    })
}

/// None where no tool is to be called, because the service has no word for that.
fn tool_config(
    tools: Vec<ToolDefinition>,
    choice: Option<ToolChoice>,
    config: &Config,
) -> Result<Option<ToolConfig>, Error> {
    let tool_choice = match choice {
        Some(ToolChoice::None) => return Ok(None),
        None | Some(ToolChoice::Auto) => None,
        Some(ToolChoice::Required) => Some(json!({"any": {}})),
        Some(ToolChoice::Named(name)) => Some(json!({"tool": {"name": name}})),
    };
    let system =
        config.system_tools.iter().cloned().map(|name| Tool::SystemTool(SystemTool { name }));
    let mut tools = tools.into_iter().map(tool).collect::<Result<Vec<_>, _>>()?;
    tools.extend(system);
    if tools.is_empty() {
        return Ok(None);
    }
    Ok(Some(ToolConfig { tools, tool_choice }))
}

fn tool(tool: ToolDefinition) -> Result<Tool, Error> {
    let json = RawValue::from_string(tool.input_schema).map_err(|error| {
        Error::invalid_input(format!("the schema of the tool `{}` is not JSON: {error}", tool.name))
    })?;
    let (name, description) = (tool.name, tool.description);
    Ok(Tool::ToolSpec(ToolSpec { name, description, input_schema: InputSchema { json } }))
}

/// The service has the instructions apart, wants roles to take turns, and results in the message
/// behind the calls.
fn conversation(said: Vec<Turn>, writer: &mut Writer<'_>) -> (Vec<Block>, Vec<Message>, Hints) {
    let mut system = Vec::new();
    let mut messages: Vec<Message> = Vec::new();
    let mut hints = Hints::default();
    for message in said {
        let (role, blocks) = match message.role {
            Role::System => {
                hints.system |= message.cache;
                let texts = message.blocks.into_iter().filter_map(blocks::instruction);
                system.extend(texts);
                continue;
            }
            Role::Assistant => (ASSISTANT, writer.assistant(message.blocks)),
            Role::User | Role::Tool => (USER, writer.user(message.blocks)),
        };
        if blocks.is_empty() {
            continue;
        }
        match messages.last_mut() {
            Some(last) if last.role == role => last.content.extend(blocks),
            _ => messages.push(Message { role, content: blocks }),
        }
        let last = messages.last_mut().expect("pushed above");
        if role == USER {
            last.content.sort_by_key(|block| !matches!(block, Block::ToolResult(_)));
        }
        let position = messages.len() - 1;
        if message.cache && hints.messages.last() != Some(&position) {
            hints.messages.push(position);
        }
    }
    messages.iter_mut().for_each(blocks::accompany_documents);
    (system, messages, hints)
}

#[cfg(test)]
mod tests;
