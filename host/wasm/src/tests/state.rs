//! Keys of components and notes of people: whose they are, what is refused, and what a component
//! that only looks is proven to be.

use super::{Scene, context, scene, text};
use crate::check::{Class, Import};
use crate::component::impact;
use hydroid_core::capability::{Grant, Profile};
use hydroid_core::id::{CallId, SessionId, TurnId, UserId};
use hydroid_core::ports::{CallContext, LARGEST_VALUE, Source, Tools};
use hydroid_core::tool::{Impact, ToolCall};

const STATE: &str = "test-tool-state";
const MEMORY: [&str; 2] = ["tool-memory-read", "tool-memory-write"];

/// What a call answers; an error begins with `error: `.
async fn said(scene: &Scene, tool: &str, arguments: &str) -> String {
    said_to(scene, context(), tool, arguments).await
}

async fn said_to(scene: &Scene, context: CallContext, tool: &str, arguments: &str) -> String {
    let call = ToolCall { id: CallId::new("c"), name: tool.into(), arguments: arguments.into() };
    let checked = scene.catalog.check(&call).unwrap();
    let output = scene.catalog.run(checked, context).await;
    format!("{}{}", if output.is_error { "error: " } else { "" }, text(&output))
}

fn context_of(user: &str, session: &str) -> CallContext {
    CallContext { user: UserId::new(user), session: SessionId::new(session), ..context() }
}

#[tokio::test]
async fn keys_outlive_a_call_and_belong_to_user_and_component() {
    let scene = scene(&[STATE], "");
    assert_eq!(said(&scene, "state_get", r#"{"key":"a"}"#).await, "nothing");
    assert_eq!(said(&scene, "state_set", r#"{"key":"a","text":"mine"}"#).await, "set");
    assert_eq!(said(&scene, "state_get", r#"{"key":"a"}"#).await, "4 bytes: mine");
    let anna = || context_of("anna", "s");
    assert_eq!(said_to(&scene, anna(), "state_get", r#"{"key":"a"}"#).await, "nothing");
    assert_eq!(said_to(&scene, anna(), "state_delete", r#"{"key":"a"}"#).await, "deleted");
    assert_eq!(said(&scene, "state_get", r#"{"key":"a"}"#).await, "4 bytes: mine");
    let owners: Vec<_> = scene.records.keys.lock().unwrap().keys().cloned().collect();
    assert_eq!(owners, [("local".to_owned(), STATE.to_owned(), "a".to_owned())]);
    said(&scene, "state_set", r#"{"key":"ab","text":"x"}"#).await;
    said(&scene, "state_set", r#"{"key":"b","text":"x"}"#).await;
    for (arguments, expect) in [
        (r#"{"prefix":"","limit":4294967295}"#, "a ab b"),
        (r#"{"prefix":"a","limit":9}"#, "a ab"),
        (r#"{"prefix":"a","after":"a","limit":9}"#, "ab"),
        (r#"{"prefix":"","limit":0}"#, ""),
    ] {
        assert_eq!(said(&scene, "state_keys", arguments).await, expect, "{arguments}");
    }
}

#[tokio::test]
async fn keys_and_values_that_are_too_large_never_reach_the_database() {
    let scene = scene(&[STATE], "");
    let large = format!(r#"{{"key":"a","text":"x","times":{}}}"#, LARGEST_VALUE + 1);
    for (tool, arguments, expect) in [
        ("state_set", large.as_str(), "at most 1048576 bytes"),
        ("state_set", r#"{"key":"","text":"x"}"#, "1 to 512 bytes"),
        ("state_set", r#"{"key":"a\u0000b","text":"x"}"#, "NUL"),
        ("state_get", r#"{"key":"x","times":513}"#, "1 to 512 bytes"),
        ("state_delete", r#"{"key":"x","times":513}"#, "1 to 512 bytes"),
    ] {
        let said = said(&scene, tool, arguments).await;
        assert!(said.starts_with("error: ") && said.contains(expect), "{tool}: {said}");
    }
    assert!(scene.records.keys.lock().unwrap().is_empty());
    let fits = format!(r#"{{"key":"a","text":"x","times":{LARGEST_VALUE}}}"#);
    assert_eq!(said(&scene, "state_set", &fits).await, "set");
}

#[tokio::test]
async fn a_component_asked_for_its_tools_keeps_and_learns_nothing() {
    let scene = scene(&[STATE], "");
    let loaded = scene.loaded(STATE);
    let seen = loaded.definitions.iter().find(|tool| tool.name == "state_seen").unwrap();
    let refused = "refused: nothing is kept or looked up while a component is asked what it is";
    assert_eq!(seen.description.matches(refused).count(), 5, "{}", seen.description);
    assert!(scene.records.keys.lock().unwrap().is_empty());
    assert!(scene.records.notes.lock().unwrap().is_empty());
    assert!(scene.records.questions.lock().unwrap().is_empty());
    assert!(scene.records.scratchpads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_note_is_saved_found_changed_and_forgotten() {
    let scene = scene(&MEMORY, "");
    let save = r#"{"text":"the inn has a room","tags":["Travel"]}"#;
    assert_eq!(said(&scene, "memory_save", save).await, "saved as `note-0`");
    assert_eq!(
        said(&scene, "memory_search", r#"{"query":"inn"}"#).await,
        "[note-0, tags: travel, Tue, 14 Nov 2023 22:13:20 GMT]\nthe inn has a room"
    );
    let update = r#"{"id":"note-0","text":"the inn is full"}"#;
    assert_eq!(said(&scene, "memory_update", update).await, "changed `note-0`");
    assert!(said(&scene, "memory_search", r#"{"query":"full"}"#).await.contains("is full"));
    let anna = context_of("anna", "s");
    let stolen = said_to(&scene, anna.clone(), "memory_search", r#"{"query":"inn"}"#).await;
    assert_eq!(stolen, "nothing fits `inn`; try other or fewer words");
    let refused = said_to(&scene, anna, "memory_delete", r#"{"id":"note-0"}"#).await;
    assert_eq!(refused, "error: there is no note `note-0`; search for it to learn its id");
    assert_eq!(said(&scene, "memory_delete", r#"{"id":"note-0"}"#).await, "forgot `note-0`");
    assert!(said(&scene, "memory_search", r#"{"query":"inn"}"#).await.contains("nothing fits"));
    for (tool, arguments, expect) in [
        ("memory_save", r#"{"text":"  "}"#, "a note needs text"),
        ("memory_save", r#"{"text":"x","tags":[""]}"#, "a tag has 1 to 64 characters"),
        ("memory_delete", r#"{"id":"message-1"}"#, "not the id of a note"),
        ("memory_update", r#"{"id":"note-9","text":"x"}"#, "no note `note-9`"),
    ] {
        let said = said(&scene, tool, arguments).await;
        assert!(said.starts_with("error: ") && said.contains(expect), "{tool}: {said}");
    }
}

#[tokio::test]
async fn a_search_says_what_the_call_is_about() {
    let scene = scene(&["tool-memory-read"], "");
    let search = r#"{"query":"q","limit":3,"tags":[" SEA "],"source":"note"}"#;
    said(&scene, "memory_search", search).await;
    let asked = scene.records.questions.lock().unwrap().pop().unwrap();
    assert_eq!((asked.words.as_str(), asked.limit), ("q", 3));
    assert_eq!(asked.tags, ["sea".to_owned()].into());
    assert_eq!(asked.sources, [Source::Note].into());
    assert_eq!(asked.asked_in, Some(TurnId::new("t")));
}

#[tokio::test]
async fn options_that_nobody_knows_are_refused_with_those_that_are() {
    let scene = scene(&[STATE], "");
    let options = |options: &str| {
        serde_json::json!({ "query": "q", "limit": u32::MAX, "options": options }).to_string()
    };
    for (given, expect) in [
        ("", "do not fit"),
        ("[]", "do not fit"),
        (r#"{"tag":["a"]}"#, "expected one of `tags`, `sources`, `after_s`"),
        (r#"{"sources":["notes"]}"#, "did you mean `note`"),
        (r#"{"sources":["web"]}"#, "sources: note, message, file"),
        (r#"{"project":"a b"}"#, "is no scope"),
        (r#"{"after_s":-1}"#, "do not fit"),
        (r#"{"tags":["a\u0000"]}"#, "1 to 64 characters"),
        (&format!("{}{}", "[".repeat(9_000), "]".repeat(9_000)), "16384 are the most"),
        (&"[".repeat(9_000), "do not fit"),
    ] {
        let said = said(&scene, "state_search", &options(given)).await;
        assert!(said.starts_with("error: ") && said.contains(expect), "{given:.40}: {said:.300}");
    }
    let long = r#"{"query":"0123456789","times":7000,"limit":1}"#;
    let said_long = said(&scene, "state_search", long).await;
    assert!(said_long.contains("at most 65536 bytes"), "{said_long:.300}");
    assert!(scene.records.questions.lock().unwrap().is_empty());
    let given = r#"{"sources":["message","note"],"after_s":18446744073709551615,"before_s":2}"#;
    assert_eq!(said(&scene, "state_search", &options(given)).await, "");
    let asked = scene.records.questions.lock().unwrap().pop().unwrap();
    assert_eq!((asked.after_ms, asked.before_ms), (Some(u64::MAX), Some(2_000)));
    assert_eq!(asked.limit, 50);
}

#[tokio::test]
async fn the_scratchpad_is_that_of_the_session() {
    let scene = scene(&MEMORY, "");
    assert_eq!(said(&scene, "scratchpad_read", "{}").await, "(the scratchpad is empty)");
    let write = r#"{"text":"step 2 of 3: é"}"#;
    assert_eq!(
        said(&scene, "scratchpad_write", write).await,
        "wrote 14 characters to the scratchpad"
    );
    assert_eq!(said(&scene, "scratchpad_read", "{}").await, "step 2 of 3: é");
    let other = context_of("local", "other");
    let read = said_to(&scene, other, "scratchpad_read", "{}").await;
    assert_eq!(read, "(the scratchpad is empty)");
    let state = super::scene(&[STATE], "");
    let long = said(&state, "state_scratch", r#"{"text":"0123456789","times":1700}"#).await;
    assert!(long.contains("at most 16384 bytes"), "{long}");
}

/// The cause names places of this machine, so it stays in the log.
#[tokio::test]
async fn a_failing_database_is_an_error_without_its_place() {
    let scene = scene(&[STATE], "");
    *scene.records.broken.lock().unwrap() = true;
    for (tool, arguments) in [
        ("state_get", r#"{"key":"a"}"#),
        ("state_set", r#"{"key":"a","text":"x"}"#),
        ("state_keys", r#"{"prefix":"a","limit":1}"#),
        ("state_search", r#"{"query":"a","limit":1}"#),
        ("state_save", r#"{"text":"a"}"#),
        ("state_scratch", r#"{"text":"a"}"#),
    ] {
        let said = said(&scene, tool, arguments).await;
        assert_eq!(said, "error: the database could not do that; try again later", "{tool}");
    }
}

#[tokio::test]
async fn looking_is_proven_and_keeping_is_not() {
    let scene = scene(&[MEMORY[0], MEMORY[1], STATE], "");
    assert_eq!(scene.loaded(MEMORY[0]).impact(), Impact::ReadOnly);
    assert_eq!(scene.loaded(MEMORY[1]).impact(), Impact::Edits);
    assert_eq!(scene.loaded(STATE).impact(), Impact::Edits);
    let names: Vec<String> = scene.catalog.specs().into_iter().map(|spec| spec.name).collect();
    assert!(
        names.contains(&"memory_search".to_owned()) && names.contains(&"memory_save".to_owned())
    );
}

#[test]
fn impact_follows_from_the_functions_imported() {
    let import = |interface: &str, functions: &[&str]| Import {
        interface: interface.into(),
        version: Some("0.1.0".into()),
        functions: functions.iter().map(|function| (*function).to_owned()).collect(),
        class: Class::Capability(Profile::granting(interface)),
    };
    let of = |imports: &[Import]| impact(imports, &Grant::default());
    let kv = || import("hydroid:cap/kv", &["get", "set", "delete", "keys"]);
    let web = || import("hydroid:cap/web", &["fetch"]);
    assert_eq!(of(&[]), Impact::ReadOnly);
    assert_eq!(of(&[kv()]), Impact::ReadOnly, "its own keys are nothing of the person's");
    assert_eq!(of(&[import("hydroid:cap/memory", &["search"])]), Impact::ReadOnly);
    assert_eq!(of(&[import("hydroid:cap/scratchpad", &["read"])]), Impact::ReadOnly);
    for writing in ["save", "update", "delete", "added-later"] {
        let memory = || import("hydroid:cap/memory", &["search", writing]);
        assert_eq!(of(&[memory()]), Impact::Edits, "{writing}");
        assert_eq!(of(&[kv(), memory(), web()]), Impact::Edits, "{writing}, and the network");
    }
    assert_eq!(of(&[import("hydroid:cap/scratchpad", &["read", "write"])]), Impact::Edits);
    assert_eq!(of(&[kv(), web()]), Impact::Network);
    assert_eq!(of(&[import("hydroid:cap/schedules", &["list"])]), Impact::Changes);
}

#[tokio::test]
async fn without_the_grant_nothing_links() {
    let scene = scene(&[STATE], "");
    let entry = crate::grants::Entry {
        revoked: [Profile::State].into(),
        ..crate::grants::Entry::default()
    };
    scene.grants.lock().unwrap().components.insert(STATE.into(), entry);
    scene.catalog.refresh().unwrap();
    let refusal = scene.refusal(STATE);
    assert!(refusal.contains("hydroid component grant test-tool-state state"), "{refusal}");
    assert!(!refusal.contains("hydroid:cap/memory"), "{refusal}");
}

#[tokio::test]
async fn a_hit_from_a_secret_place_marks_the_call_and_others_do_not() {
    let scene = scene(&MEMORY, "");
    said(&scene, "memory_save", r#"{"text":"the salary is seven"}"#).await;
    for secret in [false, true] {
        *scene.records.secret.lock().unwrap() = secret;
        let context = context();
        let saw = context.secret.clone();
        let found = said_to(&scene, context, "memory_search", r#"{"query":"salary"}"#).await;
        assert!(found.contains("seven"), "{found}");
        assert_eq!(saw.is_set(), secret);
    }
}
