//! Credentials: attached after a request was allowed, to their audience only, and masked in what
//! comes back.

use super::client::EgressError;
use super::mask::Mask;
use super::target::Target;
use base64::Engine as _;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use hydroid_core::capability::HostPattern;
use hydroid_core::ports::SecretValue;

/// A credential to attach once the request was allowed.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Name of the secret.
    pub name: String,
    /// Where it may be sent.
    pub audience: Vec<HostPattern>,
    /// Where it is put.
    pub place: Place,
    /// Its value.
    pub value: SecretValue,
}

/// Where a credential is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `Authorization: Bearer …`
    Bearer,
    /// `Authorization: Basic …` with this user.
    Basic(String),
    /// This header.
    Header(String),
    /// This query parameter.
    Query(String),
    /// This placeholder in the path.
    Path(String),
}
pub(super) fn attach(
    credential: &Credential,
    target: Target,
    headers: &mut HeaderMap,
) -> Result<Target, EgressError> {
    let covered = credential
        .audience
        .iter()
        .any(|pattern| pattern.matches(target.scheme(), target.host(), target.port()));
    if !covered {
        return Err(EgressError::Audience {
            secret: credential.name.clone(),
            target: target.grantable(),
        });
    }
    let wrong = |problem| EgressError::Place { secret: credential.name.clone(), problem };
    let value = credential.value.expose();
    let sensitive = |text: &str| {
        let mut value = HeaderValue::from_str(text)
            .map_err(|_| wrong("its value has a character no header may have"))?;
        value.set_sensitive(true);
        Ok::<_, EgressError>(value)
    };
    match &credential.place {
        Place::Bearer => {
            headers.insert(header::AUTHORIZATION, sensitive(&format!("Bearer {value}"))?);
            Ok(target)
        }
        Place::Basic(user) => {
            let pair = base64_of(format!("{user}:{value}").as_bytes());
            headers.insert(header::AUTHORIZATION, sensitive(&format!("Basic {pair}"))?);
            Ok(target)
        }
        Place::Header(name) => {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| wrong("the header's name is not one"))?;
            headers.insert(name, sensitive(value)?);
            Ok(target)
        }
        Place::Query(name) => {
            let mut url = target.url().clone();
            url.query_pairs_mut().append_pair(name, value);
            target.with_url(url).ok_or_else(|| wrong("the URL cannot take it"))
        }
        Place::Path(placeholder) => {
            // `{` and `}` are percent-encoded in a parsed path.
            let encoded = placeholder.replace('{', "%7B").replace('}', "%7D");
            let path = target.url().path();
            let found = [placeholder.as_str(), encoded.as_str()]
                .into_iter()
                .find(|form| path.contains(form));
            let path = path.replace(
                found.ok_or_else(|| wrong("the URL's path does not have the placeholder"))?,
                value,
            );
            let mut url = target.url().clone();
            url.set_path(&path);
            target.with_url(url).ok_or_else(|| wrong("the URL cannot take it"))
        }
    }
}

fn base64_of(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The forms in which a service could send a credential back: as it is, and in the encodings it
/// was sent in or is commonly shown in.
pub(super) fn forms(credential: &Credential) -> Vec<String> {
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let value = credential.value.expose();
    let percent: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let mut forms = vec![
        value.to_owned(),
        hex::encode(value),
        hex::encode_upper(value),
        percent.replace('+', "%20"),
        percent,
        serde_json::Value::from(value).to_string().trim_matches('"').to_owned(),
    ];
    let mut texts = vec![value.to_owned()];
    if let Place::Basic(user) = &credential.place {
        texts.push(format!("{user}:{value}"));
    }
    for text in texts {
        // Where the text begins within three bytes decides how it is written; what depends on
        // its neighbours is left out.
        for offset in 0..3 {
            let padded = [vec![0; offset], text.as_bytes().to_vec()].concat();
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
