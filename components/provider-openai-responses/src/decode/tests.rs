//! Answers of services, and the events they are, for pieces of any size.

use std::path::Path;

use hydroid_component::answer::Answer;
use serde_json::json;
use test_wire::{Pieces, assembled, fragments, golden, pieces, published};

use super::*;

fn answer(body: Pieces) -> Answer<Pieces, Decoder> {
    Answer::new(body, Decoder::new("call_7".to_owned()))
}

#[track_caller]
fn check(body: &str, expected: &[&str]) {
    test_wire::check(body, answer, expected);
}

/// A stream of these events.
fn stream(events: &[Value]) -> String {
    events
        .iter()
        .map(|event| {
            format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
        })
        .collect()
}

fn completed() -> Value {
    json!({"type": "response.completed", "response": {"status": "completed", "usage": {"input_tokens": 9, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 4}, "output_tokens_details": {"reasoning_tokens": 2}}}})
}

#[test]
fn published_answers_of_services() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/decode/published");
    golden(&directory, |_, body| answer(body));
}

#[test]
fn published_calls_keep_their_arguments() {
    let mut seed = 1;
    for some in published().chunks(4) {
        let mut events = Vec::new();
        for (index, call) in some.iter().enumerate() {
            let item = |arguments: &str| json!({"type": "function_call", "call_id": format!("c{index}"), "name": call.name, "arguments": arguments});
            events.push(json!({"type": "response.output_item.added", "output_index": index, "item": item("")}));
            for delta in fragments(&call.arguments, &mut seed) {
                events.push(json!({"type": "response.function_call_arguments.delta", "output_index": index, "delta": delta}));
            }
            events.push(json!({"type": "response.function_call_arguments.done", "output_index": index, "arguments": call.arguments}));
            events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item(&call.arguments)}));
        }
        events.push(completed());
        assert_eq!(assembled(answer(pieces(stream(&events).as_bytes(), 0, seed))), some);
    }
}

#[test]
fn thinking_is_kept_as_it_was_written_with_the_call_behind_it() {
    let thinking = "{ \"type\":\"reasoning\", \"id\":\"rs_1\",\"encrypted_content\":\"gA+/=\", \"summary\":[] }";
    let body = format!(
        "data: {{\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":{thinking}}}\n\n"
    ) + &stream(&[
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "call_id": "c", "name": "f"}}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{ }"}}),
        completed(),
    ]);
    let kept = format!("thought  keeps {{\"thinking\":{{\"item\":{thinking},\"before\":\"c\"}}}}");
    check(
        &body,
        &[&kept, "start 0 c f", "args 0 { }", "end 0", "usage 9 5 Some(4) None Some(2)", "ToolUse"],
    );
}

#[test]
fn parts_of_a_summary_are_paragraphs() {
    let delta = |part: u32, text: &str| json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": part, "delta": text});
    check(
        &stream(&[
            delta(0, "a"),
            delta(0, "b"),
            delta(1, "c"),
            json!({"type": "response.reasoning_text.delta", "output_index": 1, "delta": "d"}),
            completed(),
        ]),
        &[
            "thought a",
            "thought b",
            "thought \\n\\n",
            "thought c",
            "thought d",
            "usage 9 5 Some(4) None Some(2)",
            "EndTurn",
        ],
    );
}

#[test]
fn what_was_not_streamed_is_said_at_its_end() {
    let message = json!({"type": "message", "content": [{"type": "output_text", "text": "Hi.", "annotations": [{"type": "url_citation", "url": "https://a", "title": "A"}, {"type": "file_citation", "file_id": "f1", "filename": "n.txt"}]}]});
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let end = json!({"type": "response.completed", "response": {"status": "completed", "output": [message, call]}});
    let expected = [
        "text Hi.",
        "cites https://a Some(\"A\")",
        "cites openai-file:f1 Some(\"n.txt\")",
        "start 0 c f",
        "args 0 {}",
        "end 0",
        "ToolUse",
    ];
    let done = |index: u32, item: &Value| json!({"type": "response.output_item.done", "output_index": index, "item": item});
    check(&stream(&[done(0, &message), done(1, &call), end.clone()]), &expected);
    check(&stream(&[end]), &expected);
}

#[test]
fn a_refusal_is_text_and_an_end() {
    check(
        &stream(&[
            json!({"type": "response.refusal.delta", "output_index": 0, "delta": "No."}),
            json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}}),
            completed(),
        ]),
        &["text No.", "usage 9 5 Some(4) None Some(2)", "Refusal"],
    );
}

#[test]
fn each_end_has_its_reason() {
    let incomplete = |reason: &str| {
        stream(&[
            json!({"type": "response.incomplete", "response": {"status": "incomplete", "incomplete_details": {"reason": reason}}}),
        ])
    };
    check(&incomplete("max_output_tokens"), &["MaxTokens"]);
    check(&incomplete("content_filter"), &["Refusal"]);
    check(&incomplete("new"), &["Other"]);
    check(
        "{\"object\":\"response\",\"status\":\"completed\",\"output\":[],\"error\":null}",
        &["EndTurn"],
    );
    check("{\"object\":\"response\",\"status\":\"cancelled\",\"output\":[]}", &["Error"]);
}

#[test]
fn failures_are_typed() {
    let begun =
        stream(&[json!({"type": "response.output_text.delta", "output_index": 0, "delta": "a"})]);
    check(
        &(begun.clone()
            + &stream(&[
                json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow."}}}),
            ])),
        &["text a", "RateLimited true the service failed in the middle of its answer: Slow"],
    );
    check(
        &(begun.clone()
            + &stream(&[
                json!({"type": "error", "code": "server_error", "message": "Oops.", "param": null}),
            ])),
        &["text a", "Unavailable true the service failed in the middle of its answer: Oops"],
    );
    check(
        &begun,
        &[
            "text a",
            "Unavailable true the service ended its answer in the middle: send the request again",
        ],
    );
    check(
        &(begun + "data: {oops\n\n"),
        &[
            "text a",
            "Unavailable true the service sent something that is no answer in OpenAI's responses: key must be a string at line 1 column 2 in `{oops`; check the configured address",
        ],
    );
    let nothing = "Unavailable true the service sent no answer in OpenAI's responses: check the configured address";
    check("<html>", &[nothing]);
    check("{\"hello\":1}", &[nothing]);
}

/// Not a check; `cargo xtask bench` runs it and says what is decoded.
#[test]
#[ignore = "measures how long decoding takes"]
fn pace() {
    test_wire::pace(|pieces| answer(Pieces(pieces.into())));
}
