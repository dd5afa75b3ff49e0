//! Signing in on another device (RFC 8628): the host obtains a code, a person types it elsewhere,
//! and the host asks until there is a token. No component takes part, and nothing is stored here.

use super::client::{Answer, Egress, EgressError, Outgoing};
use super::credential::Credential;
use super::signer::oauth::{basic, seconds};
use super::target::Target;
use futures_util::future::BoxFuture;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use hydroid_core::capability::{Grant, Profile, WebRule};
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::{ClientAuth, DeviceLogin, Obtains};
use hydroid_core::ports::SecretValue;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

/// Longest answer that is read.
const LONGEST_ANSWER: usize = 64 << 10;

/// Longest code a person is asked to type; those of services have eight or nine characters.
const LONGEST_CODE: usize = 64;

/// How often is asked where the service does not say (RFC 8628, section 3.5).
const INTERVAL: Duration = Duration::from_secs(5);

/// What `slow_down` adds to it.
const SLOWER: Duration = Duration::from_secs(5);

/// Bounds of what a service may say of it: never in a rush, and never so seldom that a person who
/// has signed in waits for nothing.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);

/// The longest a code is waited for, whatever its service says.
const LONGEST_LIFE: Duration = Duration::from_secs(3600);

/// The grant type of RFC 8628, section 3.4.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Codes of an endpoint that are repeated; other text of it could be anything.
const CODES: [&str; 10] = [
    "access_denied",
    "device_flow_disabled",
    "incorrect_client_credentials",
    "incorrect_device_code",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
];

/// Who asks a person to sign in, and where.
#[derive(Clone, Copy, Debug)]
pub struct SignIn<'a> {
    /// The component whose credential it will be.
    pub component: &'a ComponentId,
    /// Where.
    pub login: &'a DeviceLogin,
    /// The client's id.
    pub client_id: &'a str,
    /// The client's secret and how it is sent, if it has one.
    pub client_secret: Option<(&'a SecretValue, ClientAuth)>,
}

/// What a person has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCode {
    /// Where to go.
    pub url: String,
    /// What to type there.
    pub code: String,
    /// An address that has the code in it already.
    pub whole_url: Option<String>,
    /// How long that works.
    pub lasts: Duration,
}

/// What was obtained.
#[derive(Debug)]
pub struct SignedIn {
    /// The credential.
    pub value: SecretValue,
    /// How long it works, where it is not renewed and the service says so.
    pub lasts: Option<Duration>,
}

/// Why nobody signed in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The person said no.
    #[error("the request was declined where you signed in")]
    Denied,
    /// Nobody typed the code in time.
    #[error("the code was not used in time; the same command gives another one")]
    Expired,
    /// The endpoint refused.
    #[error("`{endpoint}` refused: {problem}")]
    Refused {
        /// Which.
        endpoint: String,
        /// What it said, as far as that can be repeated.
        problem: String,
    },
    /// The endpoint answered with something else.
    #[error("the answer of `{endpoint}` is not what a service for signing in answers: {problem}")]
    Unreadable {
        /// Which.
        endpoint: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The request did not get through.
    #[error(transparent)]
    Egress(#[from] EgressError),
}

#[derive(Deserialize)]
struct Device {
    device_code: String,
    user_code: String,
    verification_uri: Option<String>,
    /// What it was called before there was a standard.
    verification_url: Option<String>,
    verification_uri_complete: Option<String>,
    expires_in: Value,
    interval: Option<Value>,
}

#[derive(Deserialize)]
struct Polled {
    access_token: Option<String>,
    refresh_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<Value>,
    error: Option<String>,
    interval: Option<Value>,
}

/// A length of time; nothing for what is none.
fn time(value: &Value) -> Duration {
    seconds(value).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default()
}

/// What one question brought.
enum Turn {
    Done(SignedIn),
    /// Not yet; ask again, after the same while or a longer one.
    Wait(Option<Duration>),
    /// It could not be asked; ask more seldom.
    Unreachable,
}

impl SignIn<'_> {
    /// Obtains a code, shows it, and asks until the person has signed in. `wait` is how time passes.
    pub async fn run(
        &self,
        egress: &Egress,
        show: impl FnOnce(&UserCode),
        wait: impl Fn(Duration) -> BoxFuture<'static, ()>,
    ) -> Result<SignedIn, LoginError> {
        let (device, shown) = self.begin(egress).await?;
        let device_code = Zeroizing::new(device.device_code);
        let mut interval = device.interval.as_ref().map_or(INTERVAL, time);
        let mut waited = Duration::ZERO;
        show(&shown);
        loop {
            interval = interval.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL);
            if waited + interval > shown.lasts {
                return Err(LoginError::Expired);
            }
            wait(interval).await;
            waited += interval;
            match self.ask(egress, &device_code).await? {
                Turn::Done(signed_in) => return Ok(signed_in),
                Turn::Wait(None) => {}
                Turn::Wait(Some(named)) => interval = (interval + SLOWER).max(named),
                Turn::Unreachable => interval *= 2,
            }
        }
    }

    async fn begin(&self, egress: &Egress) -> Result<(Device, UserCode), LoginError> {
        let endpoint = &self.login.device_url;
        let mut form = Serializer::new(String::new());
        form.append_pair("client_id", self.client_id);
        if !self.login.scopes.is_empty() {
            form.append_pair("scope", &self.login.scopes.join(" "));
        }
        let answer = self.send(egress, endpoint, form.finish(), None).await?;
        let (status, body) = read(answer, endpoint).await?;
        if let Ok(Polled { error: Some(code), .. }) = serde_json::from_slice(&body) {
            return Err(refused(endpoint, status, &code));
        }
        if status != StatusCode::OK {
            return Err(refused(endpoint, status, ""));
        }
        let unreadable = |problem| LoginError::Unreadable { endpoint: endpoint.clone(), problem };
        let device: Device = serde_json::from_slice(&body)
            .map_err(|_| unreadable("it has no `device_code`, `user_code` and `expires_in`"))?;
        let plain = |text: &str| {
            let length = text.chars().count();
            (1..=LONGEST_CODE).contains(&length) && !text.chars().any(char::is_control)
        };
        if device.device_code.is_empty() || !plain(&device.user_code) {
            return Err(unreadable("its code is empty, too long or has control characters"));
        }
        let url = device.verification_uri.as_ref().or(device.verification_url.as_ref());
        let url = url
            .and_then(|url| web_url(url))
            .ok_or_else(|| unreadable("its `verification_uri` is no web address"))?;
        let lasts = time(&device.expires_in).min(LONGEST_LIFE);
        let whole_url = device.verification_uri_complete.as_deref().and_then(web_url);
        let shown = UserCode { url, code: device.user_code.clone(), whole_url, lasts };
        Ok((device, shown))
    }

    async fn ask(&self, egress: &Egress, device_code: &str) -> Result<Turn, LoginError> {
        let endpoint = &self.login.token_url;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", GRANT_TYPE);
        form.append_pair("device_code", device_code);
        form.append_pair("client_id", self.client_id);
        let credential = match self.client_secret {
            Some((secret, ClientAuth::Basic)) => {
                let (place, value) = basic(self.client_id, secret);
                let audience = vec![rule(&Target::parse(endpoint).map_err(EgressError::from)?)];
                Some(Credential::placed("client", audience, place, value))
            }
            Some((secret, ClientAuth::Body)) => {
                form.append_pair("client_secret", secret.expose());
                None
            }
            None => None,
        };
        let answer = match self.send(egress, endpoint, form.finish(), credential).await {
            Ok(mut answer) => {
                answer.mask = None;
                answer
            }
            // A person may be typing still: what passes is waited for (RFC 8628, section 3.5).
            Err(EgressError::Connection { .. } | EgressError::Timeout(_)) => {
                return Ok(Turn::Unreachable);
            }
            Err(error) => return Err(error.into()),
        };
        let (status, body) = match read(answer, endpoint).await {
            Err(LoginError::Egress(EgressError::Connection { .. } | EgressError::Timeout(_))) => {
                return Ok(Turn::Unreachable);
            }
            other => other?,
        };
        let unreadable = |problem| LoginError::Unreadable { endpoint: endpoint.clone(), problem };
        let polled: Polled = match serde_json::from_slice(&body) {
            Ok(polled) => polled,
            Err(_) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Ok(Turn::Unreachable);
            }
            Err(_) if status == StatusCode::OK => return Err(unreadable("it is not JSON")),
            Err(_) => return Err(refused(endpoint, status, "")),
        };
        match polled.error.as_deref() {
            Some("authorization_pending") => return Ok(Turn::Wait(None)),
            Some("slow_down") => {
                let named = polled.interval.as_ref().map(time).unwrap_or_default();
                return Ok(Turn::Wait(Some(named)));
            }
            Some("access_denied") => return Err(LoginError::Denied),
            Some("expired_token") => return Err(LoginError::Expired),
            Some(other) => return Err(refused(endpoint, status, other)),
            None if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Ok(Turn::Unreachable);
            }
            None if status != StatusCode::OK => return Err(refused(endpoint, status, "")),
            None => {}
        }
        if polled.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(unreadable("its token is of a type that is not `bearer`"));
        }
        let (value, lasts) = match self.login.obtains {
            Obtains::AccessToken => (polled.access_token, polled.expires_in),
            Obtains::RefreshToken => (polled.refresh_token, None),
        };
        let value = value.filter(|value| !value.is_empty()).ok_or_else(|| {
            unreadable(match self.login.obtains {
                Obtains::AccessToken => "it has no `access_token`",
                Obtains::RefreshToken => {
                    "it has no `refresh_token`; a scope such as `offline_access` may be missing in the manifest"
                }
            })
        })?;
        let lasts = lasts.as_ref().map(time);
        Ok(Turn::Done(SignedIn { value: SecretValue::new(value), lasts }))
    }

    /// One request. The person's command is the permission, for this address and nothing else.
    async fn send(
        &self,
        egress: &Egress,
        endpoint: &str,
        form: String,
        credential: Option<Credential>,
    ) -> Result<Answer, EgressError> {
        let target = Target::parse(endpoint)?;
        let grant =
            Grant { profiles: [Profile::Web].into(), web: vec![rule(&target)], ..Grant::default() };
        let mut headers = HeaderMap::new();
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form_type);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let outgoing =
            Outgoing { target, method: Method::POST, headers, body: form.into(), timeout: None };
        egress.send(self.component, &grant, outgoing, credential).await
    }
}

/// The target's host.
fn rule(target: &Target) -> WebRule {
    target.grantable().parse().expect("a host that was parsed can be written as a rule")
}

async fn read(
    mut answer: Answer,
    endpoint: &str,
) -> Result<(StatusCode, Zeroizing<Vec<u8>>), LoginError> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(bytes) = answer.next().await? {
        if body.len() + bytes.len() > LONGEST_ANSWER {
            let problem = "it has more than 64 KiB";
            return Err(LoginError::Unreadable { endpoint: endpoint.to_owned(), problem });
        }
        body.extend_from_slice(&bytes);
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    Ok((status, body))
}

fn refused(endpoint: &str, status: StatusCode, code: &str) -> LoginError {
    let known = CODES.into_iter().find(|known| *known == code);
    let code = known.map(|code| format!(" ({code})")).unwrap_or_default();
    let problem = format!("status {}{code}", status.as_u16());
    LoginError::Refused { endpoint: endpoint.to_owned(), problem }
}

/// An address a person can open, written as the parser understands it.
fn web_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let opens = matches!(url.scheme(), "https" | "http")
        && url.username().is_empty()
        && url.password().is_none();
    opens.then(|| url.to_string())
}
