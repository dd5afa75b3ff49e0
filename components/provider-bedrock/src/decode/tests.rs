//! Answers of the service and the events they are, for pieces of any size.

#![expect(clippy::disallowed_methods, reason = "fixtures are files, and may be rewritten")]

use std::path::PathBuf;

use hydroid_component::provider::{EventQueue, Ext};
use serde_json::{Value, json};

use super::*;
use crate::frames::frame;

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
    let answer = |pieces: Pieces| {
        play(Turn::new(pieces, "call_7".to_owned(), "claude".to_owned(), schema_tool))
    };
    let whole = answer(pieces(body, 64 << 10, 0));
    for (size, seed) in [(1, 0), (7, 0), (0, 1), (0, 2), (0, 3)] {
        let cut = answer(pieces(body, size, seed));
        assert_eq!(cut, whole, "pieces of {size} bytes, seed {seed}");
    }
    whole
}

#[track_caller]
fn check(body: &[u8], expected: &[&str]) {
    assert_eq!(played(body, None), expected);
}

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/decode/fixtures"))
}

/// Events, one a line as `{"kind":{…}}`, as the service sends them.
fn stream(lines: &str) -> Vec<u8> {
    let mut stream = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let event: Value = serde_json::from_str(line).expect("an event");
        let (kind, content) = event.as_object().and_then(|event| event.iter().next()).expect("one");
        stream.extend(sent(kind, content));
    }
    stream
}

fn sent(kind: &str, content: &Value) -> Vec<u8> {
    let headers =
        [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
    frame(&headers, content.to_string().as_bytes())
}

/// What a stream says, read the simple way: text, thinking and arguments.
fn said_in(lines: &str) -> (String, String, String) {
    let (mut text, mut thinking, mut arguments) = (String::new(), String::new(), String::new());
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let event: Value = serde_json::from_str(line).expect("an event");
        let of = |pointer: &str| {
            let pointer = format!("/contentBlockDelta/delta/{pointer}");
            event.pointer(&pointer).and_then(Value::as_str).unwrap_or_default()
        };
        text.push_str(of("text"));
        thinking.push_str(of("reasoningContent/text"));
        arguments.push_str(of("toolUse/input"));
    }
    (text, thinking, arguments)
}

/// The same of events; calls without arguments have empty ones.
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
            Some(("args", args)) => {
                arguments.push_str(args.split_once(' ').expect("args").1.trim_end_matches("{}"));
            }
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
    assert!(names.len() > 15, "{names:?}");
    let mut all = String::new();
    for name in &names {
        let bytes = std::fs::read(fixtures().join(name)).expect("a fixture");
        let shown = match name.ends_with(".chunks.txt") {
            true => {
                let lines = String::from_utf8(bytes).expect("text");
                let shown = played(&stream(&lines), None);
                assert_eq!(said_by(&shown), said_in(&lines), "{name}");
                shown
            }
            false => played(&bytes, None),
        };
        all.push_str(&format!("== {name}\n{}\n\n", shown.join("\n")));
    }
    let path = fixtures().join("expected.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &all).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        all == expected,
        "run `UPDATE=1 cargo test -p provider-bedrock` and look at the difference:\n{all}"
    );
}

/// Frames of these events, which begin and end a message of their own.
fn message(events: &[(&str, Value)], reason: &str) -> Vec<u8> {
    let usage = json!({"usage": {"inputTokens": 5, "outputTokens": 9, "totalTokens": 14}});
    let mut stream = sent("messageStart", &json!({"role": "assistant"}));
    stream.extend(events.iter().flat_map(|(kind, content)| sent(kind, content)));
    stream.extend(sent("messageStop", &json!({"stopReason": reason})));
    stream.extend(sent("metadata", &usage));
    stream
}

fn begins(index: u32, id: &str, name: &str) -> (&'static str, Value) {
    let start = json!({"toolUse": {"toolUseId": id, "name": name}});
    ("contentBlockStart", json!({"contentBlockIndex": index, "start": start}))
}

fn piece(index: u32, delta: Value) -> (&'static str, Value) {
    ("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta, "p": "abc"}))
}

fn ends(index: u32) -> (&'static str, Value) {
    ("contentBlockStop", json!({"contentBlockIndex": index}))
}

#[test]
fn parallel_calls_keep_their_arguments_byte_by_byte() {
    let args = |index: u32, text: &str| piece(index, json!({"toolUse": {"input": text}}));
    let events = [
        begins(0, "tooluse_a", "file_read"),
        args(0, "{\"pa"),
        begins(1, "tooluse_b", "file_write"),
        args(1, "{ \"text\" : \"\\u00e9\\n\\\"é\\\"\""),
        args(0, "th\": \"a.txt\"}"),
        args(1, ", \"n\": 1.0 }"),
        ends(0),
        ends(1),
    ];
    check(
        &message(&events, "tool_use"),
        &[
            "start 0 tooluse_a file_read",
            "args 0 {\"pa",
            "start 1 tooluse_b file_write",
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
        br#"{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"f","input":{ "z": 1.0, "a" : [ 2 ] }}}]}},"stopReason":"tool_use","usage":{"inputTokens":3,"outputTokens":4,"cacheReadInputTokens":2,"cacheWriteInputTokens":1}}"#,
        &[
            "start 0 a f",
            "args 0 { \"z\": 1.0, \"a\" : [ 2 ] }",
            "end 0",
            "usage 6 4 Some(2) Some(1) None",
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
        ("guardrail_intervened", "Refusal"),
        ("content_filtered", "Refusal"),
        ("malformed_tool_use", "Error"),
        ("malformed_model_output", "Error"),
        ("new", "Other"),
    ] {
        let shown = played(&message(&[], reason), None);
        assert_eq!(shown.last().map(String::as_str), Some(expected), "{reason}");
    }
}

#[test]
fn thinking_ends_with_what_goes_back() {
    let reasoning = |value: Value| piece(0, json!({"reasoningContent": value}));
    let events = [
        reasoning(json!({"text": "hm "})),
        reasoning(json!({"text": "so"})),
        reasoning(json!({"signature": "si"})),
        reasoning(json!({"signature": "g=="})),
        ends(0),
        piece(1, json!({"reasoningContent": {"redactedContent": "AQI="}})),
        ends(1),
    ];
    check(
        &message(&events, "end_turn"),
        &[
            "thought \"hm \"",
            "thought \"so\"",
            "seal {\"of\":\"claude\",\"signature\":\"sig==\",\"text\":\"d679848b9305e0bc\"}",
            "seal {\"of\":\"claude\",\"redacted\":\"AQI=\"}",
            "usage 5 9 None None None",
            "EndTurn",
        ],
    );
}

#[test]
fn sources_are_cited() {
    let cited = |value: Value| piece(0, json!({"citation": value}));
    let page = json!({"title": "Report", "sourceContent": [{"text": "so"}], "location": {"documentPage": {"documentIndex": 1, "start": 2}}});
    let web = json!({"title": "E", "location": {"web": {"url": "https://e.org"}}});
    check(
        &message(&[cited(page), cited(web), ends(0)], "end_turn"),
        &[
            "cites document:1 Some(\"Report\") Some(\"so\")",
            "cites https://e.org Some(\"E\") None",
            "usage 5 9 None None None",
            "EndTurn",
        ],
    );
    check(
        br#"{"output":{"message":{"content":[{"citationsContent":{"content":[{"text":"Yes."}],"citations":[{"source":"https://e.org","title":"E"}]}}]}},"stopReason":"end_turn"}"#,
        &["text \"Yes.\"", "cites https://e.org Some(\"E\") None", "EndTurn"],
    );
}

#[test]
fn tools_of_the_service_are_no_calls_of_ours() {
    let start = json!({"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"}}});
    let events = [
        ("contentBlockStart", start),
        piece(0, json!({"toolUse": {"input": "{}"}})),
        ends(0),
        piece(1, json!({"text": "Found."})),
        ends(1),
    ];
    check(
        &message(&events, "end_turn"),
        &[
            "other bedrock/server_tool_use {\"name\":\"nova_grounding\"}",
            "text \"Found.\"",
            "usage 5 9 None None None",
            "EndTurn",
        ],
    );
}

#[test]
fn the_arguments_of_the_schema_tool_are_the_answer() {
    let events = [
        begins(0, "a", "answer"),
        piece(0, json!({"toolUse": {"input": "{\"n\""}})),
        piece(0, json!({"toolUse": {"input": ": 1}"}})),
        ends(0),
    ];
    assert_eq!(
        played(&message(&events, "tool_use"), Some("answer")),
        ["text \"{\\\"n\\\"\"", "text \": 1}\"", "usage 5 9 None None None", "EndTurn"]
    );
}

#[test]
fn what_a_guardrail_did_is_told() {
    let mut stream = sent("messageStart", &json!({"role": "assistant"}));
    stream.extend(sent(
        "messageStop",
        &json!({"stopReason": "guardrail_intervened", "additionalModelResponseFields": {"x": 1}}),
    ));
    stream.extend(sent("metadata", &json!({"usage": {"inputTokens": 1, "outputTokens": 2}, "trace": {"guardrail": {"actionReason": "blocked"}}})));
    check(
        &stream,
        &[
            "other bedrock/stop_fields {\"x\":1}",
            "other bedrock/trace {\"guardrail\":{\"actionReason\":\"blocked\"}}",
            "usage 1 2 None None None",
            "Refusal",
        ],
    );
}

/// The beginning of an answer.
fn begun() -> Vec<u8> {
    let (kind, content) = piece(0, json!({"text": "a"}));
    [sent("messageStart", &json!({"role": "assistant"})), sent(kind, &content)].concat()
}

#[test]
fn failures_in_the_middle() {
    let check = |rest: Vec<u8>, expected: &str| {
        assert_eq!(played(&[begun(), rest].concat(), None), ["text \"a\"", expected]);
    };
    let exception = |name: &str| {
        let headers = [(":exception-type", name), (":message-type", "exception")];
        frame(&headers, br#"{"message":"Oh."}"#)
    };
    let middle = "the service failed in the middle of its answer: Oh";
    check(exception("throttlingException"), &format!("RateLimited sent true retry 1000: {middle}"));
    check(exception("validationException"), &format!("InvalidInput sent true: {middle}"));
    check(
        exception("modelStreamErrorException"),
        &format!("Unavailable sent true retry 1000: {middle}"),
    );
    check(
        exception("internalServerException"),
        &format!("Unavailable sent true retry 1000: {middle}"),
    );
    let error =
        [(":error-code", "InternalError"), (":error-message", "Oh."), (":message-type", "error")];
    check(frame(&error, b""), &format!("Unavailable sent true retry 1000: {middle}"));
    let broken = "Unavailable sent true retry 1000: the service ended its answer in the middle: send the request again";
    check(Vec::new(), broken);
    let next = begun();
    check(next[..next.len() - 1].to_vec(), broken);
    let mut damaged = begun();
    damaged[20] ^= 1;
    check(
        damaged,
        "Unavailable sent true retry 1000: the service's answer was damaged on its way: send the request again",
    );
    check(
        frame(&[(":event-type", "contentBlockDelta"), (":message-type", "event")], b"{oops"),
        "Unavailable sent true: the service sent something that is no answer of Bedrock: key must be a string at line 1 column 2 in `{oops`; check the configured address",
    );
}

#[test]
fn an_answer_that_is_over_does_not_fail_for_missing_numbers() {
    let stop = sent("messageStop", &json!({"stopReason": "end_turn"}));
    check(&[begun(), stop.clone()].concat(), &["text \"a\"", "EndTurn"]);
    let numbers = sent("metadata", &json!({"usage": {"inputTokens": 1, "outputTokens": 2}}));
    let cut = &numbers[..numbers.len() - 3];
    check(&[begun(), stop, cut.to_vec()].concat(), &["text \"a\"", "EndTurn"]);
}

#[test]
fn kinds_that_may_come_later_are_passed_over() {
    let mut stream = begun();
    stream.extend(sent("somethingNew", &json!({"x": 1})));
    stream.extend(sent("messageStop", &json!({"stopReason": "end_turn"})));
    check(&stream, &["text \"a\"", "EndTurn"]);
}

#[test]
fn a_page_that_is_no_answer_says_so() {
    let nothing = "Unavailable sent true: the service sent no answer of Bedrock: check the configured address";
    for body in ["", "{\"ok\":true}"] {
        check(body.as_bytes(), &[nothing]);
    }
    check(
        b"<html>",
        &[
            "Unavailable sent true: the service sent something that is no answer of Bedrock: expected value at line 1 column 1 in `<html>`; check the configured address",
        ],
    );
}

#[test]
fn nothing_is_read_after_the_end() {
    let mut body = pieces(&message(&[], "end_turn"), 64 << 10, 0);
    body.0.push_back(vec![0xff; 20]);
    let shown = play(Turn::new(body, String::new(), String::new(), None));
    assert_eq!(shown.last().map(String::as_str), Some("EndTurn"));
}

/// Whatever is damaged, an answer ends as an answer or as an error, and nothing panics.
#[test]
fn damaged_answers_have_an_end() {
    let mut numbers = Numbers(11);
    for name in [
        "reasoning.chunks.txt",
        "json-with-tools.1.chunks.txt",
        "code-execution.bin",
        "json-with-tools.1.json",
    ] {
        let bytes = std::fs::read(fixtures().join(name)).expect("a fixture");
        let whole = match name.ends_with(".chunks.txt") {
            true => stream(&String::from_utf8(bytes).expect("text")),
            false => bytes,
        };
        for seed in 0..60 {
            let mut body = whole.clone();
            for _ in 0..=seed % 3 {
                let at = numbers.below(body.len());
                body[at] = u8::try_from(numbers.below(256)).expect("a byte");
            }
            body.truncate(body.len() - numbers.below(body.len()) * usize::from(seed % 2 == 0));
            let shown =
                play(Turn::new(pieces(&body, 0, seed), "c".to_owned(), String::new(), None));
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
    test_wire::pace(|pieces| {
        Turn::new(Pieces(pieces.into()), "call_7".to_owned(), "claude".to_owned(), None)
    });
}
