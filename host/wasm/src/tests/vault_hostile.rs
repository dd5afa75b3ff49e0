//! Steps of a vault copy that misbehave: whatever they do, the item arrives whole or nothing is
//! written, and nobody but the person who approved learns what it says.

use super::{Scene, scene_adapted, text};
use hydroid_core::audit::{AuditAction, AuditOutcome};

const ITEM: &str = "canary-of-the-item";

/// A host with these steps, and items for each misbehaviour.
fn steps(reader: &str, writer: &str) -> Scene {
    let scene = scene_adapted(&[reader, writer], "", &[], |manifest| {
        if manifest.hands_to.is_some() {
            manifest.hands_to = Some(hydroid_core::id::ComponentId::new(writer));
        }
    });
    for name in ["whole", "short", "changed", "long", "telling"] {
        std::fs::write(scene.directory.path().join("workspace/vault").join(name), ITEM).unwrap();
    }
    scene
}

async fn copy(scene: &Scene, source: &str, target: &str) -> (bool, String) {
    let arguments = format!(r#"{{"source":"/vault/{source}","target":"/shared/{target}"}}"#);
    let output = scene.call("vault_copyto", &arguments).await;
    (output.is_error, text(&output).to_owned())
}

fn audited(scene: &Scene) -> Vec<(AuditAction, AuditOutcome)> {
    let events = scene.records.audited.lock().unwrap();
    events.iter().map(|event| (event.action, event.outcome)).collect()
}

fn files(scene: &Scene) -> usize {
    std::fs::read_dir(scene.shared()).unwrap().count()
}

#[tokio::test]
async fn a_read_step_that_leaves_something_else_ends_the_copy() {
    let scene = steps("test-vault-read", "tool-vault-write");
    for source in ["short", "changed", "long"] {
        scene.records.audited.lock().unwrap().clear();
        let (is_error, said) = copy(&scene, source, "a").await;
        assert!(is_error && said.contains("nothing was written"), "{source}: {said}");
        assert!(!said.contains("canary"), "{source}: {said}");
        assert_eq!(files(&scene), 0, "{source}");
        let expect = [
            (AuditAction::VaultRead, AuditOutcome::Allowed),
            (AuditAction::VaultRead, AuditOutcome::Failed),
        ];
        assert_eq!(audited(&scene), expect, "{source}");
    }
    let (is_error, said) = copy(&scene, "whole", "a").await;
    assert!(!is_error, "the tests above can fail: {said}");
    assert!(!said.contains("canary"), "what the step says is not passed on: {said}");
}

#[tokio::test]
async fn a_read_step_that_fails_is_believed_and_what_it_says_is_not_passed_on() {
    let scene = steps("test-vault-read", "tool-vault-write");
    let (is_error, said) = copy(&scene, "telling", "a").await;
    assert!(is_error && said.contains("could not read the item"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    assert_eq!(files(&scene), 0);
}

#[tokio::test]
async fn a_write_step_writes_the_item_where_it_was_to_go_and_nothing_else() {
    for (target, expect) in [
        ("nothing", "did not write the item"),
        ("changed", "would do something else to `/shared/changed`"),
        ("beside", "would do something else to `/shared/second`"),
        ("directory", "would do something else to `/shared/empty`"),
        ("flood", "makes the changes too large"),
        ("fails", "it failed at the very end"),
    ] {
        let scene = steps("tool-vault-read", "test-vault-write");
        let (is_error, said) = copy(&scene, "whole", target).await;
        assert!(is_error && said.contains(expect), "{target}: {said}");
        assert_eq!(files(&scene), 0, "{target}");
        let written = audited(&scene).contains(&(AuditAction::VaultWritten, AuditOutcome::Allowed));
        assert!(!written, "{target}");
    }
}

#[tokio::test]
async fn a_write_step_may_take_its_time_within_what_it_may_replace() {
    let scene = steps("tool-vault-read", "test-vault-write");
    let (is_error, said) = copy(&scene, "whole", "twice").await;
    assert!(!is_error, "{said}");
    assert_eq!(std::fs::read_to_string(scene.shared().join("twice")).unwrap(), ITEM);
}
