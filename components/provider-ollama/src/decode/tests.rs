//! Answers of the server, and the events they are, for pieces of any size.

use hydroid_component::answer::Answer;
use hydroid_component::provider::ToolDefinition;
use serde_json::json;
use test_wire::{Pieces, assembled, pieces, published};

use super::*;

fn answer(body: Pieces) -> Answer<Pieces, Decoder> {
    let tool = ToolDefinition {
        name: "look".to_owned(),
        description: String::new(),
        input_schema: "{}".to_owned(),
    };
    Answer::lines(body, Decoder::new("call_7".to_owned(), TextCalls::new([&tool])))
}

#[track_caller]
fn check(body: &str, expected: &[&str]) {
    test_wire::check(body, answer, expected);
}

fn line(message: &str) -> String {
    format!("{{\"model\":\"m\",\"message\":{{\"role\":\"assistant\",{message}}},\"done\":false}}\n")
}

const END: &str = "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":26,\"eval_count\":7}\n";

#[test]
fn text_thinking_and_counts() {
    check(
        &(line("\"content\":\"\",\"thinking\":\"hm\"") + &line("\"content\":\"Grüß 👋\"") + END),
        &["thought hm", "text Grüß 👋", "usage 26 7 None None None", "EndTurn"],
    );
}

#[test]
fn an_answer_in_one_piece_is_one_line() {
    check(
        "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"Hi.\",\"tool_calls\":[{\"function\":{\"name\":\"a\",\"arguments\":{ \"x\": 1.0 }}}]},\"done\":true,\"done_reason\":\"stop\",\"eval_count\":2}",
        &[
            "text Hi.",
            "start 0 call_7_0 a",
            "args 0 { \"x\": 1.0 }",
            "end 0",
            "usage 0 2 None None None",
            "ToolUse",
        ],
    );
}

#[test]
fn parallel_calls_in_one_line_or_several() {
    let call = |name: &str| {
        format!(
            "{{\"id\":\"{name}\",\"function\":{{\"index\":0,\"name\":\"{name}\",\"arguments\":{{}}}}}}"
        )
    };
    check(
        &(line(&format!("\"tool_calls\":[{},{}]", call("a"), call("b")))
            + &line(&format!("\"tool_calls\":[{}]", call("c")))
            + END),
        &[
            "start 0 a a",
            "args 0 {}",
            "end 0",
            "start 1 b b",
            "args 1 {}",
            "end 1",
            "start 2 c c",
            "args 2 {}",
            "end 2",
            "usage 26 7 None None None",
            "ToolUse",
        ],
    );
}

#[test]
fn published_calls_keep_their_arguments() {
    for (seed, some) in published().chunks(4).enumerate() {
        // A line has no line feeds in it.
        let some: Vec<_> = some
            .iter()
            .cloned()
            .map(|call| test_wire::Published {
                arguments: call.arguments.replace('\n', " "),
                ..call
            })
            .collect();
        let calls: Vec<String> = some
            .iter()
            .map(|call| {
                format!(
                    "{{\"function\":{{\"name\":{},\"arguments\":{}}}}}",
                    json!(call.name),
                    call.arguments
                )
            })
            .collect();
        let body = line(&format!("\"tool_calls\":[{}]", calls.join(","))) + END;
        assert_eq!(assembled(answer(pieces(body.as_bytes(), 0, seed as u64))), some);
    }
}

#[test]
fn a_call_in_the_text_is_a_call() {
    check(
        &(line("\"content\":\"<tool_call>{\\\"name\\\":\"")
            + &line("\"content\":\"\\\"look\\\"}</tool_call>\"")
            + END),
        &["start 0 call_7_0 look", "args 0 {}", "end 0", "usage 26 7 None None None", "ToolUse"],
    );
}

#[test]
fn each_end_has_its_reason() {
    let end = |reason: &str| format!("{{\"done\":true,\"done_reason\":\"{reason}\"}}");
    check(&end("stop"), &["EndTurn"]);
    check(&end("length"), &["MaxTokens"]);
    check(&end("load"), &["Other"]);
    check("{\"done\":true}", &["EndTurn"]);
}

#[test]
fn failures_in_the_middle() {
    let begun = line("\"content\":\"a\"");
    check(
        &(begun.clone() + "{\"error\":\"model runner has unexpectedly stopped\"}\n"),
        &[
            "text a",
            "Unavailable true the service failed in the middle of its answer: model runner has unexpectedly stopped",
        ],
    );
    check(
        &begun,
        &[
            "text a",
            "Unavailable true the service ended its answer in the middle: send the request again",
        ],
    );
    check(
        &(begun + "{oops\n"),
        &[
            "text a",
            "Unavailable true the service sent something that is no answer of Ollama: key must be a string at line 1 column 2 in `{oops`; check the configured address",
        ],
    );
    check(
        "",
        &["Unavailable true the service sent no answer of Ollama: check the configured address"],
    );
    check(
        "{\"hello\":1}",
        &["Unavailable true the service sent no answer of Ollama: check the configured address"],
    );
}

/// Not a check; `cargo xtask bench` runs it and says what is decoded.
#[test]
#[ignore = "measures how long decoding takes"]
fn pace() {
    test_wire::pace(|pieces| answer(Pieces(pieces.into())));
}
