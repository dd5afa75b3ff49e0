//! What an author may rely on: the schema, the dispatch and where each failure goes.

use serde::Deserialize;

use super::*;

/// Arguments of `greet`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Greet {
    /// Who to greet.
    name: String,
    /// How often.
    times: Option<u32>,
}

fn greet(arguments: Greet) -> Result<String, ToolError> {
    match arguments.name.as_str() {
        "nobody" => Err(ToolError::failed("nobody to greet; give a `name`")),
        "cancel" => Err(Error::cancelled().into()),
        "denied" => Err(Error::new(ErrorKind::Denied, "no greeting allowed").into()),
        name => Ok(format!("hello {name}").repeat(arguments.times.unwrap_or(1) as usize)),
    }
}

fn tools() -> Vec<Tool> {
    vec![
        Tool::new("greet", "Greets.", greet).read_only(),
        Tool::structured("count", "Counts.", |arguments: Greet| {
            let value = arguments.name.chars().count();
            Ok(Structured { text: value.to_string(), value })
        }),
    ]
}

fn call(name: &str, arguments: &str) -> Result<Outcome, Error> {
    dispatch(&tools(), &Call { id: "1".into(), name: name.into(), args_json: arguments.into() })
}

#[track_caller]
fn text(outcome: &Outcome) -> &str {
    match outcome.content.as_slice() {
        [Part::Text(text)] => text,
        other => panic!("not one text: {other:?}"),
    }
}

#[test]
fn the_schema_is_strict_and_documented() {
    let definition = tools()[0].definition();
    let schema: serde_json::Value = serde_json::from_str(&definition.input_schema).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema.get("title"), None);
    assert_eq!(schema["required"], serde_json::json!(["name"]));
    assert_eq!(schema["properties"]["name"]["description"], "Who to greet.");
    assert!(definition.hints.read_only && !definition.hints.destructive);
}

#[test]
fn a_structured_tool_gives_text_data_and_an_output_schema() {
    let outcome = call("count", r#"{"name":"añb"}"#).unwrap();
    assert_eq!(text(&outcome), "3");
    assert_eq!(outcome.structured_json.as_deref(), Some("3"));
    assert!(tools()[1].definition().output_schema.unwrap().contains("integer"));
}

#[test]
fn a_failure_and_a_refusal_of_the_host_are_outcomes_the_model_reads() {
    let outcome = call("greet", r#"{"name":"nobody"}"#).unwrap();
    assert!(outcome.is_error);
    assert_eq!(text(&outcome), "nobody to greet; give a `name`");
    let outcome = call("greet", r#"{"name":"denied"}"#).unwrap();
    assert!(outcome.is_error);
    assert_eq!(text(&outcome), "no greeting allowed");
}

#[test]
fn what_could_not_run_is_an_error() {
    assert_eq!(call("greet", r#"{"name":"cancel"}"#).unwrap_err().kind, ErrorKind::Cancelled);
    assert_eq!(call("grete", "{}").unwrap_err().kind, ErrorKind::NotFound);
    for arguments in ["", "[]", "{", r#"{"name":1}"#, r#"{"name":"a","extra":1}"#] {
        let error = call("greet", arguments).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{arguments}");
    }
    let error = call("greet", r#"{"name":"a","extra":1}"#).unwrap_err();
    assert!(error.message.contains("`extra`"), "{}", error.message);
}
