//! The host, put together in one visible order: configuration, secrets, scrubber, log, engine,
//! cache, workspace, egress, database, catalog, models, agent. Each command goes as far as it needs.

use crate::env::Environment;
use crate::load::{Loaded, Setting, load};
use crate::paths::{Paths, private_directory};
use crate::personal::PersonalFiles;
use crate::secrets::followed::Followed;
use crate::secrets::master_key::KeyPlaces;
use crate::secrets::sealed::Sealed;
use crate::secrets::{Programs, UserSecrets};
use crate::skills::UserSkills;
use crate::terminal::{self, Terminal};
use crate::{audited, log, models, release, servers, stopped, telemetry};
use anyhow::{Context, Result, anyhow};
use hydroid_agent::{Agent, AgentParts, Metered, ModelCounters, ModelParts, ProgramParts};
use hydroid_core::config::Config;
use hydroid_core::id::UserId;
use hydroid_core::models::Models;
use hydroid_core::ports::{Clock, Embedder, Journal, Model, Parsers, Secrets, StoreService, Tools};
use hydroid_core::scrub::{LiveScrubber, PathMapping};
use hydroid_mcp::WithServers;
use hydroid_memory::{Database, Memory, StandingApprovals};
use hydroid_wasm::cache::CompiledCache;
use hydroid_wasm::egress::{Counter, Egress, EgressSettings, StoreDoor, StoreToken};
use hydroid_wasm::files::Workspace;
use hydroid_wasm::grants::Grants;
use hydroid_wasm::shipping::{Keys, Lock};
use hydroid_wasm::{Catalog, CatalogSettings, InstalledEmbedder, WasmEngine};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// What every command has: where things are, what is configured, and what must not be shown.
pub(crate) struct Ground {
    /// Where everything is.
    pub(crate) paths: Paths,
    /// The configuration with its origins.
    pub(crate) loaded: Loaded,
    /// The configuration, shared.
    pub(crate) config: Arc<Config>,
    /// The environment the process began with.
    pub(crate) environment: Arc<Environment>,
    /// Values of secrets.
    pub(crate) secrets: Arc<UserSecrets>,
    /// Where the key is that stored ones are sealed under.
    pub(crate) keys: KeyPlaces,
    /// Masks secrets and paths of this machine; it follows the secrets as they change.
    pub(crate) scrubber: LiveScrubber,
    /// True while everything is stopped.
    pub(crate) stop: watch::Receiver<bool>,
    /// How often models were asked in this process, and what became of it.
    pub(crate) model_counters: Arc<ModelCounters>,
    /// How to speak to the person.
    pub(crate) terminal: Terminal,
}

/// The wall clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Ground {
    /// Reads the configuration, gathers what is secret, and begins to log. What cannot be read
    /// cannot be masked, so nothing begins while a stored secret cannot.
    pub(crate) fn lay(environment: Arc<Environment>, settings: &[Setting]) -> Result<Self> {
        let ground = Self::lay_to_repair(environment, settings)?;
        if let Some(problem) = ground.secrets.sealed().unreadable() {
            anyhow::bail!(
                "{problem}; it could not be masked, so nothing is begun: restore the key's file in `{}` or set `HYDROID_MASTER_KEY`, whichever held it; `hydroid doctor` shows each secret",
                ground.paths.master_keys(&ground.config.user).display()
            );
        }
        Ok(ground)
    }

    /// Like [`Self::lay`], for a command that finds out what is wrong.
    pub(crate) fn lay_to_repair(
        environment: Arc<Environment>,
        settings: &[Setting],
    ) -> Result<Self> {
        Self::lay_with(environment, settings, Programs::Run)
    }

    /// For a command that runs nothing and only shows: no program is run for its secret.
    pub(crate) fn lay_to_look(environment: Arc<Environment>, settings: &[Setting]) -> Result<Self> {
        Self::lay_with(environment, settings, Programs::Leave)
    }

    fn lay_with(
        environment: Arc<Environment>,
        settings: &[Setting],
        programs: Programs,
    ) -> Result<Self> {
        let terminal = Terminal::detect(&environment);
        let paths = Paths::find(&environment)?;
        let loaded = load(&paths, &environment, settings)?;
        let config = Arc::new(loaded.config.clone());
        let user = &config.user;
        let keys =
            KeyPlaces::new(config.secrets_store.master_key, paths.master_keys(user), &environment);
        let secrets = Arc::new(UserSecrets::new(
            config.secrets.clone(),
            environment.clone(),
            paths.config.clone(),
            Sealed::new(user.clone(), paths.journal(user), paths.secrets_lock(user), keys.clone()),
        ));
        let mappings = virtual_paths(&loaded.workspace, &paths);
        let followed = Arc::new(Followed::new(secrets.clone(), programs));
        let scrubber = LiveScrubber::following(followed, mappings).map_err(anyhow::Error::msg)?;
        log::start(&config.log.level, scrubber.clone(), &paths.log(&config.user));
        let stop = stopped::watch(&paths)?;
        let model_counters = Arc::default();
        Ok(Self {
            paths,
            loaded,
            config,
            environment,
            secrets,
            keys,
            scrubber,
            stop,
            model_counters,
            terminal,
        })
    }

    /// Whose sessions these are.
    pub(crate) fn user(&self) -> UserId {
        self.config.user.clone()
    }

    /// The installed components, loaded, with what they and the person keep.
    pub(crate) fn catalog(&self, database: &Database) -> Result<Arc<Catalog>> {
        self.catalog_of(self.paths.components(), database)
    }

    /// What turns texts into vectors, unless that is switched off.
    pub(crate) fn embedder(&self, catalog: &Arc<Catalog>) -> Option<InstalledEmbedder> {
        let name = self.config.memory.embedder()?;
        Some(InstalledEmbedder::new(catalog.clone(), name))
    }

    /// The installed components, loaded to be looked at: nothing they keep is within reach.
    pub(crate) async fn catalog_to_look_at(&self) -> Result<Arc<Catalog>> {
        self.catalog(&Database::open_in_memory().await?)
    }

    /// The components of the release and of another folder, loaded.
    pub(crate) fn catalog_of(
        &self,
        directory: PathBuf,
        database: &Database,
    ) -> Result<Arc<Catalog>> {
        let config = &self.config;
        private_directory(&self.paths.data)?;
        let engine = self.engine()?;
        let cache = self.compiled()?;
        self.tell_first_time(&self.paths.compiled());
        let workspace = self.workspace()?;
        let counter = Counter { budget: Arc::new(database.clone()), clock: Arc::new(SystemClock) };
        let egress = self.egress(Some(counter))?;
        let mut release = release::release()?;
        let mut bundle = release::bundle()?;
        release.add_instances(&config.components, &mut bundle);
        for problem in &release.problems {
            tracing::warn!("{problem}");
        }
        let paths = self.paths.clone();
        // What is pinned is pinned for the user's folder; elsewhere a file is only looked at.
        let pins = directory == paths.components();
        let secrets: Arc<dyn Secrets> = self.secrets.clone();
        let memory = Memory::new(database.clone(), None, config.memory.tuning());
        let catalog = Catalog::open(CatalogSettings {
            engine,
            cache,
            first_party: release.components,
            bundle,
            directory,
            grants: Box::new(move || in_force(&paths, pins).map_err(|error| format!("{error:#}"))),
            workspace: Arc::new(workspace),
            egress: Arc::new(egress),
            secrets,
            key_values: Arc::new(database.clone()),
            recall: Arc::new(memory.clone()),
            clock: Arc::new(SystemClock),
            audit: Arc::new(audited::log_of(database)),
            scrubber: self.scrubber.clone(),
            config: self.config.clone(),
            telemetry: telemetry::of(self)?,
            still: None,
            trials: false,
        });
        let catalog = catalog.map(Arc::new).map_err(anyhow::Error::msg)?;
        // The embedder is a component of the catalog, and the catalog's tools search with it.
        if let Some(name) = config.memory.embedder() {
            memory.use_embedder(Arc::new(InstalledEmbedder::within(&catalog, name)));
        }
        Ok(catalog)
    }

    /// The components that read documents which are no text.
    pub(crate) fn parsers(&self, database: &Database) -> Result<Arc<dyn Parsers>> {
        Ok(self.catalog(database)?)
    }

    /// Memory by words and, with an embedder, by meaning.
    pub(crate) fn memory(&self, database: &Database) -> Result<Memory> {
        let catalog = self.catalog(database)?;
        Ok(self.memory_of(&catalog, database))
    }

    /// The person's own files, taken into memory as they are now.
    async fn personal_files(&self, database: &Database) -> PersonalFiles {
        let most = self.config.memory.files_chars;
        let files = PersonalFiles::new(&self.loaded.workspace, most, database.clone());
        if self.config.memory.files {
            files.take_in(&self.user()).await;
        }
        files
    }

    /// The person's skills.
    pub(crate) fn skills(&self) -> UserSkills {
        UserSkills::new(self.paths.skills(), self.loaded.workspace.clone())
    }

    /// The same with a catalog that is open already.
    pub(crate) fn memory_of(&self, catalog: &Arc<Catalog>, database: &Database) -> Memory {
        let embedder =
            self.embedder(catalog).map(|embedder| Arc::new(embedder) as Arc<dyn Embedder>);
        Memory::new(database.clone(), embedder, self.config.memory.tuning())
    }

    /// The engine, which counts instructions if a limit needs that.
    pub(crate) fn engine(&self) -> Result<WasmEngine> {
        let config = &self.config;
        let fuel = config.limits.fuel.is_some()
            || config.components.values().any(|component| component.limits.fuel.is_some());
        WasmEngine::new(fuel)
            .map_err(|error| anyhow!("the WebAssembly engine cannot start: {error:#}"))
    }

    /// Compiled components on disk.
    pub(crate) fn compiled(&self) -> Result<CompiledCache> {
        let compiled = self.paths.compiled();
        CompiledCache::open(compiled.clone(), self.config.cache.max_size.0).with_context(|| {
            format!("the cache of compiled components `{}` cannot be opened", compiled.display())
        })
    }

    /// Compiling takes seconds, once; a person who waits is told why.
    fn tell_first_time(&self, compiled: &Path) {
        let is_code = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "cwasm"))
        };
        let first = std::fs::read_dir(compiled).is_ok_and(|mut entries| !entries.any(is_code));
        if first && self.terminal.interactive {
            terminal::say("compiling the components, once; this takes some seconds");
        }
    }

    /// The directories components see.
    pub(crate) fn workspace(&self) -> Result<Workspace> {
        let directory = &self.loaded.workspace;
        // One of ours is made in silence; the name of another may be a slip.
        if !directory.exists() && !directory.starts_with(&self.paths.data) {
            terminal::say(&format!(
                "the workspace `{}` was not there; it is made now",
                directory.display()
            ));
        }
        private_directory(directory)?;
        Workspace::open(directory, self.config.workspace.allow_hard_links)
            .with_context(|| format!("the workspace `{}` cannot be opened", directory.display()))
    }

    /// The door to the network. What components send through it is counted.
    pub(crate) fn egress(&self, counter: Option<Counter>) -> Result<Egress> {
        self.door(counter, Vec::new())
    }

    /// A door of its own for the host, which opens these addresses too.
    pub(crate) fn egress_that_opens(&self, own: Vec<SocketAddr>) -> Result<Egress> {
        self.door(None, own)
    }

    fn door(&self, counter: Option<Counter>, own: Vec<SocketAddr>) -> Result<Egress> {
        Ok(Egress::new(self.egress_settings(counter, own)?).stopped_by(self.stop.clone()))
    }

    fn egress_settings(
        &self,
        counter: Option<Counter>,
        own: Vec<SocketAddr>,
    ) -> Result<EgressSettings> {
        let limits = self.config.egress.clone();
        // Checked by core when the configuration was read.
        let opened = limits.allow_private.iter().filter_map(|address| address.parse().ok());
        let allow_private = opened.chain(own).collect();
        let authorities = match &limits.ca_file {
            None => None,
            Some(file) => {
                let path = self.paths.config.join(file);
                Some(std::fs::read(&path).with_context(|| {
                    format!("`egress.ca_file` is `{}`, which cannot be read", path.display())
                })?)
            }
        };
        let dns = limits.dns.as_ref().and_then(|server| server.parse().ok());
        Ok(EgressSettings { allow_private, authorities, dns, counter, limits })
    }

    /// The way to the service that keeps sessions and memory, if one is configured. A stop does not
    /// shut it: what was stopped is written down there.
    fn service(&self) -> Result<Option<Arc<dyn StoreService>>> {
        let memory = &self.config.memory;
        let Some(address) = memory.service() else { return Ok(None) };
        let token = memory.token.clone().map(|name| {
            let hosts = self.config.secrets.get(&name).map(|source| source.hosts.as_slice());
            StoreToken {
                // Checked by core when the configuration was read.
                audience: hosts.unwrap_or_default().iter().flat_map(|host| host.parse()).collect(),
                user: self.user(),
                secrets: self.secrets.clone(),
                name,
            }
        });
        let door = StoreDoor::new(&address, self.egress_settings(None, Vec::new())?, token)
            .context("`memory.url` cannot be asked")?;
        Ok(Some(Arc::new(door)))
    }

    /// The user's sessions.
    pub(crate) async fn database(&self) -> Result<Database> {
        let path = self.paths.journal(&self.user());
        if let Some(directory) = path.parent() {
            private_directory(directory)?;
        }
        let database = Database::open_with(&path, self.service()?)
            .await
            .with_context(|| format!("the sessions in `{}` cannot be opened", path.display()))?;
        database.add_user(&self.user()).await?;
        Ok(database)
    }

    /// A model asked reliably: each request that is sent passes the meter inside.
    fn reliable(
        &self,
        inner: Arc<dyn Model>,
        models: Arc<Models>,
        database: &Database,
    ) -> Result<Arc<dyn Model>> {
        let parts = ModelParts {
            inner,
            models,
            kept: Arc::new(database.clone()),
            clock: Arc::new(SystemClock),
            scrubber: self.scrubber.clone(),
            // Without random numbers, requests are repeated at the same times as others are.
            random: Arc::new(|| getrandom::u64().unwrap_or_default()),
            counters: self.model_counters.clone(),
        };
        hydroid_agent::reliable(parts, &self.config).map_err(anyhow::Error::msg)
    }

    /// The models of the components, with the meter that keeps what each request costs.
    pub(crate) fn metered(
        &self,
        catalog: &Arc<Catalog>,
        models: Arc<Models>,
        database: &Database,
    ) -> Metered {
        Metered::new(
            catalog.clone(),
            Arc::new(database.clone()),
            Arc::new(database.clone()),
            Arc::new(SystemClock),
            models,
            &self.config,
        )
    }

    /// What runs turns. A configured model that is not there and a budget that cannot be kept are
    /// found here, before anything is said.
    pub(crate) async fn agent(&self, catalog: &Arc<Catalog>, database: &Database) -> Result<Agent> {
        let models = Arc::new(models::open(&self.paths, &self.config)?);
        models::is_there(catalog, &self.loaded)?;
        models::check(&models, catalog, &self.loaded).await?;
        let metered = Arc::new(self.metered(catalog, models.clone(), database));
        let model = self.reliable(metered, models.clone(), database)?;
        let tools = self.tools(catalog, database)?;
        Ok(Agent::new(self.agent_parts(catalog, database, (model, models), tools).await?))
    }

    /// The tools a model is offered: those of components, and those of servers the person added.
    pub(crate) fn tools(
        &self,
        catalog: &Arc<Catalog>,
        database: &Database,
    ) -> Result<Arc<dyn Tools>> {
        let servers = servers::beside(self, database, catalog)?;
        Ok(Arc::new(WithServers::new(catalog.clone(), servers)))
    }

    /// What lets programs ask for calls themselves, and the rest of what an agent has.
    pub(crate) async fn programs(
        &self,
        catalog: &Arc<Catalog>,
        database: &Database,
        parts: ProgramParts,
    ) -> Result<hydroid_agent::Programs> {
        let models = Arc::new(models::open(&self.paths, &self.config)?);
        let (model, tools): (Arc<dyn Model>, Arc<dyn Tools>) = (catalog.clone(), catalog.clone());
        let agent = self.agent_parts(catalog, database, (model, models), tools).await?;
        Ok(hydroid_agent::Programs::new(agent, parts))
    }

    async fn agent_parts(
        &self,
        catalog: &Arc<Catalog>,
        database: &Database,
        (model, models): (Arc<dyn Model>, Arc<Models>),
        tools: Arc<dyn Tools>,
    ) -> Result<AgentParts> {
        let journal: Arc<dyn Journal> = Arc::new(database.clone());
        Ok(AgentParts {
            model,
            models,
            tools,
            hooks: catalog.clone(),
            journal,
            approvals: Arc::new(approvals(database)),
            recall: Arc::new(self.memory_of(catalog, database).indexing(self.user())),
            files: Arc::new(self.personal_files(database).await),
            skills: Arc::new(self.skills()),
            secret_places: Arc::new(database.clone()),
            audit: Arc::new(audited::log_of(database)),
            clock: Arc::new(SystemClock),
            stop: self.stop.clone(),
            scrubber: self.scrubber.clone(),
            config: self.config.clone(),
            telemetry: telemetry::of(self)?,
            new_turn_id: Arc::new(|| uuid::Uuid::now_v7().to_string()),
        })
    }
}

/// What people allowed for good.
pub(crate) fn approvals(database: &Database) -> StandingApprovals {
    StandingApprovals::new(database.clone(), Arc::new(SystemClock))
}

/// The operator's grants as the file has them now; none if there is no file.
pub(crate) fn read_grants(path: &Path) -> Result<Grants> {
    match crate::load::read_text(path)? {
        None => Ok(Grants::default()),
        Some(text) => Grants::parse(&text).with_context(|| format!("in `{}`", path.display())),
    }
}

/// The grants, and what may be loaded at all.
fn in_force(paths: &Paths, pins: bool) -> Result<Grants> {
    let grants = read_grants(&paths.grants_file())?;
    if !pins {
        return Ok(grants);
    }
    let pinned = read_lock(&paths.lock_file())?.pinned(&read_keys(&paths.keys_file())?);
    Ok(Grants { pinned, ..grants })
}

/// What is pinned; nothing if there is no file.
pub(crate) fn read_lock(path: &Path) -> Result<Lock> {
    match crate::load::read_text(path)? {
        None => Ok(Lock::default()),
        Some(text) => Lock::parse(&text).with_context(|| format!("in `{}`", path.display())),
    }
}

/// The keys the person knows; none if there is no file.
pub(crate) fn read_keys(path: &Path) -> Result<Keys> {
    match crate::load::read_text(path)? {
        None => Ok(Keys::default()),
        Some(text) => Keys::parse(&text).with_context(|| format!("in `{}`", path.display())),
    }
}

/// What stands in place of this machine's directories in everything a model reads.
fn virtual_paths(workspace: &Path, paths: &Paths) -> Vec<PathMapping> {
    let inside = ["shared", "tmp", "vault"].map(|name| (workspace.join(name), format!("/{name}")));
    let around = [
        (workspace.to_owned(), "[workspace]".to_owned()),
        (paths.config.clone(), "[configuration]".to_owned()),
        (paths.data.clone(), "[data]".to_owned()),
        (paths.cache.clone(), "[cache]".to_owned()),
    ];
    let mut mappings: Vec<PathMapping> = Vec::new();
    for (path, virtual_path) in inside.into_iter().chain(around) {
        let canonical = canonical(&path);
        for form in [path, canonical] {
            let host = form.to_string_lossy().into_owned();
            if !mappings.iter().any(|mapping| mapping.host == host) {
                mappings.push(PathMapping { host, virtual_path: virtual_path.clone() });
            }
        }
    }
    mappings
}

/// The path without links, as far as it exists yet.
fn canonical(path: &Path) -> PathBuf {
    match (std::fs::canonicalize(path), path.parent(), path.file_name()) {
        (Ok(canonical), _, _) => canonical,
        (Err(_), Some(parent), Some(name)) => canonical(parent).join(name),
        (Err(_), _, _) => path.to_owned(),
    }
}
