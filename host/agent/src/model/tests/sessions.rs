//! The same through a session: what the journal, the client and the audit log are told.

use super::*;
use crate::fakes::{Host, said};
use hydroid_core::audit::AuditAction;
use hydroid_core::entry::{Entry, Outcome, conversation};
use hydroid_core::message::Source;
use hydroid_core::policy::Mode;

async fn turn(session: &crate::Session) -> Outcome {
    session.say(said("go")).await.unwrap().ended().await.unwrap().outcome
}

#[tokio::test(start_paused = true)]
async fn what_happened_to_a_request_is_recorded_shown_and_audited() {
    let config = format!("[model]\nprovider = \"p\"\nname = \"m\"\n{CHAIN}");
    let config = config.replace("attempts = 1", "attempts = 2");
    let script = vec![fails("rate-limited"), fails("unavailable"), says("hi")];
    let host = Host::reliable(&config, script);
    let session = host.new_session().await;
    assert_eq!(turn(&session).await, Outcome::Completed);
    assert_eq!(
        host.transcript(),
        [
            "said go",
            "step 1",
            "news rate limited, trying again in 0.5 s (2 of 2)",
            "news m (p): not available; n (q) answers instead: it was unavailable; tried 2 times (`model.retry.attempts`)",
            "text hi",
            "step ended",
            "ended Completed",
        ]
    );
    let entries: Vec<Entry> =
        host.journal.stored("s").into_iter().map(|stored| stored.entry).collect();
    let label = conversation(&entries)[1].parts[0].label.clone();
    let by = Source::Model { provider: ComponentId::new("q"), model: "n".into() };
    assert_eq!(label.source, by);
    let actions: Vec<AuditAction> =
        host.records.events.lock().unwrap().iter().map(|event| event.action).collect();
    assert_eq!(
        actions,
        [AuditAction::ModelAsked, AuditAction::ModelRetried, AuditAction::ModelChanged]
    );
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_and_an_emergency_stop_end_a_wait_without_another_request() {
    for stopped in [false, true] {
        let wait = vec![Play::Refuse(error("rate-limited", Some(25_000)))];
        let host = Host::reliable("", vec![wait]);
        let session = host.new_session().await;
        let handle = session.say(said("go")).await.unwrap();
        // Waiting for the client's thread would let the paused time run.
        while !host.transcript().iter().any(|line| line.starts_with("news")) {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        let expect = if stopped {
            host.stop.send(true).unwrap();
            Outcome::Stopped
        } else {
            session.cancel().await;
            Outcome::Cancelled
        };
        let (report, _) = handle.recorded().await;
        assert_eq!(report.unwrap().outcome, expect);
        assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
        session.close().await;
        host.no_faults();
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_of_a_process_learn_from_each_other_which_model_is_left_alone() {
    let config = "[model.retry]\nattempts = 1\n[model.breaker]\nfailures = 1";
    let host = Host::reliable(config, vec![fails("unavailable")]);
    turn(&host.new_session().await).await;
    let open = crate::OpenSession {
        user: UserId::new("me"),
        session: crate::SessionChoice::New(SessionId::new("s2")),
        mode: Mode::Default,
        headless: false,
        channel: "terminal".into(),
        allow: Vec::new(),
    };
    let other = host.agent.open(open, host.client.clone()).await.unwrap();
    let Outcome::Failed { reason } = turn(&other).await else { panic!() };
    assert!(reason.contains("is left alone"), "{reason}");
    host.no_faults();
}
