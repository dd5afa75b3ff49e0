//! Checking, adding and removing component files. A new file is granted nothing; one that replaces
//! an older keeps the older's grants only if it asks for nothing more.

use super::conformance::{self, Findings};
use super::portrait::{bytes, read};
use super::trial::{Allowance, Bench, Terms, context};
use super::{RELEASE, find, reasons};
use crate::audited::{Deed, audit};
use crate::exit::{Exit, usage};
use crate::harmless::{exact, excerpt, harmless};
use crate::paths::{private_directory, replace_private};
use crate::terminal::{self, Style, indented};
use crate::wire::{Ground, read_grants};
use anyhow::{Context, Result, bail};
use hydroid_core::audit::AuditAction;
use hydroid_core::id::CallId;
use hydroid_core::manifest::Manifest;
use hydroid_core::ports::CancelFlag;
use hydroid_core::tool::ToolCall;
use hydroid_wasm::check::{Class, Import};
use hydroid_wasm::grants::Entry;
use hydroid_wasm::{Catalog, Examined, Status, component};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Calls that are timed; the middle one is what a call costs.
const WARM_CALLS: usize = 11;

/// Says whether a file would load as the grants are now, and everything of it that is in the way
/// of that or of being called well.
pub(super) async fn check(ground: &Ground, file: &Path) -> Result<Exit> {
    let wasm = read(file)?;
    let (stem, size) = (stem(file)?, super::build::size(wasm.len()));
    let bench = Bench::new(ground).await?;
    let grants = read_grants(&ground.paths.grants_file())?;
    let (empty, _scratch) = bench.catalog(None, &Terms::default())?;
    let digest = component::digest(&wasm);
    let known = empty.cache().has(empty.engine(), digest.trim_start_matches("sha256:"));
    let begun = Instant::now();
    let examined = empty.examine(wasm.clone(), &stem);
    let compiled = match known {
        true => "compiled before".to_owned(),
        false => format!("compiled in {:.1} s", begun.elapsed().as_secs_f32()),
    };
    let examined = match examined {
        Ok(examined) => examined,
        Err(error) => {
            terminal::print_line(&format!("{} would be refused:", exact(&stem)))?;
            for reason in reasons(&Status::Refused(error)) {
                terminal::print_line(&format!("  {}", indented(&harmless(&reason), 2)))?;
            }
            return Ok(Exit::Error);
        }
    };
    let name = examined.manifest.name.to_string();
    let entry = grants.components.get(&name).filter(|entry| entry.digest == examined.digest);
    let now = Terms {
        allowance: entry.map_or_else(
            || Allowance::These(BTreeSet::new(), BTreeSet::new()),
            |entry| Allowance::Entry(entry.clone()),
        ),
        ..Terms::default()
    };
    let refused = match bench.load(&wasm, &stem, &now) {
        Ok(trial) => {
            let offered = &trial.loaded.definitions;
            let tools: Vec<&str> =
                offered.iter().map(|definition| definition.name.as_str()).collect();
            let tools = match tools.is_empty() {
                true => String::new(),
                false => format!("; tools: {}", tools.join(", ")),
            };
            terminal::print_line(&format!("{name} would load as a {}{tools}", examined.role))?;
            false
        }
        Err(error) => {
            let text = error.to_string();
            let reasons = text.split_once('\n').map_or(text.as_str(), |(_, reasons)| reasons);
            terminal::print_line(&format!("{} would be refused:", exact(&name)))?;
            terminal::print_line(&format!("  {}", harmless(reasons.trim_start())))?;
            true
        }
    };
    terminal::print_line(&format!("size     {size}, {compiled}"))?;
    for line in super::build::imports(&examined.imports) {
        terminal::print_line(&format!("imports  {}", line.trim_start_matches("imports ")))?;
    }
    lint(&bench, &wasm, &stem).await?;
    Ok(if refused { Exit::Error } else { Exit::Done })
}

/// What a model would read badly, and how long a call takes, with all grants that it wants.
async fn lint(bench: &Bench<'_>, wasm: &[u8], stem: &str) -> Result<()> {
    let wanted = Terms { stand_ins: true, tape: Some(Arc::default()), ..Terms::default() };
    let Ok(trial) = bench.load(wasm, stem, &wanted) else { return Ok(()) };
    if trial.loaded.definitions.is_empty() {
        return Ok(());
    }
    let mut times = Vec::new();
    for _ in 0..WARM_CALLS {
        // Nothing is done by a tool that is not there, but to start the component.
        let call = ToolCall {
            id: CallId::new("check"),
            name: "no_such_tool".into(),
            arguments: "{}".into(),
        };
        let begun = Instant::now();
        let called = trial.catalog.try_out(&trial.loaded, &call, context(CancelFlag::default()));
        drop(called.await);
        times.push(begun.elapsed());
    }
    let first = times.first().copied().unwrap_or_default();
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    terminal::print_line(&format!(
        "call     {:.1} ms the first time, {:.2} ms afterwards, in a fresh instance each",
        first.as_secs_f64() * 1e3,
        middle.as_secs_f64() * 1e3
    ))?;
    let mut findings = Findings::default();
    for definition in &trial.loaded.definitions {
        conformance::lint(definition, &mut findings);
    }
    for finding in findings.0 {
        if let Some(problem) = finding.problem {
            terminal::print_line(&format!(
                "better   {}: {}",
                harmless(&finding.rule),
                harmless(&problem)
            ))?;
        }
    }
    Ok(())
}

/// Copies a file to the user's components.
pub(super) async fn add(ground: &Ground, catalog: &Catalog, file: &Path) -> Result<Exit> {
    let wasm = read(file)?;
    let examined = catalog
        .examine(wasm.clone(), &stem(file)?)
        .with_context(|| format!("`{}` cannot be added", file.display()))?;
    let name = examined.manifest.name.to_string();
    let same_name = catalog.installed().into_iter().filter(|installed| installed.name == name);
    let (release, own): (Vec<_>, Vec<_>) =
        same_name.partition(|installed| installed.place == RELEASE);
    if !release.is_empty() {
        bail!(
            "the name `{name}` is taken by a component of the release; give yours another name in its manifest and build it again"
        );
    }
    let target = format!("{name}.wasm");
    let before = own
        .first()
        .and_then(|installed| catalog.examine(bytes(ground, installed).ok()?, &name).ok());
    let updated = if own.is_empty() { "added" } else { "updated" };
    let version = &examined.manifest.version;
    let deed = Deed {
        action: AuditAction::ComponentChanged,
        resource: format!("{updated} {version}"),
        component: Some(&name),
        digest: Some(examined.digest.clone()),
        command: "component add",
    };
    audit(ground, deed).await?;
    private_directory(&ground.paths.components())?;
    replace_private(&ground.paths.components().join(&target), &wasm)?;
    for older in own.iter().filter(|installed| installed.place != target) {
        std::fs::remove_file(ground.paths.components().join(&older.place))
            .with_context(|| format!("the older file `{}` cannot be removed", older.place))?;
    }
    terminal::print_line(&format!(
        "added {name} {} ({})",
        examined.manifest.version, examined.digest
    ))?;
    carry_grants(ground, before.as_ref(), &examined)?;
    catalog.refresh().map_err(anyhow::Error::msg)?;
    conclude(ground, catalog, &examined.manifest)?;
    Ok(Exit::Done)
}

/// Grants are for certain bytes; new ones keep them only if they ask for nothing more.
fn carry_grants(ground: &Ground, before: Option<&Examined>, after: &Examined) -> Result<()> {
    let name = after.manifest.name.as_str();
    let grants_file = ground.paths.grants_file();
    let mut grants = read_grants(&grants_file)?;
    let Some(entry) = grants.components.remove(name).filter(|entry| entry.digest != after.digest)
    else {
        return Ok(());
    };
    let more = match before {
        Some(before) if before.digest == entry.digest => more(before, after),
        Some(_) | None => {
            vec!["its grants were for other bytes than those that were installed".to_owned()]
        }
    };
    if more.is_empty() {
        grants.components.insert(name.to_owned(), Entry { digest: after.digest.clone(), ..entry });
        terminal::print_line("its grants stay: it asks for nothing that the one before did not")?;
    } else {
        terminal::print_line(
            "its grants were taken back, since it asks for more than the one before:",
        )?;
        for line in more {
            terminal::print_line(&format!("  {}", indented(&harmless(&line), 2)))?;
        }
    }
    replace_private(&grants_file, grants.to_toml().as_bytes())
}

/// Says what is still to be decided.
fn conclude(ground: &Ground, catalog: &Catalog, manifest: &Manifest) -> Result<()> {
    let name = manifest.name.as_str();
    let installed = find(catalog, name)?;
    if let Status::Ready(_) = installed.status {
        terminal::print_line("it is ready")?;
        return Ok(());
    }
    for (profile, want) in &manifest.wants {
        terminal::print_line(&format!(
            "it wants to {}: {}",
            profile.in_words(),
            excerpt(&want.reason, 200)
        ))?;
        let hosts = if want.hosts.is_empty() {
            String::new()
        } else {
            format!("    # hosts: {}", harmless(&want.hosts.join(", ")))
        };
        terminal::print_line(&format!("  hydroid component grant {name} {profile}{hosts}"))?;
    }
    terminal::say(&ground.terminal.styled(Style::Ask, "it is not used yet:"));
    for reason in reasons(&installed.status) {
        terminal::say(&format!("  {}", indented(&harmless(&reason), 2)));
    }
    Ok(())
}

/// Removes a component of the user and what it was granted.
pub(super) async fn remove(ground: &Ground, catalog: &Catalog, name: &str) -> Result<Exit> {
    let named: Vec<_> = catalog
        .installed()
        .into_iter()
        .filter(|installed| installed.name == name || installed.place == name)
        .collect();
    let own: Vec<_> = named.iter().filter(|installed| installed.place != RELEASE).collect();
    if own.is_empty() {
        if named.is_empty() {
            find(catalog, name)?;
        }
        return Err(usage(format!(
            "`{name}` came with the release; turn it off with `hydroid config set components.{name}.enabled false`"
        )));
    }
    let deed = Deed {
        action: AuditAction::ComponentChanged,
        resource: "removed".to_owned(),
        component: Some(name),
        digest: own.first().and_then(|installed| installed.digest.clone()),
        command: "component remove",
    };
    audit(ground, deed).await?;
    for installed in &own {
        let path = ground.paths.components().join(&installed.place);
        std::fs::remove_file(&path)
            .with_context(|| format!("`{}` cannot be removed", path.display()))?;
        terminal::print_line(&format!("removed {}", exact(&installed.place)))?;
    }
    let grants_file = ground.paths.grants_file();
    let mut grants = read_grants(&grants_file)?;
    let of_the_release = named.iter().any(|installed| installed.place == RELEASE);
    if !of_the_release && grants.components.remove(name).is_some() {
        replace_private(&grants_file, grants.to_toml().as_bytes())?;
        terminal::print_line("its grants were taken back")?;
    }
    Ok(Exit::Done)
}

/// What a new version asks for beyond the one before, in words.
fn more(before: &Examined, after: &Examined) -> Vec<String> {
    let functions = |examined: &Examined| -> BTreeSet<String> {
        examined.imports.iter().flat_map(authority).collect()
    };
    let mut more: Vec<String> = functions(after)
        .difference(&functions(before))
        .map(|name| format!("it imports {name}"))
        .collect();
    for (profile, want) in &after.manifest.wants {
        let Some(old) = before.manifest.wants.get(profile) else {
            more.push(format!("it wants {profile}: {}", want.reason));
            continue;
        };
        let hosts: Vec<&String> =
            want.hosts.iter().filter(|host| !old.hosts.contains(host)).collect();
        more.extend(hosts.iter().map(|host| format!("it wants the host {host}")));
        let every_method_now = want.methods.is_empty() && !old.methods.is_empty();
        if every_method_now || (!old.methods.is_empty() && !want.methods.is_subset(&old.methods)) {
            more.push(format!("it wants other methods for {profile}"));
        }
    }
    for (name, secret) in &after.manifest.secrets {
        match before.manifest.secrets.get(name) {
            None => more.push(format!("it wants the secret {name}")),
            Some(old)
                if secret.hosts.iter().any(|host| !old.hosts.contains(host))
                    || secret.attach != old.attach =>
            {
                more.push(format!("it wants to send the secret {name} elsewhere"));
            }
            Some(_) => {}
        }
    }
    more
}

/// The functions of an import that carry authority.
fn authority(import: &Import) -> Vec<String> {
    match &import.class {
        Class::Core | Class::Inert | Class::Noise => Vec::new(),
        Class::Capability(_) | Class::OtherTrack | Class::Unknown => {
            let names = import
                .functions
                .iter()
                .map(|function| format!("{} {{{function}}}", import.interface));
            names.chain([import.interface.clone()]).collect()
        }
    }
}

pub(super) fn stem(file: &Path) -> Result<String> {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.map(str::to_owned)
        .ok_or_else(|| usage(format!("`{}` is not the name of a file", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::capability::Profile;
    use hydroid_wasm::check::Role;

    fn examined(manifest: &str, functions: &[&str]) -> Examined {
        let import = Import {
            interface: "hydroid:cap/fs-write".into(),
            version: Some("0.1.0".into()),
            functions: functions.iter().map(|name| (*name).to_owned()).collect(),
            class: Class::Capability(vec![Profile::FileReadWrite]),
        };
        Examined {
            manifest: Manifest::parse(&format!("name = \"x\"\nversion = \"1.0.0\"\n{manifest}"))
                .unwrap(),
            digest: "sha256:0".into(),
            role: Role::Tool,
            imports: if functions.is_empty() { Vec::new() } else { vec![import] },
            bytes: 0,
            initial_memory: None,
        }
    }

    #[track_caller]
    fn check_more(before: (&str, &[&str]), after: (&str, &[&str]), expect: &[&str]) {
        assert_eq!(more(&examined(before.0, before.1), &examined(after.0, after.1)), expect);
    }

    const WEB: &str = "[wants.web]\nreason = \"r\"\nhosts = [\"a.example\"]\nmethods = [\"GET\"]\n";

    #[test]
    fn nothing_more_is_nothing_more() {
        check_more((WEB, &["write", "remove"]), (WEB, &["write"]), &[]);
    }

    #[test]
    fn each_further_wish_is_named() {
        check_more(
            ("", &["write"]),
            ("", &["write", "remove"]),
            &["it imports hydroid:cap/fs-write {remove}"],
        );
        check_more(
            ("", &[]),
            ("", &["write"]),
            &["it imports hydroid:cap/fs-write", "it imports hydroid:cap/fs-write {write}"],
        );
        check_more(("", &[]), (WEB, &[]), &["it wants web: r"]);
        check_more(
            (WEB, &[]),
            (&WEB.replace("a.ex", "b.ex"), &[]),
            &["it wants the host b.example"],
        );
        check_more(
            (WEB, &[]),
            (&WEB.replace("methods = [\"GET\"]\n", ""), &[]),
            &["it wants other methods for web"],
        );
        let secret = "[secrets.k]\nattach = \"bearer\"\nhosts = [\"a.example\"]\n";
        check_more((WEB, &[]), (&format!("{WEB}{secret}"), &[]), &["it wants the secret k"]);
        check_more(
            (&format!("{WEB}{secret}"), &[]),
            (&format!("{WEB}{}", secret.replace("bearer", "query:k")), &[]),
            &["it wants to send the secret k elsewhere"],
        );
    }
}
