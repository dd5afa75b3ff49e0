//! Components that are installed, upgraded, rolled back, revoked and removed while calls are
//! under way, and what is pinned.

use super::{Scene, built, context, scene, text};
use crate::component::digest;
use crate::grants::Entry;
use crate::shipping::Pinned;
use hydroid_core::capability::Profile;
use hydroid_core::id::CallId;
use hydroid_core::ports::{CancelFlag, Tools};
use hydroid_core::tool::{ToolCall, ToolOutput};
use tokio::task::JoinHandle;

/// What a call says that was cancelled, in the component as it is built.
const FIRST: &str = "the call was cancelled";

/// The same in the version after it.
const SECOND: &str = "the call was CANCELLED";

/// How many calls run.
const CALLS: usize = 50;

/// A version of the component: the first, or one that says another thing.
fn version(number: u8) -> Vec<u8> {
    let wasm = built("test-tool-pure");
    if number == 1 {
        return wasm;
    }
    let wasm = replaced(&wasm, FIRST.as_bytes(), SECOND.as_bytes());
    replaced(&wasm, b"version = \"0.1.0\"", format!("version = \"0.{number}.0\"").as_bytes())
}

/// The bytes with one text in place of another of the same length.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, from).collect();
    assert!(!places.is_empty(), "the component does not have the text that is changed");
    for place in places {
        bytes[place..place + to.len()].copy_from_slice(to);
    }
    bytes
}

fn put(scene: &Scene, wasm: &[u8]) {
    let folder = scene.directory.path().join("components");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("pure.wasm"), wasm).unwrap();
    scene.catalog.refresh().unwrap();
}

fn pin(scene: &Scene, digest: String, distrusted: Option<&str>) {
    let pinned = Pinned { digest, distrusted: distrusted.map(str::to_owned) };
    scene.grants.lock().unwrap().pinned.insert("test-tool-pure".into(), pinned);
    scene.catalog.refresh().unwrap();
}

/// Starts calls that end when they are cancelled, and then say by which version.
fn begin(scene: &'static Scene, cancel: &CancelFlag) -> Vec<JoinHandle<ToolOutput>> {
    let call =
        ToolCall { id: CallId::new("c"), name: "wait_cancel".into(), arguments: "{}".into() };
    let checked = scene.catalog.check(&call).expect("the tool is there");
    let start = |_| {
        let context = hydroid_core::ports::CallContext { cancel: cancel.clone(), ..context() };
        tokio::spawn(scene.catalog.run(checked.clone(), context))
    };
    (0..CALLS).map(start).collect()
}

async fn said(calls: Vec<JoinHandle<ToolOutput>>) -> Vec<String> {
    let mut said = Vec::new();
    for call in calls {
        said.push(text(&call.await.unwrap()));
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_ends_on_the_version_it_began_with() {
    // Calls that run on other threads outlive the scope of a borrow.
    let scene: &'static Scene = Box::leak(Box::new(scene(&[], "[limits]\ncall = \"5m\"\n")));
    let all = |text: &str| vec![format!("cancelled: {text}"); CALLS];

    put(scene, &version(1));
    let old = CancelFlag::default();
    let on_the_first = begin(scene, &old);

    put(scene, &version(2));
    let new = CancelFlag::default();
    let on_the_second = begin(scene, &new);
    old.cancel();
    assert_eq!(said(on_the_first).await, all(FIRST));

    // Back to the version before, while the newer one is in use.
    put(scene, &version(1));
    let back = CancelFlag::default();
    let on_the_first = begin(scene, &back);
    new.cancel();
    assert_eq!(said(on_the_second).await, all(SECOND));

    // What is no longer trusted begins nothing, and removing takes away nothing that runs.
    pin(scene, digest(&version(1)), Some("acme"));
    assert!(scene.refusal("test-tool-pure").contains("`acme`, which is not trusted any more"));
    assert!(scene.call("wait_cancel", "{}").await.is_error);
    std::fs::remove_file(scene.directory.path().join("components/pure.wasm")).unwrap();
    scene.catalog.refresh().unwrap();
    assert!(scene.catalog.specs().is_empty());
    back.cancel();
    assert_eq!(said(on_the_first).await, all(FIRST));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_taken_back_ends_no_call_and_lets_none_begin() {
    let scene: &'static Scene = Box::leak(Box::new(scene(&[], "[limits]\ncall = \"5m\"\n")));
    let wasm = built("test-tool-files");
    let entry = Entry {
        digest: digest(&wasm),
        profiles: [Profile::FileReadOnly].into(),
        ..Entry::default()
    };
    scene.grants.lock().unwrap().components.insert("test-tool-files".into(), entry);
    put(scene, &wasm);
    let arguments = r#"{"path":"/shared/x"}"#;
    std::fs::write(scene.shared().join("x"), "here").unwrap();
    let call =
        ToolCall { id: CallId::new("c"), name: "path_escape".into(), arguments: arguments.into() };
    let checked = scene.catalog.check(&call).expect("the tool is there");
    let running: Vec<_> =
        (0..CALLS).map(|_| tokio::spawn(scene.catalog.run(checked.clone(), context()))).collect();
    scene.grants.lock().unwrap().components.clear();
    scene.catalog.refresh().unwrap();
    for said in said(running).await {
        assert!(said.contains("here"), "{said}");
    }
    let late = scene.catalog.run(checked, context()).await;
    assert!(late.is_error && text(&late).contains("removed or replaced"), "{late:?}");
}

#[tokio::test]
async fn only_what_is_pinned_is_loaded() {
    let scene = scene(&[], "");
    pin(&scene, digest(&version(1)), None);
    put(&scene, &version(1));
    assert!(!scene.call("echo", r#"{"text":"x"}"#).await.is_error);
    put(&scene, &version(2));
    let refusal = scene.refusal("test-tool-pure");
    assert!(refusal.contains("is pinned in `components.lock`"), "{refusal}");
    assert!(scene.call("echo", r#"{"text":"x"}"#).await.is_error);
    pin(&scene, digest(&version(2)), None);
    assert!(!scene.call("echo", r#"{"text":"x"}"#).await.is_error);
}

#[tokio::test]
async fn a_running_host_looks_when_a_change_is_whole() {
    let scene = scene(&[], "");
    let folder = scene.directory.path().join("components");
    std::fs::create_dir_all(&folder).unwrap();
    let marker = folder.join(crate::catalog::CHANGING);
    std::fs::write(&marker, "").unwrap();
    std::fs::write(folder.join("pure.wasm"), version(1)).unwrap();
    // Longer than between two looks of its own; that nothing is seen has no event to wait for.
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert!(scene.catalog.specs().is_empty());
    std::fs::remove_file(&marker).unwrap();
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while scene.catalog.specs().is_empty() {
        assert!(tokio::time::Instant::now() < until, "it does not look");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
