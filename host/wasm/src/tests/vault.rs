//! The vault: reachable only in two steps, in two stores, by the two components granted for it.

use super::{Scene, built, context, scene, scene_adapted, text};
use crate::files::vault::DEEPEST;
use hydroid_core::audit::{AuditAction, AuditOutcome};
use hydroid_core::capability::Profile;
use hydroid_core::id::{CallId, ComponentId};
use hydroid_core::message::Origin;
use hydroid_core::ports::Tools;
use hydroid_core::tool::{Impact, Preview, ToolCall};
use sha2::{Digest, Sha256};

/// A call that copies `/vault/a` to `/shared/a`.
const COPY: &str = r#"{"source":"/vault/a","target":"/shared/a"}"#;

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

#[tokio::test]
async fn only_what_may_write_for_the_vault_is_handed_to() {
    let scene = scene_adapted(&["tool-vault-read", "tool-time"], "", &[], |manifest| {
        if manifest.hands_to.is_some() {
            manifest.hands_to = Some(ComponentId::new("tool-time"));
        }
    });
    std::fs::write(vault(&scene).join("a"), "a").unwrap();
    let output = scene.call("vault_copyto", COPY).await;
    let expect = "`tool-time` may not write what `tool-vault-read` reads";
    assert!(text(&output).contains(expect), "{output:?}");
}

#[tokio::test]
async fn every_byte_arrives_as_it_is_and_both_halves_are_recorded() {
    let scene = scene(&BOTH, "");
    let every: Vec<u8> = (0..=255_u8).cycle().take(300_000).collect();
    for (name, item) in [("every", every.as_slice()), ("empty", b""), ("nul", b"\0\xff\xfe\0")] {
        std::fs::write(vault(&scene).join(name), item).unwrap();
        scene.records.audited.lock().unwrap().clear();
        let arguments = format!(r#"{{"source":"/vault/{name}","target":"/tmp/deep/{name}"}}"#);
        let output = scene.call("vault_copyto", &arguments).await;
        assert!(!output.is_error, "{output:?}");
        let copy = scene.directory.path().join("workspace/tmp/deep").join(name);
        assert_eq!(std::fs::read(copy).unwrap(), item);

        let digest = digest(item);
        let audited = scene.records.audited.lock().unwrap().clone();
        let [read, written] = audited.as_slice() else { panic!("{audited:?}") };
        assert_eq!(read.action, AuditAction::VaultRead);
        assert_eq!(read.resource, format!("/vault/{name} {digest}"));
        assert_eq!(written.action, AuditAction::VaultWritten);
        assert_eq!(written.resource, format!("/tmp/deep/{name} {digest}"));
        for (event, component) in [(read, "tool-vault-read"), (written, "tool-vault-write")] {
            assert_eq!(event.outcome, AuditOutcome::Allowed);
            assert_eq!(event.bytes, Some(item.len() as u64));
            assert_eq!(event.component.as_ref().unwrap().as_str(), component);
            assert_eq!(event.call.as_ref().unwrap().as_str(), "c");
            assert_eq!(event.session, Some(context().session));
            assert_eq!(event.turn, Some(context().turn));
            assert_eq!(event.digest, Some(crate::component::digest(&built(component))));
        }
        // One identifier in both halves and in what is said.
        assert_eq!(read.rule, written.rule);
        assert!(text(&output).contains(&read.rule), "{} in {output:?}", read.rule);
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    for left in [0, 1] {
        let scene = scene(&BOTH, "");
        std::fs::write(vault(&scene).join("a"), "a").unwrap();
        *scene.records.audits_left.lock().unwrap() = left;
        let output = scene.call("vault_copyto", COPY).await;
        assert!(text(&output).contains("could not be recorded"), "{output:?}");
        assert!(!scene.shared().join("a").exists());
    }
}

#[tokio::test]
async fn a_copy_is_made_as_it_was_shown_or_not_at_all() {
    let scene = scene(&BOTH, "");
    std::fs::write(vault(&scene).join("a"), "one").unwrap();
    let call = scene.shown("vault_copyto", COPY).await;
    let expect = Preview::Copy {
        source: "/vault/a".into(),
        destination: "/shared/a".into(),
        bytes: 3,
        digest: digest(b"one"),
    };
    assert_eq!(call.preview, Some(expect));
    // Same size, other content.
    std::fs::write(vault(&scene).join("a"), "two").unwrap();
    let output = scene.approved(&call).await;
    assert!(text(&output).contains("`/vault/a` changed since you were asked"), "{output:?}");
    assert!(!scene.shared().join("a").exists());
    assert!(scene.records.audited.lock().unwrap().is_empty());
    // What cannot be shown is not copied once it can.
    std::fs::remove_file(vault(&scene).join("a")).unwrap();
    let call = scene.shown("vault_copyto", COPY).await;
    assert!(
        matches!(&call.preview, Some(Preview::Unknown { reason }) if reason.contains("does not exist"))
    );
    std::fs::write(vault(&scene).join("a"), "one").unwrap();
    let output = scene.approved(&call).await;
    assert!(text(&output).contains("could not be shown"), "{output:?}");
    // A destination that turns into another place.
    std::fs::create_dir_all(scene.shared().join("d/real")).unwrap();
    std::os::unix::fs::symlink("d/real", scene.shared().join("l")).unwrap();
    let through = r#"{"source":"/vault/a","target":"/shared/l/a"}"#;
    let call = scene.shown("vault_copyto", through).await;
    let Some(Preview::Copy { destination, .. }) = &call.preview else { panic!() };
    assert_eq!(destination, "/shared/d/real/a");
    std::fs::remove_file(scene.shared().join("l")).unwrap();
    std::os::unix::fs::symlink("d", scene.shared().join("l")).unwrap();
    let output = scene.approved(&call).await;
    assert!(text(&output).contains("`/shared/d/real/a` changed since"), "{output:?}");
    assert!(!scene.shared().join("d/a").exists());
}

#[tokio::test]
async fn a_file_is_replaced_only_if_that_was_asked_for() {
    let scene = scene(&BOTH, "");
    std::fs::write(vault(&scene).join("a"), "new").unwrap();
    std::fs::write(scene.shared().join("a"), "old").unwrap();
    let output = scene.call("vault_copyto", COPY).await;
    assert!(output.is_error && text(&output).contains("exists already"), "{output:?}");
    assert_eq!(std::fs::read(scene.shared().join("a")).unwrap(), b"old");
    let over = r#"{"source":"/vault/a","target":"/shared/a","overwrite":true}"#;
    assert!(!scene.call("vault_copyto", over).await.is_error);
    assert_eq!(std::fs::read(scene.shared().join("a")).unwrap(), b"new");
}

#[tokio::test]
async fn an_item_larger_than_configured_is_refused_before_it_is_read() {
    let scene = scene(&BOTH, "[vault]\nmax_item = 3\n");
    std::fs::write(vault(&scene).join("a"), "four").unwrap();
    let output = scene.call("vault_copyto", COPY).await;
    assert!(text(&output).contains("hydroid config set vault.max_item 4B"), "{output:?}");
    std::fs::write(vault(&scene).join("a"), "thr").unwrap();
    assert!(!scene.call("vault_copyto", COPY).await.is_error);
}

#[tokio::test]
async fn a_step_that_may_do_anything_else_does_not_run() {
    for (step, other) in
        [("tool-vault-read", Profile::FileReadWrite), ("tool-vault-write", Profile::VaultReadStep)]
    {
        let scene = scene_adapted(&BOTH, "", &[], |manifest| {
            if manifest.name.as_str() == step {
                let want = manifest.wants.values().next().unwrap().clone();
                manifest.wants.insert(other, want);
            }
        });
        std::fs::write(vault(&scene).join("a"), "a").unwrap();
        let output = scene.call("vault_copyto", COPY).await;
        let command = format!("hydroid component revoke {step} ");
        assert!(output.is_error && text(&output).contains(&command), "{output:?}");
        assert!(!scene.shared().join("a").exists());
        assert!(scene.records.audited.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_vault_is_listed_by_name_only() {
    let scene = scene(&["tool-vault-list"], "");
    assert_eq!(text(&scene.call("vault_list", "{}").await), "the vault is empty");
    std::fs::create_dir(vault(&scene).join("deep")).unwrap();
    std::fs::write(vault(&scene).join("deep/b.txt"), "content-of-b").unwrap();
    std::fs::write(vault(&scene).join("a.txt"), "content-of-a").unwrap();
    let output = scene.call("vault_list", "{}").await;
    assert_eq!(text(&output), "/vault/a.txt\n/vault/deep/b.txt");
    assert_eq!(text(&scene.call("vault_list", r#"{"start":1}"#).await), "/vault/deep/b.txt");
    // As deep as somebody may have meant it, and no deeper.
    let deepest = vec!["d"; DEEPEST].join("/");
    std::fs::create_dir_all(vault(&scene).join(&deepest).join("d")).unwrap();
    std::fs::write(vault(&scene).join(&deepest).join("in"), "").unwrap();
    std::fs::write(vault(&scene).join(&deepest).join("d/out"), "").unwrap();
    let listed = text(&scene.call("vault_list", "{}").await);
    assert!(listed.contains("/in") && !listed.contains("/out"), "{listed}");
    let loaded = scene.loaded("tool-vault-list");
    assert_eq!(loaded.impact(), Impact::ReadOnly);
    assert_eq!(loaded.origin_of(&[]), Origin::File { path: Some("/vault".into()) });
    assert_eq!(loaded.grant().profiles, [Profile::VaultList].into());
    for interface in ["vault-read", "fs-read", "fs-write", "web"] {
        assert!(!loaded.grant().links(&format!("hydroid:cap/{interface}")));
    }
}

/// What each tool of the release is tried with; `{p}` is a way to the vault. A tool without a line
/// here fails the test below.
const ATTEMPTS: &[(&str, &str)] = &[
    ("delegate", r#"{"task":"{p}","tools":["vault_copyto"]}"#),
    ("file_delete", r#"{"path":"{p}"}"#),
    ("file_edit", r#"{"path":"{p}","edits":[{"old_text":"x","new_text":"y"}]}"#),
    ("file_list", r#"{"path":"{p}","hidden":true,"ignored":true,"depth":9}"#),
    ("file_read", r#"{"path":"{p}"}"#),
    ("file_search", r#"{"pattern":"(?i)canary","path":"{p}","hidden":true,"ignored":true}"#),
    ("file_write", r#"{"path":"{p}","content":"x","mode":"append"}"#),
    (
        "json_query",
        r#"{"json":"{\"path\":\"{p}\"}","filter":"., input_filename, env, (try input catch .)"}"#,
    ),
    ("memory_delete", r#"{"id":"{p}"}"#),
    ("memory_recent", "{}"),
    ("memory_save", r#"{"text":"{p}"}"#),
    ("memory_search", r#"{"query":"{p}"}"#),
    ("memory_update", r#"{"id":"{p}","text":"{p}"}"#),
    ("scratchpad_clear", "{}"),
    ("scratchpad_read", "{}"),
    ("scratchpad_write", r#"{"text":"{p}"}"#),
    ("skill_list", r#"{"words":"{p}"}"#),
    ("skill_load", r#"{"name":"{p}"}"#),
    ("skill_read", r#"{"name":"{p}","file":"{p}"}"#),
    ("skill_unload", r#"{"name":"{p}"}"#),
    ("time_add", r#"{"time":"{p}"}"#),
    ("time_convert", r#"{"time":"{p}","to":"{p}"}"#),
    ("time_difference", r#"{"from":"{p}","to":"{p}"}"#),
    ("time_now", r#"{"zone":"{p}"}"#),
    ("vault_copyto", r#"{"source":"{p}","target":"/vault/copy.txt"}"#),
    ("vault_list", "{}"),
    ("web_fetch", r#"{"url":"file://{p}"}"#),
];

const CANARY: &str = "CANARY-of-the-vault-4711";

#[tokio::test]
async fn no_tool_of_the_release_brings_out_what_is_in_the_vault() {
    let built = std::fs::read_dir(super::folder("components")).unwrap();
    let mut names: Vec<String> = built
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name.starts_with("tool-"))
        .collect();
    names.sort();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let scene = scene(&names, "");
    let tools: Vec<String> = scene.catalog.specs().into_iter().map(|spec| spec.name).collect();
    let tried: Vec<&str> = ATTEMPTS.iter().map(|(tool, _)| *tool).collect();
    assert_eq!(tools, tried, "write an attempt for each tool");

    let item = vault(&scene).join("canary.txt");
    let host = item.to_str().unwrap().to_owned();
    for (tool, arguments) in ATTEMPTS {
        for way in ways(&host) {
            prepare(&scene, &item);
            let arguments = arguments.replace("{p}", &way);
            let call = ToolCall {
                id: CallId::new("c"),
                name: (*tool).into(),
                arguments: arguments.clone(),
            };
            // What a person would be shown, and what comes back when it is allowed all the same.
            let mut seen = match scene.catalog.check(&call) {
                Ok(checked) => {
                    let shown = scene.catalog.preview(checked.clone(), context()).await;
                    format!("{shown:?} {:?}", scene.catalog.run(checked, context()).await)
                }
                Err(problem) => problem,
            };
            seen.push_str(&contents(&scene));
            for form in forms(CANARY) {
                assert!(!seen.contains(&form), "{tool} {arguments} brought out `{form}`: {seen}");
            }
            // Notes of earlier attempts may come back, with what they were told.
            let told =
                matches!(*tool, "memory_recent" | "memory_search") || arguments.contains(&host);
            assert!(!seen.contains(&host) || told, "{tool}: a host path in {seen}");
            assert_eq!(std::fs::read_to_string(&item).unwrap(), CANARY, "{tool} {arguments}");
            assert_eq!(std::fs::read_dir(vault(&scene)).unwrap().count(), 1, "{tool} {arguments}");
        }
    }
}

/// A component that tries WASI's file system as well as the host's own interface.
#[tokio::test]
async fn neither_preopened_directories_nor_links_in_them_lead_to_the_vault() {
    let scene = scene(&["test-tool-files"], "");
    let item = vault(&scene).join("canary.txt");
    let host = item.to_str().unwrap().to_owned();
    prepare(&scene, &item);
    for way in ways(&host) {
        let arguments = format!(r#"{{"path":"{way}"}}"#);
        let output = scene.call("path_escape", &arguments).await;
        let seen = text(&output);
        assert!(!forms(CANARY).iter().any(|form| seen.contains(form)), "{way}: {seen}");
    }
    // The same reads what it may: the test above can fail.
    std::fs::write(scene.shared().join("plain"), CANARY).unwrap();
    let output = scene.call("path_escape", r#"{"path":"/shared/plain"}"#).await;
    assert!(text(&output).contains("CANARY"), "{output:?}");
}

/// Ways to an item of the vault, honest and not.
fn ways(host: &str) -> Vec<String> {
    let deep = "../".repeat(12);
    [
        "/vault/canary.txt",
        "/vault",
        "/vault/",
        "//vault//canary.txt",
        "/shared/../vault/canary.txt",
        "/shared/d/../../vault/canary.txt",
        "../vault/canary.txt",
        "/shared/link.txt",
        "/shared/links/canary.txt",
        "/shared/links",
        "/shared/up/vault/canary.txt",
        "/shared/absolute.txt",
        "/shared/hard.txt",
        "/tmp/link.txt",
        "/shared",
        "/",
        "/proc/self/cwd",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([host.to_owned(), format!("/shared/{deep}{}", host.trim_start_matches('/'))])
    .collect()
}

/// Links of every sort that lead to the vault.
fn prepare(scene: &Scene, item: &std::path::Path) {
    use std::os::unix::fs::symlink;
    let shared = scene.shared();
    std::fs::write(item, CANARY).unwrap();
    std::fs::create_dir_all(shared.join("d")).unwrap();
    let _ = symlink("../vault/canary.txt", shared.join("link.txt"));
    let _ = symlink("../vault", shared.join("links"));
    let _ = symlink("..", shared.join("up"));
    let _ = symlink(item, shared.join("absolute.txt"));
    let _ = symlink("../vault/canary.txt", shared.join("../tmp/link.txt"));
    let _ = std::fs::hard_link(item, shared.join("hard.txt"));
}

/// What is in files that are none of the links above.
fn contents(scene: &Scene) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(scene.shared()).unwrap() {
        let path = entry.unwrap().path();
        let is_plain = std::fs::symlink_metadata(&path).unwrap().is_file();
        if is_plain && path.file_name().unwrap() != "hard.txt" {
            all.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
        }
    }
    all
}

/// A text as it would look in other clothes.
fn forms(text: &str) -> Vec<String> {
    use base64::Engine;
    let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
    let shifted = (0..3).map(|skip| {
        let encoded = engine.encode(format!("{}{text}", "x".repeat(skip)));
        // Without the ends, which depend on what is around.
        encoded[4..encoded.len() - 4].to_owned()
    });
    let bytes: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
    [
        text.to_owned(),
        hex::encode(text),
        hex::encode_upper(text),
        text.chars().rev().collect(),
        bytes.join(", "),
    ]
    .into_iter()
    .chain(shifted)
    .collect()
}

fn vault(scene: &Scene) -> std::path::PathBuf {
    scene.directory.path().join("workspace/vault")
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
