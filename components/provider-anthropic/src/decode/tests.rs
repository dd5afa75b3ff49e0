//! Answers of the service and the events they are, for pieces of any size.

#![expect(clippy::disallowed_methods, reason = "fixtures are files, and may be rewritten")]

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use hydroid_component::provider::{EventQueue, Ext};
use serde_json::{Value, json};

use super::*;

mod functions;

/// A body that comes in the given pieces.
struct Pieces(VecDeque<Vec<u8>>);

impl Body for Pieces {
    fn read(&mut self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.pop_front())
    }
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Cuts `body` into pieces of `size` bytes, or of arbitrary sizes for 0.
fn pieces(body: &[u8], size: usize, seed: u64) -> Pieces {
    let mut rest = body;
    let mut pieces = VecDeque::new();
    let mut numbers = Numbers(seed);
    while !rest.is_empty() {
        let wanted = if size == 0 { numbers.below(40) + 1 } else { size };
        let (piece, after) = rest.split_at(wanted.min(rest.len()));
        pieces.push_back(piece.to_vec());
        rest = after;
    }
    Pieces(pieces)
}

fn play(answer: Turn<Pieces>) -> Vec<String> {
    let mut queue = EventQueue::new(answer);
    let mut shown = Vec::new();
    loop {
        match queue.next(3, || false) {
            Ok(events) if events.is_empty() => return shown,
            Ok(events) => shown.extend(events.iter().map(show)),
            Err(error) => {
                let retry = error.retry_after_ms.map(|retry| format!(" retry {retry}"));
                shown.push(
                    format!(
                        "{:?} sent {}{}: {}",
                        error.kind,
                        error.sent,
                        retry.unwrap_or_default(),
                        error.message
                    )
                    .replace("ErrorKind::", ""),
                );
                return shown;
            }
        }
    }
}

fn show(event: &Event) -> String {
    match event {
        Event::Text(text) => format!("text {text:?}"),
        Event::Reasoning(reasoning) => match &reasoning.opaque {
            Some(opaque) => format!("seal {}", String::from_utf8_lossy(opaque)),
            None => format!("thought {:?}", reasoning.text),
        },
        Event::ToolCallStart(start) => format!("start {} {} {}", start.index, start.id, start.name),
        Event::ToolCallArgs(args) => format!("args {} {}", args.index, args.fragment),
        Event::ToolCallEnd(index) => format!("end {index}"),
        Event::Citation(citation) => {
            format!("cites {} {:?} {:?}", citation.uri, citation.title, citation.text)
        }
        Event::Usage(usage) => format!(
            "usage {} {} {:?} {:?} {:?}",
            usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning
        ),
        Event::Finish(stop) => format!("{stop:?}").replace("Stop::", ""),
        Event::Other(Ext { kind, json }) => format!("other {kind} {json}"),
    }
}

/// What `body` becomes, which is the same for pieces of any size.
#[track_caller]
fn played(body: &[u8], schema_tool: Option<&'static str>) -> Vec<String> {
    let answer = |pieces: Pieces| play(Turn::new(pieces, None, "call_7".to_owned(), schema_tool));
    let whole = answer(pieces(body, 64 << 10, 0));
    for (size, seed) in [(1, 0), (7, 0), (0, 1), (0, 2), (0, 3)] {
        let cut = answer(pieces(body, size, seed));
        assert_eq!(cut, whole, "pieces of {size} bytes, seed {seed}");
    }
    whole
}

#[track_caller]
fn check(body: &str, expected: &[&str]) {
    assert_eq!(played(body.as_bytes(), None), expected);
}

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/decode/fixtures"))
}

/// Events of JSON, one a line, as the service sends them.
fn stream(lines: &str) -> String {
    let event = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("an event");
        format!("event: {}\ndata: {line}\n\n", value["type"].as_str().expect("a type"))
    };
    lines.lines().filter(|line| !line.trim().is_empty()).map(event).collect()
}

/// What a stream says, read the simple way: text, thinking and arguments of our tools.
fn said_in(lines: &str) -> (String, String, String) {
    let (mut text, mut thinking, mut arguments) = (String::new(), String::new(), String::new());
    let mut ours = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let event: Value = serde_json::from_str(line).expect("an event");
        let of = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if of("/content_block/type") == "tool_use" {
            ours.push(event["index"].clone());
            let input = event["content_block"]["input"].to_string();
            arguments.push_str(if input == "{}" { "" } else { &input });
        }
        text.push_str(of("/delta/text"));
        thinking.push_str(of("/delta/thinking"));
        if ours.contains(&event["index"]) {
            arguments.push_str(of("/delta/partial_json"));
        }
    }
    (text, thinking, arguments)
}

/// The same of events.
fn said_by(shown: &[String]) -> (String, String, String) {
    let (mut text, mut thinking, mut arguments) = (String::new(), String::new(), String::new());
    for line in shown {
        let unquoted = |quoted: &str| -> String {
            serde_json::from_str(&quoted.replace("\\'", "'"))
                .expect("debug text without odd characters is JSON")
        };
        match line.split_once(' ') {
            Some(("text", quoted)) => text.push_str(&unquoted(quoted)),
            Some(("thought", quoted)) => thinking.push_str(&unquoted(quoted)),
            Some(("args", args)) => arguments.push_str(args.split_once(' ').expect("args").1),
            _ => {}
        }
    }
    (text, thinking, arguments)
}

#[test]
fn published_answers_are_read_as_expected() {
    let mut names: Vec<String> = std::fs::read_dir(fixtures())
        .expect("fixtures")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("a name"))
        .filter(|name| !name.ends_with(".md") && name != "expected.txt")
        .collect();
    names.sort();
    assert!(names.len() > 20, "{names:?}");
    let mut all = String::new();
    for name in &names {
        let text = std::fs::read_to_string(fixtures().join(name)).expect("a fixture");
        let body = if name.ends_with(".chunks.txt") { stream(&text) } else { text.clone() };
        let shown = played(body.as_bytes(), None);
        // Another message in the middle of one ends the reading.
        if name.ends_with(".chunks.txt") && !name.starts_with("spliced") {
            let (words, thinking, arguments) = said_by(&shown);
            let expected = said_in(&text);
            assert_eq!((&words, &thinking), (&expected.0, &expected.1), "{name}");
            assert_eq!(
                arguments.trim_end_matches("{}"),
                expected.2.trim_end_matches("{}"),
                "{name}"
            );
        }
        all.push_str(&format!("== {name}\n{}\n\n", shown.join("\n")));
    }
    let path = fixtures().join("expected.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &all).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        all == expected,
        "run `UPDATE=1 cargo test -p provider-anthropic` and look at the difference:\n{all}"
    );
}

/// A message with these events between start and end.
fn message(events: &[Value], reason: &str) -> String {
    let start = json!({"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 5, "output_tokens": 1}}});
    let delta = json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9}});
    let lines = [start]
        .into_iter()
        .chain(events.iter().cloned())
        .chain([delta, json!({"type": "message_stop"})]);
    stream(&lines.map(|event| event.to_string()).collect::<Vec<_>>().join("\n"))
}

fn begins(index: u32, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn piece(index: u32, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn ends(index: u32) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

#[test]
fn parallel_calls_keep_their_arguments_byte_by_byte() {
    let call = |index: u32, id: &str, name: &str| {
        begins(index, json!({"type": "tool_use", "id": id, "name": name, "input": {}}))
    };
    let args = |index: u32, text: &str| {
        piece(index, json!({"type": "input_json_delta", "partial_json": text}))
    };
    let events = [
        call(0, "toolu_a", "file_read"),
        args(0, "{\"pa"),
        call(1, "toolu_b", "file_write"),
        args(1, "{ \"text\" : \"\\u00e9\\n\\\"é\\\"\""),
        args(0, "th\": \"a.txt\"}"),
        args(1, ", \"n\": 1.0 }"),
        ends(0),
        ends(1),
    ];
    check(
        &message(&events, "tool_use"),
        &[
            "usage 5 1 None None None",
            "start 0 toolu_a file_read",
            "args 0 {\"pa",
            "start 1 toolu_b file_write",
            "args 1 { \"text\" : \"\\u00e9\\n\\\"é\\\"\"",
            "args 0 th\": \"a.txt\"}",
            "args 1 , \"n\": 1.0 }",
            "end 0",
            "end 1",
            "usage 5 9 None None None",
            "ToolUse",
        ],
    );
}

#[test]
fn a_whole_answer_keeps_arguments_as_they_are_written() {
    check(
        r#"{"type":"message","id":"m","content":[{"type":"tool_use","id":"a","name":"f","input":{ "z": 1.0, "a" : [ 2 ] }}],"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":4}}"#,
        &[
            "start 0 a f",
            "args 0 { \"z\": 1.0, \"a\" : [ 2 ] }",
            "end 0",
            "usage 3 4 None None None",
            "ToolUse",
        ],
    );
}

#[test]
fn each_end_has_its_reason() {
    for (reason, expected) in [
        ("end_turn", "EndTurn"),
        ("max_tokens", "MaxTokens"),
        ("model_context_window_exceeded", "MaxTokens"),
        ("tool_use", "ToolUse"),
        ("stop_sequence", "StopSequence"),
        ("refusal", "Refusal"),
        ("pause_turn", "Other"),
        ("new", "Other"),
    ] {
        let shown = played(message(&[], reason).as_bytes(), None);
        assert_eq!(shown.last().map(String::as_str), Some(expected), "{reason}");
    }
}

#[test]
fn cached_tokens_are_input() {
    let start = json!({"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 10, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 30, "output_tokens": 1}}});
    let delta = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7, "output_tokens_details": {"thinking_tokens": 4}}});
    check(
        &stream(&format!("{start}\n{delta}")),
        &[
            "usage 240 1 Some(200) Some(30) None",
            "usage 240 7 Some(200) Some(30) Some(4)",
            "EndTurn",
        ],
    );
}

#[test]
fn sources_are_cited() {
    let page = json!({"type": "citations_delta", "citation": {"type": "page_location", "document_index": 1, "document_title": "Report", "cited_text": "so", "start_page_number": 2}});
    let found = json!({"type": "citations_delta", "citation": {"type": "search_result_location", "source": "https://e.org", "title": null, "cited_text": "x"}});
    check(
        &message(
            &[
                begins(0, json!({"type": "text", "text": ""})),
                piece(0, page),
                piece(0, found),
                ends(0),
            ],
            "end_turn",
        ),
        &[
            "usage 5 1 None None None",
            "cites document:1 Some(\"Report\") Some(\"so\")",
            "cites https://e.org None Some(\"x\")",
            "usage 5 9 None None None",
            "EndTurn",
        ],
    );
}

#[test]
fn the_arguments_of_the_schema_tool_are_the_answer() {
    let events = [
        begins(0, json!({"type": "tool_use", "id": "a", "name": "answer", "input": {}})),
        piece(0, json!({"type": "input_json_delta", "partial_json": "{\"n\""})),
        piece(0, json!({"type": "input_json_delta", "partial_json": ": 1}"})),
        ends(0),
    ];
    let body = message(&events, "tool_use");
    assert_eq!(
        played(body.as_bytes(), Some("answer")),
        [
            "usage 5 1 None None None",
            "text \"{\\\"n\\\"\"",
            "text \": 1}\"",
            "usage 5 9 None None None",
            "EndTurn"
        ]
    );
}

#[test]
fn failures_in_the_middle() {
    let begun = message(&[piece(0, json!({"type": "text_delta", "text": "a"}))], "end_turn");
    let begun = begun.split("event: message_delta").next().expect("a beginning").to_owned();
    let check = |rest: &str, expected: &str| {
        let shown = played((begun.clone() + rest).as_bytes(), None);
        assert_eq!(shown, ["usage 5 1 None None None", "text \"a\"", expected]);
    };
    let error = |kind: &str| {
        format!(
            "event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":\"Oh.\"}}}}\n\n"
        )
    };
    let middle = "the service failed in the middle of its answer: Oh";
    check(&error("overloaded_error"), &format!("Unavailable sent true retry 1000: {middle}"));
    check(&error("api_error"), &format!("Unavailable sent true retry 1000: {middle}"));
    check(&error("rate_limit_error"), &format!("RateLimited sent true retry 1000: {middle}"));
    check(&error("timeout_error"), &format!("Timeout sent true retry 1000: {middle}"));
    check(&error("invalid_request_error"), &format!("InvalidInput sent true: {middle}"));
    check(&error("permission_error"), &format!("Denied sent true: {middle}"));
    // A gateway that leaves the name of the event out.
    check(
        &error("overloaded_error").replace("event: error\n", ""),
        &format!("Unavailable sent true retry 1000: {middle}"),
    );
    check(
        "",
        "Unavailable sent true retry 1000: the service ended its answer in the middle: send the request again",
    );
    check(
        "data: {oops\n\n",
        "Unavailable sent true: the service sent something that is no message: key must be a string at line 1 column 2 in `{oops`; check the configured address",
    );
    check(
        "data: {\"type\":\"message_start\",\"message\":{\"id\":\"other\"}}\n\n",
        "Unavailable sent true retry 1000: the service began another answer in the middle of one: send the request again",
    );
}

#[test]
fn a_whole_answer_that_is_an_error_says_so() {
    check(
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        &[
            "Unavailable sent true retry 1000: the service failed in the middle of its answer: Overloaded",
        ],
    );
    check(
        "{\"type\":\"message\",\"content\":[",
        &[
            "Unavailable sent true: the service sent something that is no message: EOF while parsing a list at line 1 column 29 in `{\"type\":\"message\",\"content\":[`; check the configured address",
        ],
    );
}

#[test]
fn a_page_that_is_no_message_says_so() {
    let expected =
        "Unavailable sent true: the service sent no message: check the configured address";
    for body in [
        "<html>Welcome</html>",
        "",
        " \n",
        "{\"ok\":true}",
        "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    ] {
        check(body, &[expected]);
    }
}

#[test]
fn nothing_is_read_after_the_end() {
    let body = message(&[], "end_turn");
    let mut pieces = pieces(body.as_bytes(), body.len(), 0);
    pieces.0.push_back(b"data: {oops\n\n".to_vec());
    let shown = play(Turn::new(pieces, None, String::new(), None));
    assert_eq!(shown.last().map(String::as_str), Some("EndTurn"));
}

#[test]
fn a_paused_answer_is_taken_up_again_with_what_it_said() {
    let first = message(
        &[
            begins(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
            piece(0, json!({"type": "thinking_delta", "thinking": "hm"})),
            piece(0, json!({"type": "signature_delta", "signature": "sig=="})),
            ends(0),
            begins(1, json!({"type": "text", "text": ""})),
            ends(1),
            begins(
                2,
                json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
            ),
            piece(2, json!({"type": "input_json_delta", "partial_json": "{\"query\":"})),
            piece(2, json!({"type": "input_json_delta", "partial_json": " \"x\"}"})),
            ends(2),
            begins(
                3,
                json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"encrypted_content": "e/+="}]}),
            ),
            ends(3),
        ],
        "pause_turn",
    );
    let second = message(
        &[
            begins(0, json!({"type": "text", "text": ""})),
            piece(0, json!({"type": "text_delta", "text": "Found."})),
            ends(0),
        ],
        "end_turn",
    );
    let handed_back = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&handed_back);
    let mut answer = Turn::new(pieces(first.as_bytes(), 11, 0), None, "c".to_owned(), None);
    answer.resume_by(Box::new(move |content| {
        seen.borrow_mut().extend(content.iter().map(|block| block.get().to_owned()));
        Ok(Some(pieces(second.as_bytes(), 5, 0)))
    }));
    let shown = play(answer);
    assert_eq!(
        shown[shown.len() - 4..],
        ["usage 10 10 None None None", "text \"Found.\"", "usage 10 18 None None None", "EndTurn"]
    );
    assert_eq!(
        *handed_back.borrow(),
        [
            r#"{"signature":"sig==","thinking":"hm","type":"thinking"}"#,
            r#"{"id":"s","input":{"query":"x"},"name":"web_search","type":"server_tool_use"}"#,
            r#"{"content":[{"encrypted_content":"e/+="}],"tool_use_id":"s","type":"web_search_tool_result"}"#,
        ]
    );
    let mut answer = Turn::new(pieces(first.as_bytes(), 11, 0), None, "c".to_owned(), None);
    answer.resume_by(Box::new(|_| Ok(None)));
    assert_eq!(play(answer).last().map(String::as_str), Some("Other"));
}

/// Whatever is damaged, an answer ends as an answer or as an error, and nothing panics.
#[test]
fn damaged_answers_have_an_end() {
    let mut numbers = Numbers(11);
    for name in
        ["refusal.chunks.txt", "tool-no-args.chunks.txt", "redacted-thinking.sse", "fallback.json"]
    {
        let text = std::fs::read_to_string(fixtures().join(name)).expect("a fixture");
        let whole = if name.ends_with(".chunks.txt") { stream(&text) } else { text };
        let whole = whole.into_bytes();
        for seed in 0..60 {
            let mut body = whole.clone();
            for _ in 0..=seed % 3 {
                let at = numbers.below(body.len());
                body[at] = u8::try_from(numbers.below(256)).expect("a byte");
            }
            body.truncate(body.len() - numbers.below(body.len()) * usize::from(seed % 2 == 0));
            let shown = play(Turn::new(pieces(&body, 0, seed), None, "c".to_owned(), None));
            let last = shown.last().expect("an end");
            let is_end = |end: &str| last == end || last.contains(" sent true");
            let ends =
                ["EndTurn", "ToolUse", "MaxTokens", "StopSequence", "Refusal", "Error", "Other"];
            assert!(ends.into_iter().any(is_end), "{name}: {shown:?}");
        }
    }
}

/// Not a check; `cargo xtask bench` runs it and says what is decoded.
#[test]
#[ignore = "measures how long decoding takes"]
fn pace() {
    test_wire::pace(|pieces| Turn::new(Pieces(pieces.into()), None, "call_7".to_owned(), None));
}
