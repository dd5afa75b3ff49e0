//! Configuration: its types, its keys and its defaults. Reading files and the environment is the
//! command line's work; here a merged TOML table becomes a [`Config`], or an error that says
//! which key is wrong and which was probably meant.

use crate::id::UserId;
use crate::policy::{self, Mode, Rule, Who};
use serde::Deserialize;
use std::collections::BTreeMap;

mod budget;
mod gateway;
mod keys;
mod memory;
mod reliability;
mod skills;
mod telemetry;

pub use budget::{Budget, MoneyBudget, Span};
pub use gateway::{Gateway, Webhook};
pub use keys::{KEYS, Key};
pub use memory::{Memory, MemoryWeights};
pub use reliability::{Breaker, ModelCache, OtherModel, Retry, Routes, Timeouts};
pub use skills::Skills;
pub use telemetry::Telemetry;

/// Largest item a vault copy can be configured for; it is held in memory twice on its way.
const LARGEST_VAULT_ITEM: u64 = 1 << 30;

/// Everything that can be configured. Each field is documented in [`KEYS`], from which
/// `docs/config.md` is generated; a test keeps the two equal.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Config {
    pub user: UserId,
    pub workspace: Workspace,
    pub memory: Memory,
    pub hooks: Hooks,
    pub skills: Skills,
    pub model: Model,
    pub turn: Turn,
    pub policy: Policy,
    pub limits: Limits,
    pub egress: Egress,
    pub cache: Cache,
    pub log: Log,
    pub components: BTreeMap<String, Component>,
    pub secrets: BTreeMap<String, SecretSource>,
    pub secrets_store: SecretsStore,
    pub vault: Vault,
    pub budget: Budget,
    pub gateway: Gateway,
    pub telemetry: Telemetry,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Workspace {
    pub directory: Option<String>,
    pub allow_hard_links: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Vault {
    pub max_item: Size,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Hooks {
    #[serde(rename = "use")]
    pub in_use: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Model {
    pub provider: String,
    pub name: String,
    pub max_output_tokens: Option<u32>,
    pub temperature: Option<f32>,
    pub context_tokens: Option<u32>,
    pub catalog: Option<String>,
    pub skip_validation: bool,
    pub instructions: Option<String>,
    pub options: Option<toml::Table>,
    pub prices: Prices,
    pub breaker: Breaker,
    pub cache: ModelCache,
    pub fallback: Vec<OtherModel>,
    pub fallback_on: Vec<String>,
    pub retry: Retry,
    pub route: Routes,
    pub timeouts: Timeouts,
}

/// US dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Prices {
    pub input: Option<f64>,
    pub output: Option<f64>,
    pub cache_read: Option<f64>,
    pub cache_write: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Turn {
    pub max_steps: u32,
    pub max_tokens: u64,
    pub max_dollars: Option<f64>,
    pub max_seconds: u64,
    pub max_repeats: u32,
    pub max_tool_output_chars: usize,
    pub compact_at: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Policy {
    pub mode: Mode,
    pub read_only: Rule,
    pub network: Rule,
    pub changes: Rule,
    pub allow: Vec<String>,
    pub ask: Vec<String>,
    pub deny: Vec<String>,
    pub tools: BTreeMap<String, Rule>,
    pub rules: Vec<PolicyRule>,
}

/// One rule with everything said.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct PolicyRule {
    pub effect: Rule,
    pub calls: String,
    pub component: Option<String>,
    pub host: Option<String>,
    pub agent: Option<String>,
    pub channel: Option<String>,
    pub user: Option<String>,
}

/// The operator's caps; a manifest may ask for less, never for more.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Limits {
    pub memory: Size,
    pub table_elements: usize,
    pub instances: usize,
    pub call: Seconds,
    pub fuel: Option<u64>,
    pub host_calls: u64,
    pub host_call_bytes: Size,
    pub output: Size,
    pub log_lines: u32,
    pub log: Size,
    pub nested_calls: u32,
    pub nesting: u32,
    pub random: Size,
    pub resources: usize,
}

/// One component's own settings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Component {
    pub component: Option<String>,
    pub enabled: bool,
    pub config: toml::Table,
    pub limits: LimitOverrides,
}

/// Limits of one component; they replace the caps for it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct LimitOverrides {
    pub memory: Option<Size>,
    pub call: Option<Seconds>,
    pub fuel: Option<u64>,
    pub host_calls: Option<u64>,
    pub output: Option<Size>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Egress {
    pub allow_private: Vec<String>,
    pub connect: Seconds,
    pub first_byte: Seconds,
    pub total: Seconds,
    pub max_request: Size,
    pub max_request_header_lines: usize,
    pub max_request_headers: Size,
    pub max_response: Size,
    pub max_response_header_lines: usize,
    pub max_response_headers: Size,
    pub max_concurrent: usize,
    pub max_concurrent_per_component: usize,
    pub max_requests_per_call: u32,
    pub max_requests_per_hour: u32,
    pub max_requests_per_minute: u32,
    pub leaks: Leaks,
    pub ca_file: Option<String>,
    pub dns: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Cache {
    pub max_size: Size,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Log {
    pub level: String,
}

/// Where the value of a secret comes from, and where it may be sent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct SecretSource {
    pub env: Option<String>,
    pub exec: Vec<String>,
    pub exec_env: Vec<String>,
    pub file: Option<String>,
    pub hosts: Vec<String>,
    pub rotate: Vec<String>,
}

/// How stored secrets are sealed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct SecretsStore {
    pub master_key: MasterKeyPlace,
}

/// Where the key that stored secrets are sealed under is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MasterKeyPlace {
    /// The system's keyring if it answers, else a file.
    #[default]
    Auto,
    /// The system's keyring.
    Keyring,
    /// A file that only its owner can read.
    File,
    /// An environment variable.
    Env,
}

/// What happens to a request in which one of the person's secrets is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leaks {
    /// It is not sent.
    Block,
    /// It is sent without the secret, where that can be done.
    Redact,
}

/// A number of bytes, written `64MiB`, `512KiB`, `1GiB` or as a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A length of time, written `30s`, `10m`, `1h` or as a plain number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub u64);

/// Configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No such key.
    #[error("unknown configuration key `{key}`{hint}; `hydroid config explain` lists every key")]
    UnknownKey {
        /// The key, dotted.
        key: String,
        /// A suggestion, or nothing.
        hint: String,
    },
    /// A value that does not fit.
    #[error("configuration value does not fit: {0}")]
    Value(String),
}

impl Config {
    /// Reads a merged table, refusing unknown keys and values that do not fit together.
    pub fn from_table(table: toml::Table) -> Result<Self, ConfigError> {
        check_keys("", &table)?;
        let config: Self =
            toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| {
                ConfigError::Value(error.to_string().trim().to_owned())
            })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |text: String| Err(ConfigError::Value(text));
        if let Err(problem) = self.check_budgets() {
            return wrong(problem);
        }
        for (name, price) in self.model.prices.named() {
            if price.is_some_and(|price| crate::money::Price::of_dollars(price).is_none()) {
                return wrong(format!(
                    "`model.prices.{name}` is no price; it is US dollars per million tokens, at least 0"
                ));
            }
        }
        if self.turn.max_steps == 0 || self.turn.max_repeats < 2 {
            return wrong(
                "`turn.max_steps` is at least 1 and `turn.max_repeats` at least 2".into(),
            );
        }
        if self.limits.memory.0 < MEMORY_FLOOR {
            return wrong(format!(
                "`limits.memory` is at least {}: an interpreter needs about half of that to start",
                Size(MEMORY_FLOOR)
            ));
        }
        if self.limits.memory.0 > MEMORY_CEILING {
            return wrong(format!(
                "`limits.memory` is at most {}, what the host reserves for one memory",
                Size(MEMORY_CEILING)
            ));
        }
        if self.egress.max_concurrent == 0
            || self.egress.max_concurrent_per_component == 0
            || self.limits.call.0 == 0
            || self.egress.connect.0 == 0
            || self.egress.first_byte.0 == 0
            || self.egress.total.0 == 0
        {
            return wrong("`egress.max_concurrent`, `egress.max_concurrent_per_component`, `egress.connect`, `egress.first_byte`, `egress.total` and `limits.call` are at least 1".into());
        }
        if !["error", "warn", "info", "debug", "trace"].contains(&self.log.level.as_str()) {
            return wrong(format!(
                "`log.level` is `{}`; it is one of error, warn, info, debug, trace",
                self.log.level
            ));
        }
        if self.workspace.directory.as_ref().is_some_and(|directory| !directory.starts_with('/')) {
            return wrong("`workspace.directory` is an absolute path; a relative one would be another place in each directory".into());
        }
        if !is_name(self.user.as_str()) {
            return wrong(format!(
                "`user` is `{}`; a user name has letters, digits, `-`, `_` and `.`, begins with a letter or digit, and has at most 64 characters",
                self.user
            ));
        }
        self.gateway.check()?;
        self.telemetry.check()?;
        self.model.check_reliability()?;
        self.memory.check()?;
        self.skills.check()?;
        if !(0.0..1.0).contains(&self.turn.compact_at) {
            return wrong(format!(
                "`turn.compact_at` is `{}`; it is a share of the model's window, from 0 (never) to below 1",
                self.turn.compact_at
            ));
        }
        let anybody = Who { user: self.user.clone(), agent: String::new(), channel: String::new() };
        if let Err(problem) = policy::configured(&self.policy, &anybody) {
            return wrong(problem);
        }
        for (name, component) in &self.components {
            if component.component.is_some() && !crate::manifest::is_component_name(name) {
                return wrong(format!(
                    "`components.{name}.component` gives a component a name that none can have; use small letters, digits and `-`, like `groq`"
                ));
            }
            let limits = &component.limits;
            if limits
                .memory
                .is_some_and(|memory| memory.0 > MEMORY_CEILING || memory.0 < SMALLEST_MEMORY)
            {
                return wrong(format!(
                    "`components.{name}.limits.memory` is from {} to {}",
                    Size(SMALLEST_MEMORY),
                    Size(MEMORY_CEILING)
                ));
            }
            if limits.call.is_some_and(|call| call.0 == 0) {
                return wrong(format!("`components.{name}.limits.call` is at least 1"));
            }
        }
        let head = self.egress.max_response_headers.0;
        if !(SMALLEST_HEAD..=LARGEST_HEAD).contains(&head) {
            return wrong(format!(
                "`egress.max_response_headers` is from {} to {}",
                Size(SMALLEST_HEAD),
                Size(LARGEST_HEAD)
            ));
        }
        if !(1..=MOST_HEADER_LINES).contains(&self.egress.max_response_header_lines) {
            return wrong(format!(
                "`egress.max_response_header_lines` is from 1 to {MOST_HEADER_LINES}"
            ));
        }
        if let Some(server) = &self.egress.dns
            && server.parse::<std::net::SocketAddr>().is_err()
        {
            return wrong(format!(
                "`egress.dns` is `{server}`; it is the address of a name server with a port, like `10.0.0.2:53`"
            ));
        }
        if self.vault.max_item.0 > LARGEST_VAULT_ITEM {
            return wrong(format!(
                "`vault.max_item` is `{}`; `{}` is the most, since an item is held in memory while it is copied",
                self.vault.max_item,
                Size(LARGEST_VAULT_ITEM)
            ));
        }
        for entry in &self.egress.allow_private {
            if entry.parse::<std::net::SocketAddr>().is_err() {
                return wrong(format!(
                    "`egress.allow_private` has `{entry}`; it lists addresses with a port, like `10.0.0.5:8080` or `[::1]:8080`"
                ));
            }
        }
        for (name, secret) in &self.secrets {
            secret.check(name)?;
            self.check_rotation(name, secret)?;
        }
        Ok(())
    }
}

impl Config {
    /// What a secret may be replaced by takes its place and its audience from it.
    fn check_rotation(&self, name: &str, secret: &SecretSource) -> Result<(), ConfigError> {
        let wrong = |text: String| Err(ConfigError::Value(text));
        let mut seen = std::collections::BTreeSet::from([name]);
        for other in &secret.rotate {
            if !is_name(other) || !seen.insert(other) {
                return wrong(format!(
                    "`secrets.{name}.rotate` lists names of other secrets, each once, and never their values"
                ));
            }
            let Some(source) = self.secrets.get(other) else { continue };
            if !source.hosts.is_empty() || !source.rotate.is_empty() {
                return wrong(format!(
                    "`secrets.{other}` stands in for `{name}` (`secrets.{name}.rotate`) and goes where that one goes; take `hosts` and `rotate` out of it"
                ));
            }
        }
        Ok(())
    }
}

impl Prices {
    fn named(&self) -> [(&'static str, Option<f64>); 4] {
        [
            ("input", self.input),
            ("output", self.output),
            ("cache_read", self.cache_read),
            ("cache_write", self.cache_write),
        ]
    }
}

impl SecretSource {
    /// True if the configuration says where the value is; otherwise it is a stored one.
    pub fn names_a_value(&self) -> bool {
        self.env.is_some() || self.file.is_some() || !self.exec.is_empty()
    }

    fn check(&self, name: &str) -> Result<(), ConfigError> {
        let wrong = |text: String| Err(ConfigError::Value(text));
        let sources = [self.env.is_some(), self.file.is_some(), !self.exec.is_empty()];
        if sources.iter().filter(|there| **there).count() > 1 {
            return wrong(format!(
                "`secrets.{name}` takes at most one of `env`, `file` and `exec`; without one the stored secret is used, which `hydroid secret set {name}` sets"
            ));
        }
        // A value pasted here by mistake is not repeated.
        if self.env.as_deref().is_some_and(|variable| !is_variable(variable)) {
            return wrong(format!(
                "`secrets.{name}.env` is not the name of an environment variable; write the name, like `OPENAI_API_KEY`, and never the value itself"
            ));
        }
        if self.exec.first().is_some_and(String::is_empty) {
            return wrong(format!(
                "`secrets.{name}.exec` begins with nothing; it lists a program and its arguments, like `[\"op\", \"read\", \"op://vault/item/field\"]`"
            ));
        }
        if self.exec.is_empty() && !self.exec_env.is_empty() {
            return wrong(format!("`secrets.{name}.exec_env` needs `secrets.{name}.exec`"));
        }
        if self.exec_env.iter().any(|variable| !is_variable(variable)) {
            return wrong(format!(
                "`secrets.{name}.exec_env` lists names of environment variables, and never their values"
            ));
        }
        for host in &self.hosts {
            if let Err(error) = crate::manifest::audience(host) {
                return wrong(format!("`secrets.{name}.hosts`: {error}"));
            }
        }
        Ok(())
    }
}

/// No component may be limited below this: CPython's initial memory is 13 MB.
pub const MEMORY_FLOOR: u64 = 32 << 20;
/// Less is not enough for any compiled guest to start: Rust's begins with 1.1 MB.
const SMALLEST_MEMORY: u64 = 2 << 20;
/// The engine reserves this much address space for a memory.
pub const MEMORY_CEILING: u64 = 256 << 20;

/// The HTTP library reads into a buffer of at least this size.
const SMALLEST_HEAD: u64 = 8 << 10;
/// No service sends more; each request under way may hold as much.
const LARGEST_HEAD: u64 = 1 << 20;
/// The HTTP library's table of header lines holds no more.
const MOST_HEADER_LINES: usize = 1_000;

/// True for a name that an environment variable can have.
fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// True for a name that is safe as a file name and readable as an identifier.
pub fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// ` (did you mean …?)` for the closest of the known words, or nothing.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| format!(" (did you mean `{candidate}`?)"))
        .unwrap_or_default()
}

/// The documented key that a dotted path falls under; `*` stands for one segment, a key whose
/// kind is a table takes everything below it.
pub fn key_of(path: &str) -> Option<&'static Key> {
    let segments: Vec<&str> = path.split('.').collect();
    KEYS.iter().find(|key| {
        let pattern: Vec<&str> = key.path.split('.').collect();
        let fits = |(wanted, got): (&&str, &&str)| *wanted == "*" || wanted == got;
        let long_enough = if key.kind == "table" {
            segments.len() >= pattern.len()
        } else {
            segments.len() == pattern.len()
        };
        long_enough && pattern.iter().zip(&segments).all(fits)
    })
}

fn check_keys(prefix: &str, table: &toml::Table) -> Result<(), ConfigError> {
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if key_of(&path).is_some() {
            continue;
        }
        match value {
            toml::Value::Table(inner) if leads_to_a_key(&path) => check_keys(&path, inner)?,
            _ => {
                if let Some(error) = reliability::route_without_a_caller(&path) {
                    return Err(error);
                }
                let known = KEYS.iter().map(|key| key.path);
                return Err(ConfigError::UnknownKey {
                    hint: did_you_mean(&path, known),
                    key: path,
                });
            }
        }
    }
    Ok(())
}

fn leads_to_a_key(path: &str) -> bool {
    let segments: Vec<&str> = path.split('.').collect();
    KEYS.iter().any(|key| {
        let pattern: Vec<&str> = key.path.split('.').collect();
        pattern.len() > segments.len()
            && pattern.iter().zip(&segments).all(|(wanted, got)| *wanted == "*" || wanted == got)
    })
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (unit, bytes) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 > 0 && self.0.is_multiple_of(bytes) {
                return write!(f, "{}{unit}", self.0 / bytes);
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}s", self.0)
    }
}

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        number_with_unit(
            text,
            &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1), ("", 1)],
        )
        .map(Self)
        .ok_or_else(|| {
            format!("`{text}` is not a size; write `64MiB`, `512KiB` or a number of bytes")
        })
    }
}

impl std::str::FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        number_with_unit(text, &[("h", 3600), ("m", 60), ("s", 1), ("", 1)])
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a length of time; write `30s`, `10m`, `1h` or a number of seconds"))
    }
}

fn number_with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    units.iter().find_map(|(unit, factor)| {
        let number = text.trim().strip_suffix(unit)?.trim_end();
        number.parse::<u64>().ok()?.checked_mul(*factor)
    })
}

macro_rules! deserialize_with_unit {
    ($type:ident) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(Deserialize)]
                #[serde(untagged)]
                enum Written {
                    Number(u64),
                    Text(String),
                }
                match Written::deserialize(deserializer)? {
                    Written::Number(number) => Ok(Self(number)),
                    Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
                }
            }
        }
    };
}

deserialize_with_unit!(Size);
deserialize_with_unit!(Seconds);

impl Default for Config {
    fn default() -> Self {
        Self {
            user: UserId::new("local"),
            workspace: Workspace::default(),
            memory: Memory::default(),
            hooks: Hooks::default(),
            skills: Skills::default(),
            model: Model::default(),
            turn: Turn::default(),
            policy: Policy::default(),
            limits: Limits::default(),
            egress: Egress::default(),
            cache: Cache::default(),
            log: Log::default(),
            components: BTreeMap::new(),
            secrets: BTreeMap::new(),
            secrets_store: SecretsStore::default(),
            vault: Vault::default(),
            budget: Budget::default(),
            gateway: Gateway::default(),
            telemetry: Telemetry::default(),
        }
    }
}

impl Default for Vault {
    fn default() -> Self {
        Self { max_item: Size(64 << 20) }
    }
}

impl Default for Model {
    fn default() -> Self {
        Self {
            provider: "provider-rehearsal".into(),
            name: "rehearsal".into(),
            max_output_tokens: None,
            temperature: None,
            context_tokens: None,
            catalog: None,
            skip_validation: false,
            instructions: None,
            options: None,
            prices: Prices::default(),
            breaker: Breaker::default(),
            cache: ModelCache::default(),
            fallback: Vec::new(),
            fallback_on: reliability::default_fallback_on(),
            retry: Retry::default(),
            route: Routes::default(),
            timeouts: Timeouts::default(),
        }
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            max_steps: 25,
            max_tokens: 1_000_000,
            max_dollars: None,
            max_seconds: 900,
            max_repeats: 3,
            max_tool_output_chars: 30_000,
            compact_at: 0.7,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Default,
            read_only: Rule::Allow,
            network: Rule::Ask,
            changes: Rule::Ask,
            allow: Vec::new(),
            ask: Vec::new(),
            deny: Vec::new(),
            tools: BTreeMap::new(),
            rules: Vec::new(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: Size(64 << 20),
            table_elements: 20_000,
            instances: 32,
            call: Seconds(30),
            fuel: None,
            host_calls: 100_000,
            host_call_bytes: Size(16 << 20),
            output: Size(4 << 20),
            log_lines: 1_000,
            log: Size(256 << 10),
            nested_calls: 64,
            nesting: 4,
            random: Size(1 << 20),
            resources: 256,
        }
    }
}

impl Default for Component {
    fn default() -> Self {
        Self {
            component: None,
            enabled: true,
            config: toml::Table::new(),
            limits: LimitOverrides::default(),
        }
    }
}

impl Default for Egress {
    fn default() -> Self {
        Self {
            allow_private: Vec::new(),
            connect: Seconds(10),
            first_byte: Seconds(120),
            total: Seconds(600),
            max_request: Size(32 << 20),
            max_request_header_lines: 64,
            max_request_headers: Size(32 << 10),
            max_response: Size(64 << 20),
            max_response_header_lines: 128,
            max_response_headers: Size(64 << 10),
            max_concurrent: 32,
            max_concurrent_per_component: 16,
            max_requests_per_call: 64,
            max_requests_per_hour: 10_000,
            max_requests_per_minute: 1_000,
            leaks: Leaks::Block,
            ca_file: None,
            dns: None,
        }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self { max_size: Size(1 << 30) }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "warn".into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, ConfigError> {
        Config::from_table(text.parse().unwrap())
    }

    #[track_caller]
    fn refused(text: &str, expect: &str) {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(expect), "expected `{expect}` in: {error}");
    }

    #[test]
    fn nothing_configured_is_the_default() {
        assert_eq!(read("").unwrap(), Config::default());
    }

    #[test]
    fn unknown_keys_are_refused_with_a_suggestion() {
        refused("[turn]\nmax_step = 3", "`turn.max_step` (did you mean `turn.max_steps`?)");
        refused("[modell]\nname = \"x\"", "unknown configuration key `modell`");
        refused("[components.tool-web]\nenable = true", "`components.tool-web.enable`");
        refused("[components.tool-web.limits]\nmemry = 1", "`components.tool-web.limits.memry`");
    }

    #[test]
    fn a_component_may_have_any_config_of_its_own() {
        let config =
            read("[components.x.config]\nbase_url = \"http://x\"\nnested = { a = 1 }").unwrap();
        assert_eq!(config.components["x"].config["base_url"].as_str(), Some("http://x"));
    }

    #[test]
    fn sizes_and_times_take_units() {
        let config = read("[limits]\nmemory = \"32MiB\"\ncall = \"2m\"\nlog = 10").unwrap();
        assert_eq!(
            (config.limits.memory, config.limits.call, config.limits.log),
            (Size(32 << 20), Seconds(120), Size(10))
        );
        refused("[limits]\nmemory = \"much\"", "is not a size");
        refused("[limits]\ncall = \"soon\"", "is not a length of time");
        refused("[limits]\nmemory = \"1MiB\"", "at least 32MiB");
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        refused("[components.x.limits]\nmemory = \"1GiB\"", "from 2MiB to 256MiB");
        refused("[components.x.limits]\ncall = 0", "at least 1");
        refused("[secrets.a]\nenv = \"sk-abc-123\"", "never the value itself");
        refused("[workspace]\ndirectory = \"here\"", "an absolute path");
        refused("user = \"../x\"", "`user` is `../x`");
        refused("[log]\nlevel = \"loud\"", "one of error");
        refused("[egress]\nallow_private = [\"localhost\"]", "like `10.0.0.5:8080`");
        refused("[egress]\ndns = \"dns.example\"", "like `10.0.0.2:53`");
        refused("[egress]\nmax_response_headers = 100", "from 8KiB to 1MiB");
        refused("[egress]\nmax_response_header_lines = 0", "from 1 to 1000");
        refused("[egress]\nmax_concurrent_per_component = 0", "at least 1");
        refused("[secrets.a]\nenv = \"A\"\nfile = \"b\"", "at most one of");
        refused("[secrets.a]\nfile = \"b\"\nexec = [\"c\"]", "at most one of");
        refused("[secrets.a]\nexec = [\"\"]", "begins with nothing");
        refused("[secrets.a]\nexec_env = [\"A\"]", "needs `secrets.a.exec`");
        refused(
            "[secrets.a]\nexec = [\"b\"]\nexec_env = [\"sk-1\"]",
            "names of environment variables",
        );
        refused("[secrets_store]\nmaster_key = \"pocket\"", "unknown variant `pocket`");
        refused("[policy]\nchanges = \"maybe\"", "unknown variant `maybe`");
        refused("[turn]\nmax_steps = 0", "at least 1");
        refused("[model.prices]\noutput = -1.0", "`model.prices.output` is no price");
        refused("[model.prices]\ninput = nan", "`model.prices.input` is no price");
    }

    #[test]
    fn a_secret_without_a_source_is_a_stored_one_that_may_go_to_fewer_hosts() {
        let config =
            read("[secrets.a]\nhosts = [\"a.example\"]\n[secrets.b]\nenv = \"B\"").unwrap();
        assert!(!config.secrets["a"].names_a_value());
        assert!(config.secrets["b"].names_a_value());
    }

    #[test]
    fn every_key_is_documented_once_and_finds_itself() {
        for key in KEYS {
            let example = key.path.replace('*', "name");
            assert_eq!(key_of(&example).map(|found| found.path), Some(key.path));
            assert!(key.doc.ends_with('.'), "{}", key.path);
        }
    }
}
