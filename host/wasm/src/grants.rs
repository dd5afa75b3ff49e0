//! The operator's grants: `grants.toml` beside the configuration, keyed by component and digest.
//! Reading and writing the file is the caller's work; what it means is decided here.

use crate::shipping::Pinned;
use hydroid_core::capability::{ANY_TOOL, Grant, Profile, WebRule};
use hydroid_core::manifest::Manifest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All grants of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// One entry a component.
    #[serde(default)]
    pub components: BTreeMap<String, Entry>,
    /// What may be loaded at all under a name, of `components.lock` and not of this file.
    #[serde(skip)]
    pub pinned: BTreeMap<String, Pinned>,
}

/// What one component was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Entry {
    /// `sha256:…` of the component the person looked at. Other bytes under the same name have
    /// no grant, unless they came with the release.
    pub digest: String,
    /// Profiles granted.
    pub profiles: BTreeSet<Profile>,
    /// Profiles taken back from a component that came with the release.
    pub revoked: BTreeSet<Profile>,
    /// Hosts for the web profile, with path and methods: `GET api.example.com/v1`; those of the
    /// manifest when empty.
    pub hosts: BTreeSet<String>,
    /// `hosts` are all there are: those of the manifest do not count, also if the release brought it.
    pub only: bool,
    /// Secrets it may attach; those of the manifest when empty.
    pub secrets: BTreeSet<String>,
    /// Bytes of state it may keep; as many as the manifest wants when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<u64>,
    /// Tools of other components it may call; those of the manifest when empty.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tools: BTreeSet<String>,
    /// The person accepts files together with the web in one component.
    pub files_and_web: bool,
}

/// A component as far as grants are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// Its digest.
    pub digest: &'a str,
    /// It came with the release and is in the default bundle.
    pub bundled: bool,
}

/// A grants file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`grants.toml` cannot be read: {0}")]
pub struct BadGrants(String);

impl Grants {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, BadGrants> {
        let grants: Self =
            toml::from_str(text).map_err(|error| BadGrants(error.to_string().trim().to_owned()))?;
        for entry in grants.components.values() {
            for host in &entry.hosts {
                host.parse::<WebRule>().map_err(|error| BadGrants(error.to_string()))?;
            }
        }
        Ok(grants)
    }

    /// The file's text.
    pub fn to_toml(&self) -> String {
        let text = toml::to_string_pretty(self).expect("grants are plain tables");
        format!(
            "# What components may do. Written by `hydroid component grant` and `revoke`.\n{text}"
        )
    }

    /// The capabilities in force: what the component declares and the person granted.
    pub fn effective(&self, subject: Subject<'_>) -> Grant {
        let name = subject.manifest.name.as_str();
        let declared: BTreeSet<Profile> = subject.manifest.wants.keys().copied().collect();
        let entry = self
            .components
            .get(name)
            .filter(|entry| subject.bundled || entry.digest == subject.digest);
        let mut profiles: BTreeSet<Profile> =
            entry.map(|entry| entry.profiles.clone()).unwrap_or_default();
        if subject.bundled {
            profiles.extend(&declared);
        }
        if let Some(entry) = entry {
            profiles.retain(|profile| !entry.revoked.contains(profile));
        }
        // A component without a manifest declares by what it imports.
        if !declared.is_empty() || subject.manifest.version > semver::Version::new(0, 0, 0) {
            profiles.retain(|profile| declared.contains(profile));
        }
        let mut grant = Grant { profiles, ..Grant::default() };
        if grant.profiles.contains(&Profile::Web) {
            grant.web = web_rules(subject, entry);
            grant.web_methods = declared_methods(subject);
            grant.secrets = match entry {
                Some(entry) if !entry.secrets.is_empty() => entry.secrets.clone(),
                _ => subject.manifest.secrets.keys().cloned().collect(),
            };
        }
        if grant.profiles.contains(&Profile::State) {
            let wanted = subject.manifest.wants.get(&Profile::State).and_then(|want| want.quota);
            let granted = entry.and_then(|entry| entry.quota);
            grant.state_quota = wanted.map(|wanted| wanted.0).into_iter().chain(granted).min();
        }
        let names_tools = grant.profiles.iter().copied().find(|profile| profile.names_tools());
        if let Some(profile) = names_tools {
            let wanted = subject.manifest.wants.get(&profile);
            let wanted = wanted.map(|want| &want.tools);
            let named = entry.map(|entry| &entry.tools).filter(|tools| !tools.is_empty());
            grant.tools = match (named, wanted) {
                // `*` only ever stands in the wishes of one that delegates.
                (Some(named), Some(wanted)) if wanted.contains(ANY_TOOL) => named.clone(),
                (Some(named), Some(wanted)) if named.contains(ANY_TOOL) => wanted.clone(),
                (Some(named), Some(wanted)) => named.intersection(wanted).cloned().collect(),
                (Some(only), None) | (None, Some(only)) => only.clone(),
                (None, None) => BTreeSet::new(),
            };
        }
        if !subject.bundled
            && reads_files_and_sends(&grant)
            && !entry.is_some_and(|entry| entry.files_and_web)
        {
            // Reading files and sending them is the pair that carries things away.
            grant.profiles.remove(&Profile::Web);
            grant.web.clear();
            grant.web_methods.clear();
            grant.secrets.clear();
        }
        grant
    }
}

/// True if a grant lets a component read the user's files and send them elsewhere.
pub fn reads_files_and_sends(grant: &Grant) -> bool {
    let reads = [Profile::FileReadOnly, Profile::FileReadWrite, Profile::VaultReadStep];
    grant.profiles.contains(&Profile::Web)
        && reads.iter().any(|profile| grant.profiles.contains(profile))
}

fn web_rules(subject: Subject<'_>, entry: Option<&Entry>) -> Vec<WebRule> {
    let want = subject.manifest.wants.get(&Profile::Web);
    let methods = declared_methods(subject);
    let granted = entry.into_iter().flat_map(|entry| entry.hosts.iter().cloned());
    // Hosts of the manifest count where the person named none, or the release brought it.
    let named_none = entry.is_none_or(|entry| entry.hosts.is_empty());
    let only = entry.is_some_and(|entry| entry.only);
    let wanted = want
        .into_iter()
        .flat_map(|want| want.hosts.iter().cloned())
        .filter(|_| !only && (named_none || subject.bundled));
    let hosts: BTreeSet<String> = granted.chain(wanted).collect();
    hosts
        .iter()
        .filter_map(|host| host.parse().ok())
        .filter_map(|rule: WebRule| rule.within(&methods))
        .collect()
}

fn declared_methods(subject: Subject<'_>) -> BTreeSet<String> {
    let want = subject.manifest.wants.get(&Profile::Web);
    want.map(|want| want.methods.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::capability::WebRequest;

    const MANIFEST: &str = "name = \"notes\"\nversion = \"1.0.0\"\n[wants.web]\nreason = \"r\"\nhosts = [\"a.example\"]\nmethods = [\"GET\"]\n[wants.file-read-only]\nreason = \"r\"\n";

    #[test]
    fn of_tools_and_state_no_more_is_in_force_than_was_wanted_and_granted() {
        let manifest = "name = \"notes\"\nversion = \"1.0.0\"\n[wants.invoke]\nreason = \"r\"\ntools = [\"a\", \"b\"]\n[wants.state]\nreason = \"r\"\nquota = \"1MiB\"\n";
        let manifest = Manifest::parse(manifest).unwrap();
        let effective = |more: &str| {
            let grants = format!(
                "[components.notes]\ndigest = \"sha256:1\"\nprofiles = [\"invoke\", \"state\"]\n{more}"
            );
            let subject = Subject { manifest: &manifest, digest: "sha256:1", bundled: false };
            let grant = Grants::parse(&grants).unwrap().effective(subject);
            (grant.tools.into_iter().collect::<Vec<_>>().join(" "), grant.state_quota)
        };
        assert_eq!(effective(""), ("a b".to_owned(), Some(1 << 20)));
        assert_eq!(effective("tools = [\"b\", \"c\"]\n").0, "b");
        assert_eq!(effective("quota = 1000\n").1, Some(1000));
        assert_eq!(effective("quota = 9000000\n").1, Some(1 << 20));
    }

    #[test]
    fn what_child_turns_have_is_narrowed_by_who_grants_it() {
        let check = |wanted: &str, granted: &str, expect: &str| {
            let manifest = format!(
                "name = \"notes\"\nversion = \"1.0.0\"\n[wants.delegate]\nreason = \"r\"\ntools = [{wanted}]\n"
            );
            let manifest = Manifest::parse(&manifest).unwrap();
            let grants = format!(
                "[components.notes]\ndigest = \"sha256:1\"\nprofiles = [\"delegate\"]\n{granted}"
            );
            let subject = Subject { manifest: &manifest, digest: "sha256:1", bundled: false };
            let grant = Grants::parse(&grants).unwrap().effective(subject);
            assert_eq!(grant.tools.iter().cloned().collect::<Vec<_>>().join(" "), expect);
            let any = expect.contains('*');
            assert_eq!(
                (grant.has_tool("z"), grant.has_tool("a")),
                (any, any || expect.contains('a'))
            );
        };
        check("\"*\"", "", "*");
        check("\"*\"", "tools = [\"a\", \"b\"]\n", "a b");
        check("\"a\", \"b\"", "tools = [\"*\"]\n", "a b");
        check("\"a\", \"b\"", "tools = [\"b\", \"c\"]\n", "b");
    }

    fn effective(grants: &str, digest: &str, bundled: bool) -> Grant {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        Grants::parse(grants).unwrap().effective(Subject { manifest: &manifest, digest, bundled })
    }

    fn allows(grant: &Grant, host: &str, method: &str, path: &str) -> bool {
        let request = WebRequest { scheme: "https", host, port: 443, method, path };
        grant.allows_request(&request).is_ok()
    }

    #[test]
    fn nothing_is_granted_by_wanting_it() {
        assert_eq!(effective("", "sha256:1", false), Grant::default());
    }

    #[test]
    fn a_grant_is_for_one_digest() {
        let grants = "[components.notes]\ndigest = \"sha256:1\"\nprofiles = [\"web\"]\n";
        assert!(effective(grants, "sha256:1", false).profiles.contains(&Profile::Web));
        assert!(effective(grants, "sha256:2", false).profiles.is_empty());
    }

    #[test]
    fn what_was_not_declared_is_not_granted() {
        let grants =
            "[components.notes]\ndigest = \"sha256:1\"\nprofiles = [\"file-read-write\"]\n";
        assert!(effective(grants, "sha256:1", false).profiles.is_empty());
    }

    #[test]
    fn files_and_web_together_need_a_word_of_their_own() {
        let grants =
            "[components.notes]\ndigest = \"sha256:1\"\nprofiles = [\"web\", \"file-read-only\"]\n";
        assert_eq!(effective(grants, "sha256:1", false).profiles, [Profile::FileReadOnly].into());
        let both = format!("{grants}files_and_web = true\n");
        assert_eq!(effective(&both, "sha256:1", false).profiles.len(), 2);
    }

    #[test]
    fn what_the_release_brings_is_granted_and_can_be_revoked() {
        assert_eq!(effective("", "sha256:9", true).profiles.len(), 2);
        let grants = "[components.notes]\nrevoked = [\"web\"]\n";
        assert_eq!(effective(grants, "sha256:9", true).profiles, [Profile::FileReadOnly].into());
    }

    #[test]
    fn hosts_a_person_names_replace_those_of_the_manifest() {
        let grants = "[components.notes]\ndigest = \"sha256:1\"\nprofiles = [\"web\"]\nhosts = [\"b.example\"]\n";
        let grant = effective(grants, "sha256:1", false);
        assert!(allows(&grant, "b.example", "GET", "/x"));
        assert!(!allows(&grant, "a.example", "GET", "/x"));
        assert!(!allows(&grant, "b.example", "POST", "/x"));
    }

    #[test]
    fn what_the_release_brings_can_be_narrowed_to_named_hosts() {
        let grants = |only: &str| {
            let text = format!("[components.notes]\nhosts = [\"b.example\"]\n{only}");
            effective(&text, "sha256:9", true)
        };
        assert!(allows(&grants(""), "a.example", "GET", "/x"));
        let narrowed = grants("only = true\n");
        assert!(allows(&narrowed, "b.example", "GET", "/x"));
        assert!(!allows(&narrowed, "a.example", "GET", "/x"));
        let none = effective("[components.notes]\nonly = true\n", "sha256:9", true);
        assert!(none.web.is_empty(), "{none:?}");
    }

    #[test]
    fn a_grant_is_for_a_path_and_methods_if_it_says_so() {
        let entry = |hosts: &str| {
            let grants = format!(
                "[components.notes]\ndigest = \"sha256:1\"\nprofiles = [\"web\"]\nhosts = [\"{hosts}\"]\n"
            );
            effective(&grants, "sha256:1", false)
        };
        let grant = entry("b.example/v1");
        assert!(allows(&grant, "b.example", "GET", "/v1/x"));
        assert!(!allows(&grant, "b.example", "GET", "/v10"));
        assert!(!allows(&grant, "b.example", "POST", "/v1"));
        // The manifest declares only GET, so nothing is left of this one.
        assert_eq!(entry("POST b.example").web, []);
    }

    #[test]
    fn the_file_reads_what_it_writes() {
        let grants =
            Grants::parse("[components.notes]\ndigest = \"sha256:1\"\nprofiles = [\"web\"]\n")
                .unwrap();
        assert_eq!(Grants::parse(&grants.to_toml()).unwrap(), grants);
        assert!(Grants::parse("[components.notes]\nprofile = [\"web\"]\n").is_err());
        assert!(Grants::parse("[components.notes]\nhosts = [\"a/../b\"]\n").is_err());
    }
}
