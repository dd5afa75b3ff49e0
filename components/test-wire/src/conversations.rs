//! Requests of every kind a host may send, for checks of what becomes of them.

use hydroid_component::provider::{
    Blob, Block, Link, Message, Part, Reasoning, Request, Role, ToolCall, ToolChoice,
    ToolDefinition, ToolResult,
};

/// A request of these messages and nothing else.
pub fn request(messages: Vec<Message>) -> Request {
    Request {
        model: "gpt-5".to_owned(),
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

/// A message.
pub fn says(role: Role, blocks: Vec<Block>) -> Message {
    Message { role, blocks, cache: false }
}

/// A block of text.
pub fn text(text: &str) -> Block {
    Block::Part(Part::Text(text.to_owned()))
}

/// Inline bytes.
pub fn file(media_type: &str, name: Option<&str>, data: &[u8]) -> Part {
    Part::Blob(Blob {
        media_type: media_type.to_owned(),
        data: data.to_vec(),
        name: name.map(str::to_owned),
    })
}

/// A call of `file_read`.
pub fn call(id: &str, args: &str) -> Block {
    Block::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "file_read".to_owned(),
        args_json: args.to_owned(),
    })
}

/// The result of a call.
pub fn result(id: &str, content: Vec<Part>, is_error: bool) -> Block {
    Block::ToolResult(ToolResult { call_id: id.to_owned(), content, is_error })
}

/// Thinking, with what has to come back.
pub fn thought(text: &str, opaque: Option<&[u8]>) -> Block {
    Block::Reasoning(Reasoning { text: text.to_owned(), opaque: opaque.map(<[u8]>::to_vec) })
}

/// A tool with a schema that uses what schemas of tools use.
pub fn tool() -> ToolDefinition {
    ToolDefinition {
        name: "file_read".to_owned(),
        description: "Reads a file.".to_owned(),
        input_schema: r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"path":{"type":"string","description":"which"},"lines":{"anyOf":[{"$ref":"#/$defs/Lines"},{"type":"null"}]}},"required":["path"],"additionalProperties":false,"$defs":{"Lines":{"type":"object","properties":{"from":{"type":"integer","minimum":1}}}}}"##.to_owned(),
    }
}

/// Requests with a name each.
pub fn conversations() -> Vec<(&'static str, Request)> {
    let hello = || says(Role::User, vec![text("hello")]);
    let system = || says(Role::System, vec![text("be kind")]);
    let image = || file("image/png", Some("a.png"), &[137, 80]);
    let parallel = vec![
        system(),
        hello(),
        says(
            Role::Assistant,
            vec![
                thought("hm", None),
                text("I look."),
                call("call_1", "{\"path\": \"a\"}"),
                call("call_2", ""),
            ],
        ),
        says(Role::Tool, vec![result("call_1", vec![Part::Text("alpha".to_owned())], false)]),
        says(
            Role::Tool,
            vec![result("call_2", vec![Part::Json("{\"ok\":false}".to_owned()), image()], true)],
        ),
        says(Role::Assistant, vec![text("Done.")]),
        says(Role::User, vec![text("and now?")]),
    ];
    let media = vec![
        text("look at these"),
        Block::Part(image()),
        Block::Part(file("application/pdf", Some("a.pdf"), b"%PDF-1.7")),
        Block::Part(file("audio/wav", None, b"RIFF")),
        Block::Part(file("text/csv", Some("t.csv"), b"a,b")),
        Block::Part(file("application/zip", None, &[0xff, 0xfe])),
        Block::Part(Part::Link(Link {
            uri: "https://example.org/p.png".to_owned(),
            media_type: Some("image/png".to_owned()),
            title: Some("P".to_owned()),
        })),
        Block::Part(Part::Link(Link {
            uri: "https://example.org/".to_owned(),
            media_type: None,
            title: None,
        })),
    ];
    let with_tool = |choice| Request {
        tools: vec![tool()],
        tool_choice: Some(choice),
        ..request(vec![system(), hello()])
    };
    vec![
        ("one line", request(vec![hello()])),
        ("instructions", request(vec![system(), hello()])),
        ("media", request(vec![says(Role::User, media)])),
        ("parallel calls", Request { tools: vec![tool()], ..request(parallel) }),
        ("calls as it likes", with_tool(ToolChoice::Auto)),
        ("no call", with_tool(ToolChoice::None)),
        ("some call", with_tool(ToolChoice::Required)),
        ("this call", with_tool(ToolChoice::Named("file_read".to_owned()))),
        (
            "settings",
            Request {
                max_tokens: Some(100),
                temperature: Some(0.5),
                stop: vec!["END".to_owned(), "STOP".to_owned()],
                ..request(vec![hello()])
            },
        ),
        (
            "a schema",
            Request {
                response_schema: Some(
                    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\"],\"additionalProperties\":false}"
                        .to_owned(),
                ),
                ..request(vec![hello()])
            },
        ),
        (
            "effort",
            Request {
                options_json: Some("{\"reasoning_effort\":\"high\"}".to_owned()),
                ..request(vec![hello()])
            },
        ),
    ]
}
