//! Texts a second that a model in a folder makes vectors of, natively: what the same work in a
//! component is compared with. It prints one line and keeps nothing.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The text of `host/wasm/benches/embedders.rs`.
const CHUNK: &str = "The scheduler keeps a queue for each priority and takes the oldest task of the highest one that is not empty. A task that has waited for longer than the bound is moved up by one, so that nothing starves; what was moved up is moved back once it ran. Deadlines are kept apart, in a heap, and looked at before the queues. When two tasks want the same lock, the one that holds it inherits the priority of the one that waits, and gives it back with the lock. Cancelling marks a task; it ends at the next point where it would have waited, and whoever waits for it is told. Nothing here allocates after the start: the slots are counted, and a submission beyond them waits.";

fn main() {
    let usual = concat!(env!("CARGO_MANIFEST_DIR"), "/../embedder-model2vec/model");
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| usual.to_owned()));
    let read = |name: &str| {
        std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let files = [read("tokenizer.json"), read("model.safetensors"), read("config.json")];
    let [tokenizer, model, config] = &files;
    let began = Instant::now();
    let table =
        model2vec::bake(model2vec::Files { tokenizer, model, config }).expect("this is a model");
    let baking = began.elapsed();
    let model = model2vec::Model::open(&table).expect("it was just made");
    let (mut count, began) = (0_u32, Instant::now());
    while began.elapsed() < Duration::from_secs(2) {
        black_box(model.vector(black_box(CHUNK)));
        count += 1;
    }
    let rate = f64::from(count) / began.elapsed().as_secs_f64();
    println!("laid out in {baking:?}, {rate:.0} texts a second");
}
