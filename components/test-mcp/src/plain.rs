//! What answers at once.

use crate::{Entry, PNG, WAV, blob, text};
use hydroid_component::control;
use hydroid_component::tool::Outcome;
use serde_json::{Value, json};
use std::time::Duration;

/// How long the suite wants to wait between two notes.
const BETWEEN: Duration = Duration::from_millis(50);

fn nothing() -> Value {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

fn tool(name: &'static str, description: &'static str, run: fn(&Value) -> Outcome) -> Entry {
    Entry { name, description, schema: nothing(), options: None, run }
}

fn prompt(name: &'static str, schema: Value, run: fn(&Value) -> Outcome) -> Entry {
    let options = Some(json!({ "mcp": { "prompt": true } }));
    Entry { name, description: "A prompt for tests", schema, options, run }
}

fn resource(
    name: &'static str,
    resource: Value,
    schema: Value,
    run: fn(&Value) -> Outcome,
) -> Entry {
    let options = Some(json!({ "mcp": { "resource": resource } }));
    Entry { name, description: "A resource for tests", schema, options, run }
}

fn argument<'a>(arguments: &'a Value, name: &str) -> &'a str {
    arguments.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = tools();
    entries.extend(prompts());
    entries.extend(resources());
    entries
}

fn tools() -> Vec<Entry> {
    vec![
        tool("test_simple_text", "Answers with text", |_| {
            Outcome::from("This is a simple text response for testing.")
        }),
        tool("test_image_content", "Answers with an image", |_| {
            Outcome::from(vec![blob("image/png", PNG, None)])
        }),
        tool("test_audio_content", "Answers with a sound", |_| {
            Outcome::from(vec![blob("audio/wav", WAV, None)])
        }),
        tool("test_embedded_resource", "Answers with a resource", |_| {
            let data = b"This is an embedded resource content.";
            Outcome::from(vec![blob("text/plain", data, Some("test://embedded-resource"))])
        }),
        tool("test_multiple_content_types", "Answers with several things", |_| {
            let data = br#"{"test":"data","value":123}"#;
            Outcome::from(vec![
                text("Multiple content types test:"),
                blob("image/png", PNG, None),
                blob("application/json", data, Some("test://mixed-content-resource")),
            ])
        }),
        tool("test_error_handling", "Fails", |_| {
            Outcome::failed("This tool intentionally returns an error for testing")
        }),
        tool("test_tool_with_logging", "Tells what it does", |_| {
            control::progress(None, "Tool execution started");
            std::thread::sleep(BETWEEN);
            control::progress(None, "Tool processing data");
            std::thread::sleep(BETWEEN);
            control::progress(None, "Tool execution completed");
            Outcome::from("Tool with logging executed successfully")
        }),
        tool("test_logging_tool", "Tells what it does", |_| {
            control::progress(None, "Tool execution started");
            Outcome::from("Tool with logging executed successfully")
        }),
        tool("test_tool_with_progress", "Tells how far it is", |_| {
            for (place, fraction) in [0.0, 0.5, 1.0].into_iter().enumerate() {
                if place > 0 {
                    std::thread::sleep(BETWEEN);
                }
                control::progress(Some(fraction), "");
            }
            Outcome::from("Tool with progress executed successfully")
        }),
        Entry {
            name: "json_schema_2020_12_tool",
            description: "Takes arguments with everything a schema can say",
            schema: json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "$defs": {
                    "address": {
                        "$anchor": "addressDef",
                        "type": "object",
                        "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
                    },
                },
                "properties": {
                    "name": { "type": "string" },
                    "address": { "$ref": "#/$defs/address" },
                    "contactMethod": { "type": "string", "enum": ["phone", "email"] },
                    "phone": { "type": "string" },
                    "email": { "type": "string" },
                },
                "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
                "if": {
                    "properties": { "contactMethod": { "const": "phone" } },
                    "required": ["contactMethod"],
                },
                "then": { "required": ["phone"] },
                "else": { "required": ["email"] },
                "additionalProperties": false,
            }),
            options: None,
            run: |_| Outcome::from("as the schema says"),
        },
    ]
}

fn prompts() -> Vec<Entry> {
    let texts = |names: [(&str, &str, &[&str]); 2]| {
        let property = |(name, about, examples): (&str, &str, &[&str])| {
            (
                name.to_owned(),
                json!({ "type": "string", "description": about, "examples": examples }),
            )
        };
        let properties: serde_json::Map<String, Value> = names.into_iter().map(property).collect();
        let required: Vec<&String> = properties.keys().collect();
        json!({ "type": "object", "required": required, "properties": properties })
    };
    vec![
        prompt("test_simple_prompt", nothing(), |_| {
            Outcome::from("This is a simple prompt for testing.")
        }),
        prompt(
            "test_prompt_with_arguments",
            texts([
                ("arg1", "First test argument", &["paris", "park", "party", "test"]),
                ("arg2", "Second test argument", &[]),
            ]),
            |arguments| {
                let (one, two) = (argument(arguments, "arg1"), argument(arguments, "arg2"));
                Outcome::from(format!("Prompt with arguments: arg1='{one}', arg2='{two}'"))
            },
        ),
        prompt(
            "test_prompt_with_embedded_resource",
            json!({
                "type": "object",
                "required": ["resourceUri"],
                "properties": {
                    "resourceUri": { "type": "string", "description": "URI of the resource to embed" },
                },
            }),
            |arguments| {
                let uri = argument(arguments, "resourceUri");
                let data = b"Embedded resource content for testing.";
                Outcome::from(vec![
                    blob("text/plain", data, Some(uri)),
                    text("Please process the embedded resource above."),
                ])
            },
        ),
        prompt("test_prompt_with_image", nothing(), |_| {
            Outcome::from(vec![
                blob("image/png", PNG, None),
                text("Please analyze the image above."),
            ])
        }),
    ]
}

fn resources() -> Vec<Entry> {
    vec![
        resource(
            "test_static_text",
            json!({ "uri": "test://static-text", "media_type": "text/plain" }),
            nothing(),
            |_| Outcome::from("This is the content of the static text resource."),
        ),
        resource(
            "test_static_binary",
            json!({ "uri": "test://static-binary", "media_type": "image/png" }),
            nothing(),
            |_| Outcome::from(vec![blob("image/png", PNG, None)]),
        ),
        resource(
            "test_watched_resource",
            json!({ "uri": "test://watched-resource", "media_type": "text/plain" }),
            nothing(),
            |_| Outcome::from("Watched resource content"),
        ),
        resource(
            "test_template",
            json!({ "uri_template": "test://template/{id}/data", "media_type": "application/json" }),
            json!({
                "type": "object",
                "required": ["id"],
                "properties": { "id": { "type": "string" } },
            }),
            |arguments| {
                let id = argument(arguments, "id");
                let data =
                    json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
                Outcome::from(data.to_string())
            },
        ),
    ]
}
