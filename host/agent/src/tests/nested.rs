//! Calls that a call asks for, through the session.

use super::*;
use hydroid_core::audit::AuditAction;

fn relay(then: &str) -> String {
    format!(r#"a read {{"nested":"{then}","x":1}}"#)
}

#[tokio::test(start_paused = true)]
async fn it_is_put_to_the_person_and_answered_when_it_is_recorded() {
    let mut host = Host::new(vec![calls(&[&relay("write")]), says("done")]);
    let session = host.new_session().await;
    let ended = session.say(said("go")).await.unwrap();
    host.shown(asked).await;
    // A person takes their time, and neither the turn nor the call runs out of it.
    tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
    session.answer(UserId::new("me"), CallId::new("a.1"), ApprovalAnswer::Once).await.unwrap();
    assert_eq!(ended.ended().await.unwrap().outcome, Outcome::Completed);
    let transcript = host.transcript();
    assert!(transcript.contains(&"result a: nested said ok".to_owned()), "{transcript:#?}");
    let events = host.records.events.lock().unwrap().clone();
    let parents: Vec<(AuditAction, Option<CallId>)> = events
        .iter()
        .filter(|event| event.call == Some(CallId::new("a.1")))
        .map(|event| (event.action, event.parent.clone()))
        .collect();
    let a = Some(CallId::new("a"));
    let expect = [
        (AuditAction::CallDecided, a.clone()),
        (AuditAction::ApprovalAnswered, a.clone()),
        (AuditAction::CallRan, a.clone()),
        (AuditAction::CallEnded, a),
    ];
    assert_eq!(parents, expect);
    assert!(
        events.iter().all(|event| event.call != Some(CallId::new("a")) || event.parent.is_none())
    );
    let request = host.model.requests.lock().unwrap()[1].clone();
    assert!(!serde_json::to_string(&request.messages).unwrap().contains("a.1"));
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn where_nobody_can_be_asked_the_caller_reads_the_denial() {
    let host = Host::new(vec![calls(&[&relay("write")]), says("done")]);
    let open = OpenSession {
        user: UserId::new("me"),
        session: SessionChoice::New(SessionId::new("s")),
        mode: Mode::Default,
        headless: true,
        channel: "terminal".into(),
        allow: Vec::new(),
    };
    let client = Arc::clone(&host.client) as Arc<dyn Sink>;
    let session = host.agent.open(open, client).await.unwrap();
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    let transcript = host.transcript().join("\n");
    assert!(transcript.contains("result a: nested denied: denied: `write`"), "{transcript}");
    assert!(transcript.contains("`--allow write`"), "{transcript}");
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_both() {
    let mut host = Host::new(vec![calls(&[&relay("write")]), says("done")]);
    let session = host.new_session().await;
    let ended = session.say(said("go")).await.unwrap();
    host.shown(asked).await;
    session.cancel().await;
    assert_eq!(ended.ended().await.unwrap().outcome, Outcome::Cancelled);
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_left_does_not_keep_such_a_question() {
    let mut host = Host::new(vec![calls(&[&relay("write")]), says("done")]);
    let session = host.new_session().await;
    drop(session.say(said("go")).await.unwrap());
    host.shown(asked).await;
    session.leave().await;
    let transcript = host.transcript();
    assert_eq!(transcript.last().map(String::as_str), Some("ended Cancelled"), "{transcript:#?}");
    host.no_faults();
}
