//! OAuth 2 tokens (RFC 6749, sections 4.4 and 6), and tokens of a short life that services give for
//! a longer one: a credential is exchanged at the token endpoint, and what comes back is kept in the
//! host's memory until shortly before it expires. No component sees either.

use crate::egress::client::{Answer, Egress, EgressError, Outgoing};
use crate::egress::credential::{Credential, Part};
use crate::egress::target::Target;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use hydroid_core::capability::Grant;
use hydroid_core::id::{ComponentId, UserId};
use hydroid_core::manifest::{Attach, ClientAuth, OAuth2, OAuthGrant, Place};
use hydroid_core::ports::SecretValue;
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// Longest answer of a token endpoint; a token with many claims has some 8 KiB.
const LONGEST_ANSWER: usize = 64 << 10;

/// A token is not used in its last minute, or the last tenth of a shorter life: the clocks of two
/// machines differ, and a request takes time.
const MARGIN: Duration = Duration::from_secs(60);

/// Life of a token whose endpoint does not say how long it lives.
const UNSAID_LIFE: Duration = Duration::from_secs(300);

/// The longest a token is kept, whatever its endpoint says: an hour more than a day.
const LONGEST_LIFE: Duration = Duration::from_secs(25 * 3600);

/// Values of one credential that are known to be earlier forms of the current one.
const REMEMBERED: usize = 8;

/// Tokens by whom they are for.
#[derive(Default)]
pub(in crate::egress) struct Tokens {
    entries: Mutex<HashMap<Owner, Arc<tokio::sync::Mutex<Entry>>>>,
}

/// The component, the user and the name of the credential.
type Owner = (ComponentId, UserId, String);

/// What is known of one credential. Its lock is held during an exchange: there is one at a time.
#[derive(Default)]
struct Entry {
    /// Digests of what was configured when the rest was obtained, the refresh tokens that took
    /// its place last; any other value begins anew.
    configured: VecDeque<[u8; 32]>,
    token: Option<Token>,
    /// The refresh token that came instead of a configured one.
    rotated: Option<SecretValue>,
}

struct Token {
    value: SecretValue,
    until: Instant,
}

/// What a token endpoint answers, of which only these members are read.
#[derive(Deserialize)]
struct Granted {
    #[serde(alias = "token", deserialize_with = "secret")]
    access_token: SecretValue,
    token_type: Option<String>,
    expires_in: Option<serde_json::Value>,
    /// Seconds since 1970, where a service says it so.
    expires_at: Option<serde_json::Value>,
    #[serde(default, deserialize_with = "maybe_secret")]
    refresh_token: Option<SecretValue>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretValue, D::Error> {
    String::deserialize(deserializer).map(SecretValue::new)
}

fn maybe_secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretValue>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(SecretValue::new))
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// Error codes of RFC 6749, section 5.2. Other text of an endpoint is not repeated: it may have
/// the credential in it.
const CODES: [&str; 6] = [
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
];

impl Tokens {
    /// Sends a request with a token. One the service does not accept any more is renewed, once.
    pub(in crate::egress) async fn send(
        &self,
        egress: &Egress,
        requester: (&ComponentId, &Grant),
        outgoing: Outgoing,
        credential: &Credential,
        oauth: &OAuth2,
    ) -> Result<Answer, EgressError> {
        let (component, grant) = requester;
        credential.check_audience(&outgoing.target)?;
        let exchange = Exchange { egress, component, grant, credential, oauth };
        let (token, fresh) = self.token(&exchange, None).await?;
        let again = (!fresh).then(|| outgoing.clone());
        let with = |token| Some(with_token(credential, oauth, token));
        let answer = egress.send_once(component, grant, outgoing, with(token.clone())).await?;
        match again {
            Some(outgoing) if answer.status == StatusCode::UNAUTHORIZED => {
                drop(answer);
                let (token, _) = self.token(&exchange, Some(&token)).await?;
                egress.send_once(component, grant, outgoing, with(token)).await
            }
            Some(_) | None => Ok(answer),
        }
    }

    /// A token, and whether it was obtained just now. One that was `refused` is not used again.
    async fn token(
        &self,
        exchange: &Exchange<'_>,
        refused: Option<&SecretValue>,
    ) -> Result<(SecretValue, bool), EgressError> {
        let credential = exchange.credential;
        let owner = (exchange.component.clone(), credential.user.clone(), credential.name.clone());
        let entry = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            entries.entry(owner).or_default().clone()
        };
        let mut entry = entry.lock().await;
        let configured = configured(credential, exchange.oauth);
        if !entry.configured.contains(&configured) {
            *entry = Entry { configured: [configured].into(), ..Entry::default() };
        }
        let usable = entry.token.as_ref().filter(|token| {
            token.until > Instant::now()
                && refused.is_none_or(|refused| refused.expose() != token.value.expose())
        });
        if let Some(token) = usable {
            return Ok((token.value.clone(), false));
        }
        entry.token = None;
        let granted = exchange.run(entry.rotated.as_ref()).await?;
        let until = Instant::now() + life(&granted, credential.now_ms);
        if let Some(new) = granted.refresh_token.filter(|_| exchange.refreshes()) {
            let current = entry.rotated.as_ref().unwrap_or(&credential.value);
            if current.expose() != new.expose() {
                entry.rotate(exchange, new).await?;
            }
        }
        let value = granted.access_token;
        exchange.learn(&value)?;
        entry.token = Some(Token { value: value.clone(), until });
        Ok((value, true))
    }
}

impl Entry {
    /// Takes a refresh token that came instead of the current one.
    async fn rotate(
        &mut self,
        exchange: &Exchange<'_>,
        new: SecretValue,
    ) -> Result<(), EgressError> {
        // The endpoint takes the old one no more, so the new one is kept whatever else fails.
        keep(exchange.credential, &new).await;
        // A request that began before has the old value still, and must not begin anew with it.
        let kept = Credential { value: new.clone(), ..exchange.credential.clone() };
        self.configured.push_back(configured(&kept, exchange.oauth));
        if self.configured.len() > REMEMBERED {
            self.configured.pop_front();
        }
        self.rotated = Some(new.clone());
        exchange.learn(&new)
    }
}

/// Leaves a new refresh token with the store; what it does not take is known until the host ends.
async fn keep(credential: &Credential, new: &SecretValue) {
    let name = &credential.name;
    let problem = match credential.keeper.clone() {
        None => "there is no store to keep it".to_owned(),
        Some(keeper) => {
            let (user, name, new) = (credential.user.clone(), name.clone(), new.clone());
            // It writes to a database and may wait for another process.
            let stored = tokio::task::spawn_blocking(move || keeper.store(&user, &name, &new));
            match stored.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.problem,
                Err(_) => "a defect in the host stopped storing it".to_owned(),
            }
        }
    };
    tracing::warn!(
        "the service gave a new refresh token for the secret `{name}`, which is used until the host ends but is not kept: {problem}; move the secret into the store with `hydroid secret set {name}`"
    );
}

fn life(granted: &Granted, now_ms: u64) -> Duration {
    let said = granted.expires_in.as_ref().and_then(seconds).or_else(|| {
        let at = granted.expires_at.as_ref().and_then(seconds)?;
        // Without a clock nobody can tell how far away that is.
        let now = Duration::from_millis((now_ms > 0).then_some(now_ms)?).as_secs_f64();
        Some(at - now)
    });
    let life = match said {
        None => UNSAID_LIFE,
        Some(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or_default(),
    };
    let life = life.min(LONGEST_LIFE);
    life - MARGIN.min(life / 10)
}

/// A number of seconds, which some services write as a text.
pub(in crate::egress) fn seconds(value: &serde_json::Value) -> Option<f64> {
    match value {
        serde_json::Value::Number(number) => number.as_f64(),
        serde_json::Value::String(text) => text.trim().parse().ok(),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => None,
    }
}

/// The credential as it is sent to the service: the token, and all that must not come back.
fn with_token(credential: &Credential, oauth: &OAuth2, token: SecretValue) -> Credential {
    let own = Part {
        name: credential.name.clone(),
        audience: Vec::new(),
        value: credential.value.clone(),
    };
    // The audience of the parts was that of the exchange; here they are only masked.
    let parts = credential.parts.iter().map(|part| Part { audience: Vec::new(), ..part.clone() });
    Credential {
        attach: Attach::Place(oauth.place.clone()),
        value: token,
        parts: parts.chain([own]).collect(),
        ..credential.clone()
    }
}

/// Changes when anything changes that a token depends on.
fn configured(credential: &Credential, oauth: &OAuth2) -> [u8; 32] {
    let mut digest = Sha256::new();
    let parts = credential.parts.iter().map(|part| part.value.expose());
    let described = format!("{oauth:?}");
    for text in [credential.value.expose(), described.as_str()].into_iter().chain(parts) {
        digest.update(text.len().to_le_bytes());
        digest.update(text.as_bytes());
    }
    digest.finalize().into()
}

/// One exchange at a token endpoint.
struct Exchange<'a> {
    egress: &'a Egress,
    component: &'a ComponentId,
    grant: &'a Grant,
    credential: &'a Credential,
    oauth: &'a OAuth2,
}

impl Exchange<'_> {
    fn refreshes(&self) -> bool {
        matches!(self.oauth.grant, OAuthGrant::RefreshToken { .. })
    }

    /// From now on the value is masked wherever it appears.
    fn learn(&self, value: &SecretValue) -> Result<(), EgressError> {
        let Some(scrubber) = &self.credential.scrubber else { return Ok(()) };
        scrubber.learn(&self.credential.name, value).map_err(|problem| self.failed(problem))
    }

    async fn run(&self, rotated: Option<&SecretValue>) -> Result<Granted, EgressError> {
        let target = Target::parse(&self.oauth.token_url)?;
        self.credential.check_audience(&target)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let (method, body, client) = match &self.oauth.grant {
            OAuthGrant::Exchange { place, headers: further } => {
                for (name, value) in further {
                    let (Ok(name), Ok(value)) =
                        (HeaderName::try_from(name), HeaderValue::try_from(value))
                    else {
                        continue;
                    };
                    headers.insert(name, value);
                }
                let client = self.placed(place.clone(), self.credential.value.clone());
                (Method::GET, String::new(), Some(client))
            }
            OAuthGrant::ClientCredentials | OAuthGrant::RefreshToken { .. } => {
                let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
                headers.insert(header::CONTENT_TYPE, form_type);
                let (form, client) = self.form(rotated)?;
                (Method::POST, form, client)
            }
        };
        let outgoing = Outgoing { target, method, headers, body: body.into(), timeout: None };
        let mut answer =
            self.egress.send_once(self.component, self.grant, outgoing, client).await?;
        // Only the host reads it, and it may have in it what was sent.
        answer.mask = None;
        self.read(answer).await
    }

    /// The form to send, and the client's own credential if it goes into a header.
    fn form(
        &self,
        rotated: Option<&SecretValue>,
    ) -> Result<(String, Option<Credential>), EgressError> {
        let client_id = self.oauth.client_id.as_deref().unwrap_or_default();
        let client_id = self.credential.part(client_id)?.expose();
        let secret = match &self.oauth.grant {
            OAuthGrant::ClientCredentials => Some(&self.credential.value),
            OAuthGrant::Exchange { .. } => None,
            OAuthGrant::RefreshToken { client_secret } => {
                client_secret.as_ref().and_then(|part| self.credential.part_if_set(part))
            }
        };
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        match &self.oauth.grant {
            OAuthGrant::ClientCredentials => {
                form.append_pair("grant_type", "client_credentials");
            }
            OAuthGrant::Exchange { .. } => {}
            OAuthGrant::RefreshToken { .. } => {
                let current = rotated.unwrap_or(&self.credential.value);
                form.append_pair("grant_type", "refresh_token");
                form.append_pair("refresh_token", current.expose());
            }
        }
        if !self.oauth.scopes.is_empty() {
            form.append_pair("scope", &self.oauth.scopes.join(" "));
        }
        if let Some(audience) = &self.oauth.audience {
            form.append_pair("audience", audience);
        }
        if let Some(resource) = &self.oauth.resource {
            form.append_pair("resource", resource);
        }
        // A client without a secret only says who it is.
        let client = match (secret, self.oauth.client_auth) {
            (Some(secret), ClientAuth::Basic) => Some(basic(client_id, secret)),
            (Some(secret), ClientAuth::Body) => {
                form.append_pair("client_id", client_id);
                form.append_pair("client_secret", secret.expose());
                None
            }
            (None, ClientAuth::Basic | ClientAuth::Body) => {
                form.append_pair("client_id", client_id);
                None
            }
        };
        let client = client.map(|(place, value)| self.placed(place, value));
        Ok((form.finish(), client))
    }

    /// A value that goes to the endpoint as it is.
    fn placed(&self, place: Place, value: SecretValue) -> Credential {
        let audience = self.credential.audience.clone();
        Credential::placed(&self.credential.name, audience, place, value)
    }

    async fn read(&self, mut answer: Answer) -> Result<Granted, EgressError> {
        let mut body = Zeroizing::new(Vec::new());
        while let Some(bytes) = answer.next().await? {
            if body.len() + bytes.len() > LONGEST_ANSWER {
                return Err(self.failed("it answered with more than 64 KiB".into()));
            }
            body.extend_from_slice(&bytes);
        }
        if answer.status != StatusCode::OK {
            let code = serde_json::from_slice::<Refused>(&body).ok();
            let code =
                code.and_then(|refused| CODES.into_iter().find(|code| *code == refused.error));
            let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
            return Err(self.failed(format!("it answered with status {}{code}", answer.status)));
        }
        let granted: Granted = serde_json::from_slice(&body)
            .map_err(|_| self.failed("its answer is not JSON with an `access_token`".into()))?;
        if granted.access_token.expose().is_empty() {
            return Err(self.failed("its answer has an empty `access_token`".into()));
        }
        // A token of another type, such as `DPoP`, does not work as it is.
        let kind = granted.token_type.as_deref().unwrap_or("bearer");
        if !kind.eq_ignore_ascii_case("bearer") {
            return Err(self.failed("its token is of a type that is not `bearer`".into()));
        }
        Ok(granted)
    }

    fn failed(&self, problem: String) -> EgressError {
        EgressError::Token {
            secret: self.credential.name.clone(),
            endpoint: self.oauth.token_url.clone(),
            problem,
            login: self.credential.login,
        }
    }
}

/// A client's id and secret, each encoded as RFC 6749 section 2.3.1 wants it.
pub(in crate::egress) fn basic(client_id: &str, secret: &SecretValue) -> (Place, SecretValue) {
    let encode =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    (Place::Basic(encode(client_id)), SecretValue::new(encode(secret.expose())))
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Seconds that a token is used, at a time.
    fn used(more: &Value, now_ms: u64) -> f64 {
        let mut granted = json!({ "access_token": "a" });
        granted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        life(&serde_json::from_value(granted).unwrap(), now_ms).as_secs_f64()
    }

    #[test]
    fn a_token_is_used_for_as_long_as_the_service_says_less_a_margin() {
        assert!((used(&json!({ "expires_in": 3600 }), 0) - 3540.0).abs() < 1e-6);
        assert!((used(&json!({ "expires_in": "100" }), 0) - 90.0).abs() < 1e-6);
        assert!((used(&json!({ "expires_at": 1_100 }), 1_000_000) - 90.0).abs() < 1e-6);
        assert!(used(&json!({ "expires_at": 900 }), 1_000_000).abs() < 1e-6, "it is over");
        let unsaid = used(&json!({}), 1_000_000);
        assert!((unsaid - 270.0).abs() < 1e-6);
        // Without a clock nobody knows how far away a moment is.
        assert!((used(&json!({ "expires_at": 1_100 }), 0) - unsaid).abs() < 1e-6);
        let longest = LONGEST_LIFE.as_secs_f64() - 60.0;
        assert!((used(&json!({ "expires_in": 1e9 }), 0) - longest).abs() < 1e-6);
    }
}
