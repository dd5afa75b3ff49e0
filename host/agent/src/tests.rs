//! Sessions against fakes at the ports, with paused time: what is recorded, what is shown, and
//! what happens when something is slow, breaks or is cancelled.

mod caller;
mod compacting;
mod delegating;
mod hooks;
mod hub;
mod kept;
mod metered;
mod models;
mod nested;
mod remembering;
mod secrecy;
mod skills;
mod spans;

use crate::fakes::{HeldClient, Host, Play, SECRET, calls, said, says, text};
use crate::{
    AnswerError, OpenError, OpenSession, SayError, SessionChoice, SubscriptionEnd, TurnError,
};
use hydroid_core::entry::{DecidedBy, Entry, Outcome};
use hydroid_core::id::{CallId, ComponentId, SessionId, TurnId, UserId};
use hydroid_core::message::{Content, Role, StopReason, Usage};
use hydroid_core::policy::{Mode, PolicyRule, Rule, RuleOrigin};
use hydroid_core::ports::{ModelEvent, Sink};
use hydroid_core::protocol::{ApprovalAnswer, SessionMessage};
use hydroid_core::tool::ToolCall;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn allow_write() -> PolicyRule {
    PolicyRule {
        effect: Rule::Allow,
        calls: "write".parse().unwrap(),
        component: None,
        host: None,
        origin: RuleOrigin::Command,
    }
}

fn asked(entry: &Entry) -> bool {
    matches!(entry, Entry::ApprovalAsked { .. })
}

/// Says something and returns how the turn ended.
async fn turn(session: &crate::Session, text: &str) -> Outcome {
    session.say(said(text)).await.unwrap().ended().await.unwrap().outcome
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_recorded_batch_by_batch_and_shown() {
    let batch = vec![
        text("Hel"),
        text("lo"),
        ModelEvent::Usage(Usage { input: 5, output: 2, ..Usage::default() }),
    ];
    let host = Host::new(vec![vec![
        Play::Batch(batch),
        Play::Batch(vec![ModelEvent::Finished(StopReason::EndTurn)]),
    ]]);
    let session = host.new_session().await;
    let report = session.say(said("  say hello ")).await.unwrap().ended().await.unwrap();
    assert_eq!(
        (report.outcome, report.usage.total(), report.turn),
        (Outcome::Completed, 7, TurnId::new("t1"))
    );
    assert_eq!(
        host.transcript(),
        ["said   say hello ", "step 1", "text Hello", "step ended", "ended Completed"]
    );
    // One append for the start, one for the answer: its last word waits for what follows, which
    // may make a secret of it.
    assert_eq!(host.journal.appends.load(Ordering::SeqCst), 2);
    assert_eq!(host.journal.title("s"), "say hello");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_has_instructions_tools_and_the_conversation() {
    let host = Host::with(
        "[model]\ninstructions = \"Answer in French.\"\nname = \"m\"\ntemperature = 0.5\n[model.options]\neffort = \"high\"",
        vec![calls(&["a read {\"x\":1}"]), says("done")],
    );
    let session = host.new_session().await;
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    let requests = host.model.requests.lock().unwrap().clone();
    let roles: Vec<Role> = requests[1].messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool]);
    assert_eq!(requests[0].provider, ComponentId::new("provider-rehearsal"));
    assert_eq!((requests[0].tools.len(), requests[0].temperature), (2, Some(0.5)));
    assert_eq!(requests[0].options, Some(serde_json::json!({ "effort": "high" })));
    let system = &requests[0].system;
    assert!(
        system.contains("Answer in French.") && system.contains("Today is Sun, 22 Nov 2026."),
        "{system}"
    );
    let result = &requests[1].messages[2].parts[0];
    assert!(serde_json::to_string(&result.label).unwrap().contains("tool-fake"), "{result:?}");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_cannot_fit_fails_the_turn_with_the_key_to_raise() {
    let host = Host::with("[model]\ncontext_tokens = 10", vec![]);
    let session = host.new_session().await;
    let Outcome::Failed { reason } = turn(&session, "hi").await else {
        panic!("{:?}", host.transcript())
    };
    assert!(reason.contains("`model.context_tokens`"), "{reason}");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_known_secret_reaches_neither_journal_nor_client() {
    let (head, tail) = SECRET.split_at(9);
    let arguments =
        |fragment: &str| ModelEvent::CallArguments { index: 0, fragment: fragment.into() };
    let leaks = vec![
        Play::Batch(vec![text("it is "), text(head)]),
        Play::Batch(vec![text(tail), ModelEvent::Thinking { text: SECRET.into(), opaque: None }]),
        Play::Batch(vec![ModelEvent::CallStarted {
            index: 0,
            id: "a".into(),
            name: "read".into(),
        }]),
        Play::Batch(vec![arguments("{\"do\":\"leak\",\"key\":\""), arguments(head)]),
        Play::Batch(vec![arguments(tail), arguments("\"}"), ModelEvent::CallEnded { index: 0 }]),
    ];
    let cut_off = vec![
        Play::Batch(vec![text("again "), text(&SECRET[..SECRET.len() - 1])]),
        Play::Fail("broke off"),
    ];
    let host = Host::new(vec![leaks, cut_off]);
    let session = host.new_session().await;
    turn(&session, &format!("my key is {SECRET}, what is it?")).await;
    let transcript = host.transcript();
    assert!(
        transcript[0].starts_with("said my key is ") && !transcript[0].contains(SECRET),
        "{transcript:#?}"
    );
    assert!(
        transcript.iter().any(|line| line.starts_with("result a: the key is ")),
        "{transcript:#?}"
    );
    assert_eq!(transcript.last().unwrap(), "ended Failed { reason: \"broke off\" }");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_set_between_two_turns_is_masked_in_the_second_and_in_what_the_model_is_told() {
    const LATER: &str = "pw-later-0123456789";
    let says_it = || says(&format!("you said {LATER}"));
    let host = Host::new(vec![says_it(), says_it()]);
    let session = host.new_session().await;
    turn(&session, &format!("my word is {LATER}")).await;
    host.secrets.set("later", LATER);
    turn(&session, &format!("it is {LATER} still")).await;
    let texts: Vec<String> = host
        .transcript()
        .iter()
        .filter_map(|line| line.strip_prefix("said ").or(line.strip_prefix("text ")))
        .map(str::to_owned)
        .collect();
    let second = texts.iter().position(|text| text.contains("still")).unwrap();
    let (before, after) = texts.split_at(second);
    assert_eq!(before.concat(), format!("my word is {LATER}you said {LATER}"));
    assert_eq!(after.concat(), "it is [secret:later] stillyou said [secret:later]");
    let told: Vec<bool> = {
        let requests = host.model.requests.lock().unwrap();
        requests.iter().map(|request| format!("{request:?}").contains(LATER)).collect()
    };
    assert_eq!(told, [true, false], "the journal keeps it, the model is not told any more");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_turn_does_not_begin_when_its_texts_cannot_be_searched_for_secrets() {
    let host = Host::new(vec![says("hello"), says("hello")]);
    let session = host.new_session().await;
    turn(&session, "one").await;
    let before = host.transcript();
    host.secrets.set("large", &"a-".repeat(17 << 20));
    let error = session.say(said("two")).await.unwrap().ended().await.unwrap_err();
    assert!(matches!(&error, TurnError::Secrets(problem) if problem.contains("too large")));
    assert_eq!(host.transcript(), before);
    host.check().await;
}

// ---- approvals ----

#[tokio::test(start_paused = true)]
async fn an_approved_call_runs_and_a_second_answer_is_refused() {
    let mut host = Host::new(vec![calls(&["a write"]), says("done")]);
    let session = host.new_session().await;
    let ended = session.say(said("go")).await.unwrap();
    host.shown(asked).await;
    let answer = || session.answer(UserId::new("me"), CallId::new("a"), ApprovalAnswer::Once);
    answer().await.unwrap();
    assert_eq!(answer().await, Err(AnswerError::NotAsked(CallId::new("a"))));
    assert_eq!(ended.ended().await.unwrap().outcome, Outcome::Completed);
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn an_approval_for_the_session_holds_for_later_turns() {
    let mut host = Host::new(vec![calls(&["a write"]), says("1"), calls(&["b write"]), says("2")]);
    let session = host.new_session().await;
    let first = session.say(said("go")).await.unwrap();
    host.shown(asked).await;
    session
        .answer(UserId::new("me"), CallId::new("a"), ApprovalAnswer::Session { calls: None })
        .await
        .unwrap();
    first.ended().await.unwrap();
    assert_eq!(turn(&session, "again").await, Outcome::Completed);
    assert!(
        host.transcript().contains(&"decided b by Session".to_owned()),
        "{:#?}",
        host.transcript()
    );
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn without_a_person_only_what_was_allowed_beforehand_runs() {
    let host =
        Host::new(vec![calls(&["a write"]), says("denied"), calls(&["b write"]), says("ok")]);
    for (id, allow, expect) in
        [("s", Vec::new(), "error a"), ("s2", vec![allow_write()], "result b")]
    {
        let choice = SessionChoice::New(SessionId::new(id));
        let open = OpenSession {
            user: UserId::new("me"),
            session: choice,
            mode: Mode::Default,
            headless: true,
            channel: "terminal".into(),
            allow,
        };
        let session =
            host.agent.open(open, Arc::clone(&host.client) as Arc<dyn Sink>).await.unwrap();
        turn(&session, "go").await;
        let results: Vec<bool> = host
            .journal
            .stored(id)
            .iter()
            .filter_map(|stored| match &stored.entry {
                Entry::CallFinished { output, .. } => Some(output.is_error),
                _ => None,
            })
            .collect();
        assert_eq!(results, [expect.starts_with("error")], "{id}");
    }
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn the_wall_clock_stands_still_while_a_person_is_asked() {
    let mut host = Host::with(
        "[turn]\nmax_seconds = 10",
        vec![calls(&["a write"]), calls(&["b read {\"do\":\"hang\"}"])],
    );
    let session = host.new_session().await;
    let handle = session.say(said("go")).await.unwrap();
    host.shown(asked).await;
    tokio::time::advance(Duration::from_secs(10_000)).await;
    session.answer(UserId::new("me"), CallId::new("a"), ApprovalAnswer::Once).await.unwrap();
    let before = tokio::time::Instant::now();
    let Outcome::BudgetReached { reason } = handle.ended().await.unwrap().outcome else { panic!() };
    assert!(reason.contains("`turn.max_seconds`"), "{reason}");
    assert!((9..=11).contains(&before.elapsed().as_secs()), "{:?}", before.elapsed());
    assert!(
        host.transcript().iter().any(|line| line.starts_with("result a")),
        "{:#?}",
        host.transcript()
    );
    session.close().await;
    host.no_faults();
}

// ---- cancel ----

#[tokio::test(start_paused = true)]
async fn cancel_stops_a_model_and_the_session_goes_on() {
    let host = Host::new(vec![vec![Play::Batch(vec![text("I ")]), Play::Hang], says("hello")]);
    let session = host.new_session().await;
    let first = session.say(said("go")).await.unwrap();
    host.model.hangs.notified().await;
    while !host.transcript().contains(&"text I ".to_owned()) {
        tokio::task::yield_now().await;
    }
    session.cancel().await;
    assert_eq!(first.ended().await.unwrap().outcome, Outcome::Cancelled);
    assert_eq!(turn(&session, "again").await, Outcome::Completed);
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn cancel_asks_a_tool_to_stop_then_drops_it_before_the_next_turn() {
    for stubbornness in ["hang", "polite"] {
        let call = format!("a read {{\"do\":\"{stubbornness}\"}}");
        let host = Host::new(vec![calls(&[&call]), says("hello")]);
        let session = host.new_session().await;
        let first = session.say(said("go")).await.unwrap();
        host.tools.started.notified().await;
        session.cancel().await;
        let second = session.say(said("again")).await.unwrap();
        assert_eq!(first.ended().await.unwrap().outcome, Outcome::Cancelled);
        assert_eq!(second.ended().await.unwrap().outcome, Outcome::Completed);
        assert_eq!(host.tools.running.load(Ordering::SeqCst), 0);
        assert!(
            host.transcript().iter().any(|line| line.starts_with("error a: the person cancelled"))
        );
        host.check().await;
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_every_handle_cancels_and_records_the_turn() {
    let mut host = Host::new(vec![vec![Play::Hang]]);
    let session = host.new_session().await;
    let handle = session.say(said("go")).await.unwrap();
    host.model.hangs.notified().await;
    drop(session);
    // The turn's own handle keeps the session open until it is dropped too.
    assert!(matches!(
        host.open(SessionChoice::Existing(SessionId::new("s"))).await,
        Err(OpenError::AlreadyOpen(_))
    ));
    drop(handle);
    host.shown(|entry| matches!(entry, Entry::TurnEnded { outcome: Outcome::Cancelled, .. })).await;
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn closing_cancels_and_forgets_what_waits_and_the_session_can_be_opened_again() {
    let mut host = Host::new(vec![vec![Play::Hang], says("hello")]);
    let session = host.new_session().await;
    let first = session.say(said("go")).await.unwrap();
    let second = session.say(said("and then")).await.unwrap();
    host.model.hangs.notified().await;
    session.clone().close().await;
    host.shown(|entry| matches!(entry, Entry::TurnEnded { .. })).await;
    assert_eq!(first.ended().await.unwrap().outcome, Outcome::Cancelled);
    assert!(matches!(second.ended().await, Err(TurnError::Closed)));
    assert!(matches!(session.say(said("more")).await, Err(SayError::Closed)));
    let session = host.open(SessionChoice::Existing(SessionId::new("s"))).await.unwrap();
    assert_eq!(turn(&session, "again").await, Outcome::Completed);
    host.no_faults();
}

// ---- limits ----

#[tokio::test(start_paused = true)]
async fn messages_wait_for_the_running_turn_and_too_many_are_refused() {
    let mut script = vec![calls(&["a read {\"do\":\"polite\"}"])];
    script.extend((0..8).map(|_| says("ok")));
    let host = Host::new(script);
    let session = host.new_session().await;
    assert!(matches!(session.say(said(" \n")).await, Err(SayError::Empty)));
    let first = session.say(said("go")).await.unwrap();
    host.tools.started.notified().await;
    let mut waiting = Vec::new();
    for number in 0..8 {
        waiting.push(session.say(said(&format!("message {number}"))).await.unwrap());
    }
    assert!(matches!(session.say(said("one more")).await, Err(SayError::Busy { waiting: 8 })));
    session.cancel().await;
    assert_eq!(first.ended().await.unwrap().outcome, Outcome::Cancelled);
    for handle in waiting {
        assert_eq!(handle.ended().await.unwrap().outcome, Outcome::Completed);
    }
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_model_waits_for_a_journal_that_is_slower() {
    let host = Host::new(vec![vec![Play::Forever]]);
    let session = host.new_session().await;
    let handle = session.say(said("go")).await.unwrap();
    while host.model.pulled.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    host.journal.gate.acquire().await.unwrap().forget();
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    let stood = host.model.pulled.load(Ordering::SeqCst);
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        host.model.pulled.load(Ordering::SeqCst),
        stood,
        "the model was pulled although nothing was written"
    );
    host.journal.gate.add_permits(1);
    session.cancel().await;
    assert_eq!(handle.ended().await.unwrap().outcome, Outcome::Cancelled);
    host.no_faults();
}

/// A client that never returns, or panics.
struct BadClient {
    panics: bool,
}

impl Sink for BadClient {
    fn emit(&self, _: SessionMessage) {
        assert!(!self.panics, "the client panics");
        std::thread::park();
    }
}

/// More entries than any client may be behind, in one report.
fn outruns_a_client() -> Play {
    let cited = |number| ModelEvent::Cited { uri: format!("https://a/{number}"), title: None };
    Play::Batch((0..1_500).map(cited).collect())
}

// The clock of the next tests is real: a paused one runs ahead while only a client's thread works.

#[tokio::test]
async fn another_client_that_blocks_or_panics_holds_up_nobody() {
    let mut answer = vec![outruns_a_client()];
    answer.extend(says("y"));
    let host = Host::new(vec![answer, says("again")]);
    let session = host.new_session().await;
    for panics in [true, false] {
        session.subscribe(Arc::new(BadClient { panics })).await.unwrap();
    }
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    assert_eq!(turn(&session, "again").await, Outcome::Completed);
    host.check().await;
}

#[tokio::test]
async fn a_turn_waits_for_the_client_the_session_was_opened_with_which_misses_nothing() {
    let mut answer = vec![outruns_a_client()];
    answer.extend((0..100).map(|_| Play::Batch(vec![text("x")])));
    answer.extend(says("y"));
    let host = Host::new(vec![answer, calls(&["a read", "b read"]), says("again")]);
    let client = Arc::new(HeldClient::default());
    let session = host.opened_with(Arc::clone(&client) as Arc<dyn Sink>).await;
    let first = session.say(said("go")).await.unwrap();
    while host.transcript().len() < 1_500 {
        tokio::task::yield_now().await;
    }
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    let pulled = host.model.pulled.load(Ordering::SeqCst);
    assert!(pulled < 30, "the model was pulled {pulled} times although nothing was shown");
    client.let_go();
    assert_eq!(first.ended().await.unwrap().outcome, Outcome::Completed);
    let shown_to_the_end = |client: &HeldClient| {
        let stored: Vec<u64> = host.journal.stored("s").iter().map(|stored| stored.seq).collect();
        assert_eq!(*client.seen.lock().unwrap(), stored);
    };
    shown_to_the_end(&client);
    // Nothing is left of the wait.
    let second = session.say(said("again")).await.unwrap();
    assert_eq!(second.ended().await.unwrap().outcome, Outcome::Completed);
    shown_to_the_end(&client);
    host.no_faults();
}

#[tokio::test]
async fn cancel_and_time_end_a_turn_whose_client_is_too_far_behind() {
    for cancel in [true, false] {
        let answer = vec![outruns_a_client(), Play::Forever];
        let host = Host::with("[turn]\nmax_seconds = 2", vec![answer]);
        let client = Arc::new(HeldClient::default());
        let session = host.opened_with(Arc::clone(&client) as Arc<dyn Sink>).await;
        let handle = session.say(said("go")).await.unwrap();
        while host.transcript().len() < 1_500 {
            tokio::task::yield_now().await;
        }
        if cancel {
            session.cancel().await;
        }
        let (result, shown) = handle.recorded().await;
        match result.unwrap().outcome {
            Outcome::Cancelled => assert!(cancel),
            Outcome::BudgetReached { .. } => assert!(!cancel),
            other => panic!("{other:?}"),
        }
        assert_eq!(client.seen.lock().unwrap().len(), 0, "the client was let go");
        client.let_go();
        shown.wait().await;
        let stored = host.journal.stored("s");
        assert_eq!(client.seen.lock().unwrap().last(), stored.last().map(|last| &last.seq));
        // A session whose client is behind closes too.
        session.close().await;
        host.no_faults();
    }
}

#[tokio::test]
async fn a_turn_does_not_wait_for_a_first_client_that_panicked() {
    let mut answer = vec![outruns_a_client()];
    answer.extend(says("y"));
    let host = Host::new(vec![answer, says("again")]);
    let session = host.opened_with(Arc::new(BadClient { panics: true })).await;
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    assert_eq!(turn(&session, "again").await, Outcome::Completed);
    host.no_faults();
}

#[tokio::test]
async fn a_client_that_is_dropped_is_told_where_to_read_on() {
    let mut answer = vec![outruns_a_client()];
    answer.extend(says("y"));
    let host = Host::new(vec![answer]);
    let session = host.new_session().await;
    let slow = Arc::new(HeldClient::default());
    let slow_one = session.subscribe(Arc::clone(&slow) as Arc<dyn Sink>).await.unwrap();
    let broken_one = session.subscribe(Arc::new(BadClient { panics: true })).await.unwrap();
    let quick = Arc::new(HeldClient::default());
    quick.let_go();
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    let quick_one = session.subscribe(quick).await.unwrap();
    slow.let_go();
    let end = slow_one.ended().await;
    let last_seq = slow.seen.lock().unwrap().last().copied();
    assert_eq!((end, last_seq), (SubscriptionEnd::FellBehind { last_seq }, Some(1_024)));
    assert_eq!(broken_one.ended().await, SubscriptionEnd::Panicked);
    session.close().await;
    assert_eq!(quick_one.ended().await, SubscriptionEnd::Closed);
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_report_counts_the_calls_a_rule_denied_and_no_others() {
    let mut host = Host::with(
        "[policy.tools]\nread = \"deny\"",
        vec![calls(&["a read", "b read", "c write", "d fly"]), says("1"), says("2")],
    );
    let session = host.new_session().await;
    let handle = session.say(said("go")).await.unwrap();
    host.shown(asked).await;
    session
        .answer(UserId::new("me"), CallId::new("c"), ApprovalAnswer::Deny { reason: None })
        .await
        .unwrap();
    assert_eq!(handle.ended().await.unwrap().denied, 2);
    // Each turn counts its own.
    let second = session.say(said("again")).await.unwrap();
    assert_eq!(second.ended().await.unwrap().denied, 0);
    host.no_faults();
}

// ---- defects and failures ----

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_tool_or_a_check_is_a_result_the_model_reads() {
    let host = Host::new(vec![
        calls(&["a read {\"do\":\"panic\"}", "b bad_schema", "c read"]),
        says("sorry"),
    ]);
    let session = host.new_session().await;
    assert_eq!(turn(&session, "go").await, Outcome::Completed);
    let transcript = host.transcript();
    for expect in [
        "error a: the tool `read` of `tool-fake` stopped",
        "error b: the arguments of `bad_schema`",
        "result c: ok",
    ] {
        assert!(
            transcript.iter().any(|line| line.starts_with(expect)),
            "{expect} in {transcript:#?}"
        );
    }
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_model_fails_its_turn_only() {
    let host = Host::new(vec![vec![Play::Batch(vec![text("I ")]), Play::Panic], says("hello")]);
    let session = host.new_session().await;
    let Outcome::Failed { reason } = turn(&session, "go").await else { panic!() };
    assert!(reason.contains("the provider `provider-rehearsal` stopped"), "{reason}");
    assert_eq!(turn(&session, "again").await, Outcome::Completed);
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_journal_refuses_is_not_shown_and_not_done_and_the_next_turn_repairs_it() {
    // The start is written; the call, its decision and its start are not.
    let host = Host::new(vec![calls(&["a read"]), says("hello")]);
    let session = host.new_session().await;
    *host.journal.until_failure.lock().unwrap() = Some(1);
    let error = session.say(said("go")).await.unwrap().ended().await.unwrap_err();
    assert!(error.to_string().contains("its journal could not be written"), "{error}");
    assert_eq!(host.transcript(), ["said go", "step 1"]);
    // It still fails, and says so.
    assert!(matches!(
        session.say(said("again")).await.unwrap().ended().await,
        Err(TurnError::Journal(_))
    ));
    *host.journal.until_failure.lock().unwrap() = None;
    assert_eq!(turn(&session, "again").await, Outcome::Completed);
    assert_eq!(
        host.transcript()[2..],
        [
            "ended Interrupted",
            "said again",
            "step 1",
            "text hello",
            "step ended",
            "ended Completed"
        ]
    );
    assert_eq!(host.tools.running.load(Ordering::SeqCst), 0);
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_session_whose_identifier_is_taken_is_refused() {
    let host = Host::new(vec![]);
    host.journal.left_by_another_process("s", vec![]);
    let session = host.new_session().await;
    let error = session.say(said("go")).await.unwrap().ended().await.unwrap_err();
    assert!(
        matches!(error, TurnError::Journal(hydroid_core::ports::StoreError::SessionExists(_))),
        "{error:?}"
    );
}

// ---- resuming ----

#[tokio::test(start_paused = true)]
async fn an_interrupted_session_is_closed_and_goes_on() {
    let turn_id = TurnId::new("old");
    let call = ToolCall { id: CallId::new("a"), name: "write".into(), arguments: "{}".into() };
    let left = vec![
        Entry::TurnStarted { turn: turn_id.clone(), parts: said("earlier"), key: None },
        Entry::StepStarted {
            turn: turn_id.clone(),
            step: 1,
            provider: ComponentId::new("p"),
            model: "m".into(),
        },
        Entry::CallReceived { turn: turn_id, call, parent: None },
    ];
    let mut host = Host::new(vec![calls(&["a write"]), says("done")]);
    host.journal.left_by_another_process("s", left);
    let session = host.open(SessionChoice::Existing(SessionId::new("s"))).await.unwrap();
    let transcript = host.transcript();
    assert!(transcript[3].starts_with("error a: the host stopped before"), "{transcript:#?}");
    assert_eq!(transcript[4], "ended Interrupted");
    let handle = session.say(said("go on")).await.unwrap();
    // The model reuses an identifier of the earlier process, and no approval was carried over.
    host.shown(
        |entry| matches!(entry, Entry::ApprovalAsked { call_id, .. } if call_id.as_str() == "a_2"),
    )
    .await;
    session
        .answer(
            UserId::new("me"),
            CallId::new("a_2"),
            ApprovalAnswer::Deny { reason: Some(format!("{SECRET} no")) },
        )
        .await
        .unwrap();
    assert_eq!(handle.ended().await.unwrap().outcome, Outcome::Completed);
    let results: Vec<Content> = host.model.requests.lock().unwrap()[0].messages[2]
        .parts
        .iter()
        .map(|part| part.content.clone())
        .collect();
    assert!(matches!(&results[..], [Content::ToolResult { is_error: true, .. }]), "{results:?}");
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_there_or_open_already_is_refused() {
    let host = Host::new(vec![]);
    let error = host.open(SessionChoice::Existing(SessionId::new("nobody"))).await.unwrap_err();
    assert!(matches!(error, OpenError::Journal { .. }), "{error:?}");
    let _session = host.new_session().await;
    let error = host.open(SessionChoice::New(SessionId::new("s"))).await.unwrap_err();
    assert_eq!(error.to_string(), "session `s` is open already; use that one, or close it first");
}
