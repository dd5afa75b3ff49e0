//! A component tried out: loaded exactly as the host does, with grants, files, time and answers
//! of its own. Nothing of the person's is within its reach, and it is gone afterwards.

use crate::commands::component::reasons;
use crate::paths::private_directory;
use crate::wire::{Ground, SystemClock};
use anyhow::{Context, Result, anyhow, bail};
use hydroid_core::capability::Profile;
use hydroid_core::config::{Config, MEMORY_FLOOR, Size};
use hydroid_core::id::{SessionId, TurnId, UserId};
use hydroid_core::message::Content;
use hydroid_core::ports::{
    CallContext, CancelFlag, Clock, SawSecret, SecretError, SecretValue, Secrets,
};
use hydroid_core::tool::ToolOutput;
use hydroid_memory::Database;
use hydroid_wasm::egress::Tape;
use hydroid_wasm::files::Workspace;
use hydroid_wasm::grants::{Entry, Grants};
use hydroid_wasm::{Catalog, CatalogSettings, Loaded, Status, Still, WasmEngine, component};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What a component is tried with.
#[derive(Clone, Default)]
pub(super) struct Terms {
    /// What it is granted.
    pub(super) allowance: Allowance,
    /// A directory of the person's for it to see; one of its own if absent.
    pub(super) workspace: Option<PathBuf>,
    /// The same time and chance at each call.
    pub(super) still: Option<Still>,
    /// Answers in place of those of hosts.
    pub(super) tape: Option<Arc<Tape>>,
    /// Its secrets are not the person's, but stand-ins.
    pub(super) stand_ins: bool,
    /// Its configuration, in place of the person's.
    pub(super) config: Option<toml::Table>,
    /// The least memory a host gives, in place of what is configured.
    pub(super) least_memory: bool,
}

/// What a component is granted for a trial.
#[derive(Clone, Default)]
pub(super) enum Allowance {
    /// What its manifest wants.
    #[default]
    Wanted,
    /// These profiles and hosts.
    These(BTreeSet<Profile>, BTreeSet<String>),
    /// What a person granted it.
    Entry(Entry),
}

/// A component that was loaded for a trial.
pub(super) struct Trial {
    pub(super) catalog: Arc<Catalog>,
    pub(super) loaded: Arc<Loaded>,
    /// The directory it sees.
    pub(super) workspace: PathBuf,
    _scratch: Scratch,
}

/// What all trials of one command share: the engine, and the bytes.
pub(super) struct Bench<'a> {
    ground: &'a Ground,
    engine: WasmEngine,
    database: Database,
}

impl<'a> Bench<'a> {
    /// Sets up, with nothing loaded.
    pub(super) async fn new(ground: &'a Ground) -> Result<Self> {
        Ok(Self { ground, engine: ground.engine()?, database: Database::open_in_memory().await? })
    }

    /// Loads a component under terms; why it is refused is the error.
    pub(super) fn load(&self, wasm: &[u8], stem: &str, terms: &Terms) -> Result<Trial> {
        let (catalog, scratch) = self.catalog(Some((wasm, stem)), terms)?;
        let installed = catalog.installed().into_iter().next();
        let installed = installed.context("the component was not looked at")?;
        let Status::Ready(loaded) = &installed.status else {
            let name = &installed.name;
            let reasons = reasons(&installed.status).join("\n  ");
            bail!("`{name}` does not load:\n  {reasons}");
        };
        let loaded = loaded.clone();
        let own = scratch.0.join("workspace");
        let workspace = terms.workspace.clone().unwrap_or(own);
        Ok(Trial { catalog: Arc::new(catalog), loaded, workspace, _scratch: scratch })
    }

    /// A catalog of one component, or of none.
    pub(super) fn catalog(
        &self,
        component: Option<(&[u8], &str)>,
        terms: &Terms,
    ) -> Result<(Catalog, Scratch)> {
        let ground = self.ground;
        let scratch = Scratch::new(&ground.paths.data)?;
        let directory = scratch.0.join("components");
        private_directory(&directory)?;
        let mut grants = Grants::default();
        let mut config = Config::clone(&ground.config);
        if let Some((wasm, stem)) = component {
            let path = directory.join(format!("{stem}.wasm"));
            std::fs::write(&path, wasm)
                .with_context(|| format!("`{}` cannot be written", path.display()))?;
            let manifest = component::embedded_manifest(wasm)?;
            let name = manifest.as_ref().map_or(stem, |manifest| manifest.name.as_str()).to_owned();
            let base =
                Entry { digest: component::digest(wasm), files_and_web: true, ..Entry::default() };
            let entry = match &terms.allowance {
                Allowance::Entry(entry) => entry.clone(),
                Allowance::These(profiles, hosts) => {
                    Entry { profiles: profiles.clone(), hosts: hosts.clone(), ..base }
                }
                Allowance::Wanted => {
                    let wants = manifest.map(|manifest| manifest.wants).unwrap_or_default();
                    Entry { profiles: wants.into_keys().collect(), ..base }
                }
            };
            grants.components.insert(name.clone(), entry);
            let settings = config.components.entry(name).or_default();
            settings.enabled = true;
            if let Some(own) = &terms.config {
                settings.config = own.clone();
            }
            if terms.least_memory {
                settings.limits.memory = Some(Size(MEMORY_FLOOR));
            }
        }
        let own = scratch.0.join("workspace");
        let workspace = terms.workspace.as_ref().unwrap_or(&own);
        private_directory(workspace)?;
        let workspace = Workspace::open(workspace, config.workspace.allow_hard_links)
            .with_context(|| format!("the workspace `{}` cannot be opened", workspace.display()))?;
        let mut egress = ground.egress(None)?;
        if let Some(tape) = &terms.tape {
            egress = egress.taped(tape.clone());
        }
        let secrets: Arc<dyn Secrets> =
            if terms.stand_ins { Arc::new(StandIns) } else { ground.secrets.clone() };
        let clock: Arc<dyn Clock> = match terms.still {
            Some(still) => Arc::new(Stopped(still.now_ms)),
            None => Arc::new(SystemClock),
        };
        let catalog = Catalog::open(CatalogSettings {
            engine: self.engine.clone(),
            cache: ground.compiled()?,
            first_party: Vec::new(),
            bundle: BTreeSet::new(),
            directory,
            grants: Box::new(move || Ok(grants.clone())),
            workspace: Arc::new(workspace),
            egress: Arc::new(egress),
            secrets,
            key_values: Arc::new(self.database.clone()),
            recall: Arc::new(self.database.clone()),
            clock,
            audit: Arc::new(crate::audited::log_of(&self.database)),
            scrubber: ground.scrubber.clone(),
            config: Arc::new(config),
            still: terms.still,
            telemetry: None,
            trials: true,
        })
        .map_err(|problem| anyhow!(problem))?;
        Ok((catalog, scratch))
    }
}

/// On nobody's behalf, with a flag to cancel by.
pub(super) fn context(cancel: CancelFlag) -> CallContext {
    CallContext {
        user: UserId::new("trial"),
        session: SessionId::new("trial"),
        turn: TurnId::new("trial"),
        call: None,
        cancel,
        progress: Arc::new(|_, _| {}),
        secret: SawSecret::default(),
        trace: Default::default(),
        nested: None,
        wants_data: false,
    }
}

/// What the model would read of an output, as one text.
pub(super) fn text(output: &ToolOutput) -> String {
    let parts = output.content.iter().map(|content| match content {
        Content::Text { text } => text.clone(),
        Content::Json { json } => json.to_string(),
        other => serde_json::to_string(other).unwrap_or_default(),
    });
    parts.collect::<Vec<_>>().join("\n")
}

/// Lays files at `/shared/…` and `/tmp/…` of a workspace.
pub(super) fn lay(workspace: &Path, files: &BTreeMap<String, String>) -> Result<()> {
    for (name, content) in files {
        let path = place(workspace, name)?;
        if let Some(directory) = path.parent() {
            private_directory(directory)?;
        }
        std::fs::write(&path, content).with_context(|| format!("`{name}` cannot be written"))?;
    }
    Ok(())
}

/// Where a file of the workspace is.
pub(super) fn place(workspace: &Path, name: &str) -> Result<PathBuf> {
    let inside = name.strip_prefix('/').filter(|rest| {
        (rest.starts_with("shared/") || rest.starts_with("tmp/"))
            && rest.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
    });
    let inside = inside.with_context(|| {
        format!("`{name}` is no file of a workspace; write `/shared/NAME` or `/tmp/NAME`")
    })?;
    Ok(workspace.join(inside))
}

/// A directory that is gone when it is dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    fn new(parent: &Path) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!(".trial-{}-{number}", std::process::id()));
        private_directory(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A clock that stands.
struct Stopped(u64);

impl Clock for Stopped {
    fn now_ms(&self) -> u64 {
        self.0
    }
}

/// A value for each secret, which is nobody's.
struct StandIns;

impl Secrets for StandIns {
    fn value(&self, _: &UserId, name: &str) -> Result<Option<SecretValue>, SecretError> {
        Ok(Some(SecretValue::new(format!("stand-in-for-{name}"))))
    }

    fn known_values(&self, _: &UserId) -> Vec<SecretValue> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_case_stay_in_its_workspace() {
        let root = Path::new("/w");
        assert_eq!(place(root, "/shared/a/b.md").unwrap(), Path::new("/w/shared/a/b.md"));
        for name in
            ["/shared/../../x", "/etc/passwd", "shared/a", "/shared/", "/vault/a", "/tmp//a"]
        {
            assert!(place(root, name).is_err(), "{name}");
        }
    }
}
