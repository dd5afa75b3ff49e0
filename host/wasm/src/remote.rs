//! [`Remotes`] over the door of the components: what is sent to a server that a person added is
//! searched for secrets, audited, checked and counted as what a component sends. A server is no
//! component; it has a lane, a rule and a credential like one.

use crate::component::nobody;
use crate::egress::{Answer, Credential, Egress, Outgoing, Part, Target};
use crate::guard::{self, Guard};
use crate::instance::Equipment;
use crate::limits::Limits;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use hydroid_core::capability::{Grant, Profile, WebRule};
use hydroid_core::config::{Config, Leaks, LimitOverrides};
use hydroid_core::id::{ComponentId, UserId};
use hydroid_core::manifest::{Attach, ClientAuth, LimitWants, OAuth2, OAuthGrant, Place, Signer};
use hydroid_core::ports::{
    Audit, CallContext, Clock, RemoteAnswer, RemoteError, RemoteRequest, Remotes, Secrets,
};
use hydroid_core::scrub::LiveScrubber;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the door needs.
pub struct RemoteParts {
    /// The door.
    pub egress: Arc<Egress>,
    /// Values of credentials.
    pub secrets: Arc<dyn Secrets>,
    /// The audit log.
    pub audit: Arc<dyn Audit>,
    /// Finds secrets in what is sent.
    pub scrubber: LiveScrubber,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The configuration.
    pub config: Arc<Config>,
    /// Whose servers they are.
    pub user: UserId,
    /// Where a server is and what it is shown; none for one that is not there. Asked at each
    /// request, so that a server that is taken away is gone at once.
    pub find: Find,
}

/// Where the server of a name is.
pub type Find = Box<dyn Fn(&str) -> Option<RemotePlace> + Send + Sync>;

/// Where a server is and what it is shown.
#[derive(Clone, Debug)]
pub struct RemotePlace {
    /// Its address.
    pub url: String,
    /// What it is shown.
    pub credential: RemoteCredential,
}

/// What a server is shown.
#[derive(Clone, Debug)]
pub enum RemoteCredential {
    /// Nothing.
    None,
    /// A secret as it is.
    Placed {
        /// Its name.
        secret: String,
        /// Where it is put.
        place: Place,
    },
    /// A token that a refresh token is exchanged for.
    OAuth {
        /// The name of the secret that is the refresh token.
        secret: String,
        /// Where it is exchanged.
        token_url: String,
        /// The client's id.
        client_id: String,
        /// The secret that is the client's, and how it is shown.
        client_secret: Option<(String, ClientAuth)>,
        /// What the token is for (RFC 8707).
        resource: String,
    },
}

/// The part that is the client's id.
const CLIENT_ID: &str = "client-id";

/// The door to the servers a person added.
pub struct RemoteDoor {
    parts: RemoteParts,
}

impl RemoteDoor {
    /// Of these parts.
    pub fn new(parts: RemoteParts) -> Self {
        Self { parts }
    }

    async fn send(
        &self,
        server: &str,
        request: RemoteRequest,
    ) -> Result<Box<dyn RemoteAnswer>, RemoteError> {
        let found = (self.parts.find)(server).ok_or_else(|| {
            RemoteError(format!("there is no server `{server}`; `hydroid mcp list` shows them"))
        })?;
        let rule = rule(&found.url)?;
        let outgoing = outgoing(&request)?;
        let credential = self.credential(server, &found, &rule)?;
        let equipment = self.equipment(server, rule);
        let call = CallContext { user: self.parts.user.clone(), ..nobody() };
        let answer = guard::send(&equipment, &call, outgoing, credential).await;
        let answer = answer.map_err(|error| RemoteError(error.to_string()))?;
        Ok(Box::new(Answered(answer)))
    }

    /// What a component would have that may reach this server and nothing else.
    fn equipment(&self, server: &str, rule: WebRule) -> Equipment {
        let parts = &self.parts;
        let limits = Limits::resolve(
            &parts.config.limits,
            &LimitOverrides::default(),
            &LimitWants::default(),
        );
        let leaks: Leaks = parts.config.egress.leaks;
        Equipment {
            component: ComponentId::new(format!("mcp-{server}")),
            digest: String::new(),
            grant: Grant { profiles: [Profile::Web].into(), web: vec![rule], ..Grant::default() },
            limits,
            config: "{}".to_owned(),
            secrets: BTreeMap::new(),
            values: Arc::clone(&parts.secrets),
            workspace: None,
            records: None,
            egress: Arc::clone(&parts.egress),
            guard: Some(Guard {
                audit: Arc::clone(&parts.audit),
                scrubber: parts.scrubber.clone(),
                leaks,
            }),
            wants_preopens: false,
            still: None,
        }
    }

    fn value(
        &self,
        server: &str,
        name: &str,
    ) -> Result<hydroid_core::ports::SecretValue, RemoteError> {
        let found = self.parts.secrets.value(&self.parts.user, name);
        let found = found.map_err(|error| RemoteError(error.to_string()))?;
        let how = if name.contains(':') {
            format!("hydroid mcp login {server}")
        } else {
            format!("hydroid secret set {name}")
        };
        found.ok_or_else(|| {
            RemoteError(format!("the secret `{name}` of `{server}` is not set; `{how}` sets it"))
        })
    }

    fn credential(
        &self,
        server: &str,
        found: &RemotePlace,
        rule: &WebRule,
    ) -> Result<Option<Credential>, RemoteError> {
        let mut audience = vec![rule.clone()];
        if let RemoteCredential::Placed { secret, .. } = &found.credential
            && let Some(source) = self.parts.config.secrets.get(secret)
            && !source.hosts.is_empty()
        {
            // The person said where this secret may go.
            audience = source.hosts.iter().filter_map(|host| host.parse().ok()).collect();
        }
        let (secret, attach, parts) = match &found.credential {
            RemoteCredential::None => return Ok(None),
            RemoteCredential::Placed { secret, place } => {
                (secret, Attach::Place(place.clone()), Vec::new())
            }
            RemoteCredential::OAuth { secret, token_url, client_id, client_secret, resource } => {
                audience.push(self::rule(token_url)?);
                let id = hydroid_core::ports::SecretValue::new(client_id.clone());
                let mut parts =
                    vec![Part { name: CLIENT_ID.to_owned(), audience: Vec::new(), value: id }];
                if let Some((name, _)) = client_secret {
                    let value = self.value(server, name)?;
                    parts.push(Part { name: name.clone(), audience: Vec::new(), value });
                }
                let oauth = OAuth2 {
                    grant: OAuthGrant::RefreshToken {
                        client_secret: client_secret.as_ref().map(|(name, _)| name.clone()),
                    },
                    token_url: token_url.clone(),
                    client_id: Some(CLIENT_ID.to_owned()),
                    client_auth: client_secret.as_ref().map_or(ClientAuth::Body, |(_, auth)| *auth),
                    scopes: Vec::new(),
                    audience: None,
                    resource: Some(resource.clone()),
                    place: Place::Bearer,
                };
                (secret, Attach::Sign(Signer::OAuth2(oauth)), parts)
            }
        };
        Ok(Some(Credential {
            name: secret.clone(),
            user: self.parts.user.clone(),
            audience,
            attach,
            value: self.value(server, secret)?,
            parts,
            spares: Vec::new(),
            login: false,
            now_ms: self.parts.clock.now_ms(),
            keeper: Some(Arc::clone(&self.parts.secrets)),
            scrubber: Some(self.parts.scrubber.clone()),
        }))
    }
}

impl Remotes for RemoteDoor {
    fn send(
        &self,
        server: &str,
        request: RemoteRequest,
    ) -> BoxFuture<'_, Result<Box<dyn RemoteAnswer>, RemoteError>> {
        let server = server.to_owned();
        async move { self.send(&server, request).await }.boxed()
    }
}

/// The host of an address.
fn rule(url: &str) -> Result<WebRule, RemoteError> {
    let target = Target::parse(url).map_err(|error| RemoteError(error.to_string()))?;
    let rule = target.grantable().parse();
    Ok(rule.expect("a host that was parsed can be written as a rule"))
}

fn outgoing(request: &RemoteRequest) -> Result<Outgoing, RemoteError> {
    let wrong = |what: &str| RemoteError(format!("the request has {what} that HTTP cannot carry"));
    let target = Target::parse(&request.url).map_err(|error| RemoteError(error.to_string()))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("a header"))?;
        let value = HeaderValue::from_str(value).map_err(|_| wrong("a header"))?;
        headers.append(name, value);
    }
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| wrong("a method"))?;
    let body = request.body.clone().into();
    Ok(Outgoing { target, method, headers, body, timeout: None })
}

struct Answered(Answer);

impl RemoteAnswer for Answered {
    fn status(&self) -> u16 {
        self.0.status
    }

    fn header(&self, name: &str) -> Option<String> {
        self.0.headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    fn challenges(&self) -> Vec<String> {
        self.0.challenges().to_vec()
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, RemoteError>> {
        async move {
            let piece = self.0.next().await.map_err(|error| RemoteError(error.to_string()))?;
            Ok(piece.map(|piece| piece.to_vec()))
        }
        .boxed()
    }
}

impl std::fmt::Debug for RemoteDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteDoor").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RemoteParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteParts").field("user", &self.user).finish_non_exhaustive()
    }
}
