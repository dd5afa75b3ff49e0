//! Texts of models and what they are, for pieces of any size.

use super::*;

fn tools() -> Vec<ToolDefinition> {
    let tool = |name: &str, input_schema: &str| ToolDefinition {
        name: name.to_owned(),
        description: String::new(),
        input_schema: input_schema.to_owned(),
    };
    vec![
        tool("read", r#"{"properties":{"path":{"type":"string"},"lines":{"type":"integer"}}}"#),
        tool("write", r#"{"properties":{"path":{"type":"string"},"text":{"type":"string"}}}"#),
    ]
}

/// Shows `T text`, `R thought` and `C name arguments`, neighbours of one kind joined.
fn play(text: &str, size: usize) -> Vec<String> {
    let tools = tools();
    let mut reader = TextCalls::new(&tools);
    let mut calls = CallAssembler::new("c");
    let mut events = VecDeque::new();
    let characters: Vec<char> = text.chars().collect();
    for piece in characters.chunks(size) {
        reader.text(&piece.iter().collect::<String>(), &mut calls, &mut events).expect("small");
    }
    reader.end(&mut calls, &mut events).expect("small");
    let mut shown: Vec<String> = Vec::new();
    for event in events {
        let (kind, text) = match event {
            Event::Text(text) => ("T ", text),
            Event::Reasoning(thought) => ("R ", thought.text),
            Event::ToolCallStart(start) => {
                shown.push(format!("C {} ", start.name));
                continue;
            }
            Event::ToolCallArgs(args) => ("C ", args.fragment),
            Event::ToolCallEnd(_) => continue,
            other => panic!("{other:?}"),
        };
        match shown.last_mut().filter(|last| last.starts_with(kind)) {
            Some(last) => last.push_str(&text),
            None => shown.push(format!("{kind}{text}")),
        }
    }
    shown
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    for size in [1, 2, 3, 5, 7, 64 << 10] {
        assert_eq!(play(text, size), expected, "pieces of {size} characters");
    }
}

/// What is no call is passed on byte for byte.
#[track_caller]
fn stays(text: &str) {
    check(text, &[&format!("T {text}")]);
}

#[test]
fn tagged_json_is_a_call() {
    check(
        "I look.\n<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\":  \"a\"}}\n</tool_call>\n<tool_call>{\"name\":\"write\",\"arguments\":{\"text\":\"</tool_call>\"}}</tool_call>\n",
        &["T I look.", "C read {\"path\":  \"a\"}", "C write {\"text\":\"</tool_call>\"}"],
    );
    check("<tool_call>{\"name\":\"read\",\"arguments\":{}}", &["C read {}"]);
    check("<function_call>{\"name\":\"read\"}</function_call>", &["C read {}"]);
    check(
        "<tool_call>{\"name\":\"read\",\"arguments\":\"{\\\"lines\\\":1.0}\"}</tool_call>",
        &["C read {\"lines\":1.0}"],
    );
}

#[test]
fn functions_and_parameters_are_calls() {
    check("<function=read>{\"path\":\"a\"}</function>", &["C read {\"path\":\"a\"}"]);
    check(
        "<tool_call>\n<function=write>\n<parameter=path>\n12\n</parameter>\n<parameter=text>\nsee </parameter> here\n\n</parameter>\n</function>\n</tool_call>",
        &["C write {\"path\":\"12\",\"text\":\"see </parameter> here\\n\"}"],
    );
    check(
        "<function=read><parameter=path>a</parameter><parameter=lines>3</parameter></function>",
        &["C read {\"path\":\"a\",\"lines\":3}"],
    );
    check(
        "<minimax:tool_call>\n<invoke name=\"read\">\n<parameter name=\"path\">a</parameter>\n</invoke>\n<invoke name=\"read\"></invoke></minimax:tool_call>",
        &["C read {\"path\":\"a\"}", "C read {}"],
    );
    check(
        "<tool_call>read\n<arg_key>path</arg_key>\n<arg_value>a</arg_value>\n<arg_key>lines</arg_key><arg_value>2</arg_value></tool_call>",
        &["C read {\"path\":\"a\",\"lines\":2}"],
    );
}

#[test]
fn json_at_the_end_of_an_answer_is_a_call() {
    check(
        "Now:\n```json\n{\"name\":\"read\",\"parameters\":{\"path\":\"a\"}}\n```\n",
        &["T Now:", "C read {\"path\":\"a\"}"],
    );
    check("{\"name\": \"read\", \"parameters\": {}}", &["C read {}"]);
    check(
        "[{\"type\":\"function\",\"function\":{\"name\":\"read\",\"arguments\":{}}}]",
        &["C read {}"],
    );
    check(
        "[TOOL_CALLS][{\"name\":\"read\",\"arguments\":{}},{\"name\":\"write\",\"arguments\":{}}]",
        &["C read {}", "C write {}"],
    );
    check("[TOOL_CALLS]read[ARGS]{\"path\":\"a\"}", &["C read {\"path\":\"a\"}"]);
    check(
        "<|python_tag|>{\"name\":\"read\",\"parameters\":{}}; {\"name\":\"write\",\"parameters\":{}}<|eom_id|>",
        &["C read {}", "C write {}"],
    );
}

#[test]
fn what_is_no_call_stays_as_it_is() {
    stays("a < b, <tool>, <tool_cal and ``` \n  end \n");
    stays("<tool_call>{\"name\":\"unknown\",\"arguments\":{}}</tool_call> after");
    stays("<tool_call>{\"name\":\"read\",\"arguments\":[1]}</tool_call>");
    stays("<tool_call>{\"name\":\"read\"");
    stays("write `<tool_call>{\"name\":\"read\",\"arguments\":{}}</tool_call>` to call");
    stays("```json\n{\"name\":\"read\",\"arguments\":{}}\n```\nis how a call looks.");
    stays("```rust\nfn main() {}\n```\n");
    stays("{\"answer\": 4, \"name\": \"read\"}");
    stays("{\"name\": \"Ada\", \"born\": 1815}");
    stays("[1, 2]");
    stays("Grüße 👋 <tool_call>ü</tool_call>");
}

#[test]
fn text_between_calls_is_kept() {
    check("a <tool_call>{\"name\":\"read\"}</tool_call> b", &["T a", "C read {}", "T  b"]);
}

#[test]
fn thinking_in_tags_is_thinking() {
    check("<think>\nhm </b> so\n</think>\n\n4", &["R hm </b> so\n", "T 4"]);
    check("\n<think>never ends", &["R never ends"]);
    stays("It says <think>x</think>.");
}

#[test]
fn nothing_is_held_back_longer_than_needed() {
    let tools = tools();
    let mut reader = TextCalls::new(&tools);
    let (mut calls, mut events) = (CallAssembler::new("c"), VecDeque::new());
    for text in ["a <", "b> c", " `x` {\"name\":1}"] {
        reader.text(text, &mut calls, &mut events).expect("small");
    }
    let shown: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
    assert_eq!(
        shown,
        ["Event::Text(\"a\")", "Event::Text(\" <b> c\")", "Event::Text(\" `x` {\\\"name\\\":1}\")"]
    );
}

#[test]
fn a_service_with_calls_of_its_own_needs_no_help() {
    let tools = tools();
    let mut reader = TextCalls::new(&tools);
    let (mut calls, mut events) = (CallAssembler::new("c"), VecDeque::new());
    reader.text("<tool_call>{", &mut calls, &mut events).expect("small");
    reader.native(&mut events);
    reader
        .text("<tool_call>{\"name\":\"read\"}</tool_call>", &mut calls, &mut events)
        .expect("small");
    reader.end(&mut calls, &mut events).expect("small");
    assert!(calls.is_empty());
    assert_eq!(events.len(), 2, "{events:?}");
}

/// Read anew with each piece it would take minutes.
#[test]
fn a_long_fence_is_read_once() {
    let long =
        format!("```json\n{{\"name\": \"a\", \"list\": [{}1]}}\n```\n", "1, ".repeat(100_000));
    assert_eq!(play(&long, 4).concat().trim(), format!("T {long}").trim());
}
