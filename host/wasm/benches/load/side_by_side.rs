//! Sixty-four calls at once against the same calls one after another.

use crate::scene::{self, Scene};
use crate::table::{Row, Samples, Table, ratio, shown};
use hydroid_core::ports::Tools;
use std::time::{Duration, Instant};

/// Calls in a round; a quarter of what the engine has room for.
const CALLS: usize = 64;

/// Rounds, of which the median counts.
const ROUNDS: usize = 20;

/// Adds the rows.
pub(crate) fn measure(table: &mut Table) {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime with threads");
    let scene = Scene::new(&["tool-json"], "");
    let [mut together, mut apart, mut single] = std::array::from_fn(|_| Samples::default());
    for round in 0..=ROUNDS {
        let (all, each) = runtime.block_on(at_once(&scene));
        let sequence = runtime.block_on(one_after_another(&scene));
        // The first round fills the pool.
        if round > 0 {
            together.add(all);
            each.into_iter().for_each(|time| single.add(time));
            apart.add(sequence);
        }
    }
    let gain = ratio(apart.p50(), together.p50());
    table.add(Row {
        what: format!("{CALLS} calls side by side, all of them ({workers} threads)"),
        value: together.to_string(),
        baseline: format!("one after another: {}", shown(apart.p50())),
        ratio: format!("{gain:.2} × as fast"),
        aim: None,
    });
    table.add(Row {
        what: format!("{CALLS} calls side by side, each from start to answer"),
        value: single.to_string(),
        ..Row::default()
    });
}

async fn at_once(scene: &Scene) -> (Duration, Vec<Duration>) {
    let began = Instant::now();
    let tasks: Vec<_> = (0..CALLS)
        .map(|number| {
            let catalog = scene.catalog.clone();
            let checked = scene.checked("json_query", &arguments(number));
            tokio::spawn(async move {
                let output = catalog.run(checked, scene::context()).await;
                assert!(scene::text(&output).contains(&(number + 1).to_string()), "{output:?}");
                began.elapsed()
            })
        })
        .collect();
    let mut each = Vec::new();
    for task in tasks {
        each.push(task.await.expect("the call does not panic"));
    }
    (began.elapsed(), each)
}

/// On a worker as well: the thread that waits for a runtime is none of its workers.
async fn one_after_another(scene: &Scene) -> Duration {
    let catalog = scene.catalog.clone();
    let began = Instant::now();
    let calls: Vec<_> =
        (0..CALLS).map(|number| scene.checked("json_query", &arguments(number))).collect();
    let task = tokio::spawn(async move {
        for checked in calls {
            let output = catalog.run(checked, scene::context()).await;
            assert!(!output.is_error, "{output:?}");
        }
    });
    task.await.expect("the calls do not panic");
    began.elapsed()
}

fn arguments(number: usize) -> String {
    format!(r#"{{"json":"{number}","filter":". + 1"}}"#)
}
