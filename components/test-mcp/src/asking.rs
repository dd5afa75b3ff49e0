//! What needs something of the client first: a part of the kind `mcp.input-required` says what,
//! and the call comes again with what came.

use crate::Entry;
use hydroid_component::tool::Outcome;
use hydroid_component::types::{Ext, Part};
use serde_json::{Value, json};

fn asks(name: &'static str, schema: Value, prompt: bool, run: fn(&Value) -> Outcome) -> Entry {
    let mut schema = schema;
    schema["properties"]["input_responses"] = json!({ "type": "object" });
    schema["properties"]["input_state"] = json!({});
    let options = Some(json!({ "mcp": { "input": true, "prompt": prompt } }));
    Entry { name, description: "Asks the client for something", schema, options, run }
}

fn nothing() -> Value {
    json!({ "type": "object", "properties": {} })
}

fn wants(requests: &Value, state: Option<Value>) -> Outcome {
    let json = json!({ "requests": requests, "state": state }).to_string();
    let kind = "mcp.input-required".to_owned();
    Outcome::from(vec![Part::Other(Ext { kind, json })])
}

fn elicitation(message: &str, schema: &Value) -> Value {
    json!({
        "method": "elicitation/create",
        "params": { "mode": "form", "message": message, "requestedSchema": schema },
    })
}

fn form(name: &str, kind: &str) -> Value {
    json!({ "type": "object", "properties": { name: { "type": kind } }, "required": [name] })
}

fn sampling(text: &str, most: u32) -> Value {
    json!({
        "method": "sampling/createMessage",
        "params": {
            "messages": [{ "role": "user", "content": { "type": "text", "text": text } }],
            "maxTokens": most,
        },
    })
}

fn roots() -> Value {
    json!({ "method": "roots/list", "params": {} })
}

/// What came for a request; none before it was asked.
fn came<'a>(arguments: &'a Value, name: &str) -> Option<&'a Value> {
    arguments.get("input_responses")?.get(name)
}

/// A value that a person typed.
fn typed<'a>(arguments: &'a Value, name: &str, field: &str) -> Option<&'a str> {
    came(arguments, name)?.get("content")?.get(field)?.as_str()
}

/// The text a model said.
fn said(answer: &Value) -> String {
    let text = answer.get("content").and_then(|content| content.get("text"));
    text.and_then(Value::as_str).unwrap_or("(nothing)").to_owned()
}

fn elicited(arguments: &Value, message: &str, schema: &Value, what: &str) -> Outcome {
    match came(arguments, "answer") {
        None => wants(&json!({ "answer": elicitation(message, schema) }), None),
        Some(answer) => {
            let action = answer.get("action").and_then(Value::as_str).unwrap_or_default();
            let content = answer.get("content").cloned().unwrap_or_default();
            Outcome::from(format!("{what}: action={action}, content={content}"))
        }
    }
}

pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = before();
    entries.extend(since());
    entries
}

fn before() -> Vec<Entry> {
    let one = |name: &str| {
        json!({
            "type": "object",
            "required": [name],
            "properties": { name: { "type": "string", "description": "What to ask" } },
        })
    };
    vec![
        asks("test_missing_capability", nothing(), false, |arguments| {
            match came(arguments, "answer") {
                None => wants(&json!({ "answer": sampling("Say something", 10) }), None),
                Some(answer) => Outcome::from(format!("LLM response: {}", said(answer))),
            }
        }),
        asks("test_streaming_elicitation", nothing(), false, |arguments| {
            let properties = json!({ "name": { "type": "string" } });
            let schema = json!({ "type": "object", "properties": properties });
            elicited(arguments, "Who are you?", &schema, "User response")
        }),
        asks("test_sampling", one("prompt"), false, |arguments| match came(arguments, "answer") {
            None => {
                let prompt = arguments["prompt"].as_str().unwrap_or_default();
                wants(&json!({ "answer": sampling(prompt, 100) }), None)
            }
            Some(answer) => Outcome::from(format!("LLM response: {}", said(answer))),
        }),
        asks("test_elicitation", one("message"), false, |arguments| {
            let schema = json!({
                "type": "object",
                "properties": {
                    "username": { "type": "string", "description": "User's response" },
                    "email": { "type": "string", "description": "User's email address" },
                },
                "required": ["username", "email"],
            });
            let message = arguments["message"].as_str().unwrap_or_default();
            elicited(arguments, message, &schema, "User response")
        }),
        asks("test_elicitation_sep1034_defaults", nothing(), false, |arguments| {
            let schema = json!({
                "type": "object",
                "properties": {
                    "name": { "type": "string", "default": "John Doe" },
                    "age": { "type": "integer", "default": 30 },
                    "score": { "type": "number", "default": 95.5 },
                    "status": {
                        "type": "string",
                        "enum": ["active", "inactive", "pending"],
                        "default": "active",
                    },
                    "verified": { "type": "boolean", "default": true },
                },
                "required": [],
            });
            elicited(arguments, "Please review", &schema, "Elicitation completed")
        }),
        asks("test_elicitation_sep1330_enums", nothing(), false, |arguments| {
            let titled = json!([
                { "const": "value1", "title": "First Option" },
                { "const": "value2", "title": "Second Option" },
                { "const": "value3", "title": "Third Option" },
            ]);
            let plain = json!(["option1", "option2", "option3"]);
            let schema = json!({
                "type": "object",
                "properties": {
                    "untitledSingle": { "type": "string", "enum": plain },
                    "titledSingle": { "type": "string", "oneOf": titled },
                    "legacyEnum": {
                        "type": "string",
                        "enum": ["opt1", "opt2", "opt3"],
                        "enumNames": ["Option One", "Option Two", "Option Three"],
                    },
                    "untitledMulti": { "type": "array", "items": { "type": "string", "enum": plain } },
                    "titledMulti": {
                        "type": "array",
                        "items": {
                            "anyOf": [
                                { "const": "value1", "title": "First Choice" },
                                { "const": "value2", "title": "Second Choice" },
                                { "const": "value3", "title": "Third Choice" },
                            ],
                        },
                    },
                },
                "required": [],
            });
            elicited(arguments, "Please choose", &schema, "Elicitation completed")
        }),
    ]
}

fn since() -> Vec<Entry> {
    vec![
        asks("test_input_required_result_elicitation", nothing(), false, |arguments| {
            match typed(arguments, "user_name", "name") {
                Some(name) => Outcome::from(format!("Hello, {name}!")),
                None => {
                    let ask = elicitation("What is your name?", &form("name", "string"));
                    wants(&json!({ "user_name": ask }), None)
                }
            }
        }),
        asks("test_input_required_result_sampling", nothing(), false, |arguments| {
            match came(arguments, "capital_question") {
                Some(answer) => Outcome::from(said(answer)),
                None => {
                    let ask = sampling("What is the capital of France?", 100);
                    wants(&json!({ "capital_question": ask }), None)
                }
            }
        }),
        asks("test_input_required_result_list_roots", nothing(), false, |arguments| {
            match came(arguments, "client_roots") {
                Some(answer) => Outcome::from(format!("roots: {}", answer["roots"])),
                None => wants(&json!({ "client_roots": roots() }), None),
            }
        }),
        asks("test_input_required_result_request_state", nothing(), false, state_ok),
        asks("test_input_required_result_tampered_state", nothing(), false, state_ok),
        asks("test_input_required_result_multiple_inputs", nothing(), false, |arguments| {
            let all = ["user_name", "greeting", "client_roots"];
            if all.iter().all(|name| came(arguments, name).is_some()) {
                return Outcome::from("all three came");
            }
            let requests = json!({
                "user_name": elicitation("What is your name?", &form("name", "string")),
                "greeting": sampling("Generate a greeting", 50),
                "client_roots": roots(),
            });
            wants(&requests, Some(json!("multiple")))
        }),
        asks("test_input_required_result_multi_round", nothing(), false, |arguments| {
            let name = typed(arguments, "step1", "name").map(str::to_owned);
            let name = name
                .or_else(|| arguments.get("input_state")?.get("name")?.as_str().map(str::to_owned));
            match (name, typed(arguments, "step2", "color")) {
                (Some(name), Some(color)) => Outcome::from(format!("{name} likes {color}")),
                (Some(name), None) => {
                    let ask = elicitation(
                        "Step 2: What is your favorite color?",
                        &form("color", "string"),
                    );
                    wants(&json!({ "step2": ask }), Some(json!({ "name": name })))
                }
                (None, _) => {
                    let ask = elicitation("Step 1: What is your name?", &form("name", "string"));
                    wants(&json!({ "step1": ask }), Some(json!({ "round": 1 })))
                }
            }
        }),
        asks("test_input_required_result_capabilities", nothing(), false, |arguments| {
            if arguments.get("input_responses").is_some() {
                return Outcome::from("something came");
            }
            let requests = json!({
                "user_name": elicitation("What is your name?", &form("name", "string")),
                "greeting": sampling("Generate a greeting", 50),
            });
            wants(&requests, None)
        }),
        asks("test_input_required_result_prompt", nothing(), true, |arguments| {
            match typed(arguments, "user_context", "context") {
                Some(context) => Outcome::from(format!("Use this context: {context}")),
                None => {
                    let ask = elicitation(
                        "What context should the prompt use?",
                        &form("context", "string"),
                    );
                    wants(&json!({ "user_context": ask }), None)
                }
            }
        }),
    ]
}

fn state_ok(arguments: &Value) -> Outcome {
    if arguments.get("input_state") == Some(&json!("made here")) {
        return Outcome::from("state-ok");
    }
    let ask = elicitation("Please confirm", &form("ok", "boolean"));
    wants(&json!({ "confirm": ask }), Some(json!("made here")))
}
