//! What is recalled beside a message, and which files stand in the prompt.

use super::*;
use hydroid_core::message::{Content, Label, Source as From, Trust};
use hydroid_core::ports::{Hit, Origin, PromptFile, Why};
use std::collections::BTreeSet;

fn note(text: &str, vouched: bool) -> Hit {
    Hit {
        id: "note-1".into(),
        text: text.into(),
        score: 1.0,
        created_ms: 0,
        from: Origin::Note { tags: BTreeSet::new(), updated_ms: 0, own: vouched },
        secret: false,
        vouched,
        why: Why::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_fits_is_handed_over_once_fenced_and_without_secrets() {
    let host = Host::new(vec![calls(&["c1 read {}"]), says("at four"), says("again")]);
    let text = format!("anna drinks tea at four, key {SECRET}");
    *host.memory.hits.lock().unwrap() = vec![note(&text, true), note("nothing alike", true)];
    let session = host.new_session().await;
    assert_eq!(turn(&session, "when does anna drink tea?").await, Outcome::Completed);
    assert_eq!(host.memory.asked.lock().unwrap().len(), 1, "once, not for each step");
    let asked = host.memory.asked.lock().unwrap()[0].clone();
    assert_eq!(asked.words, "when does anna drink tea?");
    assert!(asked.not_of.is_some() && asked.now_ms.is_some() && asked.vouch, "{asked:?}");
    let requests = host.model.requests.lock().unwrap().clone();
    for request in &requests {
        let parts = &request.messages[0].parts;
        assert_eq!(parts.len(), 2, "{parts:?}");
        let Content::Text { text } = &parts[1].content else { panic!() };
        assert!(text.starts_with("[data ") && text.contains("tea at four"), "{text}");
        assert!(!text.contains(SECRET) && !text.contains("nothing alike"), "{text}");
    }
    let entries = host.entries();
    let Entry::TurnStarted { parts, .. } = &entries[0] else { panic!("{entries:?}") };
    assert_eq!(parts[1].label, Label::recalled(true));
    assert!(matches!(parts[1].label.source, From::Tool { .. }));
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_vouches_for_is_labelled_so_and_a_failure_costs_nothing() {
    let host = Host::new(vec![says("one"), says("two")]);
    *host.memory.hits.lock().unwrap() = vec![note("anna drinks tea", false)];
    let session = host.new_session().await;
    assert_eq!(turn(&session, "anna and tea").await, Outcome::Completed);
    let entries = host.entries();
    let Entry::TurnStarted { parts, .. } = &entries[0] else { panic!("{entries:?}") };
    assert_eq!(parts[1].label.trust, Trust::Untrusted);
    host.memory.fails.store(true, Ordering::SeqCst);
    assert_eq!(turn(&session, "anna and tea").await, Outcome::Completed);
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn it_can_be_switched_off() {
    let host = Host::with("[memory]\nrecall = false\nfiles = false", vec![says("one")]);
    *host.memory.hits.lock().unwrap() = vec![note("anna drinks tea", true)];
    let file = PromptFile { name: "USER.md".into(), text: "Anna".into() };
    *host.memory.files.lock().unwrap() = vec![file];
    let session = host.new_session().await;
    assert_eq!(turn(&session, "anna and tea").await, Outcome::Completed);
    assert_eq!(*host.memory.asked.lock().unwrap(), []);
    let requests = host.model.requests.lock().unwrap().clone();
    assert!(requests[0].messages[0].parts.len() == 1 && !requests[0].system.contains("USER.md"));
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn the_persons_files_are_in_the_prompt_without_secrets() {
    let host = Host::new(vec![says("one")]);
    let text = format!("Anna. Key: {SECRET}");
    *host.memory.files.lock().unwrap() = vec![PromptFile { name: "USER.md".into(), text }];
    let session = host.new_session().await;
    assert_eq!(turn(&session, "hi").await, Outcome::Completed);
    let system = host.model.requests.lock().unwrap()[0].system.clone();
    assert!(system.contains("[file USER.md]\nAnna. Key: ") && !system.contains(SECRET), "{system}");
    host.check().await;
}
