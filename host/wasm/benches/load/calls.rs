//! One tool call in a fresh store: through the catalog, by bare wasmtime, on a kept instance, and
//! the same work without a component. They take turns, so that load on the machine meets all.

use crate::bare::Bare;
use crate::scene::{self, Scene};
use crate::table::{Row, Samples, Table, ratio};
use hydroid_core::ports::Tools;
use hydroid_core::tool::ToolOutput;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

/// Rounds per case: enough that a p95 rests on a hundred samples.
const ROUNDS: usize = 3_000;

/// Calls before the first that counts.
const WARM_UP: usize = 200;

/// Native work is too short for one look at the clock.
const NATIVE_BATCH: u32 = 50;

/// Ways of doing the same, in turns that change from round to round.
const WAYS: usize = 5;

/// One tool and the same work done natively.
struct Case {
    what: &'static str,
    component: &'static str,
    tool: &'static str,
    arguments: &'static str,
    aim: Option<Duration>,
    native: fn(&str, &Path) -> ToolOutput,
}

const CASES: [Case; 4] = [
    Case {
        what: "`echo`, no capability",
        component: "test-tool-pure",
        tool: "echo",
        arguments: r#"{"text":"hello"}"#,
        aim: Some(Duration::from_micros(15)),
        native: echo,
    },
    Case {
        what: "two `stat` host calls",
        component: "test-tool-files",
        tool: "hostcall_flood",
        arguments: r#"{"path":"/shared/note.txt","count":2}"#,
        aim: Some(Duration::from_micros(30)),
        native: stat_twice,
    },
    Case {
        what: "`file_read`, 14 bytes",
        component: "tool-files-read",
        tool: "file_read",
        arguments: r#"{"path":"/shared/note.txt"}"#,
        aim: None,
        native: read,
    },
    Case {
        what: "`json_query`, 2 MB component",
        component: "tool-json",
        tool: "json_query",
        arguments: r#"{"json":"{\"a\":[1,2]}","filter":".a[1]"}"#,
        aim: None,
        native: pointer,
    },
];

/// Adds the rows of all cases.
pub(crate) fn measure(table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime without threads can always be made");
    let scene = Scene::new(&CASES.map(|case| case.component), "");
    let note = scene.note("one\ntwo\nthree\n");
    let shared = note.parent().expect("a file has a directory");
    for case in CASES {
        runtime.block_on(one(&case, &scene, shared, table));
    }
}

async fn one(case: &Case, scene: &Scene, shared: &Path, table: &mut Table) {
    let checked = scene.checked(case.tool, case.arguments);
    let unchecked = scene::call(case.tool, case.arguments);
    let bare = Bare::new(case.component, shared);
    let mut kept = bare.keep().await;
    let [mut ours, mut ours_checked, mut theirs, mut warm, mut native] =
        std::array::from_fn(|_| Samples::default());
    for round in 0..WARM_UP + ROUNDS {
        let mut times = [Duration::ZERO; WAYS];
        for turn in 0..WAYS {
            // Each way begins as often behind each other one: what ran before is in the caches.
            let way = (turn + round) % WAYS;
            let began = Instant::now();
            match way {
                0 => {
                    let output = scene.catalog.run(checked.clone(), scene::context()).await;
                    black_box(scene::text(&output));
                }
                1 => {
                    let checked = scene.catalog.check(&unchecked).expect("it fitted before");
                    black_box(scene.catalog.run(checked, scene::context()).await);
                }
                2 => drop(black_box(bare.call(case.tool, case.arguments).await)),
                3 => drop(black_box(kept.call(case.tool, case.arguments).await)),
                _ => {
                    for _ in 0..NATIVE_BATCH {
                        black_box((case.native)(black_box(case.arguments), shared));
                    }
                }
            }
            times[way] = began.elapsed();
        }
        times[WAYS - 1] /= NATIVE_BATCH;
        if round >= WARM_UP {
            let all = [&mut ours, &mut ours_checked, &mut theirs, &mut warm, &mut native];
            all.into_iter().zip(times).for_each(|(samples, time)| samples.add(time));
        }
    }
    report(case, [ours, ours_checked, theirs, warm, native], table);
}

fn report(
    case: &Case,
    [ours, ours_checked, theirs, warm, native]: [Samples; 5],
    table: &mut Table,
) {
    let what = case.what;
    table.add(Row {
        what: format!("call, fresh store: {what}"),
        value: ours.to_string(),
        baseline: format!("native: {native}"),
        ratio: format!("{:.0} ×", ratio(ours.p50(), native.p50())),
        aim: case.aim.map(|aim| (format!("p50 ≤ {} µs", aim.as_micros()), ours.p50() <= aim)),
    });
    let over = ratio(ours.p50(), theirs.p50()) - 1.0;
    table.add(Row {
        what: format!("our layer over bare wasmtime: {what}"),
        value: ours.to_string(),
        baseline: format!("bare: {theirs}"),
        ratio: format!("{:+.0} %", over * 100.0),
        aim: Some(("≤ 10 %".into(), over <= 0.10)),
    });
    table.add(Row {
        what: format!("with the schema check: {what}"),
        value: ours_checked.to_string(),
        baseline: format!("bare, instance kept: {warm}"),
        ratio: format!("{:.1} ×", ratio(ours_checked.p50(), warm.p50())),
        aim: None,
    });
}

fn echo(arguments: &str, _: &Path) -> ToolOutput {
    ToolOutput::text(argument(arguments, "text"))
}

fn stat_twice(arguments: &str, shared: &Path) -> ToolOutput {
    let path = file(arguments, shared);
    let refused = (0..2).filter(|_| std::fs::metadata(&path).is_err()).count();
    ToolOutput::text(format!("asked 2 times, refused {refused} times"))
}

fn read(arguments: &str, shared: &Path) -> ToolOutput {
    let content = std::fs::read_to_string(file(arguments, shared)).expect("the note is there");
    let lines = content.lines().enumerate();
    ToolOutput::text(
        lines.map(|(index, line)| format!("{}\t{line}\n", index + 1)).collect::<String>(),
    )
}

fn pointer(arguments: &str, _: &Path) -> ToolOutput {
    let inner: serde_json::Value =
        serde_json::from_str(&argument(arguments, "json")).expect("the bench's own JSON");
    ToolOutput::text(inner["a"][1].to_string())
}

fn file(arguments: &str, shared: &Path) -> std::path::PathBuf {
    shared.join(argument(arguments, "path").trim_start_matches("/shared/"))
}

fn argument(arguments: &str, name: &str) -> String {
    let arguments: serde_json::Value =
        serde_json::from_str(arguments).expect("the bench's own JSON");
    arguments[name].as_str().expect("the bench's own text").to_owned()
}
