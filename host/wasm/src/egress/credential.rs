//! Credentials: attached after a request was allowed, to their audience only, and masked in what
//! comes back.

use super::client::{EgressError, Outgoing};
use super::mask::Mask;
use super::place::put;
use super::rotation::Spare;
use super::signer;
use super::target::Target;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use hydroid_core::capability::WebRule;
use hydroid_core::id::UserId;
use hydroid_core::manifest::{Attach, OAuth2, Place, Signer};
use hydroid_core::ports::{SecretValue, Secrets};
use hydroid_core::scrub::LiveScrubber;
use std::sync::Arc;

/// A credential to attach once the request was allowed.
#[derive(Clone)]
pub struct Credential {
    /// Name of the secret.
    pub name: String,
    /// Whose it is.
    pub user: UserId,
    /// Where it, and what is obtained with it, may be sent.
    pub audience: Vec<WebRule>,
    /// What is done with it.
    pub attach: Attach,
    /// Its value.
    pub value: SecretValue,
    /// The other secrets its signer uses.
    pub parts: Vec<Part>,
    /// Values that may be sent instead when a service refuses this one; whichever is sent, what
    /// comes back is masked of all.
    pub spares: Vec<Spare>,
    /// A person obtains it by signing in.
    pub login: bool,
    /// Milliseconds since 1970, for signatures that tell the time.
    pub now_ms: u64,
    /// Where a value the service gave instead of this one is kept.
    pub keeper: Option<Arc<dyn Secrets>>,
    /// What masks the values that are obtained with this one.
    pub scrubber: Option<LiveScrubber>,
}

/// A secret that a signer uses beside the one it is named for.
#[derive(Clone, Debug)]
pub struct Part {
    /// Name of the secret.
    pub name: String,
    /// Where it may be sent; empty for where the credential may be sent.
    pub audience: Vec<WebRule>,
    /// Its value.
    pub value: SecretValue,
}

impl Credential {
    /// A credential that is sent as it is.
    pub fn placed(name: &str, audience: Vec<WebRule>, place: Place, value: SecretValue) -> Self {
        Self {
            name: name.to_owned(),
            user: UserId::new(""),
            audience,
            attach: Attach::Place(place),
            value,
            parts: Vec::new(),
            spares: Vec::new(),
            login: false,
            now_ms: 0,
            keeper: None,
            scrubber: None,
        }
    }

    /// What it is exchanged by, if it is not sent itself.
    pub(super) fn exchanged(&self) -> Option<(&Self, &OAuth2)> {
        match &self.attach {
            Attach::Sign(Signer::OAuth2(oauth)) => Some((self, oauth)),
            Attach::Sign(Signer::Hmac(_) | Signer::AwsSigV4(_))
            | Attach::Place(_)
            | Attach::Part => None,
        }
    }

    /// The value of a part its signer names.
    pub(super) fn part(&self, name: &str) -> Result<&SecretValue, EgressError> {
        self.part_if_set(name)
            .ok_or_else(|| self.wrong("a secret that its signer needs beside it is missing"))
    }

    /// The value of a part that may be unset.
    pub(super) fn part_if_set(&self, name: &str) -> Option<&SecretValue> {
        self.parts.iter().find(|part| part.name == name).map(|part| &part.value)
    }

    pub(super) fn wrong(&self, problem: &'static str) -> EgressError {
        EgressError::Place { secret: self.name.clone(), problem }
    }

    /// Refuses a target that the credential or a part of it is not for.
    pub(super) fn check_audience(&self, target: &Target) -> Result<(), EgressError> {
        let parts = self.parts.iter().filter(|part| !part.audience.is_empty());
        let audiences = parts.map(|part| (&part.name, &part.audience));
        for (secret, audience) in [(&self.name, &self.audience)].into_iter().chain(audiences) {
            if !audience.iter().any(|rule| covers(rule, target)) {
                return Err(EgressError::Audience {
                    secret: secret.clone(),
                    target: target.grantable(),
                });
            }
        }
        Ok(())
    }
}

/// True if a credential with this rule may be sent to the target.
pub(crate) fn covers(rule: &WebRule, target: &Target) -> bool {
    rule.host.matches(target.scheme(), target.host(), target.port())
        && rule.path.covers(target.url().path())
}

/// Refuses a request in which the guest set what the host sets with this credential: what it has
/// there would go to another account than the person's.
pub(crate) fn check_supplied(
    name: &str,
    attach: &Attach,
    outgoing: &Outgoing,
) -> Result<(), EgressError> {
    let supplied = |what: String| EgressError::Supplied { what, secret: name.to_owned() };
    let header = attach.headers().into_iter().find(|header| outgoing.headers.contains_key(*header));
    if let Some(header) = header {
        return Err(supplied(format!("the header `{header}`")));
    }
    let queries = attach.queries();
    let mut pairs = outgoing.target.url().query_pairs();
    match pairs.find(|(key, _)| queries.contains(&key.as_ref())) {
        Some((key, _)) => Err(supplied(format!("the query parameter `{key}`"))),
        None => Ok(()),
    }
}

/// Attaches a credential and returns every form in which what was attached could come back.
pub(super) fn attach(
    credential: &Credential,
    outgoing: &mut Outgoing,
) -> Result<Vec<String>, EgressError> {
    credential.check_audience(&outgoing.target)?;
    check_supplied(&credential.name, &credential.attach, outgoing)?;
    // A part of the answer, or a packed one, could carry the credential past the mask.
    for name in [header::RANGE, header::IF_RANGE, header::TE] {
        outgoing.headers.remove(name);
    }
    outgoing.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let mut shown: Vec<SecretValue> =
        credential.spares.iter().map(|spare| spare.value.clone()).collect();
    match &credential.attach {
        Attach::Place(place) => {
            if let Place::Basic(user) = place {
                let pair = format!("{user}:{}", credential.value.expose());
                shown.push(SecretValue::new(pair));
            }
            put(&credential.name, place, credential.value.expose(), outgoing)?;
        }
        Attach::Sign(Signer::Hmac(hmac)) => {
            shown.push(signer::hmac::sign(credential, hmac, outgoing)?);
        }
        Attach::Sign(Signer::AwsSigV4(aws)) => {
            shown.push(signer::aws::sign(credential, aws, outgoing)?);
        }
        Attach::Sign(Signer::OAuth2(_)) => {
            return Err(credential.wrong("it is sent to the token endpoint only"));
        }
        Attach::Part => {
            return Err(credential.wrong("it is a part of another, which names it in `sign`"));
        }
    }
    shown.push(credential.value.clone());
    shown.extend(credential.parts.iter().map(|part| part.value.clone()));
    Ok(forms(&shown))
}

/// The forms in which a service could send values back: as they are, and in the encodings they
/// were sent in or are commonly shown in.
fn forms(values: &[SecretValue]) -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let mut forms = Vec::new();
    for value in values {
        let value = value.expose();
        let percent: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        forms.extend([
            value.to_owned(),
            hex::encode(value),
            hex::encode_upper(value),
            percent.replace('+', "%20"),
            super::place::segment(value),
            percent,
            serde_json::Value::from(value).to_string().trim_matches('"').to_owned(),
        ]);
        // Where the text begins within three bytes decides how it is written; what depends on
        // its neighbours is left out.
        for offset in 0..3 {
            let padded = [vec![0; offset], value.as_bytes().to_vec()].concat();
            let whole = padded.len() / 3 * 4;
            let from = if offset == 0 { 0 } else { 4 };
            for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
                forms.extend(encoded.get(from..whole).map(str::to_owned));
            }
        }
    }
    forms.sort();
    forms.dedup();
    // The longest first, so that a form is not cut up by a shorter one in it.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms
}

pub(super) fn mask_headers(headers: &mut HeaderMap, mask: &Mask) {
    let leaking: Vec<HeaderName> = headers
        .iter()
        .filter(|(_, value)| mask.finds(value.as_bytes()))
        .map(|(name, _)| name.clone())
        .collect();
    for name in leaking {
        headers.insert(name, HeaderValue::from_static("[masked]"));
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_of_a_credential_names_it_and_has_no_value() {
        let value = |text: &str| SecretValue::new(text.to_owned());
        let credential = Credential {
            parts: vec![Part {
                name: "part_name".to_owned(),
                audience: Vec::new(),
                value: value("value-of-the-part"),
            }],
            spares: vec![Spare {
                name: "spare_name".to_owned(),
                value: value("value-of-the-spare"),
            }],
            ..Credential::placed("api_key", Vec::new(), Place::Bearer, value("value-of-the-key"))
        };
        let parts = format!("{:?} {:?}", credential.parts, credential.spares);
        let printed = format!("{credential:?} {credential:#?} {parts}");
        for name in ["api_key", "part_name", "spare_name"] {
            assert!(printed.contains(name), "{printed}");
        }
        assert!(!printed.contains("value-of"), "{printed}");
    }
}
