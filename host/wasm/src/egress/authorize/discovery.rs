//! Where to sign in: what a server says of itself, and what the one it names says of itself. Each
//! is believed only of what it is.

use super::{Authorize, AuthorizeError, Egress, read, secure, wrong};
use hydroid_core::challenge::parameter;
use hydroid_core::manifest::ClientAuth;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

/// Scopes that are taken from one place; services have some dozens.
const MOST_SCOPES: usize = 100;

/// All that has to be known.
pub(super) struct Found {
    pub(super) resource: String,
    pub(super) scopes: Vec<String>,
    pub(super) issuer: Issuer,
}

#[derive(Deserialize)]
struct Resource {
    resource: String,
    #[serde(default)]
    authorization_servers: Vec<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

/// Who signs in.
#[derive(Default, Deserialize)]
pub(super) struct Issuer {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) registration_endpoint: Option<String>,
    #[serde(default)]
    pub(super) scopes_supported: Vec<String>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default, rename = "client_id_metadata_document_supported")]
    pub(super) reads_descriptions: bool,
    #[serde(default, rename = "authorization_response_iss_parameter_supported")]
    pub(super) says_who_answers: bool,
}

impl Issuer {
    /// How a client of ours shows who it is: with nothing, where that is enough.
    pub(super) fn auth_method(&self) -> &'static str {
        let has =
            |method| self.token_endpoint_auth_methods_supported.iter().any(|its| its == method);
        if has("none") {
            "none"
        } else if has("client_secret_post") && !has("client_secret_basic") {
            "client_secret_post"
        } else {
            "client_secret_basic"
        }
    }

    /// How a secret of the client is shown.
    pub(super) fn auth(&self) -> ClientAuth {
        let has =
            |method| self.token_endpoint_auth_methods_supported.iter().any(|its| its == method);
        if has("client_secret_post") && !has("client_secret_basic") {
            ClientAuth::Body
        } else {
            ClientAuth::Basic
        }
    }
}

pub(super) async fn find(wish: &Authorize<'_>, egress: &Egress) -> Result<Found, AuthorizeError> {
    let server = secure(wish.url)?;
    let mut places: Vec<Url> = Vec::new();
    if let Some(place) = parameter(wish.challenge, "resource_metadata") {
        places.push(secure(&place)?);
    }
    places.extend(well_known(&server, "oauth-protected-resource", true));
    let (place, resource): (Url, Resource) = first(wish, egress, &places)
        .await?
        .ok_or_else(|| wrong(wish.url, "does not say where to sign in"))?;
    if !covers(&resource.resource, &server) {
        return Err(wrong(place.as_str(), "is about another server than this one"));
    }
    let issuer = resource
        .authorization_servers
        .first()
        .ok_or_else(|| wrong(place.as_str(), "names nobody to sign in with"))?;
    let at = secure(issuer)?;
    let mut places: Vec<Url> = Vec::new();
    for kind in ["oauth-authorization-server", "openid-configuration"] {
        places.extend(well_known(&at, kind, false));
    }
    if at.path().len() > 1 {
        let mut behind = at.clone();
        let path = at.path().trim_end_matches('/');
        behind.set_path(&format!("{path}/.well-known/openid-configuration"));
        places.push(behind);
    }
    let (place, found): (Url, Issuer) = first(wish, egress, &places)
        .await?
        .ok_or_else(|| wrong(issuer, "does not say how one signs in"))?;
    if found.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
        return Err(wrong(place.as_str(), "speaks for somebody else than it was asked about"));
    }
    if !found.code_challenge_methods_supported.iter().any(|its| its == "S256") {
        return Err(wrong(place.as_str(), "does not protect what a browser brings back (PKCE)"));
    }
    let asked = parameter(wish.challenge, "scope");
    let scopes = match asked {
        Some(asked) => asked.split(' ').map(str::to_owned).take(MOST_SCOPES).collect(),
        None => resource.scopes_supported.into_iter().take(MOST_SCOPES).collect(),
    };
    Ok(Found { resource: resource.resource, scopes, issuer: found })
}

/// The first place that has such a document.
async fn first<T: DeserializeOwned>(
    wish: &Authorize<'_>,
    egress: &Egress,
    places: &[Url],
) -> Result<Option<(Url, T)>, AuthorizeError> {
    for place in places {
        let answer = wish.send(egress, place.as_str(), None, None).await?;
        let (status, body) = read(answer, place.as_str()).await?;
        if status != 200 {
            continue;
        }
        if let Ok(found) = serde_json::from_slice(&body) {
            return Ok(Some((place.clone(), found)));
        }
    }
    Ok(None)
}

/// Where a document of a kind is for an address: behind its origin with its path, and at the
/// origin alone if that says enough.
fn well_known(url: &Url, kind: &str, at_the_origin: bool) -> Vec<Url> {
    let path = url.path().trim_end_matches('/');
    let place = |path: &str| {
        let mut place = url.clone();
        place.set_path(&format!("/.well-known/{kind}{path}"));
        place.set_query(None);
        place.set_fragment(None);
        place
    };
    let mut places = vec![place(path)];
    if at_the_origin && !path.is_empty() {
        places.push(place(""));
    }
    places
}

/// True if what a document is about is this server, or something it is part of.
fn covers(resource: &str, server: &Url) -> bool {
    let Ok(resource) = Url::parse(resource) else { return false };
    let (path, of) = (server.path(), resource.path().trim_end_matches('/'));
    resource.origin() == server.origin()
        && path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_about_this_server_or_what_it_is_part_of() {
        let server = Url::parse("https://a.example/team/mcp").unwrap();
        for resource in [
            "https://a.example",
            "https://a.example/",
            "https://a.example/team",
            "https://a.example/team/mcp",
        ] {
            assert!(covers(resource, &server), "{resource}");
        }
        for resource in [
            "https://b.example/team/mcp",
            "http://a.example",
            "https://a.example/tea",
            "https://a.example:8443",
            "",
            "a",
        ] {
            assert!(!covers(resource, &server), "{resource}");
        }
    }

    #[test]
    fn a_document_is_looked_for_behind_the_path_first() {
        let url = Url::parse("https://a.example/team/mcp?x=1").unwrap();
        let places: Vec<String> =
            well_known(&url, "k", true).into_iter().map(String::from).collect();
        assert_eq!(
            places,
            ["https://a.example/.well-known/k/team/mcp", "https://a.example/.well-known/k"]
        );
    }
}
