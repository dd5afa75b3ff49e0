//! The import for skills: what reaches the session, what a component is told, and who has it.

use super::{Scene, built, context, scene_adapted, text};
use crate::component::digest;
use crate::grants::Entry;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::capability::Profile;
use hydroid_core::id::CallId;
use hydroid_core::message::Origin;
use hydroid_core::ports::{
    CallContext, ChildTask, NestedAnswer, NestedCalls, SessionSkills, SkillError, Tools,
};
use hydroid_core::skill::Skill;
use hydroid_core::tool::{Impact, ToolCall, ToolOutput};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A session that has one skill, `trip`.
#[derive(Clone, Default)]
struct Session {
    loaded: Arc<Mutex<bool>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Session {
    fn says(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
}

impl NestedCalls for Session {
    fn call(&self, _: String, _: String) -> BoxFuture<'_, NestedAnswer> {
        async { NestedAnswer { output: ToolOutput::text(""), denied: true, secret: false } }.boxed()
    }

    fn delegate(&self, _: ChildTask) -> BoxFuture<'_, NestedAnswer> {
        self.call(String::new(), String::new())
    }

    fn skills(&self) -> Option<&dyn SessionSkills> {
        Some(self)
    }
}

impl SessionSkills for Session {
    fn list(&self) -> BoxFuture<'_, Result<Vec<(Skill, bool)>, SkillError>> {
        let file = "---\nname: trip\ndescription: Plans trips.\nversion: 2\n---\nGo.";
        let loaded = *self.loaded.lock().unwrap();
        async move { Ok(vec![(Skill::parse("trip", file).unwrap(), loaded)]) }.boxed()
    }

    fn load(&self, name: String) -> BoxFuture<'_, Result<Vec<String>, SkillError>> {
        self.says(format!("load {name}"));
        let problem = match name.as_str() {
            "trip" => None,
            "denied" => Some(SkillError::Denied("not today".into())),
            "unfit" => Some(SkillError::Unfit("too long".into())),
            _ => Some(SkillError::NotFound("nowhere".into())),
        };
        *self.loaded.lock().unwrap() |= problem.is_none();
        async move { problem.map_or_else(|| Ok(vec!["a.md".to_owned()]), Err) }.boxed()
    }

    fn unload(&self, name: String) -> BoxFuture<'_, Result<(), SkillError>> {
        self.says(format!("unload {name}"));
        *self.loaded.lock().unwrap() = false;
        async { Ok(()) }.boxed()
    }

    fn read(
        &self,
        _: String,
        path: String,
        offset: u64,
        length: usize,
    ) -> BoxFuture<'_, Result<Vec<u8>, SkillError>> {
        let offset = usize::try_from(offset).unwrap();
        let file = match path.as_str() {
            "long.md" => "€".repeat(100_000).into_bytes(),
            "picture" => vec![0xff; 3000],
            _ => b"socks".to_vec(),
        };
        let piece = file.into_iter().skip(offset).take(length).collect();
        async move { Ok(piece) }.boxed()
    }
}

async fn call(scene: &Scene, session: Option<&Session>, tool: &str, arguments: Value) -> String {
    let id = CallId::new("c");
    let call = ToolCall { id: id.clone(), name: tool.into(), arguments: arguments.to_string() };
    let nested = session.map(|session| Arc::new(session.clone()) as Arc<dyn NestedCalls>);
    let context = CallContext { call: Some(id), nested, ..context() };
    text(&scene.catalog.run(scene.catalog.check(&call).unwrap(), context).await)
}

fn scene() -> Scene {
    scene_adapted(&["tool-skills", "tool-delegate", "test-tool-invoke"], "", &[], |_| {})
}

#[tokio::test]
async fn the_tools_of_the_release_do_what_they_say() {
    let scene = scene();
    let session = Session::default();
    let named = |name: &str| json!({ "name": name });
    let loaded = call(&scene, Some(&session), "skill_load", named("trip")).await;
    assert!(loaded.contains("`trip` is loaded") && loaded.contains("a.md"), "{loaded}");
    let list = async |words: Value| call(&scene, Some(&session), "skill_list", words).await;
    assert_eq!(list(json!({})).await, "- trip (loaded): Plans trips.");
    assert_eq!(list(json!({ "words": "TRIP plan" })).await, "- trip (loaded): Plans trips.");
    assert_eq!(list(json!({ "words": "zoo" })).await, "there is no such skill");
    let file = async |file: &str| {
        call(&scene, Some(&session), "skill_read", json!({ "name": "trip", "file": file })).await
    };
    assert_eq!(file("a.md").await, "socks");
    let long = file("long.md").await;
    assert!(long.starts_with("€€") && !long.contains('\u{fffd}'));
    assert!(long.ends_with("[the file goes on; call again with `offset` 24576]"), "{long}");
    let rest = json!({ "name": "trip", "file": "long.md", "offset": 299_997 });
    assert_eq!(call(&scene, Some(&session), "skill_read", rest).await, "€");
    let beyond = json!({ "name": "trip", "file": "a.md", "offset": 9 });
    assert!(call(&scene, Some(&session), "skill_read", beyond).await.contains("has no byte 9"));
    assert!(file("picture").await.contains("is no text"));
    let unloaded = call(&scene, Some(&session), "skill_unload", named("trip")).await;
    assert_eq!(unloaded, "`trip` is unloaded.");
    assert_eq!(*session.asked.lock().unwrap(), ["load trip", "unload trip"]);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason_and_nothing_happens_without_a_conversation() {
    let scene = scene();
    let session = Session::default();
    for (name, expect) in [("denied", "not today"), ("unfit", "too long"), ("x", "nowhere")] {
        let said = call(&scene, Some(&session), "skill_load", json!({ "name": name })).await;
        assert!(said.contains(expect), "{said}");
    }
    let long = json!({ "name": "x".repeat(2000) });
    let said = call(&scene, Some(&session), "skill_load", long).await;
    assert!(said.contains("at most 1024 bytes"), "{said}");
    assert_eq!(session.asked.lock().unwrap().len(), 3);
    let said = call(&scene, None, "skill_load", json!({ "name": "trip" })).await;
    assert!(said.contains("there is no conversation here"), "{said}");
}

#[tokio::test]
async fn what_the_tools_of_the_release_say_of_skills_is_trusted_and_that_of_others_is_not() {
    let scene = scene();
    let loaded = scene.loaded("tool-skills");
    assert_eq!((loaded.impact(), loaded.origin_of(&[])), (Impact::ReadOnly, Origin::Skill));
    let about = |name: &str| {
        scene.catalog.specs().iter().find(|spec| spec.name == name).map(|spec| spec.about_skills)
    };
    assert_eq!((about("skill_load"), about("delegate")), (Some(true), Some(false)));
    let scene = scene_adapted(&["tool-delegate"], "", &[], |_| {});
    let folder = scene.directory.path().join("components");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("mine.wasm"), built("tool-skills")).unwrap();
    let entry = Entry {
        digest: digest(&built("tool-skills")),
        profiles: [Profile::Skills].into(),
        ..Entry::default()
    };
    scene.grants.lock().unwrap().components.insert("tool-skills".into(), entry);
    scene.catalog.refresh().unwrap();
    assert_eq!(scene.loaded("tool-skills").origin_of(&[]), Origin::Unknown);
}

#[tokio::test]
async fn no_component_and_no_child_turn_is_given_them() {
    let scene = scene();
    let session = Session::default();
    let relay = json!({ "tool": "skill_load", "arguments": "{\"name\":\"trip\"}", "times": 1 });
    let said = call(&scene, Some(&session), "relay", relay).await;
    assert!(!session.asked.lock().unwrap().iter().any(|asked| asked == "load trip"), "{said}");
    let task = json!({ "task": "x", "tools": ["skill_load"] });
    let said = call(&scene, Some(&session), "delegate", task).await;
    assert!(said.contains("only its own model loads and unloads"), "{said}");
}
