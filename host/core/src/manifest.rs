//! A component's manifest: only what the component cannot say itself. Every error names the
//! remedy.

mod fields;
mod login;
mod place;
mod secret;
mod signer;
mod text;

pub use login::{DeviceLogin, LoginClient, Obtains};
pub use place::{BadPlace, Place};
pub use secret::{Attach, SecretWant, audience};
pub use signer::{
    AwsSigV4, ClientAuth, Hash, Hmac, KeyForm, OAuth2, OAuthGrant, SignatureForm, Signer,
    Timestamp, TimestampUnit, is_scope,
};
pub use text::{BadTemplate, Element, Piece, Template};

use crate::capability::{ANY_TOOL, BadWebRule, Profile, UnknownProfile, WebRule, is_method};
use crate::config::{Seconds, Size, did_you_mean, is_name};
use crate::id::ComponentId;
use crate::ports::LARGEST_COMPONENT_STATE;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a component declares about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Name, unique in the host.
    pub name: ComponentId,
    /// Semantic version.
    pub version: semver::Version,
    /// One line for people.
    pub description: String,
    /// SPDX expression.
    pub license: Option<String>,
    /// Where the source is.
    pub source: Option<String>,
    /// What it wants and why.
    pub wants: BTreeMap<Profile, Want>,
    /// Credentials it attaches, by the name it opens them with.
    pub secrets: BTreeMap<String, SecretWant>,
    /// JSON Schema of its configuration.
    pub config: Option<serde_json::Value>,
    /// Limits it asks for; the operator's caps win.
    pub limits: LimitWants,
    /// The component that writes what this one reads from the vault.
    pub hands_to: Option<ComponentId>,
}

/// Why a profile is wanted and how far.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Want {
    /// For the person who grants it.
    pub reason: String,
    /// Hosts, for `web`, each with a path and methods where it is not about the whole of it:
    /// `api.example.com`, `api.example.com/v1`, `GET api.example.com/v1`.
    pub hosts: Vec<String>,
    /// Methods it ever sends, for `web`; empty for all. No grant widens them.
    pub methods: BTreeSet<String>,
    /// Tools of other components: those it calls, for `invoke`; those a child turn has, for
    /// `delegate`, where `*` stands for all.
    pub tools: BTreeSet<String>,
    /// How much it keeps, for `state`; as much as a component may if absent.
    pub quota: Option<Size>,
}

/// Limits a component asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitWants {
    /// Linear memory.
    pub memory: Option<Size>,
    /// Time of one call.
    pub call: Option<Seconds>,
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not TOML, or a field of another shape.
    #[error("the manifest cannot be read: {0}")]
    Toml(String),
    /// No such field.
    #[error("the manifest has an unknown field `{field}`{hint}")]
    UnknownField {
        /// The field.
        field: String,
        /// A suggestion, or nothing.
        hint: String,
    },
    /// A text that nobody would read in an error, nor before a grant.
    #[error(
        "the manifest has a name or text of {length} characters, which begins with `{beginning}`; outside of [config] at most {LONGEST_TEXT} fit"
    )]
    Long {
        /// How long it is.
        length: usize,
        /// The first of them.
        beginning: String,
    },
    /// A name that cannot be one.
    #[error(
        "the manifest's name is `{0}`; a component name has lower-case letters, digits and `-`, and begins with a letter"
    )]
    Name(String),
    /// A version that is not one.
    #[error("the manifest's version is `{0}`; write a semantic version like `1.2.0`")]
    Version(String),
    /// A profile that does not exist.
    #[error("under [wants]")]
    Profile(#[from] UnknownProfile),
    /// A rule that cannot be understood.
    #[error("under [wants.web]: {0}")]
    Rule(BadWebRule),
    /// Half of a vault copy.
    #[error(
        "[wants.vault-read-step] and `hands_to` belong together: `hands_to` names the component with [wants.vault-write-step] that writes what this one reads"
    )]
    HandsTo,
    /// Code that calls tools and a model that does are held by different grants.
    #[error(
        "[wants.invoke] and [wants.delegate] do not go together: leave the calls to the child turn, or make two components of it"
    )]
    CallsAndDelegates,
    /// A want without what it needs.
    #[error("the manifest's [wants.{profile}] {problem}")]
    Want {
        /// The profile.
        profile: Profile,
        /// What is wrong.
        problem: &'static str,
    },
    /// A credential that cannot be used as it is declared.
    #[error("the manifest's [secrets.{name}] {problem}")]
    Secret {
        /// The credential.
        name: String,
        /// What is wrong, and the remedy.
        problem: String,
    },
}

#[derive(Deserialize)]
struct Written {
    name: String,
    version: String,
    #[serde(default)]
    description: String,
    license: Option<String>,
    source: Option<String>,
    #[serde(default)]
    wants: BTreeMap<String, Want>,
    #[serde(default)]
    secrets: BTreeMap<String, toml::Table>,
    config: Option<serde_json::Value>,
    #[serde(default)]
    limits: LimitWants,
    hands_to: Option<String>,
}

const FIELDS: [&str; 10] = [
    "hands_to",
    "name",
    "version",
    "description",
    "license",
    "source",
    "wants",
    "secrets",
    "config",
    "limits",
];

/// Most characters of a name or text outside of [config]: errors quote them, and people read them
/// before they grant something. Ten lines of reasons fit.
const LONGEST_TEXT: usize = 1_000;

impl Manifest {
    /// Reads `manifest.toml`.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let table: toml::Table = text.parse().map_err(toml_error)?;
        check_lengths(&table)?;
        if let Some(field) = table.keys().find(|field| !FIELDS.contains(&field.as_str())) {
            return Err(ManifestError::UnknownField {
                field: field.clone(),
                hint: did_you_mean(field, FIELDS),
            });
        }
        let written: Written = toml::Value::Table(table).try_into().map_err(toml_error)?;
        if !is_component_name(&written.name) {
            return Err(ManifestError::Name(written.name));
        }
        let version = semver::Version::parse(&written.version)
            .map_err(|_| ManifestError::Version(written.version))?;
        let mut wants = BTreeMap::new();
        for (id, want) in written.wants {
            let profile: Profile = id.parse()?;
            check_want(profile, &want)?;
            wants.insert(profile, want);
        }
        if wants.keys().filter(|profile| profile.names_tools()).count() > 1 {
            return Err(ManifestError::CallsAndDelegates);
        }
        let secrets = secret::read(written.secrets)
            .map_err(|(name, problem)| ManifestError::Secret { name, problem })?;
        if wants.contains_key(&Profile::VaultReadStep) != written.hands_to.is_some() {
            return Err(ManifestError::HandsTo);
        }
        if let Some(name) = written.hands_to.as_ref().filter(|name| !is_component_name(name)) {
            return Err(ManifestError::Name(name.clone()));
        }
        Ok(Self {
            name: ComponentId::new(written.name),
            version,
            description: written.description,
            license: written.license,
            source: written.source,
            wants,
            secrets,
            config: written.config,
            limits: written.limits,
            hands_to: written.hands_to.map(ComponentId::new),
        })
    }

    /// A manifest for a component that brings none: it wants nothing.
    pub fn bare(name: ComponentId) -> Self {
        Self {
            name,
            version: semver::Version::new(0, 0, 0),
            description: String::new(),
            license: None,
            source: None,
            wants: BTreeMap::new(),
            secrets: BTreeMap::new(),
            config: None,
            limits: LimitWants::default(),
            hands_to: None,
        }
    }
}

/// True for a name a component may have: it is also a file name and a configuration key.
pub fn is_component_name(name: &str) -> bool {
    is_name(name)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// With the line it is about, unless that line is a long one.
fn toml_error(error: toml::de::Error) -> ManifestError {
    let whole = error.to_string();
    let shown = if whole.chars().count() > LONGEST_TEXT { error.message() } else { whole.trim() };
    ManifestError::Toml(shown.chars().take(LONGEST_TEXT).collect())
}

fn check_lengths(table: &toml::Table) -> Result<(), ManifestError> {
    fn check(text: &str) -> Result<(), ManifestError> {
        match text.chars().count() {
            length if length > LONGEST_TEXT => {
                let beginning = text.chars().take(40).collect();
                Err(ManifestError::Long { length, beginning })
            }
            _ => Ok(()),
        }
    }
    fn check_value(value: &toml::Value) -> Result<(), ManifestError> {
        match value {
            toml::Value::String(text) => check(text),
            toml::Value::Array(items) => items.iter().try_for_each(check_value),
            toml::Value::Table(table) => check_table(table),
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_) => Ok(()),
        }
    }
    fn check_table(table: &toml::Table) -> Result<(), ManifestError> {
        table.iter().try_for_each(|(name, value)| {
            check(name)?;
            check_value(value)
        })
    }
    table.iter().try_for_each(|(name, value)| {
        check(name)?;
        if name == "config" { Ok(()) } else { check_value(value) }
    })
}

fn check_want(profile: Profile, want: &Want) -> Result<(), ManifestError> {
    let wrong = |problem| Err(ManifestError::Want { profile, problem });
    if want.reason.trim().is_empty() {
        return wrong(
            "has no `reason`; say in one line what it is for, the person who grants it reads that",
        );
    }
    if profile == Profile::Web {
        if want.hosts.is_empty() {
            return wrong("names no `hosts`; list them, or `*` for any public host");
        }
    } else if !want.hosts.is_empty() || !want.methods.is_empty() {
        return wrong("has `hosts` or `methods`, which belong to [wants.web]");
    }
    match profile {
        Profile::Invoke if want.tools.is_empty() => {
            return wrong("names no `tools`; list the tools of other components that it calls");
        }
        Profile::Delegate if want.tools.is_empty() => {
            return wrong("names no `tools`; list those that a child turn has, or `*` for any");
        }
        Profile::Invoke | Profile::Delegate => {
            let any = |tool: &str| profile == Profile::Delegate && tool == ANY_TOOL;
            if !want.tools.iter().all(|tool| is_name(tool) || any(tool)) {
                return wrong("has a tool that is not the name of one, like `file_read`");
            }
        }
        _ if !want.tools.is_empty() => {
            return wrong("has `tools`, which belong to [wants.invoke] and [wants.delegate]");
        }
        _ => {}
    }
    if let Some(quota) = want.quota {
        if profile != Profile::State {
            return wrong("has a `quota`, which belongs to [wants.state]");
        }
        if quota.0 == 0 || quota.0 > LARGEST_COMPONENT_STATE {
            return wrong(
                "has a `quota` of nothing, or of more than the 16MiB a component may keep",
            );
        }
    }
    if !want.methods.iter().all(|method| is_method(method)) {
        return wrong("has a method that is not upper case, like `GET`");
    }
    for host in &want.hosts {
        let rule: WebRule = host.parse().map_err(ManifestError::Rule)?;
        if rule.within(&want.methods).is_none() {
            return wrong(
                "has a host with methods that `methods` does not list; list them there too",
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
name = "acme-notes"
version = "1.2.0"
description = "Notes"
[wants.web]
reason = "send your notes"
hosts = ["api.acme.dev"]
methods = ["GET"]
[secrets.acme]
hosts = ["api.acme.dev"]
attach = "header:X-Key"
[limits]
memory = "32MiB"
"#;

    #[track_caller]
    fn refused(text: &str, expect: &str) {
        let error = Manifest::parse(text).unwrap_err();
        let text = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        assert!(text.contains(expect), "expected `{expect}` in: {text}");
    }

    #[test]
    fn a_whole_manifest_is_read() {
        let manifest = Manifest::parse(GOOD).unwrap();
        assert_eq!(manifest.name.as_str(), "acme-notes");
        assert_eq!(manifest.wants.keys().copied().collect::<Vec<_>>(), [Profile::Web]);
        assert_eq!(manifest.limits.memory, Some(Size(32 << 20)));
    }

    #[test]
    fn what_is_wrong_is_named_with_a_remedy() {
        refused("name = \"X\"\nversion = \"1.0.0\"", "lower-case letters");
        refused("name = \"../x\"\nversion = \"1.0.0\"", "lower-case letters");
        refused("name = \"x\"\nversion = \"one\"", "semantic version");
        refused("name = \"x\"\nversion = \"1.0.0\"\nwant = 1", "did you mean `wants`");
        refused(
            "name = \"x\"\nversion = \"1.0.0\"\n[wants.files]\nreason = \"r\"",
            "no profile is called `files`",
        );
        refused(
            "name = \"x\"\nversion = \"1.0.0\"\n[wants.web]\nreason = \"r\"",
            "names no `hosts`",
        );
        let web = |rest: &str| {
            format!("name = \"x\"\nversion = \"1.0.0\"\n[wants.web]\nreason = \"r\"\n{rest}")
        };
        refused(&web("hosts = [\"a.example/../b\"]"), "is not a path to grant");
        refused(&web("hosts = [\"a.example\"]\nmethods = [\"get\"]"), "not upper case");
        refused(
            &web("hosts = [\"POST a.example\"]\nmethods = [\"GET\"]"),
            "does not list; list them there too",
        );
        refused("name = \"x\"\nversion = \"1.0.0\"\n[wants.state]\n", "has no `reason`");
        refused(
            "name = \"x\"\nversion = \"1.0.0\"\n[wants.state]\nreason = \"r\"\nhosts = [\"a\"]",
            "belong to [wants.web]",
        );
        refused(
            "name = \"x\"\nversion = \"1.0.0\"\n[secrets.k]\nattach = \"cookie\"",
            "one of bearer",
        );
        refused("name = \"x\"\nversion = \"1.0.0\"\nhands_to = \"y\"", "belong together");
        refused("name = \"x\"\nversion = \"1.0.0\"\n[limits]\nmemory = \"lots\"", "is not a size");
        let long = "x".repeat(LONGEST_TEXT + 1);
        refused(&format!("name = \"{long}\"\nversion = \"1.0.0\""), "of 1001 characters");
        refused(&format!("name = \"{long}"), "the manifest cannot be read: ");
        let config = format!("name = \"x\"\nversion = \"1.0.0\"\nconfig.description = \"{long}\"");
        assert!(Manifest::parse(&config).is_ok());
    }
}
