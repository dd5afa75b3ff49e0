//! Commands and the calls they become, for several shapes of schema.

use super::*;
use crate::grammar::parse;

fn tool(name: &str, properties: Value) -> ToolDefinition {
    ToolDefinition {
        name: name.to_owned(),
        description: String::new(),
        input_schema: json!({"type": "object", "properties": properties}).to_string(),
    }
}

#[track_caller]
fn check(
    sentence: &str,
    offered: &[ToolDefinition],
    expected: Result<Option<(&str, Value)>, &str>,
) {
    let [command] = &parse(sentence)[..] else { panic!("one command: {sentence}") };
    let actual = call_for(command, offered);
    let actual = actual.map(|call| {
        call.map(|call| (call.tool, serde_json::from_str::<Value>(&call.arguments).expect("JSON")))
    });
    let expected = expected
        .map(|call| call.map(|(tool, arguments)| (tool.to_owned(), arguments)))
        .map_err(str::to_owned);
    assert_eq!(actual, expected, "sentence: {sentence}");
}

#[test]
fn arguments_have_the_names_of_the_schema() {
    check(
        "read a.txt",
        &[tool("file_read", json!({"path": {"type": "string"}}))],
        Ok(Some(("file_read", json!({"path": "a.txt"})))),
    );
    check(
        "read a.txt",
        &[tool("file_read", json!({"file_path": {"type": "string"}}))],
        Ok(Some(("file_read", json!({"file_path": "a.txt"})))),
    );
    check(
        "search for tea in docs",
        &[tool("file_search", json!({"path": {}, "pattern": {}}))],
        Ok(Some(("file_search", json!({"path": "docs", "pattern": "tea"})))),
    );
    check(
        "list files recursively",
        &[tool("file_list", json!({"path": {}, "recursive": {"type": "boolean"}}))],
        Ok(Some(("file_list", json!({"recursive": true})))),
    );
    check(
        "list files in docs recursively",
        &[tool(
            "file_list",
            json!({"path": {}, "depth": {"type": ["integer", "null"]}, "glob": {}}),
        )],
        Ok(Some(("file_list", json!({"path": "docs", "depth": 64})))),
    );
    check(
        "search for a.b",
        &[tool("file_search", json!({"path": {}, "pattern": {}, "literal": {"type": "boolean"}}))],
        Ok(Some(("file_search", json!({"pattern": "a.b", "literal": true})))),
    );
    check(
        "what time is it in Asia/Tokyo",
        &[tool("time_now", json!({"zone": {"type": ["string", "null"]}}))],
        Ok(Some(("time_now", json!({"zone": "Asia/Tokyo"})))),
    );
}

#[test]
fn json_is_passed_as_the_schema_wants_it() {
    let query =
        |kind: Value| tool("json_query", json!({"filter": {"type": "string"}, "json": kind}));
    let sentence = "query .a in {\"a\":1}";
    let text = json!({"filter": ".a", "json": "{\"a\":1}"});
    let value = json!({"filter": ".a", "json": {"a": 1}});
    check(sentence, &[query(json!({"type": "string"}))], Ok(Some(("json_query", text.clone()))));
    check(sentence, &[query(json!({}))], Ok(Some(("json_query", text))));
    check(sentence, &[query(json!({"type": "object"}))], Ok(Some(("json_query", value))));
}

#[test]
fn modes_of_writing_are_found_in_the_schema() {
    let plain = tool("file_write", json!({"path": {}, "content": {}}));
    let listed = tool(
        "file_write",
        json!({"path": {}, "content": {}, "mode": {"enum": ["create", "replace", "append"]}}),
    );
    let mut derived =
        tool("file_write", json!({"path": {}, "content": {}, "mode": {"$ref": "#/$defs/Mode"}}));
    let mut schema: Value = serde_json::from_str(&derived.input_schema).expect("JSON");
    schema["$defs"] = json!({"Mode": {"oneOf": [{"const": "overwrite"}, {"const": "append"}]}});
    derived.input_schema = schema.to_string();
    let switch =
        tool("file_write", json!({"path": {}, "content": {}, "append": {"type": "boolean"}}));

    let call = |extra: Value| {
        let mut arguments = json!({"path": "a", "content": "x"});
        arguments
            .as_object_mut()
            .expect("object")
            .extend(extra.as_object().expect("object").clone());
        Ok(Some(("file_write", arguments)))
    };
    check("write a: x", std::slice::from_ref(&plain), call(json!({})));
    check("write a: x", std::slice::from_ref(&listed), call(json!({"mode": "replace"})));
    check("write a: x", std::slice::from_ref(&derived), call(json!({"mode": "overwrite"})));
    check("append a: x", &[listed], call(json!({"mode": "append"})));
    check("append a: x", &[derived], call(json!({"mode": "append"})));
    check("append a: x", &[switch], call(json!({"append": true})));
    check(
        "append a: x",
        &[plain],
        Err("the offered tool `file_write` cannot append; use `replace A with B in FILE`"),
    );
}

#[test]
fn edits_may_be_flat_or_a_list() {
    check(
        "replace x with y in a",
        &[tool("file_edit", json!({"path": {}, "old": {}, "new": {}}))],
        Ok(Some(("file_edit", json!({"path": "a", "old": "x", "new": "y"})))),
    );
    let item =
        json!({"type": "object", "properties": {"find": {}, "replace": {}, "replace_all": {}}});
    check(
        "replace x with y in a",
        &[tool("file_edit", json!({"path": {}, "edits": {"type": "array", "items": item}}))],
        Ok(Some((
            "file_edit",
            json!({"path": "a", "edits": [{"find": "x", "replace": "y", "replace_all": true}]}),
        ))),
    );
}

#[test]
fn a_missing_tool_is_named_with_what_there_is() {
    check(
        "delete a",
        &[],
        Err("I would need the tool `file_delete`, but no tools are offered to me"),
    );
    check(
        "call nope {}",
        &[tool("b", json!({})), tool("a", json!({}))],
        Err("I would need the tool `nope`, which is not offered to me; I have: a, b"),
    );
    check(
        "read a",
        &[tool("file_read", json!({"inode": {}}))],
        Err(
            "the offered tool `file_read` has no argument I know for this (looked for path, file, file_path, filename); say `call file_read {json}`",
        ),
    );
}

#[test]
fn memory_is_used_where_it_is_offered() {
    check("remember tea", &[], Ok(None));
    check(
        "remember tea",
        &[tool("memory_save", json!({"text": {}}))],
        Ok(Some(("memory_save", json!({"text": "tea"})))),
    );
    check(
        "recall tea",
        &[tool("memory_search", json!({"query": {}}))],
        Ok(Some(("memory_search", json!({"query": "tea"})))),
    );
}
