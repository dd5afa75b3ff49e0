//! Answers of the service, and the events they are, for pieces of any size.

use std::path::Path;

use hydroid_component::answer::Answer;
use serde_json::json;
use test_wire::{Pieces, assembled, golden, pieces, published};

use super::*;

fn answer(body: Pieces) -> Answer<Pieces, Decoder> {
    Answer::new(body, Decoder::new("call_7".to_owned()))
}

#[track_caller]
fn check(body: &str, expected: &[&str]) {
    test_wire::check(body, answer, expected);
}

/// A stream of one candidate.
fn chunk(candidate: &str) -> String {
    format!("data: {{\"candidates\":[{{{candidate}}}]}}\r\n\r\n")
}

#[test]
fn published_answers() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/decode/published");
    golden(&directory, |_, body| answer(body));
}

#[test]
fn published_calls_keep_their_arguments() {
    for (seed, some) in published().chunks(4).enumerate() {
        let parts: Vec<String> = some
            .iter()
            .map(|call| {
                // As written, with its spaces; a stream has no line feeds inside an event.
                let args = call.arguments.replace('\n', " ");
                format!("{{\"functionCall\":{{\"name\":{},\"args\":{args}}}}}", json!(call.name))
            })
            .collect();
        let body = chunk(&format!(
            "\"content\":{{\"parts\":[{}]}},\"finishReason\":\"STOP\"",
            parts.join(",")
        ));
        let expected: Vec<_> = some
            .iter()
            .cloned()
            .map(|call| test_wire::Published {
                arguments: call.arguments.replace('\n', " "),
                ..call
            })
            .collect();
        assert_eq!(assembled(answer(pieces(body.as_bytes(), 0, seed as u64))), expected);
        // A whole answer may have line feeds.
        let parts: Vec<String> = some
            .iter()
            .map(|call| {
                format!(
                    "{{\"functionCall\":{{\"name\":{},\"args\":{}}}}}",
                    json!(call.name),
                    call.arguments
                )
            })
            .collect();
        let whole = format!(
            "{{\"candidates\":[{{\"content\":{{\"parts\":[{}]}},\"finishReason\":\"STOP\"}}]}}",
            parts.join(",")
        );
        assert_eq!(assembled(answer(pieces(whole.as_bytes(), 0, seed as u64))), some);
    }
}

#[test]
fn parallel_calls_keep_the_signature_of_the_first() {
    check(
        &chunk(
            "\"content\":{\"parts\":[{\"functionCall\":{\"id\":\"x\",\"name\":\"a\",\"args\":{ \"n\": 1.0 }},\"thoughtSignature\":\"S+/=\"},{\"functionCall\":{\"name\":\"b\"}}]},\"finishReason\":\"STOP\"",
        ),
        &[
            "thought  keeps {\"thoughtSignature\":\"S+/=\",\"of\":{\"call\":\"x\"}}",
            "start 0 x a",
            "args 0 { \"n\": 1.0 }",
            "end 0",
            "start 1 call_7_1 b",
            "args 1 {}",
            "end 1",
            "ToolUse",
        ],
    );
}

#[test]
fn each_end_has_its_reason() {
    let end = |reason: &str| chunk(&format!("\"finishReason\":\"{reason}\""));
    check(&end("STOP"), &["EndTurn"]);
    check(&end("MAX_TOKENS"), &["MaxTokens"]);
    check(&end("SAFETY"), &["text [the service declined: SAFETY]", "Refusal"]);
    check(&end("MALFORMED_FUNCTION_CALL"), &["Error"]);
    check(&end("LANGUAGE"), &["Other"]);
    check(
        "{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"},\"usageMetadata\":{\"promptTokenCount\":4}}",
        &["text [the service declined: PROHIBITED_CONTENT]", "usage 4 0 None None None", "Refusal"],
    );
}

#[test]
fn sources_are_cited_once_with_the_text_they_support() {
    let body = chunk(
        "\"content\":{\"parts\":[{\"text\":\"It rains.\"}]},\"groundingMetadata\":{\"groundingChunks\":[{\"web\":{\"uri\":\"https://a\",\"title\":\"A\"}},{\"web\":{\"uri\":\"https://b\"}}],\"groundingSupports\":[{\"segment\":{\"text\":\"It rains.\"},\"groundingChunkIndices\":[0]}]}",
    );
    check(
        &(body.clone()
            + &body.replace("It rains.\"}]}", "\"}]}")
            + &chunk(
                "\"finishReason\":\"STOP\",\"citationMetadata\":{\"citationSources\":[{\"uri\":\"https://c\"}]}",
            )),
        &[
            "text It rains.",
            "cites https://a Some(\"A\") for It rains.",
            "cites https://b None",
            "cites https://c None",
            "EndTurn",
        ],
    );
}

#[test]
fn code_and_media_of_the_model_are_shown_as_text() {
    check(
        &chunk(
            "\"content\":{\"parts\":[{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"1+1\"}},{\"codeExecutionResult\":{\"outcome\":\"OUTCOME_OK\",\"output\":\"2\"}},{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AAAA\"}}]},\"finishReason\":\"STOP\"",
        ),
        &[
            "text \\n```python\\n1+1\\n```\\n",
            "text \\n```\\n2\\n```\\n",
            "text [the model answered with image/png of about 3 bytes, which has no place here]",
            "EndTurn",
        ],
    );
}

#[test]
fn counts_have_their_places() {
    check(
        &(chunk("\"finishReason\":\"STOP\"")
            + "data: {\"usageMetadata\":{\"promptTokenCount\":10,\"cachedContentTokenCount\":8,\"candidatesTokenCount\":3,\"thoughtsTokenCount\":4,\"toolUsePromptTokenCount\":2}}\n\n"),
        &["usage 12 7 Some(8) None Some(4)", "EndTurn"],
    );
}

#[test]
fn an_array_of_chunks_is_an_answer_too() {
    check(
        "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n,\r\n{\"candidates\":[{\"finishReason\":\"STOP\"}]}]",
        &["text a", "EndTurn"],
    );
}

#[test]
fn failures_in_the_middle() {
    let begun = chunk("\"content\":{\"parts\":[{\"text\":\"a\"}]}");
    check(
        &(begun.clone()
            + "data: {\"error\":{\"code\":503,\"message\":\"Overloaded.\",\"status\":\"UNAVAILABLE\"}}\n\n"),
        &["text a", "Unavailable true the service failed in the middle of its answer: Overloaded"],
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
            "Unavailable true the service sent something that is no answer of the Gemini API: key must be a string at line 1 column 2 in `{oops`; check the configured address",
        ],
    );
    check(
        "<html>",
        &[
            "Unavailable true the service sent no answer of the Gemini API: check the configured address",
        ],
    );
}

/// Not a check; `cargo xtask bench` runs it and says what is decoded.
#[test]
#[ignore = "measures how long decoding takes"]
fn pace() {
    test_wire::pace(|pieces| answer(Pieces(pieces.into())));
}
