//! What is installed on this host: the components of the release and the `.wasm` files of the
//! user's folder, picked up while the host runs. Calls in flight finish on what they began with.

use crate::cache::CompiledCache;
use crate::check::{self, Import, Role};
use crate::component::{self, LoadError, Loaded, Surroundings};
use crate::egress::Egress;
use crate::engine::WasmEngine;
use crate::files::Workspace;
use crate::grants::{Grants, Subject};
use crate::guard::Guard;
use crate::instance::Records;
use crate::linker::Linkers;
use crate::nested::Callers;
use crate::still::Still;
use hydroid_core::audit::{AuditAction, AuditEvent, AuditOutcome};
use hydroid_core::config;
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::{Manifest, is_component_name};
use hydroid_core::ports::{Audit, Clock, KeyValues, Recall, Secrets, Telemetry};
use hydroid_core::scrub::LiveScrubber;
use hydroid_core::telemetry::{OpenSpan, SpanKind, Trace};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Largest `.wasm` file taken; a Python component has 18 MB.
const LARGEST_FILE: u64 = 256 << 20;

/// Characters of a text in the audit log; why a component is refused may list all it imports.
const LONGEST_AUDITED: usize = 512;

/// A file of this name in the folder says that somebody is changing what belongs together: the
/// files, the grants and what is pinned. Until it is gone, a running host goes on with what it has.
pub const CHANGING: &str = ".changing";

/// A file of that name which is older was left behind by somebody who was killed.
const LONGEST_CHANGE: Duration = Duration::from_secs(10);

/// What a catalog is made of.
pub struct CatalogSettings {
    /// The engine.
    pub engine: WasmEngine,
    /// Compiled code.
    pub cache: CompiledCache,
    /// Components of the release.
    pub first_party: Vec<FirstParty>,
    /// Names of those that are granted what they want without asking.
    pub bundle: BTreeSet<String>,
    /// The user's folder of `.wasm` files.
    pub directory: PathBuf,
    /// The operator's grants, read anew whenever the folder is looked at.
    pub grants: GrantsSource,
    /// The workspace.
    pub workspace: Arc<Workspace>,
    /// The door to the network.
    pub egress: Arc<Egress>,
    /// Values of secrets.
    pub secrets: Arc<dyn Secrets>,
    /// What components keep for themselves.
    pub key_values: Arc<dyn KeyValues>,
    /// What people keep and have said.
    pub recall: Arc<dyn Recall>,
    /// When notes are written.
    pub clock: Arc<dyn Clock>,
    /// Where both halves of a vault copy are recorded.
    pub audit: Arc<dyn Audit>,
    /// Finds the person's secrets in what a component sends.
    pub scrubber: LiveScrubber,
    /// Configuration: caps, components and secret sources.
    pub config: Arc<config::Config>,
    /// Where spans go of what belongs to no turn; none where nobody wants any.
    pub telemetry: Option<Arc<dyn Telemetry>>,
    /// The same time and chance at each call, where components are tried out.
    pub still: Option<Still>,
    /// Components are only tried out: then channels are loaded too, which nothing else runs.
    pub trials: bool,
}

/// Reads the operator's grants.
pub type GrantsSource = Box<dyn Fn() -> Result<Grants, String> + Send + Sync>;

/// A component that came with the release.
pub struct FirstParty {
    /// Its manifest.
    pub manifest: Manifest,
    /// `sha256:…` of its bytes.
    pub digest: String,
    /// Its bytes, checked against the digest by whoever gives them.
    pub wasm: Box<dyn Fn() -> Result<Vec<u8>, String> + Send + Sync>,
}

/// A component that is installed, loaded or not.
#[derive(Debug)]
pub struct Installed {
    /// Its name; the file name if it could not be read.
    pub name: String,
    /// Where it is: `release`, or the file's name in the folder.
    pub place: String,
    /// `sha256:…`, if it could be read.
    pub digest: Option<String>,
    /// What it declares, if it could be read.
    pub manifest: Option<Manifest>,
    /// Whether it can be used.
    pub status: Status,
}

/// Whether a component can be used.
#[derive(Debug)]
pub enum Status {
    /// It can be called.
    Ready(Arc<Loaded>),
    /// It cannot; the error says why and what to do.
    Refused(LoadError),
}

/// A component that was looked at and not loaded.
#[derive(Debug)]
pub struct Examined {
    /// What it declares.
    pub manifest: Manifest,
    /// `sha256:…` of its bytes.
    pub digest: String,
    /// What it is for.
    pub role: Role,
    /// What it imports.
    pub imports: Vec<Import>,
    /// What it exports, with versions, sorted by name.
    pub exports: Vec<String>,
    /// Size of the `.wasm` in bytes.
    pub bytes: usize,
    /// Linear memory of its largest memory at start, in bytes; none when it cannot be told.
    pub initial_memory: Option<u64>,
}

/// The installed components.
pub struct Catalog {
    shared: Arc<Shared>,
    watcher: Option<std::thread::JoinHandle<()>>,
}

pub(crate) struct Shared {
    settings: CatalogSettings,
    linkers: Linkers,
    records: Records,
    guard: Guard,
    callers: Arc<Callers>,
    current: RwLock<Arc<Snapshot>>,
    /// One look at a time.
    looking: Mutex<Seen>,
    stop: AtomicBool,
}

/// What is installed at one moment.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) installed: Vec<Arc<Installed>>,
    /// Tool name → the component and the position of its definition.
    pub(crate) tools: BTreeMap<String, (Arc<Loaded>, usize)>,
    pub(crate) by_name: BTreeMap<String, Arc<Installed>>,
}

/// What the last look saw, so that only what changed is loaded again.
#[derive(Default)]
struct Seen {
    files: BTreeMap<PathBuf, (Fingerprint, Arc<Installed>)>,
    release: Vec<Arc<Installed>>,
    grants: Option<Grants>,
}

/// Enough to notice that a file was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Catalog {
    /// Loads everything once and begins to watch the folder.
    pub fn open(settings: CatalogSettings) -> Result<Self, String> {
        let linkers = Linkers::new(settings.engine.engine());
        let records = Records {
            key_values: settings.key_values.clone(),
            recall: settings.recall.clone(),
            clock: settings.clock.clone(),
        };
        let guard = Guard {
            audit: settings.audit.clone(),
            scrubber: settings.scrubber.clone(),
            leaks: settings.config.egress.leaks,
        };
        let shared = Arc::new(Shared {
            guard,
            settings,
            linkers,
            records,
            callers: Arc::default(),
            current: RwLock::default(),
            looking: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let first = shared.clone();
        std::thread::scope(|scope| scope.spawn(|| first.look()).join())
            .map_err(|_| "loading the components failed unexpectedly".to_owned())??;
        let watched = Arc::downgrade(&shared);
        let watcher = std::thread::Builder::new()
            .name("hydroid-catalog".into())
            .spawn(move || {
                loop {
                    std::thread::park_timeout(LOOK);
                    let Some(shared) = watched.upgrade() else { return };
                    if shared.stop.load(Ordering::Relaxed) {
                        return;
                    }
                    if shared.is_changing() {
                        continue;
                    }
                    if let Err(problem) = shared.look() {
                        tracing::warn!(%problem, "the components could not be looked at");
                    }
                }
            })
            .map_err(|error| format!("no thread to watch the components: {error}"))?;
        Ok(Self { shared, watcher: Some(watcher) })
    }

    /// Looks at the folder now instead of within half a second.
    pub fn refresh(&self) -> Result<(), String> {
        let shared = self.shared.clone();
        std::thread::scope(|scope| scope.spawn(|| shared.look()).join())
            .map_err(|_| "loading the components failed unexpectedly".to_owned())?
    }

    /// Everything installed, sorted by name.
    pub fn installed(&self) -> Vec<Arc<Installed>> {
        self.snapshot().installed.clone()
    }

    /// One component by name.
    pub fn get(&self, name: &str) -> Option<Arc<Installed>> {
        self.snapshot().by_name.get(name).cloned()
    }

    /// True if this component works only within the turn of a model.
    pub fn needs_a_turn(&self, name: &str) -> bool {
        match self.get(name).as_deref().map(|its| &its.status) {
            Some(Status::Ready(loaded)) => {
                loaded.grant().profiles.iter().any(|profile| profile.needs_a_turn())
            }
            Some(Status::Refused(_)) | None => false,
        }
    }

    /// Looks at a component that is not installed, without granting or calling anything.
    /// `name` is used if it brings no manifest.
    pub fn examine(&self, wasm: Vec<u8>, name: &str) -> Result<Examined, LoadError> {
        let digest = component::digest(&wasm);
        let manifest = match component::embedded_manifest(&wasm)? {
            Some(manifest) => manifest,
            None if is_component_name(name) => Manifest::bare(ComponentId::new(name)),
            None => return Err(LoadError::Name(name.to_owned())),
        };
        let bytes = wasm.len();
        let hex = digest.trim_start_matches("sha256:");
        let (component, _) = self
            .cache()
            .get(self.engine(), hex, || Ok(wasm))
            .map_err(|error| LoadError::NotAComponent(component::brief(&format!("{error:#}"))))?;
        let imports = check::imports(self.engine().engine(), &component);
        let role = check::role(self.engine().engine(), &component)
            .map_err(|refusal| LoadError::Refused(vec![refusal]))?;
        let exports = check::exports(self.engine().engine(), &component);
        let initial_memory = component
            .resources_required()
            .map(|required| required.max_initial_memory_size.unwrap_or(0) * 65_536);
        Ok(Examined { manifest, digest, role, imports, exports, bytes, initial_memory })
    }

    /// The operator's grants as the host sees them now.
    pub fn grants(&self) -> Result<Grants, String> {
        (self.shared.settings.grants)()
    }

    /// True for a component that came with the release and is granted what it wants.
    pub fn is_bundled(&self, name: &str) -> bool {
        let settings = &self.shared.settings;
        settings.bundle.contains(name)
            && settings.first_party.iter().any(|first| first.manifest.name.as_str() == name)
    }

    /// The engine.
    pub fn engine(&self) -> &WasmEngine {
        &self.shared.settings.engine
    }

    /// Compiled code on disk.
    pub fn cache(&self) -> &CompiledCache {
        &self.shared.settings.cache
    }

    /// The calls that may ask for others.
    pub(crate) fn callers(&self) -> &Arc<Callers> {
        &self.shared.callers
    }

    /// The audit log.
    pub(crate) fn audit(&self) -> &dyn Audit {
        &*self.shared.settings.audit
    }

    /// A span within a place, or a trace of its own for what is a part of nothing.
    pub(crate) fn span_within(
        &self,
        within: Option<&Trace>,
        name: std::fmt::Arguments<'_>,
        kind: SpanKind,
    ) -> OpenSpan {
        match within {
            Some(trace) => trace.begin(name, kind),
            None => OpenSpan::root(self.shared.settings.telemetry.as_ref(), None, name, kind),
        }
    }

    /// Finds secrets in what is passed on.
    pub(crate) fn scrubber(&self) -> hydroid_core::scrub::Scrubber {
        self.shared.settings.scrubber.current()
    }

    /// The configuration the components run under.
    pub(crate) fn config(&self) -> &config::Config {
        &self.shared.settings.config
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Catalog {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            watcher.thread().unpark();
            let _ = watcher.join();
        }
    }
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("installed", &self.installed()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for FirstParty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FirstParty")
            .field("name", &self.manifest.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for CatalogSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CatalogSettings")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// True while somebody changes several things that belong together.
    fn is_changing(&self) -> bool {
        let since = std::fs::metadata(self.settings.directory.join(CHANGING))
            .and_then(|marker| marker.modified())
            .ok()
            .and_then(|begun| begun.elapsed().ok());
        since.is_some_and(|since| since < LONGEST_CHANGE)
    }

    /// One look: what changed is loaded, what is gone is dropped, the rest stays as it is.
    fn look(&self) -> Result<(), String> {
        let mut seen = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let grants = (self.settings.grants)()?;
        let grants_changed = seen.grants.as_ref() != Some(&grants);
        let mut changed = grants_changed;
        let mut unrecorded = Vec::new();
        if grants_changed {
            seen.release = self
                .settings
                .first_party
                .iter()
                .map(|first| Arc::new(self.recorded(self.load_release(first, &grants), true)))
                .collect();
        }
        let found = self.files()?;
        let mut files = BTreeMap::new();
        for (path, fingerprint) in found {
            let known = seen
                .files
                .remove(&path)
                .filter(|(known, _)| *known == fingerprint && !grants_changed);
            let installed = match known {
                Some((_, installed)) => installed,
                None => {
                    changed = true;
                    let installed = self.recorded(self.load_file(&path, &grants), false);
                    if matches!(installed.status, Status::Refused(LoadError::Unaudited)) {
                        unrecorded.push(path.clone());
                    }
                    Arc::new(installed)
                }
            };
            files.insert(path, (fingerprint, installed));
        }
        changed |= !seen.files.is_empty();
        seen.files = files;
        seen.grants = Some(grants);
        if changed {
            let all =
                seen.release.iter().chain(seen.files.values().map(|(_, installed)| installed));
            let snapshot = Arc::new(snapshot(all.cloned().collect()));
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        }
        for path in unrecorded {
            seen.files.remove(&path);
        }
        Ok(())
    }

    /// The component, once it is in the audit log that it was loaded or refused, with its digest
    /// and why. Nothing is recorded of components of the release that load, since their digests are
    /// those of the release and every start would repeat them, nor of those that a person turned
    /// off, did not configure or did not grant.
    ///
    /// One that cannot be recorded is not used.
    fn recorded(&self, installed: Installed, of_release: bool) -> Installed {
        let (outcome, why) = match &installed.status {
            Status::Ready(_) if of_release => return installed,
            Status::Refused(
                LoadError::Disabled(_) | LoadError::Config(_) | LoadError::Refused(_),
            ) if of_release => {
                return installed;
            }
            Status::Ready(loaded) => (AuditOutcome::Allowed, format!("it is a {}", loaded.role)),
            Status::Refused(error) => (AuditOutcome::Denied, error.to_string()),
        };
        let scrub = |text: &str, most| -> String {
            self.guard.scrubber.current().scrub(text).chars().take(most).collect()
        };
        let name = scrub(&installed.name, LONGEST_AUDITED);
        let event = AuditEvent {
            component: Some(ComponentId::new(name)),
            digest: installed.digest.clone(),
            rule: scrub(&why, LONGEST_AUDITED),
            ..AuditEvent::new(
                self.settings.config.user.clone(),
                AuditAction::ComponentLoaded,
                scrub(&installed.place, LONGEST_AUDITED),
                outcome,
            )
        };
        match component::block_on(self.settings.audit.record(event)) {
            Ok(()) => installed,
            Err(error) => {
                tracing::error!(%error, component = installed.name, "a loaded component could not be audited");
                Installed { status: Status::Refused(LoadError::Unaudited), ..installed }
            }
        }
    }

    fn files(&self) -> Result<Vec<(PathBuf, Fingerprint)>, String> {
        let entries = match std::fs::read_dir(&self.settings.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(format!("the components folder cannot be read: {error}")),
        };
        let mut files = Vec::new();
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let visible =
                path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."));
            if !visible || path.extension().is_none_or(|extension| extension != "wasm") {
                continue;
            }
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            let fingerprint = Fingerprint {
                inode: metadata.ino(),
                size: metadata.len(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            };
            files.push((path, fingerprint));
        }
        files.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(files)
    }

    fn load_release(&self, first: &FirstParty, grants: &Grants) -> Installed {
        let bundled = self.settings.bundle.contains(first.manifest.name.as_str());
        let wasm = || (first.wasm)().map_err(wasmtime::Error::msg);
        let status =
            self.load(first.manifest.clone(), first.digest.clone(), true, bundled, grants, wasm);
        Installed {
            name: first.manifest.name.to_string(),
            place: "release".into(),
            digest: Some(first.digest.clone()),
            manifest: Some(first.manifest.clone()),
            status,
        }
    }

    fn load_file(&self, path: &Path, grants: &Grants) -> Installed {
        let place =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let stem =
            path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let refused = |name: String, digest, error| Installed {
            name,
            place: place.clone(),
            digest,
            manifest: None,
            status: Status::Refused(error),
        };
        let wasm = match read(path) {
            Ok(wasm) => wasm,
            Err(problem) => return refused(stem, None, LoadError::Read(problem)),
        };
        let digest = component::digest(&wasm);
        let manifest = match component::embedded_manifest(&wasm) {
            Ok(Some(manifest)) => manifest,
            Ok(None) if is_component_name(&stem) => Manifest::bare(ComponentId::new(stem.clone())),
            Ok(None) => return refused(stem.clone(), Some(digest), LoadError::Name(stem)),
            Err(error) => return refused(stem, Some(digest), error),
        };
        let status = match pin_refusal(grants, &manifest, &digest) {
            Some(problem) => Status::Refused(LoadError::Pinned(problem)),
            None => self.load(manifest.clone(), digest.clone(), false, false, grants, || Ok(wasm)),
        };
        Installed {
            name: manifest.name.to_string(),
            place,
            digest: Some(digest),
            manifest: Some(manifest),
            status,
        }
    }

    fn load(
        &self,
        manifest: Manifest,
        digest: String,
        first_party: bool,
        bundled: bool,
        grants: &Grants,
        wasm: impl FnOnce() -> Result<Vec<u8>, wasmtime::Error>,
    ) -> Status {
        let settings = &self.settings;
        let around = Surroundings {
            engine: &settings.engine,
            cache: &settings.cache,
            linkers: &self.linkers,
            workspace: &settings.workspace,
            records: &self.records,
            egress: &settings.egress,
            guard: &self.guard,
            secrets: &settings.secrets,
            caps: &settings.config.limits,
            components: &settings.config.components,
            secret_sources: &settings.config.secrets,
            still: settings.still,
            trials: settings.trials,
        };
        let grant = grants.effective(Subject { manifest: &manifest, digest: &digest, bundled });
        match component::load(&around, manifest, digest, first_party, grant, wasm) {
            Ok(loaded) => Status::Ready(Arc::new(loaded)),
            Err(error) => Status::Refused(error),
        }
    }
}

/// Why these bytes may not be loaded under this name, if something else is pinned.
fn pin_refusal(grants: &Grants, manifest: &Manifest, digest: &str) -> Option<String> {
    let name = &manifest.name;
    let pinned = grants.pinned.get(name.as_str())?;
    if pinned.digest != digest {
        return Some(format!(
            "its bytes are {digest}, and {} is pinned in `components.lock`: somebody else put the file there; install it with `hydroid component add FILE` if you want it, or go back with `hydroid component rollback {name}`",
            pinned.digest
        ));
    }
    let key = pinned.distrusted.as_ref()?;
    Some(format!(
        "it was signed by `{key}`, which is not trusted any more; remove it with `hydroid component remove {name}`, or trust the key again with `hydroid key trust {key}`"
    ))
}

/// Brings the components together; a name that is taken is an error that names both owners.
fn snapshot(all: Vec<Arc<Installed>>) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for installed in all {
        let installed = match taken(&snapshot, &installed) {
            Some(problem) => Arc::new(Installed {
                name: installed.name.clone(),
                place: installed.place.clone(),
                digest: installed.digest.clone(),
                manifest: installed.manifest.clone(),
                status: Status::Refused(LoadError::Taken(problem)),
            }),
            None => installed,
        };
        if let Status::Ready(loaded) = &installed.status {
            for (index, definition) in loaded.offered().iter().enumerate() {
                snapshot.tools.insert(definition.name.clone(), (loaded.clone(), index));
            }
        }
        snapshot.by_name.entry(installed.name.clone()).or_insert_with(|| installed.clone());
        snapshot.installed.push(installed);
    }
    snapshot.installed.sort_by(|a, b| (&a.name, &a.place).cmp(&(&b.name, &b.place)));
    snapshot
}

fn taken(snapshot: &Snapshot, installed: &Installed) -> Option<String> {
    if let Some(other) = snapshot.by_name.get(&installed.name) {
        return Some(format!(
            "the name `{}` is taken: by `{}` and by `{}`; remove one of them with `hydroid component remove`, or rename it",
            installed.name, other.place, installed.place
        ));
    }
    let Status::Ready(loaded) = &installed.status else { return None };
    loaded.offered().iter().find_map(|definition| {
        let (other, _) = snapshot.tools.get(&definition.name)?;
        Some(format!(
            "the tool name `{}` is taken: by `{}` and by `{}`; turn one of them off with `hydroid config set components.{}.enabled false`",
            definition.name,
            other.name(),
            installed.name,
            installed.name
        ))
    })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.kind().to_string())?.len();
    if size > LARGEST_FILE {
        return Err(format!("it has {size} bytes; {LARGEST_FILE} are the most"));
    }
    std::fs::read(path).map_err(|error| error.kind().to_string())
}
