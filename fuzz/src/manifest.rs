//! What holds for every text that is taken as a component's manifest.

use hydroid_core::capability::{Profile, WebRule};
use hydroid_core::manifest::{
    Attach, Manifest, ManifestError, Place, SecretWant, Signer, Template, audience,
    is_component_name,
};
use std::error::Error;

/// Whatever stands in a manifest, what is said about it can be read.
const LONGEST_ERROR: usize = 8_000;

/// Panics if it does not hold.
pub(crate) fn holds_for(input: &[u8]) {
    let text = &*String::from_utf8_lossy(input);
    if let Some(stretched) = stretched(text) {
        let _ = Manifest::parse(&stretched).map_err(|error| can_be_read(&error));
    }
    let manifest = match Manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(error) => return can_be_read(&error),
    };
    assert!(is_component_name(manifest.name.as_str()), "{}", manifest.name);
    assert!(manifest.hands_to.iter().all(|name| is_component_name(name.as_str())));
    assert_eq!(manifest.wants.contains_key(&Profile::VaultReadStep), manifest.hands_to.is_some());
    for (profile, want) in &manifest.wants {
        assert!(!want.reason.trim().is_empty(), "{profile} has no reason");
        assert_eq!(*profile == Profile::Web, !want.hosts.is_empty(), "{profile}: {want:?}");
        for host in &want.hosts {
            let rule: WebRule = host.parse().expect("a host that was accepted is a rule");
            assert_eq!(rule.to_string().parse().as_ref(), Ok(&rule), "not read as it is printed");
            let within = rule.within(&want.methods).expect("what is declared is left");
            assert!(want.methods.is_empty() || within.methods.is_subset(&want.methods));
        }
    }
    for (name, want) in &manifest.secrets {
        can_be_used(name, want, &manifest);
    }
    assert_eq!(Manifest::parse(&printed(text, &manifest)).ok().as_ref(), Some(&manifest));
}

/// With one character repeated, for one text in sixteen: what a long text does to an error.
fn stretched(text: &str) -> Option<String> {
    let sum = text.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31) ^ usize::from(byte));
    let (before, after) = text.split_at(text.floor_char_boundary(sum / 16 % text.len().max(1)));
    let character = after.chars().next().filter(|_| sum % 16 == 0)?;
    Some(format!("{before}{}{after}", character.to_string().repeat(LONGEST_ERROR)))
}

fn can_be_read(error: &ManifestError) {
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    let length = error.to_string().chars().count() + source.chars().count();
    assert!(length < LONGEST_ERROR, "an error of {length} characters");
}

/// A credential goes to hosts, to a place that is not the host's own, and with parts that exist.
fn can_be_used(name: &str, want: &SecretWant, manifest: &Manifest) {
    for host in &want.hosts {
        assert!(audience(host).is_ok_and(|rule| rule.methods.is_empty()), "{name}: {host}");
    }
    for header in want.attach.headers() {
        assert_eq!(header, header.to_ascii_lowercase());
        assert!(!matches!(header, "host" | "content-length" | "transfer-encoding"), "{header}");
        assert!(!header.contains(|c: char| c.is_control() || c.is_whitespace() || c == ':'));
    }
    match &want.attach {
        Attach::Place(place) => is_read_as_printed(place),
        Attach::Part => {
            let mut others = manifest.secrets.values();
            let uses = |other: &SecretWant| match &other.attach {
                Attach::Sign(signer) => signer.parts().contains(&name),
                Attach::Place(_) | Attach::Part => false,
            };
            assert!(others.any(uses), "nothing uses the part {name}");
        }
        Attach::Sign(signer) => {
            for part in signer.parts() {
                let declared = manifest.secrets.get(part).map(|want| &want.attach);
                assert_eq!(declared, Some(&Attach::Part), "{name} signs with {part}");
            }
            match signer {
                Signer::Hmac(hmac) => {
                    is_read_as_printed(&hmac.place);
                    let text: Template = hmac.text.to_string().parse().expect("a template");
                    assert_eq!(text.to_string(), hmac.text.to_string());
                }
                Signer::OAuth2(oauth) => {
                    is_read_as_printed(&oauth.place);
                    assert!(oauth.token_url.starts_with("https://"), "{}", oauth.token_url);
                }
                Signer::AwsSigV4(_) => {}
            }
        }
    }
}

fn is_read_as_printed(place: &Place) {
    assert_eq!(place.to_string().parse().as_ref(), Ok(place));
}

/// The same manifest in the words in which it was understood.
fn printed(text: &str, manifest: &Manifest) -> String {
    let mut table: toml::Table = text.parse().expect("a manifest is TOML");
    table.insert("name".into(), manifest.name.as_str().into());
    table.insert("version".into(), manifest.version.to_string().into());
    table.insert("description".into(), manifest.description.clone().into());
    if let Some(secrets) = table.get_mut("secrets").and_then(toml::Value::as_table_mut) {
        for (name, want) in &manifest.secrets {
            let Some(written) = secrets.get_mut(name).and_then(toml::Value::as_table_mut) else {
                panic!("the credential {name} was not written");
            };
            if let Attach::Place(place) = &want.attach {
                written.insert("attach".into(), place.to_string().into());
            }
            written.insert("optional".into(), want.optional.into());
        }
    }
    table.to_string()
}
