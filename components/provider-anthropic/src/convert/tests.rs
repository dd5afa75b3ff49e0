//! Requests and the JSON they become.

use hydroid_component::provider::{Event, Message as Turn, Reasoning};
use hydroid_component::thinking::Signed;

use super::*;

mod caching;
mod schema;

/// What Anthropic's own client publishes of a request, see `tests/README.md`.
const PUBLISHED: &str = include_str!("tests/published.json");

fn request(messages: Vec<Turn>) -> Request {
    Request {
        model: "m".to_owned(),
        messages,
        tools: Vec::new(),
        tool_choice: None,
        max_tokens: Some(4000),
        temperature: None,
        stop: Vec::new(),
        response_schema: None,
        options_json: None,
    }
}

fn says(role: Role, blocks: Vec<Said>) -> Turn {
    Turn { role, blocks, cache: false }
}

fn words(text: &str) -> Said {
    Said::Part(Part::Text(text.to_owned()))
}

fn file(media_type: &str, name: Option<&str>, data: &[u8]) -> Part {
    Part::Blob(Blob {
        media_type: media_type.to_owned(),
        data: data.to_vec(),
        name: name.map(str::to_owned),
    })
}

fn result(id: &str, content: Vec<Part>, is_error: bool) -> Said {
    Said::ToolResult(ToolResult { call_id: id.to_owned(), content, is_error })
}

fn call(id: &str, args: &str) -> Said {
    Said::ToolCall(ToolCall { id: id.to_owned(), name: "t".to_owned(), args_json: args.to_owned() })
}

fn offered(name: &str) -> ToolDefinition {
    ToolDefinition {
        name: name.to_owned(),
        description: "d".to_owned(),
        input_schema: r#"{"type":"object","properties":{"z":{},"a":{}}}"#.to_owned(),
    }
}

/// Thinking as a host keeps it.
fn thought(text: &str, signature: &str) -> Said {
    let mut signed = Signed::default();
    signed.text(text);
    signed.signature(signature);
    match signed.seal(CLAUDE) {
        Some(Event::Reasoning(sealed)) => {
            Said::Reasoning(Reasoning { text: text.to_owned(), ..sealed })
        }
        other => panic!("{other:?}"),
    }
}

fn redacted(data: &str) -> Said {
    match thinking::redacted(CLAUDE, data) {
        Event::Reasoning(sealed) => Said::Reasoning(sealed),
        other => panic!("{other:?}"),
    }
}

fn config(json: Value) -> Config {
    serde_json::from_value(json).expect("a configuration")
}

fn body(request: Request, config: &Config) -> Value {
    let schema_tool = schema_tool(&request, config).expect("no conflict");
    let body = super::request(request, config, schema_tool).expect("a body");
    let value = serde_json::to_value(body).expect("JSON");
    let mut streamed = value.clone();
    // Newer models take none of these, so the client has left them out; older ones do.
    for name in ["temperature", "top_k", "top_p"] {
        streamed.as_object_mut().expect("an object").remove(name);
    }
    schema::check(PUBLISHED, &streamed);
    value
}

#[track_caller]
fn check(request: Request, config: &Config, expected: Value) {
    let body = body(request, config);
    assert_eq!(body, expected, "{body:#}");
}

#[track_caller]
fn check_messages(messages: Vec<Turn>, expected: Value) {
    let body = body(request(messages), &Config::default());
    assert_eq!(body["messages"], expected, "{:#}", body["messages"]);
}

#[test]
fn every_field_has_its_place() {
    let full = Request {
        tools: vec![offered("t")],
        tool_choice: Some(ToolChoice::Named("t".to_owned())),
        temperature: Some(0.5),
        stop: vec!["END".to_owned()],
        response_schema: Some("{\"type\":\"object\"}".to_owned()),
        options_json: Some("{\"top_k\":5,\"output_config\":{\"effort\":\"low\"}}".to_owned()),
        ..request(vec![
            says(Role::System, vec![words("be kind")]),
            says(Role::User, vec![words("hi")]),
        ])
    };
    check(
        full,
        &config(json!({"options": {"top_p": 0.5, "top_k": 1}})),
        json!({
            "model": "m",
            "max_tokens": 4000,
            "system": [{"type": "text", "text": "be kind"}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
            "tools": [{"name": "t", "description": "d", "input_schema": {"type": "object", "properties": {"z": {}, "a": {}}}}],
            "tool_choice": {"type": "tool", "name": "t"},
            "temperature": 0.5,
            "stop_sequences": ["END"],
            "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
            "stream": true,
            "top_p": 0.5,
            "top_k": 5,
        }),
    );
}

#[test]
fn the_order_of_a_schema_and_of_arguments_is_kept() {
    let arguments = "{ \"z\" : 1.0,\n \"a\": \"\\u00e9\" }";
    let request = Request {
        tools: vec![offered("t")],
        ..request(vec![says(Role::Assistant, vec![call("c", arguments)])])
    };
    let text =
        serde_json::to_string(&super::request(request, &Config::default(), None).expect("a body"))
            .expect("JSON");
    assert!(text.contains(r#"{"type":"object","properties":{"z":{},"a":{}}}"#), "{text}");
    assert!(text.contains(arguments), "{text}");
}

#[test]
fn choices_of_tools() {
    #[track_caller]
    fn check(choice: Option<ToolChoice>, config: Value, expected: Value) {
        let request =
            Request { tools: vec![offered("t")], tool_choice: choice, ..request(Vec::new()) };
        assert_eq!(body(request, &self::config(config))["tool_choice"], expected);
    }
    let one = || json!({"parallel_tools": false});
    check(None, json!({}), Value::Null);
    check(Some(ToolChoice::Auto), json!({}), Value::Null);
    check(None, one(), json!({"type": "auto", "disable_parallel_tool_use": true}));
    check(Some(ToolChoice::None), one(), json!({"type": "none"}));
    check(Some(ToolChoice::Required), json!({}), json!({"type": "any"}));
    check(
        Some(ToolChoice::Required),
        one(),
        json!({"type": "any", "disable_parallel_tool_use": true}),
    );
    let without = Request { tool_choice: Some(ToolChoice::Required), ..request(Vec::new()) };
    assert_eq!(body(without, &Config::default()).get("tool_choice"), None);
}

#[test]
fn media_becomes_blocks() {
    let link = |uri: &str, media_type: Option<&str>| {
        Said::Part(Part::Link(Link {
            uri: uri.to_owned(),
            media_type: media_type.map(str::to_owned),
            title: Some("P".to_owned()),
        }))
    };
    check_messages(
        vec![says(
            Role::User,
            vec![
                words("see"),
                Said::Part(file("image/PNG", None, &[1, 2])),
                Said::Part(file("image/tiff", Some("t.tiff"), &[0xff])),
                Said::Part(file("application/pdf", Some("a.pdf"), &[3])),
                Said::Part(file("text/csv", Some("t.csv"), b"a,b")),
                Said::Part(file("application/zip", None, &[0xff, 0xfe])),
                Said::Part(file("text/plain", Some("e.txt"), b" ")),
                link("https://e.org/p", None),
                link("https://e.org/p.png", Some("image/png")),
                link("http://e.org/p.png", Some("image/png")),
                link("https://e.org/p.pdf", Some("application/pdf")),
                words(" \n"),
            ],
        )],
        json!([{"role": "user", "content": [
            {"type": "text", "text": "see"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AQI="}},
            {"type": "text", "text": "[file `t.tiff` of type image/tiff, 1 bytes, which cannot be shown to the model]"},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "Aw=="}, "title": "a.pdf"},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}, "title": "t.csv"},
            {"type": "text", "text": "[file `attachment` of type application/zip, 2 bytes, which cannot be shown to the model]"},
            {"type": "text", "text": "[file `e.txt` is empty]"},
            {"type": "text", "text": "P: https://e.org/p"},
            {"type": "image", "source": {"type": "url", "url": "https://e.org/p.png"}},
            {"type": "text", "text": "P: http://e.org/p.png"},
            {"type": "document", "source": {"type": "url", "url": "https://e.org/p.pdf"}, "title": "P"},
        ]}]),
    );
    let citing = body(
        request(vec![says(Role::User, vec![Said::Part(file("text/plain", None, b"x"))])]),
        &config(json!({"citations": true})),
    );
    assert_eq!(citing["messages"][0]["content"][0]["citations"], json!({"enabled": true}));
}

#[test]
fn results_come_first_and_in_one_message_with_what_the_person_says() {
    check_messages(
        vec![
            says(
                Role::Assistant,
                vec![
                    words("I "),
                    words("look."),
                    call("a", "{ }"),
                    call("b:2/é", "[1]"),
                    call("c", "{oops"),
                    call("d", " "),
                ],
            ),
            says(
                Role::Tool,
                vec![result(
                    "a",
                    vec![Part::Text("ok".to_owned()), file("image/png", None, &[1])],
                    false,
                )],
            ),
            says(Role::User, vec![words("and")]),
            says(
                Role::Tool,
                vec![
                    result("b:2/é", vec![Part::Json("{}".to_owned())], true),
                    result("c", vec![], false),
                    result("d", vec![], false),
                ],
            ),
            says(Role::User, vec![words("also")]),
        ],
        json!([
            {"role": "assistant", "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "a", "name": "t", "input": {}},
                {"type": "tool_use", "id": "b_3a2_2f_e9", "name": "t", "input": {"arguments": "[1]"}},
                {"type": "tool_use", "id": "c", "name": "t", "input": {"arguments": "{oops"}},
                {"type": "tool_use", "id": "d", "name": "t", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": [
                    {"type": "text", "text": "ok"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AQ=="}},
                ]},
                {"type": "tool_result", "tool_use_id": "b_3a2_2f_e9", "content": [{"type": "text", "text": "{}"}], "is_error": true},
                {"type": "tool_result", "tool_use_id": "c"},
                {"type": "tool_result", "tool_use_id": "d"},
                {"type": "text", "text": "and"},
                {"type": "text", "text": "also"},
            ]},
        ]),
    );
}

#[test]
fn thinking_goes_back_as_it_came() {
    let text = "Fünf… \"quoted\"\n\ttabs \u{1F914}";
    let signature = "EqoBCkgIChABGAIqQ+/abc==";
    let data = "EmwKAhgBEgy3va3pzix/+==";
    check_messages(
        vec![says(
            Role::Assistant,
            vec![
                thought(text, signature),
                redacted(data),
                words("Let me look."),
                call("a", "{}"),
                thought("", "only-a-signature"),
                call("b", "{}"),
            ],
        )],
        json!([{"role": "assistant", "content": [
            {"type": "thinking", "thinking": text, "signature": signature},
            {"type": "redacted_thinking", "data": data},
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "a", "name": "t", "input": {}},
            {"type": "thinking", "thinking": "", "signature": "only-a-signature"},
            {"type": "tool_use", "id": "b", "name": "t", "input": {}},
        ]}]),
    );
}

#[test]
fn thinking_of_others_and_thinking_that_was_changed_stay_here() {
    let Said::Reasoning(kept) = thought("the key is hunter2", "sig") else { panic!("thinking") };
    let masked = Reasoning { text: "the key is ***".to_owned(), ..kept };
    let foreign = Reasoning { text: "hm".to_owned(), opaque: Some(b"gAAAA".to_vec()) };
    let plain = Reasoning { text: "hm".to_owned(), opaque: None };
    let thoughts = [masked, foreign, plain].map(Said::Reasoning);
    let mut said: Vec<Said> = thoughts.into_iter().collect();
    check_messages(vec![says(Role::Assistant, said.clone())], json!([]));
    said.push(words("4"));
    check_messages(
        vec![says(Role::Assistant, said)],
        json!([{"role": "assistant", "content": [{"type": "text", "text": "4"}]}]),
    );
}

#[test]
fn effort_becomes_what_the_model_understands() {
    #[track_caller]
    fn check(options: Value, config: Value, thinking: Value, output: Value) {
        let request = Request { options_json: Some(options.to_string()), ..request(Vec::new()) };
        let body = body(request, &self::config(config));
        assert_eq!((&body["thinking"], &body["output_config"]), (&thinking, &output), "{body:#}");
        assert_eq!(body.get("reasoning_effort"), None);
    }
    let effort = |level: &str| json!({"reasoning_effort": level});
    let budget = || json!({"thinking": "budget"});
    let adaptive = || json!({"type": "adaptive"});
    let nothing = Value::Null;
    check(effort("high"), json!({}), adaptive(), json!({"effort": "high"}));
    check(effort("minimal"), json!({}), adaptive(), json!({"effort": "low"}));
    check(effort("none"), json!({}), json!({"type": "disabled"}), nothing.clone());
    check(
        json!({}),
        json!({"options": {"reasoning_effort": "low"}}),
        adaptive(),
        json!({"effort": "low"}),
    );
    check(
        effort("high"),
        budget(),
        json!({"type": "enabled", "budget_tokens": 2400}),
        nothing.clone(),
    );
    check(
        effort("low"),
        budget(),
        json!({"type": "enabled", "budget_tokens": 1024}),
        nothing.clone(),
    );
    let own = json!({"type": "enabled", "budget_tokens": 2000});
    check(json!({"thinking": own.clone()}), json!({}), own.clone(), nothing);
    check(
        json!({"thinking": own.clone(), "reasoning_effort": "max"}),
        json!({}),
        own,
        json!({"effort": "max"}),
    );
}

#[test]
fn a_schema_may_be_asked_for_by_a_tool() {
    let asked = Request {
        tools: vec![offered("t")],
        response_schema: Some("{\"type\":\"object\"}".to_owned()),
        ..request(Vec::new())
    };
    let by_tool = config(json!({"structured_output": "tool"}));
    let body = body(asked.clone(), &by_tool);
    assert_eq!(body.get("output_config"), None);
    assert_eq!(body["tools"][1]["name"], "answer");
    assert_eq!(body["tools"][1]["input_schema"], json!({"type": "object"}));
    assert_eq!(
        body["tool_choice"],
        json!({"type": "tool", "name": "answer", "disable_parallel_tool_use": true})
    );
    let taken = Request { tools: vec![offered("answer")], ..asked };
    let error = schema_tool(&taken, &by_tool).expect_err("taken");
    assert!(error.message.contains("`structured_output = \"native\"`"), "{error:?}");
}

#[test]
fn tools_of_the_service_stand_behind_ours_and_may_pause() {
    let config =
        config(json!({"server_tools": [{"type": "web_search_20250305", "name": "web_search"}]}));
    let request = Request { tools: vec![offered("t")], ..request(Vec::new()) };
    let mut body = super::request(request.clone(), &config, None).expect("a body");
    assert!(body.may_pause());
    assert!(!super::request(request, &Config::default(), None).expect("a body").may_pause());
    let said = RawValue::from_string(r#"{"type":"server_tool_use","id":"s"}"#.to_owned());
    body.go_on_after(vec![said.expect("JSON")]);
    let value = serde_json::to_value(&body).expect("JSON");
    assert_eq!(value["tools"][1], json!({"type": "web_search_20250305", "name": "web_search"}));
    assert_eq!(
        value["messages"],
        json!([{"role": "assistant", "content": [{"type": "server_tool_use", "id": "s"}]}])
    );
}

#[test]
fn counting_asks_for_nothing_else() {
    let asked = Request {
        temperature: Some(1.0),
        stop: vec!["END".to_owned()],
        tools: vec![offered("t")],
        options_json: Some(r#"{"top_p":0.5,"thinking":{"type":"adaptive"}}"#.to_owned()),
        ..request(vec![says(Role::User, vec![words("hi")])])
    };
    let body = super::request(asked, &Config::default(), None).expect("a body").into_count();
    let value = serde_json::to_value(body).expect("JSON");
    let names: Vec<&String> = value.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["messages", "model", "thinking", "tools"]);
}

#[test]
fn bad_input_is_named() {
    #[track_caller]
    fn check(request: Request, config: Value, expected: &str) {
        let error = super::request(request, &self::config(config), None).expect_err("refused");
        assert!(error.message.contains(expected), "{error:?}");
    }
    let options =
        |text: &str| Request { options_json: Some(text.to_owned()), ..request(Vec::new()) };
    check(options("[]"), json!({}), "the options of the request are no JSON object");
    check(options("{\"stream\":false}"), json!({}), "`stream` cannot be set in options");
    check(options("{\"output_config\":{\"format\":{}}}"), json!({}), "without `format`");
    check(options("{\"reasoning_effort\":\"lots\"}"), json!({}), "none, minimal, low");
    check(
        Request { max_tokens: Some(1024), ..options("{\"reasoning_effort\":\"low\"}") },
        json!({"thinking": "budget"}),
        "raise `model.max_output_tokens`",
    );
    check(
        Request { response_schema: Some("{".to_owned()), ..request(Vec::new()) },
        json!({}),
        "the response schema is not JSON",
    );
    let tools = vec![ToolDefinition { input_schema: "{".to_owned(), ..offered("t") }];
    check(Request { tools, ..request(Vec::new()) }, json!({}), "the schema of the tool `t`");
}

#[test]
fn listed_models_claim_what_the_service_says() {
    let listed = serde_json::from_value(json!({
        "id": "claude-x", "display_name": "Claude X", "max_input_tokens": 200000, "max_tokens": 64000,
        "capabilities": {"image_input": {"supported": true}, "pdf_input": {"supported": false}, "thinking": {"supported": true, "types": {}}},
    }));
    let model = model(listed.expect("a model"));
    assert_eq!(
        (model.name.as_str(), model.context, model.max_output),
        ("Claude X", Some(200_000), Some(64_000))
    );
    let usual = Features::TOOLS | Features::STREAMING | Features::CACHING;
    assert_eq!(model.features, usual | Features::IMAGES | Features::REASONING);
    let bare = super::model(serde_json::from_value(json!({"id": "x"})).expect("a model"));
    assert_eq!(bare.features, usual | Features::IMAGES | Features::DOCUMENTS);
    assert_eq!(path_segment("a/b:c é"), "a%2Fb%3Ac%20%C3%A9");
}

#[test]
fn the_configured_output_limit_is_the_models_own() {
    let config = config(json!({"models": [{"id": "a", "max_output": 7}, {"id": "b"}]}));
    assert_eq!(
        (config.max_output("a"), config.max_output("b"), config.max_output("c")),
        (Some(7), None, None)
    );
}

#[test]
fn the_manifest_and_the_configuration_have_the_same_keys() {
    let manifest = include_str!("../../manifest.toml");
    let keys = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("[config.properties.")?.strip_suffix(']'))
        .filter(|key| !key.contains('.'));
    let mut count = 0;
    for key in keys {
        // An unknown key is refused by name; a known one with a wrong value by the value's type.
        let error = serde_json::from_value::<Config>(json!({ key: {"no": []} }));
        let error = error.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(!error.contains("unknown field"), "{key}: {error}");
        count += 1;
    }
    assert!(count > 10, "{count}");
}
