//! What is kept beyond a turn: standing approvals, open questions, the audit log; and the stop
//! that ends everything.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_approval_for_good_holds_in_another_session_until_it_ends() {
    let script = vec![
        calls(&["a write"]),
        says("1"),
        calls(&["b write"]),
        says("2"),
        calls(&["c write"]),
        says("3"),
    ];
    let mut host = Host::new(script);
    let session = host.new_session().await;
    let first = session.say(said("go")).await.unwrap();
    host.shown(asked).await;
    let always = ApprovalAnswer::Always { calls: None, days: Some(1) };
    session.answer(UserId::new("me"), CallId::new("a"), always).await.unwrap();
    first.ended().await.unwrap();
    session.close().await;
    let kept = host.records.standing.lock().unwrap().clone();
    assert_eq!(kept[0].calls, "write");
    assert_eq!(kept[0].expires_ms, Some(kept[0].created_ms + 24 * 3600 * 1000));
    let other = host.open(SessionChoice::New(SessionId::new("s2"))).await.unwrap();
    assert_eq!(turn(&other, "again").await, Outcome::Completed);
    other.close().await;
    let decided =
        host.journal.stored("s2").into_iter().any(|stored| {
            matches!(stored.entry, Entry::CallDecided { by: DecidedBy::Standing, .. })
        });
    assert!(decided);
    host.records.standing.lock().unwrap()[0].expires_ms = Some(1);
    let third = host.open(SessionChoice::New(SessionId::new("s3"))).await.unwrap();
    let ended = third.say(said("once more")).await.unwrap();
    host.shown(asked).await;
    third.answer(UserId::new("me"), CallId::new("c"), ApprovalAnswer::Once).await.unwrap();
    ended.ended().await.unwrap();
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_somebody_else_is_refused() {
    let mut host = Host::new(vec![calls(&["a write"]), says("done")]);
    let session = host.new_session().await;
    let ended = session.say(said("go")).await.unwrap();
    host.shown(asked).await;
    let error = session
        .answer(UserId::new("eve"), CallId::new("a"), ApprovalAnswer::Once)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("was put to `me`"), "{error}");
    session.answer(UserId::new("me"), CallId::new("a"), ApprovalAnswer::Once).await.unwrap();
    ended.ended().await.unwrap();
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn a_question_outlives_the_process_and_is_asked_again() {
    let mut host = Host::new(vec![calls(&["a write"]), says("done")]);
    let session = host.new_session().await;
    drop(session.say(said("go")).await.unwrap());
    host.shown(asked).await;
    session.leave().await;
    assert!(!host.transcript().iter().any(|line| line.starts_with("ended")));
    let session = host.open(SessionChoice::Existing(SessionId::new("s"))).await.unwrap();
    let restored = session.restored().await.unwrap();
    assert!(session.restored().await.is_none(), "it is given out once");
    host.shown(asked).await;
    session.answer(UserId::new("me"), CallId::new("a"), ApprovalAnswer::Once).await.unwrap();
    assert_eq!(restored.ended().await.unwrap().outcome, Outcome::Completed);
    assert!(host.transcript().contains(&"result a: ok".to_owned()), "{:#?}", host.transcript());
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn leaving_lets_what_runs_come_to_its_end() {
    let mut host = Host::new(vec![calls(&["r read {\"do\":\"slow\"}", "a write"]), says("done")]);
    let session = host.new_session().await;
    drop(session.say(said("go")).await.unwrap());
    host.shown(asked).await;
    session.leave().await;
    let transcript = host.transcript();
    assert!(transcript.contains(&"result r: slowly".to_owned()), "{transcript:#?}");
    assert!(!transcript.iter().any(|line| line.starts_with("ended")), "{transcript:#?}");
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn without_a_person_a_session_that_waits_is_not_opened_and_loses_nothing() {
    let mut host = Host::new(vec![calls(&["a write"]), says("done")]);
    let session = host.new_session().await;
    drop(session.say(said("go")).await.unwrap());
    host.shown(asked).await;
    session.leave().await;
    let before = host.transcript();
    let open = OpenSession {
        user: UserId::new("me"),
        session: SessionChoice::Existing(SessionId::new("s")),
        mode: Mode::Default,
        headless: true,
        channel: "terminal".into(),
        allow: Vec::new(),
    };
    let error = host.agent.open(open, Arc::clone(&host.client) as Arc<dyn Sink>).await.unwrap_err();
    assert!(error.to_string().contains("hydroid approval answer a once"), "{error}");
    assert_eq!(host.transcript(), before);
}

#[tokio::test(start_paused = true)]
async fn every_decision_is_in_the_audit_log_before_it_has_an_effect() {
    let host = Host::with("[policy]\nchanges = \"allow\"", vec![calls(&["a write"]), says("done")]);
    let session = host.new_session().await;
    turn(&session, "go").await;
    let events: Vec<String> = host
        .records
        .events
        .lock()
        .unwrap()
        .iter()
        .map(|event| format!("{} {} {}", event.action.id(), event.resource, event.outcome.id()))
        .collect();
    assert!(events.contains(&"call-decided write allowed".to_owned()), "{events:?}");
    assert!(events.contains(&"call-ran write allowed".to_owned()), "{events:?}");
    session.close().await;
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_audited_is_not_done() {
    let host = Host::with("[policy]\nchanges = \"allow\"", vec![calls(&["a write"]), says("done")]);
    host.records.audit_is_full.store(true, std::sync::atomic::Ordering::SeqCst);
    let session = host.new_session().await;
    let error = session.say(said("go")).await.unwrap().ended().await.unwrap_err();
    assert!(matches!(error, TurnError::Journal(_)), "{error}");
    assert!(host.model.requests.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_emergency_stop_ends_what_runs_and_starts_nothing_until_it_is_released() {
    let host = Host::new(vec![calls(&["a read {\"do\":\"hang\"}"]), says("done")]);
    let session = host.new_session().await;
    let running = session.say(said("go")).await.unwrap();
    host.tools.started.notified().await;
    host.stop.send(true).unwrap();
    assert_eq!(running.ended().await.unwrap().outcome, Outcome::Stopped);
    assert_eq!(session.say(said("again")).await.unwrap_err(), SayError::Stopped);
    host.stop.send(false).unwrap();
    assert_eq!(turn(&session, "again").await, Outcome::Completed);
    session.close().await;
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_preview_is_scrubbed_and_one_that_panics_is_told() {
    let leaks = format!("a write {{\"preview\":\"{SECRET}\"}}");
    let mut host =
        Host::new(vec![calls(&[&leaks, "b write {\"preview\":\"panic\"}"]), says("done")]);
    let session = host.new_session().await;
    let ended = session.say(said("go")).await.unwrap();
    host.shown(asked).await;
    host.shown(asked).await;
    let previews: Vec<String> = host
        .journal
        .stored("s")
        .iter()
        .filter_map(|stored| match &stored.entry {
            Entry::ApprovalAsked { preview, .. } => Some(format!("{preview:?}")),
            _ => None,
        })
        .collect();
    assert!(previews.iter().all(|preview| !preview.contains(SECRET)), "{previews:?}");
    assert!(
        previews.iter().any(|preview| preview.contains("a defect in the host")),
        "{previews:?}"
    );
    session.cancel().await;
    ended.ended().await.unwrap();
    host.no_faults();
}
