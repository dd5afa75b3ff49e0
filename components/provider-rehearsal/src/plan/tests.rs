//! Whole turns: requests in, replies out, with the conversation growing as the host grows it.

use hydroid_component::provider::{
    Block, Message, Part, Request, Role, ToolDefinition, ToolResult,
};

use super::*;

const TOOLS: &[(&str, &str)] = &[
    ("file_list", r#"{"properties":{"path":{"type":"string"}}}"#),
    ("file_read", r#"{"properties":{"path":{"type":"string"}}}"#),
    ("file_write", r#"{"properties":{"path":{"type":"string"},"content":{"type":"string"}}}"#),
    ("boom", r#"{"properties":{}}"#),
];

fn request(messages: Vec<Message>) -> Request {
    let tools = TOOLS.iter().map(|(name, schema)| ToolDefinition {
        name: (*name).to_owned(),
        description: String::new(),
        input_schema: (*schema).to_owned(),
    });
    Request {
        model: "rehearsal".to_owned(),
        messages,
        tools: tools.collect(),
        tool_choice: None,
        max_tokens: None,
        temperature: None,
        stop: Vec::new(),
        response_schema: None,
        options_json: None,
    }
}

fn message(role: Role, blocks: Vec<Block>) -> Message {
    Message { role, blocks, cache: false }
}

fn says(role: Role, text: &str) -> Message {
    message(role, vec![Block::Part(Part::Text(text.to_owned()))])
}

/// Runs a turn as the host does and renders it: `> tool arguments`, `< result`, `= text`.
fn turn(mut request: Request, tool: impl Fn(&str, &str) -> Result<String, String>) -> String {
    let mut transcript = String::new();
    for _ in 0..20 {
        let reply = reply(&request);
        if !reply.text.is_empty() {
            transcript.push_str(&format!("= {}\n", reply.text.trim_end()));
        }
        if reply.calls.is_empty() {
            return transcript;
        }
        let mut results = Vec::new();
        let mut blocks = vec![Block::Part(Part::Text(reply.text))];
        for call in reply.calls {
            let result = tool(&call.name, &call.arguments);
            transcript.push_str(&format!("> {} {}\n", call.name, call.arguments));
            let is_error = result.is_err();
            let text = result.unwrap_or_else(|error| error);
            results.push(Block::ToolResult(ToolResult {
                call_id: call.id.clone(),
                content: vec![Part::Text(text)],
                is_error,
            }));
            blocks.push(Block::ToolCall(call.into()));
        }
        transcript.push_str(&format!("< {} results\n", results.len()));
        request.messages.push(message(Role::Assistant, blocks));
        request.messages.push(message(Role::Tool, results));
    }
    panic!("the turn does not end:\n{transcript}");
}

#[track_caller]
fn check(sentence: &str, tool: impl Fn(&str, &str) -> Result<String, String>, expected: &str) {
    let actual = turn(request(vec![says(Role::User, sentence)]), tool);
    assert_eq!(actual, expected, "sentence: {sentence}");
}

fn echo(_name: &str, arguments: &str) -> Result<String, String> {
    Ok(format!("result of {arguments}"))
}

#[test]
fn one_command_is_one_call_and_its_result() {
    check(
        "read a.txt",
        |_, _| Ok("tea".to_owned()),
        "> file_read {\"path\":\"a.txt\"}\n< 1 results\n= tea\n",
    );
}

#[test]
fn reading_runs_side_by_side_and_writing_alone() {
    check(
        "list files, read a, write b: x then read b",
        echo,
        "> file_list {}\n> file_read {\"path\":\"a\"}\n< 2 results\n\
         > file_write {\"content\":\"x\",\"path\":\"b\"}\n< 1 results\n\
         > file_read {\"path\":\"b\"}\n< 1 results\n\
         = 1. list files: result of {}\n2. read `a`: result of {\"path\":\"a\"}\n\
         3. write `b`: result of {\"content\":\"x\",\"path\":\"b\"}\n\
         4. read `b`: result of {\"path\":\"b\"}\n",
    );
}

#[test]
fn a_denied_call_is_reported_and_the_rest_goes_on() {
    check(
        "write a: x then list files",
        |name, _| {
            if name == "file_write" {
                Err("denied by policy: no writing".to_owned())
            } else {
                Ok("a\nb".to_owned())
            }
        },
        "> file_write {\"content\":\"x\",\"path\":\"a\"}\n< 1 results\n\
         > file_list {}\n< 1 results\n\
         = 1. write `a`: not done: denied by policy: no writing\n2. list files:\n   a\n   b\n",
    );
}

#[test]
fn a_tool_that_is_not_offered_is_named_and_the_rest_goes_on() {
    check(
        "fetch https://example.org then list files",
        echo,
        "> file_list {}\n< 1 results\n\
         = 1. fetch `https://example.org`: not done: I would need the tool `web_fetch`, which is not \
         offered to me; I have: boom, file_list, file_read, file_write\n2. list files: result of {}\n",
    );
}

#[test]
fn a_summary_is_read_and_then_written() {
    check(
        "summarise a into b",
        |name, _| Ok(if name == "file_read" { "One. Two." } else { "3 bytes" }.to_owned()),
        "> file_read {\"path\":\"a\"}\n< 1 results\n\
         > file_write {\"content\":\"# Summary of a\\n\\n1 lines, 2 words, 9 characters.\\n\\n## First sentences\\n\\n- One.\\n\",\"path\":\"b\"}\n< 1 results\n\
         = 3 bytes\n",
    );
    check(
        "summarise a into b",
        |_, _| Err("no such file".to_owned()),
        "> file_read {\"path\":\"a\"}\n< 1 results\n= not done: no such file\n",
    );
}

#[test]
fn what_needs_no_tool_is_said_in_its_place() {
    check(
        "say one then list files then say two then call boom {\"a\":1} then say three",
        echo,
        "= one\n> file_list {}\n< 1 results\n= two\n> boom {\"a\":1}\n< 1 results\n\
         = 1. say: done above\n2. list files: result of {}\n3. say: done above\n4. call `boom`: result of {\"a\":1}\n5. say: three\n",
    );
}

#[test]
fn greetings_and_the_unknown_say_there_is_no_language_model() {
    for sentence in ["hello", "sing a song", ""] {
        let text = reply(&request(vec![says(Role::User, sentence)])).text;
        assert!(text.contains("no language model inside me"), "{sentence}: {text}");
        let first = text.split_inclusive(['.', ':']).next().expect("a sentence");
        assert!(first.contains("no language model"), "{sentence}: {first}");
    }
    assert_eq!(reply(&request(vec![])).text, reply(&request(vec![says(Role::User, "hello")])).text);
}

#[test]
fn memory_is_the_conversation() {
    let conversation = vec![
        says(Role::User, "remember my tea is green"),
        says(Role::Assistant, "remember the assistant does not count"),
        says(Role::User, "remember that the door is red; list files"),
        says(Role::User, "what do you remember about my tea?"),
    ];
    assert_eq!(
        reply(&request(conversation.clone())).text,
        "You told me to remember:\n- my tea is green"
    );
    let mut all = conversation;
    all.push(says(Role::User, "what do you remember?"));
    assert_eq!(
        reply(&request(all)).text,
        "You told me to remember:\n- my tea is green\n- the door is red"
    );
    assert_eq!(
        reply(&request(vec![says(Role::User, "recall tea")])).text,
        "You told me nothing to remember about `tea` in this conversation."
    );
}

#[test]
fn calls_of_earlier_turns_do_not_count() {
    let mut messages = vec![says(Role::User, "list files")];
    let first = reply(&request(messages.clone()));
    let id = first.calls[0].id.clone();
    messages.push(message(
        Role::Assistant,
        first.calls.into_iter().map(|call| Block::ToolCall(call.into())).collect(),
    ));
    let result = ToolResult {
        call_id: id.clone(),
        content: vec![Part::Text("a".to_owned())],
        is_error: false,
    };
    messages.push(message(Role::Tool, vec![Block::ToolResult(result)]));
    messages.push(says(Role::Assistant, "a"));
    messages.push(says(Role::User, "list files"));
    let second = reply(&request(messages));
    assert_eq!(second.calls.len(), 1);
    assert_ne!(second.calls[0].id, id);
}

#[test]
fn a_call_without_a_result_ends_its_command() {
    let mut messages = vec![says(Role::User, "list files")];
    let first = reply(&request(messages.clone()));
    messages.push(message(
        Role::Assistant,
        first.calls.into_iter().map(|call| Block::ToolCall(call.into())).collect(),
    ));
    assert_eq!(reply(&request(messages)).text, "not done: no result came back");
}

#[test]
fn no_tools_are_used_when_none_may_be() {
    let mut request = request(vec![says(Role::User, "list files")]);
    request.tool_choice = Some(ToolChoice::None);
    assert_eq!(
        reply(&request).text,
        "not done: I would need the tool `file_list`, but no tools are offered to me"
    );
}

#[test]
fn many_reads_come_in_bounded_steps() {
    let sentence = (0..10).map(|file| format!("read {file}")).collect::<Vec<_>>().join("\n");
    let transcript = turn(request(vec![says(Role::User, &sentence)]), echo);
    let steps: Vec<&str> = transcript.lines().filter(|line| line.starts_with('<')).collect();
    assert_eq!(steps, ["< 8 results", "< 2 results"]);
}
