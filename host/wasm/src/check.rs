//! What a component imports, compared with what it was granted, before anything links. wasmtime
//! would name one missing function; this names them all, with the grant that is missing and the
//! command that gives it.

use crate::contract;
pub use crate::contract::CONTRACT;
use crate::linker::BUILT;
use crate::wasi::{BASELINE, NOISE};
use hydroid_core::capability::{Grant, Profile};
use hydroid_core::id::ComponentId;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

/// One import of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Interface without version, `hydroid:cap/fs-read`.
    pub interface: String,
    /// Version as the component asks for it.
    pub version: Option<String>,
    /// Functions it uses.
    pub functions: Vec<String>,
    /// What kind of import it is.
    pub class: Class,
}

/// What an import means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Vocabulary, log, config, control: no authority, always there.
    Core,
    /// A capability, with the profiles that grant it.
    Capability(Vec<Profile>),
    /// WASI without authority.
    Inert,
    /// WASI that toolchains drag in; inert unless files are granted.
    Noise,
    /// A `hydroid:` interface of another contract version.
    OtherTrack,
    /// Nothing this host knows.
    Unknown,
}

/// What a component is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Offers tools.
    Tool,
    /// Answers for models.
    Provider,
    /// Carries messages.
    Channel,
    /// Makes vectors.
    Embedder,
    /// Is asked at points of the loop.
    Hook,
    /// Finds the text in documents.
    Parser,
}

/// Why a component is not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An import that was not granted.
    #[error(
        "it imports `{import}` {{{functions}}}, which is not granted; {profiles} gives it: `hydroid component grant {component} {first}`"
    )]
    NotGranted {
        /// The component.
        component: ComponentId,
        /// Interface with version.
        import: String,
        /// Functions it uses.
        functions: String,
        /// Profiles that would grant it, in words.
        profiles: String,
        /// The narrowest of them.
        first: Profile,
    },
    /// An import whose profile has no host side.
    #[error(
        "it imports `{import}`, which is the profile {profile}; this version of the host does not have it, so it cannot be granted: use a component without it, or a newer host"
    )]
    NotBuilt {
        /// Interface with version.
        import: String,
        /// The profile.
        profile: Profile,
    },
    /// Another contract version.
    #[error("it was built for `{import}` and this host speaks {package}@{host}; {remedy}")]
    OtherTrack {
        /// Interface with version.
        import: String,
        /// Package without version.
        package: String,
        /// Version of the host.
        host: &'static str,
        /// Which of the two is to be changed.
        remedy: &'static str,
    },
    /// An import nobody grants.
    #[error(
        "it imports `{import}`, which this host does not have; no grant gives it: rebuild it without"
    )]
    Unknown {
        /// Interface with version.
        import: String,
    },
    /// No role.
    #[error(
        "it exports none of the roles of this host (tool, provider, embedder, parser, hook); a tool exports `hydroid:tool/tool@{CONTRACT}`"
    )]
    NoRole,
    /// A role whose host side is not there.
    #[error(
        "it is a {role}, and this version of the host runs tools, providers, embedders, parsers and hooks; `hydroid component test --conformance {role}` tries it out"
    )]
    RoleNotBuilt {
        /// The role.
        role: Role,
    },
    /// More than one role.
    #[error("it exports several roles ({roles}); a component has one")]
    SeveralRoles {
        /// The roles.
        roles: String,
    },
}

/// The import that is of the channel's role: it hands in what came from outside.
const INBOX: &str = "hydroid:channel/inbox";

/// True for a profile whose host side is part of this host.
pub fn is_built(profile: Profile) -> bool {
    BUILT.contains(&profile)
}

/// The imports of a component, sorted by name.
pub fn imports(engine: &Engine, component: &Component) -> Vec<Import> {
    let mut imports: Vec<Import> = component
        .component_type()
        .imports(engine)
        .map(|(name, item)| {
            let (interface, version) = split(name);
            let functions = match item.ty {
                ComponentItem::ComponentInstance(instance) => instance
                    .exports(engine)
                    .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
                    .map(|(name, _)| name.to_owned())
                    .collect(),
                _ => Vec::new(),
            };
            let class = classify(interface, version);
            Import {
                interface: interface.to_owned(),
                version: version.map(str::to_owned),
                functions,
                class,
            }
        })
        .collect();
    imports.sort_by(|a, b| a.interface.cmp(&b.interface));
    imports
}

/// Everything that keeps a component with these imports from linking under this grant.
pub fn refusals(component: &ComponentId, imports: &[Import], grant: &Grant) -> Vec<Refusal> {
    imports.iter().filter_map(|import| refusal(component, import, grant)).collect()
}

/// The names a component exports, sorted.
pub fn exports(engine: &Engine, component: &Component) -> Vec<String> {
    let exported = component.component_type();
    let mut names: Vec<String> =
        exported.exports(engine).map(|(name, _)| name.to_owned()).collect();
    names.sort();
    names
}

/// The role a component exports.
pub fn role(engine: &Engine, component: &Component) -> Result<Role, Refusal> {
    let mut roles = Vec::new();
    for (name, _) in component.component_type().exports(engine) {
        let (interface, version) = split(name);
        let role = match interface {
            "hydroid:tool/tool" => Role::Tool,
            "hydroid:provider/provider" => Role::Provider,
            "hydroid:channel/channel" => Role::Channel,
            "hydroid:embedder/embedder" => Role::Embedder,
            "hydroid:hook/hook" => Role::Hook,
            "hydroid:parser/parser" => Role::Parser,
            _ => continue,
        };
        if !contract::serves(version) {
            return Err(other_track(name, interface));
        }
        roles.push(role);
    }
    match roles.as_slice() {
        [] => Err(Refusal::NoRole),
        [role] => Ok(*role),
        several => Err(Refusal::SeveralRoles {
            roles: several.iter().map(Role::to_string).collect::<Vec<_>>().join(", "),
        }),
    }
}

impl Import {
    /// The name as the component has it.
    pub fn full_name(&self) -> String {
        match &self.version {
            Some(version) => format!("{}@{version}", self.interface),
            None => self.interface.clone(),
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tool => "tool",
            Self::Provider => "provider",
            Self::Channel => "channel",
            Self::Embedder => "embedder",
            Self::Hook => "hook",
            Self::Parser => "parser",
        })
    }
}

impl Role {
    /// The role in a sentence, as `an embedder`.
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Tool => "a tool",
            Self::Provider => "a provider",
            Self::Channel => "a channel",
            Self::Embedder => "an embedder",
            Self::Hook => "a hook",
            Self::Parser => "a parser",
        }
    }
}

fn refusal(component: &ComponentId, import: &Import, grant: &Grant) -> Option<Refusal> {
    match &import.class {
        Class::Core | Class::Inert | Class::Noise => None,
        Class::Capability(_)
            if grant.links(&import.interface) && buildable(&import.interface, grant) =>
        {
            None
        }
        Class::Capability(profiles) => {
            let built: Vec<Profile> =
                profiles.iter().copied().filter(|profile| BUILT.contains(profile)).collect();
            Some(match built.first() {
                Some(first) => Refusal::NotGranted {
                    component: component.clone(),
                    import: import.full_name(),
                    functions: import.functions.join(", "),
                    profiles: built
                        .iter()
                        .map(|profile| profile.id())
                        .collect::<Vec<_>>()
                        .join(" or "),
                    first: *first,
                },
                None => Refusal::NotBuilt {
                    import: import.full_name(),
                    profile: *profiles.first().expect("a capability is in a profile"),
                },
            })
        }
        Class::OtherTrack => Some(other_track(&import.full_name(), &import.interface)),
        Class::Unknown => Some(Refusal::Unknown { import: import.full_name() }),
    }
}

/// True if one of the granted profiles that give the interface has its host side here.
fn buildable(interface: &str, grant: &Grant) -> bool {
    grant
        .profiles
        .iter()
        .any(|profile| BUILT.contains(profile) && profile.interfaces().contains(&interface))
}

fn classify(interface: &str, version: Option<&str>) -> Class {
    if interface.starts_with("hydroid:") {
        if !contract::serves(version) {
            return Class::OtherTrack;
        }
        if interface.starts_with("hydroid:core/") || interface == INBOX {
            return Class::Core;
        }
    } else if interface.starts_with("wasi:")
        && !version.is_some_and(|version| version.starts_with("0.2."))
    {
        return Class::Unknown;
    }
    if BASELINE.contains(&interface) {
        return Class::Inert;
    }
    if NOISE.contains(&interface) {
        return Class::Noise;
    }
    match Profile::granting(interface) {
        profiles if profiles.is_empty() => Class::Unknown,
        profiles => Class::Capability(profiles),
    }
}

fn other_track(import: &str, interface: &str) -> Refusal {
    let package = interface.split('/').next().unwrap_or(interface);
    let (_, version) = split(import);
    Refusal::OtherTrack {
        import: import.to_owned(),
        package: package.to_owned(),
        host: CONTRACT,
        remedy: contract::remedy(version),
    }
}

fn split(name: &str) -> (&str, Option<&str>) {
    match name.split_once('@') {
        Some((interface, version)) => (interface, Some(version)),
        None => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::WasmEngine;

    fn component(engine: &Engine, imports: &[&str]) -> Component {
        let imports: String =
            imports.iter().map(|import| format!("(import \"{import}\" (instance))")).collect();
        Component::new(engine, wat::parse_str(format!("(component {imports})")).unwrap()).unwrap()
    }

    fn refused(imports_of: &[&str], profiles: &[Profile]) -> Vec<String> {
        let engine = WasmEngine::new(false).unwrap();
        let grant = Grant { profiles: profiles.iter().copied().collect(), ..Grant::default() };
        let imports = imports(engine.engine(), &component(engine.engine(), imports_of));
        refusals(&ComponentId::new("notes"), &imports, &grant)
            .iter()
            .map(Refusal::to_string)
            .collect()
    }

    #[test]
    fn every_missing_grant_is_named_with_its_command() {
        let texts = refused(&["hydroid:cap/fs-read@0.1.0", "hydroid:cap/web@0.1.0"], &[]);
        assert_eq!(texts.len(), 2);
        assert!(texts[0].contains("file-read-only or file-read-write gives it: `hydroid component grant notes file-read-only`"), "{}", texts[0]);
        assert!(texts[1].contains("`hydroid component grant notes web`"), "{}", texts[1]);
    }

    #[test]
    fn another_contract_version_is_named_with_both() {
        let texts = refused(&["hydroid:cap/fs-read@0.2.0"], &[Profile::FileReadOnly]);
        assert!(
            texts[0].contains("`hydroid:cap/fs-read@0.2.0` and this host speaks hydroid:cap@0.1.0"),
            "{}",
            texts[0]
        );
    }

    #[test]
    fn what_nobody_grants_is_said() {
        assert!(refused(&["acme:cap/launch@1.0.0"], &[])[0].contains("does not have"));
        assert!(refused(&["wasi:cli/stdout@0.3.0"], &[])[0].contains("does not have"));
        assert!(
            refused(&["hydroid:cap/jobs@0.1.0"], &[Profile::Shell])[0].contains("profile shell")
        );
        assert!(
            refused(
                &["wasi:cli/stdout@0.2.6", "wasi:filesystem/types@0.2.9", "hydroid:core/log@0.1.3"],
                &[]
            )
            .is_empty()
        );
    }
}
