//! Pieces, limits and endings of a streamed reply.

use hydroid_component::provider::{Block, Message, Part, Role};

use super::*;
use crate::plan::Call;

fn request() -> Request {
    Request {
        model: "rehearsal".to_owned(),
        messages: vec![Message {
            role: Role::User,
            blocks: vec![Block::Part(Part::Text("12345".to_owned()))],
            cache: false,
        }],
        tools: Vec::new(),
        tool_choice: None,
        max_tokens: None,
        temperature: None,
        stop: Vec::new(),
        response_schema: None,
        options_json: None,
    }
}

fn text(text: &str) -> Reply {
    Reply { text: text.to_owned(), ..Reply::default() }
}

#[track_caller]
fn check(request: &Request, reply: Reply, expected: &[&str]) {
    let mut stream = Stream::new(request, reply);
    let mut events = VecDeque::new();
    while stream.pull(&mut events).expect("no failure") == Flow::More {}
    let shown: Vec<String> = events
        .into_iter()
        .map(|event| match event {
            Event::Text(text) => format!("text {text:?}"),
            Event::Reasoning(reasoning) => format!("reasoning {:?}", reasoning.text),
            Event::ToolCallStart(start) => {
                format!("start {} {} {}", start.index, start.id, start.name)
            }
            Event::ToolCallArgs(args) => format!("args {} {}", args.index, args.fragment),
            Event::ToolCallEnd(index) => format!("end {index}"),
            Event::Usage(usage) => format!("usage {} {}", usage.input, usage.output),
            Event::Finish(stop) => format!("{stop:?}"),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn text_comes_in_words() {
    check(
        &request(),
        text("a b\né"),
        &["text \"a \"", "text \"b\\n\"", "text \"é\"", "usage 2 2", "Stop::EndTurn"],
    );
}

#[test]
fn calls_come_in_fragments() {
    let call = |id: &str, arguments: &str| Call {
        id: id.to_owned(),
        name: "t".to_owned(),
        arguments: arguments.to_owned(),
    };
    let reply = Reply {
        thinking: "so".to_owned(),
        calls: vec![call("x", "{\"é\":\"123456789\"}"), call("y", "{}")],
        ..Reply::default()
    };
    check(
        &request(),
        reply,
        &[
            "reasoning \"so\"",
            "start 0 x t",
            "args 0 {\"é\":\"123456",
            "args 0 789\"}",
            "end 0",
            "start 1 y t",
            "args 1 {}",
            "end 1",
            "usage 2 6",
            "Stop::ToolUse",
        ],
    );
}

#[test]
fn limits_and_stop_texts_cut_the_answer() {
    let short = Request { max_tokens: Some(1), ..request() };
    check(&short, text("éééééé"), &["text \"éééé\"", "usage 2 1", "Stop::MaxTokens"]);
    check(&short, text("éééé"), &["text \"éééé\"", "usage 2 1", "Stop::EndTurn"]);
    let stops = Request { stop: vec![String::new(), "é".to_owned()], ..request() };
    check(&stops, text("aéb"), &["text \"a\"", "usage 2 1", "Stop::StopSequence"]);
}
