//! Child turns: who answers them, what their calls are bound to, what they use and how they end.

use super::*;
use hydroid_core::audit::AuditAction;
use hydroid_core::hook::{HookPoint, HookVerdict};

const ROUTE: &str = "[model.route.delegate]\nprovider = \"provider-other\"\nname = \"small\"\n[model.route.delegate.options]\neffort = \"low\"\n";

/// A call that has a task done with these tools.
fn task(task: &str, tools: &str, more: &str) -> String {
    format!(r#"d read {{"delegate":"{task}","tools":[{tools}]{more}}}"#)
}

fn counted(said: &str, input: u64) -> Vec<Play> {
    let usage = Usage { input, output: 10, ..Usage::default() };
    vec![Play::Batch(vec![
        text(said),
        ModelEvent::Usage(usage),
        ModelEvent::Finished(StopReason::EndTurn),
    ])]
}

/// Says something in a new session, and the turn comes to its end.
async fn completes(host: &Host) -> crate::Session {
    let session = host.new_session().await;
    assert_eq!(turn(&session, "go").await, Outcome::Completed, "{:#?}", host.transcript());
    session
}

fn result(host: &Host) -> String {
    let found = host.transcript();
    let found = found.iter().find(|line| line.contains(" d: "));
    found.unwrap_or_else(|| panic!("{:#?}", host.transcript())).clone()
}

#[tokio::test(start_paused = true)]
async fn a_task_is_done_by_the_model_of_its_route_with_its_tools_and_nothing_else() {
    let script = vec![
        calls(&[&task("count the words", "\"read\"", "")]),
        calls(&["x read {\"x\":1}", "y write {}", "z nothing {}"]),
        says("seven words"),
        says("there are seven"),
    ];
    let host = Host::with(&format!("[model]\ninstructions = \"Be kind.\"\n{ROUTE}"), script);
    completes(&host).await;
    assert_eq!(result(&host), "result d: seven words");
    let requests = host.model.requests.lock().unwrap().clone();
    let models: Vec<&str> = requests.iter().map(|request| request.model.as_str()).collect();
    assert_eq!(models[1..3], ["small", "small"]);
    assert_eq!(models[0], models[3]);
    let child = &requests[1];
    assert_eq!(child.provider, ComponentId::new("provider-other"));
    assert_eq!(child.options, Some(serde_json::json!({ "effort": "low" })));
    let tools: Vec<&str> = child.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(tools, ["read"]);
    assert_eq!((child.messages.len(), child.messages[0].text().as_str()), (1, "count the words"));
    assert!(child.system.contains("delegated to you") && child.system.contains("Be kind."));
    // It reads what came of each call.
    let read = serde_json::to_string(&requests[2].messages[2]).unwrap();
    assert!(read.contains("\"x\"") && read.contains("\"z\""), "{read}");
    assert!(read.contains("done without that tool; tools: read"), "{read}");
    // The conversation has the answer and nothing of how it came about.
    let read = serde_json::to_string(&requests[3].messages).unwrap();
    assert!(read.contains("seven words") && !read.contains("\"z\""), "{read}");
    let transcript = host.transcript();
    let wanted = "notice a child turn asked for `write`, which it does not have";
    assert!(transcript.contains(&wanted.to_owned()), "{transcript:#?}");
    let received: Vec<&String> =
        transcript.iter().filter(|line| line.starts_with("received")).collect();
    assert!(!received.iter().any(|line| line.contains("write")), "{received:?}");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_route_the_sessions_model_does_it() {
    let script = vec![calls(&[&task("x", "", "")]), says("y"), says("done")];
    let host = Host::with("[model.options]\neffort = \"high\"", script);
    completes(&host).await;
    let requests = host.model.requests.lock().unwrap().clone();
    assert_eq!(requests[1].model, requests[0].model);
    assert_eq!(requests[1].options, Some(serde_json::json!({ "effort": "high" })));
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn its_calls_are_put_to_the_person_and_audited_below_the_call() {
    let script = vec![
        calls(&[&task("x", "\"write\"", "")]),
        calls(&["w write {}"]),
        says("written"),
        says("done"),
    ];
    let mut host = Host::new(script);
    let session = host.new_session().await;
    let ended = session.say(said("go")).await.unwrap();
    host.shown(asked).await;
    session.answer(UserId::new("me"), CallId::new("d.1"), ApprovalAnswer::Once).await.unwrap();
    assert_eq!(ended.ended().await.unwrap().outcome, Outcome::Completed);
    assert_eq!(result(&host), "result d: written");
    let events = host.records.events.lock().unwrap().clone();
    let ran = events.iter().find(|event| {
        event.action == AuditAction::CallRan && event.call == Some(CallId::new("d.1"))
    });
    assert_eq!(ran.unwrap().parent, Some(CallId::new("d")));
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn what_it_uses_is_the_turns_and_ends_with_its_budget() {
    let delegated = || calls(&[&task("x", "\"read\"", "")]);
    let host = Host::new(vec![delegated(), counted("y", 90), counted("done", 5)]);
    let session = host.new_session().await;
    let report = session.say(said("go")).await.unwrap().ended().await.unwrap();
    assert_eq!((report.outcome, report.usage.total()), (Outcome::Completed, 115));
    host.check().await;

    // Nothing is left for the next request of the child, and none for the turn.
    let mut first = calls(&["x read {}"]);
    if let Some(Play::Batch(events)) = first.first_mut() {
        events.insert(0, ModelEvent::Usage(Usage { input: 500, ..Usage::default() }));
    }
    let host = Host::with("[turn]\nmax_tokens = 400", vec![delegated(), first]);
    let session = host.new_session().await;
    let Outcome::BudgetReached { reason } = turn(&session, "go").await else {
        panic!("{:#?}", host.transcript())
    };
    assert!(reason.contains("`turn.max_tokens`"), "{reason}");
    assert!(result(&host).contains("used 500 tokens of 400"), "{}", result(&host));
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn it_takes_no_more_steps_than_it_may() {
    let script = vec![
        calls(&[&task("x", "\"read\"", ",\"steps\":2")]),
        calls(&["x read {}"]),
        calls(&["x read {\"y\":1}"]),
        says("done"),
    ];
    let host = Host::new(script);
    completes(&host).await;
    assert!(result(&host).contains("as it may (2)"), "{}", result(&host));
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_repeats_itself_is_told_and_then_ended() {
    let mut script = vec![calls(&[&task("x", "\"read\"", "")])];
    script.extend((0..4).map(|_| calls(&["x read {}"])));
    script.push(says("done"));
    let host = Host::with("[turn]\nmax_repeats = 2", script);
    completes(&host).await;
    assert!(result(&host).contains("the same calls 4 times in a row"), "{}", result(&host));
    let ran = host.transcript().iter().filter(|line| line.contains("result d.")).count();
    assert_eq!(ran, 2, "{:#?}", host.transcript());
    let read = serde_json::to_string(&host.model.requests.lock().unwrap()[4].messages).unwrap();
    assert!(read.contains("exactly this 3 times in a row"), "{read}");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_the_calls_and_not_the_turns() {
    let script = vec![calls(&[&task("x", "", "")]), vec![Play::Fail("away")], says("done")];
    let host = Host::new(script);
    completes(&host).await;
    assert_eq!(result(&host), "error d: away");
    host.check().await;

    let host = Host::new(vec![calls(&[&task("x", "", "")]), says(" "), says("done")]);
    completes(&host).await;
    assert_eq!(result(&host), "error d: the model gave an empty answer");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_it_with_its_request() {
    let host = Host::new(vec![calls(&[&task("x", "", "")]), vec![Play::Hang]]);
    let session = host.new_session().await;
    let ended = session.say(said("go")).await.unwrap();
    host.model.hangs.notified().await;
    session.cancel().await;
    assert_eq!(ended.ended().await.unwrap().outcome, Outcome::Cancelled);
    session.close().await;
    assert_eq!(host.model.open.load(Ordering::SeqCst), 0);
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn a_task_that_others_wrote_is_nothing_the_person_vouches_for() {
    // The person allowed such calls; what somebody else orders is asked about all the same.
    let script = |more: &str| {
        vec![
            calls(&[&task("x", "\"write\"", more)]),
            calls(&["w write {}"]),
            says("written"),
            says("done"),
        ]
    };
    let open = || OpenSession {
        user: UserId::new("me"),
        session: SessionChoice::New(SessionId::new("s")),
        mode: Mode::Headless,
        headless: true,
        channel: "terminal".into(),
        allow: Vec::new(),
    };
    let config = "[policy]\nchanges = \"allow\"";
    for (more, denied) in [("", false), (",\"foreign\":true", true)] {
        let host = Host::with(config, script(more));
        let client = Arc::clone(&host.client) as Arc<dyn Sink>;
        let session = host.agent.open(open(), client).await.unwrap();
        assert_eq!(turn(&session, "go").await, Outcome::Completed);
        let transcript = host.transcript().join("\n");
        assert_eq!(transcript.contains("denied: "), denied, "{transcript}");
        host.check().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_its_model_says_is_masked() {
    let script = vec![
        calls(&[&task("x", "\"read\"", "")]),
        calls(&["x read {\"do\":\"leak\"}"]),
        says(&format!("the key is {SECRET}")),
        says("done"),
    ];
    let host = Host::new(script);
    completes(&host).await;
    assert!(!result(&host).contains(SECRET), "{}", result(&host));
    let requests = host.model.requests.lock().unwrap().clone();
    assert!(!format!("{requests:?}").contains(SECRET));
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn hooks_are_asked_about_its_requests_and_told_of_it() {
    let host = Host::new(vec![
        calls(&[&task("count", "\"read\"", "")]),
        says("one"),
        says("two"),
        says("done"),
    ]);
    host.hooks.at(HookPoint::SubagentStart, HookVerdict::Proceed);
    host.hooks.at(HookPoint::SubagentEnd, HookVerdict::Proceed);
    let again = HookVerdict::Retry(crate::fakes::hooks::word("say it better"));
    for verdict in [HookVerdict::Proceed, again, HookVerdict::Proceed] {
        host.hooks.at(HookPoint::AfterModel, verdict);
    }
    let session = completes(&host).await;
    session.close().await;
    assert_eq!(result(&host), "result d: two");
    let start = host.hooks.subjects(HookPoint::SubagentStart);
    assert_eq!(start, [serde_json::json!({ "task": "count", "tools": ["read"] })]);
    let end = host.hooks.subjects(HookPoint::SubagentEnd);
    assert_eq!(
        (end[0]["outcome"].as_str(), end[0]["text"].as_str()),
        (Some("completed"), Some("two"))
    );
    assert_eq!(end[0]["steps"], 1);
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_lets_no_request_go_ends_it() {
    let host = Host::new(vec![calls(&[&task("count", "", "")]), says("done")]);
    let no = HookVerdict::Deny(crate::fakes::hooks::word("not this"));
    for verdict in [HookVerdict::Proceed, no, HookVerdict::Proceed] {
        host.hooks.at(HookPoint::BeforeModel, verdict);
    }
    completes(&host).await;
    assert!(result(&host).contains("not this"), "{}", result(&host));
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_is_paid_for() {
    let broken = vec![Play::Batch(vec![text("half")]), Play::Fail("away")];
    let host = Host::with("[turn]\nmax_dollars = 1", vec![calls(&[&task("x", "", "")]), broken]);
    let session = host.new_session().await;
    let Outcome::BudgetReached { reason } = turn(&session, "go").await else {
        panic!("{:#?}", host.transcript())
    };
    assert!(reason.contains("did not say what a request used"), "{reason}");
    assert!(host.transcript().contains(&"child step 1".to_owned()), "{:#?}", host.transcript());
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_cut_off_is_not_taken_for_whole() {
    let cut = |events: Vec<ModelEvent>| {
        let end = ModelEvent::Finished(StopReason::MaxTokens);
        vec![Play::Batch(events.into_iter().chain([end]).collect())]
    };
    let half = vec![
        ModelEvent::CallStarted { index: 0, id: "w".into(), name: "write".into() },
        ModelEvent::CallArguments { index: 0, fragment: "{\"text\":\"half of".into() },
        ModelEvent::CallEnded { index: 0 },
    ];
    let script = vec![
        calls(&[&task("x", "\"write\"", "")]),
        cut(half.clone()),
        cut(vec![text("half an ans")]),
        cut(half),
        says("done"),
    ];
    let host = Host::with("[policy]\nchanges = \"allow\"", script);
    completes(&host).await;
    assert!(result(&host).contains("half an ans") && result(&host).contains("cut off"));
    // Neither the child's nor the agent's own half call ran.
    let transcript = host.transcript().join("\n");
    assert!(!transcript.contains("started w"), "{transcript}");
    assert!(transcript.contains("error w: your answer reached the output limit"), "{transcript}");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn what_changes_something_runs_after_what_was_asked_for_before_it() {
    let script = vec![
        calls(&[&task("x", "\"read\", \"write\"", "")]),
        calls(&["a read {\"do\":\"slow\"}", "b write {}", "c read {}"]),
        says("seen"),
        says("done"),
    ];
    let host = Host::with("[policy]\nchanges = \"allow\"", script);
    completes(&host).await;
    let transcript = host.transcript();
    let order: Vec<&str> = transcript
        .iter()
        .filter(|line| line.starts_with("result d."))
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(order, ["result d.1", "result d.2", "result d.3"], "{transcript:#?}");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn it_asks_for_no_more_calls_than_may_be_caused() {
    let script = vec![
        calls(&[&task("x", "\"read\"", "")]),
        calls(&["a read {\"n\":1}", "b read {\"n\":2}", "c read {\"n\":3}"]),
        says("seen"),
        says("done"),
    ];
    let host = Host::with("[limits]\nnested_calls = 2", script);
    completes(&host).await;
    let read = serde_json::to_string(&host.model.requests.lock().unwrap()[2].messages).unwrap();
    assert!(read.contains("no more are allowed by `limits.nested_calls`"), "{read}");
    assert!(!host.transcript().iter().any(|line| line.contains("d.3")), "{:#?}", host.transcript());
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cancelled_is_told_and_may_have_had_an_effect() {
    let mut host = Host::new(vec![
        calls(&[&task("x", "\"read\"", "")]),
        calls(&["a read {}"]),
        vec![Play::Hang],
    ]);
    host.hooks.at(HookPoint::SubagentEnd, HookVerdict::Proceed);
    let session = host.new_session().await;
    let ended = session.say(said("go")).await.unwrap();
    host.shown(|entry| matches!(entry, Entry::ChildAnswered { .. })).await;
    host.model.hangs.notified().await;
    session.cancel().await;
    assert_eq!(ended.ended().await.unwrap().outcome, Outcome::Cancelled);
    session.close().await;
    assert!(result(&host).contains("may or may not have had an effect"), "{}", result(&host));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.hooks.subjects(HookPoint::SubagentEnd)[0]["outcome"], "cancelled");
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn a_hook_has_nothing_done_again_that_may_have_changed_something() {
    let host = Host::new(vec![calls(&[&task("x", "", "")]), says("y"), says("done")]);
    host.hooks.at(HookPoint::AfterTool, HookVerdict::Retry(crate::fakes::hooks::word("again")));
    completes(&host).await;
    assert!(result(&host).contains("only what reads is run again"), "{}", result(&host));
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_its_requests_is_told() {
    let away = hydroid_core::ports::ModelError {
        kind: "rate-limited".into(),
        message: "away".into(),
        retry_after_ms: Some(0),
        sent: false,
    };
    let script =
        vec![calls(&[&task("x", "", "")]), vec![Play::Refuse(away)], says("y"), says("done")];
    let host = Host::reliable("", script);
    completes(&host).await;
    assert_eq!(result(&host), "result d: y");
    let transcript = host.transcript();
    let told = transcript.iter().find(|line| line.starts_with("notice in a child turn: "));
    assert!(told.is_some_and(|line| line.contains("trying again")), "{transcript:#?}");
    host.check().await;
}
