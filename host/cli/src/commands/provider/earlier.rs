//! What a service that was set up before left behind, and taking it out again: its host in the
//! component's grant, its private address, where its key could go. What a person set stays.

use crate::audited::{Deed, audit};
use crate::paths::replace_private;
use crate::providers::{self, Place, place};
use crate::wire::{Ground, read_grants};
use anyhow::Result;
use hydroid_core::audit::AuditAction;
use hydroid_core::capability::Profile;
use hydroid_core::config::Config;
use hydroid_core::manifest::{Attach, Manifest, Signer};
use hydroid_wasm::grants::{Entry, Grants};
use toml::Value;

/// A service as it is set up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    /// Its address.
    pub(super) url: String,
    /// Where that leads.
    pub(super) place: Place,
    /// The secret that is sent.
    pub(super) secret: Option<String>,
}

impl Earlier {
    /// What an instance is set up for; none if its address is nowhere.
    pub(super) fn of(
        config: &Config,
        instance: &str,
        default: impl Fn(&str, &str) -> Option<String>,
    ) -> Result<Option<Self>> {
        let Some(url) = providers::address_of(config, instance, default)? else { return Ok(None) };
        // An address that is none leads nowhere, so nothing was opened for it.
        let Ok(place) = place(&url) else { return Ok(None) };
        let its = config.components.get(instance);
        let component = its.and_then(|its| its.component.as_deref()).unwrap_or(instance);
        let written = |key: &str| its.and_then(|its| its.config.get(key));
        let secret = match written("api_key_secret").and_then(Value::as_str) {
            Some(secret) => Some(secret.to_owned()).filter(|secret| !secret.is_empty()),
            // A component that does not name its secret has a way of its own to choose it.
            None => providers::services()?
                .into_values()
                .filter(|service| service.component == component)
                .find(|service| service.fits(|key| written(key).cloned()))
                .and_then(|service| service.secret),
        };
        Ok(Some(Self { url, place, secret }))
    }

    /// The list of private addresses without this one's; none if it stays, because it is not there
    /// or something else needs it.
    pub(super) fn closed(
        &self,
        config: &Config,
        instance: &str,
        grants: &Grants,
    ) -> Option<Vec<Value>> {
        let private = self.place.private.as_ref()?;
        let all = &config.egress.allow_private;
        let mut others = config.components.iter().filter(|(name, _)| *name != instance);
        let configured = others.any(|(_, its)| names(&Value::Table(its.config.clone()), private));
        let mut granted = grants.components.iter().filter(|(name, _)| *name != instance);
        let granted = granted.any(|(_, its)| its.hosts.iter().any(|host| host.contains(private)));
        if !all.contains(private) || configured || granted {
            return None;
        }
        Some(all.iter().filter(|one| *one != private).cloned().map(Value::from).collect())
    }

    /// The key that says where its secret may go, if `add` wrote it for this address; the whole
    /// table where nothing else is in it.
    pub(super) fn audience(&self, config: &Config) -> Option<String> {
        let secret = self.secret.as_ref()?;
        let source = config.secrets.get(secret)?;
        let alone = !source.names_a_value() && source.rotate.is_empty();
        let hosts = if alone { "" } else { ".hosts" };
        let its = source.hosts.first() == Some(&self.place.host);
        its.then(|| format!("secrets.{secret}{hosts}"))
    }
}

/// True if a text in it names the address.
fn names(value: &Value, address: &str) -> bool {
    match value {
        Value::String(text) => text.contains(address),
        Value::Array(items) => items.iter().any(|item| names(item, address)),
        Value::Table(table) => table.values().any(|item| names(item, address)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => false,
    }
}

/// Where else than to the service a credential's signer sends requests, as a rule.
pub(super) fn exchanged_at(manifest: &Manifest, secret: &str) -> Option<String> {
    let Attach::Sign(Signer::OAuth2(oauth)) = &manifest.secrets.get(secret)?.attach else {
        return None;
    };
    let target = hydroid_wasm::egress::Target::parse(&oauth.token_url).ok()?;
    Some(format!("{}{}", target.grantable(), target.url().path()))
}

/// Takes hosts out of what a component was granted, or with none everything; true if that changed
/// anything.
pub(super) async fn ungrant(
    ground: &Ground,
    instance: &str,
    hosts: Option<&[String]>,
    command: &'static str,
) -> Result<bool> {
    let file = ground.paths.grants_file();
    let mut grants = read_grants(&file)?;
    let Some(entry) = grants.components.get_mut(instance) else { return Ok(false) };
    let resource = match hosts {
        None => {
            grants.components.remove(instance);
            "everything".to_owned()
        }
        Some(hosts) => {
            let before = entry.hosts.len();
            entry.hosts.retain(|held| !hosts.contains(held));
            if entry.hosts.len() == before {
                return Ok(false);
            }
            if entry.hosts.is_empty() && !entry.only {
                // Without a host of its own it would be those of the manifest, which nobody said.
                entry.profiles.remove(&Profile::Web);
            }
            let empty = Entry { digest: entry.digest.clone(), ..Entry::default() };
            if *entry == empty {
                grants.components.remove(instance);
            }
            format!("web --host {}", hosts.join(" --host "))
        }
    };
    let deed = Deed {
        action: AuditAction::GrantChanged,
        resource,
        component: Some(instance),
        digest: None,
        command,
    };
    audit(ground, deed).await?;
    replace_private(&file, grants.to_toml().as_bytes())?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn earlier(config: &Config) -> Option<Earlier> {
        Earlier::of(config, "p", |_, _| None).unwrap()
    }

    fn config(text: &str) -> Config {
        Config::from_table(text.parse().unwrap()).unwrap()
    }

    const OWN: &str = "[components.p.config]\nbase_url = \"http://127.0.0.1:8000/v1\"\napi_key_secret = \"k\"\n[secrets.k]\nhosts = [\"http://127.0.0.1:8000\"]\n[egress]\nallow_private = [\"127.0.0.1:8000\", \"10.0.0.1:80\"]\n";

    #[test]
    fn what_was_opened_for_a_service_is_closed() {
        let config = config(OWN);
        let earlier = earlier(&config).unwrap();
        assert_eq!(earlier.audience(&config).as_deref(), Some("secrets.k"));
        let stored = self::config(&OWN.replace("[secrets.k]\n", "[secrets.k]\nenv = \"K\"\n"));
        assert_eq!(earlier.audience(&stored).as_deref(), Some("secrets.k.hosts"));
        let left = earlier.closed(&config, "p", &Grants::default());
        assert_eq!(left, Some(vec!["10.0.0.1:80".into()]));
    }

    #[test]
    fn what_something_else_needs_stays_open() {
        let other = format!("{OWN}[components.q.config]\nurl = \"http://127.0.0.1:8000/x\"\n");
        let config = config(&other);
        let earlier = earlier(&config).unwrap();
        assert_eq!(earlier.closed(&config, "p", &Grants::default()), None);
        let granted = "[components.tool]\nhosts = [\"http://127.0.0.1:8000\"]\n";
        let own = self::config(OWN);
        assert_eq!(earlier.closed(&own, "p", &Grants::parse(granted).unwrap()), None);
    }

    #[test]
    fn nothing_was_opened_for_nothing() {
        assert_eq!(earlier(&config("")), None);
        assert_eq!(earlier(&config("[components.p.config]\nbase_url = \"x\"\n")), None);
    }
}
