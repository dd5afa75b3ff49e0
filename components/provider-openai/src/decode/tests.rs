//! Answers in the shapes of several services, and the events they are, for pieces of any size.

use hydroid_component::provider::EventQueue;

use super::*;

/// A body that comes in the given pieces.
struct Pieces(VecDeque<Vec<u8>>);

impl Body for Pieces {
    fn read(&mut self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.pop_front())
    }
}

/// Cuts `body` into pieces of `size` bytes, or of arbitrary sizes for 0.
fn pieces(body: &[u8], size: usize, mut seed: u64) -> Pieces {
    let mut rest = body;
    let mut pieces = VecDeque::new();
    while !rest.is_empty() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wanted = if size == 0 { (seed >> 33) as usize % 40 + 1 } else { size };
        let (piece, after) = rest.split_at(wanted.min(rest.len()));
        pieces.push_back(piece.to_vec());
        rest = after;
    }
    Pieces(pieces)
}

fn play(body: Pieces) -> Vec<String> {
    let mut queue = EventQueue::new(Answer::new(body, "call_7".to_owned()));
    let mut shown = Vec::new();
    loop {
        match queue.next(3, || false) {
            Ok(events) if events.is_empty() => return shown,
            Ok(events) => shown.extend(events.iter().map(show)),
            Err(error) => {
                shown.push(
                    format!("{:?} {} {}", error.kind, error.sent, error.message)
                        .replace("ErrorKind::", ""),
                );
                return shown;
            }
        }
    }
}

fn show(event: &Event) -> String {
    match event {
        Event::Text(text) => format!("text {text}"),
        Event::Reasoning(reasoning) => format!("thought {}", reasoning.text),
        Event::ToolCallStart(start) => format!("start {} {} {}", start.index, start.id, start.name),
        Event::ToolCallArgs(args) => format!("args {} {}", args.index, args.fragment),
        Event::ToolCallEnd(index) => format!("end {index}"),
        Event::Citation(citation) => format!("cites {} {:?}", citation.uri, citation.title),
        Event::Usage(usage) => format!(
            "usage {} {} {:?} {:?} {:?}",
            usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning
        ),
        Event::Finish(stop) => format!("{stop:?}").replace("Stop::", ""),
        Event::Other(ext) => format!("other {}", ext.kind),
    }
}

#[track_caller]
fn check(body: &str, expected: &[&str]) {
    for (size, seed) in [(1, 0), (64 << 10, 0), (7, 0), (0, 1), (0, 2), (0, 3)] {
        let actual = play(pieces(body.as_bytes(), size, seed));
        assert_eq!(actual, expected, "pieces of {size} bytes, seed {seed}");
    }
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
    assert_eq!(play(pieces), ["EndTurn"]);
}
