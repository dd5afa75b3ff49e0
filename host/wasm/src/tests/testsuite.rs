//! The programs of wasi-testsuite, run in a store as a call of a component has it: with a grant
//! they do what they do in a store of wasmtime alone, without one whatever touches files or sockets
//! fails.
//! Where the programs are from is in `tests/fixtures/wasi-testsuite/README.md`.

use super::{ENGINE, context, scene};
use crate::authoring::wrap;
use crate::files::Workspace;
use crate::instance::{self, Equipment};
use flate2::read::DeflateDecoder;
use hydroid_core::capability::{Grant, Profile};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wasmtime::Store;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime_wasi::cli::StdoutStream;
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

const PROGRAMS: &[u8] =
    include_bytes!("../../../../tests/fixtures/wasi-testsuite/programs.deflate");

/// The one that makes hard links, which is refused where the operator does not allow them.
const LINKS: &str = "path_link";

/// What does not do what the suite wants, once it is wrapped: under wasmtime, too.
const WRAPPED: [(&str, &str); 4] = [
    ("proc_exit-failure", "WASI 0.2 says of an exit only whether it was a failure"),
    ("args_get-multiple-arguments", "the adapter of the toolchain stops with an assertion"),
    ("environ_get-multiple-variables", "the adapter of the toolchain stops with an assertion"),
    ("fd_write-to-invalid-fd", "the adapter's answer is not the one that the program wants"),
];

/// Programs that look at their own name, the first of their arguments, which a component has not.
const WANTS_ITS_NAME: &str = "args_sizes_get-no-arguments";

#[derive(Deserialize)]
struct Index {
    /// The files that the programs of a suite find.
    files: BTreeMap<String, BTreeMap<String, String>>,
    programs: Vec<Program>,
}

#[derive(Deserialize)]
struct Program {
    suite: String,
    name: String,
    size: usize,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    exit_code: i32,
    #[serde(default)]
    stdout: String,
    /// It finds a directory at `/`.
    files: bool,
}

/// How a program ended: its exit code, or that it was stopped, and what it wrote.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: Option<i32>,
    output: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_programs_do_with_a_grant_what_they_do_elsewhere_and_fail_without() {
    let mut raw = Vec::new();
    DeflateDecoder::new(PROGRAMS).read_to_end(&mut raw).unwrap();
    let (length, rest) = raw.split_first_chunk::<4>().unwrap();
    let (head, mut programs) = rest.split_at(u32::from_be_bytes(*length) as usize);
    let index: Index = serde_json::from_slice(head).unwrap();
    assert_eq!(index.programs.len(), 72);

    let scene = scene(&["tool-files-write"], "");
    let own = Equipment::clone(&scene.loaded("tool-files-write").equipment);
    let linkless = Arc::new(Equipment { wants_preopens: true, ..own.clone() });
    let linking = Workspace::open(&scene.directory.path().join("workspace"), true).unwrap();
    let with = Equipment { workspace: Some(Arc::new(linking)), ..Equipment::clone(&linkless) };
    let with = Arc::new(with);
    let without = Arc::new(Equipment { grant: Grant::default(), ..own });
    assert!(with.grant.profiles.contains(&Profile::FileReadWrite));

    let mut wrong = Vec::new();
    let mut refused = 0;
    for program in &index.programs {
        let (module, others) = programs.split_at(program.size);
        programs = others;
        let component = Component::new(ENGINE.engine(), wrap(module).unwrap()).unwrap();
        let name = format!("{}/{}", program.suite, program.name);
        let files = index.files.get(&program.suite).filter(|_| program.files);
        let directory = tempfile::tempdir().unwrap();
        lay(directory.path(), files);

        let ran = run(&component, &with, Some((program, directory.path()))).await;
        let directory = tempfile::tempdir().unwrap();
        lay(directory.path(), files);
        let alone = run_alone(&component, (program, directory.path())).await;
        let expect = Ran { code: Some(program.exit_code), output: program.stdout.clone() };
        let fits = |ran: &Ran| {
            ran.code == expect.code && (program.stdout.is_empty() || ran.output == expect.output)
        };
        let named = |list: &[(&str, &str)]| list.iter().any(|(listed, _)| program.name == *listed);
        if ran != alone {
            wrong.push(format!("{name} with a grant: {ran:?}, under wasmtime {alone:?}"));
        }
        if program.name == LINKS {
            let ran = run(&component, &linkless, Some((program, directory.path()))).await;
            assert!(ran.code != Some(0) && ran != alone, "{name}: {ran:?}");
        }
        if fits(&alone) == named(&WRAPPED) {
            wrong.push(format!("{name} under wasmtime: {alone:?}, the suite wants {expect:?}"));
        }

        let ran = run(&component, &without, None).await;
        let needs = program.files
            || !program.args.is_empty()
            || !program.env.is_empty()
            || program.name == WANTS_ITS_NAME;
        match (needs, ran.code) {
            (true, Some(0)) => wrong.push(format!("{name} without a grant: it did not notice")),
            (true, _) => refused += 1,
            (false, code) if code == Some(program.exit_code) || named(&WRAPPED) => {}
            (false, _) => wrong.push(format!("{name} needs nothing: {ran:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused > 50, "{refused}");
    for root in ["shared", "tmp"] {
        let made = std::fs::read_dir(scene.directory.path().join("workspace").join(root));
        assert_eq!(made.map_or(0, Iterator::count), 0, "something was written to /{root}");
    }
}

fn lay(directory: &Path, files: Option<&BTreeMap<String, String>>) {
    for (name, text) in files.into_iter().flatten() {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// Runs a program in a store of wasmtime alone, with the same things.
async fn run_alone(component: &Component, given: (&Program, &Path)) -> Ran {
    let mut linker = Linker::new(ENGINE.engine());
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    let output = MemoryOutputPipe::new(1 << 20);
    let alone = Alone { wasi: surroundings(given, &output).build(), table: ResourceTable::new() };
    let mut store = Store::new(ENGINE.engine(), alone);
    store.set_epoch_deadline(u64::from(u32::MAX));
    let pre = CommandPre::new(linker.instantiate_pre(component).unwrap()).unwrap();
    let running = async {
        let command = pre.instantiate_async(&mut store).await?;
        command.wasi_cli_run().call_run(&mut store).await
    };
    let code = code(running.await);
    drop(store);
    // As what is kept of a component's output.
    let output = String::from_utf8_lossy(&output.contents()).trim().to_owned();
    Ran { code, output }
}

/// What a store of wasmtime alone holds.
struct Alone {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Alone {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// The directory at `/`, where programs look for it, and arguments and an environment.
fn surroundings(
    (program, directory): (&Program, &Path),
    output: &(impl StdoutStream + Clone + 'static),
) -> WasiCtxBuilder {
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(output.clone()).stderr(output.clone());
    wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
    // What a program prints may stand in the order of a hash.
    wasi.secure_random(Deterministic::new((1..=251).collect()));
    wasi.arg(format!("{}.wasm", program.name)).args(&program.args);
    for (name, value) in &program.env {
        wasi.env(name, value);
    }
    if program.files {
        wasi.preopened_dir(directory, "/", FsPerms::ReadWrite).unwrap();
    }
    wasi
}

fn code(ended: wasmtime::Result<Result<(), ()>>) -> Option<i32> {
    match ended {
        Ok(Ok(())) => Some(0),
        Ok(Err(())) => Some(1),
        Err(error) => error.downcast_ref::<I32Exit>().map(|exit| exit.0),
    }
}

/// Runs a program. With `given`, the directory stands at `/`, where the programs look for it, and
/// they have arguments and an environment, which no component has.
async fn run(
    component: &Component,
    equipment: &Arc<Equipment>,
    given: Option<(&Program, &Path)>,
) -> Ran {
    let linker = crate::linker::Linkers::new(ENGINE.engine());
    let linker = linker.get(&equipment.grant).unwrap();
    let pre = CommandPre::new(linker.instantiate_pre(component).unwrap()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut store = instance::store(ENGINE.engine(), equipment, context(), deadline).unwrap();
    if let Some(given) = given {
        let output = store.data().output.clone();
        let mut wasi = surroundings(given, &output);
        wasi.max_random_size(equipment.limits.random);
        store.data_mut().wasi = wasi.build();
    }
    let running = async {
        let command = pre.instantiate_async(&mut store).await?;
        command.wasi_cli_run().call_run(&mut store).await
    };
    let code = tokio::time::timeout_at(deadline, running).await.ok().and_then(code);
    Ran { code, output: store.data().output.text().0 }
}
