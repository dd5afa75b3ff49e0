//! From a component's bytes to something callable: compiled, read from the cache, and made ready
//! (read, checked, linked, asked for its tools, their schemas prepared).

use crate::scene::{self, CONFIG, ENGINE, Scene};
use crate::table::{Row, Samples, Table, ratio, shown};
use hydroid_wasm::cache::{CompiledCache, Origin};
use hydroid_wasm::component;
use std::time::{Duration, Instant};

/// Loads from the cache; compiling is done once, it takes long enough to be told apart.
const ROUNDS: usize = 50;

/// Reading compiled code.
const AIM: Duration = Duration::from_micros(200);

/// Adds two rows for each component of the release.
pub(crate) fn measure(table: &mut Table) {
    for name in scene::released() {
        one(&name, table);
    }
}

fn one(name: &str, table: &mut Table) {
    let wasm = scene::built(name);
    let size = wasm.len() >> 10;
    let digest = component::digest(&wasm);
    let hex = digest.trim_start_matches("sha256:");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cache = CompiledCache::open(directory.path().to_owned(), 1 << 30)
        .expect("an empty directory takes a cache");
    let began = Instant::now();
    let (_, origin) = cache.get(&ENGINE, hex, || Ok(wasm)).expect("it compiles");
    let compiling = began.elapsed();
    assert_eq!(origin, Origin::Compiled);
    let mut cached = Samples::default();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let got = cache.get(&ENGINE, hex, || Ok(Vec::new())).expect("it loads");
        cached.add(began.elapsed());
        assert_eq!(got.1, Origin::Cached);
    }
    let scene = Scene::new(&[name], if name == "provider-replay" { CONFIG } else { "" });
    let mut ready = Samples::default();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        scene.load_again();
        ready.add(began.elapsed());
    }
    let code = cache.size(&ENGINE, hex).unwrap_or_default() >> 10;
    table.add(Row {
        what: format!("compiled code from the cache: `{name}` ({code} KiB of code)"),
        value: cached.to_string(),
        baseline: format!("compiling {size} KiB: {}", shown(compiling)),
        ratio: format!("1/{:.0}", ratio(compiling, cached.p50())),
        aim: Some(("p50 ≤ 0.2 ms".into(), cached.p50() <= AIM)),
    });
    table.add(Row {
        what: format!("ready to be called, code cached: `{name}`"),
        value: ready.to_string(),
        ..Row::default()
    });
}
