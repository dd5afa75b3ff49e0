//! Granting and revoking: what a person allows, written to `grants.toml`, and what is in force
//! afterwards.

use super::portrait::Portrait;
use super::{RELEASE, find};
use crate::args::Grant as Wish;
use crate::audited::{Deed, audit};
use crate::exit::{Exit, usage};
use crate::paths::replace_private;
use crate::terminal;
use crate::wire::{Ground, read_grants};
use anyhow::{Context, Result, bail};
use hydroid_core::audit::AuditAction;
use hydroid_core::capability::{ANY_TOOL, Grant, Profile, WebRule, is_method};
use hydroid_core::config::{Size, did_you_mean};
use hydroid_core::harmless::harmless;
use hydroid_core::manifest::Manifest;
use hydroid_core::ports::Tools;
use hydroid_wasm::check::{Class, Import, Refusal, refusals};
use hydroid_wasm::grants::{Entry, Grants, Subject, reads_files_and_sends};
use hydroid_wasm::{Catalog, Examined};
use std::collections::BTreeSet;

/// The command that takes grants back, as the audit log names it.
const REVOKE: &str = "component revoke";

/// Writes one more grant.
pub(super) async fn grant(ground: &Ground, catalog: &Catalog, wish: &Wish) -> Result<Exit> {
    let profile: Profile = wish.profile.parse().map_err(|error| usage(format!("{error}")))?;
    let installed = find(catalog, &wish.name)?;
    let name = installed.name.clone();
    let (Some(manifest), Some(digest)) = (&installed.manifest, &installed.digest) else {
        bail!(
            "`{name}` cannot be granted anything: its file cannot be read; `hydroid component inspect {name}` says why"
        );
    };
    let bundled = installed.place == RELEASE && catalog.is_bundled(&name);
    let portrait = Portrait::of(ground, catalog, &installed)?;
    check_wish(wish, profile, manifest, portrait.examined.as_ref())?;
    check_tools(wish, profile, manifest, catalog)?;
    let rules = rules(wish, manifest)?;

    let grants_file = ground.paths.grants_file();
    let mut grants = read_grants(&grants_file)?;
    let before = grants.components.remove(&name).unwrap_or_default();
    let stale = !bundled && !before.digest.is_empty() && before.digest != *digest;
    let mut entry = if stale { Entry::default() } else { before };
    if stale {
        terminal::say("earlier grants were for other bytes under this name and are dropped");
    }
    entry.digest.clone_from(digest);
    let in_force = entry.profiles.contains(&Profile::Web);
    entry.profiles.insert(profile);
    let was_revoked = entry.revoked.remove(&profile);
    let rules = if wish.only {
        entry.hosts.clear();
        rules
    } else {
        without_covered(&name, rules, &portrait.grant)
    };
    // Who took everything back and names hosts wants these, not the manifest's with them.
    entry.only |= wish.only || (was_revoked && !rules.is_empty());
    if in_force && !bundled && !entry.only && entry.hosts.is_empty() && !rules.is_empty() {
        // Those of the manifest are in force; naming one more must not take them away.
        let wanted = manifest.wants.get(&Profile::Web);
        entry.hosts.extend(wanted.into_iter().flat_map(|want| want.hosts.iter().cloned()));
    }
    entry.hosts.extend(rules);
    entry.secrets.extend(wish.secrets.iter().cloned());
    entry.files_and_web |= wish.files_and_web;
    if profile.names_tools() {
        entry.tools = wish.tools.iter().cloned().collect();
    }
    if profile == Profile::State {
        entry.quota = quota(wish)?;
    }
    if !bundled {
        check_pair(&name, manifest, digest, &entry)?;
    }
    let deed = deed(&name, Some(digest), wished(wish, profile), "component grant");
    grants.components.insert(name.clone(), entry);
    write(ground, catalog, &grants, deed).await?;
    show(ground, catalog, &name)
}

/// Takes one grant back, or all.
pub(super) async fn revoke(
    ground: &Ground,
    catalog: &Catalog,
    name: &str,
    profile: Option<&str>,
    hosts: &[String],
) -> Result<Exit> {
    let profile: Option<Profile> = match profile {
        None => None,
        Some(text) => Some(text.parse().map_err(|error| usage(format!("{error}")))?),
    };
    let grants_file = ground.paths.grants_file();
    let mut grants = read_grants(&grants_file)?;
    // A component that is gone may still have an entry; taking that away must work too.
    let installed = if grants.components.contains_key(name) {
        catalog.get(name)
    } else {
        Some(find(catalog, name)?)
    };
    let Some(installed) = installed else {
        grants.components.remove(name);
        write(ground, catalog, &grants, deed(name, None, "everything".into(), REVOKE)).await?;
        terminal::print_line(&format!(
            "{name} is not installed; what it was granted is taken back"
        ))?;
        return Ok(Exit::Done);
    };
    let bundled = installed.place == RELEASE && catalog.is_bundled(name);
    let mut entry = grants.components.remove(name).unwrap_or_default();
    let declared: Vec<Profile> =
        installed.manifest.iter().flat_map(|manifest| manifest.wants.keys().copied()).collect();
    let had = match profile {
        Some(profile) => {
            entry.profiles.contains(&profile)
                || (bundled && declared.contains(&profile) && !entry.revoked.contains(&profile))
        }
        None => !entry.profiles.is_empty() || (bundled && !declared.is_empty()),
    };
    if !had {
        let what = profile.map_or("anything".to_owned(), |profile| format!("`{profile}`"));
        return Err(usage(format!(
            "`{name}` is not granted {what}; `hydroid component inspect {name}` shows what is in force"
        )));
    }
    if !hosts.is_empty() {
        if profile != Some(Profile::Web) {
            return Err(usage("`--host` belongs to `web`, not to another profile"));
        }
        take_hosts(name, hosts, &mut entry, installed.manifest.as_ref(), bundled)?;
    }
    let all = hosts.is_empty() || entry.hosts.is_empty();
    let taken: Vec<Profile> = match profile {
        Some(_) if !all => Vec::new(),
        Some(profile) => vec![profile],
        None => entry.profiles.iter().copied().chain(declared).collect(),
    };
    for profile in taken {
        entry.profiles.remove(&profile);
        if bundled {
            entry.revoked.insert(profile);
        }
        if profile.names_tools() {
            entry.tools.clear();
        }
        if profile == Profile::State {
            entry.quota = None;
        }
        if profile == Profile::Web {
            entry.hosts.clear();
            entry.only = false;
            entry.secrets.clear();
            entry.files_and_web = false;
        }
    }
    if !(entry.profiles.is_empty() && entry.revoked.is_empty() && !entry.only) {
        // What is left was granted to the bytes it names; taking away must not give it to others.
        if bundled || entry.digest.is_empty() {
            entry.digest = installed.digest.clone().unwrap_or_default();
        }
        grants.components.insert(name.to_owned(), entry);
    }
    let mut what = profile.map_or_else(|| "everything".to_owned(), |profile| profile.to_string());
    for host in hosts {
        what.push_str(&format!(" --host {host}"));
    }
    let deed = deed(name, installed.digest.as_deref(), what, REVOKE);
    write(ground, catalog, &grants, deed).await?;
    show(ground, catalog, name)
}

/// The rules that allow something new; of the others the person is told.
fn without_covered(name: &str, rules: Vec<String>, grant: &Grant) -> Vec<String> {
    let is_new = |text: &String| {
        let covering = text.parse().ok().and_then(|rule: WebRule| {
            grant.web.iter().find(|held| {
                let methods = held.methods.is_empty() || rule.methods.is_subset(&held.methods);
                let any = held.host.is_any() && !rule.host.to_string().contains(':');
                let whole = held.path.to_string().is_empty() || held.path == rule.path;
                methods && whole && (any || held.host == rule.host)
            })
        });
        if let Some(held) = covering {
            terminal::say(&format!(
                "`{text}` changes nothing: `{}{}` is granted already; `hydroid component grant {name} web --only --host {text}` narrows it to that",
                held.host, held.path
            ));
        }
        covering.is_none()
    };
    rules.into_iter().filter(is_new).collect()
}

/// Takes single hosts away from those in force.
fn take_hosts(
    name: &str,
    hosts: &[String],
    entry: &mut Entry,
    manifest: Option<&Manifest>,
    bundled: bool,
) -> Result<()> {
    if !entry.only && (bundled || entry.hosts.is_empty()) {
        let want = manifest.and_then(|manifest| manifest.wants.get(&Profile::Web));
        entry.hosts.extend(want.into_iter().flat_map(|want| want.hosts.iter().cloned()));
    }
    entry.only = true;
    for host in hosts {
        let gone: WebRule = host.parse().map_err(|error| usage(format!("{error}")))?;
        let before = entry.hosts.len();
        entry.hosts.retain(|held| {
            !held.parse::<WebRule>().is_ok_and(|held| {
                held.host == gone.host
                    && held.path == gone.path
                    && (gone.methods.is_empty() || gone.methods == held.methods)
            })
        });
        if entry.hosts.len() == before {
            return Err(usage(format!(
                "`{host}` is none of the hosts that `{name}` is granted ({}); `hydroid component grant {name} web --only --host HOST` grants just those you name",
                harmless(&entry.hosts.iter().cloned().collect::<Vec<_>>().join(", "))
            )));
        }
    }
    Ok(())
}

/// Everything about a wish that can be wrong.
fn check_wish(
    wish: &Wish,
    profile: Profile,
    manifest: &Manifest,
    examined: Option<&Examined>,
) -> Result<()> {
    let name = &manifest.name;
    if profile == Profile::Pure {
        return Err(usage("`pure` is always granted: it only computes"));
    }
    if !is_built(profile) {
        return Err(usage(format!(
            "this version of the host does not have the profile `{profile}`, so it cannot be granted; use a component without it, or a newer host"
        )));
    }
    let declares = manifest.wants.contains_key(&profile);
    // One without a manifest declares by what it imports.
    let imports = manifest.wants.is_empty()
        && examined.is_some_and(|examined| {
            examined
                .imports
                .iter()
                .any(|import| profile.interfaces().contains(&import.interface.as_str()))
        });
    if !declares && !imports {
        let wanted: Vec<&str> = manifest.wants.keys().map(|profile| profile.id()).collect();
        let wanted = if wanted.is_empty() { "nothing".to_owned() } else { wanted.join(", ") };
        return Err(usage(format!(
            "`{name}` does not declare `{profile}`, so granting it would change nothing; it declares {wanted}"
        )));
    }
    if profile != Profile::Web && !(wish.hosts.is_empty() && wish.secrets.is_empty()) {
        return Err(usage(format!("`--host` and `--secret` belong to `web`, not to `{profile}`")));
    }
    if !profile.names_tools() && !wish.tools.is_empty() {
        return Err(usage(format!(
            "`--tool` belongs to `invoke` and `delegate`, not to `{profile}`"
        )));
    }
    if profile != Profile::State && wish.quota.is_some() {
        return Err(usage(format!("`--quota` belongs to `state`, not to `{profile}`")));
    }
    let wanted = manifest.wants.get(&profile).map(|want| &want.tools);
    for tool in &wish.tools {
        let lacks = |wanted: &&BTreeSet<String>| {
            tool != ANY_TOOL && !wanted.contains(ANY_TOOL) && !wanted.contains(tool)
        };
        if let Some(wanted) = wanted.filter(lacks) {
            let hint = did_you_mean(tool, wanted.iter().map(String::as_str));
            let wanted = wanted.iter().cloned().collect::<Vec<_>>().join(", ");
            return Err(usage(format!(
                "`{name}` does not declare `{tool}` for `{profile}`{hint}, so granting it would change nothing; it declares {wanted}"
            )));
        }
    }
    for secret in &wish.secrets {
        if !manifest.secrets.contains_key(secret) {
            let hint = did_you_mean(secret, manifest.secrets.keys().map(String::as_str));
            return Err(usage(format!(
                "`{name}` declares no secret `{secret}`{hint}; `hydroid component inspect {name}` shows what it declares"
            )));
        }
    }
    Ok(())
}

/// How much it may keep, if the person says so.
fn quota(wish: &Wish) -> Result<Option<u64>> {
    let Some(text) = &wish.quota else { return Ok(None) };
    let size: Size = text.parse().map_err(|error| usage(format!("`--quota`: {error}")))?;
    Ok(Some(size.0))
}

/// The rules of a wish, as they are written down.
fn rules(wish: &Wish, manifest: &Manifest) -> Result<Vec<String>> {
    let name = &manifest.name;
    let methods = &wish.methods;
    if let Some(wrong) = methods.iter().find(|method| !is_method(method)) {
        return Err(usage(format!(
            "`{wrong}` is not a method; write it in upper case, like `GET`"
        )));
    }
    let declared =
        manifest.wants.get(&Profile::Web).map(|want| want.methods.clone()).unwrap_or_default();
    let mut rules = Vec::new();
    for host in &wish.hosts {
        let mut rule: WebRule = host.parse().map_err(|error| usage(format!("{error}")))?;
        rule.methods.extend(methods.iter().cloned());
        let undeclared: Vec<&str> = rule
            .methods
            .iter()
            .filter(|method| !declared.is_empty() && !declared.contains(*method))
            .map(String::as_str)
            .collect();
        if !undeclared.is_empty() {
            let declared: Vec<&str> = declared.iter().map(String::as_str).collect();
            return Err(usage(format!(
                "`{name}` declares only {}, so granting {} would change nothing",
                declared.join(", "),
                undeclared.join(", ")
            )));
        }
        rules.push(rule.to_string());
    }
    Ok(rules)
}

/// Where the manifest names no tool itself, a name that nobody offers is a slip.
fn check_tools(
    wish: &Wish,
    profile: Profile,
    manifest: &Manifest,
    catalog: &Catalog,
) -> Result<()> {
    let wanted = manifest.wants.get(&profile);
    if !wanted.is_some_and(|want| want.tools.contains(ANY_TOOL)) {
        return Ok(());
    }
    let offered: BTreeSet<String> = catalog.specs().into_iter().map(|spec| spec.name).collect();
    match wish.tools.iter().find(|tool| *tool != ANY_TOOL && !offered.contains(*tool)) {
        Some(tool) => {
            let hint = did_you_mean(tool, offered.iter().map(String::as_str));
            Err(usage(format!(
                "there is no tool `{tool}`{hint}; `hydroid component list` shows those there are"
            )))
        }
        None => Ok(()),
    }
}

/// Reading files and sending them needs a word of its own, and hosts by name.
fn check_pair(name: &str, manifest: &Manifest, digest: &str, entry: &Entry) -> Result<()> {
    let accepted = Entry { files_and_web: true, ..entry.clone() };
    let grants = Grants { components: [(name.to_owned(), accepted)].into(), ..Grants::default() };
    let grant = grants.effective(Subject { manifest, digest, bundled: false });
    if !reads_files_and_sends(&grant) {
        return Ok(());
    }
    if !entry.files_and_web {
        return Err(usage(format!(
            "with this, `{name}` could read your files and send them away; if you want that, name the hosts and say so: `hydroid component grant {name} web --host HOST --files-and-web`"
        )));
    }
    let any =
        entry.hosts.iter().any(|host| host.parse::<WebRule>().is_ok_and(|rule| rule.host.is_any()));
    if entry.hosts.is_empty() || any {
        return Err(usage(format!(
            "a component that reads files may only reach hosts that you name, not all of them; add `--host HOST` with `{name} web`"
        )));
    }
    Ok(())
}

/// True if this host can link the profile.
pub(super) fn is_built(profile: Profile) -> bool {
    let granted = Grant { profiles: [profile].into(), ..Grant::default() };
    let import = |interface: &&str| Import {
        interface: (*interface).to_owned(),
        version: None,
        functions: Vec::new(),
        class: Class::Capability(vec![profile]),
    };
    let imports: Vec<Import> = profile.interfaces().iter().map(import).collect();
    let component = hydroid_core::id::ComponentId::new("any");
    !refusals(&component, &imports, &granted)
        .iter()
        .any(|refusal| matches!(refusal, Refusal::NotBuilt { .. }))
}

/// What is granted, in the words of the command.
fn wished(wish: &Wish, profile: Profile) -> String {
    let mut text = profile.to_string();
    for (option, values) in [
        ("host", &wish.hosts),
        ("method", &wish.methods),
        ("secret", &wish.secrets),
        ("tool", &wish.tools),
    ] {
        for value in values {
            text.push_str(&format!(" --{option} {value}"));
        }
    }
    if let Some(quota) = &wish.quota {
        text.push_str(&format!(" --quota {quota}"));
    }
    if wish.only {
        text.push_str(" --only");
    }
    if wish.files_and_web {
        text.push_str(" --files-and-web");
    }
    text
}

fn deed<'a>(name: &'a str, digest: Option<&str>, what: String, command: &'a str) -> Deed<'a> {
    Deed {
        action: AuditAction::GrantChanged,
        resource: what,
        component: Some(name),
        digest: digest.map(str::to_owned),
        command,
    }
}

async fn write(ground: &Ground, catalog: &Catalog, grants: &Grants, deed: Deed<'_>) -> Result<()> {
    audit(ground, deed).await?;
    replace_private(&ground.paths.grants_file(), grants.to_toml().as_bytes())?;
    catalog
        .refresh()
        .map_err(anyhow::Error::msg)
        .context("the grants were written, but the components cannot be loaded with them")
}

/// What is in force now.
fn show(ground: &Ground, catalog: &Catalog, name: &str) -> Result<Exit> {
    let portrait = Portrait::of(ground, catalog, &*find(catalog, name)?)?;
    let grant = &portrait.grant;
    if grant.profiles.is_empty() {
        terminal::print_line(&format!("{name} is granted nothing: it can compute only"))?;
    }
    for profile in &grant.profiles {
        terminal::print_line(&format!("{name} can {} ({profile})", profile.in_words()))?;
    }
    for rule in &grant.web {
        let methods: Vec<&str> = rule.methods.iter().map(String::as_str).collect();
        let methods = if methods.is_empty() { "any method".to_owned() } else { methods.join(", ") };
        terminal::print_line(&format!("  {}{} ({methods})", rule.host, rule.path))?;
    }
    for tool in &grant.tools {
        terminal::print_line(&format!("  the tool {}", harmless(tool)))?;
    }
    if let Some(quota) = grant.state_quota {
        terminal::print_line(&format!("  at most {}", Size(quota)))?;
    }
    let declared = portrait.manifest.as_ref().map(|manifest| &manifest.secrets);
    let unused = |name: &str| {
        declared.and_then(|declared| declared.get(name)).is_some_and(|secret| secret.optional)
            && !ground.secrets.has(name)
    };
    for secret in grant.secrets.iter().filter(|name| !unused(name)) {
        terminal::print_line(&format!("  with the secret {}", harmless(secret)))?;
    }
    for reason in &portrait.reasons {
        terminal::say(&format!("{name} is not used: {}", harmless(reason)));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = "name = \"x\"\nversion = \"1.0.0\"\n[wants.web]\nreason = \"r\"\nhosts = [\"*\"]\n[wants.file-read-only]\nreason = \"r\"\n";

    #[track_caller]
    fn check_entry(entry: Entry, expect: Option<&str>) {
        let manifest = Manifest::parse(BOTH).unwrap();
        let entry = Entry { digest: "sha256:0".into(), ..entry };
        let got = check_pair("x", &manifest, "sha256:0", &entry).map_err(|error| error.to_string());
        match (got, expect) {
            (Ok(()), None) => {}
            (Err(error), Some(expect)) => assert!(error.contains(expect), "{error}"),
            (got, expect) => panic!("got {got:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn files_and_web_need_a_word_of_their_own_and_hosts_by_name() {
        let both = || Entry {
            profiles: [Profile::Web, Profile::FileReadOnly].into(),
            hosts: ["a.example".to_owned()].into(),
            ..Entry::default()
        };
        check_entry(Entry { profiles: [Profile::Web].into(), ..Entry::default() }, None);
        check_entry(both(), Some("--files-and-web"));
        check_entry(Entry { files_and_web: true, ..both() }, None);
        let any = Entry { files_and_web: true, hosts: ["*".to_owned()].into(), ..both() };
        check_entry(any, Some("hosts that you name"));
        let unnamed = Entry { files_and_web: true, hosts: Default::default(), ..both() };
        check_entry(unnamed, Some("hosts that you name"));
    }

    #[test]
    fn what_the_host_has_can_be_granted() {
        assert!(is_built(Profile::Web) && is_built(Profile::FileReadWrite));
        assert!(!is_built(Profile::Shell));
    }
}
