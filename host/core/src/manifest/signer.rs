//! Signers as a manifest declares them: what the host computes with a credential instead of
//! sending it.

mod reading;

pub(super) use reading::{check_scopes, plain_url, read};

use super::place::Place;
use super::text::Template;
use std::collections::BTreeMap;
use std::fmt;

/// What the host computes with a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// `hmac`: a keyed hash of a described text.
    Hmac(Hmac),
    /// `aws-sigv4`: AWS Signature Version 4, in the `Authorization` header, the body hashed.
    AwsSigV4(AwsSigV4),
    /// `oauth2-client-credentials`, `oauth2-refresh-token` and `token-exchange`: it is exchanged
    /// for an access token.
    OAuth2(OAuth2),
}

/// A keyed hash of a text that is made from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hmac {
    /// The hash below it.
    pub hash: Hash,
    /// How the credential's text becomes the key.
    pub key: KeyForm,
    /// What is signed.
    pub text: Template,
    /// How the signature is written.
    pub form: SignatureForm,
    /// Where the signature is put: a header or a query parameter.
    pub place: Place,
    /// When the request was signed, if the service wants to know.
    pub timestamp: Option<Timestamp>,
    /// Who signs: the part whose value is sent beside the signature, and where.
    pub id: Option<(String, Place)>,
}

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a credential's text becomes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// Its bytes.
    Text,
    /// Decoded from base64.
    Base64,
    /// Decoded from hexadecimal.
    Hex,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureForm {
    /// Hexadecimal, lower case.
    Hex,
    /// Base64 with padding.
    Base64,
    /// Base64 for URLs, without padding.
    Base64Url,
}

/// The time of signing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Where it is put: a header or a query parameter.
    pub place: Place,
    /// How it is written.
    pub unit: TimestampUnit,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampUnit {
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// `2026-01-31T12:00:00.000Z`.
    Iso8601,
}

/// AWS Signature Version 4. The credential is the secret access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsSigV4 {
    /// Region of the endpoint; none where each request names it, which is written `{region}`.
    pub region: Option<String>,
    /// Name by which the service is signed for.
    pub service: String,
    /// The part that is the access key's id.
    pub access_key: String,
    /// The part that is the session token, for temporary credentials.
    pub session_token: Option<String>,
}

/// Stands for a region that the component names with each request. It scopes a signature and
/// opens nothing: the hosts of the credential do that.
const REGION: &str = "{region}";

/// True for a word that can be a region or a service.
pub fn is_scope(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(fits)
}

/// An exchange for an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth2 {
    /// What is exchanged.
    pub grant: OAuthGrant,
    /// Where it is exchanged.
    pub token_url: String,
    /// The part that is the client's id; none where the credential says all there is to say.
    pub client_id: Option<String>,
    /// How the client says who it is.
    pub client_auth: ClientAuth,
    /// Scopes asked for.
    pub scopes: Vec<String>,
    /// The `audience` parameter some services want.
    pub audience: Option<String>,
    /// What the token is for (RFC 8707); no manifest says it.
    pub resource: Option<String>,
    /// Where the token is put.
    pub place: Place,
}

/// What is exchanged for an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OAuthGrant {
    /// The credential is the client's secret.
    ClientCredentials,
    /// The credential is a refresh token; the client's secret is a part, if it has one.
    RefreshToken {
        /// The part that is the client's secret.
        client_secret: Option<String>,
    },
    /// The credential is a token of its own, shown to an address that answers `GET` with another
    /// one of a short life. Not of the standard, but common.
    Exchange {
        /// Where the credential is put in that request.
        place: Place,
        /// Further headers of that request, for services that know clients by them.
        headers: BTreeMap<String, String>,
    },
}

/// How a client says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// `Authorization: Basic …`
    Basic,
    /// `client_id` and `client_secret` in the form.
    Body,
}

impl Signer {
    /// Other credentials it uses.
    pub fn parts(&self) -> Vec<&str> {
        match self {
            Self::Hmac(hmac) => hmac.id.iter().map(|(part, _)| part.as_str()).collect(),
            Self::AwsSigV4(aws) => [Some(&aws.access_key), aws.session_token.as_ref()]
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect(),
            Self::OAuth2(oauth) => {
                let secret = match &oauth.grant {
                    OAuthGrant::ClientCredentials | OAuthGrant::Exchange { .. } => None,
                    OAuthGrant::RefreshToken { client_secret } => client_secret.as_deref(),
                };
                [oauth.client_id.as_deref(), secret].into_iter().flatten().collect()
            }
        }
    }

    pub(super) fn headers(&self) -> Vec<&str> {
        match self {
            Self::Hmac(hmac) => hmac.places().filter_map(Place::header).collect(),
            Self::AwsSigV4(_) => {
                vec!["authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"]
            }
            Self::OAuth2(oauth) => oauth.place.header().into_iter().collect(),
        }
    }

    pub(super) fn queries(&self) -> Vec<&str> {
        match self {
            Self::Hmac(hmac) => hmac.places().filter_map(Place::query).collect(),
            Self::AwsSigV4(_) => vec!["X-Amz-Signature", "X-Amz-Credential"],
            Self::OAuth2(oauth) => oauth.place.query().into_iter().collect(),
        }
    }
}

impl Hmac {
    fn places(&self) -> impl Iterator<Item = &Place> {
        let timestamp = self.timestamp.iter().map(|timestamp| &timestamp.place);
        let id = self.id.iter().map(|(_, place)| place);
        [&self.place].into_iter().chain(timestamp).chain(id)
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hmac(hmac) => {
                let hash = match hmac.hash {
                    Hash::Sha256 => "SHA-256",
                    Hash::Sha512 => "SHA-512",
                };
                write!(f, "never sent; signs `{}` by HMAC-{hash} into {}", hmac.text, hmac.place)
            }
            Self::AwsSigV4(aws) => {
                write!(f, "never sent; signs for AWS service `{}` in ", aws.service)?;
                match &aws.region {
                    Some(region) => write!(f, "`{region}`"),
                    None => f.write_str("the region of the request"),
                }
            }
            Self::OAuth2(oauth) => {
                let what = match oauth.grant {
                    OAuthGrant::ClientCredentials => "client secret",
                    OAuthGrant::RefreshToken { .. } => "refresh token",
                    OAuthGrant::Exchange { .. } => "token",
                };
                write!(
                    f,
                    "a {what}, sent only to {} for a token that is sent as {}",
                    oauth.token_url, oauth.place
                )
            }
        }
    }
}
