//! The vault: reachable only in two steps, in two stores, by the two components granted for it.

use super::{scene, text};
use hydroid_core::capability::Profile;
use hydroid_core::ports::Tools;
use hydroid_core::tool::Impact;

const BOTH: [&str; 2] = ["tool-vault-read", "tool-vault-write"];

#[tokio::test]
async fn an_item_is_copied_in_two_steps() {
    let scene = scene(&BOTH, "");
    let item: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    std::fs::write(scene.directory.path().join("workspace/vault/photo.bin"), &item).unwrap();
    let output = scene
        .call("vault_copyto", r#"{"source":"/vault/photo.bin","target":"/shared/in/photo.bin"}"#)
        .await;
    assert!(!output.is_error, "{output:?}");
    assert!(text(&output).contains("700000 bytes, sha256:"), "{output:?}");
    assert_eq!(std::fs::read(scene.shared().join("in/photo.bin")).unwrap(), item);
    let again = scene
        .call("vault_copyto", r#"{"source":"/vault/photo.bin","target":"/shared/in/photo.bin"}"#)
        .await;
    assert!(text(&again).contains("exists already"), "{again:?}");
}

#[tokio::test]
async fn the_steps_share_no_authority() {
    let scene = scene(&BOTH, "");
    let (reader, writer) = (scene.loaded("tool-vault-read"), scene.loaded("tool-vault-write"));
    let imported = |loaded: &crate::component::Loaded, interface: &str| {
        loaded.imports.iter().any(|import| import.interface == interface)
    };
    assert!(
        imported(&reader, "hydroid:cap/vault-read")
            && !reader.grant().links("hydroid:cap/fs-write")
    );
    assert!(
        imported(&writer, "hydroid:cap/vault-handoff")
            && !writer.grant().links("hydroid:cap/vault-read")
    );
    assert_eq!(reader.impact(), Impact::Vault);
    // The model is offered the copy, never one half of it.
    let names: Vec<String> =
        scene.catalog.specs().into_iter().map(|spec| spec.component.to_string()).collect();
    assert_eq!(names, ["tool-vault-read"]);
}

#[tokio::test]
async fn a_source_outside_the_vault_is_refused() {
    let scene = scene(&BOTH, "");
    std::fs::write(scene.directory.path().join("outside.txt"), "outside").unwrap();
    std::os::unix::fs::symlink(
        "../../outside.txt",
        scene.directory.path().join("workspace/vault/link"),
    )
    .unwrap();
    std::fs::hard_link(
        scene.directory.path().join("outside.txt"),
        scene.directory.path().join("workspace/vault/hard"),
    )
    .unwrap();
    for (source, expect) in [
        ("/shared/a", "under `/vault/`"),
        ("/vault/../shared/a", "leads out"),
        ("/vault/link", "leads out"),
        ("/vault/hard", "hard links"),
        ("/vault/none", "does not exist"),
        ("/vault/", "is a directory"),
    ] {
        let output = scene
            .call("vault_copyto", &format!(r#"{{"source":"{source}","target":"/shared/x"}}"#))
            .await;
        assert!(output.is_error && text(&output).contains(expect), "{source}: {output:?}");
    }
    assert!(!scene.shared().join("x").exists());
}

#[tokio::test]
async fn without_the_write_step_nothing_is_read() {
    let alone = scene(&["tool-vault-read"], "");
    std::fs::write(alone.directory.path().join("workspace/vault/a"), "a").unwrap();
    let output = alone.call("vault_copyto", r#"{"source":"/vault/a","target":"/shared/a"}"#).await;
    assert!(
        text(&output).contains(
            "`tool-vault-write`, which writes what `tool-vault-read` reads, is not installed"
        ),
        "{output:?}"
    );
    let revoked = scene(&BOTH, "");
    let entry = crate::grants::Entry {
        revoked: [Profile::VaultWriteStep].into(),
        ..crate::grants::Entry::default()
    };
    revoked.grants.lock().unwrap().components.insert("tool-vault-write".into(), entry);
    revoked.catalog.refresh().unwrap();
    std::fs::write(revoked.directory.path().join("workspace/vault/a"), "a").unwrap();
    let output =
        revoked.call("vault_copyto", r#"{"source":"/vault/a","target":"/shared/a"}"#).await;
    assert!(
        text(&output).contains("hydroid component grant tool-vault-write vault-write-step"),
        "{output:?}"
    );
    assert!(!revoked.shared().join("a").exists());
}

/// No other component of the release reaches the vault.
#[tokio::test]
async fn no_other_component_reaches_the_vault() {
    let scene =
        scene(&["tool-files-read", "tool-files-write", "tool-json", "tool-time", "tool-web"], "");
    std::fs::write(scene.directory.path().join("workspace/vault/key.txt"), "vault-key-content")
        .unwrap();
    for (tool, arguments) in [
        ("file_read", r#"{"path":"/vault/key.txt"}"#),
        ("file_read", r#"{"path":"/shared/../vault/key.txt"}"#),
        ("file_list", r#"{"path":"/vault"}"#),
        ("file_search", r#"{"pattern":"vault-key","path":"/vault"}"#),
        ("file_write", r#"{"path":"/vault/new.txt","content":"x"}"#),
        ("file_delete", r#"{"path":"/vault/key.txt"}"#),
        ("web_fetch", r#"{"url":"file:///vault/key.txt"}"#),
    ] {
        let output = scene.call(tool, arguments).await;
        assert!(output.is_error, "{tool} {arguments}: {output:?}");
        assert!(!text(&output).contains("vault-key-content"), "{output:?}");
    }
    let entries =
        std::fs::read_dir(scene.directory.path().join("workspace/vault")).unwrap().count();
    assert_eq!(entries, 1);
}
