//! One component from bytes to something callable: digest, manifest, check, link, and what it
//! says about itself, asked without any authority.

use crate::bindings::core::types::Error;
use crate::bindings::{channels, embedders, hooks, parsers, providers, tools};
use crate::cache::{self, CompiledCache};
use crate::check::{self, Import, Refusal, Role};
use crate::egress::Egress;
use crate::embedder::{self, Embedding};
use crate::engine::WasmEngine;
use crate::files::Workspace;
use crate::guard::Guard;
use crate::hook::Hooking;
use crate::instance::{self, Equipment, Records, SecretRule, State};
use crate::limits::Limits;
use crate::linker::Linkers;
use crate::parser::Parsing;
use crate::schema;
use crate::still::Still;
use crate::trap;
use hydroid_core::capability::{Grant, Profile};
use hydroid_core::config::{self, is_name};
use hydroid_core::hook::HookPoint;
use hydroid_core::id::{ComponentId, SessionId, TurnId, UserId};
use hydroid_core::manifest::{Manifest, ManifestError};
use hydroid_core::message::Origin;
use hydroid_core::policy::resource::host_of;
use hydroid_core::ports::{CallContext, CancelFlag, SawSecret, Secrets};
use hydroid_core::telemetry::{OpenSpan, SpanKind, Trace, names};
use hydroid_core::tool::{Impact, Reach, Resource, ResourceKind, ToolDetails};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wasmtime::Store;
use wasmtime::component::InstancePre;

/// Name of the custom section that holds the manifest, so that one `.wasm` is complete.
pub const MANIFEST_SECTION: &str = "hydroid:manifest";

/// Time a component has to say what it is.
const DEFINITIONS_TIME: Duration = Duration::from_secs(2);

/// Tools one component may offer; each is sent to the model with every request.
const MOST_TOOLS: usize = 64;

/// Longest description of a tool, in characters.
const LONGEST_DESCRIPTION: usize = 8_000;

/// Longest schema of a tool, in bytes.
const LONGEST_SCHEMA: usize = 64 << 10;

/// A component that is ready to be called.
pub struct Loaded {
    /// What it declares.
    pub manifest: Manifest,
    /// `sha256:…` of its bytes.
    pub digest: String,
    /// What it is for.
    pub role: Role,
    /// What it imports.
    pub imports: Vec<Import>,
    /// Tools it offers; empty for other roles.
    pub definitions: Vec<Definition>,
    /// It came with the release.
    pub first_party: bool,
    /// Where its code came from.
    pub origin: cache::Origin,
    pub(crate) engine: WasmEngine,
    pub(crate) equipment: Arc<Equipment>,
    pub(crate) pre: Pre,
}

/// A tool as its component defines it, checked.
pub struct Definition {
    /// Name the model calls it by.
    pub name: String,
    /// Title for people.
    pub title: Option<String>,
    /// What it does.
    pub description: String,
    /// JSON Schema of the arguments.
    pub input_schema: Value,
    /// It claims to change nothing.
    pub claims_read_only: bool,
    /// What else it says of itself.
    pub(crate) details: ToolDetails,
    pub(crate) validator: jsonschema::Validator,
    /// The same for the data of a result, where it says what that is.
    pub(crate) output: Option<jsonschema::Validator>,
}

pub(crate) enum Pre {
    Tool(tools::AllToolsPre<State>),
    Provider(providers::AllProvidersPre<State>),
    Embedder(Embedding),
    Parser(Parsing),
    Hook(Hooking),
    Channel(channels::AllChannelsPre<State>),
}

/// Characters of an engine's message that are kept: its first sentence, and no dump of the input.
const LONGEST_REASON: usize = 200;

/// Why a component is not loaded. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("its file cannot be read: {0}")]
    Read(String),
    /// Not a component the engine takes.
    #[error("it is not a component this host can run: {0}")]
    NotAComponent(String),
    /// Its manifest is wrong.
    #[error("{}", with_source(.0))]
    Manifest(#[from] ManifestError),
    /// No manifest, and its file name is no component name.
    #[error(
        "it has no manifest and its file name `{0}` is not a component name; rename the file to lower-case letters, digits and `-`"
    )]
    Name(String),
    /// It may not be linked.
    #[error("{}", sentences(.0))]
    Refused(Vec<Refusal>),
    /// wasmtime does not link it.
    #[error("it does not link: {0}")]
    Link(String),
    /// What it says about itself cannot be used.
    #[error("{0}")]
    Definitions(String),
    /// Its configuration does not fit its schema.
    #[error("{0}")]
    Config(String),
    /// Another component has its name or one of its tools' names.
    #[error("{0}")]
    Taken(String),
    /// That it is loaded could not be recorded; it is tried again at the next look.
    #[error("it is not used, because the audit log cannot be written; see `hydroid doctor`")]
    Unaudited,
    /// Other bytes than are pinned, or bytes of somebody who is not trusted any more.
    #[error("{0}")]
    Pinned(String),
    /// Turned off by configuration.
    #[error(
        "it is turned off; a person can turn it on with `hydroid config set components.{0}.enabled true`"
    )]
    Disabled(ComponentId),
}

/// What a component is loaded with.
pub(crate) struct Surroundings<'a> {
    pub(crate) engine: &'a WasmEngine,
    pub(crate) cache: &'a CompiledCache,
    pub(crate) linkers: &'a Linkers,
    pub(crate) workspace: &'a Arc<Workspace>,
    pub(crate) records: &'a Records,
    pub(crate) egress: &'a Arc<Egress>,
    pub(crate) guard: &'a Guard,
    pub(crate) secrets: &'a Arc<dyn Secrets>,
    pub(crate) caps: &'a config::Limits,
    pub(crate) components: &'a BTreeMap<String, config::Component>,
    pub(crate) secret_sources: &'a BTreeMap<String, config::SecretSource>,
    pub(crate) still: Option<Still>,
    pub(crate) trials: bool,
}

/// `sha256:` and the digest in hexadecimal.
pub fn digest(wasm: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(wasm)))
}

/// The manifest embedded in a component, if there is one.
pub fn embedded_manifest(wasm: &[u8]) -> Result<Option<Manifest>, LoadError> {
    let bad =
        |error: wasmparser::BinaryReaderError| LoadError::NotAComponent(brief(error.message()));
    let Some(section) = find_section(wasm).map_err(bad)? else { return Ok(None) };
    let text = std::str::from_utf8(section)
        .map_err(|_| LoadError::Manifest(ManifestError::Toml("it is not UTF-8".into())))?;
    Ok(Some(Manifest::parse(text)?))
}

/// The bytes of the manifest embedded in a component, if there is one.
pub(crate) fn manifest_section(wasm: &[u8]) -> Option<&[u8]> {
    find_section(wasm).ok().flatten()
}

fn find_section(wasm: &[u8]) -> Result<Option<&[u8]>, wasmparser::BinaryReaderError> {
    let mut depth = 0_u32;
    for payload in wasmparser::Parser::new(0).parse_all(wasm) {
        match payload? {
            wasmparser::Payload::ModuleSection { .. }
            | wasmparser::Payload::ComponentSection { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth = depth.saturating_sub(1),
            wasmparser::Payload::CustomSection(section)
                if depth == 0 && section.name() == MANIFEST_SECTION =>
            {
                return Ok(Some(section.data()));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The first line of what an engine says, without the bytes it would dump on further lines.
pub(crate) fn brief(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.split(" - expected=[").next().unwrap_or_default();
    line.chars().take(LONGEST_REASON).collect()
}

/// What a component is for and what it imports, looked at without the cache and without running
/// anything of it.
pub fn looked_at(engine: &WasmEngine, wasm: &[u8]) -> Result<(Role, Vec<Import>), LoadError> {
    let component = wasmtime::component::Component::new(engine.engine(), wasm)
        .map_err(|error| LoadError::NotAComponent(brief(&format!("{error:#}"))))?;
    let role = check::role(engine.engine(), &component)
        .map_err(|refusal| LoadError::Refused(vec![refusal]))?;
    Ok((role, check::imports(engine.engine(), &component)))
}

/// Loads a component under a grant. `wasm` is asked for only if there is no compiled code.
pub(crate) fn load(
    around: &Surroundings<'_>,
    manifest: Manifest,
    digest: String,
    first_party: bool,
    grant: Grant,
    wasm: impl FnOnce() -> Result<Vec<u8>, wasmtime::Error>,
) -> Result<Loaded, LoadError> {
    let name = manifest.name.clone();
    let settings = around.components.get(name.as_str()).cloned().unwrap_or_default();
    if !settings.enabled {
        return Err(LoadError::Disabled(name));
    }
    let config = component_config(&manifest, &settings)?;
    let hex = digest.trim_start_matches("sha256:");
    let (component, origin) = around
        .cache
        .get(around.engine, hex, wasm)
        .map_err(|error| LoadError::NotAComponent(brief(&format!("{error:#}"))))?;
    let engine = around.engine.engine();
    let imports = check::imports(engine, &component);
    let role =
        check::role(engine, &component).map_err(|refusal| LoadError::Refused(vec![refusal]))?;
    // Nothing that is granted would make it run.
    if role == Role::Channel && !around.trials {
        return Err(LoadError::Refused(vec![Refusal::RoleNotBuilt { role }]));
    }
    let refusals = check::refusals(&name, &imports, &grant);
    if !refusals.is_empty() {
        return Err(LoadError::Refused(refusals));
    }
    let limits = Limits::resolve(around.caps, &settings.limits, &manifest.limits);
    let equipment = Arc::new(Equipment {
        component: name,
        digest: digest.clone(),
        guard: Some(around.guard.clone()),
        secrets: secret_rules(&manifest, around.secret_sources),
        grant,
        limits,
        config,
        values: around.secrets.clone(),
        workspace: Some(around.workspace.clone()),
        records: Some(around.records.clone()),
        egress: around.egress.clone(),
        wants_preopens: imports.iter().any(|import| import.interface == "wasi:filesystem/types"),
        still: around.still,
    });
    let linker = around
        .linkers
        .get(&equipment.grant)
        .map_err(|error| LoadError::Link(format!("{error:#}")))?;
    let instance = linker
        .instantiate_pre(&component)
        .map_err(|error| LoadError::Link(format!("{error:#}")))?;
    let (pre, definitions) = introduce(around, role, instance, &equipment, &imports)?;
    Ok(Loaded {
        manifest,
        digest,
        role,
        imports,
        definitions,
        first_party,
        origin,
        engine: around.engine.clone(),
        equipment,
        pre,
    })
}

impl Loaded {
    /// Name of the component.
    pub fn name(&self) -> &ComponentId {
        &self.manifest.name
    }

    /// The capabilities in force.
    pub fn grant(&self) -> &Grant {
        &self.equipment.grant
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.equipment.limits
    }

    /// The tools the model is offered. What a vault write step defines is run by the host after
    /// the read step, never by the model.
    pub fn offered(&self) -> &[Definition] {
        let internal = self.grant().profiles.contains(&Profile::VaultWriteStep);
        if internal { &[] } else { &self.definitions }
    }

    /// What it is as an embedder; none for other roles.
    pub fn embedder(&self) -> Option<&embedder::Description> {
        match &self.pre {
            Pre::Embedder(embedding) => Some(&embedding.description),
            Pre::Tool(_) | Pre::Provider(_) | Pre::Parser(_) | Pre::Hook(_) | Pre::Channel(_) => {
                None
            }
        }
    }

    /// Points it is asked at, if it is a hook; empty for other roles.
    pub fn points(&self) -> impl Iterator<Item = HookPoint> {
        let hooking = match &self.pre {
            Pre::Hook(hooking) => Some(hooking),
            Pre::Tool(_)
            | Pre::Provider(_)
            | Pre::Embedder(_)
            | Pre::Parser(_)
            | Pre::Channel(_) => None,
        };
        hooking.into_iter().flat_map(|hooking| hooking.points())
    }

    /// Endings of the names of documents it reads; empty for other roles.
    pub fn reads(&self) -> impl Iterator<Item = &String> {
        let parsing = match &self.pre {
            Pre::Parser(parsing) => Some(parsing),
            Pre::Tool(_) | Pre::Provider(_) | Pre::Embedder(_) | Pre::Hook(_) | Pre::Channel(_) => {
                None
            }
        };
        parsing.into_iter().flat_map(|parsing| &parsing.extensions)
    }

    /// What its imports and its grant make possible, whatever it claims.
    pub fn impact(&self) -> Impact {
        impact(&self.imports, &self.equipment.grant)
    }

    /// Why a call cannot be tried out without doing it; none if all it reaches are files through
    /// the host's own interface, which can be staged.
    pub(crate) fn untried(&self) -> Option<String> {
        let other = self.imports.iter().find(|import| {
            matches!(import.class, check::Class::Capability(_))
                && !matches!(
                    import.interface.as_str(),
                    "hydroid:cap/fs-read" | "hydroid:cap/fs-write"
                )
        });
        if let Some(import) = other {
            return Some(format!(
                "`{}` uses `{}`, which cannot be tried out without an effect",
                self.name(),
                import.interface
            ));
        }
        self.equipment.wants_preopens.then(|| {
            format!(
                "`{}` writes through `wasi:filesystem`, which cannot be tried out without an effect",
                self.name()
            )
        })
    }

    /// What a result of a call is made of, proven from what the component can reach.
    pub(crate) fn origin_of(&self, resources: &[Resource]) -> Origin {
        origin(&self.imports, &self.equipment.grant, self.first_party, resources)
    }

    /// What a call can read and write of what is kept.
    pub fn reach(&self) -> Reach {
        reach(&self.imports, &self.equipment.grant)
    }

    /// The span of a call of one of its functions.
    pub(crate) fn span(&self, trace: &Trace, function: &str) -> OpenSpan {
        let mut span = trace.begin(format_args!("component {}", self.name()), SpanKind::Internal);
        span.set(names::COMPONENT, self.name().as_str());
        span.set(names::DIGEST, self.equipment.digest.as_str());
        span.set(names::FUNCTION, function);
        span
    }

    /// The span of making an instance for a call.
    pub(crate) fn instantiating(&self, trace: &Trace) -> OpenSpan {
        let mut span = trace.begin(format_args!("instantiate {}", self.name()), SpanKind::Internal);
        span.set(names::COMPONENT, self.name().as_str());
        span
    }

    /// A store for a call that may take `time`.
    pub(crate) fn store(
        &self,
        call: CallContext,
        time: Duration,
    ) -> wasmtime::Result<Store<State>> {
        instance::store(self.engine.engine(), &self.equipment, call, Instant::now() + time)
    }
}

/// Proven from imports: what is not imported cannot be done.
pub fn impact(imports: &[Import], grant: &Grant) -> Impact {
    let each = imports.iter().map(|import| import_impact(import, grant));
    each.max().unwrap_or(Impact::ReadOnly)
}

/// What a result is made of. Code of others may have anything built in, so only what came with
/// the release and reaches nothing counts as computed.
fn origin(imports: &[Import], grant: &Grant, first_party: bool, resources: &[Resource]) -> Origin {
    let used = |interface: &str| links(imports, grant, interface);
    let capabilities = imports
        .iter()
        .filter(|import| matches!(import.class, check::Class::Capability(_)))
        .filter(|import| grant.links(&import.interface))
        .count();
    let of_kind = |kind: ResourceKind| {
        // What only looks like one may be something else, and nothing is known then.
        let mut found = resources.iter().filter(|found| found.kind == kind && found.declared);
        match (found.next(), found.next()) {
            (Some(one), None) => Some(one.text.clone()),
            _ => None,
        }
    };
    // Made of whatever those it called, or a child turn, gave back.
    if used("hydroid:cap/invoke") || used("hydroid:cap/delegate") {
        return Origin::Unknown;
    }
    if used("hydroid:cap/web") || used("wasi:http/outgoing-handler") {
        return Origin::Host { host: of_kind(ResourceKind::Url).and_then(|url| host_of(&url)) };
    }
    if reach(imports, grant).reads_files {
        return Origin::File { path: of_kind(ResourceKind::Path) };
    }
    if used("hydroid:cap/vault-names") {
        return Origin::File { path: Some("/vault".to_owned()) };
    }
    if used("hydroid:cap/memory") || used("hydroid:cap/scratchpad") {
        return Origin::Memory;
    }
    if used("hydroid:cap/skills") {
        return if capabilities == 1 && first_party { Origin::Skill } else { Origin::Unknown };
    }
    if capabilities == 0 && first_party { Origin::Computed } else { Origin::Unknown }
}

/// What is kept and can be read or changed, by our own interfaces or by those of WASI.
fn reach(imports: &[Import], grant: &Grant) -> Reach {
    let used = |interface: &str| links(imports, grant, interface);
    let noise = imports.iter().any(|import| import.interface == "wasi:filesystem/types");
    let granted = |profile: Profile| noise && grant.profiles.contains(&profile);
    let writes_files = used("hydroid:cap/fs-write") || granted(Profile::FileReadWrite);
    Reach {
        reads_files: used("hydroid:cap/fs-read")
            || granted(Profile::FileReadOnly)
            || granted(Profile::FileReadWrite),
        writes_files,
        keeps_state: used("hydroid:cap/kv"),
        calls_tools: used("hydroid:cap/invoke") || used("hydroid:cap/delegate"),
    }
}

fn links(imports: &[Import], grant: &Grant, interface: &str) -> bool {
    imports.iter().any(|import| import.interface == interface) && grant.links(interface)
}

fn import_impact(import: &Import, grant: &Grant) -> Impact {
    let uses_only = |functions: &[&str]| {
        if import.functions.iter().all(|function| functions.contains(&function.as_str())) {
            Impact::ReadOnly
        } else {
            Impact::Edits
        }
    };
    match &import.class {
        check::Class::Core | check::Class::Inert => Impact::ReadOnly,
        check::Class::Noise => {
            let writes = grant.profiles.contains(&Profile::FileReadWrite);
            match import.interface.as_str() {
                "wasi:filesystem/types" if writes => Impact::Edits,
                _ => Impact::ReadOnly,
            }
        }
        check::Class::Capability(_) => match import.interface.as_str() {
            "hydroid:cap/web" | "wasi:http/outgoing-handler" => network_impact(grant),
            // What a component keeps for itself changes nothing of the person's, and a handle on
            // a secret or the vocabulary of HTTP does nothing without the network.
            "hydroid:cap/fs-read"
            | "hydroid:cap/vault-names"
            | "hydroid:cap/kv"
            | "hydroid:cap/secrets"
            // What it has called is decided on by itself.
            | "hydroid:cap/delegate"
            // A person keeps them for this; what they say allows nothing.
            | "hydroid:cap/skills"
            | "hydroid:cap/invoke"
            | "wasi:http/types" => Impact::ReadOnly,
            "hydroid:cap/memory" => uses_only(&["search"]),
            "hydroid:cap/scratchpad" => uses_only(&["read"]),
            "hydroid:cap/fs-write" => Impact::Edits,
            "hydroid:cap/vault-read" | "hydroid:cap/vault-offer" => Impact::Vault,
            _ => Impact::Changes,
        },
        check::Class::OtherTrack | check::Class::Unknown => Impact::Changes,
    }
}

fn network_impact(grant: &Grant) -> Impact {
    let only_reads = |methods: &BTreeSet<String>| {
        !methods.is_empty()
            && methods.iter().all(|method| matches!(method.as_str(), "GET" | "HEAD"))
    };
    if grant.web.iter().all(|rule| only_reads(&rule.methods)) {
        Impact::Network
    } else {
        Impact::Changes
    }
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("name", self.name())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Definition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Definition").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What can be called, and the tools it offers, as it says itself.
fn introduce(
    around: &Surroundings<'_>,
    role: Role,
    instance: InstancePre<State>,
    equipment: &Arc<Equipment>,
    imports: &[Import],
) -> Result<(Pre, Vec<Definition>), LoadError> {
    let link = |error: wasmtime::Error| LoadError::Link(format!("{error:#}"));
    match role {
        Role::Tool => {
            let pre = tools::AllToolsPre::new(instance).map_err(link)?;
            let definitions = definitions(around.engine, &pre, equipment)?;
            Ok((Pre::Tool(pre), definitions))
        }
        Role::Provider => {
            let pre = providers::AllProvidersPre::new(instance).map_err(link)?;
            Ok((Pre::Provider(pre), Vec::new()))
        }
        Role::Embedder => {
            let pre = embedders::AllEmbeddersPre::new(instance).map_err(link)?;
            let embedding = Embedding::introduced(around.engine, pre, equipment, imports)?;
            Ok((Pre::Embedder(embedding), Vec::new()))
        }
        Role::Parser => {
            let pre = parsers::AllParsersPre::new(instance).map_err(link)?;
            let parsing = Parsing::introduced(around.engine, pre, equipment)?;
            Ok((Pre::Parser(parsing), Vec::new()))
        }
        Role::Hook => {
            let pre = hooks::AllHooksPre::new(instance).map_err(link)?;
            let hooking = Hooking::introduced(around.engine, pre, equipment)?;
            Ok((Pre::Hook(hooking), Vec::new()))
        }
        Role::Channel => {
            let pre = channels::AllChannelsPre::new(instance).map_err(link)?;
            Ok((Pre::Channel(pre), Vec::new()))
        }
    }
}

/// Something in a component's configuration that does not fit.
#[derive(Debug)]
pub struct ConfigProblem {
    /// Where, below `components.NAME.config`.
    pub path: Vec<String>,
    /// What is wrong and what to do.
    pub text: String,
    /// It lacks something, and nothing that is there is wrong.
    pub missing: bool,
}

impl ConfigProblem {
    /// True if whoever set this path made it.
    pub fn is_about(&self, path: &[String]) -> bool {
        !self.missing && (self.path.starts_with(path) || path.starts_with(&self.path))
    }
}

/// Everything in a component's configuration that does not fit the schema of its manifest.
pub fn config_problems(manifest: &Manifest, settings: &config::Component) -> Vec<ConfigProblem> {
    match checked_config(manifest, settings) {
        Ok(_) => Vec::new(),
        Err(problems) => problems,
    }
}

/// The component's configuration as JSON, defaults of its schema filled in.
fn component_config(
    manifest: &Manifest,
    settings: &config::Component,
) -> Result<String, LoadError> {
    checked_config(manifest, settings).map_err(|problems| {
        let first = problems.into_iter().next().map(|problem| problem.text);
        LoadError::Config(first.unwrap_or_default())
    })
}

fn checked_config(
    manifest: &Manifest,
    settings: &config::Component,
) -> Result<String, Vec<ConfigProblem>> {
    let name = &manifest.name;
    let whole = |text: String| vec![ConfigProblem { path: Vec::new(), text, missing: false }];
    let mut value =
        serde_json::to_value(&settings.config).map_err(|error| whole(error.to_string()))?;
    let Some(schema) = &manifest.config else {
        if settings.config.is_empty() {
            return Ok("{}".into());
        }
        return Err(whole(format!(
            "`components.{name}.config` is set, but `{name}` takes no configuration; take it out with `hydroid config unset components.{name}.config`"
        )));
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    if let (Some(object), Some(properties)) = (value.as_object_mut(), properties) {
        let secret = |property: &Value| property.get("writeOnly") == Some(&Value::Bool(true));
        let written = properties
            .iter()
            .find(|(key, property)| secret(property) && object.contains_key(key.as_str()));
        if let Some((key, _)) = written {
            return Err(vec![ConfigProblem {
                path: vec![key.clone()],
                text: format!(
                    "`components.{name}.config.{key}` is a secret, and the configuration is plain text that `{name}` would read: store it with `hydroid secret set {key}`, and take it out here with `hydroid config unset components.{name}.config.{key}`"
                ),
                missing: false,
            }]);
        }
        for (key, property) in properties {
            if let Some(default) = property.get("default") {
                object.entry(key).or_insert_with(|| default.clone());
            }
        }
    }
    let validator = schema::compile(schema).map_err(|error| {
        whole(format!("the configuration schema in the manifest of `{name}` is not one: {error}"))
    })?;
    let known = || properties.into_iter().flat_map(|all| all.keys().map(String::as_str));
    let problems: Vec<ConfigProblem> = validator
        .iter_errors(&value)
        .flat_map(|error| config_problem(name, &error, known))
        .collect();
    if problems.is_empty() { Ok(value.to_string()) } else { Err(problems) }
}

/// One error of the validator, in words; several if it is about several keys.
fn config_problem<'a, I: Iterator<Item = &'a str>>(
    name: &ComponentId,
    error: &jsonschema::ValidationError<'_>,
    known: impl Fn() -> I,
) -> Vec<ConfigProblem> {
    use jsonschema::error::ValidationErrorKind as Kind;
    let pointer = error.instance_path().to_string();
    let path: Vec<String> = pointer.split('/').skip(1).map(str::to_owned).collect();
    let place = format!("components.{name}.config{}", dotted(&pointer));
    let below = |key: &str| path.iter().cloned().chain([key.to_owned()]).collect();
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|key| {
                let hint = if path.is_empty() {
                    config::did_you_mean(key, known())
                } else {
                    String::new()
                };
                let has = known().collect::<Vec<_>>().join(", ");
                let has = if has.is_empty() { "none".to_owned() } else { has };
                ConfigProblem {
                    path: below(key),
                    text: format!("`{name}` has no setting `{place}.{key}`{hint}; it has: {has}"),
                    missing: false,
                }
            })
            .collect(),
        Kind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            vec![ConfigProblem {
                path: below(key),
                text: format!(
                    "`{name}` needs a setting that is missing: `hydroid config set {place}.{key} VALUE`"
                ),
                missing: true,
            }]
        }
        _ => vec![ConfigProblem { path, text: format!("`{place}`: {error}"), missing: false }],
    }
}

fn dotted(pointer: &str) -> String {
    pointer.replace('/', ".")
}

fn secret_rules(
    manifest: &Manifest,
    sources: &BTreeMap<String, config::SecretSource>,
) -> BTreeMap<String, SecretRule> {
    manifest
        .secrets
        .iter()
        .map(|(name, want)| {
            let hosts = match sources.get(name) {
                Some(source) if !source.hosts.is_empty() => &source.hosts,
                Some(_) | None => &want.hosts,
            };
            let audience = hosts.iter().filter_map(|host| host.parse().ok()).collect();
            let rotate = sources.get(name).map(|source| source.rotate.clone()).unwrap_or_default();
            let attach = want.attach.clone();
            let (optional, login) = (want.optional, want.login.is_some());
            let rule = SecretRule { audience, attach, optional, login, rotate };
            (name.clone(), rule)
        })
        .collect()
}

/// Asks a component about itself with nothing granted: its capabilities are linked, or it could
/// not be instantiated, and each of them refuses. `what` ends the sentence "it could not say …".
pub(crate) fn ask<T>(
    engine: &WasmEngine,
    equipment: &Arc<Equipment>,
    what: &str,
    question: impl AsyncFnOnce(&mut Store<State>) -> wasmtime::Result<Result<T, Error>>,
) -> Result<T, LoadError> {
    let link = |error: wasmtime::Error| LoadError::Link(format!("{error:#}"));
    let powerless = Arc::new(Equipment {
        component: equipment.component.clone(),
        digest: equipment.digest.clone(),
        guard: None,
        grant: Grant::default(),
        limits: equipment.limits,
        config: equipment.config.clone(),
        secrets: BTreeMap::new(),
        values: equipment.values.clone(),
        workspace: None,
        records: None,
        egress: equipment.egress.clone(),
        wants_preopens: false,
        still: equipment.still,
    });
    let time = DEFINITIONS_TIME;
    let mut store = instance::store(engine.engine(), &powerless, nobody(), Instant::now() + time)
        .map_err(link)?;
    let asked = block_on(async { tokio::time::timeout(time, question(&mut store)).await });
    let answer = match asked {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            return Err(LoadError::Definitions(trap::sentence(&store, trap::Cause::Error(error))));
        }
        Err(_) => {
            trap::sentence(&store, trap::Cause::Deadline(time));
            return Err(LoadError::Definitions(format!(
                "it did not say within {} s {what}",
                time.as_secs()
            )));
        }
    };
    answer.map_err(|error| {
        LoadError::Definitions(format!(
            "it could not say {what}: {}",
            crate::convert::error_text(&error)
        ))
    })
}

fn definitions(
    engine: &WasmEngine,
    pre: &tools::AllToolsPre<State>,
    equipment: &Arc<Equipment>,
) -> Result<Vec<Definition>, LoadError> {
    let written = ask(engine, equipment, "what its tools are", async |store| {
        let bindings = pre.instantiate_async(&mut *store).await?;
        bindings.hydroid_tool_tool().call_definitions(store).await
    })?;
    if written.len() > MOST_TOOLS {
        return Err(LoadError::Definitions(format!(
            "it offers {} tools; {MOST_TOOLS} are the most",
            written.len()
        )));
    }
    let mut names = BTreeSet::new();
    written
        .into_iter()
        .map(|definition| {
            let checked = check_definition(definition)?;
            if !names.insert(checked.name.clone()) {
                return Err(LoadError::Definitions(format!(
                    "it offers two tools called `{}`",
                    checked.name
                )));
            }
            Ok(checked)
        })
        .collect()
}

fn check_definition(
    written: tools::exports::hydroid::tool::tool::Definition,
) -> Result<Definition, LoadError> {
    let wrong = |problem: String| Err(LoadError::Definitions(problem));
    let name = written.name;
    let fits = is_name(&name)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !fits {
        let shown: String =
            name.chars().take(64).map(|c| if c.is_control() { ' ' } else { c }).collect();
        return wrong(format!(
            "it offers a tool called `{shown}`; a tool name has lower-case letters, digits and `_`, begins with a letter, and has at most 64 characters"
        ));
    }
    if written.description.chars().count() > LONGEST_DESCRIPTION {
        return wrong(format!(
            "the description of its tool `{name}` has more than {LONGEST_DESCRIPTION} characters"
        ));
    }
    if written.input_schema.len() > LONGEST_SCHEMA {
        return wrong(format!(
            "the schema of its tool `{name}` has more than {LONGEST_SCHEMA} bytes"
        ));
    }
    let input_schema: Value = match serde_json::from_str(&written.input_schema) {
        Ok(schema) => schema,
        Err(error) => {
            return wrong(format!("the schema of its tool `{name}` is not JSON: {error}"));
        }
    };
    if input_schema.get("type").and_then(Value::as_str) != Some("object") {
        return wrong(format!(
            "the schema of its tool `{name}` is not one of an object; write `\"type\": \"object\"` at its root"
        ));
    }
    let validator = match schema::compile(&input_schema) {
        Ok(validator) => validator,
        Err(error) => {
            return wrong(format!("the schema of its tool `{name}` is not a JSON Schema: {error}"));
        }
    };
    let (output_schema, output) = match written.output_schema.as_deref().map(output_schema) {
        None => (None, None),
        Some(Ok((schema, validator))) => (Some(schema), Some(validator)),
        Some(Err(problem)) => {
            return wrong(format!("the output schema of its tool `{name}` {problem}"));
        }
    };
    let options = match written.options_json.as_deref() {
        None => None,
        Some(text) if text.len() > LONGEST_SCHEMA => {
            return wrong(format!(
                "the options of its tool `{name}` have more than {LONGEST_SCHEMA} bytes"
            ));
        }
        Some(text) => match serde_json::from_str::<Value>(text) {
            Ok(options) if options.is_object() => Some(options),
            Ok(_) | Err(_) => {
                return wrong(format!("the options of its tool `{name}` are not a JSON object"));
            }
        },
    };
    Ok(Definition {
        name,
        title: written.title,
        description: written.description,
        input_schema,
        claims_read_only: written.hints.read_only,
        output,
        details: ToolDetails {
            output_schema,
            destructive: written.hints.destructive,
            idempotent: written.hints.idempotent,
            open_world: written.hints.open_world,
            options,
        },
        validator,
    })
}

/// The schema of a tool's data, if it is one; the error goes on from what it is.
fn output_schema(written: &str) -> Result<(Value, jsonschema::Validator), String> {
    if written.len() > LONGEST_SCHEMA {
        return Err(format!("has more than {LONGEST_SCHEMA} bytes"));
    }
    let schema = serde_json::from_str(written).map_err(|error| format!("is not JSON: {error}"))?;
    let validator =
        schema::compile(&schema).map_err(|error| format!("is not a JSON Schema: {error}"))?;
    Ok((schema, validator))
}

/// Nobody's call: for what the host asks on its own account.
pub(crate) fn nobody() -> CallContext {
    CallContext {
        user: UserId::new("host"),
        session: SessionId::new("none"),
        turn: TurnId::new("none"),
        call: None,
        cancel: CancelFlag::default(),
        progress: Arc::new(|_, _| {}),
        secret: SawSecret::default(),
        trace: Default::default(),
        nested: None,
        wants_data: false,
    }
}

/// Loading happens on a thread of its own, outside any runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without threads can always be made")
        .block_on(future)
}

fn with_source(error: &ManifestError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn sentences(refusals: &[Refusal]) -> String {
    refusals.iter().map(Refusal::to_string).collect::<Vec<_>>().join("; ")
}
