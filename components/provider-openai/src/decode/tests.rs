//! Answers in the shapes of several services, and the events they are, for pieces of any size.

use std::path::Path;

use hydroid_component::answer::Answer;
use hydroid_component::provider::ToolDefinition;
use serde_json::json;
use test_wire::{Pieces, assembled, fragments, golden, pieces, play, published};

use super::*;

fn answer(body: Pieces) -> Answer<Pieces, Decoder> {
    let tool = ToolDefinition {
        name: "look".to_owned(),
        description: String::new(),
        input_schema: "{}".to_owned(),
    };
    Answer::new(body, Decoder::new("call_7".to_owned(), "m".to_owned(), TextCalls::new([&tool])))
}

#[track_caller]
fn check(body: &str, expected: &[&str]) {
    test_wire::check(body, answer, expected);
}

#[test]
fn text_with_usage_behind_the_end() {
    check(
        include_str!("fixtures/text.sse"),
        &["text Grüß", "text  dich 👋", "usage 19 10 Some(8) None Some(3)", "EndTurn"],
    );
}

#[test]
fn parallel_calls_keep_their_arguments_byte_by_byte() {
    check(
        include_str!("fixtures/calls.sse"),
        &[
            "start 0 call_a file_read",
            "args 0 {\"pa",
            "start 1 call_b file_write",
            "args 1 { \"text\" : \"\\u00e9\\n\\\"é\\\"\"",
            "args 0 th\": \"a.txt\"}",
            "args 1 , \"n\": 1.0 }",
            "end 0",
            "end 1",
            "usage 80 30 None None None",
            "ToolUse",
        ],
    );
}

#[test]
fn services_without_index_and_identifier() {
    check(
        include_str!("fixtures/loose-calls.sse"),
        &[
            "start 0 call_7_0 a",
            "args 0 {\"x\":1}",
            "end 0",
            "start 1 call_7_1 b",
            "args 1 {\"y\": [1, 2.50]}",
            "end 1",
            "ToolUse",
        ],
    );
}

#[test]
fn thinking_and_keep_alives() {
    check(
        include_str!("fixtures/reasoning.sse"),
        &[
            "thought First, ",
            "thought the sum.",
            "text 4",
            "usage 5 40 Some(2) None None",
            "EndTurn",
        ],
    );
}

#[test]
fn a_whole_answer_instead_of_a_stream() {
    check(
        include_str!("fixtures/whole.json"),
        &[
            "thought hm",
            "text Reading.",
            "cites https://example.org Some(\"E\")",
            "start 0 c1 file_read",
            "args 0 {\"path\": \"a\"}",
            "end 0",
            "usage 7 9 None None None",
            "ToolUse",
        ],
    );
}

fn chunk(choice: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,{choice}}}]}}\n\n")
}

#[test]
fn each_end_has_its_reason() {
    let end = |reason: &str| {
        format!("{}data: [DONE]\n\n", chunk(&format!("\"delta\":{{}},\"finish_reason\":{reason}")))
    };
    check(&end("\"stop\""), &["EndTurn"]);
    check(&end("\"stop\",\"stop_reason\":\"END\""), &["StopSequence"]);
    check(&end("\"length\""), &["MaxTokens"]);
    check(&end("\"content_filter\""), &["Refusal"]);
    check(&end("\"error\""), &["Error"]);
    check(&end("\"new\""), &["Other"]);
    check(&end("null"), &["EndTurn"]);
}

#[test]
fn a_refusal_is_text_and_an_end() {
    let body = chunk("\"delta\":{\"refusal\":\"No.\"}")
        + &chunk("\"delta\":{},\"finish_reason\":\"stop\"");
    check(&body, &["text No.", "Refusal"]);
}

#[test]
fn other_answers_and_unknown_fields_are_left_out() {
    let body = "data: {\"id\":\"x\",\"new\":{},\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}},{\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},\"finish_reason\":\"stop\"}]}\n\n";
    check(body, &["text a", "EndTurn"]);
}

#[test]
fn failures_in_the_middle() {
    let begun = chunk("\"delta\":{\"content\":\"a\"}");
    check(
        &(begun.clone()
            + "data: {\"error\":{\"message\":\"Overloaded\",\"type\":\"server_error\"}}\n\n"),
        &["text a", "Unavailable true the service failed in the middle of its answer: Overloaded"],
    );
    check(
        &(begun.clone() + "event: error\ndata: {\"message\":\"Slow\",\"code\":429}\n\n"),
        &["text a", "RateLimited true the service failed in the middle of its answer: Slow"],
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
            "Unavailable true the service sent something that is no chat completion: key must be a string at line 1 column 2 in `{oops`; check the configured address",
        ],
    );
}

#[test]
fn a_page_that_is_no_completion_says_so() {
    let expected =
        "Unavailable true the service sent no chat completion: check the configured address";
    check("<html>Welcome</html>", &[expected]);
    check("", &[expected]);
    check(" \n", &[expected]);
}

#[test]
fn nothing_is_read_after_done() {
    let body = chunk("\"delta\":{},\"finish_reason\":\"stop\"") + "data: [DONE]\n\n";
    let mut pieces = pieces(body.as_bytes(), body.len(), 0);
    pieces.0.push_back(b"data: {oops\n\n".to_vec());
    assert_eq!(play(answer(pieces)), ["EndTurn"]);
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
        let mut chunks = Vec::new();
        let mut open: Vec<_> = some
            .iter()
            .enumerate()
            .map(|(index, call)| {
                chunks.push(json!([{"index": index, "id": format!("c{index}"), "function": {"name": call.name}}]));
                (index, fragments(&call.arguments, &mut seed).into_iter())
            })
            .collect();
        // The calls come side by side.
        while !open.is_empty() {
            open.retain_mut(|(index, fragments)| {
                let fragment = fragments.next();
                chunks.extend(
                    fragment
                        .iter()
                        .map(|text| json!([{"index": *index, "function": {"arguments": text}}])),
                );
                fragment.is_some()
            });
        }
        let mut body: String = chunks
            .into_iter()
            .map(|calls| {
                format!("data: {}\n\n", json!({"choices": [{"delta": {"tool_calls": calls}}]}))
            })
            .collect();
        body += "data: [DONE]\n\n";
        assert_eq!(assembled(answer(pieces(body.as_bytes(), 0, seed))), some);
    }
}

#[test]
fn signed_thinking_is_put_together_and_kept() {
    let body = chunk(
        "\"delta\":{\"reasoning\":\"a\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"a\",\"signature\":null,\"index\":0}]}",
    ) + &chunk(
        "\"delta\":{\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"b\",\"index\":0},{\"type\":\"reasoning.text\",\"signature\":\"S+/=\",\"index\":0},{ \"type\":\"reasoning.encrypted\", \"data\":\"X\"}]}",
    ) + &chunk("\"delta\":{\"content\":\"c\"},\"finish_reason\":\"stop\"");
    check(
        &body,
        &[
            "thought a",
            "thought b",
            "text c",
            "thought  keeps {\"model\":\"m\",\"reasoning_details\":[{\"index\":0,\"signature\":\"S+/=\",\"text\":\"ab\",\"type\":\"reasoning.text\"},{ \"type\":\"reasoning.encrypted\", \"data\":\"X\"}]}",
            "EndTurn",
        ],
    );
}

#[test]
fn what_a_call_is_signed_with_is_kept() {
    let body = chunk(
        "\"delta\":{\"tool_calls\":[{\"id\":\"f1\",\"function\":{\"name\":\"look\",\"arguments\":\"{}\"},\"extra_content\":{\"google\": {\"thought_signature\":\"s\"}}}]},\"finish_reason\":\"tool_calls\"",
    );
    check(
        &body,
        &[
            "start 0 f1 look",
            "args 0 {}",
            "thought  keeps {\"model\":\"m\",\"extra_content\":{\"f1\":{\"google\": {\"thought_signature\":\"s\"}}}}",
            "end 0",
            "ToolUse",
        ],
    );
}

#[test]
fn a_call_in_the_text_is_a_call() {
    let body = chunk("\"delta\":{\"content\":\"See.<tool_\"}")
        + &chunk(
            "\"delta\":{\"content\":\"call>{\\\"name\\\":\\\"look\\\"}</tool_call>\"},\"finish_reason\":\"stop\"",
        );
    check(&body, &["text See.", "start 0 call_7_0 look", "args 0 {}", "end 0", "ToolUse"]);
}

#[test]
fn usage_of_services_that_count_otherwise() {
    let body = |usage: &str| {
        chunk("\"delta\":{},\"finish_reason\":\"stop\"")
            + &format!("data: {{\"usage\":{usage}}}\n\n")
    };
    check(
        &body(
            r#"{"prompt_tokens":5,"completion_tokens":2,"total_tokens":10,"completion_tokens_details":{"reasoning_tokens":3}}"#,
        ),
        &["usage 5 5 None None Some(3)", "EndTurn"],
    );
    check(
        &body(r#"{"prompt_tokens":5,"completion_tokens":2,"cached_tokens":4}"#),
        &["usage 5 2 Some(4) None None", "EndTurn"],
    );
}

#[test]
fn failures_of_one_choice_are_failures() {
    check(
        &chunk(
            "\"delta\":{\"content\":\"a\"},\"finish_reason\":\"error\",\"error\":{\"code\":429,\"message\":\"Slow.\"}",
        ),
        &["text a", "RateLimited true the service failed in the middle of its answer: Slow"],
    );
}

/// Not a check; `cargo xtask bench` runs it and says what is decoded.
#[test]
#[ignore = "measures how long decoding takes"]
fn pace() {
    test_wire::pace(|pieces| answer(Pieces(pieces.into())));
}
