//! One component calling tools of others, or having child turns that do: with what both may do and no more, at the expense of the
//! outer call, and never in a circle.

use super::{Scene, built, context, scene_adapted, text};
use crate::component::digest;
use crate::grants::Entry;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::capability::Profile;
use hydroid_core::id::{CallId, ComponentId};
use hydroid_core::manifest::{Manifest, Want};
use hydroid_core::message::{Label, Origin, Trust};
use hydroid_core::ports::{CallContext, ChildTask, NestedAnswer, NestedCalls, Tools};
use hydroid_core::tool::{Impact, ToolCall, ToolOutput};
use serde_json::json;
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const INVOKE: &str = "test-tool-invoke";

/// Both kinds of them, the second under another name.
const TWO: &str = "[components.test-tool-invoke-two.config]\nsecond = true\n";

/// A session that allows everything but one tool, each after a while.
#[derive(Clone)]
struct Session {
    catalog: Arc<crate::Catalog>,
    parent: CallId,
    asked: Arc<AtomicU32>,
    denies: &'static str,
    thinks: Duration,
    /// What happens while a child turn works.
    meanwhile: Option<Arc<dyn Fn() + Send + Sync>>,
    /// What its child turns were to do.
    tasks: Arc<Mutex<Vec<ChildTask>>>,
}

impl NestedCalls for Session {
    fn call(&self, tool: String, arguments: String) -> BoxFuture<'_, NestedAnswer> {
        async move {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            let id = CallId::new(format!("{}.{number}", self.parent));
            let denied = tool == self.denies;
            let call = ToolCall { id: id.clone(), name: tool, arguments };
            tokio::time::sleep(self.thinks).await;
            let output = match self.catalog.check(&call) {
                Err(problem) => ToolOutput::error(problem),
                Ok(_) if denied => ToolOutput::error("denied: not today"),
                Ok(mut checked) => {
                    checked.parent = Some(self.parent.clone());
                    self.catalog.run(checked, self.context(id)).await
                }
            };
            NestedAnswer { output, denied, secret: false }
        }
        .boxed()
    }

    /// Calls each of its tools once, with the task for arguments, and says what came of them.
    fn delegate(&self, task: ChildTask) -> BoxFuture<'_, NestedAnswer> {
        async move {
            self.tasks.lock().unwrap().push(task.clone());
            if let Some(meanwhile) = &self.meanwhile {
                meanwhile();
            }
            let mut said = Vec::new();
            for tool in task.tools {
                let answer = self.call(tool, task.prompt.clone()).await;
                said.push(text(&answer.output));
            }
            let output = ToolOutput::text(said.join("; "));
            NestedAnswer { output, denied: false, secret: false }
        }
        .boxed()
    }
}

impl Session {
    fn of(scene: &Scene) -> Self {
        Self {
            catalog: scene.catalog.clone(),
            parent: CallId::new("c"),
            asked: Arc::default(),
            denies: "",
            thinks: Duration::ZERO,
            meanwhile: None,
            tasks: Arc::default(),
        }
    }

    fn context(&self, id: CallId) -> CallContext {
        let nested = Self { parent: id.clone(), ..self.clone() };
        CallContext { call: Some(id), nested: Some(Arc::new(nested)), ..context() }
    }

    /// What `relay` says of a call.
    async fn relays(&self, tool: &str, arguments: serde_json::Value) -> String {
        self.relays_often(tool, arguments, 1).await
    }

    /// What a tool says that starts a child turn.
    async fn hands_on(&self, tool: &str, arguments: serde_json::Value) -> String {
        let call =
            ToolCall { id: CallId::new("c"), name: tool.into(), arguments: arguments.to_string() };
        let checked = self.catalog.check(&call).unwrap();
        text(&self.catalog.run(checked, self.context(CallId::new("c"))).await)
    }

    async fn relays_often(&self, tool: &str, arguments: serde_json::Value, times: u32) -> String {
        let arguments = json!({ "tool": tool, "arguments": arguments.to_string(), "times": times });
        let call = ToolCall {
            id: CallId::new("c"),
            name: "relay".into(),
            arguments: arguments.to_string(),
        };
        let checked = self.catalog.check(&call).unwrap();
        text(&self.catalog.run(checked, self.context(CallId::new("c"))).await)
    }
}

/// A host that has these and two that call.
fn scene(names: &[&str], config: &str, adapt: impl Fn(&mut Manifest)) -> Scene {
    let names: Vec<&str> = [INVOKE, INVOKE].into_iter().chain(names.iter().copied()).collect();
    let second = Cell::new(false);
    let scene = scene_adapted(&names, &format!("{TWO}{config}"), &[], |manifest| {
        if manifest.name.as_str() == INVOKE && second.replace(true) {
            manifest.name = ComponentId::new("test-tool-invoke-two");
        }
        adapt(manifest);
    });
    // The second of them is none of the release, so it has what somebody granted it.
    let entry = Entry {
        digest: digest(&built(INVOKE)),
        profiles: [Profile::Invoke, Profile::FileReadOnly].into(),
        ..Entry::default()
    };
    scene.grants.lock().unwrap().components.insert("test-tool-invoke-two".into(), entry);
    scene.catalog.refresh().unwrap();
    scene
}

fn wants(manifest: &mut Manifest, profile: Profile) {
    if manifest.name.as_str().starts_with(INVOKE) {
        let want = Want {
            reason: "test".into(),
            hosts: vec!["http://127.0.0.1:9".into()],
            ..Want::default()
        };
        manifest.wants.insert(profile, want);
    }
}

fn file(path: &str) -> serde_json::Value {
    json!({ "path": path })
}

#[tokio::test]
async fn a_tool_that_was_granted_is_called_and_answers() {
    let scene = scene(&["tool-files-read"], "", |_| {});
    std::fs::write(scene.shared().join("a.md"), "one two").unwrap();
    let said = Session::of(&scene).relays("file_read", file("/shared/a.md")).await;
    assert!(said.starts_with("ok: ") && said.contains("one two"), "{said}");
    let said = Session::of(&scene).relays("file_read", file("/shared/none.md")).await;
    assert!(said.starts_with("ErrorKind::Other: "), "{said}");
    let loaded = scene.loaded(INVOKE);
    assert_eq!(loaded.impact(), Impact::ReadOnly, "each call is decided on by itself");
    assert_eq!(loaded.origin_of(&[]), Origin::Unknown);
    assert!(loaded.reach().calls_tools);
}

#[tokio::test]
async fn what_was_not_granted_or_is_not_there_is_asked_of_nobody() {
    let names = ["tool-files-write", "test-tool-state", "tool-vault-read", "tool-vault-write"];
    let scene = scene(&names, "", |_| {});
    for (tool, arguments, expect) in [
        (
            "file_delete",
            file("/shared/a"),
            "may not call the tool `file_delete`: it was granted echo,",
        ),
        ("web_fetch", json!({}), "NotFound: there is no tool `web_fetch`"),
        ("relay", json!({}), "which is being called already (`test-tool-invoke`)"),
        (
            "file_write",
            json!({"path": "a", "content": "x"}),
            "`test-tool-invoke` may not call `file_write`, which could do more than itself: it imports `hydroid:cap/fs-write@0.1.0` {",
        ),
        (
            "state_set",
            json!({"key": "a", "text": "x"}),
            "`hydroid component grant test-tool-invoke state`",
        ),
        (
            "vault_copyto",
            json!({"source": "a", "destination": "/shared/a"}),
            "which a person approves each time, so no component calls it",
        ),
    ] {
        let session = Session::of(&scene);
        let said = session.relays(tool, arguments).await;
        assert!(said.contains(expect), "{tool}: {said}");
        assert_eq!(session.asked.load(Ordering::Relaxed), 0, "{tool}");
    }
    assert!(!scene.shared().join("a").exists());
}

#[tokio::test]
async fn outside_of_a_session_no_other_tool_is_called() {
    let scene = scene(&["tool-files-read"], "", |_| {});
    let output = scene.call("relay", r#"{"tool":"file_read","arguments":"{}"}"#).await;
    assert!(text(&output).contains("no other tool can be called here"), "{output:?}");
}

#[tokio::test]
async fn the_one_that_is_called_may_do_what_both_may() {
    let both = |manifest: &mut Manifest| wants(manifest, Profile::FileReadWrite);
    let scene = scene(&["tool-files-write"], "", both);
    let said = Session::of(&scene)
        .relays("file_write", json!({"path": "/shared/a.md", "content": "written"}))
        .await;
    assert!(said.starts_with("ok: "), "{said}");
    assert_eq!(std::fs::read_to_string(scene.shared().join("a.md")).unwrap(), "written");
    // Every subset of what the caller may do: the call runs exactly when all is in it that the
    // callee imports.
    let callee = scene.loaded("tool-files-write");
    for profiles in [&[][..], &[Profile::FileReadOnly], &[Profile::Web], &[Profile::FileReadWrite]]
    {
        let caller = hydroid_core::capability::Grant {
            profiles: profiles.iter().copied().collect(),
            ..Default::default()
        };
        let left = callee.grant().called_by(&ComponentId::new("x"), &caller);
        let refused = crate::check::refusals(callee.name(), &callee.imports, &left);
        assert_eq!(refused.is_empty(), profiles == [Profile::FileReadWrite], "{profiles:?}");
    }
}

#[tokio::test]
async fn a_request_needs_both_grants_and_the_denial_names_who_lacks_it() {
    let address = "127.0.0.1:9";
    let config = format!("[egress]\nallow_private = [\"{address}\"]\n");
    let both = |manifest: &mut Manifest| {
        wants(manifest, Profile::Web);
        if let Some(want) = manifest.wants.get_mut(&Profile::Web) {
            want.hosts.push(format!("http://{address}"));
        }
    };
    let scene = scene(&["tool-web"], &config, both);
    let session = Session::of(&scene);
    let said = session.relays("web_fetch", json!({"url": "https://example.com/"})).await;
    assert!(
        said.contains("`hydroid component grant test-tool-invoke web --host example.com`"),
        "{said}"
    );
    let said = session.relays("web_fetch", json!({"url": format!("http://{address}/")})).await;
    assert!(!said.contains("hydroid component grant"), "allowed, though nobody listens: {said}");
}

#[tokio::test]
async fn what_is_denied_is_an_error_that_the_caller_reads() {
    let scene = scene(&["tool-files-read"], "", |_| {});
    let session = Session { denies: "file_read", ..Session::of(&scene) };
    let said = session.relays("file_read", file("/shared/a.md")).await;
    assert_eq!(said, "ErrorKind::Denied: denied: not today");
}

#[tokio::test]
async fn calls_go_no_deeper_and_no_wider_than_is_allowed() {
    let deeper = json!({
        "tool": "file_read",
        "arguments": r#"{"path":"/shared/a.md"}"#,
    });
    for (config, expect) in [
        ("", "ok: ok: "),
        ("[limits]\nnesting = 1\n", "`limits.nesting` is 1"),
        ("[limits]\nnested_calls = 1\n", "no more are allowed by `limits.nested_calls`"),
    ] {
        let scene = scene(&["tool-files-read"], config, |_| {});
        std::fs::write(scene.shared().join("a.md"), "one two").unwrap();
        let said = Session::of(&scene).relays("two_relay", deeper.clone()).await;
        assert!(said.contains(expect), "{config}: {said}");
    }
    let scene = scene(&["test-tool-pure"], "[limits]\nnested_calls = 3\nnesting = 0\n", |_| {});
    let said = Session::of(&scene).relays("echo", json!({"text": "x"})).await;
    assert!(said.contains("`limits.nesting` is 0"), "{said}");
}

#[tokio::test]
async fn a_circle_through_another_one_is_refused() {
    let scene = scene(&[], "", |_| {});
    let back = json!({ "tool": "relay", "arguments": "{}" });
    let said = Session::of(&scene).relays("two_relay", back).await;
    let expect = "being called already (`test-tool-invoke` → `test-tool-invoke-two`)";
    assert!(said.contains(expect), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_the_inner_call_is_the_outer_ones_and_a_persons_is_not() {
    let scene = scene(&["test-tool-pure"], "[limits]\ncall = \"2s\"\n", |_| {});
    let session = Session { thinks: Duration::from_secs(3), ..Session::of(&scene) };
    let said = session.relays("echo", json!({"text": "x"})).await;
    assert!(said.starts_with("ok: "), "a person thought for longer than a call may take: {said}");
    // The inner one has what the outer one has left, and the outer one nothing afterwards.
    let began = Instant::now();
    let said = Session::of(&scene).relays_often("spin", json!({}), 9).await;
    assert!(said.contains("it took longer than"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn calls_into_the_host_and_memory_are_counted_against_the_outer_call() {
    let scene = scene(&["test-tool-pure"], "[limits]\nhost_calls = 300\n", |_| {});
    let flood = json!({ "count": 100 });
    let said = Session::of(&scene).relays_often("log_flood", flood.clone(), 1).await;
    assert!(said.starts_with("ok: "), "{said}");
    let said = Session::of(&scene).relays_often("log_flood", flood, 4).await;
    assert!(said.contains("called the host more than"), "{said}");

    let scene = self::scene(&["test-tool-pure"], "[limits]\nmemory = \"32MiB\"\n", |_| {});
    let said = Session::of(&scene).relays("grow_memory", json!({"megabytes": 8})).await;
    assert!(said.starts_with("ok: "), "{said}");
    // What the outer one holds is taken from what the inner one may have.
    let said = Session::of(&scene).relays("grow_memory", json!({"megabytes": 40})).await;
    assert!(said.contains("more memory than its") && !said.contains("its 32MiB"), "{said}");
}

#[tokio::test]
async fn a_call_whose_caller_has_ended_does_not_run() {
    let scene = scene(&["tool-files-read"], "", |_| {});
    let call = ToolCall {
        id: CallId::new("x"),
        name: "file_read".into(),
        arguments: file("/shared/a.md").to_string(),
    };
    let mut checked = scene.catalog.check(&call).unwrap();
    checked.parent = Some(CallId::new("gone"));
    let output = scene.catalog.run(checked, context()).await;
    assert!(output.is_error && text(&output).contains("has ended"), "{output:?}");
}

#[tokio::test]
async fn no_component_keeps_more_than_its_quota() {
    let quota = |manifest: &mut Manifest| {
        if let Some(want) = manifest.wants.get_mut(&Profile::State) {
            want.quota = Some("1KiB".parse().unwrap());
        }
    };
    let scene = scene(&["test-tool-state"], "", quota);
    let kept = scene.call("state_set", r#"{"key":"a","text":"x","times":1023}"#).await;
    assert_eq!(text(&kept), "set");
    let full = scene.call("state_set", r#"{"key":"b","text":"x"}"#).await;
    let expect = "may keep 1024 bytes and has 1024";
    assert!(full.is_error && text(&full).contains(expect), "{full:?}");
}

#[tokio::test]
async fn a_child_turn_calls_with_what_the_called_one_has() {
    let names = ["tool-delegate", "tool-files-read", "test-tool-pure"];
    let scene = scene_adapted(&names, "", &[], |_| {});
    std::fs::write(scene.shared().join("a.md"), "one two").unwrap();
    let session = Session::of(&scene);
    let task = file("/shared/a.md").to_string();
    // The component that delegates reads no files itself.
    let asked = json!({ "task": task, "tools": ["file_read"], "max_steps": 3 });
    let said = session.hands_on("delegate", asked).await;
    assert!(said.contains("one two"), "{said}");
    let tasks = session.tasks.lock().unwrap().clone();
    assert_eq!((tasks[0].max_steps, tasks[0].author.clone()), (Some(3), Label::host()));
    // Without names it has all there are, and not what starts further ones.
    session.hands_on("delegate", json!({ "task": task })).await;
    let tools = session.tasks.lock().unwrap()[1].tools.clone();
    assert!(tools.contains("file_list") && tools.contains("echo"), "{tools:?}");
    assert!(!tools.contains("delegate"), "{tools:?}");
    let loaded = scene.loaded("tool-delegate");
    assert_eq!(loaded.impact(), Impact::ReadOnly, "each call is decided on by itself");
    assert_eq!(loaded.origin_of(&[]), Origin::Unknown);
    assert!(loaded.reach().calls_tools);
}

#[tokio::test]
async fn a_child_turn_has_no_tool_that_was_not_granted_to_it() {
    let names = [
        "test-tool-delegate",
        "tool-delegate",
        "tool-files-read",
        "tool-files-write",
        "tool-vault-read",
        "tool-vault-write",
        "test-tool-pure",
    ];
    let scene = scene_adapted(&names, "", &[], |_| {});
    for (arguments, expect) in [
        (
            json!({ "tools": ["file_write"] }),
            "`hydroid component grant test-tool-delegate delegate --tool file_write`",
        ),
        (
            json!({ "tools": ["file_reed"] }),
            "NotFound: there is no tool `file_reed` (did you mean `file_read`?)",
        ),
        (
            json!({ "tools": ["delegate"] }),
            "`delegate` starts child turns, and only the turn itself does",
        ),
        (json!({ "tools": ["hand_on"] }), "`hand_on` starts child turns"),
        (json!({ "tools": ["vault_copyto"] }), "which a person approves each time"),
        (json!({ "agent": "other" }), "NotFound: there is no agent `other`"),
        (
            json!({ "options": "{\"max_stepz\":1}" }),
            "InvalidInput: the options are not what can be set: unknown field `max_stepz`",
        ),
        (json!({ "options": "{\"max_steps\":0}" }), "`max_steps` is at least 1"),
        (
            json!({ "options": format!("{{\"max_steps\":{}1}}", " ".repeat(5000)) }),
            "TooLarge: the options",
        ),
        (json!({ "task": "  " }), "InvalidInput: the task is empty"),
        (json!({ "task": "xxxxxxxx", "times": 40_000 }), "TooLarge: the task has more than"),
        (json!({ "tools": vec!["echo"; 300] }), "TooLarge: more than 256 tools"),
    ] {
        let session = Session::of(&scene);
        let mut asked = json!({ "task": "x" });
        asked.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
        let said = session.hands_on("hand_on", asked.clone()).await;
        assert!(said.contains(expect), "{asked}: {said}");
        assert!(session.tasks.lock().unwrap().is_empty(), "{asked}");
    }
    // `*` is what was granted, and a session that calls something else is refused it.
    let session = Session::of(&scene);
    let said = session.hands_on("hand_on", json!({ "task": "{}", "tools": ["*"] })).await;
    assert!(said.starts_with("ok: "), "{said}");
    let tools = session.tasks.lock().unwrap()[0].tools.clone();
    assert_eq!(tools.into_iter().collect::<Vec<_>>(), ["echo", "file_read"]);
}

#[tokio::test]
async fn the_tasks_of_a_component_of_others_are_nobodys_order() {
    let asked = json!({ "task": "{}", "tools": ["echo"] });
    let scene = scene_adapted(&["test-tool-delegate", "test-tool-pure"], "", &[], |_| {});
    let session = Session::of(&scene);
    session.hands_on("hand_on", asked.clone()).await;
    assert_eq!(session.tasks.lock().unwrap()[0].author, Label::host());

    let scene = scene_adapted(&["test-tool-pure"], "", &[], |_| {});
    let folder = scene.directory.path().join("components");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("mine.wasm"), built("test-tool-delegate")).unwrap();
    let entry = Entry {
        digest: digest(&built("test-tool-delegate")),
        profiles: [Profile::Delegate].into(),
        ..Entry::default()
    };
    scene.grants.lock().unwrap().components.insert("test-tool-delegate".into(), entry);
    scene.catalog.refresh().unwrap();
    let session = Session::of(&scene);
    session.hands_on("hand_on", asked).await;
    let author = session.tasks.lock().unwrap()[0].author.clone();
    assert_eq!(author.trust, Trust::Untrusted, "{author:?}");
}

#[tokio::test]
async fn what_is_taken_back_while_a_child_turn_works_is_gone_for_it() {
    for (change, tool) in [
        (Entry { revoked: [Profile::Delegate].into(), ..Entry::default() }, "file_list"),
        (
            Entry {
                profiles: [Profile::Delegate].into(),
                tools: ["file_read".to_owned()].into(),
                ..Entry::default()
            },
            "file_list",
        ),
    ] {
        let scene = scene_adapted(&["tool-delegate", "tool-files-read"], "", &[], |_| {});
        let (grants, catalog) = (scene.grants.clone(), scene.catalog.clone());
        let meanwhile = move || {
            grants.lock().unwrap().components.insert("tool-delegate".into(), change.clone());
            catalog.refresh().unwrap();
        };
        let session = Session { meanwhile: Some(Arc::new(meanwhile)), ..Session::of(&scene) };
        let said = session.hands_on("delegate", json!({ "task": "{}", "tools": [tool] })).await;
        assert!(said.contains("`hydroid component grant tool-delegate delegate --tool"), "{said}");
    }
}

#[tokio::test]
async fn a_child_turn_causes_no_more_calls_than_may_be_caused() {
    let scene = scene_adapted(
        &["tool-delegate", "tool-files-read", "tool-time"],
        "[limits]\nnested_calls = 2\n",
        &[],
        |_| {},
    );
    let session = Session::of(&scene);
    let tools = ["file_list", "time_now"];
    let said = session.hands_on("delegate", json!({ "task": "{}", "tools": tools })).await;
    assert!(said.contains("no more are allowed by `limits.nested_calls`"), "{said}");
}
