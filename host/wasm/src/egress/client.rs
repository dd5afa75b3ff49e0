//! The client: one per component, so that no connection is shared between two, dialling only
//! addresses that were checked.

use super::budget::{self, Counter, Permit};
use super::connect::{self, Connector, DialError, RemoteAddress, Tls};
use super::credential::{Credential, attach, check_supplied, mask_headers};
use super::denial::Denial;
use super::mask::Mask;
use super::resolver::Resolver;
use super::rotation::Rotation;
use super::signer::Tokens;
use super::stop::Stop;
use super::tape::Tape;
use super::target::{BadUrl, Target};
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt, Either, Full};
use hydroid_core::capability::{Grant, WebRequest};
use hydroid_core::config;
use hydroid_core::id::ComponentId;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

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
    /// The name server to ask, instead of the system.
    pub dns: Option<SocketAddr>,
    /// Counts what components send. None where a person sends, not a component.
    pub counter: Option<Counter>,
    /// Times, sizes and counts.
    pub limits: config::Egress,
}

/// The door.
pub struct Egress {
    settings: Arc<EgressSettings>,
    tls: Tls,
    resolver: OnceLock<Result<Resolver, String>>,
    lanes: Mutex<HashMap<ComponentId, Lane>>,
    permits: Arc<Semaphore>,
    tokens: Tokens,
    rotation: Rotation,
    stop: Stop,
    /// Answers in place of those of hosts, while a component is tried out.
    tape: Option<Arc<Tape>>,
}

/// What one component has for itself.
#[derive(Clone)]
struct Lane {
    client: Client<Connector, Full<Bytes>>,
    permits: Arc<Semaphore>,
}

/// A request a component wants to send.
#[derive(Clone, Debug)]
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
    /// Names of the secrets it refused, where it refused who asked.
    pub refused: Vec<String>,
    /// What the service wants to be shown; for the host only, which answers it.
    challenges: Vec<String>,
    url: String,
    /// Host and port, for what is said when it breaks off.
    authority: String,
    body: Either<Incoming, Full<Bytes>>,
    pub(super) mask: Option<Mask>,
    left: u64,
    deadline: Instant,
    total: Duration,
    stop: Stop,
    _permit: Option<Permit>,
}

/// A whole answer, as it is kept on a tape.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why a request was not sent, or not answered. The text goes to the guest and to the model.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The URL cannot be a target.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// No rule of the component's grant covers it.
    #[error("{0}")]
    NotGranted(Box<Denial>),
    /// A method that makes the request about something else than its URL.
    #[error("the method `{0}` cannot be used: it does not fetch what the URL names")]
    Method(String),
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
    /// The guest set what the host sets with a secret.
    #[error("{what} is set by the host with the secret `{secret}`; leave it out")]
    Supplied {
        /// The header, parameter or field.
        what: String,
        /// Name of the secret.
        secret: String,
    },
    /// A secret was not exchanged for a token.
    #[error(
        "there is no access token for the secret `{secret}` from `{endpoint}`: {problem}; a person can {} {secret}`",
        if *login { "sign in again with `hydroid provider login" } else { "set a new one with `hydroid secret set" }
    )]
    Token {
        /// Name of the secret.
        secret: String,
        /// The token endpoint.
        endpoint: String,
        /// Why.
        problem: String,
        /// A person obtains it by signing in.
        login: bool,
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
    /// A window of requests is full.
    #[error(
        "`{component}` has sent {most} requests within {within}, the most; {next}a person can raise `{key}`",
        within = if key.ends_with("minute") { "a minute" } else { "an hour" },
        next = free_in.map(|seconds| format!("the next may go in {seconds} s, or ")).unwrap_or_default()
    )]
    Budget {
        /// Who asked.
        component: ComponentId,
        /// The configuration key.
        key: &'static str,
        /// Its value.
        most: u32,
        /// Seconds until there is room; none if there never is.
        free_in: Option<u64>,
    },
    /// The counts cannot be kept.
    #[error("the request was not sent, because it cannot be counted: {0}")]
    Uncounted(String),
    /// Too many at once.
    #[error(
        "`{component}` waited {} s for other requests to end; a person can raise `{key}`",
        patience.as_secs()
    )]
    Busy {
        /// Who asked.
        component: ComponentId,
        /// The configuration key.
        key: &'static str,
        /// How long it waited.
        patience: Duration,
    },
    /// Something secret would leave.
    #[error(
        "the request of `{component}` to `{target}` holds {kinds}, so it was not sent; a secret goes where `secrets.NAME.hosts` says, attached by the host, and a person can let requests go without it with `hydroid config set egress.leaks redact`"
    )]
    Leak {
        /// Who asked.
        component: ComponentId,
        /// Host and port.
        target: String,
        /// What was found, by its names.
        kinds: String,
    },
    /// Nothing can be searched for secrets.
    #[error("the request was not sent, because it cannot be searched for secrets now: {0}")]
    Unsearched(String),
    /// The audit log cannot be written.
    #[error(
        "the request was not sent, because the audit log cannot be written; see `hydroid doctor`"
    )]
    Unaudited,
    /// Everything is stopped.
    #[error("everything is stopped; a person can let it go on with `hydroid stop --release`")]
    Stopped,
    /// It is not on the tape that answers while a component is tried out.
    #[error(
        "no answer to `{method} {url}` was recorded, and a test sends nothing; `hydroid component test --record` sends it once and keeps the answer"
    )]
    NotRecorded {
        /// Method.
        method: String,
        /// Whole URL.
        url: String,
    },
    /// A time limit.
    #[error("{0}")]
    Timeout(String),
    /// The connection could not be made or broke.
    #[error(
        "{}`{host}` {}: {problem}",
        if *sent { "the connection to " } else { "" },
        if *sent { "broke off" } else { "cannot be reached" }
    )]
    Connection {
        /// Name as asked, with its port.
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
            resolver: OnceLock::new(),
            lanes: Mutex::default(),
            permits,
            tokens: Tokens::default(),
            rotation: Rotation::default(),
            stop: Stop::default(),
            tape: None,
        }
    }

    /// The same door, shut for as long as this says so: what is under way then is cut.
    #[must_use]
    pub fn stopped_by(mut self, teller: watch::Receiver<bool>) -> Self {
        self.stop = Stop::told_by(teller);
        self
    }

    /// The same door with a tape behind it: what is on it answers, and what is not is only sent if
    /// the tape records.
    #[must_use]
    pub fn taped(mut self, tape: Arc<Tape>) -> Self {
        self.tape = Some(tape);
        self
    }

    /// How many certificate authorities are trusted; an error says where they could come from.
    pub fn authorities(&self) -> Result<usize, String> {
        connect::authorities(self.settings.authorities.as_deref()).map(|roots| roots.len())
    }

    /// Which values of credentials rest.
    pub(crate) fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    /// Limits in force.
    pub fn limits(&self) -> &config::Egress {
        &self.settings.limits
    }

    /// Checks, resolves, connects, attaches and sends; before that, obtains the token that a
    /// credential stands for.
    pub async fn send(
        &self,
        component: &ComponentId,
        grant: &Grant,
        outgoing: Outgoing,
        credential: Option<Credential>,
    ) -> Result<Answer, EgressError> {
        match &self.tape {
            Some(tape) => {
                let taped = self.send_taped(tape, component, grant, outgoing, credential);
                self.stop.clone().or(taped).await
            }
            None => {
                let sent = self.send_checked(component, grant, outgoing, credential);
                self.stop.clone().or(sent).await
            }
        }
    }

    /// What would be refused is refused; then the tape answers, or keeps what the host did.
    async fn send_taped(
        &self,
        tape: &Tape,
        component: &ComponentId,
        grant: &Grant,
        outgoing: Outgoing,
        credential: Option<Credential>,
    ) -> Result<Answer, EgressError> {
        check_grant(component, grant, &outgoing.target, &outgoing.method)?;
        check_headers(&outgoing.headers, &self.settings.limits)?;
        if let Some(credential) = &credential {
            check_supplied(&credential.name, &credential.attach, &outgoing)?;
        }
        let url = outgoing.target.url().to_string();
        let authority = authority(&outgoing.target);
        let recorded = if tape.records() {
            let sent = self.send_checked(component, grant, outgoing.clone(), credential).await?;
            let recorded = sent.whole().await?;
            tape.keep(&outgoing, &recorded);
            recorded
        } else {
            tape.play(&outgoing).ok_or_else(|| EgressError::NotRecorded {
                method: outgoing.method.to_string(),
                url: url.clone(),
            })?
        };
        let total = Duration::from_secs(self.settings.limits.total.0);
        Ok(Answer {
            status: recorded.status,
            headers: recorded.headers,
            address: None,
            refused: Vec::new(),
            challenges: Vec::new(),
            url,
            authority,
            body: Either::Right(Full::new(recorded.body)),
            mask: None,
            left: self.settings.limits.max_response.0,
            deadline: Instant::now() + total,
            total,
            stop: self.stop.clone(),
            _permit: None,
        })
    }

    async fn send_checked(
        &self,
        component: &ComponentId,
        grant: &Grant,
        outgoing: Outgoing,
        credential: Option<Credential>,
    ) -> Result<Answer, EgressError> {
        let Some((credential, oauth)) = credential.as_ref().and_then(Credential::exchanged) else {
            return self.send_once(component, grant, outgoing, credential).await;
        };
        check_grant(component, grant, &outgoing.target, &outgoing.method)?;
        check_headers(&outgoing.headers, &self.settings.limits)?;
        check_supplied(&credential.name, &credential.attach, &outgoing)?;
        self.tokens.send(self, (component, grant), outgoing, credential, oauth).await
    }

    /// One request with a credential that needs no exchange.
    pub(super) async fn send_once(
        &self,
        component: &ComponentId,
        grant: &Grant,
        mut outgoing: Outgoing,
        credential: Option<Credential>,
    ) -> Result<Answer, EgressError> {
        let limits = &self.settings.limits;
        check_grant(component, grant, &outgoing.target, &outgoing.method)?;
        check_headers(&outgoing.headers, limits)?;
        if outgoing.body.len() as u64 > limits.max_request.0 {
            return Err(EgressError::TooLarge(format!(
                "the request has {} bytes, more than `egress.max_request` ({})",
                outgoing.body.len(),
                limits.max_request
            )));
        }
        if let Some(counter) = &self.settings.counter {
            counter.count(component, limits).await?;
        }
        let shown_url = outgoing.target.url().to_string();
        let forms = credential.as_ref().map(|credential| attach(credential, &mut outgoing));
        let mask = Mask::new(forms.transpose()?.unwrap_or_default());
        let target = outgoing.target;
        let uri: Uri = target.url().as_str().parse().map_err(|_| EgressError::Connection {
            host: authority(&target),
            problem: "its URL is not one HTTP can carry".into(),
            sent: false,
        })?;
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = outgoing.headers;
        request
            .headers_mut()
            .entry(header::USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!("hydroid/", env!("CARGO_PKG_VERSION"))));
        let total = Duration::from_secs(limits.total.0);
        let first_byte = outgoing
            .timeout
            .unwrap_or(Duration::MAX)
            .clamp(SHORTEST_TIMEOUT, Duration::from_secs(limits.first_byte.0).min(total));
        let lane = self.lane(component)?;
        let permit =
            budget::permit(component, lane.permits, self.permits.clone(), first_byte).await?;
        let deadline = Instant::now() + total;
        let response = tokio::time::timeout(first_byte, lane.client.request(request))
            .await
            .map_err(|_| {
                EgressError::Timeout(format!(
                    "`{}` did not answer within {:.1} s",
                    target.host(),
                    first_byte.as_secs_f32()
                ))
            })?
            .map_err(|error| connection_error(&target, limits, &error))?;
        let (mut head, body) = response.into_parts();
        // HTTP/2 has no limit of its own on lines.
        if head.headers.len() > limits.max_response_header_lines {
            return Err(long_head(&target, limits));
        }
        let challenges = head.headers.get_all(header::WWW_AUTHENTICATE);
        let challenges =
            challenges.iter().filter_map(|line| Some(line.to_str().ok()?.to_owned())).collect();
        for name in [header::SET_COOKIE, header::WWW_AUTHENTICATE, header::PROXY_AUTHENTICATE] {
            head.headers.remove(name);
        }
        if credential.is_some() {
            let encoding = head.headers.get(header::CONTENT_ENCODING);
            if encoding.is_some_and(|encoding| encoding != "identity") {
                return Err(EgressError::Connection {
                    host: authority(&target),
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
            refused: Vec::new(),
            challenges,
            url: shown_url,
            authority: authority(&target),
            body: Either::Left(body),
            mask: credential.is_some().then_some(mask),
            left: limits.max_response.0,
            deadline,
            total,
            stop: self.stop.clone(),
            _permit: Some(permit),
        })
    }

    /// The addresses a request to the target could be sent to, checked: all of them, or an error.
    pub async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, EgressError> {
        let host = target.host().trim_start_matches('[').trim_end_matches(']');
        let found = self.connector()?.resolve(host, target.port()).await;
        found.map_err(|error| error.to_egress(target))
    }

    fn connector(&self) -> Result<Connector, EgressError> {
        let resolver = self.resolver.get_or_init(|| Resolver::new(self.settings.dns)).clone();
        let resolver = resolver.map_err(|problem| EgressError::Connection {
            host: "the name server".into(),
            problem,
            sent: false,
        })?;
        Ok(Connector { settings: self.settings.clone(), tls: self.tls.clone(), resolver })
    }

    fn lane(&self, component: &ComponentId) -> Result<Lane, EgressError> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(component) {
            return Ok(lane.clone());
        }
        let limits = &self.settings.limits;
        // Core checked that it is from 8 KiB to 1 MiB.
        let head = u32::try_from(limits.max_response_headers.0).unwrap_or(u32::MAX);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_max_headers(limits.max_response_header_lines)
            .http1_max_buf_size(usize::try_from(head).unwrap_or(usize::MAX))
            .http2_max_header_list_size(head)
            .build(self.connector()?);
        let permits = Arc::new(Semaphore::new(limits.max_concurrent_per_component));
        let lane = Lane { client, permits };
        lanes.insert(component.clone(), lane.clone());
        Ok(lane)
    }
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Answer {
    /// What the service wants to be shown, as it says it; never for a guest.
    pub(crate) fn challenges(&self) -> &[String] {
        &self.challenges
    }

    /// The URL that answered. A credential in it is not shown.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All of it.
    async fn whole(mut self) -> Result<Recorded, EgressError> {
        let mut body = Vec::new();
        while let Some(piece) = self.next().await? {
            body.extend_from_slice(&piece);
        }
        let headers = std::mem::take(&mut self.headers);
        Ok(Recorded { status: self.status, headers, body: body.into() })
    }

    /// The next bytes of the body; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, EgressError> {
        self.stop.clone().or(self.chunk()).await
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, EgressError> {
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
                        host: self.authority.clone(),
                        problem: format!("{error} before the end of the answer"),
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

/// True for a request that a rule of the grant covers, in a method that fetches what the URL names.
pub(crate) fn check_grant(
    component: &ComponentId,
    grant: &Grant,
    target: &Target,
    method: &Method,
) -> Result<(), EgressError> {
    let request = WebRequest {
        scheme: target.scheme(),
        host: target.host(),
        port: target.port(),
        method: method.as_str(),
        path: target.url().path(),
    };
    grant.allows_request(&request).map_err(|refusal| {
        let denial = Denial::new(component, method.as_str(), target, refusal);
        EgressError::NotGranted(Box::new(denial))
    })?;
    // A tunnel goes anywhere, and a trace comes back with what the host attached.
    if matches!(method.as_str().to_ascii_uppercase().as_str(), "CONNECT" | "TRACE" | "TRACK") {
        return Err(EgressError::Method(method.to_string()));
    }
    Ok(())
}

fn check_headers(headers: &HeaderMap, limits: &config::Egress) -> Result<(), EgressError> {
    let (most, largest) = (limits.max_request_header_lines, limits.max_request_headers);
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > most {
        return Err(EgressError::TooLarge(format!(
            "the request has {} header lines, more than `egress.max_request_header_lines` ({most})",
            headers.len()
        )));
    }
    if bytes as u64 > largest.0 {
        return Err(EgressError::TooLarge(format!(
            "the request's header lines have {bytes} bytes, more than `egress.max_request_headers` ({largest})"
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

/// Host and port: on one host several services may listen.
fn authority(target: &Target) -> String {
    format!("{}:{}", target.host(), target.port())
}

fn long_head(target: &Target, limits: &config::Egress) -> EgressError {
    EgressError::TooLarge(format!(
        "the head of the answer of `{}` is longer than `egress.max_response_headers` ({}) or `egress.max_response_header_lines` ({})",
        target.host(),
        limits.max_response_headers,
        limits.max_response_header_lines
    ))
}

fn connection_error(
    target: &Target,
    limits: &config::Egress,
    error: &hyper_util::client::legacy::Error,
) -> EgressError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<DialError>() {
            return refused.to_egress(target);
        }
        if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large) {
            return long_head(target, limits);
        }
        source = cause.source();
    }
    let mut problem = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        problem = cause.to_string();
        source = cause.source();
    }
    EgressError::Connection { host: authority(target), problem, sent: !error.is_connect() }
}
