//! A host with real components, as the benches call it. Not the tests' scene: it sees only what
//! the crate makes public, and its compiled code is kept between runs.

mod unkept;

use hydroid_core::config::Config;
use hydroid_core::id::{CallId, SessionId, TurnId, UserId};
use hydroid_core::message::Content;
use hydroid_core::ports::{
    CallContext, CancelFlag, SawSecret, SecretError, SecretValue, Secrets, Tools,
};
use hydroid_core::tool::{CheckedCall, ToolCall, ToolOutput};
use hydroid_wasm::cache::CompiledCache;
use hydroid_wasm::egress::{Egress, EgressSettings};
use hydroid_wasm::files::Workspace;
use hydroid_wasm::grants::{Entry, Grants};
use hydroid_wasm::{Catalog, CatalogSettings, FirstParty, Status, WasmEngine, component};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// One engine for the process: a pool each would count its address space several times.
pub(crate) static ENGINE: LazyLock<WasmEngine> =
    LazyLock::new(|| WasmEngine::new(false).expect("the engine's configuration is fixed"));

/// A host with a folder of its own.
pub(crate) struct Scene {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) catalog: Arc<Catalog>,
    other_grants: Arc<AtomicBool>,
}

/// Every secret has the same value: what is attached is also masked in what comes back.
struct OneValue;

impl Secrets for OneValue {
    fn value(&self, _: &UserId, _: &str) -> Result<Option<SecretValue>, SecretError> {
        Ok(Some(SecretValue::new("bench-0123456789abcdef0123456789abcdef".into())))
    }

    fn known_values(&self, user: &UserId) -> Vec<SecretValue> {
        self.value(user, "").into_iter().flatten().collect()
    }
}

impl Scene {
    /// A host that has these components, each granted what it wants.
    pub(crate) fn new<N: AsRef<str>>(names: &[N], config: &str) -> Self {
        Self::granting(names, config, Grants::default())
    }

    /// A host that has these components and grants more than they want by themselves.
    pub(crate) fn granting<N: AsRef<str>>(names: &[N], config: &str, grants: Grants) -> Self {
        let config = Config::from_table(config.parse().expect("the bench's own TOML"))
            .expect("the bench's own configuration");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let workspace = Workspace::open(&directory.path().join("workspace"), false)
            .expect("an empty directory takes a workspace");
        let allow_private = config.egress.allow_private.iter();
        let egress = Egress::new(EgressSettings {
            allow_private: allow_private.filter_map(|address| address.parse().ok()).collect(),
            authorities: None,
            dns: None,
            counter: None,
            limits: config.egress.clone(),
        });
        let other_grants = Arc::new(AtomicBool::new(false));
        let catalog = Catalog::open(CatalogSettings {
            engine: ENGINE.clone(),
            cache: cache(),
            first_party: names.iter().map(|name| first_party(name.as_ref())).collect(),
            bundle: names.iter().map(|name| name.as_ref().to_owned()).collect(),
            directory: directory.path().join("components"),
            grants: Box::new(source(grants, other_grants.clone())),
            workspace: Arc::new(workspace),
            egress: Arc::new(egress),
            secrets: Arc::new(OneValue),
            key_values: Arc::new(unkept::Unkept),
            recall: Arc::new(unkept::Unkept),
            clock: Arc::new(unkept::Unkept),
            audit: Arc::new(unkept::Unkept),
            scrubber: hydroid_core::scrub::LiveScrubber::fixed(Vec::new(), Vec::new())
                .expect("nothing to search for"),
            config: Arc::new(config),
            still: None,
            telemetry: None,
            trials: false,
        })
        .expect("a catalog of built components opens");
        for installed in catalog.installed() {
            if let Status::Refused(error) = &installed.status {
                panic!("`{}` is refused: {error}", installed.name);
            }
        }
        Self { directory, catalog: Arc::new(catalog), other_grants }
    }

    /// A call as the turn makes it, checked and ready to run any number of times.
    pub(crate) fn checked(&self, tool: &str, arguments: &str) -> CheckedCall {
        self.catalog.check(&call(tool, arguments)).expect("the bench's own arguments fit")
    }

    /// Writes a small file that components see below `/shared`.
    pub(crate) fn note(&self, text: &str) -> PathBuf {
        let path = self.directory.path().join("workspace/shared/note.txt");
        std::fs::write(&path, text).expect("the workspace is writable");
        path
    }

    /// Loads every component anew, from the cache: grants that changed mean new linking.
    pub(crate) fn load_again(&self) {
        self.other_grants.fetch_xor(true, Ordering::Relaxed);
        self.catalog.refresh().expect("what loaded once loads again");
    }
}

/// Two sets of grants that differ in a component nobody has.
fn source(
    grants: Grants,
    other: Arc<AtomicBool>,
) -> impl Fn() -> Result<Grants, String> + Send + Sync {
    move || {
        let mut now = grants.clone();
        if other.load(Ordering::Relaxed) {
            now.components.insert("nobody".into(), Entry::default());
        }
        Ok(now)
    }
}

fn first_party(name: &str) -> FirstParty {
    let wasm = built(name);
    let path = path(name);
    FirstParty {
        manifest: component::embedded_manifest(&wasm)
            .expect("a component we built")
            .expect("xtask embeds the manifest"),
        digest: component::digest(&wasm),
        // Not the bytes themselves: they would count as memory of the host.
        wasm: Box::new(move || std::fs::read(&path).map_err(|error| error.to_string())),
    }
}

/// Names of the components of the release, as they were built.
pub(crate) fn released() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(target().join("components"))
        .expect("`cargo xtask components` was run")
        .filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Configuration under which every component of the release loads.
pub(crate) const CONFIG: &str = "[components.provider-replay.config]\nrecording = \"\"\n";

/// A component as `cargo xtask components` builds it.
pub(crate) fn built(name: &str) -> Vec<u8> {
    let path = path(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; run `cargo xtask components` first", path.display())
    })
}

fn path(name: &str) -> PathBuf {
    let folder = if name.starts_with("test-") { "test-components" } else { "components" };
    target().join(folder).join(format!("{name}.wasm"))
}

/// The cache of compiled code of all benches.
pub(crate) fn cache() -> CompiledCache {
    CompiledCache::open(target().join("bench-cache"), 1 << 30).expect("the target is writable")
}

/// Where cargo and xtask leave what they build.
pub(crate) fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target")
}

/// A call that was not checked yet.
pub(crate) fn call(tool: &str, arguments: &str) -> ToolCall {
    ToolCall { id: CallId::new("c"), name: tool.into(), arguments: arguments.into() }
}

/// On nobody's behalf.
pub(crate) fn context() -> CallContext {
    CallContext {
        user: UserId::new("local"),
        session: SessionId::new("s"),
        turn: TurnId::new("t"),
        call: None,
        cancel: CancelFlag::default(),
        progress: Arc::new(|_, _| {}),
        secret: SawSecret::default(),
        trace: Default::default(),
        nested: None,
        wants_data: false,
    }
}

/// The text of an output that is no error; a bench of failures would measure the wrong thing.
pub(crate) fn text(output: &ToolOutput) -> &str {
    match output.content.first() {
        Some(Content::Text { text }) if !output.is_error => text,
        _ => panic!("not a text: {output:?}"),
    }
}
