//! A tool that hands one task to a model which works on it by itself and answers with what it
//! found. Not a way around a rule: each call of that model is decided on like one of the agent's.

use hydroid_component::delegate::{self, ANY_TOOL};
use hydroid_component::tool::{Tool, ToolError, Toolset};
use hydroid_component::types::Error;
use schemars::JsonSchema;
use serde::Deserialize;

struct Delegate;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The task, complete: whoever works on it reads nothing else of this conversation. Say what
    /// the answer has to contain.
    task: String,
    /// Names of the tools for it; all there are when absent. Fewer are better where they suffice.
    #[serde(default)]
    tools: Option<Vec<String>>,
    /// How often the model may be asked, where that is less than a turn may.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    max_steps: Option<u32>,
}

impl Toolset for Delegate {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(vec![
            Tool::new(
                "delegate",
                "Hands one task to a model that works on it by itself, with tools, and gives you its \
                 answer. For work of many steps of which only the outcome matters here.",
                delegate,
            )
            .title("Delegate a task"),
        ])
    }
}

hydroid_component::export_tool!(Delegate);

fn delegate(arguments: Arguments) -> Result<String, ToolError> {
    let Arguments { task, tools, max_steps } = arguments;
    let tools = tools.unwrap_or_else(|| vec![ANY_TOOL.to_owned()]);
    Ok(delegate::run(task, tools, max_steps)?)
}
