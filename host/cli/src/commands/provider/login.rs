//! `hydroid provider login`: a person signs in elsewhere with a code, and what that obtains is
//! stored sealed. No component takes part, and nothing obtained is shown.

use crate::commands::secret::{self, LOGIN};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::providers;
use crate::stopped::refuse_if_stopped;
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result, anyhow};
use hydroid_core::config::Config;
use hydroid_core::harmless::{exact, harmless};
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::{DeviceLogin, LoginClient, Manifest};
use hydroid_core::ports::{SecretValue, Secrets};
use hydroid_core::reliability::length;
use hydroid_wasm::Catalog;
use hydroid_wasm::egress::{SignIn, UserCode};
use std::sync::Arc;
use std::time::Duration;

/// Runs the command.
pub(super) async fn login(
    environment: Arc<Environment>,
    settings: &[Setting],
    name: &str,
    client_id: Option<&str>,
) -> Result<Exit> {
    let ground = Ground::lay_to_look(environment, settings)?;
    refuse_if_stopped(&ground.paths)?;
    let catalog = ground.catalog_to_look_at().await?;
    let found = find(&catalog, &ground.config, name)?;
    secret::not_configured(&ground, &found.secret)?;
    if let Some(problem) = ground.secrets.sealed().unreadable() {
        anyhow::bail!("{problem}; what you sign in for could not be stored, so nothing is begun");
    }
    let (id, client_secret) = found.client(&ground, client_id)?;
    let sign_in = SignIn {
        component: &found.component,
        login: &found.login,
        client_id: &id,
        client_secret: client_secret.as_ref().map(|(value, auth)| (value, *auth)),
    };
    let egress = ground.egress(None)?;
    let signed_in = sign_in
        .run(&egress, show, |time: Duration| Box::pin(tokio::time::sleep(time)))
        .await
        .context("you are not signed in")?;
    let stored =
        secret::store(&ground, vec![(found.secret.clone(), signed_in.value)], LOGIN).await?;
    for stored in stored {
        let lasts = signed_in.lasts.map(length).map_or_else(String::new, |length| {
            format!(
                "; the service says it lasts {length}, then `hydroid provider login {name}` again"
            )
        });
        terminal::print_line(&format!(
            "signed in: {} is set, version {}{lasts}",
            stored.name, stored.version
        ))?;
    }
    Ok(Exit::Done)
}

/// What the person has to do. All of it comes from the service.
fn show(code: &UserCode) {
    terminal::say(&format!("open   {}", exact(&code.url)));
    terminal::say(&format!("enter  {}", exact(&code.code)));
    if let Some(url) = &code.whole_url {
        terminal::say(&format!("or open {}, which has the code in it", exact(url)));
    }
    terminal::say(&format!(
        "waiting until you have, for {} at the most; Ctrl-C ends it and stores nothing",
        length(code.lasts)
    ));
}

/// A credential that is obtained by signing in.
struct Found {
    component: ComponentId,
    secret: String,
    login: DeviceLogin,
}

/// The credential that is meant: that of a service, that of this name, or the only one of a
/// component.
fn find(catalog: &Catalog, config: &Config, name: &str) -> Result<Found> {
    let services = providers::services()?;
    let installed = catalog.installed();
    let manifests = || installed.iter().filter_map(|its| its.manifest.as_ref());
    let found = |manifest: &Manifest, secret: &str| {
        let login = manifest.secrets.get(secret)?.login.clone()?;
        let (component, secret) = (manifest.name.clone(), secret.to_owned());
        Some(Found { component, secret, login })
    };
    if let Some(service) = services.get(name) {
        let manifest = manifests().find(|its| its.name.as_str() == service.component);
        let secret = service.secret.as_deref();
        return secret.and_then(|secret| found(manifest?, secret)).ok_or_else(|| match secret {
            Some(secret) => usage(format!(
                "nobody signs in to {} with a code; `hydroid secret set {secret}` stores its key",
                service.title
            )),
            None => usage(format!("{} wants no key", service.title)),
        });
    }
    if let Some(found) = manifests().find_map(|manifest| found(manifest, name)) {
        return Ok(found);
    }
    let of_component = manifests().find(|its| its.name.as_str() == name).ok_or_else(|| {
        usage(format!(
            "`{}` is no service, no component and no secret of one; `hydroid provider list` shows the services",
            harmless(name)
        ))
    })?;
    // The one that is configured is meant, whatever else its manifest knows.
    let configured = config.components.get(name).and_then(|its| its.config.get("api_key_secret"));
    let configured = configured.and_then(|secret| secret.as_str()).filter(|its| !its.is_empty());
    if let Some(secret) = configured {
        return found(of_component, secret).ok_or_else(|| {
            usage(format!(
                "`{name}` sends the secret `{secret}`, for which nobody signs in with a code; `hydroid secret set {secret}` stores it"
            ))
        });
    }
    let mut its: Vec<Found> =
        of_component.secrets.keys().filter_map(|secret| found(of_component, secret)).collect();
    match (its.pop(), its.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(usage(format!(
            "no secret of `{name}` is obtained by signing in; `hydroid component inspect {name}` shows how each is used"
        ))),
        (Some(last), false) => {
            let names: Vec<&str> =
                its.iter().chain([&last]).map(|found| found.secret.as_str()).collect();
            Err(usage(format!(
                "`{name}` has several secrets that are obtained by signing in; name one: {}",
                names.join(", ")
            )))
        }
    }
}

impl Found {
    /// As whom a person signs in: what was typed, what the manifest says, or stored parts.
    fn client(
        &self,
        ground: &Ground,
        typed: Option<&str>,
    ) -> Result<(String, Option<(SecretValue, hydroid_core::manifest::ClientAuth)>)> {
        let value = |name: &str| -> Result<Option<SecretValue>> {
            ground.secrets.value(&ground.user(), name).map_err(anyhow::Error::new)
        };
        match &self.login.client {
            LoginClient::Public(id) => Ok((typed.unwrap_or(id).to_owned(), None)),
            LoginClient::Parts { .. } if typed.is_some() => Err(usage(
                "the client of this credential is a stored secret, so `--client-id` is not for it",
            )),
            LoginClient::Parts { id, secret, auth } => {
                let client_id = value(id)?.ok_or_else(|| {
                    anyhow!("the id of your client is missing: `hydroid secret set {id}` stores it")
                })?;
                let secret = secret.as_deref().map(value).transpose()?.flatten();
                let secret = secret.map(|secret| (secret, *auth));
                Ok((client_id.expose().to_owned(), secret))
            }
        }
    }
}

/// What stores the credential of a service, as a person types it.
pub(crate) fn how_to_store(manifest: &Manifest, secret: &str) -> String {
    match manifest.secrets.get(secret).and_then(|want| want.login.as_ref()) {
        Some(_) => format!("hydroid provider login {secret}"),
        None => format!("hydroid secret set {secret}"),
    }
}
