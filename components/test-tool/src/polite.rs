//! Tools that behave, to be compared with: a host that refuses these refuses too much.

use std::time::Duration;

use hydroid_component::tool::{Tool, ToolError};
use hydroid_component::{config, control};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::arguments::Nothing;

pub(crate) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("echo", "Returns its text.", echo).read_only(),
        Tool::new("fail", "Fails as a tool may: with a sentence for the model.", fail).read_only(),
        Tool::new("greet", "Greets with the configured `greeting`.", greet).read_only(),
        Tool::new(
            "wait_cancel",
            "Waits until it is cancelled, and then ends at once.",
            wait_cancel,
        )
        .read_only(),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Echo {
    /// What to return.
    text: String,
}

fn echo(arguments: Echo) -> Result<String, ToolError> {
    Ok(arguments.text)
}

fn fail(arguments: Echo) -> Result<String, ToolError> {
    Err(ToolError::failed(arguments.text))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Greet {
    /// Who to greet.
    name: String,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default = "hello")]
    greeting: String,
}

fn hello() -> String {
    "hello".to_owned()
}

fn greet(arguments: Greet) -> Result<String, ToolError> {
    let configuration: Configuration = config::read()?;
    Ok(format!("{} {}", configuration.greeting, arguments.name))
}

fn wait_cancel(Nothing {}: Nothing) -> Result<String, ToolError> {
    loop {
        control::check_cancelled()?;
        std::thread::sleep(Duration::from_millis(5));
    }
}
