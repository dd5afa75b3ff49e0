//! Recordings, written as a test wants the model to answer. No test.

use crate::support::hydroid::Home;
use serde_json::{Value, json};

/// One answer of the model that calls a tool.
pub(super) fn calls(id: &str, tool: &str, arguments: &Value) -> Value {
    let call = json!({ "index": 0, "id": id, "name": tool, "arguments": arguments.to_string() });
    json!({ "request": {}, "events": [{ "tool_call": call }, { "finish": "tool-use" }] })
}

/// One answer of the model that ends the turn.
pub(super) fn says(text: &str) -> Value {
    json!({ "request": {}, "events": [{ "text": text }, { "finish": "end-turn" }] })
}

/// The same answer, with what it used.
pub(super) fn using(mut answer: Value, usage: &Value) -> Value {
    let events = answer["events"].as_array_mut().expect("an answer has events");
    events.insert(events.len() - 1, json!({ "usage": usage }));
    answer
}

/// A recording's text.
pub(super) fn recording(answers: &[Value]) -> String {
    let header = json!({ "hydroid_recording": 1, "model": "played" });
    std::iter::once(&header).chain(answers).map(|line| format!("{line}\n")).collect()
}

/// Writes a recording into the home; the path is for `--replay`.
pub(super) fn record(home: &Home, name: &str, answers: &[Value]) -> String {
    home.write(name, &recording(answers));
    home.path(name).to_str().expect("a temporary path is UTF-8").to_owned()
}
