//! The components of the release, called as a turn calls them.

use super::{context, scene, text};
use futures_util::future::join_all;
use hydroid_core::id::ComponentId;
use hydroid_core::message::{Message, StopReason};
use hydroid_core::ports::{Model, ModelEvent, ModelRequest, Tools};
use hydroid_core::tool::{Impact, Reach};

#[tokio::test]
async fn files_are_written_read_edited_and_deleted() {
    let scene = scene(&["tool-files-read", "tool-files-write"], "");
    let output = scene.call("file_write", r#"{"path":"notes/a.md","content":"one\ntwo\n"}"#).await;
    assert!(!output.is_error, "{output:?}");
    assert_eq!(std::fs::read_to_string(scene.shared().join("notes/a.md")).unwrap(), "one\ntwo\n");
    let output = scene.call("file_read", r#"{"path":"/shared/notes/a.md"}"#).await;
    assert!(text(&output).contains("two"), "{output:?}");
    let output = scene
        .call("file_edit", r#"{"path":"notes/a.md","edits":[{"old_text":"two","new_text":"2"}]}"#)
        .await;
    assert!(!output.is_error, "{output:?}");
    assert_eq!(std::fs::read_to_string(scene.shared().join("notes/a.md")).unwrap(), "one\n2\n");
    let output = scene.call("file_search", r#"{"pattern":"o.e"}"#).await;
    assert!(text(&output).contains("a.md"), "{output:?}");
    let output = scene.call("file_list", r#"{}"#).await;
    assert!(text(&output).contains("notes"), "{output:?}");
    let output = scene.call("file_delete", r#"{"path":"notes/a.md"}"#).await;
    assert!(!output.is_error, "{output:?}");
    assert!(!scene.shared().join("notes/a.md").exists());
}

#[tokio::test]
async fn impact_is_proven_from_imports() {
    let scene =
        scene(&["tool-files-read", "tool-files-write", "tool-json", "tool-time", "tool-web"], "");
    for (name, impact) in [
        ("tool-files-read", Impact::ReadOnly),
        ("tool-files-write", Impact::Edits),
        ("tool-json", Impact::ReadOnly),
        ("tool-time", Impact::ReadOnly),
        ("tool-web", Impact::Network),
    ] {
        assert_eq!(scene.loaded(name).impact(), impact, "{name}");
    }
}

#[tokio::test]
async fn what_a_call_may_read_and_write_is_proven_whatever_else_it_reaches() {
    let names =
        ["test-tool-files", "test-tool-state", "tool-files-read", "tool-files-write", "tool-json"];
    let scene = scene(&names, "");
    let nothing = Reach::default();
    let reads = Reach { reads_files: true, ..nothing };
    let writes = Reach { writes_files: true, ..reads };
    for (name, reach) in [
        ("test-tool-files", reads),
        ("test-tool-state", Reach { keeps_state: true, ..nothing }),
        ("tool-files-read", reads),
        ("tool-files-write", writes),
        ("tool-json", nothing),
    ] {
        assert_eq!(scene.loaded(name).reach(), reach, "{name}");
    }
}

#[tokio::test]
async fn pure_tools_compute() {
    let scene = scene(&["tool-time", "tool-json"], "");
    let output = scene.call("json_query", r#"{"json":"{\"a\":[1,2]}","filter":".a[1]"}"#).await;
    assert!(text(&output).contains('2'), "{output:?}");
    let output = scene.call("time_now", r#"{"zone":"Europe/Berlin"}"#).await;
    assert!(text(&output).contains("Berlin"), "{output:?}");
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_explained_to_the_model() {
    let scene = scene(&["tool-files-read"], "");
    let output = scene.call("file_read", r#"{"file":"x"}"#).await;
    assert!(output.is_error);
    assert!(text(&output).contains("\"path\""), "{output:?}");
    let output = scene.call("file_raed", "{}").await;
    assert!(text(&output).contains("did you mean `file_read`"), "{output:?}");
}

#[tokio::test]
async fn what_a_component_says_went_wrong_is_passed_on() {
    let scene = scene(&["tool-files-read"], "");
    let output = scene.call("file_read", r#"{"path":"/shared/none.md"}"#).await;
    assert!(output.is_error);
    assert!(text(&output).contains("`/shared/none.md` does not exist"), "{output:?}");
    let output = scene.call("file_read", r#"{"path":"/vault/key"}"#).await;
    assert!(text(&output).contains("in the vault"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_calls_run_side_by_side() {
    let scene = scene(&["tool-json"], "");
    let calls = (0..64).map(|n| {
        let scene = &scene;
        async move {
            (n, scene.call("json_query", &format!(r#"{{"json":"{n}","filter":". + 1"}}"#)).await)
        }
    });
    for (n, output) in join_all(calls).await {
        assert!(text(&output).contains(&(n + 1).to_string()), "{output:?}");
    }
}

#[tokio::test]
async fn a_provider_streams_its_answer() {
    let scene = scene(&["provider-rehearsal", "tool-files-read"], "");
    let request = ModelRequest {
        provider: ComponentId::new("provider-rehearsal"),
        model: "rehearsal".into(),
        system: "You are a test.".into(),
        messages: vec![Message::user("read notes.md")],
        tools: scene.catalog.specs(),
        max_tokens: None,
        temperature: None,
        options: None,
    };
    let mut answer = scene.catalog.complete(request, context()).await.unwrap();
    let mut events = Vec::new();
    loop {
        let more = answer.next().await.unwrap();
        if more.is_empty() {
            break;
        }
        events.extend(more);
    }
    let started = events
        .iter()
        .any(|event| matches!(event, ModelEvent::CallStarted { name, .. } if name == "file_read"));
    assert!(started, "{events:?}");
    assert_eq!(events.last(), Some(&ModelEvent::Finished(StopReason::ToolUse)), "{events:?}");
}

#[tokio::test]
async fn models_are_listed_by_their_provider() {
    let scene = scene(&["provider-rehearsal"], "");
    let models = scene.catalog.models("provider-rehearsal").await.unwrap();
    assert_eq!(models[0].id, "rehearsal");
    let error = scene.catalog.models("provider-rehersal").await.unwrap_err();
    assert!(error.message.contains("did you mean `provider-rehearsal`"), "{error}");
}
