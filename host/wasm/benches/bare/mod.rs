//! wasmtime without Hydroid: the same component, engine and contract, WASI without authority, and
//! none of our limits, checks and conversions. Not a way to run components: it contains nothing.

use crate::scene;
use bindings::exports::hydroid::tool::tool::{Call, Outcome};
use bindings::hydroid::cap::fs_read::{Entry, Kind, Metadata};
use bindings::hydroid::cap::{self};
use bindings::hydroid::core;
use bindings::hydroid::core::log::Level;
use bindings::hydroid::core::types::{Error, ErrorKind, Part};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, Result, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package hydroid:bench;
            world bare {
                include hydroid:cap/file-read-only@0.1.0;
                include hydroid:tool/tool-world@0.1.0;
            }
        ",
        path: "../../wit/host",
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

/// Further than any bench runs: the engine counts epochs, and a store without a deadline traps.
const NEVER: u64 = 1 << 40;

/// A component linked against plain wasmtime.
pub(crate) struct Bare {
    engine: Engine,
    pre: bindings::BarePre<State>,
    shared: PathBuf,
}

/// An instance that is kept between calls.
pub(crate) struct Kept {
    store: Store<State>,
    bindings: bindings::Bare,
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    shared: PathBuf,
}

impl Bare {
    /// Links a built component; `shared` is what it sees as `/shared`.
    pub(crate) fn new(name: &str, shared: &Path) -> Self {
        let wasm = scene::built(name);
        let digest = hydroid_wasm::component::digest(&wasm);
        let hex = digest.trim_start_matches("sha256:").to_owned();
        let (component, _) =
            scene::cache().get(&scene::ENGINE, &hex, || Ok(wasm)).expect("a component we built");
        let engine = scene::ENGINE.engine().clone();
        let linker = linker(&engine).expect("no name is linked twice");
        let instance = linker.instantiate_pre(&component).expect("it imports nothing else");
        let pre = bindings::BarePre::new(instance).expect("it is a tool component");
        Self { engine, pre, shared: shared.to_owned() }
    }

    /// A call in a store of its own, as the catalog makes it.
    pub(crate) async fn call(&self, tool: &str, arguments: &str) -> String {
        self.keep().await.call(tool, arguments).await
    }

    /// An instance to be called again and again, which the catalog never does.
    pub(crate) async fn keep(&self) -> Kept {
        let state = State {
            wasi: WasiCtxBuilder::new().build(),
            table: ResourceTable::new(),
            shared: self.shared.clone(),
        };
        let mut store = Store::new(&self.engine, state);
        store.set_epoch_deadline(NEVER);
        let bindings = self.pre.instantiate_async(&mut store).await.expect("it instantiates");
        Kept { store, bindings }
    }
}

impl Kept {
    /// One more call.
    pub(crate) async fn call(&mut self, tool: &str, arguments: &str) -> String {
        let call = Call { id: "c".into(), name: tool.into(), args_json: arguments.into() };
        let outcome = self.bindings.hydroid_tool_tool().call_invoke(&mut self.store, &call).await;
        text(outcome.expect("it does not trap").expect("it can run"))
    }
}

fn text(outcome: Outcome) -> String {
    match outcome.content.into_iter().next() {
        Some(Part::Text(text)) if !outcome.is_error => text,
        other => panic!("not a text: {other:?}"),
    }
}

fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    core::types::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    core::log::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    core::config::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    core::control::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    cap::fs_read::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl core::types::Host for State {}

impl core::log::Host for State {
    async fn emit(&mut self, _: Level, _: String, _: Option<String>) -> Result<()> {
        Ok(())
    }
}

impl core::config::Host for State {
    async fn get(&mut self) -> Result<String> {
        Ok("{}".into())
    }
}

impl core::control::Host for State {
    async fn cancelled(&mut self) -> Result<bool> {
        Ok(false)
    }

    async fn remaining_ms(&mut self) -> Result<u32> {
        Ok(u32::MAX)
    }

    async fn progress(&mut self, _: Option<f32>, _: String) -> Result<()> {
        Ok(())
    }
}

/// Files as a careless host would give them: the path is joined and opened, nothing is checked.
impl cap::fs_read::Host for State {
    async fn stat(&mut self, path: String) -> Result<Result<Metadata, Error>> {
        let stat = || std::fs::metadata(self.file(&path)?).map(metadata);
        Ok(stat().map_err(error))
    }

    async fn list_directory(
        &mut self,
        path: String,
        start: u32,
        limit: u32,
    ) -> Result<Result<Vec<Entry>, Error>> {
        let list = || {
            let mut entries = std::fs::read_dir(self.file(&path)?)?
                .map(|entry| {
                    let entry = entry?;
                    let name = entry.file_name().to_string_lossy().into_owned();
                    Ok(Entry { name, metadata: metadata(entry.metadata()?) })
                })
                .collect::<std::io::Result<Vec<_>>>()?;
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(entries.into_iter().skip(start as usize).take(limit as usize).collect())
        };
        Ok(list().map_err(error))
    }

    async fn read(
        &mut self,
        path: String,
        offset: u32,
        length: u32,
    ) -> Result<Result<Vec<u8>, Error>> {
        let read = || {
            let mut file = std::fs::File::open(self.file(&path)?)?;
            file.seek(SeekFrom::Start(offset.into()))?;
            let mut bytes = Vec::new();
            file.take(length.into()).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        Ok(read().map_err(error))
    }
}

impl State {
    fn file(&self, path: &str) -> std::io::Result<PathBuf> {
        let below = path.strip_prefix("/shared").ok_or(std::io::ErrorKind::NotFound)?;
        Ok(self.shared.join(below.trim_start_matches('/')))
    }
}

fn metadata(metadata: std::fs::Metadata) -> Metadata {
    Metadata {
        kind: if metadata.is_dir() { Kind::Directory } else { Kind::File },
        size: u32::try_from(metadata.len()).unwrap_or(u32::MAX),
        modified_s: None,
    }
}

fn error(error: std::io::Error) -> Error {
    Error {
        kind: ErrorKind::NotFound,
        message: error.to_string(),
        code: None,
        retry_after_ms: None,
        sent: false,
        details_json: None,
    }
}
