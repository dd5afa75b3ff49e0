//! Signing in with a browser (OAuth 2.1: authorization code with PKCE) where the service says
//! itself how: its metadata (RFC 9728), that of who signs in (RFC 8414), registration (RFC 7591).
//! No component takes part, and nothing is stored here.

mod discovery;

use super::client::{Answer, Egress, EgressError, Outgoing};
use super::credential::Credential;
use super::signer::oauth::basic;
use super::target::Target;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use discovery::{Found, Issuer};
use futures_util::future::BoxFuture;
use http::Method;
use http::header::{self, HeaderMap, HeaderValue};
use hydroid_core::capability::{Grant, Profile, WebRule};
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::ClientAuth;
use hydroid_core::ports::SecretValue;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

/// Longest answer that is read.
const LONGEST_ANSWER: usize = 256 << 10;

/// What registers asks for.
const CLIENT_NAME: &str = "Hydroid";

/// The scope that brings a refresh token where a service has one.
const OFFLINE: &str = "offline_access";

/// Who signs in to what.
#[derive(Clone, Copy, Debug)]
pub struct Authorize<'a> {
    /// The server whose credential it will be, as limits count it.
    pub server: &'a ComponentId,
    /// Its address.
    pub url: &'a str,
    /// What it said when it refused, its `WWW-Authenticate` line; empty if nothing.
    pub challenge: &'a str,
    /// Where the browser is sent back to.
    pub redirect: &'a str,
    /// A client that is known to the service already.
    pub client: Option<(&'a str, Option<&'a SecretValue>)>,
    /// Where a description of this client is, for services that read one.
    pub described_at: Option<&'a str>,
    /// Scopes that are wanted beside those the service asks for.
    pub scopes: &'a [String],
}

/// What was obtained.
#[derive(Debug)]
pub struct Authorized {
    /// The access token.
    pub access: SecretValue,
    /// What it is renewed with.
    pub refresh: Option<SecretValue>,
    /// Where.
    pub token_url: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret and how it is shown, if it has one.
    pub client_secret: Option<(SecretValue, ClientAuth)>,
    /// What the token is for.
    pub resource: String,
    /// Scopes that were asked for.
    pub scopes: Vec<String>,
}

/// Why nobody signed in.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// Something it says of itself is missing or wrong.
    #[error("`{place}` {problem}")]
    Wrong {
        /// Where.
        place: String,
        /// What.
        problem: String,
    },
    /// It knows only clients that were registered by hand.
    #[error(
        "`{0}` registers no clients by itself; register one there and say `--client-id ID`, with `--client-secret NAME` for a stored secret if it has one"
    )]
    Unregistered(String),
    /// The browser came back with something else.
    #[error("the browser came back {0}, so you are not signed in; try again")]
    Returned(String),
    /// The request did not get through.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// No random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: Option<String>,
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

#[derive(Deserialize)]
struct Registered {
    client_id: String,
    client_secret: Option<String>,
    token_endpoint_auth_method: Option<String>,
}

struct Client {
    id: String,
    secret: Option<(SecretValue, ClientAuth)>,
}

impl Authorize<'_> {
    /// Finds out where to sign in, has a browser go there, and exchanges what it comes back with.
    /// `browse` is given the address to open and answers with that the browser came back to.
    pub async fn run(
        &self,
        egress: &Egress,
        browse: impl FnOnce(String) -> BoxFuture<'static, Result<String, String>>,
    ) -> Result<Authorized, AuthorizeError> {
        let found = discovery::find(self, egress).await?;
        let client = self.client(egress, &found.issuer).await?;
        let scopes = self.wanted(&found);
        let (verifier, state) = (random()?, random()?);
        let to = self.address(&found, &client, &scopes, &verifier, &state)?;
        let back = browse(to).await.map_err(AuthorizeError::Returned)?;
        let code = code(&back, &state, &found.issuer)?;
        let granted = self.exchanged(egress, &found, &client, &code, &verifier).await?;
        let secret = |text: String| SecretValue::new(text);
        Ok(Authorized {
            access: secret(granted.access_token),
            refresh: granted.refresh_token.filter(|its| !its.is_empty()).map(secret),
            token_url: found.issuer.token_endpoint,
            client_id: client.id,
            client_secret: client.secret,
            resource: found.resource,
            scopes,
        })
    }

    fn wanted(&self, found: &Found) -> Vec<String> {
        let mut scopes = found.scopes.clone();
        scopes.extend(self.scopes.iter().cloned());
        if found.issuer.scopes_supported.iter().any(|scope| scope == OFFLINE) {
            scopes.push(OFFLINE.to_owned());
        }
        let mut known = std::collections::BTreeSet::new();
        scopes.retain(|scope| !scope.is_empty() && known.insert(scope.clone()));
        scopes
    }

    async fn client(&self, egress: &Egress, issuer: &Issuer) -> Result<Client, AuthorizeError> {
        if let Some((id, secret)) = self.client {
            let secret = secret.map(|secret| (secret.clone(), issuer.auth()));
            return Ok(Client { id: id.to_owned(), secret });
        }
        if let Some(place) = self.described_at.filter(|_| issuer.reads_descriptions) {
            return Ok(Client { id: place.to_owned(), secret: None });
        }
        let Some(endpoint) = &issuer.registration_endpoint else {
            return Err(AuthorizeError::Unregistered(issuer.issuer.clone()));
        };
        let wish = json!({
            "client_name": CLIENT_NAME,
            "redirect_uris": [self.redirect],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "application_type": "native",
            "token_endpoint_auth_method": issuer.auth_method(),
        });
        let body = wish.to_string().into_bytes();
        let answer = self.send(egress, endpoint, Some((body, "application/json")), None).await?;
        let (status, body) = read(answer, endpoint).await?;
        if !(200..300).contains(&status) {
            return Err(refused(endpoint, status, &body));
        }
        let registered: Registered = serde_json::from_slice(&body)
            .map_err(|_| wrong(endpoint, "answers without a `client_id`"))?;
        let auth = match registered.token_endpoint_auth_method.as_deref() {
            Some("client_secret_post") => Some(ClientAuth::Body),
            Some("client_secret_basic") => Some(ClientAuth::Basic),
            Some("none") => None,
            Some(_) | None => registered.client_secret.as_ref().map(|_| issuer.auth()),
        };
        let secret = registered.client_secret.map(SecretValue::new).zip(auth);
        Ok(Client { id: registered.client_id, secret })
    }

    fn address(
        &self,
        found: &Found,
        client: &Client,
        scopes: &[String],
        verifier: &str,
        state: &str,
    ) -> Result<String, AuthorizeError> {
        let endpoint = &found.issuer.authorization_endpoint;
        let mut url = secure(endpoint)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &client.id)
                .append_pair("redirect_uri", self.redirect)
                .append_pair("code_challenge", &challenge)
                .append_pair("code_challenge_method", "S256")
                .append_pair("state", state)
                .append_pair("resource", &found.resource);
            if !scopes.is_empty() {
                query.append_pair("scope", &scopes.join(" "));
            }
            if scopes.iter().any(|scope| scope == OFFLINE) {
                query.append_pair("prompt", "consent");
            }
        }
        Ok(url.into())
    }

    async fn exchanged(
        &self,
        egress: &Egress,
        found: &Found,
        client: &Client,
        code: &str,
        verifier: &str,
    ) -> Result<Granted, AuthorizeError> {
        let endpoint = &found.issuer.token_endpoint;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code");
        form.append_pair("code", code);
        form.append_pair("redirect_uri", self.redirect);
        form.append_pair("code_verifier", verifier);
        form.append_pair("resource", &found.resource);
        let credential = match &client.secret {
            Some((secret, ClientAuth::Basic)) => {
                let (place, value) = basic(&client.id, secret);
                let target = Target::parse(endpoint).map_err(EgressError::from)?;
                Some(Credential::placed("client", vec![rule(&target)], place, value))
            }
            Some((secret, ClientAuth::Body)) => {
                form.append_pair("client_id", &client.id);
                form.append_pair("client_secret", secret.expose());
                None
            }
            None => {
                form.append_pair("client_id", &client.id);
                None
            }
        };
        let body = form.finish().into_bytes();
        let form = Some((body, "application/x-www-form-urlencoded"));
        let mut answer = self.send(egress, endpoint, form, credential).await?;
        answer.mask = None;
        let (status, body) = read(answer, endpoint).await?;
        if !(200..300).contains(&status) {
            return Err(refused(endpoint, status, &body));
        }
        let granted: Granted = serde_json::from_slice(&body)
            .map_err(|_| wrong(endpoint, "answers without an `access_token`"))?;
        let is_bearer =
            granted.token_type.as_ref().is_none_or(|its| its.eq_ignore_ascii_case("bearer"));
        if granted.access_token.is_empty() || !is_bearer {
            return Err(wrong(endpoint, "gives a token that is none to be sent as it is"));
        }
        Ok(granted)
    }

    /// One request. The person's command is the permission, for this address and nothing else.
    async fn send(
        &self,
        egress: &Egress,
        endpoint: &str,
        body: Option<(Vec<u8>, &'static str)>,
        credential: Option<Credential>,
    ) -> Result<Answer, AuthorizeError> {
        secure(endpoint)?;
        let target = Target::parse(endpoint).map_err(EgressError::from)?;
        let grant =
            Grant { profiles: [Profile::Web].into(), web: vec![rule(&target)], ..Grant::default() };
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let body = match body {
            Some((body, media_type)) => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
                body
            }
            None => Vec::new(),
        };
        let outgoing = Outgoing { target, method, headers, body: body.into(), timeout: None };
        Ok(egress.send(self.server, &grant, outgoing, credential).await?)
    }
}

fn rule(target: &Target) -> WebRule {
    target.grantable().parse().expect("a host that was parsed can be written as a rule")
}

/// An address that nobody else reads on the way; this machine is one.
fn secure(text: &str) -> Result<Url, AuthorizeError> {
    let url = Url::parse(text).map_err(|_| wrong(text, "is no address"))?;
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() == "https" || (url.scheme() == "http" && here) {
        return Ok(url);
    }
    Err(wrong(text, "is without encryption, so nothing is sent there"))
}

fn wrong(place: &str, problem: &str) -> AuthorizeError {
    let place = place.chars().take(200).collect();
    AuthorizeError::Wrong { place, problem: problem.to_owned() }
}

async fn read(
    mut answer: Answer,
    endpoint: &str,
) -> Result<(u16, Zeroizing<Vec<u8>>), AuthorizeError> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(bytes) = answer.next().await? {
        if body.len() + bytes.len() > LONGEST_ANSWER {
            return Err(wrong(endpoint, "answers with more than 256 KiB"));
        }
        body.extend_from_slice(&bytes);
    }
    Ok((answer.status, body))
}

/// What it said is repeated only if it is a code: other text of it may hold a secret.
fn refused(endpoint: &str, status: u16, body: &[u8]) -> AuthorizeError {
    let code = serde_json::from_slice::<Refused>(body).ok().map(|refused| refused.error);
    let code = code.filter(|code| {
        code.len() <= 40 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    });
    let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
    wrong(endpoint, &format!("refused: status {status}{code}"))
}

/// The code a browser came back with, if it comes from where it was sent.
fn code(back: &str, state: &str, issuer: &Issuer) -> Result<String, AuthorizeError> {
    let returned = |text: &str| AuthorizeError::Returned(text.to_owned());
    let url = Url::parse(back).map_err(|_| returned("with no address"))?;
    let value = |name: &str| {
        let mut values = url.query_pairs().filter(|(key, _)| key == name);
        let value = values.next().map(|(_, value)| value.into_owned());
        value.filter(|_| values.next().is_none())
    };
    let same = value("state").is_some_and(|its| {
        use subtle::ConstantTimeEq as _;
        bool::from(its.as_bytes().ct_eq(state.as_bytes()))
    });
    if !same {
        return Err(returned("from another request"));
    }
    match value("iss") {
        Some(its) if its != issuer.issuer => {
            return Err(returned("from another service than it was sent to"));
        }
        None if issuer.says_who_answers => {
            return Err(returned("without saying from which service"));
        }
        Some(_) | None => {}
    }
    if let Some(error) = value("error") {
        let error: String =
            error.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect();
        return Err(returned(&format!("with a refusal ({error})")));
    }
    value("code").filter(|code| !code.is_empty()).ok_or_else(|| returned("without a code"))
}

/// 256 random bits as text.
fn random() -> Result<String, AuthorizeError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| AuthorizeError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(says: bool) -> Issuer {
        let mut issuer = Issuer::default();
        issuer.issuer = "https://as.example".into();
        issuer.says_who_answers = says;
        issuer
    }

    #[track_caller]
    fn check(back: &str, says: bool, expect: Result<&str, &str>) {
        let found = code(back, "s", &issuer(says)).map_err(|error| error.to_string());
        match expect {
            Ok(expect) => assert_eq!(found.unwrap(), expect),
            Err(part) => {
                let error = found.unwrap_err();
                assert!(error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn a_browser_comes_back_from_where_it_was_sent_or_not_at_all() {
        check("http://127.0.0.1/?code=c&state=s", false, Ok("c"));
        check("http://127.0.0.1/?code=c&state=s&iss=https://as.example", true, Ok("c"));
        check("http://127.0.0.1/?code=c&state=t", false, Err("another request"));
        check("http://127.0.0.1/?code=c", false, Err("another request"));
        check("http://127.0.0.1/?code=c&state=s&state=s", false, Err("another request"));
        check("http://127.0.0.1/?code=c&state=s", true, Err("without saying"));
        check(
            "http://127.0.0.1/?code=c&state=s&iss=https://as.example/",
            false,
            Err("another service"),
        );
        check("http://127.0.0.1/?error=access_denied&state=s", false, Err("(access_denied)"));
        check("http://127.0.0.1/?error=%3Cscript%3E&state=s", false, Err("(script)"));
        check("http://127.0.0.1/?state=s", false, Err("without a code"));
        check("nonsense", false, Err("no address"));
    }

    #[test]
    fn nothing_is_sent_where_others_read() {
        assert!(secure("https://as.example/token").is_ok());
        assert!(secure("http://127.0.0.1:9/token").is_ok());
        for place in ["http://as.example/token", "file:///etc/passwd", "javascript:alert(1)", "x"] {
            assert!(secure(place).is_err(), "{place}");
        }
    }
}
