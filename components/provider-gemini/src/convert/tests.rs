//! Requests and the JSON they become.

use test_wire::{call, conversations, file, request, result, says, text, thought, tool};

use super::*;

fn config(json: Value) -> Config {
    serde_json::from_value(json).expect("a configuration")
}

fn of_gemini(model: &str, messages: Vec<Message>) -> Request {
    Request { model: model.to_owned(), ..request(messages) }
}

#[track_caller]
fn check(request: Request, config: &Config, expected: Value) {
    let body =
        serde_json::to_value(super::request(request, config).expect("a body")).expect("JSON");
    assert_eq!(body, expected, "{body:#}");
}

#[track_caller]
fn check_contents(model: &str, messages: Vec<Message>, expected: Value) {
    let body = super::request(of_gemini(model, messages), &Config::default()).expect("a body");
    let contents = serde_json::to_value(body.contents).expect("JSON");
    assert_eq!(contents, expected, "{contents:#}");
}

#[test]
fn every_field_has_its_place() {
    let full = Request {
        tools: vec![tool()],
        tool_choice: Some(ToolChoice::Named("file_read".to_owned())),
        max_tokens: Some(5),
        temperature: Some(0.5),
        stop: vec!["END".to_owned()],
        response_schema: Some("{\"type\":\"object\"}".to_owned()),
        options_json: Some(
            "{\"reasoning_effort\":\"low\",\"topK\":3,\"safetySettings\":[]}".to_owned(),
        ),
        ..of_gemini(
            "gemini-3-pro",
            vec![says(Role::System, vec![text("be kind")]), says(Role::User, vec![text("hi")])],
        )
    };
    let schema: Value = serde_json::from_str(&tool().input_schema).expect("JSON");
    check(
        full,
        &config(json!({"native_tools": ["google_search"], "options": {"seed": 1}})),
        json!({
            "systemInstruction": {"parts": [{"text": "be kind"}]},
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "tools": [
                {"googleSearch": {}},
                {"functionDeclarations": [{"name": "file_read", "description": "Reads a file.", "parametersJsonSchema": schema}]},
            ],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["file_read"]}},
            "generationConfig": {
                "maxOutputTokens": 5, "temperature": 0.5, "stopSequences": ["END"],
                "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
                "thinkingConfig": {"thinkingLevel": "low", "includeThoughts": true}, "topK": 3, "seed": 1,
            },
            "safetySettings": [],
        }),
    );
}

#[test]
fn thinking_is_asked_for_as_the_model_understands_it() {
    #[track_caller]
    fn check(model: &str, options: &str, expected: Value) {
        let request =
            Request { options_json: Some(options.to_owned()), ..of_gemini(model, Vec::new()) };
        let body = crate::convert::request(request, &Config::default()).expect("a body");
        let body = serde_json::to_value(body).expect("JSON");
        assert_eq!(body["generationConfig"]["thinkingConfig"], expected, "{model} {options}");
    }
    check("gemini-2.5-flash", "{}", json!({"includeThoughts": true}));
    check(
        "gemini-2.5-flash",
        "{\"reasoning_effort\":\"none\"}",
        json!({"thinkingBudget": 0, "includeThoughts": true}),
    );
    check(
        "gemini-3-flash-preview",
        "{\"reasoning_effort\":\"high\"}",
        json!({"thinkingLevel": "high", "includeThoughts": true}),
    );
    check("gemini-2.0-flash", "{}", Value::Null);
    check("gemma-3-27b-it", "{}", Value::Null);
    check(
        "gemini-2.5-pro",
        "{\"thinkingConfig\":{\"thinkingBudget\":7}}",
        json!({"thinkingBudget": 7}),
    );
}

#[test]
fn results_are_named_by_their_tool_and_sides_alternate() {
    let image = file("image/png", None, &[1]);
    check_contents(
        "gemini-2.5-pro",
        vec![
            says(Role::User, vec![text("go")]),
            says(
                Role::Assistant,
                vec![text("I look."), call("call_1_0", "{\"path\": \"a\"}"), call("given", "oops")],
            ),
            says(
                Role::Tool,
                vec![result(
                    "call_1_0",
                    vec![ContractPart::Text("alpha".to_owned()), image],
                    false,
                )],
            ),
            says(
                Role::Tool,
                vec![result("given", vec![ContractPart::Text("no".to_owned())], true)],
            ),
        ],
        json!([
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "model", "parts": [
                {"text": "I look."},
                {"functionCall": {"name": "file_read", "args": {"path": "a"}}},
                {"functionCall": {"id": "given", "name": "file_read", "args": {}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "file_read", "response": {"output": "alpha\n[1 attachments of this result follow]"}}},
                {"text": "Attachments of the result of `file_read`:"},
                {"inlineData": {"mimeType": "image/png", "data": "AQ=="}},
                {"functionResponse": {"id": "given", "name": "file_read", "response": {"error": "no"}}},
            ]},
        ]),
    );
}

#[test]
fn images_of_results_go_inside_where_that_is_wanted() {
    let messages = vec![
        says(Role::Assistant, vec![call("x", "{}")]),
        says(Role::Tool, vec![result("x", vec![file("image/png", None, &[1])], false)]),
    ];
    let body = super::request(
        of_gemini("gemini-2.5-pro", messages),
        &config(json!({"result_media": "inside"})),
    );
    let contents = serde_json::to_value(body.expect("a body").contents).expect("JSON");
    assert_eq!(
        contents[1]["parts"][0]["functionResponse"]["parts"],
        json!([{"inlineData": {"mimeType": "image/png", "data": "AQ=="}}])
    );
}

#[test]
fn signatures_come_back_on_their_parts() {
    let of = |of: &str| format!("{{\"thoughtSignature\":\"S+/=\",\"of\":{of}}}").into_bytes();
    check_contents(
        "gemini-3-pro",
        vec![
            says(
                Role::Assistant,
                vec![
                    thought("hm", None),
                    text("4"),
                    thought("", Some(&of("\"text\""))),
                    thought("", Some(&of("{\"call\":\"b\"}"))),
                    call("a", "{}"),
                    call("b", "{}"),
                ],
            ),
            says(Role::User, vec![text("so")]),
            says(Role::Assistant, vec![thought("", Some(&of("\"text\"")))]),
        ],
        json!([
            {"role": "model", "parts": [
                {"text": "4", "thoughtSignature": "S+/="},
                {"functionCall": {"id": "a", "name": "file_read", "args": {}}, "thoughtSignature": "skip_thought_signature_validator"},
                {"functionCall": {"id": "b", "name": "file_read", "args": {}}, "thoughtSignature": "S+/="},
            ]},
            {"role": "user", "parts": [{"text": "so"}]},
            {"role": "model", "parts": [{"text": "", "thoughtSignature": "S+/="}]},
        ]),
    );
}

#[test]
fn media_becomes_parts() {
    let link =
        Link { uri: "https://www.youtube.com/watch?v=1".to_owned(), media_type: None, title: None };
    check_contents(
        "gemini-2.5-pro",
        vec![says(
            Role::User,
            vec![
                Block::Part(file("application/pdf", None, &[3])),
                Block::Part(file("audio/ogg", None, &[4])),
                Block::Part(file("text/csv", Some("t.csv"), b"a,b")),
                Block::Part(ContractPart::Link(link)),
            ],
        )],
        json!([{"role": "user", "parts": [
            {"inlineData": {"mimeType": "application/pdf", "data": "Aw=="}},
            {"inlineData": {"mimeType": "audio/ogg", "data": "BA=="}},
            {"text": "File `t.csv`:\na,b"},
            {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}},
        ]}]),
    );
}

#[test]
fn every_conversation_becomes_a_request() {
    for (name, request) in conversations() {
        let body = super::request(request, &Config::default())
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let body = serde_json::to_value(body).expect("JSON");
        let contents = body["contents"].as_array().expect("contents");
        let sides: Vec<_> = contents.iter().map(|content| content["role"].as_str()).collect();
        assert!(sides.windows(2).all(|two| two[0] != two[1]), "{name}: {sides:?}");
        assert!(
            contents
                .iter()
                .all(|content| content["parts"].as_array().is_some_and(|parts| !parts.is_empty())),
            "{name}"
        );
    }
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
    check("{\"contents\":[]}", "`contents` cannot be set in options");
    check("{\"reasoning_effort\":9}", "it is one of none, minimal");
    assert!(crate::config::path_of("a?b").is_err() && crate::config::path_of("../a").is_err());
    assert_eq!(crate::config::path_of("tunedModels/a").ok().as_deref(), Some("tunedModels/a"));
}

#[test]
fn listed_models_are_those_that_answer() {
    let listed = |methods: &str| {
        serde_json::from_str(&format!(
            "{{\"name\":\"models/gemini-2.5-pro\",\"displayName\":\"Gemini 2.5 Pro\",\"inputTokenLimit\":1048576,\"outputTokenLimit\":65536,\"supportedGenerationMethods\":[{methods}],\"thinking\":true}}"
        ))
        .expect("a model")
    };
    assert!(model(listed("\"embedContent\"")).is_none());
    let model = model(listed("\"generateContent\"")).expect("a model");
    assert_eq!((model.id.as_str(), model.context), ("gemini-2.5-pro", Some(1_048_576)));
    let able = Features::REASONING | Features::TOOLS;
    assert_eq!(model.features & able, able);
}

#[test]
fn tokens_are_counted_of_the_whole_request() {
    let body = super::request(
        of_gemini("gemini-2.5-pro", vec![says(Role::User, vec![text("hi")])]),
        &Config::default(),
    );
    let counted = counted(body.expect("a body"), "models/gemini-2.5-pro");
    assert_eq!(counted["generateContentRequest"]["model"], "models/gemini-2.5-pro");
    assert_eq!(counted["generateContentRequest"]["contents"][0]["parts"][0]["text"], "hi");
}
