//! Published tool calls through the stream and through whole answers: their arguments come out
//! as they went in.

use super::*;

struct Call {
    name: String,
    arguments: String,
}

/// The calls of `tests/fixtures/functions`.
fn published() -> Vec<Call> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/functions/bfcl.jsonl");
    let text = std::fs::read_to_string(path).expect("the published calls can be read");
    let call = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("a call a line");
        let field = |name: &str| value[name].as_str().expect("text").to_owned();
        Call { name: field("name"), arguments: field("arguments") }
    };
    let calls: Vec<Call> = text.lines().map(call).collect();
    assert!(calls.len() >= 500, "only {} calls", calls.len());
    calls
}

/// `text` in fragments of arbitrary length, cut between characters.
fn fragments(text: &str, numbers: &mut Numbers) -> Vec<String> {
    let mut rest: Vec<char> = text.chars().collect();
    let mut fragments = vec![String::new()];
    while !rest.is_empty() {
        let length = (numbers.below(12) + 1).min(rest.len());
        fragments.push(rest.drain(..length).collect());
    }
    fragments
}

/// The calls an answer makes, as a host puts them together.
fn assembled(answer: Turn<Pieces>) -> Vec<(String, String)> {
    let mut queue = EventQueue::new(answer);
    let mut calls: Vec<(String, String)> = Vec::new();
    let mut ended = 0;
    loop {
        let events = queue.next(32, || false).expect("the answer is whole");
        if events.is_empty() {
            assert_eq!(ended, calls.len());
            return calls;
        }
        for event in events {
            match event {
                Event::ToolCallStart(start) => calls.push((start.name, String::new())),
                Event::ToolCallArgs(args) => calls[args.index as usize].1.push_str(&args.fragment),
                Event::ToolCallEnd(_) => ended += 1,
                _ => {}
            }
        }
    }
}

#[test]
fn published_calls_come_out_byte_by_byte() {
    let mut numbers = Numbers(7);
    for calls in published().chunks(8).step_by(4) {
        let expected: Vec<(String, String)> =
            calls.iter().map(|call| (call.name.clone(), call.arguments.clone())).collect();

        // Calls of one answer may come interleaved.
        let mut waiting: Vec<VecDeque<String>> =
            calls.iter().map(|call| fragments(&call.arguments, &mut numbers).into()).collect();
        let mut events: Vec<(&str, Value)> = (0u32..)
            .zip(calls)
            .map(|(index, call)| begins(index, &format!("tooluse_{index}"), &call.name))
            .collect();
        while waiting.iter().any(|fragments| !fragments.is_empty()) {
            let index = numbers.below(waiting.len());
            if let Some(fragment) = waiting[index].pop_front() {
                let delta = json!({"toolUse": {"input": fragment}});
                events.push(piece(u32::try_from(index).expect("few calls"), delta));
            }
        }
        events.extend((0u32..).zip(calls).map(|(index, _)| ends(index)));
        assert_eq!(assembled(answer(&message(&events, "tool_use"), 3)), expected);

        let blocks: Vec<String> = (0..)
            .zip(calls)
            .map(|(index, call): (u32, _)| {
                let (name, arguments) = (Value::from(call.name.as_str()), &call.arguments);
                format!(
                    r#"{{"toolUse":{{"toolUseId":"{index}","name":{name},"input":{arguments}}}}}"#
                )
            })
            .collect();
        let body = format!(
            r#"{{"output":{{"message":{{"content":[{}]}}}},"stopReason":"tool_use"}}"#,
            blocks.join(",")
        );
        assert_eq!(assembled(answer(body.as_bytes(), 4)), expected);
    }
}

fn answer(body: &[u8], seed: u64) -> Turn<Pieces> {
    Turn::new(pieces(body, 0, seed), "c".to_owned(), "claude".to_owned(), None)
}
