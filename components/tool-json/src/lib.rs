//! A tool that runs a jq filter over JSON text. Not a file reader: what is queried comes in
//! the arguments.

mod position;
mod query;

use hydroid_component::tool::{Tool, ToolError, Toolset};
use hydroid_component::types::Error;
use schemars::JsonSchema;
use serde::Deserialize;

struct Json;

impl Toolset for Json {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(vec![
            Tool::new(
                "json_query",
                "Runs a jq filter over JSON text and returns its results, one after another. \
                 Use it to pick, count, sort, group or reshape data, and to check that a text \
                 is JSON (filter `.`).",
                json_query,
            )
            .title("Query JSON")
            .read_only(),
        ])
    }
}

hydroid_component::export_tool!(Json);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JsonQuery {
    /// JSON text; several values one after another, as in JSON Lines, are queried in turn.
    json: String,
    /// A jq filter such as `.items[] | select(.price > 10) | .name`.
    filter: String,
    /// Give texts without quotes and escapes.
    #[serde(default)]
    raw: bool,
    /// Give each result on one line instead of indented.
    #[serde(default)]
    compact: bool,
}

fn json_query(arguments: JsonQuery) -> Result<String, ToolError> {
    let style = query::Style { raw: arguments.raw, compact: arguments.compact };
    query::run(&arguments.json, &arguments.filter, style)
}
