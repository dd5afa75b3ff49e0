//! What it costs to compile, load and call a component, by criterion. Not the whole picture: the
//! `load` bench has percentiles, streams, memory and deadlines.

#![expect(
    clippy::disallowed_methods,
    reason = "a bench reads built components and prepares a workspace"
)]

#[path = "bare/mod.rs"]
mod bare;
#[path = "scene/mod.rs"]
mod scene;

use bare::Bare;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hydroid_core::ports::Tools;
use hydroid_wasm::cache::{CompiledCache, Origin};
use hydroid_wasm::component;
use scene::{CONFIG, ENGINE, Scene};
use std::hint::black_box;
use std::time::Duration;

criterion_group! {
    name = components;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = loading, calling
}
criterion_main!(components);

/// Compiling against reading compiled code, and the whole way to a component that can be called:
/// read, check, link, ask for its tools, prepare their schemas.
fn loading(criterion: &mut Criterion) {
    for name in scene::released() {
        let mut group = criterion.benchmark_group(format!("load/{name}"));
        let wasm = scene::built(&name);
        let digest = component::digest(&wasm);
        let hex = digest.trim_start_matches("sha256:");
        group.bench_function("compile", |bencher| {
            bencher.iter_batched(
                || tempfile::tempdir().expect("a temporary directory"),
                |directory| {
                    let cache = CompiledCache::open(directory.path().to_owned(), 1 << 30)
                        .expect("an empty directory takes a cache");
                    let got = cache.get(&ENGINE, hex, || Ok(wasm.clone())).expect("it compiles");
                    assert_eq!(got.1, Origin::Compiled);
                    (got, directory)
                },
                BatchSize::PerIteration,
            );
        });
        let cache = scene::cache();
        cache.get(&ENGINE, hex, || Ok(wasm.clone())).expect("it compiles");
        group.bench_function("cached", |bencher| {
            bencher.iter(|| {
                let got =
                    cache.get(&ENGINE, hex, || panic!("it is in the cache")).expect("it loads");
                assert_eq!(got.1, Origin::Cached);
                got
            });
        });
        let scene = Scene::new(&[&name], if name == "provider-replay" { CONFIG } else { "" });
        group.bench_function("ready", |bencher| bencher.iter(|| scene.load_again()));
    }
}

/// A fresh store for each call: ours, and bare wasmtime's; then one instance kept.
fn calling(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime without threads can always be made");
    let scene = Scene::new(&["test-tool-pure", "test-tool-files", "tool-files-read"], "");
    let note = scene.note("one\ntwo\nthree\n");
    let shared = note.parent().expect("a file has a directory");
    for (group, component, tool, arguments) in [
        ("echo", "test-tool-pure", "echo", r#"{"text":"hello"}"#),
        (
            "two-host-calls",
            "test-tool-files",
            "hostcall_flood",
            r#"{"path":"/shared/note.txt","count":2}"#,
        ),
        ("file-read", "tool-files-read", "file_read", r#"{"path":"/shared/note.txt"}"#),
    ] {
        let mut group = criterion.benchmark_group(format!("call/{group}"));
        let checked = scene.checked(tool, arguments);
        group.bench_function("hydroid", |bencher| {
            bencher.iter(|| {
                let output = runtime.block_on(scene.catalog.run(checked.clone(), scene::context()));
                black_box(scene::text(&output).len())
            });
        });
        let bare = Bare::new(component, shared);
        group.bench_function("bare", |bencher| {
            bencher.iter(|| black_box(runtime.block_on(bare.call(tool, arguments))));
        });
        let mut kept = runtime.block_on(bare.keep());
        group.bench_function("bare-kept", |bencher| {
            bencher.iter(|| black_box(runtime.block_on(kept.call(tool, arguments))));
        });
    }
}
