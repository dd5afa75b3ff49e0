//! `hydroid provider remove`: what `add` wrote for a service is taken out again. Its key stays.

use super::earlier::{Earlier, exchanged_at, ungrant};
use super::schema_default;
use crate::audited::{Deed, audit};
use crate::commands::config::{check, edited, without};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::{Setting, read_text};
use crate::paths::replace_private;
use crate::providers;
use crate::terminal;
use crate::wire::{Ground, read_grants};
use anyhow::Result;
use hydroid_core::audit::AuditAction;
use hydroid_core::config::Config;
use hydroid_core::harmless::harmless;
use std::collections::BTreeSet;
use std::sync::Arc;
use toml::Value;

const COMMAND: &str = "provider remove";

/// Runs the command.
pub(super) async fn remove(
    environment: Arc<Environment>,
    settings: &[Setting],
    name: &str,
) -> Result<Exit> {
    let ground = Ground::lay_to_look(environment, settings)?;
    let config = &ground.config;
    let default = schema_default()?;
    let instance = instance(config, name, &default)?;
    let its = config.components.get(&instance);
    let component = its.and_then(|its| its.component.clone());
    let earlier = Earlier::of(config, &instance, &default)?;
    let grants = read_grants(&ground.paths.grants_file())?;

    let mut out: BTreeSet<String> = BTreeSet::new();
    match &component {
        Some(_) => out.extend([format!("components.{instance}")]),
        None => out.extend(keys_of(&instance)?),
    }
    out.extend(earlier.as_ref().and_then(|earlier| earlier.audience(config)));
    let in_use = config.model.provider == instance;
    if in_use {
        out.extend(["model.provider", "model.name", "model.prices"].map(str::to_owned));
    }
    let file = ground.paths.config_file();
    let before = read_text(&file)?.unwrap_or_default();
    let mut after = before.clone();
    for key in &out {
        after = without(&after, key)?;
    }
    let closed = earlier.as_ref().and_then(|earlier| earlier.closed(config, &instance, &grants));
    if let Some(left) = closed {
        after = edited(&after, "egress.allow_private", &Value::Array(left))?;
    }
    check(&after, &file)?;
    let deed = Deed {
        action: AuditAction::ConfigChanged,
        resource: out.iter().cloned().collect::<Vec<_>>().join(", "),
        component: None,
        digest: None,
        command: COMMAND,
    };
    audit(&ground, deed).await?;
    replace_private(&file, after.as_bytes())?;
    let ungranted = match (&component, &earlier) {
        (Some(_), _) => ungrant(&ground, &instance, None, COMMAND).await?,
        (None, Some(earlier)) => {
            let release = crate::release::release()?;
            let manifest = release.components.iter().map(|its| &its.manifest);
            let manifest = manifest.into_iter().find(|its| its.name.as_str() == instance);
            let secret = earlier.secret.as_deref();
            let further = manifest.and_then(|manifest| exchanged_at(manifest, secret?));
            let hosts: Vec<String> =
                [earlier.place.host.clone()].into_iter().chain(further).collect();
            ungrant(&ground, &instance, Some(&hosts), COMMAND).await?
        }
        (None, None) => false,
    };
    if before == after && !ungranted {
        terminal::say(&format!("nothing was set up for `{}`", harmless(name)));
        return Ok(Exit::Done);
    }
    terminal::print_line(&format!("{name} is taken out of the configuration"))?;
    if let (true, Some(earlier)) = (ungranted, &earlier) {
        terminal::print_line(&format!(
            "{instance} may not connect to {} any more",
            earlier.place.host
        ))?;
    }
    for step in remaining(&ground, &instance, earlier.as_ref(), in_use) {
        terminal::say(&step);
    }
    Ok(Exit::Done)
}

/// The component or instance that is set up for a service, or that is named itself.
fn instance(
    config: &Config,
    name: &str,
    default: impl Fn(&str, &str) -> Option<String>,
) -> Result<String> {
    if config.components.get(name).is_some_and(|its| its.component.is_some()) {
        return Ok(name.to_owned());
    }
    let service = providers::find(name)?;
    let instances = config.components.iter();
    let instances = instances.filter(|(_, its)| its.component.as_ref() == Some(&service.component));
    let of_it: Vec<&String> = instances.map(|(name, _)| name).collect();
    // The component itself first, then what stands beside it.
    for instance in std::iter::once(&service.component).chain(of_it) {
        let written = config.components.get(instance).is_some_and(|its| !its.config.is_empty());
        if written && providers::configured(config, instance, &default)?.as_deref() == Some(name) {
            return Ok(instance.clone());
        }
    }
    // At an address of one's own a service is known by the rest of what was set for it.
    if let Some(its) = config.components.get(&service.component).map(|its| &its.config)
        && its.contains_key("base_url")
        && providers::configured(config, &service.component, &default)?.is_none()
    {
        let secret = its.get("api_key_secret").and_then(Value::as_str);
        let same = secret.is_none_or(|its| its == service.secret.as_deref().unwrap_or_default());
        if name == "openai" || (same && service.fits(|key| its.get(key).cloned())) {
            return Ok(service.component);
        }
    }
    Err(usage(format!("`{name}` is not set up; `hydroid config show components` shows what is")))
}

/// Everything that `add` may have written for a service of this component.
fn keys_of(component: &str) -> Result<Vec<String>> {
    let under = |key: &str| format!("components.{component}.config.{key}");
    let services = providers::services()?;
    let its = services.values().filter(|its| its.component == component);
    let keys = its.flat_map(|its| its.config.keys().chain(&its.address).cloned());
    Ok(keys.chain(["base_url".into(), "api_key_secret".into()]).map(|key| under(&key)).collect())
}

fn remaining(
    ground: &Ground,
    instance: &str,
    earlier: Option<&Earlier>,
    in_use: bool,
) -> Vec<String> {
    let mut steps = Vec::new();
    if in_use {
        steps.push(
            "no service is in use now: the rehearsal answers; `hydroid provider add NAME` sets another one up".to_owned(),
        );
    }
    for (key, _) in ground.config.model.others().filter(|(_, other)| other.provider == instance) {
        steps.push(format!("`{key}` still names {instance}"));
    }
    let secret = earlier.and_then(|earlier| earlier.secret.as_ref());
    if let Some(secret) = secret.filter(|secret| ground.secrets.has(secret)) {
        steps.push(format!(
            "its key is still stored; `hydroid secret remove {secret}` takes it away"
        ));
    }
    steps
}
