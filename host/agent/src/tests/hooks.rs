//! What the answers of hooks do to a turn.

use super::*;
use crate::fakes::hooks::word;
use hydroid_core::hook::{HookPoint, HookVerdict};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_message_that_is_denied_reaches_no_model_and_is_not_kept() {
    let host = Host::new(vec![says("hello")]);
    host.hooks.at(HookPoint::TurnStart, HookVerdict::Deny(word("no numbers of cards")));
    let session = host.new_session().await;
    let outcome = turn(&session, "4111").await;
    let Outcome::Failed { reason } = outcome else { panic!("{outcome:?}") };
    assert_eq!(reason, "the hook `hook-fake` says: no numbers of cards");
    assert!(host.model.requests.lock().unwrap().is_empty());
    assert!(!format!("{:?}", host.journal.stored("s")).contains("4111"));
    assert!(!host.journal.title("s").contains("4111"));
    assert_eq!(turn(&session, "hello").await, Outcome::Completed);
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_can_be_changed_or_answered_in_place_of_the_model() {
    let host = Host::new(vec![says("hello")]);
    host.hooks.changes(HookPoint::TurnStart, |subject| {
        assert_eq!(subject["parts"][0]["text"], "first");
        subject["parts"][0]["text"] = json!("changed");
    });
    host.hooks.at(HookPoint::TurnStart, HookVerdict::Reply(word("we are closed")));
    let session = host.new_session().await;
    assert_eq!(turn(&session, "first").await, Outcome::Completed);
    assert_eq!(turn(&session, "second").await, Outcome::Completed);
    let transcript = host.transcript().join("\n");
    assert!(
        transcript.contains("said changed") && !transcript.contains("said first"),
        "{transcript}"
    );
    assert!(transcript.contains("text we are closed"), "{transcript}");
    assert_eq!(host.model.requests.lock().unwrap().len(), 1);
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_can_be_denied_and_a_conversation_loses_nothing() {
    let host = Host::new(vec![says("hello")]);
    host.hooks.at(HookPoint::BeforeModel, HookVerdict::Deny(word("not now")));
    let session = host.new_session().await;
    let outcome = turn(&session, "go").await;
    let Outcome::Failed { reason } = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("not now") && reason.contains("`hooks.use`"), "{reason}");
    assert_eq!(turn(&session, "go on").await, Outcome::Completed);
    let subject = &host.hooks.subjects(HookPoint::BeforeModel)[1];
    assert_eq!(subject["messages"].as_array().unwrap().len(), 2, "{subject}");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_changes_more_than_texts_of_a_conversation_is_refused() {
    let host = Host::new(vec![]);
    host.hooks.changes(HookPoint::BeforeModel, |subject| {
        let more = subject["messages"][0].clone();
        subject["messages"].as_array_mut().unwrap().push(more);
    });
    let session = host.new_session().await;
    let outcome = turn(&session, "go").await;
    assert!(
        format!("{outcome:?}").contains("more of the conversation than its texts"),
        "{outcome:?}"
    );
    assert!(host.model.requests.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_judged_before_anything_of_it_is_shown() {
    let host = Host::new(vec![says("bad"), says("good")]);
    host.hooks.at(HookPoint::AfterModel, HookVerdict::Retry(word("say it kindly")));
    let session = host.new_session().await;
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    let transcript = host.transcript().join("\n");
    assert!(transcript.contains("text good") && !transcript.contains("bad"), "{transcript}");
    let system = host.model.requests.lock().unwrap()[1].system.clone();
    assert!(system.contains("say it kindly"), "{system}");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_never_accepted_ends_the_turn() {
    let host = Host::new(vec![says("1"), says("2"), says("3")]);
    for _ in 0..3 {
        host.hooks.at(HookPoint::AfterModel, HookVerdict::Retry(word("again")));
    }
    let session = host.new_session().await;
    let outcome = turn(&session, "go").await;
    assert!(format!("{outcome:?}").contains("asked 3 times"), "{outcome:?}");
    assert!(!host.transcript().iter().any(|line| line.starts_with("text")), "shown");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_denied_changed_or_answered_before_a_rule_decides() {
    let host = Host::new(vec![
        calls(&["a read {\"x\":1}", "b read {\"x\":2}", "c read {\"x\":3}"]),
        says("done"),
    ]);
    host.hooks.at(HookPoint::BeforeTool, HookVerdict::Deny(word("not this one")));
    host.hooks.changes(HookPoint::BeforeTool, |subject| subject["arguments"] = json!({ "y": 9 }));
    host.hooks.at(HookPoint::BeforeTool, HookVerdict::Reply(word("from the hook")));
    let session = host.new_session().await;
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    let journal = format!("{:?}", host.journal.stored("s"));
    assert!(journal.contains("not run: the hook `hook-fake` says: not this one"), "{journal}");
    assert!(journal.contains("from the hook"), "{journal}");
    let ran: Vec<String> = host
        .journal
        .stored("s")
        .into_iter()
        .filter_map(|stored| match stored.entry {
            Entry::CallStarted { call, .. } => Some(call.arguments),
            _ => None,
        })
        .collect();
    // The order in which they were asked is theirs; one was denied, so two have begun.
    assert_eq!(ran.len(), 2, "{ran:?}");
    assert!(ran.iter().any(|arguments| arguments == "{\"y\":9}"), "{ran:?}");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_hook_can_have_a_person_asked_whatever_rules_say() {
    let mut host = Host::new(vec![calls(&["a read {}"]), says("done")]);
    host.hooks.at(HookPoint::BeforeTool, HookVerdict::Ask(word("look at this")));
    let session = host.new_session().await;
    let ended = session.say(said("go")).await.unwrap();
    host.shown(asked).await;
    let stored = host.journal.stored("s");
    let question = stored.into_iter().find_map(|stored| match stored.entry {
        Entry::ApprovalAsked { reason, scope, .. } => Some((reason, scope)),
        _ => None,
    });
    let (reason, scope) = question.unwrap();
    assert!(reason.contains("the hook `hook-fake` says: look at this"), "{reason}");
    assert_eq!(scope, "", "no rule answers for a person here");
    session.answer(UserId::new("me"), CallId::new("a"), ApprovalAnswer::Once).await.unwrap();
    assert_eq!(ended.ended().await.unwrap().outcome, Outcome::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_result_is_withheld_changed_or_obtained_again() {
    let host = Host::new(vec![
        calls(&["a read {}"]),
        calls(&["b read {}"]),
        calls(&["c read {}"]),
        says("done"),
    ]);
    host.hooks.at(HookPoint::AfterTool, HookVerdict::Deny(word("not for the model")));
    host.hooks.changes(HookPoint::AfterTool, |subject| subject["content"] = json!("other words"));
    host.hooks.at(HookPoint::AfterTool, HookVerdict::Retry(word("once more")));
    let session = host.new_session().await;
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    let journal = format!("{:?}", host.journal.stored("s"));
    assert!(
        journal.contains("the result is withheld: the hook `hook-fake` says: not for"),
        "{journal}"
    );
    assert!(journal.contains("other words"), "{journal}");
    let subjects = host.hooks.subjects(HookPoint::AfterTool);
    assert_eq!(subjects.len(), 4, "the last call ran twice");
    assert_eq!(subjects[0]["tool"], "read");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_while_hooks_are_asked_gives_the_call_a_result() {
    let host = Host::new(vec![calls(&["a read {}"])]);
    host.hooks.hangs(HookPoint::BeforeTool);
    let session = host.new_session().await;
    let ended = session.say(said("go")).await.unwrap();
    host.hooks.hanging.notified().await;
    session.cancel().await;
    assert_eq!(ended.ended().await.unwrap().outcome, Outcome::Cancelled);
    assert!(host.transcript().iter().any(|line| line.contains("before this call ran")));
}

#[tokio::test(start_paused = true)]
async fn those_who_look_on_are_told_of_beginnings_ends_and_failures() {
    let host = Host::new(vec![says("bye"), vec![Play::Fail("down")]]);
    for point in
        [HookPoint::SessionStart, HookPoint::SessionEnd, HookPoint::TurnEnd, HookPoint::Error]
    {
        // What they answer counts for nothing.
        host.hooks.at(point, HookVerdict::Deny(word("no")));
    }
    let session = host.new_session().await;
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    assert!(matches!(turn(&session, "go").await, Outcome::Failed { .. }));
    session.close().await;
    let ends = host.hooks.subjects(HookPoint::TurnEnd);
    assert_eq!((&ends[0]["text"], &ends[0]["outcome"]), (&json!("bye"), &json!("completed")));
    assert_eq!(ends[1]["outcome"], "failed");
    assert_eq!(host.hooks.subjects(HookPoint::SessionStart)[0]["mode"], "default");
    assert_eq!(host.hooks.subjects(HookPoint::SessionEnd).len(), 1);
    assert_eq!(host.hooks.subjects(HookPoint::Error)[0]["where"], "model");
}

#[tokio::test(start_paused = true)]
async fn a_hook_never_reads_a_secret() {
    let host = Host::new(vec![calls(&[&format!("a read {{\"x\":\"{SECRET}\"}}")]), says("done")]);
    for point in HookPoint::ALL {
        host.hooks.at(point, HookVerdict::Proceed);
    }
    let session = host.new_session().await;
    assert_eq!(turn(&session, &format!("my key is {SECRET}")).await, Outcome::Completed);
    session.close().await;
    let asked = format!("{:?}", host.hooks.asked.lock().unwrap());
    assert!(asked.contains("before") || asked.contains("BeforeTool"), "{asked}");
    assert!(!asked.contains(SECRET), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_shown_and_changes_nothing() {
    let host = Host::new(vec![calls(&["a read {}"]), says("done")]);
    for point in [HookPoint::TurnStart, HookPoint::AfterTool] {
        host.hooks.notices(point, &format!("seen at {point}"));
    }
    let session = host.new_session().await;
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    let journal = format!("{:?}", host.journal.stored("s"));
    for notice in ["says: seen at turn-start", "says: seen at after-tool"] {
        assert!(journal.contains(notice), "{notice}: {journal}");
    }
    host.check().await;
}
