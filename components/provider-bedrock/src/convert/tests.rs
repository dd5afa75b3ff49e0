//! Requests and the JSON they become.

use hydroid_component::provider::{
    Blob, Block as Said, Event, Features, Link, Part, Reasoning, ToolCall, ToolResult,
};
use hydroid_component::thinking::{self, Signed};

use super::*;

mod caching;
#[path = "../../../provider-anthropic/src/convert/tests/schema.rs"]
mod schema;

/// What AWS's own client publishes of a request, see `tests/README.md`.
const PUBLISHED: &str = include_str!("tests/published.json");

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const NOVA: &str = "amazon.nova-pro-v1:0";

fn request(messages: Vec<Turn>) -> Request {
    Request {
        model: CLAUDE.to_owned(),
        messages,
        tools: Vec::new(),
        tool_choice: None,
        max_tokens: None,
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
fn thought(of: &str, text: &str, signature: &str) -> Said {
    let mut signed = Signed::default();
    signed.text(text);
    signed.signature(signature);
    match signed.seal(of) {
        Some(Event::Reasoning(sealed)) => {
            Said::Reasoning(Reasoning { text: text.to_owned(), ..sealed })
        }
        other => panic!("{other:?}"),
    }
}

fn redacted(data: &str) -> Said {
    match thinking::redacted("claude", data) {
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
    schema::check(PUBLISHED, &value);
    value
}

#[track_caller]
fn check(request: Request, config: &Config, expected: Value) {
    let body = body(request, config);
    assert_eq!(body, expected, "{body:#}");
}

/// Messages of a request that offers a tool.
#[track_caller]
fn check_messages(model: &str, messages: Vec<Turn>, expected: Value) {
    let request =
        Request { model: model.to_owned(), tools: vec![offered("t")], ..request(messages) };
    let body = body(request, &Config::default());
    assert_eq!(body["messages"], expected, "{:#}", body["messages"]);
}

#[test]
fn every_field_has_its_place() {
    let full = Request {
        tools: vec![offered("t")],
        tool_choice: Some(ToolChoice::Named("t".to_owned())),
        max_tokens: Some(5),
        temperature: Some(0.5),
        stop: vec!["END".to_owned()],
        response_schema: Some("{\"type\":\"object\"}".to_owned()),
        options_json: Some(
            "{\"top_p\":0.25,\"additionalModelRequestFields\":{\"top_k\":5}}".to_owned(),
        ),
        ..request(vec![
            says(Role::System, vec![words("be kind")]),
            says(Role::User, vec![words("hi")]),
        ])
    };
    check(
        full,
        &config(
            json!({"system_tools": ["nova_grounding"], "options": {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1", "streamProcessingMode": "async"}, "serviceTier": {"type": "flex"}}}),
        ),
        json!({
            "system": [{"text": "be kind"}],
            "messages": [{"role": "user", "content": [{"text": "hi"}]}],
            "inferenceConfig": {"maxTokens": 5, "temperature": 0.5, "topP": 0.25, "stopSequences": ["END"]},
            "toolConfig": {
                "tools": [
                    {"toolSpec": {"name": "t", "description": "d", "inputSchema": {"json": {"type": "object", "properties": {"z": {}, "a": {}}}}}},
                    {"systemTool": {"name": "nova_grounding"}},
                ],
                "toolChoice": {"tool": {"name": "t"}},
            },
            "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "answer", "schema": "{\"type\":\"object\"}"}}}},
            "additionalModelRequestFields": {"top_k": 5},
            "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1", "streamProcessingMode": "async"},
            "serviceTier": {"type": "flex"},
        }),
    );
    check(
        request(vec![says(Role::User, vec![words("hi")])]),
        &Config::default(),
        json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}),
    );
}

#[test]
fn the_order_of_a_schema_and_of_arguments_is_kept() {
    let arguments = "{ \"z\" : 1.0,\n \"a\": \"\\u00e9\" }";
    let request = Request {
        tools: vec![offered("t")],
        ..request(vec![says(Role::Assistant, vec![call("c", arguments)])])
    };
    let body = super::request(request, &Config::default(), None).expect("a body");
    let text = serde_json::to_string(&body).expect("JSON");
    assert!(text.contains(r#"{"type":"object","properties":{"z":{},"a":{}}}"#), "{text}");
    assert!(text.contains(arguments), "{text}");
}

#[test]
fn media_becomes_blocks() {
    let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    let link =
        Link { uri: "https://e.org/p".to_owned(), media_type: None, title: Some("P".to_owned()) };
    check_messages(
        NOVA,
        vec![says(
            Role::User,
            vec![
                Said::Part(file("image/PNG", None, &[1, 2])),
                Said::Part(file("audio/mpeg", None, &[1])),
                Said::Part(file("video/mp4", None, &[1])),
                Said::Part(file("image/tiff", Some("t.tiff"), &[0xff])),
                Said::Part(file("application/pdf", Some("a_b/c.v2.pdf"), &[3])),
                Said::Part(file("application/pdf", Some("a_b/c.v2.pdf"), &[3])),
                Said::Part(file(docx, Some("Übung (1).docx"), &[0xff])),
                Said::Part(file("text/csv", None, b"a,b")),
                Said::Part(file("application/json", Some("日本"), b"{}")),
                Said::Part(file("text/plain", Some("e.txt"), b"")),
                Said::Part(Part::Link(link)),
                words(" \n"),
            ],
        )],
        json!([{"role": "user", "content": [
            {"image": {"format": "png", "source": {"bytes": "AQI="}}},
            {"audio": {"format": "mp3", "source": {"bytes": "AQ=="}}},
            {"video": {"format": "mp4", "source": {"bytes": "AQ=="}}},
            {"text": "[file `t.tiff` of type image/tiff, 1 bytes, which cannot be shown to the model]"},
            {"document": {"format": "pdf", "name": "a b c v2 pdf", "source": {"bytes": "Aw=="}}},
            {"document": {"format": "pdf", "name": "a b c v2 pdf 2", "source": {"bytes": "Aw=="}}},
            {"document": {"format": "docx", "name": "bung (1) docx", "source": {"bytes": "/w=="}}},
            {"document": {"format": "csv", "name": "document", "source": {"bytes": "YSxi"}}},
            {"document": {"format": "txt", "name": "document 2", "source": {"bytes": "e30="}}},
            {"text": "[file `e.txt` is empty]"},
            {"text": "P: https://e.org/p"},
        ]}]),
    );
    let alone =
        || vec![says(Role::User, vec![Said::Part(file("text/html", Some("p.html"), b"x"))])];
    check_messages(
        NOVA,
        alone(),
        json!([{"role": "user", "content": [
            {"document": {"format": "html", "name": "p html", "source": {"bytes": "eA=="}}},
            {"text": "Attached: p html."},
        ]}]),
    );
    let citing = body(request(alone()), &config(json!({"citations": true})));
    assert_eq!(
        citing["messages"][0]["content"][0]["document"]["citations"],
        json!({"enabled": true})
    );
}

fn calls_and_results() -> Vec<Turn> {
    vec![
        says(Role::User, vec![words("look")]),
        says(
            Role::Assistant,
            vec![words("I "), words("look."), call("a", "{ }"), call("b/é", "[1]")],
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
        says(Role::Tool, vec![result("b/é", vec![], true)]),
    ]
}

#[test]
fn results_come_first_and_in_one_message_with_what_the_person_says() {
    check_messages(
        CLAUDE,
        calls_and_results(),
        json!([
            {"role": "user", "content": [{"text": "look"}]},
            {"role": "assistant", "content": [
                {"text": "I look."},
                {"toolUse": {"toolUseId": "a", "name": "t", "input": {}}},
                {"toolUse": {"toolUseId": "b_2f_e9", "name": "t", "input": {"arguments": "[1]"}}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "a", "content": [{"text": "ok"}, {"image": {"format": "png", "source": {"bytes": "AQ=="}}}]}},
                {"toolResult": {"toolUseId": "b_2f_e9", "content": [{"text": "[no output]"}], "status": "error"}},
                {"text": "and"},
            ]},
        ]),
    );
}

#[test]
fn models_that_know_no_status_and_few_identifiers_are_told_otherwise() {
    let body = body(
        Request {
            model: "mistral.mistral-large-2407-v1:0".to_owned(),
            tools: vec![offered("t")],
            ..request(calls_and_results())
        },
        &Config::default(),
    );
    let content = &body["messages"][2]["content"];
    assert_eq!(
        content[1]["toolResult"]["content"],
        json!([{"text": "The tool failed: [no output]"}])
    );
    assert_eq!(content[1]["toolResult"].get("status"), None);
    let id = content[1]["toolResult"]["toolUseId"].as_str().expect("text");
    assert_eq!(id.len(), 9);
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    assert_eq!(body["messages"][1]["content"][2]["toolUse"]["toolUseId"], id);
    assert_ne!(body["messages"][1]["content"][1]["toolUse"]["toolUseId"], id);
}

#[test]
fn without_tools_calls_and_results_are_text() {
    for choice in [None, Some(ToolChoice::None)] {
        let tools = if choice.is_some() { vec![offered("t")] } else { Vec::new() };
        let body = body(
            Request { tools, tool_choice: choice, ..request(calls_and_results()) },
            &Config::default(),
        );
        assert_eq!(body.get("toolConfig"), None);
        assert_eq!(
            body["messages"],
            json!([
                {"role": "user", "content": [{"text": "look"}]},
                {"role": "assistant", "content": [{"text": "I look."}, {"text": "[called `t` with { }]"}, {"text": "[called `t` with [1]]"}]},
                {"role": "user", "content": [{"text": "[the call: ok]"}, {"text": "and"}, {"text": "[the call failed: ]"}]},
            ])
        );
    }
}

#[test]
fn thinking_goes_back_as_it_came() {
    let text = "Fünf… \"quoted\"\n\ttabs \u{1F914}";
    let signature = "EqoBCkgIChABGAIqQ+/abc==";
    let said =
        vec![thought("claude", text, signature), redacted("AQI="), words("So."), call("a", "{}")];
    check_messages(
        CLAUDE,
        vec![says(Role::Assistant, said.clone())],
        json!([{"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}},
            {"reasoningContent": {"redactedContent": "AQI="}},
            {"text": "So."},
            {"toolUse": {"toolUseId": "a", "name": "t", "input": {}}},
        ]}]),
    );
    // Another model would refuse it.
    check_messages(
        NOVA,
        vec![says(Role::Assistant, said)],
        json!([{"role": "assistant", "content": [{"text": "So."}, {"toolUse": {"toolUseId": "a", "name": "t", "input": {}}}]}]),
    );
    let own = thought("bedrock/amazon.nova-pro-v1:0", "hm", "sig");
    check_messages(
        NOVA,
        vec![says(Role::Assistant, vec![own])],
        json!([{"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}}]}]),
    );
}

#[test]
fn effort_becomes_what_the_model_understands() {
    #[track_caller]
    fn check(model: &str, options: Value, config: Value, expected: Value) {
        let request = Request {
            model: model.to_owned(),
            max_tokens: Some(4000),
            options_json: Some(options.to_string()),
            ..request(Vec::new())
        };
        let body = body(request, &self::config(config));
        assert_eq!(body["additionalModelRequestFields"], expected, "{body:#}");
    }
    let effort = |level: &str| json!({"reasoning_effort": level});
    check(
        CLAUDE,
        effort("high"),
        json!({}),
        json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
    );
    check(CLAUDE, effort("none"), json!({}), json!({"thinking": {"type": "disabled"}}));
    check(
        CLAUDE,
        effort("medium"),
        json!({"thinking": "budget"}),
        json!({"thinking": {"type": "enabled", "budget_tokens": 1200}}),
    );
    check(
        NOVA,
        effort("xhigh"),
        json!({}),
        json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
    );
    check(NOVA, effort("none"), json!({}), json!({"reasoningConfig": {"type": "disabled"}}));
    check("openai.gpt-oss-120b-1:0", effort("low"), json!({}), json!({"reasoning_effort": "low"}));
    let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
    check(arn, effort("low"), json!({"family": "openai"}), json!({"reasoning_effort": "low"}));
    let own = json!({"thinking": {"type": "enabled", "budget_tokens": 2000}});
    check(
        CLAUDE,
        json!({"reasoning_effort": "low", "additionalModelRequestFields": own.clone()}),
        json!({"thinking": "budget"}),
        own,
    );
}

#[test]
fn a_schema_may_be_asked_for_by_a_tool() {
    let asked = Request {
        response_schema: Some("{\"type\":\"object\"}".to_owned()),
        ..request(Vec::new())
    };
    let by_tool = config(json!({"structured_output": "tool"}));
    let body = body(asked.clone(), &by_tool);
    assert_eq!(body.get("outputConfig"), None);
    assert_eq!(
        body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"],
        json!({"type": "object"})
    );
    assert_eq!(body["toolConfig"]["toolChoice"], json!({"tool": {"name": "answer"}}));
    let taken = Request { tools: vec![offered("answer")], ..asked };
    let error = schema_tool(&taken, &by_tool).expect_err("taken");
    assert!(error.message.contains("`structured_output = \"native\"`"), "{error:?}");
}

#[test]
fn counting_asks_for_nothing_else() {
    let asked = Request {
        temperature: Some(1.0),
        tools: vec![offered("t")],
        ..request(vec![says(Role::User, vec![words("hi")])])
    };
    let body = super::request(asked, &Config::default(), None).expect("a body").into_count();
    let value = serde_json::to_value(body).expect("JSON");
    let converse = value["input"]["converse"].as_object().expect("an object");
    assert_eq!(converse.keys().collect::<Vec<_>>(), ["messages", "toolConfig"]);
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
    check(options("{\"seed\":1}"), json!({}), "belongs into `additionalModelRequestFields`");
    check(options("{\"additionalModelRequestFields\":1}"), json!({}), "is an object");
    check(options("{\"reasoning_effort\":\"lots\"}"), json!({}), "none, minimal, low");
    check(
        options("{\"reasoning_effort\":\"low\"}"),
        json!({"thinking": "budget"}),
        "set `model.max_output_tokens`",
    );
    let other = Request {
        model: "deepseek.r1-v1:0".to_owned(),
        ..options("{\"reasoning_effort\":\"low\"}")
    };
    check(other, json!({}), "name its `family`");
    check(
        Request { response_schema: Some("{".to_owned()), ..request(Vec::new()) },
        json!({}),
        "the response schema is not JSON",
    );
    let tools = vec![ToolDefinition { input_schema: "{".to_owned(), ..offered("t") }];
    check(Request { tools, ..request(Vec::new()) }, json!({}), "the schema of the tool `t`");
}

#[test]
fn addresses_are_those_of_the_region_or_of_the_person() {
    let arn = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.a.b-v1:0";
    let regional = config(json!({"region": "eu-west-1"}));
    assert_eq!(
        regional.model_url(arn, "converse"),
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Feu.a.b-v1%3A0/converse"
    );
    assert_eq!(
        regional.control_url("foundation-models"),
        "https://bedrock.eu-west-1.amazonaws.com/foundation-models"
    );
    let own = config(json!({"base_url": "http://127.0.0.1:9/"}));
    assert_eq!(own.model_url("m", "converse-stream"), "http://127.0.0.1:9/model/m/converse-stream");
    assert_eq!(own.control_url("x"), "http://127.0.0.1:9/x");
}

#[test]
fn models_are_those_that_can_be_asked() {
    let listed: crate::wire::ModelList = serde_json::from_value(json!({"modelSummaries": [
        {"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "modelId": "amazon.nova-pro-v1:0", "modelName": "Nova Pro", "inputModalities": ["TEXT", "IMAGE"], "outputModalities": ["TEXT"], "responseStreamingSupported": true, "inferenceTypesSupported": ["ON_DEMAND", "INFERENCE_PROFILE"]},
        {"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/deepseek.r1-v1:0", "modelId": "deepseek.r1-v1:0", "outputModalities": ["TEXT"], "inputModalities": ["TEXT"], "responseStreamingSupported": true, "inferenceTypesSupported": ["INFERENCE_PROFILE"]},
        {"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed", "modelId": "amazon.titan-embed", "outputModalities": ["EMBEDDING"], "inferenceTypesSupported": ["ON_DEMAND"]},
    ]})).expect("a list");
    let profiles = serde_json::from_value(json!([
        {"inferenceProfileId": "us.deepseek.r1-v1:0", "inferenceProfileName": "US DeepSeek", "inferenceProfileArn": "arn:p", "type": "SYSTEM_DEFINED", "models": [{"modelArn": "arn:aws:bedrock:us-west-2::foundation-model/deepseek.r1-v1:0"}]},
        {"inferenceProfileId": "abc", "inferenceProfileArn": "arn:mine", "type": "APPLICATION", "models": [{"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"}]},
        {"inferenceProfileId": "us.unknown", "type": "SYSTEM_DEFINED", "models": [{"modelArn": "arn:x/unknown"}]},
    ])).expect("profiles");
    let models = models(&listed.model_summaries, profiles);
    let ids: Vec<(&str, &str)> =
        models.iter().map(|model| (model.id.as_str(), model.name.as_str())).collect();
    assert_eq!(
        ids,
        [
            ("amazon.nova-pro-v1:0", "Nova Pro"),
            ("us.deepseek.r1-v1:0", "US DeepSeek"),
            ("arn:mine", "arn:mine")
        ]
    );
    let nova = Features::TOOLS | Features::STREAMING | Features::IMAGES | Features::CACHING;
    assert_eq!(models[0].features, nova);
    assert_eq!(models[1].features, Features::TOOLS | Features::STREAMING);
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
        let error = serde_json::from_value::<Config>(json!({ key: {"no": []} }));
        let error = error.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(!error.contains("unknown field"), "{key}: {error}");
        count += 1;
    }
    assert!(count > 10, "{count}");
}
