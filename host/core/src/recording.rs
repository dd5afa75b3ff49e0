//! A session as a recording that the component `provider-replay` plays: what each model request
//! was answered. It only reads entries; the format is documented with that component.
//!
//! The player finds an answer by counting the assistant messages of a request, so an answer that
//! left nothing in the conversation (it failed at once, or was empty) is kept only if it is the
//! last of its position.

use crate::entry::{self, Entry, Outcome};
use crate::message::{Content, Message, Role, StopReason, Usage};
use crate::tool::ToolOutput;
use crate::turn::{CUT_OFF, CUT_OFF_AT_LIMIT, UNREADABLE};
use serde_json::{Map, Value, json};

/// The version of the format.
const VERSION: u32 = 1;

/// A session's entries, oldest first, as the text of a recording: a header, then a line for each
/// model request with its answer.
pub fn recording(entries: &[Entry]) -> String {
    let mut lines: Vec<Value> = Vec::new();
    let mut played_as = "replay";
    for (at, entry) in entries.iter().enumerate() {
        if let Entry::StepStarted { model, .. } = entry {
            played_as = model;
            let conversation = entry::conversation(&entries[..at]);
            let position =
                conversation.iter().filter(|message| message.role == Role::Assistant).count();
            lines.truncate(position);
            lines.push(answer(&conversation, step(&entries[at + 1..])));
        }
    }
    let header = json!({ "hydroid_recording": VERSION, "model": played_as });
    std::iter::once(header).chain(lines).map(|line| format!("{line}\n")).collect()
}

/// The entries of one step: up to the next one, but with the end of the turn.
fn step(after: &[Entry]) -> &[Entry] {
    let end = after
        .iter()
        .position(|entry| matches!(entry, Entry::StepStarted { .. } | Entry::TurnStarted { .. }));
    &after[..end.unwrap_or(after.len())]
}

fn answer(conversation: &[Message], step: &[Entry]) -> Value {
    let mut events = Vec::new();
    let mut calls = 0_u32;
    let mut stop = None;
    for entry in step {
        match entry {
            Entry::Text { text, .. } => events.push(json!({ "text": text })),
            Entry::Thinking { text, opaque, .. } => {
                events.push(json!({ "reasoning": without_nulls(json!({ "text": text, "opaque": opaque })) }));
            }
            Entry::Cited { uri, title, .. } => {
                events.push(
                    json!({ "citation": without_nulls(json!({ "uri": uri, "title": title })) }),
                );
            }
            // A recording is of what the model said.
            Entry::CallReceived { parent: Some(_), .. } => {}
            Entry::CallReceived { call, .. } => {
                let arguments = if was_cut_off(step, &call.id) {
                    "{".to_owned()
                } else {
                    as_received(&call.arguments)
                };
                events.push(json!({
                    "tool_call": { "index": calls, "id": call.id, "name": call.name, "arguments": arguments }
                }));
                calls += 1;
            }
            Entry::StepEnded { stop: ended, usage, .. } => {
                stop = Some(*ended);
                if *usage != Usage::default() {
                    events.push(json!({ "usage": recorded_usage(usage) }));
                }
            }
            Entry::TurnStarted { .. }
            | Entry::Steered { .. }
            | Entry::Rewound { .. }
            | Entry::SettingsChanged { .. }
            | Entry::StepStarted { .. }
            | Entry::ApprovalAsked { .. }
            | Entry::CallEdited { .. }
            | Entry::CallDecided { .. }
            | Entry::CallStarted { .. }
            | Entry::CallFinished { .. }
            | Entry::ChildAnswered { .. }
            | Entry::SkillLoaded { .. }
            | Entry::SkillUnloaded { .. }
            | Entry::Compacted { .. }
            | Entry::Notice { .. }
            | Entry::ModelNews { .. }
            | Entry::TurnEnded { .. } => {}
        }
    }
    let error = match stop {
        None => Some("the recorded session was interrupted during this answer".to_owned()),
        Some(StopReason::Error) => step.iter().find_map(failure),
        Some(_) => None,
    };
    let mut line = Map::new();
    line.insert("request".into(), request(conversation));
    match (error, stop) {
        (Some(message), _) => {
            line.insert("error".into(), json!({ "kind": "unavailable", "message": message }));
        }
        (None, stop) => events.push(json!({ "finish": finish(stop.unwrap_or(StopReason::Other)) })),
    }
    line.insert("events".into(), Value::Array(events));
    Value::Object(line)
}

fn failure(entry: &Entry) -> Option<String> {
    match entry {
        Entry::TurnEnded { outcome: Outcome::Failed { reason }, .. } => Some(reason.clone()),
        _ => None,
    }
}

/// What the player compares in strict mode.
fn request(conversation: &[Message]) -> Value {
    let mut request = Map::new();
    let said = conversation.iter().rev().filter(|message| message.role == Role::User);
    if let Some(said) = said.map(user_text).find(|text| !text.is_empty()) {
        request.insert("last_user".into(), said.into());
    }
    let from = conversation
        .iter()
        .rposition(|message| message.role == Role::Assistant)
        .map_or(0, |at| at + 1);
    let mut results = Vec::new();
    for part in conversation[from..].iter().flat_map(|message| &message.parts) {
        if let Content::ToolResult { call_id, content, is_error } = &part.content {
            if is_cut_off(content) {
                // The played call cannot break off the same way, so its result would differ.
                return Value::Object(request);
            }
            let text = content.iter().map(shown).collect::<Vec<_>>().join("\n");
            results.push(json!({ "id": call_id, "text": text, "is_error": is_error }));
        }
    }
    if !results.is_empty() {
        request.insert("tool_results".into(), Value::Array(results));
    }
    Value::Object(request)
}

fn user_text(message: &Message) -> String {
    let texts = message.parts.iter().filter_map(|part| match &part.content {
        Content::Text { text } => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn shown(content: &Content) -> String {
    match content {
        Content::Text { text } => text.clone(),
        Content::Json { json } => json.to_string(),
        Content::Media { media_type, data, .. } => {
            format!("[{media_type}, {} bytes]", data.0.len())
        }
        Content::Link { uri, .. } => uri.clone(),
        Content::Other { kind, .. } => format!("[{kind}]"),
        Content::Thinking { .. } | Content::ToolCall { .. } | Content::ToolResult { .. } => {
            String::new()
        }
    }
}

/// Arguments as the model sent them, also those that could not be read.
fn as_received(arguments: &str) -> String {
    match serde_json::from_str::<Map<String, Value>>(arguments) {
        Ok(object) if object.len() == 1 => match object.get(UNREADABLE) {
            Some(Value::String(raw)) => raw.clone(),
            _ => arguments.to_owned(),
        },
        _ => arguments.to_owned(),
    }
}

fn was_cut_off(step: &[Entry], id: &crate::id::CallId) -> bool {
    step.iter().any(|entry| match entry {
        Entry::CallFinished { call_id, output: ToolOutput { content, .. }, .. } => {
            call_id == id && is_cut_off(content)
        }
        _ => false,
    })
}

fn is_cut_off(content: &[Content]) -> bool {
    matches!(content, [Content::Text { text }] if text == CUT_OFF || text == CUT_OFF_AT_LIMIT)
}

/// The contract counts tokens of a request in 32 bits.
fn recorded_usage(usage: &Usage) -> Value {
    let count = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
    json!({
        "input": count(usage.input),
        "output": count(usage.output),
        "cache_read": count(usage.cache_read),
        "cache_write": count(usage.cache_write),
        "reasoning": count(usage.reasoning),
    })
}

fn finish(stop: StopReason) -> &'static str {
    match stop {
        StopReason::EndTurn => "end-turn",
        StopReason::MaxTokens => "max-tokens",
        StopReason::ToolUse => "tool-use",
        StopReason::StopSequence => "stop-sequence",
        StopReason::Refusal => "refusal",
        StopReason::Error => "error",
        StopReason::Other => "other",
    }
}

fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(object) = &mut value {
        object.retain(|_, value| !value.is_null());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{CallId, ComponentId, TurnId};
    use crate::message::{Bytes, Label};
    use crate::tool::ToolCall;

    fn turn() -> TurnId {
        TurnId::new("t")
    }

    fn said(text: &str) -> Entry {
        Entry::TurnStarted { turn: turn(), parts: Message::user(text).parts, key: None }
    }

    fn asked(step: u32) -> Entry {
        Entry::StepStarted {
            turn: turn(),
            step,
            provider: ComponentId::new("p"),
            model: "m".into(),
        }
    }

    fn text(text: &str) -> Entry {
        Entry::Text { turn: turn(), text: text.into() }
    }

    fn received(id: &str, arguments: &str) -> Entry {
        let call =
            ToolCall { id: CallId::new(id), name: "file_list".into(), arguments: arguments.into() };
        Entry::CallReceived { turn: turn(), call, parent: None }
    }

    fn finished(id: &str, output: ToolOutput) -> Entry {
        Entry::CallFinished { turn: turn(), call_id: CallId::new(id), output, label: Label::host() }
    }

    fn step_ended(stop: StopReason) -> Entry {
        Entry::StepEnded { turn: turn(), stop, usage: Usage::default(), dollars: None }
    }

    fn ended(outcome: Outcome) -> Entry {
        Entry::TurnEnded { turn: turn(), outcome, usage: Usage::default(), dollars: None }
    }

    #[track_caller]
    fn check(entries: Vec<Entry>, expect: &[&str]) {
        let recording = recording(&entries);
        let mut lines = recording.lines();
        assert_eq!(lines.next(), Some(r#"{"hydroid_recording":1,"model":"m"}"#));
        let value = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        let got: Vec<Value> = lines.map(value).collect();
        let expect: Vec<Value> = expect.iter().map(|line| value(line)).collect();
        assert_eq!(got, expect, "\n{recording}");
    }

    #[test]
    fn each_request_has_its_line_with_what_came_before_it() {
        check(
            vec![
                said("list files"),
                asked(1),
                Entry::Thinking {
                    turn: turn(),
                    text: "hm".into(),
                    opaque: Some(Bytes(vec![0, 255])),
                },
                received("c1", "{}"),
                Entry::StepEnded {
                    turn: turn(),
                    stop: StopReason::ToolUse,
                    usage: Usage { input: 12, output: 4, ..Usage::default() },
                    dollars: None,
                },
                finished("c1", ToolOutput::text("a.txt")),
                asked(2),
                text("There is "),
                Entry::Cited { turn: turn(), uri: "https://a".into(), title: None },
                step_ended(StopReason::EndTurn),
                ended(Outcome::Completed),
            ],
            &[
                r#"{"request":{"last_user":"list files"},"events":[{"reasoning":{"text":"hm","opaque":"AP8="}},{"tool_call":{"index":0,"id":"c1","name":"file_list","arguments":"{}"}},{"usage":{"input":12,"output":4,"cache_read":0,"cache_write":0,"reasoning":0}},{"finish":"tool-use"}]}"#,
                r#"{"request":{"last_user":"list files","tool_results":[{"id":"c1","text":"a.txt","is_error":false}]},"events":[{"text":"There is "},{"citation":{"uri":"https://a"}},{"finish":"end-turn"}]}"#,
            ],
        );
    }

    #[test]
    fn a_failed_answer_is_played_as_a_failure() {
        let failed = Outcome::Failed { reason: "set the key".into() };
        check(
            vec![said("hi"), asked(1), text("I"), step_ended(StopReason::Error), ended(failed)],
            &[
                r#"{"request":{"last_user":"hi"},"events":[{"text":"I"}],"error":{"kind":"unavailable","message":"set the key"}}"#,
            ],
        );
    }

    #[test]
    fn an_answer_that_left_nothing_gives_its_place_to_the_next() {
        let failed = Outcome::Failed { reason: "slow down".into() };
        check(
            vec![
                said("hi"),
                asked(1),
                step_ended(StopReason::Error),
                ended(failed),
                said("again"),
                asked(1),
                text("yes"),
                step_ended(StopReason::EndTurn),
                ended(Outcome::Completed),
            ],
            &[
                r#"{"request":{"last_user":"again"},"events":[{"text":"yes"},{"finish":"end-turn"}]}"#,
            ],
        );
    }

    #[test]
    fn an_interrupted_answer_ends_as_a_broken_one() {
        check(
            vec![said("hi"), asked(1), text("I")],
            &[
                r#"{"request":{"last_user":"hi"},"events":[{"text":"I"}],"error":{"kind":"unavailable","message":"the recorded session was interrupted during this answer"}}"#,
            ],
        );
    }

    #[test]
    fn unreadable_and_cut_off_arguments_stay_unreadable() {
        check(
            vec![
                said("hi"),
                asked(1),
                received("a", r#"{"unreadable_arguments":"oops"}"#),
                received("b", "{}"),
                step_ended(StopReason::MaxTokens),
                finished("a", ToolOutput::error("not JSON")),
                finished("b", ToolOutput::error(CUT_OFF_AT_LIMIT)),
                asked(2),
                step_ended(StopReason::EndTurn),
            ],
            &[
                r#"{"request":{"last_user":"hi"},"events":[{"tool_call":{"index":0,"id":"a","name":"file_list","arguments":"oops"}},{"tool_call":{"index":1,"id":"b","name":"file_list","arguments":"{"}},{"finish":"max-tokens"}]}"#,
                r#"{"request":{"last_user":"hi"},"events":[{"finish":"end-turn"}]}"#,
            ],
        );
    }
}
