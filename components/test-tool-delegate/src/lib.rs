//! Starts the child turns it is told to, unchecked, for the host's tests. It decides nothing: what
//! is refused is refused by the host.

use hydroid_component::delegate::{self, Task};
use hydroid_component::tool::{Tool, ToolError, Toolset};
use hydroid_component::types::Error;
use schemars::JsonSchema;
use serde::Deserialize;

struct HandOn;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The task.
    task: String,
    /// Its tools.
    #[serde(default)]
    tools: Vec<String>,
    /// The agent.
    #[serde(default)]
    agent: Option<String>,
    /// The options as JSON text.
    #[serde(default)]
    options: Option<String>,
    /// How often the task is said.
    #[serde(default)]
    times: Option<u32>,
}

impl Toolset for HandOn {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(vec![Tool::new("hand_on", "Starts a child turn and says what came of it.", hand_on)])
    }
}

hydroid_component::export_tool!(HandOn);

fn hand_on(arguments: Arguments) -> Result<String, ToolError> {
    let Arguments { task, tools, agent, options, times } = arguments;
    let prompt = task.repeat(times.unwrap_or(1) as usize);
    let task = Task { agent, prompt, tools, options_json: options };
    Ok(match delegate::run_task(&task) {
        Ok(text) => format!("ok: {text}"),
        Err(error) => format!("{:?}: {}", error.kind, error.message),
    })
}
