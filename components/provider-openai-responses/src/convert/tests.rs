//! Requests and the JSON they become.

use test_wire::{
    PublishedSchema, call, conversations, file, request, result, says, text as said, thought, tool,
};

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

#[track_caller]
fn check_input(messages: Vec<Message>, expected: Value) {
    let body = super::request(request(messages), &Config::default()).expect("a body");
    let input = serde_json::to_value(body.input).expect("JSON");
    assert_eq!(input, expected, "{input:#}");
}

#[test]
fn every_field_has_its_place() {
    let schema: Value = serde_json::from_str(&tool().input_schema).expect("JSON");
    check(
        Request {
            tools: vec![tool()],
            tool_choice: Some(ToolChoice::Named("file_read".to_owned())),
            max_tokens: Some(50),
            temperature: Some(0.5),
            response_schema: Some("{\"type\":\"object\"}".to_owned()),
            options_json: Some("{\"reasoning_effort\":\"high\",\"reasoning_summary\":\"auto\",\"verbosity\":\"low\",\"top_p\":0.5}".to_owned()),
            ..request(vec![says(Role::System, vec![said("be kind")]), says(Role::User, vec![said("hi")])])
        },
        &config(json!({"native_tools": [{"type": "web_search"}], "options": {"service_tier": "auto"}})),
        json!({
            "model": "gpt-5",
            "instructions": "be kind",
            "input": [{"type": "message", "role": "user", "content": "hi"}],
            "tools": [
                {"type": "web_search"},
                {"type": "function", "name": "file_read", "description": "Reads a file.", "parameters": schema, "strict": false},
            ],
            "tool_choice": {"type": "function", "name": "file_read"},
            "max_output_tokens": 50,
            "temperature": 0.5,
            "text": {"format": {"type": "json_schema", "name": "answer", "schema": {"type": "object"}, "strict": true}, "verbosity": "low"},
            "reasoning": {"effort": "high", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "store": false,
            "stream": true,
            "service_tier": "auto",
            "top_p": 0.5,
        }),
    );
}

#[test]
fn every_request_fits_the_published_schema() {
    let schema = PublishedSchema::named("CreateResponse");
    for settings in [
        json!({}),
        json!({"stream": false, "keep_thinking": "never", "native_tools": [{"type": "web_search"}]}),
    ] {
        let config = config(settings);
        for (name, request) in conversations() {
            let request = Request { stop: Vec::new(), ..request };
            let body = super::request(request, &config)
                .unwrap_or_else(|error| panic!("{name}: {error:?}"));
            schema.check(&serde_json::to_value(body).expect("JSON"));
        }
    }
    let kept = br#"{"thinking":{"item":{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"g"},"before":"a"}}"#;
    let messages = vec![
        says(Role::User, vec![said("hi")]),
        says(
            Role::Assistant,
            vec![
                thought("", Some(br#"{"phase":"commentary"}"#)),
                said("I look."),
                thought("hm", Some(kept)),
                call("a", "{}"),
            ],
        ),
        says(Role::Tool, vec![result("a", vec![file("image/png", None, &[1])], true)]),
    ];
    let body = super::request(request(messages), &Config::default()).expect("a body");
    schema.check(&serde_json::to_value(body).expect("JSON"));
    assert!(
        !schema.fits(&json!({"model": "m", "input": [{"type": "function_call", "name": "f"}]})),
        "the schema sees something"
    );
}

#[test]
fn thinking_comes_back_as_it_was_written_right_before_its_call() {
    let kept = |before: &str| {
        format!("{{\"thinking\":{{\"item\":{{ \"type\":\"reasoning\", \"encrypted_content\":\"{before}+/=\" }},\"before\":\"{before}\"}}}}").into_bytes()
    };
    let messages = vec![says(
        Role::Assistant,
        vec![
            thought("one", Some(&kept("a"))),
            thought("two", Some(&kept("b"))),
            call("a", "{ }"),
            call("b", ""),
        ],
    )];
    let body = super::request(request(messages), &Config::default()).expect("a body");
    assert_eq!(
        serde_json::to_string(&body.input).expect("JSON"),
        "[{ \"type\":\"reasoning\", \"encrypted_content\":\"a+/=\" },\
         {\"type\":\"function_call\",\"call_id\":\"a\",\"name\":\"file_read\",\"arguments\":\"{ }\"},\
         { \"type\":\"reasoning\", \"encrypted_content\":\"b+/=\" },\
         {\"type\":\"function_call\",\"call_id\":\"b\",\"name\":\"file_read\",\"arguments\":\"{}\"}]"
    );
}

#[test]
fn phases_and_foreign_thinking() {
    check_input(
        vec![says(
            Role::Assistant,
            vec![
                thought("x", Some(b"{\"thoughtSignature\":\"s\"}")),
                thought("", Some(b"{\"phase\":\"commentary\"}")),
                said("I look."),
                thought("", Some(b"{\"phase\":\"final_answer\"}")),
                said("Done."),
            ],
        )],
        json!([
            {"type": "message", "role": "assistant", "content": "I look.", "phase": "commentary"},
            {"type": "message", "role": "assistant", "content": "Done.", "phase": "final_answer"},
        ]),
    );
}

#[test]
fn images_of_results_stay_in_the_result() {
    check_input(
        vec![
            says(Role::Assistant, vec![call("a", "{}")]),
            says(
                Role::Tool,
                vec![result(
                    "a",
                    vec![Part::Text("see".to_owned()), file("image/png", None, &[1])],
                    true,
                )],
            ),
            says(Role::System, vec![said("hurry")]),
        ],
        json!([
            {"type": "function_call", "call_id": "a", "name": "file_read", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": [
                {"type": "input_text", "text": "The tool failed:"},
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "data:image/png;base64,AQ==", "detail": "auto"},
            ]},
            {"type": "message", "role": "developer", "content": "hurry"},
        ]),
    );
}

#[test]
fn thinking_is_asked_for_where_the_model_thinks() {
    let keeps = |model: &str| Config::default().keeps_thinking_of(model);
    assert!(
        ["gpt-5", "gpt-5.3-codex", "openai/o3-mini", "o4-mini", "gpt-oss-120b", "grok-4-fast"]
            .into_iter()
            .all(keeps)
    );
    assert!(
        !["gpt-4o", "gpt-4.1-mini", "gpt-5-chat-latest", "llama-3", "gpt-"].into_iter().any(keeps)
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
    check(options("{\"store\":true}"), "`store` cannot be set in options");
    check(options("{\"text\":{\"format\":{}}}"), "`text.format` cannot be set");
    check(options("{\"include\":1}"), "`include` in options is no list");
    check(Request { stop: vec!["END".to_owned()], ..request(Vec::new()) }, "have no stop texts");
}

#[test]
fn tokens_are_counted_of_what_the_service_takes() {
    let body =
        super::request(request(vec![says(Role::User, vec![said("hi")])]), &Config::default());
    let counted = counted(body.expect("a body"));
    assert_eq!(
        counted,
        json!({"model": "gpt-5", "input": [{"type": "message", "role": "user", "content": "hi"}]})
    );
}
