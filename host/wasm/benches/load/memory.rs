//! Resident memory, each figure in a process of its own: at start, per component, and whether it
//! comes back after many calls. Not the memory of `hydroid`, which also has a database.

use crate::scene::{self, CONFIG, ENGINE, Scene};
use crate::table::{Row, Table};
use hydroid_core::ports::Tools;
use std::collections::BTreeMap;
use std::process::Command;

/// First argument of a process that measures itself.
pub(crate) const CHILD: &str = "memory-of";

/// Calls after which memory must be where it was.
const CALLS: usize = 10_000;

/// Calls after which pool and allocator have what they keep.
const SETTLED: usize = 300;

/// What counts as back at the start: what an allocator's own bookkeeping may do.
const BACK: i64 = 1 << 20;

/// All components of the release, idle.
const IDLE_AIM: i64 = 28 << 20;

/// Adds the rows.
pub(crate) fn measure(table: &mut Table) {
    let names = scene::released();
    // Compiles what is not in the cache: a compiler's memory is not the host's.
    drop(Scene::new(&names, CONFIG));
    let empty = ask(&[]);
    let full = ask(&names);
    let idle = full["idle"];
    table.add(Row {
        what: format!("resident, idle, all {} components of the release", names.len()),
        value: format!(
            "{} ({} of it not shared with files)",
            megabytes(idle),
            megabytes(full["idle-anonymous"])
        ),
        baseline: format!(
            "no component: {}; no engine: {}",
            megabytes(empty["idle"]),
            megabytes(empty["process"])
        ),
        ratio: String::new(),
        aim: Some(("≤ 28 MB".into(), idle <= IDLE_AIM)),
    });
    for name in &names {
        let one = ask(std::slice::from_ref(name));
        table.add(Row {
            what: format!("resident with this one only, above none: `{name}`"),
            value: megabytes(one["idle"] - empty["idle"]),
            baseline: format!("compiled code: {}", megabytes(one["compiled"])),
            ..Row::default()
        });
    }
    let grown = full["calls"] - full["settled"];
    table.add(Row {
        what: format!("resident after {CALLS} calls, against after {SETTLED}"),
        value: megabytes(full["calls"]),
        baseline: megabytes(full["settled"]),
        ratio: format!("{:+.2} MB", in_megabytes(grown)),
        aim: Some(("back to start (± 1 MB)".into(), grown <= BACK)),
    });
}

/// The process that measures itself: prints `name bytes` lines.
pub(crate) fn child(names: &[String]) {
    print("process", resident("Rss:"));
    let config = if names.iter().any(|name| name == "provider-replay") { CONFIG } else { "" };
    let scene = Scene::new(names, config);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime without threads can always be made");
    print("idle", resident("Rss:"));
    print("idle-anonymous", resident("Anonymous:"));
    print("compiled", compiled(&scene));
    let calls: Vec<_> = [
        ("json_query", r#"{"json":"{\"a\":[1,2]}","filter":".a[1]"}"#),
        ("time_now", r#"{"zone":"Europe/Berlin"}"#),
        ("file_list", "{}"),
    ]
    .into_iter()
    .filter_map(|(tool, arguments)| scene.catalog.check(&scene::call(tool, arguments)).ok())
    .collect();
    if calls.len() < 3 {
        return;
    }
    runtime.block_on(async {
        for (number, call) in calls.iter().cycle().take(CALLS).enumerate() {
            if number == SETTLED {
                print("settled", resident("Rss:"));
            }
            let output = scene.catalog.run(call.clone(), scene::context()).await;
            assert!(!output.is_error, "{output:?}");
        }
    });
    print("calls", resident("Rss:"));
}

fn ask(names: &[String]) -> BTreeMap<String, i64> {
    let own = std::env::current_exe().expect("a process knows its program");
    let output =
        Command::new(own).arg(CHILD).args(names).output().expect("this program starts again");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let (name, bytes) = line.split_once(' ')?;
            Some((name.to_owned(), bytes.parse().ok()?))
        })
        .collect()
}

/// A figure of `smaps_rollup`, which counts pages; the counters of `status` lag behind.
pub(crate) fn resident(figure: &str) -> i64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").expect("this is Linux");
    let line = rollup.lines().find(|line| line.starts_with(figure));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<i64>().ok());
    kibibytes.expect("the kernel tells it in kB") << 10
}

fn compiled(scene: &Scene) -> i64 {
    let cache = scene.catalog.cache();
    let sizes = scene.catalog.installed().into_iter().filter_map(|installed| {
        let digest = installed.digest.clone()?;
        cache.size(&ENGINE, digest.trim_start_matches("sha256:"))
    });
    i64::try_from(sizes.sum::<u64>()).unwrap_or(i64::MAX)
}

fn print(name: &str, bytes: i64) {
    println!("{name} {bytes}");
}

fn megabytes(bytes: i64) -> String {
    format!("{:.1} MB", in_megabytes(bytes))
}

#[expect(clippy::cast_precision_loss, reason = "a figure with two digits")]
pub(crate) fn in_megabytes(bytes: i64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
