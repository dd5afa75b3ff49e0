//! What a person is shown of an edit is what is then done, or nothing is.

use super::{Scene, scene, text};
use hydroid_core::ports::Tools;
use hydroid_core::tool::{Impact, Preview};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

const FILES: [&str; 2] = ["tool-files-read", "tool-files-write"];

/// Name and content of every file in a workspace.
fn snapshot(scene: &Scene) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let root = scene.shared();
    let mut waiting = vec![root.clone()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("/shared/{}", path.strip_prefix(&root).unwrap().display());
            if path.is_dir() {
                found.insert(format!("{name}/"), String::new());
                waiting.push(path);
            } else {
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// The difference of two snapshots, made here and not by the host.
fn difference(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> String {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let mut whole = String::new();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        if old == new {
            continue;
        }
        if let Some(directory) = name.strip_suffix('/') {
            let what = if new.is_some() { "new" } else { "removed" };
            whole.push_str(&format!("{what} directory: {directory}\n"));
            continue;
        }
        let from = if old.is_some() { name } else { "/dev/null" };
        let to = if new.is_some() { name } else { "/dev/null" };
        let (old, new) = (old.map_or("", |text| text), new.map_or("", |text| text));
        if old == new {
            whole.push_str(&format!("--- {from}\n+++ {to}\n(empty file)\n"));
            continue;
        }
        let lines = similar::TextDiff::from_lines(old, new);
        whole.push_str(&lines.unified_diff().header(from, to).to_string());
    }
    whole
}

fn throw(dice: &mut u64, sides: u64) -> u64 {
    *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*dice >> 33) % sides
}

/// A call that changes something, more often than not.
fn edit(dice: &mut u64) -> (&'static str, String) {
    let names = ["a.txt", "b.txt", "new.txt", "deep/er/c.txt", "deep/d.txt"];
    let name = names[usize::try_from(throw(dice, 5)).unwrap()];
    let number = throw(dice, 30);
    match throw(dice, 6) {
        0 => {
            let lines: String = (0..number).map(|line| format!("line {line}\n")).collect();
            ("file_write", json!({ "path": name, "content": lines }).to_string())
        }
        1 => (
            "file_write",
            json!({ "path": name, "content": format!("more {number}"), "mode": "append" })
                .to_string(),
        ),
        2 => ("file_delete", json!({ "path": name }).to_string()),
        3 => (
            "file_write",
            json!({ "path": name, "content": "created\n", "mode": "create" }).to_string(),
        ),
        _ => {
            let old = format!("line {number}\n");
            let edits = json!([{ "old_text": old, "new_text": format!("LINE {number}\nand\n") }]);
            ("file_edit", json!({ "path": name, "edits": edits }).to_string())
        }
    }
}

#[tokio::test]
async fn the_difference_shown_is_what_is_then_done() {
    let scene = scene(&FILES, "");
    let lines: String = (0..30).map(|line| format!("line {line}\n")).collect();
    std::fs::write(scene.shared().join("a.txt"), &lines).unwrap();
    std::fs::write(scene.shared().join("b.txt"), &lines).unwrap();
    let (mut done, mut unknown) = (0, 0);
    let mut dice = 7;
    for _ in 0..120 {
        let before = snapshot(&scene);
        let (tool, arguments) = edit(&mut dice);
        let call = scene.shown(tool, &arguments).await;
        assert_eq!(snapshot(&scene), before, "{tool} {arguments} was done when it was shown");
        let output = scene.approved(&call).await;
        match call.preview.as_ref().expect("an edit has a preview") {
            Preview::Difference { text: shown, digest } => {
                assert!(!output.is_error, "{tool} {arguments}: {output:?}");
                let after = snapshot(&scene);
                let expect = match difference(&before, &after) {
                    same if same.is_empty() => None,
                    difference => Some(difference),
                };
                match expect {
                    Some(expect) => assert_eq!(*shown, expect, "{tool} {arguments}"),
                    None => assert!(shown.contains("written again"), "{shown}"),
                }
                assert!(digest.starts_with("sha256:"), "{digest}");
                done += 1;
            }
            Preview::Unknown { reason } => {
                assert!(output.is_error, "{tool} {arguments}: shown as `{reason}`, yet {output:?}");
                assert_eq!(snapshot(&scene), before);
                unknown += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(done > 40 && unknown > 10, "{done} done, {unknown} unknown");
}

#[tokio::test]
async fn a_file_that_changed_since_the_question_is_left_as_it_is() {
    let scene = scene(&FILES, "");
    let file = scene.shared().join("a.txt");
    std::fs::write(&file, "one\n").unwrap();
    for (tool, arguments) in [
        ("file_write", r#"{"path":"a.txt","content":"mine"}"#),
        ("file_edit", r#"{"path":"a.txt","edits":[{"old_text":"one","new_text":"two"}]}"#),
        ("file_delete", r#"{"path":"a.txt"}"#),
        ("file_write", r#"{"path":"new.txt","content":"mine"}"#),
    ] {
        std::fs::write(&file, "one\n").unwrap();
        let call = scene.shown(tool, arguments).await;
        assert!(matches!(call.preview, Some(Preview::Difference { .. })), "{:?}", call.preview);
        std::fs::write(&file, "one, and somebody else's\n").unwrap();
        std::fs::write(scene.shared().join("new.txt"), "somebody else's").unwrap();
        let output = scene.approved(&call).await;
        assert!(output.is_error, "{tool}: {output:?}");
        assert!(text(&output).contains("changed since you were asked"), "{output:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one, and somebody else's\n");
        assert_eq!(
            std::fs::read_to_string(scene.shared().join("new.txt")).unwrap(),
            "somebody else's"
        );
        std::fs::remove_file(scene.shared().join("new.txt")).unwrap();
    }
}

#[tokio::test]
async fn what_leads_out_is_refused_when_shown_and_when_done() {
    let scene = scene(&FILES, "");
    std::fs::write(scene.directory.path().join("workspace/vault/key"), "vault").unwrap();
    std::os::unix::fs::symlink("../vault", scene.shared().join("out")).unwrap();
    std::os::unix::fs::symlink("a.txt", scene.shared().join("link")).unwrap();
    std::fs::write(scene.shared().join("a.txt"), "one\n").unwrap();
    for path in ["/vault/key", "/shared/../vault/key", "/shared/out/key", "/etc/passwd"] {
        let arguments = json!({ "path": path, "content": "x" }).to_string();
        let call = scene.shown("file_write", &arguments).await;
        assert!(
            matches!(call.preview, Some(Preview::Unknown { .. })),
            "{path}: {:?}",
            call.preview
        );
        assert!(scene.approved(&call).await.is_error, "{path}");
    }
    let vault = std::fs::read_to_string(scene.directory.path().join("workspace/vault/key"));
    assert_eq!(vault.unwrap(), "vault");
    // A link that is replaced is said to be one.
    let call = scene.shown("file_write", r#"{"path":"link","content":"x"}"#).await;
    let Some(Preview::Difference { text, .. }) = &call.preview else {
        panic!("{:?}", call.preview)
    };
    assert!(text.contains("/shared/link: a link to `a.txt` becomes a file of 1 bytes"), "{text}");
    assert!(!scene.approved(&call).await.is_error);
    assert_eq!(std::fs::read_to_string(scene.shared().join("a.txt")).unwrap(), "one\n");
}

#[tokio::test]
async fn a_long_difference_is_cut_and_says_so() {
    let scene = scene(&FILES, "");
    let content: String = (0..20_000).map(|line| format!("line number {line} é\n")).collect();
    let arguments = json!({ "path": "long.txt", "content": content }).to_string();
    let call = scene.shown("file_write", &arguments).await;
    let Some(Preview::Difference { text, .. }) = &call.preview else {
        panic!("{:?}", call.preview)
    };
    assert!(text.len() <= 256 << 10, "{}", text.len());
    assert!(text.ends_with("more lines are not shown; the digest covers them too]\n"));
    assert!(!scene.approved(&call).await.is_error);
    assert_eq!(std::fs::read_to_string(scene.shared().join("long.txt")).unwrap(), content);
}

#[tokio::test]
async fn what_cannot_be_tried_out_says_why() {
    let scene = scene(&["tool-memory-write", "tool-files-read", "tool-web"], "");
    let call = scene.shown("memory_save", r#"{"text":"x"}"#).await;
    assert_eq!(call.impact, Impact::Edits);
    let Some(Preview::Unknown { reason }) = &call.preview else { panic!("{:?}", call.preview) };
    assert!(reason.contains("`tool-memory-write` uses `hydroid:cap/memory`"), "{reason}");
    assert!(scene.records.notes.lock().unwrap().is_empty(), "the preview kept a note");
    std::fs::write(scene.shared().join("a"), "x").unwrap();
    assert_eq!(scene.shown("file_read", r#"{"path":"a"}"#).await.preview, None);
    let call = scene.shown("web_fetch", r#"{"url":"https://example.com/a"}"#).await;
    let Some(Preview::Send { host, .. }) = &call.preview else { panic!("{:?}", call.preview) };
    assert_eq!(host, "example.com:443");
}

/// One that writes through WASI too is not run to find out.
#[tokio::test]
async fn a_component_that_misbehaves_changes_nothing_by_being_shown() {
    let scene = scene(&["test-tool-write"], "");
    let before = snapshot(&scene);
    let call = scene.shown("lying_read_only", r#"{"path":"/shared/lie.txt"}"#).await;
    assert_eq!(call.impact, Impact::Edits, "its claim is not believed");
    let Some(Preview::Unknown { reason }) = &call.preview else { panic!("{:?}", call.preview) };
    assert!(reason.contains("writes through `wasi:filesystem`"), "{reason}");
    assert_eq!(snapshot(&scene), before);
    assert!(!Path::new(&scene.shared().join("lie.txt")).exists());
}

/// Rules about places and hosts see an argument for what it is only if the schema says so.
#[tokio::test]
async fn every_argument_of_the_release_that_is_a_path_or_url_says_so() {
    let scene = scene(
        &["tool-files-read", "tool-files-write", "tool-vault-read", "tool-vault-write", "tool-web"],
        "",
    );
    let mut declared = BTreeMap::new();
    for spec in scene.catalog.specs() {
        for (name, schema) in spec.input_schema["properties"].as_object().unwrap() {
            if let Some(format) = schema["format"].as_str().filter(|format| !format.contains("int"))
            {
                declared.insert(format!("{} {name}", spec.name), format.to_owned());
            }
        }
    }
    let expect = [
        ("file_delete path", "path"),
        ("file_edit path", "path"),
        ("file_list path", "path"),
        ("file_read path", "path"),
        ("file_search path", "path"),
        ("file_write path", "path"),
        ("vault_copyto source", "path"),
        ("vault_copyto target", "path"),
        ("web_fetch url", "uri"),
    ];
    let expect = expect.map(|(name, format)| (name.to_owned(), format.to_owned()));
    assert_eq!(declared, BTreeMap::from(expect));
}
