//! Tests on real components: those of the release, and those that misbehave on purpose.

mod calls;
mod catalog;
mod contract;
mod credentials;
mod egress;
mod embedder;
mod guarded;
mod hook;
mod hostile;
#[cfg(target_os = "linux")]
mod keyless;
#[path = "../../../../fuzz/src/mutate.rs"]
mod mutate;
mod nested;
mod one_shot;
mod parser;
mod preview;
mod random;
mod records;
mod shipping;
mod skills;
mod state;
mod testsuite;
mod vault;
mod vault_hostile;
mod vault_killed;
mod vault_protocol;
mod versions;
mod wat;

use crate::cache::CompiledCache;
use crate::catalog::{Catalog, CatalogSettings, FirstParty, Status};
use crate::component::{self, Loaded};
use crate::egress::{Egress, EgressSettings};
use crate::engine::WasmEngine;
use crate::files::Workspace;
use crate::grants::Grants;
use hydroid_core::config::Config;
use hydroid_core::id::{CallId, SessionId, TurnId, UserId};
use hydroid_core::manifest::Manifest;
use hydroid_core::message::Content;
use hydroid_core::ports::{
    CallContext, CancelFlag, SawSecret, SecretError, SecretValue, Secrets, Tools,
};
use hydroid_core::scrub::{KnownSecret, LiveScrubber};
use hydroid_core::tool::{CheckedCall, ToolCall, ToolOutput};
use records::Records;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

/// One engine for all tests of the process: a pool each would be slow.
static ENGINE: LazyLock<WasmEngine> = LazyLock::new(|| WasmEngine::new(false).unwrap());

/// A host with a folder of its own.
pub(crate) struct Scene {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) grants: Arc<Mutex<Grants>>,
    pub(crate) records: Arc<Records>,
    pub(crate) scrubber: LiveScrubber,
}

/// Secrets by name.
pub(crate) struct FixedSecrets(Mutex<BTreeMap<String, String>>);

impl Secrets for FixedSecrets {
    fn value(&self, _: &UserId, name: &str) -> Result<Option<SecretValue>, SecretError> {
        Ok(self.0.lock().unwrap().get(name).cloned().map(SecretValue::new))
    }

    fn known_values(&self, _: &UserId) -> Vec<SecretValue> {
        self.0.lock().unwrap().values().cloned().map(SecretValue::new).collect()
    }

    fn store(&self, _: &UserId, name: &str, value: &SecretValue) -> Result<(), SecretError> {
        self.0.lock().unwrap().insert(name.to_owned(), value.expose().to_owned());
        Ok(())
    }
}

/// A folder of built components.
pub(crate) fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target").join(name)
}

/// A component as `cargo xtask components` builds it.
pub(crate) fn built(name: &str) -> Vec<u8> {
    let folder = if name.starts_with("test-") { "test-components" } else { "components" };
    let path = self::folder(folder).join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; run `cargo xtask components` first", path.display())
    })
}

/// A host that has these components, each granted what it wants.
pub(crate) fn scene(names: &[&str], config: &str) -> Scene {
    scene_with(names, config, &[])
}

pub(crate) fn scene_with(names: &[&str], config: &str, secrets: &[(&str, &str)]) -> Scene {
    scene_adapted(names, config, secrets, |_| {})
}

/// The same with manifests that say something else.
pub(crate) fn scene_adapted(
    names: &[&str],
    config: &str,
    secrets: &[(&str, &str)],
    adapt: impl Fn(&mut Manifest),
) -> Scene {
    let config = Config::from_table(config.parse().unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let first_party = names
        .iter()
        .map(|name| {
            let wasm = built(name);
            let mut manifest = component::embedded_manifest(&wasm).unwrap().unwrap();
            adapt(&mut manifest);
            FirstParty {
                manifest,
                digest: component::digest(&wasm),
                wasm: Box::new(move || Ok(wasm.clone())),
            }
        })
        .collect();
    let grants = Arc::new(Mutex::new(Grants::default()));
    let source = grants.clone();
    let allow_private =
        config.egress.allow_private.iter().map(|address| address.parse().unwrap()).collect();
    let egress = Egress::new(EgressSettings {
        allow_private,
        authorities: None,
        dns: config.egress.dns.as_ref().map(|server| server.parse().unwrap()),
        counter: None,
        limits: config.egress.clone(),
    });
    let known: Vec<KnownSecret> = secrets
        .iter()
        .map(|(name, value)| KnownSecret {
            name: Some((*name).to_owned()),
            value: SecretValue::new((*value).to_owned()),
        })
        .collect();
    let scrubber = LiveScrubber::fixed(known, Vec::new()).unwrap();
    let secrets =
        secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let records = Arc::new(Records::default());
    let catalog = Catalog::open(CatalogSettings {
        engine: ENGINE.clone(),
        cache: CompiledCache::open(cache_directory(), 1 << 30).unwrap(),
        first_party,
        bundle: names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(),
        directory: directory.path().join("components"),
        grants: Box::new(move || Ok(source.lock().unwrap().clone())),
        workspace: Arc::new(Workspace::open(&directory.path().join("workspace"), false).unwrap()),
        egress: Arc::new(egress),
        secrets: Arc::new(FixedSecrets(Mutex::new(secrets))),
        key_values: records.clone(),
        recall: records.clone(),
        clock: records.clone(),
        audit: records.clone(),
        scrubber: scrubber.clone(),
        config: Arc::new(config),
        still: None,
        telemetry: None,
        trials: false,
    })
    .unwrap();
    let catalog = Arc::new(catalog);
    Scene { directory, catalog, grants, records, scrubber }
}

/// Compiled code is shared between test processes; that it is safe to is a property of the cache.
fn cache_directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/test-cache")
}

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

impl Scene {
    /// One call as the turn makes it: checked, then run.
    pub(crate) async fn call(&self, tool: &str, arguments: &str) -> ToolOutput {
        let call =
            ToolCall { id: CallId::new("c"), name: tool.into(), arguments: arguments.into() };
        match self.catalog.check(&call) {
            Ok(checked) => self.catalog.run(checked, context()).await,
            Err(problem) => ToolOutput::error(problem),
        }
    }

    /// A call as it is put to a person: checked, with what it would do.
    pub(crate) async fn shown(&self, tool: &str, arguments: &str) -> CheckedCall {
        let call =
            ToolCall { id: CallId::new("c"), name: tool.into(), arguments: arguments.into() };
        let mut checked = self.catalog.check(&call).expect("the arguments of the test fit");
        checked.preview = self.catalog.preview(checked.clone(), context()).await;
        checked
    }

    /// Runs it as it was approved.
    pub(crate) async fn approved(&self, call: &CheckedCall) -> ToolOutput {
        self.catalog.run(call.clone(), context()).await
    }

    pub(crate) fn loaded(&self, name: &str) -> Arc<Loaded> {
        match &self.catalog.get(name).unwrap_or_else(|| panic!("no {name}")).status {
            Status::Ready(loaded) => loaded.clone(),
            Status::Refused(error) => panic!("{name}: {error}"),
        }
    }

    pub(crate) fn shared(&self) -> PathBuf {
        self.directory.path().join("workspace/shared")
    }

    /// Why a component is refused.
    pub(crate) fn refusal(&self, name: &str) -> String {
        match &self.catalog.get(name).unwrap_or_else(|| panic!("no {name}")).status {
            Status::Ready(_) => panic!("{name} is ready"),
            Status::Refused(error) => error.to_string(),
        }
    }
}

/// All text of an output.
pub(crate) fn text(output: &ToolOutput) -> String {
    output
        .content
        .iter()
        .map(|content| match content {
            Content::Text { text } => text.clone(),
            other => format!("{other:?}"),
        })
        .collect::<Vec<_>>()
        .join("\n")
}
