//! `hydroid model update`: fetches a catalog or reads it from a file, checks it as a whole, and
//! only then puts it in place of the user's snapshot. Typing the command is the consent; what
//! leaves is one request without a credential, through the same door as everything else.

use crate::audited::{Deed, audit};
use crate::exit::{Exit, usage};
use crate::models::{self, LARGEST};
use crate::paths::replace_private;
use crate::stopped::refuse_if_stopped;
use crate::wire::{Ground, SystemClock};
use crate::{moment, terminal};
use anyhow::{Context, Result, bail};
use hydroid_core::audit::AuditAction;
use hydroid_core::capability::{Grant, Profile, WebRule};
use hydroid_core::harmless::harmless;
use hydroid_core::id::ComponentId;
use hydroid_core::models::{Catalog, Provenance, Wanted, changes, snapshot};
use hydroid_core::ports::Clock;
use hydroid_wasm::component::digest;
use hydroid_wasm::egress::{Outgoing, Target};
use std::path::Path;

/// Where the catalog is published.
const PUBLISHED: &str = "https://models.dev/api.json";

/// Whose data that is.
const PUBLISHER: (&str, &str) = ("MIT", "Copyright (c) 2025 models.dev");

/// Runs the command.
pub(super) async fn run(ground: &Ground, from: Option<&str>) -> Result<Exit> {
    let source = from.unwrap_or(PUBLISHED);
    let text = if source.starts_with("https://") || source.starts_with("http://") {
        refuse_if_stopped(&ground.paths)?;
        fetch(ground, source).await?
    } else {
        models::read(Path::new(source))?.ok_or_else(|| {
            usage(format!(
                "`--from {source}` is no file and no address that begins with `https://`"
            ))
        })?
    };
    let place = ground.paths.models_snapshot();
    let text = snapshot(&text, &provenance(source, &text)?)
        .with_context(|| format!("`{source}` is no catalog, so nothing was changed"))?;
    let new = Catalog::read(&text, None, Wanted::All)?;
    // What is there may be what is to be mended.
    let old = models::in_force(&place)
        .and_then(|(text, _)| Ok(Catalog::read(&text, None, Wanted::All)?))
        .unwrap_or_default();
    // Prices decide what a budget is worth, so who changed them is on record.
    let deed = Deed {
        action: AuditAction::ConfigChanged,
        resource: format!("the model catalog, from {source}"),
        component: None,
        digest: Some(digest(text.as_bytes())),
        command: "model update",
    };
    audit(ground, deed).await?;
    replace_private(&place, text.as_bytes())?;
    // Names are somebody else's words.
    terminal::print_line(&harmless(&changes(&old, &new).to_string()))?;
    terminal::say(&format!("{} models are in `{}`", count(&new), place.display()));
    Ok(Exit::Done)
}

/// What the catalog says of itself, or what is known of where it came from. It is dated by when it
/// was taken, so that it stands above the one of this release.
fn provenance(source: &str, text: &str) -> Result<Provenance> {
    let said = models::provenance(text)
        .with_context(|| format!("`{source}` is no catalog, so nothing was changed"))?;
    let today = moment::minute(SystemClock.now_ms()).chars().take(10).collect();
    let (licence, copyright) = if source == PUBLISHED { PUBLISHER } else { ("", "") };
    Ok(match said {
        Some(said) => Provenance { date: today, ..said },
        None => Provenance {
            source: source.to_owned(),
            date: today,
            licence: licence.to_owned(),
            copyright: copyright.to_owned(),
            ..Provenance::default()
        },
    })
}

/// One GET; redirects are not followed.
async fn fetch(ground: &Ground, url: &str) -> Result<String> {
    let egress = ground.egress(None)?;
    let any: WebRule = "GET *:*".parse().context("`GET *:*` is a rule")?;
    let grant = Grant { profiles: [Profile::Web].into(), web: vec![any], ..Grant::default() };
    let outgoing = Outgoing {
        target: Target::parse(url).map_err(|error| usage(format!("`{url}`: {error}")))?,
        method: Default::default(),
        headers: Default::default(),
        body: Default::default(),
        timeout: None,
    };
    let failed = || format!("`{url}` could not be fetched, so nothing was changed");
    let sender = ComponentId::new("model-update");
    let mut answer = egress.send(&sender, &grant, outgoing, None).await.with_context(failed)?;
    if answer.status != 200 {
        bail!("`{url}` answered with status {}, so nothing was changed", answer.status);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.next().await.with_context(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > LARGEST {
            bail!("`{url}` has more than {LARGEST} bytes, so nothing was changed");
        }
    }
    String::from_utf8(bytes).with_context(failed)
}

fn count(catalog: &Catalog) -> usize {
    catalog.providers.values().map(|provider| provider.models.len()).sum()
}
