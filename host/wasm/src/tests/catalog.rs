//! The folder of components: added, replaced and removed while the host runs.

use super::{Scene, built, scene, text};
use crate::catalog::Status;
use crate::check;
use crate::component::digest;
use crate::grants::Entry;
use crate::linker::{BUILT, Linkers};
use hydroid_core::audit::{AuditAction, AuditOutcome};
use hydroid_core::capability::{Grant, Profile};
use hydroid_core::id::{CallId, ComponentId};
use hydroid_core::ports::Tools;
use hydroid_core::tool::ToolCall;

fn put(scene: &Scene, file: &str, name: &str) {
    let folder = scene.directory.path().join("components");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(file), built(name)).unwrap();
    scene.catalog.refresh().unwrap();
}

fn grant(scene: &Scene, name: &str, profiles: &[Profile]) {
    let entry = Entry {
        digest: digest(&built(name)),
        profiles: profiles.iter().copied().collect(),
        ..Entry::default()
    };
    scene.grants.lock().unwrap().components.insert(name.into(), entry);
    scene.catalog.refresh().unwrap();
}

#[tokio::test]
async fn a_file_is_picked_up_replaced_and_dropped_without_a_restart() {
    let scene = scene(&[], "");
    assert!(scene.catalog.specs().is_empty());
    put(&scene, "clock.wasm", "tool-time");
    assert!(!scene.call("time_now", "{}").await.is_error);
    put(&scene, "clock.wasm", "tool-json");
    assert!(scene.call("time_now", "{}").await.is_error);
    assert!(!scene.call("json_query", r#"{"json":"1","filter":"."}"#).await.is_error);
    std::fs::remove_file(scene.directory.path().join("components/clock.wasm")).unwrap();
    scene.catalog.refresh().unwrap();
    assert!(scene.catalog.specs().is_empty());
}

/// What the audit log has of loading: component, outcome and whether its digest is this one's.
fn loads(scene: &Scene) -> Vec<(String, AuditOutcome, String, bool)> {
    let events = scene.records.audited.lock().unwrap();
    let loads = events.iter().filter(|event| event.action == AuditAction::ComponentLoaded);
    loads
        .map(|event| {
            let name = event.component.as_ref().unwrap().to_string();
            let built = event.digest == Some(digest(&built(&name)));
            (name, event.outcome, event.rule.clone(), built)
        })
        .collect()
}

#[tokio::test]
async fn a_component_of_the_folder_is_audited_when_it_is_loaded_refused_or_granted() {
    let scene = scene(&["tool-time"], "");
    assert_eq!(loads(&scene), [], "the release's own are not");
    put(&scene, "tool-json.wasm", "tool-json");
    scene.catalog.refresh().unwrap();
    put(&scene, "tool-files-read.wasm", "tool-files-read");
    let before = loads(&scene);
    let [(json, ready, as_what, json_digest), (files, refused, why, files_digest)] =
        before.as_slice()
    else {
        panic!("one for each: {before:?}")
    };
    assert_eq!((json.as_str(), *ready, *json_digest), ("tool-json", AuditOutcome::Allowed, true));
    assert_eq!(as_what, "it is a tool");
    let expect = ("tool-files-read", AuditOutcome::Denied, true);
    assert_eq!((files.as_str(), *refused, *files_digest), expect);
    assert!(why.contains("hydroid component grant tool-files-read"), "{why}");
    grant(&scene, "tool-files-read", &[Profile::FileReadOnly]);
    let after = loads(&scene);
    let granted = after.iter().rfind(|(name, ..)| name == "tool-files-read").unwrap();
    assert_eq!(granted.1, AuditOutcome::Allowed);
}

#[tokio::test]
async fn a_component_that_cannot_be_audited_is_not_used_until_it_can() {
    let scene = scene(&[], "");
    *scene.records.audits_left.lock().unwrap() = 0;
    put(&scene, "tool-time.wasm", "tool-time");
    assert!(scene.refusal("tool-time").contains("the audit log cannot be written"));
    assert!(scene.call("time_now", "{}").await.is_error);
    *scene.records.audits_left.lock().unwrap() = usize::MAX;
    scene.catalog.refresh().unwrap();
    assert!(!scene.call("time_now", "{}").await.is_error);
}

#[tokio::test]
async fn a_call_in_flight_finishes_on_the_component_it_began_with() {
    let scene = scene(&[], "");
    put(&scene, "a.wasm", "tool-json");
    let call = ToolCall {
        id: CallId::new("c"),
        name: "json_query".into(),
        arguments: r#"{"json":"1","filter":"."}"#.into(),
    };
    let checked = scene.catalog.check(&call).unwrap();
    let running = scene.catalog.run(checked.clone(), super::context());
    std::fs::remove_file(scene.directory.path().join("components/a.wasm")).unwrap();
    scene.catalog.refresh().unwrap();
    assert!(!running.await.is_error);
    assert!(
        text(&scene.catalog.run(checked, super::context()).await).contains("removed or replaced")
    );
}

#[tokio::test]
async fn an_ungranted_component_is_refused_with_the_command_that_grants_it() {
    let scene = scene(&[], "");
    put(&scene, "tool-files-read.wasm", "tool-files-read");
    let refusal = scene.refusal("tool-files-read");
    assert!(
        refusal.contains("hydroid component grant tool-files-read file-read-only"),
        "{refusal}"
    );
    grant(&scene, "tool-files-read", &[Profile::FileReadOnly]);
    assert!(matches!(scene.catalog.get("tool-files-read").unwrap().status, Status::Ready(_)));
    assert!(!scene.call("file_list", "{}").await.is_error);
}

#[tokio::test]
async fn a_grant_does_not_follow_a_name_to_other_bytes() {
    let scene = scene(&[], "");
    put(&scene, "tool-files-read.wasm", "tool-files-read");
    grant(&scene, "tool-files-read", &[Profile::FileReadOnly]);
    let mut bytes = built("tool-files-read");
    // A custom section called `x`: other bytes, the same component.
    bytes.extend([0, 2, 1, b'x']);
    std::fs::write(scene.directory.path().join("components/tool-files-read.wasm"), bytes).unwrap();
    scene.catalog.refresh().unwrap();
    assert!(scene.refusal("tool-files-read").contains("not granted"));
}

#[tokio::test]
async fn a_name_that_is_taken_names_both_owners() {
    let scene = scene(&["tool-time"], "");
    put(&scene, "mine.wasm", "tool-time");
    let installed = scene.catalog.installed();
    let refused: Vec<String> = installed
        .iter()
        .filter_map(|installed| match &installed.status {
            Status::Refused(error) => Some(error.to_string()),
            Status::Ready(_) => None,
        })
        .collect();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].contains("`release`") && refused[0].contains("`mine.wasm`"), "{refused:?}");
    assert!(!scene.call("time_now", "{}").await.is_error);
}

#[tokio::test]
async fn what_is_no_component_is_refused_and_harms_nothing() {
    let scene = scene(&["tool-time"], "");
    let folder = scene.directory.path().join("components");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("empty.wasm"), b"").unwrap();
    std::fs::write(folder.join("noise.wasm"), [0x55; 4096]).unwrap();
    std::fs::write(folder.join("module.wasm"), wat::parse_str("(module)").unwrap()).unwrap();
    std::fs::write(folder.join("Bad Name.wasm"), wat::parse_str("(component)").unwrap()).unwrap();
    std::fs::write(folder.join("nothing.wasm"), wat::parse_str("(component)").unwrap()).unwrap();
    scene.catalog.refresh().unwrap();
    for name in ["empty", "noise", "module"] {
        assert!(scene.refusal(name).contains("not a component"), "{}", scene.refusal(name));
    }
    assert!(scene.refusal("Bad Name").contains("rename the file"));
    assert!(scene.refusal("nothing").contains("none of the roles"));
    assert!(!scene.call("time_now", "{}").await.is_error);
}

#[tokio::test]
async fn a_component_that_is_turned_off_is_not_loaded() {
    let scene = scene(&["tool-time"], "[components.tool-time]\nenabled = false");
    assert!(scene.refusal("tool-time").contains("components.tool-time.enabled true"));
}

#[tokio::test]
async fn configuration_is_checked_against_the_manifest() {
    let wrong = scene(&["tool-time"], "[components.tool-time.config]\nzone = 3");
    assert!(
        wrong.refusal("tool-time").contains("components.tool-time.config.zone"),
        "{}",
        wrong.refusal("tool-time")
    );
    let unknown = scene(&["tool-json"], "[components.tool-json.config]\nzone = 3");
    assert!(unknown.refusal("tool-json").contains("takes no configuration"));
}

/// Declared and enforced are one value: for every component and every subset of profiles the
/// check finds nothing exactly when wasmtime links.
#[test]
fn the_check_agrees_with_the_linker_for_every_subset_of_grants() {
    let scene = scene(&[], "");
    let engine = scene.catalog.engine().engine();
    let linkers = Linkers::new(engine);
    let components = [
        "provider-gemini",
        "provider-ollama",
        "provider-openai",
        "provider-openai-responses",
        "provider-rehearsal",
        "tool-files-read",
        "tool-files-write",
        "tool-json",
        "tool-time",
        "tool-vault-read",
        "tool-vault-write",
        "tool-web",
        "test-tool-files",
        "test-tool-pure",
        "test-tool-web",
    ];
    let mut linked = 0;
    for name in components {
        let (component, _) = scene
            .catalog
            .cache()
            .get(scene.catalog.engine(), digest(&built(name)).trim_start_matches("sha256:"), || {
                Ok(built(name))
            })
            .unwrap();
        let imports = check::imports(engine, &component);
        for mask in 0_u32..1 << BUILT.len() {
            let granted = BUILT.into_iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
            let grant = Grant {
                profiles: granted.map(|(_, profile)| profile).collect(),
                ..Grant::default()
            };
            let refusals = check::refusals(&ComponentId::new(name), &imports, &grant);
            let links = linkers.get(&grant).unwrap().instantiate_pre(&component).is_ok();
            assert_eq!(
                refusals.is_empty(),
                links,
                "{name} with {:?}: {refusals:?}",
                grant.profiles
            );
            linked += u32::from(links);
        }
    }
    assert!(linked > 64, "some subsets link");
}
