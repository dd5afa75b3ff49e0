//! Summing a conversation up: by itself when the window fills, by a person's wish, by the model
//! that is configured for it or by the host when none answers; and naming a session.

use super::*;
use crate::{ChangeError, CompactError};
use hydroid_core::ports::ModelError;

const LONG: usize = 2_000;

fn long() -> String {
    "word ".repeat(LONG / 5)
}

fn refuses() -> Vec<Play> {
    vec![Play::Refuse(ModelError {
        kind: "unavailable".into(),
        message: "it is away".into(),
        retry_after_ms: None,
        sent: false,
    })]
}

/// A window of 1,200 tokens, of which a long turn takes 500.
const SMALL: &str =
    "[model]\ncontext_tokens = 1200\nmax_output_tokens = 50\n[turn]\ncompact_at = 0.5\n";

fn compacted(entries: &[Entry]) -> Vec<(u32, String, Option<String>)> {
    let found = entries.iter().filter_map(|entry| match entry {
        Entry::Compacted { covers, summary, by } => {
            Some((*covers, summary.clone(), by.as_ref().map(ToString::to_string)))
        }
        _ => None,
    });
    found.collect()
}

#[tokio::test(start_paused = true)]
async fn what_fills_the_window_is_summed_up_by_the_route_and_the_turn_goes_on() {
    let config = format!(
        "{SMALL}[model.route.compaction]\nprovider = \"provider-other\"\nname = \"short\"\noptions = {{ a = 1 }}"
    );
    let script = vec![says(&long()), says("The user builds a boat."), says("done")];
    let host = Host::with(&config, script);
    let session = host.new_session().await;
    assert_eq!(turn(&session, &format!("build a boat {}", long())).await, Outcome::Completed);
    assert_eq!(turn(&session, "and now?").await, Outcome::Completed);
    let requests = host.model.requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 3);
    let (asked, sent) = (&requests[1], &requests[2]);
    assert_eq!((asked.provider.as_str(), asked.model.as_str()), ("provider-other", "short"));
    assert_eq!(asked.options, Some(serde_json::json!({ "a": 1 })));
    assert!(asked.tools.is_empty() && asked.system.contains("sum up"));
    let first = serde_json::to_string(&sent.messages[0]).unwrap();
    assert_eq!(sent.messages.len(), 1, "{first}");
    assert!(first.contains("The user builds a boat.") && first.contains("and now?"), "{first}");
    assert!(first.contains("The user began with: build a boat"), "{first}");
    let entries = host.entries();
    let found = compacted(&entries);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0, found[0].2.as_deref()), (1, Some("short (provider-other)")));
    assert!(entries.len() > 8, "the journal keeps every word");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn the_host_sums_up_when_no_model_does_and_nothing_is_lost() {
    let host = Host::with(SMALL, vec![says(&long()), refuses(), says("done")]);
    let session = host.new_session().await;
    assert_eq!(turn(&session, &format!("build a boat {}", long())).await, Outcome::Completed);
    let before = host.entries();
    assert_eq!(turn(&session, "and now?").await, Outcome::Completed);
    let entries = host.entries();
    assert_eq!(entries[..before.len()], before, "what was recorded is as it was");
    let found = compacted(&entries);
    assert_eq!((found[0].0, found[0].2.clone()), (1, None));
    assert!(found[0].1.contains("The user began with: build a boat"), "{}", found[0].1);
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn switched_off_nothing_is_summed_up() {
    let config = SMALL.replace("0.5", "0.0");
    let host = Host::with(&config, vec![says(&long()), says("done")]);
    let session = host.new_session().await;
    turn(&session, &long()).await;
    assert_eq!(turn(&session, "and now?").await, Outcome::Completed);
    assert_eq!(compacted(&host.entries()), []);
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_person_may_have_it_summed_up_and_may_change_their_mind() {
    let host = Host::new(vec![
        says(&long()),
        says("two"),
        vec![Play::Hang],
        says("They spoke of boats."),
        says("three"),
    ]);
    let session = host.new_session().await;
    assert_eq!(session.compact().await.unwrap(), 0, "nothing was said");
    turn(&session, &format!("build a boat {}", long())).await;
    assert_eq!(session.compact().await.unwrap(), 0, "the last turn is kept");
    turn(&session, "and now?").await;
    let compacting = tokio::spawn({
        let session = session.clone();
        async move { session.compact().await }
    });
    host.model.hangs.notified().await;
    let joined = tokio::spawn({
        let session = session.clone();
        async move { session.compact().await }
    });
    tokio::task::yield_now().await;
    let rewound = session.rewind(None).await;
    assert!(matches!(rewound, Err(ChangeError::TurnRuns)), "{rewound:?}");
    session.cancel().await;
    assert!(matches!(compacting.await.unwrap(), Err(CompactError::Closed)));
    assert!(matches!(joined.await.unwrap(), Err(CompactError::Closed)));
    assert_eq!(compacted(&host.entries()), []);
    assert_eq!(session.compact().await.unwrap(), 1);
    turn(&session, "go on").await;
    let request = host.model.requests.lock().unwrap().last().cloned().unwrap();
    let sent = serde_json::to_string(&request.messages).unwrap();
    assert!(sent.contains("They spoke of boats.") && !sent.contains(&long()), "{sent}");
    assert_eq!(request.messages.len(), 3);
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_route_names_the_session_and_without_one_its_first_words_do() {
    let config = "[model.route.title]\nprovider = \"provider-other\"\nname = \"short\"";
    let host = Host::with(config, vec![says("hello"), says("\"Boats of oak\"\n")]);
    let session = host.new_session().await;
    turn(&session, "please build a boat").await;
    let id = session.id().clone();
    session.close().await;
    let requests = host.model.requests.lock().unwrap().clone();
    let names: Vec<&str> = requests.iter().map(|request| request.model.as_str()).collect();
    assert!(names.contains(&"short"), "{names:?}");
    let title = host.journal.title(id.as_str());
    assert!(["Boats of oak", "hello"].contains(&title.as_str()), "{title}");
    let host = Host::with(config, vec![says("hello"), refuses()]);
    let session = host.new_session().await;
    turn(&session, "please build a boat").await;
    let id = session.id().clone();
    session.close().await;
    assert!(["please build a boat", "hello"].contains(&host.journal.title(id.as_str()).as_str()));
}
