//! What is told of a turn as spans.

use super::*;
use hydroid_core::ports::ModelError;
use hydroid_core::telemetry::{Value, names};

fn traced(host: Host) -> Host {
    host.spans.wanted.store(true, Ordering::SeqCst);
    host
}

#[tokio::test(start_paused = true)]
async fn a_turn_has_a_span_with_its_requests_and_calls_below() {
    let usage = ModelEvent::Usage(Usage { input: 5, output: 2, cache_read: 3, ..Usage::default() });
    let answer = vec![Play::Batch(vec![text("a word"), usage]), says("").remove(0)];
    let host = traced(Host::new(vec![calls(&["a read {\"x\":1}"]), answer]));
    let session = host.new_session().await;
    assert_eq!(turn(&session, "private words").await, Outcome::Completed);
    assert_eq!(
        host.spans.lines(),
        [
            "invoke_agent main",
            "invoke_agent main > chat rehearsal",
            "invoke_agent main > execute_tool read",
            "invoke_agent main > chat rehearsal",
        ]
    );
    let value = |span, name| host.spans.value(span, name);
    assert_eq!(value("invoke_agent main", names::CONVERSATION), Some("s".into()));
    assert_eq!(value("invoke_agent main", names::INPUT_TOKENS), Some(Value::Number(5)));
    assert_eq!(value("invoke_agent main", names::CACHE_READ), Some(Value::Number(3)));
    assert_eq!(value("execute_tool read", names::CALL_ID), Some("a".into()));
    let reasons = Value::Texts(vec!["tool_call".to_owned()]);
    assert_eq!(value("chat rehearsal", names::FINISH_REASONS), Some(reasons));
    let all = host.spans.everything();
    assert!(!all.contains("private words") && !all.contains("a word"), "{all}");
    assert_eq!(value("execute_tool read", names::CALL_ARGUMENTS), None);
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_said_is_there_only_where_it_is_wanted_and_never_a_secret() {
    let host = traced(Host::new(vec![calls(&["a read {\"x\":1}"]), says("a word")]));
    host.spans.content.store(true, Ordering::SeqCst);
    let session = host.new_session().await;
    let said = format!("private words, {SECRET}");
    assert_eq!(turn(&session, &said).await, Outcome::Completed);
    let text = |span, name| match host.spans.value(span, name) {
        Some(Value::Text(text)) => text,
        other => panic!("{name}: {other:?}"),
    };
    let asked = text("invoke_agent main", names::INPUT_MESSAGES);
    assert!(asked.starts_with("[{\"parts\":[{\"content\":\"private words"), "{asked}");
    assert!(text("chat rehearsal", names::INPUT_MESSAGES).contains("private words"));
    assert!(text("chat rehearsal", names::OUTPUT_MESSAGES).contains("\"tool_call\""));
    assert!(text("invoke_agent main", names::OUTPUT_MESSAGES).contains("a word"));
    assert_eq!(text("execute_tool read", names::CALL_ARGUMENTS), "{\"x\":1}");
    assert!(!host.spans.everything().contains(SECRET));
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_sent_again_and_one_that_fails_are_told() {
    let error = |retry_after_ms| ModelError {
        kind: "rate-limited".into(),
        message: "the account of a person is empty".into(),
        retry_after_ms,
        sent: false,
    };
    let again = vec![vec![Play::Error(error(Some(100)))], says("now")];
    let host = traced(Host::reliable("", again));
    let session = host.new_session().await;
    assert_eq!(turn(&session, "hi").await, Outcome::Completed);
    assert_eq!(
        host.spans.lines(),
        ["invoke_agent main", "invoke_agent main > chat rehearsal +hydroid.model.retrying"]
    );
    assert!(!host.spans.everything().contains("account"));
    host.check().await;
    let host = traced(Host::new(vec![vec![Play::Error(error(None))]]));
    let session = host.new_session().await;
    assert!(matches!(turn(&session, "hi").await, Outcome::Failed { .. }));
    let expect = ["invoke_agent main !failed", "invoke_agent main > chat rehearsal !rate-limited"];
    assert_eq!(host.spans.lines(), expect);
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_is_told_and_what_is_cancelled_has_ended() {
    let host = traced(Host::with(
        "[policy]\ndeny = [\"write\"]",
        vec![calls(&["a write {}"]), vec![Play::Batch(vec![text("on")]), Play::Hang]],
    ));
    let session = host.new_session().await;
    let turn = session.say(said("hi")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    session.cancel().await;
    assert_eq!(turn.ended().await.unwrap().outcome, Outcome::Cancelled);
    let lines = host.spans.lines();
    assert_eq!(lines[0], "invoke_agent main +hydroid.call.denied !cancelled");
    assert_eq!((lines.len(), lines[2].as_str()), (3, "invoke_agent main > chat rehearsal"));
    host.no_faults();
}
