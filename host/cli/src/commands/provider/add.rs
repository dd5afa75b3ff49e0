//! `hydroid provider add`: everything one service needs, decided as a whole, then written.

use crate::args::AddService;
use crate::audited::{Deed, audit};
use crate::commands::component::grant_host;
use crate::commands::config::{check, edited, without};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::{Setting, read_text};
use crate::paths::replace_private;
use crate::providers::{self, Place, Service, place};
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result, anyhow};
use hydroid_core::audit::AuditAction;
use hydroid_core::capability::HostPattern;
use hydroid_core::config::{Config, Prices};
use hydroid_core::manifest::{Manifest, is_component_name};
use std::collections::BTreeSet;
use std::sync::Arc;
use toml::Value;

/// Runs the command.
pub(super) async fn add(
    environment: Arc<Environment>,
    settings: &[Setting],
    wish: &AddService,
) -> Result<Exit> {
    let service = providers::find(&wish.name)?;
    let ground = Ground::lay_to_look(environment.clone(), settings)?;
    let catalog = ground.catalog_to_look_at().await?;
    let component = &service.component;
    let installed = catalog.get(component);
    let manifest = installed.as_ref().and_then(|installed| installed.manifest.as_ref());
    let manifest = manifest.ok_or_else(|| {
        anyhow!(
            "the component `{component}` is not installed; `hydroid component list` shows what is"
        )
    })?;
    let plan = plan(&service, wish, &ground.config, manifest)?;

    let file = ground.paths.config_file();
    let before = read_text(&file)?;
    let mut after = before.clone().unwrap_or_default();
    for key in &plan.taken_out {
        after = without(&after, key)?;
    }
    for (key, value) in &plan.set {
        after = edited(&after, key, value)
            .with_context(|| format!("`{}` cannot be edited", file.display()))?;
    }
    check(&after, &file)?;
    // What a component is given may be anything, so keys are recorded without it.
    let keys: Vec<&str> = plan.set.iter().map(|(key, _)| key.as_str()).collect();
    let deed = Deed {
        action: AuditAction::ConfigChanged,
        resource: keys.join(", "),
        component: None,
        digest: None,
        command: "provider add",
    };
    audit(&ground, deed).await?;
    replace_private(&file, after.as_bytes())?;
    // The instance is there only now.
    let now = Ground::lay_to_look(environment, settings)?;
    if let Err(error) = granted(&now, &plan).await {
        // Half of it would be a service that cannot be reached.
        replace_private(&file, before.unwrap_or_default().as_bytes())?;
        return Err(error.context("nothing was changed"));
    }
    for (key, value) in &plan.set {
        terminal::print_line(&format!("{key} = {value}"))?;
    }
    terminal::print_line(&format!("{} may connect to {}", plan.instance, plan.place.host))?;
    for step in remaining(&service, wish, &plan, &now) {
        terminal::say(&step);
    }
    Ok(Exit::Done)
}

async fn granted(ground: &Ground, plan: &Plan) -> Result<()> {
    let catalog = ground.catalog_to_look_at().await?;
    grant_host(ground, &catalog, &plan.instance, &plan.place.host).await
}

/// What will be written.
struct Plan {
    /// The component, or another instance of it.
    instance: String,
    place: Place,
    /// The secret that will be sent.
    secret: Option<String>,
    set: Vec<(String, Value)>,
    /// Keys that an earlier service may have left behind.
    taken_out: Vec<String>,
}

fn plan(
    service: &Service,
    wish: &AddService,
    config: &Config,
    manifest: &Manifest,
) -> Result<Plan> {
    let url = match (&wish.url, service.missing()) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, None) => service.url.clone(),
        (None, Some(missing)) => {
            return Err(usage(format!(
                "the address of {} has your own {missing} in it; say it with `--url {}`",
                service.title, service.url
            )));
        }
    };
    if url.contains(['{', '}']) {
        return Err(usage(format!("put your own text in place of the braces in `{url}`")));
    }
    let place = place(&url)?;
    let secret = service.secret.clone().filter(|_| !wish.no_secret);
    let instance = wish.instance.as_ref().unwrap_or(&service.component).clone();
    if !is_component_name(&instance) {
        return Err(usage(format!(
            "`{instance}` is no name for an instance; use small letters, digits and `-`, like `{}`",
            wish.name
        )));
    }
    let under = |key: &str| format!("components.{instance}.config.{key}");

    let mut set: Vec<(String, Value)> =
        vec![("model.provider".to_owned(), instance.clone().into())];
    if instance != service.component {
        let of = service.component.clone().into();
        set.push((format!("components.{instance}.component"), of));
    }
    set.extend([
        (under("base_url"), url.into()),
        (under("api_key_secret"), secret.clone().unwrap_or_default().into()),
    ]);
    set.extend(service.config.iter().map(|(key, value)| (under(key), value.clone())));
    set.extend(wish.model.iter().map(|model| ("model.name".to_owned(), model.clone().into())));
    if let Some(secret) = &secret {
        let declared = manifest.secrets.get(secret).map(|want| &want.hosts[..]).unwrap_or_default();
        let configured = config.secrets.get(secret).map(|its| &its.hosts[..]).unwrap_or_default();
        let in_force = if configured.is_empty() { declared } else { configured };
        if !covers(in_force, &wish_url(&set), &place) {
            let hosts = vec![Value::from(place.host.clone())];
            set.push((format!("secrets.{secret}.hosts"), hosts.into()));
        }
    }
    if let Some(private) = &place.private
        && !config.egress.allow_private.contains(private)
    {
        let all = config.egress.allow_private.iter().chain([private]).cloned();
        let all: Vec<Value> = all.map(Value::from).collect();
        set.push(("egress.allow_private".to_owned(), all.into()));
    }
    let services = providers::services()?;
    let others = services.values().filter(|other| other.component == service.component);
    let keys: BTreeSet<String> = others.flat_map(|other| other.config.keys().cloned()).collect();
    let taken_out = keys.iter().map(|key| under(key)).collect();
    Ok(Plan { instance, place, secret, set, taken_out })
}

/// The address that will be written.
fn wish_url(set: &[(String, Value)]) -> String {
    let url = set.iter().find(|(key, _)| key.ends_with(".base_url"));
    url.and_then(|(_, url)| url.as_str()).unwrap_or_default().to_owned()
}

/// True if a secret for these hosts may be sent to this address.
fn covers(hosts: &[String], url: &str, place: &Place) -> bool {
    let Ok(target) = hydroid_wasm::egress::Target::parse(url) else { return false };
    hosts.iter().any(|own| {
        *own == place.host
            || own
                .parse::<HostPattern>()
                .is_ok_and(|own| own.matches(target.scheme(), target.host(), target.port()))
    })
}

/// What a person still has to do, a sentence each.
fn remaining(service: &Service, wish: &AddService, plan: &Plan, now: &Ground) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some(secret) = plan.secret.as_ref().filter(|secret| !now.secrets.has(secret)) {
        let variable = service.env.first().map_or(String::new(), |variable| {
            format!(", or `hydroid config set secrets.{secret}.env {variable}` if it is in that variable")
        });
        steps.push(format!(
            "the key is missing: `hydroid secret set {secret}` stores it{variable}; you get one at {}",
            service.docs
        ));
    }
    let sets = |start: &str| plan.set.iter().any(|(key, _)| key.starts_with(start));
    if let Some(secret) = &plan.secret {
        if now.secrets.has(secret) && sets(&format!("secrets.{secret}.hosts")) {
            steps.push(format!(
                "the key that is stored as `{secret}` goes to {} from now on and nowhere else; if it is another service's, `hydroid secret set {secret}` replaces it",
                plan.place.host
            ));
        }
        if plan.place.host.starts_with("http://") && !sets("egress.allow_private") {
            steps.push(format!(
                "the key and what you say go to {} without TLS, so whoever is in between reads them; `https://` in `--url` is better",
                plan.place.host
            ));
        }
    }
    if now.config.model.prices != Prices::default() {
        steps.push(
            "`model.prices` is as before and stands above the catalog's prices; if it is another service's, take it out of the configuration file".to_owned(),
        );
    }
    if wish.model.is_none() {
        steps.push(format!(
            "`model.name` is `{}` as before: `hydroid config set model.name MODEL` names one of {}",
            now.config.model.name, service.title
        ));
    }
    // What is in force may come from another place than the file.
    for (key, value) in &plan.set {
        let in_force = now.loaded.values.get(key).map(|(value, _)| value);
        if in_force.is_some_and(|in_force| in_force != value) {
            let origin = now.loaded.values.get(key).map(|(_, origin)| origin.to_string());
            steps.push(format!(
                "`{key}` was written, but {} has another value above it",
                origin.unwrap_or_default()
            ));
        }
    }
    steps.extend(service.note.iter().map(|note| format!("note: {note}")));
    steps.push("`hydroid provider test` tries it".to_owned());
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(name: &str, url: Option<&str>, no_secret: bool, config: &str) -> Result<Plan> {
        let service = providers::find(name).unwrap();
        let wish = AddService {
            name: name.into(),
            url: url.map(str::to_owned),
            model: Some("m".into()),
            instance: None,
            no_secret,
        };
        let path = format!(
            "{}/../../components/{}/manifest.toml",
            env!("CARGO_MANIFEST_DIR"),
            service.component
        );
        let manifest = Manifest::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        let config = Config::from_table(config.parse().unwrap()).unwrap();
        plan(&service, &wish, &config, &manifest)
    }

    #[track_caller]
    fn check(name: &str, url: Option<&str>, no_secret: bool, config: &str, expected: &[&str]) {
        let plan = planned(name, url, no_secret, config).unwrap();
        let lines: Vec<String> =
            plan.set.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_hosted_service_needs_no_hosts_of_its_own() {
        check(
            "mistral",
            None,
            false,
            "",
            &[
                "model.provider = \"provider-openai\"",
                "components.provider-openai.config.base_url = \"https://api.mistral.ai/v1\"",
                "components.provider-openai.config.api_key_secret = \"mistral\"",
                "components.provider-openai.config.call_ids = \"nine_characters\"",
                "components.provider-openai.config.max_tokens_field = \"max_tokens\"",
                "components.provider-openai.config.stream_usage = false",
                "model.name = \"m\"",
            ],
        );
    }

    #[test]
    fn another_address_takes_the_key_along() {
        check(
            "openai",
            Some("https://llm.example.com/v1/"),
            false,
            "",
            &[
                "model.provider = \"provider-openai\"",
                "components.provider-openai.config.base_url = \"https://llm.example.com/v1\"",
                "components.provider-openai.config.api_key_secret = \"openai\"",
                "model.name = \"m\"",
                "secrets.openai.hosts = [\"llm.example.com\"]",
            ],
        );
        let azure = planned("azure", Some("https://mine.openai.azure.com/openai/v1"), false, "");
        assert!(azure.unwrap().set.iter().all(|(key, _)| !key.starts_with("secrets.")));
    }

    #[test]
    fn a_server_of_this_machine_is_opened_beside_others() {
        check(
            "vllm",
            None,
            false,
            "[egress]\nallow_private = [\"10.0.0.5:80\"]",
            &[
                "model.provider = \"provider-openai\"",
                "components.provider-openai.config.base_url = \"http://127.0.0.1:8000/v1\"",
                "components.provider-openai.config.api_key_secret = \"\"",
                "components.provider-openai.config.max_tokens_field = \"max_tokens\"",
                "components.provider-openai.config.send_reasoning = \"reasoning\"",
                "model.name = \"m\"",
                "egress.allow_private = [\"10.0.0.5:80\", \"127.0.0.1:8000\"]",
            ],
        );
        let again = planned("vllm", None, false, "[egress]\nallow_private = [\"127.0.0.1:8000\"]");
        assert!(again.unwrap().set.iter().all(|(key, _)| key != "egress.allow_private"));
    }

    #[test]
    fn a_service_without_its_key_sends_none() {
        let plan = planned("litellm", Some("http://127.0.0.1:9/v1"), true, "").unwrap();
        assert_eq!(plan.secret, None);
        assert!(plan.set.iter().all(|(key, _)| !key.starts_with("secrets.")));
    }

    #[test]
    fn what_an_earlier_service_needed_is_taken_out() {
        let plan = planned("groq", None, false, "").unwrap();
        let out = "components.provider-openai.config.call_ids".to_owned();
        assert!(plan.taken_out.contains(&out), "{:?}", plan.taken_out);
    }

    #[test]
    fn an_address_with_a_part_of_ones_own_is_asked_for() {
        let error = planned("cloudflare", None, false, "").err().unwrap().to_string();
        assert!(error.contains("your own account"), "{error}");
        let braces =
            planned("azure", Some("https://{resource}.openai.azure.com/openai/v1"), false, "");
        assert!(braces.err().unwrap().to_string().contains("in place of the braces"));
    }
}
