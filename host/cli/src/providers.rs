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
    /// Where the key goes, as the manifest has it.
    pub(crate) auth: Option<String>,
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
        let (own, url) = (self.url.trim_end_matches('/'), url.trim_end_matches('/'));
        match own.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?.1)))
        {
            None => own == url,
            Some((before, after)) => url
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after))
                .is_some_and(|own| !own.is_empty() && !own.contains('/')),
        }
    }

    /// What a person must say of the address.
    pub(crate) fn missing(&self) -> Option<&str> {
        self.url.split_once('{')?.1.split_once('}').map(|(name, _)| name)
    }
}

/// The name of the service that is configured, if it has one; `default` says where a component
/// connects when nothing is configured.
pub(crate) fn configured(
    config: &Config,
    default: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>> {
    let its = config.components.get(&config.model.provider);
    let component = its.and_then(|its| its.component.as_ref()).unwrap_or(&config.model.provider);
    let written = its.and_then(|its| its.config.get("base_url")?.as_str());
    let Some(url) = written.map(str::to_owned).or_else(|| default(component)) else {
        return Ok(None);
    };
    let services = services()?;
    let mut fitting =
        services.iter().filter(|(_, its)| its.component == *component && its.is_at(&url));
    Ok(fitting.next().map(|(name, _)| name.clone()))
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
            config.insert("base_url".into(), service.url.replace(['{', '}'], "").into());
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
            assert_eq!(want.attach.to_string(), format!("sent as {auth}"), "{name}");
            let url = service.url.replace(['{', '}'], "");
            assert!(covers(&want.hosts, &place(&url).unwrap().host), "{name}: {:?}", want.hosts);
            assert!(!service.env.is_empty(), "{name}");
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
    fn a_service_is_known_by_its_address() {
        let azure = find("azure").unwrap();
        assert!(azure.is_at("https://mine.openai.azure.com/openai/v1/"));
        assert!(!azure.is_at("https://.openai.azure.com/openai/v1"));
        assert!(!azure.is_at("https://a/b.openai.azure.com/openai/v1"));
        assert_eq!(azure.missing(), Some("resource"));
        let error = find("gorq").unwrap_err().to_string();
        assert!(error.contains("did you mean `groq`"), "{error}");
    }
}
