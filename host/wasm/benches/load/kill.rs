//! How late a component that computes without end is stopped.

use crate::scene::{self, Scene};
use crate::table::{Row, Samples, Table};
use hydroid_core::ports::Tools;
use std::time::{Duration, Instant};

/// The shortest deadline that can be configured.
const CONFIGURED: Duration = Duration::from_secs(1);

/// When a turn that was cancelled drops the call.
const DROPPED: Duration = Duration::from_millis(100);

/// A stop counts as prompt within two ticks of the engine's clock.
const AIM: Duration = Duration::from_millis(20);

/// Adds the rows.
pub(crate) fn measure(table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime without threads can always be made");
    let config = "[components.test-tool-pure.limits]\ncall = 1\n";
    let scene = Scene::new(&["test-tool-pure"], config);
    let checked = scene.checked("spin", "{}");
    let [mut configured, mut dropped] = std::array::from_fn(|_| Samples::default());
    for _ in 0..10 {
        let began = Instant::now();
        let output = runtime.block_on(scene.catalog.run(checked.clone(), scene::context()));
        configured.add(began.elapsed().saturating_sub(CONFIGURED));
        assert!(output.is_error, "it was not stopped: {output:?}");
    }
    for _ in 0..50 {
        let began = Instant::now();
        let stopped = runtime.block_on(async {
            let run = scene.catalog.run(checked.clone(), scene::context());
            tokio::time::timeout(DROPPED, run).await
        });
        dropped.add(began.elapsed().saturating_sub(DROPPED));
        assert!(stopped.is_err(), "it ended by itself: {stopped:?}");
    }
    for (what, late) in [("deadline of 1 s", configured), ("call dropped at 100 ms", dropped)] {
        table.add(Row {
            what: format!("endless loop, {what}: how late it ends"),
            value: late.to_string(),
            aim: Some(("≤ 20 ms".into(), late.p95() <= AIM)),
            ..Row::default()
        });
    }
}
