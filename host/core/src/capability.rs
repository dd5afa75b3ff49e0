//! Capabilities: the profiles a component can be granted, and what a grant allows.
//! One value decides both what is linked and what is checked at run time.

mod host;
mod path;
mod web;

pub use host::{BadHostPattern, HostPattern};
pub use path::{BadPath, PathPrefix};
pub use web::{BadWebRule, WebRefusal, WebRequest, WebRule, is_method};

use crate::id::ComponentId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A named set of host interfaces, a world of `hydroid:cap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Compute only; always granted.
    Pure,
    /// Read `/shared` and `/tmp`.
    FileReadOnly,
    /// Read and write `/shared` and `/tmp`.
    FileReadWrite,
    /// Fetch from granted hosts, with credentials it cannot read.
    Web,
    /// See the names of what is in the vault.
    VaultList,
    /// Read one granted vault item and leave it with the host.
    VaultReadStep,
    /// Write what the read step left.
    VaultWriteStep,
    /// Its own durable keys.
    State,
    /// The user's notes and recall.
    Memory,
    /// The user's schedules.
    Schedule,
    /// Start a bounded child turn.
    Delegate,
    /// Run a job in the sandbox tier.
    Shell,
    /// Read attachments, send media.
    Media,
    /// Load and unload the user's skills.
    Skills,
    /// Call another tool.
    Invoke,
    /// Plaintext of a secret.
    Reveal,
}

impl Profile {
    /// Every profile, in the order people are shown them.
    pub const ALL: [Self; 16] = [
        Self::Pure,
        Self::FileReadOnly,
        Self::FileReadWrite,
        Self::Web,
        Self::VaultList,
        Self::VaultReadStep,
        Self::VaultWriteStep,
        Self::State,
        Self::Memory,
        Self::Schedule,
        Self::Delegate,
        Self::Shell,
        Self::Media,
        Self::Skills,
        Self::Invoke,
        Self::Reveal,
    ];

    /// The identifier used in manifests, grants and commands.
    pub fn id(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::FileReadOnly => "file-read-only",
            Self::FileReadWrite => "file-read-write",
            Self::Web => "web",
            Self::VaultList => "vault-list",
            Self::VaultReadStep => "vault-read-step",
            Self::VaultWriteStep => "vault-write-step",
            Self::State => "state",
            Self::Memory => "memory",
            Self::Schedule => "schedule",
            Self::Delegate => "delegate",
            Self::Shell => "shell",
            Self::Media => "media",
            Self::Skills => "skills",
            Self::Invoke => "invoke",
            Self::Reveal => "reveal",
        }
    }

    /// The host interfaces it adds to the linker, without version.
    pub fn interfaces(self) -> &'static [&'static str] {
        match self {
            Self::Pure => &[],
            Self::FileReadOnly => &["hydroid:cap/fs-read"],
            Self::FileReadWrite => &["hydroid:cap/fs-read", "hydroid:cap/fs-write"],
            Self::Web => &[
                "hydroid:cap/secrets",
                "hydroid:cap/web",
                "wasi:http/outgoing-handler",
                "wasi:http/types",
            ],
            Self::VaultList => &["hydroid:cap/vault-names"],
            Self::VaultReadStep => &["hydroid:cap/vault-offer", "hydroid:cap/vault-read"],
            Self::VaultWriteStep => &["hydroid:cap/fs-write", "hydroid:cap/vault-handoff"],
            Self::State => &["hydroid:cap/kv"],
            Self::Memory => &["hydroid:cap/memory", "hydroid:cap/scratchpad"],
            Self::Schedule => &["hydroid:cap/schedules"],
            Self::Delegate => &["hydroid:cap/delegate"],
            Self::Shell => &["hydroid:cap/jobs"],
            Self::Media => &["hydroid:cap/attachments", "hydroid:cap/media"],
            Self::Skills => &["hydroid:cap/skills"],
            Self::Invoke => &["hydroid:cap/invoke"],
            Self::Reveal => &["hydroid:cap/secrets", "hydroid:cap/secrets-reveal"],
        }
    }

    /// What it lets a component do, in a person's words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Pure => "compute",
            Self::FileReadOnly => "read files in /shared and /tmp",
            Self::FileReadWrite => "read and write files in /shared and /tmp",
            Self::Web => "connect to granted hosts",
            Self::VaultList => "see the names of what is in your vault",
            Self::VaultReadStep => "read one granted vault item and leave it with the host",
            Self::VaultWriteStep => "write what a vault read step left, under /shared or /tmp",
            Self::State => "keep its own durable keys",
            Self::Memory => "search and keep your notes",
            Self::Schedule => "change your schedules",
            Self::Delegate => "start bounded child turns",
            Self::Shell => "run commands in the sandbox",
            Self::Media => "read attachments and send media",
            Self::Skills => "load and unload your skills",
            Self::Invoke => "call other tools",
            Self::Reveal => "read the plaintext of a secret",
        }
    }

    /// True if it names tools: those of other components that are called, or that a child turn has.
    pub fn names_tools(self) -> bool {
        matches!(self, Self::Invoke | Self::Delegate)
    }

    /// True if what it lets a component do is done to the turn of a model: without one, as where a
    /// program asks for a call itself, it comes to nothing.
    pub fn needs_a_turn(self) -> bool {
        matches!(self, Self::Delegate | Self::Skills)
    }

    /// The profiles that add this interface.
    pub fn granting(interface: &str) -> Vec<Self> {
        Self::ALL.into_iter().filter(|profile| profile.interfaces().contains(&interface)).collect()
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// A profile identifier that names none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no profile is called `{name}`{hint}; profiles: {known}", known = known_profiles())]
pub struct UnknownProfile {
    name: String,
    hint: String,
}

fn known_profiles() -> String {
    Profile::ALL.map(Profile::id).join(", ")
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        Self::ALL.into_iter().find(|profile| profile.id() == text).ok_or_else(|| UnknownProfile {
            name: text.to_owned(),
            hint: crate::config::did_you_mean(text, Self::ALL.map(Self::id)),
        })
    }
}

/// The capabilities in force for one component: what it declared and the operator granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Profiles in force.
    pub profiles: BTreeSet<Profile>,
    /// Where it may connect; empty without [`Profile::Web`].
    pub web: Vec<WebRule>,
    /// Methods the component declares, which no grant widens; empty for all.
    pub web_methods: BTreeSet<String>,
    /// Names of secrets it may attach.
    pub secrets: BTreeSet<String>,
    /// Bytes of its own state it may keep for each person, where that is less than a component may.
    pub state_quota: Option<u64>,
    /// Tools of other components: those it may call with [`Profile::Invoke`], those its child
    /// turns have with [`Profile::Delegate`], where [`ANY_TOOL`] stands for all; else empty.
    pub tools: BTreeSet<String>,
    /// Who called it, if a component did: what that one may not do, it may not do either.
    pub within: Option<Box<Within>>,
}

/// Every tool, among those that a child turn has.
pub const ANY_TOOL: &str = "*";

/// The component that called another one, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Within {
    /// The caller.
    pub component: ComponentId,
    /// What it may do itself, its own callers counted.
    pub grant: Grant,
}

impl Grant {
    /// True if one of the granted profiles adds this interface.
    pub fn links(&self, interface: &str) -> bool {
        self.profiles.iter().any(|profile| profile.interfaces().contains(&interface))
    }

    /// True if this tool is among those it names.
    pub fn has_tool(&self, tool: &str) -> bool {
        let any = self.profiles.contains(&Profile::Delegate) && self.tools.contains(ANY_TOOL);
        any || self.tools.contains(tool)
    }

    /// The rule that allows this request, or what stands in its way: the grant itself, or that of
    /// a caller.
    pub fn allows_request(&self, request: &WebRequest<'_>) -> Result<&WebRule, WebRefusal> {
        let rule = web::allowed_by(&self.web, &self.web_methods, request)?;
        if let Some(within) = &self.within
            && let Err(refusal) = within.grant.allows_request(request)
        {
            return Err(match refusal {
                further @ WebRefusal::OfCaller(..) => further,
                own => WebRefusal::OfCaller(within.component.clone(), Box::new(own)),
            });
        }
        Ok(rule)
    }

    /// What is left of it when another component calls: what both may do. A profile counts as held
    /// by the caller too if the caller holds a wider one.
    pub fn called_by(&self, component: &ComponentId, caller: &Self) -> Self {
        let held = |profile: &Profile| {
            caller.profiles.contains(profile)
                || *profile == Profile::Pure
                || (*profile == Profile::FileReadOnly
                    && caller.profiles.contains(&Profile::FileReadWrite))
        };
        let mut profiles: BTreeSet<Profile> = self.profiles.iter().copied().filter(held).collect();
        if self.profiles.contains(&Profile::FileReadWrite)
            && caller.profiles.contains(&Profile::FileReadOnly)
        {
            profiles.insert(Profile::FileReadOnly);
        }
        let both = |own: &BTreeSet<String>, theirs: &BTreeSet<String>| {
            own.intersection(theirs).cloned().collect::<BTreeSet<String>>()
        };
        Self {
            profiles,
            web: self.web.clone(),
            web_methods: self.web_methods.clone(),
            secrets: both(&self.secrets, &caller.secrets),
            state_quota: self.state_quota,
            tools: both(&self.tools, &caller.tools),
            within: Some(Box::new(Within { component: component.clone(), grant: caller.clone() })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_profile_gets_a_suggestion() {
        let error = "file-readonly".parse::<Profile>().unwrap_err().to_string();
        assert!(error.contains("did you mean `file-read-only`"), "{error}");
    }

    #[test]
    fn what_a_caller_may_not_do_the_one_it_calls_may_not_do_either() {
        let rule = |text: &str| text.parse::<WebRule>().unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let callee = Grant {
            profiles: [Profile::FileReadWrite, Profile::Web, Profile::State].into(),
            web: vec![rule("a.example"), rule("b.example")],
            secrets: names(&["one", "two"]),
            tools: names(&["x", "y"]),
            ..Grant::default()
        };
        let caller = Grant {
            profiles: [Profile::FileReadOnly, Profile::Web].into(),
            web: vec![rule("GET a.example/v1"), rule("c.example")],
            secrets: names(&["two", "three"]),
            tools: names(&["y", "z"]),
            ..Grant::default()
        };
        let left = callee.called_by(&ComponentId::new("notes"), &caller);
        assert_eq!(left.profiles, [Profile::FileReadOnly, Profile::Web].into());
        assert_eq!((left.secrets.len(), left.tools.len()), (1, 1));
        let asked = |grant: &Grant, host: &str, method: &str, path: &str| {
            let request = WebRequest { scheme: "https", host, port: 443, method, path };
            grant.allows_request(&request).map(drop)
        };
        let of_caller =
            |refusal| Err(WebRefusal::OfCaller(ComponentId::new("notes"), Box::new(refusal)));
        assert_eq!(asked(&left, "a.example", "GET", "/v1/x"), Ok(()));
        assert_eq!(asked(&left, "a.example", "GET", "/v2"), of_caller(WebRefusal::Path));
        assert_eq!(asked(&left, "a.example", "POST", "/v1"), of_caller(WebRefusal::Method));
        assert_eq!(asked(&left, "b.example", "GET", "/"), of_caller(WebRefusal::Host));
        assert_eq!(asked(&left, "c.example", "GET", "/"), Err(WebRefusal::Host));
        // One call further the first caller still counts.
        let wide = Grant { web: vec![rule("a.example"), rule("b.example")], ..callee.clone() };
        let further = wide.called_by(&ComponentId::new("middle"), &left);
        assert_eq!(asked(&further, "b.example", "GET", "/"), of_caller(WebRefusal::Host));
        assert_eq!(further.profiles, left.profiles);
    }

    #[test]
    fn a_grant_links_what_its_profiles_name_and_nothing_else() {
        let grant = Grant { profiles: [Profile::FileReadOnly].into(), ..Grant::default() };
        assert!(grant.links("hydroid:cap/fs-read"));
        assert!(!grant.links("hydroid:cap/fs-write"));
        assert!(!Grant::default().links("hydroid:cap/fs-read"));
    }
}
