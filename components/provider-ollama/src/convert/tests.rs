//! Requests and the JSON they become.

use test_wire::{call, conversations, file, request, result, says, text, thought, tool};

use super::*;

fn config(json: Value) -> Config {
    serde_json::from_value(json).expect("a configuration")
}

#[track_caller]
fn check(request: Request, config: &Config, expected: Value) {
    let body =
        serde_json::to_value(super::request(request, config).expect("a body")).expect("JSON");
    assert_eq!(body, expected, "{body:#}");
}

#[test]
fn every_field_has_its_place() {
    let schema: Value = serde_json::from_str(&tool().input_schema).expect("JSON");
    check(
        Request {
            tools: vec![tool()],
            max_tokens: Some(5),
            temperature: Some(0.5),
            stop: vec!["END".to_owned()],
            response_schema: Some("{\"type\":\"object\"}".to_owned()),
            options_json: Some("{\"reasoning_effort\":\"high\",\"top_k\":3}".to_owned()),
            ..request(vec![
                says(Role::System, vec![text("be kind")]),
                says(Role::User, vec![text("hi")]),
            ])
        },
        &config(json!({"context": 8192, "keep_alive": "10m", "options": {"seed": 1}})),
        json!({
            "model": "gpt-5",
            "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}],
            "tools": [{"type": "function", "function": {"name": "file_read", "description": "Reads a file.", "parameters": schema}}],
            "format": {"type": "object"},
            "think": "high",
            "keep_alive": "10m",
            "stream": true,
            "options": {"seed": 1, "top_k": 3, "num_ctx": 8192, "num_predict": 5, "temperature": 0.5, "stop": ["END"]},
        }),
    );
}

#[test]
fn calls_results_images_and_thinking() {
    let messages = vec![
        says(
            Role::User,
            vec![
                text("look"),
                Block::Part(file("image/png", None, &[1])),
                Block::Part(file("application/pdf", Some("a.pdf"), b"%PDF")),
            ],
        ),
        says(
            Role::Assistant,
            vec![
                thought("hm", None),
                text("I look."),
                call("a", "{ \"path\": 1.0 }"),
                call("b", "oops"),
            ],
        ),
        says(
            Role::Tool,
            vec![result(
                "a",
                vec![Part::Text("alpha".to_owned()), file("image/png", None, &[2])],
                false,
            )],
        ),
        says(Role::Tool, vec![result("b", vec![], true)]),
    ];
    let body = super::request(request(messages), &Config::default()).expect("a body");
    let sent = serde_json::to_string(&body.messages).expect("JSON");
    assert!(sent.contains("\"arguments\":{ \"path\": 1.0 }"), "{sent}");
    assert_eq!(
        serde_json::to_value(body.messages).expect("JSON"),
        json!([
            {"role": "user", "content": "look\n[file `a.pdf` of type application/pdf, 4 bytes, which cannot be shown to the model]", "images": ["AQ=="]},
            {"role": "assistant", "content": "I look.", "thinking": "hm", "tool_calls": [
                {"id": "a", "function": {"name": "file_read", "arguments": {"path": 1.0}}},
                {"id": "b", "function": {"name": "file_read", "arguments": {}}},
            ]},
            {"role": "tool", "content": "alpha", "images": ["Ag=="], "tool_name": "file_read", "tool_call_id": "a"},
            {"role": "tool", "content": "The tool failed: ", "tool_name": "file_read", "tool_call_id": "b"},
        ])
    );
}

#[test]
fn every_conversation_becomes_a_request_or_a_sentence() {
    for (name, request) in conversations() {
        let forced =
            matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
        match super::request(request, &Config::default()) {
            Ok(body) => assert!(!forced && !body.messages.is_empty(), "{name}"),
            Err(error) => assert!(
                forced && error.message.contains("cannot make a model call"),
                "{name}: {error:?}"
            ),
        }
    }
    let none =
        Request { tools: vec![tool()], tool_choice: Some(ToolChoice::None), ..request(Vec::new()) };
    assert!(super::request(none, &Config::default()).expect("a body").tools.is_empty());
}

#[test]
fn effort_is_thinking() {
    #[track_caller]
    fn check(options: &str, expected: Value) {
        let request = Request { options_json: Some(options.to_owned()), ..request(Vec::new()) };
        let body = crate::convert::request(request, &Config::default()).expect("a body");
        assert_eq!(serde_json::to_value(body).expect("JSON")["think"], expected);
    }
    check("{}", Value::Null);
    check("{\"reasoning_effort\":\"none\"}", json!(false));
    check("{\"reasoning_effort\":\"minimal\"}", json!("low"));
    check("{\"think\":true,\"reasoning_effort\":\"low\"}", json!(true));
}

#[test]
fn bad_input_is_named() {
    #[track_caller]
    fn check(options: &str, expected: &str) {
        let request = Request { options_json: Some(options.to_owned()), ..request(Vec::new()) };
        let error = crate::convert::request(request, &Config::default()).expect_err("refused");
        assert!(error.message.contains(expected), "{error:?}");
    }
    check("[]", "the options of the request are no JSON object");
    check("{\"stop\":[]}", "`stop` cannot be set in options");
    check("{\"reasoning_effort\":1}", "it is one of none, minimal");
}

#[test]
fn models_claim_what_the_server_says() {
    let listed = ListedModel { name: Some("qwen3:4b".to_owned()), model: None };
    let shown = |capabilities: &str| {
        serde_json::from_str(&format!("{{\"model_info\":{{\"general.architecture\":\"qwen3\",\"qwen3.context_length\":40960}},\"capabilities\":[{capabilities}]}}")).expect("JSON")
    };
    let known = model(&listed, &shown("\"completion\",\"tools\",\"thinking\"")).expect("a model");
    assert_eq!((known.id.as_str(), known.context), ("qwen3:4b", Some(40960)));
    assert_eq!(
        known.features,
        Features::STREAMING | Features::JSON_SCHEMA | Features::TOOLS | Features::REASONING
    );
    assert!(model(&listed, &shown("\"embedding\"")).is_none());
    let unknown = model(&listed, &Shown::default()).expect("a model");
    assert_eq!(unknown.context, None);
}
