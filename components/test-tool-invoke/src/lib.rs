//! Calls the tools it is told to, as often as it is told, for the host's tests. It decides
//! nothing: what is refused is refused by the host.

use hydroid_component::invoke;
use hydroid_component::tool::{Tool, ToolError, Toolset};
use hydroid_component::types::Error;
use schemars::JsonSchema;
use serde::Deserialize;

struct Invoke;

#[derive(Default, Deserialize)]
struct Config {
    /// It is the second of them, so its tool has another name.
    #[serde(default)]
    second: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Relay {
    /// The tool.
    tool: String,
    /// Its arguments as JSON text.
    arguments: String,
    /// How often; once when absent.
    #[serde(default)]
    times: Option<u32>,
}

impl Toolset for Invoke {
    fn tools() -> Result<Vec<Tool>, Error> {
        let config: Config = hydroid_component::config::read()?;
        let name = if config.second { "two_relay" } else { "relay" };
        Ok(vec![Tool::new(name, "Calls another tool and says what came of it.", relay)])
    }
}

fn relay(arguments: Relay) -> Result<String, ToolError> {
    let mut said = Vec::new();
    for _ in 0..arguments.times.unwrap_or(1) {
        let line = match invoke::call_text(&arguments.tool, &arguments.arguments) {
            Ok(text) => format!("ok: {text}"),
            Err(error) => format!("{:?}: {}", error.kind, error.message),
        };
        if said.last() != Some(&line) {
            said.push(line);
        }
    }
    Ok(said.join("\n"))
}

hydroid_component::export_tool!(Invoke);
