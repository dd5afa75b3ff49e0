//! Programs that ask for calls themselves: the way of a turn, and no other.

use super::*;
use crate::sessions::AgentParts;
use crate::{ProgramParts, Programs};
use futures_util::future::BoxFuture;
use hydroid_core::ports::{AskedCall, CallQuestion, CallWatch, Caller, Callers, CancelFlag};
use hydroid_core::tool::ToolOutput;
use std::sync::Mutex;

fn parts(host: &Host) -> AgentParts {
    let its = host.agent.parts();
    AgentParts {
        model: its.model.clone(),
        tools: its.tools.clone(),
        hooks: its.hooks.clone(),
        journal: its.journal.clone(),
        approvals: its.approvals.clone(),
        recall: its.recall.clone(),
        files: its.files.clone(),
        skills: its.skills.clone(),
        secret_places: its.secret_places.clone(),
        audit: its.audit.clone(),
        clock: its.clock.clone(),
        stop: its.stop.clone(),
        scrubber: its.scrubber.clone(),
        config: its.config.clone(),
        models: its.models.clone(),
        new_turn_id: its.new_turn_id.clone(),
        telemetry: its.telemetry.clone(),
    }
}

async fn program(host: &Host, headless: bool) -> Arc<dyn Caller> {
    let programs = Programs::new(
        parts(host),
        ProgramParts {
            user: UserId::new("me"),
            mode: Mode::Default,
            headless,
            channel: "mcp".into(),
            allow: Vec::new(),
            offers: Arc::new(|_| true),
            occupy: Box::new(|_| Ok(Box::new(()))),
        },
    );
    programs.enter("a program\u{7}").await.unwrap()
}

/// Answers so, and keeps what it was told.
#[derive(Default)]
struct Told {
    answer: Option<bool>,
    notes: Mutex<Vec<String>>,
    asked: Mutex<Vec<CallQuestion>>,
}

impl CallWatch for Told {
    fn progress(&self, _: Option<f32>, note: String) {
        self.notes.lock().unwrap().push(note);
    }

    fn ask(&self, question: CallQuestion) -> BoxFuture<'_, Option<bool>> {
        self.asked.lock().unwrap().push(question);
        Box::pin(std::future::ready(self.answer))
    }
}

fn call(name: &str, arguments: &str) -> AskedCall {
    let cancel = CancelFlag::default();
    AskedCall { name: name.into(), arguments: arguments.into(), cancel }
}

fn text(output: &ToolOutput) -> String {
    format!("{:?}", output.content)
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_program_is_decided_run_scrubbed_and_recorded() {
    let host = Host::new(Vec::new());
    let program = program(&host, true).await;
    let told = Arc::new(Told::default());
    let denied = program.call(call("write", "{}"), told.clone()).await.unwrap();
    assert!(denied.is_error, "{denied:?}");
    assert!(text(&denied).contains("policy.tools.write allow"), "{denied:?}");
    let output = program.call(call("read", r#"{"do":"leak"}"#), told.clone()).await.unwrap();
    assert!(!text(&output).contains(SECRET) && text(&output).contains("the key is"), "{output:?}");
    assert!(told.notes.lock().unwrap().iter().all(|note| !note.contains(SECRET)));
    let denied = program.call(call("write", "{}"), told.clone()).await.unwrap();
    assert!(text(&denied).contains("approves it each time"), "it has seen a secret: {denied:?}");
    let unknown = program.call(call("none", "{}"), told.clone()).await.unwrap_err();
    assert!(unknown.contains("the tool `none` is not among those"), "{unknown}");
    let lines: Vec<Entry> =
        host.journal.stored("t1").into_iter().map(|stored| stored.entry).collect();
    let has = |wanted: fn(&Entry) -> bool| lines.iter().any(wanted);
    assert!(has(|entry| matches!(entry, Entry::CallDecided { .. })));
    assert!(has(|entry| matches!(entry, Entry::CallFinished { .. })));
    assert_eq!(host.journal.title("t1"), "a program asks for a call of write");
    assert!(!host.records.events.lock().unwrap().is_empty());
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn a_person_behind_a_program_is_asked_with_what_would_run() {
    let host = Host::new(Vec::new());
    let program = program(&host, false).await;
    for (answer, runs) in [(Some(true), true), (Some(false), false), (None, false)] {
        let told = Arc::new(Told { answer, ..Told::default() });
        let output = program.call(call("write", r#"{"x": 1}"#), told.clone()).await.unwrap();
        assert_eq!(!output.is_error, runs, "{answer:?} {output:?}");
        let asked = told.asked.lock().unwrap();
        assert_eq!((asked.len(), asked[0].tool.as_str()), (1, "write"));
        assert!(asked[0].arguments.contains('x'), "{asked:?}");
    }
    host.no_faults();
}

#[tokio::test(start_paused = true)]
async fn what_a_program_does_not_want_any_more_is_stopped() {
    let host = Host::new(Vec::new());
    let program = program(&host, true).await;
    let asked = call("read", r#"{"do":"hang"}"#);
    let cancel = asked.cancel.clone();
    let calling = program.call(asked, Arc::new(Told::default()));
    let cancelling = async {
        host.tools.started.notified().await;
        cancel.cancel();
    };
    let (output, ()) = tokio::join!(calling, cancelling);
    let said = output.map(|output| text(&output)).unwrap_or_else(|problem| problem);
    assert!(said.contains("cancelled"), "{said}");
    stopped(&host).await;
    // And the next one runs.
    let output = program.call(call("read", "{}"), Arc::new(Told::default())).await.unwrap();
    assert!(!output.is_error, "{output:?}");
    // So it does when whoever called is gone in the middle.
    let hanging = program.call(call("read", r#"{"do":"hang"}"#), Arc::new(Told::default()));
    let gone = tokio::time::timeout(Duration::from_secs(1), hanging).await;
    assert!(gone.is_err());
    let output = program.call(call("read", "{}"), Arc::new(Told::default())).await.unwrap();
    assert!(!output.is_error, "{output:?}");
    stopped(&host).await;
    host.no_faults();
}

/// Waits until no tool runs; what is stopped ends on a task of its own.
async fn stopped(host: &Host) {
    for _ in 0..100 {
        if host.tools.running.load(Ordering::SeqCst) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a tool runs on");
}
