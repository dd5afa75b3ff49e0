//! Components that misbehave on purpose: each gets one sentence, and nobody else notices.

use super::{Scene, context, scene, scene_with, text};
use crate::component::Loaded;
use hydroid_core::id::CallId;
use hydroid_core::ports::{CallContext, Tools};
use hydroid_core::tool::{ToolCall, ToolOutput};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// `limits.call` of [`hostile`].
const LIMIT: Duration = Duration::from_secs(1);

/// A host with short limits, and a neighbour that must never notice.
fn hostile() -> Scene {
    scene(
        &["test-tool-pure", "test-tool-files", "test-tool-write", "tool-json"],
        "[limits]\ncall = \"1s\"\nmemory = \"32MiB\"\nhost_calls = 20000\noutput = \"256KiB\"",
    )
}

/// Runs a tool; the sentence contains `expect`, within twice the time limit, and a neighbour's
/// call answers as ever.
#[track_caller]
fn stopped(tool: &'static str, arguments: &'static str, expect: &'static str) {
    let scene = hostile();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (output, took, neighbour) = runtime.block_on(async {
        let began = Instant::now();
        let (output, neighbour) = tokio::join!(
            scene.call(tool, arguments),
            scene.call("json_query", r#"{"json":"1","filter":". + 1"}"#)
        );
        (output, began.elapsed(), neighbour)
    });
    assert!(output.is_error, "{output:?}");
    let said = text(&output);
    assert!(said.contains(expect), "expected `{expect}` in: {said}");
    assert!(!said.contains(scene.directory.path().to_str().unwrap()), "a host path in: {said}");
    assert!(!said.contains("wasm backtrace") && !said.contains("0x"), "a backtrace in: {said}");
    assert!(took < 2 * LIMIT, "took {took:?}");
    assert!(!neighbour.is_error, "{neighbour:?}");
}

/// Runs a tool that is contained without being stopped.
#[track_caller]
fn contained(tool: &'static str, arguments: &'static str) -> String {
    let scene = hostile();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let output = runtime.block_on(scene.call(tool, arguments));
    let said = text(&output);
    assert!(!said.contains(scene.directory.path().to_str().unwrap()), "a host path in: {said}");
    assert!(!said.contains("do not fit its schema"), "{said}");
    said
}

#[test]
fn an_endless_loop_is_stopped() {
    stopped("spin", "{}", "took longer than 1 s");
}

#[test]
fn endless_recursion_is_stopped() {
    stopped("recurse", "{}", "called itself too deeply");
}

#[test]
fn recursion_in_memory_is_stopped() {
    stopped("recurse_in_memory", "{}", "`test-tool-pure`");
}

#[test]
fn memory_growth_is_stopped() {
    stopped("grow_memory", r#"{"megabytes":1000}"#, "more memory than its 32MiB");
}

#[test]
fn a_huge_text_is_stopped() {
    stopped("huge_string", r#"{"megabytes":8}"#, "more than its 256KiB");
}

#[test]
fn a_huge_list_is_stopped() {
    stopped("huge_list", r#"{"count":200000}"#, "more than its 256KiB");
}

#[test]
fn sleeping_for_ever_is_stopped() {
    stopped("sleep_forever", "{}", "took longer than 1 s");
}

#[test]
fn a_panic_is_one_sentence() {
    stopped("panic", "{}", "failed");
}

#[test]
fn an_exit_is_one_sentence() {
    stopped("exit", r#"{"count":0}"#, "ended itself");
}

#[test]
fn a_flood_of_host_calls_is_stopped() {
    stopped(
        "hostcall_flood",
        r#"{"path":"/shared","count":1000000}"#,
        "called the host more than 20000 times",
    );
}

#[test]
fn a_flood_of_random_bytes_is_stopped() {
    let scene = hostile();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let output = runtime.block_on(scene.call("random_flood", r#"{"megabytes":100}"#));
    assert!(output.is_error, "{output:?}");
}

#[test]
fn a_flood_of_log_lines_is_dropped() {
    let said = contained("log_flood", r#"{"count":10000}"#);
    assert!(!said.is_empty());
    contained("log_huge", r#"{"megabytes":1}"#);
}

#[test]
fn floods_of_output_are_kept_in_a_ring() {
    contained("stdout_flood", r#"{"megabytes":4}"#);
    contained("stderr_flood", r#"{"megabytes":4}"#);
}

#[test]
fn a_flood_of_progress_is_cut_off() {
    let scene = hostile();
    let seen = Arc::new(AtomicU32::new(0));
    let count = seen.clone();
    let context = CallContext {
        progress: Arc::new(move |_, _| _ = count.fetch_add(1, Ordering::Relaxed)),
        ..context()
    };
    let call = ToolCall {
        id: CallId::new("c"),
        name: "progress_flood".into(),
        arguments: r#"{"count":10000}"#.into(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let checked = scene.catalog.check(&call).unwrap();
    runtime.block_on(scene.catalog.run(checked, context));
    let seen = seen.load(Ordering::Relaxed);
    assert!((1..=1_000).contains(&seen), "{seen}");
}

#[test]
fn json_that_is_none_stays_text() {
    let said = contained("invalid_json_out", "{}");
    assert!(said.contains("not JSON") || said.contains('{'), "{said}");
    contained("deep_json_out", r#"{"count":10000}"#);
}

#[test]
fn the_environment_is_empty() {
    let said = contained("read_env", "{}");
    assert!(!said.contains("PATH=") && !said.contains("HOME="), "{said}");
}

#[test]
fn sockets_and_files_are_not_there() {
    let said = contained("socket", r#"{"address":"127.0.0.1:22"}"#);
    assert!(said.contains("refused"), "{said}");
    let said = contained("std_read", r#"{"path":"/etc/passwd"}"#);
    assert!(said.contains("refused"), "{said}");
    let said = contained("std_write", r#"{"path":"/tmp/x"}"#);
    assert!(said.contains("refused"), "{said}");
}

#[test]
fn a_read_only_component_cannot_write_or_leave_the_workspace() {
    let scene = hostile();
    std::fs::write(scene.directory.path().join("outside.txt"), "outside").unwrap();
    std::fs::write(scene.directory.path().join("workspace/vault/key.txt"), "vault-key").unwrap();
    std::os::unix::fs::symlink("../../outside.txt", scene.shared().join("link")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let said = text(&runtime.block_on(scene.call("write_read_only", r#"{"path":"/shared/x"}"#)));
    assert!(said.contains("refused") && !said.contains("allowed"), "{said}");
    let mut said = String::new();
    for path in [
        "/shared/../../outside.txt",
        "/shared/link",
        "/vault/key.txt",
        "/shared/../vault/key.txt",
        "../outside.txt",
        "/etc/passwd",
        "/proc/self/environ",
    ] {
        said +=
            &text(&runtime.block_on(scene.call("path_escape", &format!(r#"{{"path":"{path}"}}"#))));
    }
    assert!(said.contains("refused") && !said.contains("allowed"), "{said}");
    assert!(!said.contains("vault-key") && !said.contains("root:"), "{said}");
    let entries: Vec<_> = std::fs::read_dir(scene.shared())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(entries, ["link"]);
}

/// Both ways to a file, ours and the standard's, refuse one that has another name elsewhere.
#[test]
fn a_hard_link_out_is_refused_both_ways() {
    let scene = hostile();
    let outside = scene.directory.path().join("outside.txt");
    std::fs::write(&outside, "outside-content").unwrap();
    std::fs::write(scene.shared().join("own.txt"), "own-content").unwrap();
    std::fs::hard_link(&outside, scene.shared().join("hard.txt")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let said = text(&runtime.block_on(scene.call("path_escape", r#"{"path":"/shared/own.txt"}"#)));
    assert!(said.matches("own-content").count() >= 2, "both ways must work at all: {said}");
    let said = text(&runtime.block_on(scene.call("path_escape", r#"{"path":"/shared/hard.txt"}"#)));
    assert!(!said.contains("outside-content"), "{said}");
    let said =
        text(&runtime.block_on(scene.call("write_escape", r#"{"path":"/shared/hard.txt"}"#)));
    assert!(said.contains("refused"), "{said}");
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "outside-content");
}

#[test]
fn a_tool_that_lies_about_reading_only_is_held_to_its_imports() {
    let scene = hostile();
    let spec =
        scene.catalog.specs().into_iter().find(|spec| spec.name == "lying_read_only").unwrap();
    assert!(spec.claims_read_only);
    assert_eq!(spec.impact, hydroid_core::tool::Impact::Edits);
}

#[test]
fn lies_about_tools_are_refused_at_load() {
    for (lie, expect) in [
        ("invalid_schema", "schema of its tool"),
        ("duplicate_names", "two tools called"),
        ("bad_name", "a tool name has lower-case letters"),
        ("many_definitions", "64 are the most"),
    ] {
        let scene = scene(
            &["test-tool-pure"],
            &format!("[components.test-tool-pure.config]\nlie = \"{lie}\""),
        );
        let refusal = scene.refusal("test-tool-pure");
        assert!(refusal.contains(expect), "{lie}: {refusal}");
    }
}

#[test]
fn definitions_are_asked_without_authority() {
    let scene = hostile();
    std::fs::write(scene.shared().join("at-load.txt"), "seen-content").unwrap();
    let changed = crate::grants::Entry { files_and_web: true, ..crate::grants::Entry::default() };
    scene.grants.lock().unwrap().components.insert("test-tool-files".into(), changed);
    // Loaded again, now that the file is there and the component is granted to read it.
    scene.catalog.refresh().unwrap();
    let spec = scene.catalog.specs().into_iter().find(|spec| spec.name == "seen_at_load").unwrap();
    assert!(spec.description.contains("files cannot be used"), "{}", spec.description);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let said =
        text(&runtime.block_on(scene.call("path_escape", r#"{"path":"/shared/at-load.txt"}"#)));
    assert!(said.contains("seen-content"), "the same file is there for a call: {said}");
}

#[test]
fn definitions_that_change_are_those_that_were_checked() {
    let scene = scene(
        &["test-tool-pure"],
        "[components.test-tool-pure.config]\nlie = \"changing_definitions\"",
    );
    let first: Vec<String> =
        scene.catalog.specs().into_iter().map(|spec| spec.description).collect();
    let second: Vec<String> =
        scene.catalog.specs().into_iter().map(|spec| spec.description).collect();
    assert_eq!(first, second);
}

#[test]
fn a_polite_component_stops_when_asked() {
    let scene = scene(&["test-tool-pure"], "");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let context = context();
    let cancel = context.cancel.clone();
    let call =
        ToolCall { id: CallId::new("c"), name: "wait_cancel".into(), arguments: "{}".into() };
    let checked = scene.catalog.check(&call).unwrap();
    let output = runtime.block_on(async {
        let running = scene.catalog.run(checked, context);
        cancel.cancel();
        running.await
    });
    assert!(text(&output).contains("cancelled"), "{output:?}");
}

#[test]
fn a_secret_is_never_in_a_guests_memory() {
    let secret = "sk-verysecret-0123456789";
    let server = super::egress::echo_server();
    let scene = scene_with(
        &["test-tool-web"],
        &format!(
            "[egress]\nallow_private = [\"{server}\"]\n[secrets.test]\nenv = \"UNUSED\"\nhosts = [\"http://{server}\"]"
        ),
        &[("test", secret)],
    );
    let entry = crate::grants::Entry {
        hosts: [format!("http://{server}")].into(),
        ..crate::grants::Entry::default()
    };
    scene.grants.lock().unwrap().components.insert("test-tool-web".into(), entry);
    scene.catalog.refresh().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reversed: String = secret.chars().rev().collect();
    let arguments =
        format!(r#"{{"url":"http://{server}/echo","secret":"test","peek_reversed":"{reversed}"}}"#);
    let output: ToolOutput = runtime.block_on(scene.call("dial", &arguments));
    let said = text(&output);
    // The server saw it and echoed it; what the guest saw is masked.
    assert!(said.contains("allowed"), "{said}");
    assert!(said.contains("*****"), "{said}");
    assert!(!said.contains(secret), "{said}");
    assert!(said.contains("not found") || said.contains("0 "), "{said}");
}

#[test]
fn a_flood_of_handles_is_stopped() {
    let scene =
        scene_with(&["test-tool-web"], "[limits]\ncall = \"2s\"", &[("test", "0123456789")]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let output =
        runtime.block_on(scene.call("handle_flood", r#"{"count":1000000,"secret":"test"}"#));
    assert!(output.is_error, "{output:?}");
    assert!(text(&output).contains("handles open"), "{output:?}");
}

#[test]
fn a_component_keeps_nothing_between_calls() {
    let scene = hostile();
    let loaded: Arc<Loaded> = scene.loaded("test-tool-pure");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = |name: &str, arguments: &str| {
        let call =
            ToolCall { id: CallId::new("c"), name: name.into(), arguments: arguments.into() };
        runtime
            .block_on(crate::tool::run(
                &loaded,
                &call,
                context(),
                crate::tool::Errand::default(),
                &crate::nested::Between::default(),
            ))
            .0
    };
    let _ = run("panic", "{}");
    let output = run("echo", r#"{"text":"still here"}"#);
    assert!(text(&output).contains("still here"), "{output:?}");
}
