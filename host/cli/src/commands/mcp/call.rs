//! `hydroid mcp call`: a person calls a tool of a server themselves. What the server asks is put
//! to them; no model takes part, and no rule decides, for it is the person who calls.

use super::known;
use crate::args::CallServer;
use crate::commands::component::question;
use crate::exit::{Exit, usage};
use crate::servers::{self, read_book};
use crate::stopped::refuse_if_stopped;
use crate::terminal;
use crate::wire::Ground;
use anyhow::Result;
use futures_util::future::BoxFuture;
use hydroid_core::harmless::harmless;
use hydroid_core::message::Content;
use hydroid_core::tool::ToolOutput;
use hydroid_mcp::{Answerer, Declines, Elicitation, Elicited};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) async fn run(ground: &Ground, wish: CallServer) -> Result<Exit> {
    refuse_if_stopped(&ground.paths)?;
    let book = read_book(&ground.paths)?;
    let server = known(&book, &wish.name)?;
    let Ok(Value::Object(arguments)) = serde_json::from_str(&wish.arguments) else {
        return Err(usage("the arguments are no JSON object; write `'{\"name\": \"value\"}'`"));
    };
    let answerer: Arc<dyn Answerer> = match (wish.defaults, ground.terminal.interactive) {
        (true, _) => Arc::new(Suggested),
        (false, true) => Arc::new(Person),
        (false, false) => Arc::new(Declines),
    };
    let database = ground.database().await?;
    let client = servers::tools(ground, &database, answerer, None)?;
    let output = client.try_out(&wish.name, server, &wish.tool, arguments).await?;
    print(ground, output)
}

/// Prints a result, without secrets.
pub(crate) fn print(ground: &Ground, output: ToolOutput) -> Result<Exit> {
    let scrubber = ground.scrubber.current();
    for content in output.content {
        let text = match content {
            Content::Text { text } => text,
            Content::Json { json } => format!("{json:#}"),
            Content::Media { media_type, data, .. } => {
                format!("[{media_type}, {} bytes]", data.0.len())
            }
            Content::Link { uri, title, .. } => {
                title.map_or_else(|| uri.clone(), |title| format!("{title}: {uri}"))
            }
            Content::Thinking { .. }
            | Content::ToolCall { .. }
            | Content::ToolResult { .. }
            | Content::Other { .. } => continue,
        };
        terminal::print_line(&harmless(&scrubber.scrub(&text)))?;
    }
    Ok(if output.is_error { Exit::Error } else { Exit::Done })
}

/// Answers with what the server suggests.
pub(crate) struct Suggested;

impl Answerer for Suggested {
    fn is_there(&self) -> bool {
        true
    }

    fn answer(&self, asked: Elicitation) -> BoxFuture<'_, Elicited> {
        let values: Map<String, Value> = fields(&asked.schema)
            .filter_map(|(name, about)| Some((name.clone(), about.get("default")?.clone())))
            .collect();
        Box::pin(std::future::ready(Elicited::Values(Value::Object(values))))
    }
}

/// Puts it to whoever sits at the terminal.
struct Person;

impl Answerer for Person {
    fn is_there(&self) -> bool {
        true
    }

    fn answer(&self, asked: Elicitation) -> BoxFuture<'_, Elicited> {
        Box::pin(async move {
            let typed = tokio::task::spawn_blocking(move || typed(&asked));
            typed.await.ok().flatten().unwrap_or(Elicited::Cancelled)
        })
    }
}

fn fields(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// What a person types, a field a line; none if the terminal ends. An empty line is what was
/// suggested, or nothing.
fn typed(asked: &Elicitation) -> Option<Elicited> {
    terminal::say(&format!("the server {} asks: {}", asked.server, asked.message));
    terminal::say("it is not Hydroid that asks; type nothing secret; `-` declines");
    let mut values = Map::new();
    for (name, about) in fields(&asked.schema) {
        let kind = about.get("type").and_then(Value::as_str).unwrap_or("string");
        let suggested = about.get("default");
        let hint = suggested.map(|its| format!(", {its} if empty")).unwrap_or_default();
        let choices = about.get("enum").map(|its| format!(", one of {its}")).unwrap_or_default();
        let prompt = harmless(&format!("{name} ({kind}{choices}{hint}): "));
        let answer = question::typed(&prompt).ok()??;
        if answer == "-" {
            return Some(Elicited::Declined);
        }
        let value = if answer.is_empty() {
            suggested.cloned()
        } else {
            match kind {
                "integer" | "number" | "boolean" => serde_json::from_str(&answer).ok(),
                _ => Some(Value::String(answer)),
            }
        };
        values.extend(value.map(|value| (name.clone(), value)));
    }
    Some(Elicited::Values(Value::Object(values)))
}
