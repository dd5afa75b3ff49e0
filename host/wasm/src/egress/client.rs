//! The client: one per component, so that no connection is shared between two, dialling only
//! addresses that were checked.

use super::connect::{self, Connector, DialError, RemoteAddress, Tls};
use super::credential::{Credential, attach, forms, mask_headers};
use super::mask::Mask;
use super::target::{BadUrl, Target};
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hydroid_core::capability::Grant;
use hydroid_core::config;
use hydroid_core::id::ComponentId;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Response head: lines and bytes that are read at the most.
const MAX_HEADERS: usize = 128;
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Request head: lines and bytes a guest may set.
const MAX_REQUEST_HEADERS: usize = 64;
const MAX_REQUEST_HEADER_BYTES: usize = 32 << 10;

/// A guest that asks for no time at all would panic older hosts; nobody needs less than this.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);

/// Idle connections kept for each component and origin.
const IDLE_CONNECTIONS: usize = 4;

/// What the operator configured.
#[derive(Clone, Debug)]
pub struct EgressSettings {
    /// Special addresses that may be reached all the same.
    pub allow_private: Vec<SocketAddr>,
    /// Certificate authorities in PEM, instead of the system's.
    pub authorities: Option<Vec<u8>>,
    /// Times, sizes and counts.
    pub limits: config::Egress,
}

/// The door.
pub struct Egress {
    settings: Arc<EgressSettings>,
    tls: Tls,
    clients: Mutex<HashMap<ComponentId, Client<Connector, Full<Bytes>>>>,
    permits: Arc<Semaphore>,
}

/// A request a component wants to send.
#[derive(Debug)]
pub struct Outgoing {
    /// Where to.
    pub target: Target,
    /// Method.
    pub method: Method,
    /// Header lines of the guest.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// Time to the first byte the guest wants at the most.
    pub timeout: Option<Duration>,
}

/// An answer whose body is still to be read.
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header lines, without cookies and challenges.
    pub headers: HeaderMap,
    /// The address that answered.
    pub address: Option<SocketAddr>,
    url: String,
    body: Incoming,
    mask: Option<Mask>,
    left: u64,
    deadline: Instant,
    total: Duration,
    _permit: OwnedSemaphorePermit,
}

/// Why a request was not sent, or not answered. The text goes to the guest and to the model.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The URL cannot be a target.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// No rule of the component's grant covers it.
    #[error(
        "`{component}` may not send {method} to `{target}`: no grant covers it; a person can allow it with `hydroid component grant {component} web --host {target}`"
    )]
    NotGranted {
        /// Who asked.
        component: ComponentId,
        /// Method.
        method: String,
        /// Host and port as they would be granted.
        target: String,
    },
    /// The name leads to an address that is not public.
    #[error(
        "`{host}` has the address {address}, which is {what}; a person can open it with `egress.allow_private = [\"{open}\"]` in the configuration"
    )]
    SpecialAddress {
        /// Name as asked.
        host: String,
        /// The address.
        address: std::net::IpAddr,
        /// What the address is.
        what: &'static str,
        /// The entry that would open it.
        open: SocketAddr,
    },
    /// The name has no address.
    #[error("`{host}` was not found")]
    NotFound {
        /// Name as asked.
        host: String,
    },
    /// A header the host sets or forbids.
    #[error("the header `{name}` is set by the host; {instead}")]
    Header {
        /// The header.
        name: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// The secret may not go there.
    #[error(
        "the secret `{secret}` may not be sent to `{target}`; a person can allow it with `secrets.{secret}.hosts = [\"{target}\"]` in the configuration"
    )]
    Audience {
        /// Name of the secret.
        secret: String,
        /// Host and port.
        target: String,
    },
    /// The secret cannot be put where it is wanted.
    #[error("the secret `{secret}` cannot be put there: {problem}")]
    Place {
        /// Name of the secret.
        secret: String,
        /// Why.
        problem: &'static str,
    },
    /// A limit.
    #[error("{0}")]
    TooLarge(String),
    /// A time limit.
    #[error("{0}")]
    Timeout(String),
    /// The connection could not be made or broke.
    #[error("`{host}` cannot be reached: {problem}")]
    Connection {
        /// Name as asked.
        host: String,
        /// Why.
        problem: String,
        /// The request may have arrived.
        sent: bool,
    },
}

impl Egress {
    /// Makes the door; certificates are read at the first use.
    pub fn new(settings: EgressSettings) -> Self {
        let permits = Arc::new(Semaphore::new(settings.limits.max_concurrent));
        Self {
            settings: Arc::new(settings),
            tls: Arc::default(),
            clients: Mutex::default(),
            permits,
        }
    }

    /// How many certificate authorities are trusted; an error says where they could come from.
    pub fn authorities(&self) -> Result<usize, String> {
        connect::authorities(self.settings.authorities.as_deref()).map(|roots| roots.len())
    }

    /// Limits in force.
    pub fn limits(&self) -> &config::Egress {
        &self.settings.limits
    }

    /// Checks, resolves, connects, attaches and sends.
    pub async fn send(
        &self,
        component: &ComponentId,
        grant: &Grant,
        outgoing: Outgoing,
        credential: Option<Credential>,
    ) -> Result<Answer, EgressError> {
        let target = outgoing.target;
        let method = outgoing.method;
        if grant
            .allows_request(target.scheme(), target.host(), target.port(), method.as_str())
            .is_none()
        {
            return Err(EgressError::NotGranted {
                component: component.clone(),
                method: method.to_string(),
                target: target.grantable(),
            });
        }
        check_headers(&outgoing.headers)?;
        let limits = &self.settings.limits;
        if outgoing.body.len() as u64 > limits.max_request.0 {
            return Err(EgressError::TooLarge(format!(
                "the request has {} bytes, more than `egress.max_request` ({})",
                outgoing.body.len(),
                limits.max_request
            )));
        }
        let mut headers = outgoing.headers;
        let mask = Mask::new(credential.as_ref().map(forms).unwrap_or_default());
        let shown_url = target.url().to_string();
        if credential.is_some() {
            // A part of the answer, or a packed one, could carry the credential past the mask.
            for name in [header::RANGE, header::IF_RANGE, header::TE] {
                headers.remove(name);
            }
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let target = match &credential {
            Some(credential) => attach(credential, target, &mut headers)?,
            None => target,
        };
        let permit = self
            .permits
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| EgressError::Timeout("the host is stopping".into()))?;
        let uri: Uri = target.url().as_str().parse().map_err(|_| EgressError::Connection {
            host: target.host().to_owned(),
            problem: "its URL is not one HTTP can carry".into(),
            sent: false,
        })?;
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request
            .headers_mut()
            .entry(header::USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!("hydroid/", env!("CARGO_PKG_VERSION"))));
        let total = Duration::from_secs(limits.total.0);
        let deadline = Instant::now() + total;
        let first_byte = outgoing
            .timeout
            .unwrap_or(Duration::MAX)
            .clamp(SHORTEST_TIMEOUT, Duration::from_secs(limits.first_byte.0).min(total));
        let response = tokio::time::timeout(first_byte, self.client(component).request(request))
            .await
            .map_err(|_| {
                EgressError::Timeout(format!(
                    "`{}` did not answer within {:.1} s",
                    target.host(),
                    first_byte.as_secs_f32()
                ))
            })?
            .map_err(|error| connection_error(&target, &error))?;
        let (mut head, body) = response.into_parts();
        for name in [header::SET_COOKIE, header::WWW_AUTHENTICATE, header::PROXY_AUTHENTICATE] {
            head.headers.remove(name);
        }
        if credential.is_some() {
            let encoding = head.headers.get(header::CONTENT_ENCODING);
            if encoding.is_some_and(|encoding| encoding != "identity") {
                return Err(EgressError::Connection {
                    host: target.host().to_owned(),
                    problem: "it answered in an encoding in which a credential cannot be masked"
                        .into(),
                    sent: true,
                });
            }
            mask_headers(&mut head.headers, &mask);
        }
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            address: head.extensions.get::<RemoteAddress>().map(|remote| remote.0),
            url: shown_url,
            body,
            mask: credential.is_some().then_some(mask),
            left: limits.max_response.0,
            deadline,
            total,
            _permit: permit,
        })
    }

    fn client(&self, component: &ComponentId) -> Client<Connector, Full<Bytes>> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients
            .entry(component.clone())
            .or_insert_with(|| {
                let connector =
                    Connector { settings: self.settings.clone(), tls: self.tls.clone() };
                Client::builder(TokioExecutor::new())
                    .pool_timer(TokioTimer::new())
                    .pool_idle_timeout(Duration::from_secs(60))
                    .pool_max_idle_per_host(IDLE_CONNECTIONS)
                    .http1_max_headers(MAX_HEADERS)
                    .http1_max_buf_size(MAX_HEAD_BYTES)
                    .http2_max_header_list_size(
                        u32::try_from(MAX_HEAD_BYTES).expect("64 KiB fit a u32"),
                    )
                    .build(connector)
            })
            .clone()
    }
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Answer {
    /// The URL that answered. A credential in it is not shown.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next bytes of the body; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, EgressError> {
        loop {
            let frame =
                tokio::time::timeout_at(self.deadline, self.body.frame()).await.map_err(|_| {
                    EgressError::Timeout(format!(
                        "the answer took longer than `egress.total` ({} s)",
                        self.total.as_secs()
                    ))
                })?;
            let chunk = match frame {
                None => {
                    let rest = self.mask.take().map(|mut mask| mask.finish()).unwrap_or_default();
                    return Ok((!rest.is_empty()).then_some(rest));
                }
                Some(Err(error)) => {
                    return Err(EgressError::Connection {
                        host: self.url.clone(),
                        problem: format!("the answer broke off: {error}"),
                        sent: true,
                    });
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_) => continue,
                },
            };
            self.left = self.left.checked_sub(chunk.len() as u64).ok_or_else(|| {
                EgressError::TooLarge("the answer is longer than `egress.max_response`".into())
            })?;
            let shown = match &mut self.mask {
                Some(mask) => mask.push(chunk),
                None => chunk,
            };
            if !shown.is_empty() {
                return Ok(Some(shown));
            }
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

fn check_headers(headers: &HeaderMap) -> Result<(), EgressError> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > MAX_REQUEST_HEADERS || bytes > MAX_REQUEST_HEADER_BYTES {
        return Err(EgressError::TooLarge(format!(
            "the request has {} header lines with {bytes} bytes; {MAX_REQUEST_HEADERS} lines and {MAX_REQUEST_HEADER_BYTES} bytes are the most",
            headers.len()
        )));
    }
    for name in headers.keys() {
        let instead = match name.as_str() {
            "authorization" | "proxy-authorization" | "cookie" => {
                "name a secret instead, the host attaches it"
            }
            "host" | "connection" | "content-length" | "expect" | "keep-alive"
            | "proxy-connection" | "te" | "trailer" | "transfer-encoding" | "upgrade"
            | "http2-settings" => "leave it out",
            _ => continue,
        };
        return Err(EgressError::Header { name: name.to_string(), instead });
    }
    Ok(())
}

fn connection_error(target: &Target, error: &hyper_util::client::legacy::Error) -> EgressError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<DialError>() {
            return refused.to_egress(target);
        }
        source = cause.source();
    }
    let mut problem = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        problem = cause.to_string();
        source = cause.source();
    }
    EgressError::Connection { host: target.host().to_owned(), problem, sent: !error.is_connect() }
}
