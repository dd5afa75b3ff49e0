//! Bodies against what the service's own client publishes of them: names, types, what must be
//! there, and which words a field takes. A field the client does not know is an error.
//!
//! Not a validator of JSON Schema: it knows the words that these files use.

use serde_json::Value;

/// Checks `body` against `published`, which is the text of a schema.
#[track_caller]
pub(super) fn check(published: &str, body: &Value) {
    let root: Value = serde_json::from_str(published).expect("a schema");
    if let Err(problem) = fits(&root, &root, body) {
        panic!("{problem}\n{body:#}");
    }
}

fn fits(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.trim_start_matches('#');
        let target = root.pointer(pointer).ok_or_else(|| format!("no {name} in the schema"))?;
        return fits(root, target, value);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let problems: Vec<String> =
            choices.iter().filter_map(|choice| fits(root, choice, value).err()).collect();
        let none = problems.len() == choices.len();
        return if none { Err(problems.join("; ")) } else { Ok(()) };
    }
    if schema.get("const").is_some_and(|wanted| wanted != value) {
        return Err(format!("{value} is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Err(format!("{value} is none of {}", schema["enum"]));
    }
    let right = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some(other) => return Err(format!("the type {other} is not known here")),
        None => true,
    };
    if !right {
        return Err(format!("{value} is no {}", schema["type"]));
    }
    if let Some(text) = value.as_str() {
        let least = schema["minLength"].as_u64().unwrap_or(0);
        let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
        let length = text.chars().count() as u64;
        if !(least..=most).contains(&length) {
            return Err(format!("{value} has {length} characters"));
        }
    }
    items(root, schema, value)?;
    members(root, schema, value)
}

fn items(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) else {
        return Ok(());
    };
    list.iter().try_for_each(|item| fits(root, items, item))
}

fn members(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let (Some(known), Some(object)) = (schema["properties"].as_object(), value.as_object()) else {
        return Ok(());
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        if !object.contains_key(name) {
            return Err(format!("`{name}` is missing in {value}"));
        }
    }
    if schema["maxProperties"].as_u64().is_some_and(|most| object.len() as u64 > most) {
        return Err(format!("{value} is more than one thing"));
    }
    object.iter().try_for_each(|(name, member)| match known.get(name) {
        Some(schema) => fits(root, schema, member).map_err(|problem| format!("{name}: {problem}")),
        None if schema["additionalProperties"] == true => Ok(()),
        None => Err(format!("`{name}` is not known")),
    })
}

#[test]
fn what_does_not_fit_is_noticed() {
    let schema = r##"{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/d/n"},"b":{"anyOf":[{"const":"x"},{"enum":["y"]}]},"c":{"type":"array","items":{"type":"boolean"}},"e":{"type":"object","properties":{"p":{},"q":{}},"maxProperties":1}},"d":{"n":{"type":"string","minLength":1,"maxLength":2}}}"##;
    let root: Value = serde_json::from_str(schema).expect("a schema");
    let tells = |json: &str| {
        let value = serde_json::from_str(json).expect("JSON");
        fits(&root, &root, &value).err().unwrap_or_default()
    };
    assert_eq!(tells(r#"{"a":"1","b":"y","c":[true],"e":{"p":1}}"#), "");
    assert_eq!(tells("{}"), "`a` is missing in {}");
    assert_eq!(tells(r#"{"a":1}"#), "a: 1 is no \"string\"");
    assert_eq!(tells(r#"{"a":"123"}"#), "a: \"123\" has 3 characters");
    assert_eq!(tells(r#"{"a":"1","b":"z"}"#), "b: \"z\" is not \"x\"; \"z\" is none of [\"y\"]");
    assert_eq!(tells(r#"{"a":"1","c":[0]}"#), "c: 0 is no \"boolean\"");
    assert_eq!(
        tells(r#"{"a":"1","e":{"p":1,"q":1}}"#),
        "e: {\"p\":1,\"q\":1} is more than one thing"
    );
    assert_eq!(tells(r#"{"a":"1","n":1}"#), "`n` is not known");
}
