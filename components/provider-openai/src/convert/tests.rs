//! Requests and the JSON they become.

use hydroid_component::provider::{Reasoning, ToolCall as ContractCall};
use test_wire::{PublishedSchema, conversations, file, request as of_messages, result, says, text};

use super::*;

fn request(messages: Vec<Message>) -> Request {
    Request { model: "m".to_owned(), ..of_messages(messages) }
}

fn call(id: &str, args: &str) -> Block {
    Block::ToolCall(ContractCall {
        id: id.to_owned(),
        name: "t".to_owned(),
        args_json: args.to_owned(),
    })
}

fn config(json: Value) -> Config {
    serde_json::from_value(json).expect("a configuration")
}

#[track_caller]
fn check(request: Request, config: &Config, expected: Value) {
    let body =
        serde_json::to_value(super::request(request, config).expect("a body")).expect("JSON");
    assert_eq!(body, expected, "{body:#}");
}

#[track_caller]
fn check_messages(messages: Vec<Message>, expected: Value) {
    let body = super::request(request(messages), &config(json!({}))).expect("a body");
    let messages = serde_json::to_value(body.messages).expect("JSON");
    assert_eq!(messages, expected, "{messages:#}");
}

#[test]
fn every_field_has_its_place() {
    let schema = r#"{"type":"object","properties":{"z":{},"a":{}}}"#;
    let full = Request {
        tools: vec![ToolDefinition {
            name: "t".to_owned(),
            description: "d".to_owned(),
            input_schema: schema.to_owned(),
        }],
        tool_choice: Some(ToolChoice::Named("t".to_owned())),
        max_tokens: Some(5),
        temperature: Some(0.5),
        stop: vec!["END".to_owned()],
        response_schema: Some("{\"type\":\"object\"}".to_owned()),
        options_json: Some("{\"reasoning_effort\":\"high\"}".to_owned()),
        ..request(vec![says(Role::User, vec![text("hi")])])
    };
    check(
        full,
        &config(json!({"options": {"seed": 1, "reasoning_effort": "low"}})),
        json!({
            "model": "m",
            "messages": [{"role": "user", "content": "hi"}],
            "tools": [{"type": "function", "function": {"name": "t", "description": "d", "parameters": {"type": "object", "properties": {"z": {}, "a": {}}}}}],
            "tool_choice": {"type": "function", "function": {"name": "t"}},
            "max_completion_tokens": 5,
            "temperature": 0.5,
            "stop": ["END"],
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": true}},
            "stream": true,
            "stream_options": {"include_usage": true},
            "seed": 1,
            "reasoning_effort": "high",
        }),
    );
}

#[test]
fn the_order_of_a_schema_is_kept() {
    let schema = r#"{"properties":{"z":{},"a":{}}}"#;
    let tools = vec![ToolDefinition {
        name: "t".to_owned(),
        description: String::new(),
        input_schema: schema.to_owned(),
    }];
    let body = super::request(Request { tools, ..request(Vec::new()) }, &Config::default())
        .expect("a body");
    let text = serde_json::to_string(&body).expect("JSON");
    assert!(text.contains(schema), "{text}");
}

#[test]
fn services_differ_by_configuration() {
    check(
        Request {
            max_tokens: Some(5),
            tool_choice: Some(ToolChoice::Required),
            ..request(vec![says(Role::System, vec![text("be kind")])])
        },
        &config(
            json!({"system_role": "developer", "max_tokens_field": "max_tokens", "stream": false}),
        ),
        json!({"model": "m", "messages": [{"role": "developer", "content": "be kind"}], "max_tokens": 5, "stream": false}),
    );
}

#[test]
fn media_becomes_parts() {
    let link =
        Link { uri: "https://e.org/p".to_owned(), media_type: None, title: Some("P".to_owned()) };
    let parts = vec![
        text("see"),
        Block::Part(file("image/png", None, &[1, 2])),
        Block::Part(file("application/pdf", Some("a.pdf"), &[3])),
        Block::Part(file("audio/mpeg", None, &[4])),
        Block::Part(file("text/csv", Some("t.csv"), b"a,b")),
        Block::Part(file("application/zip", Some("z"), &[0xff])),
        Block::Part(Part::Link(link)),
    ];
    check_messages(
        vec![says(Role::User, parts)],
        json!([{"role": "user", "content": [
            {"type": "text", "text": "see"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AQI="}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,Aw=="}},
            {"type": "input_audio", "input_audio": {"data": "BA==", "format": "mp3"}},
            {"type": "text", "text": "File `t.csv`:\na,b"},
            {"type": "text", "text": "[file `z` of type application/zip, 1 bytes, which cannot be shown to the model]"},
            {"type": "text", "text": "P: https://e.org/p"},
        ]}]),
    );
}

#[test]
fn images_of_results_follow_behind_the_last_result() {
    check_messages(
        vec![
            says(Role::Assistant, vec![call("a", "{ }"), call("b", "")]),
            says(
                Role::Tool,
                vec![result(
                    "a",
                    vec![Part::Text("ok".to_owned()), file("image/png", None, &[1])],
                    false,
                )],
            ),
            says(Role::Tool, vec![result("b", vec![Part::Json("{}".to_owned())], true)]),
            says(Role::Assistant, vec![text("done")]),
        ],
        json!([
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "t", "arguments": "{ }"}},
                {"id": "b", "type": "function", "function": {"name": "t", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "a", "content": "ok\n[1 attachments of this result follow in a message of the user]"},
            {"role": "tool", "tool_call_id": "b", "content": "The tool failed: {}"},
            {"role": "user", "content": [
                {"type": "text", "text": "Attachments of the result of tool call `a`:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AQ=="}},
            ]},
            {"role": "assistant", "content": "done"},
        ]),
    );
}

#[test]
fn thinking_is_sent_back_only_where_it_is_wanted() {
    let thought = || Block::Reasoning(Reasoning { text: "hm".to_owned(), opaque: None });
    let messages = || {
        vec![
            says(Role::Assistant, vec![thought(), text("4")]),
            says(Role::Assistant, vec![thought()]),
        ]
    };
    check_messages(messages(), json!([{"role": "assistant", "content": "4"}]));
    let body = super::request(
        request(messages()),
        &config(json!({"send_reasoning": "reasoning_content"})),
    )
    .expect("a body");
    assert_eq!(
        serde_json::to_value(body.messages).expect("JSON"),
        json!([{"role": "assistant", "content": "4", "reasoning_content": "hm"}])
    );
}

#[test]
fn bad_input_is_named() {
    #[track_caller]
    fn check(request: Request, expected: &str) {
        let error = crate::convert::request(request, &Config::default()).expect_err("refused");
        assert!(error.message.contains(expected), "{error:?}");
    }
    let options =
        |text: &str| Request { options_json: Some(text.to_owned()), ..request(Vec::new()) };
    check(options("[]"), "the options of the request are no JSON object");
    check(options("{\"stream\":false}"), "`stream` cannot be set in options");
    check(
        Request { response_schema: Some("{".to_owned()), ..request(Vec::new()) },
        "the response schema is not JSON",
    );
    let tools = vec![ToolDefinition {
        name: "t".to_owned(),
        description: String::new(),
        input_schema: "{".to_owned(),
    }];
    check(Request { tools, ..request(Vec::new()) }, "the schema of the tool `t` is not JSON");
}

#[test]
fn listed_models_claim_what_the_service_says() {
    let listed = serde_json::from_value(json!({
        "id": "a/b", "object": "model", "context_length": 1000,
        "architecture": {"input_modalities": ["text", "image"]}, "supported_parameters": ["tools", "reasoning"],
    }));
    let model = model(listed.expect("a model"));
    assert_eq!((model.id.as_str(), model.name.as_str(), model.context), ("a/b", "a/b", Some(1000)));
    assert_eq!(
        model.features,
        Features::TOOLS | Features::STREAMING | Features::IMAGES | Features::REASONING
    );
}

#[test]
fn every_request_fits_the_published_schema() {
    let schema = PublishedSchema::named("CreateChatCompletionRequest");
    for settings in
        [json!({}), json!({"system_role": "developer", "stream": false, "cache_control": true})]
    {
        let config = config(settings);
        for (name, request) in conversations() {
            let body = super::request(request, &config)
                .unwrap_or_else(|error| panic!("{name}: {error:?}"));
            schema.check(&serde_json::to_value(body).expect("JSON"));
        }
    }
    assert!(
        !schema.fits(&json!({"model": "m", "messages": [{"role": "user"}]})),
        "the schema sees something"
    );
}

#[test]
fn signed_thinking_goes_back_to_the_model_that_signed_it() {
    let kept = r#"{"model":"m","reasoning_details":[{ "signature":"S+/=" }],"extra_content":{"a":{"google":{"s":"x"}}}}"#;
    let thought =
        || Block::Reasoning(Reasoning { text: "hm".to_owned(), opaque: Some(kept.into()) });
    let messages = || vec![says(Role::Assistant, vec![thought(), text("4"), call("a", "{}")])];
    let body = super::request(request(messages()), &Config::default()).expect("a body");
    let sent = serde_json::to_string(&body.messages).expect("JSON");
    assert!(sent.contains(r#""reasoning_details":[{ "signature":"S+/=" }]"#), "{sent}");
    assert!(sent.contains(r#""extra_content":{"google":{"s":"x"}}"#), "{sent}");
    for (model, settings) in [("other", json!({})), ("m", json!({"send_reasoning": "never"}))] {
        let request = Request { model: model.to_owned(), ..request(messages()) };
        let body = super::request(request, &config(settings)).expect("a body");
        let sent = serde_json::to_string(&body.messages).expect("JSON");
        assert!(!sent.contains("google") && !sent.contains("signature"), "{sent}");
    }
}

#[test]
fn a_service_that_knows_only_json_reads_the_schema() {
    check(
        Request {
            response_schema: Some("{\"type\":\"object\"}".to_owned()),
            ..request(vec![
                says(Role::System, vec![text("be kind")]),
                says(Role::User, vec![text("hi")]),
            ])
        },
        &config(json!({"response_format": "json_object", "stream": false})),
        json!({
            "model": "m",
            "messages": [
                {"role": "system", "content": "be kind"},
                {"role": "system", "content": "Answer with one JSON object and nothing else. It must fit this JSON Schema:\n{\"type\":\"object\"}"},
                {"role": "user", "content": "hi"},
            ],
            "response_format": {"type": "json_object"},
            "stream": false,
        }),
    );
}

#[test]
fn identifiers_of_nine_characters_stay_pairs() {
    let messages = vec![
        says(Role::Assistant, vec![call("call_1", "{}"), call("abcDEF123", "{}")]),
        says(Role::Tool, vec![result("call_1", vec![], false), result("abcDEF123", vec![], false)]),
    ];
    let body = super::request(request(messages), &config(json!({"call_ids": "nine_characters"})));
    let sent = serde_json::to_value(body.expect("a body").messages).expect("JSON");
    let first = sent[0]["tool_calls"][0]["id"].as_str().expect("an identifier");
    assert!(first.len() == 9 && first.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{first}");
    assert_eq!(sent[1]["tool_call_id"], first);
    assert_eq!(sent[2]["tool_call_id"], "abcDEF123");
}

#[test]
fn a_cache_may_end_where_the_host_says() {
    let system = Message { cache: true, ..says(Role::System, vec![text("long")]) };
    let body = super::request(request(vec![system]), &config(json!({"cache_control": true})));
    assert_eq!(
        serde_json::to_value(body.expect("a body").messages).expect("JSON"),
        json!([{"role": "system", "content": [{"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}]}])
    );
}

#[test]
fn a_query_of_the_address_stays_behind_the_path() {
    let of = |base: &str| config(json!({"base_url": base})).url("models");
    assert_eq!(of("https://a.example/v1/"), "https://a.example/v1/models");
    assert_eq!(of("https://a.example/d?api-version=1"), "https://a.example/d/models?api-version=1");
}
