//! Services by name, as `registry/providers.toml` has them: where each is, which component answers
//! for it and what its peculiarities need. Data only; what is done with it is a command's business.

use crate::exit::usage;
use anyhow::{Context, Result};
use hydroid_core::config::{Config, did_you_mean};
use hydroid_wasm::egress::{AddressClass, Target, classify};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

const SERVICES: &str = include_str!("../../../registry/providers.toml");

/// One service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    /// What people call it.
    pub(crate) title: String,
    /// The component that answers for it.
    pub(crate) component: String,
    /// Its address; a part in braces is the person's own.
    pub(crate) url: String,
    /// Name of its key in the component's manifest; none if it wants none.
    pub(crate) secret: Option<String>,
    /// Where the key goes, as the manifest has it; `aws-sigv4` where it signs, `oauth-device` where
    /// a person signs in.
    pub(crate) auth: Option<String>,
    /// The key of the component's configuration that takes the part in braces, where the component
    /// makes the address itself.
    pub(crate) address: Option<String>,
    /// Variables that people usually have the key in.
    #[serde(default)]
    pub(crate) env: Vec<String>,
    /// It runs on the person's own machine.
    #[serde(default)]
    pub(crate) local: bool,
    /// Where it is documented.
    pub(crate) docs: String,
    /// What else one should know.
    pub(crate) note: Option<String>,
    /// Configuration of the component.
    #[serde(default)]
    pub(crate) config: toml::Table,
}

/// All services, by name.
pub(crate) fn services() -> Result<BTreeMap<String, Service>> {
    toml::from_str(SERVICES).context("the list of services in this binary is not as it should be")
}

/// The service of this name.
pub(crate) fn find(name: &str) -> Result<Service> {
    let mut services = services()?;
    services.remove(name).ok_or_else(|| {
        let hint = did_you_mean(name, services.keys().map(String::as_str));
        usage(format!(
            "no service is called `{name}`{hint}; `hydroid provider list` shows them, and `hydroid provider add openai --url URL` adds one that speaks OpenAI's chat completions"
        ))
    })
}

impl Service {
    /// True if this address is the service's, whatever stands in the braces.
    pub(crate) fn is_at(&self, url: &str) -> bool {
        match self.braces() {
            None => self.url.trim_end_matches('/') == url.trim_end_matches('/'),
            Some(_) => self.own_part(url).is_some(),
        }
    }

    /// True if what is set besides an address is what the service needs.
    pub(crate) fn fits(&self, written: impl Fn(&str) -> Option<toml::Value>) -> bool {
        self.config.iter().all(|(key, value)| written(key).as_ref() == Some(value))
    }

    /// What stands in place of the braces in an address of the service.
    pub(crate) fn own_part<'a>(&self, url: &'a str) -> Option<&'a str> {
        let (before, after) = self.braces()?;
        let own = url
            .trim_end_matches('/')
            .strip_prefix(before)?
            .strip_suffix(after.trim_end_matches('/'))?;
        (!own.is_empty() && !own.contains('/')).then_some(own)
    }

    /// The address with this in place of the braces.
    fn url_with(&self, own: &str) -> String {
        match self.braces() {
            None => self.url.clone(),
            Some((before, after)) => format!("{before}{own}{after}"),
        }
    }

    fn braces(&self) -> Option<(&str, &str)> {
        let (before, rest) = self.url.split_once('{')?;
        Some((before, rest.split_once('}')?.1))
    }

    /// What a person must say of the address.
    pub(crate) fn missing(&self) -> Option<&str> {
        self.url.split_once('{')?.1.split_once('}').map(|(name, _)| name)
    }
}

/// The address a component, or an instance of one, is configured with, as far as the list of
/// services knows how its component makes it. `default` is what stands in the component's schema
/// for a key that is not configured.
pub(crate) fn address_of(
    config: &Config,
    instance: &str,
    default: impl Fn(&str, &str) -> Option<String>,
) -> Result<Option<String>> {
    let its = config.components.get(instance);
    let component = its.and_then(|its| its.component.as_deref()).unwrap_or(instance);
    let written = |key: &str| Some(its?.config.get(key)?.as_str()?.to_owned());
    if let Some(url) = written("base_url") {
        return Ok(Some(url));
    }
    for service in services()?.values().filter(|service| service.component == component) {
        if let Some(key) = &service.address {
            let own = written(key).or_else(|| default(component, key));
            return Ok(own.map(|own| service.url_with(&own)));
        }
    }
    Ok(default(component, "base_url"))
}

/// The name of the service that a component, or an instance of one, is configured for, if it has
/// one.
pub(crate) fn configured(
    config: &Config,
    instance: &str,
    default: impl Fn(&str, &str) -> Option<String>,
) -> Result<Option<String>> {
    let its = config.components.get(instance);
    let component = its.and_then(|its| its.component.as_deref()).unwrap_or(instance);
    let Some(url) = address_of(config, instance, default)? else { return Ok(None) };
    // Two services at one address are told apart by what else is set for each.
    let alike = |service: &Service| {
        let set = |(key, value): &(&String, &toml::Value)| {
            its.is_some_and(|its| its.config.get(*key) == Some(*value))
        };
        service.config.iter().filter(set).count()
    };
    let services = services()?;
    let fitting = services.iter().filter(|(_, its)| its.component == component && its.is_at(&url));
    // The last of several that are alike would win; the first is what a person would look at.
    Ok(fitting.rev().max_by_key(|(_, its)| alike(its)).map(|(name, _)| name.clone()))
}

/// An address as grants, secrets and private addresses are written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// A host pattern: `api.example.com`, `http://127.0.0.1:8080`.
    pub(crate) host: String,
    /// `127.0.0.1:8080`, if it names a private address itself.
    pub(crate) private: Option<String>,
}

/// Where an address leads.
pub(crate) fn place(url: &str) -> Result<Place> {
    let target = Target::parse(url).map_err(|error| {
        usage(format!("{error}; write the service's address like `https://llm.example.com/v1`"))
    })?;
    let address = target.host().trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let private = address.is_ok_and(|address| classify(address) != AddressClass::Public);
    Ok(Place {
        host: target.grantable(),
        private: private.then(|| format!("{}:{}", target.host(), target.port())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release;

    #[test]
    fn every_service_fits_the_manifest_of_its_component() {
        let services = services().unwrap();
        let compatible = services.values().filter(|its| its.component == "provider-openai");
        assert!(compatible.count() >= 32);
        for (name, service) in &services {
            let path = format!(
                "{}/../../components/{}/manifest.toml",
                env!("CARGO_MANIFEST_DIR"),
                service.component
            );
            let text = std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{name}: {path}: {error}"));
            let manifest = hydroid_core::manifest::Manifest::parse(&text).unwrap();
            assert!(release::bundle().unwrap().contains(&service.component), "{name}");
            let schema = manifest.config.as_ref().unwrap();
            let mut config = service.config.clone();
            match &service.address {
                None => {
                    config.insert("base_url".into(), service.url.replace(['{', '}'], "").into())
                }
                Some(key) => config.insert(key.clone(), "eu-west-1".into()),
            };
            let config = serde_json::to_value(&config).unwrap();
            let validator = jsonschema::validator_for(schema).unwrap();
            assert!(validator.is_valid(&config), "{name}: {config}");
            assert!(
                !service.local
                    || service.secret.is_none()
                    || service.url.starts_with("http://127.0.0.1"),
                "{name}"
            );
            let Some(secret) = &service.secret else {
                assert!(
                    service.local && service.auth.is_none(),
                    "{name} has no key and is not local"
                );
                continue;
            };
            let want = manifest
                .secrets
                .get(secret)
                .unwrap_or_else(|| panic!("{name}: no secret `{secret}`"));
            let auth = service.auth.as_deref().unwrap();
            match auth {
                "oauth-device" => assert!(want.login.is_some(), "{name}"),
                "aws-sigv4" => {
                    assert!(want.attach.to_string().contains("signs for AWS"), "{name}");
                }
                place => assert_eq!(want.attach.to_string(), format!("sent as {place}"), "{name}"),
            }
            let own = if service.address.is_some() { "eu-west-1" } else { "own" };
            let url = service.url_with(own);
            assert!(covers(&want.hosts, &place(&url).unwrap().host), "{name}: {:?}", want.hosts);
            assert!(!service.env.is_empty() || auth == "oauth-device", "{name}");
        }
    }

    fn covers(hosts: &[String], host: &str) -> bool {
        hosts.iter().any(|own| {
            own == host
                || own.strip_prefix("*.").is_some_and(|apex| host.ends_with(&format!(".{apex}")))
        })
    }

    #[test]
    fn addresses_become_places() {
        #[track_caller]
        fn check(url: &str, host: &str, private: Option<&str>) {
            let expected = Place { host: host.into(), private: private.map(str::to_owned) };
            assert_eq!(place(url).unwrap(), expected);
        }
        check("https://api.example.com/v1", "api.example.com", None);
        check("https://api.example.com:8443", "api.example.com:8443", None);
        check("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080", Some("127.0.0.1:8080"));
        check("http://192.168.1.5/v1", "http://192.168.1.5", Some("192.168.1.5:80"));
        check("http://[::1]:11434", "http://[::1]:11434", Some("[::1]:11434"));
        check("https://8.8.8.8", "8.8.8.8", None);
        assert!(place("ftp://x").is_err() && place("127.0.0.1:80").is_err() && place("").is_err());
    }

    #[test]
    fn two_services_at_one_address_are_told_apart() {
        #[track_caller]
        fn check(config: &str, expected: Option<&str>) {
            let config = Config::from_table(config.parse().unwrap()).unwrap();
            let default = |_: &str, key: &str| (key == "region").then(|| "us-east-1".to_owned());
            let found = configured(&config, "provider-bedrock", default).unwrap();
            assert_eq!(found.as_deref(), expected);
        }
        check("", Some("bedrock"));
        let table = "[components.provider-bedrock.config]\n";
        check(&format!("{table}region = \"eu-west-3\"\nauth = \"aws\""), Some("bedrock"));
        check(&format!("{table}auth = \"api-key\""), Some("bedrock-api-key"));
        check(&format!("{table}base_url = \"http://127.0.0.1:1\""), None);
    }

    #[test]
    fn a_service_is_known_by_its_address() {
        let azure = find("azure").unwrap();
        assert!(azure.is_at("https://mine.openai.azure.com/openai/v1/"));
        assert!(!azure.is_at("https://.openai.azure.com/openai/v1"));
        assert!(!azure.is_at("https://a/b.openai.azure.com/openai/v1"));
        assert_eq!(azure.missing(), Some("resource"));
        let bedrock = find("bedrock").unwrap();
        let own = bedrock.own_part("https://bedrock-runtime.eu-west-3.amazonaws.com/");
        assert_eq!(own, Some("eu-west-3"));
        let error = find("gorq").unwrap_err().to_string();
        assert!(error.contains("did you mean `groq`"), "{error}");
    }
}
