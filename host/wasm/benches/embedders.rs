//! What it costs to turn texts into vectors in a component: an instance that is kept against one
//! that begins anew, for a model that is a table inside the component and for one that is read
//! from files. Native rates are those of `cargo run --release -p model2vec --example rate` in
//! `components/`, since no crate here knows one of there.

#![expect(
    clippy::disallowed_methods,
    reason = "a bench reads built components and prepares a workspace"
)]

#[expect(dead_code, reason = "the scene has what the other benches need too")]
#[path = "scene/mod.rs"]
mod scene;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hydroid_core::id::UserId;
use hydroid_core::ports::{EmbedPurpose, Embedder};
use hydroid_wasm::InstalledEmbedder;
use scene::Scene;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

criterion_group! {
    name = embedders;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = embedding
}
criterion_main!(embedders);

/// A text as memory keeps them: some 640 characters.
const CHUNK: &str = "The scheduler keeps a queue for each priority and takes the oldest task of the highest one that is not empty. A task that has waited for longer than the bound is moved up by one, so that nothing starves; what was moved up is moved back once it ran. Deadlines are kept apart, in a heap, and looked at before the queues. When two tasks want the same lock, the one that holds it inherits the priority of the one that waits, and gives it back with the lock. Cancelling marks a task; it ends at the next point where it would have waited, and whoever waits for it is told. Nothing here allocates after the start: the slots are counted, and a submission beyond them waits.";

fn embedding(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime without threads can always be made");
    let config = folder_config();
    let scene =
        Scene::new(&["embedder-hash", "embedder-model2vec", "embedder-model2vec-folder"], &config);
    put_model(&scene.directory.path().join("workspace/shared/model"));
    for name in ["embedder-hash", "embedder-model2vec", "embedder-model2vec-folder"] {
        let embedder = InstalledEmbedder::new(scene.catalog.clone(), name);
        let embed = |user: &UserId, texts: usize| {
            let texts = vec![CHUNK.to_owned(); texts];
            let vectors =
                runtime.block_on(embedder.embed(user, texts, EmbedPurpose::Document, None));
            black_box(vectors.expect("the bench's own texts").len())
        };
        let mut group = criterion.benchmark_group(format!("embed/{name}"));
        let ann = UserId::new("ann");
        group.bench_function("one text, instance kept", |bencher| {
            bencher.iter(|| embed(&ann, 1));
        });
        // Instances are kept for two people at most, so the third never finds one.
        let users = ["ann", "ben", "cleo"].map(UserId::new);
        let mut turn = users.iter().cycle();
        group.bench_function("one text, instance anew", |bencher| {
            bencher.iter(|| embed(turn.next().expect("a cycle has no end"), 1));
        });
        group.throughput(Throughput::Elements(256));
        group.bench_function("256 texts", |bencher| bencher.iter(|| embed(&ann, 256)));
    }
}

/// The model that is inside `embedder-model2vec`, as files.
fn model() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../components/embedder-model2vec/model")
}

const FILES: [(&str, &str); 3] =
    [("config", "config.json"), ("model", "model.safetensors"), ("tokenizer", "tokenizer.json")];

fn folder_config() -> String {
    let mut config = "[components.embedder-model2vec-folder.config]\npath = \"/shared/model\"\n[components.embedder-model2vec-folder.config.sha256]\n".to_owned();
    for (key, file) in FILES {
        let bytes = std::fs::read(model().join(file)).expect("the model is committed");
        writeln!(config, "{key} = \"{}\"", hex::encode(Sha256::digest(bytes)))
            .expect("a string can be written to");
    }
    config
}

fn put_model(folder: &Path) {
    std::fs::create_dir_all(folder).expect("the workspace is writable");
    for (_, file) in FILES {
        std::fs::copy(model().join(file), folder.join(file)).expect("the model is committed");
    }
}
