//! Calling tools of other components, through the host: with no more than this component may do
//! itself, decided on like a call of the model's. Not a way to reach a component: only its tools.

use crate::bindings::imports::hydroid::cap::invoke;
use crate::types::{Error, Part};
use serde::Serialize;

/// Calls a tool with arguments that fit its schema.
pub fn call(tool: &str, arguments: &impl Serialize) -> Result<Vec<Part>, Error> {
    let arguments = serde_json::to_string(arguments)
        .map_err(|error| Error::invalid_input(format!("the arguments are no JSON: {error}")))?;
    invoke::call(tool, &arguments)
}

/// Calls a tool with arguments that are JSON text, and puts the texts it answers together.
pub fn call_text(tool: &str, arguments_json: &str) -> Result<String, Error> {
    Ok(text(invoke::call(tool, arguments_json)?))
}

/// The texts of an answer; JSON is a text, too.
pub fn text(parts: Vec<Part>) -> String {
    let texts = parts.into_iter().filter_map(|part| match part {
        Part::Text(text) | Part::Json(text) => Some(text),
        Part::Blob(_) | Part::Link(_) | Part::Other(_) => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}
