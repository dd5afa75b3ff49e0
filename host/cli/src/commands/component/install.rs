//! Installing and removing components. What a person is asked stands here in order: who
//! vouches for it, what it wants or what is different, and only then is anything changed.

use super::offer::{Offer, Signer};
use super::question::{self, Said};
use super::source::acquire;
use super::versions::{Change, forget, put_in_place};
use super::{RELEASE, find, reasons};
use crate::args::Add;
use crate::audited::{Deed, audit};
use crate::exit::{Exit, usage};
use crate::paths::replace_private;
use crate::servers::{read_book, server_named};
use crate::terminal::{self, Style, indented};
use crate::wire::{Ground, read_grants, read_lock};
use anyhow::{Context, Result};
use hydroid_core::audit::AuditAction;
use hydroid_core::capability::{Profile, WebRule};
use hydroid_core::harmless::{exact, excerpt, harmless};
use hydroid_core::manifest::Manifest;
use hydroid_wasm::grants::Entry;
use hydroid_wasm::shipping::KeyLevel;
use hydroid_wasm::{Catalog, Status};

/// Installs what was typed.
pub(super) async fn add(ground: &Ground, catalog: &Catalog, wish: &Add) -> Result<Exit> {
    let offer = Offer::new(ground, catalog, acquire(ground, &wish.source).await?)?;
    let consent = Consent {
        yes: wish.yes,
        allow_unsigned: wish.allow_unsigned,
        allow_older: wish.allow_older,
        command: "component add",
    };
    install(ground, catalog, &offer, &consent).await
}

/// What was said beforehand.
pub(super) struct Consent {
    pub(super) yes: bool,
    pub(super) allow_unsigned: bool,
    pub(super) allow_older: bool,
    /// The command, as the audit log names it.
    pub(super) command: &'static str,
}

/// Asks what is to be asked, and installs an offer.
pub(super) async fn install(
    ground: &Ground,
    catalog: &Catalog,
    offer: &Offer,
    consent: &Consent,
) -> Result<Exit> {
    let name = offer.name();
    let manifest = &offer.examined.manifest;
    if let Some(server) = server_named(&read_book(&ground.paths)?, name) {
        return Err(usage(format!(
            "`{name}` is what the server `{server}` of the Model Context Protocol is called in rules and in the audit log, so no component can be; remove the server first with `hydroid mcp remove {server}`"
        )));
    }
    if let Some(newer) = offer.is_older_than().filter(|_| !consent.allow_older) {
        return Err(usage(format!(
            "{name} {} is older than {newer}, which is installed: an older version may have mistakes that were mended since; go back with `hydroid component rollback {name}`, or add `--allow-older`",
            manifest.version
        )));
    }
    let decided = manifest.wants.is_empty()
        || read_grants(&ground.paths.grants_file())?.components.contains_key(name);
    if offer.is_there() && decided {
        terminal::print_line(&format!("{name} {} is installed already", manifest.version))?;
        conclude(ground, catalog, manifest)?;
        return Ok(Exit::Done);
    }
    if !vouched_for(ground, offer, consent)? {
        terminal::say("nothing was installed");
        return Ok(Exit::Error);
    }
    let Some(entry) = entry(ground, offer, consent)? else {
        terminal::say("nothing was changed");
        return Ok(Exit::Error);
    };
    let updated = if offer.own.is_empty() { "added" } else { "updated" };
    let deed = Deed {
        action: AuditAction::ComponentChanged,
        resource: format!(
            "{updated} {} from {}, {}, {}",
            manifest.version,
            offer.source,
            offer.signer.in_words(),
            match &entry {
                Some(entry) => format!("allowed {}", granted(entry)),
                None => "allowed nothing".to_owned(),
            }
        ),
        component: Some(name),
        digest: Some(offer.examined.digest.clone()),
        command: consent.command,
    };
    audit(ground, deed).await?;
    put_in_place(ground, offer, entry)?;
    terminal::print_line(&format!("{updated} {} ({})", offer.title(), offer.examined.digest))?;
    catalog.refresh().map_err(anyhow::Error::msg)?;
    conclude(ground, catalog, manifest)?;
    Ok(Exit::Done)
}

/// Whether a person wants what nobody they know has signed.
fn vouched_for(ground: &Ground, offer: &Offer, consent: &Consent) -> Result<bool> {
    // The very bytes that are pinned were agreed to when they came.
    if consent.allow_unsigned || offer.is_there() {
        return Ok(true);
    }
    match &offer.signer {
        Signer::Known { .. } => Ok(true),
        Signer::Nobody | Signer::Unknown(_) => {
            let remedy = match &offer.signer {
                Signer::Unknown(key) => {
                    format!(" (`hydroid key trust {key} --name NAME` makes it known)")
                }
                Signer::Nobody | Signer::Known { .. } => String::new(),
            };
            let question = format!(
                "{} {} is {}{remedy}: nothing says who made it. Install it all the same?",
                offer.name(),
                offer.examined.manifest.version,
                offer.signer.in_words(),
            );
            question::confirmed(ground, &question, "--allow-unsigned")
        }
    }
}

/// What it is granted: an entry or nothing; `None` if a person does not want it at all.
#[expect(clippy::option_option, reason = "not to install and to grant nothing are two answers")]
fn entry(ground: &Ground, offer: &Offer, consent: &Consent) -> Result<Option<Option<Entry>>> {
    let manifest = &offer.examined.manifest;
    let held = read_grants(&ground.paths.grants_file())?.components.remove(offer.name());
    let digest = &offer.examined.digest;
    let held = held.filter(|held| {
        held.digest == *digest || offer.before.as_ref().is_some_and(|old| old.digest == held.digest)
    });
    let wishes = question::wishes(manifest);
    let differences = offer.differences();
    let text = match &differences {
        None if wishes.is_empty() => return Ok(Some(None)),
        None => format!("{} wants: {}. Allow?", offer.title(), wishes.join("; ")),
        Some(none) if none.is_empty() && !each_is_asked(offer) => {
            if held.is_some() {
                terminal::print_line(
                    "its grants stay: it asks for nothing that the one before did not",
                )?;
            }
            return Ok(Some(held.map(|held| Entry { digest: digest.clone(), ..held })));
        }
        Some(none) if none.is_empty() => {
            format!("{} wants nothing more than the one before. Install it?", offer.title())
        }
        Some(more) => {
            let lines: Vec<String> =
                more.iter().map(|line| format!("  {}", excerpt(line, 400))).collect();
            format!(
                "{} is not what you agreed to:\n{}\nIt wants: {}. Allow?",
                offer.title(),
                lines.join("\n"),
                if wishes.is_empty() { "nothing".to_owned() } else { wishes.join("; ") }
            )
        }
    };
    let mut entry = held.unwrap_or_default();
    entry.digest.clone_from(digest);
    if consent.yes {
        terminal::say(&text);
    }
    let said = if consent.yes { Some(Said::Yes) } else { question::ask(ground, offer, &text)? };
    match said {
        Some(Said::Yes) => {
            let pair = question::is_pair(manifest)
                && !entry.files_and_web
                && pair(ground, offer, consent)?;
            if manifest.wants.is_empty() {
                return Ok(Some(Some(entry).filter(|entry| !entry.profiles.is_empty())));
            }
            question::allow(manifest, &mut entry, pair);
            Ok(Some(Some(entry)))
        }
        Some(Said::Without) => Ok(Some(None)),
        Some(Said::No) => Ok(None),
        None if consent.command == "component update" => {
            terminal::say(&format!(
                "nobody is here to be asked, so {} stays as it is; `hydroid component update {} --yes` allows what is shown",
                offer.name(),
                offer.name()
            ));
            Ok(None)
        }
        None => {
            terminal::say(
                "nobody is here to be asked, so it is installed and allowed nothing; `--yes` would allow what is shown",
            );
            Ok(Some(None))
        }
    }
}

/// True for a component of a publisher who is known and not trusted: each version is asked about.
fn each_is_asked(offer: &Offer) -> bool {
    let trusted = matches!(&offer.signer, Signer::Known { level: KeyLevel::Trusted, .. });
    !trusted && !offer.is_there() && offer.signer != Signer::Nobody
}

/// Whether it may read files and reach the network at once, which needs a word of its own.
fn pair(ground: &Ground, offer: &Offer, consent: &Consent) -> Result<bool> {
    let manifest = &offer.examined.manifest;
    let name = offer.name();
    let hosts =
        manifest.wants.get(&Profile::Web).map(|want| want.hosts.clone()).unwrap_or_default();
    let any = hosts.iter().any(|host| host.parse::<WebRule>().is_ok_and(|rule| rule.host.is_any()));
    if any || (consent.yes && !ground.terminal.interactive) {
        terminal::say(&format!(
            "it could read your files and send them away, so it may not connect yet; if you want that, name the hosts: `hydroid component grant {name} web --host HOST --files-and-web`"
        ));
        return Ok(false);
    }
    let question = format!(
        "with this, {name} could read your files and send them to {}. Allow both together?",
        exact(&hosts.join(", "))
    );
    question::confirmed(ground, &question, "--files-and-web")
}

/// The profiles of an entry, for the audit log.
fn granted(entry: &Entry) -> String {
    let profiles: Vec<&str> = entry.profiles.iter().map(|profile| profile.id()).collect();
    if profiles.is_empty() { "nothing".to_owned() } else { profiles.join(", ") }
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
        if named.is_empty() && read_lock(&ground.paths.lock_file())?.components.contains_key(name) {
            return remove_pinned(ground, name).await;
        }
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
    let change = Change::begin(ground)?;
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
    for installed in own {
        forget(ground, &installed.name)?;
    }
    drop(change);
    Ok(Exit::Done)
}

/// Takes back what is left of a component whose file was removed by hand.
async fn remove_pinned(ground: &Ground, name: &str) -> Result<Exit> {
    let deed = Deed {
        action: AuditAction::ComponentChanged,
        resource: "removed what was pinned and granted".to_owned(),
        component: Some(name),
        digest: None,
        command: "component remove",
    };
    audit(ground, deed).await?;
    let _change = Change::begin(ground)?;
    let grants_file = ground.paths.grants_file();
    let mut grants = read_grants(&grants_file)?;
    if grants.components.remove(name).is_some() {
        replace_private(&grants_file, grants.to_toml().as_bytes())?;
    }
    forget(ground, name)?;
    terminal::print_line(&format!(
        "the file of {} was gone already; what was pinned and granted is taken back",
        exact(name)
    ))?;
    Ok(Exit::Done)
}
