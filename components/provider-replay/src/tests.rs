//! Recordings in, answers out.

use hydroid_component::provider::{Block, EventQueue, Message, Part, ToolResult};

use super::*;

const RECORDING: &str = r#"{"hydroid_recording":1,"model":"m","recorded":"a day"}
{"request":{"digest":"x","last_user":"hi"},"events":[{"reasoning":{"text":"hm","opaque":"AQI="}},{"text":"Yo"},{"tool_call":{"index":0,"id":"c1","name":"t","arguments":"{ }"}},{"usage":{"input":1,"output":2}},{"finish":"tool-use"}]}

{"request":{"tool_results":[{"id":"c1","text":"ok"}]},"events":[{"text":"part"}],"error":{"kind":"unavailable","message":"gone","sent":true}}
{"error":{"kind":"rate-limited","message":"slow","retry_after_ms":5}}
"#;

fn message(role: Role, block: Block) -> Message {
    Message { role, blocks: vec![block], cache: false }
}

fn text(role: Role, text: &str) -> Message {
    message(role, Block::Part(Part::Text(text.to_owned())))
}

fn result(text: &str) -> Message {
    let content = vec![Part::Text(text.to_owned())];
    message(
        Role::Tool,
        Block::ToolResult(ToolResult { call_id: "c1".to_owned(), content, is_error: false }),
    )
}

fn play(recording: &str, strict: bool, messages: Vec<Message>) -> String {
    let request = Request {
        model: "m".to_owned(),
        messages,
        tools: Vec::new(),
        tool_choice: None,
        max_tokens: None,
        temperature: None,
        stop: Vec::new(),
        response_schema: None,
        options_json: None,
    };
    let config = Config { recording: recording.to_owned(), strict };
    let playback = match answer(&config, &request) {
        Ok(playback) => playback,
        Err(error) => return format!("{:?}: {}", error.kind, error.message),
    };
    let mut queue = EventQueue::new(playback);
    let mut shown = Vec::new();
    loop {
        match queue.next(16, || false) {
            Ok(events) if events.is_empty() => return shown.join(" "),
            Ok(events) => shown.extend(events.iter().map(|event| match event {
                Event::Text(text) => text.clone(),
                Event::Reasoning(reasoning) => {
                    format!("({} {:?})", reasoning.text, reasoning.opaque)
                }
                Event::ToolCallStart(start) => {
                    format!("{}:{}:{}", start.index, start.id, start.name)
                }
                Event::ToolCallArgs(args) => args.fragment.clone(),
                other => format!("{other:?}"),
            })),
            Err(error) => shown.push(format!("{:?}: {}", error.kind, error.message)),
        }
        assert!(shown.len() < 50, "endless: {shown:?}");
        if shown.last().is_some_and(|last| last.starts_with("ErrorKind")) {
            return shown.join(" ");
        }
    }
}

#[test]
fn the_first_answer_is_played() {
    assert_eq!(
        play(RECORDING, true, vec![text(Role::User, "hi")]),
        "(hm Some([1, 2])) Yo 0:c1:t { } Event::ToolCallEnd(0) \
         Event::Usage(Usage { input: 1, output: 2, cache-read: None, cache-write: None, reasoning: None }) \
         Event::Finish(Stop::ToolUse)"
    );
}

#[test]
fn the_next_answer_is_chosen_by_position_and_may_fail_in_the_middle() {
    let messages = vec![text(Role::User, "hi"), text(Role::Assistant, "Yo"), result("ok")];
    assert_eq!(play(RECORDING, true, messages), "part ErrorKind::Unavailable: gone");
}

#[test]
fn a_recorded_refusal_is_given_at_once() {
    let messages = vec![text(Role::Assistant, "a"), text(Role::Assistant, "b")];
    assert_eq!(play(RECORDING, true, messages), "ErrorKind::RateLimited: slow");
}

#[test]
fn strict_mode_refuses_what_differs() {
    let other = vec![text(Role::User, "bye")];
    assert_eq!(
        play(RECORDING, true, other.clone()),
        "ErrorKind::Conflict: answer 1 of the recording does not fit: the user said `bye` where `hi` was recorded"
    );
    assert!(play(RECORDING, false, other).contains("Yo"));
    let messages = vec![text(Role::User, "hi"), text(Role::Assistant, "Yo"), result("no")];
    assert!(play(RECORDING, true, messages).contains("the tools returned"));
}

#[test]
fn running_out_is_an_error() {
    let messages = (0..3).map(|_| text(Role::Assistant, "a")).collect();
    assert_eq!(
        play(RECORDING, false, messages),
        "ErrorKind::NotFound: the recording has 3 answers and the conversation asks for number 4: record more, or start a new session"
    );
}

#[test]
fn bad_recordings_say_where() {
    #[track_caller]
    fn check(recording: &str, expected: &str) {
        let shown = play(recording, false, Vec::new());
        assert!(shown.contains(expected), "{shown}");
    }
    check("", "there is no recording to play");
    check("{\"hydroid_recording\":2}", "has format `2`");
    check(
        "{\"hydroid_recording\":1}\n{\"event\":[]}",
        "line 2 of the recording cannot be read: unknown field `event`",
    );
    check(
        "{\"hydroid_recording\":1}\n{\"events\":[{\"reasoning\":{\"text\":\"\",\"opaque\":\"?\"}}]}",
        "not base64",
    );
    check("{\"hydroid_recording\":1}\n{\"events\":[{\"text\":\"a\"}]}", "a ErrorKind::Unavailable");
}
