//! Hands arguments to `hydroid:cap/kv` and `hydroid:cap/memory` as they are, for the host's
//! tests, and asks both for something while it is only to say what its tools are. Checks nothing
//! itself: what is refused is refused by the host.

use hydroid_component::bindings::imports::hydroid::cap::memory::Note;
use hydroid_component::bindings::imports::hydroid::cap::{kv, memory, scratchpad};
use hydroid_component::tool::{Definition, Tool, ToolError, Toolset};
use hydroid_component::types::Error;
use schemars::JsonSchema;
use serde::Deserialize;

struct State;

impl Toolset for State {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(vec![
            Tool::new("state_get", "Reads a key.", get).read_only(),
            Tool::new("state_set", "Sets a key to a text, repeated.", set),
            Tool::new("state_delete", "Removes a key.", delete),
            Tool::new("state_keys", "Lists keys.", keys).read_only(),
            Tool::new("state_search", "Searches with raw options.", search).read_only(),
            Tool::new("state_save", "Saves a note of a text, repeated.", save),
            Tool::new("state_scratch", "Writes the scratchpad and reads it.", scratch),
            Tool::new("state_seen", "What the host allowed at load:", |_: Nothing| {
                Ok("see the description")
            }),
        ])
    }

    fn definitions() -> Result<Vec<Definition>, Error> {
        let seen = [
            said(kv::get("key").map(|_| ())),
            said(kv::set("key", b"set at load")),
            said(memory::search("", 9, None).map(|_| ())),
            said(
                memory::save(&Note { text: "saved at load".into(), tags: Vec::new() }).map(|_| ()),
            ),
            said(scratchpad::write("written at load")),
        ];
        let mut definitions: Vec<_> = Self::tools()?.iter().map(Tool::definition).collect();
        if let Some(last) = definitions.last_mut() {
            last.description = format!("{} {}", last.description, seen.join("; "));
        }
        Ok(definitions)
    }
}

fn said(result: Result<(), Error>) -> String {
    match result {
        Ok(()) => "allowed".to_owned(),
        Err(error) => format!("refused: {}", error.message),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Key {
    /// The key.
    key: String,
    /// How often its text is repeated; once when absent.
    #[serde(default)]
    times: Option<usize>,
}

impl Key {
    fn whole(&self) -> String {
        self.key.repeat(self.times.unwrap_or(1))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Set {
    /// The key.
    key: String,
    /// The text.
    text: String,
    /// How often.
    #[serde(default)]
    times: Option<usize>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// What they begin with.
    prefix: String,
    /// After which.
    #[serde(default)]
    after: Option<String>,
    /// How many.
    limit: u32,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// The query.
    query: String,
    /// How often the query is repeated; once when absent.
    #[serde(default)]
    times: Option<usize>,
    /// How many.
    limit: u32,
    /// The options as they are.
    #[serde(default)]
    options: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Text {
    /// The text.
    text: String,
    /// How often.
    #[serde(default)]
    times: Option<usize>,
    /// The tags.
    #[serde(default)]
    tags: Vec<String>,
}

fn get(arguments: Key) -> Result<String, ToolError> {
    Ok(match kv::get(&arguments.whole())? {
        Some(value) => format!("{} bytes: {}", value.len(), start(&value)),
        None => "nothing".to_owned(),
    })
}

/// The first bytes as text.
fn start(value: &[u8]) -> String {
    String::from_utf8_lossy(value).chars().take(20).collect()
}

fn set(arguments: Set) -> Result<String, ToolError> {
    kv::set(&arguments.key, arguments.text.repeat(arguments.times.unwrap_or(1)).as_bytes())?;
    Ok("set".to_owned())
}

fn delete(arguments: Key) -> Result<String, ToolError> {
    kv::delete(&arguments.whole())?;
    Ok("deleted".to_owned())
}

fn keys(arguments: Keys) -> Result<String, ToolError> {
    let keys = kv::keys(&arguments.prefix, arguments.after.as_deref(), arguments.limit)?;
    Ok(keys.join(" "))
}

fn search(arguments: Search) -> Result<String, ToolError> {
    let query = arguments.query.repeat(arguments.times.unwrap_or(1));
    let hits = memory::search(&query, arguments.limit, arguments.options.as_deref())?;
    let lines = hits.into_iter().map(|hit| {
        let details = hit.details_json.unwrap_or_default();
        format!("{} {} {} {details}: {}", hit.id, hit.source, hit.created_s, hit.text)
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn save(arguments: Text) -> Result<String, ToolError> {
    let text = arguments.text.repeat(arguments.times.unwrap_or(1));
    Ok(memory::save(&Note { text, tags: arguments.tags })?)
}

fn scratch(arguments: Text) -> Result<String, ToolError> {
    scratchpad::write(&arguments.text.repeat(arguments.times.unwrap_or(1)))?;
    Ok(scratchpad::read()?)
}

hydroid_component::export_tool!(State);
