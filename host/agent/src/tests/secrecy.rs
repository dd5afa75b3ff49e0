//! Something secret is followed from one session to the next.

use super::*;
use hydroid_core::ports::SecretPlace;

fn places(host: &Host) -> Vec<String> {
    host.records.places.lock().unwrap().iter().map(ToString::to_string).collect()
}

/// Whether the results of a session are labelled secret, in order.
fn secret_results(host: &Host, session: &str) -> Vec<bool> {
    let stored = host.journal.stored(session).into_iter();
    let labels = stored.filter_map(|stored| match stored.entry {
        Entry::CallFinished { label, .. } => Some(label.secret),
        _ => None,
    });
    labels.collect()
}

/// Runs one turn in each session.
async fn sessions(host: &Host, names: &[&str]) {
    for name in names {
        let session = host.open(SessionChoice::New(SessionId::new(*name))).await.unwrap();
        assert_eq!(turn(&session, "go").await, Outcome::Completed);
        session.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_lies_in_a_marked_place_is_secret_in_every_session() {
    let host = Host::new(vec![
        calls(&["a read {\"file\":\"/shared/a\"}", "b read {\"file\":\"/shared/b\"}"]),
        says("1"),
        calls(&["c read {\"file\":\"/shared\"}"]),
        says("2"),
    ]);
    host.records.places.lock().unwrap().insert(SecretPlace::File("/shared/a".into()));
    sessions(&host, &["s1", "s2"]).await;
    assert_eq!(secret_results(&host, "s1"), [true, false]);
    assert_eq!(secret_results(&host, "s2"), [true]);
    assert_eq!(places(&host), ["file:/shared/a", "session:s1", "session:s2"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_written_after_a_secret_was_read_is_marked_before_it_is_written() {
    let mut host = Host::new(vec![
        calls(&["a read {\"do\":\"see a secret\"}"]),
        calls(&["b write {\"file\":\"/shared/copy\",\"do\":\"panic\"}"]),
        says("1"),
        calls(&["c read {\"file\":\"/shared/copy\"}"]),
        says("2"),
    ]);
    let session = host.open(SessionChoice::New(SessionId::new("s1"))).await.unwrap();
    let ended = session.say(said("go")).await.unwrap();
    host.shown(asked).await;
    session.answer(UserId::new("me"), CallId::new("b"), ApprovalAnswer::Once).await.unwrap();
    assert_eq!(ended.ended().await.unwrap().outcome, Outcome::Completed);
    session.close().await;
    assert_eq!(places(&host), ["file:/shared/copy", "session:s1"]);
    sessions(&host, &["s2"]).await;
    assert_eq!(secret_results(&host, "s2"), [true]);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_nobody_could_look_up_is_not_shown_to_the_model() {
    let host = Host::new(vec![calls(&["a read {\"file\":\"/shared/a\"}"]), says("1")]);
    host.records.places_are_lost.store(true, Ordering::SeqCst);
    sessions(&host, &["s1"]).await;
    let journal = format!("{:?}", host.journal.stored("s1"));
    assert!(journal.contains("could not look up what is secret"), "{journal}");
    assert!(!journal.contains("\"ok\""), "{journal}");
}

#[tokio::test(start_paused = true)]
async fn a_component_that_reaches_files_and_the_web_has_read_what_is_marked() {
    let host = Host::new(vec![
        calls(&["a read {\"file\":\"/shared/b\",\"web\":true}"]),
        says("1"),
        calls(&["b read {}"]),
        says("2"),
    ]);
    host.records.places.lock().unwrap().insert(SecretPlace::File("/shared/a".into()));
    sessions(&host, &["s1", "s2"]).await;
    assert_eq!(secret_results(&host, "s1"), [true]);
    assert_eq!(secret_results(&host, "s2"), [false]);
}

#[tokio::test(start_paused = true)]
async fn what_a_component_keeps_after_a_secret_was_read_is_secret_in_the_next_session() {
    let host = Host::new(vec![
        calls(&["a read {\"state\":true}"]),
        says("1"),
        calls(&["b read {\"do\":\"see a secret\"}"]),
        calls(&["c read {\"state\":true}"]),
        says("2"),
        calls(&["d read {\"state\":true}", "e read {}"]),
        says("3"),
    ]);
    sessions(&host, &["s1", "s2", "s3"]).await;
    assert_eq!(secret_results(&host, "s1"), [false]);
    assert_eq!(secret_results(&host, "s2"), [true, true]);
    assert_eq!(secret_results(&host, "s3"), [true, false]);
    assert_eq!(places(&host), ["session:s2", "session:s3", "state:tool-fake"]);
}
