//! `hydroid provider add`: everything one service needs, decided as a whole, then written.

use super::earlier::{Earlier, exchanged_at, ungrant};
use super::login::how_to_store;
use super::schema_default;
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
use crate::wire::{Ground, read_grants};
use anyhow::{Context, Result, anyhow};
use hydroid_core::audit::AuditAction;
use hydroid_core::capability::HostPattern;
use hydroid_core::config::{Config, Prices};
use hydroid_core::manifest::{Attach, Manifest, is_component_name};
use hydroid_wasm::grants::Grants;
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
    let mut plan = plan(&service, wish, &ground.config, manifest)?;
    let default = schema_default()?;
    let earlier = Earlier::of(&ground.config, &plan.instance, &default)?;
    let earlier = earlier.filter(|earlier| earlier.place != plan.place);
    if let Some(earlier) = &earlier {
        let grants = read_grants(&ground.paths.grants_file())?;
        plan.leave(earlier, &ground.config, &grants);
    }

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
    let left = match &earlier {
        None => false,
        Some(earlier) => {
            let secret = earlier.secret.as_deref();
            let further = secret.and_then(|secret| exchanged_at(manifest, secret));
            let hosts: Vec<String> =
                [earlier.place.host.clone()].into_iter().chain(further).collect();
            ungrant(&now, &plan.instance, Some(&hosts), "provider add").await?
        }
    };
    for (key, value) in &plan.set {
        terminal::print_line(&format!("{key} = {value}"))?;
    }
    terminal::print_line(&format!("{} may connect to {}", plan.instance, plan.place.host))?;
    if let (true, Some(earlier)) = (left, &earlier) {
        terminal::print_line(&format!(
            "{} may not connect to {} any more, where the service before was",
            plan.instance, earlier.place.host
        ))?;
    }
    for notice in &plan.notices {
        terminal::say(notice);
    }
    for step in remaining(&service, wish, &plan, manifest, &now) {
        terminal::say(&step);
    }
    Ok(Exit::Done)
}

async fn granted(ground: &Ground, plan: &Plan) -> Result<()> {
    let catalog = ground.catalog_to_look_at().await?;
    for host in [&plan.place.host].into_iter().chain(&plan.exchanged_at) {
        grant_host(ground, &catalog, &plan.instance, host).await?;
    }
    Ok(())
}

/// What will be written.
struct Plan {
    /// The component, or another instance of it.
    instance: String,
    place: Place,
    /// The secret that will be sent.
    secret: Option<String>,
    set: Vec<(String, Value)>,
    /// Where a token is fetched, if the secret is exchanged for one.
    exchanged_at: Option<String>,
    /// Keys that an earlier service may have left behind.
    taken_out: Vec<String>,
    /// What the person is told of that.
    notices: Vec<String>,
}

impl Plan {
    /// What an earlier service at another address needed is taken out.
    fn leave(&mut self, earlier: &Earlier, config: &Config, grants: &Grants) {
        if let Some(key) = earlier.audience(config)
            && !self.set.iter().any(|(set, _)| set.starts_with(&key))
        {
            self.taken_out.push(key);
        }
        let set = self.set.iter_mut().find(|(key, _)| key == "egress.allow_private");
        let Some(closed) = earlier.closed(config, &self.instance, grants) else { return };
        match set {
            Some((_, value)) => {
                let opened = self.place.private.iter().cloned().map(Value::from);
                *value = Value::Array(closed.into_iter().chain(opened).collect());
            }
            None => self.set.push(("egress.allow_private".to_owned(), Value::Array(closed))),
        }
        self.notices.push(format!(
            "the private address {} of the service before is closed again",
            earlier.place.private.as_deref().unwrap_or_default()
        ));
    }
}

fn plan(
    service: &Service,
    wish: &AddService,
    config: &Config,
    manifest: &Manifest,
) -> Result<Plan> {
    let (url, mut notices) = address(service, wish)?;
    let place = place(&url)?;
    let secret = service.secret.clone().filter(|_| !wish.no_secret);
    let schema = manifest.config.as_ref();
    let names_its_secret =
        schema.is_some_and(|schema| schema.pointer("/properties/api_key_secret").is_some());
    if wish.no_secret && !names_its_secret {
        return Err(usage(format!(
            "{} is not asked without a key; leave `--no-secret` out",
            service.title
        )));
    }
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
    let mut taken_out = Vec::new();
    match (&service.address, service.own_part(&url)) {
        (Some(key), Some(own)) => {
            set.push((under(key), own.into()));
            taken_out.push(under("base_url"));
        }
        (Some(key), None) => {
            set.push((under("base_url"), url.as_str().into()));
            notices.push(format!(
                "`{}` stays as it is; `hydroid config set {} NAME` sets another",
                under(key),
                under(key)
            ));
        }
        (None, _) => set.push((under("base_url"), url.as_str().into())),
    }
    if names_its_secret {
        set.push((under("api_key_secret"), secret.clone().unwrap_or_default().into()));
    }
    set.extend(service.config.iter().map(|(key, value)| (under(key), value.clone())));
    set.extend(wish.model.iter().map(|model| ("model.name".to_owned(), model.clone().into())));
    let exchanged_at = secret.as_deref().and_then(|secret| exchanged_at(manifest, secret));
    if let Some(secret) = &secret {
        let declared = manifest.secrets.get(secret).map(|want| &want.hosts[..]).unwrap_or_default();
        let configured = config.secrets.get(secret).map(|its| &its.hosts[..]).unwrap_or_default();
        let in_force = if configured.is_empty() { declared } else { configured };
        if !covers(in_force, &url, &place) {
            let hosts = [&place.host].into_iter().chain(&exchanged_at);
            let hosts: Vec<Value> = hosts.cloned().map(Value::from).collect();
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
    taken_out.extend(keys.iter().map(|key| under(key)));
    let same_address = config.model.provider == instance
        && config.components.get(&instance).is_some_and(|its| {
            set.iter().filter(|(key, _)| key.starts_with(&under(""))).all(|(key, value)| {
                key.rsplit('.').next().and_then(|key| its.config.get(key)) == Some(value)
            })
        });
    let same_model = wish.model.as_ref().is_none_or(|model| *model == config.model.name);
    if !(same_address && same_model) {
        // Prices are those of one model at one service.
        if config.model.prices != Prices::default() {
            taken_out.push("model.prices".to_owned());
            notices.push(
                "`model.prices` was that of the model before and is taken out; `hydroid config set model.prices.input` and `….output` set what the new one costs, where the catalog does not know".to_owned(),
            );
        }
        if !same_address && config.model.catalog.is_some() {
            taken_out.push("model.catalog".to_owned());
            notices
                .push("`model.catalog` was about the service before and is taken out".to_owned());
        }
    }
    Ok(Plan { instance, place, secret, set, exchanged_at, taken_out, notices })
}

/// What stands behind an address where each protocol is spoken. People copy it along.
const OPERATIONS: [&str; 7] = [
    "/chat/completions",
    "/completions",
    "/responses",
    "/messages",
    "/api/chat",
    "/api/generate",
    "/models",
];

/// The address that is meant, and what there is to say about it.
fn address(service: &Service, wish: &AddService) -> Result<(String, Vec<String>)> {
    let typed = match (&wish.url, service.missing()) {
        (Some(url), _) => url.trim().trim_end_matches('/'),
        (None, None) => &service.url,
        (None, Some(missing)) => {
            return Err(usage(format!(
                "the address of {} has your own {missing} in it; say it with `--url {}`",
                service.title, service.url
            )));
        }
    };
    if typed.contains(['{', '}']) {
        return Err(usage(format!("put your own text in place of the braces in `{typed}`")));
    }
    if typed.contains(['?', '#']) {
        return Err(usage(
            "the address has a `?` or `#` in it; leave out what follows, for the component puts its own behind the address".to_owned(),
        ));
    }
    let operation = OPERATIONS.into_iter().find(|operation| typed.ends_with(operation));
    let Some(operation) = operation else { return Ok((typed.to_owned(), Vec::new())) };
    let url = typed.strip_suffix(operation).unwrap_or(typed).trim_end_matches('/');
    let notice = format!("`{operation}` is left out of the address: the component puts it there");
    Ok((url.to_owned(), vec![notice]))
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
fn remaining(
    service: &Service,
    wish: &AddService,
    plan: &Plan,
    manifest: &Manifest,
    now: &Ground,
) -> Vec<String> {
    let mut steps = Vec::new();
    for part in plan.secret.iter().flat_map(|secret| parts(manifest, secret)) {
        if !now.secrets.has(part) {
            let help = manifest.secrets.get(part).map(|want| want.help.as_str());
            steps.push(format!(
                "{} is missing: `hydroid secret set {part}` stores it",
                help.filter(|help| !help.is_empty()).unwrap_or(part)
            ));
        }
    }
    if let Some(secret) = plan.secret.as_ref().filter(|secret| !now.secrets.has(secret)) {
        let variable = service.env.first().map_or(String::new(), |variable| {
            format!(", or `hydroid config set secrets.{secret}.env {variable}` if it is in that variable")
        });
        steps.push(format!(
            "the key is missing: `{}` stores it{variable}; you get one at {}",
            how_to_store(manifest, secret),
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
        if plan.place.host.starts_with("http://") && plan.place.private.is_none() {
            steps.push(format!(
                "the key and what you say go to {} without TLS, so whoever is in between reads them; `https://` in `--url` is better",
                plan.place.host
            ));
        }
    }
    if now.config.model.prices != Prices::default() {
        steps.push(
            "`model.prices` is as before and stands above the catalog's prices; `hydroid config explain model.prices.input` shows where it is from".to_owned(),
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

/// The secrets beside one that its signer cannot do without.
fn parts<'a>(manifest: &'a Manifest, secret: &str) -> Vec<&'a str> {
    let Some(Attach::Sign(signer)) = manifest.secrets.get(secret).map(|want| &want.attach) else {
        return Vec::new();
    };
    let needed = |part: &&str| manifest.secrets.get(*part).is_some_and(|want| !want.optional);
    signer.parts().into_iter().filter(needed).collect()
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
    fn an_address_may_be_made_by_the_component() {
        let url = "https://bedrock-runtime.eu-west-3.amazonaws.com";
        check(
            "bedrock",
            Some(url),
            false,
            "",
            &[
                "model.provider = \"provider-bedrock\"",
                "components.provider-bedrock.config.region = \"eu-west-3\"",
                "components.provider-bedrock.config.auth = \"aws\"",
                "model.name = \"m\"",
            ],
        );
        let own = planned("bedrock", Some("https://vpc.example.com"), false, "").unwrap();
        let key = "components.provider-bedrock.config.base_url";
        assert!(own.set.contains(&(key.to_owned(), "https://vpc.example.com".into())));
        assert!(own.set.iter().any(|(key, _)| key == "secrets.aws-secret-access-key.hosts"));
        let error = planned("bedrock", Some(url), true, "").err().unwrap().to_string();
        assert!(error.contains("leave `--no-secret` out"), "{error}");
    }

    #[test]
    fn a_key_that_is_exchanged_may_go_where_it_is_exchanged() {
        let plan = planned("github-copilot", None, false, "").unwrap();
        let at = "api.github.com/copilot_internal/v2/token";
        assert_eq!(plan.exchanged_at.as_deref(), Some(at));
        let own = planned("github-copilot", Some("https://proxy.example.com"), false, "").unwrap();
        let hosts = own.set.iter().find(|(key, _)| key == "secrets.github-copilot.hosts");
        let hosts = hosts.unwrap().1.to_string();
        assert!(hosts.contains("proxy.example.com") && hosts.contains(at), "{hosts}");
    }

    #[test]
    fn what_people_copy_along_is_left_out() {
        for typed in ["https://a.example/v1/chat/completions", "https://a.example/v1/models/"] {
            let plan = planned("openai", Some(typed), false, "").unwrap();
            let key = "components.provider-openai.config.base_url";
            assert!(plan.set.contains(&(key.to_owned(), "https://a.example/v1".into())));
            assert!(plan.notices[0].contains("left out"), "{:?}", plan.notices);
        }
        let query = planned("openai", Some("https://a.example/v1?x=1"), false, "");
        assert!(query.err().unwrap().to_string().contains("leave out what follows"));
    }

    #[test]
    fn prices_do_not_follow_to_another_service() {
        let set = "[model]\nprovider = \"provider-openai\"\nname = \"m\"\ncatalog = \"x\"\nprices = { input = 1.0 }\n[components.provider-openai.config]\nbase_url = \"https://api.groq.com/openai/v1\"\napi_key_secret = \"groq\"\n";
        let out = |name| planned(name, None, false, set).unwrap().taken_out;
        let taken = |out: &[String], key: &str| out.iter().any(|taken| taken == key);
        let other = out("mistral");
        assert!(taken(&other, "model.prices") && taken(&other, "model.catalog"), "{other:?}");
        let same = out("groq");
        assert!(!taken(&same, "model.prices") && !taken(&same, "model.catalog"), "{same:?}");
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
